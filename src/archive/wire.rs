//! The primitives that headers and tables of contents are made of.

use crate::archive::entry::DataPosition;
use crate::archive::error::Error;

/// The longest string that is read, in bytes: far above any definition that PostgreSQL
/// itself would make, far below what hurts.
pub(super) const STRING_BYTES_MAX: u64 = 64 << 20;

/// Why a primitive could not be read.
#[derive(Debug)]
pub(super) enum Stop {
    /// The input must be at least this long before it is worth another try.
    More(usize),
    /// No further input helps.
    Bad(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Stop {
        Stop::Bad(error)
    }
}

/// How wide the numbers of an archive are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Widths {
    /// Bytes of an integer's magnitude; 4 in practice, 1 to 8 are read.
    pub int_bytes: u8,
    /// Bytes of a file offset; 8 in practice, 1 to 8 are read.
    pub offset_bytes: u8,
}

/// Reads primitives from the start of `bytes`, which lie at `base` in the archive.
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    base: u64,
    pub widths: Widths,
}

impl<'a> Cursor<'a> {
    pub fn new(bytes: &'a [u8], base: u64, widths: Widths) -> Cursor<'a> {
        Cursor { bytes, at: 0, base, widths }
    }

    /// How many bytes were taken.
    pub fn taken(&self) -> usize {
        self.at
    }

    /// Where in the archive the next byte lies.
    pub fn position(&self) -> u64 {
        self.base.saturating_add(self.at as u64)
    }

    pub fn take(&mut self, count: usize) -> Result<&'a [u8], Stop> {
        let end = self.at.saturating_add(count);
        let slice = self.bytes.get(self.at..end).ok_or(Stop::More(end))?;
        self.at = end;
        Ok(slice)
    }

    pub fn byte(&mut self) -> Result<u8, Stop> {
        Ok(self.take(1)?.first().copied().unwrap_or(0))
    }

    /// A signed integer. Those that stand for OIDs may be negative: see [`oid`].
    pub fn int(&mut self) -> Result<i64, Stop> {
        let at = self.position();
        let width = usize::from(self.widths.int_bytes);
        let bytes = self.take(1 + width)?;
        Ok(int(bytes).ok_or_else(|| Error::corrupt("an integer out of range", at))?)
    }

    /// An integer from `low` to `high`, which is `what`.
    pub fn int_within(&mut self, low: i64, high: i64, what: &str) -> Result<i64, Stop> {
        let at = self.position();
        let value = self.int()?;
        if (low..=high).contains(&value) {
            Ok(value)
        } else {
            Err(Error::corrupt(format!("{what} is {value}"), at).into())
        }
    }

    /// A string, or None for NULL. Its bytes are in the encoding of the archive.
    pub fn string(&mut self, what: &str) -> Result<Option<&'a [u8]>, Stop> {
        let at = self.position();
        let length = match self.int()? {
            -1 => return Ok(None),
            length => u64::try_from(length)
                .map_err(|_| Error::corrupt(format!("the length of {what} is {length}"), at))?,
        };
        if length > STRING_BYTES_MAX {
            let what = format!("{what} of {length} bytes at byte {at} of the archive");
            return Err(Error::Limit { what, limit: STRING_BYTES_MAX }.into());
        }
        // Fits: the limit is below the range of every usize.
        let text = self.take(length as usize)?;
        if memchr::memchr(0, text).is_some() {
            return Err(Error::corrupt(format!("{what} holds a NUL"), at).into());
        }
        Ok(Some(text))
    }

    /// A string that may not be NULL.
    pub fn some_string(&mut self, what: &str) -> Result<&'a [u8], Stop> {
        let at = self.position();
        Ok(self.string(what)?.ok_or_else(|| Error::corrupt(format!("{what} is missing"), at))?)
    }

    /// A string that spells an unsigned number.
    pub fn number(&mut self, what: &str) -> Result<u32, Stop> {
        let at = self.position();
        let text = self.some_string(what)?;
        Ok(number(text).ok_or_else(|| Error::corrupt(format!("{what} is no number"), at))?)
    }

    pub fn data_position(&mut self) -> Result<DataPosition, Stop> {
        let at = self.position();
        let state = self.byte()?;
        let bytes = self.take(usize::from(self.widths.offset_bytes))?;
        match state {
            1 => Ok(DataPosition::Unknown),
            2 => Ok(DataPosition::At(little_endian(bytes))),
            3 => Ok(DataPosition::NoData),
            _ => Err(Error::corrupt(format!("the state of a data position is {state}"), at).into()),
        }
    }
}

/// The integer of a sign byte and its little-endian magnitude, if it fits 32 bits.
pub(super) fn int(bytes: &[u8]) -> Option<i64> {
    let (sign, magnitude) = bytes.split_first()?;
    let magnitude = i64::from(u32::try_from(little_endian(magnitude)).ok()?);
    match sign {
        0 => Some(magnitude),
        1 => Some(-magnitude),
        _ => None,
    }
}

/// The OID that an integer stands for: those from 2^31 on were written as negative numbers.
pub(super) fn oid(int: i64) -> Option<u32> {
    let wrapped = if int < 0 { int.checked_add(1 << 32)? } else { int };
    u32::try_from(wrapped).ok()
}

/// The unsigned number that decimal digits spell, and nothing but digits.
pub(super) fn number(text: &[u8]) -> Option<u32> {
    if !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// At most eight bytes as a number.
fn little_endian(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |value, byte| (value << 8) | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDTHS: Widths = Widths { int_bytes: 4, offset_bytes: 8 };

    #[test]
    fn integers_carry_their_sign_in_front() {
        let table: &[(&[u8], Option<i64>)] = &[
            (&[0, 1, 0, 0, 0], Some(1)),
            (&[1, 1, 0, 0, 0], Some(-1)),
            (&[0, 0xff, 0xff, 0xff, 0xff], Some(0xffff_ffff)),
            (&[0, 5], Some(5)),
            (&[0, 7, 0, 0, 0, 0, 0, 0, 0], Some(7)),
            (&[0, 0, 0, 0, 0, 1, 0, 0, 0], None),
            (&[2, 1, 0, 0, 0], None),
            (&[], None),
        ];
        for (bytes, value) in table {
            assert_eq!(int(bytes), *value, "{bytes:?}");
        }
    }

    #[test]
    fn great_oids_come_as_negative_numbers() {
        assert_eq!(oid(-294_967_296), Some(4_000_000_000));
        assert_eq!(oid(17), Some(17));
        assert_eq!(oid(-(1 << 32) - 1), None);
    }

    #[test]
    fn a_length_is_checked_before_its_bytes_are_awaited() {
        let negative = [1, 2, 0, 0, 0];
        let huge = [0, 0xff, 0xff, 0xff, 0x7f];
        for bytes in [negative, huge] {
            let stop = Cursor::new(&bytes, 0, WIDTHS).string("a string");
            assert!(matches!(stop, Err(Stop::Bad(_))), "{bytes:?}");
        }
        let short = [0, 3, 0, 0, 0, b'a'];
        assert!(matches!(Cursor::new(&short, 0, WIDTHS).string("a string"), Err(Stop::More(8))));
    }

    #[test]
    fn null_and_the_empty_string_differ() {
        assert!(matches!(Cursor::new(&[1, 1, 0, 0, 0], 0, WIDTHS).string("s"), Ok(None)));
        assert!(matches!(Cursor::new(&[0, 0, 0, 0, 0], 0, WIDTHS).string("s"), Ok(Some(b""))));
    }
}
