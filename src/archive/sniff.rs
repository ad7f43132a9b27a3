//! What a file is, by its first bytes.

use std::fmt;

/// How many first bytes [`sniff`] wants to tell every kind; fewer tell some.
pub const SNIFF_BYTES: usize = 512;

/// What the first bytes of a file say it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A custom-format archive, `pg_dump -Fc`.
    Custom,
    /// A tar file, as `pg_dump -Ft` writes.
    Tar,
    /// A gzip file around something.
    Gzip,
    /// A zstd frame around something.
    Zstd,
    /// An LZ4 frame around something.
    Lz4,
    /// An xz file around something.
    Xz,
    /// A bzip2 file around something.
    Bzip2,
    /// A script for psql, `pg_dump -Fp` or pg_dumpall.
    PlainSql,
    /// The `toc.dat` of a directory-format archive, `pg_dump -Fd`.
    DirectoryToc,
    /// No bytes at all.
    Empty,
    /// None of these.
    Unknown,
}

impl Kind {
    /// What to do about an object of this kind.
    pub(super) fn remedy(self) -> &'static str {
        match self {
            Kind::Gzip | Kind::Zstd | Kind::Lz4 | Kind::Xz | Kind::Bzip2 => {
                "store the archive as pg_dump -Fc wrote it; it is compressed inside already"
            }
            Kind::Tar => "store it as pg_dump -Ft wrote it, without packing it anew",
            Kind::DirectoryToc => {
                "name the directory that it lies in: its parent as location, and a pattern that ends in '/'"
            }
            Kind::PlainSql => "dump with pg_dump -Fc",
            Kind::Empty => "check the job that dumps and uploads: it stored nothing",
            Kind::Custom | Kind::Unknown => {
                "check the plan's location and pattern, and what wrote the object"
            }
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Custom => "a custom-format archive",
            Kind::Tar => "another tar file",
            Kind::Gzip => "a gzip file",
            Kind::Zstd => "a zstd file",
            Kind::Lz4 => "an LZ4 file",
            Kind::Xz => "an xz file",
            Kind::Bzip2 => "a bzip2 file",
            Kind::PlainSql => "a plain SQL script",
            Kind::DirectoryToc => "the toc.dat of a directory-format or tar archive",
            Kind::Empty => "empty",
            Kind::Unknown => "something unknown",
        })
    }
}

/// What a file is, by as many of its first bytes as there are; [`SNIFF_BYTES`] suffice.
pub fn sniff(first: &[u8]) -> Kind {
    const DIRECTORY_FORMAT: u8 = 3;
    const PLAIN_BEGINNINGS: [&[u8]; 4] =
        [b"--\n-- PostgreSQL database", b"--\r\n-- PostgreSQL database", b"\\restrict ", b"SET "];
    if first.is_empty() {
        return Kind::Empty;
    }
    if first.starts_with(b"PGDMP") {
        return if first.get(10) == Some(&DIRECTORY_FORMAT) { Kind::DirectoryToc } else { Kind::Custom };
    }
    let magics: [(&[u8], Kind); 5] = [
        (b"\x1f\x8b", Kind::Gzip),
        (b"\x28\xb5\x2f\xfd", Kind::Zstd),
        (b"\x04\x22\x4d\x18", Kind::Lz4),
        (b"\xfd7zXZ\0", Kind::Xz),
        (b"BZh", Kind::Bzip2),
    ];
    if let Some((_, kind)) = magics.iter().find(|(magic, _)| first.starts_with(magic)) {
        return *kind;
    }
    if first.get(257..262) == Some(b"ustar") {
        return Kind::Tar;
    }
    if PLAIN_BEGINNINGS.iter().any(|text| first.starts_with(text)) {
        return Kind::PlainSql;
    }
    Kind::Unknown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_bytes_tell_the_kind() {
        let mut tar = vec![0; 512];
        tar[257..262].copy_from_slice(b"ustar");
        let table: &[(&[u8], Kind)] = &[
            (b"", Kind::Empty),
            (b"PGDMP\x01\x10\x00\x04\x08\x01", Kind::Custom),
            (b"PGDMP\x01\x10\x00\x04\x08\x03", Kind::DirectoryToc),
            (b"PGDMP", Kind::Custom),
            (&tar, Kind::Tar),
            (b"\x1f\x8b\x08", Kind::Gzip),
            (b"\x28\xb5\x2f\xfd", Kind::Zstd),
            (b"\x04\x22\x4d\x18", Kind::Lz4),
            (b"\xfd7zXZ\0", Kind::Xz),
            (b"BZh9", Kind::Bzip2),
            (b"--\n-- PostgreSQL database dump\n", Kind::PlainSql),
            (b"--\n-- PostgreSQL database cluster dump\n", Kind::PlainSql),
            (b"\x89PNG\r\n\x1a\n", Kind::Unknown),
            (b"PGDM", Kind::Unknown),
        ];
        for (bytes, kind) in table {
            assert_eq!(sniff(bytes), *kind, "{:?}", &bytes[..bytes.len().min(12)]);
        }
    }
}
