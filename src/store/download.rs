//! The bytes of one object in order, read ahead in parallel.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use crate::store::error::{Error, ErrorKind};
use crate::store::object::Object;
use crate::store::window::{Connections, Taken, Window};
use crate::store::{READ_BYTES_MAX, Store};

/// How a download is cut and spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tuning {
    /// Parts that are fetched at the same time, each by a request of its own.
    pub connections: Connections,
    /// The size of a part; the last may be smaller. 0 counts as 1. With adaptive connections it is
    /// that of the largest.
    pub part_bytes: u64,
}

const PART_BYTES: u64 = 8 << 20;
/// What an adaptive window may hold, unless it has parts of a size that is pinned to more.
const WINDOW_BYTES_MAX: u64 = 256 << 20;

impl Default for Tuning {
    fn default() -> Tuning {
        Tuning::of(None, None)
    }
}

impl Tuning {
    /// What is given is pinned. Else connections are adaptive: at most four for each core, and no
    /// fewer than eight, as long as their parts are not more than 256 MiB together or four.
    pub fn of(connections: Option<usize>, part_bytes: Option<u64>) -> Tuning {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        let part_bytes = part_bytes.unwrap_or(PART_BYTES);
        let held = usize::try_from(WINDOW_BYTES_MAX / part_bytes.max(1)).unwrap_or(usize::MAX);
        let most = cores.saturating_mul(4).clamp(8, 32).min(held.max(4));
        let adaptive = Connections::Adaptive { most };
        Tuning { connections: connections.map_or(adaptive, Connections::Pinned), part_bytes }
    }
}

/// With adaptive connections no part is smaller but the last.
const PART_BYTES_MIN: u64 = 1 << 20;

/// How large the next part is, of a download that has asked for `asked` bytes and not for `left`.
///
/// Parts that share a slow line all come late: it would be idle behind its consumer at the
/// beginning, and the consumer behind the line at the end. So they grow from small ones and
/// shrink to small ones again, and neither has to wait for more than a share of the whole.
fn part_size(tuning: Tuning, window: usize, asked: u64, left: u64) -> u64 {
    if matches!(tuning.connections, Connections::Pinned(_)) {
        return tuning.part_bytes;
    }
    let share = asked.min(left) / (2 * window as u64);
    share.clamp(PART_BYTES_MIN.min(tuning.part_bytes), tuning.part_bytes)
}

/// The bytes of a range of one object, in order.
///
/// Each part is a task of its own, so that reads go on while the consumer is busy. Parts in
/// flight, parts that wait and the part in the consumer's hand are never more than the connections
/// together, so that memory stays at the most of them times `part_bytes`, if the consumer lets go
/// of each part before it asks for the next. Dropping the download stops its reads.
pub struct Download {
    store: Store,
    object: Object,
    rest: Range<u64>,
    asked: u64,
    tuning: Tuning,
    window: Window,
    /// Bounds the reads that are under way here and in the downloads beside this one.
    reads: Arc<Semaphore>,
    opened_at: Instant,
    parts: VecDeque<AbortOnDropHandle<Result<Part, Error>>>,
    first: First,
}

/// A part, and when it had come.
struct Part {
    bytes: Bytes,
    came_at: Instant,
}

/// The parts that were asked for first, all at once: what the store gives when nobody is behind.
#[derive(Debug, Default)]
struct First {
    /// How many of them are not taken yet.
    left: usize,
    bytes: u64,
    seconds: f64,
}

impl First {
    /// One of them was taken, which came so long after they were asked for.
    fn taken(&mut self, bytes: usize, came_after: Duration) {
        self.left -= 1;
        self.bytes += bytes as u64;
        self.seconds = self.seconds.max(came_after.as_secs_f64());
    }
}

impl Download {
    /// A download of `range`; nothing is asked before the first [`Download::next`].
    pub fn new(store: &Store, object: &Object, range: Range<u64>, tuning: Tuning) -> Download {
        let reads = Arc::new(Semaphore::new(tuning.connections.most()));
        Download {
            store: store.clone(),
            object: object.clone(),
            rest: range,
            asked: 0,
            tuning: Tuning { part_bytes: tuning.part_bytes.clamp(1, READ_BYTES_MAX), ..tuning },
            window: Window::new(tuning.connections),
            reads,
            opened_at: Instant::now(),
            parts: VecDeque::new(),
            first: First::default(),
        }
    }

    /// How fast the parts came that were asked for first; none before they were taken.
    pub fn bytes_per_second(&self) -> Option<f64> {
        let First { left, bytes, seconds } = self.first;
        (left == 0 && bytes > 0).then(|| bytes as f64 / seconds.max(f64::MIN_POSITIVE))
    }

    /// Whether the next part is there already.
    pub fn has_next(&self) -> bool {
        self.parts.front().is_some_and(AbortOnDropHandle::is_finished)
    }

    /// Another download of the same object, which is read beside this one. Both together have no
    /// more reads under way than this one may.
    pub fn beside(&self, range: Range<u64>, tuning: Tuning) -> Download {
        let reads = self.reads.clone();
        Download { reads, ..Download::new(&self.store, &self.object, range, tuning) }
    }

