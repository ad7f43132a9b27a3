//! The auditor's check of a folder of evidence: offline, with the auditor's own keys.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;

use crate::digest::Digest;
use crate::evidence::envelope::Envelope;
use crate::evidence::error::{Error, Kind};
use crate::evidence::key::PublicKey;
use crate::evidence::log::{Entry, Head, entries, genesis, read_file};
use crate::evidence::statement::Statement;
use crate::judge::judge;
use crate::record::{Millis, Moment, Record, RunId, Sha256, Signing, limitations};
use crate::verdict::Verdict;

/// How many logs a folder may hold.
const LOGS_MAX: usize = 100_000;

/// What the auditor demands beyond signatures and chain.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The digest of the last file, as it was heard of from somebody else. Fits one log only.
    pub expect_head: Option<Sha256>,
    /// How often there must be a record.
    pub expect_every: Option<Duration>,
    /// The start of the period: a log may begin later than with its first record, and there
    /// must be one soon after this.
    pub since: Option<Timestamp>,
    /// The end of the period: there must be a record soon before this.
    pub until: Option<Timestamp>,
    /// Whether bare statements are taken; they prove nothing about who wrote them.
    pub allow_unsigned: bool,
}

/// What was found in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Each log, by its name.
    pub logs: Vec<LogReport>,
}

impl Report {
    /// Whether nothing was found wrong, and there was something to look at.
    pub fn is_sound(&self) -> bool {
        !self.logs.is_empty() && self.logs.iter().all(|log| log.faults().next().is_none())
    }

    /// How far the whole folder can be trusted: as far as its weakest log.
    pub fn trust(&self) -> Trust {
        self.logs.iter().map(|log| log.trust).min().unwrap_or(Trust::Nothing)
    }
}

/// What was found in a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogReport {
    /// The folder of the log.
    pub directory: PathBuf,
    /// The name that its records give it.
    pub log_id: Option<String>,
    /// Each file, in order.
    pub records: Vec<Checked>,
    /// What is wrong with the log as a whole.
    pub faults: Vec<Fault>,
    /// Where records are missing, by the cadence.
    pub gaps: Vec<Gap>,
    /// The last file.
    pub head: Option<Head>,
    /// How far the log can be trusted.
    pub trust: Trust,
}

impl LogReport {
    /// Everything that is wrong, with the log and with its files.
    pub fn faults(&self) -> impl Iterator<Item = &Fault> {
        self.records.iter().flat_map(|record| &record.faults).chain(&self.faults)
    }
}

/// What was found in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// The file.
    pub path: PathBuf,
    /// The place that its name claims.
    pub sequence: u64,
    /// The drill that its name claims.
    pub run_id: RunId,
    /// When the drill began, if the file could be read.
    pub started_at: Option<Moment>,
    /// The verdict that it records, if the file could be read.
    pub verdict: Option<Verdict>,
    /// The key that signed it, if one of the auditor's did.
    pub signed_by: Option<String>,
    /// What is wrong with it.
    pub faults: Vec<Fault>,
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What.
    pub kind: FaultKind,
    /// One line that names it.
    pub detail: String,
}

/// What can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FaultKind {
    /// The file can't be read as evidence.
    Unreadable,
    /// It is not signed.
    Unsigned,
    /// No key of the auditor's has signed it, as it stands.
    NotOurs,
    /// Its name is not what its record says.
    Misnamed,
    /// Its record is of another log.
    WrongLog,
    /// It does not follow the file before it.
    ChainBroken,
    /// A place in the sequence has no file.
    PlaceMissing,
    /// A place in the sequence has two, or a drill has.
    Twice,
    /// The drill began before the one before it.
    TimeRunsBack,
    /// The judge comes to another verdict.
    VerdictDiffers,
    /// The last file is not the one that the auditor was told of.
    HeadDiffers,
    /// Records are missing, by the cadence.
    Gap,
    /// There is nothing.
    Empty,
}

/// A stretch without a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The last record before it, or the start of the period.
    pub from: Moment,
    /// The first after it, or the end of the period.
    pub to: Moment,
    /// How many records are missing.
    pub missing: u64,
}

/// How far evidence can be trusted, least first. Each holds what the ones before it hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trust {
    /// Not at all: something is wrong, or nobody signed.
    Nothing,
    /// L1: a key of the auditor's signed each record.
    Signatures,
    /// L2: and none is missing between the first and the last, and the cadence was kept.
    Chain,
    /// L3: and the last is the one that somebody else told of.
    Anchored,
}

/// Checks the log in `folder`, or each log in the folders of it, against `keys`.
///
/// Nothing is fetched, and no key is taken from the evidence. Fails only where the folder
/// can't be read; whatever is wrong with the evidence is in the report.
pub fn verify(folder: &Path, keys: &[PublicKey], options: &Options) -> Result<Report, Error> {
    let logs = logs_in(folder)?.iter().map(|log| verify_log(log, keys, options)).collect::<Result<_, _>>()?;
    Ok(Report { logs })
}

