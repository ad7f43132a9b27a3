//! The walker over the data blocks behind the table of contents.

use std::collections::{HashSet, VecDeque};

use bytes::Bytes;

use crate::archive::entry::{DataPosition, Entry};
use crate::archive::error::Error;
use crate::archive::toc::Toc;
use crate::archive::wire::{int, oid};

/// Chunks shorter than a piece are joined up to this many bytes.
const JOIN_BYTES: usize = 256 << 10;

/// Chunks at least this long are handed on as slices of the part they came in.
const SLICE_BYTES_MIN: usize = 64 << 10;

/// The longest chunk that is believed: a row in COPY text is shorter than 1 GiB.
const CHUNK_BYTES_MAX: i64 = 1 << 30;

/// What a walk over the blocks yields, in the order of the archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// The rows of one table begin: the stream of the `TABLE DATA` entry with this id.
    TableData {
        /// The entry's dump id.
        id: u32,
    },
    /// A block of large objects begins: that of the `BLOBS` entry with this id.
    LargeObjects {
        /// The entry's dump id.
        id: u32,
    },
    /// Inside such a block, the stream of one large object begins.
    LargeObject {
        /// The large object's OID.
        oid: u32,
    },
    /// The next bytes of the stream that is open, compressed as the header says.
    Chunk(Bytes),
    /// The large object's stream ends. With no chunk since its begin, its content is empty.
    LargeObjectEnd,
    /// The block ends, and a table's stream with it.
    BlockEnd,
}

/// What was seen by the end of the walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trailer {
    /// Data blocks seen: all that the table of contents announces.
    pub blocks: u64,
    /// Bytes of the archive up to the end of the last block.
    pub bytes: u64,
    /// Bytes behind the last block. pg_dump leaves some when its output was appended to
    /// (`>>`); anything else that does is worth a warning.
    pub unread_bytes: u64,
}

/// Cuts the bytes behind the table of contents into pieces.
///
/// It holds less than 256 KiB of its own; the slices it hands out keep the part alive that
/// they came in. Blocks must come in the order of their entries, as pg_dump writes them, and
/// at their positions where these are known.
#[derive(Debug)]
pub struct BlockWalker {
    int_bytes: usize,
    /// Where in the archive the next byte lies.
    at: u64,
    expected: VecDeque<Expected>,
    /// The large objects announced and not seen yet. Nothing else vouches for an OID in the
    /// data: a codec's checksum does not cover it.
    large_objects: HashSet<u32>,
    blocks: u64,
    state: State,
    /// The first bytes of a header that a part ended in.
    header: Vec<u8>,
    joined: Vec<u8>,
    unread_bytes: u64,
}

#[derive(Debug)]
struct Expected {
    id: u32,
    large_objects: bool,
    position: DataPosition,
    label: String,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Before a block's type and id.
    Block,
    /// Inside a block of large objects, before an OID.
    Oid,
    /// Before the length of a chunk.
    Chunk { of_large_object: bool },
    /// Inside a chunk, so many bytes before its end.
    Payload { of_large_object: bool, left: usize },
    /// Behind the last block.
    Done,
}

impl BlockWalker {
    /// A walker that expects the blocks `toc` announces, from the first byte behind it on.
    pub fn new(toc: &Toc) -> BlockWalker {
        BlockWalker::of(toc, toc.bytes, |entry| entry.has_data)
    }

    /// A walker over the block of one entry alone, from its first byte on, at that position.
    pub fn of_block(toc: &Toc, id: u32, position: u64) -> BlockWalker {
        BlockWalker::of(toc, position, |entry| entry.has_data && entry.id == id)
    }

    fn of(toc: &Toc, at: u64, is_expected: impl Fn(&Entry) -> bool) -> BlockWalker {
        let with_data = toc.entries.iter().filter(|entry| is_expected(entry));
        let expected: VecDeque<Expected> = with_data
            .map(|entry| Expected {
                id: entry.id,
                large_objects: entry.is_large_objects(),
                position: entry.position,
                label: entry.label(),
            })
            .collect();
        BlockWalker {
            int_bytes: usize::from(toc.header.int_bytes),
            at,
            state: if expected.is_empty() { State::Done } else { State::Block },
            expected,
            large_objects: toc.large_objects.clone(),
            blocks: 0,
            header: Vec::new(),
            joined: Vec::new(),
            unread_bytes: 0,
        }
    }

    /// Whether all expected blocks were seen to their end; what follows is only counted.
    pub fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// Takes the next bytes of the archive and adds what they complete to `out`. What an
    /// error leaves behind is of no further use.
    pub fn push(&mut self, part: Bytes, out: &mut Vec<Piece>) -> Result<(), Error> {
        let mut rest: &[u8] = &part;
        while !rest.is_empty() {
            let before = rest.len();
            match self.state {
                State::Done => {
                    self.unread_bytes = self.unread_bytes.saturating_add(rest.len() as u64);
                    return Ok(());
                }
                State::Payload { of_large_object, left } => {
                    let (payload, behind) = rest.split_at(left.min(rest.len()));
                    rest = behind;
                    self.payload(payload, &part, out);
                    self.state = match left - payload.len() {
                        0 => State::Chunk { of_large_object },
                        left => State::Payload { of_large_object, left },
                    };
                }
                State::Chunk { of_large_object } => {
                    if let Some(length) = self.int(&mut rest, 0)? {
                        self.chunk(length, of_large_object, out)?;
                    }
                }
                State::Oid => {
                    if let Some(oid) = self.int(&mut rest, 0)? {
                        self.large_object(oid, out)?;
                    }
                }
                State::Block => self.block(&mut rest, out)?,
            }
            self.at = self.at.saturating_add((before - rest.len()) as u64);
        }
        Ok(())
    }

