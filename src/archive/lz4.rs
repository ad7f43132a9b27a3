//! The frame of an LZ4 stream, watched while it is decoded.

use std::io::{self, BufRead, Read};

/// Passes one LZ4 frame on to its decoder, and follows the frame's own lengths: the decoder
/// does not tell an end mark from input that ran out between two blocks.
///
/// Never passes on a byte behind the frame.
#[derive(Debug)]
pub(super) struct Frame<R> {
    source: R,
    part: Part,
    /// Bytes of the part still to come.
    left: usize,
    /// The fixed-width part being read.
    field: [u8; 7],
    field_bytes: usize,
    flags: u8,
    /// Bytes passed on.
    pub bytes: u64,
    /// Whether the source ended before the frame did.
    pub starved: bool,
    /// What the source failed with.
    pub failed: Option<io::Error>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// Magic, flags, block size, and the header checksum or the first byte of an option.
    Descriptor,
    /// The options that the flags announce.
    Options,
    /// The length of a block.
    BlockLength,
    /// A block, and its checksum if the flags say so.
    Block,
    /// The checksum behind the end mark.
    ContentChecksum,
    End,
}

const MAGIC: [u8; 4] = [0x04, 0x22, 0x4d, 0x18];
const BLOCK_CHECKSUM: u8 = 0x10;
const CONTENT_SIZE: u8 = 0x08;
const CONTENT_CHECKSUM: u8 = 0x04;
const DICTIONARY: u8 = 0x01;
const UNCOMPRESSED: u32 = 0x8000_0000;

impl<R> Frame<R> {
    pub fn new(source: R) -> Frame<R> {
        Frame {
            source,
            part: Part::Descriptor,
            left: 7,
            field: [0; 7],
            field_bytes: 0,
            flags: 0,
            bytes: 0,
            starved: false,
            failed: None,
        }
    }

    /// Whether the frame was passed on to its end mark and checksum.
    pub fn ended(&self) -> bool {
        self.part == Part::End
    }

    pub fn source(&mut self) -> &mut R {
        &mut self.source
    }

    pub fn into_source(self) -> R {
        self.source
    }

    /// Whether the whole content has a checksum behind it, which the decoder looks at.
    pub fn has_checksum(&self) -> bool {
        self.flags & CONTENT_CHECKSUM != 0
    }

    /// Follows `passed`, which lies within the present part.
    fn follow(&mut self, passed: &[u8]) -> io::Result<()> {
        self.bytes = self.bytes.saturating_add(passed.len() as u64);
        self.left = self.left.saturating_sub(passed.len());
        if matches!(self.part, Part::Descriptor | Part::BlockLength) {
            for byte in passed {
                if let Some(slot) = self.field.get_mut(self.field_bytes) {
                    *slot = *byte;
                }
                self.field_bytes += 1;
            }
        }
        while self.left == 0 && self.part != Part::End {
            self.next_part()?;
        }
        Ok(())
    }

    fn next_part(&mut self) -> io::Result<()> {
        self.field_bytes = 0;
        match self.part {
            Part::Descriptor => {
                let [a, b, c, d, flags, ..] = self.field;
                if [a, b, c, d] != MAGIC {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, "no LZ4 frame"));
                }
                self.flags = flags;
                self.part = Part::Options;
                self.left = self.flagged(CONTENT_SIZE, 8) + self.flagged(DICTIONARY, 4);
            }
            Part::Options | Part::Block => {
                self.part = Part::BlockLength;
                self.left = 4;
            }
            Part::BlockLength => {
                let [a, b, c, d, ..] = self.field;
                let length = u32::from_le_bytes([a, b, c, d]);
                if length == 0 {
                    self.part = Part::ContentChecksum;
                    self.left = self.flagged(CONTENT_CHECKSUM, 4);
                } else {
                    self.part = Part::Block;
                    let bytes = usize::try_from(length & !UNCOMPRESSED).unwrap_or(usize::MAX);
                    self.left = bytes.saturating_add(self.flagged(BLOCK_CHECKSUM, 4));
                }
            }
            Part::ContentChecksum | Part::End => self.part = Part::End,
        }
        Ok(())
    }

    fn flagged(&self, flag: u8, bytes: usize) -> usize {
        if self.flags & flag != 0 { bytes } else { 0 }
    }
}

impl<R: BufRead> Read for Frame<R> {
    /// Fills `out` as far as the frame goes, or fails for good.
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < out.len() && !self.ended() {
            let available = match self.source.fill_buf() {
                Ok(available) => available,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    self.failed = Some(error);
                    return Err(io::Error::other("the source failed"));
                }
            };
            if available.is_empty() {
                self.starved = true;
                break;
            }
            let room = out.get_mut(filled..).unwrap_or_default();
            let count = available.len().min(room.len()).min(self.left);
            let (room, _) = room.split_at_mut(count);
            if let Some(available) = available.get(..count) {
                room.copy_from_slice(available);
            }
            self.source.consume(count);
            self.follow(room)?;
            filled += count;
        }
        Ok(filled)
    }
}
