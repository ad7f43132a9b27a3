//! The recipe of a benchmark: the restore of one backup in several ways, again and again.
//!
//! for each round: for each point of the grid: drill, as far as the rows are compared; keep what
//! was measured, unless a single row was wrong.
//!
//! Rounds are interleaved, so that what disturbs the machine for a while disturbs every point.
//! Nothing of it is evidence.

mod advice;
mod gauge;
mod grid;
mod limit;
mod tried;
mod usage;

use std::sync::Arc;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub use advice::{Advice, advice};
pub use gauge::{Longest, Seen};
pub use grid::{Grid, POINTS_MAX, Point};
pub use limit::Limit;
pub use tried::{Run, Spread, Tried};
pub use usage::Used;

use crate::bench::gauge::Gauge;
use crate::digest::{Digest, Hasher};
use crate::drill::{Error, Outside, Site, cores_here, drill};
use crate::event::{EventKind, Events, Observer};
use crate::journal::{Journal, StateDirectory};
use crate::plan::{Amcheck, Engine, Minimum, ReadBack, Select, Service, StampDemand};
use crate::record::{Compared, Record, TableState, Trigger};
use crate::store::Shaping;
use crate::verdict::{Code, Reason, Verdict};

/// More rounds than this tell nothing more.
pub const ROUNDS_MAX: usize = 25;

/// What is asked of a benchmark.
#[derive(Debug)]
pub struct Request {
    /// The service whose backup is restored.
    pub service: Service,
    /// The digest of the plan that it stands in.
    pub plan_digest: Digest,
    /// Where the lock and the journal lie.
    pub state: StateDirectory,
    /// The ways to restore; the first is what the others are compared with.
    pub points: Vec<Point>,
    /// How often each is tried, at most [`ROUNDS_MAX`].
    pub rounds: usize,
    /// How slow the store is made.
    pub shaping: Shaping,
}

/// What came of it.
#[derive(Debug)]
pub struct Bench {
    /// The service.
    pub service: String,
    /// When it began.
    pub started_at: Timestamp,
    /// The machine.
    pub site: Arc<Site>,
    /// The backup that was restored; none if none was reached.
    pub backup: Option<Restored>,
    /// How slow the store was made.
    pub shaping: Shaping,
    /// How often each point was to be tried.
    pub rounds: usize,
    /// The points, in the order of the request.
    pub tried: Vec<Tried>,
    /// Why it ended before all was tried.
    pub stopped: Option<Stopped>,
    /// What went wrong beside it, one line each.
    pub degraded: Vec<String>,
}

/// The backup of a benchmark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// Where it lies.
    pub uri: String,
    /// Its stored size.
    pub bytes: u64,
    /// The format of the archive.
    pub format: String,
    /// Its tables with rows.
    pub tables: u64,
    /// Their rows.
    pub rows: u64,
}

/// A restore that was no restore.
#[derive(Clone, Debug)]
pub struct Stopped {
    /// Which point; none if it was interrupted.
    pub point: Option<usize>,
    /// Why.
    pub reason: Reason,
}

/// The points of `grid` on this machine; none if they are more than [`POINTS_MAX`].
pub fn points(service: &Service, grid: &Grid) -> Option<Vec<Point>> {
    let cores = cores_here();
    grid.points(Point::of(service, cores))
}

/// Tries every point. The first wrong restore ends it.
///
/// # Errors
/// Another run holds the lock, or the state directory can't be written to.
pub async fn bench(
    request: Request,
    observer: Arc<dyn Observer>,
    cancel: CancellationToken,
) -> Result<Bench, Error> {
    let run_id = Uuid::now_v7();
    let (journal, _) = Journal::open(&request.state, run_id)?;
    let site = Site::found().await;
    let mut bench = Bench {
        service: request.service.name.clone(),
        started_at: Timestamp::now(),
        site: site.clone(),
        backup: None,
        shaping: request.shaping,
        rounds: request.rounds,
        tried: request.points.iter().map(|point| Tried::new(*point)).collect(),
        stopped: None,
        degraded: Vec::new(),
    };
    let mut bare = bare(&request.service);
    let mut reference = None;
    let turns = turns(request.points.len(), request.rounds);
    for (turn, index) in turns.iter().copied().enumerate() {
        let Some(tried) = bench.tried.get_mut(index).filter(|tried| tried.left_out.is_none()) else {
            continue;
        };
        if cancel.is_cancelled() {
            bench.stopped = Some(Stopped { point: None, reason: interrupted() });
            break;
        }
        let outside = Outside {
            run_id,
            trigger: Trigger::Manual,
            site: &site,
            plan_digest: request.plan_digest,
            journal: &journal,
            previous: None,
            cancel: cancel.clone(),
            reveal_keys: false,
            damage: None,
            shaping: request.shaping,
        };
        let gauge = Gauge::before(observer.clone());
        let name = format!("{} {}/{}", request.service.name, turn + 1, turns.len());
        let events = Events::new(&name, gauge.clone());
        let record = Box::pin(drill(&tried.point.applied(&bare), &outside, &events)).await.record;
        let judged = judged(&record, &mut reference);
        tell(&events, &judged);
        bench.degraded.extend(left_behind(&record));
        match judged {
            Ok(()) => {
                tried.runs.extend(Run::of(&record, gauge.seen(), request.shaping, site.cores()));
                bench.backup.get_or_insert_with(|| restored(&record));
                choose_again(&mut bare, &record);
            }
            Err(reason) if reason.code == Code::Interrupted => {
                bench.stopped = Some(Stopped { point: None, reason });
                break;
            }
            Err(reason) if index > 0 && can_be_left_out(tried.point, &reason) => {
                tried.left_out = Some(reason);
            }
            Err(reason) => {
                bench.stopped = Some(Stopped { point: Some(index), reason });
                break;
            }
        }
    }
    if let Err(error) = journal.finish() {
        bench.degraded.push(error.to_string());
    }
    Ok(bench)
}

