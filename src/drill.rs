//! The recipe of a drill.

use std::path::PathBuf;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::event::Observer;
use crate::journal::{self, StateDirectory};
use crate::plan::Plan;
use crate::record::{Record, RunId, Trigger};

/// What a run is asked for.
#[derive(Debug)]
pub struct RunRequest {
    /// The plan; each of its services is drilled.
    pub plan: Plan,
    /// Where evidence and journal go.
    pub state: StateDirectory,
    /// What set the run off.
    pub trigger: Trigger,
}

/// A run that is over.
#[derive(Debug)]
pub struct RunOutcome {
    /// Its name.
    pub run_id: RunId,
    /// Its drills, in the order of the plan.
    pub drills: Vec<Drilled>,
    /// What else went wrong around them, one line each.
    pub degraded: Vec<String>,
}

/// A drill that is over.
#[derive(Debug)]
pub struct Drilled {
    /// Everything known about it, judged.
    pub record: Record,
    /// The file of its evidence, if it could be written.
    pub evidence: Option<PathBuf>,
}

/// Drills every service of the request's plan.
///
/// # Errors
/// The run could not begin: another holds the lock, or the state can't be written.
pub async fn run(
    request: RunRequest,
    _observer: Arc<dyn Observer>,
    _cancel: CancellationToken,
) -> Result<RunOutcome, journal::Error> {
    let id = uuid::Uuid::now_v7();
    let (journal, _) = journal::Journal::open(&request.state, id)?;
    journal.finish()?;
    Ok(RunOutcome { run_id: RunId::fresh(), drills: Vec::new(), degraded: Vec::new() })
}
