//! The rows of one table, in COPY text.

use std::io::Read;

use bytes::Bytes;
use memchr::{memchr_iter, memmem, memrchr};

use crate::archive::error::Error;

/// The longest row that is read: above the 1 GiB at which PostgreSQL itself gives up.
const ROW_BYTES_MAX: usize = (1 << 30) + (64 << 20);

/// The line that ends the rows, and the two empty ones behind it.
const END_LINE: &[u8] = b"\\.\n";
const TAIL: &[u8] = b"\n\n";

/// Reads the decoded stream of one `TABLE DATA` entry as pieces of whole rows.
///
/// A row ends with a line feed: pg_dump escapes those inside values, in every encoding. The
/// line `\.` that ends the rows must be there, and only line feeds may follow it; neither is
/// part of any piece. An empty table yields no piece.
#[derive(Debug)]
pub struct RowReader<R> {
    source: R,
    piece_bytes: usize,
    row_bytes_max: usize,
    /// What was read and not handed out; begins with a row.
    buffer: Vec<u8>,
    /// So many bytes of the buffer were searched for the end line.
    searched: usize,
    /// Bytes handed out.
    at: u64,
    ended: bool,
}

impl<R: Read> RowReader<R> {
    /// Reads `source` in pieces of about `piece_bytes`; longer where a single row is, up to
    /// 1 GiB and some.
    pub fn new(source: R, piece_bytes: usize) -> RowReader<R> {
        RowReader {
            source,
            piece_bytes: piece_bytes.max(1),
            row_bytes_max: ROW_BYTES_MAX,
            buffer: Vec::new(),
            searched: 0,
            at: 0,
            ended: false,
        }
    }

    #[cfg(test)]
    fn with_row_bytes_max(mut self, row_bytes_max: usize) -> RowReader<R> {
        self.row_bytes_max = row_bytes_max;
        self
    }

    /// The next rows, each with its line feed; None behind the last, once the end line was
    /// seen and the source had nothing more.
    pub fn next_piece(&mut self) -> Result<Option<Bytes>, Error> {
        if self.ended {
            return Ok(None);
        }
        let mut wanted = self.piece_bytes;
        loop {
            let source_ended = self.fill(wanted)?;
            if let Some(end) = self.end_of_rows() {
                return self.finish(end);
            }
            if source_ended {
                let at = self.at.saturating_add(self.buffer.len() as u64);
                return Err(Error::truncated_stream("rows without the line that ends them", at));
            }
            if let Some(last) = memrchr(b'\n', &self.buffer) {
                return Ok(Some(self.split(last + 1)));
            }
            if self.buffer.len() >= self.row_bytes_max {
                let what = format!("a row of more than {} bytes", self.buffer.len());
                return Err(Error::Limit { what, limit: self.row_bytes_max as u64 });
            }
            wanted = self.buffer.len().saturating_mul(2).min(self.row_bytes_max);
        }
    }

    /// Reads until the buffer holds `wanted` bytes; whether the source ended before.
    fn fill(&mut self, wanted: usize) -> Result<bool, Error> {
        let missing = wanted.saturating_sub(self.buffer.len());
        self.buffer.reserve(missing);
        let mut limited = self.source.by_ref().take(missing as u64);
        let read = limited.read_to_end(&mut self.buffer).map_err(Error::from_io)?;
        Ok(read < missing)
    }

    /// Where the end line begins, if the buffer holds it whole.
    fn end_of_rows(&mut self) -> Option<usize> {
        if self.buffer.starts_with(END_LINE) {
            return Some(0);
        }
        // The line feed before the end line may have been searched already.
        let from = self.searched.saturating_sub(END_LINE.len());
        let found = self.buffer.get(from..).and_then(|bytes| memmem::find(bytes, b"\n\\.\n"));
        self.searched = self.buffer.len();
        found.map(|at| from + at + 1)
    }

    /// Hands out the rows before `end`, having checked everything behind it.
    fn finish(&mut self, end: usize) -> Result<Option<Bytes>, Error> {
        let rows = self.split(end);
        self.buffer.drain(..END_LINE.len().min(self.buffer.len()));
        self.at = self.at.saturating_add(END_LINE.len() as u64);
        let mut tail_bytes = 0;
        loop {
            if self.buffer.iter().any(|byte| *byte != b'\n') {
                return Err(Error::corrupt_stream("something behind the line that ends the rows", self.at));
            }
            tail_bytes += self.buffer.len();
            self.buffer.clear();
            if self.fill(self.piece_bytes)? && self.buffer.is_empty() {
                break;
            }
        }
        if tail_bytes < TAIL.len() {
            return Err(Error::truncated_stream("no blank lines behind the rows", self.at));
        }
        self.ended = true;
        Ok(Some(rows).filter(|rows| !rows.is_empty()))
    }

