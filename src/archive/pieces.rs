//! Pieces of a stream, read as one.

use std::io::{self, BufRead, Read};

use bytes::{Buf, Bytes};

/// Reads the pieces that an iterator yields, one after the other, without copying them
/// together. A channel's receiving end makes such an iterator.
#[derive(Debug)]
pub struct PieceSource<I> {
    pieces: I,
    current: Bytes,
}

impl<I: Iterator<Item = io::Result<Bytes>>> PieceSource<I> {
    /// Reads `pieces`; empty ones are passed over.
    pub fn new(pieces: I) -> PieceSource<I> {
        PieceSource { pieces, current: Bytes::new() }
    }
}

impl<I: Iterator<Item = io::Result<Bytes>>> BufRead for PieceSource<I> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.current.is_empty() {
            match self.pieces.next() {
                Some(piece) => self.current = piece?,
                None => break,
            }
        }
        Ok(&self.current)
    }

    fn consume(&mut self, amount: usize) {
        self.current.advance(amount.min(self.current.len()));
    }
}

/// The reading of whatever has a buffer: as much of that as `out` has room for.
pub(in crate::archive) fn read_buffered(source: &mut impl BufRead, out: &mut [u8]) -> io::Result<usize> {
    let available = source.fill_buf()?;
    let count = available.len().min(out.len());
    if let (Some(out), Some(available)) = (out.get_mut(..count), available.get(..count)) {
        out.copy_from_slice(available);
    }
    source.consume(count);
    Ok(count)
}

impl<I: Iterator<Item = io::Result<Bytes>>> Read for PieceSource<I> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        read_buffered(self, out)
    }
}
