//! The first hundred bytes of an archive.

use std::fmt;

use jiff::civil::DateTime;

use crate::archive::error::Error;
use crate::archive::sniff::Kind;
use crate::archive::wire::{Cursor, Stop, Widths};

/// The oldest and newest archive versions that are read, as (major, minor).
const VERSION_MIN: (u8, u8) = (1, 12);
const VERSION_MAX: (u8, u8) = (1, 16);

/// How the streams of an archive are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Compression {
    /// Not at all: no checksum either.
    None,
    /// One zlib stream (not a gzip file) per table, with an Adler-32.
    Gzip,
    /// One gzip file per table, with a CRC-32: in a directory, and nowhere else.
    GzipFile,
    /// One LZ4 frame per table; pg_dump writes it without a checksum.
    Lz4,
    /// One zstd frame per table; pg_dump writes it without a checksum.
    Zstd,
}

impl Compression {
    /// Whether a flipped bit is sure to be noticed while decoding.
    pub fn has_checksum(self) -> bool {
        self.checksum().is_some()
    }

    /// The checksum by which that is noticed.
    pub fn checksum(self) -> Option<&'static str> {
        match self {
            Compression::Gzip => Some("adler32"),
            Compression::GzipFile => Some("crc32"),
            Compression::None | Compression::Lz4 | Compression::Zstd => None,
        }
    }

    /// The word for it, as pg_restore prints it.
    pub fn as_str(self) -> &'static str {
        match self {
            Compression::None => "none",
            Compression::Gzip | Compression::GzipFile => "gzip",
            Compression::Lz4 => "lz4",
            Compression::Zstd => "zstd",
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How an archive is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Layout {
    /// One file of blocks, `pg_dump -Fc`.
    Custom,
    /// A tar file with a member for each table and large object, `pg_dump -Ft`.
    Tar,
    /// A directory with a file for each, `pg_dump -Fd`.
    Directory,
    /// A script, `pg_dump -Fp`.
    Plain,
    /// A script with everything of a server, pg_dumpall.
    Cluster,
}

impl Layout {
    /// The word in evidence.
    pub fn as_str(self) -> &'static str {
        match self {
            Layout::Custom => "pg_dump-custom",
            Layout::Tar => "pg_dump-tar",
            Layout::Directory => "pg_dump-directory",
            Layout::Plain => "pg_dump-plain",
            Layout::Cluster => "pg_dumpall",
        }
    }
}

/// What an archive says about itself before its table of contents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// How the archive is laid out.
    pub layout: Layout,
    /// The version of the archive format: (1, 12) to (1, 16); (0, 0) for a plain dump, which
    /// has none.
    pub version: (u8, u8),
    /// The third number of the version; 0 in practice, and without meaning.
    pub revision: u8,
    /// Bytes of an integer: 4 in practice.
    pub int_bytes: u8,
    /// Bytes of a file offset: 8 in practice.
    pub offset_bytes: u8,
    /// How the streams are compressed.
    pub compression: Compression,
    /// The zlib level that archives before 1.15 name; -1 is zlib's default.
    pub compression_level: Option<i32>,
    /// When pg_dump began, by the clock and in the zone of the machine it ran on: the zone is
    /// not told, so this is never taken for a moment in time. A plain dump does not tell it.
    pub created: Option<DateTime>,
    /// The database that was dumped.
    pub database: String,
    /// The server's version: `15.18 (Debian 15.18-0+deb12u1)`.
    pub server_version: String,
    /// The version of pg_dump.
    pub dump_version: String,
}

impl Header {
    /// The major version of the dumped server, if its version begins with one.
    pub fn server_major(&self) -> Option<u32> {
        major(&self.server_version)
    }

    /// The major version of pg_dump, if its version begins with one.
    pub fn dump_major(&self) -> Option<u32> {
        major(&self.dump_version)
    }
}

fn major(version: &str) -> Option<u32> {
    let digits = version.find(|c: char| !c.is_ascii_digit()).unwrap_or(version.len());
    version.get(..digits)?.parse().ok()
}

/// A header before the encoding of its strings is known.
#[derive(Clone, Debug)]
pub(super) struct RawHeader {
    pub layout: Layout,
    pub version: (u8, u8),
    pub revision: u8,
    pub widths: Widths,
    pub compression: Compression,
    pub compression_level: Option<i32>,
    pub created: DateTime,
    pub database: Vec<u8>,
    pub server_version: Vec<u8>,
    pub dump_version: Vec<u8>,
}

