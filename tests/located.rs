//! A table that differs is narrowed to its rows: missing, extra or changed, by their keys' hashes.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "what fails here fails the test")]

#[path = "support/command.rs"]
mod command;
#[path = "support/database.rs"]
mod database;
#[path = "support/postgres.rs"]
mod postgres;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read;
use std::process::Stdio;
use std::time::Instant;

use firedrill::event::Events;
use firedrill::proof::{Located, Narrowed, NotNarrowed, RowFault, Search, State, compare, locate};
use firedrill::restore::{Archive, DATABASE};
use nix::pty::openpty;
use sha2::{Digest, Sha256};

use crate::command::Home;
use crate::database::{Kept, Source, open, open_directory, said};
use crate::postgres::{own_install, parent};

/// How many rows are missing, extra and changed, and whether those are all.
type Counts = (u64, u64, u64, bool);

/// What is done to a table with a key, what is counted of it, and rows that are named.
type Damage = (&'static str, Counts, &'static [(RowFault, &'static str)]);

/// Rows of each table; `FIREDRILL_TEST_ROWS` gives another number.
fn rows() -> u64 {
    std::env::var("FIREDRILL_TEST_ROWS").ok().and_then(|rows| rows.parse().ok()).unwrap_or(200_000)
}

/// What was narrowed down in the tables that differ.
async fn narrowed(kept: &Kept, archive: Archive) -> Narrowed {
    let toc = kept.restored.toc.clone();
    let tables = compare(&toc, &kept.restored, None, &kept.scratch, 2, &Events::silent()).await.unwrap();
    let different: Vec<&str> =
        tables.iter().filter(|it| it.state != State::Equal).map(|it| it.name.as_str()).collect();
    let began = Instant::now();
    let search = Search { salt: "run", reveal: true };
    let narrowed = locate(&kept.restored, &tables, &kept.scratch, archive, search).await.unwrap();
    println!("{different:?}: located in {:?}", began.elapsed());
    assert_eq!(narrowed.tables.keys().collect::<Vec<_>>(), different);
    narrowed
}

/// What was located in the one table that differs.
async fn located(kept: &Kept, archive: &[u8], table: &str) -> Located {
    let (_folder, opened) = open(archive).await;
    let mut narrowed = narrowed(kept, opened.into()).await;
    assert_eq!(narrowed.tables.len(), 1);
    narrowed.tables.remove(table).unwrap().unwrap()
}

/// The sums over all tables, and every row that is named by its key.
fn summed(narrowed: &Narrowed) -> (Counts, BTreeSet<(RowFault, &str)>) {
    let add = |sum: Counts, one: &Result<Located, NotNarrowed>| {
        let one = one.as_ref().unwrap();
        (sum.0 + one.missing, sum.1 + one.extra, sum.2 + one.changed, sum.3 && one.whole)
    };
    let rows = narrowed.revealed.iter().flat_map(|table| &table.rows);
    let named = rows.map(|(fault, key)| (*fault, key.as_deref().unwrap())).collect();
    (narrowed.tables.values().fold((0, 0, 0, true), add), named)
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

/// One deleted, one digit changed, two columns swapped, NULL to nothing, one more under another key.
const FIVE: &str = "
    delete from narrow where id = 77;
    update narrow set a = a + 1 where id = 4242;
    update narrow set a = b, b = a where id = 5001;
    update narrow set c = '' where id = 600;
    insert into narrow select id + 1000000000, a, b, c from narrow where id = 9;";

/// With `FIREDRILL_TEST_ROWS=10000000` this is the table of ten million rows.
#[tokio::test(flavor = "multi_thread")]
async fn five_rows_of_a_narrow_table_of_any_length_are_named() {
    let parent = parent();
    let source = Source::start(parent.path()).await;
    let script = format!(
        "create table narrow (id bigint primary key, a int, b int, c text);
         insert into narrow select g, g % 1000, g % 777, case when g % 10 > 0 then 'c' || g % 100 end
         from generate_series(1, {}) g;",
        rows()
    );
    source.create("narrow", "", &script).await;
    let archive = source.dump("narrow", &[], &[]);
    source.cluster.stop().await.unwrap();
    let kept = Kept::restore(&archive, &own_install(), parent.path()).await;
    let whole = narrowed(&kept, open(&archive).await.1.into()).await;
    assert!(whole.tables.is_empty());
    kept.psql(FIVE);
    let (_folder, opened) = open(&archive).await;
    let narrowed = narrowed(&kept, opened.into()).await;
    let named = [
        (RowFault::Missing, "77"),
        (RowFault::Changed, "4242"),
        (RowFault::Changed, "5001"),
        (RowFault::Changed, "600"),
        (RowFault::Extra, "1000000009"),
    ];
    assert_eq!(summed(&narrowed), ((1, 1, 3, true), named.into()));
    kept.scratch.remove().await.unwrap();
}

/// Tables with a key: one alone, and one of partitions that do not agree on the order of columns.
const KEYED: &str = "
    create table keyed (id int primary key, a text, twice int generated always as (id * 2) stored, b text);
    insert into keyed (id, a, b) select g, E'a\t''\\\\' || g, case when g % 5 > 0 then 'b' || g end
    from generate_series(1, 3000) g;
    create table parts (id int, a text, b text, primary key (id)) partition by range (id);
    create table parts_1 partition of parts for values from (0) to (1500);
    create table parts_2 (b text, id int not null, a text);
    alter table parts attach partition parts_2 for values from (1500) to (5000);
    insert into parts select g, 'a' || g, 'b' || g from generate_series(1, 3000) g;";

const KEYED_DAMAGE: &str = "
    delete from keyed where id = 7;
    update keyed set b = 'x' where id = 5;
    delete from parts where id = 17;
    update parts set b = a, a = b where id = 2000;
    insert into parts values (4000, 'a', 'b');";

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_narrowed_in_archives_of_every_kind() {
    let parent = parent();
    let source = Source::start(parent.path()).await;
    source.create("keyed", "", KEYED).await;
    let root = "--load-via-partition-root";
    let streams = [
        ("custom", source.dump("keyed", &[], &[])),
        ("without positions", source.dump_piped("keyed", &[])),
        ("inserts", source.dump("keyed", &["--inserts"], &[])),
        ("through the root", source.dump("keyed", &[root], &[])),
        ("inserts through the root", source.dump("keyed", &["--rows-per-insert=7", root], &[])),
        ("tar", source.dump_tar("keyed")),
        ("plain", source.dump_plain("keyed", &[])),
        ("plain inserts", source.dump_plain("keyed", &["--rows-per-insert=50"])),
        ("plain named inserts through the root", source.dump_plain("keyed", &["--column-inserts", root])),
    ];
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("night");
    said(source.client("pg_dump").args(["-Fd", "-j2", "-f"]).arg(&directory).arg("keyed"));
    source.cluster.stop().await.unwrap();
    let mut kept = Kept::restore(&streams[0].1, &own_install(), parent.path()).await;
    let named = [
        (RowFault::Missing, "7"),
        (RowFault::Changed, "5"),
        (RowFault::Missing, "17"),
        (RowFault::Changed, "2000"),
        (RowFault::Extra, "4000"),
    ];
    for (name, archive) in &streams {
        kept.restore_again(archive).await;
        let whole = narrowed(&kept, open(archive).await.1.into()).await;
        assert!(whole.tables.is_empty(), "{name}: {whole:?}");
        kept.psql(KEYED_DAMAGE);
        let (_folder, opened) = open(archive).await;
        let narrowed = narrowed(&kept, opened.into()).await;
        assert_eq!(summed(&narrowed), ((2, 1, 2, true), named.into()), "{name}");
    }
    kept.restore_opened(open_directory(folder.path(), "night").await).await;
    kept.psql(KEYED_DAMAGE);
    let narrowed = narrowed(&kept, open_directory(folder.path(), "night").await).await;
    assert_eq!(summed(&narrowed), ((2, 1, 2, true), named.into()), "directory");
    kept.scratch.remove().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_tables_the_first_are_looked_into_and_the_others_named() {
    let parent = parent();
    let source = Source::start(parent.path()).await;
    let tables = |sql: &str| (10..30).map(|nr| sql.replace('#', &nr.to_string())).collect::<String>();
    source.create("many", "", &tables("create table t# as select # as n;")).await;
    let archive = source.dump("many", &[], &[]);
    source.cluster.stop().await.unwrap();
    let kept = Kept::restore(&archive, &own_install(), parent.path()).await;
    kept.psql(&tables("insert into t# values (1);"));
    let (_folder, opened) = open(&archive).await;
    let narrowed = narrowed(&kept, opened.into()).await;
    let told = |table: &str| narrowed.tables[table].as_ref().map(counts).map_err(|why| *why);
    assert_eq!(told("public.t10"), Ok((0, 1, 0, true)));
    assert_eq!(told("public.t25"), Ok((0, 1, 0, true)));
    assert_eq!(told("public.t26"), Err(NotNarrowed::TooManyTables));
    assert!(narrowed.revealed.iter().all(|table| table.columns.is_empty() && table.rows.is_empty()));
    kept.scratch.remove().await.unwrap();
}

/// An archive that holds a number as no server writes it, so that other rows come back than it
/// holds: one whose key is another, one with another value.
async fn archive_of_odd_numbers() -> Vec<u8> {
    let parent = parent();
    let source = Source::start(parent.path()).await;
    let script = "create table t (id int primary key, a int);
                  insert into t select 700000000 + g, 550000000 + g from generate_series(1, 500) g;";
    source.create("odd", "", script).await;
    let mut archive = source.dump("odd", &["-Z0"], &[]);
    source.cluster.stop().await.unwrap();
    for (written, instead) in [("700000123\t", "000000123\t"), ("\t550000321\n", "\t050000321\n")] {
        let at = archive.windows(written.len()).position(|bytes| bytes == written.as_bytes()).unwrap();
        archive[at..at + instead.len()].copy_from_slice(instead.as_bytes());
    }
    archive
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_shown_on_a_terminal_alone_and_only_on_request() {
    const KEYS: [&str; 2] = ["000000123", "700000321"];
    let home = Home::new();
    let archive = archive_of_odd_numbers().await;
    fs::create_dir(home.path().join("store")).unwrap();
    fs::write(home.path().join("store/backup.dump"), &archive).unwrap();
    let sum = format!("{}  backup.dump\n", hex::encode(Sha256::digest(&archive)));
    fs::write(home.path().join("store/backup.dump.sha256"), sum).unwrap();
    let store = home.path().join("store").display().to_string();
    home.plan(&format!(
        "[service.shop]\nchecks = 'content only'\n[service.shop.backup]\nlocation = 'file://{store}/'\n\
         pattern = 'backup.dump'\n[service.shop.scratch]\nisolation = 'best-effort'\nsettings = 'fast'\n\
         postgres.bin = '{}'\n",
        own_install().bin.display()
    ));
    let hides = |what: &str, bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes).into_owned();
        assert!(KEYS.iter().all(|key| !text.contains(key)), "{what} holds a key: {text}");
    };
    let refused = home.run(&["run", "--reveal-keys"], &[]).with(64);
    assert!(refused.stderr.contains("stderr is no terminal"), "{}", refused.stderr);
    assert!(!home.state().exists(), "a drill was begun");
    for (reveal, json) in [(false, true), (true, true), (true, false)] {
        let pty = openpty(None, None).unwrap();
        let mut command = home.command(&["run"]);
        command.args(reveal.then_some("--reveal-keys")).args(json.then_some("--json=events"));
        command.stdout(Stdio::piped()).stderr(Stdio::from(pty.slave));
        let child = command.spawn().unwrap();
        drop(command);
        let master = File::from(pty.master);
        // A terminal that nobody holds open any more ends with an error.
        let screen = std::thread::spawn(move || {
            let (mut master, mut seen, mut part) = (master, Vec::new(), [0; 4096]);
            while let Ok(read @ 1..) = master.read(&mut part) {
                seen.extend_from_slice(&part[..read]);
            }
            seen
        });
        let ended = child.wait_with_output().unwrap();
        let screen = screen.join().unwrap();
        assert_eq!(ended.status.code(), Some(1), "{}", String::from_utf8_lossy(&screen));
        hides("stdout", &ended.stdout);
        match reveal {
            false => hides("the terminal", &screen),
            true => {
                let text = String::from_utf8(screen).unwrap();
                for line in ["public.t (id)", "missing  000000123", "extra    123", "changed  700000321"] {
                    assert!(text.contains(line), "{line} is not in {text}");
                }
            }
        }
    }
    assert_eq!(home.evidence("shop").len(), 3);
    let kept = Home::everything_in(&home.state());
    kept.iter().for_each(|(path, bytes)| hides(&path.display().to_string(), bytes));
    assert_eq!(home.left_behind(), Vec::<std::path::PathBuf>::new());
    let table = &home.evidence("shop")[0]["fidelity"]["tables"][0];
    assert_eq!(table["located"]["changed"], 1, "{table}");
    assert_eq!(table["located"]["missing"], 1, "{table}");
}
