//! A benchmark as a person reads it: a table of the ways to restore, and what to make of it.

mod document;
pub mod words;

use comfy_table::{Cell, CellAlignment, Color};

use crate::bench::{Bench, Spread, Tried, advice};
use crate::report::bench::words::way;
use crate::report::encode;
use crate::report::layout::{self, Page, labelled};

pub use document::{Document, document};

/// Columns that an address may take in a sentence.
const URI_COLUMNS: usize = 400;

/// The benchmark in words.
pub fn text(bench: &Bench, page: Page) -> String {
    let name = page.paint.bold(encode::name(&bench.service, 63));
    let tried = bench.tried.iter().map(|tried| tried.runs.len() as u64).sum();
    let ways = encode::plural(bench.tried.len() as u64, "way");
    let mut text = format!("{name}: {ways} to restore, {}\n", encode::plural(tried, "restore"));
    text.push_str(&table(bench, page));
    for (label, words) in remarks(bench) {
        text.push_str(&labelled(label, &words, page.columns));
    }
    text
}

fn table(bench: &Bench, page: Page) -> String {
    let mut table = layout::table(page);
    table.set_header(["way", "restore", "from – to", "recovery", "MB/s", "CPU", "limit"]);
    let fastest = advice(bench).map(|advice| advice.fastest);
    let right = |text: String| Cell::new(text).set_alignment(CellAlignment::Right);
    for (at, tried) in bench.tried.iter().enumerate() {
        let (restore, recovery, run) = (tried.restore(), tried.recovery(), tried.typical());
        let mut median = right(restore.map_or("–".to_owned(), |spread| seconds(spread.median)));
        if fastest == Some(at) && page.paint.is_coloured() {
            median = median.fg(Color::Green);
        }
        table.add_row([
            Cell::new(way(tried.point, bench)),
            median,
            right(restore.map_or(String::new(), range)),
            right(recovery.map_or(String::new(), |spread| seconds(spread.median))),
            right(run.map_or(String::new(), |run| megabytes(run.bytes_per_second()))),
            right(
                run.and_then(|run| run.busy).map_or(String::new(), |busy| format!("{:.0} %", busy * 100.0)),
            ),
            Cell::new(limit(tried)),
        ]);
    }
    layout::close(&mut table, &[1, 2, 3, 4, 5]);
    table.trim_fmt() + "\n"
}

/// Stored bytes in a second, in the unit in which networks are sold.
fn megabytes(bytes_per_second: u64) -> String {
    format!("{:.1}", bytes_per_second as f64 / 1e6)
}

fn limit(tried: &Tried) -> String {
    match (tried.typical(), &tried.left_out) {
        (_, Some(_)) => "left out".to_owned(),
        (Some(run), None) => words::limit(run.limit).to_owned(),
        (None, None) => "not tried".to_owned(),
    }
}

/// A time with enough digits to be compared.
pub fn seconds(time: std::time::Duration) -> String {
    match time.as_secs() {
        0..100 => format!("{:.2}s", time.as_secs_f64()),
        _ => encode::duration(time),
    }
}

/// The least and the most of several times.
pub fn range(spread: Spread) -> String {
    format!("{} – {}", seconds(spread.least), seconds(spread.most))
}

fn remarks(bench: &Bench) -> Vec<(&'static str, String)> {
    let mut remarks = Vec::new();
    if let Some(backup) = &bench.backup {
        let what = format!(
            "{}, {} in {} of {}",
            encode::name(&backup.uri, URI_COLUMNS),
            encode::bytes(backup.bytes),
            encode::plural(backup.tables, "table"),
            encode::plural(backup.rows, "row")
        );
        remarks.push(("backup", what));
    }
    remarks.extend(words::network(bench.shaping).map(|network| ("network", network)));
    if let Some(advice) = advice(bench) {
        remarks.push(("limit", encode::sentence(&advice.sentence)));
        let change = advice.change.unwrap_or_else(|| words::NO_CHANGE.to_owned());
        remarks.push(("what to do", encode::sentence(&change)));
    }
    for tried in &bench.tried {
        if let Some(reason) = &tried.left_out {
            let what = format!("{}: {}", way(tried.point, bench), encode::sentence(&reason.detail));
            remarks.push(("left out", what));
        }
    }
    if let Some(stopped) = &bench.stopped {
        let point = stopped.point.and_then(|at| bench.tried.get(at));
        let of = point.map_or(String::new(), |tried| format!("{}: ", way(tried.point, bench)));
        let reason = &stopped.reason;
        let what = format!("{of}{} [{}]", encode::sentence(&reason.detail), reason.code);
        remarks.push(("stopped", what));
        remarks.push(("then", encode::sentence(&reason.remedy)));
    }
    remarks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::bench::words::rate;
    use std::time::Duration;

    #[test]
    fn times_are_shown_with_digits_that_tell_them_apart() {
        let table = [(1_234, "1.23s"), (99_990, "99.99s"), (100_000, "1m40s"), (0, "0.00s")];
        for (millis, shown) in table {
            assert_eq!(seconds(Duration::from_millis(millis)), shown);
        }
        assert_eq!(rate(70_000_000), "70 MB/s");
    }
}
