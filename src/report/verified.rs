//! What the auditor's check came to, in words and as JSON.

use std::path::Path;

use serde::Serialize;

use crate::evidence::{
    Cadence, Checked, CheckedReview, Coverage, Expected, Fault, Gap, Head, LogReport, Options, Report,
    ReviewOutcome, Trust,
};
use crate::record::{Millis, Moment, RunId, Sha256, VerdictWord};
use crate::report::{encode, layout};
use crate::verdict::Verdict;

/// How many faults of a log are shown in words, and how many gaps; all of them are counted.
const FAULTS_SHOWN: usize = 50;
const GAPS_SHOWN: usize = 20;

/// How far something can be trusted, as a short name and in words.
pub fn trust(trust: Trust) -> (&'static str, &'static str) {
    match trust {
        Trust::Nothing => ("L0", "nobody vouches for it"),
        Trust::Signatures => ("L1", "each record is signed by a key that you named"),
        Trust::Chain => {
            ("L2", "each record is signed by a key that you named, and none is missing between them")
        }
        Trust::Anchored => (
            "L3",
            "each record is signed by a key that you named, none is missing, and the last is the one you were told of",
        ),
    }
}

/// The check in words: one block for each log, and a last line that begins with `sound` or
/// `not sound`.
pub fn text(report: &Report, options: &Options, columns: usize) -> String {
    let mut text = String::new();
    for log in &report.logs {
        text.push_str(&log_text(log, options, columns));
        text.push('\n');
    }
    let (level, words) = trust(report.trust());
    let faults: usize = report.logs.iter().map(|log| log.faults().count()).sum();
    match (report.is_sound(), faults) {
        (true, _) => text.push_str(&format!("sound, {level}: {words}\n")),
        (false, 0) => text.push_str("not sound: there is no evidence\n"),
        (false, faults) => {
            let faults = encode::plural(faults as u64, "fault");
            text.push_str(&format!("not sound: {faults}; {level}: {words}\n"));
        }
    }
    text
}

fn log_text(log: &LogReport, options: &Options, columns: usize) -> String {
    let faults = log.faults().count();
    let (level, _) = trust(log.trust);
    let word = if faults == 0 { "sound".to_owned() } else { encode::plural(faults as u64, "fault") };
    let mut text = format!("{}: {word}, {level}\n", name_of(log));
    let mut line = |label: &str, words: &str| text.push_str(&layout::labelled(label, words, columns));
    line("records", &records(log));
    let signers = signers(log.records.iter().map(|record| &record.signed_by));
    line("signed by", if signers.is_empty() { "none of your keys" } else { &signers });
    if let Some(Head { sequence, sha256 }) = log.head {
        line("head", &format!("{sequence}, {sha256}"));
    }
    if !log.reviews.is_empty() {
        line("reviews", &reviews(&log.reviews, !options.reviewers.is_empty()));
    }
    if let Some(coverage) = looked_at(log) {
        line("coverage", &coverage_text(coverage, options));
    }
    let unchecked = unchecked(log, options);
    if !unchecked.is_empty() {
        line("unchecked", &unchecked);
    }
    for (file, fault) in faults_of(log).take(FAULTS_SHOWN) {
        let file = file.map(|file| format!("{file}: ")).unwrap_or_default();
        line("fault", &format!("{file}{}", encode::sentence(&fault.detail)));
        line("", &format!("{}; {}", fault.kind.as_str(), fault.kind.remedy()));
    }
    if faults > FAULTS_SHOWN {
        line("", &format!("and {} more; --json lists all of them", faults.saturating_sub(FAULTS_SHOWN)));
    }
    text
}

fn name_of(log: &LogReport) -> String {
    let folder = log.directory.file_name().map(|name| name.to_string_lossy().into_owned());
    encode::name(log.log_id.as_deref().or(folder.as_deref()).unwrap_or("?"), 63)
}

/// `30, 2026-10-22T02:30:00.112Z to 2026-11-20T02:30:00.112Z; 28 pass, 2 fail`.
fn records(log: &LogReport) -> String {
    let starts: Vec<Moment> = log.records.iter().filter_map(|record| record.started_at).collect();
    let mut text = log.records.len().to_string();
    if let (Some(first), Some(last)) = (starts.first(), starts.last()) {
        text.push_str(&format!(", {first} to {last}"));
    }
    let mut counts = Vec::new();
    for verdict in [Verdict::Pass, Verdict::Fail, Verdict::Inconclusive] {
        let count = log.records.iter().filter(|record| record.verdict == Some(verdict)).count();
        if count > 0 {
            counts.push(format!("{count} {verdict}"));
        }
    }
    let unread = log.records.iter().filter(|record| record.verdict.is_none()).count();
    if unread > 0 {
        counts.push(format!("{unread} unreadable"));
    }
    if !counts.is_empty() {
        text.push_str(&format!("; {}", counts.join(", ")));
    }
    text
}