    /// The next bytes; `None` after the last ones, and after an error.
    ///
    /// # Errors
    /// As [`Store::read`]. All other reads of this download are stopped then.
    ///
    /// # Cancel safety
    /// A call that is dropped while it waits loses nothing: the next one waits for the same part.
    pub async fn next(&mut self) -> Option<Result<Bytes, Error>> {
        if self.asked == 0 {
            self.opened_at = Instant::now();
            self.fill();
            self.first.left = self.parts.len();
        }
        self.fill();
        let asked = self.opened_at.elapsed();
        let part = match self.parts.front_mut()?.await {
            Ok(part) => part,
            Err(_) => Err(Error::new(
                ErrorKind::StoreUnavailable,
                format!("read {}", self.object.uri),
                "the task that reads it was ended",
            )),
        };
        self.parts.pop_front();
        match &part {
            Ok(Part { bytes, came_at }) => {
                if self.first.left > 0 {
                    self.first.taken(bytes.len(), came_at.duration_since(self.opened_at));
                }
                self.window.taken(Taken {
                    asked,
                    got: self.opened_at.elapsed(),
                    bytes: bytes.len() as u64,
                    throttled: self.store.traffic().throttled,
                });
            }
            Err(_) => {
                self.parts.clear();
                self.rest = 0..0;
            }
        }
        Some(part.map(|part| part.bytes))
    }

    fn fill(&mut self) {
        while self.parts.len() < self.window.size() && !self.rest.is_empty() {
            let left = self.rest.end - self.rest.start;
            let size = part_size(self.tuning, self.window.size(), self.asked, left).min(left);
            let end = self.rest.start + size;
            let range = self.rest.start..end;
            self.asked += size;
            self.rest.start = end;
            let (store, object) = (self.store.clone(), self.object.clone());
            let reads = self.reads.clone();
            let read = async move {
                // Nobody closes it; without a permit it would only be one read more.
                let _permit = reads.acquire().await.ok();
                let bytes = store.read(&object, range).await?;
                Ok(Part { bytes, came_at: Instant::now() })
            };
            self.parts.push_back(AbortOnDropHandle::new(tokio::spawn(read)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Location, Options, Shaping};

    /// The sizes of all parts of an object of so many MiB, in MiB.
    fn parts(tuning: Tuning, mebibytes: u64) -> Vec<u64> {
        let (mut asked, mut left, mut parts) = (0, mebibytes << 20, Vec::new());
        while left > 0 {
            let size = part_size(tuning, 4, asked, left).min(left);
            parts.push(size >> 20);
            asked += size;
            left -= size;
        }
        parts
    }

    #[test]
    fn parts_begin_and_end_small_unless_they_are_pinned() {
        let of = |connections, mebibytes: u64| Tuning { connections, part_bytes: mebibytes << 20 };
        let adaptive = Connections::Adaptive { most: 8 };
        assert_eq!(parts(of(Connections::Pinned(4), 8), 20), [8, 8, 4]);
        assert_eq!(parts(of(adaptive, 8), 5), [1; 5]);
        assert_eq!(parts(of(adaptive, 1), 5), [1; 5]);
        let large = parts(of(adaptive, 8), 1000);
        assert!(large.iter().take(8).chain(large.iter().rev().take(8)).all(|size| *size <= 1), "{large:?}");
        let full = large.iter().filter(|size| **size == 8).count();
        assert!(full > 100 && large.len() < full + 70, "{large:?}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn downloads_beside_each_other_have_the_reads_of_one() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("object"), vec![7; 4 << 20]).unwrap();
        let location = Location::Directory { path: folder.path().into() };
        let slow = Shaping { latency: Duration::from_millis(2), ..Shaping::default() };
        for (connections, most) in [(1, 1), (3, 3)] {
            let store = Store::open_shaped(&location, &Options::default(), slow).await.unwrap();
            let object = store.list().await.unwrap().objects.remove(0);
            let tuning = |connections| Tuning { connections, part_bytes: 1 << 16 };
            let one = Download::new(&store, &object, 0..4 << 20, tuning(Connections::Pinned(connections)));
            let beside = one.beside(0..4 << 20, tuning(Connections::Pinned(8)));
            let read = |mut download: Download| async move {
                let mut bytes = 0;
                while let Some(part) = download.next().await {
                    bytes += part.unwrap().len();
                }
                bytes
            };
            assert_eq!(tokio::join!(read(one), read(beside)), (4 << 20, 4 << 20));
            assert_eq!(store.traffic().reads_most, most);
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_line_is_as_fast_as_what_came_first_whatever_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("object"), vec![7; 6 << 20]).unwrap();
        let location = Location::Directory { path: folder.path().into() };
        let slow = Shaping {
            latency: Duration::from_millis(100),
            total_bytes_per_second: Some(20_000_000),
            ..Shaping::default()
        };
        let store = Store::open_shaped(&location, &Options::default(), slow).await.unwrap();
        let object = store.list().await.unwrap().objects.remove(0);
        let connections = Connections::Adaptive { most: 8 };
        let mut download =
            Download::new(&store, &object, 0..6 << 20, Tuning { connections, part_bytes: 1 << 20 });
        for _ in 0..4 {
            assert!(download.bytes_per_second().is_none());
            download.next().await.unwrap().unwrap();
        }
        // 4 MiB do not come in less than the time of the line; a busy machine only adds to it.
        let found = download.bytes_per_second().unwrap();
        assert!(found > 0.0 && found < 21_000_000.0, "{found}");
    }
}
