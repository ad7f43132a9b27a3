//! `firedrill report` as its users meet it: evidence on the disk, files and exit codes.

// Helpers count as tests by this, and may unwrap like them.
#![cfg(test)]

mod report_support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use firedrill::evidence::{Log, SigningKey, keygen};
use jiff::SignedDuration;
use report_support::*;
use tempfile::TempDir;

/// A home with a state directory, in which the binary runs.
struct Home(TempDir);

struct Answer {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Home {
    fn new() -> Home {
        Home(tempfile::tempdir().unwrap())
    }

    /// With evidence of `orders`: a pass the night before last, and one an hour ago.
    fn with_evidence() -> Home {
        let home = Home::new();
        home.drilled("orders", SignedDuration::from_hours(25));
        home.drilled("orders", SignedDuration::from_hours(1));
        home
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn evidence(&self) -> PathBuf {
        self.path().join("state/evidence")
    }

    /// A pass that ended `age` ago, without anything that calls for a look.
    fn drilled(&self, service: &str, age: SignedDuration) -> PathBuf {
        let mut record = recent(service, age);
        let point = record.measurements.recovery_point.as_mut().unwrap();
        point.worst_case_exposure_ms = Some(firedrill::record::Millis::new(80_000_000));
        point.met_worst_case = Some(true);
        fs::create_dir_all(self.evidence()).unwrap();
        Log::open(&self.evidence(), service).unwrap().append(&mut record, None).unwrap().path
    }

    #[track_caller]
    fn report(&self, arguments: &[&str], code: i32) -> Answer {
        let output = Command::new(env!("CARGO_BIN_EXE_firedrill"))
            .args(["--state", "state", "report"])
            .args(arguments)
            .current_dir(self.path())
            .stdin(Stdio::null())
            .env_clear()
            .env("HOME", self.path())
            .output()
            .unwrap();
        let answer = Answer {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        };
        assert_eq!(answer.code, code, "{arguments:?}\n{}\n{}", answer.stdout, answer.stderr);
        answer
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.path().join(file)).unwrap()
    }
}

const PLAN: &str = r#"
[service.orders]
checks = "content only"
[service.orders.backup]
location = "file:///srv/backups/orders/"
pattern = "orders-{time:%Y%m%dT%H%M%SZ}.dump"

[service.billing]
checks = "content only"
[service.billing.backup]
location = "file:///srv/backups/billing/"
pattern = "billing-{time:%Y%m%dT%H%M%SZ}.dump"
"#;

#[test]
fn each_report_is_written_to_its_file_and_nothing_is_said() {
    let home = Home::with_evidence();
    let answer = home.report(&["--html", "r.html", "--junit", "r.xml", "--prometheus", "r.prom"], 0);
    assert_eq!((answer.stdout.as_str(), answer.stderr.as_str()), ("", ""));
    assert!(home.read("r.html").contains("<h1>The backup of orders came back.</h1>"));
    assert!(home.read("r.xml").contains("<testsuite name=\"orders\""));
    let metrics = home.read("r.prom");
    assert!(metrics.contains("firedrill_runs_total{service=\"orders\",verdict=\"pass\"} 2\n"), "{metrics}");
    let names: Vec<_> = fs::read_dir(home.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(names.len(), 4, "no other file is left: {names:?}");
}

#[test]
fn without_a_format_the_newest_drills_are_told_as_text() {
    let home = Home::with_evidence();
    let answer = home.report(&[], 0);
    assert!(answer.stdout.contains("orders: pass"), "{}", answer.stdout);
    assert!(answer.stdout.contains("1 drill: 1 passed."), "{}", answer.stdout);
}

#[test]
fn a_dash_is_stdout_and_only_one_report_fits_there() {
    let home = Home::with_evidence();
    assert!(home.report(&["--junit", "-"], 0).stdout.starts_with("<?xml"));
    assert!(home.report(&["--html", "/dev/stdout"], 0).stdout.starts_with("<!doctype html>"));
    assert!(
        fs::symlink_metadata("/dev/stdout").unwrap().is_symlink(),
        "a device is written to, not replaced"
    );
    let answer = home.report(&["--junit", "-", "--html", "-"], 64);
    assert!(answer.stderr.contains("two reports can't share stdout"), "{}", answer.stderr);
}

#[test]
fn a_file_is_replaced_at_once_and_a_link_stays() {
    let home = Home::with_evidence();
    fs::write(home.path().join("real.prom"), "old").unwrap();
    std::os::unix::fs::symlink("real.prom", home.path().join("link.prom")).unwrap();
    let before = fs::File::open(home.path().join("real.prom")).unwrap();
    home.report(&["--prometheus", "link.prom"], 0);
    assert!(fs::symlink_metadata(home.path().join("link.prom")).unwrap().is_symlink());
    assert!(home.read("real.prom").contains("firedrill_build_info"));
    assert_eq!(
        std::io::read_to_string(before).unwrap(),
        "old",
        "whoever reads meanwhile has the old one, whole"
    );
    let mode = fs::metadata(home.path().join("real.prom")).unwrap().permissions().mode();
    assert_eq!(mode & 0o400, 0o400);
    assert_ne!(mode & 0o044, 0, "the collector can read it: {mode:o}");
}

#[test]
fn a_report_that_can_not_be_written_is_told() {
    let home = Home::with_evidence();
    let answer = home.report(&["--html", "missing/r.html"], 3);
    assert!(answer.stderr.contains("write the report 'missing/r.html'"), "{}", answer.stderr);
}

#[test]
fn a_service_of_the_plan_that_was_never_drilled_is_shown() {
    let home = Home::with_evidence();
    fs::write(home.path().join("firedrill.toml"), PLAN).unwrap();
    let answer = home.report(&["--html", "r.html", "--prometheus", "-"], 0);
    assert!(answer.stderr.contains("warning: billing: no drill of this service has left a record"));
    assert!(home.read("r.html").contains("2 services: 1 passed, 1 never drilled."));
    assert!(!answer.stdout.contains("firedrill_last_run_timestamp_seconds{service=\"billing\"}"));
    let line = home.report(&["--nagios"], 3).stdout;
    assert!(line.starts_with("RESTORE UNKNOWN - billing: no drill of this service"), "{line}");
    // Whoever names the evidence looks at it, and at nothing else.
    let line = home.report(&["--nagios", "--evidence", "state/evidence"], 0).stdout;
    assert!(line.starts_with("RESTORE OK - orders: restored in 17m28s"), "{line}");
}

#[test]
fn a_plugin_always_says_a_line_and_ends_with_a_number_of_its_own() {
    let home = Home::with_evidence();
    assert!(home.report(&["orders", "--nagios"], 0).stdout.starts_with("RESTORE OK"));
    assert!(home.report(&["--nagios", "--max-age", "30m"], 2).stdout.contains("and may be 30m"));
    let table: [(&[&str], &str); 4] = [
        (&["nobody", "--nagios"], "there is no evidence of 'nobody'"),
        (&["../evidence/orders", "--nagios"], "there is no evidence of '../evidence/orders'"),
        (&["--nagios", "--evidence", "nowhere"], "there is no evidence in 'nowhere'"),
        (&["--nagios", "--key", "no.pub"], "no.pub"),
    ];
    for (arguments, words) in table {
        let line = home.report(arguments, 3).stdout;
        assert!(line.starts_with("RESTORE UNKNOWN - "), "{line}");
        assert!(line.contains(words), "{words}: {line}");
        assert_eq!(line.lines().count(), 1, "{line}");
    }
    fs::write(home.path().join("firedrill.toml"), "[service.orders]\nrto = 15\n").unwrap();
    assert!(home.report(&["--nagios"], 3).stdout.starts_with("RESTORE UNKNOWN - "));
}

#[test]
fn what_an_old_pass_says_today_is_that_it_is_old() {
    let home = Home::new();
    home.drilled("orders", SignedDuration::from_hours(24 * 9));
    let line = home.report(&["--nagios"], 2).stdout;
    assert!(line.contains("orders: the newest record is 9d00h old, and may be 26h"), "{line}");
    let answer = home.report(&["--html", "r.html", "--junit", "r.xml"], 0);
    assert!(answer.stderr.contains("warning: orders: the newest record is 9d00h old"), "{}", answer.stderr);
    assert!(home.read("r.html").contains("Out of date"));
    assert!(home.read("r.xml").contains("errors=\"1\""));
}

type Damage = fn(&[PathBuf]);

/// Each damage to a log of two passes, and what is said about it.
const DAMAGES: &[(&str, Damage, &str)] = &[
    ("cut short", |files| cut(&files[1]), "00000002-"),
    ("a byte changed", |files| change(&files[1], "\"rows\":300000", "\"rows\":300001"), "00000002-"),
    ("an old byte changed", |files| change(&files[0], "\"rows\":300000", "\"rows\":300001"), "0000000"),
    (
        "a verdict changed",
        |files| change(&files[1], "\"result\":\"pass\"", "\"result\":\"fail\""),
        "00000002-",
    ),
    ("the first one gone", |files| fs::remove_file(&files[0]).unwrap(), "places 1 to 1 have no file"),
    ("another way to write it", |files| change(&files[1], "{", "{ "), "00000002-"),
];

fn cut(file: &Path) {
    let bytes = fs::read(file).unwrap();
    fs::write(file, &bytes[..bytes.len() / 2]).unwrap();
}

fn change(file: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(file).unwrap();
    assert!(text.contains(from), "{from}");
    fs::write(file, text.replacen(from, to, 1)).unwrap();
}

#[test]
fn damaged_evidence_is_named_and_never_shown_as_a_pass() {
    for (name, damage, words) in DAMAGES {
        let home = Home::new();
        let files = [25, 1].map(|hours| home.drilled("orders", SignedDuration::from_hours(hours)));
        home.report(&["--nagios"], 0);
        damage(&files);
        let line = home.report(&["--nagios"], 3).stdout;
        assert!(line.starts_with("RESTORE UNKNOWN - orders: "), "{name}: {line}");
        assert!(line.contains(words), "{name}: {line}");
        let answer = home.report(&["--html", "r.html", "--prometheus", "r.prom", "--junit", "r.xml"], 3);
        assert!(answer.stderr.contains(words), "{name}: {}", answer.stderr);
        assert!(home.read("r.html").contains("<h1>The evidence of orders is not sound.</h1>"), "{name}");
        assert!(!home.read("r.prom").contains("last_run_verdict"), "{name}");
        assert!(!home.read("r.xml").contains("errors=\"0\""), "{name}");
    }
}

#[test]
fn with_a_key_only_what_it_signed_stands_up() {
    let home = Home::new();
    let keys = ["ours", "theirs"].map(|name| {
        let folder = home.path().join(name);
        fs::create_dir(&folder).unwrap();
        SigningKey::read(&keygen(&folder).unwrap().0).unwrap()
    });
    fs::create_dir_all(home.evidence()).unwrap();
    let log = Log::open(&home.evidence(), "orders").unwrap();
    log.append(&mut recent("orders", SignedDuration::from_hours(1)), Some(&keys[0])).unwrap();

    let line = home.report(&["--nagios", "--key", "ours/evidence.pub"], 1).stdout;
    assert!(line.starts_with("RESTORE WARNING - orders: restored in"), "{line}");
    let line = home.report(&["--nagios", "--key", "theirs/evidence.pub"], 3).stdout;
    assert!(line.contains("none of the given keys has signed this"), "{line}");
    home.report(&["--html", "r.html", "--key", "ours/evidence.pub"], 0);
    assert!(home.read("r.html").contains("signatures, chain and verdicts were checked"));

    home.drilled("wiki", SignedDuration::from_hours(1));
    let line = home.report(&["wiki", "--nagios", "--key", "ours/evidence.pub"], 3).stdout;
    assert!(line.contains("this is not signed"), "{line}");
}

#[test]
fn a_run_leaves_its_page_beside_the_evidence_and_says_nothing_of_it() {
    let home = Home::new();
    fs::write(home.path().join("firedrill.toml"), PLAN).unwrap();
    let run = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_firedrill"));
        command.args(["--state", "state", "run", "billing", "orders", "--quiet"]).current_dir(home.path());
        command.env_clear().env("HOME", home.path()).stdin(Stdio::null()).output().unwrap()
    };
    let first = run();
    assert_eq!(String::from_utf8_lossy(&first.stderr), "");
    let folder = home.path().join("state/reports");
    let pages: Vec<_> = fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path()).collect();
    let [page] = pages.as_slice() else { panic!("{pages:?}") };
    assert_eq!(fs::metadata(page).unwrap().permissions().mode() & 0o777, 0o600);
    let html = fs::read_to_string(page).unwrap();
    assert!(html.contains("id=\"service-2\"") && html.contains("2 drills with a record"), "{html}");