fn signers<'a>(signed_by: impl Iterator<Item = &'a Option<String>>) -> String {
    let mut ids: Vec<&str> = signed_by.flatten().map(String::as_str).collect();
    ids.sort_unstable();
    ids.dedup();
    ids.join(", ")
}

fn reviews(reviews: &[CheckedReview], with_keys: bool) -> String {
    let count = |outcome: ReviewOutcome| {
        reviews.iter().filter(|it| it.review.as_ref().is_some_and(|it| it.outcome == outcome)).count()
    };
    let (accepted, action) = (count(ReviewOutcome::Accepted), count(ReviewOutcome::ActionRequired));
    let mut text = format!("{accepted} accepted, {action} with action required");
    if with_keys {
        text.push_str(&format!("; signed by {}", signers(reviews.iter().map(|review| &review.signed_by))));
    } else {
        text.push_str("; anybody's word, since no reviewer's key was named (--reviewer)");
    }
    text
}

/// How well the records cover the period, if there was a cadence to look by.
fn looked_at(log: &LogReport) -> Option<&Coverage> {
    log.coverage.as_ref().filter(|coverage| !coverage.cadences.is_empty())
}

/// `2 of 30 nights have no record: …`, each stretch with its bounds, and who says how often there
/// must be one.
fn coverage_text(coverage: &Coverage, options: &Options) -> String {
    let missing = coverage.missing;
    let noun = if coverage.cadences.iter().all(Cadence::is_nightly) { "night" } else { "due drill" };
    let due = encode::plural(coverage.due, noun);
    let source = source(coverage, options);
    if missing == 0 {
        return format!("each of {due} has a record, {source}");
    }
    let have = if missing == 1 { "has" } else { "have" };
    let stretch = |gap: &Gap| format!("{} between {} and {}", gap.missing, gap.from, gap.to);
    let stretches: Vec<String> = coverage.gaps.iter().take(GAPS_SHOWN).map(stretch).collect();
    let mut text = format!("{missing} of {due} {have} no record: {}", stretches.join("; "));
    if coverage.gaps.len() > GAPS_SHOWN {
        text.push_str(&format!("; and {} more stretches", coverage.gaps.len().saturating_sub(GAPS_SHOWN)));
    }
    format!("{text}; {source}")
}

/// Who says how often there must be a record, and how often that is.
fn source(coverage: &Coverage, options: &Options) -> String {
    if let Some(every) = options.expected.every() {
        return format!("by a cadence of {} (--expect-every)", encode::objective(every));
    }
    let records = if options.allow_unsigned { "records" } else { "signed records" };
    match coverage.cadences.as_slice() {
        [cadence] => {
            let (period, grace) = (encode::objective(cadence.period()), cadence.grace());
            let grace = match grace.is_zero() {
                true => "no grace".to_owned(),
                false => format!("{} of grace", encode::objective(grace)),
            };
            format!("by the plan's cadence as the {records} state it: every {period}, {grace}")
        }
        _ => format!("by the plan's cadence as the {records} state it, which changed"),
    }
}

/// How well the nights of each log are covered, one sentence each; none without a cadence.
pub fn coverages(report: &Report, options: &Options) -> Vec<String> {
    let sentence =
        |log: &LogReport| Some(format!("{}: {}.", name_of(log), coverage_text(looked_at(log)?, options)));
    report.logs.iter().filter_map(sentence).collect()
}

/// What nobody asked about, or nobody could tell, and so was not looked at.
fn unchecked(log: &LogReport, options: &Options) -> String {
    let mut unchecked = Vec::new();
    if options.expect_head.is_none() {
        unchecked.push("whether records were taken off the end (--expect-head)".to_owned());
    }
    match looked_at(log) {
        None if options.expected == Expected::AsStated => unchecked.push(
            "whether each night has a record, since the records state no cadence (--expect-every)".to_owned(),
        ),
        None => unchecked.push("whether each night has a record (--expect-every)".to_owned()),
        Some(coverage) => {
            if coverage.unmeasured > 0 {
                unchecked.push(format!(
                    "whether a record is missing behind {} of no cadence (--expect-every)",
                    encode::plural(coverage.unmeasured, "record")
                ));
            }
            if options.until.is_none() {
                unchecked.push("whether drills were due after the last one (--until)".to_owned());
            }
        }
    }
    unchecked.join("; ")
}

/// Each fault of a log with the name of its file, if it has one.
fn faults_of(log: &LogReport) -> impl Iterator<Item = (Option<String>, &Fault)> {
    let records = log.records.iter().map(|record| (&record.path, &record.faults));
    let reviews = log.reviews.iter().map(|review| (&review.path, &review.faults));
    let of_files = records
        .chain(reviews)
        .flat_map(|(path, faults)| faults.iter().map(move |fault| (Some(shown(path)), fault)));
    of_files.chain(log.faults.iter().map(|fault| (None, fault)))
}

fn shown(path: &Path) -> String {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    encode::name(&name, 120)
}

#[derive(Serialize)]
struct Document<'a> {
    sound: bool,
    trust: &'static str,
    logs: Vec<LogDocument<'a>>,
}

