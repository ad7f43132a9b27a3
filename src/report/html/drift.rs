//! What became of the backup since the last pass, and what amcheck found.

use crate::record::{Drift, Figure, Names, Revalidated, Structure};
use crate::report::encode;
use crate::report::html::words;

/// Names of a kind of change that are shown.
const NAMED_MAX: usize = 5;

/// The figures of the last pass and of now.
pub struct DriftTable {
    /// What was compared with.
    pub lead: String,
    /// Each figure.
    pub rows: Vec<DriftRow>,
    /// What became of the schema, and of single tables.
    pub notes: Vec<String>,
}

/// A figure.
pub struct DriftRow {
    /// Of what.
    pub name: &'static str,
    /// At the last pass.
    pub before: String,
    /// Now.
    pub after: String,
    /// `good`, or `unsure` where it dropped.
    pub kind: &'static str,
    /// In a word.
    pub state: &'static str,
}

/// The drift as a table; nothing where there was no earlier pass.
pub fn drift(drift: &Drift) -> Option<DriftTable> {
    let with = drift.compared_with.as_ref()?;
    let row = |name, figure: &Figure, shown: fn(u64) -> String| {
        let text = |value: Option<u64>| value.map_or_else(|| "not known".to_owned(), shown);
        let dropped = figure.dropped(drift.policy.below_percent);
        let (kind, state) = if dropped { ("unsure", "dropped") } else { ("good", "kept") };
        DriftRow { name, before: text(figure.before), after: text(figure.after), kind, state }
    };
    let mut notes: Vec<String> = drift
        .dropped
        .iter()
        .take(NAMED_MAX)
        .map(|table| {
            let (before, after) = (encode::count(table.before), encode::count(table.after));
            format!("{} has {after} rows, after {before}.", words::name(&table.name))
        })
        .collect();
    if let Some(change) = &drift.schema {
        let lists = [
            ("Tables gone", &change.tables_removed),
            ("New tables", &change.tables_added),
            ("Columns gone", &change.columns_removed),
            ("New columns", &change.columns_added),
        ];
        notes.extend(
            lists.into_iter().filter(|(_, names)| names.total > 0).map(|(what, names)| listed(what, names)),
        );
        if !change.classes_changed.is_empty() {
            let classes: Vec<String> =
                change.classes_changed.keys().map(|class| words::name(class)).collect();
            notes.push(format!("Other definitions: {}.", classes.join(", ")));
        }
    }
    Some(DriftTable {
        lead: format!(
            "Compared with drill {}, which passed on {}.",
            with.sequence,
            words::day(with.started_at)
        ),
        rows: vec![
            row("Rows", &drift.rows, encode::count),
            row("Tables", &drift.tables, encode::count),
            row("Restored size", &drift.restored_bytes, encode::bytes),
            row("Backup", &drift.artifact_bytes, encode::bytes),
        ],
        notes,
    })
}

fn listed(what: &str, names: &Names) -> String {
    let shown: Vec<String> = names.names.iter().take(NAMED_MAX).map(|name| words::name(name)).collect();
    let more = if names.total > NAMED_MAX as u64 { ", …" } else { "" };
    format!("{what} ({}): {}{more}.", encode::count(names.total), shown.join(", "))
}

/// What amcheck looked at, in a sentence.
pub fn structure(structure: &Structure) -> String {
    if let Some(why) = &structure.unavailable {
        return format!("Pages were not looked at: {}.", words::name(why));
    }
    let rows = if structure.heap_all_indexed { ", and for each row in its indexes" } else { "" };
    let damaged = match structure.damaged_total {
        0 => "none is damaged".to_owned(),
        count => format!("{} are damaged", encode::count(count)),
    };
    format!(
        "amcheck looked at every page of {} of {} and {} of {}{rows}, in {}: {damaged}.",
        encode::count(structure.heaps_checked),
        encode::plural(structure.heaps_expected, "heap"),
        encode::count(structure.indexes_checked),
        encode::plural(structure.indexes_expected, "B-tree"),
        words::length(structure.duration_ms.get()),
    )
}

/// The constraints that were evaluated anew, in a sentence.
pub fn revalidated(revalidated: &Revalidated) -> String {
    let sums = revalidated.sums();
    let broken = match sums.broken {
        0 => "every one holds".to_owned(),
        count => format!("{} broken", encode::plural(count, "constraint")),
    };
    format!(
        "{} of {} evaluated anew for every restored row, in {}: {broken}.",
        encode::count(sums.asked),
        encode::plural(sums.expected, "constraint"),
        words::length(revalidated.duration_ms.get()),
    )
}
