//! The backups as a series: where one is missing, and how much a disaster could have cost.

use std::time::Duration;

use jiff::Timestamp;

use crate::catalog::backup::{CLOCK_SKEW, since};
use crate::catalog::{Backup, Catalog};

/// Two neighbours that are further apart than the cadence and its grace allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap<'a> {
    /// The backup before it.
    pub after: &'a Backup,
    /// The one behind it; none where none has come yet.
    pub before: Option<&'a Backup>,
    /// From the moment of the one to that of the other, or until now.
    pub length: Duration,
}

/// The worst data loss that a disaster could have meant, over some backups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exposure<'a> {
    /// What would have been lost.
    pub loss: Duration,
    /// The backup that one would have gone back to.
    pub from: &'a Backup,
    /// The one that was not there yet; none where the worst is now.
    pub until: Option<&'a Backup>,
}

impl<'a> Exposure<'a> {
    /// The longest time from the consistency point of one of `backups`, which are in order,
    /// until the next of them became available, or until now for the last. `None` where any
    /// moment is unknown, or there is no backup.
    pub fn of(backups: &[&'a Backup], now: Timestamp) -> Option<Exposure<'a>> {
        Exposure::within(backups, now, None)
    }

    /// The same over the losses that could have happened since a moment.
    pub fn within(backups: &[&'a Backup], now: Timestamp, begin: Option<Timestamp>) -> Option<Exposure<'a>> {
        let nexts = backups.iter().skip(1).map(|next| Some(*next)).chain([None]);
        let mut worst: Option<Exposure<'a>> = None;
        for (from, until) in backups.iter().zip(nexts) {
            let end = until.map_or(now, |next| next.available_at);
            if begin.is_some_and(|begin| end < begin) {
                continue;
            }
            let loss = since(from.point.as_ref()?.at, end);
            if worst.is_none_or(|worst| loss > worst.loss) {
                worst = Some(Exposure { loss, from, until });
            }
        }
        worst
    }
}

impl Catalog {
    /// The newest backup that is not of the future.
    pub fn newest(&self, now: Timestamp) -> Option<&Backup> {
        self.backups.iter().rev().find(|backup| since(now, backup.moment()) <= CLOCK_SKEW)
    }

    /// The newest backup that is not of the future and needs no thawing.
    pub fn newest_restorable(&self, now: Timestamp) -> Option<&Backup> {
        let restorable =
            |backup: &&Backup| since(now, backup.moment()) <= CLOCK_SKEW && !backup.object.archived;
        self.backups.iter().rev().find(restorable)
    }

    /// Where a backup is missing by the plan's cadence, oldest first: the moments of two
    /// neighbours are further apart than `every` and `grace`, however they are read. The
    /// stretch from the newest until now is one too. None where the plan gives no cadence.
    pub fn gaps(&self, now: Timestamp) -> Vec<Gap<'_>> {
        let Some(limit) = self.every.map(|every| every.saturating_add(self.grace)) else { return Vec::new() };
        let past: Vec<&Backup> =
            self.backups.iter().filter(|backup| since(now, backup.moment()) <= CLOCK_SKEW).collect();
        let nexts = past.iter().skip(1).map(|next| Some(*next)).chain([None]);
        let pairs = past.iter().copied().zip(nexts);
        pairs
            .map(|(after, before)| (after, before, before.map_or(now, Backup::moment)))
            .filter(|(after, _, end)| since(after.latest(), *end) > limit)
            .map(|(after, before, end)| Gap { after, before, length: since(after.moment(), end) })
            .collect()
    }
}
