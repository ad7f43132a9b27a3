//! Stamps of sources as production has them: a replica, a role with few rights, other majors, a
//! stamp that is interrupted or slowed down, and what the plan asks of the source.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "what fails here fails the test")]

#[path = "support/database.rs"]
mod database;
#[path = "support/drill.rs"]
mod drill;
#[path = "support/postgres.rs"]
mod postgres;
#[path = "support/primary.rs"]
mod primary;
#[path = "support/stamped.rs"]
mod stamped;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use firedrill::record::{Millis, Record};
use firedrill::stamp::{Predicate, read};
use firedrill::verdict::{Code, Verdict};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::database::Source;
use crate::drill::{Service, codes, drill, drilled, told, warnings};
use crate::postgres::{eventually, install, own_install, parent, processes_in};
use crate::primary::Primary;
use crate::stamped::{SHOP, Stamped};

const PATIENCE: Duration = Duration::from_secs(60);

/// `firedrill stamp` as a role, over a dump into a file of `folder`.
fn stamp_as(server: &Primary, role: &str, options: &[&str], folder: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_firedrill"));
    command.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C.UTF-8");
    command.args(["stamp", "--database", &server.url(role, "shop")]).args(options).arg("--");
    command.arg(server.pg_dump()).args(["-Fc", "-f"]).arg(folder.join("backup.dump"));
    command.output().unwrap()
}

/// The same where there is no pg_dump for the server: what is hashed is the same.
fn stamp_without_dump(server: &Primary, folder: &Path) -> Output {
    let file = folder.join("backup.dump");
    let mut command = Command::new(env!("CARGO_BIN_EXE_firedrill"));
    command.env_clear().env("PATH", "/usr/bin:/bin");
    command.args(["stamp", "--database", &server.url("admin", "shop"), "--", "sh", "-c"]);
    command.arg(format!("echo none > '{}'", file.display())).args(["pg_dump", "-Fc", "-f"]).arg(&file);
    command.output().unwrap()
}

fn stamped_in(folder: &Path, output: &Output) -> Stamped {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Stamped {
        archive: fs::read(folder.join("backup.dump")).unwrap(),
        bytes: fs::read(folder.join("backup.dump.stamp.json")).unwrap(),
    }
}

