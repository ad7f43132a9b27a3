//! `firedrill completions`: what a shell needs to complete the command line.

use clap::Args;
use clap_complete::Shell;

use crate::cli::output;
use crate::cli::refusal::Refusal;
use crate::exit_code::ExitCode;

/// Print the completions for a shell
#[derive(Debug, Args)]
#[command(after_help = "For bash:  firedrill completions bash > /etc/bash_completion.d/firedrill")]
pub struct Arguments {
    /// Which shell
    shell: Shell,
}

/// Prints the completions of `command` for the shell that was asked for.
pub fn completions(arguments: &Arguments, mut command: clap::Command) -> Result<ExitCode, Refusal> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, "firedrill", &mut script);
    Ok(output::answer(&String::from_utf8_lossy(&script)))
}
