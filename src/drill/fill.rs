//! From the values that the stages return to the blocks of the record.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::archive::{Layer, Toc};
use crate::catalog::{self, Catalog, ConsistencyPoint, RejectedFor, Selection};
use crate::drill::site::Site;
use crate::event::{EventKind, Events};
use crate::plan::{self, CopyForm, Select, Service};
use crate::postgres::{Cluster, Install, Isolation, IsolationHad};
use crate::proof::{
    self, Alike, Answer, Apart, Beside, CheckReport, CheckSort, Comparison, Differing, Located, Objects,
    ObjectsFound, Sampled, Sourced, State, Tally,
};
use crate::record::{
    Artifact, ArtifactLayer, BesideRows, Between, CheckKind, CheckOutcome, CheckRecord, Compared, Copied,
    CopyChoice, DIFFERENCES_MAX, Difference, Engine, Environment, EnvironmentKind, ExcludedEntry,
    ExpectedArtifact, Extension, FailedEntry, Freshness, Hardware, Listing, LocatedRow, LocatedRows, Millis,
    Moment, Network, Newest, NotNarrowed, NotStamped, ObjectClass, ObjectDifference, Observed, Policy,
    REJECTED_MAX, ReasonLine, Record, RecoveryPoint, Rejected, RejectedReason, Restore, RowFault, SampleOf,
    SampledRows, Sandbox, Selected, Sha256, SignedMillis, Span, SpanName, StoreWindow, TableRecord,
    TableState, WarningCode, WarningLine, WindowChoice,
};
use crate::restore::{Host, Restored, Sample, SpanKind};
use crate::store::{self, Connections};
use crate::verdict::{Code, Reason};

/// Failed entries that a record names; the rest are counted.
const FAILED_MAX: usize = 100;

/// What the listing showed.
pub fn listing(record: &mut Record, catalog: &Catalog, select: &Select) {
    let total: usize = catalog.rejected_counts.values().sum();
    record.clock.offset_vs_store_ms = catalog.clock_offset.map(|offset| SignedMillis::from(-offset));
    let cadence = record.objectives.expected_period_ms.zip(record.objectives.grace_ms);
    let started_at = record.run.started_at;
    let newest = newest_moment(catalog, started_at);
    record.selection = Some(crate::record::Selection {
        policy: match select {
            Select::Latest => Policy::Latest,
            Select::Oldest => Policy::Oldest,
            Select::RandomWithin(_) => Policy::Random,
            Select::Label(_) => Policy::Label,
        },
        policy_text: select.to_string(),
        listing: Listing {
            complete: true,
            pages: u64::from(catalog.pages),
            objects: catalog.objects_seen as u64,
            listed_at: catalog.listed_at.into(),
        },
        candidates: catalog.backups.len() as u64,
        selected: None,
        consistency_point: None,
        newest: None,
        freshness: cadence
            .zip(newest)
            .map(|((period, grace), newest)| Freshness::of(started_at, newest, period, grace)),
        doubts: Vec::new(),
        rejected: rejected(catalog),
        rejected_total: total as u64,
    });
}

/// The latest moment that the newest backup may speak for, where names tell moments at all.
fn newest_moment(catalog: &Catalog, started_at: Moment) -> Option<Moment> {
    catalog.backups.iter().rev().find_map(|backup| backup.point)?;
    let age = catalog.cadence(started_at.at()).age?;
    started_at.at().checked_sub(age).ok().map(Moment::from)
}

fn rejected(catalog: &Catalog) -> Vec<Rejected> {
    let total: usize = catalog.rejected_counts.values().sum();
    let named = catalog.rejected.iter().take(REJECTED_MAX.min(total));
    named.map(|one| Rejected { uri: one.uri.clone(), reason: rejected_for(one.reason) }).collect()
}

