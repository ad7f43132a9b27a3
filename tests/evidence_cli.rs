//! The auditor's commands, as the auditor meets them.
#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use firedrill::evidence::{Log, PUBLIC_FILE, keygen};
use firedrill::exit_code::ExitCode;
use serde_json::Value;
use tempfile::TempDir;

#[path = "support/signed.rs"]
mod signed;

use signed::{Archive, archive, night};

#[derive(Debug)]
struct Answer {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Answer {
    #[track_caller]
    fn ended(self, code: ExitCode) -> Answer {
        assert_eq!(self.code, Some(code.number().into()), "{self:#?}");
        self
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap()
    }

    #[track_caller]
    fn says(&self, words: &[&str]) {
        for word in words {
            // Words wrap.
            let told = self.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(told.contains(word), "{word:?} is not in:\n{}{}", self.stdout, self.stderr);
        }
    }
}

/// `firedrill` with these arguments, in `home`, where no plan is.
fn firedrill(home: &Path, arguments: &[&str]) -> Answer {
    let mut command = Command::new(env!("CARGO_BIN_EXE_firedrill"));
    command.args(arguments).current_dir(home).stdin(Stdio::null());
    command.env_clear().env("HOME", home).env("PATH", "/usr/bin:/bin");
    let output = command.output().unwrap();
    Answer {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

impl Archive {
    /// `firedrill evidence …` beside the keys (`evidence.key`, `evidence.pub`) and the folder `log`.
    fn evidence(&self, arguments: &[&str]) -> Answer {
        firedrill(self.root.path(), &[&["evidence"][..], arguments].concat())
    }

    fn verify(&self, more: &[&str]) -> Answer {
        self.evidence(&[&["verify", "--key", PUBLIC_FILE][..], more, &["log"]].concat())
    }

    fn without(nights: i64, dropped: &[usize]) -> Archive {
        let archive = archive(nights);
        dropped.iter().for_each(|at| fs::remove_file(&archive.files[*at]).unwrap());
        archive
    }
}

/// A reviewer's keys, in the folder `name` beside the log.
fn reviewer(archive: &Archive, name: &str) -> PathBuf {
    let folder = archive.root.path().join(name);
    fs::create_dir(&folder).unwrap();
    keygen(&folder).unwrap().0
}

#[test]
fn a_sound_log_is_told_with_its_level_of_trust_and_what_was_not_looked_at() {
    let archive = archive(3);
    let answer = archive.verify(&[]).ended(ExitCode::Passed);
    let head = archive.head.sha256.to_string();
    let key = archive.key.public().id();
    answer.says(&[
        "orders: sound, L2",
        "3 pass",
        key,
        &head,
        "--expect-head",
        "--expect-every",
        "sound, L2:",
    ]);

    let answer = archive.verify(&["--expect-head", &head]).ended(ExitCode::Passed);
    answer.says(&["orders: sound, L3", "sound, L3:"]);
    assert!(!answer.stdout.contains("--expect-head"), "{}", answer.stdout);

    let json = archive.verify(&["--expect-head", &head, "--json"]).ended(ExitCode::Passed).json();
    assert_eq!((&json["sound"], &json["trust"]), (&Value::from(true), &Value::from("L3")));
    assert_eq!(json["logs"][0]["records"].as_array().unwrap().len(), 3);
    assert_eq!(json["logs"][0]["records"][2]["sha256"], head);
    assert_eq!(json["logs"][0]["records"][2]["signed_by"], key);
}

#[test]
fn each_fault_is_told_with_its_file_and_what_to_do() {
    let archive = Archive::without(5, &[2]);
    let answer = archive.verify(&[]).ended(ExitCode::Failed);
    let after = archive.files[3].file_name().unwrap().to_str().unwrap();
    answer.says(&["orders: 1 fault, L1", after, "places 3 to 3 have no file"]);
    answer.says(&["PLACE_MISSING; take the missing file from another copy", "not sound: 1 fault; L1"]);
    let json = archive.verify(&["--json"]).ended(ExitCode::Failed).json();
    let fault = &json["logs"][0]["records"][2]["faults"][0];
    assert_eq!(fault["code"], "PLACE_MISSING");
    assert!(fault["remedy"].as_str().unwrap().starts_with("take the missing file"), "{fault}");
}

#[test]
fn nights_without_a_record_are_counted_in_the_period() {
    // The first night is 2026-11-20; the last two are not there, nor is that of the 22nd.
    let archive = Archive::without(7, &[5, 6]);
    let period = ["--expect-every", "26h", "--since", "2026-11-20", "--until", "2026-11-26"];
    let answer = archive.verify(&period).ended(ExitCode::Failed);
    answer.says(&["2 of 7 nights have no record: 2 between 2026-11-24T02:30:00.112Z and", "RECORDS_MISSING"]);
    let until = ["--expect-every", "26h", "--since", "2026-11-20", "--until", "2026-11-24"];
    archive.verify(&until).ended(ExitCode::Passed).says(&["each of 5 nights has a record", "L2"]);
    // Without an end, the period lasts until now: the records are of the future of none of us.
    let json = archive.verify(&[&period[..], &["--json"]].concat()).ended(ExitCode::Failed).json();
    assert_eq!((&json["logs"][0]["due"], &json["logs"][0]["gaps"][0]["missing"]), (&7.into(), &2.into()));
}

#[test]
fn a_log_that_begins_before_the_period_may_lack_what_lies_before() {
    let archive = Archive::without(5, &[0, 1]);
    archive.verify(&[]).ended(ExitCode::Failed).says(&["PLACE_MISSING"]);
    archive.verify(&["--since", "2026-11-22"]).ended(ExitCode::Passed).says(&["L2"]);
}

#[test]
fn signing_may_begin_one_day_and_is_demanded_from_then_on() {
    let archive = archive(1);
    let log = Log::open(&archive.root.path().join("mixed"), "orders").unwrap();
    for (number, key) in [(0, None), (1, None), (2, Some(&archive.key)), (3, Some(&archive.key))] {
        log.append(&mut night(number), key).unwrap();
    }
    let verify =
        |more: &[&str]| archive.evidence(&[&["verify", "--key", PUBLIC_FILE][..], more, &["mixed"]].concat());
    verify(&[]).ended(ExitCode::Failed).says(&["UNSIGNED", "L0"]);
    verify(&["--since", "2026-11-22"]).ended(ExitCode::Passed).says(&["L2"]);
    verify(&["--since", "2026-11-21"]).ended(ExitCode::Failed).says(&["UNSIGNED", "L0"]);
    verify(&["--allow-unsigned"]).ended(ExitCode::Passed).says(&["sound, L0: nobody vouches for it"]);
}

#[test]
fn wrong_usage_of_the_verifier_ends_with_64() {
    let archive = archive(1);
    Log::open(&archive.root.path().join("log"), "ledger")
        .unwrap()
        .append(
            &mut {
                let mut record = night(0);
                record.service.id = "ledger".into();
                record
            },
            Some(&archive.key),
        )
        .unwrap();
    let head = archive.head.sha256.to_string();
    let table: &[(&[&str], &str)] = &[
        (&["verify", "log"], "no key to check signatures with"),
        (&["verify", "--key", "nowhere.pub", "log"], "read the key file 'nowhere.pub'"),
        (&["verify", "--key", "evidence.key", "log"], "Ed25519 public key"),
        (&["verify", "--key", PUBLIC_FILE, "nowhere"], "'nowhere' is neither a folder nor a bundle"),
        (&["verify", "--key", PUBLIC_FILE, "--expect-head", &head, "log"], "head of one service"),
        (&["verify", "--key", PUBLIC_FILE, "--expect-head", "9bc6", "log"], "64 lower-case"),
        (&["verify", "--key", PUBLIC_FILE, "--expect-every", "26", "log"], "has no unit"),
        (&["verify", "--key", PUBLIC_FILE, "--since", "last week", "log"], "write a day such as"),
        (&["verify", "--key", PUBLIC_FILE], "<PATH>"),
        (&["show", "orders", "--directory", "nowhere"], "no evidence in 'nowhere'"),
        (&["show", "7", "orders", "--directory", "log"], "its last is 1"),
        (&["list", "--directory", "log", "billing"], "no evidence of 'billing'"),
    ];
    for (arguments, says) in table {
        let answer = archive.evidence(arguments).ended(ExitCode::Usage);
        assert!(answer.stderr.contains(says), "{arguments:?}: {}", answer.stderr);
        assert_eq!(answer.stdout, "", "{arguments:?}");
    }
    let empty = TempDir::new().unwrap();
    let folder = empty.path().to_str().unwrap();
    archive
        .evidence(&["verify", "--key", PUBLIC_FILE, folder])
        .ended(ExitCode::Failed)
        .says(&["NOTHING_HERE"]);
}

#[test]
fn a_record_is_shown_as_it_stands() {
    let archive = archive(3);
    let last = archive.files[2].to_str().unwrap();
    let answer = archive.evidence(&["show", "orders", "--directory", "log"]).ended(ExitCode::Passed);
    answer.says(&["orders", "pass", &archive.head.sha256.to_string()]);
    assert!(answer.stdout.contains(&last[last.len() - 40..]), "{}", answer.stdout);
    let latest = archive.evidence(&["show", "latest", "orders", "--directory", "log", "--json"]);
    assert_eq!(latest.ended(ExitCode::Passed).json()["chain"]["sequence"], 3);
    let second = archive.evidence(&["show", "2", "orders", "--directory", "log", "--json"]);
    assert_eq!(second.ended(ExitCode::Passed).json()["chain"]["sequence"], 2);
}

#[test]
fn records_are_listed_and_what_cannot_be_read_is_among_them() {
    let archive = archive(3);
    fs::write(&archive.files[1], "{}").unwrap();
    let answer = archive.evidence(&["list", "--directory", "log"]).ended(ExitCode::Passed);
    answer.says(&["orders", "unreadable", "2026-11-20T02:30:00.112Z"]);
    let json = archive.evidence(&["list", "orders", "--directory", "log", "--json"]).ended(ExitCode::Passed);
    let list = json.json();
    let places: Vec<_> = list.as_array().unwrap().iter().map(|line| &line["sequence"]).collect();
    assert_eq!(places, [1, 2, 3]);
    assert_eq!((&list[2]["verdict"], list[1].get("verdict")), (&"pass".into(), None));
    assert_eq!(list[2]["sha256"], archive.head.sha256.to_string());
}

#[test]
fn evidence_is_found_where_the_plan_or_the_state_keeps_it() {
    let archive = archive(2);
    let home = archive.root.path();
    fs::create_dir_all(home.join("state/evidence")).unwrap();
    fs::rename(archive.log(), home.join("state/evidence/orders")).unwrap();
    let listed = |more: &[&str]| {
        let answer = archive.evidence(&[&["list", "--json"][..], more].concat()).ended(ExitCode::Passed);
        answer.json().as_array().unwrap().len()
    };
    assert_eq!(listed(&["--state", "state"]), 2);
    let plan = "[evidence]\nsign = false\ndirectory = \"kept\"\n[service.orders]\nchecks = \"content only\"\n\
                backup.location = \"file:///srv/orders/\"\n";
    fs::write(home.join("firedrill.toml"), plan).unwrap();
    let answer = archive.evidence(&["list", "--state", "state"]).ended(ExitCode::Usage);
    assert!(answer.stderr.contains("/kept'"), "{}", answer.stderr);
    fs::rename(home.join("state/evidence"), home.join("kept")).unwrap();
    assert_eq!(listed(&[]), 2);
}

#[test]
fn a_review_is_signed_beside_the_record_and_checked_with_the_reviewers_key() {
    let archive = archive(3);
    let key = reviewer(&archive, "reviewer");
    let key = key.to_str().unwrap();
    let before = fs::read(&archive.files[1]).unwrap();
    let reviewed = |arguments: &[&str]| {
        archive.evidence(&[&["review"][..], arguments, &["--key", key, "--directory", "log"]].concat())
    };
    let first = ["2", "orders", "--outcome", "action-required", "--ticket", "OPS-123", "--note", "too slow"];
    let answer = reviewed(&first).ended(ExitCode::Passed);
    let path = PathBuf::from(answer.stdout.trim());
    let beside = archive.files[1].to_str().unwrap().replace(".dsse.json", ".review.dsse.json");
    assert_eq!(path.file_name(), Path::new(&beside).file_name());
    reviewed(&["2", "--outcome", "accepted", "--note", "fixed"]).ended(ExitCode::Passed);
    assert_eq!(fs::read(&archive.files[1]).unwrap(), before, "the record itself stays as it was");

    let unchecked = archive.verify(&[]).ended(ExitCode::Passed);
    unchecked.says(&["1 accepted, 1 with action required; anybody's word"]);
    let named = ["--reviewer", "reviewer/evidence.pub"];
    let answer = archive.verify(&named).ended(ExitCode::Passed);
    answer.says(&["1 accepted, 1 with action required; signed by sha256:"]);
    let json = archive.verify(&[&named[..], &["--json"]].concat()).ended(ExitCode::Passed).json();
    assert_eq!(json["logs"][0]["reviews"][0]["ticket"], "OPS-123");
    assert_eq!(json["logs"][0]["reviews"][1]["outcome"], "accepted");

    // Neither may the one who drills review in the reviewer's name, nor the other way round.
    archive.verify(&["--reviewer", PUBLIC_FILE]).ended(ExitCode::Failed).says(&["SIGNED_BY_NO_GIVEN_KEY"]);
    let swapped = archive.evidence(&["verify", "--key", "reviewer/evidence.pub", "log"]);
    swapped.ended(ExitCode::Failed).says(&["SIGNED_BY_NO_GIVEN_KEY"]);
}

#[test]
fn what_a_reviewer_may_not_say_is_refused() {
    let archive = archive(1);
    let key = reviewer(&archive, "reviewer");
    let key = key.to_str().unwrap();
    let long = "x".repeat(5_000);
    let table: &[(&[&str], &str)] = &[
        (&["1", "--outcome", "action-required"], "--ticket"),
        (&["1", "--outcome", "fine"], "possible values"),
        (&["1", "--outcome", "accepted", "--note", ""], "write 1 to 4000 printable bytes"),
        (&["1", "--outcome", "accepted", "--note", &long], "write 1 to 4000 printable bytes"),
        (&["1", "--outcome", "accepted", "--note", "\u{1b}[2J"], "write 1 to 4000 printable bytes"),
        (&["9", "--outcome", "accepted"], "has no record in place 9"),
    ];
    for (arguments, says) in table {
        let answer = archive
            .evidence(&[&["review"][..], arguments, &["--key", key, "--directory", "log"]].concat())
            .ended(ExitCode::Usage);
        assert!(answer.stderr.contains(says), "{arguments:?}: {}", answer.stderr);
    }
    assert_eq!(fs::read_dir(archive.log()).unwrap().count(), 1, "nothing was written");
}

#[test]
fn a_review_is_of_its_published_shape() {
    let archive = archive(1);
    let path = archive.review(&archive.files[0]);
    let schema = firedrill(archive.root.path(), &["schema", "review"]).ended(ExitCode::Passed).json();
    let envelope = firedrill::evidence::Envelope::read(&fs::read(path).unwrap()).unwrap();
    let mut statement: Value = serde_json::from_slice(&envelope.payload().unwrap()).unwrap();
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    validator.validate(&statement).unwrap();
    statement["predicate"]["more"] = 1.into();
    validator.validate(&statement).unwrap_err();
}
