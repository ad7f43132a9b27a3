//! The backups of a service beside what drills have proven of them.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;

use crate::catalog::{Backup, Catalog, Exposure, Gap};
use crate::history::drill::Drill;
use crate::history::proof::{Beside, Proofs, Word};
use crate::plan;

/// What the plan demands of the backups of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How often one is expected.
    pub every: Option<Duration>,
    /// How much later than that it may come.
    pub grace: Duration,
    /// The recovery point objective.
    pub rpo: Option<Duration>,
}

impl Limits {
    /// The limits that stand in the plan.
    pub fn of(service: &plan::Service) -> Limits {
        Limits { every: service.backup.every, grace: service.backup.grace, rpo: service.rpo }
    }
}

/// A backup, and the last word on it.
#[derive(Clone, Copy, Debug)]
pub struct Item<'a> {
    /// The backup.
    pub backup: &'a Backup,
    /// What drills say of it.
    pub word: Word<'a>,
}

/// Every backup of a service, and what they amount to at one moment.
#[derive(Clone, Debug)]
pub struct Inventory<'a> {
    /// What the plan demands.
    pub limits: Limits,
    /// The moment that ages count to.
    pub now: Timestamp,
    /// How far back gaps and losses are looked for; over all backups without it.
    pub window: Option<Duration>,
    /// Every backup, oldest first.
    pub items: Vec<Item<'a>>,
    /// The newest that is not of the future.
    pub newest: Option<Item<'a>>,
    /// The newest of those that was proven.
    pub newest_proven: Option<Item<'a>>,
    /// Whether one is overdue by the cadence; always without any.
    pub stale: bool,
    /// Where one is missing by the cadence.
    pub gaps: Vec<Gap<'a>>,
    /// The worst loss over all; absent where a moment is unknown, or there is no backup.
    pub exposure: Option<Exposure<'a>>,
    /// The worst loss if only the proven ones could be restored. Absent where a moment is
    /// unknown, or none is proven: then everything is lost.
    pub proven_exposure: Option<Exposure<'a>>,
}

impl<'a> Inventory<'a> {
    /// The inventory at `now`, of which losses and gaps within `window` count: the catalogue of the service, its drills in the order of their
    /// log, and what lies beside proven backups now, by their labels.
    pub fn new(
        catalog: &'a Catalog,
        drills: &'a [Drill],
        beside: &HashMap<String, Beside>,
        limits: Limits,
        now: Timestamp,
        window: Option<Duration>,
    ) -> Inventory<'a> {
        let begin = window.and_then(|window| now.checked_sub(window).ok());
        let ended = |gap: &Gap<'_>| gap.before.map_or(now, Backup::moment);
        let proofs = Proofs::of(drills);
        let word = |backup: &Backup| proofs.on(&backup.object).with(beside.get(&backup.label).copied());
        let items: Vec<Item<'a>> =
            catalog.backups.iter().map(|backup| Item { backup, word: word(backup) }).collect();
        let newest = catalog.newest(now);
        let until_newest = newest.and_then(|newest| items.iter().position(|item| item.backup == newest));
        let past = until_newest.and_then(|last| items.get(..=last)).unwrap_or_default();
        let newest_proven = past.iter().rev().find(|item| item.is_proven()).copied();
        let all: Vec<&Backup> = items.iter().map(|item| item.backup).collect();
        let proven: Vec<&Backup> =
            items.iter().filter(|item| item.is_proven()).map(|item| item.backup).collect();
        Inventory {
            limits,
            now,
            window,
            newest: past.last().copied(),
            newest_proven,
            stale: catalog.backups.is_empty() || catalog.cadence(now).is_stale(),
            gaps: catalog
                .gaps(now)
                .into_iter()
                .filter(|gap| begin.is_none_or(|begin| ended(gap) >= begin))
                .collect(),
            exposure: Exposure::within(&all, now, begin),
            proven_exposure: Exposure::within(&proven, now, begin),
            items,
        }
    }

    /// How many backups are proven.
    pub fn proven(&self) -> usize {
        self.items.iter().filter(|item| item.is_proven()).count()
    }

    /// How old the data of the newest backup is, at the most.
    pub fn data_age(&self) -> Option<Duration> {
        self.newest?.data_age(self.now)
    }

    /// Whether the backups themselves fall short of the plan: there is none, one is overdue by
    /// the cadence, or the newest is older than the objective.
    pub fn falls_short(&self) -> bool {
        let too_old = self.data_age().zip(self.limits.rpo).is_some_and(|(age, rpo)| age > rpo);
        self.newest.is_none() || self.stale || too_old
    }
}

impl Item<'_> {
    /// Whether a drill of this very backup passed.
    pub fn is_proven(&self) -> bool {
        matches!(self.word, Word::Proven(_))
    }

    /// How old its data is, at the most; unknown where no name tells a moment.
    pub fn data_age(&self, now: Timestamp) -> Option<Duration> {
        self.backup.point.map(|point| point.age(now))
    }
}
