//! Evidence as it lies on the disk: written once, read back exactly, and verified by an
//! auditor who trusts nothing but a public key.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "what fails here fails the test")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use firedrill::digest::Digest;
use firedrill::evidence::*;
use firedrill::judge::pronounce;
use firedrill::record::*;
use firedrill::verdict::{Code, Reason, Verdict};
use jiff::SignedDuration;
use serde_json::{Value, json};
use tempfile::TempDir;

#[path = "support/signed.rs"]
mod signed;

use signed::{Archive, FIXTURES, archive, golden, night, passing};

#[test]
fn each_version_ever_written_has_a_golden_file_and_still_reads() {
    let mut found: Vec<String> = fs::read_dir(FIXTURES)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with('v'))
        .collect();
    found.sort();
    let known: Vec<String> =
        SCHEMA_VERSIONS.iter().map(|version| format!("v{}.{}", version.major, version.minor)).collect();
    assert_eq!(found, known);
    for name in known {
        let payload = fs::read(Path::new(FIXTURES).join(&name).join("passing.json")).unwrap();
        let statement = Statement::read(&payload).unwrap();
        assert_eq!(statement.payload().unwrap(), payload, "{name}");
        assert_eq!(statement.predicate.schema_version.to_string(), format!("{}.0", &name[1..]));
        assert_eq!(firedrill::judge::judge(&statement.predicate).verdict(), Verdict::Pass, "{name}");
    }
}

#[test]
fn the_published_schema_is_the_one_in_code_for_this_version() {
    let version = format!("v{}.{}", SCHEMA_VERSION.major, SCHEMA_VERSION.minor);
    let path = Path::new(FIXTURES).join(version).join("schema.json");
    let current = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
    let published = fs::read_to_string(&path).unwrap_or_default();
    if published != current {
        let seen = std::env::temp_dir().join("firedrill-schema.json");
        fs::write(&seen, current).unwrap();
        panic!(
            "the types say {}, which is not {}: a change is a new version",
            seen.display(),
            path.display()
        );
    }
}

#[test]
fn an_independent_validator_takes_what_is_written_and_nothing_else() {
    let validator = jsonschema::draft202012::new(&schema()).unwrap();
    let intact: Value = serde_json::from_slice(&golden()).unwrap();
    validator.validate(&intact).unwrap();

    let old = passing();
    let mut begun = Record::begin(old.run, old.service, old.objectives, old.clock);
    begun.halt = Some(Halt::new(Reason::new(Code::Interrupted, "a signal", ""), None));
    pronounce(&mut begun);
    let halted: Value = serde_json::from_slice(&Statement::of(begun).payload().unwrap()).unwrap();
    validator.validate(&halted).unwrap();

    type Change = fn(&mut Value);
    let table: &[(&str, Change)] = &[
        ("an unknown field", |it| it["predicate"]["extra"] = json!(1)),
        ("an unknown field deep down", |it| it["predicate"]["restore"]["spans"][0]["extra"] = json!(1)),
        ("a missing field", |it| drop(it["predicate"].as_object_mut().unwrap().remove("phases"))),
        ("null for what is unknown", |it| it["predicate"]["run"]["actor"] = Value::Null),
        ("null for a block", |it| it["predicate"]["cleanup"] = Value::Null),
        ("a fraction", |it| it["predicate"]["restore"]["jobs"] = json!(1.5)),
        ("a negative count", |it| it["predicate"]["restore"]["jobs"] = json!(-1)),
        ("an integer beyond 2^53", |it| it["predicate"]["restore"]["jobs"] = json!(1_u64 << 53)),
        ("a verdict of another name", |it| it["predicate"]["verdict"]["result"] = json!("passed")),
        ("a reason of another name", |it| it["predicate"]["verdict"]["reason_codes"] = json!(["NO"])),
        ("a moment in another zone", |it| {
            it["predicate"]["run"]["started_at"] = json!("2026-11-20T02:30:00.112+01:00");
        }),
        ("a digest in capitals", |it| it["predicate"]["run"]["plan_sha256"] = json!("A".repeat(64))),
        ("another predicate", |it| it["predicateType"] = json!("https://example.com/v1")),
    ];
    for (name, change) in table {
        let mut changed = intact.clone();
        change(&mut changed);
        assert!(!validator.is_valid(&changed), "the schema takes {name}");
        let bytes = serde_json::to_vec(&changed).unwrap();
        assert!(Statement::read(&bytes).is_err(), "the reader takes {name}");
    }
}

