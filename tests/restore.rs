//! `firedrill restore`, as somebody in a disaster comes to it: a backup, a server, an empty
//! database.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "what fails here fails the test")]

#[path = "support/command.rs"]
mod command;
#[path = "support/database.rs"]
mod database;
#[path = "support/postgres.rs"]
mod postgres;
#[path = "support/stamped.rs"]
mod stamped;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::command::{Ended, Home, PATIENCE};
use crate::database::{Source, said};
use crate::postgres::parent;

const ROLES: &str = include_str!("../fixtures/differential/roles.sql");
const RICH: &str = include_str!("../fixtures/differential/rich.sql");

/// Two tables, with something built on each.
const SHOP: &str = "
    create table customer (id int primary key, name text);
    create table orders (id int primary key, customer int references customer, note text);
    insert into customer select n, 'customer ' || n from generate_series(1, 500) n;
    insert into orders select n, n % 500 + 1, repeat(md5(n::text), 4) from generate_series(1, 120000) n;
    create index on orders (note);";

/// A server with the database that was lost, a place to restore from, and the backup in it.
struct Disaster {
    server: Source,
    home: Home,
}

impl Disaster {
    /// `script` makes the database `lost`, which is dumped.
    async fn new(parent: &Path, script: &str) -> Disaster {
        let server = Source::start(parent).await;
        server.create("lost", "", script).await;
        let home = Home::new();
        let backups = home.path().join("backups");
        fs::create_dir(&backups).unwrap();
        fs::write(backups.join("shop.dump"), server.dump("lost", &[], &[])).unwrap();
        home.plan(&format!(
            "[service.shop]\nchecks = 'content only'\n[service.shop.backup]\nlocation = 'file://{}/'\npattern = 'shop.dump'\n",
            backups.display()
        ));
        Disaster { server, home }
    }

    fn url(&self, database: &str) -> String {
        let socket = self.server.cluster.socket_directory().display().to_string().replace('/', "%2F");
        format!("postgres://{}@{socket}/{database}", self.server.cluster.user())
    }

