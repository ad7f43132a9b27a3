//! The backups in a store beside what drills have proven of them: gaps, exposure, and whose
//! word counts.
#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

#[path = "support/nights.rs"]
mod nights;

use std::collections::HashMap;
use std::time::Duration;

use firedrill::catalog::Catalog;
use firedrill::digest::Digest;
use firedrill::evidence::Log;
use firedrill::history::*;
use firedrill::plan::{self, Pattern, Select};
use firedrill::record::*;
use firedrill::store::{self, Listing, Location, Object};
use firedrill::verdict::Code;
use jiff::{SignedDuration, Timestamp};
use nights::{halted, night, with_rto};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn night_of(day: i64) -> Timestamp {
    at("2026-11-20T01:00:00Z") + SignedDuration::from_hours(24 * day)
}

/// The object that the drill of the example restored, or one of another night.
fn object(day: i64) -> Object {
    let key = night_of(day).strftime("orders-%Y%m%dT%H%M%SZ.dump").to_string();
    Object {
        uri: format!("s3://acme-backups/orders/{key}"),
        key,
        bytes: 4_108_722,
        etag: Some("9b2cf535f27731c974343645a3985328-3".into()),
        version: Some("3sL4kqtJlcpXroDTDmJ".into()),
        modified_at: night_of(day) + SignedDuration::from_secs(2_832),
        archived: false,
    }
}

fn planned() -> plan::Backup {
    plan::Backup {
        location: Location::parse("s3://acme-backups/orders/").unwrap(),
        store_name: None,
        store: store::Options::default(),
        pattern: Pattern::parse("orders-{time:%Y%m%dT%H%M%SZ}.dump", None).unwrap(),
        select: Select::Latest,
        every: Some(Duration::from_secs(86_400)),
        grace: Duration::from_secs(7_200),
        written_within: Duration::from_secs(86_400),
        dump_timezone: None,
        database: None,
        accept_unanchored: false,
        decrypt: None,
    }
}

fn catalog(objects: Vec<Object>, now: Timestamp) -> Catalog {
    Catalog::new(Listing { objects, pages: 1, listed_at: now, clock_offset: None }, &planned())
}

const LIMITS: Limits = Limits {
    every: Some(Duration::from_secs(86_400)),
    grace: Duration::from_secs(7_200),
    rpo: Some(Duration::from_secs(86_400)),
};

fn drills(changes: &[fn(&mut Record)]) -> Vec<Drill> {
    let root = tempfile::tempdir().unwrap();
    let log = Log::open(root.path(), "orders").unwrap();
    for change in changes {
        let mut record = night(0);
        change(&mut record);
        log.append(&mut record, None).unwrap();
    }
    recall_directly(root.path(), "orders").unwrap().drills
}

#[test]
fn only_the_very_object_that_was_drilled_is_proven() {
    let drills = drills(&[|_| {}]);
    let proofs = Proofs::of(&drills);
    assert!(matches!(proofs.on(&object(0)), Word::Proven(drill) if drill.sequence == 1), "{drills:#?}");
    assert_eq!(proofs.on(&object(1)), Word::Unproven);
    let with = |change: fn(&mut Object)| {
        let mut object = object(0);
        change(&mut object);
        proofs.on(&object)
    };
    type Change = fn(&mut Object);
    let table: [(&str, Change, bool); 8] = [
        ("another version", |it| it.version = Some("other".into()), false),
        ("another size", |it| it.bytes += 1, false),
        ("another tag without a version", |it| (it.version, it.etag) = (None, Some("other".into())), false),
        ("the same tag without a version", |it| it.version = None, true),
        ("no mark but the same last write", |it| (it.version, it.etag) = (None, None), true),
        (
            "no mark and another last write",
            |it| {
                (it.version, it.etag) = (None, None);
                it.modified_at += SignedDuration::from_secs(1);
            },
            false,
        ),
        ("the same version under another tag", |it| it.etag = Some("other".into()), true),
        ("another last write of the same version", |it| it.modified_at += SignedDuration::from_secs(1), true),
    ];
    for (name, change, proven) in table {
        let word = with(change);
        assert_eq!(matches!(word, Word::Proven(_)), proven, "{name}: {word:?}");
        assert_eq!(matches!(word, Word::Changed(_)), !proven, "{name}: {word:?}");
    }
    let elsewhere = with(|it| it.uri = "s3://other/orders-20261120T010000Z.dump".into());
    assert_eq!(elsewhere, Word::Unproven);
}

