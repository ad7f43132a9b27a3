//! `firedrill evidence list`: which records there are.

use clap::Args;
use serde::Serialize;

use crate::cli::evidence::kept::{Kept, KeptLog};
use crate::cli::refusal::Refusal;
use crate::cli::{Places, output};
use crate::evidence::Entry;
use crate::exit_code::ExitCode;
use crate::record::{Moment, RunId, Sha256, VerdictWord};
use crate::report::encode;

/// List the records of the services
#[derive(Debug, Args)]
#[command(after_help = "\
It lists what the files say, and checks nothing: 'firedrill evidence verify' does. The digest of
the last record is what --expect-head takes there.

Examples:
  firedrill evidence list orders
  firedrill evidence list --json | jq -r '.[] | select(.verdict != \"pass\") | .file'")]
pub struct Arguments {
    /// The service [default: all of them]
    #[arg(value_name = "SERVICE")]
    service: Option<String>,
    #[command(flatten)]
    kept: Kept,
    /// Print the list as one JSON document
    #[arg(long)]
    json: bool,
}

/// One record in the list. What could not be read is absent.
#[derive(Debug, Serialize)]
struct Line {
    service: String,
    sequence: u64,
    run_id: RunId,
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<Moment>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<VerdictWord>,
    signed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<Sha256>,
    file: String,
}

impl Line {
    fn of(service: &str, entry: &Entry) -> Line {
        let stored = entry.read().ok();
        let record = stored.as_ref().map(|stored| &stored.record);
        Line {
            service: service.to_owned(),
            sequence: entry.sequence,
            run_id: entry.run_id,
            started_at: record.map(|record| record.run.started_at),
            verdict: record.map(|record| record.verdict.result),
            signed: entry.signed,
            sha256: stored.as_ref().map(|stored| stored.sha256),
            file: entry.path.to_string_lossy().into_owned(),
        }
    }
}

/// Lists records.
pub fn list(arguments: &Arguments, places: &Places) -> Result<ExitCode, Refusal> {
    let logs = arguments.kept.logs(arguments.service.as_deref(), places)?;
    let of_log =
        |log: &KeptLog| log.entries.iter().map(|entry| Line::of(&log.service, entry)).collect::<Vec<_>>();
    let lines: Vec<Line> = logs.iter().flat_map(of_log).collect();
    if arguments.json {
        let text = serde_json::to_string(&lines)
            .map_err(|error| Refusal::new(ExitCode::Bug, format!("write the list: {error}"), ""))?;
        return Ok(output::answer(&(text + "\n")));
    }
    Ok(output::answer(&table(&lines)))
}

/// One line each, unbroken, so that a digest can be copied.
fn table(lines: &[Line]) -> String {
    let mut rows = vec![["service", "place", "began", "verdict", "signed", "digest"].map(str::to_owned)];
    for line in lines {
        rows.push([
            encode::name(&line.service, 63),
            line.sequence.to_string(),
            line.started_at.map_or("unreadable".to_owned(), |moment| moment.to_string()),
            line.verdict.map_or("-".to_owned(), |verdict| verdict.to_string()),
            if line.signed { "yes" } else { "no" }.to_owned(),
            line.sha256.map_or("-".to_owned(), |sha256| sha256.to_string()),
        ]);
    }
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| encode::width(cell)).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..6).map(width).collect();
    let mut text = String::new();
    for row in &rows {
        for (cell, width) in row.iter().zip(&widths) {
            let blanks = width.saturating_sub(encode::width(cell)).saturating_add(2);
            text.push_str(cell);
            text.push_str(&" ".repeat(blanks));
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text
}
