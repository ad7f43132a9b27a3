//! The two streams: the result on stdout, everything else on stderr.

use std::io::{self, IsTerminal, Write};

use crate::exit_code::ExitCode;
use crate::report::layout::{self, Page};
use crate::report::paint::Surroundings;

/// Writes the result. A reader that has seen enough and closed the pipe is no failure.
///
/// # Errors
/// What else kept it from being written, such as a full disk.
pub fn result(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// Tells something beside the result, on a line of its own. Nobody may be there to hear it.
pub fn say(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// What the environment says about a stream that is, or is not, a terminal.
pub fn with_surroundings<T>(is_terminal: bool, look: impl FnOnce(Surroundings<'_>) -> T) -> T {
    let [no_color, term, ci] = ["NO_COLOR", "TERM", "CI"]
        .map(|name| std::env::var_os(name).map(|v| v.to_string_lossy().into_owned()));
    look(Surroundings {
        is_terminal,
        no_color: no_color.as_deref(),
        term: term.as_deref(),
        ci: ci.as_deref(),
    })
}

/// Whether stdout is a terminal.
pub fn stdout_is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Whether stderr is a terminal.
pub fn stderr_is_terminal() -> bool {
    io::stderr().is_terminal()
}

/// Writes the result of a command that only answers, and turns it into an exit code.
pub fn answer(text: &str) -> ExitCode {
    answer_with(text, ExitCode::Passed)
}

/// Writes the result of a command that ends with `code`, unless it can't be written.
pub fn answer_with(text: &str, code: ExitCode) -> ExitCode {
    match result(text) {
        Ok(()) => code,
        Err(error) => {
            say(&format!("error: the result can't be written: {error}"));
            if code == ExitCode::Passed { ExitCode::Degraded } else { code }
        }
    }
}

/// The page that stdout is.
pub fn page() -> Page {
    let columns = layout::readable(layout::stdout_columns());
    let paint = with_surroundings(stdout_is_terminal(), |around| around.paint());
    Page { paint, columns }
}
