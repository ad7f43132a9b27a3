//! Sampled read-back: what is in the sample is compared, what is not is counted, and nobody is
//! told that it was all.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "what fails here fails the test")]

#[path = "support/database.rs"]
mod database;
#[path = "support/drill.rs"]
mod drill;
#[path = "support/postgres.rs"]
mod postgres;

use std::collections::BTreeMap;

use firedrill::event::Events;
use firedrill::plan::CopyForm;
use firedrill::postgres::Cluster;
use firedrill::proof::{Comparison, State, compare};
use firedrill::record::{Record, TableState};
use firedrill::restore::{DATABASE, Manner, Sample, hash_text_extended};
use firedrill::verdict::{Code, Verdict};

use crate::database::{Kept, Source};
use crate::drill::{Service, Yard, codes, told, warnings};
use crate::postgres::{installs, options, own_install, parent};

/// A share of the rows of tables that differ in what lets them go by a sample, or not. Values of
/// type `name` are never converted.
const TABLES: &str = "
    create table keyed (note text, id bigint primary key, tags name[]);
    insert into keyed select 'note ' || g, g * 1000, array[md5(g::text), 'x', null] from generate_series(1, 30000) g;
    create table uuids (id uuid primary key, tags name[]);
    insert into uuids select md5(g::text)::uuid, array[md5(g::text), 'y'] from generate_series(1, 20000) g;
    create table converted (id bigint primary key, note text);
    insert into converted select g, repeat('c', 60) from generate_series(1, 20000) g;
    create table small (id int primary key, tags name[]);
    insert into small select g, array['s'] from generate_series(1, 500) g;
    create table keyless (id int, tags name[]);
    insert into keyless select g, array[md5(g::text), 'z'] from generate_series(1, 30000) g;
    create table skewed (kind int not null, tags name[]);
    insert into skewed select 1, array[md5(g::text), 'z'] from generate_series(1, 30000) g;
    create table parts (id int not null, tags name[]) partition by range (id);
    create table parts_1 partition of parts for values from (0) to (20000);
    create table parts_2 partition of parts for values from (20000) to (40000);
    insert into parts select g, array[md5(g::text), 'p'] from generate_series(0, 39999) g;
";

const SAMPLE: Sample = Sample { seed: 20_261_121, share_ppm: 200_000 };

async fn compared(kept: &Kept) -> BTreeMap<String, Comparison> {
    let toc = kept.restored.toc.clone();
    let tables = compare(&toc, &kept.restored, None, &kept.scratch, 2, &Events::silent()).await.unwrap();
    tables.into_iter().map(|table| (table.name.trim_start_matches("public.").to_owned(), table)).collect()
}

async fn dumped(script: &str, arguments: &[&str]) -> Vec<u8> {
    let parent = parent();
    let source = Source::start(parent.path()).await;
    source.create("source", "", script).await;
    let archive = source.dump("source", arguments, &[]);
    source.cluster.stop().await.unwrap();
    archive
}

fn manner(copy: CopyForm) -> Manner {
    Manner { sample: Some(SAMPLE), ..Manner::drill(4, copy) }
}

