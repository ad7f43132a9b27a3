//! Whose signatures are believed where nobody named a key on the command line.

use std::path::{Path, PathBuf};

use crate::cli::refusal::Refusal;
use crate::evidence::{PublicKey, with_causes};
use crate::exit_code::ExitCode;
use crate::plan::Plan;

/// The keys in these files, else those that the plan knows: the public keys that it names, or
/// the one that lies beside its private one. None where nothing tells of any.
///
/// # Errors
/// A file that is named, or lies there, holds no public key.
pub fn known_keys(files: &[PathBuf], plan: Option<&Plan>) -> Result<Vec<PublicKey>, Refusal> {
    if !files.is_empty() {
        return read(files);
    }
    let Some(evidence) = plan.map(|plan| &plan.evidence) else { return Ok(Vec::new()) };
    if !evidence.public.is_empty() {
        return read(&evidence.public);
    }
    let beside: Vec<PathBuf> = evidence.public_beside().into_iter().filter(|file| file.exists()).collect();
    read(&beside)
}

fn read(files: &[PathBuf]) -> Result<Vec<PublicKey>, Refusal> {
    files.iter().map(|file| one(file)).collect()
}

fn one(file: &Path) -> Result<PublicKey, Refusal> {
    PublicKey::read(file)
        .map_err(|error| Refusal::new(ExitCode::Usage, with_causes(&error), error.reason().remedy))
}
