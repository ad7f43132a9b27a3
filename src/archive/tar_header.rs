//! The header before each member of a tar file, as pg_dump writes it.

use crate::archive::error::Error;
use crate::archive::member::Member;

/// Headers, and the room that contents take, come in blocks of this many bytes.
pub const BLOCK_BYTES: usize = 512;

/// A member that is longer than this is not believed.
const MEMBER_BYTES_MAX: u64 = 1 << 50;

const NAME: std::ops::Range<usize> = 0..100;
const SIZE: std::ops::Range<usize> = 124..136;
const CHECKSUM: std::ops::Range<usize> = 148..156;
const TYPE: usize = 156;
const MAGIC: std::ops::Range<usize> = 257..262;
const PREFIX: std::ops::Range<usize> = 345..500;

/// Which member follows, and its length in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TarHeader {
    pub member: Member,
    pub bytes: u64,
}

/// Reads the header that stands at byte `at` of the archive.
///
/// # Errors
/// Its checksum does not fit, or it is that of anything but a regular file with a name of
/// pg_dump's: links, directories, devices and the extensions of newer tars are refused.
pub fn read(block: &[u8; BLOCK_BYTES], at: u64) -> Result<TarHeader, Error> {
    let field = |range: std::ops::Range<usize>| block.get(range).unwrap_or_default();
    let sum: u64 = block.iter().map(|byte| u64::from(*byte)).sum();
    let blanks = u64::from(b' ') * CHECKSUM.len() as u64;
    let own: u64 = field(CHECKSUM).iter().map(|byte| u64::from(*byte)).sum();
    if octal(field(CHECKSUM)) != Some(sum - own + blanks) {
        return Err(Error::corrupt("the checksum of a tar header does not fit", at));
    }
    if field(MAGIC) != b"ustar" {
        return Err(Error::corrupt("a tar header without its mark", at));
    }
    if !matches!(block.get(TYPE), Some(b'0' | 0)) {
        return Err(refused("it has a member that is not a regular file", at));
    }
    let name = text(field(NAME)).ok_or_else(|| refused("it has a member with a name that is no text", at))?;
    let member = Member::named(name).filter(|_| field(PREFIX).first() == Some(&0));
    let member = member.ok_or_else(|| {
        refused(&format!("it has a member named {name:?}, which pg_dump does not write"), at)
    })?;
    let bytes = size(field(SIZE)).ok_or_else(|| Error::corrupt(format!("the size of '{member}'"), at))?;
    if bytes > MEMBER_BYTES_MAX {
        return Err(Error::Limit {
            what: format!("the size of '{member}', {bytes} bytes"),
            limit: MEMBER_BYTES_MAX,
        });
    }
    Ok(TarHeader { member, bytes })
}

fn refused(what: &str, at: u64) -> Error {
    Error::Unsafe { what: format!("{what}, at byte {at}") }
}

/// The text before the first NUL, behind which there must be nothing else.
fn text(field: &[u8]) -> Option<&str> {
    let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
    let (text, behind) = field.split_at_checked(end)?;
    let clean = behind.iter().all(|byte| *byte == 0);
    std::str::from_utf8(text).ok().filter(|_| clean)
}

/// Octal digits between blanks and NULs.
fn octal(field: &[u8]) -> Option<u64> {
    let digits = field.trim_ascii_start();
    let end = digits.iter().position(|byte| matches!(byte, 0 | b' ')).unwrap_or(digits.len());
    let (digits, behind) = digits.split_at_checked(end)?;
    let clean = behind.iter().all(|byte| matches!(byte, 0 | b' '));
    if digits.is_empty() || !clean || digits.iter().any(|digit| !(b'0'..=b'7').contains(digit)) {
        return None;
    }
    digits.iter().try_fold(0_u64, |value, digit| value.checked_mul(8)?.checked_add(u64::from(digit - b'0')))
}

/// Octal digits; or a big-endian number behind a mark, where those don't suffice.
fn size(field: &[u8]) -> Option<u64> {
    const BINARY: u8 = 0x80;
    match field.split_first() {
        Some((&BINARY, number)) => {
            number.iter().try_fold(0_u64, |value, byte| Some(value.checked_mul(256)? | u64::from(*byte)))
        }
        _ => octal(field),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header as pg_dump writes it, with these fields and a checksum that fits.
    fn header(name: &[u8], size: &[u8], kind: u8) -> [u8; BLOCK_BYTES] {
        let mut block = [0; BLOCK_BYTES];
        block[..name.len()].copy_from_slice(name);
        block[SIZE][..size.len()].copy_from_slice(size);
        block[TYPE] = kind;
        block[MAGIC].copy_from_slice(b"ustar");
        sealed(block)
    }

    fn sealed(mut block: [u8; BLOCK_BYTES]) -> [u8; BLOCK_BYTES] {
        block[CHECKSUM].copy_from_slice(b"        ");
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[CHECKSUM].copy_from_slice(format!("{sum:07o} ").as_bytes());
        block
    }

    #[test]
    fn sizes_are_octal_or_binary() {
        let binary = [0x80, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 1];
        let table: [(&[u8], u64); 3] =
            [(b"00000000017 ", 15), (b"77777777777 ", (8 << 30) - 1), (&binary, (8 << 30) + 1)];
        for (size, bytes) in table {
            let read = read(&header(b"17.dat", size, b'0'), 0).unwrap();
            assert_eq!(read, TarHeader { member: Member::Rows(17), bytes });
        }
    }

    #[test]
    fn a_header_that_pg_dump_does_not_write_is_refused() {
        let size = b"00000000017 ";
        assert!(read(&header(b"17.dat", size, b'0'), 0).is_ok(), "the intact header is read");
        let unsafe_ones: Vec<(&str, [u8; BLOCK_BYTES])> = vec![
            ("a hard link", header(b"17.dat", size, b'1')),
            ("a symbolic link", header(b"17.dat", size, b'2')),
            ("a device", header(b"17.dat", size, b'3')),
            ("a directory", header(b"17.dat", size, b'5')),
            ("a sparse file", header(b"17.dat", size, b'S')),
            ("a PAX extension", header(b"17.dat", size, b'x')),
            ("a long name", header(b"././@LongLink", size, b'L')),
            ("an absolute name", header(b"/17.dat", size, b'0')),
            ("a name that leads out", header(b"../17.dat", size, b'0')),
            ("a name with something behind it", header(b"17.dat\0x", size, b'0')),
            ("a name that is no text", header(b"\xff.dat", size, b'0')),
            ("a foreign name", header(b"passwd", size, b'0')),
            ("a prefix", {
                let mut block = header(b"17.dat", size, b'0');
                block[PREFIX.start] = b'x';
                sealed(block)
            }),
        ];
        for (what, block) in unsafe_ones {
            let error = read(&block, 0).expect_err(what);
            assert!(matches!(error, Error::Unsafe { .. }), "{what}: {error}");
        }
        for size in [
            &b"0000000001x "[..],
            b"-0000000017 ",
            b"            ",
            b"\x81\0\0\0\0\0\0\0\0\0\0\x01",
            &[0x80; 12],
        ] {
            let error = read(&header(b"17.dat", size, b'0'), 0).expect_err("no size");
            assert!(matches!(error, Error::Corrupt { .. } | Error::Limit { .. }), "{size:?}: {error}");
        }
        let mut flipped = header(b"17.dat", size, b'0');
        flipped[1] ^= 1;
        assert!(matches!(read(&flipped, 0), Err(Error::Corrupt { .. })));
    }
}
