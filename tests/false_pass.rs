//! Backups that restore without an error and are worth little: each sound one passes first, and
//! what is done to the source or to its dump turns the verdict, or is told.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "what fails here fails the test")]

#[path = "support/database.rs"]
mod database;
#[path = "support/drill.rs"]
mod drill;
#[path = "support/postgres.rs"]
mod postgres;
#[path = "support/stamped.rs"]
mod stamped;

use firedrill::record::{Between, Record};
use firedrill::verdict::{Code, Verdict};

use crate::database::Source;
use crate::drill::{Service, codes, drilled, told, warnings};
use crate::postgres::parent;
use crate::stamped::stamp;

/// Rows that a policy hides, and objects of the classes that hold no rows.
const SHOP: &str = "
create role fd_reader;
create schema app;
create table app.customers (id int primary key, name text, seen timestamptz default now());
create table app.orders (id int primary key, customer int references app.customers);
insert into app.customers select g, 'c' || g from generate_series(1, 100) g;
insert into app.orders select g, g from generate_series(1, 100) g;
alter table app.customers enable row level security;
create policy even on app.customers using (id % 2 = 0);
grant usage on schema app to fd_reader;
grant select on all tables in schema app to fd_reader;
create materialized view app.sums as select count(*) from app.orders;
grant select on app.sums to fd_reader;
create statistics app.dependent (dependencies) on id, customer from app.orders;
create index by_customer on app.orders (customer);
create rule quiet as on delete to app.customers do instead nothing;
create function app.one() returns int language sql as 'select 1';
create domain app.positive as int check (value > 0);
";

fn failed(record: &Record, code: Code, names: &str) {
    let told = told(record);
    assert_eq!(record.verdict.result.0, Verdict::Fail, "{told}");
    assert!(codes(record).contains(&code) && told.contains(names), "{names}: {told}");
}

/// P45, P44, P43: rows that the dump left out, by a policy or on purpose.
#[tokio::test(flavor = "multi_thread")]
async fn rows_that_were_never_dumped_are_missed_where_a_stamp_counts_them() {
    let place = parent();
    let source = Source::start(place.path()).await;
    source.create("shop", "", SHOP).await;
    // A foreign key would miss what it names.
    source.psql("shop", "alter table app.orders drop constraint orders_customer_fkey");
    let whole = stamp(&source, "shop", &[], &[]);
    let thinned = source.dump("shop", &["--role=fd_reader", "--enable-row-security"], &[]);
    let without = source.dump("shop", &["--exclude-table-data=app.orders"], &[]);
    let gone = source.dump("shop", &["--exclude-table=app.orders"], &[]);
    source.cluster.stop().await.unwrap();
    let stamped =
        |name: &str, archive: &[u8]| Service::new(name, archive).vouched().stamped(&whole.said_of(archive));
    let ran = drilled(vec![
        Service::new("whole", &whole.archive).vouched().stamped(&whole.bytes),
        stamped("thinned", &thinned),
        stamped("without", &without),
        stamped("gone", &gone),
        Service::new("thinned-unstamped", &thinned).vouched(),
        Service::new("without-unstamped", &without).vouched(),
    ])
    .await;
    assert_eq!(ran.of("whole").verdict.result.0, Verdict::Pass, "{}", told(ran.of("whole")));
    failed(ran.of("thinned"), Code::DataMismatch, "app.customers");
    let tables = &ran.of("thinned").fidelity.as_ref().unwrap().tables;
    let table = tables.iter().find(|table| table.name == "app.customers").unwrap();
    assert_eq!((table.rows, table.stamp_rows), (Some(50), Some(100)));
    assert_eq!(table.between(), Some(Between::SourceAndArchive));
    failed(ran.of("without"), Code::ObjectsMissing, "app.orders");
    failed(ran.of("gone"), Code::ObjectsMissing, "app.orders");
    // Without a stamp nobody can know, and that is told.
    for name in ["thinned-unstamped", "without-unstamped"] {
        let record = ran.of(name);
        assert_eq!(record.verdict.result.0, Verdict::Pass, "{}", told(record));
        assert!(warnings(record).contains(&"SOURCE_NOT_IN_PROOF"), "{:?}", warnings(record));
    }
    assert!(warnings(ran.of("without-unstamped")).contains(&"TABLES_WITHOUT_ROWS"));
}

