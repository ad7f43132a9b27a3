//! Whole drills, from the plan file to the evidence: of archives of six majors of pg_dump, and
//! of everything that a plan can ask for.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "what fails here fails the test")]

mod archive_support;
#[path = "support/database.rs"]
mod database;
#[path = "support/drill.rs"]
mod drill;
#[path = "support/postgres.rs"]
mod postgres;

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;
use std::time::{Duration, SystemTime};

use firedrill::journal::Journal;
use firedrill::record::{Anchor, CheckOutcome, ComparedPoint, Record, SignedMillis, TableState};
use firedrill::verdict::{Code, Verdict};
use jiff::Timestamp;

use crate::archive_support::{load, path};
use crate::database::Source;
use crate::drill::{Service, Yard, codes, drill, drilled, told, warnings};
use crate::postgres::{install, own_install, parent};

/// The majors whose pg_dump wrote the fixtures: with how many tables, and how many of those are
/// left when rows go through the roots of partitioned tables.
const MAJORS: &[(u32, u64, u64)] =
    &[(13, 23, 20), (15, 24, 21), (16, 23, 20), (17, 24, 21), (18, 26, 23), (19, 26, 23)];

/// The archives of each major: the first that has it, and what of their codec is checked.
const NAMES: &[(&str, u32, Anchor)] = &[
    ("column-inserts", 13, Anchor::Codec),
    ("data-only", 13, Anchor::Codec),
    ("gzip", 13, Anchor::Codec),
    ("gzip-piped", 13, Anchor::Codec),
    ("inserts", 13, Anchor::Codec),
    ("lz4", 17, Anchor::None),
    ("lz4-piped", 17, Anchor::None),
    ("none", 13, Anchor::None),
    ("none-piped", 13, Anchor::None),
    ("schema-only", 13, Anchor::Codec),
    ("statistics", 18, Anchor::Codec),
    ("via-root", 13, Anchor::Codec),
    ("zstd", 17, Anchor::None),
    ("zstd-piped", 17, Anchor::None),
];

/// Every fixture: its major, its name, the anchor of its codec.
fn fixtures() -> Vec<(u32, &'static str, Anchor)> {
    let of = |major: u32| NAMES.iter().filter(move |(_, since, _)| *since <= major);
    MAJORS
        .iter()
        .flat_map(|(major, ..)| of(*major).map(|(name, _, anchor)| (*major, *name, *anchor)))
        .collect()
}

fn service_name(major: u32, name: &str) -> String {
    format!("pg{major}-{name}")
}

/// What must come of a fixture whose bytes are vouched for, or whose codec vouches for itself.
fn assert_drilled(major: u32, name: &str, record: &Record) {
    let told = told(record);
    match name {
        "data-only" => {
            assert_eq!(record.verdict.result.0, Verdict::Fail, "{told}");
            assert_eq!(codes(record)[0], Code::RestoreErrors, "{told}");
        }
        "schema-only" => {
            assert_eq!(record.verdict.result.0, Verdict::Fail, "{told}");
            assert_eq!(codes(record), [Code::NoTableData], "{told}");
        }
        _ => {
            assert_eq!(record.verdict.result.0, Verdict::Pass, "{told}");
            assert_everything_came_back(major, name, record);
        }
    }
    let restore = record.restore.as_ref().unwrap();
    let accounted = restore.toc_entries_restored + restore.toc_entries_excluded + restore.toc_entries_failed;
    assert_eq!(accounted, restore.toc_entries_in_archive, "{told}");
    let listing = fs::read_to_string(path(major, name).with_extension("dump.list")).unwrap();
    let announced = listing.lines().find_map(|line| line.strip_prefix(";     TOC Entries: ")).unwrap();
    assert_eq!(restore.toc_entries_in_archive.to_string(), announced, "{told}");
}

