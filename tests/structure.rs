//! The pages of tables and indexes under `amcheck`: intact ones pass, and damaged ones turn the
//! verdict.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "what fails here fails the test")]

#[path = "support/database.rs"]
mod database;
#[path = "support/drill.rs"]
mod drill;
#[path = "support/postgres.rs"]
mod postgres;

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use firedrill::postgres::find_installs;
use firedrill::proof::{Structure, examine};
use firedrill::verdict::{Code, Verdict};

use crate::database::{Kept, Source, psql};
use crate::drill::{Service, Yard, codes, drilled, told, warnings};
use crate::postgres::{install, own_install, parent};

/// Rows that fill some pages, and indexes of two kinds over them.
const TABLES: &str = "
create table t (id int primary key, note text, tags int[]);
insert into t select g, md5(g::text), array[g % 7] from generate_series(1, 5000) g;
create index by_note on t (note);
create index by_tags on t using gin (tags);
create table wide (a text);
alter table wide alter a set storage external;
insert into wide select repeat(md5(g::text), 200) from generate_series(1, 20) g;
create table days (day date primary key) partition by range (day);
create table days_1 partition of days for values from ('2026-01-01') to ('2027-01-01');
insert into days select '2026-01-01'::date + g from generate_series(0, 300) g;
select lo_from_bytea(0, decode(repeat('c0ffee', 3000), 'hex'));
";

async fn dumped(script: &str) -> Vec<u8> {
    let place = parent();
    let source = Source::start(place.path()).await;
    source.create("pages", "", script).await;
    let dump = source.dump("pages", &[], &[]);
    source.cluster.stop().await.unwrap();
    dump
}

/// Puts a copy of the scratch database in its place, in which bytes of a relation's file are
/// overwritten: the server has read nothing of the copy yet, so it meets what lies on the disk.
fn damage(kept: &Kept, relation: &str, offset: u64, bytes: &[u8]) {
    let cluster = kept.scratch.cluster().unwrap();
    let run = |database: &str, script: &str| psql(&own_install(), cluster, database, script);
    run("postgres", "create database damaged template firedrill_scratch strategy file_copy");
    let path = run("damaged", &format!("select pg_relation_filepath('{relation}')"));
    let file = cluster.directory().join("data").join(path.trim());
    let file = fs::File::options().write(true).open(file).unwrap();
    file.write_all_at(bytes, offset).unwrap();
    file.sync_all().unwrap();
    run(
        "postgres",
        "alter database firedrill_scratch rename to intact; alter database damaged rename to firedrill_scratch",
    );
}

/// Puts the intact database back.
fn mend(kept: &Kept) {
    let script =
        "drop database firedrill_scratch with (force); alter database intact rename to firedrill_scratch";
    psql(&own_install(), kept.scratch.cluster().unwrap(), "postgres", script);
}

