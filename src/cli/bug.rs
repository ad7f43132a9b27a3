//! What happens when firedrill itself is wrong.

use std::panic::{self, PanicHookInfo, UnwindSafe};

use crate::cli::output;
use crate::exit_code::ExitCode;

/// Runs `work`; a panic in it ends in one line on stderr and [`ExitCode::Bug`].
pub fn contained(work: impl FnOnce() -> ExitCode + UnwindSafe) -> ExitCode {
    if std::env::var_os("RUST_BACKTRACE").is_none() {
        panic::set_hook(Box::new(|info| output::say(&one_line(info))));
    }
    panic::catch_unwind(work).unwrap_or(ExitCode::Bug)
}

/// Where it happened. The message follows only if it is a constant of the program: one that
/// was put together could hold what no log may hold.
fn one_line(info: &PanicHookInfo<'_>) -> String {
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    let message = info.payload().downcast_ref::<&'static str>().map_or("", |text| text);
    format!("firedrill has a bug at {place} (set RUST_BACKTRACE=1 to see more): {message}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_ends_in_the_exit_code_of_a_bug() {
        assert_eq!(contained(|| ExitCode::Degraded), ExitCode::Degraded);
        assert_eq!(contained(|| panic!("on purpose, for a test")), ExitCode::Bug);
    }
}
