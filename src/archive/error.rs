//! What can be wrong with an archive.

use std::fmt;
use std::io;

use crate::archive::sniff::Kind;
use crate::verdict::{Code, Reason};

/// Where in the input something was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// So many bytes from the start of the archive.
    Archive(u64),
    /// So many bytes from the start of the stream of one table or large object: compressed
    /// bytes for the codec's faults, plain bytes for faults of rows and statements.
    Stream(u64),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Archive(at) => write!(f, "byte {at} of the archive"),
            Place::Stream(at) => write!(f, "byte {at} of its stream"),
        }
    }
}

/// Why an archive could not be read. No message holds a row, a literal of the archive's SQL
/// or a credential; names of objects stand in quotes with control characters escaped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The input ended before everything it announces was seen.
    #[error("the archive is cut short: {what} at {place}")]
    Truncated {
        /// What was missing.
        what: String,
        /// Where the input ended.
        place: Place,
    },
    /// The input contradicts itself.
    #[error("the archive is damaged: {what} at {place}")]
    Corrupt {
        /// The contradiction.
        what: String,
        /// Where it was seen.
        place: Place,
    },
    /// The input is something else, and this is what.
    #[error("the object is not an archive of pg_dump that firedrill reads, but {kind}")]
    NotAnArchive {
        /// What its first bytes say it is.
        kind: Kind,
    },
    /// A version, codec or encoding that is not read here.
    #[error("the archive is of a kind that firedrill does not read: {what}")]
    Unsupported {
        /// What would be needed.
        what: String,
    },
    /// A bound on a size or count was passed.
    #[error("the archive passes a limit: {what}, at most {limit} allowed")]
    Limit {
        /// What is too large or too many.
        what: String,
        /// The bound.
        limit: u64,
    },
    /// Something that must not be run.
    #[error("the archive is not safe to restore: {what}")]
    Unsafe {
        /// What was refused.
        what: String,
    },
    /// A dump that has nothing of the database that is wanted.
    #[error("the dump holds nothing of the database '{}'; it holds {}", wanted.escape_debug(), listed(held))]
    NoDatabase {
        /// Which is wanted.
        wanted: String,
        /// Some of those that it holds.
        held: Vec<String>,
    },
    /// It is encrypted, and what the plan gives does not open it.
    #[error("the backup is {layer}: {what}")]
    Key {
        /// The layer that is encrypted.
        layer: Kind,
        /// What is missing or does not fit.
        what: String,
    },
    /// The source under a stream failed; nothing is said about the archive.
    #[error("the stream of the archive broke off")]
    Source(#[source] io::Error),
}

fn listed(names: &[String]) -> String {
    let shown: Vec<String> = names.iter().map(|name| format!("'{}'", name.escape_debug())).collect();
    if shown.is_empty() { "none by name".to_owned() } else { shown.join(", ") }
}

impl Error {
    /// The published reason a drill halts with.
    pub fn reason(&self) -> Reason {
        let (code, remedy) = match self {
            Error::Truncated { .. } => (
                Code::ArtifactTruncated,
                "take a new backup; check that pg_dump and the upload both ended with exit code 0",
            ),
            Error::Corrupt { .. } => {
                (Code::ArtifactCorrupt, "take a new backup, and compare this object with another copy of it")
            }
            Error::NotAnArchive { kind } => (Code::NotAnArchive, kind.remedy()),
            Error::Unsupported { .. } => (
                Code::UnsupportedVersion,
                "use a newer firedrill, or dump with a version of pg_dump it names",
            ),
            Error::Limit { .. } => (
                Code::LimitExceeded,
                "check what wrote the archive: no dump of pg_dump is known to pass this",
            ),
            Error::Unsafe { .. } => {
                (Code::UnsafeArchive, "find out who wrote the archive before anything of it is restored")
            }
            Error::NoDatabase { .. } => (
                Code::NoTableData,
                "see what the backup job dumps, and what backup.database in the plan says",
            ),
            Error::Key { .. } => (
                Code::DecryptionKey,
                "give the key that the backup was encrypted for in the plan's [service.NAME.backup.decrypt]",
            ),
            Error::Source(_) => (Code::StoreUnavailable, "run the drill again when the store answers"),
        };
        Reason::new(code, self.to_string(), remedy)
    }

    /// The error that travelled inside an [`io::Error`], as readers must return it; any other
    /// is a failure of the source.
    pub fn from_io(error: io::Error) -> Error {
        match error.downcast::<Error>() {
            Ok(ours) => ours,
            Err(other) => Error::Source(other),
        }
    }

    /// This error inside an [`io::Error`], for readers.
    pub(super) fn into_io(self) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, self)
    }

    /// A table of contents that does not end where its file does.
    pub fn behind_the_entries(at: u64) -> Error {
        Error::corrupt("there is something behind the entries of 'toc.dat'", at)
    }

    pub(super) fn no_key(layer: Kind, what: &str) -> Error {
        Error::Key { layer, what: what.to_owned() }
    }

    pub(super) fn corrupt(what: impl Into<String>, at: u64) -> Error {
        Error::Corrupt { what: what.into(), place: Place::Archive(at) }
    }

    pub(super) fn truncated(what: impl Into<String>, at: u64) -> Error {
        Error::Truncated { what: what.into(), place: Place::Archive(at) }
    }

    pub(super) fn corrupt_stream(what: impl Into<String>, at: u64) -> Error {
        Error::Corrupt { what: what.into(), place: Place::Stream(at) }
    }

    pub(super) fn truncated_stream(what: impl Into<String>, at: u64) -> Error {
        Error::Truncated { what: what.into(), place: Place::Stream(at) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_comes_back_whole_out_of_a_reader() {
        let wrapped = Error::corrupt("a thing", 7).into_io();
        assert!(matches!(Error::from_io(wrapped), Error::Corrupt { place: Place::Archive(7), .. }));
        let foreign = io::Error::new(io::ErrorKind::TimedOut, "slow");
        assert!(matches!(Error::from_io(foreign), Error::Source(_)));
    }

    #[test]
    fn every_error_has_a_reason_with_a_remedy() {
        let errors = [
            (Error::truncated("x", 1), Code::ArtifactTruncated),
            (Error::corrupt("x", 1), Code::ArtifactCorrupt),
            (Error::NotAnArchive { kind: Kind::Tar }, Code::NotAnArchive),
            (Error::Unsupported { what: "x".into() }, Code::UnsupportedVersion),
            (Error::Limit { what: "x".into(), limit: 1 }, Code::LimitExceeded),
            (Error::Unsafe { what: "x".into() }, Code::UnsafeArchive),
            (Error::no_key(Kind::Age, "x"), Code::DecryptionKey),
            (Error::Source(io::ErrorKind::TimedOut.into()), Code::StoreUnavailable),
        ];
        for (error, code) in errors {
            let reason = error.reason();
            assert_eq!(reason.code, code);
            assert!(!reason.remedy.is_empty(), "{error}");
        }
    }
}
