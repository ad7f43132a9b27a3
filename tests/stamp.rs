//! Stamps of real sources: taken beside a dump, and held against what comes back.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "what fails here fails the test")]

#[path = "support/database.rs"]
mod database;
#[path = "support/drill.rs"]
mod drill;
#[path = "support/postgres.rs"]
mod postgres;
#[path = "support/stamped.rs"]
mod stamped;

use std::collections::BTreeSet;
use std::fs;

use firedrill::digest::Digest;
use firedrill::evidence::keygen;
use firedrill::record::{Anchor, Between, ComparedTo, ConsistencySource, Record, TableState};
use firedrill::stamp::read;
use firedrill::verdict::{Code, Verdict};

use crate::database::Source;
use crate::drill::{Service, codes, drill, drilled, told, warnings};
use crate::postgres::{install, parent};
use crate::stamped::{SHOP, Stamped, stamp, try_stamp};

/// A record that passed, with every table of the source in its proof.
fn assert_proven_to_the_source(record: &Record) {
    let told = told(record);
    assert_eq!(record.verdict.result.0, Verdict::Pass, "{told}");
    let fidelity = record.fidelity.as_ref().unwrap();
    assert_eq!(fidelity.compared_to, ComparedTo::SourceStamp, "{told}");
    assert_eq!(fidelity.tables_equal, fidelity.tables_expected, "{told}");
    assert!(fidelity.tables.iter().all(|table| table.stamp_hash.is_some()), "{told}");
    let beside = record.stamp.as_ref().unwrap().beside_rows.as_ref().unwrap();
    for class in [&beside.sequences, &beside.large_objects, &beside.objects] {
        let class = class.as_ref().unwrap();
        assert!(class.expected > 0 && class.equal == class.expected, "{told} {beside:?}");
    }
    assert!(!warnings(record).contains(&"SOURCE_NOT_IN_PROOF"), "{:?}", warnings(record));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_stamp_joins_the_proof_and_vouches_for_the_archive() {
    let place = parent();
    let source = Source::start(place.path()).await;
    source.create("shop", "", SHOP).await;
    let (key, public) = keygen(place.path()).unwrap();
    let stamped = stamp(&source, "shop", &["--key", key.to_str().unwrap()], &[]);
    let plain = read(&stamped.bytes, std::slice::from_ref(&public)).unwrap();
    assert_eq!(plain.signed_by.as_deref(), Some(public.id()));
    let stamp = &plain.predicate;
    let tables: BTreeSet<String> =
        stamp.tables.iter().map(|table| format!("{}.{}", table.schema, table.name)).collect();
    let expected = [
        "app.cache",
        "app.customer",
        "app.empty",
        "app.log",
        "app.Odd \"Name\"",
        "app.orders_2025",
        "app.orders_2026",
        "public.freshness",
    ];
    assert_eq!(tables, expected.into_iter().map(String::from).collect());
    assert_eq!(stamp.tables.iter().map(|table| table.rows).sum::<u64>(), 500 + 400 + 100 + 3 + 1 + 1);
    assert_eq!(stamp.large_objects.as_ref().map(|all| (all.count, all.bytes)), Some((2, 6000)));
    assert_eq!(stamp.archive_bytes, stamped.archive.len() as u64);
    assert!(stamp.left_out.is_empty() && !stamp.source.replica);

    let service = |name: &str, demand: &str| {
        let proof = format!(
            "proof = {{ stamp = '{demand}', stamp_key = '{}/evidence.pub' }}",
            place.path().display()
        );
        Service::new(name, &stamped.archive).stamped(&stamped.bytes).with(&proof)
    };
    let record = drill(service("shop", "signed")).await;
    assert_proven_to_the_source(&record);
    let artifact = record.artifact.as_ref().unwrap();
    assert_eq!((artifact.expected.source, artifact.matches), (Anchor::Stamp, Some(true)));
    let point = record.selection.as_ref().unwrap().consistency_point.as_ref().unwrap();
    assert_eq!((point.source, point.time), (ConsistencySource::Stamp, stamp.snapshot.at));
    let system = &record.stamp.as_ref().unwrap().system_identifier;
    assert!(system.is_some() && *system != record.environment.as_ref().unwrap().system_identifier);
}

/// A change of the source between its stamp and its dump.
struct Change {
    name: &'static str,
    sql: &'static str,
    /// The table, or the thing beside tables, that must be named.
    names: &'static str,
}

const CHANGES: &[Change] = &[
    Change { name: "row_gone", sql: "delete from app.customer where id = 77", names: "app.customer" },
    Change {
        name: "digit",
        sql: "update app.orders_2025 set amount = amount + 1 where id = 7",
        names: "app.orders_2025",
    },
    Change {
        name: "row_more",
        sql: "insert into app.\"Odd \"\"Name\"\"\" values (1, 'x')",
        names: "app.Odd ",
    },
    Change {
        name: "null_empty",
        sql: "update app.customer set note = '' where id = 3",
        names: "app.customer",
    },
    Change {
        name: "swapped",
        sql: "update app.\"Odd \"\"Name\"\"\" set \"a b\" = 2, \"select\" = 'x' where \"a b\" is null",
        names: "app.Odd ",
    },
    Change { name: "emptied", sql: "truncate app.log", names: "app.log" },
    Change { name: "column", sql: "alter table app.empty add column more int", names: "app.empty" },
    Change { name: "renamed", sql: "alter table app.empty rename column id to key", names: "app.empty" },
    Change { name: "table_gone", sql: "drop table app.empty", names: "app.empty" },
    Change { name: "table_new", sql: "create table app.fresh (id int)", names: "app.fresh" },
    Change { name: "sequence", sql: "select nextval('app.ticket')", names: "sequence app.ticket" },
    Change { name: "sequence_gone", sql: "drop sequence app.unused", names: "sequence app.unused" },
    Change { name: "object_byte", sql: "select lo_put(4711, 5, '\\x77')", names: "large objects" },
    Change { name: "object_gone", sql: "select lo_unlink(4712)", names: "large objects" },
    Change { name: "index_gone", sql: "drop index app.customer_name", names: "INDEX app.customer_name" },
    Change {
        name: "view",
        sql: "create or replace view app.named as select id, name from app.customer",
        names: "VIEW app.named",
    },
    Change {
        name: "function",
        sql: "create or replace function app.twice(n int) returns int language sql immutable as 'select n * 3'",
        names: "FUNCTION app.twice",
    },
    Change {
        name: "disabled",
        sql: "alter table app.log disable trigger watched",
        names: "TRIGGER app.log watched",
    },
    Change {
        name: "constraint",
        sql: "alter table app.orders_2025 drop constraint positive",
        names: "CHECK CONSTRAINT app.orders_2025 positive",
    },
];

#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_archive_lacks_of_the_source_is_named() {
    let place = parent();
    let source = Source::start(place.path()).await;
    source.create("shop", "", SHOP).await;
    let stamped = stamp(&source, "shop", &[], &[]);
    let unchanged =
        Service::new("unchanged", &stamped.archive).stamped(&stamped.bytes).with("proof.stamp = 'required'");
    let mut services = vec![unchanged];
    for change in CHANGES {
        let server = source.cluster.connect("postgres").await.unwrap();
        server.run(&format!("create database \"{}\" template shop", change.name)).await.unwrap();
        source.psql(change.name, change.sql);
        let archive = source.dump(change.name, &[], &[]);
        services.push(Service::new(change.name, &archive).stamped(&stamped.said_of(&archive)));
    }
    let ran = drilled(services).await;
    assert_proven_to_the_source(ran.of("unchanged"));
    let mut wrong = Vec::new();
    for change in CHANGES {
        let record = ran.of(change.name);
        let told = told(record);
        if record.verdict.result.0 != Verdict::Fail || !told.contains(change.names) {
            wrong.push(format!("{}: {told}", change.names));
        }
        let tables = record.fidelity.iter().flat_map(|fidelity| &fidelity.tables);
        for table in tables.filter(|table| table.state == TableState::Different) {
            assert_eq!(table.between(), Some(Between::SourceAndArchive), "{} {told}", table.name);
        }
    }
    assert_eq!(wrong, Vec::<String>::new(), "{wrong:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stamp_that_is_not_what_the_plan_demands_is_no_pass() {
    let place = parent();
    let source = Source::start(place.path()).await;
    source.create("shop", "", SHOP).await;
    let keys = |name: &str| {
        let folder = place.path().join(name);
        fs::create_dir(&folder).unwrap();
        keygen(&folder).unwrap();
        folder
    };
    let (ours, theirs) = (keys("ours"), keys("theirs"));
    let signed = stamp(&source, "shop", &["--key", ours.join("evidence.key").to_str().unwrap()], &[]);
    let plain = stamp(&source, "shop", &[], &[]);
    let demand = |demand: &str, key: Option<&std::path::Path>| {
        let key =
            key.map(|key| format!(", stamp_key = '{}/evidence.pub'", key.display())).unwrap_or_default();
        format!("proof = {{ stamp = '{demand}'{key} }}")
    };
    let with = |name: &str, archive: &[u8], stamp: Option<&[u8]>, demand: String| {
        let service = Service::new(name, archive).with(&demand);
        stamp.map_or_else(|| Service::new(name, archive).with(&demand), |stamp| service.stamped(stamp))
    };
    let redigested = plain.forged(|document| {
        document["subject"][0]["digest"]["sha256"] = Digest::of(b"another").to_string().into();
    });
    let renumbered = plain.forged(|document| document["predicate"]["archive_bytes"] = 17.into());
    let doubled = plain.forged(|document| {
        let tables = document["predicate"]["tables"].as_array_mut().unwrap();
        tables.push(tables[0].clone());
    });
    let unknown_field = plain.forged(|document| document["predicate"]["more"] = 1.into());
    let later = plain.forged(|document| document["predicate"]["stamp_version"] = "2.0.0".into());
    let spaced = [plain.bytes.as_slice(), b"\n"].concat();
    let retouched =
        String::from_utf8(signed.bytes.clone()).unwrap().replacen("\"sig\":\"", "\"sig\":\"AAAA", 1);
    let wrong: Vec<(Service, Code)> = vec![
        (with("none", &plain.archive, None, demand("required", None)), Code::StampMissing),
        (with("none-signed", &plain.archive, None, demand("signed", Some(&ours))), Code::StampMissing),
        (
            with("unsigned", &plain.archive, Some(&plain.bytes), demand("signed", Some(&ours))),
            Code::StampUnsigned,
        ),
        (
            with("other-key", &signed.archive, Some(&signed.bytes), demand("signed", Some(&theirs))),
            Code::StampSignatureUnknown,
        ),
        (
            with(
                "other-key-optional",
                &signed.archive,
                Some(&signed.bytes),
                demand("optional", Some(&theirs)),
            ),
            Code::StampSignatureUnknown,
        ),
        (
            with(
                "bad-signature",
                &signed.archive,
                Some(retouched.as_bytes()),
                demand("optional", Some(&ours)),
            ),
            Code::StampSignatureUnknown,
        ),
        (
            with("no-json", &plain.archive, Some(b"stamped, honestly"), demand("optional", None)),
            Code::StampMalformed,
        ),
        (with("spaced", &plain.archive, Some(&spaced), demand("optional", None)), Code::StampMalformed),
        (
            with("unknown-field", &plain.archive, Some(&unknown_field), demand("optional", None)),
            Code::StampMalformed,
        ),
        (with("doubled", &plain.archive, Some(&doubled), demand("optional", None)), Code::StampMalformed),
        (with("later", &plain.archive, Some(&later), demand("optional", None)), Code::UnsupportedVersion),
        (
            with("size", &plain.archive, Some(&renumbered), demand("optional", None)),
            Code::StampOfAnotherArchive,
        ),
        (
            with("beside", &plain.archive, Some(&redigested), demand("optional", None)).vouched(),
            Code::StampOfAnotherArchive,
        ),
        (
            with("redigested", &plain.archive, Some(&redigested), demand("optional", None)),
            Code::ArtifactDigestMismatch,
        ),
    ];
    let good = with("good", &signed.archive, Some(&signed.bytes), demand("signed", Some(&ours)));
    let (mut services, expected): (Vec<Service>, Vec<(String, Code)>) = wrong
        .into_iter()
        .map(|(service, code)| (service.name().to_owned(), service, code))
        .map(|(n, s, c)| (s, (n, c)))
        .unzip();
    services.push(good);
    let ran = drilled(services).await;
    assert_eq!(ran.of("good").verdict.result.0, Verdict::Pass, "{}", told(ran.of("good")));
    for (name, code) in expected {
        let record = ran.of(&name);
        assert_ne!(record.verdict.result.0, Verdict::Pass, "{}", told(record));
        assert!(codes(record).contains(&code), "{name}: {}", told(record));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stamp_of_another_major_zone_or_format_is_still_equal() {
    let place = parent();
    let source = Source::start(place.path()).await;
    source.create("shop", "", SHOP).await;
    // The dump's own session writes in another zone and format than one of ours would.
    source.psql(
        "shop",
        "alter database shop set timezone = 'Asia/Kolkata'; alter database shop set bytea_output = 'escape'",
    );
    let stamped = stamp(&source, "shop", &[], &[]);
    // A stamp of the same rows, written otherwise: only what is read back can be held against both.
    source.psql("shop", "alter database shop reset timezone; alter database shop reset bytea_output");
    let plainly = stamp(&source, "shop", &[], &[]);
    let manner = |stamped: &Stamped| stamped.predicate().settings["TimeZone"].clone();
    assert_ne!(manner(&stamped), manner(&plainly));
    let mut services = Vec::new();
    for major in [15, 17, 18] {
        for (kind, stamp) in [("same", stamped.bytes.clone()), ("other", plainly.said_of(&stamped.archive))] {
            let service = Service::new(&format!("{kind}-{major}"), &stamped.archive).stamped(&stamp);
            services.push(service.on(&install(major)));
        }
    }
    let ran = drilled(services).await;
    for major in [15, 17, 18] {
        assert_proven_to_the_source(ran.of(&format!("same-{major}")));
        let other = ran.of(&format!("other-{major}"));
        assert_proven_to_the_source(other);
        let tables = &other.fidelity.as_ref().unwrap().tables;
        let customer = tables.iter().find(|table| table.name == "app.customer").unwrap();
        assert_ne!(customer.stamp_hash, customer.stream_hash);
        assert_eq!(customer.stamp_hash, customer.restored_as_stamped_hash);
    }
}

/// A name, options of the stamp and of the dump, and what must stand as left out.
type LeftOut = (&'static str, &'static [&'static str], &'static [&'static str], &'static [&'static str]);

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_out_stands_in_the_stamp_and_is_warned_of() {
    let place = parent();
    let source = Source::start(place.path()).await;
    source.create("shop", "", SHOP).await;
    let table: &[LeftOut] = &[
        ("stamp", &["--exclude-table", "app.log"], &[], &["app.log stamp"]),
        (
            "data",
            &[],
            &["--exclude-table-data=app.orders*"],
            &["app.orders_2025 dump", "app.orders_2026 dump"],
        ),
        ("table", &[], &["-T", "app.l?g", "-T", "app.cache"], &["app.cache dump", "app.log dump"]),
        ("schema", &[], &["-n", "public"], &["app.*"]),
        ("named", &["-t", "app.customer"], &[], &["app.log stamp"]),
        ("root", &[], &["--load-via-partition-root"], &[]),
        ("unlogged", &[], &["--no-unlogged-table-data"], &["app.cache dump"]),
    ];
    let mut services = Vec::new();
    for (name, options, dump, left_out) in table {
        let stamped = stamp(&source, "shop", options, dump);
        let predicate = stamped.predicate();
        let told: Vec<String> = predicate
            .left_out
            .iter()
            .map(|out| {
                format!(
                    "{}.{} {}",
                    out.schema,
                    out.name,
                    serde_json::to_value(out.reason).unwrap().as_str().unwrap()
                )
            })
            .collect();
        match left_out {
            [pattern] if pattern.ends_with('*') => assert_eq!(told.len(), 7, "{told:?}"),
            _ => {
                left_out.iter().for_each(|one| assert!(told.contains(&(*one).to_owned()), "{name}: {told:?}"))
            }
        }
        services.push(Service::new(name, &stamped.archive).stamped(&stamped.bytes));
    }
    let ran = drilled(services).await;
    for (name, ..) in table {
        let record = ran.of(name);
        assert_eq!(record.verdict.result.0, Verdict::Pass, "{}", told(record));
        let warned = warnings(record).contains(&"SOURCE_NOT_IN_PROOF");
        assert_eq!(warned, ["stamp", "named"].contains(name), "{name}: {:?}", record.verdict.warnings);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dump_that_fails_leaves_no_stamp() {
    let place = parent();
    let source = Source::start(place.path()).await;
    source.create("shop", "", SHOP).await;
    let file = place.path().join("backup.dump");
    let beside = place.path().join("backup.dump.stamp.json");
    let run = |options: &[&str], dump: &[&str]| try_stamp(&source, "shop", options, dump, &file);
    assert_eq!(run(&[], &[]).status.code(), Some(0));
    assert!(beside.exists());
    let failed = run(&[], &["-t", "nobody"]);
    let told = String::from_utf8_lossy(&failed.stderr).into_owned();
    assert_eq!(failed.status.code(), Some(1), "{told}");
    assert!(told.contains("no matching tables were found"), "what pg_dump says is passed on: {told}");
    assert!(!beside.exists(), "the stamp of an earlier archive is gone, too");
    assert_eq!(run(&[], &["--snapshot=x"]).status.code(), Some(64));
    assert_eq!(
        run(&["--exclude-table", "(("], &[]).status.code(),
        Some(2),
        "a pattern that the server refuses"
    );
    source.psql("shop", "create role reader login; grant usage on schema app to reader");
    let url = stamped::url(&source, "shop").replace(source.cluster.user(), "reader");
    let refused = std::process::Command::new(env!("CARGO_BIN_EXE_firedrill"))
        .args(["stamp", "--database", &url, "--out"])
        .arg(&beside)
        .args(["--", "/bin/false", "pg_dump"])
        .output()
        .unwrap();
    assert!(!refused.status.success() && !beside.exists());
}
