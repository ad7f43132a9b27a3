//! The `firedrill` command.

use firedrill::cli;
use firedrill::exit_code::ExitCode;

fn main() -> ExitCode {
    cli::memory::return_large_blocks();
    cli::main(std::env::args_os())
}
