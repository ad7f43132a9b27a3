//! `firedrill backups` and `firedrill history` as their users meet them: on a pipe and as JSON,
//! over real drills and over long histories of made ones.
#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

#[path = "support/nights.rs"]
mod nights;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use firedrill::evidence::Log;
use firedrill::exit_code::ExitCode;
use firedrill::record::Record;
use firedrill::verdict::Code;
use jiff::{SignedDuration, Timestamp};
use nights::{halted, night, sized, slower, with_rto};
use serde_json::{Value, json};
use tempfile::TempDir;

/// An archive that every PostgreSQL from 13 on restores.
const ARCHIVE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/archives/pg13/custom-gzip.dump");

/// What the history of three weeks looks like on a pipe.
const HISTORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/history/three-weeks.txt");

/// A home with a store, in which the binary runs.
struct Home(TempDir);

struct Answer {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Home {
    fn new() -> Home {
        let home = Home(tempfile::tempdir().unwrap());
        fs::create_dir(home.store()).unwrap();
        home.plan("rpo = '30h'", "every = '1d'");
        home
    }

    fn plan(&self, service: &str, backup: &str) {
        // Its backups are one archive under several names.
        let plan = format!(
            "[service.orders]\nchecks = 'content only'\ndrift.unchanged = 'warn'\n{service}\n\
             [service.orders.backup]\nlocation = 'file://{}/'\n\
             pattern = 'orders-{{time:%Y%m%dT%H%M%SZ}}.dump'\n{backup}\n\
             [service.orders.scratch]\nsettings = 'fast'\nisolation = 'best-effort'\n",
            self.store().display()
        );
        fs::write(self.0.path().join("firedrill.toml"), plan).unwrap();
    }

    fn store(&self) -> PathBuf {
        self.0.path().join("store")
    }

    /// Puts a backup into the store that began so many hours ago and was there 10 minutes later.
    fn back_up(&self, hours_ago: i64) -> String {
        let began = Timestamp::now() - SignedDuration::from_hours(hours_ago);
        let name = began.strftime("orders-%Y%m%dT%H%M%SZ.dump").to_string();
        fs::copy(ARCHIVE, self.store().join(&name)).unwrap();
        let written = began + SignedDuration::from_mins(10);
        let file = fs::File::options().write(true).open(self.store().join(&name)).unwrap();
        file.set_modified(written.into()).unwrap();
        name
    }

    fn digest(&self, name: &str, text: &str) {
        fs::write(self.store().join(format!("{name}.sha256")), text).unwrap();
    }

    fn append(&self, mut record: Record) {
        let log = Log::open(&self.0.path().join("state/evidence"), "orders").unwrap();
        log.append(&mut record, None).unwrap();
    }

    #[track_caller]
    fn run(&self, arguments: &[&str], code: ExitCode) -> Answer {
        let mut command = Command::new(env!("CARGO_BIN_EXE_firedrill"));
        command.args(arguments).args(["--state", "state"]).current_dir(self.0.path()).stdin(Stdio::null());
        command.env_clear().env("HOME", self.0.path()).env("PATH", "/usr/bin:/bin");
        let output = command.output().unwrap();
        let answer = Answer {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        };
        assert_eq!(answer.code, Some(code.number().into()), "{}\n{}", answer.stdout, answer.stderr);
        answer
    }

