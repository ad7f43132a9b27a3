//! What past drills say, from evidence on the disk: figures, trends, and a cache that may break
//! without anybody noticing.
#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

#[path = "support/nights.rs"]
mod nights;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use firedrill::evidence::Log;
use firedrill::history::*;
use firedrill::record::*;
use firedrill::verdict::{Code, Verdict};
use jiff::Timestamp;
use nights::{declared_ms, halted, night, sized, slower, with_rto};
use rusqlite::Connection;
use tempfile::TempDir;

const NO_PATIENCE: Duration = Duration::from_millis(20);

/// A state directory with evidence.
struct State(TempDir);

impl State {
    fn new() -> State {
        State(tempfile::tempdir().unwrap())
    }

    /// With one record a night, after `change` has seen each.
    fn of(nights: i64, mut change: impl FnMut(i64, &mut Record)) -> State {
        let state = State::new();
        for number in 0..nights {
            let mut record = night(number);
            change(number, &mut record);
            state.append(record);
        }
        state
    }

    fn append(&self, mut record: Record) -> PathBuf {
        let log = Log::open(&self.evidence(), "orders").unwrap();
        log.append(&mut record, None).unwrap().path
    }

    fn evidence(&self) -> PathBuf {
        self.0.path().join("evidence")
    }

    fn cache(&self) -> PathBuf {
        self.0.path().join("history.sqlite")
    }

    fn recalled(&self) -> Recalled {
        recall(&self.cache(), &self.evidence(), &["orders".to_owned()], NO_PATIENCE).unwrap()
    }

    /// The past by way of the cache, which must be what the evidence says.
    #[track_caller]
    fn past(&self) -> Past {
        let recalled = self.recalled();
        assert_eq!(recalled.unavailable, None);
        let past = recalled.pasts.into_iter().next().unwrap();
        assert_eq!(past, recall_directly(&self.evidence(), "orders").unwrap());
        past
    }

    fn account(&self) -> Account {
        Account::of(&self.past(), 100)
    }
}

#[test]
fn each_drill_is_kept_with_its_figures() {
    let state = State::of(2, |number, record| match number {
        0 => slower(record, 60_000),
        _ => halted(record, Code::Deadline),
    });
    let past = state.past();
    let [passed, halted] = past.drills.as_slice() else { panic!("{past:#?}") };
    assert_eq!((passed.sequence, passed.verdict, passed.disputed), (1, Verdict::Pass, false));
    assert_eq!(passed.content, Content::Whole);
    assert_eq!(passed.recovery, Some(Millis::new(1_108_051)));
    assert_eq!(passed.restore, Some(Millis::new(1_103_430)));
    assert_eq!(passed.throughput(), Some(4_108_722_000 / 1_103_430));
    assert_eq!(passed.data_age, Some(SignedMillis::new(5_400_112)));
    assert_eq!((passed.declared, passed.rto), (Millis::new(720_000), Some(Millis::new(14_400_000))));
    let artifact = passed.artifact.as_ref().unwrap();
    assert_eq!(artifact.uri, "s3://acme-backups/orders/orders-20261120T010000Z.dump");
    assert!(artifact.sha256.is_some() && artifact.version.is_some() && artifact.etag.is_some());

    assert_eq!((halted.verdict, halted.content), (Verdict::Inconclusive, Content::Unknown));
    let measured = (halted.recovery, halted.restore, halted.throughput(), halted.data_age);
    assert_eq!(measured, (None, None, None, None), "what was not measured is absent, and not 0");
    assert!(halted.artifact.is_some());
}

#[test]
fn what_a_drill_says_of_the_backup_is_kept_apart_from_its_verdict() {
    type Change = fn(&mut Record);
    let table: [(&str, Change, Verdict, Content); 6] = [
        ("nothing wrong", |_| {}, Verdict::Pass, Content::Whole),
        ("too slow", |it| with_rto(it, 1_000_000), Verdict::Fail, Content::Whole),
        ("truncated", |it| halted(it, Code::ArtifactTruncated), Verdict::Fail, Content::Broken),
        ("a deadline", |it| halted(it, Code::Deadline), Verdict::Inconclusive, Content::Unknown),
        ("no scratch", |it| halted(it, Code::ScratchUnavailable), Verdict::Inconclusive, Content::Unknown),
        (
            "both too slow and no check",
            |it| {
                with_rto(it, 1_000_000);
                it.checks = None;
            },
            Verdict::Fail,
            Content::Unknown,
        ),
    ];
    for (name, change, verdict, content) in table {
        let state = State::of(1, |_, record| change(record));
        let drill = &state.past().drills[0];
        assert_eq!((drill.verdict, drill.content), (verdict, content), "{name}");
    }
}

