//! The plan: the file as written, and what it means.
//!
//! Reading goes in one pass and reports every fault of the file at once, each with its
//! line, its key and a remedy. What comes out has its defaults filled in.

pub mod check;
pub mod decrypt;
pub mod drift;
pub mod duration;
pub mod evidence;
pub mod expectation;
pub mod fault;
pub mod file;
pub mod number;
pub mod pattern;
pub mod proof;
mod read;
pub mod read_back;
pub mod secret;
pub mod service;
pub mod show;
pub mod size;
pub mod table_name;

use std::collections::BTreeMap;
use std::path::PathBuf;

pub use check::{Check, Question};
pub use decrypt::Decrypt;
pub use drift::{Drift, Weight};
pub use evidence::{Evidence, KeySource, Remote, Signing};
pub use expectation::Expectation;
pub use fault::{Complaint, Fault};
pub use file::{find, load};
pub use pattern::Pattern;
pub use proof::{Amcheck, Proof, StampDemand};
pub use read_back::ReadBack;
pub use service::{
    Backup, CopyForm, Engine, Minimum, Restore, Scratch, ScratchServer, Select, Service, Settings,
    TABLES_AT_ONCE_MAX, TablesAtOnce,
};
pub use show::to_toml;
pub use table_name::TableName;

use crate::digest::Digest;
use crate::store;

/// A plan as meant: valid, with every default filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The file it was read from.
    pub path: PathBuf,
    /// The digest of that file's bytes.
    pub digest: Digest,
    /// The `[store.NAME]` tables, used or not.
    pub stores: BTreeMap<String, store::Options>,
    /// Who signs the evidence, and where it goes.
    pub evidence: Evidence,
    /// At least one service, in the order of the file.
    pub services: Vec<Service>,
}

impl Plan {
    /// The service of a name.
    pub fn service(&self, name: &str) -> Option<&Service> {
        self.services.iter().find(|service| service.name == name)
    }
}
