//! A program that is run beside a cluster's server, and may speak to it.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;

use crate::digest::{Digest, Hasher};
use crate::postgres::account::Account;
use crate::postgres::child::Child;
use crate::postgres::confine::Confinement;
use crate::postgres::error::{Error, Kind};
use crate::postgres::places::PORT;

/// How long the output may stay open after the program has ended.
const DRAIN: Duration = Duration::from_secs(1);

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ran {
    /// Its exit code, unless a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// The digest of all that it wrote to its standard output and error, which is not kept.
    pub output: Digest,
    /// How much that was.
    pub output_bytes: u64,
}

/// Where a program finds the server.
pub(in crate::postgres) struct Place<'a> {
    pub account: &'a Account,
    pub sockets: PathBuf,
    pub directory: PathBuf,
    pub reach: PathBuf,
    pub user: &'a str,
    pub password: &'a str,
    pub database: &'a str,
    /// How much of its output is kept, from its beginning.
    pub heard_bytes_max: usize,
}

/// Runs a program to its end, as the server's user, with an environment that says nothing but
/// where the server is. Dropped, or when the program has ended, whatever is left of its process
/// group is killed. Beside how it ended comes the beginning of its output, which may hold
/// anything: rows, statements.
pub(in crate::postgres) async fn run(argv: &[String], place: Place<'_>) -> Result<(Ran, Vec<u8>), Error> {
    let failed = |error: io::Error| Error::new(Kind::Start, format!("it could not be run: {error}"));
    let (reader, writer) = io::pipe().map_err(failed)?;
    let command = command(argv, &place, writer).map_err(failed)?;
    let confinement =
        Confinement::new(place.account, false, &place.reach, Signal::SIGKILL).map_err(failed)?;
    let child = Child::spawn_group(command, confinement).map_err(|refused| failed(refused.error))?;
    let mut reader = Receiver::from_owned_fd(OwnedFd::from(reader)).map_err(failed)?;
    let mut seen = Seen { all: Hasher::default(), kept: Vec::new(), kept_max: place.heard_bytes_max };
    let status = tokio::select! {
        status = child.wait() => status,
        // It has closed its output, and goes on.
        () = read(&mut reader, &mut seen) => child.wait().await,
    };
    // Somebody who left the group may hold the output open; what counts is the exit code.
    _ = tokio::time::timeout(DRAIN, read(&mut reader, &mut seen)).await;
    let ran = Ran {
        code: status.code(),
        signal: status.signal(),
        output_bytes: seen.all.bytes(),
        output: seen.all.finish(),
    };
    Ok((ran, seen.kept))
}

/// What a program wrote.
struct Seen {
    all: Hasher,
    kept: Vec<u8>,
    kept_max: usize,
}

impl Seen {
    fn take(&mut self, piece: &[u8]) {
        self.all.update(piece);
        let room = self.kept_max.saturating_sub(self.kept.len());
        self.kept.extend_from_slice(piece.get(..piece.len().min(room)).unwrap_or_default());
    }
}

fn command(argv: &[String], place: &Place<'_>, output: io::PipeWriter) -> io::Result<Command> {
    let Some((program, arguments)) = argv.split_first() else {
        return Err(io::Error::other("it has no name"));
    };
    let mut command = Command::new(program);
    command.args(arguments).env_clear().current_dir(&place.directory);
    command.env("PATH", "/usr/local/bin:/usr/bin:/bin").env("LANG", "C.UTF-8").env("TZ", "UTC");
    command.env("PGHOST", &place.sockets).env("PGPORT", PORT.to_string());
    command.env("PGUSER", place.user).env("PGPASSWORD", place.password);
    command.env("PGDATABASE", place.database).env("PGAPPNAME", "firedrill-check");
    // Nobody's own files lead elsewhere.
    for variable in ["PGSERVICEFILE", "PGPASSFILE", "PGSYSCONFDIR"] {
        command.env(variable, "/dev/null");
    }
    command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
    Ok(command)
}

/// Takes what is written, to its end. Dropped, nothing is lost but what was not read yet.
async fn read(reader: &mut Receiver, seen: &mut Seen) {
    let mut piece = vec![0; 1 << 16];
    while let Ok(length @ 1..) = reader.read(&mut piece).await {
        seen.take(piece.get(..length).unwrap_or_default());
    }
}
