//! Why a run can't begin, or can't go on.

use std::fmt;
use std::io;
use std::path::Path;

use crate::verdict::{Code, Reason};

/// What a caller can decide by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Another run holds the lock: exit code 75.
    Locked,
    /// The state directory is not safe to use: its owner or mode.
    Unsafe,
    /// The state can't be read or written: no evidence would be possible.
    State,
}

/// One failure of the journal.
#[derive(Clone, Debug)]
pub struct Error {
    kind: Kind,
    what: String,
    remedy: &'static str,
}

impl Error {
    pub(in crate::journal) fn locked(state: &Path) -> Error {
        let what = format!("another run holds the lock of the state directory '{}'", state.display());
        Error {
            kind: Kind::Locked,
            what,
            remedy: "wait for it to end, or give this run another --state directory",
        }
    }

    pub(in crate::journal) fn state(tried: &str, path: &Path, error: &io::Error) -> Error {
        let what = format!("{tried} '{}': {error}", path.display());
        Error { kind: Kind::State, what, remedy: "make the state directory writable, with room on its disk" }
    }

    pub(in crate::journal) fn not_safe(what: String, remedy: &'static str) -> Error {
        Error { kind: Kind::Unsafe, what, remedy }
    }

    /// What a caller can decide by.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What to do next, in one line.
    pub fn remedy(&self) -> &str {
        self.remedy
    }

    /// As a drill that halts with it says it.
    pub fn reason(&self) -> Reason {
        Reason::new(Code::Internal, self.what.clone(), self.remedy)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Error {}
