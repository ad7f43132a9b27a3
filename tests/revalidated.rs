//! Constraints that are evaluated anew, and sequences that are held against their columns: a
//! sound database passes, and each fault is named and turns the verdict, or warns.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "what fails here fails the test")]

#[path = "support/database.rs"]
mod database;
#[path = "support/drill.rs"]
mod drill;
#[path = "support/postgres.rs"]
mod postgres;

use firedrill::proof::{Asked, ConstraintKind, Revalidated, revalidate};
use firedrill::restore::DATABASE;
use firedrill::verdict::{Code, Verdict};

use crate::database::{Kept, Source};
use crate::drill::{Service, codes, drilled, told, warnings};
use crate::postgres::{install, installs, own_install, parent};

const SHOP: &str = "
create schema \"Odd.Schema\";
create table customers (id int primary key, name text not null, rank int check (rank > 0));
create table orders (id int primary key, customer int references customers, total numeric,
                     constraint \"odd \"\"total\" check (total >= 0 and total <> 13));
create table \"Odd.Schema\".\"a b\" (\"n n\" int not null, m int);
create table days (day date primary key, note text check (note <> 'x')) partition by range (day);
create table days_1 partition of days for values from ('2026-01-01') to ('2027-01-01');
insert into customers select g, 'canary-' || g, nullif(g % 5, 0) from generate_series(1, 300) g;
insert into orders select g, g, g % 7 from generate_series(1, 300) g;
insert into orders values (1000, null, null);
insert into \"Odd.Schema\".\"a b\" select g, null from generate_series(1, 30) g;
insert into days select '2026-01-01'::date + g, 'y' from generate_series(0, 30) g;
";

/// What is done to the restored database with every trigger off, and what must be told: kind,
/// table, name, rows, and whether the constraint says that it holds.
type Damage = (&'static str, (ConstraintKind, &'static str, &'static str, u64, bool));

const DAMAGES: &[Damage] = &[
    (
        "delete from customers where id in (7, 8)",
        (ConstraintKind::ForeignKey, "public.orders", "orders_customer_fkey", 2, true),
    ),
    (
        "delete from customers where id = 7; update pg_constraint set convalidated = false where contype = 'f'",
        (ConstraintKind::ForeignKey, "public.orders", "orders_customer_fkey", 1, false),
    ),
    (
        "alter table customers drop constraint customers_rank_check; update customers set rank = 0 where id < 4;
         alter table customers add constraint again check (rank > 0) not valid;
         update pg_constraint set convalidated = true where conname = 'again'",
        (ConstraintKind::Check, "public.customers", "again", 3, true),
    ),
    (
        "alter table orders drop constraint \"odd \"\"total\"; update orders set total = 13 where id = 5;
         alter table orders add constraint \"odd \"\"total\" check (total >= 0 and total <> 13) not valid",
        (ConstraintKind::Check, "public.orders", "odd \"total", 1, false),
    ),
    (
        "alter table \"Odd.Schema\".\"a b\" alter \"n n\" drop not null; update \"Odd.Schema\".\"a b\" set \"n n\" = null;
         update pg_attribute set attnotnull = true where attname = 'n n'",
        (ConstraintKind::NotNull, "Odd.Schema.a b", "n n", 30, true),
    ),
];

async fn found(kept: &Kept) -> Revalidated {
    revalidate(&kept.scratch, 3).await.unwrap()
}

async fn dumped(script: &str) -> Vec<u8> {
    let place = parent();
    let source = Source::start(place.path()).await;
    source.create("shop", "", script).await;
    let dump = source.dump("shop", &[], &[]);
    source.cluster.stop().await.unwrap();
    dump
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_of_constraint_is_evaluated_for_every_row() {
    let dump = dumped(SHOP).await;
    let place = parent();
    let kept = Kept::restore(&dump, &own_install(), place.path()).await;
    let sound = found(&kept).await;
    let asked = |expected| Asked { expected, asked: expected, broken: 0 };
    let kinds = [
        (ConstraintKind::ForeignKey, asked(1)),
        (ConstraintKind::Check, asked(3)),
        (ConstraintKind::NotNull, asked(5)),
    ];
    assert_eq!(sound.kinds, kinds.into(), "{sound:#?}");
    assert!(sound.broken.is_empty() && sound.unasked.is_empty() && sound.jobs == 3, "{sound:#?}");
    let server = kept.scratch.cluster().unwrap().connect("postgres").await.unwrap();
    server.run(&format!("create database whole template {DATABASE}")).await.unwrap();
    for (damage, (kind, table, name, rows, promised)) in DAMAGES {
        kept.psql(&format!("set session_replication_role = replica; {damage}"));
        let found = found(&kept).await;
        let broken: Vec<_> = found
            .broken
            .iter()
            .map(|one| (one.kind, one.table.as_str(), one.name.as_str(), one.rows, one.promised))
            .collect();
        assert_eq!(broken, [(*kind, *table, *name, *rows, *promised)], "{damage}");
        assert_eq!(found.kinds[kind].broken, u64::from(*promised), "{damage}");
        assert!(found.unasked.is_empty(), "{damage}: {found:#?}");
        server.run(&format!("drop database {DATABASE}")).await.unwrap();
        server.run(&format!("create database {DATABASE} template whole")).await.unwrap();
    }
    kept.psql(
        "create function fails(int) returns bool language plpgsql as
         $$ begin raise exception 'canary-%', $1; end $$;
         alter table customers add constraint failing check (fails(id)) not valid",
    );
    let found = found(&kept).await;
    let unasked: Vec<_> =
        found.unasked.iter().map(|one| (one.kind, one.name.as_str(), one.why.as_str())).collect();
    assert_eq!(unasked, [(ConstraintKind::Check, "failing", "SQLSTATE P0001")]);
    assert_eq!(found.kinds[&ConstraintKind::Check], Asked { expected: 4, asked: 3, broken: 0 });
    assert_eq!(found.kinds[&ConstraintKind::NotNull], asked(5));
    kept.scratch.remove().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sound_database_holds_on_every_major() {
    let dump = dumped(SHOP).await;
    let place = parent();
    for install in installs() {
        let kept = Kept::restore(&dump, &install, place.path()).await;
        let found = found(&kept).await;
        let asked: u64 = found.kinds.values().map(|kind| kind.asked).sum();
        assert!(found.broken.is_empty() && found.unasked.is_empty(), "{}: {found:#?}", install.version.text);
        assert_eq!(asked, 9, "{}", install.version.text);
        kept.scratch.remove().await.unwrap();
    }
}

/// A check that asks another table, which is filled after it: no restore can see that it is broken.
const LIAR: &str = "
create function welcome(int) returns bool language plpgsql stable as
  $$ begin return not exists (select from public.zz_banned z where z.id = $1); end $$;
create table guests (id int, constraint welcome check (public.welcome(id)));
create table zz_banned (id int);
insert into guests select g from generate_series(1, 20) g;
insert into zz_banned values (3), (4);
";

/// Customers that are gone, and a foreign key that is not validated.
const UNPROMISED: &str = "
alter table orders drop constraint orders_customer_fkey;
delete from customers where id < 4;
alter table orders add constraint loose foreign key (customer) references customers not valid;
";

#[tokio::test(flavor = "multi_thread")]
async fn an_inconsistent_database_fails_where_the_plan_asks_for_it() {
    let (sound, liar) = (dumped(SHOP).await, dumped(LIAR).await);
    let unpromised = dumped(&format!("{SHOP}{UNPROMISED}")).await;
    let asked = |name, dump| {
        Service::new(name, dump).vouched().with("restore.jobs = 1").table("proof", "revalidate = true")
    };
    let ran = drilled(vec![
        asked("sound", &sound),
        asked("liar", &liar),
        Service::new("unasked", &liar).vouched().with("restore.jobs = 1"),
        asked("unpromised", &unpromised),
    ])
    .await;
    let record = ran.of("sound");
    assert_eq!(record.verdict.result.0, Verdict::Pass, "{}", told(record));
    let revalidated = record.revalidated.as_ref().unwrap();
    assert_eq!((revalidated.sums().expected, revalidated.sums().asked), (9, 9));
    assert!(ran.of("unasked").revalidated.is_none());
    assert_eq!(ran.of("unasked").verdict.result.0, Verdict::Pass, "{}", told(ran.of("unasked")));
    let record = ran.of("liar");
    assert_eq!(codes(record), [Code::ConstraintsBroken], "{}", told(record));
    let detail = &record.verdict.reasons[0].detail;
    assert_eq!(detail, "restored rows break 1 constraint: welcome of public.guests (2 rows)");
    let record = ran.of("unpromised");
    assert_eq!(record.verdict.result.0, Verdict::Pass, "{}", told(record));
    assert!(warnings(record).contains(&"UNVALIDATED_BROKEN"), "{:?}", warnings(record));
    assert!(!format!("{record:?}").contains("canary-"), "a row stands in the record");
}

/// Numbers from sequences of each kind, all ahead of what was given.
const NUMBERED: &str = "
create table a (id serial primary key);
create table b (id bigint generated always as identity);
create sequence shared; create table c (id int default nextval('shared')); create table d (id int default nextval('shared'));
create sequence down increment -2 maxvalue 100 start 100; create table e (id int default nextval('down'));
create sequence round maxvalue 5 cycle; create table f (id int default nextval('round'));
create table g (id int generated by default as identity) partition by range (id);
create table g_1 partition of g for values from (0) to (1000);
create table empty (id serial);
insert into a select from generate_series(1, 10); insert into b default values; insert into c default values;
insert into d default values; insert into e default values; insert into e default values;
insert into f select from generate_series(1, 7); insert into g default values;
";

#[tokio::test(flavor = "multi_thread")]
async fn a_sequence_that_is_behind_its_column_warns_by_name() {
    let damages = [
        ("sound", "", ""),
        ("serial", "insert into a values (11)", "public.a_id_seq"),
        ("identity", "select setval('b_id_seq', 1, false)", "public.b_id_seq"),
        ("default", "insert into d values (90)", "public.shared"),
        ("down", "insert into e values (2)", "public.down"),
        ("partitioned", "insert into g values (70)", "public.g_id_seq"),
    ];
    let mut services = Vec::new();
    for (name, damage, _) in damages {
        let dump = dumped(&format!("{NUMBERED}{damage}")).await;
        services.push(Service::new(name, &dump).vouched().on(&install(18)));
    }
    let ran = drilled(services).await;
    for (name, _, behind) in damages {
        let record = ran.of(name);
        assert_eq!(record.verdict.result.0, Verdict::Pass, "{}", told(record));
        let numbering = record.numbering.as_ref().unwrap();
        assert_eq!((numbering.expected, numbering.asked), (7, 7), "{name}: {numbering:?}");
        let expected: Vec<&str> = Some(behind).into_iter().filter(|name| !name.is_empty()).collect();
        assert_eq!(numbering.behind, expected, "{name}");
        assert_eq!(numbering.behind_total, expected.len() as u64);
        assert_eq!(warnings(record).contains(&"SEQUENCE_BEHIND"), !behind.is_empty(), "{name}");
    }
}