fn assert_everything_came_back(major: u32, name: &str, record: &Record) {
    let told = told(record);
    let (_, tables, rooted) = MAJORS.iter().find(|(of, ..)| *of == major).unwrap();
    let tables = if name == "via-root" { *rooted } else { *tables };
    let fidelity = record.fidelity.as_ref().unwrap();
    assert_eq!((fidelity.tables_expected, fidelity.tables_equal), (tables, tables), "{told}");
    assert!(fidelity.tables.iter().all(|table| table.state == TableState::Equal), "{told}");
    assert_eq!(fidelity.coverage.compared_rows, fidelity.coverage.total_rows, "{told}");
    assert!(fidelity.rows_total > 500, "{told}");
    let large_objects = fidelity.large_objects.as_ref().unwrap();
    assert_eq!((large_objects.expected, large_objects.equal), (8, 8), "{told}");
    let sequences = fidelity.sequences.as_ref().unwrap();
    assert!(sequences.expected > 0 && sequences.expected == sequences.equal, "{told}");
    let left_out: BTreeSet<&str> =
        record.restore.as_ref().unwrap().excluded.iter().map(|entry| entry.reason.as_str()).collect();
    let expected = BTreeSet::from([
        "POLICY_NAMES_ORIGINAL_DATABASE",
        "POLICY_NO_EVENT_TRIGGERS",
        "POLICY_NO_OUTBOUND",
        "POLICY_NO_REPLICATION",
    ]);
    assert!(left_out.is_subset(&expected), "{left_out:?}");
}

