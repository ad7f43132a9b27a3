//! The backup of tonight against the last one that passed: what changed is said, and decides
//! where the plan wants it to.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "what fails here fails the test")]

#[path = "support/database.rs"]
mod database;
#[path = "support/drill.rs"]
mod drill;
#[path = "support/postgres.rs"]
mod postgres;

use std::fs;

use firedrill::record::{Drift, Record};
use firedrill::verdict::{Code, Verdict};

use crate::database::Source;
use crate::drill::{Service, Yard, codes, told, warnings};
use crate::postgres::parent;

/// A shop of some thousand rows, with a bit of every kind of object.
const SHOP: &str = "
create table orders (id int primary key, note text default 'none', total numeric);
insert into orders select g, repeat(md5(g::text), 5), g from generate_series(1, 4000) g;
create table jobs (id int); insert into jobs select g from generate_series(1, 300) g;
create table few (id int); insert into few select g from generate_series(1, 50) g;
create index by_total on orders (total);
create view large as select * from orders where total > 100;
create function one() returns int language sql as 'select 1';
create table days (day date, n int) partition by range (day);
create table days_1 partition of days for values from ('2026-01-01') to ('2026-01-02');
insert into days values ('2026-01-01', 1);
";

/// Dumps what each script makes of the shop.
async fn nights(scripts: &[&str]) -> Vec<Vec<u8>> {
    let place = parent();
    let source = Source::start(place.path()).await;
    let mut dumps = Vec::new();
    // One name for all, which stands in the archive.
    for script in scripts {
        source.create("shop", "", &format!("{SHOP}{script}")).await;
        dumps.push(source.dump("shop", &[], &[]));
        source.psql("postgres", "drop database shop");
    }
    source.cluster.stop().await.unwrap();
    dumps
}

/// Drills each backup in turn; the service's own lines stand in its drift table.
async fn drill_each(name: &str, lines: &str, dumps: &[&[u8]]) -> Vec<Record> {
    let service = Service::new(name, &[]).backups("backup-*.dump", Vec::new()).with("controls = []");
    let service = if lines.is_empty() { service } else { service.table("drift", lines) };
    let yard = Yard::of([service]);
    let folder = yard.folder(name);
    let mut records = Vec::new();
    for (night, dump) in dumps.iter().enumerate() {
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(format!("backup-{night}.dump")), dump).unwrap();
        records.push(yard.run().await.of(name).clone());
    }
    records
}

fn drift(record: &Record) -> &Drift {
    record.drift.as_ref().unwrap_or_else(|| panic!("{}", told(record)))
}

fn drift_warnings(record: &Record) -> Vec<&'static str> {
    warnings(record).into_iter().filter(|code| code.starts_with("DRIFT_")).collect()
}

/// What becomes of the shop, the warning, the reason where the plan says fail, and the plan's key.
const CHANGES: &[(&str, &str, &str, Code)] = &[
    (
        "half of all rows are gone",
        "delete from orders where id > 1500; vacuum full orders",
        "rows",
        Code::DriftRowsDropped,
    ),
    ("one table is empty", "delete from jobs", "rows", Code::DriftRowsDropped),
    ("a table is gone", "drop table few", "schema", Code::DriftSchemaChanged),
    ("a table is new", "create table other (a int)", "schema", Code::DriftSchemaChanged),
    (
        "a column is gone",
        "drop view large; alter table orders drop column total; create view large as table few; create index by_total on few (id)",
        "schema",
        Code::DriftSchemaChanged,
    ),
    (
        "a column is of another type",
        "alter table few alter id type bigint",
        "schema",
        Code::DriftSchemaChanged,
    ),
    ("an index is gone", "drop index by_total", "schema", Code::DriftSchemaChanged),
    (
        "a view asks otherwise",
        "create or replace view large as select * from orders where total > 200",
        "schema",
        Code::DriftSchemaChanged,
    ),
    (
        "a function does otherwise",
        "create or replace function one() returns int language sql as 'select 2'",
        "schema",
        Code::DriftSchemaChanged,
    ),
    (
        "a default is another",
        "alter table orders alter note set default 'some'",
        "schema",
        Code::DriftSchemaChanged,
    ),
    ("the dump is a third as large", "update orders set note = ''", "size", Code::DriftSizeDropped),
];

