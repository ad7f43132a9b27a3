//! Listings, and what the catalogue makes of them.
#![expect(clippy::unwrap_used, reason = "helpers of tests may fail loudly, too")]

use std::time::Duration;

use firedrill::catalog::{
    Catalog, ConsistencyPoint, Error, PointSource, REJECTED_MAX, RejectedFor, Selection,
};
use firedrill::plan::{self, Pattern, Select};
use firedrill::store::{Listing, Location, Object, Options};
use firedrill::verdict::Code;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The night's drill: half past two on the 20th.
fn now() -> Timestamp {
    at("2026-11-20T02:30:00Z")
}

fn object(key: &str, bytes: u64, modified_at: &str) -> Object {
    Object {
        key: key.into(),
        uri: format!("s3://acme/orders/{key}"),
        bytes,
        etag: Some("\"e\"".into()),
        version: None,
        modified_at: at(modified_at),
        archived: false,
    }
}

fn listing(objects: Vec<Object>) -> Listing {
    Listing { objects, pages: 1, listed_at: now(), clock_offset: None }
}

fn backup(pattern: Option<&str>) -> plan::Backup {
    plan::Backup {
        location: Location::parse("s3://acme/orders/").unwrap(),
        store_name: None,
        store: Options::default(),
        pattern: pattern.map_or_else(Pattern::everything, |text| Pattern::parse(text, None).unwrap()),
        select: Select::Latest,
        every: None,
        grace: Duration::ZERO,
        written_within: DAY,
        dump_timezone: None,
        database: None,
        accept_unanchored: false,
        decrypt: None,
    }
}

fn nightly() -> plan::Backup {
    plan::Backup { every: Some(DAY), grace: HOUR * 6, ..backup(Some("orders-{time:%Y%m%dT%H%M%SZ}.dump")) }
}

/// A dump that began at one o'clock on a day of November and was there 47 minutes later.
fn night(day: u32) -> Object {
    object(&format!("orders-202611{day:02}T010000Z.dump"), 1000, &format!("2026-11-{day:02}T01:47:00Z"))
}

fn catalog(objects: Vec<Object>, backup: &plan::Backup) -> Catalog {
    Catalog::new(listing(objects), backup)
}

fn select(objects: Vec<Object>, select: Select) -> Result<Selection, Error> {
    catalog(objects, &nightly()).select(&select, 1, now())
}

fn codes(selection: &Selection) -> Vec<Code> {
    selection.reasons.iter().map(|reason| reason.code).collect()
}

fn warned(selection: &Selection) -> Vec<&'static str> {
    selection.warnings.iter().map(|warning| warning.code).collect()
}

#[test]
fn an_intact_series_gives_the_newest_without_a_word() {
    let selection = select((1..=20).map(night).collect(), Select::Latest).unwrap();
    assert_eq!(selection.backup.label, "orders-20261120T010000Z.dump");
    assert_eq!(selection.backup.available_at, at("2026-11-20T01:47:00Z"));
    let point = selection.backup.point.unwrap();
    assert_eq!((point.at, point.source), (at("2026-11-20T01:00:00Z"), PointSource::Pattern));
    assert_eq!(point.uncertainty, Duration::from_secs(1));
    assert_eq!(point.age(now()), Duration::from_secs(5400));
    assert!(selection.reasons.is_empty() && selection.warnings.is_empty(), "{selection:?}");
}

#[test]
fn each_kind_of_selection_takes_what_it_says() {
    let nights = || (1..=20).map(night).collect::<Vec<_>>();
    let label = |day: u32| night(day).key;
    assert_eq!(select(nights(), Select::Oldest).unwrap().backup.label, label(1));
    assert_eq!(select(nights(), Select::Label(label(7))).unwrap().backup.label, label(7));
    let within = Select::RandomWithin(DAY * 3);
    let drawn: Vec<String> = (0..200)
        .map(|seed| catalog(nights(), &nightly()).select(&within, seed, now()).unwrap().backup.label)
        .collect();
    for day in [18, 19, 20] {
        assert!(drawn.contains(&label(day)), "each is drawn sometimes");
    }
    assert!(drawn.iter().all(|drawn| *drawn >= label(18)), "and none that is older");
    let again = catalog(nights(), &nightly()).select(&within, 7, now()).unwrap();
    assert_eq!(again.backup.label, drawn[7], "the same seed draws the same");
}

