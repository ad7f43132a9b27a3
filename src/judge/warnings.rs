//! What stands beside a verdict, drawn from the facts.

use crate::judge::drift;
use crate::judge::statement::{counted, read_back, words_of};
use crate::record::{
    Anchor, BrokenConstraint, CheckOutcome, ComparedTo, ConsistencySource, Fidelity, Network, NotStamped,
    Record, RpoJudgedBy, TableState, WarningCode, WarningLine,
};

/// How many names a warning holds.
const NAMED_MAX: usize = 5;

/// How uncertain the consistency point may be before it is worth a word: one minute.
const UNCERTAINTY_MS: u64 = 60_000;

/// The warnings of a record: those that were noticed on the way, and those its facts give.
pub(in crate::judge) fn warnings(record: &Record) -> Vec<WarningLine> {
    let mut found = record.notices.clone();
    let drawers = [
        of_objectives,
        of_the_choice,
        of_the_exposure,
        of_the_artifact,
        of_the_scratch,
        of_the_restore,
        of_the_proof,
        of_the_constraints,
        of_the_drift,
        of_the_end,
    ];
    for draw in drawers {
        draw(record, &mut found);
    }
    found
}

fn warn(found: &mut Vec<WarningLine>, code: WarningCode, detail: impl Into<String>) {
    let line = WarningLine::new(code, detail);
    if !found.contains(&line) {
        found.push(line);
    }
}

fn were(number: u64) -> &'static str {
    if number == 1 { "was" } else { "were" }
}

fn of_objectives(record: &Record, found: &mut Vec<WarningLine>) {
    let objectives = &record.objectives;
    let absent = [
        (objectives.rto_ms.is_none(), "recovery time (`rto`)"),
        (objectives.rpo_ms.is_none(), "recovery point (`rpo`)"),
        (objectives.expected_period_ms.is_none(), "cadence of backups (`every`)"),
    ];
    for (_, what) in absent.iter().filter(|(absent, _)| *absent) {
        warn(found, WarningCode::NoObjective, format!("the plan gives no {what}"));
    }
    if let Some(time) = &record.measurements.recovery_time
        && time.objective_ms.is_some()
        && time.declared_overheads_ms.is_empty()
    {
        let detail =
            "the plan declares no overhead: people, machines and cut-over are not in the recovery time";
        warn(found, WarningCode::RtoPartial, detail);
    }
}

fn of_the_choice(record: &Record, found: &mut Vec<WarningLine>) {
    let Some(selection) = &record.selection else { return };
    if let Some(point) = &selection.consistency_point {
        if point.source == ConsistencySource::LastModified {
            let detail = "only the store's LastModified tells the moment of the data, which may be any older";
            warn(found, WarningCode::ConsistencyPointUncertain, detail);
        } else if point.uncertainty_ms.get() > UNCERTAINTY_MS {
            let detail =
                format!("the moment of the data is known to within {}", words_of(point.uncertainty_ms.get()));
            warn(found, WarningCode::ConsistencyPointUncertain, detail);
        }
    }
}

fn of_the_exposure(record: &Record, found: &mut Vec<WarningLine>) {
    let Some(rpo) = record.objectives.rpo_ms else { return };
    let Some(point) = &record.measurements.recovery_point else { return };
    if record.objectives.rpo_judged_by == RpoJudgedBy::Exposure {
        return;
    }
    match point.worst_case_exposure_ms {
        Some(worst) if worst > rpo => warn(
            found,
            WarningCode::RpoExposure,
            format!(
                "the worst loss over the catalogue is {}, above the objective of {}",
                words_of(worst.get()),
                words_of(rpo.get())
            ),
        ),
        Some(_) => {}
        None => {
            warn(found, WarningCode::RpoExposureUnknown, "the worst loss over the catalogue was not measured")
        }
    }
}

