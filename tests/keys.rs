//! Keys whose indexes are built beside other indexes of their tables: they come back as if each
//! had been made in one piece, and what is wrong with them is told as it was then.
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
use crate::postgres::{installs, own_install, parent};

/// Keys of every kind, on tables on which more than that is built.
const KEYS: &str = r#"
create schema "S p";
create table customer (id int primary key, mail text unique, name text, born date);
create index on customer (name);
create index on customer (born);
create table orders (id int primary key, customer int references customer, mail text references customer (mail));
create index on orders (customer);
create table "S p"."T ""t" ("A, b" int, "select" text, primary key ("A, b", "select"));
alter table "S p"."T ""t" add constraint "U (k)" unique ("select");
create table odd (a int, b int, c int, d int, e int unique deferrable initially deferred,
    constraint odd_at_once unique (a), constraint odd_with unique (b) with (fillfactor = 70),
    constraint odd_more unique (c) include (d), constraint odd_nulls unique nulls not distinct (d));
comment on constraint odd_at_once on odd is 'a comment';
create index on odd (d);
create table clustered (id int primary key, a int not null unique, b int not null unique);
alter table clustered cluster on clustered_a_key;
alter table clustered replica identity using index clustered_b_key;
create table alone (id int primary key);
create table ancestor (id int primary key, a int unique);
create table heir (primary key (id), unique (a)) inherits (ancestor);
create table parted (id int, at date, a int, primary key (id, at), unique (at, a)) partition by range (at);
create table parted_1 partition of parted for values from ('2024-01-01') to ('2025-01-01');
create table parted_2 partition of parted for values from ('2025-01-01') to ('2026-01-01')
    partition by range (at);
create table parted_2_1 partition of parted_2 default;
create index on parted (a);
alter table parted_1 add constraint parted_1_own unique (id);
create table refers (id int, at date, foreign key (id, at) references parted);
insert into customer select g, g || '@example.com', 'n' || g % 7, date '2000-01-01' + g from generate_series(1, 3000) g;
insert into orders select g, g % 3000 + 1, g % 3000 + 1 || '@example.com' from generate_series(1, 5000) g;
insert into "S p"."T ""t" select g, 's' || g from generate_series(1, 100) g;
insert into odd select g, g, g, g, g from generate_series(1, 100) g;
insert into clustered select g, g, g from generate_series(1, 100) g;
insert into parted select g, date '2024-01-01' + g, g from generate_series(1, 700) g;
insert into refers select id, at from parted;
"#;

/// Everything about a key that a dump does not tell.
const CATALOGUE: &str = r#"
select c.conrelid::regclass, c.conname, c.contype, c.condeferrable, c.condeferred, c.convalidated,
    c.conislocal, c.coninhcount, c.connoinherit, c.conkey, pg_get_constraintdef(c.oid),
    p.conname, r.relname, r.relnamespace::regnamespace, r.relowner::regrole, r.reltablespace, r.relam, r.relpersistence,
    r.relispartition, r.reloptions, r.reltuples, i.indisunique, i.indisprimary, i.indimmediate, i.indisvalid,
    i.indisready, i.indislive, i.indisclustered, i.indisreplident, i.indkey, i.indcollation, i.indclass, i.indoption,
    (select string_agg(format('%s %s %s', d.deptype, d.refobjsubid, d.refclassid::regclass), ', '
            order by d.refclassid, d.refobjsubid, d.deptype)
        from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = r.oid),
    (select string_agg(format('%s %s %s', d.deptype, d.refobjsubid, d.refclassid::regclass), ', '
            order by d.refclassid, d.refobjsubid, d.deptype)
        from pg_depend d where d.classid = 'pg_constraint'::regclass and d.objid = c.oid)
from pg_constraint c left join pg_class r on r.oid = c.conindid left join pg_index i on i.indexrelid = r.oid
    left join pg_constraint p on p.oid = c.conparentid
where c.conrelid >= 16384 order by c.conrelid::regclass::text collate "C", c.conname collate "C";
select attrelid::regclass, attname, attnotnull from pg_attribute
where attrelid >= 16384 and attnum > 0 and attrelid::regclass::text not like 'pg_toast.%'
order by attrelid::regclass::text collate "C", attnum
"#;

/// The keys that were made behind the transaction in which their index was. Where an index is
/// attached to that of a partitioned table, both are written anew together.
const IN_TWO_STEPS: &str = r#"
select c.conname from pg_constraint c join pg_class r on r.oid = c.conindid
where c.contype in ('p', 'u') and r.relkind = 'i' and c.xmin <> r.xmin and c.conrelid >= 16384
order by c.conname collate "C"
"#;

/// Those of them that there must be.
const SPLIT: [&str; 11] = [
    "T \"t_pkey",
    "U (k)",
    "ancestor_a_key",
    "ancestor_pkey",
    "clustered_pkey",
    "customer_mail_key",
    "customer_pkey",
    "heir_a_key",
    "odd_at_once",
    "orders_pkey",
    "parted_1_own",
];

/// A schema-only dump without the key that pg_dump draws at random.
fn schema(mut pg_dump: Command, database: &str) -> String {
    let text = String::from_utf8(said(pg_dump.args(["--schema-only", database]))).unwrap();
    text.lines().filter(|line| !line.contains("restrict ")).map(|line| format!("{line}\n")).collect()
}

