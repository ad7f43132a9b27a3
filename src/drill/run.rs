//! A run: one drill for each service, one after the other, under one lock and one journal.

use std::path::PathBuf;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::drill::lease::PlanServers;
use crate::drill::{Drill, Error, Outside, Site, drill};
use crate::event::{EventKind, Events, Observer};
use crate::evidence::{self, Head, Keeper, PublicKey, Sent};
use crate::journal::{self, Abandoned, Journal, StateDirectory};
use crate::plan::{Plan, Service};
use crate::proof::Revealed;
use crate::record::{AbandonedRun, Record, RunId, Trigger};
use crate::store::Shaping;
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
    /// Whether the primary keys of rows that differ are wanted, which nothing keeps.
    pub reveal_keys: bool,
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
    /// The keys of rows that differ, where they were asked for. They are for a terminal alone.
    pub revealed: Vec<Revealed>,
}

/// What came of a run.
#[derive(Debug)]
pub struct RunOutcome {
    /// The name of the run.
    pub run_id: RunId,
    /// A drill for each service that was begun.
    pub drills: Vec<Drilled>,
    /// The folder that their evidence lies in.
    pub evidence: PathBuf,
    /// The key that verifies it; none where nothing is signed.
    pub key: Option<PublicKey>,
    /// What went wrong around the drills, one line each.
    pub degraded: Vec<String>,
    /// Where somebody else's evidence stands in the place of ours, one line each.
    pub conflicts: Vec<String>,
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
    let (journal, mut abandoned) = Journal::open_with(&request.state, run_id, &PlanServers(&request.plan))?;
    let site = Site::found().await;
    let mut outcome = RunOutcome {
        run_id: RunId::from(run_id),
        drills: Vec::new(),
        evidence: keeper.root().to_owned(),
        key: keeper.public().cloned(),
        degraded: leaked(&abandoned),
        conflicts: Vec::new(),
    };
    for service in &request.plan.services {
        if cancel.is_cancelled() {
            break;
        }
        let previous = keeper.newest_pass(&service.name);
        let outside = Outside {
            run_id,
            trigger: request.trigger,
            site: &site,
            plan_digest: request.plan.digest,
            journal: &journal,
            reveal_keys: request.reveal_keys,
            previous: previous.as_ref(),
            cancel: cancel.clone(),
            damage: None,
            shaping: Shaping::default(),
        };
        let events = Events::new(&service.name, observer.clone());
        if let Err(error) = journal.drill_started(&service.name) {
            // A drill that a kill could make disappear is not begun.
            outcome.degraded.push(error.to_string());
            break;
        }
        let drilled = one(service, &outside, &keeper, &mut abandoned, &events, &mut outcome).await;
        outcome.drills.push(drilled);
    }
    noted(journal.finish(), &mut outcome.degraded);
    Ok(outcome)
}

/// What the journal can't take any more takes nothing from the drills that are over.
fn noted(written: Result<(), journal::Error>, degraded: &mut Vec<String>) {
    degraded.extend(written.err().map(|error| error.to_string()));
}

/// One drill that the journal knows of, to its evidence.
async fn one(
    service: &Service,
    outside: &Outside<'_>,
    keeper: &Keeper,
    abandoned: &mut Vec<Abandoned>,
    events: &Events,
    outcome: &mut RunOutcome,
) -> Drilled {
    // A drill is a large future, and the run that holds it should not be.
    let Drill { mut record, revealed } = Box::pin(drill(service, outside, events)).await;
    // A run that was cut off outside of any drill is named by the first that comes.
    let named = |one: &mut Abandoned| one.service.as_ref().is_none_or(|name| *name == service.name);
    let ours: Vec<Abandoned> = abandoned.extract_if(.., named).collect();
    record.chain.abandoned_runs = ours.iter().map(abandoned_run).collect();
    let written = match keeper.keep(&mut record) {
        Ok(written) => {
            for one in &ours {
                noted(outside.journal.named(one), &mut outcome.degraded);
            }
            Some(written)
        }
        Err(error) => {
            crate::judge::pronounce(&mut record);
            let what = format!("the evidence of '{}' could not be stored", service.name);
            outcome.trouble(&what, &error);
            None
        }
    };
    noted(outside.journal.drill_finished(&service.name), &mut outcome.degraded);
    let sent = outside.cancel.run_until_cancelled(Box::pin(keeper.send(&service.name))).await;
    outcome.take_note(&service.name, keeper, sent);
    let reasons = record.verdict.reasons.iter();
    events.emit(EventKind::DrillFinished {
        verdict: record.verdict.result.0,
        reasons: reasons.map(|line| Reason::new(line.code.0, &line.detail, &line.remedy)).collect(),
    });
    let head = written.as_ref().map(|written| written.head);
    Drilled { record, evidence: written.map(|written| written.path), head, revealed }
}

impl RunOutcome {
    /// Evidence that is not where it should be.
    fn trouble(&mut self, what: &str, error: &evidence::Error) {
        let line = format!("{what}: {}; {}", evidence::with_causes(error), error.reason().remedy);
        match error.kind() {
            evidence::Kind::Conflict => self.conflicts.push(line),
            _ => self.degraded.push(line),
        }
    }

    /// What came of sending the evidence of a service; nothing, if there was no time for it.
    fn take_note(
        &mut self,
        service: &str,
        keeper: &Keeper,
        sent: Option<Result<Option<Sent>, evidence::Error>>,
    ) {
        match sent {
            Some(Ok(None | Some(Sent { trouble: None, .. }))) => {}
            Some(Ok(Some(Sent { waiting, trouble: Some(error), .. }))) => {
                self.trouble(&waits(waiting, service), &error);
            }
            Some(Err(error)) => {
                self.trouble(&format!("the evidence of '{service}' could not be sent"), &error);
            }
            None => {
                if let Ok(Some(waiting @ 1..)) = keeper.waiting(service) {
                    let what = waits(waiting, service);
                    self.degraded.push(format!("{what}: the run was cut short; the next one sends them"));
                }
            }
        }
    }
}

fn waits(waiting: u64, service: &str) -> String {
    match waiting {
        1 => format!("a file of the evidence of '{service}' waits here to be sent"),
        _ => format!("{waiting} files of the evidence of '{service}' wait here to be sent"),
    }
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
