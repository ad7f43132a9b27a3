//! The recipe of a drill. Read aloud, it is the runbook:
//!
//! choose a backup; make a scratch; restore into it; see that it answers; prove what came
//! back; remove the scratch; judge; write the evidence.

mod anchor;
mod begin;
mod choosing;
mod drift;
mod error;
mod examined;
mod fill;
mod last;
mod lease;
mod opening;
mod proving;
mod rehearsal;
mod restoring;
mod run;
pub mod settings;
mod site;
mod source;
mod staged;
mod timeline;

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub use anchor::{
    beside as digest_beside, inside as anchor_inside, observed, outside as anchor_outside,
    settled as settled_anchor,
};
pub use error::Error;
pub use fill::table as table_record;
pub use lease::PlanServers;
pub use opening::open as open_backup;
pub use rehearsal::Rehearsal;
pub use run::{Drilled, RunOutcome, RunRequest, run};
pub use site::{Site, cores_here};
pub use source::{Found as FoundStamp, look as look_for_stamp, point as stamped_point};

use crate::catalog::Backup;
use crate::clock::{Phase, Stopwatch};
use crate::digest::Digest;
use crate::drill::choosing::Chosen;
use crate::drill::lease::{Lease, Wanted};
use crate::drill::restoring::make_durable;
use crate::drill::timeline::Timeline;
use crate::event::{EventKind, Events};
use crate::journal::Journal;
use crate::plan::{ReadBack, Service};
use crate::postgres;
use crate::proof::{self, Fingerprint, Revealed};
use crate::record::{Halt, Record, RecoveryTime, Traffic, Trigger};
use crate::restore::{Manner, Restored, Sample, Scratch};
use crate::store::{self, Damage, Shaping, Store, Tuning};
use crate::verdict::{Blame, Code, Reason};

/// What a drill is given beside its plan.
#[derive(Clone)]
pub struct Outside<'a> {
    /// The run it belongs to.
    pub run_id: Uuid,
    /// What set the run off.
    pub trigger: Trigger,
    /// The machine and the program.
    pub site: &'a Site,
    /// The digest of the plan file.
    pub plan_digest: Digest,
    /// Where everything that could outlive us is written down first.
    pub journal: &'a Journal,
    /// Whether the keys of rows that differ are to be shown to somebody.
    pub reveal_keys: bool,
    /// The newest pass of the service before this drill, if any stands up.
    pub previous: Option<&'a Record>,
    /// Cancelled when somebody wants the run to end.
    pub cancel: CancellationToken,
    /// What the store is seen through, where the drill is to find it; none in a drill that is
    /// evidence of anything.
    pub damage: Option<Damage>,
    /// How slow the store is made: a drill makes it no slower than it is.
    pub shaping: Shaping,
}

/// What a drill owns and must not leave behind, with what the end of it needs to know.
#[derive(Default)]
struct Owned {
    lease: Lease,
    store: Option<Store>,
    revealed: Vec<Revealed>,
}

/// What came of a drill.
pub struct Drill {
    /// Everything that is kept of it.
    pub record: Record,
    /// The keys of rows that differ, where they were asked for: for a terminal, and for nothing
    /// that is kept.
    pub revealed: Vec<Revealed>,
}

/// Runs one drill. Whatever happens there is a record, and whatever stops it cleans up. The
/// record is complete but for its place in the log and its verdict.
pub async fn drill(service: &Service, outside: &Outside<'_>, events: &Events) -> Drill {
    let Through { watch, mut record, mut timeline, mut owned, .. } = go(service, outside, events).await;
    timeline.enter(Phase::Cleanup);
    record.cleanup = owned.lease.end(service, outside.journal).await;
    timeline.close();
    record.phases = timeline.phases().to_vec();
    record.traffic = owned.store.as_ref().map(traffic);
    record.run.finish(Timestamp::now(), watch.elapsed());
    Drill { record, revealed: owned.revealed }
}

/// A drill that is through its stages, one way or another, and has not cleaned up.
struct Through {
    watch: Stopwatch,
    record: Record,
    timeline: Timeline,
    owned: Owned,
    /// What stands; none where something stopped it.
    standing: Option<Standing>,
}

/// Goes through the stages, as far as they can be gone through.
async fn go(service: &Service, outside: &Outside<'_>, events: &Events) -> Through {
    events.emit(EventKind::DrillStarted);
    let watch = Stopwatch::start();
    let mut record = begin::record(service, outside, watch);
    let mut timeline = Timeline::new(watch, events.clone());
    let mut owned = Owned::default();

    let stages = Stages { service, outside, events, watch };
    let outcome = bounded(service, outside, stages.all(&mut record, &mut timeline, &mut owned)).await;
    let standing = match outcome {
        Ok(standing) => Some(standing),
        Err(reason) => {
            let phase = timeline.halt();
            let mut reason = explained(reason, &owned).await;
            // Who stops a whole group of processes stops the scratch server first, at times.
            if outside.cancel.is_cancelled() && reason.code.blame() == Blame::Environment {
                reason = interrupted();
            }
            record.halt = Some(Halt::new(reason, phase));
            None
        }
    };
    Through { watch, record, timeline, owned, standing }
}

/// The outcome of `stages`, unless somebody wants them to end or their deadline is over.
async fn bounded<T>(
    service: &Service,
    outside: &Outside<'_>,
    stages: impl Future<Output = Result<T, Reason>>,
) -> Result<T, Reason> {
    tokio::select! {
        biased;
        () = outside.cancel.cancelled() => Err(interrupted()),
        ended = tokio::time::timeout(service.deadline, contained(stages)) => {
            ended.unwrap_or_else(|_| Err(overdue(service)))
        }
    }
}

