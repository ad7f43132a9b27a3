//! What became of the backup since the last pass, from the two records.

use std::collections::{BTreeMap, HashMap};

use crate::plan::{self, Service};
use crate::record::{
    CHANGES_MAX, ComparedWith, Drift, DriftPolicy, DroppedRows, Figure, Names, Record, Renamed, SchemaChange,
    Shape, Weight,
};

/// The class of tables, which are compared by name where they can be.
const TABLE: &str = "TABLE";

/// The drift of `record` since `previous`, the last pass.
pub fn since(previous: Option<&Record>, record: &Record, service: &Service) -> Drift {
    let policy = policy(&service.drift, record);
    let figure = |of: fn(&Record) -> Option<u64>| Figure { before: previous.and_then(of), after: of(record) };
    let (tables_compared, mut dropped) = dropped_rows(previous, record, &policy);
    let dropped_total = dropped.len() as u64;
    dropped.truncate(CHANGES_MAX);
    Drift {
        rows: figure(|record| Some(record.fidelity.as_ref()?.rows_total)),
        tables: figure(|record| Some(record.fidelity.as_ref()?.tables_expected)),
        restored_bytes: figure(|record| Some(record.shape.as_ref()?.database_bytes)),
        artifact_bytes: figure(|record| Some(record.artifact.as_ref()?.observed.as_ref()?.bytes)),
        tables_compared,
        dropped,
        dropped_total,
        schema: shapes(previous, record).map(|(before, after)| schema_change(before, after)),
        same_artifact: previous.is_some_and(|previous| same_artifact(previous, record)),
        database: renamed(previous, record),
        compared_with: previous.map(compared_with),
        policy,
    }
}

fn policy(drift: &plan::Drift, record: &Record) -> DriftPolicy {
    let weight = |weight| match weight {
        plan::Weight::Ignore => Weight::Ignore,
        plan::Weight::Warn => Weight::Warn,
        plan::Weight::Fail => Weight::Fail,
    };
    let format = record.artifact.as_ref().and_then(|artifact| artifact.format.as_deref());
    // A plain dump of a database at rest is the same text each night; the others hold the moment
    // at which they were made.
    let dated = format != Some("pg_dump-plain");
    DriftPolicy {
        below_percent: drift.below_percent,
        least_rows: drift.least_rows,
        except: drift.except.iter().map(plan::TableName::to_string).collect(),
        rows: weight(drift.rows),
        size: weight(drift.size),
        schema: weight(drift.schema),
        unchanged: drift.unchanged.map_or(if dated { Weight::Fail } else { Weight::Warn }, weight),
    }
}

fn compared_with(previous: &Record) -> ComparedWith {
    let selected = previous.selection.as_ref().and_then(|selection| selection.selected.as_ref());
    ComparedWith {
        sequence: previous.chain.sequence.unwrap_or_default(),
        run_id: previous.run.run_id,
        started_at: previous.run.started_at,
        uri: selected.map(|selected| selected.uri.clone()).unwrap_or_default(),
        artifact_sha256: previous
            .artifact
            .as_ref()
            .and_then(|artifact| Some(artifact.observed.as_ref()?.sha256)),
    }
}

/// Tables of both, and those that lost more than the policy allows, the largest losses first.
fn dropped_rows(previous: Option<&Record>, record: &Record, policy: &DriftPolicy) -> (u64, Vec<DroppedRows>) {
    let (Some(before), Some(after)) =
        (previous.and_then(|record| record.fidelity.as_ref()), record.fidelity.as_ref())
    else {
        return (0, Vec::new());
    };
    let rows: HashMap<&str, u64> =
        after.tables.iter().filter_map(|table| Some((table.name.as_str(), table.rows?))).collect();
    let mut compared = 0;
    let mut dropped = Vec::new();
    for table in &before.tables {
        let (Some(before), Some(after)) = (table.rows, rows.get(table.name.as_str()).copied()) else {
            continue;
        };
        compared += 1;
        let looked_at = before >= policy.least_rows && !policy.except.contains(&table.name);
        let figure = Figure { before: Some(before), after: Some(after) };
        if looked_at && figure.dropped(policy.below_percent) {
            dropped.push(DroppedRows { name: table.name.clone(), before, after });
        }
    }
    dropped.sort_by_key(|table| std::cmp::Reverse(table.before.saturating_sub(table.after)));
    (compared, dropped)
}

fn shapes<'r>(previous: Option<&'r Record>, record: &'r Record) -> Option<(&'r Shape, &'r Shape)> {
    previous?.shape.as_ref().zip(record.shape.as_ref())
}

fn schema_change(before: &Shape, after: &Shape) -> SchemaChange {
    let mut change = SchemaChange::default();
    if let (Some(before), Some(after)) = (&before.tables, &after.tables) {
        change.by_name = true;
        change.tables_added = names(after.keys().filter(|name| !before.contains_key(*name)).cloned());
        change.tables_removed = names(before.keys().filter(|name| !after.contains_key(*name)).cloned());
        change.columns_added = columns_only_in(after, before);
        change.columns_removed = columns_only_in(before, after);
    }
    if before.server_major == after.server_major {
        let classes = before.classes.keys().chain(after.classes.keys());
        for class in classes.filter(|class| !(change.by_name && *class == TABLE)) {
            let (old, new) = (before.classes.get(class), after.classes.get(class));
            if old != new {
                let count =
                    |class: Option<&crate::record::ShapeClass>| Some(class.map_or(0, |class| class.count));
                change
                    .classes_changed
                    .insert(class.clone(), Figure { before: count(old), after: count(new) });
            }
        }
    }
    change
}

/// Columns of tables that both have, and that only the first has.
fn columns_only_in(these: &BTreeMap<String, Vec<String>>, those: &BTreeMap<String, Vec<String>>) -> Names {
    let of_both = these.iter().filter_map(|(table, columns)| Some((table, columns, those.get(table)?)));
    names(of_both.flat_map(|(table, columns, others)| {
        columns
            .iter()
            .filter(|column| !others.contains(column))
            .map(move |column| format!("{table}.{column}"))
    }))
}

fn names(all: impl Iterator<Item = String>) -> Names {
    let mut names = Names::default();
    for name in all {
        names.total += 1;
        if names.names.len() < CHANGES_MAX {
            names.names.push(name);
        }
    }
    names
}

/// The very bytes of the last pass under another name: one and the same backup may be drilled
/// as often as one likes.
fn same_artifact(previous: &Record, record: &Record) -> bool {
    let digest = |record: &Record| Some(record.artifact.as_ref()?.observed.as_ref()?.sha256);
    let uri = |record: &Record| Some(record.selection.as_ref()?.selected.as_ref()?.uri.clone());
    digest(record).is_some() && digest(record) == digest(previous) && uri(record) != uri(previous)
}

fn renamed(previous: Option<&Record>, record: &Record) -> Option<Renamed> {
    let name = |record: &Record| record.artifact.as_ref()?.database.clone();
    let (before, after) = (name(previous?)?, name(record)?);
    (before != after).then_some(Renamed { before, after })
}