fn of_the_artifact(record: &Record, found: &mut Vec<WarningLine>) {
    let Some(artifact) = &record.artifact else { return };
    if artifact.expected.source == Anchor::Codec {
        let detail = "only the archive's own checksums vouch for the stored bytes, not a digest from outside";
        warn(found, WarningCode::IntegrityUnanchored, detail);
    }
    if artifact.layers.iter().any(|layer| layer.key.is_some() && layer.kind == "openssl enc") {
        let detail = "openssl enc does not authenticate: bytes that were changed show only by what is inside";
        warn(found, WarningCode::EncryptionUnauthenticated, detail);
    }
    if let Some(trailing) = artifact.trailing_bytes.filter(|bytes| *bytes > 0) {
        warn(
            found,
            WarningCode::TrailingBytes,
            format!(
                "{} {} behind the end of the archive, or in files that it does not name",
                counted(trailing, "byte"),
                if trailing == 1 { "lies" } else { "lie" }
            ),
        );
    }
}

fn of_the_scratch(record: &Record, found: &mut Vec<WarningLine>) {
    let Some(environment) = &record.environment else { return };
    if !environment.settings_relaxed.is_empty() {
        let pairs: Vec<String> =
            environment.settings_relaxed.iter().map(|(name, value)| format!("{name}={value}")).collect();
        warn(found, WarningCode::SettingsRelaxed, format!("the scratch ran with {}", pairs.join(", ")));
    }
    let reached = match environment.sandbox.network {
        Network::None => None,
        Network::Host => Some("the restored database could have reached the network of this machine"),
        Network::Server => Some("the restored database could have reached the network of the given server"),
    };
    if let Some(detail) = reached {
        warn(found, WarningCode::IsolationNone, detail);
    }
    if record.objectives.rto_ms.is_some() && !environment.production_like {
        let detail =
            "the recovery time was measured on a machine that the plan does not call like production";
        warn(found, WarningCode::NotProductionLike, detail);
    }
}

fn of_the_restore(record: &Record, found: &mut Vec<WarningLine>) {
    let Some(restore) = &record.restore else { return };
    if restore.toc_entries_excluded > 0 {
        let detail = format!(
            "{} of the archive {} left out; see restore.excluded",
            counted(restore.toc_entries_excluded, "entry"),
            were(restore.toc_entries_excluded)
        );
        warn(found, WarningCode::EntriesExcluded, detail);
    }
    if !restore.placeholder_roles.is_empty() {
        let roles = restore.placeholder_roles.len() as u64;
        let detail = format!("{} of the source {} made without login", counted(roles, "role"), were(roles));
        warn(found, WarningCode::PlaceholderRoles, detail);
    }
}

fn of_the_proof(record: &Record, found: &mut Vec<WarningLine>) {
    if let Some(fidelity) = &record.fidelity {
        if fidelity.compared_to == ComparedTo::ArchiveStream {
            let detail =
                "there is no stamp: the rows are those of the archive, whether or not those of the source";
            warn(found, WarningCode::SourceNotInProof, detail);
        }
        let unstamped = fidelity.tables.iter().filter(|table| table.not_stamped == Some(NotStamped::LeftOut));
        let unstamped: Vec<&str> = unstamped.map(|table| table.name.as_str()).collect();
        if let Some(first) = unstamped.first() {
            let detail = format!(
                "the stamp leaves {} of {} out, '{first}' first: their rows are those of the archive, \
                 whether or not those of the source",
                unstamped.len(),
                counted(fidelity.tables_expected, "table")
            );
            warn(found, WarningCode::SourceNotInProof, detail);
        }
        if fidelity.tables_sampled > 0 {
            let detail = format!("{}; all were counted", read_back(fidelity));
            warn(found, WarningCode::RowsSampled, detail);
        }
        of_columns(fidelity, found);
        let in_part = fidelity.tables.iter().filter(|table| !table.columns_not_compared.is_empty());
        let in_part = in_part.filter(|table| table.state == TableState::Counted).count() as u64;
        let only_counted = fidelity.tables_counted.saturating_sub(in_part);
        if only_counted > 0 {
            let detail = format!(
                "the rows of {} of {} were counted, and not hashed",
                only_counted,
                counted(fidelity.tables_expected, "table")
            );
            warn(found, WarningCode::RowsCountedNotHashed, detail);
        }
    }
    if let Some(objects) = record.objects.as_ref()
        && let Some(first) = objects.doubts.first()
    {
        let detail = format!(
            "{} of {} objects are there, and may not be as the archive announces them: '{} {} {}' first; see \
             objects.doubts",
            objects.doubtful, objects.expected, first.class, first.name, first.fault
        );
        warn(found, WarningCode::ObjectsDoubtful, detail);
    }
    if record.checks.as_ref().is_some_and(|checks| checks.content_only) {
        let detail = "the plan has no check: nothing but the sameness of the rows was looked at";
        warn(found, WarningCode::ContentOnly, detail);
    }
    let items = record.checks.iter().flat_map(|checks| &checks.items);
    let first: Vec<&str> =
        items.filter(|item| item.outcome == CheckOutcome::Baseline).map(|item| item.name.as_str()).collect();
    if let [name, rest @ ..] = first.as_slice() {
        let others = match rest.len() as u64 {
            0 => String::new(),
            count => format!(" and {}", counted(count, "other")),
        };
        let detail = format!("check {name:?}{others} found no earlier pass to be compared with");
        warn(found, WarningCode::CheckWithoutLast, detail);
    }
}

