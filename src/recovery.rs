//! The recipe of a real restore: the engine of the drills, into a database that somebody named.
//!
//! meet the database; choose the backup; restore what is not there yet; compare what came back.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::archive::Toc;
use crate::catalog::{Backup, Catalog};
use crate::clock::{Phase, Stopwatch};
use crate::drill::{
    FoundStamp, anchor_inside, anchor_outside, digest_beside, look_for_stamp, observed, open_backup,
    settled_anchor, stamped_point, table_record,
};
use crate::event::{EventKind, Events};
use crate::plan::{Engine, Service};
use crate::postgres::GivenServer;
use crate::proof::{self, Alike, Comparison, Fingerprint};
use crate::record::{ExpectedArtifact, ObservedArtifact};
use crate::restore::{
    self, Archive, Exclusion, Failure, GivenDatabase, Manner, Marks, Restored, Rules, Scratch, WayIn,
};
use crate::stamp::Stamp;
use crate::store::{Object, Store, Tuning};
use crate::verdict::{Code, Reason};

/// What is asked of a real restore.
pub struct RecoveryRequest {
    /// The service whose backup is restored, with its choice of one.
    pub service: Service,
    /// The server, and in it the database.
    pub server: GivenServer,
    /// Connections to the server.
    pub jobs: usize,
    /// What of the archive is restored.
    pub rules: Rules,
    /// Whether the rows are read back and compared.
    pub proof: bool,
}

/// What came of it.
#[derive(Debug)]
pub struct Recovered {
    /// Where the backup lies.
    pub uri: String,
    /// Who vouches for its bytes.
    pub expected: ExpectedArtifact,
    /// What was read of it.
    pub read: Option<ObservedArtifact>,
    /// Whether that is what is vouched for; none where nobody does.
    pub vouched_for: Option<bool>,
    /// The moment the data speaks for, where it is known.
    pub point: Option<Timestamp>,
    /// An interrupted restore was gone on with.
    pub resumed: bool,
    /// Entries of the archive.
    pub entries: usize,
    /// Those that were restored, now or before.
    pub restored: usize,
    /// Those that were left out: kind, name, why.
    pub excluded: Vec<(String, String, Exclusion)>,
    /// Those that the server refused.
    pub failures: Vec<Failure>,
    /// Tables whose rows were loaded now.
    pub tables: usize,
    /// Tables (and groups of large objects) whose rows an interrupted restore had loaded before.
    pub loaded_before: usize,
    /// Rows that were loaded now.
    pub rows: u64,
    /// From the first question to the server until everything was durable.
    pub took: Duration,
    /// What reading back showed, if it was done.
    pub compared: Option<Compared>,
    /// What somebody should know.
    pub warnings: Vec<String>,
}

/// What reading back showed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compared {
    /// Tables that came back row for row.
    pub equal: usize,
    /// Tables that did but for some columns, which could not be compared, and are named.
    pub in_part: Vec<(String, Vec<String>)>,
    /// Tables that did not.
    pub different: Vec<String>,
    /// Tables of which it can't be told.
    pub not_comparable: Vec<String>,
    /// Large objects, by number.
    pub large_objects: Alike,
    /// Sequences, by number.
    pub sequences: Alike,
    /// What is not as the source held it, beside rows; `None` where no stamp took part.
    pub not_of_the_source: Option<Vec<String>>,
    /// How long it took.
    pub took: Duration,
}

impl Compared {
    /// Whether everything that was compared is alike.
    pub fn is_alike(&self) -> bool {
        self.different.is_empty()
            && self.large_objects.is_alike()
            && self.sequences.is_alike()
            && self.not_of_the_source.as_ref().is_none_or(Vec::is_empty)
    }
}

impl Recovered {
    /// Whether the archive is in the database whole.
    pub fn is_complete(&self) -> bool {
        self.failures.is_empty() && self.vouched_for != Some(false)
    }
}

/// Restores. Interrupted at any moment, the same request goes on where it stopped.
///
/// # Errors
/// Why it could not begin or go on.
pub async fn recover(
    request: &RecoveryRequest,
    events: &Events,
    cancel: &CancellationToken,
) -> Result<Recovered, Reason> {
    events.emit(EventKind::DrillStarted);
    let recovery = Recovery { request, events, watch: Stopwatch::start() };
    cancel.run_until_cancelled(recovery.all()).await.unwrap_or_else(|| {
        Err(Reason::new(
            Code::Interrupted,
            "the restore was interrupted",
            "run the same command again: it goes on where it stopped",
        ))
    })
}

struct Recovery<'a> {
    request: &'a RecoveryRequest,
    events: &'a Events,
    watch: Stopwatch,
}

