//! How far each drill is, summed up from its events: what every face reads from.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::clock::Phase;
use crate::event::EventKind;
use crate::verdict::Verdict;

/// How far one drill is.
#[derive(Clone, Debug)]
pub struct Progress {
    /// When the drill began.
    pub started_at: Instant,
    /// The phase that runs now, and since when.
    pub phase: Option<(Phase, Instant)>,
    /// Stored bytes fetched so far, and those there are, once known.
    pub fetched_bytes: u64,
    /// The size of the backup, once chosen.
    pub backup_bytes: Option<u64>,
    /// Tables that the restore will load, and entries it will run after the rows.
    pub planned: Planned,
    /// Rows loaded so far.
    pub loaded_rows: u64,
    /// Their size as COPY text.
    pub loaded_bytes: u64,
    /// Tables whose rows are all in.
    pub loaded_tables: usize,
    /// Entries that are done.
    pub finished_entries: usize,
    /// Tables whose rows arrive now, with the rows so far.
    pub loading: BTreeMap<Arc<str>, u64>,
    /// What else runs now, as (kind, name).
    pub running: Vec<(Arc<str>, Arc<str>)>,
    /// Rows read back by the proof.
    pub read_back_rows: u64,
    /// Tables compared so far, and how many of them differ.
    pub compared_tables: usize,
    /// Tables whose rows differ.
    pub different_tables: usize,
    /// Checks answered so far, and how many of them wrongly.
    pub finished_checks: usize,
    /// Checks that were answered wrongly or could not be put.
    pub failed_checks: usize,
    /// Warnings so far.
    pub warnings: usize,
    /// The step of a self-test that runs now, how many there are, what is done and since when.
    pub self_test: Option<(usize, usize, &'static str, Instant)>,
    /// The verdict, with what the drill took, once it is over.
    pub finished: Option<(Verdict, Duration)>,
}

/// What a drill will have to do, as far as it is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Planned {
    /// Tables to be loaded.
    pub tables: usize,
    /// Entries to be run after the rows.
    pub post_data: usize,
    /// Tables to be read back.
    pub proof_tables: usize,
    /// Rows in them.
    pub proof_rows: u64,
    /// Checks to be put.
    pub checks: usize,
}

impl Progress {
    /// Nothing has happened yet.
    pub fn new(now: Instant) -> Progress {
        Progress {
            started_at: now,
            phase: None,
            fetched_bytes: 0,
            backup_bytes: None,
            planned: Planned::default(),
            loaded_rows: 0,
            loaded_bytes: 0,
            loaded_tables: 0,
            finished_entries: 0,
            loading: BTreeMap::new(),
            running: Vec::new(),
            read_back_rows: 0,
            compared_tables: 0,
            different_tables: 0,
            finished_checks: 0,
            failed_checks: 0,
            warnings: 0,
            self_test: None,
            finished: None,
        }
    }

    /// Takes note of what happened at `now`.
    pub fn hear(&mut self, kind: &EventKind, now: Instant) {
        match kind {
            EventKind::DrillStarted => self.started_at = now,
            EventKind::BackupChosen { bytes, .. } => self.backup_bytes = Some(*bytes),
            EventKind::PhaseStarted { phase } => self.phase = Some((*phase, now)),
            EventKind::PhaseFinished { phase, .. } => self.leave(*phase),
            EventKind::BytesFetched { bytes } => add(&mut self.fetched_bytes, *bytes),
            EventKind::RestorePlanned { tables, post_data } => {
                self.planned.tables = *tables;
                self.planned.post_data = *post_data;
            }
            EventKind::ProofPlanned { tables, rows, checks } => {
                self.planned.proof_tables = *tables;
                self.planned.proof_rows = *rows;
                self.planned.checks = *checks;
            }
            EventKind::Waited { .. } => {}
            EventKind::RowsReadBack { rows } => add(&mut self.read_back_rows, *rows),
            EventKind::TableCompared { equal, .. } => {
                self.compared_tables += 1;
                self.different_tables += usize::from(!equal);
            }
            EventKind::CheckFinished { passed, .. } => {
                self.finished_checks += 1;
                self.failed_checks += usize::from(!passed);
            }
            EventKind::Warned { .. } => self.warnings += 1,
            EventKind::SelfTesting { step, steps, doing } => {
                self.self_test = Some((*step, *steps, doing, now));
                self.finished = None;
            }
            EventKind::DrillFinished { verdict, .. } => {
                self.finished = Some((*verdict, now.saturating_duration_since(self.started_at)));
                self.phase = None;
            }
            EventKind::TableStarted { .. }
            | EventKind::RowsLoaded { .. }
            | EventKind::TableFinished { .. }
            | EventKind::EntryStarted { .. }
            | EventKind::EntryFinished { .. } => self.hear_restore(kind),
        }
    }

    fn hear_restore(&mut self, kind: &EventKind) {
        match kind {
            EventKind::TableStarted { table } => {
                self.loading.insert(table.clone(), 0);
            }
            EventKind::RowsLoaded { table, rows, bytes } => {
                add(&mut self.loaded_rows, *rows);
                add(&mut self.loaded_bytes, *bytes);
                if let Some(so_far) = self.loading.get_mut(table) {
                    add(so_far, *rows);
                }
            }
            EventKind::TableFinished { table, .. } => {
                self.loading.remove(table);
                self.loaded_tables += 1;
            }
            EventKind::EntryStarted { kind, name } => self.running.push((kind.clone(), name.clone())),
            EventKind::EntryFinished { kind, name } => {
                let found = self.running.iter().position(|(k, n)| k == kind && n == name);
                if let Some(index) = found {
                    self.running.remove(index);
                }
                self.finished_entries += 1;
            }
            _ => {}
        }
    }

    fn leave(&mut self, phase: Phase) {
        if self.phase.is_some_and(|(running, _)| running == phase) {
            self.phase = None;
        }
        if phase == Phase::Restore {
            self.loading.clear();
            self.running.clear();
        }
    }
}

fn add(total: &mut u64, more: u64) {
    *total = total.saturating_add(more);
}
