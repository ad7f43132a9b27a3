//! Two restores of one archive, ours and pg_restore's, give the same database: the same schema
//! by pg_dump's own words, and the same rows by the server's own hash.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "what fails here fails the test")]

#[path = "support/database.rs"]
mod database;
#[path = "support/postgres.rs"]
mod postgres;

use std::fs;
use std::path::Path;
use std::process::Command;

use firedrill::restore::DATABASE;

use crate::database::{Kept, Source, said};
use crate::postgres::{own_install, parent};

const SHOP: &str = include_str!("../src/cli/demo/shop.sql");
const ROLES: &str = include_str!("../fixtures/differential/roles.sql");
const RICH: &str = include_str!("../fixtures/differential/rich.sql");

/// Entries that a drill leaves out, as `pg_restore -l` names them.
const LEFT_OUT: [&str; 3] = [" PUBLICATION ", " SUBSCRIPTION ", " EVENT TRIGGER "];

/// Everything that a schema-only dump does not hold: rows, values of sequences, large objects,
/// and what is filled. One line for each thing. The values of an enum hash by their OIDs, so
/// which rows are in which partition by the hash of one is the server's own affair.
const CONTENT: &str = r#"
set search_path = ''; set timezone = 'UTC'; set bytea_output = 'hex'; set extra_float_digits = 3;
select format($$select %L, count(*), md5(string_agg(md5(t::text), '' order by md5(t::text))) from %s %s t$$,
    c.oid::regclass, case when c.relkind = 'r' then 'only' end, c.oid::regclass)
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname !~ '^pg_' and n.nspname <> 'information_schema' and c.relname !~ '^by_enum_'
  and (c.relkind in ('r', 'p') or c.relkind = 'm' and c.relispopulated)
order by c.oid::regclass::text collate pg_catalog."C" \gexec
select format($$select %L, last_value, is_called from %s$$, c.oid::regclass, c.oid::regclass)
from pg_class c where c.relkind = 'S' order by c.oid::regclass::text collate pg_catalog."C" \gexec
select m.oid, md5(lo_get(m.oid)), m.lomowner::regrole, m.lomacl, obj_description(m.oid, 'pg_largeobject')
from pg_largeobject_metadata m order by m.oid;
select c.oid::regclass::text collate pg_catalog."C", c.relkind, c.relpersistence, c.relispopulated
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname !~ '^pg_' and n.nspname <> 'information_schema' order by 1;
select i.indexrelid::regclass::text collate pg_catalog."C", i.indisvalid, i.indisready, i.indisclustered, i.indisreplident
from pg_index i join pg_class c on c.oid = i.indexrelid join pg_namespace n on n.oid = c.relnamespace
where n.nspname !~ '^pg_' order by 1;
select e.extname, e.extversion, e.extnamespace::regnamespace from pg_extension e order by 1;
"#;

/// What a database is made of.
struct Database {
    /// What pg_dump says of its schema.
    schema: String,
    /// What the server says of its content.
    content: String,
}

/// A schema-only dump without the key that pg_dump draws at random.
fn schema(mut pg_dump: Command, database: &str) -> String {
    let text = String::from_utf8(said(pg_dump.args(["--schema-only", database]))).unwrap();
    text.lines().filter(|line| !is_restrict(line)).map(|line| format!("{line}\n")).collect()
}

fn is_restrict(line: &str) -> bool {
    line.starts_with("\\restrict ") || line.starts_with("\\unrestrict ")
}

/// As firedrill restores it.
async fn by_firedrill(archive: &[u8], parent: &Path) -> Database {
    let kept = Kept::restore(archive, &own_install(), parent).await;
    assert!(kept.restored.failures.is_empty(), "{:#?}", kept.restored.failures);
    let database = Database { schema: schema(kept.client("pg_dump"), DATABASE), content: kept.psql(CONTENT) };
    kept.scratch.remove().await.unwrap();
    database
}