/// A client program of the machine's own server, pointed at another: no part has them.
fn client(kept: &Kept, program: &str) -> Command {
    database::client(&own_install(), program, kept.scratch.cluster().unwrap())
}

/// The archive as pg_restore brings it back, in another database of the server.
fn by_pg_restore(kept: &Kept, archive: &[u8], parent: &Path) -> String {
    let file = parent.join("backup.dump");
    fs::write(&file, archive).unwrap();
    said(client(kept, "createdb").args(["-T", "template0", "theirs"]));
    said(client(kept, "pg_restore").args(["--exit-on-error", "-d", "theirs"]).arg(&file));
    ask(kept, "theirs", CATALOGUE)
}

fn ask(kept: &Kept, database: &str, query: &str) -> String {
    let mut psql = client(kept, "psql");
    String::from_utf8(said(psql.args(["-X", "-q", "-A", "-t", "-d", database, "-c", query]))).unwrap()
}

fn assert_same(what: &str, ours: &str, theirs: &str) {
    let only = |of: &str, other: &str| -> Vec<String> {
        of.lines().filter(|line| !other.lines().any(|it| it == *line)).map(str::to_owned).collect()
    };
    let (more, less) = (only(ours, theirs), only(theirs, ours));
    assert!(ours == theirs, "{what}: only ours: {more:#?}\nonly theirs: {less:#?}\n(or in their order)");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_come_back_as_if_they_were_made_in_one_piece() {
    let parent = parent();
    let source = Source::start(parent.path()).await;
    source.create("source", "", KEYS).await;
    let archives = [source.dump("source", &[], &[]), source.dump_plain("source", &["-C"])];
    let at_source = schema(source.client("pg_dump"), "source");
    let major = source.install().version.major;
    source.cluster.stop().await.unwrap();

    let newer = installs().into_iter().filter(|install| install.version.major > major);
    for install in newer.chain([own_install()]) {
        let of = format!("PostgreSQL {}", install.version.major);
        let mut kept = Kept::restore(&archives[0], &install, parent.path()).await;
        let theirs = by_pg_restore(&kept, &archives[0], parent.path());
        for archive in &archives {
            kept.restore_again(archive).await;
            assert!(kept.restored.failures.is_empty(), "{of}: {:#?}", kept.restored.failures);
            assert_same(&of, &ask(&kept, DATABASE, CATALOGUE), &theirs);
            if install.version.major == major {
                let ours = schema(kept.client("pg_dump"), DATABASE);
                assert_same("the source", &ours, &at_source);
            }
            let found = ask(&kept, DATABASE, IN_TWO_STEPS);
            assert_eq!(found.lines().collect::<Vec<_>>(), SPLIT, "{of}");
        }
        kept.scratch.remove().await.unwrap();
    }
}

/// What a source can only hold whose catalogue was written over, or whose index is broken.
#[tokio::test(flavor = "multi_thread")]
async fn rows_that_break_a_key_are_told_and_nothing_is_left_of_it() {
    const SHOP: &str = "
        create table customer (id int primary key, name text);
        create index by_name on customer (name);
        create table orders (id int primary key, customer int references customer);
        insert into customer select g, 'n' || g from generate_series(1, 1000) g;";
    let twice = "
        update pg_index set indisready = false where indexrelid = 'customer_pkey'::regclass;
        insert into customer values (7, 'again');
        update pg_index set indisready = true where indexrelid = 'customer_pkey'::regclass;";
    let without = "
        update pg_attribute set attnotnull = false
        where attrelid = 'customer'::regclass and attname = 'id';
        insert into customer values (null, 'nobody');";
    let parent = parent();
    let source = Source::start(parent.path()).await;
    source.create("intact", "", SHOP).await;
    source.create("twice", "", &[SHOP, twice].concat()).await;
    source.create("without", "", &[SHOP, without].concat()).await;
    let archives = |name: &str| [source.dump(name, &[], &[]), source.dump_plain(name, &["-C"])];
    let cases = [
        ("intact", archives("intact"), None),
        ("twice", archives("twice"), Some("23505")),
        ("without", archives("without"), Some("23502")),
    ];
    source.cluster.stop().await.unwrap();
    let mut kept = Kept::restore(&cases[0].1[0], &own_install(), parent.path()).await;
    for (name, archives, expected) in cases {
        for archive in archives {
            kept.restore_again(&archive).await;
            let failures: Vec<_> = kept.restored.failures.iter().collect();
            let found: Vec<_> =
                failures.iter().map(|failure| (failure.kind.as_str(), failure.sqlstate.as_deref())).collect();
            // A reference to a key that is not there can't be made either.
            let told = expected.map(|_| [("CONSTRAINT", expected), ("FK CONSTRAINT", Some("42830"))]);
            assert_eq!(found, told.into_iter().flatten().collect::<Vec<_>>(), "{name}: {failures:#?}");
            let indexes = "select indexrelid::regclass::text collate \"C\" from pg_index \
                           where indrelid = 'customer'::regclass order by 1";
            let left = if expected.is_some() { "by_name\n" } else { "by_name\ncustomer_pkey\n" };
            assert_eq!(kept.psql(indexes), left, "{name}");
        }
    }
    kept.scratch.remove().await.unwrap();
}
