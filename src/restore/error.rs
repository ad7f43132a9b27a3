//! What can stop a restore, and what can go wrong with one entry of it.

use std::fmt;

use crate::archive::Entry;
use crate::postgres;
use crate::verdict::{Blame, Code, Reason};
use crate::{archive, store};

/// Why a restore could not go on.
#[derive(Clone, Debug)]
pub struct Error {
    reason: Reason,
}

impl Error {
    /// A restore that stops for `code`.
    pub fn new(code: Code, detail: impl Into<String>, remedy: impl Into<String>) -> Error {
        Error { reason: Reason::new(code, detail, remedy) }
    }

    /// A restore that stops for `reason`.
    pub fn from_reason(reason: Reason) -> Error {
        Error { reason }
    }

    /// The archive itself can't be read further.
    pub fn archive(source: &archive::Error) -> Error {
        Error { reason: source.reason() }
    }

    /// The store would not give the archive.
    pub fn store(source: &store::Error) -> Error {
        Error { reason: source.reason() }
    }

    /// The scratch server would not serve.
    pub fn postgres(source: &postgres::Error) -> Error {
        Error { reason: source.reason() }
    }

    /// Rows of a foreign table: to load them is to write them into the remote server.
    pub fn foreign_rows(entry: &Entry) -> Error {
        Error::new(
            Code::UnsafeArchive,
            format!(
                "the archive holds rows of the foreign table '{}', which a restore would write into the remote server",
                entry.tag
            ),
            "dump without --include-foreign-data",
        )
    }

    /// A part of the pipeline ended without a word: our bug.
    pub fn lost(what: &str) -> Error {
        Error::new(
            Code::Internal,
            format!("{what} ended without an answer"),
            "report this as a bug of firedrill",
        )
    }

    /// What the drill halts with.
    pub fn reason(&self) -> Reason {
        self.reason.clone()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reason.fmt(f)
    }
}

impl std::error::Error for Error {}

/// One entry that could not be restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The entry's id in the table of contents.
    pub entry: u32,
    /// Its kind, as the archive calls it.
    pub kind: String,
    /// Its qualified name.
    pub name: String,
    /// What the server said, as a code.
    pub sqlstate: Option<String>,
    /// What the server said, without any value of the data.
    pub message: String,
    /// Whether the backup is at fault, or the scratch it was restored into.
    pub blame: Blame,
}

impl Failure {
    /// The failure of `entry` with what the server said.
    pub fn new(entry: &Entry, error: &postgres::Error) -> Failure {
        Failure::named(entry.id, &entry.kind, entry.qualified_name(), error)
    }

    /// The failure of the entry with that id, kind and name.
    pub fn named(entry: u32, kind: &str, name: String, error: &postgres::Error) -> Failure {
        Failure {
            entry,
            kind: kind.to_owned(),
            name,
            sqlstate: error.sqlstate().map(str::to_owned),
            message: error.to_string(),
            blame: blame(error.sqlstate()),
        }
    }

    /// What a drill halts with when the scratch is at fault: whatever else failed may have failed
    /// for want of this entry.
    pub fn reason(&self) -> Reason {
        let Failure { kind, name, message, .. } = self;
        Reason::new(
            Code::ScratchUnavailable,
            format!("the scratch server is not able to hold {kind} {name}: {message}"),
            "restore into a PostgreSQL that is built and equipped like production's: see scratch.postgres.bin",
        )
    }

    /// An entry that was not tried because the table it needs could not be made.
    pub fn skipped(entry: &Entry, missing: &str) -> Failure {
        Failure {
            entry: entry.id,
            kind: entry.kind.clone(),
            name: entry.qualified_name(),
            sqlstate: None,
            message: format!("not tried, because '{missing}' could not be restored"),
            blame: Blame::Backup,
        }
    }
}

/// Classes of SQLSTATE that speak of the server that was asked, not of what it was asked:
/// connections (08), features it was built without (0A), resources (53, 54), operator
/// intervention (57), files of its installation (58, F0), bugs of its own (XX).
fn blame(sqlstate: Option<&str>) -> Blame {
    match sqlstate.map(|code| code.get(..2).unwrap_or(code)) {
        // What we may not do says nothing of the backup.
        _ if sqlstate == Some("42501") => Blame::Environment,
        Some("08" | "0A" | "53" | "54" | "57" | "58" | "F0" | "XX") | None => Blame::Environment,
        Some(_) => Blame::Backup,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_server_is_not_blamed_on_the_backup() {
        for code in ["08006", "53100", "53200", "57P01", "58P01", "XX000", "0A000", "42501"] {
            assert_eq!(blame(Some(code)), Blame::Environment, "{code}");
        }
        for code in ["22P02", "23505", "42601", "42P01", "42704"] {
            assert_eq!(blame(Some(code)), Blame::Backup, "{code}");
        }
        assert_eq!(blame(None), Blame::Environment);
    }
}
