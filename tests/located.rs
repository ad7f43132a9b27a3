//! A table that differs is narrowed to its rows: missing, extra or changed, by their keys' hashes.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "what fails here fails the test")]

#[path = "support/database.rs"]
mod database;
#[path = "support/postgres.rs"]
mod postgres;

use std::time::Instant;

use firedrill::event::Events;
use firedrill::proof::{Located, RowFault, State, compare, locate};
use firedrill::restore::DATABASE;
use sha2::{Digest, Sha256};

use crate::database::{Kept, Source, open};
use crate::postgres::{own_install, parent};

/// How many rows are missing, extra and changed, and whether those are all.
type Counts = (u64, u64, u64, bool);

/// What is done to a table with a key, what is counted of it, and rows that are named.
type Damage = (&'static str, Counts, &'static [(RowFault, &'static str)]);

/// Rows of each table; `FIREDRILL_TEST_ROWS` gives another number.
fn rows() -> u64 {
    std::env::var("FIREDRILL_TEST_ROWS").ok().and_then(|rows| rows.parse().ok()).unwrap_or(200_000)
}

/// What was located in the one table that differs.
async fn located(kept: &Kept, archive: &[u8], table: &str) -> Located {
    let toc = kept.restored.toc.clone();
    let tables = compare(&toc, &kept.restored, None, &kept.scratch, 2, &Events::silent()).await.unwrap();
    let different: Vec<&str> =
        tables.iter().filter(|it| it.state != State::Equal).map(|it| it.name.as_str()).collect();
    assert_eq!(different, [table]);
    let (_folder, opened) = open(archive).await;
    let began = Instant::now();
    let mut all = locate(&kept.restored, &tables, &kept.scratch, opened, "run").await.unwrap();
    println!("{table}: located in {:?}", began.elapsed());
    assert_eq!(all.len(), 1);
    all.remove(table).unwrap()
}

fn key(text: &str) -> String {
    hex::encode(&Sha256::digest(format!("run\n{text}"))[..12])
}

fn count(missing: u64, extra: u64, changed: u64) -> Counts {
    (missing, extra, changed, true)
}

fn counts(located: &Located) -> Counts {
    (located.missing, located.extra, located.changed, located.whole)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_of_damage_is_narrowed_to_its_rows() {
    let parent = parent();
    let source = Source::start(parent.path()).await;
    let script = format!(
        "create table keyed (id int, part text, a text, b text, n numeric, primary key (id, part));
         insert into keyed select g, 'p' || g % 7, 'a' || g, case when g % 5 = 0 then null else 'b' || g end, g / 3.0
         from generate_series(1, {0}) g;
         create table bare (a text, n int);
         insert into bare select 'a' || g / 2, g / 2 from generate_series(1, {0}) g;",
        rows()
    );
    source.create("large", "", &script).await;
    let archive = source.dump("large", &[], &[]);
    source.cluster.stop().await.unwrap();
    let kept = Kept::restore(&archive, &own_install(), parent.path()).await;
    let server = kept.scratch.cluster().unwrap().connect("postgres").await.unwrap();
    server.run(&format!("create database whole template {DATABASE}")).await.unwrap();
    let keyed: &[Damage] = &[
        ("delete from keyed where id = 777", count(1, 0, 0), &[(RowFault::Missing, "777\tp0")]),
        ("update keyed set n = n + 1 where id = 4242", count(0, 0, 1), &[(RowFault::Changed, "4242\tp0")]),
        (
            "update keyed set a = b, b = a where id in (11, 12)",
            count(0, 0, 2),
            &[(RowFault::Changed, "11\tp4")],
        ),
        ("update keyed set b = '' where id = 15", count(0, 0, 1), &[(RowFault::Changed, "15\tp1")]),
        (
            "insert into keyed select id, 'more', a, b, n from keyed where id = 9",
            count(0, 1, 0),
            &[(RowFault::Extra, "9\tmore")],
        ),
        (
            "update keyed set id = -1 where id = 3",
            count(1, 1, 0),
            &[(RowFault::Missing, "3\tp3"), (RowFault::Extra, "-1\tp3")],
        ),
        ("update keyed set b = 'x' where id <= 2000", count(0, 0, 2000), &[]),
    ];
    for (damage, expected, named) in keyed {
        kept.psql(damage);
        let told = located(&kept, &archive, "public.keyed").await;
        assert_eq!(counts(&told), *expected, "{damage}");
        for (fault, text) in *named {
            assert!(told.rows.contains(&(*fault, key(text))), "{damage}: {:?}", told.rows);
        }
        assert!(told.rows.len() <= 20);
        server.run(&format!("drop database {DATABASE}")).await.unwrap();
        server.run(&format!("create database {DATABASE} template whole")).await.unwrap();
    }
    let bare: &[(&str, Counts)] = &[
        ("insert into bare select * from bare where n = 5", count(0, 2, 0)),
        ("delete from bare where n = 5; insert into bare values ('a5', 6)", count(2, 1, 0)),
        ("update bare set a = ''", (0, 0, 0, false)),
    ];
    for (damage, expected) in bare {
        kept.psql(damage);
        let told = located(&kept, &archive, "public.bare").await;
        if expected.3 {
            assert_eq!(counts(&told), *expected, "{damage}");
        } else {
            assert!(!told.whole, "{damage}");
        }
        server.run(&format!("drop database {DATABASE}")).await.unwrap();
        server.run(&format!("create database {DATABASE} template whole")).await.unwrap();
    }
    kept.scratch.remove().await.unwrap();
}
