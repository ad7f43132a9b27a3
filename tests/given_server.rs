//! Drills on a server that is given: it is taken only when everything speaks for it, and it is
//! left as it was.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "what fails here fails the test")]

#[path = "support/command.rs"]
mod command;
#[path = "support/database.rs"]
mod database;
#[path = "support/postgres.rs"]
mod postgres;

use std::fs;
use std::path::Path;

use nix::sys::signal::Signal;

use crate::command::{Ended, Home};
use crate::database::Source;
use crate::postgres::parent;

const SHOP: &str = "
    create role shopkeeper;
    create table customer (id int primary key, name text);
    create table orders (id int primary key, customer int references customer, at timestamptz, note text);
    insert into customer select n, 'customer ' || n from generate_series(1, 500) n;
    insert into orders select n, n % 500 + 1, now(), md5(n::text) from generate_series(1, 2000) n;
    create index on orders (note);
    create view large as select * from orders where id > 1000;
    create function twice(n int) returns int language sql immutable as 'select n * 2';
    select lo_from_bytea(0, 'large');
    alter table orders owner to shopkeeper;
    grant select on orders to public;";

const MARKER: &str = "a-marker-of-this-test";

/// The name that the server of these tests lets in by a password.
const ROLE: &str = "firedrill_guest";

/// A source with a backup of it, and another server that is given to drills.
struct Site {
    given: Source,
    home: Home,
}

impl Site {
    async fn new(parent: &Path) -> Site {
        let source = Source::start(parent).await;
        source.create("shop", "", SHOP).await;
        let home = Home::new();
        fs::create_dir(home.path().join("backups")).unwrap();
        fs::write(home.path().join("backups/shop.dump"), source.dump("shop", &[], &[])).unwrap();
        source.cluster.stop().await.unwrap();
        let given = Source::start(parent).await;
        let marked = format!("comment on database firedrill_scratch_ok is '{MARKER}'");
        given.create("firedrill_scratch_ok", "", &marked).await;
        given.psql("postgres", &format!("create role {ROLE} login createdb password 'pw'"));
        let site = Site { given, home };
        site.plan("select count(*) from orders");
        site
    }

    fn plan(&self, question: &str) {
        let identifier = self.told("select system_identifier from pg_control_system()");
        self.home.plan(&format!(
            "[service.shop]\n[service.shop.backup]\nlocation = 'file://{}/backups/'\npattern = 'shop.dump'\n\
             [service.shop.scratch]\nkind = 'server'\nurl_env = 'SCRATCH_URL'\nmarker = '{MARKER}'\n\
             system_identifier = '{identifier}'\n\
             [[service.shop.check]]\nname = 'orders'\nsql = '{question}'\nexpect = '>= 2000'\n",
            self.home.path().display()
        ));
    }

    fn environment(&self) -> [(&'static str, String); 1] {
        let socket = self.given.cluster.socket_directory().display().to_string().replace('/', "%2F");
        [("SCRATCH_URL", format!("postgres://{ROLE}:pw@{socket}/firedrill_scratch_ok"))]
    }

    fn drill(&self) -> Ended {
        self.home.run(&["run", "--quiet"], &self.environment())
    }

    fn told(&self, question: &str) -> String {
        self.given.psql("postgres", question).trim().to_owned()
    }

    /// The databases that are there beside those of the server itself and the marker.
    fn databases(&self) -> String {
        let others = "'postgres', 'template0', 'template1', 'firedrill_scratch_ok'";
        self.told(&format!(
            "select coalesce(string_agg(datname, ' '), '') from pg_database where datname not in ({others})"
        ))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drill_makes_a_database_of_its_own_there_and_leaves_nothing() {
    let parent = parent();
    let site = Site::new(parent.path()).await;
    let roles = site.told("select count(*) from pg_roles");
    site.drill().with(0);
    assert_eq!(site.databases(), "");
    assert_eq!(site.told("select count(*) from pg_roles"), roles, "roles are not ours to make");
    let record = &site.home.evidence("shop")[0];
    let environment = &record["environment"];
    assert_eq!(environment["kind"], "server");
    assert_eq!(environment["database_created_by_run"], true);
    assert_eq!(environment["cluster_created_by_run"], false);
    assert_eq!(
        environment["system_identifier"],
        site.told("select system_identifier from pg_control_system()")
    );
    assert_eq!(environment["sandbox"]["network"], "server");
    assert_eq!(record["cleanup"]["removal_verified"], true);
    assert!(!record.to_string().contains(":pw@"));

    fs::write(site.home.path().join("backups/shop.dump"), {
        let mut archive = fs::read(site.home.path().join("backups/shop.dump")).unwrap();
        archive.truncate(archive.len() - 100);
        archive
    })
    .unwrap();
    site.drill().with(1);
    assert_eq!(site.databases(), "");
    site.given.cluster.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn each_guard_refuses_a_server_that_could_be_production() {
    let parent = parent();
    let site = Site::new(parent.path()).await;
    site.drill().with(0);
    // Slots and standbys, which a server of these tests can't have, are refused in the unit tests.
    let table = [
        (
            "comment on database firedrill_scratch_ok is 'another'",
            &*format!("comment on database firedrill_scratch_ok is '{MARKER}'"),
            "marker",
        ),
        ("alter role firedrill_guest superuser", "alter role firedrill_guest nosuperuser", "superuser"),
        ("alter role firedrill_guest createrole", "alter role firedrill_guest nocreaterole", "other rights"),
        ("alter role firedrill_guest nocreatedb", "alter role firedrill_guest createdb", "make databases"),
        (
            "grant pg_read_all_data to firedrill_guest",
            "revoke pg_read_all_data from firedrill_guest",
            "member",
        ),
        (
            "create table owned (); alter table owned owner to firedrill_guest",
            "drop table owned",
            "owns things",
        ),
    ];
    for (change, undo, why) in table {
        site.told(change);
        let ended = site.drill().with(2);
        let said = ended.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains(why), "{why}: {said}");
        assert_eq!(site.databases(), "", "{why}");
        site.told(undo);
    }
    site.drill().with(0);
    site.given.cluster.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_drill_left_there_is_removed_by_whoever_has_the_plan() {
    let parent = parent();
    let site = Site::new(parent.path()).await;
    for by_sweep in [true, false] {
        site.plan("select 1 from pg_sleep(600)");
        let mut running = site.home.start(&["run", "--json=events"], &site.environment());
        running.until(&["proof_planned"]);
        running.signal(Signal::SIGKILL);
        running.end();
        assert!(site.databases().starts_with("firedrill_scratch_"), "{}", site.databases());

        site.plan("select count(*) from orders");
        if by_sweep {
            let without = site.home.run(&["sweep"], &[]).with(3);
            assert!(without.stdout.contains("still there: database firedrill_scratch_"), "{without:?}");
            let swept = site.home.run(&["sweep"], &site.environment()).with(0);
            assert!(swept.stdout.contains("removed: database firedrill_scratch_"), "{swept:?}");
            assert_eq!(site.databases(), "");
        }
        site.drill().with(0);
        assert_eq!(site.databases(), "");
    }
    site.given.cluster.stop().await.unwrap();
}
