//! `firedrill man`: the manual pages.

use clap::Args;

use crate::cli::output;
use crate::cli::refusal::Refusal;
use crate::exit_code::ExitCode;

/// Print a manual page
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  firedrill man run | man -l -\n  firedrill man > /usr/local/share/man/man1/firedrill.1"
)]
pub struct Arguments {
    /// The command that it is about, such as 'run' or 'plan check' [default: firedrill itself]
    #[arg(value_name = "COMMAND")]
    path: Vec<String>,
}

/// Prints the page of the command that was asked for, out of those below `root`.
pub fn man(arguments: &Arguments, mut root: clap::Command) -> Result<ExitCode, Refusal> {
    // Gives every command its full name and the options that all have.
    root.build();
    let mut command = &root;
    for name in &arguments.path {
        let unknown = || {
            let what = format!("there is no command '{}'", arguments.path.join(" "));
            Refusal::new(ExitCode::Usage, what, "'firedrill --help' lists them")
        };
        command = command.find_subcommand(name).ok_or_else(unknown)?;
    }
    let name = std::iter::once("firedrill").chain(arguments.path.iter().map(String::as_str));
    let title = name.collect::<Vec<_>>().join("-");
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone())
        .title(title)
        .render(&mut page)
        .map_err(|error| Refusal::new(ExitCode::Bug, format!("make the page: {error}"), ""))?;
    Ok(output::answer(&String::from_utf8_lossy(&page)))
}