#[test]
fn each_field_that_answers_a_control_is_one_of_the_published_shapes() {
    let (record, review) = (schema(), review_schema());
    let resolve = |root: &Value, mut at: Value| {
        while let Some(name) = at.get("$ref").and_then(Value::as_str) {
            at = root.pointer(name.trim_start_matches('#')).unwrap().clone();
        }
        at
    };
    for control in CONTROLS {
        assert!(!control.asks.is_empty() && !control.fields.is_empty(), "{}", control.id);
        for field in control.fields {
            let (root, path) = match field.strip_prefix("review.") {
                Some(path) => (&review, path),
                None => (&record, *field),
            };
            let mut at = resolve(root, root["properties"]["predicate"].clone());
            for step in path.split('.') {
                at = resolve(root, at["properties"][step].clone());
                assert!(at.is_object(), "{}: {field}", control.id);
            }
        }
    }
}

#[test]
fn only_the_exact_bytes_of_a_statement_read_back() {
    let golden = String::from_utf8(golden()).unwrap();
    Statement::read(golden.as_bytes()).unwrap();
    let value: Value = serde_json::from_str(&golden).unwrap();
    let table = [
        ("white space", format!("{golden}\n")),
        ("another layout", serde_json::to_string_pretty(&value).unwrap()),
        ("a doubled field", golden.replacen("\"controls\":", "\"controls\":[],\"controls\":", 1)),
        (
            "a doubled key of a map",
            golden.replacen("\"constraints\":7", "\"constraints\":8,\"constraints\":7", 1),
        ),
        ("an escape that is none", golden.replacen("\"orders\"", "\"\\u006frders\"", 1)),
        ("nothing", String::new()),
        ("half", golden[..golden.len() / 2].to_owned()),
        ("depth", "[".repeat(100_000)),
        ("another subject", golden.replacen("\"name\":\"s3://acme", "\"name\":\"s3://other", 1)),
    ];
    for (name, text) in table {
        assert_ne!(text, golden, "{name}");
        let error = Statement::read(text.as_bytes()).unwrap_err();
        assert_eq!(error.kind(), Kind::Malformed, "{name}");
    }
}

#[test]
fn what_is_of_another_version_is_refused_by_its_name() {
    let golden = String::from_utf8(golden()).unwrap();
    let table = [
        ("\"schema_version\":\"1.0.0\"", "\"schema_version\":\"2.0.0\"", "2.0.0"),
        ("\"schema_version\":\"1.0.0\"", "\"schema_version\":\"1.7.0\"", "1.7.0"),
        ("\"schema_version\":\"1.0.0\"", "\"schema_version\":\"one\"", "one"),
        ("restore-test/v1", "restore-test/v2", "restore-test/v2"),
        ("Statement/v1", "Statement/v0.1", "Statement/v0.1"),
    ];
    for (from, to, named) in table {
        let error = Statement::read(golden.replacen(from, to, 1).as_bytes()).unwrap_err();
        assert_eq!(error.kind(), Kind::UnknownVersion, "{to}");
        assert!(error.to_string().contains(named), "{error}");
    }
}

#[test]
fn a_drill_that_never_read_its_backup_is_bound_to_its_plan() {
    let mut record = passing();
    record.artifact = None;
    let subject = |record: &Record| {
        let payload = Statement::of(record.clone()).payload().unwrap();
        Statement::read(&payload).unwrap().subject.remove(0)
    };
    assert_eq!(subject(&record).name, "plan:orders");
    assert_eq!(Some(subject(&record).digest.sha256), record.run.plan_sha256);
    record.run.plan_sha256 = None;
    assert_eq!(subject(&record).name, "log:orders");
    assert_eq!(subject(&record).digest.sha256, genesis("orders"));
}

