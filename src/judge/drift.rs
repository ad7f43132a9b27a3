//! What the drift since the last pass comes to, by the weights of the plan.

use crate::judge::findings::Findings;
use crate::record::{Drift, Figure, Names, Record, SchemaChange, WarningCode, WarningLine, Weight};
use crate::verdict::Code;

/// How many things a line names.
const NAMED_MAX: usize = 3;

/// One drift, with the codes that it has as a reason and as a warning.
struct Found {
    weight: Weight,
    code: Code,
    warning: WarningCode,
    detail: String,
    remedy: &'static str,
}

pub(in crate::judge) fn nothing_drifted_that_must_not(record: &Record, findings: &mut Findings) {
    let Some(drift) = findings.measured(record.drift.as_ref(), "drift") else { return };
    bears_itself_out(record, drift, findings);
    for found in found(drift).into_iter().filter(|found| found.weight == Weight::Fail) {
        findings.add(found.code, found.detail, found.remedy);
    }
}

/// The drifts that only warn, and that there was nothing to compare with.
pub(in crate::judge) fn warnings(record: &Record) -> Vec<WarningLine> {
    let Some(drift) = &record.drift else { return Vec::new() };
    if drift.compared_with.is_none() {
        let detail = "there is no earlier pass of this service that the backup could be compared with";
        return vec![WarningLine::new(WarningCode::DriftNotCompared, detail)];
    }
    let warned = found(drift).into_iter().filter(|found| found.weight == Weight::Warn);
    warned.map(|found| WarningLine::new(found.warning, found.detail)).collect()
}

fn found(drift: &Drift) -> Vec<Found> {
    let mut all = Vec::new();
    rows(drift, &mut all);
    sizes(drift, &mut all);
    schema(drift, &mut all);
    if drift.same_artifact {
        all.push(Found {
            weight: drift.policy.unchanged,
            code: Code::DriftSameBackup,
            warning: WarningCode::DriftSameBackup,
            detail: "these are the very bytes of the last backup that passed, under another name".into(),
            remedy: "see whether the source is still dumped; for a database at rest write drift.unchanged = \"ignore\"",
        });
    }
    all
}

fn rows(drift: &Drift, all: &mut Vec<Found>) {
    let mut add = |detail: String| {
        all.push(Found {
            weight: drift.policy.rows,
            code: Code::DriftRowsDropped,
            warning: WarningCode::DriftRowsDropped,
            detail,
            remedy: "see whether they were deleted at the source; if so, drill once with drift.rows = \"warn\"",
        });
    };
    if drift.rows.dropped(drift.policy.below_percent) {
        add(format!("{} rows came back, {}", shown(drift.rows.after), before(&drift.rows)));
    }
    if drift.dropped_total > 0 {
        let named = drift.dropped.iter().take(NAMED_MAX);
        let named: Vec<String> =
            named.map(|table| format!("{} from {} to {}", table.name, table.before, table.after)).collect();
        let word = if drift.dropped_total == 1 { "table" } else { "tables" };
        add(format!(
            "{} {word} lost rows since the last pass: {}{}",
            drift.dropped_total,
            named.join(", "),
            if drift.dropped_total > NAMED_MAX as u64 { ", …" } else { "" }
        ));
    }
}

fn sizes(drift: &Drift, all: &mut Vec<Found>) {
    let sizes =
        [(&drift.artifact_bytes, "the backup has"), (&drift.restored_bytes, "the restored database has")];
    for (figure, what) in sizes.into_iter().filter(|(figure, _)| figure.dropped(drift.policy.below_percent)) {
        all.push(Found {
            weight: drift.policy.size,
            code: Code::DriftSizeDropped,
            warning: WarningCode::DriftSizeDropped,
            detail: format!("{what} {} bytes, {}", shown(figure.after), before(figure)),
            remedy: "see whether the dump leaves something out; if not, drill once with drift.size = \"warn\"",
        });
    }
}

