//! The backups of a service as far as somebody knows them: all of them where the store was
//! listed, else those that drills have seen.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::history::{Content, Inventory, Item, Word};
use crate::record::{Millis, Moment, Record};
use crate::report::stored::{Point, Series};

/// The backups of a service, and what they amount to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stock {
    /// Each backup whose moment is known, oldest first.
    pub backups: Vec<Kept>,
    /// The moment that ages count to: when the store was listed, else when the newest drill
    /// began.
    pub until: Moment,
    /// Whether these are all that there are.
    pub is_listed: bool,
    /// Stretches without a backup, by the cadence.
    pub gaps: Vec<(Moment, Moment)>,
    /// How old the newest was then.
    pub newest_age: Option<Millis>,
    /// The worst loss over all.
    pub exposure: Option<Millis>,
    /// The worst loss if only the proven ones could be restored.
    pub proven_exposure: Option<Millis>,
    /// Over how long the two are taken, where not over all.
    pub window: Option<Duration>,
    /// The recovery point objective.
    pub rpo: Option<Millis>,
}

/// A backup in the stock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Its name.
    pub name: String,
    /// The moment that its data speaks for.
    pub at: Moment,
    /// When it could be restored from.
    pub available_at: Moment,
    /// Its size, where it is known.
    pub bytes: Option<u64>,
    /// What drills say of it.
    pub word: Content,
}

impl Stock {
    /// The stock of a store that was listed.
    pub fn listed(inventory: &Inventory<'_>) -> Stock {
        let length = Millis::from;
        Stock {
            backups: inventory.items.iter().filter_map(item).collect(),
            until: inventory.now.into(),
            is_listed: true,
            gaps: inventory
                .gaps
                .iter()
                .map(|gap| (gap.after.moment(), gap.before.map_or(inventory.now, |before| before.moment())))
                .map(|(from, to)| (from.into(), to.into()))
                .collect(),
            newest_age: inventory.data_age().map(length),
            exposure: inventory.exposure.map(|exposure| length(exposure.loss)),
            proven_exposure: inventory.proven_exposure.map(|exposure| length(exposure.loss)),
            window: inventory.window,
            rpo: inventory.limits.rpo.map(length),
        }
    }

    /// The stock that the drills of `series` have seen; none if they saw no backup's moment.
    pub fn seen(series: &Series) -> Option<Stock> {
        let record = &series.newest.as_ref()?.record;
        let until = record.run.started_at;
        // A name that bears another moment one day is another backup.
        let mut backups: BTreeMap<(Moment, String), Kept> = BTreeMap::new();
        for seen in series.drills.iter().filter_map(|drill| drill.backup.as_ref()) {
            let known = backups.entry((seen.at, seen.name.clone())).or_insert_with(|| seen.clone());
            if seen.word != Content::Unknown {
                known.word = seen.word;
            }
        }
        for newest in series.drills.iter().filter_map(newer) {
            backups.entry((newest.at, newest.name.clone())).or_insert(newest);
        }
        let mut backups: Vec<Kept> = backups.into_values().filter(|backup| backup.at <= until).collect();
        backups.sort_by_key(|backup| (backup.at, backup.available_at));
        let point = record.measurements.recovery_point.as_ref();
        let proven: Vec<&Kept> = backups.iter().filter(|backup| backup.word == Content::Whole).collect();
        Some(Stock {
            proven_exposure: worst(&proven, until),
            until,
            is_listed: false,
            gaps: gaps(&backups, record),
            newest_age: point
                .and_then(|point| u64::try_from(point.loss_now_ms().get()).ok())
                .map(Millis::new),
            exposure: point.and_then(|point| point.worst_case_exposure_ms),
            window: None,
            rpo: record.objectives.rpo_ms,
            backups,
        })
        .filter(|stock| !stock.backups.is_empty())
    }

    /// The newest backup that a drill has proven.
    pub fn newest_proven(&self) -> Option<&Kept> {
        self.backups.iter().rev().find(|backup| backup.word == Content::Whole)
    }
}

fn item(item: &Item<'_>) -> Option<Kept> {
    Some(Kept {
        name: item.backup.label.clone(),
        at: item.backup.point?.at.into(),
        available_at: item.backup.available_at.into(),
        bytes: Some(item.backup.object.bytes),
        word: match item.word {
            Word::Proven(_) => Content::Whole,
            Word::Refuted(_) => Content::Broken,
            Word::Changed(_) | Word::Unproven => Content::Unknown,
        },
    })
}

/// A backup that a drill saw and did not restore, since another was to be.
fn newer(drill: &Point) -> Option<Kept> {
    let at = drill.newest_backup.as_ref()?;
    Some(Kept { name: at.0.clone(), at: at.1, available_at: at.1, bytes: None, word: Content::Unknown })
}

/// The longest time from the moment of one until the next could be restored from, or until the
/// end for the last.
fn worst(backups: &[&Kept], until: Moment) -> Option<Millis> {
    let ends = backups.iter().skip(1).map(|next| next.available_at).chain([until]);
    let losses = backups.iter().zip(ends).map(|(from, end)| end.since(from.at).get().max(0).unsigned_abs());
    losses.max().map(Millis::new)
}

/// Neighbours that are further apart than the cadence allows. A backup between them may have
/// been there and not been drilled, unless drills come as often as backups.
fn gaps(backups: &[Kept], record: &Record) -> Vec<(Moment, Moment)> {
    let cadence = record.objectives.expected_period_ms.zip(record.objectives.grace_ms);
    let Some((period, grace)) = cadence else { return Vec::new() };
    let limit = period.get().saturating_add(grace.get());
    let pairs = backups.windows(2).filter_map(|pair| match pair {
        [from, to] => Some((from.at, to.at)),
        _ => None,
    });
    pairs.filter(|(from, to)| to.since(*from).get().unsigned_abs() > limit).collect()
}
