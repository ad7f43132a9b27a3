//! What is seen of the bytes that go into one layer.

use std::fmt;
use std::io::{self, BufRead, Read};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::archive::error::Error;
use crate::archive::read_buffered;

/// The longest beginning of a layer: recipients, session keys, headers. What a key is found by
/// is held in memory, and so must not be longer than this.
pub(super) const OPENING_BYTES_MAX: u64 = 256 * 1024;

/// What a layer's source and its decoder have told so far. Shared between the two.
#[derive(Debug, Default)]
pub(super) struct Watch {
    bytes: AtomicU64,
    opening: AtomicBool,
    drained: AtomicBool,
    unchecked: AtomicBool,
    ended: AtomicBool,
    failed: Mutex<Option<io::Error>>,
}

impl Watch {
    /// Bytes that the decoder has taken.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// While this is on, no more than [`OPENING_BYTES_MAX`] bytes are given.
    pub fn set_opening(&self, opening: bool) {
        self.opening.store(opening, Ordering::Relaxed);
    }

    /// Whether the source has said that it has nothing more.
    pub fn drained(&self) -> bool {
        self.drained.load(Ordering::Relaxed)
    }

    /// Some of the bytes have no checksum of their own.
    pub fn note_unchecked(&self) {
        self.unchecked.store(true, Ordering::Relaxed);
    }

    /// The layer was undone to its very end.
    pub fn note_end(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }

    /// Whether a checksum over every byte was found to hold.
    pub fn checked(&self) -> bool {
        self.ended.load(Ordering::Relaxed) && !self.unchecked.load(Ordering::Relaxed)
    }

    /// What the source failed with, if that is why the decoder did.
    pub fn take_failure(&self) -> Option<io::Error> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn fail(&self, error: io::Error) -> io::Error {
        *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        io::Error::other("the source of a layer failed")
    }
}

/// The source of a layer, watched. Decoders fold the errors of their source into their own;
/// here the source's is kept apart.
pub(super) struct Tap<R> {
    source: R,
    watch: Arc<Watch>,
}

impl<R> Tap<R> {
    pub fn new(source: R, watch: Arc<Watch>) -> Tap<R> {
        Tap { source, watch }
    }
}

/// Libraries ask for it; what goes through here is nobody's to print.
impl<R> fmt::Debug for Tap<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tap").finish_non_exhaustive()
    }
}

impl<R: BufRead> BufRead for Tap<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.watch.opening.load(Ordering::Relaxed) && self.watch.bytes() > OPENING_BYTES_MAX {
            let what = "the header of an encrypted layer".to_owned();
            return Err(self.watch.fail(Error::Limit { what, limit: OPENING_BYTES_MAX }.into_io()));
        }
        match self.source.fill_buf() {
            Ok(bytes) => {
                self.watch.drained.store(bytes.is_empty(), Ordering::Relaxed);
                Ok(bytes)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => Err(self.watch.fail(error)),
        }
    }

    fn consume(&mut self, amount: usize) {
        self.source.consume(amount);
        self.watch.bytes.fetch_add(amount as u64, Ordering::Relaxed);
    }
}

impl<R: BufRead> Read for Tap<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        read_buffered(self, out)
    }
}
