//! The auditor's commands, as the auditor meets them.
#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use firedrill::evidence::{Log, PUBLIC_FILE, keygen};
use firedrill::exit_code::ExitCode;
use firedrill::judge::pronounce;
use firedrill::record::Objectives;
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
        "each of 3 nights has a record, by the plan's cadence as the signed records state it",
        "--expect-head",
        "whether drills were due after the last one (--until)",
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
    answer.says(&["orders: 2 faults, L1", after, "places 3 to 3 have no file"]);
    answer.says(&["PLACE_MISSING; take the missing file from another copy", "not sound: 2 faults; L1"]);
    answer.says(&["1 of 5 records that were due are missing RECORDS_MISSING; ask why no drill ran then"]);
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
    answer.says(&["; by a cadence of 26h (--expect-every)"]);
    let until = ["--expect-every", "26h", "--since", "2026-11-20", "--until", "2026-11-24"];
    archive.verify(&until).ended(ExitCode::Passed).says(&["each of 5 nights has a record", "L2"]);
    // Without an end, the period lasts until now: the records are of the future of none of us.
    let json = archive.verify(&[&period[..], &["--json"]].concat()).ended(ExitCode::Failed).json();
    assert_eq!((&json["logs"][0]["due"], &json["logs"][0]["gaps"][0]["missing"]), (&7.into(), &2.into()));
}

/// A log of its own beside the archive's, of these nights, each record changed.
fn other_log(archive: &Archive, name: &str, nights: &[i64], change: fn(usize, &mut Objectives)) {
    let log = Log::open(&archive.root.path().join(name), "orders").unwrap();
    for (at, number) in nights.iter().enumerate() {
        let mut record = night(*number);
        change(at, &mut record.objectives);
        pronounce(&mut record);
        log.append(&mut record, Some(&archive.key)).unwrap();
    }
}

fn states_none(objectives: &mut Objectives) {
    (objectives.expected_period_ms, objectives.grace_ms) = (None, None);
}

#[test]
fn nights_without_a_record_are_counted_by_the_cadence_that_records_state() {
    let archive = archive(1);
    // Nobody drilled in the nights of the 22nd and the 24th: the chain is whole, and two are missing.
    other_log(&archive, "lazy", &[0, 1, 3, 5, 6], |_, _| {});
    let verify =
        |more: &[&str]| archive.evidence(&[&["verify", "--key", PUBLIC_FILE][..], more, &["lazy"]].concat());
    let answer = verify(&[]).ended(ExitCode::Failed);
    answer.says(&[
        "2 of 7 nights have no record: 1 between 2026-11-21T02:30:00.112Z and 2026-11-23T02:30:00.112Z; 1",
        "by the plan's cadence as the signed records state it: every 24h, 2h of grace",
        "RECORDS_MISSING",
        "not sound: 1 fault; L1",
    ]);
    let json = verify(&["--json"]).ended(ExitCode::Failed).json();
    let log = &json["logs"][0];
    assert_eq!(
        (&log["due"], &log["unmeasured"], &log["cadence_from"]),
        (&7.into(), &0.into(), &"stated".into())
    );
    let cadence = serde_json::json!([{ "period_ms": 86_400_000, "grace_ms": 7_200_000 }]);
    assert_eq!(log["cadences"], cadence);

    // Whoever asks is asked no more: each second night will do.
    let asked = verify(&["--expect-every", "49h", "--until", "2026-11-26"]).ended(ExitCode::Passed);
    asked.says(&["has a record, by a cadence of 2d1h (--expect-every)", "sound, L2"]);
    // Before its first record a log owes nothing, and after its last until the period ends.
    let period = ["--since", "2026-11-01", "--until", "2026-11-28"];
    let answer = verify(&period).ended(ExitCode::Failed);
    answer
        .says(&["4 of 9 nights have no record: 1 between 2026-11-21T02:30:00.112Z", "2 between 2026-11-26"]);

    let bundle = ["bundle", "--directory", "lazy", "--key", PUBLIC_FILE, "--out", "bundle.tar.gz"];
    archive.evidence(&bundle).ended(ExitCode::Failed).says(&["2 of 7 nights have no record"]);
    // What began before the period says that it is not the beginning of the drills.
    fs::remove_file(archive.root.path().join("bundle.tar.gz")).unwrap();
    let answer =
        archive.evidence(&[&bundle[..], &["--since", "2026-11-22"]].concat()).ended(ExitCode::Failed);
    answer.says(&["2 of 5 nights have no record: 1 between 2026-11-22T00:00:00.000Z and 2026-11-23"]);
}