fn rejected_for(reason: RejectedFor) -> RejectedReason {
    match reason {
        RejectedFor::NameNotFinal => RejectedReason::NameNotFinal,
        RejectedFor::Empty => RejectedReason::Empty,
        RejectedFor::AmbiguousTime => RejectedReason::AmbiguousTime,
        RejectedFor::Unprintable => RejectedReason::Unprintable,
        RejectedFor::Sidecar => RejectedReason::Sidecar,
        RejectedFor::NoMatch => RejectedReason::NoMatch,
    }
}

/// Which backup was chosen, and which moment it speaks for.
pub fn selected(record: &mut Record, selection: &Selection) {
    let Some(block) = record.selection.as_mut() else { return };
    let object = &selection.backup.object;
    block.selected = Some(Selected {
        uri: object.uri.clone(),
        version_id: object.version.clone(),
        etag: object.etag.clone(),
        size_bytes: object.bytes,
        last_modified: Some(object.modified_at.into()),
    });
    block.consistency_point = selection.backup.point.map(Into::into);
    block.doubts = doubts(&selection.reasons);
}

/// What the judge can't find again in the record: it looks itself at staleness, at moments in
/// the future and at the clock.
fn doubts(reasons: &[Reason]) -> Vec<ReasonLine> {
    let again = [Code::BackupStale, Code::TimestampInFuture, Code::ClockUntrusted];
    reasons.iter().filter(|reason| !again.contains(&reason.code)).map(ReasonLine::from).collect()
}

/// What speaks against the choice, found after it.
pub fn doubts_of(record: &mut Record, against: &[Reason]) {
    if let Some(block) = record.selection.as_mut() {
        block.doubts.extend(against.iter().map(ReasonLine::from));
    }
}

/// The stamp tells the moment, better than any name.
pub fn stamped_point(record: &mut Record, found: ConsistencyPoint, against: &[Reason]) {
    if let Some(block) = record.selection.as_mut() {
        block.consistency_point = Some(found.into());
        block.doubts.extend(doubts(against));
    }
}

/// What is not rows of tables, as the stamp has it.
pub fn beside_rows(record: &mut Record, beside: Beside) {
    let Some(stamp) = record.stamp.as_mut() else { return };
    let difference = |one: &Differing| Difference {
        class: one.class.to_owned(),
        name: one.name.clone(),
        between: match one.apart {
            Apart::Source => Between::SourceAndArchive,
            Apart::Restored => Between::ArchiveAndRestored,
            Apart::SourceAndRestored => Between::SourceAndRestored,
            Apart::All => Between::AllThree,
        },
    };
    stamp.beside_rows = Some(BesideRows {
        sequences: beside.sequences.map(compared),
        large_objects: beside.large_objects.map(compared),
        objects: beside.objects.map(compared),
        newest: beside.newest.map(compared),
        differences: beside.differing.iter().take(DIFFERENCES_MAX).map(difference).collect(),
        differences_total: beside.differing.len() as u64,
    });
}

/// The archive's header tells the moment, in the zone that the plan gives for it.
pub fn header_point(record: &mut Record, found: ConsistencyPoint, against: &[Reason]) {
    if let Some(block) = record.selection.as_mut() {
        block.consistency_point = Some(found.into());
        block.doubts.extend(doubts(against));
    }
    if let Some(artifact) = record.artifact.as_mut() {
        artifact.archive_header_time_used = true;
    }
}

/// The newest backup that could be restored, if it is not the one that was chosen.
fn other_newest(selected: Option<&Selected>, catalog: &Catalog, now: Timestamp) -> Option<Newest> {
    let newest = catalog.newest_restorable(now)?;
    let other = selected.is_none_or(|selected| selected.uri != newest.object.uri);
    let point = newest.point.filter(|_| other)?;
    Some(Newest { uri: newest.object.uri.clone(), consistency_point: point.into() })
}