#[test]
fn the_digest_beside_a_backup_must_be_that_of_the_bytes_that_were_read() {
    let drills = drills(&[|_| {}]);
    let word = Proofs::of(&drills).on(&object(0));
    let read = drills[0].artifact.as_ref().unwrap().sha256.unwrap();
    assert_eq!(word.with(None), word);
    assert_eq!(word.with(Some(Beside::Digest(read))), word);
    let other = Beside::Digest(Sha256::from(Digest::of(b"other")));
    assert!(matches!(word.with(Some(other)), Word::Changed(_)));
    assert!(matches!(word.with(Some(Beside::Unusable)), Word::Changed(_)));
    assert_eq!(Word::Unproven.with(Some(Beside::Digest(read))), Word::Unproven);
}

#[test]
fn the_last_drill_that_could_tell_has_the_last_word() {
    const PASS: fn(&mut Record) = |_| {};
    const SLOW: fn(&mut Record) = |it| with_rto(it, 1_000_000);
    const BROKEN: fn(&mut Record) = |it| halted(it, Code::ArtifactCorrupt);
    const UNKNOWN: fn(&mut Record) = |it| halted(it, Code::Deadline);
    type Changes = &'static [fn(&mut Record)];
    let table: [(&str, Changes, &str); 7] = [
        ("none", &[], "unproven"),
        ("could not tell", &[UNKNOWN], "unproven"),
        ("passed, then could not tell", &[PASS, UNKNOWN], "proven 1"),
        ("passed, then broken", &[PASS, BROKEN], "refuted 2"),
        ("broken, then passed", &[BROKEN, PASS], "proven 2"),
        ("broken, then could not tell", &[BROKEN, UNKNOWN], "refuted 1"),
        ("whole, and too slow", &[SLOW], "proven 1"),
    ];
    for (name, changes, expected) in table {
        let drills = drills(changes);
        let word = match Proofs::of(&drills).on(&object(0)) {
            Word::Proven(drill) => format!("proven {}", drill.sequence),
            Word::Refuted(drill) => format!("refuted {}", drill.sequence),
            Word::Changed(drill) => format!("changed {}", drill.sequence),
            Word::Unproven => "unproven".to_owned(),
        };
        assert_eq!(word, expected, "{name}");
    }
}

#[test]
fn the_last_backup_is_three_hours_old_and_the_last_proven_one_nine_days() {
    let drills = drills(&[|_| {}]);
    let now = night_of(9) + SignedDuration::from_hours(3);
    let catalog = catalog((-20..=9).map(object).collect(), now);
    let inventory = Inventory::new(&catalog, &drills, &HashMap::new(), LIMITS, now, None);
    let hours = |hours: u64| Duration::from_secs(hours * 3600);
    assert_eq!((inventory.items.len(), inventory.proven()), (30, 1));
    assert_eq!(inventory.data_age(), Some(hours(3)));
    let proven = inventory.newest_proven.unwrap();
    assert_eq!(proven.data_age(now), Some(hours(9 * 24 + 3)));
    let exposure = inventory.exposure.unwrap();
    assert_eq!(exposure.loss, hours(24) + Duration::from_secs(2_832));
    assert!(exposure.until.is_some());
    let only = inventory.proven_exposure.unwrap();
    assert_eq!((only.loss, only.until), (hours(9 * 24 + 3), None));
    assert!(!inventory.stale && inventory.gaps.is_empty() && !inventory.falls_short());
}