#[test]
fn selection_goes_by_the_moment_in_the_name_and_not_by_the_last_write() {
    let mut touched = night(3);
    touched.modified_at = at("2026-11-20T02:00:00Z");
    let objects = vec![touched, night(19), night(20)];
    assert_eq!(select(objects, Select::Latest).unwrap().backup.label, night(20).key);
}

#[test]
fn nothing_to_choose_says_which_kind_of_nothing() {
    let mut thawing = night(20);
    thawing.archived = true;
    let partial = object("orders-20261120T010000Z.dump.partial", 9, "2026-11-20T01:20:00Z");
    let empty = object("orders-20261119T010000Z.dump", 0, "2026-11-19T01:47:00Z");
    let table = [
        (vec![], Select::Latest, Code::NoBackupFound, "nothing lies under s3://acme/orders/"),
        (
            vec![partial.clone(), empty.clone(), object("readme.txt", 5, "2026-01-01T00:00:00Z")],
            Select::Latest,
            Code::NoBackupFound,
            "none of the 3 objects under s3://acme/orders/ is a backup by the pattern \
             'orders-{time:%Y%m%dT%H%M%SZ}.dump' (1 unfinished, 1 empty)",
        ),
        (vec![partial.clone()], Select::RandomWithin(DAY), Code::NoBackupFound, "none of the 1 objects"),
        (
            vec![night(1)],
            Select::RandomWithin(DAY),
            Code::NoBackupFound,
            "none of the 1 backups is at most 1d old; the newest is of 2026-11-01T01:00:00Z",
        ),
        (vec![night(1)], Select::Label("x".into()), Code::NoBackupFound, "no backup is called 'x'"),
        (
            vec![empty, night(20)],
            Select::Label("orders-20261119T010000Z.dump".into()),
            Code::NoBackupFound,
            "no backup is called 'orders-20261119T010000Z.dump': the object of this name is empty",
        ),
        (vec![night(19), thawing], Select::Latest, Code::NotRetrievable, "lies in an archive storage class"),
    ];
    for (objects, how, code, says) in table {
        let error = select(objects, how).unwrap_err();
        assert_eq!(error.reason().code, code);
        assert!(error.to_string().contains(says), "{error}");
        assert!(!error.reason().remedy.is_empty());
    }
}

#[test]
fn what_is_unfinished_is_passed_over_with_a_reason_and_a_warning() {
    for newer in [
        object("orders-20261120T010000Z.dump.partial", 500, "2026-11-20T02:00:00Z"),
        object(".orders-20261120T010000Z.dump", 500, "2026-11-20T02:00:00Z"),
        object("orders-20261120T010000Z.dump~", 500, "2026-11-20T02:00:00Z"),
        object("orders-20261120T010000Z.dump", 0, "2026-11-20T02:00:00Z"),
    ] {
        let catalog = catalog(vec![night(18), night(19), newer.clone()], &nightly());
        let [rejected] = catalog.rejected.as_slice() else { panic!("{:?}", catalog.rejected) };
        let reason = if newer.bytes == 0 { RejectedFor::Empty } else { RejectedFor::NameNotFinal };
        assert_eq!((rejected.reason, &rejected.uri), (reason, &newer.uri));
        let selection = catalog.select(&Select::Latest, 1, now()).unwrap();
        assert_eq!(selection.backup.label, night(19).key);
        assert_eq!(warned(&selection), ["NEWER_BACKUP_UNFINISHED"]);
        assert!(selection.reasons.is_empty(), "yesterday's is still within the grace");
    }
}

#[test]
fn neighbours_under_the_same_prefix_are_never_taken_for_backups() {
    let strangers = [
        "orders-archive-20261120T020000Z.dump",
        "orders-20261120T020000Z.dump.gz",
        "orders-20261120T020000Z.dump.bak",
        "x/orders-20261120T020000Z.dump",
        "orders-20261120T020000Z.dump/",
        "orders-latest.dump",
        "customers.dump.partial",
        "",
    ];
    for stranger in strangers {
        let catalog = catalog(vec![night(20), object(stranger, 1000, "2026-11-20T02:10:00Z")], &nightly());
        assert_eq!(catalog.backups.len(), 1, "{stranger}");
        assert_eq!(catalog.rejected_counts.get(&RejectedFor::NoMatch), Some(&1), "{stranger}");
        assert_eq!(catalog.objects_seen, 2);
    }
}

