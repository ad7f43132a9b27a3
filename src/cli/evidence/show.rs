//! `firedrill evidence show`: one record, as it stands.

use clap::Args;

use crate::cli::evidence::kept::{Kept, Which};
use crate::cli::evidence::refused;
use crate::cli::refusal::Refusal;
use crate::cli::{Places, output};
use crate::exit_code::ExitCode;
use crate::record::control;
use crate::report::summary::{Reported, Style, summary};
use crate::report::{encode, layout};

/// Show one record
#[derive(Debug, Args)]
#[command(allow_missing_positional = true)]
#[command(after_help = "\
It shows what the file says, and checks nothing: 'firedrill evidence verify' does.

Examples:
  firedrill evidence show orders                the latest record of 'orders'
  firedrill evidence show 419 orders --json | jq .verdict")]
pub struct Arguments {
    /// The place of the record in its log, or 'latest'
    #[arg(value_name = "SEQ", default_value = "latest", value_parser = Which::parse)]
    which: Which,
    /// The service
    #[arg(value_name = "SERVICE", required = true)]
    service: String,
    #[command(flatten)]
    kept: Kept,
    /// Print the record as JSON: the predicate of its statement
    #[arg(long)]
    json: bool,
}

/// Shows a record.
pub fn show(arguments: &Arguments, places: &Places) -> Result<ExitCode, Refusal> {
    let log = arguments.kept.log(Some(&arguments.service), places)?;
    let entry = arguments.which.of(&log)?;
    let stored = entry.read().map_err(|error| refused(&error))?;
    if arguments.json {
        let text = serde_json::to_string(&stored.record)
            .map_err(|error| Refusal::new(ExitCode::Bug, format!("write the record: {error}"), ""))?;
        return Ok(output::answer(&(text + "\n")));
    }
    let columns = layout::readable(layout::stdout_columns());
    let paint = output::with_surroundings(output::stdout_is_terminal(), |around| around.paint());
    let drill = Reported { record: &stored.record, evidence: Some(&entry.path) };
    let mut text = summary(&[drill], Style { paint, columns, quiet: false });
    text.push_str(&layout::labelled("place", &format!("{}, {}", entry.sequence, stored.sha256), columns));
    for named in &stored.record.controls {
        let fields = control(named).map(|control| control.fields.join(", "));
        let fields = fields.unwrap_or_else(|| "no field is known to answer it".to_owned());
        let line = format!("{}: {fields}", encode::name(named, 100));
        text.push_str(&layout::labelled("control", &line, columns));
    }
    Ok(output::answer(&text))
}