fn logs_in(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let failed = |cause| Error::io("read the directory", folder, cause);
    if !entries(folder)?.is_empty() {
        return Ok(vec![folder.to_owned()]);
    }
    let mut logs = Vec::new();
    for inner in fs::read_dir(folder).map_err(failed)? {
        let inner = inner.map_err(failed)?;
        if inner.file_type().map_err(failed)?.is_dir() {
            logs.push(inner.path());
        }
        if logs.len() > LOGS_MAX {
            return Err(Error::new(Kind::Malformed, "read a folder of more than 100,000 logs:").at(folder));
        }
    }
    if logs.is_empty() {
        logs.push(folder.to_owned());
    }
    logs.sort();
    Ok(logs)
}

fn verify_log(directory: &Path, keys: &[PublicKey], options: &Options) -> Result<LogReport, Error> {
    let mut walk = Walk::default();
    let mut records = Vec::new();
    for entry in entries(directory)? {
        records.push(verify_file(entry, &mut walk, keys, options));
    }
    let mut faults = Vec::new();
    let mut add = |kind, detail: String| faults.push(Fault { kind, detail });
    if records.is_empty() {
        add(FaultKind::Empty, "there is no evidence here".to_owned());
    }
    if let (Some(expected), Some(head)) = (options.expect_head, walk.head)
        && expected != head.sha256
    {
        add(
            FaultKind::HeadDiffers,
            format!("the last file, of place {}, is {} and not {expected}", head.sequence, head.sha256),
        );
    }
    let gaps = gaps(&walk.starts, options);
    if !gaps.is_empty() {
        let missing = gaps.iter().map(|gap| gap.missing).fold(0, u64::saturating_add);
        add(
            FaultKind::Gap,
            format!("{missing} records are missing by the cadence, in {} places", gaps.len()),
        );
    }
    let mut report = LogReport {
        directory: directory.to_owned(),
        log_id: walk.log_id,
        records,
        faults,
        gaps,
        head: walk.head,
        trust: Trust::Nothing,
    };
    report.trust = trust_of(&report, options);
    Ok(report)
}

fn trust_of(report: &LogReport, options: &Options) -> Trust {
    let signed = report.records.iter().all(|record| record.signed_by.is_some());
    let clean = |record: &Checked| record.faults.is_empty();
    let about_order = |kind: FaultKind| {
        matches!(
            kind,
            FaultKind::ChainBroken | FaultKind::PlaceMissing | FaultKind::Twice | FaultKind::TimeRunsBack
        )
    };
    let each_alone_is_sound =
        report.records.iter().flat_map(|record| &record.faults).all(|fault| about_order(fault.kind));
    let together_sound = report.records.iter().all(clean) && report.faults.is_empty();
    if report.records.is_empty() || !signed || !each_alone_is_sound {
        Trust::Nothing
    } else if !together_sound {
        Trust::Signatures
    } else if options.expect_head.is_some() {
        Trust::Anchored
    } else {
        Trust::Chain
    }
}

/// What is known of the files before the one at hand.
#[derive(Default)]
struct Walk {
    log_id: Option<String>,
    head: Option<Head>,
    starts: Vec<Moment>,
    places_of: BTreeMap<RunId, u64>,
}

fn verify_file(entry: Entry, walk: &mut Walk, keys: &[PublicKey], options: &Options) -> Checked {
    let mut checked = Checked {
        path: entry.path.clone(),
        sequence: entry.sequence,
        run_id: entry.run_id,
        started_at: None,
        verdict: None,
        signed_by: None,
        faults: Vec::new(),
    };
    let before = walk.head;
    let opened = read_file(&entry.path).and_then(|bytes| {
        let sha256 = Sha256(Digest::of(&bytes));
        walk.head = Some(Head { sequence: entry.sequence, sha256 });
        open(&entry, &bytes, keys)
    });
    let (record, signer) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            checked.faults.push(Fault { kind: FaultKind::Unreadable, detail: with_causes(&error) });
            return checked;
        }
    };
    checked.started_at = Some(record.run.started_at);
    checked.verdict = Some(record.verdict.result.0);
    checked.signed_by = signer.map(|key| key.id().to_owned());
    of_the_signature(&entry, &checked.signed_by, options, &mut checked.faults);
    of_the_name(&entry, &record, &mut checked.faults);
    of_the_order(&entry, &record, before, options, walk, &mut checked.faults);
    of_the_verdict(&record, &mut checked.faults);
    checked
}

/// The record of a file, and the key that signed exactly the bytes it was read from.
fn open<'k>(
    entry: &Entry,
    bytes: &[u8],
    keys: &'k [PublicKey],
) -> Result<(Record, Option<&'k PublicKey>), Error> {
    if !entry.signed {
        return Ok((Statement::read(bytes)?.predicate, None));
    }
    let envelope = Envelope::read(bytes)?;
    let payload = envelope.payload()?;
    let signer = envelope.signed_by(&payload, keys);
    Ok((Statement::read(&payload)?.predicate, signer))
}

