//! A backup in the catalogue, and the moment that its data speaks for.

use std::time::Duration;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

use crate::plan::pattern;
use crate::store::Object;
use crate::verdict::{Code, Reason};

/// How far two clocks may differ before a moment counts as one in the future.
pub const CLOCK_SKEW: Duration = Duration::from_secs(5);

/// One complete backup: an object whose name says so, or a directory of them, and what lies
/// beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backup {
    /// The object's key below the location; that of a directory ends in `/`.
    pub label: String,
    /// The object as listed; of a directory, all its objects as one.
    pub object: Object,
    /// The objects of a directory, by key; none for a backup that is one object.
    pub files: Vec<Object>,
    /// What lies beside it.
    pub sidecars: Sidecars,
    /// The moment that the data speaks for, as far as the listing tells.
    pub point: Option<ConsistencyPoint>,
    /// When it could be restored from: the object's last write. It is too late where objects
    /// were copied since, and too early by the length of the upload on S3, where a multipart
    /// upload bears the date of its beginning.
    pub available_at: Timestamp,
}

impl Backup {
    /// Whether it is a directory of objects.
    pub fn is_directory(&self) -> bool {
        !self.files.is_empty()
    }

    /// By what backups are ordered: the consistency point, else the last write, which is
    /// only known not to be before it.
    pub fn moment(&self) -> Timestamp {
        self.point.as_ref().map_or(self.available_at, |point| point.at)
    }

    /// The latest moment that the data can speak for.
    pub fn latest(&self) -> Timestamp {
        match &self.point {
            Some(point) => point.latest().min(self.available_at.max(point.at)),
            None => self.available_at,
        }
    }
}

/// The objects beside a backup that speak about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sidecars {
    /// `NAME.sha256`: its digest, recorded outside of it.
    pub digest: Option<Object>,
    /// `NAME.stamp.json`: the fingerprint of its source.
    pub stamp: Option<Object>,
}

/// The moment that a backup's data speaks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConsistencyPoint {
    /// The earliest moment that the source allows: every age is reckoned from here.
    pub at: Timestamp,
    /// Who says so.
    pub source: PointSource,
    /// How much later than `at` it may have been: a second for a name written to the second,
    /// a day for one that holds only the date, an hour more where clocks were put back.
    pub uncertainty: Duration,
}

/// Who tells a consistency point. The last write of an object never does: copying resets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PointSource {
    /// The source's own clock in the dump's snapshot.
    Stamp,
    /// The `{time:…}` of the plan's pattern; it is taken for the start of the dump.
    Pattern,
    /// The archive's header, in the zone that the plan gives.
    ArchiveHeader,
}

impl PointSource {
    /// The word in evidence.
    pub fn as_str(self) -> &'static str {
        match self {
            PointSource::Stamp => "stamp",
            PointSource::Pattern => "name_pattern",
            PointSource::ArchiveHeader => "archive_header",
        }
    }
}

impl ConsistencyPoint {
    /// A point that lies between two moments, the first included.
    pub fn between(first: Timestamp, last: Timestamp, source: PointSource) -> ConsistencyPoint {
        ConsistencyPoint { at: first, source, uncertainty: since(first, last) }
    }

    /// The point that an archive's header gives: the dump's start by the clock on the wall
    /// where it ran, to the second, in the zone that the plan says that clock was in.
    /// `None` for a date that no zone can place.
    pub fn from_header(shown: DateTime, zone: &TimeZone) -> Option<ConsistencyPoint> {
        let next = shown.checked_add(Span::new().seconds(1)).ok()?;
        let (first, last) = pattern::between(shown, next, zone)?;
        Some(ConsistencyPoint::between(first, last, PointSource::ArchiveHeader))
    }

    /// How old the data is at `now`: never negative, and never younger than it can be.
    pub fn age(&self, now: Timestamp) -> Duration {
        since(self.at, now)
    }

    /// The latest moment that the source allows.
    pub fn latest(&self) -> Timestamp {
        self.at.saturating_add(self.uncertainty).unwrap_or(Timestamp::MAX)
    }

    /// What is wrong with this point of `object`, none if nothing: it lies in the future, or
    /// after the object's last write, or more than `written_within` before it.
    pub fn doubts(&self, object: &Object, written_within: Duration, now: Timestamp) -> Vec<Reason> {
        let mut doubts = Vec::new();
        if since(now, self.at) > CLOCK_SKEW {
            doubts.push(Reason::new(
                Code::TimestampInFuture,
                format!("{} claims {}, which has not happened yet at {now}", object.uri, self.at),
                "look at the clock, and the time zone, of the machine that names the backups",
            ));
        }
        if since(object.modified_at, self.at) > CLOCK_SKEW {
            doubts.push(Reason::new(
                Code::TimeSourcesDisagree,
                format!(
                    "{} claims {}, but was last written before that, {}",
                    object.uri, self.at, object.modified_at
                ),
                "look at the clock, and the time zone, of the machine that names the backups",
            ));
        } else if since(self.latest(), object.modified_at) > written_within {
            doubts.push(Reason::new(
                Code::TimeSourcesDisagree,
                format!(
                    "{} claims {}, but was last written only {}",
                    object.uri, self.at, object.modified_at
                ),
                "if it was copied, or its upload takes that long, raise written_within in the plan; \
                 otherwise an old name bears new content",
            ));
        }
        doubts
    }
}

/// From `earlier` to `later`, zero if they stand the other way round.
pub fn since(earlier: Timestamp, later: Timestamp) -> Duration {
    Duration::try_from(later.duration_since(earlier)).unwrap_or(Duration::ZERO)
}
