//! Traffic made slower on purpose, so that the network of another place can be tried here.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How slow a store is made. Nothing is made faster than it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shaping {
    /// Bytes that all connections together get in a second.
    pub total_bytes_per_second: Option<u64>,
    /// Bytes that one connection gets in a second.
    pub connection_bytes_per_second: Option<u64>,
    /// Until the first byte of an answer.
    pub latency: Duration,
}

impl Shaping {
    /// Whether anything is made slower.
    pub fn is_any(&self) -> bool {
        *self != Shaping::default()
    }
}

/// The line to a store, which all of its connections share.
#[derive(Debug)]
pub(super) struct Line {
    shaping: Shaping,
    /// When the line has carried all that was put on it so far.
    free_at: Mutex<Option<Instant>>,
}

impl Line {
    pub(super) fn new(shaping: Shaping) -> Line {
        Line { shaping, free_at: Mutex::new(None) }
    }

    /// Waits until an answer of so many bytes to a question that was put at `asked` would be here.
    pub(super) async fn carry(&self, asked: Instant, bytes: u64) {
        if self.shaping.is_any() {
            tokio::time::sleep_until(self.arrival(asked, Instant::now(), bytes)).await;
        }
    }

    /// When the last byte comes. One answer follows the other on the line, as their parts are
    /// wanted in that order.
    fn arrival(&self, asked: Instant, now: Instant, bytes: u64) -> Instant {
        let first = asked + self.shaping.latency;
        let alone = first + time_of(bytes, self.shaping.connection_bytes_per_second);
        if self.shaping.total_bytes_per_second.is_none() {
            return alone.max(now);
        }
        let mut free_at = self.free_at.lock().unwrap_or_else(PoisonError::into_inner);
        let begins = free_at.map_or(first, |free| free.max(first));
        let ends = begins + time_of(bytes, self.shaping.total_bytes_per_second);
        *free_at = Some(ends);
        ends.max(alone).max(now)
    }
}

fn time_of(bytes: u64, bytes_per_second: Option<u64>) -> Duration {
    let Some(rate) = bytes_per_second else { return Duration::ZERO };
    let nanos = u128::from(bytes).saturating_mul(1_000_000_000) / u128::from(rate.max(1));
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)).min(Duration::from_secs(86_400))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(total: Option<u64>, connection: Option<u64>, latency_ms: u64) -> Line {
        Line::new(Shaping {
            total_bytes_per_second: total,
            connection_bytes_per_second: connection,
            latency: Duration::from_millis(latency_ms),
        })
    }

    /// When answers to questions that are all put at once are there, in milliseconds.
    fn arrivals(line: &Line, answers: &[u64]) -> Vec<u128> {
        let now = Instant::now();
        answers.iter().map(|bytes| (line.arrival(now, now, *bytes) - now).as_millis()).collect()
    }

    #[test]
    fn answers_come_as_late_as_the_line_makes_them() {
        let answers = [1_000, 1_000, 500];
        let table: [(Line, &[u128]); 5] = [
            (line(None, None, 0), &[0, 0, 0]),
            (line(None, None, 20), &[20, 20, 20]),
            (line(None, Some(1_000), 20), &[1_020, 1_020, 520]),
            (line(Some(1_000), None, 20), &[1_020, 2_020, 2_520]),
            (line(Some(2_000), Some(1_000), 0), &[1_000, 1_000, 1_250]),
        ];
        for (line, expected) in table {
            assert_eq!(arrivals(&line, &answers), expected, "{line:?}");
        }
    }

    #[test]
    fn a_slow_store_is_not_made_slower_than_the_line() {
        let line = line(Some(1_000), None, 20);
        let asked = Instant::now();
        let came = asked + Duration::from_secs(5);
        assert_eq!(line.arrival(asked, came, 1_000), came);
        assert!(line.arrival(asked, came, 10_000) > came);
    }
}
