//! `firedrill plan`: what is wrong with the plan, and what it means.

use clap::{Args, Subcommand};

use crate::cli::refusal::Refusal;
use crate::cli::{Places, output};
use crate::exit_code::ExitCode;
use crate::plan;
use crate::report::encode;

/// Look at the plan without drilling
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Report every fault of the plan at once; ends with 78 if there is one
    Check,
    /// Print the plan as it is meant, with its defaults filled in
    Show,
}

/// Checks or shows the plan.
pub fn plan(arguments: &Arguments, places: &Places) -> Result<ExitCode, Refusal> {
    let plan = places.plan()?;
    let text = match arguments.command {
        Command::Check => {
            let services = encode::plural(plan.services.len() as u64, "service");
            let path = encode::name(&plan.path.to_string_lossy(), 400);
            format!("{path}: no fault; {services}\n")
        }
        Command::Show => plan::to_toml(&plan),
    };
    Ok(output::answer(&text))
}