/// The outcome of `stages`, or that a bug cut them off: then, too, there is a record, and what
/// they made is removed.
async fn contained<T>(stages: impl Future<Output = Result<T, Reason>>) -> Result<T, Reason> {
    let caught = AssertUnwindSafe(stages).catch_unwind().await;
    caught.unwrap_or_else(|_| {
        let remedy = "report this as a bug of firedrill, with what it wrote to stderr";
        Err(Reason::new(Code::Internal, "a bug of firedrill cut the drill off", remedy))
    })
}

/// A connection that went down says nothing of why the server did; the server's log does.
async fn explained(reason: Reason, owned: &Owned) -> Reason {
    match (owned.lease.scratch(), reason.code) {
        (Some(scratch), Code::ScratchCrashed) => {
            let lost = postgres::Error::new(postgres::Kind::Crashed, reason.detail);
            match scratch.cluster() {
                Some(cluster) => cluster.explain(lost).await.reason(),
                None => lost.reason(),
            }
        }
        _ => reason,
    }
}

fn interrupted() -> Reason {
    Reason::new(Code::Interrupted, "the drill was interrupted", "run it again")
}

fn overdue(service: &Service) -> Reason {
    let limit = crate::plan::duration::text(service.deadline);
    Reason::new(
        Code::Deadline,
        format!("the drill was not over within its deadline of {limit}"),
        "see which phase took so long, or raise the service's deadline",
    )
}

fn traffic(store: &Store) -> Traffic {
    let seen = store.traffic();
    Traffic { requests: seen.requests, retries: seen.retries, bytes: seen.bytes }
}

/// What stands when all stages are through.
struct Standing {
    restored: Restored,
    source: Option<Fingerprint>,
    backup: Backup,
}

/// The stages, in their order.
struct Stages<'a> {
    service: &'a Service,
    outside: &'a Outside<'a>,
    events: &'a Events,
    watch: Stopwatch,
}

impl Stages<'_> {
    async fn all(
        &self,
        record: &mut Record,
        timeline: &mut Timeline,
        owned: &mut Owned,
    ) -> Result<Standing, Reason> {
        timeline.enter(Phase::Select);
        let Chosen { store, backup, opened, stamp } = self.choose(record, owned).await?;

        timeline.enter(Phase::Provision);
        let source = record.stamp.as_ref().and_then(|stamp| stamp.system_identifier.clone());
        let wanted = Wanted {
            service: self.service,
            site: self.outside.site,
            jobs: self.jobs(),
            source: source.as_deref(),
        };
        let scratch = owned.lease.begin(&wanted, opened.toc(), self.outside.journal, record).await?;
        let monetary = stamp.as_ref().and_then(|stamp| stamp.fingerprint.manner.monetary.as_deref());
        let settled = scratch.settle_monetary(opened.toc(), monetary).await;
        settled.map_err(|error| error.reason())?;

        timeline.enter(Phase::Restore);
        let came = self.restore(opened, scratch, &store, &backup, record).await?;
        let toc = came.toc().clone();

        timeline.enter(Phase::Ready);
        let objects = proof::look(&toc, scratch).await.map_err(|error| error.reason())?;
        make_durable(scratch).await?;
        timeline.close();
        self.measure(record, timeline);

        timeline.enter(Phase::Proof);
        let restored = self.rows_of(came, scratch, &store, &backup, record).await?;
        fill::objects(record, objects);
        let source = stamp.map(|stamp| stamp.fingerprint);
        let tables = self.prove(&toc, &restored, source.as_ref(), scratch, record).await?;
        let revealed = self.locate(&restored, &tables, scratch, &store, &backup, record).await;
        self.anchor_holds(&store, &backup, record).await?;
        timeline.close();
        owned.revealed = revealed;
        Ok(Standing { restored, source, backup })
    }

    fn measure(&self, record: &mut Record, timeline: &Timeline) {
        let Some(measured) = timeline.recovery() else { return };
        let declared: BTreeMap<_, _> =
            self.service.overheads.iter().map(|(name, length)| (name.clone(), (*length).into())).collect();
        record.measurements.recovery_time =
            Some(RecoveryTime::of(measured.into(), declared, record.objectives.rto_ms));
    }

    /// The rows that the proof is content with in large tables; each run has others.
    fn sample(&self) -> Option<Sample> {
        let seed = self.outside.run_id.as_u64_pair().1 as u32;
        match self.service.proof.read_back {
            ReadBack::All => None,
            ReadBack::Sample { share_ppm } => Some(Sample { seed, share_ppm }),
        }
    }

    fn jobs(&self) -> usize {
        self.service.restore.jobs.unwrap_or_else(|| self.outside.site.cores())
    }

    fn manner(&self, scratch: &Scratch) -> Manner {
        Manner {
            rules: scratch.rules(),
            sample: self.sample(),
            copy_connections: self.service.restore.copying(self.jobs()),
            tables_at_once: self.service.restore.begun_at_once(self.jobs()),
            ..Manner::drill(self.jobs(), self.service.restore.copy)
        }
    }

    fn tuning(&self) -> Tuning {
        self.service.restore.tuning()
    }
}

/// The store of a location, for faces that only list.
///
/// # Errors
/// The store can't be reached as the plan says.
pub async fn open_store(service: &Service) -> Result<Store, store::Error> {
    Store::open(&service.backup.location, &service.backup.store).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_a_reason_like_any_other() {
        assert_eq!(contained(async { Ok(()) }).await, Ok(()));
        assert_eq!(contained(async { Err::<(), _>(interrupted()) }).await, Err(interrupted()));
        let caught: Result<(), Reason> = contained(async { panic!("on purpose, for a test") }).await;
        assert_eq!(caught.unwrap_err().code, Code::Internal);
    }
}