fn of_the_signature(entry: &Entry, signed_by: &Option<String>, options: &Options, faults: &mut Vec<Fault>) {
    match (entry.signed, signed_by) {
        (true, Some(_)) => {}
        (true, None) => faults.push(Fault {
            kind: FaultKind::NotOurs,
            detail: "none of the given keys has signed this, as it stands".to_owned(),
        }),
        (false, _) if options.allow_unsigned => {}
        (false, _) => {
            faults.push(Fault { kind: FaultKind::Unsigned, detail: "this is not signed".to_owned() });
        }
    }
}

fn of_the_name(entry: &Entry, record: &Record, faults: &mut Vec<Fault>) {
    let signing = if entry.signed { Signing::Ed25519 } else { Signing::None };
    let claims = (record.chain.sequence, record.run.run_id, record.chain.signing);
    if claims != (Some(entry.sequence), entry.run_id, signing) {
        faults.push(Fault {
            kind: FaultKind::Misnamed,
            detail: "the name of the file is not what its record says".to_owned(),
        });
    }
}

fn of_the_order(
    entry: &Entry,
    record: &Record,
    before: Option<Head>,
    options: &Options,
    walk: &mut Walk,
    faults: &mut Vec<Fault>,
) {
    let mut add = |kind, detail: String| faults.push(Fault { kind, detail });
    let log_id = walk.log_id.get_or_insert_with(|| record.chain.log_id.clone());
    if *log_id != record.chain.log_id || record.chain.log_id != record.service.id {
        add(
            FaultKind::WrongLog,
            format!("this is of the log {:?}, among those of {log_id:?}", record.chain.log_id),
        );
    }
    let claimed = record.chain.previous_envelope_sha256;
    match before {
        None if entry.sequence == 1 && claimed != Some(genesis(log_id)) => {
            add(FaultKind::ChainBroken, "the first record does not begin the log".to_owned());
        }
        None if entry.sequence != 1 && options.since.is_none() => {
            add(
                FaultKind::PlaceMissing,
                format!("places 1 to {} have no file", entry.sequence.saturating_sub(1)),
            );
        }
        None => {}
        Some(head) if head.sequence == entry.sequence => {
            add(FaultKind::Twice, format!("two files claim place {}", entry.sequence));
        }
        Some(head) if head.sequence.checked_add(1) != Some(entry.sequence) => {
            let (first, last) = (head.sequence.saturating_add(1), entry.sequence.saturating_sub(1));
            add(FaultKind::PlaceMissing, format!("places {first} to {last} have no file"));
        }
        Some(head) if claimed != Some(head.sha256) => {
            let detail = format!("this does not follow the file of place {}, as that stands", head.sequence);
            add(FaultKind::ChainBroken, detail);
        }
        Some(_) => {}
    }
    if let Some(place) = walk.places_of.insert(record.run.run_id, entry.sequence) {
        add(FaultKind::Twice, format!("the drill of this file has place {place} too"));
    }
    if walk.starts.last().is_some_and(|last| *last > record.run.started_at) {
        add(FaultKind::TimeRunsBack, "the drill began before the one before it".to_owned());
    }
    walk.starts.push(record.run.started_at);
}

/// The verdict and its codes must always be those that the judge finds. The words beside them
/// may change from one firedrill to the next, and must be the same from the same.
fn of_the_verdict(record: &Record, faults: &mut Vec<Fault>) {
    let found = judge(record).ruling();
    let recorded = &record.verdict;
    let same_tool = record.run.tool.version == env!("CARGO_PKG_VERSION");
    let words = *recorded == found && record.limitations == limitations(record);
    if recorded.result != found.result || recorded.reason_codes != found.reason_codes {
        let codes: Vec<String> = found.reason_codes.iter().map(ToString::to_string).collect();
        faults.push(Fault {
            kind: FaultKind::VerdictDiffers,
            detail: format!(
                "the record says {}, and the judge says {} ({})",
                recorded.result,
                found.result,
                codes.join(", ")
            ),
        });
    } else if same_tool && !words {
        faults.push(Fault {
            kind: FaultKind::VerdictDiffers,
            detail: "the words of the verdict are not those that its record gives".to_owned(),
        });
    }
}

/// Where two records are further apart than the cadence.
fn gaps(starts: &[Moment], options: &Options) -> Vec<Gap> {
    let Some(every) = options.expect_every.map(Millis::from).filter(|every| every.get() > 0) else {
        return Vec::new();
    };
    let since = options.since.map(Moment::from);
    let until = options.until.map(Moment::from);
    let within = |moment: &&Moment| {
        since.is_none_or(|since| **moment >= since) && until.is_none_or(|until| **moment <= until)
    };
    let moments: Vec<Moment> =
        since.iter().chain(starts.iter().filter(within)).chain(until.iter()).copied().collect();
    let gap = |pair: &[Moment]| {
        let [from, to] = *pair else { return None };
        let apart = to.since(from).get().unsigned_abs();
        let missing = apart.saturating_sub(1) / every.get();
        (to > from && apart > every.get()).then_some(Gap { from, to, missing })
    };
    moments.windows(2).filter_map(gap).collect()
}

/// The error with what caused it, in one line.
fn with_causes(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text.push_str(&format!(": {inner}"));
        cause = inner.source();
    }
    text
}
