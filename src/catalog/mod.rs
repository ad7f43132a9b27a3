//! The catalogue: which backups there are, and which one is drilled.
//!
//! It is made of a complete listing and nothing else, and it is pure: `now` comes from
//! outside, so that the same listing gives the same catalogue for ever.

pub mod backup;
mod directory;
pub mod error;
pub mod name;
pub mod select;
pub mod series;
pub mod sidecar;

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

pub use backup::{Backup, ConsistencyPoint, PointSource, Sidecars};
pub use error::Error;
pub use select::{Selection, Warning};
pub use series::{Exposure, Gap};
pub use sidecar::{LISTING_BYTES_MAX, parse_digest_sidecar, parse_listing_sidecar};

use crate::catalog::backup::since;
use crate::catalog::directory::Directory;
use crate::catalog::name::Match;
use crate::plan;
use crate::store::{Listing, Object};

/// How many objects are listed of those rejected for the same reason; all are counted.
pub const REJECTED_MAX: usize = 100;

/// All backups under a location, and what else lies there.
#[derive(Clone, Debug)]
pub struct Catalog {
    /// Every complete backup, by consistency point; those of the same moment by last write,
    /// then by name. Where names carry no moment, all are ordered by last write.
    pub backups: Vec<Backup>,
    /// What was passed over: of each reason the first [`REJECTED_MAX`], by key.
    pub rejected: Vec<Rejected>,
    /// How many were passed over for each reason.
    pub rejected_counts: BTreeMap<RejectedFor, usize>,
    /// How many objects the listing held.
    pub objects_seen: usize,
    /// How many answers of the store the listing took.
    pub pages: u32,
    /// When the listing was complete, by our clock.
    pub listed_at: Timestamp,
    /// The store's clock minus ours, as far as it is known.
    pub clock_offset: Option<SignedDuration>,
    location: String,
    pattern: String,
    every: Option<Duration>,
    grace: Duration,
    written_within: Duration,
}

/// An object that is no backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// Its key below the location, as hostile as whoever may write there.
    pub key: String,
    /// Its whole name to show: unprintable characters escaped, cut at 2,048 characters.
    pub uri: String,
    /// When it was last written.
    pub modified_at: Timestamp,
    /// Why it is none.
    pub reason: RejectedFor,
}

/// Why an object is no backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RejectedFor {
    /// Its name is one of something still being written, or hidden; or it is a directory
    /// without its table of contents.
    NameNotFinal,
    /// It has no bytes.
    Empty,
    /// Its name can be read as several moments.
    AmbiguousTime,
    /// Its name holds characters that can't be shown.
    Unprintable,
    /// It speaks about a backup and is none.
    Sidecar,
    /// Its name is not of the pattern.
    NoMatch,
}

impl RejectedFor {
    /// The word in evidence.
    pub fn as_str(self) -> &'static str {
        match self {
            RejectedFor::NameNotFinal => "NAME_NOT_FINAL",
            RejectedFor::Empty => "EMPTY",
            RejectedFor::AmbiguousTime => "AMBIGUOUS_TIME",
            RejectedFor::Unprintable => "UNPRINTABLE",
            RejectedFor::Sidecar => "SIDECAR",
            RejectedFor::NoMatch => "NO_MATCH",
        }
    }

    fn adjective(self) -> &'static str {
        match self {
            RejectedFor::NameNotFinal => "unfinished",
            RejectedFor::Empty => "empty",
            RejectedFor::AmbiguousTime => "of an ambiguous time",
            RejectedFor::Unprintable => "of an unprintable name",
            RejectedFor::Sidecar => "beside backups",
            RejectedFor::NoMatch => "of other names",
        }
    }

    fn explain(self) -> &'static str {
        match self {
            RejectedFor::NameNotFinal => ": the object of this name is still being written",
            RejectedFor::Empty => ": the object of this name is empty",
            RejectedFor::AmbiguousTime => ": its name can be read as several moments",
            RejectedFor::Unprintable => ": its name can't be shown",
            RejectedFor::Sidecar => ": the object of this name speaks about a backup and is none",
            RejectedFor::NoMatch => ": the object of this name is not of the plan's pattern",
        }
    }
}

/// How regularly backups come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cadence {
    /// How often one is expected, where the plan says so.
    pub every: Option<Duration>,
    /// How much later it may be.
    pub grace: Duration,
    /// The moment of the newest complete backup that is not of the future.
    pub newest: Option<Timestamp>,
    /// How old it is at the least: reckoned from the latest moment that its name allows.
    pub age: Option<Duration>,
}

impl Cadence {
    /// Whether a backup is overdue, and no reading of the newest one's moment says otherwise.
    /// Without any backup of the past it is.
    pub fn is_stale(&self) -> bool {
        let Some(every) = self.every else { return false };
        self.age.is_none_or(|age| age > every.saturating_add(self.grace))
    }
}

