//! The objects of a restored database against those that the archive announces.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "what fails here fails the test")]

#[path = "support/database.rs"]
mod database;
#[path = "support/postgres.rs"]
mod postgres;

use firedrill::archive::{Toc, TocParser};
use firedrill::proof::compare_objects;
use firedrill::proof::inventory::{self, Class, Item};
use firedrill::restore::DATABASE;

use crate::database::{Kept, Source};
use crate::postgres::{installs, own_install, parent};

/// One object of each class.
const RICH: &str = include_str!("../fixtures/objects/rich.sql");

#[tokio::test(flavor = "multi_thread")]
async fn the_inventories_of_a_source_and_of_its_restored_copy_are_one() {
    let parent = parent();
    let source = Source::start(parent.path()).await;
    source.create("rich", "", RICH).await;
    let archive = source.dump("rich", &[], &[]);
    let session = source.cluster.connect("rich").await.unwrap();
    let expected = inventory::take(&session).await.unwrap();
    // A language without an extension has its handler in C, which no fixture can bring along.
    for class in Class::ALL.iter().filter(|class| **class != Class::Language) {
        assert!(expected.iter().any(|item| item.class == *class), "{}", class.as_str());
    }
    for install in installs() {
        let kept = Kept::restore(&archive, &install, parent.path()).await;
        let session = kept.scratch.connect().await.unwrap();
        let restored = inventory::take(&session).await.unwrap();
        let same_major = install.version.major == source.install().version.major;
        let part = |item: &Item| {
            let definition = same_major.then_some(item.definition);
            let Item { class, schema, name, state, owner, grants, commented, .. } = item.clone();
            (class, schema, name, state, definition, owner, grants, commented)
        };
        let left_out = |item: &&Item| !["EVENT TRIGGER", "PUBLICATION"].contains(&item.class.as_str());
        let [expected, restored] =
            [&expected, &restored].map(|items| items.iter().filter(left_out).map(part).collect::<Vec<_>>());
        let missing: Vec<_> = expected.iter().filter(|item| !restored.contains(item)).collect();
        let more: Vec<_> = restored.iter().filter(|item| !expected.contains(item)).collect();
        assert!(missing.is_empty() && more.is_empty(), "{}: {missing:#?} {more:#?}", install.version.text);
        kept.scratch.remove().await.unwrap();
    }
    source.cluster.stop().await.unwrap();
}

fn toc(archive: &[u8]) -> Toc {
    let mut parser = TocParser::new();
    parser.push(archive).unwrap();
    parser.finish_if_complete().unwrap().unwrap().0
}

