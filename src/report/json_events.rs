//! Events as JSON, one line each, for programs that watch a run.
//!
//! Every line is an object with `type`, `service` and `at`. Readers must ignore types and
//! fields that they do not know: both may be added in any release.

use std::collections::HashMap;
use std::io::Write;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::Serialize;

use crate::clock::rfc3339_millis;
use crate::event::{Event, EventKind, Observer};

/// Moving figures are told at most this often per drill.
const PROGRESS_EVERY: Duration = Duration::from_secs(1);

/// One line of `--json=events`.
#[derive(Clone, Debug, Serialize)]
pub struct Line<'a> {
    /// When it was told: RFC 3339, UTC, milliseconds.
    pub at: String,
    /// The service that is drilled.
    pub service: &'a str,
    /// What happened.
    #[serde(flatten)]
    pub told: Told<'a>,
}

/// What a line tells, by its `type`.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Told<'a> {
    /// The drill has begun.
    DrillStarted,
    /// A backup was chosen.
    BackupChosen {
        /// Where it lies.
        uri: &'a str,
        /// The size of the stored object.
        size_bytes: u64,
    },
    /// A phase has begun.
    PhaseStarted {
        /// `select`, `provision`, `restore`, `ready`, `proof` or `cleanup`.
        phase: &'static str,
    },
    /// A phase is over.
    PhaseFinished {
        /// Which.
        phase: &'static str,
        /// How long it took.
        duration_ms: u64,
    },
    /// What the restore will have to do is known.
    RestorePlanned {
        /// Tables whose rows will be loaded.
        tables: usize,
        /// Entries to be run after the rows.
        post_data: usize,
    },
    /// Totals so far; told at most once a second, and before whatever follows them.
    Progress(Totals),
    /// Rows of a table have begun to arrive.
    TableStarted {
        /// Its qualified name.
        table: &'a str,
    },
    /// All rows of a table are in.
    TableFinished {
        /// Its qualified name.
        table: &'a str,
        /// Its rows in all.
        rows: u64,
    },
    /// An index, a constraint or another entry that takes time has begun.
    EntryStarted {
        /// Its kind, as the archive calls it.
        kind: &'a str,
        /// Its name.
        name: &'a str,
    },
    /// That entry is done.
    EntryFinished {
        /// Its kind, as the archive calls it.
        kind: &'a str,
        /// Its name.
        name: &'a str,
    },
    /// What the proof will have to do is known.
    ProofPlanned {
        /// Tables to be read back.
        tables: usize,
        /// Rows in them.
        rows: u64,
        /// Checks of the plan to be put.
        checks: usize,
    },
    /// A table was compared.
    TableCompared {
        /// Its qualified name.
        table: &'a str,
        /// Whether no row that was read back differs from the archive's; of a sample, those are
        /// not all.
        equal: bool,
    },
    /// A check of the plan was answered, or could not be put.
    CheckFinished {
        /// Its name in the plan.
        check: &'a str,
        /// Whether the answer was the expected one.
        passed: bool,
    },
    /// Something that does not change the verdict.
    Warned {
        /// The warning's published code.
        code: &'static str,
        /// One line.
        text: &'a str,
    },
    /// A step of a self-test has begun, after the drill of the intact backup.
    SelfTesting {
        /// Which kind of damage it is; 0 before the first.
        step: usize,
        /// How many there are.
        steps: usize,
        /// What is done, in words.
        doing: &'static str,
    },
    /// The drill is judged and cleaned up.
    DrillFinished {
        /// `pass`, `inconclusive` or `fail`.
        verdict: &'static str,
        /// Why not a pass; empty for a pass.
        reasons: Vec<ToldReason<'a>>,
    },
}

/// Moving figures of one drill, as totals since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Stored bytes that arrived and were consumed.
    pub fetched_bytes: u64,
    /// Rows loaded.
    pub loaded_rows: u64,
    /// Their size as COPY text.
    pub loaded_bytes: u64,
    /// Rows read back by the proof.
    pub read_back_rows: u64,
}

/// One reason for a verdict.
#[derive(Clone, Debug, Serialize)]
pub struct ToldReason<'a> {
    /// The published code.
    pub code: &'static str,
    /// What was seen.
    pub detail: &'a str,
    /// What to do next.
    pub remedy: &'a str,
}

/// Writes events as JSON lines, from a thread of its own: a reader that falls behind costs
/// memory and holds up no drill.
///
/// Finished or dropped, it has written what was left and ended the thread.
pub struct JsonEvents {
    state: Mutex<State>,
    now: fn() -> Timestamp,
    writer: Mutex<Option<JoinHandle<()>>>,
}

struct State {
    lines: Option<Sender<String>>,
    totals: HashMap<Arc<str>, Pending>,
}

/// Totals of a drill, and whether there are any that nobody was told.
#[derive(Clone, Copy)]
struct Pending {
    totals: Totals,
    untold: bool,
    told_at: Instant,
}

