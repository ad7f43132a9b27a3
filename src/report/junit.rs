//! The newest drills as JUnit XML: a suite for each service, a case for each obligation.
//!
//! A case without a result element has passed, for every reader of this format. So what was
//! not positively observed is an `<error>`, and a drill that is no pass has a case that says
//! so whatever else is in the suite.

use std::fmt::Write as _;
use std::time::Duration;

use jiff::Timestamp;

use crate::clock::{Phase, rfc3339_millis};
use crate::record::{CheckOutcome, CheckRecord, Record};
use crate::report::encode;
use crate::report::figures::{self, Figure};
use crate::report::standing::{Standing, why};
use crate::report::stored::Series;
use crate::verdict::{Blame, Code, Verdict};

/// Columns that a name or a sentence may take.
const TEXT_COLUMNS: usize = 500;
/// How many checks become cases; the rest are one error.
const CHECKS_MAX: usize = 2_000;

/// The document for `series`, as they stand at `now`. There is always at least one case.
pub fn document(series: &[Series], now: Timestamp, age_max: Option<Duration>) -> String {
    let mut suites: Vec<Suite> = series.iter().map(|one| suite(one, now, age_max)).collect();
    if suites.is_empty() {
        let nothing = Case::error("evidence", "there is no evidence");
        suites.push(Suite { name: "firedrill".to_owned(), timestamp: None, cases: vec![nothing] });
    }
    let all = || suites.iter().flat_map(|suite| &suite.cases);
    let mut xml = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned();
    let [tests, failures, errors] = counts(all());
    // Writing into a String cannot fail.
    let _ = writeln!(
        xml,
        "<testsuites name=\"firedrill\" tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\">"
    );
    for suite in &suites {
        write_suite(&mut xml, suite);
    }
    xml.push_str("</testsuites>\n");
    xml
}

struct Suite {
    name: String,
    timestamp: Option<Timestamp>,
    cases: Vec<Case>,
}

struct Case {
    name: String,
    /// In milliseconds, if it was measured.
    time: Option<u64>,
    result: Outcome,
}

enum Outcome {
    Passed,
    Failure(String),
    Error(String),
}

impl Case {
    fn new(name: impl Into<String>, result: Outcome) -> Case {
        Case { name: name.into(), time: None, result }
    }

    fn error(name: &str, why: impl Into<String>) -> Case {
        Case::new(name, Outcome::Error(why.into()))
    }
}

fn suite(series: &Series, now: Timestamp, age_max: Option<Duration>) -> Suite {
    let standing = Standing::of(series, now, age_max);
    let mut cases = Vec::new();
    if let Some(newest) = &series.newest {
        cases = obligations(&newest.record);
    }
    let said = why(series, standing, now, age_max);
    cases.push(Case::new("the evidence is sound and recent", said.map_or(Outcome::Passed, Outcome::Error)));
    let timestamp = series.newest.as_ref().map(|drill| drill.record.run.started_at.at());
    Suite { name: series.service.clone(), timestamp, cases }
}

/// The cases of one drill.
fn obligations(record: &Record) -> Vec<Case> {
    let mut cases = vec![
        case(
            record,
            Group::Backup,
            "a backup is chosen",
            record.selection.as_ref().map(|s| s.selected.is_some()),
        ),
        case(
            record,
            Group::Bytes,
            "its bytes are read whole",
            record.artifact.as_ref().map(|a| a.observed.is_some()),
        ),
        case(
            record,
            Group::Restore,
            "it is restored",
            record
                .restore
                .as_ref()
                .map(|r| r.toc_entries_failed == 0 && figures::has_ended(record, Phase::Restore)),
        ),
        case(
            record,
            Group::Rows,
            "its rows came back",
            record
                .fidelity
                .as_ref()
                .map(|f| f.tables_expected == f.tables_equal + f.tables_sampled + f.tables_counted),
        ),
    ];
    checks(record, &mut cases);
    objective(
        record,
        Group::Rto,
        "the recovery time meets its objective",
        figures::recovery_time(record),
        &mut cases,
    );
    let loss = figures::compared_loss(record).and_then(|which| figures::loss(record, which));
    objective(record, Group::Rpo, "the loss of data meets its objective", loss, &mut cases);
    cases.push(cleanup(record));
    cases.push(verdict(record));
    cases
}

/// What a reason speaks about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Group {
    Backup,
    Bytes,
    Restore,
    Rows,
    Rto,
    Rpo,
    /// The checks, or the drill as a whole.
    Other,
}

