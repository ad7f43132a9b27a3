//! What to know about one drill, below the table.

use std::fmt::Write as _;
use std::time::Duration;

use crate::record::{
    Anchor, Artifact, CheckOutcome, CheckRecord, ComparedTo, ConsistencySource, Drift, Environment, Figure,
    Network, PhaseRecord, Record, Revalidated, Selection, Sha256, Structure, TableRecord, TableState,
};
use crate::report::caveats::{caveats, is_standing};
use crate::report::encode;
use crate::report::layout::labelled;
use crate::report::summary::{Reported, Style};

/// How many things of a kind are named; the rest are counted.
const NAMED_MAX: usize = 10;
/// Columns that a name may take.
const NAME_COLUMNS: usize = 60;
/// A phase below this is shown as nothing.
const NO_TIME: Duration = Duration::from_millis(50);
/// From which uncertainty on the moment of the data is told with it.
const UNCERTAIN: Duration = Duration::from_secs(60);
/// Columns that a location may take.
const URI_COLUMNS: usize = 400;

/// The paragraphs of one drill: why it is not a pass and what to do, then what was had.
pub fn detail(drill: &Reported<'_>, style: Style) -> String {
    let record = drill.record;
    let verdict = drill.verdict();
    let service = style.paint.bold(encode::name(&record.service.id, NAME_COLUMNS));
    let mut text = format!("{service}: {}\n", style.paint.verdict(verdict, verdict));
    let mut say = |label: &str, words: &str| text.push_str(&labelled(label, words, style.columns));
    for (label, words) in reasons(record).into_iter().chain(faults(record)) {
        say(label, &words);
    }
    if let Some(words) = record.selection.as_ref().and_then(|selection| backup(selection, record)) {
        say("backup", &words);
    }
    if let Some(words) = proof(record) {
        say("proven", &words);
    }
    if let Some(words) = record.drift.as_ref().and_then(drift) {
        say("drift", &words);
    }
    if let Some(words) = record.structure.as_ref().map(structure) {
        say("pages", &words);
    }
    if let Some(words) = record.revalidated.as_ref().map(revalidated) {
        say("rules", &words);
    }
    if let Some(words) = time(record) {
        say("time", &words);
    }
    if let Some(environment) = &record.environment {
        say("scratch", &scratch(environment));
    }
    if let Some(left) = left_behind(record) {
        say("left", &left);
    }
    if let Some(words) = caveats(record) {
        say("caveats", &words);
    }
    for (label, words) in warnings(record) {
        say(label, &words);
    }
    match drill.evidence {
        Some(path) => say("evidence", &encode::name(&path.to_string_lossy(), URI_COLUMNS)),
        None => say("evidence", "none: it could not be written"),
    }
    text
}

fn reasons(record: &Record) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    for reason in record.verdict.reasons.iter().take(NAMED_MAX) {
        lines.push(("why", format!("{} [{}]", encode::sentence(&reason.detail), reason.code)));
        if !reason.remedy.is_empty() {
            lines.push(("what to do", encode::sentence(&reason.remedy)));
        }
    }
    if let Some(more) = unnamed(record.verdict.reasons.len()) {
        lines.push(("why", format!("{more} reasons are in the evidence")));
    }
    lines
}

/// What is not so every night.
fn warnings(record: &Record) -> Vec<(&'static str, String)> {
    let real: Vec<_> = record.verdict.warnings.iter().filter(|warning| !is_standing(warning.code)).collect();
    let mut lines: Vec<_> = real
        .iter()
        .take(NAMED_MAX)
        .map(|warning| {
            ("warning", format!("{} [{}]", encode::sentence(&warning.detail), warning.code.as_str()))
        })
        .collect();
    if let Some(more) = unnamed(real.len()) {
        lines.push(("warning", format!("{more} warnings are in the evidence")));
    }
    lines
}

