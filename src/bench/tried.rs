//! What was measured of one point of the grid.

use std::time::Duration;

use crate::bench::gauge::Seen;
use crate::bench::grid::Point;
use crate::bench::limit::{Limit, Measured};
use crate::clock::Phase;
use crate::record::{Record, SpanName};
use crate::store::Shaping;
use crate::verdict::Reason;

/// A point, and what came of it.
#[derive(Clone, Debug)]
pub struct Tried {
    /// The way it was restored.
    pub point: Point,
    /// Each restore.
    pub runs: Vec<Run>,
    /// Why it was not tried to the end.
    pub left_out: Option<Reason>,
}

impl Tried {
    /// One that was not tried yet.
    pub fn new(point: Point) -> Tried {
        Tried { point, runs: Vec::new(), left_out: None }
    }

    /// How long the restore phase took; none if it never did.
    pub fn restore(&self) -> Option<Spread> {
        Spread::of(self.runs.iter().map(|run| run.restore))
    }

    /// From choosing the backup until the database answered, complete and durable.
    pub fn recovery(&self) -> Option<Spread> {
        Spread::of(self.runs.iter().map(|run| run.recovery))
    }

    /// How long a phase took.
    pub fn phase(&self, phase: Phase) -> Option<Spread> {
        Spread::of(self.runs.iter().filter_map(|run| run.phase(phase)))
    }

    /// How long a kind of work went on inside the restore.
    pub fn span(&self, name: SpanName) -> Option<Spread> {
        Spread::of(self.runs.iter().filter_map(|run| run.span(name)))
    }

    /// The run that stands for the others: that of the median restore.
    pub fn typical(&self) -> Option<&Run> {
        let mut runs: Vec<&Run> = self.runs.iter().collect();
        runs.sort_by_key(|run| run.restore);
        runs.get(runs.len().saturating_sub(1) / 2).copied()
    }
}

/// The middle of several times, and how far they lie apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spread {
    /// The shortest.
    pub least: Duration,
    /// The one in the middle, or between the two in the middle.
    pub median: Duration,
    /// The longest.
    pub most: Duration,
}

impl Spread {
    /// That of `times`; none of none.
    pub fn of(times: impl IntoIterator<Item = Duration>) -> Option<Spread> {
        let mut times: Vec<Duration> = times.into_iter().collect();
        times.sort_unstable();
        let (least, most) = (*times.first()?, *times.last()?);
        let [low, high] = [(times.len() - 1) / 2, times.len() / 2].map(|at| times.get(at).copied());
        Some(Spread { least, median: (low? + high?) / 2, most })
    }
}

/// One restore.
#[derive(Clone, Debug)]
pub struct Run {
    /// How long the restore phase took, the download included.
    pub restore: Duration,
    /// From choosing the backup until the database answered, complete and durable.
    pub recovery: Duration,
    /// Each phase.
    pub phases: Vec<(Phase, Duration)>,
    /// What went on inside the restore. They overlap.
    pub spans: Vec<(SpanName, Duration)>,
    /// What was seen from outside.
    pub seen: Seen,
    /// Reads of the store that were under way at once, at most.
    pub store_connections: u64,
    /// Bytes that came from the store, and the requests for them.
    pub fetched_bytes: u64,
    /// Requests to the store.
    pub requests: u64,
    /// Those that were repetitions.
    pub retries: u64,
    /// Bytes that were put on the local disk on the way.
    pub staged_bytes: u64,
    /// How busy the processors were during the restore, from 0 to 1.
    pub busy: Option<f64>,
    /// What it waited for.
    pub limit: Limit,
}

impl Run {
    /// What `record` and the gauge say of a restore that came to its end.
    pub fn of(record: &Record, seen: Seen, shaping: Shaping, cores: usize) -> Option<Run> {
        let phases: Vec<_> =
            record.phases.iter().map(|phase| (phase.name.0, phase.duration_ms.duration())).collect();
        let restore = phases.iter().find(|(phase, _)| *phase == Phase::Restore)?.1;
        let recovery = record.measurements.recovery_time.as_ref()?.measured_ms.duration();
        let restored = record.restore.as_ref()?;
        let spans = restored.spans.iter().map(|span| (span.name, span.duration_ms.duration())).collect();
        let fetched_bytes = record.traffic.as_ref().map_or(0, |traffic| traffic.bytes);
        let used = seen.used.unwrap_or_default();
        let measured = Measured {
            wall: restore,
            cores,
            client_cpu: used.client_cpu,
            server_cpu: used.server_cpu,
            disk_wait: used.disk_wait,
            line: line(fetched_bytes, shaping, restored.store_connections),
            waited_for_store: seen.waited_for_store,
            longest_table: seen.longest_table.as_ref().map(|longest| longest.took),
            longest_index: seen.longest_index.as_ref().map(|longest| longest.took),
        };
        Some(Run {
            restore,
            recovery,
            phases,
            spans,
            store_connections: restored.store_connections,
            fetched_bytes,
            requests: record.traffic.as_ref().map_or(0, |traffic| traffic.requests),
            retries: record.traffic.as_ref().map_or(0, |traffic| traffic.retries),
            staged_bytes: restored.staged_bytes,
            busy: measured.busy(),
            limit: measured.limit(),
            seen,
        })
    }

    /// How long a phase took.
    pub fn phase(&self, phase: Phase) -> Option<Duration> {
        self.phases.iter().find(|(name, _)| *name == phase).map(|(_, length)| *length)
    }

    /// How long a kind of work went on.
    pub fn span(&self, name: SpanName) -> Option<Duration> {
        self.spans.iter().find(|(known, _)| *known == name).map(|(_, length)| *length)
    }

    /// Stored bytes in a second of the restore.
    pub fn bytes_per_second(&self) -> u64 {
        let millis = self.restore.as_millis().max(1);
        u64::try_from(u128::from(self.fetched_bytes) * 1000 / millis).unwrap_or(u64::MAX)
    }
}

/// How long a line of known width takes for so many bytes.
fn line(bytes: u64, shaping: Shaping, connections: u64) -> Option<Duration> {
    let alone = shaping.connection_bytes_per_second.map(|rate| rate.saturating_mul(connections.max(1)));
    let rate = [alone, shaping.total_bytes_per_second].into_iter().flatten().min()?;
    Some(Duration::from_secs_f64(bytes as f64 / rate.max(1) as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_an_even_number_lies_between_two() {
        let spread = |times: &[u64]| {
            let spread = Spread::of(times.iter().map(|millis| Duration::from_millis(*millis)))?;
            Some([spread.least, spread.median, spread.most].map(|time| time.as_millis()))
        };
        assert_eq!(spread(&[30, 10, 20]), Some([10, 20, 30]));
        assert_eq!(spread(&[40, 10, 20, 30]), Some([10, 25, 40]));
        assert_eq!(spread(&[7]), Some([7, 7, 7]));
        assert_eq!(spread(&[]), None);
    }

    #[test]
    fn a_line_is_as_wide_as_its_narrowest_part() {
        let shaping = |total, connection| Shaping {
            total_bytes_per_second: total,
            connection_bytes_per_second: connection,
            ..Shaping::default()
        };
        let table = [
            (shaping(None, None), None),
            (shaping(Some(100), None), Some(10)),
            (shaping(None, Some(10)), Some(25)),
            (shaping(Some(100), Some(10)), Some(25)),
        ];
        for (shaping, seconds) in table {
            assert_eq!(line(1_000, shaping, 4), seconds.map(Duration::from_secs), "{shaping:?}");
        }
    }
}
