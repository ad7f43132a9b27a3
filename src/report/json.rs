//! The result of a run as one JSON document, and as the last line of the events.

use std::path::Path;

use serde::Serialize;

use crate::record::Record;
use crate::report::self_test::{SelfTested, self_tested};
use crate::report::summary::Reported;
use crate::self_test::SelfTest;

/// What `--json` makes of stdout.
#[derive(Debug, Serialize)]
struct Document<'a> {
    run_id: &'a str,
    exit_code: u8,
    drills: Vec<&'a Record>,
    #[serde(skip_serializing_if = "Option::is_none")]
    self_test: Option<SelfTested<'a>>,
}

/// The last line of `--json=events`: how the run ended.
#[derive(Debug, Serialize)]
struct Last<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    run_id: &'a str,
    exit_code: u8,
    drills: Vec<LastDrill<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    self_test: Option<SelfTested<'a>>,
}

/// One drill of that line.
#[derive(Debug, Serialize)]
struct LastDrill<'a> {
    service: &'a str,
    verdict: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    evidence: Option<&'a Path>,
}

/// One document: `{"run_id", "exit_code", "drills": [the predicate of each drill]}`, on one
/// line with its newline; with `"self_test"` where there was one.
///
/// # Errors
/// A record that can't be written as JSON, which would be a bug.
pub fn document(
    run_id: &str,
    exit_code: u8,
    drills: &[Reported<'_>],
    tested: Option<&SelfTest>,
) -> serde_json::Result<String> {
    let drills = drills.iter().map(|drill| drill.record).collect();
    let self_test = tested.map(self_tested);
    serde_json::to_string(&Document { run_id, exit_code, drills, self_test }).map(|text| text + "\n")
}

/// The last line of the events, with its newline: `{"type": "run_finished", …}`.
///
/// # Errors
/// A path of evidence that is not UTF-8.
pub fn last_line(
    run_id: &str,
    exit_code: u8,
    drills: &[Reported<'_>],
    tested: Option<&SelfTest>,
) -> serde_json::Result<String> {
    let drills = drills.iter().map(|drill| LastDrill {
        service: &drill.record.service.id,
        verdict: drill.verdict().as_str(),
        evidence: drill.evidence,
    });
    let last = Last {
        kind: "run_finished",
        run_id,
        exit_code,
        drills: drills.collect(),
        self_test: tested.map(self_tested),
    };
    serde_json::to_string(&last).map(|text| text + "\n")
}
