//! Which backup was chosen, from what, and which moment its data speaks for.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::catalog;
use crate::record::ruling::ReasonLine;
use crate::record::value::{Millis, Moment, SignedMillis};

/// How many rejected objects a record names; the rest are counted.
pub const REJECTED_MAX: usize = 100;

/// How the backup was chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Selection {
    /// The rule.
    pub policy: Policy,
    /// The rule as the plan or the command line words it.
    pub policy_text: String,
    /// What was read of the store's listing.
    pub listing: Listing,
    /// Backups to choose from.
    pub candidates: u64,
    /// The backup that was chosen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selected: Option<Selected>,
    /// The moment its data speaks for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consistency_point: Option<ConsistencyPoint>,
    /// The newest backup that could be restored, where another one was chosen; absent where its
    /// name tells no moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest: Option<Newest>,
    /// Whether the newest backup is as new as the cadence demands; there if, and only if,
    /// the plan gives a cadence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub freshness: Option<Freshness>,
    /// What speaks against the choice by the listing alone; the drill goes on all the same.
    pub doubts: Vec<ReasonLine>,
    /// Objects that were passed over; at most 100 of them.
    pub rejected: Vec<Rejected>,
    /// How many were passed over in all.
    pub rejected_total: u64,
}

/// The rule by which a backup is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Policy {
    /// The one whose consistency point is the newest.
    Latest,
    /// The one whose consistency point is the oldest.
    Oldest,
    /// Any, with equal chance.
    Random,
    /// The one that was named.
    Label,
}

/// What was read of the store's listing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Listing {
    /// Whether it was read to its end, without a contradiction.
    pub complete: bool,
    /// Pages that were read.
    pub pages: u64,
    /// Objects on them.
    pub objects: u64,
    /// When the last page arrived.
    pub listed_at: Moment,
}

/// The object that was restored; of a directory, all its objects as one, with a tag that changes
/// when that of any of them does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Selected {
    /// Where it lies, without credentials or query.
    pub uri: String,
    /// The store's name for this version of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version_id: Option<String>,
    /// The store's tag of its content; never taken for a digest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// Its size, as the store says.
    pub size_bytes: u64,
    /// When the store last saw it change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_modified: Option<Moment>,
}

/// A backup that was not restored, and would have been after a loss.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Newest {
    /// Where it lies, without credentials or query.
    pub uri: String,
    /// The moment its data speaks for.
    pub consistency_point: ConsistencyPoint,
}

/// The moment that the data speaks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConsistencyPoint {
    /// The earliest moment that its source allows: every age is reckoned from here.
    pub time: Moment,
    /// Who says so.
    pub source: ConsistencySource,
    /// How much later it may have been, such as a day for a name that holds only the date.
    pub uncertainty_ms: Millis,
}

impl From<catalog::ConsistencyPoint> for ConsistencyPoint {
    fn from(point: catalog::ConsistencyPoint) -> ConsistencyPoint {
        ConsistencyPoint {
            time: point.at.into(),
            source: match point.source {
                catalog::PointSource::Stamp => ConsistencySource::Stamp,
                catalog::PointSource::Pattern => ConsistencySource::NamePattern,
                catalog::PointSource::ArchiveHeader => ConsistencySource::ArchiveHeader,
            },
            uncertainty_ms: point.uncertainty.into(),
        }
    }
}

/// Who tells the moment that the data speaks for, most trusted first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConsistencySource {
    /// The stamp taken in the snapshot of the dump.
    Stamp,
    /// Metadata that the uploader set.
    ObjectMetadata,
    /// The object's name, read by the plan's pattern.
    NamePattern,
    /// The archive's header, in the zone that the plan gives.
    ArchiveHeader,
    /// The store's `LastModified`: the data is no newer than this, and may be any older.
    LastModified,
}

/// Whether backups still come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Freshness {
    /// The latest moment that the newest backup, chosen or not, may speak for.
    pub newest_moment: Moment,
    /// How old that was when the drill began.
    pub age_ms: SignedMillis,
    /// How old it may be: the period and the grace.
    pub limit_ms: Millis,
    /// Whether it is older.
    pub stale: bool,
}

impl Freshness {
    /// Whether backups still come, for the newest one's moment and a cadence with its grace.
    pub fn of(started_at: Moment, newest: Moment, period: Millis, grace: Millis) -> Freshness {
        let age = started_at.since(newest);
        let limit = Millis::new(period.get().saturating_add(grace.get()));
        Freshness {
            newest_moment: newest,
            age_ms: age,
            limit_ms: limit,
            stale: i128::from(age.get()) > i128::from(limit.get()),
        }
    }
}

/// An object that was passed over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rejected {
    /// Where it lies.
    pub uri: String,
    /// Why.
    pub reason: RejectedReason,
}

/// Why an object is no candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RejectedReason {
    /// Its name is one of something still being written, or hidden; or it is a directory without
    /// its table of contents.
    NameNotFinal,
    /// It has no bytes.
    Empty,
    /// Its name can be read as several moments.
    AmbiguousTime,
    /// Its name holds characters that can't be shown.
    Unprintable,
    /// It speaks about a backup and is none.
    Sidecar,
    /// Its name is not of the plan's pattern.
    NoMatch,
}
