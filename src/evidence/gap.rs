//! Whether there is a record for each night that should have one.

use std::time::Duration;

use jiff::Timestamp;

use crate::record::{Millis, Moment, Objectives};

const HOUR_MS: u64 = 3_600 * 1_000;
const NIGHT_MS: u64 = 24 * HOUR_MS;

/// How often there must be a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cadence {
    period_ms: u64,
    /// The longest stretch from one record to the next.
    stretch_ms: u64,
    /// How much of a longer stretch may be lateness, and not a missing record, when those are
    /// counted.
    leeway_ms: u64,
}

impl Cadence {
    /// One record in every stretch of `every`. One of about a day allows a nightly drill to be
    /// late; it is nights that are counted then.
    pub fn of_every(every: Duration) -> Cadence {
        let stretch_ms = Millis::from(every).get().max(1);
        let (period_ms, leeway_ms) =
            if is_night(stretch_ms) { (NIGHT_MS, NIGHT_MS / 2) } else { (stretch_ms, 0) };
        Cadence { period_ms, stretch_ms, leeway_ms }
    }

    /// The one that a plan demanded, by the record of its drill: one record in each of its
    /// periods, and no later than its grace. The period is that of the backups; where they come
    /// more often than once a night, one drill a night is what is asked for.
    pub fn stated(objectives: &Objectives) -> Option<Cadence> {
        let period_ms = objectives.expected_period_ms?.get();
        let grace_ms = objectives.grace_ms.unwrap_or_default().get();
        Some(Cadence::of_period(period_ms, grace_ms))
    }

    fn of_period(period_ms: u64, grace_ms: u64) -> Cadence {
        let period_ms = period_ms.max(NIGHT_MS);
        Cadence { period_ms, stretch_ms: period_ms.saturating_add(grace_ms), leeway_ms: period_ms / 2 }
    }

    /// How often.
    pub fn period(&self) -> Duration {
        Duration::from_millis(self.period_ms)
    }

    /// How much later than that.
    pub fn grace(&self) -> Duration {
        Duration::from_millis(self.stretch_ms.saturating_sub(self.period_ms))
    }

    /// Whether it is that of a nightly drill: from 20 to 30 hours.
    pub fn is_nightly(&self) -> bool {
        is_night(self.period_ms)
    }

    /// How many records are missing in a stretch between two of them.
    fn missing(&self, apart_ms: u64) -> u64 {
        if apart_ms <= self.stretch_ms {
            return 0;
        }
        apart_ms.saturating_sub(self.leeway_ms).div_ceil(self.period_ms).saturating_sub(1).max(1)
    }
}

fn is_night(period_ms: u64) -> bool {
    (20..=30).contains(&(period_ms / HOUR_MS))
}

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

/// When a drill began, and how soon the next had to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// When it began.
    pub at: Moment,
    /// How soon; nobody says without.
    pub cadence: Option<Cadence>,
}

/// How well records cover a period.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// How many records there should be: one for each night, or whatever the period, that has
    /// one, and those that are missing. Drills that follow each other sooner are one.
    pub due: u64,
    /// How many are missing.
    pub missing: u64,
    /// Where they are missing.
    pub gaps: Vec<Gap>,
    /// By which cadences this was looked at, each once.
    pub cadences: Vec<Cadence>,
    /// Behind how many records nobody could look, since there is no cadence to look by.
    pub unmeasured: u64,
}

impl Coverage {
    /// How drills that began at `starts`, in order, cover the period from `since` to `until`, if
    /// each must be followed by the next as soon as its cadence says; what begins without a
    /// drill must be by `before`. A period without a bound begins with the first record, and
    /// ends with the last.
    pub fn of(
        starts: &[Start],
        before: Option<Cadence>,
        since: Option<Timestamp>,
        until: Option<Timestamp>,
    ) -> Coverage {
        let (since, until) = (since.map(Moment::from), until.map(Moment::from));
        let is_early = |start: &&Start| since.is_some_and(|since| start.at < since);
        let is_late = |start: &&Start| until.is_some_and(|until| start.at > until);
        let before = starts.iter().rfind(is_early).map_or(before, |start| start.cadence);
        let inside = starts.iter().filter(|start| !is_early(start) && !is_late(start));
        let mut coverage = Coverage::default();
        let mut from = since.map(|at| Start { at, cadence: before });
        let mut counted: Option<Moment> = None;
        for start in inside {
            if let Some(from) = from {
                // What lies before the first record is nobody's to have promised, if none says.
                coverage.look(from, start.at, counted.is_some());
            }
            let half = start.cadence.map_or(0, |cadence| cadence.period_ms / 2);
            if counted.is_none_or(|counted| apart(counted, start.at) >= half) {
                coverage.due = coverage.due.saturating_add(1);
                counted = Some(start.at);
            }
            coverage.learn(start.cadence);
            from = Some(*start);
        }
        if let (Some(from), Some(until)) = (from, until) {
            coverage.look(from, until, true);
        }
        coverage.due = coverage.due.saturating_add(coverage.missing);
        coverage
    }

