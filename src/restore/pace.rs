//! How the store keeps up with what is done with its bytes.

use std::time::Duration;

/// After that time a wait counts half. The parts of a full line come a window at a time: what is
/// looked at must be longer than from one to the next.
const HALF_LIFE_SECONDS: f64 = 5.0;
/// Parts that came while the tables were made are there at once, from whatever line: nothing is said
/// before they are used up.
const SECONDS_MIN: f64 = 1.0;
/// The share of the time that may be spent waiting for a store that keeps up.
const WAITING: f64 = 0.1;
/// The share of the time that is spent waiting for one that everything waits for.
const STARVING: f64 = 0.5;

/// A store gives more than is taken that could give so many times as much: to read ahead is to take
/// twice as much.
const TIMES: f64 = 2.0;

/// What the store gives, beside what is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Supply {
    /// So little that most of the time is spent waiting for it.
    Scarce,
    /// Less than could be taken at times, or it is not known.
    #[default]
    Even,
    /// As much as is taken.
    Enough,
    /// As much, and it could be twice as much.
    Plenty,
}

/// What the store gives, by the time that was spent waiting for it of late.
#[derive(Debug, Default)]
pub struct Pace {
    bytes: f64,
    waited_seconds: f64,
    seconds: f64,
    last: Duration,
}

impl Pace {
    /// Begun at that moment, at which nothing is known.
    pub fn from(now: Duration) -> Pace {
        Pace { last: now, ..Pace::default() }
    }

    /// A part of so many bytes came at the moment `now`, after such a wait for it.
    pub fn part(&mut self, bytes: usize, waited: Duration, now: Duration) {
        let since = now.saturating_sub(self.last);
        self.last = now;
        let left = (-since.as_secs_f64() / HALF_LIFE_SECONDS).exp2();
        self.bytes = self.bytes * left + bytes as f64;
        self.waited_seconds = self.waited_seconds * left + waited.as_secs_f64();
        self.seconds = self.seconds * left + since.as_secs_f64();
    }

    /// What a store gives now that is known to be able to give so much.
    pub fn supply(&self, bytes_per_second: Option<f64>) -> Supply {
        let could_give = bytes_per_second.is_some_and(|able| able * self.seconds >= self.bytes * TIMES);
        let waiting_at_least = |share: f64| self.waited_seconds >= self.seconds * share;
        match () {
            () if self.seconds < SECONDS_MIN => Supply::Even,
            () if waiting_at_least(STARVING) => Supply::Scarce,
            () if waiting_at_least(WAITING) => Supply::Even,
            () if could_give => Supply::Plenty,
            () => Supply::Enough,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether the store ever seemed to give more than is taken, and what it seems to give at the
    /// end: of so many parts, one window was there at the beginning, and the first of each other one
    /// came after a wait. Each is used for so long, in milliseconds. The store is able to give `able`
    /// parts a second.
    fn supplied(able: f64, parts: u64, window: u64, wait: u64, used: u64) -> (bool, Supply) {
        const PART_BYTES: usize = 1000;
        let able = Some(able * PART_BYTES as f64);
        let (mut pace, mut now, mut ever) = (Pace::default(), 0, false);
        for part in 0..parts {
            let waited = if part > 0 && part % window == 0 { wait } else { 0 };
            now += waited;
            pace.part(PART_BYTES, Duration::from_millis(waited), Duration::from_millis(now));
            ever |= pace.supply(able) == Supply::Plenty;
            now += used;
        }
        assert_ne!(pace.supply(None), Supply::Plenty, "nothing is known of the store");
        (ever, pace.supply(able))
    }

    #[test]
    fn a_line_whose_parts_come_in_bursts_does_not_keep_up() {
        let table = [
            ("a full line, four parts at a time", supplied(100.0, 40, 4, 1_000, 80), (false, Supply::Scarce)),
            ("a slower one, eight at a time", supplied(100.0, 80, 8, 6_000, 80), (false, Supply::Scarce)),
            ("as fast as what is done with it", supplied(100.0, 40, 4, 200, 80), (false, Supply::Even)),
            ("one wait in a while", supplied(100.0, 40, 20, 100, 80), (true, Supply::Plenty)),
            ("parts that are always there", supplied(100.0, 40, 1_000, 0, 80), (true, Supply::Plenty)),
            (
                "so are those of a line that is just fast enough",
                supplied(20.0, 40, 1_000, 0, 80),
                (false, Supply::Enough),
            ),
            ("a moment", supplied(100.0, 4, 1, 200, 80), (false, Supply::Even)),
        ];
        for (line, found, expected) in table {
            assert_eq!(found, expected, "{line}");
        }
    }
}