/// The tables, checks and entries behind the reasons, by name.
fn faults(record: &Record) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    if let Some(fidelity) = &record.fidelity {
        let states = [
            (TableState::Different, "differ"),
            (TableState::Missing, "missing"),
            (TableState::NotComparable, "unproven"),
        ];
        for (state, label) in states {
            let tables = fidelity.tables.iter().filter(|table| table.state == state);
            if fidelity.compared_to == ComparedTo::SourceStamp && state == TableState::Different {
                lines.extend(three_ways(tables).into_iter().map(|line| (label, line)));
                continue;
            }
            let named = names(tables.map(|table| table.name.as_str()));
            lines.extend(named.map(|names| (label, names)));
        }
    }
    if let Some(restore) = &record.restore {
        let failed = restore.failed.iter().map(|entry| match &entry.sqlstate {
            Some(state) => format!("{} {} (SQLSTATE {state})", entry.kind, entry.name),
            None => format!("{} {}", entry.kind, entry.name),
        });
        let failed: Vec<_> = failed.collect();
        lines.extend(names(failed.iter().map(String::as_str)).map(|names| ("not made", names)));
    }
    if let Some(objects) = &record.objects {
        let told: Vec<_> =
            objects.differences.iter().map(|it| format!("{} {} {}", it.class, it.name, it.fault)).collect();
        lines.extend(names(told.iter().map(String::as_str)).map(|names| ("object", names)));
    }
    if let Some(checks) = &record.checks {
        let bad: Vec<_> = checks.items.iter().filter(|check| check.outcome != CheckOutcome::Pass).collect();
        lines.extend(bad.iter().take(NAMED_MAX).map(|check| ("check", answer(check))));
        lines.extend(unnamed(bad.len()).map(|more| ("check", format!("{more} are in the evidence"))));
    }
    lines
}

fn answer(check: &CheckRecord) -> String {
    let mut line = format!("'{}'", encode::name(&check.name, NAME_COLUMNS));
    // Writing into a String cannot fail.
    let _ = write!(line, ": expected {}", encode::name(&check.expected, NAME_COLUMNS));
    if let Some(observed) = &check.observed {
        let _ = write!(line, ", got {}", encode::name(observed.as_str(), NAME_COLUMNS));
    }
    if let Some(last) = &check.last {
        let _ = write!(line, ", after {} at the last pass", encode::name(last.as_str(), NAME_COLUMNS));
    }
    if check.outcome == CheckOutcome::Baseline {
        line.push_str(", and no earlier pass to compare it with");
    }
    if let Some(error) = &check.error {
        let _ = write!(line, ", but it could not be put: {}", encode::name(error, NAME_COLUMNS));
    }
    line
}

/// What the source, the archive and the restored database say of tables that are not the same, and
/// which two of them differ.
fn three_ways<'a>(tables: impl Iterator<Item = &'a TableRecord>) -> Vec<String> {
    let tables: Vec<_> = tables.collect();
    let place = |title: &str, hash: &Option<Sha256>, rows: Option<u64>| {
        let digits: String =
            hash.as_ref().map_or("none".into(), |hash| hash.to_string()).chars().take(12).collect();
        let rows = rows.map(|rows| format!(" ({})", encode::plural(rows, "row"))).unwrap_or_default();
        format!("{title} {digits}{rows}")
    };
    let line = |table: &&TableRecord| {
        let places = [
            place("source", &table.stamp_hash, table.stamp_rows),
            place("archive", &table.stream_hash, table.rows),
            place("restored", &table.restored_hash, table.restored_rows),
        ];
        let between = table.between().map(|between| format!(": {}", between.words())).unwrap_or_default();
        format!("{}: {}{between}", encode::name(&table.name, NAME_COLUMNS), places.join(", "))
    };
    let mut lines: Vec<String> = tables.iter().take(NAMED_MAX).map(line).collect();
    lines.extend(unnamed(tables.len()));
    lines
}

fn names<'a>(names: impl Iterator<Item = &'a str>) -> Option<String> {
    let names: Vec<_> = names.map(|name| encode::name(name, NAME_COLUMNS)).collect();
    let mut text = names.iter().take(NAMED_MAX).map(String::as_str).collect::<Vec<_>>().join(", ");
    if let Some(more) = unnamed(names.len()) {
        text.push_str(&format!(" and {more}"));
    }
    (!names.is_empty()).then_some(text)
}

fn unnamed(all: usize) -> Option<String> {
    let more = all.saturating_sub(NAMED_MAX);
    (more > 0).then(|| format!("{} more", encode::count(more as u64)))
}