impl Catalog {
    /// Sorts a complete listing by the plan's pattern.
    pub fn new(listing: Listing, backup: &plan::Backup) -> Catalog {
        let mut catalog = Catalog {
            backups: Vec::new(),
            rejected: Vec::new(),
            rejected_counts: BTreeMap::new(),
            objects_seen: listing.objects.len(),
            pages: listing.pages,
            listed_at: listing.listed_at,
            clock_offset: listing.clock_offset,
            location: backup.location.to_string(),
            pattern: backup.pattern.to_string(),
            every: backup.every,
            grace: backup.grace,
            written_within: backup.written_within,
        };
        let mut beside = HashMap::new();
        let (directories, objects) = directory::take(&backup.pattern, listing.objects);
        for directory in directories {
            match sort_directory(&backup.pattern, &directory) {
                Ok(point) => catalog.backups.push(found(directory.object, directory.files, point)),
                Err(reason) => catalog.reject(directory.object, reason),
            }
        }
        for object in objects {
            match sort(&backup.pattern, &object) {
                Ok(point) => catalog.backups.push(found(object, Vec::new(), point)),
                Err(RejectedFor::Sidecar) => drop(beside.insert(object.key.clone(), object)),
                Err(reason) => catalog.reject(object, reason),
            }
        }
        for backup in &mut catalog.backups {
            let name = backup.label.trim_end_matches('/');
            backup.sidecars.digest = beside.remove(&format!("{name}{}", name::DIGEST));
            backup.sidecars.stamp = beside.remove(&format!("{name}{}", name::STAMP));
        }
        let mut orphans: Vec<Object> = beside.into_values().collect();
        orphans.sort_by(|a, b| a.key.cmp(&b.key));
        for orphan in orphans {
            catalog.reject(orphan, RejectedFor::Sidecar);
        }
        catalog.backups.sort_by(|a, b| {
            (a.moment(), a.available_at, &a.label).cmp(&(b.moment(), b.available_at, &b.label))
        });
        catalog
    }

    fn reject(&mut self, object: Object, reason: RejectedFor) {
        let count = self.rejected_counts.entry(reason).or_default();
        *count += 1;
        if *count <= REJECTED_MAX {
            let uri = name::showable(&object.uri);
            self.rejected.push(Rejected { key: object.key, uri, modified_at: object.modified_at, reason });
        }
    }

    /// Whether the newest backup is as young as the plan expects.
    pub fn cadence(&self, now: Timestamp) -> Cadence {
        let newest = self.newest(now);
        Cadence {
            every: self.every,
            grace: self.grace,
            newest: newest.map(Backup::moment),
            age: newest.map(|backup| since(backup.latest(), now)),
        }
    }

    /// The worst data loss that a disaster could have meant, over all that is catalogued: the
    /// longest time from one backup's consistency point until the next became available, or
    /// until now for the last. `None` where any moment is unknown, or there is no backup.
    pub fn exposure(&self, now: Timestamp) -> Option<Duration> {
        let all: Vec<&Backup> = self.backups.iter().collect();
        Exposure::of(&all, now).map(|worst| worst.loss)
    }
}

/// The point in a backup's name, or why the object is no backup.
fn sort(pattern: &plan::Pattern, object: &Object) -> Result<Option<ConsistencyPoint>, RejectedFor> {
    let key = object.key.as_str();
    if key.is_empty() || key.ends_with('/') {
        return Err(RejectedFor::NoMatch);
    }
    check_name(pattern, key, key)?;
    if name::is_beside(key) {
        return Err(RejectedFor::Sidecar);
    }
    let point = point(pattern, key)?;
    if object.bytes == 0 {
        return Err(RejectedFor::Empty);
    }
    Ok(point)
}

/// The point in a directory's name, or why it is no backup.
fn sort_directory(
    pattern: &plan::Pattern,
    directory: &Directory,
) -> Result<Option<ConsistencyPoint>, RejectedFor> {
    let key = directory.object.key.as_str();
    check_name(pattern, key, key.trim_end_matches('/'))?;
    let point = point(pattern, key)?;
    match directory.toc() {
        None => Err(RejectedFor::NameNotFinal),
        Some(toc) if toc.bytes == 0 => Err(RejectedFor::Empty),
        Some(_) => Ok(point),
    }
}

/// A name that can be shown, and not one of something unfinished.
fn check_name(pattern: &plan::Pattern, key: &str, name: &str) -> Result<(), RejectedFor> {
    if !name::is_printable(key) {
        return Err(RejectedFor::Unprintable);
    }
    if name::is_unfinished(name) {
        let ours = name::begins_like(pattern, key);
        return Err(if ours { RejectedFor::NameNotFinal } else { RejectedFor::NoMatch });
    }
    Ok(())
}

fn point(pattern: &plan::Pattern, key: &str) -> Result<Option<ConsistencyPoint>, RejectedFor> {
    let moments = match name::matches(pattern, key) {
        Match::No => return Err(RejectedFor::NoMatch),
        Match::Ambiguous => return Err(RejectedFor::AmbiguousTime),
        Match::Yes(moments) => moments,
    };
    Ok(moments.map(|(first, last)| ConsistencyPoint::between(first, last, PointSource::Pattern)))
}

fn found(object: Object, files: Vec<Object>, point: Option<ConsistencyPoint>) -> Backup {
    Backup {
        label: object.key.clone(),
        files,
        available_at: object.modified_at,
        sidecars: Sidecars::default(),
        point,
        object,
    }
}