fn group(code: Code) -> Group {
    match code {
        Code::ListUnavailable
        | Code::ListIncomplete
        | Code::AccessDenied
        | Code::Credentials
        | Code::ClockUntrusted
        | Code::NoBackupFound
        | Code::BackupStale
        | Code::TimestampInFuture
        | Code::TimeSourcesDisagree
        | Code::NoConsistencyPoint => Group::Backup,
        Code::SourceUnstable
        | Code::NotRetrievable
        | Code::TransportUnreliable
        | Code::StoreUnavailable
        | Code::ArtifactDigestMismatch
        | Code::ArtifactTruncated
        | Code::ArtifactCorrupt
        | Code::NotAnArchive
        | Code::UnsupportedVersion
        | Code::DecryptionKey
        | Code::NoIntegrityReference => Group::Bytes,
        Code::RestoreErrors | Code::EntriesUnaccounted | Code::StructureDamaged => Group::Restore,
        Code::NoTableData
        | Code::AllTablesEmpty
        | Code::ObjectsMissing
        | Code::DataMismatch
        | Code::DataNotCompared => Group::Rows,
        Code::RtoMissed => Group::Rto,
        Code::RpoMissed => Group::Rpo,
        _ => Group::Other,
    }
}

/// A case that passes if it was seen to be good and no reason of the verdict speaks against it.
fn case(record: &Record, of: Group, name: &str, good: Option<bool>) -> Case {
    let result = match (against(record, of), good) {
        (Some(result), _) => result,
        (None, Some(true)) => Outcome::Passed,
        (None, Some(false)) => Outcome::Error("this did not come to its end".to_owned()),
        (None, None) => Outcome::Error("the drill did not come this far".to_owned()),
    };
    Case::new(name, result)
}

/// The reasons of a group as one result; the backup's fault outweighs what could not be told.
fn against(record: &Record, of: Group) -> Option<Outcome> {
    let reasons: Vec<_> = record.verdict.reasons.iter().filter(|reason| group(reason.code.0) == of).collect();
    let lines: Vec<_> = reasons.iter().map(|reason| format!("{} [{}]", reason.detail, reason.code)).collect();
    let fault = reasons.iter().any(|reason| reason.code.0.blame() == Blame::Backup);
    let text = lines.join("; ");
    (!lines.is_empty()).then_some(if fault { Outcome::Failure(text) } else { Outcome::Error(text) })
}

fn checks(record: &Record, cases: &mut Vec<Case>) {
    let Some(checks) = &record.checks else {
        cases.push(Case::error("the checks of the plan", "the drill did not come this far"));
        return;
    };
    cases.extend(checks.items.iter().take(CHECKS_MAX).map(check));
    let shown = checks.items.len().min(CHECKS_MAX) as u64;
    let missing = checks.planned.saturating_sub(shown);
    if missing > 0 {
        let why = format!("{} of the plan are not shown here", encode::plural(missing, "check"));
        cases.push(Case::error("the other checks of the plan", why));
    }
}

fn check(check: &CheckRecord) -> Case {
    let observed = check.observed.as_ref().map_or("nothing", |observed| observed.as_str());
    let result = match check.outcome {
        CheckOutcome::Pass => Outcome::Passed,
        // It was answered, and the drill's own case and warnings say what it lacks.
        CheckOutcome::Baseline => Outcome::Passed,
        CheckOutcome::Fail => Outcome::Failure(format!("expected {}, got {observed}", check.expected)),
        CheckOutcome::Error => {
            let why = check.error.as_deref().unwrap_or("no answer");
            Outcome::Error(format!("it could not be put: {why}"))
        }
    };
    let time = check.duration_ms.map(|length| length.get());
    Case { name: format!("check: {}", check.name), time, result }
}

/// The case of an objective, where there is one or a reason speaks of it.
fn objective(record: &Record, of: Group, name: &str, figure: Option<Figure>, cases: &mut Vec<Case>) {
    let planned = match of {
        Group::Rto => record.objectives.rto_ms,
        _ => record.objectives.rpo_ms,
    };
    let reasons = against(record, of);
    if planned.is_none() && reasons.is_none() {
        return;
    }
    let measured = figure.map(|figure| encode::age(figure.millis));
    let result = match (reasons, figure.and_then(|figure| figure.met), measured) {
        (Some(result), _, _) => result,
        (None, Some(true), _) => Outcome::Passed,
        (None, Some(false), Some(measured)) => Outcome::Failure(format!("it was {measured}")),
        (None, _, _) => Outcome::Error("it was not measured".to_owned()),
    };
    let time = figure.filter(|_| of == Group::Rto).and_then(|figure| u64::try_from(figure.millis).ok());
    cases.push(Case { name: name.to_owned(), time, result });
}