    /// The document of a command, which is of its published shape.
    #[track_caller]
    fn json(&self, command: &str, code: ExitCode) -> Value {
        let schema = self.run(&["schema", command], ExitCode::Passed).stdout;
        let validator = jsonschema::draft202012::new(&serde_json::from_str(&schema).unwrap()).unwrap();
        let answer = self.run(&[command, "--json"], code);
        let document: Value = serde_json::from_str(&answer.stdout).unwrap();
        validator.validate(&document).unwrap();
        assert!(!answer.stdout.contains("null"), "what is not known is absent: {document:#}");
        assert_eq!(document["exit_code"], json!(code.number()));
        document
    }
}

#[test]
fn what_real_drills_proved_is_shown_beside_the_backups() {
    let home = Home::new();
    let names: Vec<String> = [99, 75, 27, 3].map(|hours| home.back_up(hours)).into();
    fs::write(home.store().join("readme.txt"), "x").unwrap();
    let before = home.json("backups", ExitCode::Passed);
    assert_eq!(before["services"][0]["found"]["proven"], json!(0));
    assert_eq!(before["services"][0]["found"].get("proven_exposure"), None);

    home.run(&["run", "--quiet"], ExitCode::Passed);
    home.run(&["run", "--quiet", "--select", &names[0]], ExitCode::Passed);
    let document = home.json("backups", ExitCode::Passed);
    let found = &document["services"][0]["found"];
    assert_eq!((&found["proven"], &found["other_objects"]), (&json!(2), &json!(1)), "{found:#}");
    let backups = found["backups"].as_array().unwrap();
    let shown: Vec<&str> = backups.iter().map(|backup| backup["name"].as_str().unwrap()).collect();
    assert_eq!(shown, names, "each of them, oldest first");
    let words: Vec<&str> = backups.iter().map(|backup| backup["proof"].as_str().unwrap()).collect();
    assert_eq!(words, ["proven", "unproven", "unproven", "proven"]);
    assert_eq!(backups[0]["drill"]["verdict"], "pass", "it is the newest that must not be too old");
    assert_eq!(
        (&backups[3]["drill"]["verdict"], &backups[3]["drill"]["sequence"]),
        (&json!("pass"), &json!(1))
    );
    assert_eq!(backups[3]["consistency_point"]["uncertainty_ms"], json!(1000));
    let gaps = found["gaps"].as_array().unwrap();
    assert_eq!((gaps.len(), &gaps[0]["after"], &gaps[0]["before"]), (1, &json!(names[1]), &json!(names[2])));
    // A name is cut to the second, and the last write of a file is not.
    let minutes = |exposure: &Value| exposure["loss_ms"].as_i64().unwrap() / 60_000;
    let losses = (minutes(&found["exposure"]), minutes(&found["proven_exposure"]));
    assert_eq!(losses, (48 * 60 + 10, 96 * 60 + 10));

    let text = home.run(&["backups"], ExitCode::Passed).stdout;
    for words in [
        "orders: 4 backups in file://",
        "drill 1,",
        "2 of 4 backups; the newest of them,",
        "2d00h lost at worst, over the RPO of 30h",
        "counting only proven backups: 4d00h lost at worst",
        "one is expected every 24h, with 6h of grace",
        "1 object there that is no backup",
    ] {
        let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(flat.contains(words), "{words}: {text}");
    }
    assert!(!text.contains('\u{1b}'), "a pipe has no colours");
    let newest = home.run(&["backups", "--last", "1"], ExitCode::Passed).stdout;
    let rows = newest.lines().filter(|line| line.starts_with("orders-")).count();
    assert!(newest.contains("and 3 more, older") && rows == 1, "{newest}");
}

#[test]
fn a_backup_that_was_replaced_or_has_another_digest_is_proven_no_more() {
    let home = Home::new();
    let name = home.back_up(3);
    let proof =
        || home.json("backups", ExitCode::Passed)["services"][0]["found"]["backups"][0]["proof"].clone();
    home.run(&["run", "--quiet"], ExitCode::Passed);
    assert_eq!(proof(), "proven");
    let evidence = fs::read_dir(home.0.path().join("state/evidence/orders")).unwrap().next().unwrap();
    let text = fs::read_to_string(evidence.unwrap().path()).unwrap();
    let statement: Value = serde_json::from_str(&text).unwrap();
    let digest = statement["subject"][0]["digest"]["sha256"].as_str().unwrap();
    home.digest(&name, &format!("{digest}  {name}\n"));
    assert_eq!(proof(), "proven", "with its digest beside it");
    home.digest(&name, &format!("{}  {name}\n", "0".repeat(64)));
    assert_eq!(proof(), "changed", "with another one");
    home.digest(&name, "no digest");
    assert_eq!(proof(), "changed", "with something else");
    fs::remove_file(home.store().join(format!("{name}.sha256"))).unwrap();
    assert_eq!(proof(), "proven");
    fs::remove_file(home.store().join(&name)).unwrap();
    home.back_up(3);
    let kept = home.json("backups", ExitCode::Passed);
    assert_ne!(kept["services"][0]["found"]["backups"][0]["proof"], "proven", "another file of that name");
}

#[test]
fn backups_that_fall_short_end_with_1_and_stores_that_cannot_be_listed_with_2() {
    let home = Home::new();
    home.run(&["backups"], ExitCode::Failed);
    home.back_up(3);
    home.run(&["backups"], ExitCode::Passed);
    home.plan("rpo = '2h'", "every = '1d'");
    home.run(&["backups"], ExitCode::Failed);
    home.plan("", "every = '1h'");
    home.run(&["backups"], ExitCode::Failed);
    home.plan("", "");
    let text = home.run(&["backups"], ExitCode::Passed).stdout;
    assert!(text.contains("the plan gives no cadence"), "{text}");

    let plan = home.0.path().join("firedrill.toml");
    let more = fs::read_to_string(&plan).unwrap()
        + "[service.gone]\nchecks = 'content only'\n[service.gone.backup]\nlocation = 'file:///nonexistent/'\n";
    fs::write(&plan, &more).unwrap();
    let document = home.json("backups", ExitCode::Inconclusive);
    assert_eq!(document["services"][1]["unlisted"]["code"], "LIST_UNAVAILABLE");
    assert_eq!(document["services"][1].get("found"), None);
    let text = home.run(&["backups"], ExitCode::Inconclusive).stdout;
    assert!(text.contains("gone: file:///nonexistent/ could not be listed"), "{text}");
    home.run(&["backups", "orders"], ExitCode::Passed);
    home.run(&["backups", "shop"], ExitCode::Usage);

    let evidence = home.0.path().join("state/evidence/orders");
    fs::create_dir_all(&evidence).unwrap();
    fs::write(evidence.join("00000001-019a9d5e-7c40-7b1a-9f01-5d2f6f1c0a11.json"), "{}").unwrap();
    let text = home.run(&["backups", "orders"], ExitCode::Degraded).stdout;
    assert!(text.contains("1 file of evidence could not be read"), "{text}");
}

/// Three weeks of nights that get slower by ten seconds each, of growing backups.
fn three_weeks(home: &Home) {
    for number in 0..22 {
        let mut record = night(number);
        let wobble = [0, 3_000, 1_000, 4_000, 2_000];
        slower(&mut record, number as u64 * 10_000 + wobble[number as usize % 5]);
        sized(&mut record, 1_000_000_000 + number as u64 * 50_000_000);
        with_rto(&mut record, 2_400_000);
        if number == 9 {
            halted(&mut record, Code::Deadline);
        }
        home.append(record);
    }
}

#[test]
fn a_history_is_told_with_its_forecast() {
    let home = Home::new();
    three_weeks(&home);
    let told = home.run(&["history"], ExitCode::Passed);
    let expected = fs::read_to_string(HISTORY).unwrap_or_default();
    assert!(told.stdout == expected, "{}\nis not {HISTORY}", told.stdout);
    assert_eq!(told.stderr, "");
    assert!(home.0.path().join("state/history.sqlite").is_file());
    assert_eq!(home.run(&["history", "orders"], ExitCode::Passed).stdout, told.stdout, "from the cache");
}

#[test]
fn a_history_is_written_for_machines_in_integers() {
    let home = Home::new();
    three_weeks(&home);
    let document = home.json("history", ExitCode::Passed);
    let service = &document["services"][0];
    assert_eq!(service["drills"]["total"], json!(22));
    assert_eq!(service["drills"]["inconclusive"], json!(1));
    let recovery = &service["recovery_time_ms"];
    assert_eq!((&recovery["drills"], &recovery["censored"]), (&json!(22), &json!(1)));
    assert_eq!((&recovery["unbounded"], recovery.get("worst")), (&json!(["worst"]), None));
    assert!(recovery["p95"].is_i64() && recovery["p50"].is_i64() && recovery["last"].is_i64());
    assert_eq!(recovery["limit"], json!(1_680_000));
    assert_eq!(recovery["outlook"]["state"], "breach");
    assert!((9_500..10_500).contains(&recovery["trend"]["per_day"].as_i64().unwrap()));
    assert_eq!(recovery["score"]["ahead"], json!(7));
    assert_eq!(service["data_age_ms"]["no_trend"], "no clear trend");
    assert!(service["recovery_time_by_size"]["limit_bytes"].is_i64());
    fn no_fraction(value: &Value) {
        match value {
            Value::Number(number) => assert!(number.is_i64() || number.is_u64(), "{number}"),
            Value::Array(items) => items.iter().for_each(no_fraction),
            Value::Object(map) => map.values().for_each(no_fraction),
            _ => {}
        }
    }
    no_fraction(&document);
}

#[test]
fn a_history_needs_evidence_and_no_plan() {
    let home = Home::new();
    fs::remove_file(home.0.path().join("firedrill.toml")).unwrap();
    let none = home.run(&["history"], ExitCode::Passed);
    assert_eq!((none.stdout.as_str(), none.stderr.contains("no evidence of any drill yet")), ("", true));
    home.append(night(0));
    let one = home.run(&["history"], ExitCode::Passed).stdout;
    assert!(one.contains("orders: 1 drill on 2026-11-20: 1 passed"), "{one}");
    assert!(one.contains("max of 1") && one.contains("too few drills: 1 of 8"), "{one}");
    home.run(&["history", "shop"], ExitCode::Usage);
    home.run(&["history", "--last", "0"], ExitCode::Usage);
    home.run(&["history", "--plan", "missing.toml"], ExitCode::PlanWrong);
}

#[test]
fn a_service_that_was_never_drilled_has_no_figures() {
    let home = Home::new();
    let text = home.run(&["history"], ExitCode::Passed).stdout;
    assert_eq!(text, "orders: no drill has left evidence\n");
    let document = home.json("history", ExitCode::Passed);
    let recovery = document["services"][0]["recovery_time_ms"].as_object().unwrap();
    let keys: Vec<&str> = recovery.keys().map(String::as_str).collect();
    assert_eq!(keys, ["censored", "drills", "no_trend", "unbounded"], "no figure at all, and so none is 0");
}

#[test]
fn a_history_says_what_it_had_to_do_without() {
    let home = Home::new();
    home.append(night(0));
    home.append(night(1));
    let plain = home.run(&["history"], ExitCode::Passed).stdout;
    let cache = home.0.path().join("state/history.sqlite");
    fs::remove_file(&cache).unwrap();
    fs::create_dir(&cache).unwrap();
    let without = home.run(&["history"], ExitCode::Passed);
    assert!(without.stderr.contains("warning: the history was read from the evidence"), "{}", without.stderr);
    assert_eq!(without.stdout, plain);
    assert!(home.json("history", ExitCode::Passed)["history_unavailable"].is_string());
    fs::remove_dir(&cache).unwrap();

    let log = home.0.path().join("state/evidence/orders");
    let first = fs::read_dir(&log).unwrap().map(|file| file.unwrap().path()).min().unwrap();
    fs::write(&first, "{}").unwrap();
    let damaged = home.run(&["history"], ExitCode::Degraded);
    assert!(damaged.stderr.contains("00000001-"), "{}", damaged.stderr);
    assert!(damaged.stdout.contains("1 in files that can't be read"), "{}", damaged.stdout);
}