fn assert_passed(record: &Record) {
    assert_eq!(record.verdict.result.0, Verdict::Pass, "{}", told(record));
    assert!(!warnings(record).contains(&"SOURCE_NOT_IN_PROOF"), "{:?}", warnings(record));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hot_standby_is_stamped_and_speaks_for_what_it_had_heard_of() {
    let place = parent();
    let primary = Primary::start(&own_install(), place.path());
    primary.psql("postgres", "create database shop");
    primary.psql("shop", SHOP);
    let standby = primary.standby(place.path());
    primary.psql("shop", "insert into app.log (line) values ('the last')");
    let reached = || standby.psql("shop", "select count(*) from app.log where line = 'the last'") == "1";
    eventually(PATIENCE, "the standby has heard of the last row", reached);

    let stamped = stamped_in(place.path(), &stamp_as(&standby, "admin", &[], place.path()));
    let stamp = stamped.predicate();
    assert!(stamp.source.replica);
    let replayed = standby
        .psql("shop", "select floor(extract(epoch from pg_last_xact_replay_timestamp()) * 1000)::int8");
    assert_eq!(stamp.snapshot.at.at().as_millisecond(), replayed.parse::<i64>().unwrap());
    assert!(stamp.snapshot.uncertainty_ms > Millis::new(0));
    // What is not logged is on no replica.
    let left_out: Vec<&str> = stamp.left_out.iter().map(|table| table.name.as_str()).collect();
    assert_eq!(left_out, ["cache"]);
    let rows = stamp.tables.iter().find(|table| table.name == "log").unwrap().rows;
    assert_eq!(rows, 101);

    let record = drill(Service::new("standby", &stamped.archive).stamped(&stamped.bytes)).await;
    assert_eq!(record.verdict.result.0, Verdict::Pass, "{}", told(&record));
    assert!(record.stamp.as_ref().unwrap().replica);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_may_only_read_takes_a_stamp_and_one_that_may_not_is_told_what_it_lacks() {
    let place = parent();
    let server = Primary::start(&own_install(), place.path());
    server.psql("postgres", "create database shop");
    server.psql("shop", SHOP);
    // pg_dump itself reads large objects of others as a superuser only.
    server.psql("shop", "select lo_unlink(4711), lo_unlink(4712)");
    server.psql(
        "shop",
        "alter table app.log enable row level security; create role reader login bypassrls in role pg_read_all_data; \
         create role nobody_much login; grant usage on schema app to nobody_much; \
         grant select on app.customer to nobody_much",
    );
    let stamped = stamped_in(place.path(), &stamp_as(&server, "reader", &[], place.path()));
    let (stamp, all) = (stamped.predicate(), stamp_as(&server, "admin", &[], place.path()));
    let as_admin = stamped_in(place.path(), &all).predicate();
    assert_eq!(stamp.tables, as_admin.tables, "every row is hashed as a superuser hashes it");
    assert_passed(&drill(Service::new("reader", &stamped.archive).stamped(&stamped.bytes)).await);

    let refused = stamp_as(&server, "nobody_much", &[], place.path());
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success(), "{told}");
    assert!(told.contains("permission denied") && told.contains("hint:"), "{told}");
    assert!(!place.path().join("backup.dump.stamp.json").exists(), "the earlier stamp is gone, too");
}

/// `firedrill stamp` that runs until it is told to end.
struct Running {
    child: Child,
}

impl Running {
    fn start(command: &mut Command) -> Running {
        command.stdin(Stdio::null()).stderr(Stdio::piped());
        Running { child: command.spawn().unwrap() }
    }

    /// Interrupts it, and waits for its end: its exit code.
    fn interrupt(mut self) -> Option<i32> {
        kill(Pid::from_raw(self.child.id() as i32), Signal::SIGINT).unwrap();
        let mut code = None;
        eventually(PATIENCE, "it has ended", || {
            code = self.child.try_wait().unwrap();
            code.is_some()
        });
        code.unwrap().code()
    }

    fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }
}