/// What stands in the place of a difference: its class, its name, the words for it. A question
/// mark stands before what is a doubt.
async fn told(kept: &Kept, toc: &Toc) -> Vec<String> {
    let found = compare_objects(toc, &kept.restored, &kept.scratch).await.unwrap();
    let differs =
        found.classes.values().map(|tally| tally.compared - tally.equal - tally.doubtful).sum::<u64>();
    assert_eq!(differs, found.differences.len() as u64);
    let doubtful = found.classes.values().map(|tally| tally.doubtful).sum::<u64>();
    assert_eq!(doubtful, found.doubts.len() as u64);
    let one = |it: &firedrill::proof::Difference| format!("{} {} {}", it.class, it.name, it.fault.text());
    let doubts = found.doubts.iter().map(|it| format!("? {}", one(it)));
    found.differences.iter().map(one).chain(doubts).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_the_archive_announces_is_found_on_every_major() {
    let parent = parent();
    let source = Source::start(parent.path()).await;
    source.create("rich", "", RICH).await;
    let archive = source.dump("rich", &[], &[]);
    source.cluster.stop().await.unwrap();
    for install in installs() {
        let kept = Kept::restore(&archive, &install, parent.path()).await;
        let found = compare_objects(&toc(&archive), &kept.restored, &kept.scratch).await.unwrap();
        assert_eq!((found.differences, found.doubts), (vec![], vec![]), "{}", install.version.text);
        assert_eq!(found.definitions, install.version.major == own_install().version.major);
        for class in Class::ALL {
            let tally = found.classes.get(class.as_str()).copied().unwrap_or_default();
            let none = [Class::ColumnGrants, Class::EventTrigger, Class::Publication, Class::Language];
            assert_eq!(tally.compared == 0, none.contains(class), "{}", class.as_str());
            assert_eq!(tally.compared, tally.expected, "{}", class.as_str());
        }
        for class in ["ACL", "COMMENT"] {
            let tally = found.classes[class];
            assert!(tally.compared > 5 && tally.compared == tally.expected, "{class}: {tally:?}");
        }
        kept.scratch.remove().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_other_options_of_pg_dump_announce_is_found_too() {
    const ROLES: &str = include_str!("../fixtures/differential/roles.sql");
    const AWKWARD: &str = include_str!("../fixtures/differential/rich.sql");
    let dumps: &[&[&str]] = &[
        &[],
        &["--no-owner", "--no-comments"],
        &["--quote-all-identifiers", "--disable-dollar-quoting", "--disable-triggers"],
        &["--create", "--clean", "--if-exists"],
        &["-n", "\"Sch\"*", "-n", "public", "--quote-all-identifiers"],
    ];
    let parent = parent();
    let source = Source::start(parent.path()).await;
    source.create("rich", "encoding 'UTF8' lc_collate 'C.UTF-8' lc_ctype 'C.UTF-8'", ROLES).await;
    source.psql("rich", AWKWARD);
    for arguments in dumps {
        let archive = source.dump("rich", arguments, &[]);
        for install in installs() {
            let kept = Kept::restore(&archive, &install, parent.path()).await;
            let mut differences = told(&kept, &toc(&archive)).await;
            // Names inside of a literal are not known to be names: `nextval('"app"."s"')`.
            if arguments.contains(&"--quote-all-identifiers") {
                differences.retain(|line| !line.starts_with("? DEFAULT "));
            }
            assert_eq!(differences, [""; 0], "{arguments:?} {}", install.version.text);
            kept.scratch.remove().await.unwrap();
        }
    }
    source.cluster.stop().await.unwrap();
}

/// What is done to the restored database, and the difference that must be told.
const DAMAGES: &[(&str, &str)] = &[
    ("drop table app.part_1", "TABLE app.part_1 is missing"),
    ("alter table app.part detach partition app.part_1", "TABLE ATTACH app.part_1 is missing"),
    ("drop table \"T \"\"odd\"", "TABLE public.T \"odd is missing"),
    ("alter table app.orders drop column during cascade", "TABLE app.orders lacks its column 'during'"),
    (
        "alter table app.customer alter since drop not null",
        "? TABLE app.customer may have another column in the place of 'since'",
    ),
    ("alter table app.customer owner to fd_reader", "? TABLE app.customer belongs to another role"),
    ("alter table app.customer alter since drop default", "DEFAULT app.customer since is missing"),
    ("alter table app.orders alter id drop default", "DEFAULT app.orders id is missing"),
    ("alter table app.orders alter id set default 7", "? DEFAULT app.orders id has another definition"),
    (
        "alter table app.customer drop constraint customer_state_check",
        "CHECK CONSTRAINT app.customer customer_state_check is missing",
    ),
    (
        "alter table app.orders drop constraint loose, add constraint loose check (note <> 'x') not valid",
        "? CHECK CONSTRAINT app.orders loose has another definition",
    ),
    (
        "update pg_constraint set convalidated = false where conname = 'customer_state_check'",
        "CHECK CONSTRAINT app.customer customer_state_check is not validated",
    ),
    (
        "update pg_constraint set convalidated = false where conname = 'orders_customer_fkey'",
        "FK CONSTRAINT app.orders orders_customer_fkey is not validated",
    ),
    (
        "alter table app.orders drop constraint orders_customer_fkey",
        "FK CONSTRAINT app.orders orders_customer_fkey is missing",
    ),
    ("alter table app.orders drop constraint apart", "CONSTRAINT app.orders apart is missing"),
    ("alter table app.orders drop constraint orders_pkey", "CONSTRAINT app.orders orders_pkey is missing"),
    (
        "update pg_index set indisvalid = false where indexrelid = 'app.orders_pkey'::regclass",
        "CONSTRAINT app.orders orders_pkey is invalid",
    ),
    ("drop index app.orders_note", "INDEX app.orders_note is missing"),
    (
        "drop index app.orders_note; create index orders_note on app.orders (upper(note)) where note is not null",
        "? INDEX app.orders_note has another definition",
    ),
    (
        "update pg_index set indisvalid = false where indexrelid = 'app.\"Orders At\"'::regclass",
        "INDEX app.Orders At is invalid",
    ),
    ("drop index app.part_at", "INDEX ATTACH app.part_1_at_idx is missing"),
    ("drop trigger touch on app.orders", "TRIGGER app.orders touch is missing"),
    ("alter table app.orders disable trigger touch", "TRIGGER app.orders touch is disabled"),
    ("alter table app.orders enable trigger off", "? TRIGGER app.orders off is enabled"),
    ("alter table app.part_1 disable trigger on_part", "TRIGGER app.part_1 on_part is disabled"),
    ("drop rule quiet on app.orders", "RULE app.orders quiet is missing"),
    ("alter table app.orders disable rule quiet", "RULE app.orders quiet is disabled"),
    ("drop view app.open", "VIEW app.open is missing"),
    (
        "create or replace view app.open as select o.id, c.mail, o.at at time zone 'UTC' as moment from app.orders o join app.customer c on c.id = o.customer",
        "? VIEW app.open has another definition",
    ),
    ("drop materialized view app.sums", "MATERIALIZED VIEW app.sums is missing"),
    ("refresh materialized view app.sums with no data", "MATERIALIZED VIEW app.sums is not populated"),
    ("drop policy own on app.customer", "POLICY app.customer own is missing"),
    ("alter policy own on app.customer using (true)", "? POLICY app.customer own has another definition"),
    ("alter table app.customer disable row level security", "ROW SECURITY app.customer is missing"),
    ("drop statistics app.orders_stats", "STATISTICS app.orders_stats is missing"),
    ("drop sequence app.counter", "SEQUENCE app.counter is missing"),
    ("alter sequence app.owned owned by none", "SEQUENCE OWNED BY app.owned is missing"),
    ("drop function app.std(int)", "FUNCTION app.std(integer) is missing"),
    (
        "create or replace function app.add(integer, b integer default 2) returns integer language sql as 'select 0'",
        "? FUNCTION app.add(integer, integer) has another definition",
    ),
    ("drop procedure app.work", "PROCEDURE app.work(app.mood, integer) is missing"),
    ("drop aggregate app.counted(*)", "AGGREGATE app.counted(*) is missing"),
    ("drop operator class app.cls using btree", "OPERATOR CLASS app.cls is missing"),
    ("drop operator family app.fam using btree cascade", "OPERATOR FAMILY app.fam is missing"),
    ("drop operator app.===(app.pair, app.pair)", "OPERATOR app.=== is missing"),
    ("drop cast (integer as app.pair)", "CAST CAST (integer AS app.pair) is missing"),
    ("drop type app.span", "TYPE app.span is missing"),
    ("alter type app.mood add value 'angry'", "? TYPE app.mood has another definition"),
    ("alter type app.pair drop attribute at", "? TYPE app.pair has another definition"),
    ("alter domain app.email drop constraint short", "? DOMAIN app.email has another definition"),
    ("alter domain app.email drop not null", "? DOMAIN app.email has another definition"),
    ("drop collation app.plain", "COLLATION app.plain is missing"),
    ("drop conversion app.conv", "CONVERSION app.conv is missing"),
    ("drop text search configuration app.conf", "TEXT SEARCH CONFIGURATION app.conf is missing"),
    ("drop text search dictionary app.dict cascade", "TEXT SEARCH DICTIONARY app.dict is missing"),
    ("drop text search parser app.prs", "TEXT SEARCH PARSER app.prs is missing"),
    ("drop text search template app.tmpl", "TEXT SEARCH TEMPLATE app.tmpl is missing"),
    (
        "drop transform for integer language sql cascade",
        "TRANSFORM TRANSFORM FOR integer LANGUAGE sql is missing",
    ),
    ("drop access method heap2 cascade", "ACCESS METHOD heap2 is missing"),
    ("drop extension pgcrypto", "EXTENSION pgcrypto is missing"),
    ("drop foreign data wrapper plain", "FOREIGN DATA WRAPPER plain is missing"),
    ("drop foreign table app.far", "FOREIGN TABLE app.far is missing"),
    (
        "drop user mapping for fd_reader server files",
        "USER MAPPING USER MAPPING fd_reader SERVER files is missing",
    ),
    ("drop server files cascade", "SERVER files is missing"),
    ("drop schema app cascade", "SCHEMA app is missing"),
    ("revoke insert on app.customer from fd_reader", "? ACL app.TABLE customer grants something else"),
    (
        "grant execute on function app.add(integer, integer) to public",
        "? ACL app.FUNCTION add(integer, b integer) grants something else",
    ),
    (
        "revoke update (state) on app.customer from fd_reader",
        "? ACL app.COLUMN customer.state grants something else",
    ),
    ("revoke usage on schema app from fd_reader", "? ACL SCHEMA app grants something else"),
    (
        "alter default privileges in schema app revoke select on tables from fd_reader",
        "? DEFAULT ACL app.DEFAULT PRIVILEGES FOR TABLES is missing",
    ),
    (
        "comment on constraint loose on app.orders is null",
        "? COMMENT app.CONSTRAINT loose ON orders is missing",
    ),
    ("comment on column app.customer.mail is null", "? COMMENT app.COLUMN customer.mail is missing"),
];

#[tokio::test(flavor = "multi_thread")]
async fn each_damage_to_an_object_is_named() {
    let parent = parent();
    let source = Source::start(parent.path()).await;
    source.create("rich", "", RICH).await;
    let archive = source.dump("rich", &[], &[]);
    source.cluster.stop().await.unwrap();
    let kept = Kept::restore(&archive, &own_install(), parent.path()).await;
    let toc = toc(&archive);
    assert_eq!(told(&kept, &toc).await, [""; 0]);
    let server = kept.scratch.cluster().unwrap().connect("postgres").await.unwrap();
    server.run(&format!("create database whole template {DATABASE}")).await.unwrap();
    let mut unnamed = Vec::new();
    for (damage, named) in DAMAGES {
        kept.psql(damage);
        let differences = told(&kept, &toc).await;
        if !differences.iter().any(|line| line == named) {
            unnamed.push((damage, differences));
        }
        server.run(&format!("drop database {DATABASE}")).await.unwrap();
        server.run(&format!("create database {DATABASE} template whole")).await.unwrap();
    }
    assert!(unnamed.is_empty(), "{unnamed:#?}");
    assert_eq!(told(&kept, &toc).await, [""; 0]);
    kept.scratch.remove().await.unwrap();
}
