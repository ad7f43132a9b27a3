//! The journal of a run that is over, one way or another.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use jiff::Timestamp;
use uuid::Uuid;

use crate::journal::entry::{self, Line, Resource, State};
use crate::journal::error::Error;
use crate::journal::{Servers, append};
use crate::postgres::{Places, remove_leftover};

/// A journal is longer than this by damage only.
const JOURNAL_BYTES_MAX: u64 = 4 << 20;

/// A drill that was cut off, and what became of what it left.
#[derive(Clone, Debug)]
pub struct Abandoned {
    /// The run that it belonged to.
    pub run_id: Uuid,
    /// Its service; `None` when the run was cut off outside of any drill.
    pub service: Option<String>,
    /// When it began.
    pub started_at: Timestamp,
    /// The last that its journal tells: `drill started`, `cluster created`.
    pub last_state: String,
    /// What it left, and is removed now.
    pub removed: Vec<Resource>,
    /// What it left, and is still there.
    pub leaked: Vec<Leaked>,
    /// Where the journal was put aside because it is damaged; then this list may lack something.
    pub quarantined: Option<PathBuf>,
}

/// Something that is still there.
#[derive(Clone, Debug)]
pub struct Leaked {
    /// What.
    pub resource: Resource,
    /// Why, in one line.
    pub why: String,
}

/// One journal of the past, as far as it can be read.
pub struct PastRun {
    path: PathBuf,
    run_id: Uuid,
    lines: Vec<Line>,
    /// The length up to the last whole line; behind it a kill may have left half a one.
    whole_bytes: u64,
    damaged: bool,
}

impl PastRun {
    /// Reads a journal, damaged or not. `None` for a file that is none by its name, or is gone.
    pub fn read(path: &Path) -> Option<PastRun> {
        let id = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".jsonl"));
        let run_id = id.and_then(|id| Uuid::try_parse(id).ok())?;
        let mut past =
            PastRun { path: path.into(), run_id, lines: Vec::new(), whole_bytes: 0, damaged: false };
        let bytes = match read_bounded(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            // Nothing in here may keep all later runs from beginning.
            Err(_) => {
                past.damaged = true;
                Vec::new()
            }
        };
        past.damaged |= bytes.len() as u64 > JOURNAL_BYTES_MAX;
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            let Some(line) = piece.strip_suffix(b"\n") else { break };
            match serde_json::from_slice(line) {
                Ok(line) => past.lines.push(line),
                Err(_) => past.damaged = true,
            }
            past.whole_bytes = past.whole_bytes.saturating_add(piece.len() as u64);
        }
        // A run that was cut off in its very first line has made nothing.
        let begins = matches!(past.lines.first().map(|line| &line.state),
            Some(State::Started { version: entry::VERSION, run_id }) if *run_id == past.run_id);
        past.damaged |= !begins && past.whole_bytes > 0;
        Some(past)
    }

    /// Removes what the run left, as long as there is time, and says which drills it cut off and
    /// nobody has named yet. A damaged journal is put aside.
    pub fn reap(&mut self, until: Instant, servers: &dyn Servers) -> Result<Vec<Abandoned>, Error> {
        let mut leaked = Vec::new();
        for (service, resource) in self.left() {
            let removal = if Instant::now() < until {
                remove(&service, &resource, servers)
            } else {
                Err("no time is left for it".into())
            };
            match removal {
                Ok(()) => self.append(State::Reaped { service, resource })?,
                Err(why) => leaked.push((service, Leaked { resource, why })),
            }
        }
        let mut abandoned = self.abandoned(&leaked);
        if self.damaged {
            let aside = self.path.with_extension("jsonl.damaged");
            fs::rename(&self.path, &aside)
                .map_err(|error| Error::state("put aside the journal", &self.path, &error))?;
            abandoned.iter_mut().for_each(|drill| drill.quarantined = Some(aside.clone()));
        }
        Ok(abandoned)
    }

    /// Adds a line.
    pub fn append(&mut self, state: State) -> Result<(), Error> {
        let text = entry::line(state.clone())?;
        if !self.damaged {
            let add = || {
                let mut file =
                    OpenOptions::new().append(true).custom_flags(nix::libc::O_NOFOLLOW).open(&self.path)?;
                file.set_len(self.whole_bytes)?;
                append(&mut file, &text)
            };
            add().map_err(|error| Error::state("write the journal", &self.path, &error))?;
            self.whole_bytes = self.whole_bytes.saturating_add(text.len() as u64);
        }
        self.lines.push(Line { at: Timestamp::now(), state });
        Ok(())
    }

    /// Removes the journal when nothing of it is left to be removed or named.
    pub fn close_if_done(&self) -> Result<(), Error> {
        if self.damaged || !self.left().is_empty() || !self.abandoned(&[]).is_empty() {
            return Ok(());
        }
        fs::remove_file(&self.path).map_err(|error| Error::state("remove the journal", &self.path, &error))
    }

    /// What was made, or was about to be, and nobody has removed.
    fn left(&self) -> Vec<(String, Resource)> {
        let mut left: Vec<(String, Resource)> = Vec::new();
        for line in &self.lines {
            match &line.state {
                State::WillCreate { service, resource } | State::Created { service, resource }
                    if !left.iter().any(|(_, known)| known == resource) =>
                {
                    left.push((service.clone(), resource.clone()));
                }
                State::Removed { resource, .. } | State::Reaped { resource, .. } => {
                    left.retain(|(_, known)| known != resource);
                }
                _ => {}
            }
        }
        left
    }

    /// One for each drill that began and did not end, or that left something; one for the run when
    /// it was cut off without such a drill; none for those already named. What was made outside of
    /// a drill, as the sample of the demonstration is, belongs to the run.
    fn abandoned(&self, leaked: &[(String, Leaked)]) -> Vec<Abandoned> {
        let states = || self.lines.iter().map(|line| &line.state);
        let named = |who: Option<&str>| {
            states().any(|state| matches!(state, State::Named { service } if service.as_deref() == who))
        };
        let mut services: Vec<&str> = Vec::new();
        for service in states().filter_map(service_of) {
            let began = states()
                .any(|state| matches!(state, State::DrillStarted { service: begun } if begun == service));
            let ended = states()
                .any(|state| matches!(state, State::DrillFinished { service: ended } if ended == service));
            let left = leaked.iter().any(|(owner, _)| owner == service)
                || states()
                    .any(|state| matches!(state, State::Reaped { service: owner, .. } if owner == service));
            if began && (!ended || left) && !services.contains(&service) {
                services.push(service);
            }
        }
        let finished = states().any(|state| matches!(state, State::Finished));
        if services.is_empty() {
            let left = !leaked.is_empty() || states().any(|state| matches!(state, State::Reaped { .. }));
            let told = named(None) || (finished && !left);
            return if told { Vec::new() } else { vec![self.one(None, leaked)] };
        }
        services
            .into_iter()
            .filter(|service| !named(Some(service)))
            .map(|service| self.one(Some(service), leaked))
            .collect()
    }

    fn one(&self, service: Option<&str>, leaked: &[(String, Leaked)]) -> Abandoned {
        let own = |state: &State| service.is_none() || service_of(state) == service;
        let lines = || self.lines.iter().filter(|line| own(&line.state));
        let removed = lines().filter_map(|line| match &line.state {
            State::Reaped { resource, .. } => Some(resource.clone()),
            _ => None,
        });
        Abandoned {
            run_id: self.run_id,
            service: service.map(String::from),
            started_at: lines().next().map_or_else(|| moment_of(self.run_id), |line| line.at),
            last_state: lines()
                .filter_map(|line| said(&line.state))
                .next_back()
                .unwrap_or_else(|| "unknown".into()),
            removed: removed.collect(),
            leaked: leaked
                .iter()
                .filter(|(owner, _)| service.is_none_or(|s| s == owner))
                .map(|(_, l)| l.clone())
                .collect(),
            quarantined: None,
        }
    }
}