#[test]
fn a_verdict_that_the_judge_does_not_share_counts_as_the_worse_of_the_two() {
    let state = State::new();
    let path = state.append({
        let mut record = night(0);
        halted(&mut record, Code::DataMismatch);
        record
    });
    assert_eq!(state.past().drills[0].verdict, Verdict::Fail);
    let text = fs::read_to_string(&path).unwrap();
    let start = text.find(r#""verdict":{"#).unwrap();
    let forged = text[start..].replacen(r#""result":"fail""#, r#""result":"pass""#, 1);
    fs::write(&path, format!("{}{forged}", &text[..start])).unwrap();
    let past = state.past();
    let drill = &past.drills[0];
    assert_eq!((drill.verdict, drill.disputed, drill.content), (Verdict::Fail, true, Content::Unknown));
    assert_eq!(state.account().disputed, 1);
}

#[test]
fn the_cache_gives_what_the_evidence_says_whatever_became_of_it() {
    type Damage = fn(&State);
    let table: [(&str, Damage); 12] = [
        ("nothing", |_| {}),
        ("it is missing", |it| fs::remove_file(it.cache()).unwrap()),
        ("it is empty", |it| fs::write(it.cache(), "").unwrap()),
        ("it is no database", |it| fs::write(it.cache(), "no database".repeat(500)).unwrap()),
        ("it is cut", |it| {
            let bytes = fs::read(it.cache()).unwrap();
            fs::write(it.cache(), &bytes[..bytes.len() / 2]).unwrap();
        }),
        ("pages are overwritten", |it| {
            let mut bytes = fs::read(it.cache()).unwrap();
            let length = bytes.len();
            bytes[4096..length].fill(0xa5);
            fs::write(it.cache(), bytes).unwrap();
        }),
        ("it is of another version", |it| change(it, "UPDATE made SET version = 99")),
        ("it was made by another firedrill", |it| change(it, "UPDATE made SET by = '0.0.1'")),
        ("it has other tables", |it| change(it, "DROP TABLE drill; CREATE TABLE drill (x) STRICT")),
        ("a figure was changed", |it| change(it, "UPDATE drill SET recovery_ms = 1 WHERE sequence = 2")),
        ("a verdict was changed", |it| change(it, "UPDATE drill SET verdict = 'fail'")),
        ("rows are gone", |it| change(it, "DELETE FROM drill WHERE sequence < 3")),
    ];
    fn change(state: &State, sql: &str) {
        let sql = sql.replace("(x) STRICT", "(x TEXT) STRICT");
        Connection::open(state.cache()).unwrap().execute_batch(&sql).unwrap();
    }
    for (name, damage) in table {
        let state = State::of(4, |_, _| {});
        let before = state.past();
        damage(&state);
        assert_eq!(state.past(), before, "{name}");
        let rows: i64 = Connection::open(state.cache())
            .unwrap()
            .query_row("SELECT count(*) FROM drill", [], |row| row.get(0))
            .unwrap();
        assert_eq!(rows, 4, "{name}: it is whole again");
    }
}

#[test]
fn the_cache_follows_the_evidence() {
    let state = State::of(3, |_, _| {});
    assert_eq!(state.past().drills.len(), 3);
    let fourth = state.append(night(3));
    assert_eq!(state.past().drills.len(), 4, "one more");
    fs::remove_file(&fourth).unwrap();
    assert_eq!(state.past().drills.len(), 3, "one less");
    let fourth = state.append(night(3));
    assert_eq!(state.past().drills.len(), 4);
    let bytes = fs::read(&fourth).unwrap();
    fs::write(&fourth, &bytes[..bytes.len() - 1]).unwrap();
    let past = state.past();
    assert_eq!((past.drills.len(), past.unreadable.len()), (3, 1), "one was damaged under its name");
    assert!(past.unreadable[0].why.contains("00000004-"), "{past:?}");
    fs::write(&fourth, bytes).unwrap();
    assert_eq!(state.past().drills.len(), 4, "and mended");
}

#[test]
fn unchanged_evidence_is_not_read_again() {
    let state = State::of(3, |_, _| {});
    let before = state.past();
    assert_eq!(state.recalled().pasts[0], before);
    let connection = Connection::open(state.cache()).unwrap();
    let rowids: Vec<i64> = connection
        .prepare("SELECT rowid FROM drill ORDER BY sequence")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(rowids, [1, 2, 3], "a row that is written anew has a number of its own");
}

#[test]
fn a_cache_that_another_process_holds_is_left_alone() {
    let state = State::of(3, |_, _| {});
    let before = state.past();
    let holder = Connection::open(state.cache()).unwrap();
    holder.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let recalled = state.recalled();
    assert!(recalled.unavailable.as_ref().unwrap().contains("locked"), "{recalled:?}");
    assert_eq!(recalled.pasts, std::slice::from_ref(&before));
    holder.execute_batch("ROLLBACK").unwrap();
    assert_eq!(state.past(), before);
}

#[test]
fn a_cache_that_cannot_be_had_is_done_without() {
    let state = State::of(2, |_, _| {});
    fs::create_dir(state.cache()).unwrap();
    let recalled = state.recalled();
    assert!(recalled.unavailable.is_some());
    assert_eq!(recalled.pasts[0].drills.len(), 2);
    fs::remove_dir(state.cache()).unwrap();
    let elsewhere = state.0.path().join("elsewhere");
    std::os::unix::fs::symlink(&elsewhere, state.cache()).unwrap();
    assert!(state.recalled().unavailable.is_some(), "a link is not followed");
    assert!(!elsewhere.exists());
}

#[test]
fn the_cache_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let state = State::of(1, |_, _| {});
    state.past();
    assert_eq!(fs::metadata(state.cache()).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn files_that_are_no_evidence_of_this_drill_are_told_and_prove_nothing() {
    let state = State::of(2, |_, _| {});
    let folder = state.evidence().join("orders");
    let first = fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path()).min().unwrap();
    let name = first.file_name().unwrap().to_str().unwrap().to_owned();
    let table = [
        ("another place", name.replacen("00000001", "00000007", 1)),
        ("another drill", format!("00000003-{}.json", RunId::fresh())),
        ("an envelope that is none", name.replacen("00000001", "00000003", 1).replace(".json", ".dsse.json")),
    ];
    for (what, name) in table {
        fs::copy(&first, folder.join(&name)).unwrap();
        let past = state.past();
        assert_eq!((past.drills.len(), past.unreadable.len()), (2, 1), "{what}");
        fs::remove_file(folder.join(&name)).unwrap();
    }
    let other = state.evidence().join("billing");
    fs::create_dir(&other).unwrap();
    fs::copy(&first, other.join(&name)).unwrap();
    let past = recall_directly(&state.evidence(), "billing").unwrap();
    assert_eq!((past.drills.len(), past.unreadable.len()), (0, 1), "another service");
    assert_eq!(recall_directly(&state.evidence(), "nobody").unwrap().drills, []);
    assert!(recall_directly(&state.evidence(), "../orders").is_err());
}

#[test]
fn drills_that_did_not_pass_count_as_worse_than_any() {
    let state = State::of(30, |number, record| match number {
        5 | 6 => halted(record, Code::Deadline),
        _ => slower(record, number as u64 * 1000),
    });
    let account = state.account();
    assert_eq!((account.drills, account.passed, account.inconclusive, account.failed), (30, 28, 2, 0));
    let spread = account.recovery.spread.unwrap();
    assert_eq!((spread.drills, spread.censored), (30, 2));
    assert_eq!(spread.p50, Place::On(1_048_051 + 16_000));
    assert_eq!((spread.p95, spread.worst), (Some(Place::Unbounded), Place::Unbounded));
    let size = account.size.spread.unwrap();
    assert_eq!((size.drills, size.censored), (30, 0), "the size is known however a drill ended");
    assert_eq!(account.throughput.spread.unwrap().worst, Place::Unbounded);
    assert_eq!(account.recovery.newest, Some(1_048_051 + 29_000));
    assert_eq!(account.recovery.limit, Some(14_400_000 - declared_ms(&night(0)) as i64));
}

#[test]
fn drills_that_left_no_evidence_are_counted_too() {
    let state = State::of(10, |number, record| {
        if number == 4 {
            let killed = AbandonedRun { run_id: RunId::fresh(), started_at: None, last_state: "x".into() };
            record.chain.abandoned_runs = vec![killed];
        }
    });
    let files = || {
        let folder = fs::read_dir(state.evidence().join("orders")).unwrap();
        let mut files: Vec<PathBuf> = folder.map(|file| file.unwrap().path()).collect();
        files.sort();
        files
    };
    fs::remove_file(&files()[6]).unwrap();
    fs::write(&files()[2], "{}").unwrap();
    let account = state.account();
    assert_eq!((account.drills, account.killed, account.missing, account.unreadable), (8, 1, 1, 1));
    let spread = account.recovery.spread.unwrap();
    assert_eq!((spread.drills, spread.censored, spread.worst), (11, 3, Place::Unbounded));
}

#[test]
fn the_window_holds_the_latest_drills() {
    let state = State::of(12, |number, record| {
        if number < 4 {
            halted(record, Code::Deadline);
        }
    });
    let past = state.past();
    let account = Account::of(&past, 8);
    assert_eq!((account.drills, account.passed, account.earlier), (8, 8, 4));
    assert_eq!((account.missing, account.recovery.spread.unwrap().censored), (0, 0));
    let (since, until) = account.period.unwrap();
    assert_eq!(until.since(since).get(), 7 * 86_400_000);
    let empty = Account::of(
        &Past {
            service: "x".into(),
            drills: vec![],
            unreadable: vec![],
            signed: firedrill::history::Signed::Unchecked,
        },
        8,
    );
    assert_eq!((empty.drills, empty.period, empty.recovery.spread), (0, None, None));
}

#[test]
fn figures_of_other_conditions_are_left_out() {
    let state = State::of(12, |number, record| {
        if number >= 10 {
            record.restore.as_mut().unwrap().jobs = 1;
            slower(record, 1_000_000);
        }
    });
    let account = state.account();
    assert_eq!((account.drills, account.passed, account.other_profile), (12, 12, 2));
    assert!(account.profile.as_ref().unwrap().contains("8 jobs"), "{:?}", account.profile);
    let spread = account.recovery.spread.unwrap();
    assert_eq!((spread.drills, spread.worst), (10, Place::On(1_048_051)));
}

/// Nights that get slower by ten seconds each, with an hour of seconds beside the line.
fn growing(nights: i64) -> State {
    State::of(nights, |number, record| {
        let wobble = [0, 3_000, 1_000, 4_000, 2_000];
        slower(record, number as u64 * 10_000 + wobble[number as usize % 5]);
        sized(record, 1_000_000_000 + number as u64 * 50_000_000);
        with_rto(record, 2_400_000);
    })
}

#[test]
fn the_day_on_which_the_objective_would_be_broken_is_told_with_its_range() {
    let account = growing(20).account();
    let trend = account.recovery.trend.unwrap();
    let per_day = trend.slope * 86_400_000.0;
    assert!((9_500.0..10_500.0).contains(&per_day), "{per_day}");
    // 2,400 s less 720 s declared leaves 1,680 s: 631.949 s above the first night, at 10 s a night.
    let Some(Outlook::Breach { at, earliest, latest }) = account.recovery.outlook else {
        panic!("{:?}", account.recovery)
    };
    let day =
        |at: Timestamp| (at.as_millisecond() - account.period.unwrap().0.at().as_millisecond()) / 86_400_000;
    assert!((61..=65).contains(&day(at)), "{}", day(at));
    assert!(earliest < at && latest.is_some_and(|latest| at < latest));
    let (bytes, low, high) = account.by_size.limit_bytes.unwrap();
    assert!((4_050_000_000..4_250_000_000).contains(&bytes), "{bytes}");
    assert!(low <= bytes && high.is_none_or(|high| bytes <= high));
    let score = account.recovery.score.unwrap();
    assert_eq!((score.ahead, score.forecasts, score.inside), (7, 6, 6), "{score:?}");
    assert!(score.median_error < 5_000, "{score:?}");
    assert!(account.size.trend.is_ok() && account.size.outlook.is_none());
}

#[test]
fn a_forecast_is_declined_where_drills_are_too_few_or_say_nothing() {
    let few = growing(4).account();
    let too_few = Outlook::Declined(NoTrend::Unfit(Unfit::TooFew { points: 4 }));
    assert_eq!((few.recovery.outlook, few.recovery.score), (Some(too_few), None));
    let level = State::of(20, |number, record| slower(record, 1_000 * (number as u64 % 2))).account();
    assert_eq!(level.recovery.outlook, Some(Outlook::Declined(NoTrend::Unclear)));
    assert_eq!(level.by_size.trend, Err(NoTrend::Unfit(Unfit::NoSpread)), "all of one size");
    let broken = State::of(20, |number, record| {
        slower(record, number as u64 * 40_000);
        with_rto(record, 2_400_000);
    });
    assert_eq!(broken.account().recovery.outlook, Some(Outlook::Broken));
    let unbound = State::of(20, |number, record| {
        slower(record, number as u64 * 10_000);
        record.objectives.rto_ms = None;
        slower(record, 0);
    });
    assert_eq!((unbound.account().recovery.limit, unbound.account().recovery.outlook), (None, None));
}

#[test]
fn the_folder_of_evidence_is_all_that_is_needed() {
    let services = firedrill::evidence::services(Path::new("/nonexistent/evidence")).unwrap();
    assert_eq!(services, [""; 0]);
    let state = State::of(1, |_, _| {});
    fs::create_dir(state.evidence().join(".hidden")).unwrap();
    fs::write(state.evidence().join("file"), "").unwrap();
    assert_eq!(firedrill::evidence::services(&state.evidence()).unwrap(), ["orders"]);
}
