//! One file of a log under the auditor's eyes.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::digest::Digest;
use crate::evidence::envelope::Envelope;
use crate::evidence::error::Error;
use crate::evidence::fault::{Fault, FaultKind, with_causes};
use crate::evidence::gap::{Cadence, Start};
use crate::evidence::key::PublicKey;
use crate::evidence::log::{Entry, Head, genesis, read_file};
use crate::evidence::statement::Statement;
use crate::evidence::verify::Options;
use crate::judge::judge;
use crate::record::{Moment, Record, RunId, Sha256, Signing, limitations};
use crate::verdict::Verdict;

/// What was found in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// The file.
    pub path: PathBuf,
    /// The place that its name claims.
    pub sequence: u64,
    /// The drill that its name claims.
    pub run_id: RunId,
    /// The digest of its bytes, if it could be read.
    pub sha256: Option<Sha256>,
    /// The log that its record names, if it could be read.
    pub log_id: Option<String>,
    /// When the drill began, if the file could be read.
    pub started_at: Option<Moment>,
    /// The verdict that it records, if the file could be read.
    pub verdict: Option<Verdict>,
    /// The key that signed it, if one of the auditor's did.
    pub signed_by: Option<String>,
    /// What is wrong with it.
    pub faults: Vec<Fault>,
}

/// What is known of the files before the one at hand.
#[derive(Default)]
pub(in crate::evidence) struct Walk {
    pub log_id: Option<String>,
    pub head: Option<Head>,
    pub starts: Vec<Start>,
    places_of: BTreeMap<RunId, u64>,
}

/// Checks a file, which follows those that `walk` has seen.
pub(in crate::evidence) fn verify_file(
    entry: Entry,
    walk: &mut Walk,
    keys: &[PublicKey],
    options: &Options,
) -> Checked {
    let mut checked = Checked {
        path: entry.path.clone(),
        sequence: entry.sequence,
        run_id: entry.run_id,
        sha256: None,
        log_id: None,
        started_at: None,
        verdict: None,
        signed_by: None,
        faults: Vec::new(),
    };
    let before = walk.head;
    let opened = read_file(&entry.path).and_then(|bytes| {
        let sha256 = Sha256(Digest::of(&bytes));
        checked.sha256 = Some(sha256);
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
    checked.log_id = Some(record.chain.log_id.clone());
    checked.started_at = Some(record.run.started_at);
    checked.verdict = Some(record.verdict.result.0);
    checked.signed_by = signer.map(|key| key.id().to_owned());
    of_the_signature(&entry, &record, &checked.signed_by, options, &mut checked.faults);
    of_the_name(&entry, &record, &mut checked.faults);
    of_the_order(&entry, &record, before, options, walk, &mut checked.faults);
    let is_believed = checked.signed_by.is_some() || (options.allow_unsigned && !entry.signed);
    let cadence = match is_believed {
        true => Cadence::stated(&record.objectives),
        false => walk.starts.last().and_then(|before| before.cadence),
    };
    walk.starts.push(Start { at: record.run.started_at, cadence });
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

fn of_the_signature(
    entry: &Entry,
    record: &Record,
    signed_by: &Option<String>,
    options: &Options,
    faults: &mut Vec<Fault>,
) {
    match (entry.signed, signed_by) {
        (true, Some(_)) => {}
        (true, None) => faults.push(Fault {
            kind: FaultKind::NotOurs,
            detail: "none of the given keys has signed this, as it stands".to_owned(),
        }),
        (false, _) if options.allow_unsigned || !options.concerns(record.run.started_at) => {}
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
    if walk.starts.last().is_some_and(|last| last.at > record.run.started_at) {
        add(FaultKind::TimeRunsBack, "the drill began before the one before it".to_owned());
    }
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
