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
    /// A file of age, encrypted.
    Age,
    /// An encrypted message of OpenPGP, as gpg writes.
    OpenPgp,
    /// A file of `openssl enc`, encrypted.
    OpensslEnc,
    /// A file of age or OpenPGP in the letters of an e-mail.
    Armored,
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
    /// The word for it in evidence.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Custom => "custom",
            Kind::Tar => "tar",
            Kind::Gzip => "gzip",
            Kind::Zstd => "zstd",
            Kind::Lz4 => "lz4",
            Kind::Xz => "xz",
            Kind::Bzip2 => "bzip2",
            Kind::Age => "age",
            Kind::OpenPgp => "openpgp",
            Kind::OpensslEnc => "openssl enc",
            Kind::Armored => "armored",
            Kind::PlainSql => "plain",
            Kind::DirectoryToc => "directory",
            Kind::Empty => "empty",
            Kind::Unknown => "unknown",
        }
    }

    /// Whether it is encrypted, and needs a key.
    pub fn is_encrypted(self) -> bool {
        matches!(self, Kind::Age | Kind::OpenPgp | Kind::OpensslEnc)
    }

    /// Whether it stands around something else, which is looked for inside.
    pub fn is_layer(self) -> bool {
        let compressed = matches!(self, Kind::Gzip | Kind::Zstd | Kind::Lz4 | Kind::Xz | Kind::Bzip2);
        compressed || self.is_encrypted()
    }

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
            Kind::Armored => "encrypt without -a or --armor: the letters only make it longer",
            Kind::Age | Kind::OpenPgp | Kind::OpensslEnc => {
                "give the key in the [service.NAME.backup.decrypt] table of the plan"
            }
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
            Kind::Age => "an age file",
            Kind::OpenPgp => "an OpenPGP message",
            Kind::OpensslEnc => "an openssl enc file",
            Kind::Armored => "an encrypted file in ASCII armour",
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
    let magics: [(&[u8], Kind); 9] = [
        (b"\x1f\x8b", Kind::Gzip),
        (b"\x28\xb5\x2f\xfd", Kind::Zstd),
        (b"\x04\x22\x4d\x18", Kind::Lz4),
        (b"\xfd7zXZ\0", Kind::Xz),
        (b"BZh", Kind::Bzip2),
        (b"age-encryption.org/", Kind::Age),
        (b"Salted__", Kind::OpensslEnc),
        (b"-----BEGIN AGE ENCRYPTED FILE-----", Kind::Armored),
        (b"-----BEGIN PGP MESSAGE-----", Kind::Armored),
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
    if is_zstd_skippable(first) {
        return Kind::Zstd;
    }
    if begins_openpgp(first) {
        return Kind::OpenPgp;
    }
    Kind::Unknown
}

/// A frame that zstd reads over; pzstd begins its files with one.
fn is_zstd_skippable(first: &[u8]) -> bool {
    matches!(first, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..])
}

/// Whether the first packet is a session key or encrypted data, of a version that there is.
/// OpenPGP has no magic bytes; these are as good as three of them.
fn begins_openpgp(first: &[u8]) -> bool {
    let (tag, length_bytes) = match first {
        [head, length, ..] if head & 0xc0 == 0xc0 => {
            let length_bytes = match length {
                0..=191 | 224..=254 => 1,
                192..=223 => 2,
                255 => 5,
            };
            (head & 0x3f, length_bytes)
        }
        [head, ..] if head & 0x80 != 0 => ((head >> 2) & 0x0f, [1, 2, 4, 0][usize::from(head & 3)]),
        _ => return false,
    };
    let body = first.get(1 + length_bytes..).unwrap_or_default();
    let version = body.first().copied().unwrap_or_default();
    match tag {
        1 => matches!(version, 3 | 6),
        3 => matches!(version, 4..=6),
        // Without integrity protection: nothing tells its version.
        9 => true,
        10 => body.starts_with(b"PGP"),
        18 | 20 => matches!(version, 1 | 2),
        _ => false,
    }
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
            (b"\x50\x2a\x4d\x18\x04", Kind::Zstd),
            (b"age-encryption.org/v1\n", Kind::Age),
            (b"Salted__12345678", Kind::OpensslEnc),
            (b"-----BEGIN PGP MESSAGE-----\n", Kind::Armored),
            (b"\x8c\x0d\x04\x09\x03\x08", Kind::OpenPgp),
            (b"\x85\x01\x0c\x03\xaa", Kind::OpenPgp),
            (b"\xc1\xc0\x4c\x03\xaa", Kind::OpenPgp),
            (b"\xd2\xff\x00\x01\x00\x00\x01", Kind::OpenPgp),
            (b"\x8c\x0d\x09\x09", Kind::Unknown),
            (b"\xff\xd8\xff\xe0", Kind::Unknown),
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
