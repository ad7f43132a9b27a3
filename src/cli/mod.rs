//! The command line: what can be asked, and the way from a question to an exit code.

mod backups;
mod bench;
mod bug;
mod completions;
mod demo;
mod evidence;
mod face;
mod history;
mod keygen;
mod known_keys;
mod man;
pub mod memory;
mod output;
mod places;
mod plan;
mod refusal;
mod report;
mod restore;
mod run;
mod runtime;
mod schema;
mod self_test;
mod signals;
mod stamp;
mod sweep;

use std::ffi::OsString;

use clap::{CommandFactory, Parser, Subcommand};

use crate::cli::places::Places;
use crate::cli::refusal::Refusal;
use crate::exit_code::ExitCode;

/// Fire drills for backups: restores the latest one, proves its rows, measures the recovery,
/// keeps the evidence.
#[derive(Debug, Parser)]
#[command(name = "firedrill", version, max_term_width = 100, arg_required_else_help = true)]
#[command(after_help = "See what it does, with nothing configured:  firedrill demo")]
struct Arguments {
    #[command(flatten)]
    places: Places,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::Arguments),
    Restore(restore::Arguments),
    Bench(bench::Arguments),
    Backups(backups::Arguments),
    History(history::Arguments),
    Stamp(stamp::Arguments),
    Plan(plan::Arguments),
    Sweep(sweep::Arguments),
    Report(report::Arguments),
    Demo(demo::Arguments),
    Evidence(evidence::Arguments),
    Keygen(keygen::Arguments),
    Schema(schema::Arguments),
    Completions(completions::Arguments),
    Man(man::Arguments),
}

/// Does what `arguments` ask; the first of them is the program's own name.
///
/// Whatever happens ends in a number of [`ExitCode`], a panic too.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<_> = arguments.into_iter().collect();
    bug::contained(|| match Arguments::try_parse_from(arguments) {
        Ok(arguments) => dispatch(arguments),
        Err(answer) => not_parsed(&answer),
    })
}

fn dispatch(Arguments { places, command }: Arguments) -> ExitCode {
    let ended = match command {
        Command::Run(arguments) => run::run(&arguments, &places),
        Command::Restore(arguments) => restore::restore(&arguments, &places),
        Command::Bench(arguments) => bench::bench(&arguments, &places),
        Command::Backups(arguments) => backups::backups(&arguments, &places),
        Command::History(arguments) => history::history(&arguments, &places),
        Command::Stamp(arguments) => stamp::stamp(&arguments, &places),
        Command::Plan(arguments) => plan::plan(&arguments, &places),
        Command::Sweep(arguments) => sweep::sweep(&arguments, &places),
        Command::Report(arguments) => report::report(&arguments, &places),
        Command::Demo(arguments) => demo::demo(&arguments, &places),
        Command::Evidence(arguments) => evidence::evidence(&arguments, &places),
        Command::Keygen(arguments) => keygen::keygen(&arguments),
        Command::Schema(arguments) => schema::schema(&arguments),
        Command::Completions(arguments) => completions::completions(&arguments, Arguments::command()),
        Command::Man(arguments) => man::man(&arguments, Arguments::command()),
    };
    ended.unwrap_or_else(|refusal: Refusal| refusal.tell())
}

/// Help and the version are answers, and everything else is wrong usage. A reader that went
/// away changes neither.
fn not_parsed(answer: &clap::Error) -> ExitCode {
    let _ = answer.print();
    if answer.use_stderr() { ExitCode::Usage } else { ExitCode::Passed }
}
