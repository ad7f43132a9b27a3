//! One layer being undone: within its bounds, to its end, and with errors that say whose
//! fault they are.

use std::io::{self, Read};
use std::sync::Arc;

use crate::archive::decode::Limits;
use crate::archive::error::Error;
use crate::archive::sniff::Kind;
use crate::archive::wrap::watch::Watch;

/// What one layer holds. Reading ends with `Ok(0)` only behind the layer's own end mark, with
/// its checksums seen to hold and nothing of its source left.
pub(super) struct Layer<'k> {
    kind: Kind,
    undo: Box<dyn Read + Send + 'k>,
    /// Of this layer's own source.
    watch: Arc<Watch>,
    /// Of the stored object: what everything that unfolds is measured by.
    stored: Arc<Watch>,
    bytes_out: u64,
    ended: bool,
    limits: Limits,
}

impl<'k> Layer<'k> {
    pub fn new(
        kind: Kind,
        undo: Box<dyn Read + Send + 'k>,
        watch: Arc<Watch>,
        stored: Arc<Watch>,
        limits: Limits,
    ) -> Layer<'k> {
        Layer { kind, undo, watch, stored, bytes_out: 0, ended: false, limits }
    }

    fn end(&mut self) -> io::Result<()> {
        if !self.watch.drained() {
            let what = format!("bytes behind the end of {}", self.kind);
            return Err(Error::corrupt(what, self.watch.bytes()).into_io());
        }
        self.ended = true;
        self.watch.note_end();
        Ok(())
    }

    fn within_limits(&self) -> io::Result<()> {
        let Limits { free_bytes, ratio_max } = self.limits;
        let stored = self.stored.bytes();
        if self.bytes_out <= free_bytes || self.bytes_out <= stored.saturating_mul(ratio_max) {
            return Ok(());
        }
        let what = format!("{stored} stored bytes unfold to more than {}", self.bytes_out);
        Err(Error::Limit { what, limit: ratio_max }.into_io())
    }
}

impl Read for Layer<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.ended || out.is_empty() {
            return Ok(0);
        }
        loop {
            match self.undo.read(out) {
                Ok(0) => {
                    self.end()?;
                    return Ok(0);
                }
                Ok(count) => {
                    self.bytes_out = self.bytes_out.saturating_add(count as u64);
                    self.within_limits()?;
                    return Ok(count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(explained(self.kind, &self.watch, error)),
            }
        }
    }
}

/// Why a layer can't be read: its source's own error where that is the reason, ours where it
/// is one, else damage.
pub(super) fn explained(kind: Kind, watch: &Watch, error: io::Error) -> io::Error {
    if let Some(failure) = watch.take_failure() {
        return failure;
    }
    if error.get_ref().is_some_and(|inner| inner.is::<Error>()) {
        return error;
    }
    let at = watch.bytes();
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return Error::truncated(format!("{kind} without an end"), at).into_io();
    }
    Error::corrupt(format!("{kind} that can't be decoded"), at).into_io()
}