#[derive(Serialize)]
struct LogDocument<'a> {
    log_id: Option<&'a str>,
    trust: &'static str,
    head: Option<HeadDocument>,
    /// How many records were due by the cadence; absent if there was none to look by.
    #[serde(skip_serializing_if = "Option::is_none")]
    due: Option<u64>,
    /// Behind how many records nobody could look, since they state no cadence.
    #[serde(skip_serializing_if = "Option::is_none")]
    unmeasured: Option<u64>,
    /// Whose cadences those are: `asked` or `stated`.
    #[serde(skip_serializing_if = "Option::is_none")]
    cadence_from: Option<&'static str>,
    cadences: Vec<CadenceDocument>,
    gaps: Vec<GapDocument>,
    records: Vec<RecordDocument<'a>>,
    reviews: Vec<ReviewDocument<'a>>,
    faults: Vec<FaultDocument<'a>>,
}

#[derive(Serialize)]
struct HeadDocument {
    sequence: u64,
    sha256: Sha256,
}

#[derive(Serialize)]
struct CadenceDocument {
    period_ms: Millis,
    grace_ms: Millis,
}

#[derive(Serialize)]
struct GapDocument {
    from: Moment,
    to: Moment,
    missing: u64,
}

#[derive(Serialize)]
struct RecordDocument<'a> {
    file: String,
    sequence: u64,
    run_id: RunId,
    started_at: Option<Moment>,
    verdict: Option<VerdictWord>,
    sha256: Option<Sha256>,
    signed_by: Option<&'a str>,
    faults: Vec<FaultDocument<'a>>,
}

#[derive(Serialize)]
struct ReviewDocument<'a> {
    file: String,
    sequence: u64,
    outcome: Option<&'static str>,
    reviewed_at: Option<Moment>,
    ticket: Option<&'a str>,
    signed_by: Option<&'a str>,
    faults: Vec<FaultDocument<'a>>,
}

#[derive(Serialize)]
struct FaultDocument<'a> {
    code: &'static str,
    detail: &'a str,
    remedy: &'static str,
}

/// The check as one JSON document, on one line with its newline.
///
/// # Errors
/// It can't be written as JSON, which would be a bug.
pub fn json(report: &Report, options: &Options) -> serde_json::Result<String> {
    let document = Document {
        sound: report.is_sound(),
        trust: trust(report.trust()).0,
        logs: report.logs.iter().map(|log| log_document(log, options)).collect(),
    };
    serde_json::to_string(&document).map(|text| text + "\n")
}

fn log_document<'a>(log: &'a LogReport, options: &Options) -> LogDocument<'a> {
    let coverage = looked_at(log);
    LogDocument {
        log_id: log.log_id.as_deref(),
        trust: trust(log.trust).0,
        head: log.head.map(|head| HeadDocument { sequence: head.sequence, sha256: head.sha256 }),
        due: coverage.map(|coverage| coverage.due),
        unmeasured: coverage.map(|coverage| coverage.unmeasured),
        cadence_from: coverage.map(|_| if options.expected.every().is_some() { "asked" } else { "stated" }),
        cadences: coverage.iter().flat_map(|coverage| &coverage.cadences).map(cadence_document).collect(),
        gaps: coverage
            .iter()
            .flat_map(|coverage| &coverage.gaps)
            .map(|gap| GapDocument { from: gap.from, to: gap.to, missing: gap.missing })
            .collect(),
        records: log.records.iter().map(record_document).collect(),
        reviews: log.reviews.iter().map(review_document).collect(),
        faults: fault_documents(&log.faults),
    }
}

fn cadence_document(cadence: &Cadence) -> CadenceDocument {
    CadenceDocument { period_ms: Millis::from(cadence.period()), grace_ms: Millis::from(cadence.grace()) }
}

fn record_document(record: &Checked) -> RecordDocument<'_> {
    RecordDocument {
        file: shown(&record.path),
        sequence: record.sequence,
        run_id: record.run_id,
        started_at: record.started_at,
        verdict: record.verdict.map(VerdictWord),
        sha256: record.sha256,
        signed_by: record.signed_by.as_deref(),
        faults: fault_documents(&record.faults),
    }
}

fn review_document(review: &CheckedReview) -> ReviewDocument<'_> {
    let said = review.review.as_ref();
    ReviewDocument {
        file: shown(&review.path),
        sequence: review.sequence,
        outcome: said.map(|review| review.outcome.as_str()),
        reviewed_at: said.map(|review| review.reviewed_at),
        ticket: said.and_then(|review| review.ticket.as_deref()),
        signed_by: review.signed_by.as_deref(),
        faults: fault_documents(&review.faults),
    }
}

fn fault_documents(faults: &[Fault]) -> Vec<FaultDocument<'_>> {
    let mut documents = Vec::new();
    for Fault { kind, detail } in faults {
        documents.push(FaultDocument { code: kind.as_str(), detail, remedy: kind.remedy() });
    }
    documents
}
