//! The check of a log's end alone, for who asks every minute.

use std::path::{Path, PathBuf};

use crate::digest::Digest;
use crate::evidence::checked::{Checked, Walk, verify_file};
use crate::evidence::error::Error;
use crate::evidence::fault::{Fault, FaultKind};
use crate::evidence::key::PublicKey;
use crate::evidence::log::{Entry, Head, entries, read_file};
use crate::evidence::verify::Options;
use crate::record::Sha256;
use crate::verdict::Verdict;

/// How many files are looked at, one step after the other, until one of them is of a pass.
const STEPS: [usize; 3] = [1, 8, 64];

/// What was found at the end of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Newest {
    /// The folder of the log.
    pub directory: PathBuf,
    /// The last files, in order; none where the log is empty.
    pub records: Vec<Checked>,
    /// What the names of all files show to be wrong.
    pub faults: Vec<Fault>,
}

/// Checks the end of the log in `directory`: its last file as [`crate::evidence::verify`] does,
/// that it follows the one before it as that stands, and that the names of all files leave no
/// place out. Where the last is no pass, up to 64 files are looked at, back to one that is.
///
/// # Errors
/// The folder can't be read.
pub fn verify_newest(directory: &Path, keys: &[PublicKey], options: &Options) -> Result<Newest, Error> {
    let all = entries(directory)?;
    let faults = of_the_names(&all);
    let mut records = Vec::new();
    for step in STEPS {
        let first = all.len().saturating_sub(step);
        records = verify_end(&all, first, keys, options);
        if first == 0 || records.iter().any(|record| record.verdict == Some(Verdict::Pass)) {
            break;
        }
    }
    Ok(Newest { directory: directory.to_owned(), records, faults })
}

/// Checks the files from the place `first` in the list on.
fn verify_end(all: &[Entry], first: usize, keys: &[PublicKey], options: &Options) -> Vec<Checked> {
    let before = first.checked_sub(1).and_then(|before| all.get(before));
    let head = before.map(|entry| Head {
        sequence: entry.sequence,
        // A file that can't be read is followed by none.
        sha256: Sha256(read_file(&entry.path).map_or_else(|_| Digest::of(b""), |bytes| Digest::of(&bytes))),
    });
    let mut walk = Walk::default();
    walk.head = head;
    let end = all.iter().skip(first).cloned();
    end.map(|entry| verify_file(entry, &mut walk, keys, options)).collect()
}

/// Places that no file has, or several; those at the end are told with the files themselves.
fn of_the_names(all: &[Entry]) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut expected = 1;
    for entry in all.iter().take(all.len().saturating_sub(1)) {
        if entry.sequence > expected {
            let detail = format!("places {expected} to {} have no file", entry.sequence.saturating_sub(1));
            faults.push(Fault { kind: FaultKind::PlaceMissing, detail });
        } else if entry.sequence < expected {
            let detail = format!("two files claim place {}", entry.sequence);
            faults.push(Fault { kind: FaultKind::Twice, detail });
        }
        expected = entry.sequence.saturating_add(1);
    }
    faults
}
