//! What the plan says of evidence: who signs it, where it lies, and where copies of it go.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::store::{self, Location};

/// The `[evidence]` table of the plan.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evidence {
    /// Who signs.
    pub signing: Signing,
    /// The public keys that records which are read here may be signed with, where the plan names
    /// them; by default the one beside the private key.
    pub public: Vec<PathBuf>,
    /// Where the logs of the services lie; `evidence` in the state directory by default.
    pub directory: Option<PathBuf>,
    /// Where a copy of every file goes, if anywhere.
    pub remote: Option<Remote>,
}

impl Evidence {
    /// Where `firedrill keygen` puts the public key beside the private one that signs; none for
    /// a key that is no file.
    pub fn public_beside(&self) -> Option<PathBuf> {
        match &self.signing {
            Signing::By(KeySource::File(path)) => Some(path.with_extension("pub")),
            _ => None,
        }
    }
}

/// Who signs the evidence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Signing {
    /// Nobody, since the plan has no `[evidence]` table: it was not thought of yet.
    #[default]
    Unsaid,
    /// Nobody, since the plan says `sign = false`.
    Declined,
    /// The key that is found there; without it there is no run.
    By(KeySource),
}

/// Where the private key is found. The plan names it, and never holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// In a file that only its owner may read.
    File(PathBuf),
    /// In an environment variable.
    Variable(String),
    /// In the systemd credential of this name.
    Credential(String),
}

impl fmt::Display for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeySource::File(path) => write!(f, "the file '{}'", path.display()),
            KeySource::Variable(name) => write!(f, "the variable '{name}'"),
            KeySource::Credential(name) => write!(f, "the systemd credential '{name}'"),
        }
    }
}

/// Where copies of the evidence go: below a prefix of S3 or Azure, never a directory.
#[derive(Clone, Debug, PartialEq)]
pub struct Remote {
    /// The prefix; a service's files lie in a folder of its name below it.
    pub location: Location,
    /// The `[store.NAME]` table it is reached by, where the plan names one.
    pub store_name: Option<String>,
    /// The options of that table, else the defaults.
    pub store: store::Options,
    /// For how long nobody may change or delete a copy, from the day it is written.
    pub retain: Option<Duration>,
}
