//! Who keeps the evidence of a run: where, and signed with which key.

use std::fs;
use std::path::{Path, PathBuf};

use crate::evidence::error::Error;
use crate::evidence::key::SigningKey;
use crate::evidence::log::{Log, Written};
use crate::plan::{self, Signing};
use crate::record::Record;

/// Keeps the evidence of a run. There is none without the key that the plan names.
#[derive(Clone, Debug)]
pub struct Keeper {
    root: PathBuf,
    key: Option<SigningKey>,
}

impl Keeper {
    /// A keeper as `plan` wants it, with `default` for the directory that it does not name.
    /// Takes the key, once, and makes the directory.
    ///
    /// # Errors
    /// There is no usable key where the plan says, or the directory can't be made.
    pub fn open(plan: &plan::Evidence, default: &Path) -> Result<Keeper, Error> {
        let key = match &plan.signing {
            Signing::Unsaid | Signing::Declined => None,
            Signing::By(source) => Some(SigningKey::from_source(source)?),
        };
        let root = plan.directory.as_deref().unwrap_or(default).to_owned();
        fs::create_dir_all(&root).map_err(|cause| Error::io("make the evidence directory", &root, cause))?;
        Ok(Keeper { root, key })
    }

    /// Judges the record, and appends it to the log of its service.
    ///
    /// # Errors
    /// As [`Log::append`]; the record is then judged, and lies nowhere.
    pub fn keep(&self, record: &mut Record) -> Result<Written, Error> {
        Log::open(&self.root, &record.service.id)?.append(record, self.key.as_ref())
    }
}
