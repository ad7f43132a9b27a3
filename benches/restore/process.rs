//! Child processes that don't outlive the benchmark.

use std::process::{Child, Command, Stdio};

use tokio::signal::unix::{SignalKind, signal};

use crate::machine::Failure;

/// A process that is ended, by its id, when dropped.
pub struct Process(Child);

impl Process {
    pub fn start(command: &mut Command) -> Result<Process, Failure> {
        let program = command.get_program().to_string_lossy().into_owned();
        let child = command.spawn().map_err(|error| format!("start {program}: {error}"))?;
        Ok(Process(child))
    }

    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// Its output, once.
    pub fn output(&mut self) -> Result<std::process::ChildStdout, Failure> {
        self.0.stdout.take().ok_or_else(|| "a process without an output".into())
    }

    pub fn is_over(&mut self) -> bool {
        !matches!(self.0.try_wait(), Ok(None))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

/// This program once more, with other arguments. Its input stays open for as long as somebody
/// holds it, and tells it that we are still there.
pub fn ourselves(arguments: &[&str]) -> Result<Command, Failure> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
    Ok(command)
}

/// Waits until somebody interrupts or stops this process.
///
/// # Errors
/// Always: that is no way to end well.
pub async fn interrupted() -> Result<(), Failure> {
    let (mut interrupt, mut stop) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::select! {
        _ = interrupt.recv() => Err("interrupted".into()),
        _ = stop.recv() => Err("stopped".into()),
    }
}

/// Does `work` for as long as the process that started this one is there.
pub async fn while_wanted(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let (gone, left) = tokio::sync::oneshot::channel();
    // A thread of its own: a runtime would wait for the end of the input before it ends.
    std::thread::spawn(move || {
        _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        _ = gone.send(());
    });
    tokio::select! {
        done = work => done,
        _ = left => Err("the benchmark is gone".into()),
    }
}
