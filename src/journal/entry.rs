//! The lines of a journal, as they stand on disk.

use std::path::PathBuf;

use jiff::{Timestamp, Unit};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::journal::error::Error;
use crate::postgres::Places;

/// The version of the lines, in the first of each journal.
///
/// - 1: the first.
pub const VERSION: u32 = 1;

/// Something that could outlive the process that makes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Resource {
    /// A throwaway cluster.
    Cluster {
        /// Its directory.
        directory: PathBuf,
        /// The directory of its socket, if that is another one.
        socket_directory: Option<PathBuf>,
    },
    /// A database on a server that the plan names.
    Database {
        /// The server, without a password.
        server: String,
        /// The database.
        name: String,
    },
}

impl Resource {
    /// What it is, in a word.
    pub fn as_str(&self) -> &'static str {
        match self {
            Resource::Cluster { .. } => "cluster",
            Resource::Database { .. } => "database",
        }
    }
}

impl From<Places> for Resource {
    fn from(places: Places) -> Resource {
        Resource::Cluster { directory: places.directory, socket_directory: places.socket_directory }
    }
}

/// One line.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// When it was written.
    pub at: Timestamp,
    /// What it says.
    pub state: State,
}

/// What a line can say.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum State {
    /// The run begins; always the first line.
    Started { version: u32, run_id: Uuid },
    /// A drill begins.
    DrillStarted { service: String },
    /// Something is about to be made.
    WillCreate { service: String, resource: Resource },
    /// It is made.
    Created { service: String, resource: Resource },
    /// It is removed, by the drill that made it.
    Removed { service: String, resource: Resource },
    /// A drill is over, and its evidence written.
    DrillFinished { service: String },
    /// The run is over.
    Finished,
    /// It is removed, by a later run.
    Reaped { service: String, resource: Resource },
    /// A later run's evidence names this abandoned drill, or the run if it had none.
    Named { service: Option<String> },
}

/// A line to be written now, with its newline.
pub fn line(state: State) -> Result<String, Error> {
    let now = Timestamp::now();
    let line = Line { at: now.round(Unit::Millisecond).unwrap_or(now), state };
    let mut text = serde_json::to_string(&line).map_err(|error| {
        Error::not_safe(
            format!("a line of the journal can't be written: {error}"),
            "use paths that are UTF-8",
        )
    })?;
    text.push('\n');
    Ok(text)
}