/// The first of some keys that is in the sample, or that is not.
fn key(inside: bool) -> u64 {
    (1..100).map(|n| n * 1000).find(|key| SAMPLE.holds(key.to_string().as_bytes()) == inside).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_server_hashes_keys_as_we_do() {
    for install in installs() {
        let parent = parent();
        let cluster = Cluster::start(&install, options(parent.path())).await.unwrap();
        let session = cluster.connect("postgres").await.unwrap();
        let mut seen = 0;
        for seed in [0_u32, 1, u32::MAX] {
            let sql = format!(
                "select t, hashtextextended(t collate \"C\", {seed}) from generate_series(0, 600) n, \
                 lateral (values (repeat(chr(97 + n % 26), n % 50)), (n::text), ((n::int8 * 3037000499)::text), \
                 (md5(n::text)::uuid::text)) v (t)"
            );
            for row in session.rows(&sql).await.unwrap() {
                let [Some(text), Some(hash)] = row.as_slice() else { panic!("{row:?}") };
                let ours = hash_text_extended(text.as_bytes(), u64::from(seed)) as i64;
                assert_eq!(ours.to_string(), *hash, "{text:?} with {seed} on {}", install.version.text);
                seen += 1;
            }
        }
        assert_eq!(seen, 3 * 601 * 4);
        drop(session);
        cluster.stop().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_goes_by_a_sample_only_where_that_tells_as_much_of_its_rows() {
    let archive = dumped(TABLES, &["--load-via-partition-root"]).await;
    let parent = parent();
    let auto = Kept::restore_in(&archive, &own_install(), parent.path(), manner(CopyForm::Auto)).await;
    let tables = compared(&auto).await;
    let by = |state: State| -> Vec<&str> {
        tables.iter().filter(|(_, table)| table.state == state).map(|(name, _)| name.as_str()).collect()
    };
    assert!(!SAMPLE.holds(b"1"), "the one key of a table is not in the sample");
    assert_eq!(by(State::Sampled), ["keyed", "uuids"]);
    assert_eq!(by(State::Equal), ["converted", "keyless", "parts", "skewed", "small"]);
    for (name, all) in [("keyed", 30_000), ("uuids", 20_000)] {
        let table = &tables[name];
        let sampled = table.sampled.as_ref().unwrap();
        let share = sampled.stream.rows() as f64 / all as f64;
        assert!((0.19..0.21).contains(&share), "{share} of {name}");
        assert_eq!((table.stream.unwrap().rows(), sampled.restored_rows, table.restored), (all, all, None));
        assert_eq!((sampled.column.as_str(), sampled.stream), ("id", sampled.restored));
    }
    // Anybody can read the same rows again.
    let again = auto.psql(&format!("select count(*) from keyed where {}", SAMPLE.condition("id")));
    assert_eq!(again.trim(), tables["keyed"].sampled.as_ref().unwrap().stream.rows().to_string());
    auto.scratch.remove().await.unwrap();

    let text = Kept::restore_in(&archive, &own_install(), parent.path(), manner(CopyForm::Text)).await;
    let tables = compared(&text).await;
    assert_eq!(tables["converted"].state, State::Sampled, "it went in as text");
    assert_eq!(tables["small"].state, State::Equal);
    text.scratch.remove().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_in_the_sample_is_found_and_beside_it_only_what_changes_the_count() {
    let archive = dumped(TABLES, &[]).await;
    let parent = parent();
    let kept = Kept::restore_in(&archive, &own_install(), parent.path(), manner(CopyForm::Auto)).await;
    let server = kept.scratch.cluster().unwrap().connect("postgres").await.unwrap();
    server.run(&format!("create database whole template {DATABASE}")).await.unwrap();
    let (inside, beside) = (key(true), key(false));
    let damages = [
        (format!("update keyed set tags[1] = 'b' where id = {inside}"), State::Different),
        (format!("update keyed set tags[1] = 'b' where id = {beside}"), State::Sampled),
        (format!("update keyed set tags = null where id = {inside}"), State::Different),
        (format!("delete from keyed where id = {inside}"), State::Different),
        (format!("delete from keyed where id = {beside}"), State::Different),
        (
            format!("insert into keyed select note, -id, tags from keyed where id = {beside}"),
            State::Different,
        ),
        (format!("update keyed set id = -id where id = {inside}"), State::Different),
        (
            format!(
                "update keyed set tags = (select tags from keyed where id = {beside}) where id = {inside}"
            ),
            State::Different,
        ),
        ("truncate keyed".to_owned(), State::Different),
        ("alter table keyed drop column tags".to_owned(), State::NotComparable),
        ("drop table keyed".to_owned(), State::Missing),
    ];
    for (damage, state) in damages {
        kept.psql(&damage);
        let tables = compared(&kept).await;
        let table = &tables["keyed"];
        assert_eq!(table.state, state, "{damage}");
        assert_eq!(tables["uuids"].state, State::Sampled, "{damage}");
        // What differs was read whole, so that its rows can be told.
        assert_eq!(table.has_other_rows(), state == State::Different, "{damage}");
        assert_eq!(table.sampled.is_some(), state == State::Sampled, "{damage}");
        // The whole reading finds each of them.
        server.run(&format!("drop database {DATABASE}")).await.unwrap();
        server.run(&format!("create database {DATABASE} template whole")).await.unwrap();
    }
    kept.scratch.remove().await.unwrap();

    let kept = Kept::restore(&archive, &own_install(), parent.path()).await;
    assert!(compared(&kept).await.values().all(|table| table.state == State::Equal));
    kept.psql(&format!("update keyed set tags[1] = 'b' where id = {beside}"));
    assert_eq!(compared(&kept).await["keyed"].state, State::Different, "all rows are read by default");
    kept.scratch.remove().await.unwrap();
}

/// A database that damages itself where it is restored: refreshing a view changes a table.
fn damaged_by(update: &str) -> String {
    format!(
        "{TABLES}
         create function damage() returns int language plpgsql as $$ begin
            if current_database() <> 'source' then {update}; end if; return 1; end $$;
         create materialized view harmless as select damage() as n;"
    )
}

fn sampled(name: &str, archive: &[u8]) -> Service {
    Service::new(name, archive).vouched().table("proof", "read_back = 'sample 20%'")
}

fn assert_says_sample(record: &Record) {
    let fidelity = record.fidelity.as_ref().unwrap();
    let coverage = &fidelity.coverage;
    assert_eq!(fidelity.tables_sampled, 2, "{}", told(record));
    assert!(coverage.is_partial() && coverage.compared_bytes < coverage.total_bytes, "{coverage:?}");
    assert!(warnings(record).contains(&"ROWS_SAMPLED"), "{:?}", warnings(record));
    assert!(record.verdict.statement.contains("in a sample: "), "{}", record.verdict.statement);
    let asked = fidelity.sample.as_ref().unwrap();
    assert_eq!(asked.share_ppm, 200_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drill_by_a_sample_passes_as_one_and_finds_what_is_in_its_sample() {
    let intact = dumped(TABLES, &[]).await;
    let all_rows = dumped(&damaged_by("update public.keyed set tags[1] = 'b'"), &[]).await;
    let one_row = dumped(&damaged_by("update public.keyed set tags[1] = 'b' where id = 5000"), &[]).await;
    let ran = Yard::of([
        sampled("intact", &intact),
        sampled("all-rows", &all_rows),
        sampled("one-row", &one_row),
        Service::new("whole", &one_row).vouched(),
    ]);
    let ran = ran.run().await;

    let record = ran.of("intact");
    assert_eq!(record.verdict.result.0, Verdict::Pass, "{}", told(record));
    assert_says_sample(record);

    let record = ran.of("all-rows");
    assert_eq!(record.verdict.result.0, Verdict::Fail, "{}", told(record));
    assert_eq!(codes(record), [Code::DataMismatch], "{}", told(record));
    assert_eq!(record.fidelity.as_ref().unwrap().tables_different, 1);

    // The record tells which rows were in the sample, and so what it could find.
    let record = ran.of("one-row");
    let asked = record.fidelity.as_ref().unwrap().sample.clone().unwrap();
    let sample = Sample { seed: asked.seed as u32, share_ppm: asked.share_ppm as u32 };
    let keyed = record.fidelity.as_ref().unwrap().tables.iter().find(|table| table.name == "public.keyed");
    if sample.holds(b"5000") {
        assert_eq!(codes(record), [Code::DataMismatch], "{}", told(record));
        assert_eq!(keyed.unwrap().state, TableState::Different);
    } else {
        assert_eq!(record.verdict.result.0, Verdict::Pass, "{}", told(record));
        assert_eq!(keyed.unwrap().state, TableState::Sampled);
        assert_says_sample(record);
    }

    let record = ran.of("whole");
    assert_eq!(codes(record), [Code::DataMismatch], "{}", told(record));
    assert!(record.fidelity.as_ref().unwrap().sample.is_none());
}
