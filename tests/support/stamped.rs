//! Dumps with their stamps, as `firedrill stamp` takes them.
#![allow(dead_code, reason = "each test program uses its own share of what stands here")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use firedrill::digest::Digest;
use firedrill::stamp::{Predicate, read};

use crate::database::Source;

/// A small shop: partitions, all kinds of values, sequences, large objects, and objects of many
/// classes.
pub const SHOP: &str = r#"
    create schema app;
    create table app.customer (id bigint generated always as identity primary key, name text not null,
        note text, tall numeric(12, 3), born date, seen timestamptz, picture bytea, tags text[],
        spans tstzrange, double bigint generated always as (id * 2) stored);
    insert into app.customer (name, note, tall, born, seen, picture, tags, spans)
        select 'customer ' || n, case n % 3 when 0 then null when 1 then '' else 'a' || chr(9) || 'b\' end,
            n / 7.0, date '2000-01-01' + n, timestamptz '2026-01-01 00:00+00' + n * interval '7 hours',
            decode(md5(n::text), 'hex'), array['x', null, n::text],
            tstzrange('2026-01-01 00:00+00'::timestamptz + n * interval '1 day', null)
        from generate_series(1, 500) n;
    create table app.orders (id int, at date not null, amount float8, customer bigint) partition by range (at);
    create table app.orders_2025 partition of app.orders for values from ('2025-01-01') to ('2026-01-01');
    create table app.orders_2026 partition of app.orders for values from ('2026-01-01') to ('2027-01-01');
    insert into app.orders select n, date '2025-06-01' + n, n / 3.0, n % 500 + 1 from generate_series(1, 400) n;
    create table app.log (id serial primary key, line text);
    insert into app.log (line) select 'line ' || n from generate_series(1, 100) n;
    create table app.empty (id int);
    create table app."Odd ""Name""" ("a b" int, "select" text);
    insert into app."Odd ""Name""" values (1, 'x'), (1, 'x'), (null, null);
    create unlogged table app.cache (id int);
    insert into app.cache values (1);
    create sequence app.ticket start 7 increment 3;
    select nextval('app.ticket'), nextval('app.ticket');
    create sequence app.unused;
    create index customer_name on app.customer (name);
    create view app.named as select id, name from app.customer where note is not null;
    create function app.twice(n int) returns int language sql immutable as 'select n * 2';
    create trigger watched before update on app.log for each row
        execute function suppress_redundant_updates_trigger();
    alter table app.orders_2025 add constraint positive check (amount >= 0);
    select lo_from_bytea(4711, decode(repeat('00ff', 3000), 'hex')), lo_from_bytea(4712, '');
    create table public.freshness (at timestamptz);
    insert into public.freshness values (now());
"#;

/// An archive and its stamp.
pub struct Stamped {
    /// The archive.
    pub archive: Vec<u8>,
    /// The stamp as it was written.
    pub bytes: Vec<u8>,
}

impl Stamped {
    /// What an unsigned stamp says.
    pub fn predicate(&self) -> Predicate {
        read(&self.bytes, &[]).unwrap().predicate
    }
}

/// Where `firedrill stamp` finds a database of the source.
pub fn url(source: &Source, database: &str) -> String {
    let folder = source.cluster.socket_directory().display().to_string().replace('/', "%2F");
    format!("postgres://{}@{folder}/{database}", source.cluster.user())
}

/// `firedrill stamp` of a database, with options of its own, and the dump's command behind them.
pub fn command(source: &Source, database: &str, options: &[&str], dump: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_firedrill"));
    command.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C.UTF-8");
    command.args(["stamp", "--database", &url(source, database)]).args(options).arg("--").args(dump);
    command
}

/// Runs `firedrill stamp` over a dump into `file`.
pub fn try_stamp(source: &Source, database: &str, options: &[&str], dump: &[&str], file: &Path) -> Output {
    let pg_dump = source.client("pg_dump").get_program().to_str().unwrap().to_owned();
    let words = [&[pg_dump.as_str(), "-Fc", "-f", file.to_str().unwrap()], dump].concat();
    command(source, database, options, &words).output().unwrap()
}

/// Dumps and stamps a database.
pub fn stamp(source: &Source, database: &str, options: &[&str], dump: &[&str]) -> Stamped {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("backup.dump");
    let output = try_stamp(source, database, options, dump, &file);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Stamped {
        archive: fs::read(&file).unwrap(),
        bytes: fs::read(folder.path().join("backup.dump.stamp.json")).unwrap(),
    }
}

impl Stamped {
    /// The stamp with another predicate or archive, unsigned and written in its one way.
    pub fn forged(&self, change: impl FnOnce(&mut serde_json::Value)) -> Vec<u8> {
        let mut document: serde_json::Value = serde_json::from_slice(&self.bytes).unwrap();
        change(&mut document);
        firedrill::evidence::canonical(&document).unwrap()
    }

    /// The stamp, said of another archive.
    pub fn said_of(&self, archive: &[u8]) -> Vec<u8> {
        self.forged(|document| {
            document["subject"][0]["digest"]["sha256"] = Digest::of(archive).to_string().into();
            document["predicate"]["archive_bytes"] = (archive.len() as u64).into();
        })
    }
}