#[test]
fn a_log_is_written_in_order_and_never_over() {
    let root = TempDir::new().unwrap();
    let log = Log::open(root.path(), "orders").unwrap();
    assert_eq!(log.head().unwrap(), None);
    let mut previous = genesis("orders");
    for number in 0..3 {
        let mut record = night(number);
        let written = log.append(&mut record, None).unwrap();
        let name = format!("{:08}-{}.json", number + 1, record.run.run_id);
        assert_eq!(written.path, root.path().join("orders").join(name));
        let bytes = fs::read(&written.path).unwrap();
        let read = Statement::read(&bytes).unwrap().predicate;
        assert_eq!(read, record);
        assert_eq!(read.chain.sequence, Some(number.unsigned_abs() + 1));
        assert_eq!(read.chain.previous_envelope_sha256, Some(previous));
        assert_eq!(read.chain.signing, Signing::None);
        assert_eq!(read.verdict.result, VerdictWord(Verdict::Pass));
        assert!(!read.limitations.is_empty());
        previous = Sha256(Digest::of(&bytes));
        assert_eq!(log.head().unwrap(), Some(written.head));
        assert_eq!(written.head.sha256, previous);
    }
    let names: Vec<_> = fs::read_dir(log.directory()).unwrap().collect();
    assert_eq!(names.len(), 3, "nothing is left beside the records");
}

#[test]
fn what_a_killed_writer_left_is_swept_and_a_torn_file_is_never_seen() {
    let root = TempDir::new().unwrap();
    let log = Log::open(root.path(), "orders").unwrap();
    let torn = log.directory().join(format!(".unfinished-00000001-{}.json", RunId::fresh()));
    fs::write(&torn, b"{\"_type\"").unwrap();
    assert_eq!(log.head().unwrap(), None);
    let written = log.append(&mut night(0), None).unwrap();
    assert_eq!(written.head.sequence, 1);
    assert!(!torn.exists());
}

#[test]
fn two_files_of_one_place_stop_the_log() {
    let root = TempDir::new().unwrap();
    let log = Log::open(root.path(), "orders").unwrap();
    let written = log.append(&mut night(0), None).unwrap();
    let other = log.directory().join(format!("00000001-{}.json", RunId::fresh()));
    fs::copy(&written.path, other).unwrap();
    assert_eq!(log.append(&mut night(1), None).unwrap_err().kind(), Kind::Conflict);
}

#[test]
fn a_service_whose_name_is_no_safe_directory_is_refused() {
    let root = TempDir::new().unwrap();
    for good in ["orders", "a", "Prod_1.eu-west", &"x".repeat(63)] {
        Log::open(root.path(), good).unwrap();
    }
    for bad in ["", ".", "..", ".hidden", "a/b", "../a", "a\\b", "a b", "a\0b", "ä", &"x".repeat(64)] {
        assert_eq!(Log::open(root.path(), bad).unwrap_err().kind(), Kind::UnsafeName, "{bad:?}");
    }
}

#[test]
fn a_key_is_its_owners_alone_and_is_never_overwritten() {
    let root = TempDir::new().unwrap();
    let (private, public) = keygen(root.path()).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&private), 0o600);
    let before = fs::read(&private).unwrap();
    keygen(root.path()).unwrap_err();
    assert_eq!(fs::read(&private).unwrap(), before);
    assert_eq!(PublicKey::read(&root.path().join(PUBLIC_FILE)).unwrap(), public);

    fs::remove_file(&private).unwrap();
    keygen(root.path()).unwrap_err();
    assert!(!private.exists(), "a public key is never left with another private one");
    fs::write(&private, &before).unwrap();

    for open in [0o640, 0o604, 0o644] {
        fs::set_permissions(&private, fs::Permissions::from_mode(open)).unwrap();
        assert_eq!(SigningKey::read(&private).unwrap_err().kind(), Kind::Key, "{open:o}");
    }
    let secret = String::from_utf8(before).unwrap();
    let key = SigningKey::from_pem(&secret).unwrap();
    let line = secret.lines().nth(1).unwrap();
    assert!(!format!("{key:?}").contains(&line[20..]));
    let broken = SigningKey::from_pem(&secret.replace("PRIVATE", "PUBLIC")).unwrap_err();
    assert!(!format!("{broken:?}").contains(&line[20..]));
}

/// A way to tamper with a signed log of five nights, and what the verifier says to it.
struct Tampering {
    name: &'static str,
    tamper: fn(&Archive),
    finds: FaultKind,
}

fn rewrite(path: &Path, change: impl FnOnce(Vec<u8>) -> Vec<u8>) {
    fs::write(path, change(fs::read(path).unwrap())).unwrap();
}

