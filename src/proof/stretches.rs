//! Tables cut into stretches of pages, which several connections read at once.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use crate::proof::reading::{Reading, Stretch};
use crate::restore::RowHashes;

/// Tables above this are read in stretches over several connections.
const STRETCH_PAGES: u64 = 8192;

/// Why a table was not read back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unread {
    /// There is no such table.
    Missing,
    /// The server would not read it.
    Refused,
}

/// A table, by its number, and a stretch of its pages where it is not read as a whole.
pub type Piece = (usize, Option<Stretch>);

/// What was read of a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Back {
    /// The hashes of the rows that were read.
    pub hashes: RowHashes,
    /// How many rows there are, which may be more.
    pub rows: u64,
}

impl From<RowHashes> for Back {
    fn from(hashes: RowHashes) -> Back {
        Back { hashes, rows: hashes.whole.rows() }
    }
}

/// Stretches to be read, and what was read of each table.
pub struct Work {
    open: Mutex<VecDeque<Piece>>,
    read: Mutex<Vec<Result<Back, Unread>>>,
}

impl Work {
    /// All that is to be read: a table without a reading is missing.
    pub fn new<'r>(readings: impl IntoIterator<Item = Option<&'r Reading>>, reads_stretches: bool) -> Work {
        let mut open = VecDeque::new();
        let mut read = Vec::new();
        for (index, reading) in readings.into_iter().enumerate() {
            read.push(reading.map(|_| Back::default()).ok_or(Unread::Missing));
            let Some(reading) = reading else { continue };
            let whole = !reading.condition.is_empty() || !reads_stretches;
            match reading
                .pages
                .filter(|pages| !whole && !reading.columns.is_empty() && *pages > STRETCH_PAGES)
            {
                None => open.push_back((index, None)),
                Some(pages) => {
                    let starts = (0..pages).step_by(STRETCH_PAGES as usize);
                    // The last stretch has no end: the table may have grown a page since.
                    open.extend(starts.map(|first| {
                        let end = first + STRETCH_PAGES;
                        (index, Some((first, if end >= pages { u64::from(u32::MAX) } else { end })))
                    }));
                }
            }
        }
        Work { open: Mutex::new(open), read: Mutex::new(read) }
    }

    /// What is to be read next.
    pub fn next(&self) -> Option<Piece> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    /// Adds what was read of a table.
    pub fn add(&self, index: usize, read: Result<Back, Unread>) {
        let mut all = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        match (all.get_mut(index), read) {
            (Some(Ok(sum)), Ok(back)) => {
                sum.hashes.merge(&back.hashes);
                sum.rows = sum.rows.saturating_add(back.rows);
            }
            (Some(slot), Err(unread)) => *slot = Err(unread),
            _ => {}
        }
    }

    /// What was read of a table.
    pub fn outcome(&self, index: usize) -> Result<Back, Unread> {
        let all = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(index).copied().unwrap_or(Err(Unread::Refused))
    }
}
