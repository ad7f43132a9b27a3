//! The write-ahead journal: what a killed run left behind, and who may run.
//!
//! ```text
//! STATE/lock               held (flock) while a run lives; the system frees it on any death
//! STATE/runs/RUN.jsonl     what run RUN is about to make, has made and has removed
//! ```
//!
//! Whatever outlives its process is written down, durably, before it exists. So the next run finds
//! all that a killed one left, removes it, and names the drill that was cut off in its evidence.

mod entry;
mod error;
mod past;
mod state_directory;

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::journal::entry::State;
use crate::journal::past::PastRun;

pub use entry::Resource;
pub use error::{Error, Kind};
pub use past::{Abandoned, Leaked};
pub use state_directory::StateDirectory;

/// How long the reaping of all that past runs left may wait for processes.
const REAPING: Duration = Duration::from_secs(10);

/// How long a held lock is looked at before it counts as held: what a process has just started
/// keeps a copy of its locks, from the fork to the exec, even when the process itself is dead.
const LOCK_PATIENCE: Duration = Duration::from_millis(300);
const LOCK_LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Journals of past runs that are looked at, at most; there is one per kill since the last run.
const PAST_RUNS_MAX: usize = 10_000;

/// Who knows the way to the servers that databases were left on: a journal holds no passwords.
pub trait Servers {
    /// Removes the database `name` that a drill of `service` made on `server`, and sees it gone.
    ///
    /// # Errors
    /// Why it is still there, or may be, in one line.
    fn remove_database(&self, service: &str, server: &str, name: &str) -> Result<(), String>;
}

/// No way to any server: what was left on one stays, and is told of.
pub struct NoServers;

impl Servers for NoServers {
    fn remove_database(&self, service: &str, _: &str, _: &str) -> Result<(), String> {
        Err(format!("only the plan with service '{service}' knows the way there"))
    }
}

/// The journal of one run, and the lock that makes it the only one in its state directory.
///
/// Dropped without [`Journal::finish`], the run counts as abandoned.
pub struct Journal {
    _lock: File,
    path: PathBuf,
    runs: PathBuf,
    written: Mutex<Written>,
}

struct Written {
    file: File,
    made: Vec<Resource>,
}

impl Journal {
    /// Takes the lock, removes what dead runs left, and begins the journal of this run. The drills
    /// that were cut off come back each time until [`Journal::named`] is told that they stand in
    /// evidence.
    ///
    /// # Errors
    /// [`Kind::Locked`] within half a second when another run holds the lock; [`Kind::State`] when the state
    /// directory can't be written to.
    pub fn open(state: &StateDirectory, run_id: Uuid) -> Result<(Journal, Vec<Abandoned>), Error> {
        Journal::open_with(state, run_id, &NoServers)
    }

    /// The same for somebody who knows the way to `servers`.
    ///
    /// # Errors
    /// As [`Journal::open`].
    pub fn open_with(
        state: &StateDirectory,
        run_id: Uuid,
        servers: &dyn Servers,
    ) -> Result<(Journal, Vec<Abandoned>), Error> {
        let lock = lock(state)?;
        let runs = runs_of(state)?;
        let abandoned = reap(&runs, servers)?;
        let path = runs.join(format!("{run_id}.jsonl"));
        let new = OpenOptions::new().append(true).create_new(true).mode(0o600).open(&path);
        let file = new.map_err(|error| Error::state("begin the journal", &path, &error))?;
        sync_directory(&runs)?;
        let journal =
            Journal { _lock: lock, path, runs, written: Mutex::new(Written { file, made: Vec::new() }) };
        journal.write(State::Started { version: entry::VERSION, run_id })?;
        Ok((journal, abandoned))
    }

    /// A drill of the service begins.
    ///
    /// # Errors
    /// [`Kind::State`] when that could not be written down.
    pub fn drill_started(&self, service: &str) -> Result<(), Error> {
        self.write(State::DrillStarted { service: service.into() })
    }

    /// The drill of the service is over and its evidence written.
    ///
    /// # Errors
    /// [`Kind::State`] when that could not be written down.
    pub fn drill_finished(&self, service: &str) -> Result<(), Error> {
        self.write(State::DrillFinished { service: service.into() })
    }

    /// The drill is about to make something that could outlive this process. Returns when that
    /// stands on the disk.
    ///
    /// # Errors
    /// [`Kind::State`]; then it must not be made.
    pub fn will_create(&self, service: &str, resource: &Resource) -> Result<(), Error> {
        self.write(State::WillCreate { service: service.into(), resource: resource.clone() })?;
        self.locked().made.push(resource.clone());
        Ok(())
    }

