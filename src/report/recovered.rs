//! What a real restore ends with, for a person and for a program.

use std::time::Duration;

use serde::Serialize;

use crate::record::{Anchor, ComparedTo};
use crate::recovery::{Compared, Recovered};
use crate::report::encode;
use crate::report::layout::{Page, labelled, moment};
use crate::verdict::Verdict;

/// Refused entries and different tables that are named, at most.
const NAMED_MAX: usize = 20;

/// The final word.
pub fn text(recovered: &Recovered, place: &str, page: Page) -> String {
    let alike = recovered.compared.as_ref().is_none_or(Compared::is_alike);
    let (verdict, word) = match (recovered.is_complete(), alike) {
        (true, true) => (Verdict::Pass, "RESTORED"),
        (true, false) => (Verdict::Fail, "RESTORED, BUT NOT ALIKE"),
        (false, _) => (Verdict::Fail, "NOT WHOLE"),
    };
    let mut text = format!("{} {}\n", page.paint.verdict(verdict, word), encode::sentence(place));
    let mut line = |label: &str, said: &str| text.push_str(&labelled(label, said, page.columns));
    line("backup", &backup(recovered));
    line("bytes", &bytes(recovered));
    line("restored", &restored(recovered));
    if let Some(compared) = &recovered.compared {
        line("compared", &self::compared(compared));
    }
    for (kind, number) in left_out(recovered) {
        line("left out", &format!("{} ({kind})", encode::plural(number, "entry")));
    }
    for failure in recovered.failures.iter().take(NAMED_MAX) {
        let name = format!("{} {}", failure.kind, failure.name);
        line("refused", &encode::sentence(&format!("{name}: {}", failure.message)));
    }
    if recovered.failures.len() > NAMED_MAX {
        line("refused", &format!("and {} more", recovered.failures.len() - NAMED_MAX));
    }
    for warning in &recovered.warnings {
        line("warning", &encode::sentence(warning));
    }
    text
}

fn backup(recovered: &Recovered) -> String {
    let point = recovered.point.map(|at| format!(", of {} UTC", moment(at))).unwrap_or_default();
    format!("{}{point}", encode::sentence(&recovered.uri))
}

fn bytes(recovered: &Recovered) -> String {
    let Some(read) = &recovered.read else { return "none".into() };
    let vouched = match (recovered.expected.source, recovered.vouched_for) {
        (_, Some(false)) => "NOT those that were vouched for",
        (Anchor::Stamp, _) => "as the stamp says",
        (Anchor::Sidecar, _) => "as the digest beside it says",
        (Anchor::StoreChecksum, _) => "as the store's checksum says",
        (Anchor::Codec, _) => "as the checksums inside say",
        (Anchor::None, _) => "nothing vouches for them",
    };
    format!("{}, {vouched}; SHA-256 {}", encode::bytes(read.bytes), read.sha256)
}

fn restored(recovered: &Recovered) -> String {
    let rows = encode::plural(recovered.rows, "row");
    let tables = encode::plural(recovered.tables as u64, "table");
    let rate = encode::rate(recovered.rows, recovered.took, encode::count)
        .map(|rate| format!(" ({rate})"))
        .unwrap_or_default();
    let before = match (recovered.resumed, recovered.loaded_before) {
        (false, _) => String::new(),
        (true, before) => format!("; {} were there from before", encode::plural(before as u64, "table")),
    };
    let (done, all) =
        (recovered.restored, recovered.entries - recovered.excluded.len().min(recovered.entries));
    format!(
        "{done} of {all} entries; {rows} of {tables} in {}{rate}, durable{before}",
        encode::duration(recovered.took)
    )
}

fn compared(compared: &Compared) -> String {
    let took = encode::duration(compared.took);
    if compared.is_alike() && compared.not_comparable.is_empty() && compared.in_part.is_empty() {
        let source = match compared.not_of_the_source {
            Some(_) => ", as the stamp says that the source held them",
            None => "",
        };
        return format!(
            "{} came back row for row{source}, read back in {took}",
            encode::plural(compared.equal as u64, "table")
        );
    }
    let mut said = vec![format!("{} alike", encode::plural(compared.equal as u64, "table"))];
    let mut name = |names: &[String], what: &str| {
        if !names.is_empty() {
            let shown: Vec<String> =
                names.iter().take(NAMED_MAX).map(|name| encode::sentence(name)).collect();
            said.push(format!("{} {what}: {}", names.len(), shown.join(", ")));
        }
    };
    name(&compared.different, "DIFFERENT");
    name(&compared.not_comparable, "not comparable");
    name(&in_part(compared), "but for columns that could not be compared");
    name(compared.not_of_the_source.as_deref().unwrap_or_default(), "NOT AS THE SOURCE HELD THEM");
    for (what, alike) in [("large objects", compared.large_objects), ("sequences", compared.sequences)] {
        if !alike.is_alike() {
            said.push(format!("{} of {} {what} DIFFERENT", alike.expected - alike.equal, alike.expected));
        }
    }
    said.join("; ")
}