impl Recovery<'_> {
    async fn all(&self) -> Result<Recovered, Reason> {
        self.events.emit(EventKind::PhaseStarted { phase: Phase::Select });
        let server = &self.request.server;
        let database =
            GivenDatabase::meet(server, server.database()).await.map_err(|error| error.reason())?;
        database.assert_empty().await.map_err(|error| error.reason())?;
        let Chosen { object, archive, stamp, mut recovered } = self.choose(&database).await?;
        let toc = archive.toc().clone();

        let scratch = Scratch::given(database);
        scratch.assert_extensions(&toc).await.map_err(|error| error.reason())?;
        if self.request.rules.owners {
            assert_owners(&toc, &scratch).await?;
        }
        let monetary = stamp.as_ref().and_then(|stamp| stamp.fingerprint.manner.monetary.as_deref());
        scratch.settle_monetary(&toc, monetary).await.map_err(|error| error.reason())?;
        self.events.emit(EventKind::PhaseStarted { phase: Phase::Restore });
        let restored = self.restore(&object, archive, &scratch, &mut recovered).await?;
        recovered.took = self.watch.elapsed();

        if self.request.proof {
            self.events.emit(EventKind::PhaseStarted { phase: Phase::Proof });
            let source = stamp.as_ref().filter(|stamp| self.speaks_of(stamp, &restored, &mut recovered));
            let source = source.map(|stamp| &stamp.fingerprint);
            recovered.compared = Some(self.compare(&toc, &restored, source, &scratch).await?);
        }
        recovered.failures = restored.failures;
        recovered.excluded = restored.excluded;
        Ok(recovered)
    }

    /// Whether the stamp can be held against what came back; if not, why stands in the warnings.
    fn speaks_of(&self, stamp: &Stamp, restored: &Restored, recovered: &mut Recovered) -> bool {
        let other = recovered.read.as_ref().is_some_and(|read| read.sha256 != stamp.archive);
        let why = match (other, restored.loads_done_before) {
            (true, _) => "the stamp beside the backup speaks of another archive, and took no part",
            (false, 0) => return true,
            (false, _) => {
                "the stamp of the source took no part: what was loaded before the interruption was not hashed"
            }
        };
        recovered.warnings.push(why.to_owned());
        false
    }

    async fn choose(&self, database: &GivenDatabase) -> Result<Chosen, Reason> {
        let backup = &self.request.service.backup;
        let store = Store::open(&backup.location, &backup.store).await.map_err(|error| error.reason())?;
        let listing = store.list().await.map_err(|error| error.reason())?;
        let catalog = Catalog::new(listing, backup);
        let seed = Uuid::now_v7().as_u64_pair().1;
        let selection =
            catalog.select(&backup.select, seed, self.watch.started_at()).map_err(|error| error.reason())?;
        let Backup { object, point, .. } = &selection.backup;
        self.events.emit(EventKind::BackupChosen { uri: object.uri.clone(), bytes: object.bytes });
        let beside = digest_beside(&store, &selection.backup).await?;
        let FoundStamp { stamp, doubts } =
            look_for_stamp(&store, &selection.backup, beside, &self.request.service.proof).await?;
        let outside = anchor_outside(&store, &selection.backup, beside, stamp.as_ref()).await?;
        let kept = outside.as_ref().and_then(|outside| outside.kept);
        let way = WayIn::of(backup).map_err(|error| error.reason())?;
        let opened = open_backup(&store, &selection.backup, kept, way, self.tuning(), self.events)
            .await
            .map_err(|halted| halted.error.reason())?;
        let expected = outside.map_or_else(|| anchor_inside(opened.toc().header.compression), |o| o.expected);
        let mut warnings: Vec<String> =
            selection.reasons.iter().map(|reason| reason.detail.clone()).collect();
        warnings.extend(selection.warnings.iter().map(|warning| warning.text.clone()));
        warnings.extend(doubts.into_iter().map(|doubt| doubt.detail));
        let written_by = opened.toc().header.server_major().unwrap_or(0);
        if written_by > database.server_major() {
            warnings.push(format!(
                "the backup is of PostgreSQL {written_by} and the server is {}: what it does not know, it will refuse",
                database.server_major()
            ));
        }
        if self.request.service.restore.engine == Engine::PgRestore {
            let what = "the drills of this service use pg_restore; this restore is firedrill's own";
            warnings.push(what.to_owned());
        }
        let recovered = Recovered {
            uri: object.uri.clone(),
            expected,
            read: None,
            vouched_for: None,
            point: stamp.as_ref().map(stamped_point).as_ref().or(point.as_ref()).map(|point| point.latest()),
            resumed: false,
            entries: opened.toc().entries.len(),
            restored: 0,
            excluded: Vec::new(),
            failures: Vec::new(),
            tables: 0,
            loaded_before: 0,
            rows: 0,
            took: Duration::ZERO,
            compared: None,
            warnings,
        };
        Ok(Chosen { object: object.clone(), archive: opened, stamp, recovered })
    }

    /// Everything that is not there yet. The marks go when nothing is left to be done.
    async fn restore(
        &self,
        object: &Object,
        opened: Archive,
        scratch: &Scratch,
        recovered: &mut Recovered,
    ) -> Result<Restored, Reason> {
        let compression = opened.toc().header.compression;
        let session = scratch.connect().await.map_err(|error| error.reason())?;
        let mut marks = Marks::open(&session, &version_of(object)).await.map_err(|error| error.reason())?;
        recovered.resumed = marks.resumed();
        let rules = self.request.rules;
        let (jobs, plan) = (self.request.jobs, &self.request.service.restore);
        let copy_connections = plan.copying(jobs);
        let tables_at_once = plan.begun_at_once(jobs);
        let manner = Manner { copy_connections, tables_at_once, rules, ..Manner::drill(jobs, plan.copy) };
        let restored = restore::go_on(opened, scratch, manner, Some(&mut marks), self.watch, self.events)
            .await
            .map_err(|halted| halted.error.reason())?;
        if restored.failures.is_empty() {
            Marks::remove(&session).await.map_err(|error| error.reason())?;
        }
        recovered.restored = restored.restored;
        recovered.loaded_before = restored.loads_done_before;
        recovered.tables = restored.tables.len();
        recovered.rows = restored.rows();
        (recovered.expected, recovered.vouched_for) =
            settled_anchor(recovered.expected.clone(), &restored.read, compression);
        recovered.read = Some(observed(&restored.read));
        Ok(restored)
    }

    async fn compare(
        &self,
        toc: &Toc,
        restored: &Restored,
        source: Option<&Fingerprint>,
        scratch: &Scratch,
    ) -> Result<Compared, Reason> {
        let began = self.watch.elapsed();
        let refused = |error: proof::Error| error.reason();
        let rows = restored.rows();
        self.events.emit(EventKind::ProofPlanned { tables: restored.tables.len(), rows, checks: 0 });
        let tables = proof::compare(toc, restored, source, scratch, self.request.jobs, self.events)
            .await
            .map_err(refused)?;
        let mut compared = Compared::default();
        for table in tables {
            match table.state {
                proof::State::Equal => compared.equal += 1,
                proof::State::EqualInPart => compared.in_part.push((table.name, table.not_compared)),
                proof::State::Different | proof::State::Missing => {
                    compared.different.push(different(&table, source.is_some()));
                }
                proof::State::Sampled | proof::State::NotComparable => {
                    compared.not_comparable.push(table.name)
                }
            }
        }
        // What an interrupted restore has loaded was hashed by it, and not by this one.
        if restored.loads_done_before == 0 {
            compared.large_objects =
                proof::compare_large_objects(restored, scratch).await.map_err(refused)?;
        }
        compared.sequences = proof::compare_sequences(toc, scratch).await.map_err(refused)?;
        if let Some(source) = source {
            let beside = proof::compare_beside(source, toc, restored, scratch).await.map_err(refused)?;
            let names = beside.differing.iter().map(|one| format!("{} {}", one.class, one.name));
            compared.not_of_the_source = Some(names.collect());
        }
        compared.took = self.watch.elapsed().saturating_sub(began);
        Ok(compared)
    }

    fn tuning(&self) -> Tuning {
        self.request.service.restore.tuning()
    }
}