fn of_the_constraints(record: &Record, found: &mut Vec<WarningLine>) {
    let unpromised = |one: &&BrokenConstraint| !one.promised;
    let broken = record.revalidated.iter().flat_map(|revalidated| &revalidated.broken);
    if let Some(first) = broken.into_iter().find(unpromised) {
        let count = record.revalidated.as_ref().map_or(0, |revalidated| revalidated.broken_unpromised);
        let detail =
            format!("rows break {}: {} first", counted(count, "unvalidated constraint"), first.words());
        warn(found, WarningCode::UnvalidatedBroken, detail);
    }
    let Some(numbering) = &record.numbering else { return };
    if numbering.behind_total > 0 {
        let names = numbering.behind.iter().take(NAMED_MAX).cloned().collect::<Vec<_>>().join(", ");
        let detail = format!(
            "{} would give a number that its column holds already: {names}{}",
            counted(numbering.behind_total, "sequence"),
            if numbering.behind_total > NAMED_MAX as u64 { ", …" } else { "" }
        );
        warn(found, WarningCode::SequenceBehind, detail);
    }
}

/// Columns that were left out of every hash.
fn of_columns(fidelity: &Fidelity, found: &mut Vec<WarningLine>) {
    let columns = fidelity.tables.iter().flat_map(|table| {
        table.columns_not_compared.iter().map(move |column| format!("{}.{column}", table.name))
    });
    let named: Vec<String> = columns.take(NAMED_MAX).collect();
    if named.is_empty() {
        return;
    }
    let more = fidelity.columns_not_compared.saturating_sub(named.len() as u64);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let detail = format!(
        "the values of {} were not compared, since how they are written depends on a locale or a major that \
         this server does not have: {}{more}",
        counted(fidelity.columns_not_compared, "column"),
        named.join(", ")
    );
    warn(found, WarningCode::ColumnsNotCompared, detail);
}

fn of_the_drift(record: &Record, found: &mut Vec<WarningLine>) {
    for line in drift::warnings(record) {
        warn(found, line.code, line.detail);
    }
}

fn of_the_end(record: &Record, found: &mut Vec<WarningLine>) {
    if !record.chain.abandoned_runs.is_empty() {
        let detail = match record.chain.abandoned_runs.len() {
            1 => "an earlier run was killed before its evidence; see chain.abandoned_runs".to_owned(),
            count => {
                format!("{count} earlier runs were killed before their evidence; see chain.abandoned_runs")
            }
        };
        warn(found, WarningCode::AbandonedRuns, detail);
    }
    if let Some(cleanup) = &record.cleanup
        && !(cleanup.scratch_removed && cleanup.removal_verified && cleanup.leaked.is_empty())
    {
        warn(found, WarningCode::ScratchLeft, "the scratch was not seen to be gone; run `firedrill sweep`");
    }
}