impl JsonEvents {
    /// Lines into `sink`, stamped by `now`.
    pub fn on(sink: impl Write + Send + 'static, now: fn() -> Timestamp) -> JsonEvents {
        let (lines, waiting) = channel();
        let writing = std::thread::Builder::new().name("json events".into());
        let writer = Mutex::new(writing.spawn(move || write_all(&waiting, sink)).ok());
        JsonEvents { state: Mutex::new(State { lines: Some(lines), totals: HashMap::new() }), now, writer }
    }

    /// Writes what is left; what happens from now on is not told.
    pub fn finish(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).lines = None;
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer {
            // A writer that panicked has nothing left to write.
            let _ = writer.join();
        }
    }

    fn tell(&self, state: &State, service: &str, told: Told<'_>) {
        let line = Line { at: rfc3339_millis((self.now)()), service, told };
        // Neither can a line of strings and integers fail to serialise, nor does a drill
        // care whether its reader is still there.
        if let (Ok(text), Some(lines)) = (serde_json::to_string(&line), &state.lines) {
            let _ = lines.send(text);
        }
    }
}

impl Observer for JsonEvents {
    fn observe(&self, event: &Event) {
        let now = Instant::now();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut pending = state.totals.get(&event.service).copied().unwrap_or(Pending {
            totals: Totals::default(),
            untold: false,
            told_at: now,
        });
        let told = told(&event.kind);
        if told.is_none() {
            pending.add(&event.kind);
        }
        let due = told.is_some() || now.saturating_duration_since(pending.told_at) >= PROGRESS_EVERY;
        if pending.untold && due {
            self.tell(&state, &event.service, Told::Progress(pending.totals));
            pending.untold = false;
            pending.told_at = now;
        }
        state.totals.insert(event.service.clone(), pending);
        if let Some(told) = told {
            self.tell(&state, &event.service, told);
        }
    }
}

impl Drop for JsonEvents {
    fn drop(&mut self) {
        self.finish();
    }
}

impl Pending {
    fn add(&mut self, kind: &EventKind) {
        let totals = &mut self.totals;
        let moved = match kind {
            EventKind::BytesFetched { bytes } => &mut [(&mut totals.fetched_bytes, *bytes)][..],
            EventKind::RowsLoaded { rows, bytes, .. } => {
                &mut [(&mut totals.loaded_rows, *rows), (&mut totals.loaded_bytes, *bytes)][..]
            }
            EventKind::RowsReadBack { rows } => &mut [(&mut totals.read_back_rows, *rows)][..],
            _ => return,
        };
        for (total, more) in moved {
            **total = total.saturating_add(*more);
        }
        self.untold = true;
    }
}

/// The line an event is worth; figures that only move are told as totals.
fn told(kind: &EventKind) -> Option<Told<'_>> {
    Some(match kind {
        EventKind::DrillStarted => Told::DrillStarted,
        EventKind::BackupChosen { uri, bytes } => Told::BackupChosen { uri, size_bytes: *bytes },
        EventKind::PhaseStarted { phase } => Told::PhaseStarted { phase: phase.as_str() },
        EventKind::PhaseFinished { phase, elapsed } => {
            let duration_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
            Told::PhaseFinished { phase: phase.as_str(), duration_ms }
        }
        EventKind::RestorePlanned { tables, post_data } => {
            Told::RestorePlanned { tables: *tables, post_data: *post_data }
        }
        EventKind::BytesFetched { .. }
        | EventKind::RowsLoaded { .. }
        | EventKind::RowsReadBack { .. }
        | EventKind::Waited { .. } => {
            return None;
        }
        EventKind::TableStarted { table } => Told::TableStarted { table },
        EventKind::TableFinished { table, rows } => Told::TableFinished { table, rows: *rows },
        EventKind::EntryStarted { kind, name } => Told::EntryStarted { kind, name },
        EventKind::EntryFinished { kind, name } => Told::EntryFinished { kind, name },
        EventKind::ProofPlanned { tables, rows, checks } => {
            Told::ProofPlanned { tables: *tables, rows: *rows, checks: *checks }
        }
        EventKind::TableCompared { table, equal } => Told::TableCompared { table, equal: *equal },
        EventKind::CheckFinished { check, passed } => Told::CheckFinished { check, passed: *passed },
        EventKind::SelfTesting { step, steps, doing } => {
            Told::SelfTesting { step: *step, steps: *steps, doing }
        }
        EventKind::Warned { code, text } => Told::Warned { code, text },
        EventKind::DrillFinished { verdict, reasons } => Told::DrillFinished {
            verdict: verdict.as_str(),
            reasons: reasons
                .iter()
                .map(|reason| ToldReason {
                    code: reason.code.as_str(),
                    detail: &reason.detail,
                    remedy: &reason.remedy,
                })
                .collect(),
        },
    })
}

fn write_all(lines: &Receiver<String>, mut sink: impl Write) {
    for line in lines {
        if writeln!(sink, "{line}").and_then(|()| sink.flush()).is_err() {
            return;
        }
    }
}