    // The newest hundred are kept, and what is no page of a run is nobody's business.
    for minute in 0..105 {
        let name = format!("01900000-{minute:04x}-7000-8000-000000000000.html");
        fs::write(folder.join(name), "an old page").unwrap();
    }
    fs::write(folder.join("notes.html"), "mine").unwrap();
    run();
    let left: Vec<_> = fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path()).collect();
    assert_eq!(left.len(), 101, "{left:?}");
    assert!(page.exists() && folder.join("notes.html").exists());
    assert!(!folder.join("01900000-0006-7000-8000-000000000000.html").exists(), "the oldest are gone");
    assert!(folder.join("01900000-0007-7000-8000-000000000000.html").exists());

    fs::remove_dir_all(&folder).unwrap();
    fs::write(&folder, "in the way").unwrap();
    let second = run();
    assert_eq!(second.status.code(), first.status.code(), "no pass, and none the worse for it");
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(said.contains("warning: the report of this run could not be written"), "{said}");
}

#[test]
fn without_any_evidence_the_reader_is_told_what_to_do() {
    let home = Home::new();
    let answer = home.report(&["--html", "r.html"], 64);
    assert!(answer.stderr.contains("there is no evidence in"), "{}", answer.stderr);
    assert!(answer.stderr.contains("hint: drill first"), "{}", answer.stderr);
    assert!(!home.path().join("r.html").exists());
    assert!(!home.path().join("state").exists(), "looking makes nothing");
}
