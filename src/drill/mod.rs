//! The recipe of a drill. Read aloud, it is the runbook:
//!
//! choose a backup; make a scratch; restore into it; see that it answers; prove what came
//! back; remove the scratch; judge; write the evidence.

mod anchor;
mod begin;
mod drift;
mod error;
mod examined;
mod fill;
mod last;
mod lease;
mod opening;
mod rehearsal;
mod run;
pub mod settings;
mod site;
mod source;
mod staged;
mod timeline;

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

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
pub use site::Site;
pub use source::{Found as FoundStamp, look as look_for_stamp, point as stamped_point};

use crate::archive::Toc;
use crate::catalog::{Backup, Catalog, ConsistencyPoint};
use crate::clock::{Phase, Stopwatch};
use crate::digest::Digest;
use crate::drill::lease::{Lease, Wanted};
use crate::drill::staged::Came;
use crate::drill::timeline::Timeline;
use crate::event::{EventKind, Events};
use crate::journal::Journal;
use crate::plan::{Amcheck, Check, Engine, ReadBack, Service};
use crate::postgres;
use crate::proof::{self, Fingerprint, Narrowed, NotNarrowed, Revealed};
use crate::record::{ComparedTo, Fidelity, Halt, Record, RecoveryTime, Traffic, Trigger};
use crate::restore::{self, Archive, Halted, Manner, Restored, Sample, Scratch, WayIn};
use crate::stamp::Stamp;
use crate::store::{self, ChecksumAlgorithm, Damage, Shaping, Store, Tuning};
use crate::verdict::{Blame, Code, Reason};

/// How long the rows that differ may be looked for.
const LOCATE_DEADLINE: Duration = Duration::from_secs(600);

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

/// The backup that is drilled, opened, with the stamp of its source.
struct Chosen {
    store: Store,
    backup: Backup,
    opened: Archive,
    stamp: Option<Stamp>,
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

    /// Lists, chooses, and opens the archive up to the end of its table of contents.
    async fn choose(&self, record: &mut Record, owned: &mut Owned) -> Result<Chosen, Reason> {
        let backup = &self.service.backup;
        let store = Store::open_shaped(&backup.location, &backup.store, self.outside.shaping).await;
        let mut store = store.map_err(|error| error.reason())?;
        if let Some(damage) = &self.outside.damage {
            store = store.damaged(damage.clone());
        }
        owned.store = Some(store.clone());
        let way = WayIn::of(backup).map_err(|error| error.reason())?;
        let listing = store.list().await.map_err(|error| error.reason())?;
        let catalog = Catalog::new(listing, backup);
        let select = &backup.select;
        fill::listing(record, &catalog, select);

        let now = self.watch.started_at();
        let seed = self.outside.run_id.as_u64_pair().1;
        let selection = catalog.select(select, seed, now).map_err(|error| error.reason())?;
        fill::selected(record, &selection);
        fill::notices(record, &selection.warnings, self.events);
        let chosen = &selection.backup;
        let object = chosen.object.clone();
        self.events.emit(EventKind::BackupChosen { uri: object.uri.clone(), bytes: object.bytes });
        let beside = anchor::beside(&store, chosen).await?;
        let source::Found { stamp, doubts } =
            source::look(&store, chosen, beside, &self.service.proof).await?;
        fill::doubts_of(record, &doubts);
        let anchor = anchor::outside(&store, chosen, beside, stamp.as_ref()).await?;

        let kept = anchor.as_ref().and_then(|anchor| anchor.kept);
        let opened = match opening::open(&store, chosen, kept, way, self.first_tuning(), self.events).await {
            Ok(opened) => opened,
            Err(halted) => return Err(self.second_opinion(halted, &store, chosen, record).await),
        };
        staged::assert_readable(&opened, self.service.restore.engine)?;
        let inside = || anchor::inside(opened.toc().header.compression);
        let expected = anchor.map_or_else(inside, |anchor| anchor.expected);
        fill::archive(record, opened.toc(), expected);
        if let Some(stamp) = &stamp {
            source::fill(record, stamp);
            let point = source::point(stamp);
            fill::stamped_point(record, point, &point.doubts(&object, backup.written_within, now));
        } else if chosen.point.is_none()
            && let Some(zone) = &backup.dump_timezone
            && let Some(created) = opened.toc().header.created
            && let Some(point) = ConsistencyPoint::from_header(created, zone)
        {
            fill::header_point(record, point, &point.doubts(&object, backup.written_within, now));
        }
        fill::recovery_point(record, &catalog, chosen.available_at, now);
        Ok(Chosen { store, backup: selection.backup, opened, stamp })
    }

