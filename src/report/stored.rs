//! Stored evidence, read back for the faces that show it later than its drill.
//!
//! What is shown is what was verified: each file's bytes, its name, its place in the chain
//! and its verdict, judged again. A file that does not stand up to that is named, and nothing
//! else of it is used.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::evidence::{
    BYTES_MAX, Checked, Envelope, Error, Fault, FaultKind, LogReport, Newest, Options, PublicKey, Report,
    Statement, logs_in, verify, verify_newest,
};
use crate::history::Content;
use crate::record::{Moment, Record, Ruling, Selection};
use crate::report::figures::{self, Figure, Loss};
use crate::report::stock::Kept;
use crate::verdict::Verdict;

/// How many faults of a log are named; the rest are counted.
const FAULTS_MAX: usize = 50;

/// The drills of one service, as far as its evidence tells.
#[derive(Clone, Debug)]
pub struct Series {
    /// The service's name.
    pub service: String,
    /// The newest drill with a record that stands up.
    pub newest: Option<Drill>,
    /// Every such drill, oldest first, the newest included.
    pub drills: Vec<Point>,
    /// Drills that were killed, and are named by those after them.
    pub abandoned: u64,
    /// What is wrong with the evidence, one line each; at most 50 and a last one that counts
    /// the rest. With any of these, no word of the evidence is a proof.
    pub faults: Vec<String>,
    /// How many things are wrong with it in all.
    pub faults_total: u64,
    /// Whether signatures were checked against known keys.
    pub signatures_checked: bool,
    /// Drills from before signing began, whose records nobody signed; counted where signatures
    /// were checked.
    pub unsigned: u64,
    /// Files that still wait to be copied to where the plan wants copies; none where it wants
    /// none, or nobody looked.
    pub unsent: Option<u64>,
}

/// One drill, and where its evidence lies.
#[derive(Clone, Debug)]
pub struct Drill {
    /// Everything known about it.
    pub record: Record,
    /// Its file, if it has one.
    pub evidence: Option<PathBuf>,
}

/// What is kept of each drill.
#[derive(Clone, Debug)]
pub struct Point {
    /// When it began.
    pub started_at: Moment,
    /// When it was over; when it began, where that is not known.
    pub ended_at: Moment,
    /// How it ended.
    pub verdict: Verdict,
    /// The recovery time that meets the objective.
    pub recovery_time: Option<Figure>,
    /// The age of the data.
    pub data_age: Option<Figure>,
    /// The worst that could have been lost.
    pub worst_case: Option<Figure>,
    /// The size of the backup.
    pub backup_bytes: Option<u64>,
    /// The backup that was restored, where its moment is known.
    pub backup: Option<Kept>,
    /// The name and the moment of the newest one, where another was restored.
    pub newest_backup: Option<(String, Moment)>,
}

impl Point {
    fn of(record: &Record) -> Point {
        let selection = record.selection.as_ref();
        Point {
            started_at: record.run.started_at,
            ended_at: record.run.finished_at.unwrap_or(record.run.started_at),
            verdict: record.verdict.result.0,
            recovery_time: figures::recovery_time(record),
            data_age: figures::loss(record, Loss::DataAge),
            worst_case: figures::loss(record, Loss::WorstCase),
            backup_bytes: selection.and_then(|selection| Some(selection.selected.as_ref()?.size_bytes)),
            backup: selection.and_then(|selection| restored(selection, &record.verdict)),
            newest_backup: selection.and_then(|selection| {
                let newest = selection.newest.as_ref()?;
                Some((newest.uri.clone(), newest.consistency_point.time))
            }),
        }
    }
}

fn restored(selection: &Selection, verdict: &Ruling) -> Option<Kept> {
    let (selected, point) = (selection.selected.as_ref()?, selection.consistency_point.as_ref()?);
    Some(Kept {
        name: selected.uri.clone(),
        at: point.time,
        available_at: selected.last_modified.unwrap_or(point.time),
        bytes: Some(selected.size_bytes),
        word: Content::of(verdict.result.0, &verdict.reason_codes),
    })
}