/// How old the data is, and how old it could have been.
pub fn recovery_point(record: &mut Record, catalog: &Catalog, available_at: Timestamp, now: Timestamp) {
    let Some(point) = record.selection.as_ref().and_then(|block| block.consistency_point.clone()) else {
        return;
    };
    let worst = catalog.exposure(now).map(|exposure| (Millis::from(exposure), catalog.backups.len() as u64));
    let mut figures = RecoveryPoint::of(record.run.started_at, &point, worst, &record.objectives);
    if let Some(block) = record.selection.as_mut().filter(|block| block.policy != Policy::Latest) {
        block.newest = other_newest(block.selected.as_ref(), catalog, now);
        if let Some(newest) = &block.newest {
            figures = figures.beside(&newest.consistency_point);
        }
    }
    figures.since_backup_available_ms = Some(record.run.started_at.since(Moment::from(available_at)));
    record.measurements.recovery_point = Some(figures);
}

/// What the archive says of itself.
pub fn archive(record: &mut Record, toc: &Toc, expected: ExpectedArtifact) {
    let header = &toc.header;
    let artifact = record.artifact.get_or_insert_with(Artifact::unread);
    artifact.expected = expected;
    artifact.format = Some(header.layout.as_str().to_owned());
    // A script has no version of its own, and names its database only if it makes it.
    let version = Some(header.version).filter(|version| *version != (0, 0));
    artifact.archive_version = version.map(|(major, minor)| format!("{major}.{minor}"));
    artifact.compression = Some(header.compression.as_str().to_owned());
    artifact.database = Some(header.database.clone()).filter(|database| !database.is_empty());
    artifact.dump_server_version = Some(header.server_version.clone());
    artifact.dump_tool_version = Some(header.dump_version.clone());
}

/// What stood around the archive, and what of it was seen to hold.
pub fn layers(layers: &[Layer]) -> Vec<ArtifactLayer> {
    let layer = |layer: &Layer| ArtifactLayer {
        kind: layer.kind.as_str().to_owned(),
        key: layer.how.map(str::to_owned),
        checksum: layer.checksum.map(str::to_owned),
    };
    layers.iter().map(layer).collect()
}

/// The scratch under it all.
pub fn environment(cluster: &Cluster, install: &Install, service: &Service, site: &Site) -> Environment {
    Environment {
        kind: EnvironmentKind::Cluster,
        postgres_version: install.version.text.clone(),
        system_identifier: None,
        cluster_created_by_run: true,
        database_created_by_run: false,
        sandbox: Sandbox {
            network: match cluster.isolated() {
                IsolationHad::NetworkNamespace => Network::None,
                IsolationHad::None { .. } => Network::Host,
            },
            user: Some(cluster.system_user().to_owned()),
            required: service.scratch.isolation == Isolation::Required,
        },
        hardware: site.hardware.clone(),
        settings_relaxed: crate::drill::settings::relaxed(service.scratch.settings),
        production_like: false,
        extensions: Vec::new(),
    }
}

/// The server that was given, with the database that was made there.
pub fn hosted(host: &Host) -> Environment {
    Environment {
        kind: EnvironmentKind::Server,
        postgres_version: host.version().to_owned(),
        system_identifier: Some(host.system_identifier().to_owned()),
        cluster_created_by_run: false,
        database_created_by_run: false,
        sandbox: Sandbox { network: Network::Server, user: None, required: false },
        // Of the machine under it nothing is known.
        hardware: Hardware::default(),
        settings_relaxed: host.relaxed().iter().cloned().collect(),
        production_like: false,
        extensions: Vec::new(),
    }
}

