//! What can go wrong with evidence.

use std::io;
use std::path::{Path, PathBuf};

use crate::verdict::{Code, Reason};

/// What went wrong, and where.
#[derive(Debug, thiserror::Error)]
#[error("{tried}{}", self.place())]
pub struct Error {
    kind: Kind,
    tried: String,
    path: Option<PathBuf>,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
    remedy: Option<String>,
}

/// What kind of thing went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file or directory could not be read or written.
    Io,
    /// The name of a service is no safe name of a directory.
    UnsafeName,
    /// A document is too large, too deep, or not of its one form.
    Malformed,
    /// A document is of a version or a kind that this firedrill does not read.
    UnknownVersion,
    /// Two files claim the same place in a log, or the file exists.
    Conflict,
    /// Evidence could not be sent now to where the plan wants a copy of it.
    Unreachable,
    /// A key could not be read, or is readable by others.
    Key,
}

impl Error {
    pub(in crate::evidence) fn new(kind: Kind, tried: impl Into<String>) -> Error {
        Error { kind, tried: tried.into(), path: None, source: None, remedy: None }
    }

    pub(in crate::evidence) fn io(tried: &str, path: &Path, source: io::Error) -> Error {
        Error::new(Kind::Io, tried).at(path).because(source)
    }

    pub(in crate::evidence) fn at(mut self, path: &Path) -> Error {
        self.path.get_or_insert_with(|| path.to_owned());
        self
    }

    pub(in crate::evidence) fn because(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Error {
        self.source = Some(source.into());
        self
    }

    pub(in crate::evidence) fn with_remedy(mut self, remedy: impl Into<String>) -> Error {
        self.remedy = Some(remedy.into());
        self
    }

    fn place(&self) -> String {
        self.path.as_ref().map(|path| format!(" '{}'", path.display())).unwrap_or_default()
    }

    /// What kind of thing went wrong.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The file or directory concerned, if there is one.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// The error as a reason, with what to do about it.
    pub fn reason(&self) -> Reason {
        let remedy = match self.kind {
            Kind::Io => "see the space and the permissions of the evidence directory",
            Kind::UnsafeName => "rename the service: letters, digits, '-', '_' and '.' only",
            Kind::Malformed => {
                "take the file from another copy of the evidence; it was changed after it was written"
            }
            Kind::UnknownVersion => "use a newer firedrill",
            Kind::Conflict => {
                "let only one firedrill write to an evidence directory, and verify what is there"
            }
            Kind::Unreachable => "the next run sends it; see whether the store is up and reachable from here",
            Kind::Key => "make a key with `firedrill keygen`, readable by its owner only",
        };
        let remedy = self.remedy.as_deref().unwrap_or(remedy);
        Reason::new(Code::Internal, self.to_string(), remedy)
    }
}
