//! When which kind of work was going on inside the restore. Spans overlap, and are never
//! added up.

use std::time::Duration;

use crate::clock::Span;

/// The kinds of work inside a restore.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Stored bytes came in.
    Download,
    /// Streams were decompressed and cut into rows.
    Decode,
    /// Rows went into tables.
    Load,
    /// Indexes and the constraints backed by them were built.
    Index,
    /// Foreign keys and checks were validated.
    Constraint,
    /// `pg_restore` restored everything.
    Tool,
}

impl Kind {
    /// Every kind, in the order in which they begin.
    pub const ALL: [Kind; 6] =
        [Kind::Download, Kind::Decode, Kind::Load, Kind::Index, Kind::Constraint, Kind::Tool];

    /// The word in the evidence.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Download => "download",
            Kind::Decode => "decode",
            Kind::Load => "load",
            Kind::Index => "index",
            Kind::Constraint => "constraint",
            Kind::Tool => "pg_restore",
        }
    }
}

/// From the first beginning to the last end of each kind.
#[derive(Clone, Debug, Default)]
pub struct Spans {
    bounds: [Option<(Duration, Duration)>; Kind::ALL.len()],
}

impl Spans {
    /// Work of `kind` went on from `began` to `ended`, by the drill's clock.
    pub fn note(&mut self, kind: Kind, began: Duration, ended: Duration) {
        let Some(bounds) = self.bounds.get_mut(kind as usize) else { return };
        let (first, last) = bounds.unwrap_or((began, ended));
        *bounds = Some((first.min(began), last.max(ended)));
    }

    /// Adds what was noted elsewhere.
    pub fn merge(&mut self, other: &Spans) {
        for (kind, bounds) in Kind::ALL.into_iter().zip(other.bounds) {
            if let Some((began, ended)) = bounds {
                self.note(kind, began, ended);
            }
        }
    }

    /// The span of `kind`, if there was any such work.
    pub fn get(&self, kind: Kind) -> Option<Span> {
        let (began, ended) = (*self.bounds.get(kind as usize)?)?;
        Some(Span { offset: began, length: ended.saturating_sub(began) })
    }
}