fn schema(drift: &Drift, all: &mut Vec<Found>) {
    let mut add = |detail: String| {
        all.push(Found {
            weight: drift.policy.schema,
            code: Code::DriftSchemaChanged,
            warning: WarningCode::DriftSchemaChanged,
            detail,
            remedy: "see whether it was meant; if so, drill once with drift.schema = \"warn\"",
        });
    };
    if let Some(renamed) = &drift.database {
        add(format!(
            "the archive is of the database {:?}, and the last was of {:?}",
            renamed.after, renamed.before
        ));
    }
    if let Some(change) = drift.schema.as_ref().filter(|change| change.is_any()) {
        add(format!("the schema is not that of the last pass: {}", changes(change)));
    }
}

fn changes(change: &SchemaChange) -> String {
    let lists = [
        (&change.tables_removed, "tables are gone"),
        (&change.tables_added, "tables are new"),
        (&change.columns_removed, "columns are gone"),
        (&change.columns_added, "columns are new"),
    ];
    let mut parts: Vec<String> = lists
        .into_iter()
        .filter(|(names, _)| names.total > 0)
        .map(|(names, what)| format!("{} {what} ({})", names.total, some_of(names)))
        .collect();
    if !change.classes_changed.is_empty() {
        let classes: Vec<&str> = change.classes_changed.keys().map(String::as_str).collect();
        parts.push(format!("other definitions of {}", classes.join(", ")));
    }
    parts.join("; ")
}

fn some_of(names: &Names) -> String {
    let more = if names.total > NAMED_MAX as u64 { ", …" } else { "" };
    format!("{}{more}", names.names.iter().take(NAMED_MAX).cloned().collect::<Vec<_>>().join(", "))
}

fn shown(figure: Option<u64>) -> String {
    figure.map_or_else(|| "no".to_owned(), |figure| figure.to_string())
}

fn before(figure: &Figure) -> String {
    format!("after {} at the last pass", shown(figure.before))
}

/// What is said of now must be what the record says elsewhere, and what is called dropped must be.
fn bears_itself_out(record: &Record, drift: &Drift, findings: &mut Findings) {
    let fidelity = record.fidelity.as_ref();
    let observed = record.artifact.as_ref().and_then(|artifact| artifact.observed.as_ref());
    let figures = [
        (&drift.rows, fidelity.map(|fidelity| fidelity.rows_total), "drift.rows"),
        (&drift.tables, fidelity.map(|fidelity| fidelity.tables_expected), "drift.tables"),
        (&drift.artifact_bytes, observed.map(|observed| observed.bytes), "drift.artifact_bytes"),
        (
            &drift.restored_bytes,
            record.shape.as_ref().map(|shape| shape.database_bytes),
            "drift.restored_bytes",
        ),
    ];
    for (figure, elsewhere, name) in figures {
        findings.measured(figure.after, name);
        findings.must_agree(
            elsewhere.is_none() || figure.after == elsewhere,
            &format!("{name} is not what the record says elsewhere"),
        );
        findings.must_agree(
            figure.before.is_none() || drift.compared_with.is_some(),
            &format!("{name} has a figure of an earlier pass, and there is none"),
        );
    }
    let lost = |figure: Figure| figure.dropped(drift.policy.below_percent);
    let dropped = drift.dropped.iter().all(|table| {
        table.before >= drift.policy.least_rows
            && !drift.policy.except.contains(&table.name)
            && lost(Figure { before: Some(table.before), after: Some(table.after) })
    });
    findings.must_agree(
        dropped
            && drift.dropped.is_empty() == (drift.dropped_total == 0)
            && drift.dropped.len() as u64 <= drift.dropped_total
            && drift.dropped_total <= drift.tables_compared,
        "the tables of drift are not those that lost rows",
    );
    let compared = drift.compared_with.is_some();
    findings.must_agree(
        compared || (drift.schema.is_none() && drift.tables_compared == 0 && !drift.same_artifact),
        "drift speaks of an earlier pass, and names none",
    );
    if let Some(with) = &drift.compared_with {
        let same = with.artifact_sha256.is_some()
            && observed.map(|observed| observed.sha256) == with.artifact_sha256;
        let uri = record.selection.as_ref().and_then(|selection| selection.selected.as_ref());
        let renamed = uri.is_some_and(|selected| selected.uri != with.uri);
        findings.must_agree(
            drift.same_artifact == (same && renamed),
            "drift.same_artifact is not what the digests say",
        );
    }
}
