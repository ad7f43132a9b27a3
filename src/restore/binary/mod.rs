//! Rows of COPY text made into rows of binary COPY: parsing that the server is spared.
//!
//! A conversion is exact, or there is none: each type has a parser for what the server itself
//! writes, and whatever is spelled otherwise makes the whole piece of rows go as text, where
//! the server's own parser is the judge. Nothing is ever read back through this: the proof
//! hashes the text that the server writes of what it holds, so a fault here shows as a
//! difference between the rows of the archive and those that came back.
//!
//! Pure, and without knowledge of connections.

mod address;
mod array;
mod instant;
mod integer;
mod interval;
mod kind;
mod numeric;
mod real;
mod scalar;
mod words;

pub use kind::{Element, Kind};
pub use scalar::Scalar;

/// What a binary COPY begins with: its signature, no flags, no extension.
pub const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// What a binary COPY ends with.
pub const TRAILER: &[u8] = &[0xff, 0xff];

/// Bytes of a field that is put together anew, or grows with each of its elements. Longer ones
/// are rare, and left to the server: memory is bounded, and it takes no message of 1 GiB.
const REMADE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The length that stands for NULL.
const NULL: [u8; 4] = [0xff; 4];

/// The kinds of a table's columns, in the order of its rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Columns {
    kinds: Vec<Kind>,
    /// Their number as each row tells it.
    count: [u8; 2],
}

impl Columns {
    /// Rows of these columns; nothing for rows without any.
    pub fn new(kinds: Vec<Kind>) -> Option<Columns> {
        let count = i16::try_from(kinds.len()).ok().filter(|count| *count > 0)?.to_be_bytes();
        Some(Columns { kinds, count })
    }

    /// Whole rows of COPY text, each with its newline, as rows of binary COPY without header
    /// and trailer. None if anything in them is not as the server writes it.
    pub fn convert(&self, piece: &[u8]) -> Option<Vec<u8>> {
        // A carriage return may end a line, and NUL and broken characters are the server's affair.
        let odd = memchr::memchr2(b'\r', 0, piece).is_some() || std::str::from_utf8(piece).is_err();
        if odd {
            return None;
        }
        let mut out = Vec::with_capacity(piece.len().saturating_mul(2));
        let (mut scratch, mut rest) = (Scratch::default(), piece);
        while !rest.is_empty() {
            rest = self.convert_row(rest, &mut scratch, &mut out)?;
        }
        Some(out)
    }

    /// Converts the first row; what is behind it.
    fn convert_row<'p>(&self, piece: &'p [u8], scratch: &mut Scratch, out: &mut Vec<u8>) -> Option<&'p [u8]> {
        out.extend_from_slice(&self.count);
        let (last, others) = self.kinds.split_last()?;
        let mut rest = piece;
        for kind in others {
            let field = Field::first(rest)?;
            if field.end != b'\t' {
                return None;
            }
            field.convert(*kind, scratch, out)?;
            rest = field.behind;
        }
        let field = Field::first(rest)?;
        field.convert(*last, scratch, out)?;
        (field.end == b'\n').then_some(field.behind)
    }
}

/// Where fields and elements that have escapes are put together, one after the other.
#[derive(Default)]
struct Scratch {
    field: Vec<u8>,
    element: Vec<u8>,
}

/// A field of a row.
struct Field<'p> {
    text: &'p [u8],
    is_escaped: bool,
    /// What ends it.
    end: u8,
    /// The rest of the rows.
    behind: &'p [u8],
}

impl<'p> Field<'p> {
    fn first(rest: &'p [u8]) -> Option<Field<'p>> {
        let mut length = memchr::memchr3(b'\t', b'\n', b'\\', rest)?;
        let is_escaped = *rest.get(length)? == b'\\';
        if is_escaped {
            length += memchr::memchr2(b'\t', b'\n', rest.get(length..)?)?;
        }
        let (text, behind) = rest.split_at_checked(length)?;
        let (end, behind) = behind.split_first()?;
        Some(Field { text, is_escaped, end: *end, behind })
    }

    fn convert(&self, kind: Kind, scratch: &mut Scratch, out: &mut Vec<u8>) -> Option<()> {
        if self.text == b"\\N" {
            out.extend_from_slice(&NULL);
            return Some(());
        }
        let value = if self.is_escaped { self.unescaped(&mut scratch.field)? } else { self.text };
        kind.write(value, &mut scratch.element, out)
    }

    /// What it stands for.
    fn unescaped<'v>(&self, scratch: &'v mut Vec<u8>) -> Option<&'v [u8]>
    where
        'p: 'v,
    {
        // So any `bytea` begins, and has no other backslash.
        if let Some(value) = self.text.strip_prefix(b"\\")
            && let [b'\\', rest @ ..] = value
            && memchr::memchr(b'\\', rest).is_none()
        {
            return Some(value);
        }
        if self.text.len() > REMADE_BYTES_MAX {
            return None;
        }
        scratch.clear();
        words::unescape(self.text, scratch)?;
        Some(scratch)
    }
}

/// Writes a value of a fixed size.
fn put<const N: usize>(value: [u8; N], out: &mut Vec<u8>) -> Option<()> {
    out.extend_from_slice(&u32::try_from(N).ok()?.to_be_bytes());
    out.extend_from_slice(&value);
    Some(())
}

/// Writes a value whose size is known once it is written.
fn put_sized(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>) -> Option<()>) -> Option<()> {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    write(out)?;
    let (_, written) = out.split_at_mut_checked(start)?;
    let (length, value) = written.split_first_chunk_mut::<4>()?;
    *length = i32::try_from(value.len()).ok()?.to_be_bytes();
    Some(())
}

#[cfg(test)]
mod tests;
