//! SIGINT and SIGTERM: the first one cleans up, the second one stops at once.

use std::io;
use std::sync::{Arc, OnceLock};

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::exit_code::ExitCode;

/// Hears signals for as long as the runtime runs.
pub struct Signals {
    first: Arc<OnceLock<ExitCode>>,
}

impl Signals {
    /// From now on the first signal cancels `token`, which is told by `tell`, and the second one
    /// ends the process.
    ///
    /// # Errors
    /// The system refuses to hand signals over.
    pub fn cancel(token: CancellationToken, tell: impl Fn(&str) + Send + 'static) -> io::Result<Signals> {
        let first = Arc::new(OnceLock::new());
        let heard = first.clone();
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::spawn(async move {
            loop {
                let code = tokio::select! {
                    _ = interrupt.recv() => ExitCode::Interrupted,
                    _ = terminate.recv() => ExitCode::Terminated,
                };
                if heard.set(code).is_err() {
                    std::process::exit(code.number().into());
                }
                tell("stopping and cleaning up; a second signal stops at once");
                token.cancel();
            }
        });
        Ok(Signals { first })
    }

    /// How a run ends that the first signal has cut short, if there was one.
    pub fn heard(&self) -> Option<ExitCode> {
        self.first.get().copied()
    }
}
