//! Whole drills of plain dumps: of six majors of pg_dump, with its options, of pg_dumpall, and
//! damaged or hostile ones, which never pass.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "what fails here fails the test")]

#[path = "support/database.rs"]
mod database;
#[path = "support/drill.rs"]
mod drill;
#[path = "support/postgres.rs"]
mod postgres;

use std::path::PathBuf;

use firedrill::record::{Anchor, Record, TableState};
use firedrill::verdict::{Code, Verdict};

use crate::database::{Source, said};
use crate::drill::{Service, codes, drill, drilled, told};
use crate::postgres::{install, parent};

/// The majors that the newest server here can restore, with how many tables.
const MAJORS: [(u32, u64); 5] = [(13, 23), (15, 24), (16, 23), (17, 24), (18, 26)];

fn script(major: u32, name: &str) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/archives");
    std::fs::read(folder.join(format!("pg{major}/{name}.sql"))).unwrap()
}

/// A database with a bit of everything, and values that would end a row or a string too early.
const SMALL: &str = r#"
create table t (id serial primary key, at timestamptz default '2026-01-01 00:00+00', note text);
insert into t (note) select repeat(md5(g::text), 3) from generate_series(1, 500) g;
insert into t (note) values (E'\\.'), (E'\n\\.\n'), (E'a\tb\\'), ('; drop table t; --'), (E'\'$$;'), (null), ('');
create table u (id int references t, raw bytea, doubled int generated always as (id * 2) stored);
insert into u select g, decode(md5(g::text), 'hex') from generate_series(1, 200) g;
create index on u (id);
create table empty (a int);
create table "odd; name" ("a""b" text, b bool, c bit(3), d numeric);
insert into "odd; name" values ('x', true, b'101', 1.50), ('y', false, b'000', -3e10);
create view v as select count(*) from t;
create function body() returns int language sql begin atomic; select case when true then 1 else 2 end; select 3; end;
create materialized view m as select count(*) as n from t;
create rule r as on insert to empty do also (delete from empty where false; delete from empty where false);
comment on index u_id_idx is 'semi; colon';
select lo_from_bytea(50001, decode(repeat('c0ffee', 3000), 'hex'));
select lo_from_bytea(50002, '');
select setval('t_id_seq', 4711);
"#;
const SMALL_TABLES: u64 = 4;

/// What is dumped from a server of our own.
async fn dumped<T>(script: &str, dump: impl Fn(&Source) -> T) -> T {
    let parent = parent();
    let source = Source::start(parent.path()).await;
    source.create("small", "", script).await;
    let dumped = dump(&source);
    source.cluster.stop().await.unwrap();
    dumped
}

fn plain(source: &Source, arguments: &[&str]) -> Vec<u8> {
    source.dump_plain("small", arguments)
}