impl Series {
    /// The series of a service without any evidence.
    pub fn none(service: &str) -> Series {
        Series {
            service: service.to_owned(),
            newest: None,
            drills: Vec::new(),
            abandoned: 0,
            faults: Vec::new(),
            faults_total: 0,
            signatures_checked: false,
            unsigned: 0,
            unsent: None,
        }
    }

    /// The series of a drill whose evidence could not be stored, or not be read back.
    pub fn of_one(record: &Record) -> Series {
        Series {
            drills: vec![Point::of(record)],
            newest: Some(Drill { record: record.clone(), evidence: None }),
            ..Series::none(&record.service.id)
        }
    }

    /// When the last drill that passed was over.
    pub fn last_pass(&self) -> Option<Moment> {
        self.drills.iter().rev().find(|drill| drill.verdict == Verdict::Pass).map(|drill| drill.ended_at)
    }

    /// How many drills ended in `verdict`.
    pub fn count(&self, verdict: Verdict) -> u64 {
        self.drills.iter().filter(|drill| drill.verdict == verdict).count() as u64
    }

    fn fault(&mut self, line: String) {
        self.faults_total += 1;
        if self.faults.len() < FAULTS_MAX {
            self.faults.push(line);
        }
    }
}

/// The series of each log below `root`, or of the one log that `root` is, in the order of
/// their names. With `keys`, only what one of them signed stands up, and what nobody signed
/// before the first record that one of them did; without, signatures are not looked at.
///
/// # Errors
/// `root` can't be read. Whatever is wrong with single files is in the series.
pub fn all(root: &Path, keys: &[PublicKey]) -> Result<Vec<Series>, Error> {
    Ok(of(&verify(root, keys, &options(keys))?, keys))
}

/// The series of each log that was verified with `keys`.
pub fn of(report: &Report, keys: &[PublicKey]) -> Vec<Series> {
    report.logs.iter().filter(|log| !is_empty(log)).map(|log| series_of(log, keys)).collect()
}

/// The series of `service` below `root`; an empty one if there is no log of that name.
///
/// # Errors
/// The log can't be read.
pub fn one(root: &Path, service: &str, keys: &[PublicKey]) -> Result<Series, Error> {
    let Some(folder) = folder_of(root, service) else { return Ok(Series::none(service)) };
    let report = verify(&folder, keys, &options(keys))?;
    let log = report.logs.iter().find(|log| log.directory == folder && !is_empty(log));
    Ok(log.map_or_else(|| Series::none(service), |log| series_of(log, keys)))
}

/// The newest drill of each log below `root`, or of the one log that `root` is, as [`newest`]
/// has it.
///
/// # Errors
/// `root` can't be read.
pub fn newest_of_all(root: &Path, keys: &[PublicKey]) -> Result<Vec<Series>, Error> {
    let mut all = Vec::new();
    for directory in logs_in(root)? {
        let found = verify_newest(&directory, keys, &options(keys))?;
        all.extend((!found.records.is_empty()).then(|| series_of_newest(&found, keys)));
    }
    Ok(all)
}

/// The newest drill of `service` below `root`, and as many before it as it takes to the last
/// that passed, at most 64: only these are read and verified, so that asking takes milliseconds
/// however long the log is. What is wrong further back, [`one`] finds.
///
/// # Errors
/// The log can't be read.
pub fn newest(root: &Path, service: &str, keys: &[PublicKey]) -> Result<Series, Error> {
    let Some(folder) = folder_of(root, service) else { return Ok(Series::none(service)) };
    let found = verify_newest(&folder, keys, &options(keys))?;
    Ok(if found.records.is_empty() { Series::none(service) } else { series_of_newest(&found, keys) })
}

fn series_of_newest(found: &Newest, keys: &[PublicKey]) -> Series {
    series_from(&found.directory, &found.records, &found.faults, keys)
}

/// The folder of a service's log, if there is one.
fn folder_of(root: &Path, service: &str) -> Option<PathBuf> {
    let folder = root.join(service);
    let is_name = !service.starts_with('.') && !service.contains('/') && !service.is_empty();
    (is_name && fs::symlink_metadata(&folder).is_ok_and(|found| found.is_dir())).then_some(folder)
}

fn options(keys: &[PublicKey]) -> Options {
    Options { allow_unsigned: keys.is_empty(), ..Options::default() }
}

fn is_empty(log: &LogReport) -> bool {
    log.records.is_empty()
}