const TAMPERINGS: &[Tampering] = &[
    Tampering {
        name: "a record in the middle is dropped",
        tamper: |archive| fs::remove_file(&archive.files[2]).unwrap(),
        finds: FaultKind::PlaceMissing,
    },
    Tampering {
        name: "the first record is dropped",
        tamper: |archive| fs::remove_file(&archive.files[0]).unwrap(),
        finds: FaultKind::PlaceMissing,
    },
    Tampering {
        name: "the last record is dropped",
        tamper: |archive| fs::remove_file(&archive.files[4]).unwrap(),
        finds: FaultKind::HeadDiffers,
    },
    Tampering {
        name: "everything is dropped",
        tamper: |archive| archive.files.iter().for_each(|file| fs::remove_file(file).unwrap()),
        finds: FaultKind::Empty,
    },
    Tampering {
        name: "two records change places",
        tamper: |archive| {
            let (one, two) = (&archive.files[1], &archive.files[2]);
            let aside = archive.root.path().join("aside");
            fs::rename(one, &aside).unwrap();
            fs::rename(two, one).unwrap();
            fs::rename(&aside, two).unwrap();
        },
        finds: FaultKind::Misnamed,
    },
    Tampering {
        name: "an old record is shown again as a new one",
        tamper: |archive| {
            let replayed = archive.log().join(format!("00000006-{}.dsse.json", RunId::fresh()));
            fs::copy(&archive.files[1], replayed).unwrap();
        },
        finds: FaultKind::Twice,
    },
    Tampering {
        name: "a place has two records",
        tamper: |archive| {
            let second = archive.log().join(format!("00000005-{}.dsse.json", RunId::fresh()));
            fs::copy(&archive.files[4], second).unwrap();
        },
        finds: FaultKind::Twice,
    },
    Tampering {
        name: "a record is stripped of its signature",
        tamper: |archive| {
            let envelope = Envelope::read(&fs::read(&archive.files[4]).unwrap()).unwrap();
            let bare = archive.files[4].to_str().unwrap().replace(".dsse.json", ".json");
            fs::write(bare, envelope.payload().unwrap()).unwrap();
            fs::remove_file(&archive.files[4]).unwrap();
        },
        finds: FaultKind::Unsigned,
    },
    Tampering {
        name: "a record is written anew and signed with another key",
        tamper: |archive| {
            let elsewhere = TempDir::new().unwrap();
            let other = SigningKey::read(&keygen(elsewhere.path()).unwrap().0).unwrap();
            rewrite(&archive.files[4], |bytes| {
                let payload = Envelope::read(&bytes).unwrap().payload().unwrap();
                Envelope::seal(&payload, &other).bytes().unwrap()
            });
        },
        finds: FaultKind::NotOurs,
    },
    Tampering {
        name: "the keyid of another key is claimed",
        tamper: |archive| {
            let elsewhere = TempDir::new().unwrap();
            let other = SigningKey::read(&keygen(elsewhere.path()).unwrap().0).unwrap();
            let ours = archive.key.public().id().to_owned();
            rewrite(&archive.files[4], |bytes| {
                let payload = Envelope::read(&bytes).unwrap().payload().unwrap();
                let forged = Envelope::seal(&payload, &other).bytes().unwrap();
                let forged = String::from_utf8(forged).unwrap();
                forged.replace(other.public().id(), &ours).into_bytes()
            });
        },
        finds: FaultKind::NotOurs,
    },
    Tampering {
        name: "the key's holder rewrites a record in the middle",
        tamper: |archive| {
            rewrite(&archive.files[2], |bytes| {
                let payload = Envelope::read(&bytes).unwrap().payload().unwrap();
                let mut record = Statement::read(&payload).unwrap().predicate;
                record.run.actor = Some("somebody else".to_owned());
                pronounce(&mut record);
                Envelope::seal(&Statement::of(record).payload().unwrap(), &archive.key).bytes().unwrap()
            });
        },
        finds: FaultKind::ChainBroken,
    },
    Tampering {
        name: "the key's holder rewrites the last record",
        tamper: |archive| {
            rewrite(&archive.files[4], |bytes| {
                let payload = Envelope::read(&bytes).unwrap().payload().unwrap();
                let mut record = Statement::read(&payload).unwrap().predicate;
                record.run.actor = Some("somebody else".to_owned());
                pronounce(&mut record);
                Envelope::seal(&Statement::of(record).payload().unwrap(), &archive.key).bytes().unwrap()
            });
        },
        finds: FaultKind::HeadDiffers,
    },
    Tampering {
        name: "the key's holder signs a pass that the record does not bear out",
        tamper: |archive| {
            rewrite(&archive.files[4], |bytes| {
                let payload = Envelope::read(&bytes).unwrap().payload().unwrap();
                let mut record = Statement::read(&payload).unwrap().predicate;
                record.restore.as_mut().unwrap().invalid_indexes = Some(3);
                Envelope::seal(&Statement::of(record).payload().unwrap(), &archive.key).bytes().unwrap()
            });
        },
        finds: FaultKind::VerdictDiffers,
    },
    Tampering {
        name: "the key's holder signs milder words",
        tamper: |archive| {
            rewrite(&archive.files[4], |bytes| {
                let payload = Envelope::read(&bytes).unwrap().payload().unwrap();
                let mut record = Statement::read(&payload).unwrap().predicate;
                record.limitations.clear();
                Envelope::seal(&Statement::of(record).payload().unwrap(), &archive.key).bytes().unwrap()
            });
        },
        finds: FaultKind::VerdictDiffers,
    },
    Tampering {
        name: "a file is cut",
        tamper: |archive| {
            rewrite(&archive.files[3], |mut bytes| {
                bytes.truncate(bytes.len() / 2);
                bytes
            });
        },
        finds: FaultKind::Unreadable,
    },
    Tampering {
        name: "a file is empty",
        tamper: |archive| fs::write(&archive.files[3], b"").unwrap(),
        finds: FaultKind::Unreadable,
    },
    Tampering {
        name: "a reviewed record is written anew by the key's holder",
        tamper: |archive| {
            archive.review(&archive.files[4]);
            rewrite(&archive.files[4], |bytes| {
                let payload = Envelope::read(&bytes).unwrap().payload().unwrap();
                let mut record = Statement::read(&payload).unwrap().predicate;
                record.run.actor = Some("somebody else".to_owned());
                pronounce(&mut record);
                Envelope::seal(&Statement::of(record).payload().unwrap(), &archive.key).bytes().unwrap()
            });
        },
        finds: FaultKind::ReviewAstray,
    },
    Tampering {
        name: "a review is laid beside another record",
        tamper: |archive| {
            let review = archive.review(&archive.files[1]);
            let other = archive.files[2].to_str().unwrap().replace(".dsse.json", ".review.dsse.json");
            fs::rename(review, other).unwrap();
        },
        finds: FaultKind::ReviewAstray,
    },
    Tampering {
        name: "the first of two reviews is dropped",
        tamper: |archive| {
            let first = archive.review(&archive.files[1]);
            archive.review(&archive.files[1]);
            fs::remove_file(first).unwrap();
        },
        finds: FaultKind::ChainBroken,
    },
    Tampering {
        name: "a record of another service's log is put in",
        tamper: |archive| {
            let mut record = night(4);
            record.service.id = "payments".to_owned();
            let elsewhere = Log::open(archive.root.path(), "payments").unwrap();
            let written = elsewhere.append(&mut record, Some(&archive.key)).unwrap();
            let name =
                written.path.file_name().unwrap().to_str().unwrap().replacen("00000001", "00000006", 1);
            fs::rename(&written.path, archive.log().join(name)).unwrap();
        },
        finds: FaultKind::WrongLog,
    },
];