/// What the source had and the dump has not, and the words that name it.
const OBJECTS: &[(&str, &str, &str)] = &[
    ("policy", "drop policy even on app.customers", "POLICY app.customers even"),
    ("row-security", "alter table app.customers disable row level security", "ROW SECURITY app.customers"),
    ("grants", "revoke select on app.orders from fd_reader", "TABLE app.orders"),
    ("matview", "refresh materialized view app.sums with no data", "MATERIALIZED VIEW app.sums"),
    ("statistics", "drop statistics app.dependent", "STATISTICS app.dependent"),
    ("index", "drop index app.by_customer", "INDEX app.by_customer"),
    ("rule", "drop rule quiet on app.customers", "RULE app.customers quiet"),
    ("function", "drop function app.one()", "FUNCTION app.one()"),
    ("domain", "drop domain app.positive", "DOMAIN app.positive"),
    (
        "foreign-key",
        "alter table app.orders drop constraint orders_customer_fkey",
        "FK CONSTRAINT app.orders orders_customer_fkey",
    ),
    ("key", "alter table app.orders drop constraint orders_pkey", "CONSTRAINT app.orders orders_pkey"),
];

/// P25, P26: each class of object that could be gone or other without a row being wrong.
#[tokio::test(flavor = "multi_thread")]
async fn an_object_of_any_class_that_the_source_had_otherwise_turns_the_verdict() {
    let place = parent();
    let source = Source::start(place.path()).await;
    source.create("shop", "", SHOP).await;
    let whole = stamp(&source, "shop", &[], &[]);
    let mut services = vec![Service::new("whole", &whole.archive).vouched().stamped(&whole.bytes)];
    for (name, change, _) in OBJECTS {
        let server = source.cluster.connect("postgres").await.unwrap();
        server.run(&format!("create database \"{name}\" template shop")).await.unwrap();
        source.psql(name, change);
        let archive = source.dump(name, &[], &[]);
        services.push(Service::new(name, &archive).vouched().stamped(&whole.said_of(&archive)));
    }
    source.cluster.stop().await.unwrap();
    let ran = drilled(services).await;
    assert_eq!(ran.of("whole").verdict.result.0, Verdict::Pass, "{}", told(ran.of("whole")));
    let unnamed: Vec<String> = OBJECTS
        .iter()
        .map(|(name, _, names)| (told(ran.of(name)), ran.of(name).verdict.result.0, names))
        .filter(|(told, verdict, names)| *verdict != Verdict::Fail || !told.contains(*names))
        .map(|(told, _, names)| format!("{names}: {told}"))
        .collect();
    assert!(unnamed.is_empty(), "{unnamed:#?}");
}

/// P16: the one foreign key that can't be made is an error of the restore, however small. P13: a
/// fresh file of a standby that stopped long ago. P05: a question whose answer is null.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_fresh_and_complete_file_hides_is_asked_of_its_rows() {
    let place = parent();
    let source = Source::start(place.path()).await;
    source.create("shop", "", SHOP).await;
    let sound = source.dump("shop", &[], &[]);
    let orphaned = "set session_replication_role = replica; drop rule quiet on app.customers; \
                    delete from app.customers where id = 7";
    source.psql("shop", orphaned);
    let orphans = source.dump("shop", &[], &[]);
    source.cluster.stop().await.unwrap();
    let heartbeat =
        |name: &str, sql: &str| Service::new(name, &sound).vouched().check("heartbeat", sql, "newest = '2h'");
    let ran = drilled(vec![
        heartbeat("fresh", "select max(seen) from app.customers"),
        heartbeat("stopped", "select max(seen) - make_interval(days => 3) from app.customers"),
        heartbeat("empty", "select max(seen) from app.customers where id < 0"),
        Service::new("orphans", &orphans).vouched().table("proof", "revalidate = true"),
    ])
    .await;
    assert_eq!(ran.of("fresh").verdict.result.0, Verdict::Pass, "{}", told(ran.of("fresh")));
    assert_eq!(codes(ran.of("stopped")), [Code::CheckFailed], "{}", told(ran.of("stopped")));
    assert_eq!(codes(ran.of("empty")), [Code::CheckErrored], "{}", told(ran.of("empty")));
    failed(ran.of("orphans"), Code::RestoreErrors, "orders_customer_fkey");
}
