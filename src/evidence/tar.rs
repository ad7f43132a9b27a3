//! The few things of a tar archive that a bundle needs: regular files with short names.
//!
//! What others may put into one (links, devices, owners, extended headers) is neither written
//! nor read.

use std::io::{self, Read, Write};

/// How long a name may be, and its two parts in a header.
const PREFIX_BYTES: usize = 155;
const NAME_BYTES: usize = 100;

/// The unit of everything in an archive.
const BLOCK: usize = 512;

/// Writes a regular file of mode 0644, owned by nobody in particular, of no date: the same
/// files give the same archive.
///
/// # Errors
/// The name does not fit into a header, or `into` can't be written to.
pub fn write_file(into: &mut impl Write, name: &str, bytes: &[u8]) -> io::Result<()> {
    into.write_all(&header(name, bytes.len() as u64)?)?;
    into.write_all(bytes)?;
    let rest = bytes.len() % BLOCK;
    if rest > 0 {
        into.write_all(&vec![0; BLOCK - rest])?;
    }
    Ok(())
}

/// Ends an archive.
///
/// # Errors
/// `into` can't be written to.
pub fn write_end(into: &mut impl Write) -> io::Result<()> {
    into.write_all(&[0; 2 * BLOCK])
}

fn header(name: &str, bytes: u64) -> io::Result<[u8; BLOCK]> {
    let too_long = || io::Error::other(format!("the name '{name}' is too long for an archive"));
    let (prefix, rest) = match name.len() {
        ..=NAME_BYTES => ("", name),
        _ => {
            let splits = name.match_indices('/').map(|(at, _)| at);
            let mut fitting = splits.filter(|at| *at <= PREFIX_BYTES && name.len() - at - 1 <= NAME_BYTES);
            let at = fitting.next().ok_or_else(too_long)?;
            (name.get(..at).unwrap_or_default(), name.get(at + 1..).unwrap_or_default())
        }
    };
    let mut header = [0; BLOCK];
    let mut put = |at: usize, text: &[u8]| {
        if let Some(place) = header.get_mut(at..at + text.len()) {
            place.copy_from_slice(text);
        }
    };
    put(0, rest.as_bytes());
    put(100, b"0000644\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{bytes:011o}\0").as_bytes());
    put(136, b"00000000000\0");
    put(148, b"        ");
    put(156, b"0");
    put(257, b"ustar\x0000");
    put(345, prefix.as_bytes());
    let sum: u64 = header.iter().map(|byte| u64::from(*byte)).sum();
    if let Some(place) = header.get_mut(148..156) {
        place.copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
    Ok(header)
}

/// An archive that is read, one regular file after the other.
pub struct Reader<R> {
    from: R,
}

/// The head of a file in an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its name, as it stands there.
    pub name: String,
    /// How many bytes follow.
    pub bytes: u64,
}

impl<R: Read> Reader<R> {
    /// Reads an archive.
    pub fn new(from: R) -> Reader<R> {
        Reader { from }
    }

    /// The head of the next file, or nothing behind the last.
    ///
    /// # Errors
    /// What stands there is no head of a regular file, or ends early.
    pub fn next(&mut self) -> io::Result<Option<Head>> {
        let mut block = [0; BLOCK];
        self.from.read_exact(&mut block)?;
        if block.iter().all(|byte| *byte == 0) {
            self.from.read_exact(&mut block)?;
            return match block.iter().all(|byte| *byte == 0) {
                true => Ok(None),
                false => Err(wrong("it goes on behind its end")),
            };
        }
        head_of(&block).map(Some)
    }

