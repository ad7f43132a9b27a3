//! The binary as a child process: started, heard line by line, signalled, and judged by what it
//! leaves.
#![allow(dead_code, reason = "each test program uses its own share of what stands here")]

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

/// How long anything may take that should be quick; a busy machine is no fault.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// A place to run in, with a plan, a state directory and a directory for scratches, and nothing
/// of the surroundings in it.
pub struct Home(TempDir);

impl Home {
    pub fn new() -> Home {
        let home = tempfile::Builder::new().prefix("fdhome-").tempdir_in("/tmp").unwrap();
        fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::create_dir(home.path().join("scratch")).unwrap();
        Home(home)
    }

    pub fn with_plan(text: &str) -> Home {
        let home = Home::new();
        home.plan(text);
        home
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Where scratches are made: it is what `$TMPDIR` names.
    pub fn scratch(&self) -> PathBuf {
        self.path().join("scratch")
    }

    pub fn state(&self) -> PathBuf {
        self.path().join("state")
    }

    /// Writes the plan.
    pub fn plan(&self, text: &str) {
        fs::write(self.path().join("firedrill.toml"), text).unwrap();
    }

    /// The binary with these arguments, in an environment that says nothing.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_firedrill"));
        command.args(arguments).current_dir(self.path()).stdin(Stdio::null());
        command.env_clear().env("HOME", self.path()).env("PATH", "/usr/bin:/bin");
        command.env("TMPDIR", self.scratch()).env("AWS_EC2_METADATA_DISABLED", "true");
        command.arg("--state").arg(self.state());
        command
    }

    /// Starts the binary.
    pub fn start(&self, arguments: &[&str], environment: &[(&str, String)]) -> Running {
        let mut command = self.command(arguments);
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        Running::start(command)
    }

    /// Runs the binary to its end.
    pub fn run(&self, arguments: &[&str], environment: &[(&str, String)]) -> Ended {
        self.start(arguments, environment).end()
    }

    /// What the drills of a service left, in their order.
    pub fn evidence(&self, service: &str) -> Vec<Value> {
        let directory = self.state().join("evidence").join(service);
        let mut paths: Vec<_> =
            fs::read_dir(directory).into_iter().flatten().map(|file| file.unwrap().path()).collect();
        paths.sort();
        let read = |path: PathBuf| -> Value { serde_json::from_slice(&fs::read(path).unwrap()).unwrap() };
        paths.into_iter().map(|path| read(path)["predicate"].take()).collect()
    }

    /// The ids of runs whose journals are still there.
    pub fn open_journals(&self) -> Vec<String> {
        let journals = fs::read_dir(self.state().join("runs")).into_iter().flatten();
        let mut ids: Vec<_> =
            journals.map(|file| file.unwrap().path().file_stem().unwrap().to_str().unwrap().into()).collect();
        ids.sort();
        ids
    }

    /// What lies where scratches are made.
    pub fn left_behind(&self) -> Vec<PathBuf> {
        fs::read_dir(self.scratch()).unwrap().map(|entry| entry.unwrap().path()).collect()
    }

    /// Every file below, with its content: to see that nothing was touched.
    pub fn everything_in(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
        let mut files = Vec::new();
        let mut directories = vec![directory.to_owned()];
        while let Some(directory) = directories.pop() {
            for child in fs::read_dir(directory).into_iter().flatten().flatten() {
                match child.file_type().unwrap().is_dir() {
                    true => directories.push(child.path()),
                    false => files.push((child.path(), fs::read(child.path()).unwrap_or_default())),
                }
            }
        }
        files.sort();
        files
    }
}

/// The binary at work; killed at the end at the latest.
pub struct Running {
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
    stderr: Arc<Mutex<String>>,
    readers: Vec<JoinHandle<()>>,
}

/// The binary at its end.
#[derive(Debug)]
pub struct Ended {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    #[track_caller]
    pub fn with(self, code: i32) -> Ended {
        assert_eq!(self.status.code(), Some(code), "{}\n{}", self.stdout, self.stderr);
        self
    }

    /// Stdout as one JSON document.
    #[track_caller]
    pub fn document(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

impl Running {
    pub fn start(mut command: Command) -> Running {
        // A group of its own, so that a signal to the tests is none to it.
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let mut child = command.spawn().unwrap();
        let (tell, lines) = channel();
        let stderr = Arc::new(Mutex::new(String::new()));
        let (out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let said = stderr.clone();
        let readers = vec![
            std::thread::spawn(move || hear(out, |line| drop(tell.send(line)))),
            std::thread::spawn(move || note(err, &said)),
        ];
        Running { child, lines, seen: Vec::new(), stderr, readers }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until a line of stdout holds all of `words`.
    #[track_caller]
    pub fn until(&mut self, words: &[&str]) {
        let until = Instant::now() + PATIENCE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    let found = words.iter().all(|word| line.contains(word));
                    self.seen.push(line);
                    if found {
                        return;
                    }
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    panic!("no line with {words:?} came, but {:#?}\n{}", self.seen, self.said());
                }
            }
        }
    }

    /// What it has said on stderr so far.
    pub fn said(&self) -> String {
        self.stderr.lock().unwrap().clone()
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }

    /// Waits for its end.
    #[track_caller]
    pub fn end(self) -> Ended {
        self.end_within(PATIENCE)
    }

    /// Waits for its end, which must come in time.
    #[track_caller]
    pub fn end_within(mut self, patience: Duration) -> Ended {
        let until = Instant::now() + patience;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < until, "it still runs after {patience:?}: {}", self.said());
            std::thread::sleep(Duration::from_millis(2));
        };
        for reader in self.readers.drain(..) {
            reader.join().unwrap();
        }
        self.seen.extend(self.lines.try_iter());
        Ended { status, stdout: self.seen.join("\n"), stderr: self.said() }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

fn hear(stream: ChildStdout, mut tell: impl FnMut(String)) {
    BufReader::new(stream).lines().map_while(Result::ok).for_each(&mut tell);
}

fn note(mut stream: ChildStderr, said: &Mutex<String>) {
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = stream.read(&mut buffer) {
        said.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..read]));
    }
}