#[test]
fn gaps_are_named_by_the_pair_around_them() {
    let now = night_of(12);
    let days = [0, 1, 2, 5, 6, 9];
    let catalog = catalog(days.into_iter().map(object).collect(), now);
    let gaps: Vec<(String, Option<String>, u64)> = catalog
        .gaps(now)
        .iter()
        .map(|gap| {
            (gap.after.label.clone(), gap.before.map(|b| b.label.clone()), gap.length.as_secs() / 86_400)
        })
        .collect();
    let key = |day: i64| object(day).key;
    let expected = [(key(2), Some(key(5)), 3), (key(6), Some(key(9)), 3), (key(9), None, 3)];
    assert_eq!(gaps, expected);
    let inventory = Inventory::new(&catalog, &[], &HashMap::new(), LIMITS, now, None);
    assert!(inventory.stale && inventory.falls_short());
    assert_eq!(inventory.exposure.unwrap().loss, Duration::from_secs(3 * 86_400 + 2_832));
    assert_eq!(inventory.proven_exposure, None);
}

#[test]
fn a_gap_begins_only_where_no_reading_of_a_moment_closes_it() {
    let now = night_of(1) + SignedDuration::from_secs(7_200);
    let late = |seconds: i64| {
        let mut second = object(1);
        let moment = night_of(1) + SignedDuration::from_secs(7_200 + seconds);
        second.key = moment.strftime("orders-%Y%m%dT%H%M%SZ.dump").to_string();
        second.modified_at = moment + SignedDuration::from_secs(60);
        let now = now + SignedDuration::from_hours(1);
        catalog(vec![object(0), second], now).gaps(now).len()
    };
    assert_eq!(late(0), 0, "exactly the cadence and its grace");
    assert_eq!(late(1), 0, "the name is exact to the second only");
    assert_eq!(late(2), 1);
    let mut plan = planned();
    plan.every = None;
    let listing =
        Listing { objects: vec![object(0), object(9)], pages: 1, listed_at: now, clock_offset: None };
    assert_eq!(Catalog::new(listing, &plan).gaps(night_of(30)).len(), 0, "without a cadence there is no gap");
}

#[test]
fn what_is_not_known_is_not_guessed() {
    let now = night_of(2);
    let mut plan = planned();
    plan.pattern = Pattern::everything();
    plan.every = None;
    let listing =
        Listing { objects: vec![object(0), object(1)], pages: 1, listed_at: now, clock_offset: None };
    let catalog = Catalog::new(listing, &plan);
    let limits = Limits { every: None, ..LIMITS };
    let inventory = Inventory::new(&catalog, &[], &HashMap::new(), limits, now, None);
    assert_eq!((inventory.exposure, inventory.data_age()), (None, None));
    assert!(!inventory.falls_short());
    let none = Inventory::new(&catalog_of_nothing(), &[], &HashMap::new(), LIMITS, now, None).falls_short();
    assert!(none, "no backup at all falls short of anything");
}

fn catalog_of_nothing() -> Catalog {
    catalog(Vec::new(), night_of(0))
}

#[test]
fn a_backup_of_the_future_is_not_the_newest() {
    let now = night_of(1) + SignedDuration::from_hours(1);
    let catalog = catalog(vec![object(0), object(1), object(40)], now);
    let inventory = Inventory::new(&catalog, &[], &HashMap::new(), LIMITS, now, None);
    assert_eq!(inventory.newest.unwrap().backup.label, object(1).key);
    let later = now + SignedDuration::from_hours(72);
    let stale = Inventory::new(&catalog, &[], &HashMap::new(), LIMITS, later, None);
    assert!(stale.stale && stale.falls_short());
}

#[test]
fn losses_and_gaps_of_long_ago_do_not_count_in_a_window() {
    let now = night_of(7) + SignedDuration::from_hours(2);
    let catalog = catalog([0, 5, 6, 7].map(object).to_vec(), now);
    let day = Duration::from_secs(86_400);
    let of = |window| {
        let inventory = Inventory::new(&catalog, &[], &HashMap::new(), LIMITS, now, window);
        (inventory.exposure.map(|exposure| exposure.loss.as_secs()), inventory.gaps.len())
    };
    let later = 2_832;
    assert_eq!(of(None), (Some(5 * 86_400 + later), 1), "the five nights without one");
    assert_eq!(of(Some(day * 30)), of(None));
    assert_eq!(of(Some(day * 2)), (Some(86_400 + later), 0));
    // What began before the window and ended in it could have been lost in it.
    assert_eq!(of(Some(day * 3)), (Some(5 * 86_400 + later), 1));
}