    /// The bytes of the file whose head came last.
    ///
    /// # Errors
    /// It ends early, or has more than `bytes_max` bytes.
    pub fn bytes(&mut self, head: &Head, bytes_max: u64) -> io::Result<Vec<u8>> {
        if head.bytes > bytes_max {
            return Err(wrong("a file in it is too large"));
        }
        let mut bytes = Vec::new();
        let taken = self.from.by_ref().take(head.bytes).read_to_end(&mut bytes)?;
        if taken as u64 != head.bytes {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let padding = (BLOCK - taken % BLOCK) % BLOCK;
        let mut rest = vec![0; padding];
        self.from.read_exact(&mut rest)?;
        Ok(bytes)
    }

    /// Reads on behind the end: only zeros may follow, and not many.
    ///
    /// # Errors
    /// Something else follows.
    pub fn end(mut self) -> io::Result<()> {
        let mut rest = Vec::new();
        const PADDING_MAX: u64 = 1 << 20;
        self.from.by_ref().take(PADDING_MAX).read_to_end(&mut rest)?;
        match rest.iter().all(|byte| *byte == 0) && (rest.len() as u64) < PADDING_MAX {
            true => Ok(()),
            false => Err(wrong("it goes on behind its end")),
        }
    }
}

fn head_of(block: &[u8; BLOCK]) -> io::Result<Head> {
    let field = |at: usize, length: usize| block.get(at..at + length).unwrap_or_default();
    let sum: u64 = block
        .iter()
        .enumerate()
        .map(|(at, byte)| if (148..156).contains(&at) { u64::from(b' ') } else { u64::from(*byte) })
        .sum();
    if octal(field(148, 8)) != Some(sum) {
        return Err(wrong("a head in it does not add up"));
    }
    if field(257, 5) != b"ustar" || !matches!(field(156, 1), b"0" | b"\0") {
        return Err(wrong("it holds something else than files"));
    }
    let text = |bytes: &[u8]| {
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        bytes.get(..end).and_then(|text| std::str::from_utf8(text).ok()).map(str::to_owned)
    };
    let (Some(name), Some(prefix)) = (text(field(0, NAME_BYTES)), text(field(345, PREFIX_BYTES))) else {
        return Err(wrong("a name in it is not UTF-8"));
    };
    let name = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
    let bytes = octal(field(124, 12)).ok_or_else(|| wrong("a size in it is no number"))?;
    Ok(Head { name, bytes })
}

fn octal(field: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(field).ok()?.trim_matches(['\0', ' ']);
    u64::from_str_radix(text, 8).ok().filter(|_| !text.starts_with('+'))
}

fn wrong(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut archive = Vec::new();
        for (name, bytes) in files {
            write_file(&mut archive, name, bytes).unwrap();
        }
        write_end(&mut archive).unwrap();
        archive
    }

    fn read(archive: &[u8]) -> io::Result<Vec<(String, Vec<u8>)>> {
        let mut reader = Reader::new(archive);
        let mut files = Vec::new();
        while let Some(head) = reader.next()? {
            files.push((head.name.clone(), reader.bytes(&head, 4_096)?));
        }
        reader.end()?;
        Ok(files)
    }

    #[test]
    fn files_read_back_as_they_were_written() {
        let long = format!("{}/{}", "d".repeat(120), "n".repeat(90));
        let block = [7; 512];
        let files: &[(&str, &[u8])] =
            &[("a", b""), ("b/c.json", b"{}"), (&long, &block), ("d", &block[..511])];
        let expected: Vec<_> =
            files.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec())).collect();
        assert_eq!(read(&archive(files)).unwrap(), expected);
        write_file(&mut Vec::new(), &"n".repeat(101), b"").unwrap_err();
        write_file(&mut Vec::new(), &format!("{}/n", "d".repeat(156)), b"").unwrap_err();
    }

    #[test]
    fn what_is_cut_or_changed_is_no_archive() {
        let intact = archive(&[("a", b"one"), ("b", b"two")]);
        for end in (0..intact.len()).step_by(37) {
            assert!(read(&intact[..end]).is_err(), "cut at {end}");
        }
        for at in [0, 100, 124, 130, 148, 156, 257, 345, 511] {
            let mut changed = intact.clone();
            changed[at] ^= 1;
            assert!(read(&changed).is_err(), "byte {at}");
        }
        let mut longer = intact.clone();
        longer.extend([0; 1024]);
        read(&longer).unwrap();
        longer.push(1);
        assert!(read(&longer).is_err());
        let large = archive(&[("a", &[0; 5_000])]);
        assert!(read(&large).is_err(), "above the bound");
    }
}
