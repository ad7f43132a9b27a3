//! Why no backup could be chosen, or a sidecar not be used.

use std::time::Duration;

use jiff::Timestamp;
use thiserror::Error;

use crate::catalog::RejectedFor;
use crate::plan::duration;
use crate::verdict::{Code, Reason};

/// Why the catalogue can't answer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Error {
    /// The listing is complete, and empty.
    #[error("nothing lies under {location}")]
    NothingThere {
        /// The location that was listed.
        location: String,
    },
    /// There are objects, and none is a complete backup.
    #[error(
        "none of the {objects} objects under {location} is a backup by the pattern '{pattern}'{rejected}"
    )]
    NothingMatches {
        /// How many objects were listed.
        objects: usize,
        /// The location that was listed.
        location: String,
        /// The pattern, `*` where the plan gives none.
        pattern: String,
        /// Empty, or why some were rejected: ` (2 unfinished, 1 empty)`.
        rejected: String,
    },
    /// There are backups, but none young enough to be drawn.
    #[error("none of the {backups} backups is at most {} old; the newest is of {newest}", duration::text(*.within))]
    NothingWithin {
        /// How many backups there are.
        backups: usize,
        /// How old one could have been.
        within: Duration,
        /// The moment of the newest.
        newest: Timestamp,
    },
    /// The backup that was asked for is not there.
    #[error("no backup is called '{label}'{}", .rejected.map(RejectedFor::explain).unwrap_or_default())]
    NoSuchLabel {
        /// What was asked for.
        label: String,
        /// Why an object of this name is no backup.
        rejected: Option<RejectedFor>,
    },
    /// The chosen backup must be thawed before anybody can read it.
    #[error("{uri} lies in an archive storage class and can't be read now")]
    Archived {
        /// The object.
        uri: String,
    },
    /// A sidecar digest can't be used.
    #[error("the digest beside {name} can't be used: {problem}")]
    Sidecar {
        /// The backup's name.
        name: String,
        /// What is wrong, without the sidecar's content.
        problem: &'static str,
    },
}

impl Error {
    /// The published reason to halt a drill with.
    pub fn reason(&self) -> Reason {
        let (code, remedy) = match self {
            Error::NothingThere { .. } => (
                Code::NoBackupFound,
                "look whether backups are still written, and whether the location names where",
            ),
            Error::NothingMatches { .. } => (
                Code::NoBackupFound,
                "compare the pattern with the names that are there; it must match from the first byte to the last",
            ),
            Error::NothingWithin { .. } => {
                (Code::NoBackupFound, "look whether backups are still written, or widen 'random within'")
            }
            Error::NoSuchLabel { .. } => {
                (Code::NoBackupFound, "name the backup as its key below the location")
            }
            Error::Archived { .. } => (
                Code::NotRetrievable,
                "keep the backups that must be restored in time out of archive storage classes, or thaw it first",
            ),
            Error::Sidecar { .. } => {
                (Code::NoIntegrityReference, "write it anew with sha256sum, or remove it")
            }
        };
        Reason::new(code, self.to_string(), remedy)
    }
}
