//! A run: one drill for each service, one after the other, under one lock and one journal.

use std::path::PathBuf;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::drill::{Error, Outside, Site, drill};
use crate::event::{EventKind, Events, Observer};
use crate::evidence::{Head, Keeper};
use crate::journal::{self, Abandoned, Journal, StateDirectory};
use crate::plan::{Plan, Service};
use crate::record::{AbandonedRun, Record, RunId, Trigger};
use crate::verdict::Reason;

/// What a run is asked for.
#[derive(Debug)]
pub struct RunRequest {
    /// The plan; each of its services is drilled, in its order.
    pub plan: Plan,
    /// Where locks, journals and evidence lie.
    pub state: StateDirectory,
    /// What set it off.
    pub trigger: Trigger,
}

/// What came of one drill.
#[derive(Debug)]
pub struct Drilled {
    /// The record, judged.
    pub record: Record,
    /// Where its evidence lies; none if it could not be stored.
    pub evidence: Option<PathBuf>,
    /// The head of its log, now that the record is in it; none if it could not be stored.
    pub head: Option<Head>,
}

/// What came of a run.
#[derive(Debug)]
pub struct RunOutcome {
    /// The name of the run.
    pub run_id: RunId,
    /// A drill for each service that was begun.
    pub drills: Vec<Drilled>,
    /// What went wrong around the drills, one line each.
    pub degraded: Vec<String>,
}

/// Drills the services of a plan. A killed run before this one is cleaned up after first, and
/// its drills are named in the evidence of this one.
///
/// # Errors
/// The plan's signing key is missing or unusable, another run holds the lock, or a directory
/// can't be written to.
pub async fn run(
    request: RunRequest,
    observer: Arc<dyn Observer>,
    cancel: CancellationToken,
) -> Result<RunOutcome, Error> {
    // Before anything else: a drill that could not be signed is not begun.
    let keeper = Keeper::open(&request.plan.evidence, &request.state.path().join("evidence"))?;
    let run_id = Uuid::now_v7();
    let (journal, abandoned) = Journal::open(&request.state, run_id)?;
    let site = tokio::task::spawn_blocking(Site::look).await.unwrap_or_else(|_| Site::look());
    let mut outcome =
        RunOutcome { run_id: RunId::from(run_id), drills: Vec::new(), degraded: leaked(&abandoned) };
    for service in &request.plan.services {
        if cancel.is_cancelled() {
            break;
        }
        let outside = Outside {
            run_id,
            trigger: request.trigger,
            site: &site,
            plan_digest: request.plan.digest,
            journal: &journal,
            cancel: cancel.clone(),
        };
        let events = Events::new(&service.name, observer.clone());
        let drilled = one(service, &outside, &keeper, &abandoned, &events, &mut outcome.degraded).await?;
        outcome.drills.push(drilled);
    }
    journal.finish()?;
    Ok(outcome)
}

/// One drill, from its first line in the journal to its evidence.
async fn one(
    service: &Service,
    outside: &Outside<'_>,
    keeper: &Keeper,
    abandoned: &[Abandoned],
    events: &Events,
    degraded: &mut Vec<String>,
) -> Result<Drilled, journal::Error> {
    outside.journal.drill_started(&service.name)?;
    let mut record = drill(service, outside, events).await;
    let ours: Vec<&Abandoned> =
        abandoned.iter().filter(|one| one.service.as_ref() == Some(&service.name)).collect();
    record.chain.abandoned_runs = ours.iter().map(|one| abandoned_run(one)).collect();
    let written = match keeper.keep(&mut record) {
        Ok(written) => {
            for one in ours {
                outside.journal.named(one)?;
            }
            Some(written)
        }
        Err(error) => {
            crate::judge::pronounce(&mut record);
            degraded.push(format!("the evidence of '{}' could not be stored: {error}", service.name));
            None
        }
    };
    outside.journal.drill_finished(&service.name)?;
    let reasons = record.verdict.reasons.iter();
    events.emit(EventKind::DrillFinished {
        verdict: record.verdict.result.0,
        reasons: reasons.map(|line| Reason::new(line.code.0, &line.detail, &line.remedy)).collect(),
    });
    let head = written.as_ref().map(|written| written.head);
    Ok(Drilled { record, evidence: written.map(|written| written.path), head })
}

/// What killed runs left and could not be removed.
fn leaked(abandoned: &[Abandoned]) -> Vec<String> {
    let leaks = abandoned.iter().flat_map(|one| &one.leaked);
    leaks
        .map(|leak| format!("a {} of a killed run is still there: {}", leak.resource.as_str(), leak.why))
        .collect()
}

fn abandoned_run(one: &Abandoned) -> AbandonedRun {
    AbandonedRun {
        run_id: RunId::from(one.run_id),
        started_at: Some(one.started_at.into()),
        last_state: one.last_state.clone(),
    }
}