    /// Takes the first `count` bytes out of the buffer.
    fn split(&mut self, count: usize) -> Bytes {
        let rest = self.buffer.split_off(count.min(self.buffer.len()));
        let taken = std::mem::replace(&mut self.buffer, rest);
        self.searched = self.searched.saturating_sub(taken.len());
        self.at = self.at.saturating_add(taken.len() as u64);
        Bytes::from(taken)
    }
}

/// How many rows a piece of a [`RowReader`] holds.
pub(super) fn rows_of(piece: &[u8]) -> u64 {
    memchr_iter(b'\n', piece).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pieces(stream: &[u8], piece_bytes: usize) -> Result<Vec<Bytes>, Error> {
        let mut reader = RowReader::new(stream, piece_bytes);
        let mut pieces = Vec::new();
        while let Some(piece) = reader.next_piece()? {
            pieces.push(piece);
        }
        Ok(pieces)
    }

    #[test]
    fn pieces_are_whole_rows_whatever_their_size() {
        let rows = b"1\tone\n2\ttwo\\.\n\n3\t\\N\n\\\\.\n";
        let stream = [&rows[..], b"\\.\n\n\n"].concat();
        for piece_bytes in 1..40 {
            let pieces = pieces(&stream, piece_bytes).unwrap();
            assert_eq!(pieces.concat(), rows, "{piece_bytes}");
            assert!(pieces.iter().all(|piece| piece.ends_with(b"\n")), "{piece_bytes}");
            assert_eq!(pieces.iter().map(|piece| rows_of(piece)).sum::<u64>(), 5);
        }
    }

    #[test]
    fn an_empty_table_has_no_piece() {
        for piece_bytes in [1, 2, 3, 100] {
            assert!(pieces(b"\\.\n\n\n", piece_bytes).unwrap().is_empty());
        }
    }

    #[test]
    fn rows_without_columns_are_empty_lines() {
        for piece_bytes in [1, 2, 3, 100] {
            assert_eq!(pieces(b"\n\n\n\\.\n\n\n", piece_bytes).unwrap().concat(), b"\n\n\n");
        }
    }

    #[test]
    fn a_row_longer_than_a_piece_makes_the_piece_longer_up_to_a_bound() {
        let stream = [&[b'x'; 5000][..], b"\n\\.\n\n\n"].concat();
        let pieces = pieces(&stream, 16).unwrap();
        assert_eq!(pieces.len(), 1);
        let mut reader = RowReader::new(&stream[..], 16).with_row_bytes_max(4096);
        assert!(matches!(reader.next_piece(), Err(Error::Limit { limit: 4096, .. })));
    }

    #[test]
    fn after_its_end_a_reader_stays_at_its_end() {
        let mut reader = RowReader::new(&b"1\n\\.\n\n\n"[..], 100);
        assert!(reader.next_piece().unwrap().is_some());
        assert!(reader.next_piece().unwrap().is_none());
        assert!(reader.next_piece().unwrap().is_none());
    }

    proptest! {
        #[test]
        fn pieces_join_to_the_rows_or_there_is_an_error(
            stream in "([a\\\\.\n]{0,60})(\\\\\\.\n\n\n)?",
            piece_bytes in 1_usize..70,
        ) {
            let end = if stream.starts_with("\\.\n") { Some(0) } else { stream.find("\n\\.\n").map(|at| at + 1) };
            let expected = end.filter(|end| {
                let tail = &stream[end + 3..];
                tail.len() >= 2 && tail.bytes().all(|byte| byte == b'\n')
            });
            match (expected, pieces(stream.as_bytes(), piece_bytes)) {
                (Some(end), Ok(pieces)) => prop_assert_eq!(pieces.concat(), &stream.as_bytes()[..end]),
                (None, Err(_)) => {}
                (expected, found) => prop_assert!(false, "{:?} {:?} {:?}", stream, expected, found),
            }
        }
    }
}