#[test]
fn every_archive_under_fixtures_is_in_the_tables_above() {
    let named: BTreeSet<_> = fixtures().into_iter().map(|(major, name, _)| path(major, name)).collect();
    let folder = path(15, "gzip").parent().unwrap().parent().unwrap().to_path_buf();
    let mut there = BTreeSet::new();
    for major in fs::read_dir(folder).unwrap() {
        for file in fs::read_dir(major.unwrap().path()).unwrap() {
            let file = file.unwrap().path();
            if file.extension().is_some_and(|extension| extension == "dump") {
                there.insert(file);
            }
        }
    }
    assert_eq!(named, there);
    assert_eq!(named.len(), 68);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_archive_that_is_vouched_for_is_drilled_on_the_newest_server() {
    let newest = install(18);
    let drillable = || fixtures().into_iter().filter(|(major, ..)| *major <= 18);
    let service =
        |(major, name, _)| Service::new(&service_name(major, name), &load(major, name)).on(&newest).vouched();
    let ran = drilled(drillable().map(service).collect()).await;
    for (major, name, _) in drillable() {
        let record = ran.of(&service_name(major, name));
        assert_drilled(major, name, record);
        assert!(!warnings(record).contains(&"INTEGRITY_UNANCHORED"), "{}", told(record));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_that_nothing_vouches_for_passes_by_its_own_checksum_or_not_at_all() {
    let sample = || {
        let own = fixtures().into_iter().filter(|(major, ..)| [13, 15].contains(major));
        let codecs = fixtures().into_iter().filter(|(major, name, _)| {
            *major == 17 && ["lz4", "lz4-piped", "zstd", "zstd-piped", "gzip-piped"].contains(name)
        });
        own.map(|one| (one, own_install())).chain(codecs.map(|one| (one, install(17))))
    };
    let service = |((major, name, _), install)| {
        Service::new(&service_name(major, name), &load(major, name)).on(&install)
    };
    let ran = drilled(sample().map(service).collect()).await;
    for ((major, name, anchor), _) in sample() {
        let record = ran.of(&service_name(major, name));
        assert_eq!(record.artifact.as_ref().unwrap().expected.source, anchor);
        if anchor == Anchor::Codec {
            assert_drilled(major, name, record);
            assert!(warnings(record).contains(&"INTEGRITY_UNANCHORED"), "{}", told(record));
        } else {
            assert_eq!(record.verdict.result.0, Verdict::Inconclusive, "{}", told(record));
            assert_eq!(codes(record), [Code::NoIntegrityReference], "{}", told(record));
            assert_everything_came_back(major, name, record);
        }
    }
}

#[tokio::test]
async fn an_archive_of_a_newer_major_than_the_server_is_not_tried() {
    let nineteen = || fixtures().into_iter().filter(|(major, ..)| *major == 19);
    let service = |(major, name, _)| {
        Service::new(&service_name(major, name), &load(major, name)).on(&install(18)).vouched()
    };
    let ran = Yard::of(nineteen().map(service)).run().await;
    for (major, name, _) in nineteen() {
        let record = ran.of(&service_name(major, name));
        assert_eq!(record.verdict.result.0, Verdict::Inconclusive, "{}", told(record));
        assert_eq!(codes(record), [Code::ScratchUnavailable], "{}", told(record));
        assert!(record.verdict.reasons[0].detail.contains("major 19"), "{}", told(record));
        assert!(record.restore.is_none());
    }
}

/// A service on a small archive that passes, for what is asked beside it.
fn sound(name: &str) -> Service {
    Service::new(name, &load(15, "gzip")).vouched()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_digest_of_something_else_is_believed_after_a_second_reading() {
    let record = drill(Service::new("fx", &load(15, "gzip")).vouched_as(&load(15, "none"))).await;
    assert_eq!(record.verdict.result.0, Verdict::Fail, "{}", told(&record));
    assert_eq!(codes(&record), [Code::ArtifactDigestMismatch]);
    let artifact = record.artifact.unwrap();
    assert_eq!(artifact.matches, Some(false));
    assert_eq!(artifact.observed_again, artifact.observed);
    // The drill goes on to its end all the same: the rows are compared.
    assert!(record.fidelity.unwrap().tables_equal > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_check_is_answered_for_itself() {
    use CheckOutcome::{Error, Fail, Pass};
    let table: &[(&str, &str, CheckOutcome)] = &[
        ("select count(*) from app.big", "expect = \"> 0\"", Pass),
        ("select count(*) from app.big", "expect = \"= 0\"", Fail),
        ("select 42.0", "expect = \"between 41 and 43\"", Pass),
        ("select $$a b$$", "expect = \"in ($q, $q)\"", Fail),
        ("select null::int", "expect = \"= 0\"", Error),
        ("select generate_series(1, 2)", "expect = \"= 1\"", Error),
        ("select 1 where false", "expect = \"= 1\"", Error),
        ("select 1, 2", "expect = \"= 1\"", Error),
        ("select 1; select 1", "expect = \"= 1\"", Error),
        ("select $$many$$", "expect = \"> 0\"", Error),
        ("select 1 / 0", "expect = \"= 0\"", Error),
        ("select count(*) from app.gone", "expect = \"= 0\"", Error),
        ("selec 1", "expect = \"= 1\"", Error),
        ("delete from app.big returning 1", "expect = \"= 1\"", Error),
        (
            "with gone as (delete from app.big returning 1) select count(*) from gone",
            "expect = \"= 0\"",
            Error,
        ),
        ("select pg_sleep(60)::text", "expect = \"= a\"\ntimeout = \"1s\"", Error),
        ("select now() - interval $$30 minutes$$", "newest = \"1h\"", Pass),
        ("select now()::timestamp - interval $$30 minutes$$", "newest = \"1h\"", Pass),
        ("select now() - interval $$90 minutes$$", "newest = \"1h\"", Fail),
        ("select now() + interval $$5 minutes$$", "newest = \"1h\"", Fail),
        ("select $$infinity$$::timestamptz", "newest = \"1h\"", Error),
        ("select max(t) from (values (null::timestamptz)) v (t)", "newest = \"1h\"", Error),
        ("select 1", "newest = \"1h\"", Error),
    ];
    let service = table.iter().enumerate().fold(sound("fx"), |service, (index, (sql, lines, _))| {
        service.check(&format!("check {index}"), sql, lines)
    });
    let record = drill(service).await;
    let checks = record.checks.as_ref().unwrap();
    assert_eq!((checks.planned, checks.executed), (table.len() as u64, table.len() as u64));
    for ((sql, _, expected), item) in table.iter().zip(&checks.items) {
        assert_eq!(item.outcome, *expected, "{sql}: {item:?}");
        let error = item.error.as_deref().unwrap_or_default();
        assert_eq!(!error.is_empty(), *expected == Error, "{sql}: {item:?}");
        assert!(!error.contains("app."), "an SQL text stands in the evidence: {error}");
    }
    assert!(record.measurements.recovery_point.is_none());
    // A wrong answer is the backup's fault, whatever else could not be put.
    assert_eq!(record.verdict.result.0, Verdict::Fail);
    assert!(codes(&record).contains(&Code::CheckErrored));
    assert_eq!(codes(&record)[0], Code::CheckFailed);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answers_of_the_checks_decide() {
    let yes = |service: Service| service.check("there", "select count(*) from app.big", "expect = \"> 0\"");
    let no = |service: Service| service.check("gone", "select count(*) from app.big", "expect = \"= 0\"");
    let none = |service: Service| service.check("nonsense", "select 1 / 0", "expect = \"= 0\"");
    let ran = Yard::of([yes(sound("yes")), yes(no(sound("no"))), yes(none(sound("none")))]).run().await;
    assert_eq!(ran.of("yes").verdict.result.0, Verdict::Pass, "{}", told(ran.of("yes")));
    assert!(!warnings(ran.of("yes")).contains(&"CONTENT_ONLY"));
    assert_eq!(codes(ran.of("no")), [Code::CheckFailed]);
    assert_eq!(codes(ran.of("none")), [Code::CheckErrored]);
    assert_eq!(ran.of("none").verdict.result.0, Verdict::Inconclusive);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recovery_above_its_objective_is_a_fail_with_the_figures() {
    let place = parent();
    let source = Source::start(place.path()).await;
    let script =
        "create table t as select 1 as a; create materialized view slow as select pg_sleep(1.5)::text;";
    source.create("slow", "", script).await;
    let archive = source.dump("slow", &[], &[]);
    source.cluster.stop().await.unwrap();
    let service = |name: &str, lines: &str| Service::new(name, &archive).vouched().with(lines);
    let ran = Yard::of([
        service("missed", "rto = \"1s\""),
        service("met", "rto = \"10m\""),
        service("declared", "rto = \"10m\"\noverhead = { diagnose = \"9m\", cutover = \"59s\" }"),
    ]);
    let ran = ran.run().await;
    let expected = [("missed", vec![Code::RtoMissed]), ("met", vec![]), ("declared", vec![Code::RtoMissed])];
    for (service, reasons) in expected {
        let record = ran.of(service);
        assert_eq!(codes(record), reasons, "{}", told(record));
        let time = record.measurements.recovery_time.as_ref().unwrap();
        let phases: u64 = record.phases.iter().take(4).map(|phase| phase.duration_ms.get()).sum();
        assert!(time.measured_ms.get() >= 1500, "{time:?}");
        assert!(time.measured_ms.get().abs_diff(phases) <= 4, "{time:?} {:?}", record.phases);
    }
}

/// A backup named after the moment at which it was written, so long ago.
fn nightly(ago: Duration, ending: &str, bytes: &[u8]) -> (String, Vec<u8>) {
    let moment = Timestamp::now() - ago;
    (moment.strftime(&format!("fx-%Y%m%dT%H%M%SZ.dump{ending}")).to_string(), bytes.into())
}

const HOUR: Duration = Duration::from_secs(3600);

/// A yard with one service whose backups are nightly, and were written when they say.
fn nights(backups: Vec<(String, Vec<u8>)>, lines: &str, ago: &[Duration]) -> Yard {
    nights_chosen(backups, lines, ago, "every = \"1d\"")
}

/// The same, of which these lines of the plan choose.
fn nights_chosen(backups: Vec<(String, Vec<u8>)>, lines: &str, ago: &[Duration], choice: &str) -> Yard {
    let names: Vec<String> = backups.iter().map(|(name, _)| name.clone()).collect();
    let service = Service::new("fx", &[]).with(lines);
    let service = service.backups("fx-{time:%Y%m%dT%H%M%SZ}.dump", backups).backup_with(choice);
    let yard = Yard::of([service]);
    for (name, ago) in names.iter().zip(ago) {
        let file = fs::File::options().write(true).open(yard.folder("fx").join(name)).unwrap();
        file.set_modified(SystemTime::now() - *ago).unwrap();
    }
    yard
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_backup_is_drilled_and_fails() {
    let archive = load(15, "gzip");
    let table = [(20 * HOUR, vec![]), (80 * HOUR, vec![Code::BackupStale])];
    for (ago, reasons) in table {
        let record = nights(vec![nightly(ago, "", &archive)], "", &[ago]).run().await.of("fx").clone();
        assert_eq!(codes(&record), reasons, "{}", told(&record));
        assert!(record.fidelity.unwrap().tables_equal > 0);
        let age = record.measurements.recovery_point.unwrap().data_age_ms.get();
        assert!((ago.as_millis() as i64..ago.as_millis() as i64 + 600_000).contains(&age), "{age}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn data_that_is_older_than_the_objective_fails() {
    let archive = load(15, "gzip");
    let yard = nights(vec![nightly(3 * HOUR, "", &archive)], "rpo = \"2h\"", &[3 * HOUR]);
    let record = yard.run().await.of("fx").clone();
    assert_eq!(codes(&record), [Code::RpoMissed], "{}", told(&record));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_backup_is_drilled_and_the_newest_meets_the_objective() {
    let archive = load(15, "gzip");
    let ago = [70 * HOUR, 22 * HOUR, 3 * HOUR];
    for (rpo, reasons) in [("4h", vec![]), ("2h", vec![Code::RpoMissed])] {
        let backups: Vec<_> = ago.iter().map(|ago| nightly(*ago, "", &archive)).collect();
        let last = backups[2].0.clone();
        let choice = "every = \"1d\"\nselect = \"oldest\"";
        let yard = nights_chosen(backups, &format!("rpo = \"{rpo}\""), &ago, choice);
        let record = yard.run().await.of("fx").clone();
        assert_eq!(codes(&record), reasons, "{}", told(&record));
        let point = record.measurements.recovery_point.unwrap();
        assert_eq!(point.compared_value, ComparedPoint::NewestBackupAgeMs);
        let near = |age: SignedMillis, ago: Duration| {
            (ago.as_millis() as i64..ago.as_millis() as i64 + 600_000).contains(&age.get())
        };
        assert!(near(point.data_age_ms, ago[0]), "{point:?}");
        assert!(near(point.newest_backup_age_ms.unwrap(), ago[2]), "{point:?}");
        let newest = record.selection.unwrap().newest.unwrap();
        assert!(newest.uri.ends_with(&last), "{}", newest.uri);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_still_being_written_is_not_taken_for_the_newest() {
    let archive = load(15, "gzip");
    let ago = [3 * HOUR, 2 * HOUR, HOUR];
    let backups = vec![
        nightly(ago[0], "", &archive),
        nightly(ago[1], ".partial", &archive[..2000]),
        nightly(ago[2], "", &[]),
    ];
    let chosen = backups[0].0.clone();
    let record = nights(backups, "", &ago).run().await.of("fx").clone();
    assert_eq!(record.verdict.result.0, Verdict::Pass, "{}", told(&record));
    let selection = record.selection.unwrap();
    assert!(selection.selected.unwrap().uri.ends_with(&chosen));
    let mut rejected: Vec<String> =
        selection.rejected.iter().map(|one| serde_json::to_string(&one.reason).unwrap()).collect();
    rejected.sort();
    assert_eq!(rejected, ["\"EMPTY\"", "\"NAME_NOT_FINAL\""]);
    assert_eq!(selection.candidates, 1);
}

/// The archive with every `from` of its table of contents replaced; both are of the same length.
fn replaced(archive: &[u8], from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut archive = archive.to_vec();
    let mut found = 0;
    while let Some(at) = archive.windows(from.len()).position(|window| window == from.as_bytes()) {
        archive[at..at + to.len()].copy_from_slice(to.as_bytes());
        found += 1;
    }
    assert!(found > 0, "'{from}' does not occur");
    archive
}

#[tokio::test(flavor = "multi_thread")]
async fn an_extension_that_the_server_lacks_is_not_the_backups_fault() {
    let archive = replaced(&load(15, "gzip"), "hstore", "hstorx");
    let record = drill(Service::new("fx", &archive).vouched()).await;
    assert_eq!(record.verdict.result.0, Verdict::Inconclusive, "{}", told(&record));
    assert_eq!(codes(&record), [Code::ExtensionMissing]);
    assert!(record.verdict.reasons[0].detail.contains("hstorx"), "{}", told(&record));
    assert!(record.restore.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_is_not_equipped_for_is_not_the_backups_fault() {
    let place = parent();
    let source = Source::start(place.path()).await;
    let script = "create table t as select 1 as a;
        create function counts() returns trigger language c as '$libdir/plpgsql', 'plpgsql_call_handler';
        create trigger counts before insert on t for each row execute function counts();";
    source.create("unusual", "", script).await;
    let archive = source.dump("unusual", &[], &[]);
    source.cluster.stop().await.unwrap();
    let service = |name: &str, archive: &[u8]| Service::new(name, archive).vouched();
    let lacking = replaced(&archive, "$libdir/plpgsql", "$libdir/plpgxxx");
    let wrong = replaced(&archive, "TRIGGER counts BEFORE", "TRIGGER counts BEFOUR");
    let ran = Yard::of([service("sound", &archive), service("lacking", &lacking), service("wrong", &wrong)]);
    let ran = ran.run().await;
    assert_eq!(ran.of("sound").verdict.result.0, Verdict::Pass, "{}", told(ran.of("sound")));
    assert_eq!(ran.of("wrong").verdict.result.0, Verdict::Fail, "{}", told(ran.of("wrong")));
    assert_eq!(codes(ran.of("wrong")), [Code::RestoreErrors]);
    let lacking = ran.of("lacking");
    assert_eq!(lacking.verdict.result.0, Verdict::Inconclusive, "{}", told(lacking));
    assert_eq!(codes(lacking), [Code::ScratchUnavailable]);
    assert!(lacking.verdict.reasons[0].detail.contains("FUNCTION public.counts()"), "{}", told(lacking));
    // The trigger failed for want of the function, and is accounted for all the same.
    assert_eq!(lacking.restore.as_ref().unwrap().toc_entries_failed, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_services_of_a_plan_are_drilled_in_its_order_and_each_has_its_log() {
    let services = [sound("zebra"), Service::new("apple", b"not an archive").vouched(), sound("mango")];
    let yard = Yard::of(services);
    let outcome = yard.try_run().await.unwrap();
    let order: Vec<_> = outcome.drills.iter().map(|one| one.record.service.id.as_str()).collect();
    assert_eq!(order, ["zebra", "apple", "mango"]);
    let verdicts: Vec<_> = outcome.drills.iter().map(|one| one.record.verdict.result.0).collect();
    assert_eq!(verdicts, [Verdict::Pass, Verdict::Fail, Verdict::Pass]);
    for one in &outcome.drills {
        let file = one.evidence.as_ref().unwrap();
        let log = yard.state().path().join("evidence").join(&one.record.service.id);
        assert_eq!(file.parent().unwrap(), log);
    }
    // The next run goes on where this one ended.
    let again = yard.run().await;
    assert_eq!(again.of("mango").chain.sequence, Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_run_while_the_first_holds_the_lock_is_refused() {
    let yard = Yard::of([sound("fx")]);
    let (journal, _) = Journal::open(&yard.state(), uuid::Uuid::now_v7()).unwrap();
    let Err(firedrill::drill::Error::State(error)) = yard.try_run().await else {
        panic!("a second run began");
    };
    assert_eq!(error.kind(), firedrill::journal::Kind::Locked);
    let firedrill = |yard: &Yard| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_firedrill"));
        command.arg("--plan").arg(yard.plan_file()).arg("--state").arg(yard.state().path());
        command.args(["run", "--quiet"]).output().unwrap().status.code()
    };
    assert_eq!(firedrill(&yard), Some(75));
    journal.finish().unwrap();
    assert_eq!(firedrill(&yard), Some(0));
}

/// Instants in summer and winter, in the past and in the future, in every kind of type; and
/// binary values.
const MOMENTS: &str = "
create table t (id int primary key, at timestamptz);
insert into t select n, '2020-01-15 12:34:56.789+00'::timestamptz + n * interval '40 days 3 hours' from generate_series(1, 60) n;
insert into t values (100, 'infinity'), (101, '-infinity'), (102, null), (103, '0044-03-15 12:00+00 BC'),
    (104, '1890-06-01 00:00+00'), (105, '12024-06-01 00:00+00');
create table winter (at timestamptz);
insert into winter values ('2024-01-01 00:00+00');
create domain moment as timestamptz;
create type spell as (name text, at timestamptz);
create table nested (many timestamptz[], during tstzrange, often tstzmultirange, at moment, spell spell);
insert into nested select array[at, at + '1 day'], tstzrange(at, at + '1 day'),
    tstzmultirange(tstzrange(at, at + '1 day')), at, row('x, \"y\"', at)::spell from t where id < 50;
create table bytes (id int, raw bytea, many bytea[]);
insert into bytes values (1, ''), (2, '\\x00ff5c0a09'), (3, 'abc'), (4, null), (5, '\\x5c7861'), (6, 'x''\"');
update bytes set many = array[raw, raw];
create table empty_bytes (raw bytea);
insert into empty_bytes values ('');
create table words_as_bytes (raw bytea);
insert into words_as_bytes values ('plain');
create table arrays_of_bytes (raw bytea[]);
insert into arrays_of_bytes values (array['\\x00ff'::bytea, 'a']);
";

#[tokio::test(flavor = "multi_thread")]
async fn the_zone_and_the_settings_of_the_dumping_session_make_no_difference() {
    let place = parent();
    let source = Source::start(place.path()).await;
    source.create("moments", "", MOMENTS).await;
    let escape = ("PGOPTIONS", "-c bytea_output=escape");
    let dumps = [
        ("utc", vec![("PGTZ", "UTC")]),
        ("berlin", vec![("PGTZ", "Europe/Berlin")]),
        ("kolkata", vec![("PGTZ", "Asia/Kolkata"), escape]),
        (
            "york",
            vec![
                ("PGTZ", "America/New_York"),
                ("PGOPTIONS", "-c bytea_output=escape -c datestyle=german,dmy"),
            ],
        ),
        ("chatham", vec![("PGTZ", "Pacific/Chatham")]),
        ("posix", vec![("PGTZ", "<-0330>+3:30"), escape]),
    ];
    let services: Vec<Service> = dumps
        .iter()
        .map(|(name, environment)| Service::new(name, &source.dump("moments", &[], environment)).vouched())
        .collect();
    source.cluster.stop().await.unwrap();
    let ran = drilled(services).await;
    for (name, _) in dumps {
        let record = ran.of(name);
        assert_eq!(record.verdict.result.0, Verdict::Pass, "{}", told(record));
        let rows = record.fidelity.as_ref().unwrap().rows_total;
        assert_eq!(rows, 66 + 1 + 49 + 6 + 3, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn encodings_of_the_database_and_of_the_dump_are_kept() {
    let place = parent();
    let source = Source::start(place.path()).await;
    let latin = "encoding 'LATIN1' lc_collate 'C' lc_ctype 'C'";
    let script = "create table \"Gr\u{f6}\u{df}e\" (\"w\u{e4}rme\" text);
        insert into \"Gr\u{f6}\u{df}e\" values (E'\u{fc}ber\\t\u{a3}'), (chr(255)), ('plain');
        comment on table \"Gr\u{f6}\u{df}e\" is 'so gro\u{df}';";
    let script = format!("set client_encoding = 'UTF8';\n{script}");
    source.create("latin", latin, &script).await;
    source.create("utf", "encoding 'UTF8'", &script).await;
    let ascii =
        "create table t (a text); insert into t values (convert_from('\\xfffe', 'SQL_ASCII')), ('plain');";
    source.create("ascii", "encoding 'SQL_ASCII' lc_collate 'C' lc_ctype 'C'", ascii).await;
    let kana = "set client_encoding = 'UTF8'; create table \"\u{8868}\" (\"\u{8868}\u{80fd}\" text, b text);
        insert into \"\u{8868}\" values ('\u{8868}', '\u{8868}'), (E'\u{80fd}\\\\\u{8868}\\n', '\u{30bd}');";
    source.create("kana", "encoding 'UTF8'", kana).await;
    let dumps: &[(&str, &str, &[&str])] = &[
        ("latin-1", "latin", &[]),
        ("latin-1-as-utf-8", "latin", &["-E", "UTF8"]),
        ("utf-8-as-latin-1", "utf", &["-E", "LATIN1"]),
        ("utf-8", "utf", &[]),
        ("sql-ascii", "ascii", &[]),
        ("shift-jis", "kana", &["-E", "SJIS"]),
        ("gb-18030", "kana", &["-E", "GB18030"]),
    ];
    let service = |(name, database, arguments): &(&str, &str, &[&str])| {
        Service::new(name, &source.dump(database, arguments, &[])).vouched()
    };
    let services: Vec<Service> = dumps.iter().map(service).collect();
    source.cluster.stop().await.unwrap();
    let ran = drilled(services).await;
    for (name, ..) in dumps {
        let record = ran.of(name);
        assert_eq!(record.verdict.result.0, Verdict::Pass, "{}", told(record));
        assert!(record.fidelity.as_ref().unwrap().rows_total >= 2, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_options_of_pg_dump_are_no_obstacle() {
    const ROLES: &str = include_str!("../fixtures/differential/roles.sql");
    const RICH: &str = include_str!("../fixtures/differential/rich.sql");
    let dumps: &[(&str, &[&str])] = &[
        ("none", &[]),
        ("some-schemas", &["-n", "\"Sch\"*", "-n", "public"]),
        ("some-schemas-quoted", &["-n", "\"Sch\"*", "-n", "public", "--quote-all-identifiers"]),
        ("one-table", &["-t", "public.*"]),
        ("without-rows-of-some", &["--exclude-table-data=app.ev*", "--no-unlogged-table-data"]),
        ("without-owners", &["--no-owner", "--no-comments", "--no-publications", "--no-subscriptions"]),
        ("many-rows-per-insert", &["--rows-per-insert=13"]),
        ("inserts-that-forgive", &["--column-inserts", "--on-conflict-do-nothing"]),
        ("inserts-through-the-root", &["--inserts", "--load-via-partition-root"]),
        ("quoted", &["--quote-all-identifiers", "--disable-dollar-quoting", "--disable-triggers"]),
        ("clean", &["--create", "--clean", "--if-exists"]),
        ("few-digits", &["--extra-float-digits=0"]),
        ("set-role", &["--use-set-session-authorization", "-Z9"]),
    ];
    let place = parent();
    let source = Source::start(place.path()).await;
    source.create("rich", "encoding 'UTF8' lc_collate 'C.UTF-8' lc_ctype 'C.UTF-8'", ROLES).await;
    source.psql("rich", RICH);
    let service = |(name, arguments): &(&str, &[&str])| {
        Service::new(name, &source.dump("rich", arguments, &[])).vouched()
    };
    let services: Vec<Service> = dumps.iter().map(service).collect();
    source.cluster.stop().await.unwrap();
    let ran = drilled(services).await;
    for (name, _) in dumps {
        let record = ran.of(name);
        assert_eq!(record.verdict.result.0, Verdict::Pass, "{}", told(record));
        assert!(record.fidelity.as_ref().unwrap().rows_total > 0, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_least_that_must_come_back_is_asked_for() {
    let unanchored = |name: &str| Service::new(name, &load(15, "none"));
    let services = [
        sound("enough").with("minimum = { tables = 24, rows = 500 }"),
        sound("few-tables").with("minimum = { tables = 25 }"),
        sound("few-rows").with("minimum = { rows = 100000 }"),
        unanchored("doubted"),
        unanchored("accepted").backup_with("accept_unanchored = true"),
    ];
    let ran = drilled(services.into()).await;
    let expected = [
        ("enough", Verdict::Pass),
        ("few-tables", Verdict::Fail),
        ("few-rows", Verdict::Fail),
        ("doubted", Verdict::Inconclusive),
        ("accepted", Verdict::Pass),
    ];
    for (name, verdict) in expected {
        assert_eq!(ran.of(name).verdict.result.0, verdict, "{}", told(ran.of(name)));
    }
}