    /// The drill has made it.
    ///
    /// # Errors
    /// [`Kind::State`] when that could not be written down.
    pub fn created(&self, service: &str, resource: &Resource) -> Result<(), Error> {
        self.write(State::Created { service: service.into(), resource: resource.clone() })
    }

    /// The drill has removed it, and seen it gone.
    ///
    /// # Errors
    /// [`Kind::State`] when that could not be written down.
    pub fn removed(&self, service: &str, resource: &Resource) -> Result<(), Error> {
        self.write(State::Removed { service: service.into(), resource: resource.clone() })?;
        self.locked().made.retain(|made| made != resource);
        Ok(())
    }

    /// An abandoned drill now stands in stored evidence, and need not be named again. Its journal
    /// stays as long as it names something that could not be removed.
    ///
    /// # Errors
    /// [`Kind::State`] when that could not be written down.
    pub fn named(&self, abandoned: &Abandoned) -> Result<(), Error> {
        if abandoned.quarantined.is_some() {
            return Ok(());
        }
        let path = self.runs.join(format!("{}.jsonl", abandoned.run_id));
        let Some(mut past) = PastRun::read(&path) else { return Ok(()) };
        past.append(State::Named { service: abandoned.service.clone() })?;
        past.close_if_done()
    }

    /// Ends the run. What it made and did not remove is left to the next run, or to a sweep.
    ///
    /// # Errors
    /// [`Kind::State`] when that could not be written down.
    pub fn finish(self) -> Result<(), Error> {
        self.write(State::Finished)?;
        if !self.locked().made.is_empty() {
            return Ok(());
        }
        fs::remove_file(&self.path).map_err(|error| Error::state("end the journal", &self.path, &error))
    }

    fn write(&self, state: State) -> Result<(), Error> {
        let line = entry::line(state)?;
        let mut written = self.locked();
        append(&mut written.file, &line)
            .map_err(|error| Error::state("write the journal", &self.path, &error))
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Removes what dead runs left, without beginning a run. The drills that were cut off are still
/// named by the next one.
///
/// # Errors
/// As [`Journal::open`].
pub fn sweep(state: &StateDirectory, servers: &dyn Servers) -> Result<Vec<Abandoned>, Error> {
    let _lock = lock(state)?;
    reap(&runs_of(state)?, servers)
}

fn lock(state: &StateDirectory) -> Result<File, Error> {
    let path = state.path().join("lock");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600).custom_flags(nix::libc::O_NOFOLLOW);
    let file = options.open(&path).map_err(|error| Error::state("open the lock", &path, &error))?;
    let until = Instant::now() + LOCK_PATIENCE;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if Instant::now() < until => {
                std::thread::sleep(LOCK_LOOK_AGAIN);
            }
            Err(TryLockError::WouldBlock) => return Err(Error::locked(state.path())),
            Err(TryLockError::Error(error)) => return Err(Error::state("take the lock", &path, &error)),
        }
    }
}

fn runs_of(state: &StateDirectory) -> Result<PathBuf, Error> {
    let runs = state.path().join("runs");
    match fs::create_dir(&runs) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(Error::state("make the directory of journals", &runs, &error))
        }
        _ => Ok(runs),
    }
}

fn reap(runs: &Path, servers: &dyn Servers) -> Result<Vec<Abandoned>, Error> {
    let failed = |error: io::Error| Error::state("list the journals", runs, &error);
    let mut paths = Vec::new();
    for child in fs::read_dir(runs).map_err(failed)?.take(PAST_RUNS_MAX) {
        paths.push(child.map_err(failed)?.path());
    }
    // Version 7 ids sort by time: the oldest run first.
    paths.sort();
    let until = Instant::now() + REAPING;
    let mut abandoned = Vec::new();
    for path in paths {
        if let Some(mut past) = PastRun::read(&path) {
            abandoned.extend(past.reap(until, servers)?);
            past.close_if_done()?;
        }
    }
    Ok(abandoned)
}

fn append(file: &mut File, line: &str) -> io::Result<()> {
    // In one call, so that a kill leaves at most one torn line, at the end.
    file.write_all(line.as_bytes())?;
    file.sync_data()
}

fn sync_directory(path: &Path) -> Result<(), Error> {
    File::open(path)
        .and_then(|directory| directory.sync_all())
        .map_err(|error| Error::state("sync", path, &error))
}
