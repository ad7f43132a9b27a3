//! Which blocks of an archive are taken, where several readers read it, and whether two of them
//! have seen the same bytes.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::digest::Digest;
use crate::restore::Error;
use crate::restore::load::Planned;
use crate::restore::stream::Ways;
use crate::verdict::Code;

/// What the reader that goes through the archive in order is to do with a block.
#[derive(Debug)]
pub enum Claim {
    /// Put its rows so.
    Mine(Box<Planned>),
    /// Another reader puts them: what it has read is to be compared.
    Ahead,
    /// Nobody wants it.
    Nobodys,
}

/// Shared by the readers of one archive.
#[derive(Debug)]
pub struct Claims {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    ways: Ways,
    twice: HashMap<u32, Twice>,
    read_twice_bytes: u64,
}

/// What was seen of a block that is read twice.
#[derive(Debug)]
struct Twice {
    name: String,
    loaded: Option<Digest>,
    passed: Option<Digest>,
}

impl Claims {
    /// Of the blocks with those entries, none is taken.
    pub fn new(ways: Ways) -> Claims {
        Claims { state: Mutex::new(State { ways, ..State::default() }) }
    }

    /// Takes a block for the reader that goes through the archive in order.
    pub fn take(&self, id: u32) -> Claim {
        let mut state = self.state();
        match state.ways.remove(&id) {
            Some(planned) => Claim::Mine(Box::new(planned)),
            None if state.twice.contains_key(&id) => Claim::Ahead,
            None => Claim::Nobodys,
        }
    }

    /// Takes a block for a reader that runs ahead, if nobody has it.
    pub fn take_ahead(&self, id: u32) -> Option<Planned> {
        let mut state = self.state();
        let planned = state.ways.remove(&id)?;
        let name = planned.name.to_string();
        state.twice.insert(id, Twice { name, loaded: None, passed: None });
        Some(planned)
    }

    /// Whether a block is left that nobody has taken.
    pub fn is_free(&self, id: u32) -> bool {
        self.state().ways.contains_key(&id)
    }

    /// A reader that ran ahead has loaded a block of that digest.
    pub fn loaded(&self, id: u32, digest: Digest) {
        if let Some(twice) = self.state().twice.get_mut(&id) {
            twice.loaded = Some(digest);
        }
    }

    /// The reader in order has passed it.
    pub fn passed(&self, id: u32, digest: Digest) {
        if let Some(twice) = self.state().twice.get_mut(&id) {
            twice.passed = Some(digest);
        }
    }

    /// So many bytes were read by a reader that runs ahead.
    pub fn read_ahead(&self, bytes: usize) {
        let mut state = self.state();
        state.read_twice_bytes = state.read_twice_bytes.saturating_add(bytes as u64);
    }

    /// Bytes that were read by readers that ran ahead.
    pub fn read_twice_bytes(&self) -> u64 {
        self.state().read_twice_bytes
    }

    /// At the end: the digest of the object covers what was loaded only where both have seen the
    /// same.
    ///
    /// # Errors
    /// The object has changed between two readings of it.
    pub fn check(&self) -> Result<(), Error> {
        let state = self.state();
        let differs = |twice: &&Twice| twice.loaded.is_none() || twice.loaded != twice.passed;
        match state.twice.values().find(differs) {
            Some(twice) => Err(unstable(&twice.name)),
            None => Ok(()),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unstable(name: &str) -> Error {
    Error::new(
        Code::SourceUnstable,
        format!("the rows of {name} were read twice, and the bytes were not the same"),
        "see what writes to the object while it is read; drill again",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_ahead_counts_only_where_the_reading_in_order_saw_the_same() {
        let (one, other) = (Digest::of(b"rows"), Digest::of(b"others"));
        let cases = [
            (Some(one), Some(one), true),
            (Some(one), Some(other), false),
            (Some(one), None, false),
            (None, Some(one), false),
            (None, None, false),
        ];
        for (loaded, passed, holds) in cases {
            let claims = Claims::new(Ways::from([(7, Planned::large_objects(None))]));
            assert!(claims.is_free(7) && claims.check().is_ok());
            assert!(claims.take_ahead(7).is_some() && claims.take_ahead(7).is_none());
            assert!(matches!(claims.take(7), Claim::Ahead) && matches!(claims.take(8), Claim::Nobodys));
            if let Some(digest) = loaded {
                claims.loaded(7, digest);
            }
            if let Some(digest) = passed {
                claims.passed(7, digest);
            }
            assert_eq!(claims.check().is_ok(), holds, "{loaded:?} {passed:?}");
        }
    }
}
