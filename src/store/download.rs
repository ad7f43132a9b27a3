//! The bytes of one object in order, read ahead in parallel.

use std::collections::VecDeque;
use std::ops::Range;

use bytes::Bytes;
use tokio_util::task::AbortOnDropHandle;

use crate::store::error::{Error, ErrorKind};
use crate::store::object::Object;
use crate::store::{READ_BYTES_MAX, Store};

/// How a download is cut and spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tuning {
    /// Parts that are fetched at the same time, each by a request of its own; 0 counts as 1.
    pub connections: usize,
    /// The size of a part; the last may be smaller. 0 counts as 1.
    pub part_bytes: u64,
}

impl Default for Tuning {
    fn default() -> Tuning {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Tuning { connections: (cores * 2).max(4), part_bytes: 8 << 20 }
    }
}

/// The bytes of a range of one object, in order.
///
/// Each part is a task of its own, so that reads go on while the consumer is busy. Parts in
/// flight, parts that wait and the part in the consumer's hand are `connections` together, so
/// that memory stays at `connections × part_bytes`, if the consumer lets go of each part before
/// it asks for the next. Dropping the download stops its reads.
pub struct Download {
    store: Store,
    object: Object,
    rest: Range<u64>,
    tuning: Tuning,
    parts: VecDeque<AbortOnDropHandle<Result<Bytes, Error>>>,
}

impl Download {
    /// A download of `range`; nothing is asked before the first [`Download::next`].
    pub fn new(store: &Store, object: &Object, range: Range<u64>, tuning: Tuning) -> Download {
        let tuning = Tuning {
            connections: tuning.connections.max(1),
            part_bytes: tuning.part_bytes.clamp(1, READ_BYTES_MAX),
        };
        Download { store: store.clone(), object: object.clone(), rest: range, tuning, parts: VecDeque::new() }
    }

    /// The next bytes; `None` after the last ones, and after an error.
    ///
    /// # Errors
    /// As [`Store::read`]. All other reads of this download are stopped then.
    ///
    /// # Cancel safety
    /// A call that is dropped while it waits loses nothing: the next one waits for the same part.
    pub async fn next(&mut self) -> Option<Result<Bytes, Error>> {
        self.fill();
        let part = match self.parts.front_mut()?.await {
            Ok(part) => part,
            Err(_) => Err(Error::new(
                ErrorKind::StoreUnavailable,
                format!("read {}", self.object.uri),
                "the task that reads it was ended",
            )),
        };
        self.parts.pop_front();
        if part.is_err() {
            self.parts.clear();
            self.rest = 0..0;
        }
        Some(part)
    }

    fn fill(&mut self) {
        while self.parts.len() < self.tuning.connections && !self.rest.is_empty() {
            let end = self.rest.start.saturating_add(self.tuning.part_bytes).min(self.rest.end);
            let range = self.rest.start..end;
            self.rest.start = end;
            let (store, object) = (self.store.clone(), self.object.clone());
            let read = async move { store.read(&object, range).await };
            self.parts.push_back(AbortOnDropHandle::new(tokio::spawn(read)));
        }
    }
}