/// What was restored, entry by entry accounted for.
pub fn restored(
    restored: &Restored,
    jobs: usize,
    plan: &plan::Restore,
    staged_bytes: u64,
    seen: store::Traffic,
) -> Restore {
    let failed = restored.failures.iter().take(FAILED_MAX);
    let tuning = plan.tuning();
    let (engine, copy) = match plan.engine {
        plan::Engine::Native => (Engine::Native, plan.copy),
        plan::Engine::PgRestore => (Engine::PgRestore, CopyForm::Text),
    };
    Restore {
        engine,
        jobs: jobs as u64,
        copy_connections: plan.copying(jobs) as u64,
        store_connections: seen.reads_most,
        store_window: store_window(tuning.connections, seen),
        part_bytes: tuning.part_bytes,
        copy: copied(restored, copy),
        toc_entries_in_archive: restored.entries as u64,
        toc_entries_restored: restored.restored as u64,
        toc_entries_excluded: restored.excluded.len() as u64,
        toc_entries_failed: restored.failures.len() as u64,
        excluded: restored
            .excluded
            .iter()
            .map(|(kind, name, why)| ExcludedEntry {
                kind: kind.clone(),
                name: name.clone(),
                reason: why.as_str().to_owned(),
            })
            .collect(),
        failed: failed
            .map(|failure| FailedEntry {
                kind: failure.kind.clone(),
                name: failure.name.clone(),
                sqlstate: failure.sqlstate.clone(),
            })
            .collect(),
        objects: Default::default(),
        invalid_indexes: None,
        unvalidated_constraints: None,
        placeholder_roles: restored.placeholder_roles.clone(),
        tables_at_once: plan.begun_at_once(jobs).most as u64,
        read_twice_bytes: restored.read.read_twice_bytes,
        staged_bytes,
        spans: spans(restored),
    }
}

fn store_window(connections: Connections, seen: store::Traffic) -> StoreWindow {
    let chosen = match connections {
        Connections::Pinned(_) => WindowChoice::Pinned,
        Connections::Adaptive { .. } => WindowChoice::Adaptive,
    };
    StoreWindow { chosen, most: connections.most() as u64, throttled: seen.throttled }
}

/// In which form the rows were sent.
fn copied(restored: &Restored, chosen: CopyForm) -> Copied {
    let tables = || restored.tables.iter().map(|table| table.sent);
    Copied {
        chosen: match chosen {
            CopyForm::Auto => CopyChoice::Auto,
            CopyForm::Text => CopyChoice::Text,
        },
        tables_binary: tables().filter(|sent| sent.binary > 0).count() as u64,
        tables_text: tables().filter(|sent| sent.binary == 0 && sent.text > 0).count() as u64,
        pieces_fallen_back: tables().filter(|sent| sent.binary > 0).map(|sent| sent.text).sum(),
    }
}

/// Tables that the archive makes and has no rows for: dumped without their data, on purpose or
/// not, which only somebody who knows the source can tell.
pub fn tables_without_rows(record: &mut Record, restored: &Restored, events: &Events) {
    let Some(first) = restored.without_rows.first() else { return };
    let count = restored.without_rows.len();
    let text = format!("the archive holds no rows for {count} of its tables, '{first}' first");
    events.emit(EventKind::Warned { code: WarningCode::TablesWithoutRows.as_str(), text: text.clone() });
    record.notices.push(WarningLine::new(WarningCode::TablesWithoutRows, text));
}

fn spans(restored: &Restored) -> Vec<Span> {
    SpanKind::ALL
        .into_iter()
        .filter_map(|kind| {
            let name = match kind {
                SpanKind::Download => SpanName::Download,
                SpanKind::Decode => SpanName::Decode,
                SpanKind::Load => SpanName::Load,
                SpanKind::Index => SpanName::Index,
                SpanKind::Constraint => SpanName::Constraint,
                SpanKind::Tool => SpanName::PgRestore,
            };
            Some(Span::new(name, restored.spans.get(kind)?))
        })
        .collect()
}

/// What the restored database holds.
pub fn objects(record: &mut Record, objects: Objects) {
    if let Some(restore) = record.restore.as_mut() {
        restore.objects = objects.counts;
        restore.invalid_indexes = Some(objects.invalid_indexes);
        restore.unvalidated_constraints = Some(objects.unvalidated_constraints);
    }
    if let Some(environment) = record.environment.as_mut() {
        environment.system_identifier = objects.system_identifier;
        let extension = |(name, version)| Extension { name, version };
        environment.extensions = objects.extensions.into_iter().map(extension).collect();
    }
}