    fn arguments<'a>(&self, url: &'a str, into: &'a str, more: &[&'a str]) -> Vec<&'a str> {
        [&["restore", "shop", "--to", url, "--into", into][..], more].concat()
    }

    fn restore(&self, database: &str, into: &str, more: &[&str]) -> Ended {
        self.home.run(&self.arguments(&self.url(database), into, more), &[])
    }

    /// That two databases give the same dump, but for the order of rows. The values of an enum hash
    /// by their OIDs, so which rows are in which partition by the hash of one is the server's own
    /// affair; how many there are is told by the comparison that the restore itself makes.
    fn assert_same(&self, one: &str, other: &str) {
        let dumped = |database: &str| -> Vec<String> {
            let text = String::from_utf8(said(
                self.server.client("pg_dump").args(["--exclude-table-data=app.by_enum*", database]),
            ))
            .unwrap();
            let mut lines: Vec<_> =
                text.lines().filter(|line| !line.contains("restrict ")).map(str::to_owned).collect();
            lines.sort();
            lines
        };
        let (mut one, mut other) = (dumped(one), dumped(other));
        let common: Vec<_> = one.iter().filter(|line| other.binary_search(line).is_ok()).cloned().collect();
        for lines in [&mut one, &mut other] {
            lines.retain(|line| common.binary_search(line).is_err());
        }
        assert!(
            one.is_empty() && other.is_empty(),
            "only in the first: {one:#?}\nonly in the second: {other:#?}"
        );
    }

    fn marks(&self, database: &str) -> String {
        self.server.psql(database, "select count(*) from pg_namespace where nspname = 'firedrill_restore'")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_comes_back_with_what_a_drill_leaves_out() {
    let parent = parent();
    let disaster = Disaster::new(parent.path(), &format!("{ROLES}\n{RICH}")).await;
    disaster.server.create("found", "", "").await;
    let ended = disaster.restore("found", "found", &[]).with(0);
    assert!(ended.stdout.contains("RESTORED"), "{ended:?}");
    disaster.assert_same("found", "lost");
    assert_eq!(disaster.marks("found").trim(), "0");

    disaster.server.create("bare", "", "").await;
    let more = ["--no-owner", "--no-privileges", "--json"];
    let document = disaster.restore("bare", "bare", &more).with(0).document();
    assert_eq!(document["tables_different"], serde_json::json!([]));
    assert!(document["entries_excluded"].as_u64().unwrap() > 0, "{document}");
    let owners =
        "select count(*) from pg_class where relowner in (select oid from pg_roles where rolname = 'keeper')";
    assert_eq!(disaster.server.psql("bare", owners).trim(), "0");
    disaster.server.cluster.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_touched_unless_the_database_is_empty_and_named_twice() {
    let parent = parent();
    let disaster = Disaster::new(parent.path(), SHOP).await;
    disaster.server.create("taken", "", "create type mood as enum ('sad')").await;
    disaster.server.create("empty", "", "").await;
    let table = [
        ("another name", "empty", "lost", &[][..], "the URL names the database 'empty'"),
        ("not empty", "taken", "taken", &[][..], "is not empty"),
        ("a database that is not there", "nowhere", "nowhere", &[][..], "nowhere"),
        ("no such backup", "empty", "empty", &["--select", "other.dump"][..], "other.dump"),
    ];
    for (what, database, into, more, said) in table {
        let ended = disaster.restore(database, into, more);
        assert!(matches!(ended.status.code(), Some(64 | 1 | 2)), "{what}: {ended:?}");
        assert!(ended.stderr.contains(said), "{what}: {ended:?}");
    }
    for database in ["taken", "empty"] {
        assert_eq!(disaster.marks(database).trim(), "0");
    }
    disaster.restore("empty", "empty", &[]).with(0);
    disaster.server.cluster.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn owners_that_the_server_does_not_know_are_named_before_anything_is_changed() {
    let parent = parent();
    let disaster = Disaster::new(
        parent.path(),
        &format!("create role clerk; {SHOP} alter table orders owner to clerk;"),
    )
    .await;
    disaster.server.psql("lost", "alter table orders owner to current_user; drop role clerk");
    disaster.server.create("found", "", "").await;
    let refused = disaster.restore("found", "found", &[]).with(64);
    assert!(refused.stderr.contains("clerk") && refused.stderr.contains("--no-owner"), "{refused:?}");
    assert_eq!(disaster.marks("found").trim(), "0");
    disaster.restore("found", "found", &["--no-owner"]).with(0);
    disaster.server.cluster.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_refused_is_all_that_is_done_again() {
    let parent = parent();
    let script = format!("create role clerk; {SHOP} grant select on orders to clerk;");
    let disaster = Disaster::new(parent.path(), &script).await;
    disaster.server.psql("lost", "revoke select on orders from clerk; drop role clerk");
    disaster.server.create("found", "", "").await;
    let first = disaster.restore("found", "found", &[]).with(1);
    assert!(first.stdout.contains("NOT WHOLE") && first.stdout.contains("clerk"), "{first:?}");
    disaster.server.psql("found", "create role clerk");
    let document = disaster.restore("found", "found", &["--json"]).with(0).document();
    assert_eq!(document["resumed"], true);
    assert_eq!(document["tables_loaded_before"], 2);
    assert_eq!(document["tables"], 0);
    assert_eq!(
        document["entries"],
        document["entries_restored"].as_u64().unwrap() + document["entries_excluded"].as_u64().unwrap()
    );
    let granted = disaster.server.psql("found", "select has_table_privilege('clerk', 'orders', 'select')");
    assert_eq!(granted.trim(), "t");
    disaster.server.cluster.stop().await.unwrap();
}

/// Interrupted while the second table waits for a lock that somebody else holds.
#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_restore_goes_on_where_it_stopped() {
    for signal in [Signal::SIGINT, Signal::SIGKILL] {
        let parent = parent();
        let disaster = Disaster::new(parent.path(), SHOP).await;
        disaster.server.create("found", "", "").await;
        let url = disaster.url("found");
        let session = disaster.server.cluster.connect("found").await.unwrap();
        let running = disaster.home.start(&disaster.arguments(&url, "found", &["--jobs", "1"]), &[]);
        let until = Instant::now() + PATIENCE;
        session.run("begin").await.unwrap();
        while session.run("savepoint here; lock table public.orders in access exclusive mode").await.is_err()
        {
            session.run("rollback; begin").await.unwrap();
            assert!(Instant::now() < until, "no table came: {}", running.said());
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let watcher = disaster.server.cluster.connect("found").await.unwrap();
        let waits = "select 1 from pg_locks where not granted";
        while watcher.rows(waits).await.unwrap().is_empty() {
            assert!(Instant::now() < until, "nobody waits: {}", running.said());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        running.signal(signal);
        let ended = running.end();
        if signal == Signal::SIGINT {
            let ended = ended.with(130);
            assert!(ended.stderr.contains("run the same command again"), "{ended:?}");
        }
        session.run("rollback").await.unwrap();
        assert_eq!(disaster.marks("found").trim(), "1");
        let document = disaster.restore("found", "found", &["--json"]).with(0).document();
        assert_eq!(document["resumed"], true);
        disaster.assert_same("found", "lost");
        assert_eq!(disaster.marks("found").trim(), "0");
        disaster.server.cluster.stop().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_backup_is_not_put_on_top_of_a_half_restored_one() {
    let parent = parent();
    let disaster = Disaster::new(parent.path(), SHOP).await;
    disaster.server.create("found", "", "").await;
    disaster.server.psql(
        "found",
        "create schema firedrill_restore; create table firedrill_restore.archive as select 'another' as name; \
         create table firedrill_restore.done (entry bigint primary key)",
    );
    let refused = disaster.restore("found", "found", &[]).with(64);
    assert!(refused.stderr.contains("another archive was being restored"), "{refused:?}");
    disaster.server.cluster.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_back_is_held_against_the_stamp_of_the_source() {
    let parent = parent();
    let disaster = Disaster::new(parent.path(), stamped::SHOP).await;
    let backups = disaster.home.path().join("backups");
    let put = |archive: &[u8], stamp: &[u8]| {
        fs::write(backups.join("shop.dump"), archive).unwrap();
        fs::write(backups.join("shop.dump.stamp.json"), stamp).unwrap();
    };
    let stamp = stamped::stamp(&disaster.server, "lost", &[], &[]);
    put(&stamp.archive, &stamp.bytes);
    disaster.server.create("found", "", "").await;
    let ended = disaster.restore("found", "found", &[]).with(0);
    assert!(ended.stdout.contains("as the stamp says"), "{ended:?}");

    // Rows and a sequence that the source did not hold so, though the archive does.
    disaster.server.psql("lost", "update app.log set line = 'x' where id = 7; select nextval('app.ticket')");
    let later = disaster.server.dump("lost", &[], &[]);
    put(&later, &stamp.said_of(&later));
    disaster.server.create("doubtful", "", "").await;
    let told = disaster.restore("doubtful", "doubtful", &["--json"]).with(1).document();
    assert_eq!(told["compared_to"], "source_stamp");
    assert_eq!(told["tables_different"], serde_json::json!(["app.log (source and archive differ)"]));
    assert_eq!(told["not_of_the_source"], serde_json::json!(["sequence app.ticket"]));

    // One that speaks of other bytes takes no part, and that is said.
    put(&later, &stamp.bytes);
    disaster.server.create("unsaid", "", "").await;
    let told = disaster.restore("unsaid", "unsaid", &["--json"]).with(0).document();
    assert_eq!(told["compared_to"], "archive_stream", "{told}");
    assert!(told["warnings"].to_string().contains("speak"), "{told}");
}