fn assert_everything_came_back(tables: u64, large_objects: u64, record: &Record) {
    let told = told(record);
    let fidelity = record.fidelity.as_ref().unwrap_or_else(|| panic!("{told}"));
    assert_eq!((fidelity.tables_expected, fidelity.tables_equal), (tables, tables), "{told}");
    assert!(fidelity.tables.iter().all(|table| table.state == TableState::Equal), "{told}");
    assert!(fidelity.rows_total > 500, "{told}");
    let objects = fidelity.large_objects.as_ref().unwrap();
    assert_eq!((objects.expected, objects.equal), (large_objects, large_objects), "{told}");
    let sequences = fidelity.sequences.as_ref().unwrap();
    assert!(sequences.expected > 0 && sequences.expected == sequences.equal, "{told}");
    let restore = record.restore.as_ref().unwrap();
    assert_eq!(restore.toc_entries_failed, 0, "{told} {:?}", restore.failed);
    let accounted = restore.toc_entries_restored + restore.toc_entries_excluded;
    assert_eq!(accounted, restore.toc_entries_in_archive, "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_dump_of_every_major_is_drilled_to_a_pass_where_a_digest_vouches_for_it() {
    let newest = install(18);
    let mut services = Vec::new();
    for (major, _) in MAJORS {
        let service = Service::new(&format!("pg{major}"), &script(major, "plain"));
        services.push(service.on(&newest).vouched());
    }
    for major in [13, 18] {
        let service = Service::new(&format!("pg{major}-create"), &script(major, "plain-create"));
        services.push(service.on(&newest).vouched());
    }
    let ran = drilled(services).await;
    for (major, tables) in MAJORS {
        let record = ran.of(&format!("pg{major}"));
        assert_eq!(record.verdict.result.0, Verdict::Pass, "{}", told(record));
        assert_everything_came_back(tables, 8, record);
        let artifact = record.artifact.as_ref().unwrap();
        assert_eq!(artifact.format.as_deref(), Some("pg_dump-plain"));
        assert_eq!((artifact.archive_version.as_deref(), artifact.database.as_deref()), (None, None));
        assert!(artifact.dump_server_version.as_ref().unwrap().starts_with(&major.to_string()));
    }
    for (major, tables) in [MAJORS[0], MAJORS[4]] {
        let record = ran.of(&format!("pg{major}-create"));
        assert_eq!(record.verdict.result.0, Verdict::Pass, "{}", told(record));
        assert_everything_came_back(tables, 8, record);
        assert_eq!(record.artifact.as_ref().unwrap().database.as_deref(), Some("fx"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_dump_has_no_checksum_of_its_own() {
    let record = &drill(Service::new("fx", &script(15, "plain"))).await;
    assert_eq!(record.artifact.as_ref().unwrap().expected.source, Anchor::None);
    assert_eq!(codes(record), [Code::NoIntegrityReference], "{}", told(record));
    assert_everything_came_back(24, 8, record);
}

#[tokio::test(flavor = "multi_thread")]
async fn options_of_pg_dump_do_not_change_what_comes_back() {
    const OPTIONS: [(&str, &[&str]); 9] = [
        ("none", &[]),
        ("create", &["-C"]),
        ("clean", &["--clean", "--if-exists"]),
        ("clean-create", &["-C", "-c"]),
        ("verbose", &["-v"]),
        ("inserts", &["--inserts"]),
        ("column-inserts", &["--column-inserts", "--no-owner"]),
        ("rows-per-insert", &["--rows-per-insert=7"]),
        ("latin1", &["-E", "LATIN1", "--no-comments", "--quote-all-identifiers"]),
    ];
    let scripts = dumped(SMALL, |source| OPTIONS.map(|(name, options)| (name, plain(source, options)))).await;
    let windows: Vec<u8> = {
        let text = String::from_utf8(scripts[0].1.clone()).unwrap();
        text.replace('\n', "\r\n").into()
    };
    let mut services: Vec<Service> =
        scripts.iter().map(|(name, script)| Service::new(name, script).vouched()).collect();
    services.push(Service::new("windows", &windows).vouched());
    let ran = drilled(services).await;
    for name in OPTIONS.map(|(name, _)| name).into_iter().chain(["windows"]) {
        let record = ran.of(name);
        assert_eq!(record.verdict.result.0, Verdict::Pass, "{}", told(record));
        assert_everything_came_back(SMALL_TABLES, 2, record);
    }
    let rows = |name: &str| -> Vec<(String, Option<u64>, String)> {
        let tables = &ran.of(name).fidelity.as_ref().unwrap().tables;
        tables.iter().map(|t| (t.name.clone(), t.rows, format!("{:?}", t.stream_hash))).collect()
    };
    for (name, _) in OPTIONS {
        assert_eq!(rows(name), rows("none"), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_one_database_of_a_cluster_that_holds_something_is_drilled() {
    let all = |source: &Source| said(&mut source.client("pg_dumpall"));
    let one = dumped(SMALL, |source| {
        source.psql(
            "postgres",
            "create role \"o wner\" login password 'geheim-xyz'; alter database small owner to \"o wner\"",
        );
        source.psql(
            "small",
            "alter table u owner to \"o wner\"; alter database small set search_path to 'public'",
        );
        all(source)
    })
    .await;
    let two = dumped(SMALL, |source| {
        source.psql("postgres", "create table also (a int)");
        all(source)
    })
    .await;
    let globals = dumped(SMALL, |source| said(source.client("pg_dumpall").arg("-g"))).await;
    let cut = one[..one.len() - 60].to_vec();
    let ran = drilled(vec![
        Service::new("one", &one).vouched(),
        Service::new("two", &two).vouched(),
        Service::new("globals", &globals).vouched(),
        Service::new("cut", &cut).vouched(),
    ])
    .await;
    let record = ran.of("one");
    assert_eq!(record.verdict.result.0, Verdict::Pass, "{}", told(record));
    assert_everything_came_back(SMALL_TABLES, 2, record);
    let artifact = record.artifact.as_ref().unwrap();
    assert_eq!(
        (artifact.format.as_deref(), artifact.database.as_deref()),
        (Some("pg_dumpall"), Some("small"))
    );
    let restore = record.restore.as_ref().unwrap();
    assert!(restore.placeholder_roles.contains(&"o wner".to_owned()), "{:?}", restore.placeholder_roles);
    let kinds: Vec<&str> = restore.excluded.iter().map(|entry| entry.kind.as_str()).collect();
    assert!(kinds.contains(&"ROLE PROPERTIES"), "{kinds:?}");
    assert!(!format!("{record:?}").contains("geheim-xyz"));
    for (name, word) in [("two", "several databases"), ("globals", "no database")] {
        let record = ran.of(name);
        assert_eq!(record.verdict.result.0, Verdict::Inconclusive, "{}", told(record));
        assert!(record.verdict.reasons[0].detail.contains(word), "{}", told(record));
    }
    assert_eq!(codes(ran.of("cut")), [Code::ArtifactTruncated], "{}", told(ran.of("cut")));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_database_of_a_cluster_can_be_drilled_by_its_name() {
    let all = dumped(SMALL, |source| {
        source.psql("postgres", "create table also (a int); insert into also select generate_series(1, 9)");
        source.psql("postgres", "create database latin template template0 encoding 'LATIN1' locale 'C'");
        source.psql("latin", "create table t (id int, note text); insert into t values (1, 'gr\u{fc}n')");
        source.psql("postgres", "create database bare");
        said(&mut source.client("pg_dumpall"))
    })
    .await;
    let wanted = |name: &str| format!("database = '{name}'");
    let service = |name: &str| Service::new(name, &all).vouched().backup_with(&wanted(name));
    let cut = Service::new("cut", &all[..all.len() - 60]).vouched().backup_with(&wanted("latin"));
    let names = ["small", "postgres", "latin", "bare", "absent"];
    let ran = drilled(names.map(service).into_iter().chain([cut]).collect()).await;
    for (name, tables, rows) in [("small", SMALL_TABLES, 707 + 2), ("postgres", 1, 9), ("latin", 1, 1)] {
        let record = ran.of(name);
        assert_eq!(record.verdict.result.0, Verdict::Pass, "{}", told(record));
        assert_eq!(record.artifact.as_ref().unwrap().database.as_deref(), Some(name));
        let fidelity = record.fidelity.as_ref().unwrap();
        assert_eq!((fidelity.tables_equal, fidelity.rows_total), (tables, rows), "{name}");
        let excluded = &record.restore.as_ref().unwrap().excluded;
        let others: Vec<&str> = excluded
            .iter()
            .filter(|entry| entry.reason == "POLICY_ANOTHER_DATABASE")
            .map(|entry| entry.name.as_str())
            .collect();
        let mut expected = vec!["bare", "latin", "postgres", "small", "template1"];
        expected.retain(|other| *other != name);
        let mut told = others.clone();
        told.sort_unstable();
        assert_eq!(told, expected, "{name}");
    }
    for name in ["bare", "absent"] {
        assert_eq!(codes(ran.of(name)), [Code::NoTableData], "{}", told(ran.of(name)));
    }
    assert_eq!(codes(ran.of("cut")), [Code::ArtifactTruncated], "{}", told(ran.of("cut")));
}

/// The script with the first `old` replaced.
fn with(script: &str, old: &str, new: &str) -> Vec<u8> {
    assert!(script.contains(old), "{old}");
    script.replacen(old, new, 1).into()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_or_hostile_script_never_passes() {
    let bytes = dumped(SMALL, |source| plain(source, &[])).await;
    let intact = String::from_utf8(bytes.clone()).unwrap();
    let copy_t = "COPY public.t (id, at, note) FROM stdin;\n";
    let copy_empty = "COPY public.empty (a) FROM stdin;\n";
    let refused = [Code::UnsafeArchive].as_slice();
    let cut = [Code::ArtifactTruncated].as_slice();
    let failed = [Code::RestoreErrors].as_slice();
    let table: Vec<(&str, Vec<u8>, &[Code])> = vec![
        ("no-end-marker", with(&intact, "-- PostgreSQL database dump complete", "--"), cut),
        ("no-end-of-rows", with(&intact, "\\.\n\n\n--\n-- Data", "\n\n--\n-- Data"), failed),
        ("no-end-of-last-rows", bytes[..intact.find(copy_t).unwrap() + copy_t.len() + 500].to_vec(), cut),
        ("shell", with(&intact, "CREATE VIEW", "\\! touch /tmp/hacked\nCREATE VIEW"), refused),
        (
            "shell-inside",
            with(&intact, "CREATE VIEW public.v AS", "CREATE VIEW public.v AS \\! id\n"),
            refused,
        ),
        (
            "gexec",
            with(&intact, "ALTER TABLE public.t OWNER", "SELECT 'x' \\gexec\nALTER TABLE public.t OWNER"),
            refused,
        ),
        ("include", with(&intact, "SET row_security", "\\i /etc/passwd\nSET row_security"), refused),
        ("connect", with(&intact, "SET row_security", "\\connect \"host=evil\"\nSET row_security"), refused),
        ("copy-program", with(&intact, copy_empty, "COPY public.empty (a) FROM PROGRAM 'id';\n"), refused),
        ("copy-elsewhere", with(&intact, copy_empty, "COPY public.u (id) FROM stdin;\n"), refused),
        (
            "copy-behind",
            with(&intact, copy_empty, "COPY public.empty (a) FROM stdin; DROP TABLE t;\n"),
            refused,
        ),
        (
            "statement-in-rows",
            with(&intact, copy_empty, "DROP TABLE public.t;\nCOPY public.empty (a) FROM stdin;\n"),
            refused,
        ),
        ("setting", with(&intact, "SET row_security = off", "SET log_statement = 'all'"), refused),
        (
            "role",
            with(&intact, "SET row_security = off", "SET ROLE postgres"),
            [Code::UnsupportedVersion].as_slice(),
        ),
        ("open-dollar", with(&intact, "CREATE VIEW", "DO $open$ CREATE VIEW"), cut),
        ("open-quote", with(&intact, "COMMENT ON INDEX", "SELECT '; COMMENT ON INDEX"), &[]),
        ("nul", with(&intact, "CREATE VIEW", "CREATE \0VIEW"), refused),
        ("nul-in-rows", with(&intact, copy_t, &format!("{copy_t}9999\t2026-01-01\ta\0b\n")), failed),
        ("too-many-fields", with(&intact, copy_t, &format!("{copy_t}9999\t2026-01-01\ta\tb\n")), failed),
        ("mixed-line-ends", with(&intact, "--\n-- PostgreSQL", "--\r\n-- PostgreSQL"), &[]),
        ("behind-the-end", format!("{intact}\nDROP TABLE t;\n").into(), [Code::ArtifactCorrupt].as_slice()),
        ("twice", format!("{intact}{intact}").into(), &[]),
        ("bad-sql", with(&intact, "CREATE VIEW public.v AS", "CREATE VIEW public.v SA"), failed),
        ("no-table", with(&intact, "CREATE TABLE public.empty (\n    a integer\n);", "SELECT 1;"), failed),
        (
            "hidden-below-a-kind",
            with(&intact, "Name: empty; Type: TABLE;", "Name: empty; Type: SECURITY LABEL;"),
            refused,
        ),
        ("hidden-as-a-drop", with(&intact, "Name: empty; Type: TABLE;", "Name: empty; Type: DROP;"), refused),
        ("title-inside", with(&intact, "CREATE VIEW", "-- PostgreSQL database dump\nCREATE VIEW"), refused),
    ];
    let mut services = vec![Service::new("intact", &bytes)];
    services.extend(table.iter().map(|(name, script, _)| Service::new(name, script)));
    let ran = drilled(services).await;
    // Nothing vouches for any of them: a damage shows all the same.
    assert_eq!(codes(ran.of("intact")), [Code::NoIntegrityReference], "{}", told(ran.of("intact")));
    assert_everything_came_back(SMALL_TABLES, 2, ran.of("intact"));
    for (name, _, expected) in &table {
        let record = ran.of(name);
        assert_ne!(record.verdict.result.0, Verdict::Pass, "{}", told(record));
        assert_ne!(codes(record), [Code::NoIntegrityReference], "{}", told(record));
        if !expected.is_empty() {
            assert_eq!(codes(record)[0], expected[0], "{}", told(record));
        }
    }
    assert!(!std::path::Path::new("/tmp/hacked").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_script_never_passes() {
    let script = dumped(SMALL, |source| plain(source, &["-C"])).await;
    let last = script.iter().rposition(|byte| !byte.is_ascii_whitespace()).unwrap();
    let headings = memchr::memmem::find_iter(&script, b"\n-- Name: ").step_by(5);
    let mut cuts: Vec<usize> = (200..last).step_by(4001).chain(headings).collect();
    let marker = memchr::memmem::rfind(&script, b"-- PostgreSQL database dump complete").unwrap();
    cuts.extend([0, 30, marker, marker + 20, marker + 37, last - 70, last]);
    let cut = |length: &usize| Service::new(&format!("cut-{length}"), &script[..*length]).vouched();
    let mut services: Vec<Service> = cuts.iter().map(cut).collect();
    services.push(Service::new("intact", &script).vouched());
    let ran = drilled(services).await;
    assert_eq!(ran.of("intact").verdict.result.0, Verdict::Pass, "{}", told(ran.of("intact")));
    for length in cuts {
        let record = ran.of(&format!("cut-{length}"));
        assert_ne!(record.verdict.result.0, Verdict::Pass, "{}", told(record));
        if length > 60 && length != last {
            assert_eq!(codes(record), [Code::ArtifactTruncated], "{}", told(record));
        }
    }
}