/// Which point is tried when: all of them in each round, each round beginning one further on.
fn turns(points: usize, rounds: usize) -> Vec<usize> {
    (0..rounds).flat_map(|round| (0..points).map(move |place| (place + round) % points)).collect()
}

/// The service with nothing to be done but restored and compared.
fn bare(service: &Service) -> Service {
    let mut bare = service.clone();
    (bare.rto, bare.rpo) = (None, None);
    bare.overheads.clear();
    bare.checks.clear();
    bare.content_only = true;
    bare.minimum = Minimum::default();
    bare.proof.amcheck = Amcheck::Off;
    bare.proof.revalidate = false;
    bare.proof.read_back = ReadBack::default();
    bare.proof.stamp = StampDemand::Optional;
    bare
}

fn interrupted() -> Reason {
    Reason::new(Code::Interrupted, "the benchmark was interrupted", "run it again")
}

/// From now on the very backup of this restore.
fn choose_again(service: &mut Service, record: &Record) {
    let selected = record.selection.as_ref().and_then(|selection| selection.selected.as_ref());
    let location = service.backup.location.to_string();
    if let Some(label) = selected.and_then(|selected| selected.uri.strip_prefix(&location)) {
        service.backup.select = Select::Label(label.to_owned());
    }
}

fn restored(record: &Record) -> Restored {
    let selected = record.selection.as_ref().and_then(|selection| selection.selected.as_ref());
    let artifact = record.artifact.as_ref();
    let fidelity = record.fidelity.as_ref();
    Restored {
        uri: selected.map(|selected| selected.uri.clone()).unwrap_or_default(),
        bytes: artifact.and_then(|artifact| Some(artifact.observed.as_ref()?.bytes)).unwrap_or_default(),
        format: artifact.and_then(|artifact| artifact.format.clone()).unwrap_or_default(),
        tables: fidelity.map_or(0, |fidelity| fidelity.tables_expected),
        rows: fidelity.map_or(0, |fidelity| fidelity.rows_total),
    }
}

/// An engine that this machine does not have, or that does not read this archive, is no fault.
fn can_be_left_out(point: Point, reason: &Reason) -> bool {
    point.engine == Engine::PgRestore
        && matches!(reason.code, Code::UnsupportedVersion | Code::ScratchUnavailable | Code::ScratchDiskFull)
}

/// Whether everything came back, and is what came back before.
fn judged(record: &Record, reference: &mut Option<Digest>) -> Result<(), Reason> {
    if let Some(halt) = &record.halt {
        return Err(halt.reason());
    }
    let wrong = |code, what: &str| Err(Reason::new(code, what, "drill the service, and read its record"));
    let refused = record.restore.as_ref().is_none_or(|restore| restore.toc_entries_failed > 0);
    if refused {
        return wrong(Code::RestoreErrors, "entries of the archive could not be restored");
    }
    let vouched = record.artifact.as_ref().and_then(|artifact| artifact.matches);
    if vouched == Some(false) {
        return wrong(Code::ArtifactDigestMismatch, "the bytes are not those that are vouched for");
    }
    let Some(fidelity) = &record.fidelity else {
        return wrong(Code::DataNotCompared, "the rows were not compared");
    };
    let alike = |compared: &Option<Compared>| {
        compared.as_ref().is_none_or(|compared| compared.expected == compared.equal)
    };
    let any = |states: &[TableState]| fidelity.tables.iter().any(|table| states.contains(&table.state));
    if any(&[TableState::NotComparable]) {
        return wrong(Code::DataNotCompared, "rows of a table could not be compared");
    }
    // What of a counted table could be hashed is alike.
    if any(&[TableState::Different, TableState::Missing])
        || !alike(&fidelity.large_objects)
        || !alike(&fidelity.sequences)
    {
        return wrong(Code::DataMismatch, "the rows that came back are not those of the archive");
    }
    let mut hasher = Hasher::default();
    for table in &fidelity.tables {
        let hash = table.stream_hash.as_ref().map(ToString::to_string).unwrap_or_default();
        hasher.update(format!("{}\t{:?}\t{hash}\n", table.name, table.rows).as_bytes());
    }
    let rows = hasher.finish();
    if *reference.get_or_insert(rows) != rows {
        return wrong(Code::DataMismatch, "the rows that came back are not those of the first restore");
    }
    Ok(())
}

fn tell(events: &Events, judged: &Result<(), Reason>) {
    let verdict = match judged {
        Ok(()) => Verdict::Pass,
        Err(reason) => match reason.code.blame() {
            crate::verdict::Blame::Backup => Verdict::Fail,
            crate::verdict::Blame::Environment => Verdict::Inconclusive,
        },
    };
    let reasons = judged.as_ref().err().cloned().into_iter().collect();
    events.emit(EventKind::DrillFinished { verdict, reasons });
}

fn left_behind(record: &Record) -> Option<String> {
    let cleanup = record.cleanup.as_ref().filter(|cleanup| !cleanup.removal_verified)?;
    Some(format!("a scratch is still there: {}", cleanup.leaked.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_point_has_its_turn_in_every_round_and_no_place_of_its_own() {
        assert_eq!(turns(3, 3), [0, 1, 2, 1, 2, 0, 2, 0, 1]);
        assert_eq!(turns(1, 2), [0, 0]);
        assert_eq!(turns(0, 3), [0; 0]);
    }
}