/// As pg_restore does, less the entries that a drill leaves out.
async fn by_pg_restore(archive: &[u8], create: &str, roles: &str, parent: &Path) -> Database {
    let server = Source::start(parent).await;
    server.create(DATABASE, create, roles).await;
    let folder = tempfile::tempdir().unwrap();
    let (file, list) = (folder.path().join("backup.dump"), folder.path().join("list"));
    fs::write(&file, archive).unwrap();
    let entries = String::from_utf8(said(server.client("pg_restore").arg("-l").arg(&file))).unwrap();
    let kept = entries.lines().filter(|line| !LEFT_OUT.iter().any(|kind| line.contains(kind)));
    fs::write(&list, kept.map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    let mut command = server.client("pg_restore");
    said(command.args(["--exit-on-error", "-d", DATABASE, "-L"]).arg(&list).arg(&file));
    let database = Database {
        schema: schema(server.client("pg_dump"), DATABASE),
        content: server.psql(DATABASE, CONTENT),
    };
    server.cluster.stop().await.unwrap();
    database
}

fn assert_same(what: &str, ours: &str, theirs: &str) {
    if ours == theirs {
        return;
    }
    let (ours, theirs): (Vec<&str>, Vec<&str>) = (ours.lines().collect(), theirs.lines().collect());
    let only = |of: &[&str], other: &[&str]| -> Vec<String> {
        of.iter().filter(|line| !other.contains(line)).take(20).map(|line| (*line).to_owned()).collect()
    };
    panic!(
        "{what} differs\nonly in the first: {:#?}\nonly in the second: {:#?}\n(or in their order)",
        only(&ours, &theirs),
        only(&theirs, &ours)
    );
}

/// Takes backups of a database, and restores them in each way.
async fn compare(script: &str, create: &str, roles: &str) {
    let parent = parent();
    let source = Source::start(parent.path()).await;
    source.create("source", create, roles).await;
    source.psql("source", script);
    let at_source = source.psql("source", CONTENT);
    let written = source.dump("source", &[], &[]);
    let (piped, tar) = (source.dump_piped("source", &["-Z0"]), source.dump_tar("source"));
    let scripts = ["--create", "--inserts"].map(|option| source.dump_plain("source", &["-C", option]));
    source.cluster.stop().await.unwrap();

    let theirs = by_pg_restore(&written, create, roles, parent.path()).await;
    assert!(theirs.schema.lines().count() > 100 && theirs.content.lines().count() > 20);
    assert_same("the content at the source", &theirs.content, &at_source);
    for (name, archive) in [
        ("written", &written),
        ("piped", &piped),
        ("packed", &tar),
        ("a script", &scripts[0]),
        ("a script of INSERTs", &scripts[1]),
    ] {
        let ours = by_firedrill(archive, parent.path()).await;
        assert_same(&format!("the schema of the archive that was {name}"), &ours.schema, &theirs.schema);
        assert_same(&format!("the content of the archive that was {name}"), &ours.content, &theirs.content);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shop_of_the_demonstration_comes_back_as_pg_restore_brings_it_back() {
    compare(SHOP, "encoding 'UTF8' lc_collate 'C' lc_ctype 'C'", "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_of_everything_comes_back_as_pg_restore_brings_it_back() {
    compare(RICH, "encoding 'UTF8' lc_collate 'C.UTF-8' lc_ctype 'C.UTF-8'", ROLES).await;
}

/// A trigger of a partitioned table that changes every row that it sees, and partitions whose
/// rows take a while to arrive: pg_dump lets the trigger come before the last of them.
const REWRITTEN: &str = "
create table measured (id int, v int, at date, noise text) partition by range (at);
create table measured_1 partition of measured for values from ('2024-01-01') to ('2025-01-01');
create table measured_2 partition of measured for values from ('2025-01-01') to ('2026-01-01');
create table measured_3 partition of measured default partition by list (v);
create table measured_4 partition of measured_3 default;
insert into measured select g, g % 1000, date '2024-01-01' + 366 * (g % 3), md5(g::text) || md5((-g)::text)
from generate_series(1, 90000) g;
create function rewrite() returns trigger language plpgsql as $$ begin new.v := -1; return new; end $$;
create trigger rewrites before insert on measured for each row execute function rewrite();
create trigger rewrites_below before insert on measured_3 for each row execute function rewrite();
create unique index on measured (id, at, v);
";

#[tokio::test(flavor = "multi_thread")]
async fn no_trigger_of_a_partitioned_table_sees_the_rows_of_a_restore() {
    const RUNS: usize = 20;
    let parent = parent();
    let source = Source::start(parent.path()).await;
    source.create("source", "", REWRITTEN).await;
    let archives = [source.dump("source", &[], &[]), source.dump_piped("source", &[])];
    let sums = "select count(*), sum(v), min(v) from measured";
    let expected = source.psql("source", sums);
    assert_eq!(expected.trim(), "90000|44955000|0");
    source.cluster.stop().await.unwrap();
    let mut kept = Kept::restore(&archives[0], &own_install(), parent.path()).await;
    for run in 1..=RUNS {
        assert_eq!(kept.psql(sums), expected, "run {run}");
        assert!(kept.restored.failures.is_empty(), "{:#?}", kept.restored.failures);
        kept.restore_again(&archives[run % 2]).await;
    }
    // The triggers are there, and see what comes afterwards.
    assert_eq!(kept.psql("insert into measured values (0, 5, '2031-01-01', '') returning v").trim(), "-1");
    kept.scratch.remove().await.unwrap();
}