#[test]
fn each_tampering_with_a_log_is_found() {
    for Tampering { name, tamper, finds } in TAMPERINGS {
        let archive = archive(5);
        tamper(&archive);
        let faults = archive.faults(&archive.pinned());
        assert!(faults.contains(finds), "{name}: {faults:?}");
        assert!(archive.verified(&archive.pinned()).trust() < Trust::Chain, "{name}");
        let (code, told) = archive.verified_by_command(&["--expect-head", &archive.head.sha256.to_string()]);
        assert_eq!(code, Some(1), "{name}: {told}");
        assert!(told.contains(finds.as_str()) && told.contains("not sound"), "{name}: {told}");
    }
}

#[test]
fn each_flipped_bit_and_each_cut_of_a_signed_file_is_found() {
    let archive = archive(2);
    let file = &archive.files[0];
    let intact = fs::read(file).unwrap();
    let unpinned = Options::default();
    // Every byte of the small parts, and a sample of the long payload.
    let positions = (0..intact.len()).filter(|at| at % 61 == 0 || *at < 40 || intact.len() - at < 400);
    for at in positions {
        let mut flipped = intact.clone();
        flipped[at] ^= 1 << (at % 8);
        fs::write(file, &flipped).unwrap();
        assert!(!archive.faults(&unpinned).is_empty(), "a bit of byte {at} is flipped");
    }
    for at in (0..intact.len()).step_by(97) {
        fs::write(file, &intact[..at]).unwrap();
        assert!(!archive.faults(&unpinned).is_empty(), "cut at byte {at}");
    }
    fs::write(file, &intact).unwrap();
    assert!(archive.faults(&archive.pinned()).is_empty());
}

