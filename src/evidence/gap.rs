//! Whether there is a record for each night that should have one.

use std::time::Duration;

use jiff::Timestamp;

use crate::record::{Millis, Moment};

const NIGHT_MS: u64 = 24 * 3_600 * 1_000;

/// A stretch without a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The last record before it, or the start of the period.
    pub from: Moment,
    /// The first after it, or the end of the period.
    pub to: Moment,
    /// How many records are missing.
    pub missing: u64,
}

/// How well records cover a period.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// How many records there should be: those that are there, and those that are missing.
    pub due: u64,
    /// How many are missing.
    pub missing: u64,
    /// Where they are missing.
    pub gaps: Vec<Gap>,
}

impl Coverage {
    /// How drills that began at `starts`, in order, cover the period from `since` to `until`,
    /// if there must be one in every stretch of `every`. A period without a bound begins
    /// with the first record, and ends with the last.
    pub fn of(
        starts: &[Moment],
        every: Duration,
        since: Option<Timestamp>,
        until: Option<Timestamp>,
    ) -> Coverage {
        let every = Millis::from(every).get().max(1);
        let (since, until) = (since.map(Moment::from), until.map(Moment::from));
        let within = |moment: &&Moment| {
            since.is_none_or(|since| **moment >= since) && until.is_none_or(|until| **moment <= until)
        };
        let inside: Vec<Moment> = starts.iter().filter(within).copied().collect();
        let moments: Vec<Moment> = since.iter().chain(&inside).chain(until.iter()).copied().collect();
        let gap = |pair: &[Moment]| {
            let [from, to] = *pair else { return None };
            let apart = to.since(from).get().unsigned_abs();
            let missing = missing(apart, every);
            (to > from && apart > every).then_some(Gap { from, to, missing })
        };
        let gaps: Vec<Gap> = moments.windows(2).filter_map(gap).collect();
        let missing = gaps.iter().map(|gap| gap.missing).fold(0, u64::saturating_add);
        Coverage { due: missing.saturating_add(inside.len() as u64), missing, gaps }
    }
}

/// How many records are missing in a stretch that is longer than the cadence. A cadence of about
/// a day allows a nightly drill to be late; it is nights that are counted then.
fn missing(apart_ms: u64, every_ms: u64) -> u64 {
    if is_nightly(Duration::from_millis(every_ms)) {
        let nights = apart_ms.saturating_add(NIGHT_MS / 2) / NIGHT_MS;
        return nights.saturating_sub(1).max(1);
    }
    apart_ms.saturating_sub(1) / every_ms
}

/// Whether a cadence is that of a nightly drill: from 20 to 30 hours.
pub fn is_nightly(every: Duration) -> bool {
    (20..=30).contains(&(every.as_secs() / 3_600))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;

    #[test]
    fn nights_are_counted_as_nights_and_other_cadences_as_they_are() {
        let hour = 3_600_000;
        for (apart_hours, every_hours, expected) in
            [(27, 26, 1), (47, 26, 1), (49, 26, 1), (97, 26, 3), (143 * 24, 26, 142), (13, 6, 2), (12, 6, 1)]
        {
            assert_eq!(
                missing(apart_hours * hour, every_hours * hour),
                expected,
                "{apart_hours} {every_hours}"
            );
        }
    }

    #[test]
    fn each_night_without_a_record_is_counted_wherever_it_is() {
        let night = |number: i64| Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * number);
        let starts = |nights: &[i64]| nights.iter().map(|n| Moment::from(night(*n))).collect::<Vec<_>>();
        let every = Duration::from_secs(26 * 3600);
        type Case = (&'static str, &'static [i64], Option<i64>, Option<i64>, u64, u64);
        let table: [Case; 7] = [
            ("none is missing", &[0, 1, 2], None, None, 3, 0),
            ("one in the middle", &[0, 2, 3], None, None, 4, 1),
            ("two in two places", &[0, 2, 3, 5], None, None, 6, 2),
            ("the end", &[0, 1], None, Some(4), 4, 2),
            ("the beginning", &[3, 4], Some(0), None, 4, 2),
            ("records outside of the period", &[0, 1, 5, 9], Some(4), Some(6), 1, 0),
            ("no record at all", &[], Some(0), Some(4), 3, 3),
        ];
        for (name, nights, since, until, due, missing) in table {
            let coverage = Coverage::of(&starts(nights), every, since.map(night), until.map(night));
            assert_eq!((coverage.due, coverage.missing), (due, missing), "{name}");
        }
    }
}
