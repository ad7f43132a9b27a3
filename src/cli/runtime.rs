//! Asynchronous work of a command, under its signals.

use std::io;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::cli::refusal::Refusal;
use crate::cli::signals::Signals;
use crate::exit_code::ExitCode;

/// How long threads that are in the middle of something may take to end, once the work is done.
const FAREWELL: Duration = Duration::from_secs(5);

/// Does `work` on a runtime of its own. A signal cancels the token that the work was given, and
/// is told by `tell`; which signal that was, if one came, is returned beside the result.
///
/// # Errors
/// The system gives no threads or no signals.
pub fn under_signals<F: Future>(
    tell: impl Fn(&str) + Send + 'static,
    work: impl FnOnce(CancellationToken) -> F,
) -> Result<(F::Output, Option<ExitCode>), Refusal> {
    let refused = |error: io::Error| Refusal::new(ExitCode::Bug, format!("begin to work: {error}"), "");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(refused)?;
    let done = runtime.block_on(async {
        let cancel = CancellationToken::new();
        let signals = Signals::cancel(cancel.clone(), tell).map_err(refused)?;
        let done = work(cancel).await;
        Ok((done, signals.heard()))
    });
    // A write to a pipe that nobody reads any more has no end.
    runtime.shutdown_timeout(FAREWELL);
    done
}