#[test]
fn sidecars_go_with_their_backup_and_orphans_with_none() {
    let beside = |key: &str, ending: &str| object(&format!("{key}{ending}"), 100, "2026-11-20T01:48:00Z");
    let objects = vec![
        night(19),
        beside(&night(19).key, ".sha256"),
        night(20),
        beside(&night(20).key, ".md5"),
        beside(&night(20).key, ".sha256"),
        beside(&night(20).key, ".stamp.json"),
        beside("orders-20261121T010000Z.dump", ".sha256"),
    ];
    for plan in [nightly(), backup(None), backup(Some("*"))] {
        let catalog = catalog(objects.clone(), &plan);
        let [older, newer] = catalog.backups.as_slice() else { panic!("{:?}", catalog.backups) };
        assert!(older.sidecars.digest.is_some() && older.sidecars.stamp.is_none());
        assert_eq!(newer.sidecars.digest.as_ref().unwrap().key, format!("{}.sha256", night(20).key));
        assert!(newer.sidecars.stamp.is_some());
        assert_eq!(catalog.rejected_counts.get(&RejectedFor::Sidecar), Some(&2), "the orphan and the md5");
    }
}

#[test]
fn a_stale_series_fails_and_is_drilled_all_the_same() {
    let table = [
        // one is due every day, with six hours of grace
        ("2026-11-20T01:00:00Z", false),
        ("2026-11-18T20:30:00Z", false),
        ("2026-11-18T20:29:58Z", true),
        ("2026-11-01T01:00:00Z", true),
    ];
    for (point, stale) in table {
        let name = at(point).strftime("orders-%Y%m%dT%H%M%SZ.dump").to_string();
        let catalog = catalog(vec![object(&name, 1000, point)], &nightly());
        assert_eq!(catalog.cadence(now()).is_stale(), stale, "{point}");
        let selection = catalog.select(&Select::Latest, 1, now()).unwrap();
        assert_eq!(codes(&selection).contains(&Code::BackupStale), stale, "{point}");
    }
    let selection = select(vec![night(1), night(2)], Select::Oldest).unwrap();
    assert_eq!(codes(&selection), [Code::BackupStale], "whichever is drilled, the series is stale");
    let unasked = catalog(vec![night(1)], &plan::Backup { every: None, ..nightly() });
    assert!(!unasked.cadence(now()).is_stale());
}

#[test]
fn a_date_without_a_time_is_not_called_stale_before_it_must_be() {
    let plan = plan::Backup { every: Some(DAY), grace: HOUR, ..backup(Some("orders-{time:%FZ}.dump")) };
    let evening = object("orders-2026-11-18Z.dump", 1000, "2026-11-18T23:50:00Z");
    let catalog = catalog(vec![evening], &plan);
    assert!(!catalog.cadence(at("2026-11-19T23:00:00Z")).is_stale(), "it can be of ten to midnight");
    assert!(!catalog.cadence(at("2026-11-20T00:50:00Z")).is_stale());
    assert!(catalog.cadence(at("2026-11-20T00:51:00Z")).is_stale(), "it was written no later than that");
    let point = catalog.backups[0].point.unwrap();
    assert_eq!(point.age(at("2026-11-19T00:00:00Z")), DAY, "an age is reckoned from the earliest moment");
}

#[test]
fn times_that_contradict_each_other_are_reasons() {
    let backup_of = |name: &str, modified: &str| vec![object(name, 1000, modified)];
    let table = [
        ("orders-20261120T010000Z.dump", "2026-11-20T01:00:00Z", None),
        ("orders-20261120T010000Z.dump", "2026-11-20T00:59:56Z", None),
        ("orders-20261120T010000Z.dump", "2026-11-20T00:59:54Z", Some(Code::TimeSourcesDisagree)),
        ("orders-20261119T020000Z.dump", "2026-11-20T02:00:00Z", None),
        ("orders-20261119T020000Z.dump", "2026-11-20T02:00:02Z", Some(Code::TimeSourcesDisagree)),
        ("orders-20261120T023004Z.dump", "2026-11-20T02:30:04Z", None),
        ("orders-20261120T023006Z.dump", "2026-11-20T02:30:06Z", Some(Code::TimestampInFuture)),
    ];
    for (name, modified, expected) in table {
        let plan = plan::Backup { every: None, ..nightly() };
        let selection = catalog(backup_of(name, modified), &plan).select(&Select::Latest, 1, now()).unwrap();
        assert_eq!(codes(&selection), expected.into_iter().collect::<Vec<_>>(), "{name} written {modified}");
    }
    let future =
        select(backup_of("orders-20361120T010000Z.dump", "2026-11-20T01:47:00Z"), Select::Latest).unwrap();
    let expected = [Code::TimestampInFuture, Code::TimeSourcesDisagree, Code::BackupStale];
    assert_eq!(codes(&future), expected, "a backup of the future keeps no series fresh");
    assert!(future.reasons.iter().all(|reason| !reason.remedy.is_empty()));
}