/// A list of pointers to each value that holds no other.
fn leaves(value: &Value, pointer: &str, into: &mut Vec<String>) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            map.iter().for_each(|(key, inner)| leaves(inner, &format!("{pointer}/{key}"), into));
        }
        Value::Array(items) if !items.is_empty() => {
            items.iter().enumerate().for_each(|(at, inner)| leaves(inner, &format!("{pointer}/{at}"), into));
        }
        _ => into.push(pointer.to_owned()),
    }
}

#[test]
fn each_changed_or_removed_leaf_of_a_signed_record_is_found() {
    let archive = archive(1);
    let file = &archive.files[0];
    let intact = fs::read(file).unwrap();
    let mut envelope: Value = serde_json::from_slice(&intact).unwrap();
    let payload = Envelope::read(&intact).unwrap().payload().unwrap();
    let statement: Value = serde_json::from_slice(&payload).unwrap();
    let mut all = Vec::new();
    leaves(&statement, "", &mut all);
    assert!(all.len() > 200);
    for pointer in all {
        let mut changed = statement.clone();
        let leaf = changed.pointer_mut(&pointer).unwrap();
        *leaf = match leaf.take() {
            Value::Bool(it) => json!(!it),
            Value::Number(number) => json!(number.as_i64().unwrap() + 1),
            Value::String(text) => json!(format!("{text}x")),
            Value::Array(_) => json!(["x"]),
            Value::Object(_) | Value::Null => json!({ "x": 1 }),
        };
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        let mut removed = statement.clone();
        match removed.pointer_mut(parent).unwrap() {
            Value::Object(map) => drop(map.remove(name)),
            Value::Array(items) => drop(items.remove(name.parse().unwrap())),
            _ => unreachable!(),
        }
        for tampered in [changed, removed] {
            let bytes = serde_json::to_vec(&tampered).unwrap();
            envelope["payload"] = json!(base64(&bytes));
            let written = serde_json::to_vec(&envelope).unwrap();
            let faults = {
                fs::write(file, &written).unwrap();
                archive.faults(&Options::default())
            };
            let known = [FaultKind::NotOurs, FaultKind::Unreadable];
            assert!(faults.iter().any(|fault| known.contains(fault)), "{pointer}: {faults:?}");
        }
    }
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[test]
fn without_a_pinned_head_a_missing_end_is_found_by_the_cadence() {
    let archive = archive(5);
    let start = night(0).run.started_at.at();
    let at = |hours| start + SignedDuration::from_hours(hours);
    let options = Options {
        expected: Expected::Every(Duration::from_hours(26)),
        since: Some(at(-1)),
        until: Some(at(97)),
        ..Options::default()
    };
    assert!(archive.faults(&options).is_empty());
    assert_eq!(archive.verified(&options).trust(), Trust::Chain);

    fs::remove_file(&archive.files[4]).unwrap();
    fs::remove_file(&archive.files[3]).unwrap();
    assert!(archive.faults(&Options::default()).is_empty(), "the chain alone does not show it");
    let report = archive.verified(&options);
    let [gap] = report.logs[0].coverage.as_ref().unwrap().gaps.as_slice() else { panic!("{report:#?}") };
    assert_eq!((gap.from.at(), gap.to.at(), gap.missing), (at(48), at(97), 1));
    assert_eq!(report.trust(), Trust::Signatures);
}

#[test]
fn nothing_is_believed_without_the_auditors_own_keys() {
    let archive = archive(2);
    let report = verify(&archive.log(), &[], &Options::default()).unwrap();
    assert_eq!(report.trust(), Trust::Nothing);
    assert!(!report.is_sound());

    let root = TempDir::new().unwrap();
    let log = Log::open(root.path(), "orders").unwrap();
    log.append(&mut night(0), None).unwrap();
    let strict = verify(root.path(), &[], &Options::default()).unwrap();
    assert!(!strict.is_sound());
    let lenient = Options { allow_unsigned: true, ..Options::default() };
    let report = verify(root.path(), &[], &lenient).unwrap();
    assert!(report.is_sound());
    assert_eq!(report.trust(), Trust::Nothing, "sound, and still nobody's word");

    let empty = TempDir::new().unwrap();
    assert!(!verify(empty.path(), &[], &lenient).unwrap().is_sound(), "nothing is not sound");
}

#[test]
fn each_log_of_a_folder_is_verified_and_the_weakest_counts() {
    let archive = archive(2);
    let root = archive.root.path().join("log");
    let mut record = night(0);
    record.service.id = "payments".to_owned();
    Log::open(&root, "payments").unwrap().append(&mut record, Some(&archive.key)).unwrap();
    let keys = [archive.key.public().clone()];
    let report = verify(&root, &keys, &Options::default()).unwrap();
    let names: Vec<_> = report.logs.iter().map(|log| log.log_id.clone().unwrap()).collect();
    assert_eq!(names, ["orders", "payments"]);
    assert_eq!(report.trust(), Trust::Chain);
    fs::remove_file(&archive.files[0]).unwrap();
    let report = verify(&root, &keys, &Options::default()).unwrap();
    assert_eq!(report.trust(), Trust::Signatures);
}

/// What the auditor types: no firedrill, only what every machine has.
const BY_HAND: &str = r#"
jq -r .payload r.dsse.json | base64 -d > p; T=$(jq -r .payloadType r.dsse.json)
{ printf 'DSSEv1 %d %s %d ' ${#T} "$T" $(wc -c < p); cat p; } > m
jq -r '.signatures[0].sig' r.dsse.json | base64 -d > s
openssl pkeyutl -verify -pubin -inkey evidence.pub -rawin -in m -sigfile s
sha256sum r.dsse.json | cut -d ' ' -f 1
jq -r .predicate.chain.previous_envelope_sha256 p
jq -r .predicate.verdict.result p
"#;

fn by_hand(archive: &Archive, envelope: &Path) -> (bool, Vec<String>) {
    let desk = TempDir::new().unwrap();
    fs::copy(envelope, desk.path().join("r.dsse.json")).unwrap();
    fs::copy(archive.root.path().join(PUBLIC_FILE), desk.path().join("evidence.pub")).unwrap();
    let output = Command::new("bash")
        .args(["-c", BY_HAND])
        .current_dir(desk.path())
        .output()
        .expect("bash runs, and with it openssl, jq and sha256sum");
    let lines: Vec<String> = String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect();
    (lines.first().is_some_and(|line| line == "Signature Verified Successfully"), lines)
}

#[test]
fn openssl_jq_and_sha256sum_come_to_the_same_word() {
    for program in ["openssl", "jq", "sha256sum"] {
        let found = Command::new(program).arg("--version").output().is_ok();
        assert!(found, "this test needs {program}: apt-get install openssl jq coreutils");
    }
    let archive = archive(3);
    let mut previous = genesis("orders").to_string();
    for file in &archive.files {
        let (verified, lines) = by_hand(&archive, file);
        assert!(verified, "{lines:?}");
        assert_eq!(lines[2..], [previous.clone(), "pass".to_owned()]);
        previous = lines[1].clone();
    }
    assert_eq!(previous, archive.head.sha256.to_string());

    let file = &archive.files[1];
    let intact = fs::read_to_string(file).unwrap();
    let payload = Envelope::read(intact.as_bytes()).unwrap().payload().unwrap();
    let forged = String::from_utf8(payload.clone()).unwrap().replacen("\"orders\"", "\"ledger\"", 1);
    fs::write(file, intact.replacen(&base64(&payload), &base64(forged.as_bytes()), 1)).unwrap();
    let (verified, lines) = by_hand(&archive, file);
    assert!(!verified, "a changed record verifies by hand: {lines:?}");
}
