//! What went over the wire.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts since a store was opened; its clones count together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Requests sent, retries among them.
    pub requests: u64,
    /// Requests sent once more after a fault.
    pub retries: u64,
    /// Answers that asked to slow down.
    pub throttled: u64,
    /// Bytes of objects that were handed out.
    pub bytes: u64,
    /// Reads that were under way at once, at most.
    pub reads_most: u64,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    requests: AtomicU64,
    retries: AtomicU64,
    throttled: AtomicU64,
    bytes: AtomicU64,
    reads: AtomicU64,
    reads_most: AtomicU64,
}

impl Counters {
    pub(super) fn request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn retry(&self) {
        self.retries.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn throttled(&self) {
        self.throttled.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn bytes(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// A read is under way until what comes back is dropped.
    pub(super) fn reading(&self) -> Reading<'_> {
        let reads = self.reads.fetch_add(1, Ordering::Relaxed) + 1;
        self.reads_most.fetch_max(reads, Ordering::Relaxed);
        Reading { counters: self }
    }

    pub(super) fn snapshot(&self) -> Traffic {
        Traffic {
            requests: self.requests.load(Ordering::Relaxed),
            retries: self.retries.load(Ordering::Relaxed),
            throttled: self.throttled.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            reads_most: self.reads_most.load(Ordering::Relaxed),
        }
    }
}

pub(super) struct Reading<'a> {
    counters: &'a Counters,
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.counters.reads.fetch_sub(1, Ordering::Relaxed);
    }
}
