//! Which backup is drilled, and what is known against its time.

use std::time::Duration;

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use crate::catalog::backup::{CLOCK_SKEW, since};
use crate::catalog::{Backup, Cadence, Catalog, Error, RejectedFor};
use crate::plan::{Select, duration};
use crate::verdict::{Code, Reason};

/// How many earlier backups a size is compared with.
const SIZES: usize = 7;

/// The chosen backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// The backup to drill.
    pub backup: Backup,
    /// Why the drill can't pass, whatever the restore shows; it is drilled all the same.
    pub reasons: Vec<Reason>,
    /// What does not change the verdict, but should be known.
    pub warnings: Vec<Warning>,
}

/// A remark beside the verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The published code.
    pub code: &'static str,
    /// One line that names the thing.
    pub text: String,
}

impl Catalog {
    /// Chooses a backup. The same catalogue, seed and moment give the same choice.
    ///
    /// # Errors
    /// There is none to choose, or it lies in an archive storage class.
    pub fn select(&self, select: &Select, seed: u64, now: Timestamp) -> Result<Selection, Error> {
        let place = match select {
            Select::Label(label) => self.labelled(label)?,
            Select::Latest => self.backups.len().checked_sub(1).ok_or_else(|| self.nothing())?,
            Select::Oldest => self.backups.first().map(|_| 0).ok_or_else(|| self.nothing())?,
            Select::RandomWithin(within) => self.drawn(*within, seed, now)?,
        };
        let backup = self.backups.get(place).ok_or_else(|| self.nothing())?;
        if backup.object.archived {
            return Err(Error::Archived { uri: backup.object.uri.clone() });
        }
        Ok(Selection {
            backup: backup.clone(),
            reasons: self.reasons_against(backup, now),
            warnings: self.warnings_about(place, backup, select),
        })
    }

    fn labelled(&self, label: &str) -> Result<usize, Error> {
        self.backups.iter().position(|backup| backup.label == label).ok_or_else(|| Error::NoSuchLabel {
            label: label.into(),
            rejected: self.rejected.iter().find(|one| one.key == label).map(|one| one.reason),
        })
    }

    fn drawn(&self, within: Duration, seed: u64, now: Timestamp) -> Result<usize, Error> {
        let newest = self.backups.last().ok_or_else(|| self.nothing())?;
        let young = |backup: &Backup| {
            since(backup.moment(), now) <= within && since(now, backup.moment()) <= CLOCK_SKEW
        };
        let places: Vec<usize> = self
            .backups
            .iter()
            .enumerate()
            .filter(|(_, backup)| young(backup))
            .map(|(place, _)| place)
            .collect();
        let digest: [u8; 32] = Sha256::digest(seed.to_le_bytes()).into();
        let draw = digest.iter().take(8).fold(0_u64, |draw, byte| (draw << 8) | u64::from(*byte));
        let index = draw.checked_rem(places.len() as u64).and_then(|index| usize::try_from(index).ok());
        index.and_then(|index| places.get(index)).copied().ok_or(Error::NothingWithin {
            backups: self.backups.len(),
            within,
            newest: newest.moment(),
        })
    }

    fn nothing(&self) -> Error {
        if self.objects_seen == 0 {
            return Error::NothingThere { location: self.location.clone() };
        }
        let counts: Vec<String> = self
            .rejected_counts
            .iter()
            .filter(|(reason, _)| **reason != RejectedFor::NoMatch)
            .map(|(reason, count)| format!("{count} {}", reason.adjective()))
            .collect();
        Error::NothingMatches {
            objects: self.objects_seen,
            location: self.location.clone(),
            pattern: self.pattern.clone(),
            rejected: if counts.is_empty() { String::new() } else { format!(" ({})", counts.join(", ")) },
        }
    }

    fn reasons_against(&self, backup: &Backup, now: Timestamp) -> Vec<Reason> {
        let mut reasons = Vec::new();
        if let Some(offset) = self.clock_offset.filter(|offset| offset.unsigned_abs() > CLOCK_SKEW) {
            reasons.push(Reason::new(
                Code::ClockUntrusted,
                format!("the store's clock and ours differ by {}", duration::text(offset.unsigned_abs())),
                "synchronise this machine's clock; ages can't be measured against a wrong one",
            ));
        }
        if let Some(point) = &backup.point {
            reasons.extend(point.doubts(&backup.object, self.written_within, now));
        }
        reasons.extend(overdue(&self.cadence(now)));
        reasons
    }

    fn warnings_about(&self, place: usize, backup: &Backup, select: &Select) -> Vec<Warning> {
        let mut warnings = Vec::new();
        let mut warn = |code, text| warnings.push(Warning { code, text });
        let tied = self.backups.iter().filter(|other| other.moment() == backup.moment()).count();
        if tied > 1 {
            warn(
                "TIME_SOURCES_DISAGREE",
                format!("{tied} backups claim {}; {} was taken", backup.moment(), backup.label),
            );
        }
        if backup.point.is_none() && !matches!(select, Select::Label(_)) && self.backups.len() > 1 {
            let text =
                format!("no name tells a moment; {} was chosen by when it was last written", backup.label);
            warn("ORDERED_BY_LAST_WRITE", text);
        }
        if let Some(newer) = self.unfinished_after(backup).filter(|_| *select == Select::Latest) {
            warn("NEWER_BACKUP_UNFINISHED", format!("{newer} is newer, and was passed over as unfinished"));
        }
        if let Some(median) =
            self.median_bytes_before(place).filter(|median| backup.object.bytes < median / 2)
        {
            let text = format!(
                "{} has {} bytes; the median of those before is {median}",
                backup.label, backup.object.bytes
            );
            warn("SIZE_DROPPED", text);
        }
        warnings
    }

    fn unfinished_after(&self, backup: &Backup) -> Option<&str> {
        self.rejected
            .iter()
            .filter(|one| matches!(one.reason, RejectedFor::NameNotFinal | RejectedFor::Empty))
            .find(|one| one.modified_at > backup.available_at)
            .map(|one| one.uri.as_str())
    }

    /// The median size of the up to seven backups before one; `None` for fewer than three.
    fn median_bytes_before(&self, place: usize) -> Option<u64> {
        let before = self.backups.get(place.saturating_sub(SIZES)..place)?;
        let mut sizes: Vec<u64> = before.iter().map(|backup| backup.object.bytes).collect();
        sizes.sort_unstable();
        if sizes.len() < 3 { None } else { sizes.get(sizes.len() / 2).copied() }
    }
}

/// Why the series of backups is stale, if it is.
fn overdue(cadence: &Cadence) -> Option<Reason> {
    let every = duration::text(cadence.every.filter(|_| cadence.is_stale())?);
    let newest = match (cadence.newest, cadence.age) {
        (Some(newest), Some(age)) => {
            format!("the newest complete backup is of {newest}, {} ago", duration::text(age))
        }
        _ => "no backup is of the past".into(),
    };
    let grace = duration::text(cadence.grace);
    let detail = format!("{newest}; one is expected every {every}, with {grace} of grace");
    Some(Reason::new(Code::BackupStale, detail, "find out why backups stopped, or stopped being finished"))
}