#[test]
fn behind_records_without_a_cadence_nobody_looks_and_that_is_told() {
    let archive = archive(1);
    other_log(&archive, "none", &[0, 4, 9], |_, objectives| states_none(objectives));
    let none = archive.evidence(&["verify", "--key", PUBLIC_FILE, "none"]).ended(ExitCode::Passed);
    none.says(&["sound, L2", "unchecked", "since the records state no cadence (--expect-every)"]);
    assert!(!none.stdout.contains("coverage"), "{}", none.stdout);
    let json = archive.evidence(&["verify", "--key", PUBLIC_FILE, "--json", "none"]).ended(ExitCode::Passed);
    let log = &json.json()["logs"][0];
    assert_eq!((log.get("due"), log.get("cadence_from"), &log["gaps"]), (None, None, &Value::Array(vec![])));

    // The second alone states none; a word that nobody signed is no cadence either.
    other_log(&archive, "some", &[0, 1, 5], |at, objectives| {
        if at == 1 {
            states_none(objectives);
        }
    });
    let some = archive.evidence(&["verify", "--key", PUBLIC_FILE, "some"]).ended(ExitCode::Passed);
    some.says(&["each of 3 nights has a record", "missing behind 1 record of no cadence (--expect-every)"]);
    let other = reviewer(&archive, "stranger").with_file_name(PUBLIC_FILE);
    let strange = archive.evidence(&["verify", "--key", other.to_str().unwrap(), "some"]);
    strange.ended(ExitCode::Failed).says(&["since the records state no cadence"]);
}

