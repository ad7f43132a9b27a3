//! `firedrill schema`: the published shapes of what firedrill writes.

use clap::{Args, ValueEnum};

use crate::cli::output;
use crate::cli::refusal::Refusal;
use crate::evidence;
use crate::exit_code::ExitCode;
use crate::report;
use crate::stamp;

/// Print the JSON Schema of a document that firedrill writes
#[derive(Debug, Args)]
pub struct Arguments {
    /// Which document
    document: Document,
}

/// What has a published shape.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Document {
    /// The statement that each drill leaves
    Evidence,
    /// What 'firedrill backups --json' prints
    Backups,
    /// What 'firedrill bench --json' prints
    Bench,
    /// What 'firedrill history --json' prints
    History,
    /// The statement that 'firedrill evidence review' writes
    Review,
    /// What 'firedrill stamp' writes beside a backup
    Stamp,
}

/// Prints the schema of a document.
pub fn schema(arguments: &Arguments) -> Result<ExitCode, Refusal> {
    let schema = match arguments.document {
        Document::Evidence => evidence::schema(),
        Document::Backups => schemars::schema_for!(report::backups::Document).to_value(),
        Document::Bench => schemars::schema_for!(report::bench::Document).to_value(),
        Document::History => schemars::schema_for!(report::history::Document).to_value(),
        Document::Review => evidence::review_schema(),
        Document::Stamp => stamp::schema(),
    };
    let text = serde_json::to_string_pretty(&schema)
        .map_err(|error| Refusal::new(ExitCode::Bug, format!("write the schema: {error}"), ""))?;
    Ok(output::answer(&(text + "\n")))
}
