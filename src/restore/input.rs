//! The bytes of an archive as they come from the store: summed first, and only then looked at.
//!
//! ```text
//! download → sums → (layers undone, on a thread of their own) → whoever asks
//! ```

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use crate::archive::{self, Keys, Layer, sniff};
use crate::event::{EventKind, Events};
use crate::restore::Error;
use crate::restore::checksum::Summer;
use crate::restore::stream::Read;
use crate::restore::unwrap::{Given, Unwrapping};
use crate::store::{ChecksumAlgorithm, Download, Tuning};
use crate::verdict::Blame;

/// A download on its way through the sums, and out of the layers around the archive in it.
pub struct Input {
    flow: Flow,
    layers: Vec<Layer>,
}

enum Flow {
    /// Nothing was read yet, and layers are to be looked for.
    Begin(Summed, Arc<Keys>),
    /// What is stored is what is given.
    Plain(Summed),
    /// What is given comes out of layers.
    Wrapped(Unwrapping),
    /// All is read: the sums, where all of the object went into them.
    Over(Option<Summed>),
}

/// A download on its way through the sums.
pub struct Summed {
    download: Download,
    summer: Summer,
    events: Events,
}

impl Summed {
    /// The next stored bytes; none after the last.
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
}

impl Input {
    /// The stored bytes of `download` as they are; `kept` is the checksum that the store keeps
    /// of them.
    pub fn new(download: Download, kept: Option<ChecksumAlgorithm>, events: &Events) -> Input {
        let summed = Summed { download, summer: Summer::new(kept), events: events.clone() };
        Input { flow: Flow::Plain(summed), layers: Vec::new() }
    }

    /// What is inside of the layers around the archive, if there are any; `keys` open those
    /// that are encrypted.
    pub fn unwrapped(self, keys: Arc<Keys>) -> Input {
        match self.flow {
            Flow::Plain(summed) => Input { flow: Flow::Begin(summed, keys), layers: self.layers },
            flow => Input { flow, layers: self.layers },
        }
    }

    /// The next bytes of the archive; none after the last, and none after an error.
    ///
    /// # Errors
    /// The store would not give them, or a layer around the archive is damaged or does not
    /// open. A damaged one is told only when the whole object went through the sums.
    ///
    /// # Cancel safety
    /// A call that is dropped while it waits loses nothing.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        if let Flow::Begin(summed, _) = &mut self.flow {
            let Some(first) = summed.next().await? else { return Ok(self.over_plainly()) };
            return self.begin(first).await;
        }
        match &mut self.flow {
            Flow::Plain(summed) => summed.next().await,
            Flow::Wrapped(_) => self.unwrapped_next().await,
            Flow::Begin(..) | Flow::Over(_) => Ok(None),
        }
    }

    fn over_plainly(&mut self) -> Option<Bytes> {
        if let Flow::Begin(summed, _) = std::mem::replace(&mut self.flow, Flow::Over(None)) {
            self.flow = Flow::Over(Some(summed));
        }
        None
    }

    async fn begin(&mut self, first: Bytes) -> Result<Option<Bytes>, Error> {
        let Flow::Begin(summed, keys) = std::mem::replace(&mut self.flow, Flow::Over(None)) else {
            return Ok(None);
        };
        if !sniff(&first).is_layer() {
            self.flow = Flow::Plain(summed);
            return Ok(Some(first));
        }
        self.flow = Flow::Wrapped(Unwrapping::start(first, summed, keys));
        self.unwrapped_next().await
    }

    async fn unwrapped_next(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            let Flow::Wrapped(unwrapping) = &mut self.flow else { return Ok(None) };
            match unwrapping.next().await {
                Given::Bytes(bytes) => return Ok(Some(bytes)),
                Given::Layers(layers) => self.layers = layers,
                Given::End(summed) => {
                    let (summed, ended) = match summed {
                        Ok((summed, ended)) => (Some(*summed), ended),
                        Err(error) => (None, Err(error)),
                    };
                    self.flow = Flow::Over(summed);
                    return ended.map(|()| None);
                }
            }
        }
    }

    /// Whether the next bytes are there already, as far as is known.
    pub fn has_next(&self) -> bool {
        matches!(&self.flow, Flow::Plain(summed) if summed.download.has_next())
    }

    /// How fast the object came while nothing else was waited for, as far as is known.
    pub fn bytes_per_second(&self) -> Option<f64> {
        match &self.flow {
            Flow::Plain(summed) => summed.download.bytes_per_second(),
            _ => None,
        }
    }

    /// Another download of the object, where what is stored is what is given.
    pub fn beside(&self, range: Range<u64>, tuning: Tuning) -> Option<Download> {
        match &self.flow {
            Flow::Plain(summed) => Some(summed.download.beside(range, tuning)),
            _ => None,
        }
    }

    /// The layers around the archive, outermost first, as far as they were read.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// Reads what is left for its sums alone: they tell whether a second reading finds the same
    /// bytes. None if the store would not give all of them.
    pub async fn drain(mut self) -> Option<Read> {
        loop {
            match self.next().await {
                Ok(Some(_)) => {}
                Ok(None) => return self.whole(),
                Err(error) if error.reason().code.blame() == Blame::Backup => return self.whole(),
                Err(_) => return None,
            }
        }
    }

    /// What was read when a fault of the archive was found, for a halt that tells of both.
    pub async fn drain_after(self, error: &Error) -> Option<Box<Read>> {
        match error.reason().code.blame() {
            Blame::Backup => self.drain().await.map(Box::new),
            Blame::Environment => None,
        }
    }

    fn whole(self) -> Option<Read> {
        let summed = match self.flow {
            Flow::Begin(summed, _) | Flow::Plain(summed) => Some(summed),
            Flow::Over(summed) => summed,
            Flow::Wrapped(_) => None,
        }?;
        let bytes = summed.summer.bytes();
        let (digest, checksum) = summed.summer.finish();
        Some(Read { digest, checksum, bytes, trailing_bytes: 0, read_twice_bytes: 0, layers: self.layers })
    }

    /// What was read, once [`Input::next`] has given none.
    pub fn finish(self) -> Result<Read, Error> {
        self.whole().ok_or_else(|| Error::lost("the reading of the object"))
    }
}

/// What a layer's fault is to a restore.
impl From<archive::Error> for Error {
    fn from(error: archive::Error) -> Error {
        Error::archive(&error)
    }
}
