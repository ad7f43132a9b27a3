//! The bytes of an archive as they come from the store: summed first, and only then looked at.

use bytes::Bytes;

use crate::event::{EventKind, Events};
use crate::restore::Error;
use crate::restore::checksum::Summer;
use crate::restore::stream::Read;
use crate::store::{ChecksumAlgorithm, Download};

/// A download on its way through the sums.
pub struct Input {
    download: Download,
    summer: Summer,
    events: Events,
}

impl Input {
    /// The bytes of `download`; `kept` is the checksum that the store keeps of them.
    pub fn new(download: Download, kept: Option<ChecksumAlgorithm>, events: &Events) -> Input {
        Input { download, summer: Summer::new(kept), events: events.clone() }
    }

    /// The next bytes; none after the last.
    ///
    /// # Errors
    /// The store would not give them.
    ///
    /// # Cancel safety
    /// As [`Download::next`]: a call that is dropped while it waits loses nothing.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        let part = self.download.next().await.transpose().map_err(|error| Error::store(&error))?;
        if let Some(part) = &part {
            self.summer.update(part);
            self.events.emit(EventKind::BytesFetched { bytes: part.len() as u64 });
        }
        Ok(part)
    }

    /// Reads what is left for its sums alone: they tell whether a second reading finds the same
    /// bytes. None if the store would not give all of them.
    pub async fn drain(mut self) -> Option<Read> {
        loop {
            match self.next().await {
                Ok(Some(_)) => {}
                Ok(None) => return Some(self.finish()),
                Err(_) => return None,
            }
        }
    }

    /// What was read.
    pub fn finish(self) -> Read {
        let bytes = self.summer.bytes();
        let (digest, checksum) = self.summer.finish();
        Read { digest, checksum, bytes, trailing_bytes: 0 }
    }
}