/// One table of the proof.
pub fn table(comparison: &Comparison) -> TableRecord {
    let hash = |hash: &crate::digest::RowHash| hash.to_string().parse::<Sha256>().ok();
    let stamp = match &comparison.sourced {
        Sourced::Known(hashes, _) => Some(if comparison.steady { &hashes.steady } else { &hashes.whole }),
        Sourced::NoStamp | Sourced::LeftOut | Sourced::Unknown => None,
    };
    TableRecord {
        name: comparison.name.clone(),
        state: match comparison.state {
            State::Equal => TableState::Equal,
            State::EqualInPart => TableState::Counted,
            State::Sampled => TableState::Sampled,
            State::Different => TableState::Different,
            State::Missing => TableState::Missing,
            State::NotComparable => TableState::NotComparable,
        },
        rows: comparison.stream.as_ref().map(|hash| hash.rows()),
        restored_rows: match &comparison.sampled {
            Some(sampled) => Some(sampled.restored_rows),
            None => comparison.restored.as_ref().map(|hash| hash.rows()),
        },
        bytes: comparison.stream.as_ref().map(|_| comparison.stream_bytes),
        stream_hash: comparison.stream.as_ref().and_then(hash),
        restored_hash: comparison.restored.as_ref().and_then(hash),
        stamp_rows: stamp.map(|hash| hash.rows()),
        stamp_hash: stamp.and_then(hash),
        restored_as_stamped_hash: comparison.as_stamped.as_ref().and_then(hash),
        not_stamped: match comparison.sourced {
            Sourced::LeftOut => Some(NotStamped::LeftOut),
            Sourced::Unknown => Some(NotStamped::Unknown),
            Sourced::NoStamp | Sourced::Known(..) => None,
        },
        columns_sha256: comparison.columns.map(Sha256::from),
        columns_not_compared: comparison.not_compared.clone(),
        sample: comparison.sampled.as_ref().and_then(sample),
        located: None,
        not_narrowed: None,
    }
}

/// The sample that was asked for.
pub fn sample_of(sample: Sample) -> SampleOf {
    SampleOf { share_ppm: sample.share_ppm.into(), seed: sample.seed.into() }
}

/// The sample that a table was proven by.
fn sample(sampled: &Sampled) -> Option<SampledRows> {
    Some(SampledRows {
        by: sampled.column.clone(),
        rows: sampled.stream.rows(),
        bytes: sampled.stream.bytes(),
        restored_rows: sampled.restored.rows(),
        stream_hash: sampled.stream.to_string().parse().ok()?,
        restored_hash: sampled.restored.to_string().parse().ok()?,
    })
}

/// Where the rows of the tables differ, by the tables' names, or why that is not known.
pub fn located_rows(
    record: &mut Record,
    mut by_table: BTreeMap<String, Result<Located, proof::NotNarrowed>>,
) {
    let why = |why: proof::NotNarrowed| match why {
        proof::NotNarrowed::TooManyTables => NotNarrowed::TooManyTables,
        proof::NotNarrowed::Deadline => NotNarrowed::Deadline,
        proof::NotNarrowed::Unreadable => NotNarrowed::Unreadable,
    };
    let tables = record.fidelity.as_mut().map(|fidelity| &mut fidelity.tables);
    for table in tables.into_iter().flatten() {
        match by_table.remove(&table.name) {
            Some(Ok(rows)) => table.located = Some(located(rows)),
            Some(Err(reason)) => table.not_narrowed = Some(why(reason)),
            None => {}
        }
    }
}