fn series_of(log: &LogReport, keys: &[PublicKey]) -> Series {
    series_from(&log.directory, &log.records, &log.faults, keys)
}

/// The series of the records that were found in a folder, and what is wrong beside them.
fn series_from(directory: &Path, records: &[Checked], faults: &[Fault], keys: &[PublicKey]) -> Series {
    let name = directory.file_name().map(|name| name.to_string_lossy().into_owned());
    let mut series = Series::none(&name.unwrap_or_default());
    series.signatures_checked = !keys.is_empty();
    // The chain binds what lies before a signature to it.
    let signed_from = records.iter().position(|record| record.signed_by.is_some()).unwrap_or_default();
    for (place, checked) in records.iter().enumerate() {
        let keys = if place < signed_from && is_unsigned(checked) { &[] } else { keys };
        series.unsigned += u64::from(series.signatures_checked && keys.is_empty());
        for fault in checked.faults.iter().filter(|fault| counts(fault.kind, keys)) {
            series.fault(format!("{}: {}", file_name(&checked.path), fault.detail));
        }
        if checked.faults.iter().any(|fault| counts(fault.kind, keys) && spoils(fault.kind)) {
            continue;
        }
        match reread(checked, keys) {
            Ok(record) => take(&mut series, record, &checked.path),
            Err(why) => series.fault(format!("{}: {why}", file_name(&checked.path))),
        }
    }
    // A night without a drill takes nothing from the records that there are.
    for fault in faults.iter().filter(|fault| fault.kind != FaultKind::Gap) {
        series.fault(fault.detail.clone());
    }
    let unnamed = series.faults_total.saturating_sub(series.faults.len() as u64);
    if unnamed > 0 {
        series.faults.push(format!("{unnamed} more faults are not named here"));
    }
    series
}

fn take(series: &mut Series, record: Record, path: &Path) {
    series.service.clone_from(&record.service.id);
    series.abandoned = series.abandoned.saturating_add(record.chain.abandoned_runs.len() as u64);
    series.drills.push(Point::of(&record));
    series.newest = Some(Drill { record, evidence: Some(path.to_owned()) });
}

/// Whether a file is of a drill that nobody signed, and no envelope that nobody known did.
fn is_unsigned(checked: &Checked) -> bool {
    checked.faults.iter().any(|fault| fault.kind == FaultKind::Unsigned)
}

/// Whether a fault is one for this reader: without keys, nobody's signature is a fault.
fn counts(kind: FaultKind, keys: &[PublicKey]) -> bool {
    !(keys.is_empty() && matches!(kind, FaultKind::NotOurs | FaultKind::Unsigned))
}

/// Whether nothing that stands in the file may be used. A fault of the order says that a file
/// before it, or its place, is wrong.
fn spoils(kind: FaultKind) -> bool {
    !matches!(kind, FaultKind::ChainBroken | FaultKind::PlaceMissing | FaultKind::TimeRunsBack)
}

/// The record of a file that was verified, or why it is no longer the same.
fn reread(checked: &Checked, keys: &[PublicKey]) -> Result<Record, String> {
    let mut bytes = Vec::new();
    // An envelope is a third larger than its statement.
    File::open(&checked.path)
        .and_then(|file| file.take(2 * BYTES_MAX).read_to_end(&mut bytes))
        .map_err(|cause| format!("it can't be read again: {cause}"))?;
    let record = parse(&bytes, keys).ok_or("it changed while it was read")?;
    let same = record.run.run_id == checked.run_id
        && Some(record.verdict.result.0) == checked.verdict
        && Some(record.run.started_at) == checked.started_at;
    if same { Ok(record) } else { Err("it changed while it was read".to_owned()) }
}

fn parse(bytes: &[u8], keys: &[PublicKey]) -> Option<Record> {
    let Ok(envelope) = Envelope::read(bytes) else {
        return keys.is_empty().then(|| Statement::read(bytes).ok())?.map(|statement| statement.predicate);
    };
    let payload = envelope.payload().ok()?;
    let signed = keys.is_empty() || envelope.signed_by(&payload, keys).is_some();
    signed.then(|| Statement::read(&payload).ok())?.map(|statement| statement.predicate)
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