    /// Looks at the stretch behind `from`.
    fn look(&mut self, from: Start, to: Moment, is_demanded: bool) {
        self.learn(from.cadence);
        let Some(cadence) = from.cadence else {
            self.unmeasured = self.unmeasured.saturating_add(u64::from(is_demanded));
            return;
        };
        let missing = cadence.missing(apart(from.at, to));
        if missing > 0 {
            self.missing = self.missing.saturating_add(missing);
            self.gaps.push(Gap { from: from.at, to, missing });
        }
    }

    fn learn(&mut self, cadence: Option<Cadence>) {
        if let Some(cadence) = cadence
            && !self.cadences.contains(&cadence)
        {
            self.cadences.push(cadence);
        }
    }
}

/// How long after the one the other is; nothing if it is not after it.
fn apart(from: Moment, to: Moment) -> u64 {
    u64::try_from(to.since(from).get()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;

    const HOUR: u64 = HOUR_MS;

    fn every(hours: u64) -> Cadence {
        Cadence::of_every(Duration::from_hours(hours))
    }

    fn plan(period_hours: u64, grace_hours: u64) -> Cadence {
        Cadence::of_period(period_hours * HOUR, grace_hours * HOUR)
    }

    #[test]
    fn nights_are_counted_as_nights_and_other_cadences_as_they_are() {
        let asked =
            [(27, 26, 1), (47, 26, 1), (49, 26, 1), (97, 26, 3), (143 * 24, 26, 142), (13, 6, 2), (12, 6, 1)];
        for (apart_hours, every_hours, expected) in asked {
            let found = every(every_hours).missing(apart_hours * HOUR);
            assert_eq!(found, expected, "{apart_hours} {every_hours}");
        }
        // A plan's period and grace stand apart: what is late is not two that are missing.
        let stated = [
            (24, 24, 6, 0),
            (30, 24, 6, 0),
            (31, 24, 6, 1),
            (54, 24, 6, 1),
            (72, 24, 6, 2),
            (143 * 24, 24, 6, 142),
            (3, 1, 0, 0),
            (25, 1, 1, 0),
            (72, 1, 1, 2),
            (8 * 24, 7 * 24, 42, 0),
            (21 * 24, 7 * 24, 42, 2),
        ];
        for (apart_hours, period, grace, expected) in stated {
            let found = plan(period, grace).missing(apart_hours * HOUR);
            assert_eq!(found, expected, "{apart_hours} of {period} and {grace}");
        }
    }

    fn at(hours: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours)
    }

    fn starts(hours: &[i64], cadence: Option<Cadence>) -> Vec<Start> {
        hours.iter().map(|hour| Start { at: Moment::from(at(*hour)), cadence }).collect()
    }

    #[test]
    fn each_night_without_a_record_is_counted_wherever_it_is() {
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
            let hours: Vec<i64> = nights.iter().map(|night| 24 * night).collect();
            let night = |number: i64| at(24 * number);
            let cadence = Some(every(26));
            let coverage =
                Coverage::of(&starts(&hours, cadence), cadence, since.map(night), until.map(night));
            assert_eq!((coverage.due, coverage.missing), (due, missing), "{name}");
        }
    }

    #[test]
    fn drills_that_follow_each_other_sooner_are_no_gap_and_no_further_night() {
        for cadence in [every(26), plan(24, 6)] {
            let by_hand = Coverage::of(&starts(&[0, 1, 2, 3], Some(cadence)), None, None, None);
            assert_eq!((by_hand.due, by_hand.missing), (1, 0));
            // Twice in the second night; then the third is missing.
            let nights = Coverage::of(&starts(&[0, 24, 29, 72], Some(cadence)), None, None, None);
            assert_eq!((nights.due, nights.missing), (4, 1));
        }
    }

    #[test]
    fn each_stretch_is_measured_by_the_record_before_it() {
        let (nightly, weekly) = (Some(plan(24, 6)), Some(plan(168, 42)));
        let mut changed = starts(&[0, 24, 48, 216, 384], nightly);
        changed.iter_mut().skip(2).for_each(|start| start.cadence = weekly);
        let coverage = Coverage::of(&changed, None, None, None);
        assert_eq!((coverage.missing, coverage.unmeasured, coverage.cadences.len()), (0, 0, 2));
        if let Some(start) = changed.get_mut(2) {
            start.cadence = nightly;
        }
        assert_eq!(Coverage::of(&changed, None, None, None).missing, 6);

        let mut silent = starts(&[0, 24, 96], nightly);
        silent.iter_mut().skip(1).for_each(|start| start.cadence = None);
        let coverage = Coverage::of(&silent, None, None, Some(at(100)));
        assert_eq!((coverage.missing, coverage.unmeasured), (0, 2));

        // Before the first record nothing was promised, unless one is known of.
        let first = starts(&[96], nightly);
        let coverage = |before, starts: &[Start]| Coverage::of(starts, before, Some(at(0)), None);
        assert_eq!((coverage(None, &first).missing, coverage(None, &first).unmeasured), (0, 0));
        assert_eq!(coverage(nightly, &first).missing, 3);
        assert_eq!(coverage(None, &starts(&[-24, 96], nightly)).missing, 3);
    }
}