#[test]
fn a_backup_of_the_future_hides_no_stale_series() {
    let mut objects = vec![night(1)];
    objects.push(object("orders-20270101T010000Z.dump", 1000, "2026-11-20T01:00:00Z"));
    let catalog = catalog(objects, &nightly());
    assert!(catalog.cadence(now()).is_stale());
    assert_eq!(catalog.cadence(now()).newest, Some(at("2026-11-01T01:00:00Z")));
    let young = Select::RandomWithin(DAY * 30);
    for seed in 0..20 {
        assert_eq!(
            catalog.select(&young, seed, now()).unwrap().backup.label,
            night(1).key,
            "nor is it drawn"
        );
    }
}

#[test]
fn a_clock_that_differs_from_the_stores_is_not_trusted() {
    for (seconds, trusted) in [(0, true), (5, true), (-5, true), (6, false), (-6, false), (i64::MIN, false)] {
        let clock_offset = Some(SignedDuration::from_secs(seconds));
        let listing = Listing { clock_offset, ..listing(vec![night(20)]) };
        let selection = Catalog::new(listing, &nightly()).select(&Select::Latest, 1, now()).unwrap();
        assert_eq!(codes(&selection).contains(&Code::ClockUntrusted), !trusted, "{seconds}");
    }
}

#[test]
fn ties_are_broken_the_same_way_each_time_and_told() {
    let plan = plan::Backup { every: None, ..backup(Some("*-{time:%Y%m%dT%H%M%SZ}.dump")) };
    let mut a = object("a-20261120T010000Z.dump", 1000, "2026-11-20T01:47:00Z");
    let b = object("b-20261120T010000Z.dump", 1000, "2026-11-20T01:47:00Z");
    let chosen = |objects| catalog(objects, &plan).select(&Select::Latest, 1, now()).unwrap();
    assert_eq!(chosen(vec![a.clone(), b.clone()]).backup.label, b.key, "by name");
    assert_eq!(warned(&chosen(vec![b.clone(), a.clone()])), ["TIME_SOURCES_DISAGREE"]);
    a.modified_at = at("2026-11-20T01:48:00Z");
    assert_eq!(chosen(vec![a.clone(), b]).backup.label, a.key, "but by the later write first");
}

#[test]
fn names_without_a_moment_are_ordered_by_last_write_and_have_no_point() {
    let objects =
        vec![object("a.dump", 1000, "2026-11-20T01:00:00Z"), object("b.dump", 1000, "2026-11-19T01:00:00Z")];
    let catalog = catalog(objects, &backup(None));
    let selection = catalog.select(&Select::Latest, 1, now()).unwrap();
    assert_eq!(selection.backup.label, "a.dump");
    assert_eq!(selection.backup.point, None);
    assert_eq!(warned(&selection), ["ORDERED_BY_LAST_WRITE"]);
    assert_eq!(catalog.exposure(now()), None, "what is unknown is never zero");
    let named = catalog.select(&Select::Label("b.dump".into()), 1, now()).unwrap();
    assert!(named.warnings.is_empty(), "a name was given: nothing was ordered");
}

