//! Two clocks that are never mixed: the wall for dates, the monotonic one for durations.

use std::time::{Duration, Instant};

use jiff::Timestamp;

/// A moment on both clocks at once, from which a drill measures everything.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch {
    started_at: Timestamp,
    origin: Instant,
}

impl Stopwatch {
    /// Starts now.
    pub fn start() -> Stopwatch {
        Stopwatch { started_at: Timestamp::now(), origin: Instant::now() }
    }

    /// The wall-clock moment at which it started.
    pub fn started_at(&self) -> Timestamp {
        self.started_at
    }

    /// Monotonic time since the start.
    pub fn elapsed(&self) -> Duration {
        self.origin.elapsed()
    }
}

/// One stretch of a drill, by the monotonic clock, relative to the drill's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// From the drill's start to the stretch's.
    pub offset: Duration,
    /// How long it took.
    pub length: Duration,
}

/// The phases that partition the recovery time, and those that follow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Phase {
    /// List the store, choose the backup, read the archive's table of contents.
    Select,
    /// Make and start the scratch.
    Provision,
    /// Everything of the archive into the scratch, the download included.
    Restore,
    /// Until the database answers, complete and durable.
    Ready,
    /// The content proof and the plan's checks; not part of the recovery time.
    Proof,
    /// Remove the scratch and see it gone; not part of the recovery time.
    Cleanup,
}

impl Phase {
    /// The word in evidence and on the terminal.
    pub fn as_str(self) -> &'static str {
        match self {
            Phase::Select => "select",
            Phase::Provision => "provision",
            Phase::Restore => "restore",
            Phase::Ready => "ready",
            Phase::Proof => "proof",
            Phase::Cleanup => "cleanup",
        }
    }

    /// Whether the phase is a part of the recovery time.
    pub fn recovers(self) -> bool {
        matches!(self, Phase::Select | Phase::Provision | Phase::Restore | Phase::Ready)
    }
}

/// RFC 3339 in UTC with exactly three decimals and `Z`, as evidence writes every moment.
pub fn rfc3339_millis(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_in_utc_with_three_decimals() {
        let table = [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_700_000_000_123, "2023-11-14T22:13:20.123Z"),
            (1_700_000_000_120, "2023-11-14T22:13:20.120Z"),
        ];
        for (millis, text) in table {
            let at = Timestamp::from_millisecond(millis).unwrap();
            assert_eq!(rfc3339_millis(at), text);
        }
    }
}
