//! Progress as plain lines, for logs and pipes: one per phase of each drill.

use std::collections::HashMap;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crate::clock::Phase;
use crate::event::{Event, EventKind, Observer};
use crate::report::encode;
use crate::report::progress::Progress;

/// Columns that a name may take in a line of a log.
const NAME_COLUMNS: usize = 200;

/// Writes one line per phase, warning and end of each drill.
///
/// What can't be written is lost: a full disk under a log does not stop a drill.
pub struct Text<W> {
    state: Mutex<State<W>>,
}

struct State<W> {
    sink: W,
    drills: HashMap<Arc<str>, Progress>,
}

impl Text<std::io::Stderr> {
    /// Lines on stderr.
    pub fn on_stderr() -> Text<std::io::Stderr> {
        Text::on(std::io::stderr())
    }
}

impl<W: Write + Send> Text<W> {
    /// Lines into `sink`.
    pub fn on(sink: W) -> Text<W> {
        Text { state: Mutex::new(State { sink, drills: HashMap::new() }) }
    }

    /// Gives the sink back.
    pub fn into_sink(self) -> W {
        self.state.into_inner().unwrap_or_else(PoisonError::into_inner).sink
    }
}

impl<W: Write + Send> Observer for Text<W> {
    fn observe(&self, event: &Event) {
        let now = Instant::now();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let progress = state.drills.entry(event.service.clone()).or_insert_with(|| Progress::new(now));
        progress.hear(&event.kind, now);
        let Some(text) = line(&event.kind, progress) else { return };
        let service = encode::name(&event.service, NAME_COLUMNS);
        let _ = writeln!(state.sink, "{service}: {text}").and_then(|()| state.sink.flush());
    }
}

/// What an event is worth in a log; most are worth nothing.
fn line(event: &EventKind, progress: &Progress) -> Option<String> {
    match event {
        EventKind::DrillStarted => Some("drill started".into()),
        EventKind::BackupChosen { uri, bytes } => {
            Some(format!("chose {} ({})", encode::name(uri, 1_000), encode::bytes(*bytes)))
        }
        EventKind::PhaseFinished { phase, elapsed } => {
            let took = format!("{} took {}", phase.as_str(), encode::duration(*elapsed));
            Some(took + &figures(*phase, progress))
        }
        EventKind::TableCompared { table, equal: false } => {
            Some(format!("rows differ in {}", encode::name(table, NAME_COLUMNS)))
        }
        EventKind::CheckFinished { check, passed: false } => {
            Some(format!("check not passed: {}", encode::name(check, NAME_COLUMNS)))
        }
        EventKind::SelfTesting { step: 0, doing, .. } => Some(format!("self-test: {doing}")),
        EventKind::SelfTesting { step, steps, doing } => {
            Some(format!("self-test, {step} of {steps}: {doing}"))
        }
        EventKind::Warned { code, text } => Some(format!("warning: {} [{code}]", encode::sentence(text))),
        EventKind::DrillFinished { verdict, reasons } => {
            let codes: Vec<_> = reasons.iter().map(|reason| reason.code.as_str()).collect();
            Some(match codes.is_empty() {
                true => format!("drill finished: {verdict}"),
                false => format!("drill finished: {verdict} ({})", codes.join(", ")),
            })
        }
        EventKind::PhaseStarted { .. }
        | EventKind::BytesFetched { .. }
        | EventKind::RestorePlanned { .. }
        | EventKind::TableStarted { .. }
        | EventKind::RowsLoaded { .. }
        | EventKind::TableFinished { .. }
        | EventKind::EntryStarted { .. }
        | EventKind::EntryFinished { .. }
        | EventKind::ProofPlanned { .. }
        | EventKind::RowsReadBack { .. }
        | EventKind::Waited { .. }
        | EventKind::TableCompared { equal: true, .. }
        | EventKind::CheckFinished { passed: true, .. } => None,
    }
}

fn figures(phase: Phase, progress: &Progress) -> String {
    match phase {
        Phase::Restore => format!(
            ": {} fetched, {} with {} loaded, {} after them",
            encode::bytes(progress.fetched_bytes),
            encode::plural(progress.loaded_tables as u64, "table"),
            encode::plural(progress.loaded_rows, "row"),
            entries(progress.finished_entries),
        ),
        Phase::Proof => {
            let mut text = format!(": {} compared", encode::plural(progress.compared_tables as u64, "table"));
            if progress.different_tables > 0 {
                text.push_str(&format!(", {} differ", progress.different_tables));
            }
            text.push_str(&format!(", {} put", encode::plural(progress.finished_checks as u64, "check")));
            if progress.failed_checks > 0 {
                text.push_str(&format!(", {} not passed", progress.failed_checks));
            }
            text
        }
        Phase::Select | Phase::Provision | Phase::Ready | Phase::Cleanup => String::new(),
    }
}

fn entries(count: usize) -> String {
    match count {
        1 => "1 entry".into(),
        _ => format!("{} entries", encode::count(count as u64)),
    }
}
