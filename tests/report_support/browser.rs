//! Chromium without a screen.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::parts::part;

/// How long the browser may take for a page.
const PATIENCE: Duration = Duration::from_secs(120);

/// What the browser made of a page.
pub struct Opened {
    /// The document as it stands after everything in it had its say.
    pub dom: String,
    /// What it said on its console, one line each.
    pub console: Vec<String>,
}

/// Opens a page and waits until it is at rest.
pub fn open(page: &Path) -> Opened {
    let home = tempfile::tempdir().unwrap();
    let (dom, log) = run(&home, page, &["--dump-dom", "--enable-logging=stderr", "--v=0"]);
    let console = log.lines().filter(|line| line.contains("CONSOLE")).map(str::to_owned).collect();
    Opened { dom, console }
}

/// A picture of the page in a window of this size: the bytes of a PNG.
pub fn picture(page: &Path, width: u32, height: u32) -> Vec<u8> {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("picture.png");
    let size = format!("--window-size={width},{height}");
    let (_, log) =
        run(&home, page, &["--hide-scrollbars", &size, &format!("--screenshot={}", file.display())]);
    std::fs::read(&file).unwrap_or_else(|error| panic!("no picture: {error}\n{log}"))
}

/// The page as it would be printed: the bytes of a PDF.
pub fn print(page: &Path) -> Vec<u8> {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("page.pdf");
    let (_, log) = run(&home, page, &[&format!("--print-to-pdf={}", file.display())]);
    std::fs::read(&file).unwrap_or_else(|error| panic!("no print: {error}\n{log}"))
}

/// What it wrote to its two streams.
fn run(home: &TempDir, page: &Path, options: &[&str]) -> (String, String) {
    let [out, log] = ["out", "log"].map(|name| home.path().join(name));
    let create = |path: &PathBuf| File::create(path).map(Stdio::from).unwrap();
    let mut child = Command::new(part("chromium", "chromium"))
        .args([
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
        ])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .arg(format!("--user-data-dir={}", home.path().join("profile").display()))
        .env("HOME", home.path())
        .args(options)
        .arg(format!("file://{}", page.display()))
        .stdin(Stdio::null())
        .stdout(create(&out))
        .stderr(create(&log))
        .spawn()
        .unwrap();
    let deadline = Instant::now() + PATIENCE;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if Instant::now() > deadline {
            child.kill().unwrap();
            panic!("chromium took longer than {PATIENCE:?} for {}", page.display());
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let [out, log] = [out, log].map(|path| {
        let mut bytes = Vec::new();
        File::open(path).unwrap().read_to_end(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    });
    assert!(status.success(), "chromium ended with {status}\n{log}");
    (out, log)
}
