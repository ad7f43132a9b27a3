//! The binary form of rows against real servers: what firedrill makes of text is what the
//! server makes of it, and what comes back is the text that went in.
//!
//! `FIREDRILL_COPY_VALUES` sets how many values of each type are tried, `FIREDRILL_COPY_SEED`
//! which ones, `FIREDRILL_COPY_MAJOR` the only server, `FIREDRILL_COPY_TYPE` the types with that
//! in their names. Values are of three sorts: those at the edges of a type, random ones, and ones
//! that were spelled right until a character was changed. The last are only tried where
//! firedrill still takes them, so that nothing passes it that the server would refuse.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "what fails here fails the test")]

#[path = "support/database.rs"]
mod database;
#[path = "binary_copy/dice.rs"]
mod dice;
#[path = "support/postgres.rs"]
mod postgres;
#[path = "binary_copy/values.rs"]
mod values;

use std::collections::BTreeMap;

use bytes::Bytes;
use firedrill::plan::CopyForm;
use firedrill::postgres::{Cluster, Session};
use firedrill::restore::binary::{Columns, Element, HEADER, Kind, Scalar, TRAILER};
use firedrill::restore::{Sent, TableLoaded};

use crate::database::{Kept, Source};
use crate::dice::Dice;
use crate::postgres::{installs, options, own_install, parent};
use crate::values::{ARRAYS, CASES, Case};

/// Values of each type in a run of the whole suite.
const VALUES: u64 = 2_000;
/// Rows are sent in pieces of about this size.
const PIECE_BYTES: usize = 64 * 1024;
/// Zones in which the server is asked to write what it holds.
const ZONES: [&str; 5] = ["UTC", "Europe/Berlin", "Asia/Kathmandu", "America/St_Johns", "Africa/Monrovia"];

const TYPES: &str = "
    create type mood as enum ('sad', 'ok', 'very happy', 'b\\ack', 'ta\tb', 'é');
    create domain positive as int check (value > 0);
    create domain short as varchar(8);
    create domain shorter as short check (value <> 'never');
    create domain labels as text[];
    create extension citext;";

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().expect("a number"))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_converted_is_what_the_server_reads() {
    let (count, seed) = (number("FIREDRILL_COPY_VALUES", VALUES), number("FIREDRILL_COPY_SEED", 20_261_121));
    println!("{count} values of each type, seed {seed}");
    let parent = parent();
    let major = number("FIREDRILL_COPY_MAJOR", 0);
    let of_type = std::env::var("FIREDRILL_COPY_TYPE").unwrap_or_default();
    for install in installs().into_iter().filter(|install| [0, install.version.major.into()].contains(&major))
    {
        let cluster = Cluster::start(&install, options(parent.path())).await.unwrap();
        let session = cluster.connect("postgres").await.unwrap();
        let set = "set timezone = 'UTC'; set work_mem = '64MB'; set intervalstyle = 'postgres'; \
                   set datestyle = 'ISO, MDY'; set extra_float_digits = 3; set bytea_output = 'hex';";
        session.run(&format!("{set} {TYPES}")).await.unwrap();
        for case in CASES.iter().chain(ARRAYS).filter(|case| case.sql.contains(&of_type)) {
            let tried = compare(&session, case, count, seed).await;
            println!("PostgreSQL {}: {tried} values of {}", install.version.text, case.sql);
        }
        cluster.stop().await.unwrap();
    }
}