    /// Everything of the archive into the scratch.
    async fn restore(
        &self,
        opened: Archive,
        scratch: &Scratch,
        store: &Store,
        backup: &Backup,
        record: &mut Record,
    ) -> Result<Came, Reason> {
        let came = match self.service.restore.engine {
            Engine::Native => {
                restore::restore(opened, scratch, self.manner(scratch), self.watch, self.events)
                    .await
                    .map(|restored| Came::Restored(Box::new(restored)))
            }
            Engine::PgRestore => {
                let toc = opened.toc().clone();
                drop(opened);
                let expected = record.artifact.as_ref().and_then(|a| a.expected.algorithm.as_deref());
                let kept = ChecksumAlgorithm::named(expected.unwrap_or_default());
                staged::restore(self, toc, kept, scratch, store, backup)
                    .await
                    .map(|by_tool| Came::ByTool(Box::new(by_tool)))
            }
        };
        match came {
            Ok(Came::Restored(restored)) => {
                self.settle(&restored, 0, record)?;
                Ok(Came::Restored(restored))
            }
            Ok(came) => Ok(came),
            Err(halted) => Err(self.second_opinion(halted, store, backup, record).await),
        }
    }

    /// What came of the restore, now with the rows that the archive holds.
    async fn rows_of(
        &self,
        came: Came,
        scratch: &Scratch,
        store: &Store,
        backup: &Backup,
        record: &mut Record,
    ) -> Result<Restored, Reason> {
        let by_tool = match came {
            Came::Restored(restored) => return Ok(*restored),
            Came::ByTool(by_tool) => by_tool,
        };
        let staged_bytes = by_tool.staged_bytes();
        match restore::spooled::count(*by_tool, scratch, self.manner(scratch)).await {
            Ok(restored) => {
                self.settle(&restored, staged_bytes, record)?;
                Ok(restored)
            }
            Err(halted) => Err(self.second_opinion(halted, store, backup, record).await),
        }
    }

    /// What the record says of a restore that came to its end.
    fn settle(&self, restored: &Restored, staged_bytes: u64, record: &mut Record) -> Result<(), Reason> {
        let compression = restored.toc.header.compression;
        record.restore = Some(fill::restored(restored, self.jobs(), &self.service.restore, staged_bytes));
        fill::tables_without_rows(record, restored, self.events);
        if let Some(artifact) = record.artifact.as_mut() {
            artifact.layers = fill::layers(&restored.read.layers);
            (artifact.expected, artifact.matches) =
                anchor::settled(artifact.expected.clone(), &restored.read, compression);
            artifact.trailing_bytes = Some(restored.read.trailing_bytes);
            artifact.observed = Some(anchor::observed(&restored.read));
        }
        let unfit = restored.failures.iter().find(|failure| failure.blame == Blame::Environment);
        unfit.map_or(Ok(()), |failure| Err(failure.reason()))
    }

    /// An archive that can't be read is blamed on the backup only if a second reading finds
    /// the same bytes.
    async fn second_opinion(
        &self,
        halted: Halted,
        store: &Store,
        backup: &Backup,
        record: &mut Record,
    ) -> Reason {
        let reason = halted.error.reason();
        if reason.code.blame() == Blame::Environment {
            return reason;
        }
        let Some(first) = halted.read else { return reason };
        let artifact = record.artifact.get_or_insert_with(crate::record::Artifact::unread);
        artifact.observed = Some(anchor::observed(&first));
        match opening::read_again(store, backup, None, self.tuning()).await {
            Ok(second) if second.digest == first.digest => reason,
            Ok(_) => Reason::new(
                Code::TransportUnreliable,
                format!("two readings of '{}' gave different bytes", backup.object.uri),
                "see the network between here and the store, and run the drill again",
            ),
            Err(error) => error.reason(),
        }
    }

    /// A digest from outside that does not fit is believed only if a second reading agrees.
    async fn anchor_holds(&self, store: &Store, backup: &Backup, record: &mut Record) -> Result<(), Reason> {
        let Some(artifact) = record.artifact.as_mut() else { return Ok(()) };
        if artifact.matches != Some(false) {
            return Ok(());
        }
        let kept = ChecksumAlgorithm::named(artifact.expected.algorithm.as_deref().unwrap_or_default());
        let read =
            opening::read_again(store, backup, kept, self.tuning()).await.map_err(|error| error.reason())?;
        artifact.observed_again = Some(anchor::observed(&read));
        Ok(())
    }

    fn measure(&self, record: &mut Record, timeline: &Timeline) {
        let Some(measured) = timeline.recovery() else { return };
        let declared: BTreeMap<_, _> =
            self.service.overheads.iter().map(|(name, length)| (name.clone(), (*length).into())).collect();
        record.measurements.recovery_time =
            Some(RecoveryTime::of(measured.into(), declared, record.objectives.rto_ms));
    }

