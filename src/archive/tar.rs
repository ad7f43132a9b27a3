//! A tar file, cut into its members.

use bytes::{Buf, Bytes};

use crate::archive::error::Error;
use crate::archive::member::Member;
use crate::archive::tar_header::{self, BLOCK_BYTES};

/// Content comes in pieces of at most this many bytes, so that few of them wait for a decoder.
const CONTENT_BYTES_MAX: u64 = 256 << 10;

/// What comes next in a tar file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cut {
    /// A member begins.
    Member(Member),
    /// The next bytes of its content.
    Content(Bytes),
    /// It ends.
    MemberEnd(Member),
}

/// Cuts a tar file, fed in order. It keeps at most one header of its own.
#[derive(Debug)]
pub struct TarCutter {
    /// Where in the archive the next byte lies.
    at: u64,
    header: Vec<u8>,
    state: State,
    /// Where the file ended, and how many bytes lie behind that which are not padding.
    end: u64,
    unread_bytes: u64,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Before a header, with so many blocks of zeros seen: two of them end the file.
    Header {
        zeros: usize,
    },
    Content {
        member: Member,
        left: u64,
        padding: u64,
    },
    Padding {
        left: u64,
    },
    Done,
}

impl TarCutter {
    /// A cutter that has seen nothing.
    pub fn new() -> TarCutter {
        TarCutter { at: 0, header: Vec::new(), state: State::Header { zeros: 0 }, end: 0, unread_bytes: 0 }
    }

    /// What comes next in `rest`, which loses the bytes that were taken; None if that is the
    /// end of them.
    pub fn next(&mut self, rest: &mut Bytes) -> Result<Option<Cut>, Error> {
        loop {
            let before = rest.len();
            let cut = self.step(rest)?;
            self.at = self.at.saturating_add((before - rest.len()) as u64);
            if cut.is_some() || rest.is_empty() {
                return Ok(cut);
            }
        }
    }

    fn step(&mut self, rest: &mut Bytes) -> Result<Option<Cut>, Error> {
        match self.state {
            State::Header { zeros } => self.header(rest, zeros),
            State::Content { member, left: 0, padding } => {
                self.state = State::Padding { left: padding };
                Ok(Some(Cut::MemberEnd(member)))
            }
            State::Content { member, left, padding } => {
                let taken = rest.split_to(within(left.min(CONTENT_BYTES_MAX), rest.len()));
                self.state = State::Content { member, left: left - taken.len() as u64, padding };
                Ok((!taken.is_empty()).then_some(Cut::Content(taken)))
            }
            State::Padding { left: 0 } => {
                self.state = State::Header { zeros: 0 };
                Ok(None)
            }
            State::Padding { left } => {
                let taken = rest.split_to(within(left, rest.len()));
                if taken.iter().any(|byte| *byte != 0) {
                    return Err(Error::corrupt("there is something behind the end of a member", self.at));
                }
                self.state = State::Padding { left: left - taken.len() as u64 };
                Ok(None)
            }
            State::Done => {
                // Tape blocks are filled up with zeros; a part that has anything else counts.
                if rest.iter().any(|byte| *byte != 0) {
                    self.unread_bytes = self.unread_bytes.saturating_add(rest.len() as u64);
                }
                rest.advance(rest.len());
                Ok(None)
            }
        }
    }

    fn header(&mut self, rest: &mut Bytes, zeros: usize) -> Result<Option<Cut>, Error> {
        let begin = self.at.saturating_sub(self.header.len() as u64);
        let missing = BLOCK_BYTES.saturating_sub(self.header.len());
        self.header.extend_from_slice(&rest.split_to(missing.min(rest.len())));
        let Ok(block) = <[u8; BLOCK_BYTES]>::try_from(self.header.as_slice()) else { return Ok(None) };
        self.header.clear();
        if block.iter().all(|byte| *byte == 0) {
            self.state = if zeros == 0 { State::Header { zeros: 1 } } else { State::Done };
            self.end = begin.saturating_add(BLOCK_BYTES as u64);
            return Ok(None);
        }
        if zeros > 0 {
            return Err(Error::corrupt("a member behind the end of the tar file", begin));
        }
        let tar_header::TarHeader { member, bytes } = tar_header::read(&block, begin)?;
        let over = bytes % BLOCK_BYTES as u64;
        let padding = if over == 0 { 0 } else { BLOCK_BYTES as u64 - over };
        self.state = State::Content { member, left: bytes, padding };
        Ok(Some(Cut::Member(member)))
    }

    /// Whether the end mark was seen; what follows is only counted.
    pub fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// Whether the cutter stands between two members.
    pub fn is_between(&self) -> bool {
        matches!(self.state, State::Header { .. } | State::Padding { .. } | State::Done)
    }

    /// Where in the archive the next byte lies.
    pub fn position(&self) -> u64 {
        self.at
    }

    /// Bytes up to the end mark, and those of the parts behind it that are not zeros alone.
    pub fn measured(&self) -> (u64, u64) {
        (self.end, self.unread_bytes)
    }
}

/// As many of `available` bytes as are `left`.
fn within(left: u64, available: usize) -> usize {
    usize::try_from(left).unwrap_or(usize::MAX).min(available)
}