/// Both forms of the same values, in two tables; how many there were.
async fn compare(session: &Session, case: &Case, count: u64, seed: u64) -> usize {
    // Long rows go where there is room, so the order is kept in a number.
    for table in ["t", "b"] {
        let numbered =
            format!("create temp table {table} (n int generated always as identity, v {})", case.sql);
        session.run(&numbered).await.unwrap();
    }
    let columns = Columns::new(vec![kind(session, case.scalar).await]).unwrap();
    let fields = taken(case, &columns, count, &mut Dice::new(seed));
    let text: Vec<u8> = fields.iter().flat_map(|field| [field.as_slice(), b"\n"].concat()).collect();
    let binary = columns.convert(&text).expect("each row alone was taken");
    copy_in(session, "copy t (v) from stdin", &text).await;
    copy_in(session, "copy b (v) from stdin (format binary)", &whole(&binary)).await;

    let by_text = copy_out(session, "copy (select v from t order by n) to stdout (format binary)").await;
    let by_binary = copy_out(session, "copy (select v from b order by n) to stdout (format binary)").await;
    if let Some(at) = first_difference(&by_text, &by_binary) {
        panic!("{}: {:?} is another value", case.sql, String::from_utf8_lossy(&fields[at]));
    }
    for zone in ZONES {
        session.run(&format!("set timezone = '{zone}'")).await.unwrap();
        let written = copy_out(session, "copy (select v from t order by n) to stdout").await;
        let other = copy_out(session, "copy (select v from b order by n) to stdout").await;
        assert!(written == other, "{}: written in two ways in {zone}", case.sql);
        let again = rows_of(&written, &columns, case);
        assert!(whole(&again) == by_text, "{}: not as the server writes it, in {zone}", case.sql);
        if !case.sql.starts_with("timestamptz") {
            break;
        }
    }
    session.run("drop table t, b; set timezone = 'UTC'").await.unwrap();
    fields.len()
}

/// How the column of the table is converted, where its values or their elements are of this kind.
async fn kind(session: &Session, scalar: Scalar) -> Kind {
    let element = "with recursive base (type) as (
            select atttypid from pg_attribute where attrelid = 't'::regclass and attname = 'v'
            union all select typbasetype from base join pg_type on oid = type where typtype = 'd'
        ) select typelem from base join pg_type on oid = type where typinput = 'array_in'::regproc";
    match session.rows(element).await.unwrap().first() {
        Some(row) => Kind::Array(Element { scalar, oid: row[0].as_ref().unwrap().parse().unwrap() }),
        None => Kind::Scalar(scalar),
    }
}

/// What the server itself has written is taken, all of it.
fn rows_of(written: &[u8], columns: &Columns, case: &Case) -> Vec<u8> {
    columns.convert(written).unwrap_or_else(|| {
        let odd = written.split_inclusive(|byte| *byte == b'\n').find(|row| columns.convert(row).is_none());
        panic!("{}: {:?} was left to the server", case.sql, odd.map(String::from_utf8_lossy));
    })
}

/// Values as COPY text that firedrill takes: at the edges, random, misspelled.
fn taken(case: &Case, columns: &Columns, count: u64, dice: &mut Dice) -> Vec<Vec<u8>> {
    let takes = |field: &[u8]| columns.convert(&[field, b"\n"].concat()).is_some();
    let mut fields: Vec<Vec<u8>> = case.edges.iter().map(|edge| edge.as_bytes().to_vec()).collect();
    fields.push(b"\\N".to_vec());
    for field in &fields {
        assert!(takes(field), "{}: {:?} was left to the server", case.sql, String::from_utf8_lossy(field));
    }
    while (fields.len() as u64) < count {
        let field = (case.value)(dice).into_bytes();
        if case.may_be_misspelled && dice.one_in(3) {
            let odd = dice.misspelled(&field);
            if takes(&odd) {
                fields.push(odd);
            }
        }
        assert!(takes(&field), "{}: {:?} was left to the server", case.sql, String::from_utf8_lossy(&field));
        fields.push(field);
    }
    fields
}

fn whole(rows: &[u8]) -> Vec<u8> {
    [HEADER, rows, TRAILER].concat()
}