    /// The end of the input: an error unless every expected block was seen to its end.
    pub fn finish(self) -> Result<Trailer, Error> {
        if let Some(expected) = self.expected.front() {
            let missing = match self.state {
                State::Block if self.header.is_empty() => "it ends before the data of",
                _ => "it ends within the data of",
            };
            let left = self.expected.len();
            let what = format!("{missing} {}, with {left} blocks to come", expected.label);
            return Err(Error::truncated(what, self.at));
        }
        Ok(Trailer { blocks: self.blocks, bytes: self.at, unread_bytes: self.unread_bytes })
    }

    /// A block's header: its type, and the id of its entry.
    fn block(&mut self, rest: &mut &[u8], out: &mut Vec<Piece>) -> Result<(), Error> {
        let begin = self.at.saturating_sub(self.header.len() as u64);
        let Some(expected) = self.expected.front() else {
            self.state = State::Done;
            return Ok(());
        };
        let (id, large_objects, position) = (expected.id, expected.large_objects, expected.position);
        let kind = self.header.first().or(rest.first()).copied().unwrap_or(0);
        let Some(found) = self.int(rest, 1)? else { return Ok(()) };
        let announced = if large_objects { 3 } else { 1 };
        if kind != announced || found != i64::from(id) {
            let what = format!(
                "a block of type {kind} for entry {found} stands where {} (entry {id}) should",
                self.front_label()
            );
            return Err(Error::corrupt(what, begin));
        }
        if let DataPosition::At(position) = position
            && position != begin
        {
            let what = format!("the data of {} is announced at {position} and stands", self.front_label());
            return Err(Error::corrupt(what, begin));
        }
        if large_objects {
            out.push(Piece::LargeObjects { id });
            self.state = State::Oid;
        } else {
            out.push(Piece::TableData { id });
            self.state = State::Chunk { of_large_object: false };
        }
        Ok(())
    }

    fn large_object(&mut self, int: i64, out: &mut Vec<Piece>) -> Result<(), Error> {
        match oid(int) {
            Some(0) => {
                self.block_end(out);
                self.check_all_large_objects_seen()?;
            }
            Some(oid) if !self.large_objects.remove(&oid) => {
                let what = format!("the large object {oid} was not announced, or stands twice");
                return Err(Error::corrupt(what, self.at));
            }
            Some(oid) => {
                out.push(Piece::LargeObject { oid });
                self.state = State::Chunk { of_large_object: true };
            }
            None => return Err(self.corrupt("the OID of a large object")),
        }
        Ok(())
    }

    /// Behind the last block of large objects, none may be missing.
    fn check_all_large_objects_seen(&self) -> Result<(), Error> {
        let missing = self.large_objects.len();
        if missing == 0 || self.expected.iter().any(|expected| expected.large_objects) {
            return Ok(());
        }
        Err(Error::corrupt(format!("{missing} large objects are announced and were not seen"), self.at))
    }

    fn chunk(&mut self, length: i64, of_large_object: bool, out: &mut Vec<Piece>) -> Result<(), Error> {
        match length {
            0 if of_large_object => {
                self.flush(out);
                out.push(Piece::LargeObjectEnd);
                self.state = State::Oid;
            }
            0 => self.block_end(out),
            1..=CHUNK_BYTES_MAX => {
                let left = usize::try_from(length).map_err(|_| self.corrupt("the length of a chunk"))?;
                self.state = State::Payload { of_large_object, left };
            }
            _ => return Err(self.corrupt("the length of a chunk")),
        }
        Ok(())
    }

    fn block_end(&mut self, out: &mut Vec<Piece>) {
        self.flush(out);
        out.push(Piece::BlockEnd);
        self.expected.pop_front();
        self.blocks += 1;
        self.state = if self.expected.is_empty() { State::Done } else { State::Block };
    }

    fn payload(&mut self, payload: &[u8], part: &Bytes, out: &mut Vec<Piece>) {
        if payload.len() >= SLICE_BYTES_MIN {
            self.flush(out);
            out.push(Piece::Chunk(part.slice_ref(payload)));
            return;
        }
        if self.joined.len() + payload.len() > JOIN_BYTES {
            self.flush(out);
        }
        self.joined.extend_from_slice(payload);
    }

    fn flush(&mut self, out: &mut Vec<Piece>) {
        if !self.joined.is_empty() {
            // What follows is likely to be as long: a new buffer of that size spares regrowth.
            let next = Vec::with_capacity(self.joined.len());
            out.push(Piece::Chunk(Bytes::from(std::mem::replace(&mut self.joined, next))));
        }
    }

    /// The integer behind `skip` bytes, once all its bytes came; kept across parts.
    fn int(&mut self, rest: &mut &[u8], skip: usize) -> Result<Option<i64>, Error> {
        let wanted = skip + 1 + self.int_bytes;
        if self.header.is_empty()
            && let Some((whole, behind)) = rest.split_at_checked(wanted)
        {
            *rest = behind;
            let value = whole.get(skip..).and_then(int);
            return value.map(Some).ok_or_else(|| self.corrupt("an integer"));
        }
        let missing = wanted.saturating_sub(self.header.len());
        let (taken, behind) = rest.split_at(missing.min(rest.len()));
        *rest = behind;
        self.header.extend_from_slice(taken);
        if self.header.len() < wanted {
            return Ok(None);
        }
        let value = self.header.get(skip..).and_then(int);
        self.header.clear();
        value.map(Some).ok_or_else(|| self.corrupt("an integer"))
    }

    fn corrupt(&self, what: &str) -> Error {
        Error::corrupt(format!("{what} in the data of {} is out of range", self.front_label()), self.at)
    }

    fn front_label(&self) -> &str {
        self.expected.front().map_or("nothing", |expected| &expected.label)
    }
}