/// Where the rows of a table differ.
fn located(located: Located) -> LocatedRows {
    let row = |(fault, key_sha256_96): (proof::RowFault, String)| LocatedRow {
        fault: match fault {
            proof::RowFault::Missing => RowFault::Missing,
            proof::RowFault::Extra => RowFault::Extra,
            proof::RowFault::Changed => RowFault::Changed,
        },
        key_sha256_96,
    };
    LocatedRows {
        missing: located.missing,
        extra: located.extra,
        changed: located.changed,
        complete: located.whole,
        rows: located.rows.into_iter().map(row).collect(),
    }
}

/// What was looked for beside the rows.
pub fn found(found: ObjectsFound) -> crate::record::Objects {
    let class = |(class, tally): (String, Tally)| ObjectClass {
        class,
        expected: tally.expected,
        compared: tally.compared,
        equal: tally.equal,
        doubtful: tally.doubtful,
    };
    let difference = |one: proof::Difference| ObjectDifference {
        fault: one.fault.text(),
        class: one.class,
        name: one.name,
    };
    crate::record::Objects::of(
        found.definitions,
        found.classes.into_iter().map(class).collect(),
        found.differences.into_iter().map(difference).collect(),
        found.doubts.into_iter().map(difference).collect(),
    )
}

/// A class of things that are not rows of tables.
pub fn compared(alike: Alike) -> Compared {
    Compared { expected: alike.expected, compared: alike.compared, equal: alike.equal }
}

/// One check that was put.
pub fn check(report: &CheckReport) -> CheckRecord {
    let answered = &report.answered;
    CheckRecord {
        name: report.name.clone(),
        kind: match report.sort {
            CheckSort::Expect => CheckKind::Expect,
            CheckSort::Newest => CheckKind::Newest,
            CheckSort::Rows => CheckKind::Rows,
            CheckSort::NoOrphans => CheckKind::NoOrphans,
            CheckSort::SequenceAhead => CheckKind::SequenceAhead,
            CheckSort::Command => CheckKind::Command,
            CheckSort::Http => CheckKind::Http,
        },
        outcome: match answered.answer {
            Answer::Passed => CheckOutcome::Pass,
            Answer::Failed => CheckOutcome::Fail,
            Answer::Uncompared => CheckOutcome::Baseline,
            Answer::Errored(_) => CheckOutcome::Error,
        },
        question_sha256: Some(Sha256::from(report.question)),
        expected: report.expected.clone(),
        observed: answered.observed.as_deref().map(Observed::scalar),
        last: answered.last.as_deref().map(Observed::scalar),
        output_sha256: answered.output.map(|(digest, _)| Sha256::from(digest)),
        output_bytes: answered.output.map(|(_, bytes)| bytes),
        error: match &answered.answer {
            Answer::Errored(why) => Some(why.clone()),
            Answer::Passed | Answer::Failed | Answer::Uncompared => None,
        },
        duration_ms: Some(report.took.into()),
    }
}

/// The age of the newest row that a freshness check found.
pub fn content_age(record: &mut Record, reports: &[CheckReport]) {
    let newest = reports.iter().filter_map(|report| report.answered.newest).max();
    if let (Some(newest), Some(figures)) = (newest, record.measurements.recovery_point.as_mut()) {
        figures.content_age_ms = Some(record.run.started_at.since(Moment::from(newest)));
    }
}

/// What the catalogue wants to be known.
pub fn notices(record: &mut Record, warnings: &[catalog::select::Warning], events: &Events) {
    for warning in warnings {
        events.emit(EventKind::Warned { code: warning.code, text: warning.text.clone() });
        // The test below holds that there is a code for each.
        if let Some(code) = WarningCode::spelled(warning.code) {
            record.notices.push(WarningLine::new(code, warning.text.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_warning_of_the_catalogue_has_a_published_code() {
        let codes =
            ["TIME_SOURCES_DISAGREE", "ORDERED_BY_LAST_WRITE", "NEWER_BACKUP_UNFINISHED", "SIZE_DROPPED"];
        for code in codes {
            assert!(WarningCode::spelled(code).is_some(), "{code}");
        }
    }
}