/// The row in which two binary COPYs of one column differ.
fn first_difference(left: &[u8], right: &[u8]) -> Option<usize> {
    if left == right {
        return None;
    }
    let rows = |whole: &[u8]| {
        let (mut rows, mut rest) = (Vec::new(), whole[HEADER.len()..].to_vec());
        while rest.len() > 6 {
            let length = i32::from_be_bytes(rest[2..6].try_into().unwrap());
            let behind = rest.split_off(6 + usize::try_from(length).unwrap_or(0));
            rows.push(std::mem::replace(&mut rest, behind));
        }
        rows
    };
    let (left, right) = (rows(left), rows(right));
    Some(
        left.iter()
            .zip(&right)
            .position(|(left, right)| left != right)
            .unwrap_or(left.len().min(right.len())),
    )
}

async fn copy_in(session: &Session, statement: &str, bytes: &[u8]) {
    let mut copy = session.copy_in(statement).await.unwrap();
    for piece in bytes.chunks(PIECE_BYTES) {
        copy.send(Bytes::copy_from_slice(piece)).await.unwrap();
    }
    copy.finish().await.unwrap_or_else(|error| panic!("{statement}: {error}"));
}

async fn copy_out(session: &Session, statement: &str) -> Vec<u8> {
    let mut copy = session.copy_out(statement).await.unwrap();
    let mut bytes = Vec::new();
    while let Some(row) = copy.next().await.unwrap() {
        bytes.extend_from_slice(&row);
    }
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_domain_or_a_type_forbids_is_refused_in_either_form() {
    let parent = parent();
    let cluster = Cluster::start(&own_install(), options(parent.path())).await.unwrap();
    let session = cluster.connect("postgres").await.unwrap();
    let domains = "create domain given as int not null;
        create domain pair as int[] check (cardinality(value) = 2);";
    session.run(&format!("{TYPES} {domains}")).await.unwrap();
    let table = [
        ("positive", Scalar::Int4, "-1", "23514"),
        ("given", Scalar::Int4, "\\N", "23502"),
        ("shorter", Scalar::Words, "never", "23514"),
        ("shorter", Scalar::Words, "ninechars", "22001"),
        ("varchar(3)", Scalar::Words, "four", "22001"),
        ("char(3)", Scalar::Words, "four", "22001"),
        ("numeric(3,1)", Scalar::Numeric, "100", "22003"),
        ("mood", Scalar::Words, "none", "22P02"),
        ("jsonb", Scalar::Jsonb, "{", "22P02"),
        ("json", Scalar::Words, "{", "22P02"),
        ("cidr", Scalar::Cidr, "10.0.0.1/8", "22P03"),
        ("positive[]", Scalar::Int4, "{1,-1}", "23514"),
        ("given[]", Scalar::Int4, "{1,NULL}", "23502"),
        ("varchar(3)[]", Scalar::Words, "{abc,four}", "22001"),
        ("numeric(3,1)[]", Scalar::Numeric, "{NULL,100}", "22003"),
        ("mood[]", Scalar::Words, "{none}", "22P02"),
        ("pair", Scalar::Int4, "{1,2,3}", "23514"),
    ];
    for (sql, scalar, field, code) in table {
        session.run(&format!("create table t (v {sql})")).await.unwrap();
        let columns = Columns::new(vec![kind(&session, scalar).await]).unwrap();
        let rows = columns.convert(format!("{field}\n").as_bytes()).unwrap();
        for (statement, bytes) in [
            ("copy t from stdin", format!("{field}\n").into_bytes()),
            ("copy t from stdin (format binary)", whole(&rows)),
        ] {
            let session = cluster.connect("postgres").await.unwrap();
            let mut copy = session.copy_in(statement).await.unwrap();
            copy.send(bytes.into()).await.unwrap();
            let error = copy.finish().await.unwrap_err();
            let said = error.sqlstate().unwrap_or_default();
            let expected = if sql == "cidr" && !statement.contains("binary") { "22P02" } else { code };
            assert_eq!(said, expected, "{statement}: {sql} {field}: {error}");
        }
        session.run("drop table t").await.unwrap();
    }
    cluster.stop().await.unwrap();
}

/// Tables of every sort. `odd` has one value that only the server's own parser reads, `mostly`
/// and `grids` nothing but such. `other` has arrays whose elements are set apart by semicolons,
/// `nested` arrays of a domain over arrays: neither is converted.
const SHOP: &str = "
    create table plain (id bigint primary key, at timestamptz, day date, name varchar(40), price numeric(10,2),
        weight float8, ok boolean, mood mood, tags jsonb, raw bytea, who citext, code char(5), n positive,
        host inet, net cidr, u uuid, took interval, t time, labels labels, counts int[], moods mood[], moments timestamptz[], doubled bigint generated always as (id * 2) stored);
    insert into plain select g, '2026-01-01'::timestamptz + g * interval '1.5 seconds', '2026-01-01'::date + g,
        'n' || chr(233) || g || E'\\t\\\\' , g / 7.0, g / 3.0, g % 2 = 0, 'very happy', jsonb_build_object('a', g, 'b', E'x\\ny'),
        decode(md5(g::text), 'hex'), 'C' || g, 'c' || g % 100, g, '10.0.0.0'::inet + g, '10.0.0.0/8', md5(g::text)::uuid,
        g * interval '1 day 2 seconds', '12:00'::time + g * interval '1 second',
        case g % 4 when 0 then '{}' when 1 then array['NULL', null, '', g::text] else array[E'a\"\\\\b', 'c,d', E'\\tx\\n', chr(233)] end,
        array[g, null, -g], '{sad,\"very happy\",NULL}', array['2026-01-01'::timestamptz + g * interval '1 minute', 'infinity']
        from generate_series(1, 20000) g;
    insert into plain (id) select -g from generate_series(1, 100) g;
    create table odd (id int, at timestamp, note text);
    insert into odd select g, '2026-01-01'::timestamp + g * interval '1 minute', repeat('x', 40) from generate_series(1, 40000) g;
    insert into odd values (0, '0044-03-15 12:00 BC', E'\\x01');
    create table mostly (id int, at timestamp, note text);
    insert into mostly select g, '0044-03-15 BC'::timestamp + g * interval '1 minute', repeat('y', 60) from generate_series(1, 60000) g;
    create table grids (id int, cells int[]);
    insert into grids select g, array[[g, 2], [3, null]] from generate_series(1, 60000) g;
    create type item;
    create function item_in(cstring) returns item language internal immutable strict as 'textin';
    create function item_out(item) returns cstring language internal immutable strict as 'textout';
    create function item_recv(internal) returns item language internal immutable strict as 'textrecv';
    create function item_send(item) returns bytea language internal immutable strict as 'textsend';
    create type item (input = item_in, output = item_out, receive = item_recv, send = item_send,
        like = text, delimiter = ';');
    create table other (id int, items item[]);
    insert into other select g, ('{a,b' || g || '}')::item[] from generate_series(1, 5000) g;
    create domain numbers as int[];
    create table nested (id int, lists numbers[]);
    insert into nested select g, format('{\"{%s,1}\",\"{}\"}', g)::numbers[] from generate_series(1, 5000) g;
    create table parted (id int, at date, note text) partition by range (id);
    create table parted_1 partition of parted for values from (0) to (5000);
    create table parted_2 (note text, id int, at date);
    alter table parted attach partition parted_2 for values from (5000) to (10000);
    insert into parted select g, '2026-01-01'::date + g, 'n' || g from generate_series(0, 9999) g;
    create table bare ();
    insert into bare default values; insert into bare default values;
    create table empty (id int);";

const CONTENT: &str = "
    set timezone = 'UTC';
    select 'plain', count(*), md5(string_agg(t::text, '' order by id)) from plain t union all
    select 'odd', count(*), md5(string_agg(t::text, '' order by id)) from odd t union all
    select 'mostly', count(*), md5(string_agg(t::text, '' order by id)) from mostly t union all
    select 'other', count(*), md5(string_agg(t::text, '' order by id)) from other t union all
    select 'grids', count(*), md5(string_agg(t::text, '' order by id)) from grids t union all
    select 'nested', count(*), md5(string_agg(t::text, '' order by id)) from nested t union all
    select 'parted', count(*), md5(string_agg(t::text, '' order by id)) from parted t union all
    select 'bare', count(*), '' from bare t order by 1;";

#[tokio::test(flavor = "multi_thread")]
async fn tables_go_in_the_form_that_suits_them_and_come_back_the_same() {
    let parent = parent();
    let source = Source::start(parent.path()).await;
    source.create("shop", "encoding 'UTF8' locale 'C.UTF-8'", &format!("{TYPES} {SHOP}")).await;
    let content = source.psql("shop", CONTENT);
    for arguments in [&[][..], &["--load-via-partition-root"], &["-Z0"]] {
        let archive = source.dump("shop", arguments, &[]);
        let kept = Kept::restore(&archive, &own_install(), parent.path()).await;
        assert!(kept.restored.failures.is_empty(), "{:#?}", kept.restored.failures);
        assert_eq!(kept.psql(CONTENT), content);
        let sent = sent(&kept.restored.tables);
        assert!(sent["public.plain"].binary > 1 && sent["public.plain"].text == 0, "{sent:?}");
        assert!(sent["public.odd"].binary > 1 && sent["public.odd"].text == 1, "{sent:?}");
        for never in ["public.mostly", "public.grids", "public.other", "public.nested"] {
            assert!(sent[never].binary == 0 && sent[never].text > 0, "{never}: {sent:?}");
        }
        assert!(sent["public.parted_2"].binary > 0 && sent["public.parted_2"].text == 0, "{sent:?}");
        assert!(sent["public.bare"].binary == 0, "{sent:?}");
        assert_eq!(sent["public.empty"], Sent::default());
        proven(&kept, &archive).await;
        kept.scratch.remove().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn binary_can_be_turned_off_and_is_off_for_other_encodings() {
    let parent = parent();
    let source = Source::start(parent.path()).await;
    let table =
        "create table t (id int, name text); insert into t select g, 'é' || g from generate_series(1, 9) g;";
    source.create("wide", "encoding 'UTF8' locale 'C.UTF-8'", table).await;
    let cases = [
        (&[][..], CopyForm::Auto, Sent { binary: 1, text: 0 }),
        (&[], CopyForm::Text, Sent { binary: 0, text: 1 }),
        (&["-E", "LATIN1"], CopyForm::Auto, Sent { binary: 0, text: 1 }),
    ];
    for (arguments, form, expected) in cases {
        let archive = source.dump("wide", arguments, &[]);
        let kept = Kept::restore_in_form(&archive, &own_install(), parent.path(), form).await;
        assert_eq!(sent(&kept.restored.tables)["public.t"], expected, "{arguments:?} {form:?}");
        assert_eq!(kept.psql("select count(*), min(name) from t"), "9|é1\n");
        kept.scratch.remove().await.unwrap();
    }
}

fn sent(tables: &[TableLoaded]) -> BTreeMap<&str, Sent> {
    tables.iter().map(|table| (table.name.as_str(), table.sent)).collect()
}

/// The drill's own proof: the text that the server writes hashes as the rows of the archive.
async fn proven(kept: &Kept, archive: &[u8]) {
    let toc = firedrill::archive::survey(archive, 1 << 20).unwrap().toc;
    let events = firedrill::event::Events::silent();
    let tables =
        firedrill::proof::compare(&toc, &kept.restored, None, &kept.scratch, 2, &events).await.unwrap();
    for table in tables {
        assert_eq!(table.state, firedrill::proof::State::Equal, "{}", table.name);
    }
}