/// Reads a header, whose magic was found before, of an archive that is laid out so.
pub(super) fn read(cursor: &mut Cursor<'_>, layout: Layout) -> Result<RawHeader, Stop> {
    cursor.take(b"PGDMP".len())?;
    let version = (cursor.byte()?, cursor.byte()?);
    let revision = cursor.byte()?;
    if !(VERSION_MIN..=VERSION_MAX).contains(&version) {
        let what = format!(
            "archive version {}.{}, where {}.{} to {}.{} are known",
            version.0, version.1, VERSION_MIN.0, VERSION_MIN.1, VERSION_MAX.0, VERSION_MAX.1
        );
        return Err(Error::Unsupported { what }.into());
    }
    let widths = Widths { int_bytes: width(cursor)?, offset_bytes: width(cursor)? };
    cursor.widths = widths;
    format(cursor, layout)?;
    let (compression, compression_level) = compression(cursor, version)?;
    if layout == Layout::Tar && compression != Compression::None {
        return Err(Error::Unsupported { what: "a tar file with compressed members".into() }.into());
    }
    let created = created(cursor)?;
    let database = cursor.some_string("the database's name")?.to_vec();
    let server_version = cursor.some_string("the server's version")?.to_vec();
    let dump_version = cursor.some_string("the version of pg_dump")?.to_vec();
    Ok(RawHeader {
        layout,
        version,
        revision,
        widths,
        compression,
        compression_level,
        created,
        database,
        server_version,
        dump_version,
    })
}

fn width(cursor: &mut Cursor<'_>) -> Result<u8, Stop> {
    match cursor.byte()? {
        width @ 1..=8 => Ok(width),
        other => Err(Error::Unsupported { what: format!("numbers of {other} bytes") }.into()),
    }
}

fn format(cursor: &mut Cursor<'_>, layout: Layout) -> Result<(), Stop> {
    let at = cursor.position();
    match (cursor.byte()?, layout) {
        (1, Layout::Custom) | (3, Layout::Tar | Layout::Directory) => Ok(()),
        (3, Layout::Custom) => Err(Error::NotAnArchive { kind: Kind::DirectoryToc }.into()),
        (other, _) => Err(Error::corrupt(format!("the format is {other}"), at).into()),
    }
}

fn compression(cursor: &mut Cursor<'_>, version: (u8, u8)) -> Result<(Compression, Option<i32>), Stop> {
    const ALGORITHM_SINCE: (u8, u8) = (1, 15);
    if version < ALGORITHM_SINCE {
        let level = cursor.int_within(-1, 9, "the compression level")?;
        let compression = if level == 0 { Compression::None } else { Compression::Gzip };
        return Ok((compression, i32::try_from(level).ok()));
    }
    match cursor.byte()? {
        0 => Ok((Compression::None, None)),
        1 => Ok((Compression::Gzip, None)),
        2 => Ok((Compression::Lz4, None)),
        3 => Ok((Compression::Zstd, None)),
        other => Err(Error::Unsupported { what: format!("compression algorithm {other}") }.into()),
    }
}

fn created(cursor: &mut Cursor<'_>) -> Result<DateTime, Stop> {
    let at = cursor.position();
    // A leap second is told as 60; civil time has none.
    let second = cursor.int_within(0, 60, "the second of creation")?.min(59);
    let minute = cursor.int_within(0, 59, "the minute of creation")?;
    let hour = cursor.int_within(0, 23, "the hour of creation")?;
    let day = cursor.int_within(1, 31, "the day of creation")?;
    let month = cursor.int_within(0, 11, "the month of creation")? + 1;
    let year = cursor.int_within(0, 8099, "the year of creation")? + 1900;
    cursor.int_within(-1, 1, "the daylight-saving flag of creation")?;
    // The ranges above fit the narrow types.
    let date = DateTime::new(year as i16, month as i8, day as i8, hour as i8, minute as i8, second as i8, 0);
    Ok(date.map_err(|_| Error::corrupt("the creation time is no date", at))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn majors_are_the_first_digits_of_a_version() {
        let table = [
            ("15.18 (Debian 15.18-0+deb12u1)", Some(15)),
            ("19rc1 (Debian 19~rc1-1)", Some(19)),
            ("9.6.24", Some(9)),
            ("17", Some(17)),
            ("devel", None),
            ("", None),
        ];
        for (version, expected) in table {
            assert_eq!(major(version), expected, "{version}");
        }
    }
}