fn backup(selection: &Selection, record: &Record) -> Option<String> {
    let selected = selection.selected.as_ref()?;
    let mut text = encode::name(&selected.uri, URI_COLUMNS);
    let _ = write!(text, " ({}", encode::bytes(selected.size_bytes));
    if let Some(format) = record.artifact.as_ref().and_then(|artifact| artifact.format.as_deref()) {
        let _ = write!(text, ", {}", encode::name(format, 40));
    }
    text.push(')');
    if let Some(point) = &selection.consistency_point {
        let source = match point.source {
            ConsistencySource::Stamp => "by its stamp",
            ConsistencySource::ObjectMetadata => "by its metadata",
            ConsistencySource::NamePattern => "by its name",
            ConsistencySource::ArchiveHeader => "by its header",
            ConsistencySource::LastModified => "at the latest, by when it was stored",
        };
        // Moments come to the millisecond, and few of these are known to that.
        let time = point.time.to_string().replace(".000Z", "Z");
        let _ = write!(text, ", data as of {time}, {source}");
        if point.uncertainty_ms.duration() >= UNCERTAIN {
            let _ = write!(text, " ± {}", encode::duration(point.uncertainty_ms.duration()));
        }
    }
    if let Some(newest) = &selection.newest {
        let time = newest.consistency_point.time.to_string().replace(".000Z", "Z");
        let _ = write!(text, "; the newest, {}, is of {time}", encode::name(&newest.uri, URI_COLUMNS));
    }
    Some(text)
}

fn proof(record: &Record) -> Option<String> {
    let fidelity = record.fidelity.as_ref()?;
    let mut text = format!(
        "{} of {} equal row for row{} ({} of {} by SHA-256 row hash)",
        encode::count(fidelity.tables_equal),
        encode::plural(fidelity.tables_expected, "table"),
        match fidelity.compared_to {
            ComparedTo::SourceStamp => " at the source, in the archive and restored",
            ComparedTo::ArchiveStream => "",
        },
        encode::count(fidelity.coverage.compared_rows),
        encode::plural(fidelity.coverage.total_rows, "row"),
    );
    if fidelity.tables_sampled > 0 {
        let _ = write!(text, ", {} by a sample of its rows", encode::count(fidelity.tables_sampled));
    }
    if fidelity.tables_counted > 0 {
        let only = match fidelity.columns_not_compared {
            0 => "by row count only".to_owned(),
            columns => format!("not whole ({} not compared)", encode::plural(columns, "column")),
        };
        let _ = write!(text, ", {} {only}", encode::count(fidelity.tables_counted));
    }
    for (compared, noun) in [(&fidelity.large_objects, "large object"), (&fidelity.sequences, "sequence")] {
        if let Some(compared) = compared.as_ref().filter(|compared| compared.expected > 0) {
            let all = encode::plural(compared.expected, noun);
            let _ = write!(text, ", {} of {all}", encode::count(compared.equal));
        }
    }
    if let Some(objects) = &record.objects {
        let all = encode::plural(objects.expected, "object");
        let how = if objects.definitions_compared { "by definition" } else { "by name and state" };
        let _ = write!(text, ", {} of {all} {how}", encode::count(objects.equal));
    }
    match &record.checks {
        Some(checks) if checks.planned > 0 => {
            let all = encode::plural(checks.planned, "check");
            let _ = write!(text, "; {} of {all} passed", encode::count(checks.passed));
            if checks.baseline > 0 {
                let _ = write!(text, ", {} for the first time", encode::count(checks.baseline));
            }
        }
        Some(checks) if checks.content_only => text.push_str("; no checks, as the plan says"),
        _ => {}
    }
    if let Some(anchor) = record.artifact.as_ref().and_then(vouched) {
        let _ = write!(text, "; the stored bytes by {anchor}");
    }
    Some(text)
}

/// The figures of the last pass and of now; nothing where there was none.
fn drift(drift: &Drift) -> Option<String> {
    let with = drift.compared_with.as_ref()?;
    let figure = |name: &str, figure: &Figure, word: fn(u64) -> String| {
        let (before, after) = (figure.before?, figure.after?);
        Some(match before == after {
            true => format!("{name} {}", word(after)),
            false => format!("{name} {}, after {}", word(after), word(before)),
        })
    };
    let figures = [
        figure("rows", &drift.rows, encode::count),
        figure("tables", &drift.tables, encode::count),
        figure("restored", &drift.restored_bytes, encode::bytes),
        figure("backup", &drift.artifact_bytes, encode::bytes),
    ];
    let figures: Vec<String> = figures.into_iter().flatten().collect();
    let schema = match &drift.schema {
        Some(change) if change.is_any() => "another schema",
        Some(_) => "the same schema",
        None => "schema not compared",
    };
    let since = format!("since drill {} of {}", with.sequence, with.started_at.at().strftime("%Y-%m-%d"));
    Some(format!("{since}: {}; {schema}", figures.join("; ")))
}