#[tokio::test(flavor = "multi_thread")]
async fn each_drift_warns_and_fails_where_the_plan_says_so() {
    let scripts: Vec<&str> =
        std::iter::once("").chain(CHANGES.iter().map(|(_, script, ..)| *script)).collect();
    let dumps = nights(&scripts).await;

    // The intact backup passes; what became of it fails, and is no measure for what comes next.
    let all: Vec<&[u8]> = dumps.iter().map(Vec::as_slice).collect();
    let records = drill_each("shop", "rows = 'fail'\nsize = 'fail'\nschema = 'fail'", &all).await;
    let (first, changed) = records.split_first().unwrap();
    assert_eq!(first.verdict.result.0, Verdict::Pass, "{}", told(first));
    for ((name, _, key, code), record) in CHANGES.iter().zip(changed) {
        assert_eq!(record.verdict.result.0, Verdict::Fail, "{name}: {}", told(record));
        assert!(codes(record).contains(code), "{name}, {key}: {}", told(record));
        let with = drift(record).compared_with.as_ref().unwrap();
        assert_eq!((with.run_id, with.sequence), (first.run.run_id, 1), "{name}");
    }

    // Without a word of the plan it passes with a warning, and is the measure from then on.
    let emptied = CHANGES.iter().position(|(name, ..)| *name == "one table is empty").unwrap() + 1;
    let nights = [&dumps[0], &dumps[0], &dumps[emptied], &dumps[emptied - 1]].map(Vec::as_slice);
    let [first, again, emptied, fewer] = &drill_each("shop", "", &nights).await[..] else { panic!() };
    assert_eq!(drift_warnings(first), ["DRIFT_NOT_COMPARED"]);
    assert_eq!(codes(again), [Code::DriftSameBackup], "the same bytes are no new backup");
    assert_eq!(emptied.verdict.result.0, Verdict::Pass, "{}", told(emptied));
    assert_eq!(drift_warnings(emptied), ["DRIFT_ROWS_DROPPED"]);
    assert_eq!(
        drift(emptied).compared_with.as_ref().unwrap().sequence,
        1,
        "a drill that failed is no measure"
    );
    assert_eq!(fewer.verdict.result.0, Verdict::Pass, "{}", told(fewer));
    assert_eq!(drift(fewer).compared_with.as_ref().unwrap().sequence, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_and_goes_is_no_drift() {
    let changes = [
        "create table days_2 partition of days for values from ('2026-01-02') to ('2026-01-03'); insert into days values ('2026-01-02', 2)",
        "delete from few",
        "delete from jobs",
        "insert into orders select g, 'more' from generate_series(5000, 5100) g",
    ];
    let dumps = nights(&[&[""], &changes[..]].concat()).await;
    let all: Vec<&[u8]> = dumps.iter().map(Vec::as_slice).collect();
    let lines = "rows = 'fail'\nsize = 'fail'\nschema = 'fail'\nexcept = ['public.jobs']";
    for record in &drill_each("shop", lines, &all).await[1..] {
        assert_eq!(record.verdict.result.0, Verdict::Pass, "{}", told(record));
        assert_eq!(drift_warnings(record), Vec::<&str>::new(), "{:?}", drift(record));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_figures_of_both_nights_stand_in_the_record() {
    let dumps = nights(&[
        "",
        "delete from orders where id > 1000; drop table few; alter table jobs add column at date",
    ])
    .await;
    let [first, second] = &drill_each("shop", "", &[&dumps[0], &dumps[1]]).await[..] else { panic!() };
    assert!(drift(first).compared_with.is_none() && drift(first).rows.before.is_none());
    let drift = drift(second);
    assert_eq!((drift.rows.before, drift.rows.after), (Some(4351), Some(1301)));
    assert_eq!((drift.tables.before, drift.tables.after), (Some(4), Some(3)));
    assert_eq!(drift.artifact_bytes.before, Some(dumps[0].len() as u64));
    assert_eq!(drift.artifact_bytes.after, Some(dumps[1].len() as u64));
    assert!(drift.restored_bytes.before > drift.restored_bytes.after);
    assert_eq!(drift.tables_compared, 3);
    let [orders] = drift.dropped.as_slice() else { panic!("{drift:?}") };
    assert_eq!((orders.name.as_str(), orders.before, orders.after), ("public.orders", 4000, 1000));
    let schema = drift.schema.as_ref().unwrap();
    assert_eq!(schema.tables_removed.names, ["public.few"]);
    assert_eq!(schema.columns_added.names, ["public.jobs.at date"]);
    assert!(schema.by_name && schema.classes_changed.is_empty(), "{schema:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_another_database_is_told() {
    let place = parent();
    let source = Source::start(place.path()).await;
    for name in ["shop", "staging"] {
        source.create(name, "", SHOP).await;
    }
    let dumps = ["shop", "staging"].map(|name| source.dump(name, &[], &[]));
    source.cluster.stop().await.unwrap();
    let [first, second] = &drill_each("shop", "schema = 'fail'", &[&dumps[0], &dumps[1]]).await[..] else {
        panic!()
    };
    assert_eq!(first.verdict.result.0, Verdict::Pass, "{}", told(first));
    assert_eq!(codes(second), [Code::DriftSchemaChanged], "{}", told(second));
    assert!(second.verdict.reasons[0].detail.contains("\"staging\""), "{}", told(second));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_backup_may_be_drilled_again_and_another_service_is_no_measure() {
    let dumps = nights(&[""]).await;
    let services = vec![Service::new("shop", &dumps[0]), Service::new("other", &dumps[0])];
    let yard = Yard::of(services);
    for night in 0..2 {
        let ran = yard.run().await;
        for name in ["shop", "other"] {
            let record = ran.of(name);
            assert_eq!(record.verdict.result.0, Verdict::Pass, "{}", told(record));
            assert_eq!(drift(record).compared_with.is_some(), night == 1);
            assert!(!drift(record).same_artifact, "it is the same object");
        }
    }
}
