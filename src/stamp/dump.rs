//! The dump as a child process, and the archive that it leaves.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::digest::{Digest, Hasher};
use crate::stamp::error::{Error, Kind};

/// How long an interrupted dump may take to end by itself.
const FAREWELL: Duration = Duration::from_secs(10);
/// What is read at once of an archive.
const PIECE_BYTES: usize = 1 << 20;

/// The digest of an archive, and its size in bytes.
pub type Archive = (Digest, u64);

/// Where an archive goes that the dump writes to its standard output.
pub type Output = Box<dyn Write + Send>;

/// A running dump. Dropped, it is killed.
pub struct Dump {
    child: Child,
    passed_on: Option<JoinHandle<io::Result<Archive>>>,
}

impl Dump {
    /// Starts it. Where the archive goes to its standard output, that is passed on to `output`, and
    /// hashed on the way.
    ///
    /// # Errors
    /// There is no such program.
    pub fn start(
        arguments: &[OsString],
        environment: &[(String, OsString)],
        output: Option<Output>,
    ) -> Result<Dump, Error> {
        let (program, rest) = arguments.split_first().ok_or_else(|| failed("there is no command"))?;
        let mut command = Command::new(program);
        command.args(rest).stdin(Stdio::null()).kill_on_drop(true);
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        command.stdout(if output.is_some() { Stdio::piped() } else { Stdio::inherit() });
        let mut child = command.spawn().map_err(|error| {
            failed(&format!("start '{}': {error}", Path::new(program).display()))
                .with_remedy("install the client programs of PostgreSQL, or write the path of pg_dump")
        })?;
        let stdout = child.stdout.take().zip(output);
        let passed_on = stdout.map(|(from, to)| tokio::spawn(pass_on(from, to)));
        Ok(Dump { child, passed_on })
    }

    /// Waits for its end; what the archive was that it has written to its standard output.
    ///
    /// # Errors
    /// It failed, or was interrupted by `cancel`.
    pub async fn end(mut self, cancel: &CancellationToken) -> Result<Option<Archive>, Error> {
        let status = tokio::select! {
            status = self.child.wait() => status,
            () = cancel.cancelled() => {
                self.stop().await;
                return Err(interrupted());
            }
        };
        let status = status.map_err(|error| failed(&format!("wait for the dump: {error}")))?;
        if !status.success() {
            return Err(if cancel.is_cancelled() { interrupted() } else { failed(&ended(status)) });
        }
        let Some(passed_on) = self.passed_on.take() else { return Ok(None) };
        let passed_on = passed_on.await.map_err(|_| failed("the archive could not be passed on"))?;
        Ok(Some(passed_on.map_err(|error| failed(&format!("pass the archive on: {error}")))?))
    }

    async fn stop(&mut self) {
        if let Some(pid) = self.child.id().and_then(|pid| i32::try_from(pid).ok()) {
            // It may have ended this very moment.
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        if tokio::time::timeout(FAREWELL, self.child.wait()).await.is_err() {
            let _ = self.child.kill().await;
        }
    }
}

/// What is said when somebody stopped us.
pub fn interrupted() -> Error {
    Error::new(Kind::Interrupted, "interrupted: there is no stamp")
}

fn failed(what: &str) -> Error {
    Error::new(Kind::Dump, what)
}

fn ended(status: ExitStatus) -> String {
    match status.code() {
        Some(code) => format!("the dump failed with exit code {code}: there is no stamp"),
        None => "the dump was killed: there is no stamp".to_owned(),
    }
}

async fn pass_on(mut from: impl tokio::io::AsyncRead + Unpin, mut to: Output) -> io::Result<Archive> {
    let mut hasher = Hasher::default();
    loop {
        let mut piece = vec![0; PIECE_BYTES];
        let read = from.read(&mut piece).await?;
        piece.truncate(read);
        if piece.is_empty() {
            break;
        }
        hasher.update(&piece);
        // Whoever reads it may be slow.
        let writing = tokio::task::spawn_blocking(move || to.write_all(&piece).map(|()| to));
        to = writing.await.map_err(io::Error::other)??;
    }
    tokio::task::spawn_blocking(move || to.flush()).await.map_err(io::Error::other)??;
    let bytes = hasher.bytes();
    Ok((hasher.finish(), bytes))
}

/// The archive in a file.
///
/// # Errors
/// It is no file, can't be read, or somebody else writes to it.
pub async fn archive_in(file: &Path) -> Result<Archive, Error> {
    let unread = |error: &dyn std::fmt::Display| {
        Error::new(Kind::File, format!("read the archive '{}': {error}", file.display()))
    };
    let mut from = tokio::fs::File::open(file).await.map_err(|error| unread(&error))?;
    let before = from.metadata().await.map_err(|error| unread(&error))?;
    if !before.is_file() {
        return Err(unread(&"it is no file"));
    }
    let mut hasher = Hasher::default();
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let read = from.read(&mut piece).await.map_err(|error| unread(&error))?;
        let Some(bytes) = piece.get(..read).filter(|bytes| !bytes.is_empty()) else { break };
        hasher.update(bytes);
    }
    let bytes = hasher.bytes();
    if bytes != before.len() {
        return Err(unread(&"somebody else writes to it"));
    }
    Ok((hasher.finish(), bytes))
}