/// That nothing stands in the folder but these files.
fn assert_left(folder: &Path, expected: &[&str]) {
    let mut left: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    assert_eq!(left, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stamp_that_is_interrupted_ends_its_dump_and_leaves_no_stamp() {
    let place = parent();
    let source = Source::start(place.path()).await;
    let rows = "create table wide as select n, md5(n::text) || md5((-n)::text) as text from generate_series(1, 60000) n";
    source.create("shop", "", rows).await;
    let pg_dump = source.client("pg_dump").get_program().to_str().unwrap().to_owned();
    let folder = tempfile::tempdir().unwrap();
    let (file, beside) = (folder.path().join("backup.dump"), folder.path().join("backup.dump.stamp.json"));
    let snapshots =
        || source.psql("postgres", "select count(*) from pg_stat_activity where datname = 'shop'");

    // Nobody reads what is dumped: the pipe is full, and everybody waits.
    let mut unread =
        stamped::command(&source, "shop", &["--out", beside.to_str().unwrap()], &[&pg_dump, "-Fc", "-Z0"]);
    let unread = Running::start(unread.stdout(Stdio::piped()));
    let dumping = || !children(unread.child.id()).is_empty();
    eventually(PATIENCE, "the dump runs", dumping);
    let dump = children(unread.child.id())[0];
    eventually(PATIENCE, "the dump waits for its reader", || waits_to_write(dump));
    assert_eq!(unread.interrupt(), Some(130));
    assert!(!Path::new(&format!("/proc/{dump}")).exists(), "the dump has ended");
    assert_left(folder.path(), &[]);

    // The dump is over, and at a KiB a second the hashing would take a quarter of an hour, though no
    // table alone is worth a payment.
    source.psql("shop", "drop table wide");
    let small: String = (0..200)
        .map(|n| format!("create table t{n} as select repeat('x', 200) from generate_series(1, 20);"))
        .collect();
    source.psql("shop", &small);
    let options = ["--out", beside.to_str().unwrap(), "--max-rate", "1KiB"];
    let words = [pg_dump.as_str(), "-Fc", "-f", file.to_str().unwrap()];
    let mut slow = Running::start(&mut stamped::command(&source, "shop", &options, &words));
    let dumped =
        || file.exists() && children(slow.child.id()).is_empty() && fs::metadata(&file).unwrap().len() > 0;
    eventually(PATIENCE, "the dump is over", dumped);
    assert!(!slow.has_ended(), "the rows were not read at the rate that was asked for");
    assert_eq!(slow.interrupt(), Some(130));
    assert_left(folder.path(), &["backup.dump"]);

    // No session of either stands open at the source.
    eventually(PATIENCE, "the source is left alone", || snapshots().trim() == "0");
    assert!(processes_in(folder.path()).is_empty());
}

/// Processes whose parent is that one.
fn children(parent: u32) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{parent}/task")).into_iter().flatten().flatten();
    let texts = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    texts
        .flat_map(|text| text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
        .collect()
}

/// Whether a process sleeps in a write to a pipe.
fn waits_to_write(pid: u32) -> bool {
    let sleeping = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let channel = fs::read_to_string(format!("/proc/{pid}/wchan")).unwrap_or_default();
    sleeping.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('S'))
        && channel.contains("pipe")
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_hash_alike_whatever_major_holds_them() {
    let place = parent();
    let rows = "create table app.same as select id, name, note, tall, born, seen, picture, tags, double from app.customer; \
        create table app.kinds (f4 real, f8 double precision, n numeric, t time, tz timestamptz, i interval, \
        u uuid, b bit(5), j jsonb, js json, ip inet, r int4range, p point, c \"char\", l pg_lsn, m money, a float8[]); \
        insert into app.kinds select n / 3.0, n / 7.0, n / 9.0, time '00:00' + n * interval '1 minute', \
            timestamptz '2026-03-29 00:00+00' + n * interval '1 hour', n * interval '1 day 3 seconds', \
            md5(n::text)::uuid, n::bit(5), json_build_object('n', n)::jsonb, json_build_object('n', n), \
            '10.0.0.1'::inet + n, int4range(n, n + 5), point(n / 3.0, n), chr(64 + n % 26)::\"char\", \
            ('0/' || n)::pg_lsn, n::int::money, array[n / 3.0, null] from generate_series(1, 200) n;";
    let mut hashes: BTreeMap<u32, BTreeMap<String, (u64, String)>> = BTreeMap::new();
    let mut stamps = Vec::new();
    for major in [15, 17, 18] {
        let folder = place.path().join(major.to_string());
        fs::create_dir(&folder).unwrap();
        let server = Primary::start(&install(major), &folder);
        server.psql("postgres", "create database shop");
        server.psql("shop", SHOP);
        server.psql(
            "shop",
            "update public.freshness set at = '2026-01-01'; alter database shop set timezone = 'UTC'",
        );
        server.psql("shop", rows);
        let out = folder.join("out");
        fs::create_dir(&out).unwrap();
        let stamped = stamped_in(
            &out,
            &match major == own_install().version.major {
                true => stamp_as(&server, "admin", &[], &out),
                false => stamp_without_dump(&server, &out),
            },
        );
        let predicate: Predicate = read(&stamped.bytes, &[]).unwrap().predicate;
        assert_eq!(predicate.source.server_major, major);
        let of = |table: &firedrill::stamp::Table| {
            let steady = table.steady.as_ref().map(|steady| steady.hash.to_string()).unwrap_or_default();
            (table.rows, format!("{} {} {steady}", table.hash, table.columns_sha256))
        };
        hashes.insert(major, predicate.tables.iter().map(|table| (table.name.clone(), of(table))).collect());
        stamps.push((major, stamped));
    }
    assert!(hashes[&15]["kinds"].0 == 200 && hashes[&15].len() >= 8);
    assert_eq!(hashes[&15], hashes[&17]);
    assert_eq!(hashes[&15], hashes[&18]);
    // And the rows of an older one, restored on a newer one, are those of its stamp.
    let (_, oldest) = &stamps[0];
    let services = [15, 17, 18].map(|major| {
        Service::new(&format!("on-{major}"), &oldest.archive).stamped(&oldest.bytes).on(&install(major))
    });
    let ran = drilled(services.into()).await;
    [15, 17, 18].iter().for_each(|major| assert_passed(ran.of(&format!("on-{major}"))));
}

const FRESH: &str = "select max(at) from public.freshness";

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_values_are_those_of_the_source() {
    let place = parent();
    let source = Source::start(place.path()).await;
    source.create("shop", "", SHOP).await;
    // Unqualified names mean at the source what they mean to an application.
    source.psql("shop", "alter database shop set search_path = app, public");
    let service = "[service.shop]\nbackup.location = 'file:///tmp/'\nbackup.pattern = 'backup.dump'\n";
    let check = |name: &str, sql: &str| {
        format!("[[service.shop.check]]\nname = '{name}'\nsql = '{sql}'\nnewest = '3650d'\n")
    };
    let plan = place.path().join("plan.toml");
    let asked = [
        check("fresh", FRESH),
        check("seen", "select max(seen) from customer"),
        check("none", "select max(born) from customer where id < 0"),
    ];
    fs::write(&plan, format!("{service}{}", asked.concat())).unwrap();
    let plan = plan.to_str().unwrap();
    let file = place.path().join("backup.dump");
    let options = ["--plan", plan, "--service", "shop", "--exclude-table", "public.freshness"];
    let output = stamped::try_stamp(&source, "shop", &options, &[], &file);
    let stamped = stamped_in(place.path(), &output);
    let told_by = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told_by.contains("check \"none\" has no answer at the source"), "{told_by}");
    let newest: Vec<_> = stamped.predicate().newest.iter().map(|newest| newest.check.clone()).collect();
    assert_eq!(newest, ["fresh", "seen"]);

    // The same source an hour earlier, as far as that one table goes.
    source.psql("shop", "update public.freshness set at = at - interval '1 hour'");
    let older = source.dump("shop", &[], &[]);
    let service = |name: &str, archive: &[u8], sql: &str| {
        let service = Service::new(name, archive).stamped(&stamped.said_of(archive));
        service.check("fresh", sql, "newest = '3650d'").check(
            "seen",
            "select max(seen) from customer",
            "newest = '3650d'",
        )
    };
    let ran = drilled(vec![
        service("same", &stamped.archive, FRESH),
        service("older", &older, FRESH),
        service("reworded", &older, "select max(at) as at from public.freshness"),
    ])
    .await;
    let newest = |name: &str| {
        let beside = ran.of(name).stamp.as_ref().unwrap().beside_rows.clone().unwrap();
        let newest = beside.newest.unwrap();
        (newest.expected, newest.compared, newest.equal)
    };
    assert_eq!(ran.of("same").verdict.result.0, Verdict::Pass, "{}", told(ran.of("same")));
    assert_eq!(newest("same"), (2, 2, 2));
    let older = ran.of("older");
    assert_eq!(codes(older), [Code::DataMismatch], "{}", told(older));
    assert!(
        told(older).contains("newest fresh: ") && told(older).contains("at the source"),
        "{}",
        told(older)
    );
    assert_eq!(newest("older"), (2, 2, 1));
    // Another question has another answer: nothing is said of it.
    assert_eq!(newest("reworded"), (1, 1, 1));

    let refused = |options: &[&str]| stamped::try_stamp(&source, "shop", options, &[], &file).status.code();
    assert_eq!(refused(&["--plan", plan]), Some(64), "a plan, and no service of it");
    assert_eq!(refused(&["--plan", plan, "--service", "nobody"]), Some(64));
}
