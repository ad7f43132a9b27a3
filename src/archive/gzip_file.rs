//! A gzip file, as pg_dump writes one for each table into a directory.

use std::io::{self, BufRead};

use flate2::{Crc, Decompress, FlushDecompress, Status};

use crate::archive::error::Error;

const HEADER_BYTES: usize = 10;
const TRAILER_BYTES: usize = 8;
/// The method, deflate, and the flags of parts that pg_dump never writes into a header.
const DEFLATE: u8 = 8;
const NO_FLAGS: u8 = 0;

/// One gzip file of one member, decoded in steps and held against its checksum.
pub(super) struct GzipFile<R> {
    source: R,
    inflate: Decompress,
    crc: Crc,
    part: Part,
    /// The bytes of the header or the trailer that came so far.
    field: Vec<u8>,
    /// Compressed bytes taken.
    pub bytes: u64,
}

#[derive(Clone, Copy, PartialEq)]
enum Part {
    Header,
    Body,
    Trailer,
    End,
}

impl<R: BufRead> GzipFile<R> {
    pub fn new(source: R) -> GzipFile<R> {
        GzipFile {
            source,
            inflate: Decompress::new(false),
            crc: Crc::new(),
            part: Part::Header,
            field: Vec::new(),
            bytes: 0,
        }
    }

    pub fn source(&mut self) -> &mut R {
        &mut self.source
    }

    /// Whether the trailer was seen, and fits what came before it.
    pub fn ended(&self) -> bool {
        self.part == Part::End
    }

    /// Goes on as far as the bytes at hand allow: how many bytes were written to `out`.
    pub fn step(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self.part {
            Part::Header => {
                if let Some(header) = self.field(HEADER_BYTES)? {
                    self.header(&header)?;
                    self.part = Part::Body;
                }
                Ok(0)
            }
            Part::Body => self.body(out),
            Part::Trailer => {
                if let Some(trailer) = self.field(TRAILER_BYTES)? {
                    self.trailer(&trailer)?;
                    self.part = Part::End;
                }
                Ok(0)
            }
            Part::End => Ok(0),
        }
    }

    /// The next so many bytes, once all of them came.
    fn field(&mut self, length: usize) -> io::Result<Option<Vec<u8>>> {
        let input = self.source.fill_buf()?;
        if input.is_empty() {
            return Err(Error::truncated_stream("compressed data without an end", self.bytes).into_io());
        }
        let taken = input.len().min(length.saturating_sub(self.field.len()));
        self.field.extend_from_slice(input.get(..taken).unwrap_or_default());
        self.source.consume(taken);
        self.bytes = self.bytes.saturating_add(taken as u64);
        Ok((self.field.len() == length).then(|| std::mem::take(&mut self.field)))
    }

    fn header(&self, header: &[u8]) -> io::Result<()> {
        match header {
            [0x1f, 0x8b, DEFLATE, NO_FLAGS, ..] => Ok(()),
            [0x1f, 0x8b, ..] => {
                let what = "a gzip file with more in its header than pg_dump writes".to_owned();
                Err(Error::Unsupported { what }.into_io())
            }
            _ => Err(self.damaged()),
        }
    }

    fn body(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let input = self.source.fill_buf()?;
        let input_ended = input.is_empty();
        let (before_in, before_out) = (self.inflate.total_in(), self.inflate.total_out());
        let status = self.inflate.decompress(input, out, FlushDecompress::None);
        let taken = self.inflate.total_in().saturating_sub(before_in);
        let written = self.inflate.total_out().saturating_sub(before_out) as usize;
        // Neither exceeds the length of a slice.
        self.source.consume(taken as usize);
        self.bytes = self.bytes.saturating_add(taken);
        self.crc.update(out.get(..written).unwrap_or_default());
        match status {
            Ok(Status::StreamEnd) => self.part = Part::Trailer,
            Ok(_) if written > 0 || taken > 0 => {}
            Ok(_) if input_ended => {
                return Err(Error::truncated_stream("compressed data without an end", self.bytes).into_io());
            }
            Ok(_) | Err(_) => return Err(self.damaged()),
        }
        Ok(written)
    }

    fn trailer(&self, trailer: &[u8]) -> io::Result<()> {
        let expected = [self.crc.sum().to_le_bytes(), self.crc.amount().to_le_bytes()].concat();
        if trailer == expected { Ok(()) } else { Err(self.damaged()) }
    }

    fn damaged(&self) -> io::Error {
        Error::corrupt_stream("gzip data that can't be decoded", self.bytes).into_io()
    }
}
