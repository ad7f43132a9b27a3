//! What can be seen of a restore from outside while it runs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::bench::usage::{Usage, Used};
use crate::clock::Phase;
use crate::event::{Event, EventKind, Observer};

/// Things that run at once, at most; more are not told apart.
const OPEN_MAX: usize = 100_000;

/// The longest of many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Longest {
    /// Its name.
    pub name: String,
    /// How long it took.
    pub took: Duration,
}

/// What was seen of one restore.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// From the beginning of the restore to its end; none if it did not come to it.
    pub used: Option<Used>,
    /// The table whose rows took longest.
    pub longest_table: Option<Longest>,
    /// The index that took longest.
    pub longest_index: Option<Longest>,
    /// How long reading waited for the store.
    pub waited_for_store: Duration,
    /// How long decoding waited for somebody to take rows, all decoders together.
    pub waited_for_server: Duration,
    /// How long connections to the server waited for something to do, all together.
    pub waited_for_rows: Duration,
}

#[derive(Default)]
struct State {
    began: Option<Usage>,
    tables: HashMap<Arc<str>, Instant>,
    entries: HashMap<(Arc<str>, Arc<str>), Instant>,
    seen: Seen,
}

/// An observer that measures, and passes everything on.
pub struct Gauge {
    state: Mutex<State>,
    next: Arc<dyn Observer>,
}

impl Gauge {
    /// One that has seen nothing yet.
    pub fn before(next: Arc<dyn Observer>) -> Arc<Gauge> {
        Arc::new(Gauge { state: Mutex::default(), next })
    }

    /// What was seen.
    pub fn seen(&self) -> Seen {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).seen.clone()
    }

    fn hear(&self, kind: &EventKind) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let state = &mut *state;
        let now = Instant::now();
        match kind {
            EventKind::PhaseStarted { phase: Phase::Restore } => state.began = Some(Usage::now()),
            EventKind::PhaseFinished { phase: Phase::Restore, .. } => {
                state.seen.used = state.began.as_ref().map(|began| Usage::now().since(began));
            }
            EventKind::TableStarted { table } if state.tables.len() < OPEN_MAX => {
                state.tables.insert(table.clone(), now);
            }
            EventKind::TableFinished { table, .. } => {
                let began = state.tables.remove(table);
                longer(&mut state.seen.longest_table, table, began, now);
            }
            EventKind::EntryStarted { kind, name } if state.entries.len() < OPEN_MAX => {
                state.entries.insert((kind.clone(), name.clone()), now);
            }
            EventKind::EntryFinished { kind, name } => {
                let began = state.entries.remove(&(kind.clone(), name.clone()));
                if matches!(&**kind, "INDEX" | "CONSTRAINT") {
                    longer(&mut state.seen.longest_index, name, began, now);
                }
            }
            EventKind::Waited { store, server, rows } => {
                state.seen.waited_for_store += *store;
                state.seen.waited_for_server += *server;
                state.seen.waited_for_rows += *rows;
            }
            _ => {}
        }
    }
}

fn longer(longest: &mut Option<Longest>, name: &str, began: Option<Instant>, now: Instant) {
    let Some(took) = began.map(|began| now.saturating_duration_since(began)) else { return };
    if longest.as_ref().is_none_or(|longest| longest.took < took) {
        *longest = Some(Longest { name: name.to_owned(), took });
    }
}

impl Observer for Gauge {
    fn observe(&self, event: &Event) {
        self.hear(&event.kind);
        self.next.observe(event);
    }
}
