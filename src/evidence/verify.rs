//! The auditor's check of a folder of evidence: offline, with the auditor's own keys.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;

use crate::evidence::checked::{Checked, Walk, verify_file};
use crate::evidence::error::{Error, Kind};
use crate::evidence::fault::{Fault, FaultKind};
use crate::evidence::gap::{Cadence, Coverage, Start};
use crate::evidence::key::PublicKey;
use crate::evidence::log::{Head, entries, reviews};
use crate::evidence::reviewed::{CheckedReview, verify_reviews};
use crate::record::{Moment, Sha256};

/// How many logs a folder may hold.
const LOGS_MAX: usize = 100_000;

/// What the auditor demands beyond signatures and chain.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The digest of the last file, as it was heard of from somebody else. Fits one log only.
    pub expect_head: Option<Sha256>,
    /// How often there must be a record.
    pub expected: Expected,
    /// The start of the period: a log may begin later than with its first record, what began
    /// before it need not be signed, and there must be a record soon after it.
    pub since: Option<Timestamp>,
    /// The end of the period: there must be a record soon before this.
    pub until: Option<Timestamp>,
    /// Whether bare statements are taken; they prove nothing about who wrote them.
    pub allow_unsigned: bool,
    /// The keys of those who may review. Without any, nobody's review is checked.
    pub reviewers: Vec<PublicKey>,
}

/// How often there must be a record, and who says so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Expected {
    /// Nobody asks.
    #[default]
    Unasked,
    /// As each record states of its plan, if its signature holds: the next one is due by it.
    AsStated,
    /// In every stretch of this length.
    Every(Duration),
}

impl Expected {
    /// The length that was named, if one was.
    pub fn every(self) -> Option<Duration> {
        match self {
            Expected::Every(every) => Some(every),
            Expected::Unasked | Expected::AsStated => None,
        }
    }
}

impl Options {
    /// Whether a drill that began then is in the period.
    pub(in crate::evidence) fn concerns(&self, started_at: Moment) -> bool {
        self.since.is_none_or(|since| started_at >= Moment::from(since))
    }

    /// Whether it is not after the period either.
    fn spans(&self, started_at: Moment) -> bool {
        self.concerns(started_at) && self.until.is_none_or(|until| started_at <= Moment::from(until))
    }
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
    /// The reviews, by the record and then in their order.
    pub reviews: Vec<CheckedReview>,
    /// What is wrong with the log as a whole.
    pub faults: Vec<Fault>,
    /// Whether there are as many records as there should be; nothing, if nobody asked.
    pub coverage: Option<Coverage>,
    /// The last file.
    pub head: Option<Head>,
    /// How far the log can be trusted.
    pub trust: Trust,
}

impl LogReport {
    /// Everything that is wrong, with the log and with its files.
    pub fn faults(&self) -> impl Iterator<Item = &Fault> {
        let of_reviews = self.reviews.iter().flat_map(|review| &review.faults);
        self.records.iter().flat_map(|record| &record.faults).chain(of_reviews).chain(&self.faults)
    }
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

/// The folders of logs that `folder` holds; `folder` itself if it is one.
pub fn logs_in(folder: &Path) -> Result<Vec<PathBuf>, Error> {
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
    let reviews = verify_reviews(reviews(directory)?, &records, &options.reviewers);
    let mut faults = Vec::new();
    let mut add = |kind, detail: String| faults.push(Fault { kind, detail });
    if records.is_empty() {
        add(FaultKind::Empty, "there is no evidence here".to_owned());
    } else if !records.iter().any(|record| record.started_at.is_none_or(|began| options.spans(began))) {
        add(FaultKind::Empty, "no record here is of the period".to_owned());
    }
    if let (Some(expected), Some(head)) = (options.expect_head, walk.head)
        && expected != head.sha256
    {
        add(
            FaultKind::HeadDiffers,
            format!("the last file, of place {}, is {} and not {expected}", head.sequence, head.sha256),
        );
    }
    let coverage = coverage(&walk, records.first(), options);
    if let Some(Coverage { missing: missing @ 1.., due, .. }) = coverage {
        add(FaultKind::Gap, format!("{missing} of {due} records that were due are missing"));
    }
    let mut report = LogReport {
        directory: directory.to_owned(),
        log_id: walk.log_id,
        records,
        reviews,
        faults,
        coverage,
        head: walk.head,
        trust: Trust::Nothing,
    };
    report.trust = trust_of(&report, options);
    Ok(report)
}

/// How well the records cover the period.
///
/// What lies between the start of the period and the first record here is looked at by that
/// record's cadence if others went before it; a log that begins later than the period owes
/// nothing for the time before it, unless the auditor says how often there must be a record.
fn coverage(walk: &Walk, first: Option<&Checked>, options: &Options) -> Option<Coverage> {
    let (since, until) = (options.since, options.until);
    match options.expected {
        Expected::Unasked => None,
        Expected::Every(every) => {
            let cadence = Some(Cadence::of_every(every));
            let starts: Vec<Start> = walk.starts.iter().map(|start| Start { cadence, ..*start }).collect();
            Some(Coverage::of(&starts, cadence, since, until))
        }
        Expected::AsStated => {
            let is_beginning = first.is_none_or(|first| first.sequence <= 1);
            let before = walk.starts.first().filter(|_| !is_beginning).and_then(|start| start.cadence);
            Some(Coverage::of(&walk.starts, before, since, until))
        }
    }
}

fn trust_of(report: &LogReport, options: &Options) -> Trust {
    let concerned =
        |record: &&Checked| record.started_at.is_none_or(|started_at| options.concerns(started_at));
    let mut concerned = report.records.iter().filter(concerned).peekable();
    let signed = concerned.peek().is_some() && concerned.all(|record| record.signed_by.is_some());
    let about_order = |kind: FaultKind| {
        matches!(
            kind,
            FaultKind::ChainBroken | FaultKind::PlaceMissing | FaultKind::Twice | FaultKind::TimeRunsBack
        )
    };
    let each_alone_is_sound =
        report.records.iter().flat_map(|record| &record.faults).all(|fault| about_order(fault.kind));
    if !signed || !each_alone_is_sound {
        Trust::Nothing
    } else if report.faults().next().is_some() {
        Trust::Signatures
    } else if options.expect_head.is_some() {
        Trust::Anchored
    } else {
        Trust::Chain
    }
}