/// Tables that were compared without some columns, and without which.
fn in_part(compared: &Compared) -> Vec<String> {
    let words = |(table, columns): &(String, Vec<String>)| format!("{table} ({})", columns.join(", "));
    compared.in_part.iter().map(words).collect()
}

/// What was left out, by the reason's code.
fn left_out(recovered: &Recovered) -> Vec<(&'static str, u64)> {
    let mut counts = std::collections::BTreeMap::new();
    for (_, _, why) in &recovered.excluded {
        *counts.entry(why.as_str()).or_insert(0) += 1;
    }
    counts.into_iter().collect()
}

/// The result as a program reads it.
#[derive(Serialize)]
struct Document<'a> {
    exit_code: u8,
    backup_uri: &'a str,
    backup_sha256: Option<String>,
    backup_bytes: Option<u64>,
    anchor: Anchor,
    anchor_agrees: Option<bool>,
    consistency_point: Option<String>,
    resumed: bool,
    entries: usize,
    entries_restored: usize,
    entries_excluded: usize,
    entries_refused: Vec<Refused<'a>>,
    tables: usize,
    tables_loaded_before: usize,
    rows: u64,
    restore_ms: u128,
    proof_ms: Option<u128>,
    tables_equal: Option<usize>,
    tables_different: Option<&'a [String]>,
    tables_not_comparable: Option<&'a [String]>,
    tables_in_part: Option<Vec<String>>,
    compared_to: Option<ComparedTo>,
    not_of_the_source: Option<&'a [String]>,
    warnings: &'a [String],
}

#[derive(Serialize)]
struct Refused<'a> {
    kind: &'a str,
    name: &'a str,
    sqlstate: Option<&'a str>,
    message: &'a str,
}

/// The result as one JSON document on one line.
///
/// # Errors
/// It can't be written as JSON, which no value of it causes.
pub fn document(recovered: &Recovered, exit_code: u8) -> Result<String, serde_json::Error> {
    let compared = recovered.compared.as_ref();
    let read = recovered.read.as_ref();
    let document = Document {
        exit_code,
        backup_uri: &recovered.uri,
        backup_sha256: read.map(|read| read.sha256.to_string()),
        backup_bytes: read.map(|read| read.bytes),
        anchor: recovered.expected.source,
        anchor_agrees: recovered.vouched_for,
        consistency_point: recovered.point.map(|at| at.to_string()),
        resumed: recovered.resumed,
        entries: recovered.entries,
        entries_restored: recovered.restored,
        entries_excluded: recovered.excluded.len(),
        entries_refused: recovered
            .failures
            .iter()
            .map(|failure| Refused {
                kind: &failure.kind,
                name: &failure.name,
                sqlstate: failure.sqlstate.as_deref(),
                message: &failure.message,
            })
            .collect(),
        tables: recovered.tables,
        tables_loaded_before: recovered.loaded_before,
        rows: recovered.rows,
        restore_ms: millis(recovered.took),
        proof_ms: compared.map(|compared| millis(compared.took)),
        tables_equal: compared.map(|compared| compared.equal),
        tables_different: compared.map(|compared| compared.different.as_slice()),
        tables_not_comparable: compared.map(|compared| compared.not_comparable.as_slice()),
        tables_in_part: compared.map(in_part),
        compared_to: compared.map(|compared| match compared.not_of_the_source {
            Some(_) => ComparedTo::SourceStamp,
            None => ComparedTo::ArchiveStream,
        }),
        not_of_the_source: compared.and_then(|compared| compared.not_of_the_source.as_deref()),
        warnings: &recovered.warnings,
    };
    serde_json::to_string(&document).map(|text| text + "\n")
}

fn millis(duration: Duration) -> u128 {
    duration.as_millis()
}
