//! `firedrill evidence`: looks at what drills left, checks it, reviews it, hands it over.

mod bundle;
mod kept;
mod list;
mod moment;
mod review;
mod show;
mod source;
mod verify;

use clap::{Args, Subcommand};

use crate::cli::Places;
use crate::cli::refusal::Refusal;
use crate::evidence::{Error, Kind, with_causes};
use crate::exit_code::ExitCode;

/// Check, show, list, review and bundle the evidence of drills
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Verify(verify::Arguments),
    Show(show::Arguments),
    List(list::Arguments),
    Review(review::Arguments),
    Bundle(bundle::Arguments),
}

/// Does what was asked.
pub fn evidence(arguments: &Arguments, places: &Places) -> Result<ExitCode, Refusal> {
    match &arguments.command {
        Command::Verify(arguments) => verify::verify(arguments, places),
        Command::Show(arguments) => show::show(arguments, places),
        Command::List(arguments) => list::list(arguments, places),
        Command::Review(arguments) => review::review(arguments, places),
        Command::Bundle(arguments) => bundle::bundle(arguments, places),
    }
}

/// What the evidence said when it was read or written: what was named can't be used.
fn refused(error: &Error) -> Refusal {
    let remedy = match error.kind() {
        Kind::Io => "look at the path and its permissions".to_owned(),
        _ => error.reason().remedy,
    };
    Refusal::new(ExitCode::Usage, with_causes(error), remedy)
}