/// A version 7 id holds the moment at which it was made.
fn moment_of(run_id: Uuid) -> Timestamp {
    let made = run_id.get_timestamp().and_then(|made| i64::try_from(made.to_unix().0).ok());
    made.and_then(|seconds| Timestamp::from_second(seconds).ok()).unwrap_or(Timestamp::UNIX_EPOCH)
}

fn service_of(state: &State) -> Option<&str> {
    match state {
        State::DrillStarted { service }
        | State::WillCreate { service, .. }
        | State::Created { service, .. }
        | State::Removed { service, .. }
        | State::DrillFinished { service }
        | State::Reaped { service, .. } => Some(service),
        State::Started { .. } | State::Finished | State::Named { .. } => None,
    }
}

/// What the run itself said last; what later runs wrote is not its state.
fn said(state: &State) -> Option<String> {
    Some(match state {
        State::Started { .. } => "run started".into(),
        State::DrillStarted { .. } => "drill started".into(),
        State::WillCreate { resource, .. } => format!("{} about to be created", resource.as_str()),
        State::Created { resource, .. } => format!("{} created", resource.as_str()),
        State::Removed { resource, .. } => format!("{} removed", resource.as_str()),
        State::DrillFinished { .. } => "drill finished".into(),
        State::Finished => "run finished".into(),
        State::Reaped { .. } | State::Named { .. } => return None,
    })
}

fn remove(service: &str, resource: &Resource, servers: &dyn Servers) -> Result<(), String> {
    match resource {
        Resource::Cluster { directory, socket_directory } => {
            let places = Places { directory: directory.clone(), socket_directory: socket_directory.clone() };
            remove_leftover(&places).map(|_| ()).map_err(|error| error.to_string())
        }
        Resource::Database { server, name } => servers.remove_database(service, server, name),
    }
}

fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let flags = nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK;
    let file: File = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let mut bytes = Vec::new();
    file.take(JOURNAL_BYTES_MAX.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok(bytes)
}
