//! A run: one drill for each service, one after the other, under one lock and one journal.

use std::path::PathBuf;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::digest::Digest;
use crate::drill::{Outside, Site, drill};
use crate::event::{EventKind, Events, Observer};
use crate::evidence::{Log, SigningKey};
use crate::journal::{self, Abandoned, Journal, StateDirectory};
use crate::plan::{Select, Service};
use crate::record::{AbandonedRun, Record, RunId, Trigger};
use crate::verdict::{Reason, Verdict};

/// What a run is asked for.
pub struct Request {
    /// The services to drill, in their order.
    pub services: Vec<Service>,
    /// The digest of the plan file, if there is one.
    pub plan_digest: Option<Digest>,
    /// Where locks, journals and evidence lie.
    pub state: StateDirectory,
    /// What set it off.
    pub trigger: Trigger,
    /// Another choice of backup than the plan's.
    pub select: Option<Select>,
    /// Another number of connections to the scratch than the plan's.
    pub jobs: Option<usize>,
    /// Signs the evidence.
    pub key: Option<SigningKey>,
}

/// What came of one drill.
#[derive(Debug)]
pub struct Drilled {
    /// The record, judged.
    pub record: Record,
    /// Where its evidence lies; none if it could not be stored.
    pub evidence: Option<PathBuf>,
    /// Why it could not be stored.
    pub unstored: Option<Reason>,
}

/// What came of a run.
#[derive(Debug)]
pub struct Outcome {
    /// The name of the run.
    pub run_id: Uuid,
    /// A drill for each service that was begun.
    pub drills: Vec<Drilled>,
    /// Whether it was cancelled.
    pub interrupted: bool,
}

/// Why a run did not begin.
pub type RunError = journal::Error;

/// Drills the services. A killed run before this one is cleaned up after first, and its
/// drills are named in the evidence of this one.
///
/// # Errors
/// Another run holds the lock, or the state directory can't be written to.
pub async fn run(
    request: Request,
    observer: Arc<dyn Observer>,
    cancel: CancellationToken,
) -> Result<Outcome, RunError> {
    let run_id = Uuid::now_v7();
    let (journal, abandoned) = Journal::open(&request.state, run_id)?;
    let site = tokio::task::spawn_blocking(Site::look).await.unwrap_or_else(|_| Site::look());
    let mut drills = Vec::with_capacity(request.services.len());
    for service in &request.services {
        if cancel.is_cancelled() {
            break;
        }
        let outside = Outside {
            run_id,
            trigger: request.trigger,
            site: &site,
            plan_digest: request.plan_digest,
            journal: &journal,
            select: request.select.as_ref(),
            jobs: request.jobs,
            cancel: cancel.clone(),
        };
        let events = Events::new(&service.name, observer.clone());
        drills.push(one(service, &outside, &request, &abandoned, &events).await?);
    }
    let interrupted = cancel.is_cancelled();
    journal.finish()?;
    Ok(Outcome { run_id, drills, interrupted })
}

/// One drill, from its first line in the journal to its evidence.
async fn one(
    service: &Service,
    outside: &Outside<'_>,
    request: &Request,
    abandoned: &[Abandoned],
    events: &Events,
) -> Result<Drilled, RunError> {
    outside.journal.drill_started(&service.name)?;
    let mut record = drill(service, outside, events).await;
    let ours: Vec<&Abandoned> =
        abandoned.iter().filter(|one| one.service.as_ref() == Some(&service.name)).collect();
    record.chain.abandoned_runs = ours.iter().map(|one| abandoned_run(one)).collect();
    let stored = Log::open(&request.state.path().join("evidence"), &service.name)
        .and_then(|log| log.append(&mut record, request.key.as_ref()));
    let (evidence, unstored) = match stored {
        Ok(written) => {
            for one in ours {
                outside.journal.named(one)?;
            }
            (Some(written.path), None)
        }
        Err(error) => {
            crate::judge::pronounce(&mut record);
            (None, Some(error.reason()))
        }
    };
    outside.journal.drill_finished(&service.name)?;
    events.emit(EventKind::DrillFinished {
        verdict: record.verdict.result.0,
        reasons: record
            .verdict
            .reasons
            .iter()
            .map(|line| Reason::new(line.code.0, &line.detail, &line.remedy))
            .collect(),
    });
    Ok(Drilled { record, evidence, unstored })
}

fn abandoned_run(one: &Abandoned) -> AbandonedRun {
    AbandonedRun {
        run_id: RunId::from(one.run_id),
        started_at: Some(one.started_at.into()),
        last_state: one.last_state.clone(),
    }
}

impl Outcome {
    /// The worst verdict of its drills; none if no drill was begun.
    pub fn verdict(&self) -> Option<Verdict> {
        self.drills.iter().map(|drilled| drilled.record.verdict.result.0).max()
    }

    /// Whether something around the verdicts went wrong: evidence that was not stored, a
    /// scratch that was left behind.
    pub fn degraded(&self) -> bool {
        self.drills.iter().any(|drilled| {
            let left = drilled.record.cleanup.as_ref().is_some_and(|cleanup| !cleanup.scratch_removed);
            left || drilled.evidence.is_none()
        })
    }
}
