//! Why the proof could not be made.

use std::fmt;

use crate::postgres;
use crate::restore;
use crate::verdict::{Code, Reason};

/// A question that could not be put: it proves nothing either way.
#[derive(Clone, Debug)]
pub struct Error {
    reason: Reason,
}

impl Error {
    /// What the drill halts with.
    pub fn reason(&self) -> Reason {
        self.reason.clone()
    }
}

impl From<&postgres::Error> for Error {
    fn from(source: &postgres::Error) -> Error {
        let mut reason = source.reason();
        // The statement was ours, not the archive's: a refusal says nothing about the backup.
        if matches!(source.kind(), postgres::Kind::Statement | postgres::Kind::Cancelled) {
            reason = Reason::new(
                Code::DataNotCompared,
                format!("the restored database could not be read: {source}"),
                "run the drill again; if it stays, report it as a bug of firedrill",
            );
        }
        Error { reason }
    }
}

impl From<postgres::Error> for Error {
    fn from(source: postgres::Error) -> Error {
        Error::from(&source)
    }
}

impl From<restore::Error> for Error {
    fn from(source: restore::Error) -> Error {
        Error { reason: source.reason() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reason.fmt(f)
    }
}

impl std::error::Error for Error {}