fn cleanup(record: &Record) -> Case {
    let name = "the scratch is gone";
    let Some(cleanup) = &record.cleanup else {
        return Case::error(name, "nobody has seen it gone");
    };
    let gone = cleanup.scratch_removed && cleanup.removal_verified && cleanup.leaked.is_empty();
    let left = || format!("it was not seen to be gone; left: {}", cleanup.leaked.join(", "));
    Case::new(name, if gone { Outcome::Passed } else { Outcome::Error(left()) })
}

/// The drill as a whole, which no other case outweighs.
fn verdict(record: &Record) -> Case {
    let statement = record.verdict.statement.clone();
    let result = match record.verdict.result.0 {
        Verdict::Pass => Outcome::Passed,
        Verdict::Fail => Outcome::Failure(statement),
        Verdict::Inconclusive => Outcome::Error(statement),
    };
    let time = record.run.monotonic_duration_ms.map(|length| length.get());
    Case { name: "the drill".to_owned(), time, result }
}

/// Cases, failures and errors.
fn counts<'a>(cases: impl Iterator<Item = &'a Case>) -> [usize; 3] {
    cases.fold([0; 3], |[tests, failures, errors], case| match case.result {
        Outcome::Passed => [tests + 1, failures, errors],
        Outcome::Failure(_) => [tests + 1, failures + 1, errors],
        Outcome::Error(_) => [tests + 1, failures, errors + 1],
    })
}

fn write_suite(xml: &mut String, suite: &Suite) {
    let name = text(&suite.name);
    let [tests, failures, errors] = counts(suite.cases.iter());
    let _ = write!(
        xml,
        "  <testsuite name=\"{name}\" tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\""
    );
    if let Some(at) = suite.timestamp {
        let _ = write!(xml, " timestamp=\"{}\"", rfc3339_millis(at));
    }
    xml.push_str(">\n");
    for case in &suite.cases {
        let _ = write!(xml, "    <testcase classname=\"firedrill.{name}\" name=\"{}\"", text(&case.name));
        if let Some(time) = case.time {
            let _ = write!(xml, " time=\"{}\"", encode::seconds(time));
        }
        let (element, said) = match &case.result {
            Outcome::Passed => {
                xml.push_str("/>\n");
                continue;
            }
            Outcome::Failure(said) => ("failure", said),
            Outcome::Error(said) => ("error", said),
        };
        let _ = writeln!(xml, "><{element} message=\"{}\"/></testcase>", text(said));
    }
    xml.push_str("  </testsuite>\n");
}

/// A text as the value of an XML 1.0 attribute: characters that XML has no place for are
/// spelled out, and so is what would steer a terminal that shows it.
fn text(text: &str) -> String {
    let mut xml = String::new();
    for char in encode::name(text, TEXT_COLUMNS).chars() {
        match char {
            '&' => xml.push_str("&amp;"),
            '<' => xml.push_str("&lt;"),
            '>' => xml.push_str("&gt;"),
            '"' => xml.push_str("&quot;"),
            '\'' => xml.push_str("&apos;"),
            '\u{fffe}' | '\u{ffff}' => {
                let _ = write!(xml, "\\u{{{:x}}}", char as u32);
            }
            char => xml.push(char),
        }
    }
    xml
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_character_leaves_its_attribute_or_xml() {
        let table = [
            ("plain größe 表", "plain größe 表"),
            ("a<b>&\"c'", "a&lt;b&gt;&amp;&quot;c&apos;"),
            ("]]><x/>", "]]&gt;&lt;x/&gt;"),
            ("a\nb\r\t\0\x1b\x7f", "a\\u{a}b\\u{d}\\u{9}\\u{0}\\u{1b}\\u{7f}"),
            ("a\u{85}\u{202e}\u{fffe}\u{ffff}", "a\\u{85}\\u{202e}\\u{fffe}\\u{ffff}"),
        ];
        for (outside, xml) in table {
            assert_eq!(text(outside), xml, "{outside:?}");
        }
        assert!(text(&"<".repeat(5_000)).chars().count() < 3_000);
    }

    #[test]
    fn an_empty_report_is_an_error_and_not_a_pass() {
        let xml = document(&[], Timestamp::UNIX_EPOCH, None);
        assert!(xml.contains("tests=\"1\" failures=\"0\" errors=\"1\""), "{xml}");
    }
}
