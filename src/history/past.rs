//! The drills of a service, from its evidence, and mostly through the cache.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::evidence::{self, Entry, Refused, Signatures};
use crate::history::cache::{self, Cache};
use crate::history::drill::Drill;

/// How long another process may hold the cache.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// The drills of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Past {
    /// The service.
    pub service: String,
    /// Its drills, in the order of the log.
    pub drills: Vec<Drill>,
    /// Files of the log that are no evidence of a drill.
    pub unreadable: Vec<Unreadable>,
    /// Whether the drills were signed by whom they should.
    pub signed: Signed,
}

/// What is known of the signatures of a log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Signed {
    /// Nothing: no key is known, and nobody looked.
    #[default]
    Unchecked,
    /// Every drill that is left was signed by a known key, but for those from before signing
    /// began.
    Checked {
        /// How many those are.
        unsigned: u64,
    },
}

/// A file that should be evidence and can't be read as such.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Where it lies.
    pub path: PathBuf,
    /// The place that its name claims.
    pub sequence: u64,
    /// Why, in one line.
    pub why: String,
}

/// What could be remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recalled {
    /// Each service that was asked for, in that order.
    pub pasts: Vec<Past>,
    /// Why the cache could not be used, if it could not: then all was read from the evidence.
    pub unavailable: Option<String>,
}

/// The drills of `services` from their logs below `evidence`, by way of the cache at `cache`.
///
/// The cache is made anew where it is missing, damaged or of another version, and brought up
/// to what lies in the logs. Where another process holds it for longer than `patience`, or it
/// can't be written, it is left alone and the evidence is read.
///
/// # Errors
/// A log is there and can't be listed.
pub fn recall(
    cache: &Path,
    evidence: &Path,
    services: &[String],
    patience: Duration,
) -> Result<Recalled, evidence::Error> {
    let first = through(cache, evidence, services, patience);
    let tried = match first {
        Err(cache::Error::Damaged(_)) => {
            cache::remove(cache);
            through(cache, evidence, services, patience)
        }
        other => other,
    };
    match tried {
        Ok(pasts) => Ok(Recalled { pasts, unavailable: None }),
        Err(cache::Error::Evidence(error)) => Err(error),
        Err(cache::Error::Damaged(why) | cache::Error::Unavailable(why)) => {
            let pasts: Result<_, _> =
                services.iter().map(|service| recall_directly(evidence, service)).collect();
            Ok(Recalled { pasts: pasts?, unavailable: Some(why) })
        }
    }
}

fn through(
    cache: &Path,
    evidence: &Path,
    services: &[String],
    patience: Duration,
) -> Result<Vec<Past>, cache::Error> {
    let mut cache = Cache::open(cache, patience)?;
    services.iter().map(|service| cache.past(evidence, service)).collect()
}

/// The drills of `service` from its log below `evidence`, every file read.
///
/// # Errors
/// The log is there and can't be listed.
pub fn recall_directly(evidence: &Path, service: &str) -> Result<Past, evidence::Error> {
    let mut past = Past::empty(service);
    for entry in evidence::files(evidence, service)? {
        past.take(&entry, read(&entry, service));
    }
    Ok(past)
}

/// The drill in a file.
pub(in crate::history) fn read(entry: &Entry, service: &str) -> Result<Drill, String> {
    entry.record(service).map(|record| Drill::of(&record)).map_err(|error| error.to_string())
}

impl Past {
    pub(in crate::history) fn empty(service: &str) -> Past {
        Past {
            service: service.to_owned(),
            drills: Vec::new(),
            unreadable: Vec::new(),
            signed: Signed::Unchecked,
        }
    }

    /// Believes only what `signatures` bear out: what they refuse is no evidence of a drill.
    pub fn believe(&mut self, signatures: Signatures) {
        for Refused { sequence, run_id, path, why } in signatures.refused {
            self.drills.retain(|drill| (drill.sequence, drill.run_id) != (sequence, run_id));
            if !self.unreadable.iter().any(|other| other.path == path) {
                let why = format!("believe the evidence '{}': {why}", path.display());
                self.unreadable.push(Unreadable { path, sequence, why });
            }
        }
        self.unreadable.sort_by_key(|file| file.sequence);
        self.signed = Signed::Checked { unsigned: signatures.unsigned };
    }

    /// Takes what the next file of the log gave.
    pub(in crate::history) fn take(&mut self, entry: &Entry, read: Result<Drill, String>) {
        match read {
            Ok(drill) => self.drills.push(drill),
            Err(why) => {
                self.unreadable.push(Unreadable { path: entry.path.clone(), sequence: entry.sequence, why });
            }
        }
    }
}