fn whole(found: &Structure) {
    assert_eq!(found.unavailable, None);
    assert!(found.damaged.is_empty() && found.unchecked.is_empty(), "{found:#?}");
    assert_eq!(found.heaps_checked, found.heaps_expected);
    assert_eq!(found.indexes_checked, found.indexes_expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_pages_of_tables_and_indexes_are_found_and_intact_ones_are_not() {
    let dump = dumped(TABLES).await;
    let place = parent();
    let kept = Kept::restore(&dump, &own_install(), place.path()).await;
    let intact = examine(&kept.scratch, true, 3).await.unwrap();
    whole(&intact);
    // t, wide, days_1, the two of large objects, and the overflow of t and wide.
    assert_eq!((intact.heaps_expected, intact.indexes_other, intact.jobs), (7, 1, 3), "{intact:#?}");
    assert!(intact.indexes_expected >= 7, "{intact:#?}");
    assert!(intact.version.is_some() && intact.took.as_millis() > 0);
    let left = kept.psql(
        "select count(*) from pg_extension where extname = 'amcheck' union all \
                          select count(*) from pg_namespace where nspname like 'firedrill%'",
    );
    assert_eq!(left.split_whitespace().collect::<Vec<_>>(), ["0", "0"], "nothing of it is left");

    let page = 8192;
    let damages: [(&str, &str, u64, &[u8], bool); 4] = [
        ("a line pointer of a table", "t", page + 24, &[0x01, 0x90, 0xc8, 0x00], false),
        ("the header of a table's page", "t", 2 * page, &[0xff; 24], false),
        ("the tuples of an index", "by_note", 3 * page + 6000, &[0x00; 1500], true),
        ("the header of an index's page", "t_pkey", page, &[0xee; 24], true),
    ];
    for (name, relation, offset, bytes, index) in damages {
        whole(&examine(&kept.scratch, true, 2).await.unwrap());
        damage(&kept, relation, offset, bytes);
        let found = examine(&kept.scratch, true, 2).await.unwrap();
        let hit =
            found.damaged.iter().find(|one| one.name == format!("public.{relation}") && one.index == index);
        assert!(hit.is_some_and(|hit| hit.faults > 0), "{name}: {found:#?}");
        assert_eq!(found.heaps_checked, found.heaps_expected, "{name}: damage is an answer");
        mend(&kept);
    }
    kept.scratch.remove().await.unwrap();
}

/// A row that an index should have and has not shows only where each row is looked for.
#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_its_index_lacks_is_found_where_the_plan_asks_for_that() {
    let dump = dumped("create table t (id int, note text); insert into t select g, md5(g::text) from generate_series(1, 2000) g; \
                       create index by_note on t (note);").await;
    let place = parent();
    let kept = Kept::restore(&dump, &own_install(), place.path()).await;
    whole(&examine(&kept.scratch, true, 1).await.unwrap());
    // The index is not kept up while it says that it is not ready.
    kept.psql(
        "update pg_index set indisready = false where indexrelid = 'by_note'::regclass; \
               insert into t values (0, 'unindexed'); \
               update pg_index set indisready = true where indexrelid = 'by_note'::regclass",
    );
    whole(&examine(&kept.scratch, false, 1).await.unwrap());
    let found = examine(&kept.scratch, true, 1).await.unwrap();
    let names: Vec<&str> = found.damaged.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["public.by_note"], "{found:#?}");
    assert_eq!(found.damaged[0].sqlstate.as_deref(), Some("XX001"));
    kept.scratch.remove().await.unwrap();
}

/// A copy of an install that has no amcheck; its files are shared.
fn without_amcheck(place: &Path) -> PathBuf {
    let part = install(17).bin.parent().unwrap().to_path_buf();
    let copy = place.join("postgres");
    let copied = Command::new("cp").arg("-a").arg(&part).arg(&copy).status().unwrap();
    assert!(copied.success());
    fs::remove_file(copy.join("share/postgresql/extension/amcheck.control")).unwrap();
    copy.join("bin")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_plan_asks_for_it_and_a_server_without_it_leaves_the_drill_inconclusive() {
    let dump = dumped(TABLES).await;
    let had = dumped(&format!("create extension amcheck; {TABLES}")).await;
    let place = parent();
    let lacking = find_installs(Some(&without_amcheck(place.path()))).remove(0);
    let service =
        |name: &str, dump: &[u8], lines: &str| Service::new(name, dump).vouched().table("proof", lines);
    let ran = drilled(vec![
        service("asked", &dump, "amcheck = true"),
        service("all", &dump, "amcheck = true\nheapallindexed = true").on(&install(18)),
        service("had", &had, "amcheck = true"),
        service("not", &dump, "amcheck = false"),
        service("lacking", &dump, "amcheck = true").on(&lacking),
    ])
    .await;
    for (name, all) in [("asked", false), ("all", true), ("had", false)] {
        let record = ran.of(name);
        assert_eq!(record.verdict.result.0, Verdict::Pass, "{}", told(record));
        let structure = record.structure.as_ref().unwrap();
        assert_eq!((structure.heap_all_indexed, structure.damaged_total), (all, 0));
        assert!(structure.heaps_checked >= 7 && structure.duration_ms.get() > 0);
        // It is a part of the proof, and of nothing that is called recovery.
        let proof = record.phases.iter().find(|phase| phase.name.0.as_str() == "proof").unwrap();
        assert!(proof.duration_ms >= structure.duration_ms);
        let shape = record.shape.as_ref().unwrap();
        let extensions = shape.classes.get("EXTENSION").map_or(0, |class| class.count);
        assert_eq!(extensions, u64::from(name == "had"), "ours is in no list: {shape:?}");
    }
    assert!(ran.of("not").structure.is_none());
    let record = ran.of("lacking");
    assert_eq!(record.verdict.result.0, Verdict::Inconclusive, "{}", told(record));
    assert_eq!(codes(record), [Code::StructureNotChecked]);
    assert!(record.verdict.reasons[0].remedy.contains("contrib"), "{}", told(record));
    assert!(!warnings(record).is_empty() && Yard::new().scratch().exists());
}