#[test]
fn exposure_is_the_longest_time_that_a_disaster_could_have_cost() {
    let minutes = |minutes: u64| Some(Duration::from_secs(minutes * 60));
    let late = object("orders-20261119T010000Z.dump", 1000, "2026-11-19T05:00:00Z");
    let table = [
        ("nothing", vec![], None),
        ("one, until now", vec![night(20)], minutes(90)),
        ("a dump of 47 minutes each night", vec![night(18), night(19), night(20)], minutes(24 * 60 + 47)),
        ("a night left out", vec![night(17), night(19), night(20)], minutes(48 * 60 + 47)),
        ("a slow upload", vec![night(18), late, night(20)], minutes(28 * 60)),
        ("the open interval", vec![night(16), night(17)], minutes(3 * 24 * 60 + 90)),
    ];
    for (name, objects, expected) in table {
        assert_eq!(catalog(objects, &nightly()).exposure(now()), expected, "{name}");
    }
}

#[test]
fn a_dump_of_less_than_half_the_usual_size_is_told() {
    let sized = |day: u32, bytes: u64| Object { bytes, ..night(day) };
    let table = [
        (vec![1000, 1000, 1000, 499], true),
        (vec![1000, 1000, 1000, 500], false),
        (vec![1000, 1000, 10], false),
        (vec![10, 10, 10, 10, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 400], true),
        (vec![1000, 1000, 1000, 1000, 10, 10, 10, 10, 10, 10, 10, 9], false),
    ];
    for (sizes, dropped) in table {
        let first = 21 - u32::try_from(sizes.len()).unwrap();
        let objects = (first..).zip(&sizes).map(|(day, bytes)| sized(day, *bytes)).collect();
        let selection = select(objects, Select::Latest).unwrap();
        assert_eq!(warned(&selection).contains(&"SIZE_DROPPED"), dropped, "{sizes:?}");
    }
}

#[test]
fn the_archives_own_clock_counts_only_in_a_zone_that_is_given() {
    let zone = |name: &str| TimeZone::get(name).unwrap();
    let shown = jiff::civil::date(2026, 11, 20).at(15, 43, 58, 0);
    let table = [
        ("America/New_York", "2026-11-20T20:43:58Z", 1),
        ("UTC", "2026-11-20T15:43:58Z", 1),
        ("Asia/Tokyo", "2026-11-20T06:43:58Z", 1),
    ];
    for (name, expected, seconds) in table {
        let point = ConsistencyPoint::from_header(shown, &zone(name)).unwrap();
        assert_eq!((point.at, point.source), (at(expected), PointSource::ArchiveHeader), "{name}");
        assert_eq!(point.uncertainty, Duration::from_secs(seconds));
    }
    let twice = jiff::civil::date(2026, 10, 25).at(2, 30, 0, 0);
    let point = ConsistencyPoint::from_header(twice, &zone("Europe/Berlin")).unwrap();
    assert_eq!((point.at, point.uncertainty), (at("2026-10-25T00:30:00Z"), Duration::from_secs(3601)));
    assert_eq!(ConsistencyPoint::from_header(jiff::civil::DateTime::MAX, &TimeZone::UTC), None);
}

#[test]
fn hostile_listings_are_bounded_and_shown_safely() {
    let mut objects: Vec<Object> =
        (0..10_000).map(|n| object(&format!("junk-{n:05}"), 1, "2026-11-20T01:00:00Z")).collect();
    objects.push(object("orders-20261120T010000Z.dump\u{1b}[31m", 1, "2026-11-20T01:00:00Z"));
    objects.push(object("a\nb", 1, "2026-11-20T01:00:00Z"));
    objects.push(object(&"x".repeat(100_000), 1, "2026-11-20T01:00:00Z"));
    objects.push(object("orders-99980101T000000Z.dump", 1, "2026-11-20T01:00:00Z"));
    objects.push(night(20));
    let catalog = catalog(objects, &nightly());
    assert_eq!(catalog.objects_seen, 10_005);
    assert_eq!(catalog.rejected_counts.get(&RejectedFor::NoMatch), Some(&10_001));
    assert_eq!(catalog.rejected_counts.get(&RejectedFor::Unprintable), Some(&2));
    assert_eq!(catalog.rejected.len(), REJECTED_MAX + 2);
    assert!(
        catalog.rejected.iter().all(|one| one.uri.len() <= 2048 && !one.uri.chars().any(char::is_control))
    );
    let selection = catalog.select(&Select::Latest, u64::MAX, now()).unwrap();
    assert!(codes(&selection).contains(&Code::TimestampInFuture), "it is the newest, and it says so");
    assert!(catalog.exposure(Timestamp::MIN).is_some() && catalog.exposure(Timestamp::MAX).is_some());
}
