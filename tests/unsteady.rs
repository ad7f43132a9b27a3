//! Values whose text is not the same everywhere: what can be compared of them is, and what can't
//! is named.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "what fails here fails the test")]

#[path = "support/database.rs"]
mod database;
#[path = "support/drill.rs"]
mod drill;
#[path = "support/postgres.rs"]
mod postgres;
#[path = "support/stamped.rs"]
mod stamped;

use std::sync::Arc;

use firedrill::digest::RowHash;
use firedrill::event::{Event, Events, Observer};
use firedrill::proof::{self, Comparison, State};
use firedrill::record::{Between, Record, TableRecord, TableState};
use firedrill::verdict::{Code, Verdict};

use crate::database::{Kept, Source};
use crate::drill::{Service, codes, drilled, told, warnings};
use crate::postgres::{own_install, parent};
use crate::stamped::{Stamped, stamp};

/// Amounts from `$1.50` to `$9.50`, which are of one length.
const PRICES: &str = "
    create schema app;
    create table app.price (id int primary key, amount money, note text, amounts money[]);
    insert into app.price select n, (n || '.50')::money, 'note ' || n, array[n::text::money]
        from generate_series(1, 9) n;
    create table app.place (id int, at pg_lsn, kind \"char\");
    insert into app.place select n, ('0/' || n)::pg_lsn, 'a' from generate_series(1, 9) n;
";

/// The bytes with one text in the place of another of its length, wherever that stands.
fn with(bytes: &[u8], text: &str, other: &str) -> Vec<u8> {
    assert_eq!(text.len(), other.len());
    let mut out = bytes.to_vec();
    let found: Vec<usize> = (0..out.len()).filter(|at| out[*at..].starts_with(text.as_bytes())).collect();
    assert!(!found.is_empty(), "{text:?} stands nowhere");
    for at in found {
        out[at..at + text.len()].copy_from_slice(other.as_bytes());
    }
    out
}

/// As a server would have dumped and stamped it whose `lc_monetary` writes `$1,50`, and which no
/// server here knows.
fn abroad(stamped: &Stamped) -> Stamped {
    let archive = with(&stamped.archive, ".50\tnote", ",50\tnote");
    let mut hash = RowHash::default();
    (1..=9).for_each(|n| hash.add(format!("{n}\t${n},50\tnote {n}\t{{${n}.00}}").as_bytes()));
    let bytes = Stamped { archive: archive.clone(), bytes: stamped.said_of(&archive) }.forged(|document| {
        document["predicate"]["settings"]["lc_monetary"] = "xx_XX".into();
        let tables = document["predicate"]["tables"].as_array_mut().unwrap();
        let price = tables.iter_mut().find(|table| table["name"] == "price").unwrap();
        price["hash"] = hash.to_string().into();
    });
    Stamped { archive, bytes }
}

fn price(record: &Record) -> &TableRecord {
    let tables = &record.fidelity.as_ref().unwrap().tables;
    tables.iter().find(|table| table.name == "app.price").unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_t_be_compared_is_named_and_the_rest_is_compared() {
    let place = parent();
    let source = Source::start(place.path()).await;
    source.create("shop", "", PRICES).await;
    let here = stamp(&source, "shop", &[], &["-Z0"]);
    let there = abroad(&here);
    let of = |name: &str, archive: &[u8], stamp: &Stamped| {
        Service::new(name, archive).stamped(&stamp.said_of(archive))
    };
    let ran = drilled(vec![
        of("here", &here.archive, &here),
        of("here-amount", &with(&here.archive, "$7.50", "$9.50"), &here),
        of("here-inside", &with(&here.archive, "{$7.00}", "{$9.00}"), &here),
        of("there", &there.archive, &there),
        of("there-amount", &with(&there.archive, "$7,50", "$9,50"), &there),
        of("there-note", &with(&there.archive, "note 7", "nota 7"), &there),
        Service::new("there-alone", &there.archive).vouched(),
        Service::new("refused", &with(&here.archive, "$7.50", "7 EUR")).vouched(),
    ])
    .await;

    let here = ran.of("here");
    assert_eq!(here.verdict.result.0, Verdict::Pass, "{}", told(here));
    assert!(here.fidelity.as_ref().unwrap().tables.iter().all(|table| table.state == TableState::Equal));
    assert!(!warnings(here).contains(&"COLUMNS_NOT_COMPARED"), "{:?}", warnings(here));
    for name in ["here-amount", "here-inside"] {
        let changed = ran.of(name);
        assert_eq!(changed.verdict.result.0, Verdict::Fail, "{}", told(changed));
        assert_eq!(price(changed).between(), Some(Between::SourceAndArchive));
    }

    for name in ["there", "there-amount", "there-alone"] {
        let record = ran.of(name);
        assert_eq!(record.verdict.result.0, Verdict::Pass, "{}", told(record));
        let table = price(record);
        assert_eq!(table.state, TableState::Counted, "{name}");
        assert_eq!(table.columns_not_compared, ["amount", "amounts"], "{name}");
        assert!(table.stream_hash.is_some() && table.stream_hash == table.restored_hash, "{name}");
        assert_eq!(table.stamp_hash.is_some(), name != "there-alone");
        let fidelity = record.fidelity.as_ref().unwrap();
        assert_eq!((fidelity.columns_not_compared, fidelity.tables_equal), (2, 1), "{name}");
        let warned = record.verdict.warnings.iter().find(|line| line.code.as_str() == "COLUMNS_NOT_COMPARED");
        let detail = &warned.unwrap_or_else(|| panic!("{name}: {:?}", warnings(record))).detail;
        assert!(detail.contains("app.price.amount") && detail.contains("2 columns"), "{detail}");
        assert!(record.limitations.iter().any(|line| line.contains("2 columns were not compared")));
    }

    let changed = ran.of("there-note");
    assert_eq!(changed.verdict.result.0, Verdict::Fail, "{}", told(changed));
    assert_eq!(price(changed).state, TableState::Different);
    assert_eq!(price(changed).between(), Some(Between::SourceAndArchive));

    // An amount that no locale here writes says something of this machine, not of the backup.
    let refused = ran.of("refused");
    assert_eq!(refused.verdict.result.0, Verdict::Inconclusive, "{}", told(refused));
    assert_eq!(codes(refused)[0], Code::ScratchUnavailable, "{}", told(refused));
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_came_back_otherwise_are_told_in_what_can_be_compared() {
    let place = parent();
    let source = Source::start(place.path()).await;
    source.create("shop", "", PRICES).await;
    let archive = with(&source.dump("shop", &["-Z0"], &[]), ".50\tnote", ",50\tnote");
    let kept = Kept::restore(&archive, &own_install(), place.path()).await;
    let silence = silence();
    let compared = async || {
        let tables = proof::compare(&kept.restored.toc, &kept.restored, None, &kept.scratch, 2, &silence);
        let found = |table: &Comparison| table.name == "app.price";
        tables.await.unwrap().into_iter().find(found).unwrap()
    };
    let table = compared().await;
    assert_eq!(
        (table.state, table.not_compared.as_slice()),
        (State::EqualInPart, ["amount", "amounts"].map(String::from).as_slice())
    );
    let changes = [
        ("update app.price set amount = '$1' where id = 3", State::EqualInPart),
        ("update app.price set note = '' where id = 3", State::Different),
        ("update app.price set note = 'note 3' where id = 3", State::EqualInPart),
        ("delete from app.price where id = 9", State::Different),
    ];
    for (sql, state) in changes {
        kept.psql(sql);
        assert_eq!(compared().await.state, state, "{sql}");
    }
}

fn silence() -> Events {
    struct Silent;
    impl Observer for Silent {
        fn observe(&self, _: &Event) {}
    }
    Events::new("fx", Arc::new(Silent))
}
