//! Why there is no stamp, or why it can't be used.

use std::fmt;

use crate::postgres;
use crate::verdict::{Code, Reason};

/// What went wrong, in one line that names the thing.
#[derive(Clone, Debug)]
pub struct Error {
    kind: Kind,
    what: String,
    remedy: Option<String>,
}

/// What a caller can decide by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The command that should dump can't be run in a snapshot.
    Command,
    /// The dump failed: there is nothing to stamp.
    Dump,
    /// The source could not be read.
    Source,
    /// The archive could not be read as it was written, or the stamp not be written.
    File,
    /// The key can't sign.
    Key,
    /// It was interrupted.
    Interrupted,
    /// The document is none, too long, or contradicts itself.
    Malformed,
    /// It is of a version that this firedrill does not read.
    Version,
    /// No key that the plan names has signed it.
    UnknownSigner,
    /// Nobody has signed it, and the plan demands a signature.
    Unsigned,
    /// It speaks of another archive.
    OtherArchive,
    /// The plan demands one, and there is none.
    Missing,
}

impl Error {
    /// An error of that kind.
    pub fn new(kind: Kind, what: impl Into<String>) -> Error {
        Error { kind, what: what.into(), remedy: None }
    }

    /// The same error with another remedy.
    pub fn with_remedy(mut self, remedy: impl Into<String>) -> Error {
        self.remedy = Some(remedy.into());
        self
    }

    /// What the server said while the source was read.
    pub fn of_source(tried: &str, error: &postgres::Error) -> Error {
        Error::new(Kind::Source, format!("{tried}: {error}")).with_remedy(error.reason().remedy)
    }

    /// What to do about it; empty where nothing is known to help.
    pub fn remedy(&self) -> String {
        self.reason().remedy
    }

    /// What a caller can decide by.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What a drill that meets it says.
    pub fn reason(&self) -> Reason {
        let (code, remedy) = match self.kind {
            Kind::Missing => (
                Code::StampMissing,
                "take the backup with `firedrill stamp`, and upload what it writes beside it",
            ),
            Kind::Unsigned => (Code::StampUnsigned, "give `firedrill stamp` a --key"),
            Kind::UnknownSigner => (
                Code::StampSignatureUnknown,
                "name the public key of the machine that takes the backups in stamp_key; if it is, the stamp \
                 is forged or was changed",
            ),
            Kind::OtherArchive => (
                Code::StampOfAnotherArchive,
                "see whether the backup or its stamp was replaced, and take a new backup",
            ),
            Kind::Version => (Code::UnsupportedVersion, "use a newer firedrill"),
            Kind::Malformed => {
                (Code::StampMalformed, "see what wrote or changed the stamp, and take a new backup")
            }
            Kind::Command | Kind::Dump | Kind::Source | Kind::File | Kind::Key | Kind::Interrupted => {
                (Code::Internal, "")
            }
        };
        Reason::new(code, self.what.clone(), self.remedy.as_deref().unwrap_or(remedy))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Error {}