/// What amcheck looked at, and how long it took.
fn structure(structure: &Structure) -> String {
    if let Some(why) = &structure.unavailable {
        return format!("not looked at: {}", encode::name(why, NAME_COLUMNS));
    }
    let mut text = format!(
        "amcheck looked at {} of {} and {} of {} in {}",
        encode::count(structure.heaps_checked),
        encode::plural(structure.heaps_expected, "heap"),
        encode::count(structure.indexes_checked),
        encode::plural(structure.indexes_expected, "B-tree"),
        encode::duration(structure.duration_ms.duration()),
    );
    if structure.heap_all_indexed {
        text.push_str(", and for each row in its indexes");
    }
    if let Some(damaged) = names(structure.damaged.iter().map(|one| one.name.as_str())) {
        let _ = write!(text, "; damaged: {damaged}");
    }
    text
}

/// The constraints that were evaluated anew, and how long that took.
fn revalidated(revalidated: &Revalidated) -> String {
    let sums = revalidated.sums();
    let mut text = format!(
        "{} of {} evaluated for every row in {}",
        encode::count(sums.asked),
        encode::plural(sums.expected, "constraint"),
        encode::duration(revalidated.duration_ms.duration()),
    );
    let broken = revalidated.broken.iter().filter(|one| one.promised).map(|one| one.name.as_str());
    if let Some(broken) = names(broken) {
        let _ = write!(text, "; broken: {broken}");
    }
    text
}

/// What the stored bytes were compared with, where that came out well.
fn vouched(artifact: &Artifact) -> Option<&'static str> {
    match artifact.expected.source {
        _ if artifact.matches != Some(true) => None,
        Anchor::Stamp => Some("the digest in their stamp"),
        Anchor::Sidecar => Some("the digest beside them"),
        Anchor::StoreChecksum => Some("the checksum that the store keeps"),
        Anchor::Codec => Some("their own checksums"),
        Anchor::None => None,
    }
}

/// The phases in their order; those outside of the recovery time behind a semicolon. Of a drill
/// that was cut short, those that took any time.
fn time(record: &Record) -> Option<String> {
    let Some(measured) = &record.measurements.recovery_time else {
        let text = phases(record, |phase| phase.duration_ms.duration() >= NO_TIME);
        return (!text.is_empty()).then_some(text);
    };
    let mut text = phases(record, |phase| phase.name.0.recovers());
    let declared: Vec<_> = measured
        .declared_overheads_ms
        .iter()
        .map(|(name, length)| format!("{} {}", encode::name(name, 20), encode::objective(length.duration())))
        .collect();
    if !declared.is_empty() {
        let _ = write!(text, ", and as the plan declares {}", declared.join(", "));
    }
    let apart = phases(record, |phase| !phase.name.0.recovers());
    if !apart.is_empty() {
        let _ = write!(text, "; then {apart}");
    }
    Some(text)
}

fn phases(record: &Record, wanted: impl Fn(&PhaseRecord) -> bool) -> String {
    let wanted = record.phases.iter().filter(|phase| wanted(phase));
    let shown: Vec<_> = wanted
        .map(|phase| format!("{} {}", phase.name, encode::duration(phase.duration_ms.duration())))
        .collect();
    shown.join(", ")
}

fn scratch(environment: &Environment) -> String {
    let mut text = format!("PostgreSQL {}", encode::name(&environment.postgres_version, 40));
    text.push_str(match environment.sandbox.network {
        Network::None => ", isolated: no network",
        Network::Host => ", not isolated: the network of this machine",
        Network::Server => ", on a given server",
    });
    if let Some(user) = &environment.sandbox.user {
        let _ = write!(text, ", as user '{}'", encode::name(user, 40));
    }
    let relaxed: Vec<_> = environment
        .settings_relaxed
        .iter()
        .map(|(name, value)| format!("{} = {}", encode::name(name, 40), encode::name(value, 40)))
        .collect();
    if !relaxed.is_empty() {
        let _ = write!(text, "; relaxed: {}", relaxed.join(", "));
    }
    text
}

fn left_behind(record: &Record) -> Option<String> {
    let cleanup = record.cleanup.as_ref()?;
    if cleanup.scratch_removed && cleanup.removal_verified && cleanup.leaked.is_empty() {
        return None;
    }
    let leaked = names(cleanup.leaked.iter().map(String::as_str));
    Some(match leaked {
        Some(leaked) => format!("{leaked}; 'firedrill sweep' removes it"),
        None => "the scratch may still be there; 'firedrill sweep' removes it".into(),
    })
}