/// A table that differs, and, where the source takes part, which two of the three do.
fn different(table: &Comparison, three: bool) -> String {
    match table_record(table).between().filter(|_| three) {
        Some(between) => format!("{} ({})", table.name, between.words()),
        None => table.name.clone(),
    }
}

/// The backup that is restored, opened, with the stamp of its source.
struct Chosen {
    object: Object,
    archive: Archive,
    stamp: Option<Stamp>,
    recovered: Recovered,
}

/// One version of one object, as far as its store tells versions apart.
fn version_of(object: &Object) -> String {
    let version = object.version.as_deref().or(object.etag.as_deref()).unwrap_or_default();
    format!("{} {} {version}", object.uri, object.bytes)
}

/// That every owner in the archive is known to the server, before anything is changed there.
async fn assert_owners(toc: &Toc, scratch: &Scratch) -> Result<(), Reason> {
    let session = scratch.connect().await.map_err(|error| error.reason())?;
    let rows =
        session.rows("SELECT rolname FROM pg_catalog.pg_roles").await.map_err(|error| error.reason())?;
    let known: BTreeSet<&str> = rows.iter().filter_map(|row| row.first()?.as_deref()).collect();
    let owners = toc.owners();
    let missing: Vec<&str> =
        owners.iter().map(String::as_str).filter(|owner| !known.contains(owner)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Reason::new(
        Code::WrongDatabase,
        format!("the server does not know roles that own objects of the backup: {}", missing.join(", ")),
        "make them ('pg_dumpall --roles-only' of the old server has them), or restore with --no-owner",
    ))
}