    /// The rows that came back are the rows of the archive, and the plan's questions.
    async fn prove(
        &self,
        toc: &Toc,
        restored: &Restored,
        source: Option<&Fingerprint>,
        scratch: &Scratch,
        record: &mut Record,
    ) -> Result<Vec<proof::Comparison>, Reason> {
        let rows = restored.rows();
        let checks = &self.service.checks;
        self.events.emit(EventKind::ProofPlanned {
            tables: restored.tables.len(),
            rows,
            checks: checks.iter().map(Check::answers).sum(),
        });
        let refused = |error: proof::Error| error.reason();
        let tables = proof::compare(toc, restored, source, scratch, self.jobs(), self.events)
            .await
            .map_err(refused)?;
        let compared_to = source.map_or(ComparedTo::ArchiveStream, |_| ComparedTo::SourceStamp);
        let mut fidelity = Fidelity::of(compared_to, tables.iter().map(fill::table).collect());
        fidelity.sample = self.sample().map(fill::sample_of);
        let objects = proof::compare_large_objects(restored, scratch).await.map_err(refused)?;
        let sequences = proof::compare_sequences(toc, scratch).await.map_err(refused)?;
        fidelity.large_objects = Some(fill::compared(objects));
        fidelity.sequences = Some(fill::compared(sequences));
        record.fidelity = Some(fidelity);
        let beside = match source {
            Some(source) => {
                Some((source, proof::compare_beside(source, toc, restored, scratch).await.map_err(refused)?))
            }
            None => None,
        };
        let found = proof::compare_objects(toc, restored, scratch).await.map_err(refused)?;
        record.objects = Some(fill::found(found));
        self.examine(scratch, record).await.map_err(refused)?;
        let reports = self.ask(Timestamp::now(), scratch, record).await.map_err(refused)?;
        if let Some((source, mut beside)) = beside {
            proof::compare_newest(source, &reports, &mut beside);
            fill::beside_rows(record, beside);
        }
        Ok(tables)
    }

    /// The plan's questions, as of `now`.
    async fn ask(
        &self,
        now: Timestamp,
        scratch: &Scratch,
        record: &mut Record,
    ) -> Result<Vec<proof::CheckReport>, proof::Error> {
        let checks = &self.service.checks;
        let last = last::answers(self.outside.previous);
        let reports = proof::put(checks, scratch, now, &last, self.events).await?;
        fill::content_age(record, &reports);
        record.checks = Some(crate::record::Checks::of(
            checks.iter().map(|check| check.answers() as u64).sum(),
            self.service.content_only,
            reports.iter().map(fill::check).collect(),
        ));
        Ok(reports)
    }

    /// Which rows of a table differ, if any do: both sides are read once more. That it takes too
    /// long, or can't be done, takes nothing from the verdict.
    async fn locate(
        &self,
        restored: &Restored,
        tables: &[proof::Comparison],
        scratch: &Scratch,
        store: &Store,
        backup: &Backup,
        record: &mut Record,
    ) -> Vec<Revealed> {
        if !tables.iter().any(proof::Comparison::has_other_rows) {
            return Vec::new();
        }
        let locating = async {
            let way = WayIn::of(&self.service.backup).ok()?;
            let opened = opening::open(store, backup, None, way, self.tuning(), &Events::silent()).await;
            let salt = self.outside.run_id.to_string();
            let search = proof::Search { salt: &salt, reveal: self.outside.reveal_keys };
            proof::locate(restored, tables, scratch, opened.ok()?, search).await.ok()
        };
        let Narrowed { tables, revealed } = match tokio::time::timeout(LOCATE_DEADLINE, locating).await {
            Ok(Some(narrowed)) => narrowed,
            Ok(None) => Narrowed::none(tables, NotNarrowed::Unreadable),
            Err(_) => Narrowed::none(tables, NotNarrowed::Deadline),
        };
        fill::located_rows(record, tables);
        revealed
    }

    /// How it drifted since the last pass, whether sequences are ahead, and where the plan wants
    /// that, its structure and whether its constraints hold.
    async fn examine(&self, scratch: &Scratch, record: &mut Record) -> Result<(), proof::Error> {
        record.shape = Some(examined::shape(proof::shape(scratch).await?));
        record.drift = Some(drift::since(self.outside.previous, record, self.service));
        if self.service.proof.amcheck != Amcheck::Off {
            let all_indexed = self.service.proof.amcheck == Amcheck::HeapAllIndexed;
            let found = proof::examine(scratch, all_indexed, self.jobs()).await?;
            record.structure = Some(examined::structure(found, all_indexed));
        }
        record.numbering = Some(examined::numbering(proof::look_at_numbering(scratch).await?));
        if self.service.proof.revalidate {
            let found = proof::revalidate(scratch, self.jobs()).await?;
            record.revalidated = Some(examined::revalidated(found));
        }
        Ok(())
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
            ..Manner::drill(self.jobs(), self.service.restore.copy)
        }
    }

    fn tuning(&self) -> Tuning {
        self.service.restore.tuning()
    }

    /// How the store is read up to the end of the table of contents: an engine that begins anew
    /// behind it reads little ahead.
    fn first_tuning(&self) -> Tuning {
        match self.service.restore.engine {
            Engine::Native => self.tuning(),
            Engine::PgRestore => staged::FIRST_TUNING,
        }
    }
}

/// The restore ends when everything is on disk, not when the last statement has returned.
async fn make_durable(scratch: &Scratch) -> Result<(), Reason> {
    let session = scratch.connect().await.map_err(|error| error.reason())?;
    // A checkpoint of a server that others use is not ours to ask for. A commit that is waited for
    // has everything before it on disk, if only as WAL.
    let flush = "SET synchronous_commit = on; SELECT pg_catalog.txid_current()";
    let statement = if scratch.cluster().is_some() { "CHECKPOINT" } else { flush };
    session.run(statement).await.map_err(|error| error.reason())
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