#[test]
fn drills_by_hand_one_after_the_other_are_no_gap() {
    let archive = archive(1);
    other_log(&archive, "often", &[0, 0, 0, 1, 1], |_, _| {});
    let often = archive.evidence(&["verify", "--key", PUBLIC_FILE, "often"]).ended(ExitCode::Passed);
    often.says(&["records 5", "each of 2 nights has a record", "sound, L2"]);
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
    verify(&["--since", "2026-11-25"])
        .ended(ExitCode::Failed)
        .says(&["NOTHING_HERE", "no record here is of"]);
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

const README: &str = include_str!("../README.md");

/// The blocks of shell in the README's section on checking by hand.
fn by_hand() -> [String; 2] {
    let section = README.split_once("### Check the evidence without firedrill").unwrap().1;
    let section = section.split_once("\n## ").unwrap().0;
    let mut blocks =
        section.split("```sh\n").skip(1).map(|rest| rest.split_once("```").unwrap().0.to_owned());
    let found = [blocks.next().unwrap(), blocks.next().unwrap()];
    assert_eq!(blocks.next(), None);
    found
}

/// What a shell prints for `lines` in `folder`.
fn shell(folder: &Path, lines: &str) -> Vec<String> {
    let output = Command::new("sh").arg("-c").arg(lines).current_dir(folder).output().unwrap();
    let told = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    told.lines().map(str::to_owned).collect()
}

fn complains(lines: &[String]) -> bool {
    let shouts = ["NOT SIGNED BY THIS KEY", "DOES NOT FOLLOW THE RECORD BEFORE IT", "REVIEWS ANOTHER RECORD"];
    lines.iter().any(|line| shouts.iter().any(|shout| line.contains(shout)))
}

#[test]
fn the_lines_of_the_readme_come_to_the_same_word() {
    for program in ["openssl", "jq", "sha256sum", "base64"] {
        let found = Command::new(program).arg("--version").output().is_ok();
        assert!(found, "this test needs {program}: apt-get install openssl jq coreutils");
    }
    let [records, reviews] = by_hand();
    let archive = archive(4);
    let key = reviewer(&archive, "reviewer");
    fs::copy(archive.root.path().join("reviewer/evidence.pub"), archive.root.path().join("log/reviewer.pub"))
        .unwrap();
    fs::copy(archive.root.path().join(PUBLIC_FILE), archive.root.path().join("log/evidence.pub")).unwrap();
    let key = key.to_str().unwrap();
    let review = ["review", "2", "--outcome", "accepted", "--key", key, "--directory", "log"];
    let review = archive.evidence(&review).ended(ExitCode::Passed);
    let review = archive.root.path().join(review.stdout.trim());

    let told = shell(&archive.log(), &records);
    let head = format!("head {}", archive.head.sha256);
    assert_eq!(told.len(), 5, "{told:#?}");
    assert_eq!(told[1], "2\t2026-11-21T02:30:00.112Z\tpass");
    assert_eq!((told[4].as_str(), complains(&told)), (head.as_str(), false), "{told:#?}");
    let reviewed = shell(&archive.log(), &reviews);
    assert_eq!(reviewed.len(), 1, "{reviewed:#?}");
    assert!(reviewed[0].starts_with("2\taccepted\t"), "{reviewed:#?}");

    type Tamper = fn(&Archive, &Path);
    let table: [(&str, Tamper); 7] = [
        ("a record is changed", |archive, _| swap(&archive.files[1], "\"payload\":\"", "\"payload\":\"AAAA")),
        ("a signature is changed", |archive, _| swap(&archive.files[3], "\"sig\":\"", "\"sig\":\"AAAA")),
        ("a record is dropped", |archive, _| fs::remove_file(&archive.files[1]).unwrap()),
        ("the first is dropped", |archive, _| fs::remove_file(&archive.files[0]).unwrap()),
        ("the last is dropped", |archive, _| fs::remove_file(&archive.files[3]).unwrap()),
        ("one is shown twice", |archive, _| {
            let again = archive.files[3].to_str().unwrap().replace("/00000004-", "/00000005-");
            fs::copy(&archive.files[2], again).unwrap();
        }),
        ("the other key is named", |archive, _| {
            fs::copy(
                archive.root.path().join("log/reviewer.pub"),
                archive.root.path().join("log/evidence.pub"),
            )
            .map(drop)
            .unwrap();
        }),
    ];
    for (name, tamper) in table {
        let kept: Vec<Vec<u8>> = archive.files.iter().map(|file| fs::read(file).unwrap()).collect();
        tamper(&archive, &review);
        let told = shell(&archive.log(), &records);
        assert!(complains(&told) || told.last() != Some(&head), "{name}: {told:#?}");
        for (file, bytes) in archive.files.iter().zip(&kept) {
            fs::write(file, bytes).unwrap();
        }
        let again = archive.files[3].to_str().unwrap().replace("/00000004-", "/00000005-");
        let _ = fs::remove_file(again);
        fs::copy(archive.root.path().join(PUBLIC_FILE), archive.root.path().join("log/evidence.pub"))
            .unwrap();
    }
    swap(&review, "\"payload\":\"", "\"payload\":\"AAAA");
    assert!(complains(&shell(&archive.log(), &reviews)), "a changed review");
}

fn swap(file: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(file).unwrap();
    assert!(text.contains(from));
    // Four characters of base64 take the place of four others.
    let at = text.find(from).unwrap() + from.len();
    let replaced = format!("{}{}{}", &text[..at - from.len()], to, &text[at + 4..]);
    fs::write(file, replaced).unwrap();
}

/// A bundle of a log of seven nights, of which two are gone, and what `bundle` said.
fn bundled(archive: &Archive, more: &[&str]) -> Answer {
    let bundle = ["bundle", "--directory", "log", "--key", PUBLIC_FILE, "--out", "bundle.tar.gz"];
    archive.evidence(&[&bundle[..], more].concat())
}

#[test]
fn a_bundle_holds_a_period_and_verifies_as_it_is() {
    let archive = archive(7);
    archive.review(&archive.files[3]);
    let period = ["--since", "2026-11-22", "--until", "2026-11-25", "--expect-every", "26h"];
    let answer = bundled(&archive, &[&period[..], &["--reviewer", PUBLIC_FILE]].concat());
    answer.ended(ExitCode::Passed).says(&["orders: sound, L2", "each of 4 nights has a record"]);

    let bundle = ["verify", "--key", PUBLIC_FILE, "--reviewer", PUBLIC_FILE, "bundle.tar.gz"];
    let answer = archive.evidence(&[&bundle[..], &["--since", "2026-11-22"]].concat());
    answer.ended(ExitCode::Passed).says(&["sound, L2", "records 4", "1 accepted"]);
    archive.evidence(&bundle).ended(ExitCode::Failed).says(&["places 1 to 2 have no file"]);

    // Others unpack it, too, and follow what it says.
    let desk = TempDir::new().unwrap();
    let mut tar = Command::new("tar");
    tar.arg("-xzf").arg(archive.root.path().join("bundle.tar.gz")).current_dir(desk.path());
    assert!(tar.status().unwrap().success(), "tar unpacks it");
    let top = desk.path().join("firedrill-evidence");
    let sums = Command::new("sha256sum").args(["--quiet", "-c", "SHA256SUMS"]).current_dir(&top).status();
    assert!(sums.unwrap().success());
    let id = archive.key.public().id().trim_start_matches("sha256:");
    let key = fs::read(top.join(format!("keys/{id}.pub"))).unwrap();
    assert_eq!(key, fs::read(archive.root.path().join(PUBLIC_FILE)).unwrap());
    assert!(fs::read_to_string(top.join("coverage.txt")).unwrap().contains("each of 4 nights has a record"));
    let coverage: Value = serde_json::from_slice(&fs::read(top.join("coverage.json")).unwrap()).unwrap();
    assert_eq!(coverage["logs"][0]["due"], 4);
    serde_json::from_slice::<Value>(&fs::read(top.join("schema.json")).unwrap()).unwrap();
    let manual = fs::read_to_string(top.join("VERIFY.md")).unwrap();
    let lines = manual.split("```sh\n").nth(2).unwrap().split_once("```").unwrap().0;
    fs::copy(archive.root.path().join(PUBLIC_FILE), desk.path().join("evidence.pub")).unwrap();
    let told = shell(&top.join("evidence/orders"), lines);
    assert_eq!((told.len(), complains(&told)), (5, false), "{told:#?}");
}

/// The blocks of shell in a manual.
fn blocks(manual: &str) -> Vec<&str> {
    manual.split("```sh\n").skip(1).map(|rest| rest.split_once("```").unwrap().0).collect()
}

#[test]
fn an_auditor_follows_the_manual_of_a_bundle_to_its_end() {
    let archive = archive(7);
    archive.review(&archive.files[3]);
    let period = ["--since", "2026-11-22", "--until", "2026-11-25"];
    bundled(&archive, &[&period[..], &["--reviewer", PUBLIC_FILE]].concat()).ended(ExitCode::Passed);
    let desk = TempDir::new().unwrap();
    fs::copy(archive.root.path().join("bundle.tar.gz"), desk.path().join("BUNDLE.tar.gz")).unwrap();
    for name in ["evidence.pub", "reviewer.pub"] {
        fs::copy(archive.root.path().join(PUBLIC_FILE), desk.path().join(name)).unwrap();
    }
    let unpacked = shell(desk.path(), "tar -xzf BUNDLE.tar.gz");
    assert_eq!(unpacked, [""; 0]);
    let top = desk.path().join("firedrill-evidence");
    let manual = fs::read_to_string(top.join("VERIFY.md")).unwrap();

    // The one line with firedrill.
    let line = manual.lines().find_map(|line| line.strip_prefix("    firedrill ")).unwrap();
    let answer = firedrill(desk.path(), &line.split(' ').collect::<Vec<_>>()).ended(ExitCode::Passed);
    answer.says(&["sound, L2", "records 4", "1 accepted", "signed by sha256:", "each of 4 nights"]);

    // The digest of the key.
    let digest = shell(desk.path(), "openssl pkey -pubin -in evidence.pub -outform DER | sha256sum");
    let id = archive.key.public().id().trim_start_matches("sha256:");
    assert!(digest[0].starts_with(id) && manual.contains("-outform DER | sha256sum"), "{digest:?}");
    assert!(top.join(format!("keys/{id}.pub")).exists());

    // The tables of a drill, the chain, the reviews.
    let [tables, chain, reviews] = blocks(&manual)[..] else { panic!("{manual}") };
    let folder = top.join("evidence/orders");
    let record = archive.files[2].file_name().unwrap().to_str().unwrap().strip_suffix(".dsse.json").unwrap();
    let told = shell(&folder, &tables.replace("RECORD", record));
    assert_eq!(told.len(), 3, "{told:#?}");
    assert!(told[1].starts_with("public.orders\tequal\t300000\t300000\t"), "{told:#?}");
    for lines in [chain, reviews] {
        let told = shell(&folder, lines);
        assert!(!complains(&told) && !told.is_empty(), "{told:#?}");
    }

    // The files that it names are there, and no others.
    let mut names: Vec<String> =
        fs::read_dir(&top).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    let expected = [
        "SHA256SUMS",
        "VERIFY.md",
        "coverage.json",
        "coverage.txt",
        "evidence",
        "keys",
        "report.html",
        "review-schema.json",
        "schema.json",
    ];
    assert_eq!(names, expected);
    for name in expected {
        assert!(manual.contains(&format!("`{name}")) || name == "VERIFY.md", "{name} is not told of");
    }
}

#[test]
fn a_bundle_holds_its_period_as_a_page() {
    let archive = Archive::without(7, &[3]);
    let period = ["--since", "2026-11-20", "--until", "2026-11-26", "--expect-every", "26h"];
    bundled(&archive, &period).ended(ExitCode::Failed);
    let desk = TempDir::new().unwrap();
    let untar = format!("tar -xzf {}/bundle.tar.gz", archive.root.path().display());
    assert_eq!(shell(desk.path(), &untar), [""; 0]);
    let html = fs::read_to_string(desk.path().join("firedrill-evidence/report.html")).unwrap();
    assert!(html.contains("orders: 1 of 7 nights has no record: 1 between"), "{html}");
    assert!(html.contains("Evidence from 2026-11-20T00:00:00.000Z to 2026-11-27T00:00:00.000Z."), "{html}");
    assert!(html.contains("6 drills with a record; signatures, chain and verdicts were checked"), "{html}");
    let last = archive.files[6].file_name().unwrap().to_str().unwrap();
    assert!(html.contains(&format!("evidence/orders/{last}")), "the file is named as it lies here");
    // The file that is gone, and not only the night, is what makes it unsound.
    assert!(html.contains("The evidence of orders is not sound."), "{html}");
    assert!(
        !html.contains("<script") && !html.contains("=\"http") && !html.contains("src="),
        "nothing is loaded"
    );
}

#[test]
fn the_same_evidence_gives_the_same_bundle_and_none_is_overwritten() {
    let archive = archive(2);
    bundled(&archive, &[]).ended(ExitCode::Passed);
    let first = archive.root.path().join("first.tar.gz");
    let refused = bundled(&archive, &[]).ended(ExitCode::Usage);
    assert!(refused.stderr.contains("File exists"), "{}", refused.stderr);
    fs::rename(archive.root.path().join("bundle.tar.gz"), &first).unwrap();
    bundled(&archive, &[]).ended(ExitCode::Passed);
    let again = fs::read(archive.root.path().join("bundle.tar.gz")).unwrap();
    assert!(fs::read(first).unwrap() == again, "the bytes differ");
    let none = bundled(&archive, &["--since", "2027-01-01"]).ended(ExitCode::Usage);
    assert!(none.stderr.contains("there is no such evidence"), "{}", none.stderr);
}

#[test]
fn a_bundle_of_evidence_at_fault_is_written_and_says_so() {
    let archive = Archive::without(7, &[4, 5]);
    bundled(&archive, &[]).ended(ExitCode::Failed).says(&["2 of 7 nights have no record", "PLACE_MISSING"]);
    let verified = archive.evidence(&["verify", "--key", PUBLIC_FILE, "bundle.tar.gz"]);
    verified.ended(ExitCode::Failed).says(&["PLACE_MISSING"]);
}

#[test]
fn what_is_no_bundle_is_refused() {
    let archive = archive(1);
    bundled(&archive, &[]).ended(ExitCode::Passed);
    let intact = fs::read(archive.root.path().join("bundle.tar.gz")).unwrap();
    let desk = TempDir::new().unwrap();
    let made = |name: &str, script: &str| {
        let lines = format!("mkdir {name} && cd {name} && tar -xzf ../bundle.tar.gz && {script}");
        let told = shell(desk.path(), &lines);
        assert!(told.is_empty(), "{name}: {told:#?}");
        fs::read(desk.path().join(name).join("out.tar.gz")).unwrap()
    };
    fs::copy(archive.root.path().join("bundle.tar.gz"), desk.path().join("bundle.tar.gz")).unwrap();
    let table: Vec<(&str, Vec<u8>)> = vec![
        ("cut", intact[..intact.len() / 2].to_vec()),
        ("empty", Vec::new()),
        ("no gzip", b"not a bundle".to_vec()),
        (
            "a link",
            made(
                "link",
                "ln -s /etc/passwd firedrill-evidence/x && tar --format=ustar -czf out.tar.gz firedrill-evidence/x",
            ),
        ),
        (
            "a climbing name",
            made(
                "climb",
                "tar --format=ustar -czPf out.tar.gz --transform 's,firedrill-evidence/,firedrill-evidence/evidence/../../,' firedrill-evidence/VERIFY.md",
            ),
        ),
        (
            "an absolute name",
            made(
                "root",
                "tar --format=ustar -czPf out.tar.gz --transform 's,firedrill-evidence,/tmp,' firedrill-evidence/VERIFY.md",
            ),
        ),
        (
            "another file",
            made(
                "other",
                "touch firedrill-evidence/run.sh && tar --format=ustar -czf out.tar.gz firedrill-evidence/run.sh",
            ),
        ),
        ("a folder", made("folder", "tar --format=ustar -czf out.tar.gz firedrill-evidence")),
        (
            "a file twice",
            made(
                "twice",
                "tar --format=ustar -cf out.tar firedrill-evidence/evidence/orders/*.json && tar --format=ustar -rf out.tar firedrill-evidence/evidence/orders/*.json && gzip out.tar",
            ),
        ),
    ];
    for (name, bytes) in table {
        let path = archive.root.path().join("other.tar.gz");
        fs::write(&path, bytes).unwrap();
        let answer =
            archive.evidence(&["verify", "--key", PUBLIC_FILE, "other.tar.gz"]).ended(ExitCode::Usage);
        assert_eq!(answer.stdout, "", "{name}");
        assert!(answer.stderr.starts_with("error: "), "{name}: {}", answer.stderr);
    }
}

#[test]
fn the_manual_of_a_bundle_and_the_readme_say_the_same() {
    let [records, reviews] = by_hand();
    let ours = include_str!("../src/evidence/by_hand.md");
    let of_reviews = include_str!("../src/evidence/by_hand_review.md");
    assert_eq!(ours.trim(), format!("```sh\n{records}```"));
    assert_eq!(of_reviews.trim(), format!("```sh\n{reviews}```"));
}
