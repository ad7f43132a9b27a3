//! Where a service stands now, by its evidence: the newest verdict, unless that is too old or
//! the evidence is not sound. One rule for every face, so that none shows an old pass as
//! today's.

use std::time::Duration;

use jiff::Timestamp;

use crate::record::{Cleanup, Moment, Record, WarningLine};
use crate::report::caveats;
use crate::report::encode;
use crate::report::stored::Series;
use crate::verdict::Verdict;

/// How old the newest record may be where neither the reader nor the plan's cadence says: a
/// night, and two hours of grace.
pub const AGE_MAX: Duration = Duration::from_secs(26 * 3_600);

/// Where a service stands, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// The newest drill passed, lately.
    Passed,
    /// And something about it should be looked at.
    Warned,
    /// There is no drill with a record.
    Never,
    /// The evidence is damaged, or from the future: it proves nothing.
    Unsound,
    /// The newest drill could not tell.
    Inconclusive,
    /// The newest drill is older than it may be.
    Stale,
    /// The newest drill failed.
    Failed,
}

impl Standing {
    /// Where `series` stands at `now`, if its newest record may be as old as `age_max`; by
    /// default as old as a backup may be by the plan's cadence, else [`AGE_MAX`].
    pub fn of(series: &Series, now: Timestamp, age_max: Option<Duration>) -> Standing {
        if series.faults_total > 0 {
            return Standing::Unsound;
        }
        let Some(newest) = &series.newest else { return Standing::Never };
        let record = &newest.record;
        let age = age_ms(record, now);
        let skew = i64::try_from(record.clock.max_allowed_offset_ms.get()).unwrap_or(i64::MAX);
        if age.saturating_neg() > skew {
            return Standing::Unsound;
        }
        match record.verdict.result.0 {
            Verdict::Fail => Standing::Failed,
            _ if Duration::from_millis(u64::try_from(age).unwrap_or(0)) > age_limit(record, age_max) => {
                Standing::Stale
            }
            Verdict::Inconclusive => Standing::Inconclusive,
            Verdict::Pass if calls(record) => Standing::Warned,
            Verdict::Pass => Standing::Passed,
        }
    }

    /// The standing in a word or two.
    pub fn as_str(self) -> &'static str {
        match self {
            Standing::Passed => "passed",
            Standing::Warned => "passed, with a warning",
            Standing::Never => "never drilled",
            Standing::Unsound => "evidence not sound",
            Standing::Inconclusive => "inconclusive",
            Standing::Stale => "out of date",
            Standing::Failed => "failed",
        }
    }
}

/// When the drill of `record` was over; when it began, where that is not known.
pub fn ended_at(record: &Record) -> Moment {
    record.run.finished_at.unwrap_or(record.run.started_at)
}

/// How long before `now` the drill was over, in milliseconds.
pub fn age_ms(record: &Record, now: Timestamp) -> i64 {
    Moment::from(now).since(ended_at(record)).get()
}

/// How old the record may be.
pub fn age_limit(record: &Record, age_max: Option<Duration>) -> Duration {
    let cadence = record.objectives.expected_period_ms.map(|period| {
        let grace = record.objectives.grace_ms.unwrap_or_default();
        period.duration().saturating_add(grace.duration())
    });
    age_max.or(cadence).unwrap_or(AGE_MAX)
}

/// Why a series stands where its verdict alone would not put it, in one sentence.
pub fn why(series: &Series, standing: Standing, now: Timestamp, age_max: Option<Duration>) -> Option<String> {
    let newest = series.newest.as_ref().map(|drill| &drill.record);
    match (standing, newest) {
        (Standing::Never, _) => Some("no drill of this service has left a record".to_owned()),
        (Standing::Unsound, Some(record)) if series.faults_total == 0 => Some(format!(
            "the newest record is {}: one of the two clocks is wrong",
            encode::age(age_ms(record, now))
        )),
        (Standing::Unsound, _) => Some(match series.faults.as_slice() {
            [only] => only.clone(),
            [first, ..] => format!("{first}; {} faults in all", series.faults_total),
            [] => "the evidence can't be read".to_owned(),
        }),
        (Standing::Stale, Some(record)) => Some(format!(
            "the newest record is {} old, and may be {}",
            encode::age(age_ms(record, now)),
            encode::objective(age_limit(record, age_max))
        )),
        _ => None,
    }
}

/// The warnings of a drill that do not stand every night.
pub fn happened(record: &Record) -> impl Iterator<Item = &WarningLine> {
    record.verdict.warnings.iter().filter(|warning| !caveats::is_standing(warning.code))
}

/// Whether a pass should be looked at: scratch was left, or a warning tells of something that
/// happened.
fn calls(record: &Record) -> bool {
    let left = |cleanup: &Cleanup| {
        !(cleanup.scratch_removed && cleanup.removal_verified && cleanup.leaked.is_empty())
    };
    happened(record).next().is_some() || record.cleanup.as_ref().is_some_and(left)
}
