//! What was compared: tables and checks, the worst first.

use std::cmp::Reverse;

use crate::record::{
    Between, CheckOutcome, CheckRecord, Checks, ComparedTo, Fidelity, NotStamped, SampledRows, Sha256,
    TableRecord, TableState,
};
use crate::report::encode;
use crate::report::html::words;

/// Tables that are shown at once, and those behind a click.
const OPEN_MAX: usize = 12;
const FOLDED_MAX: usize = 500;
const CHECKS_MAX: usize = 500;

/// The tables of a drill.
pub struct Tables {
    /// How many came back how.
    pub summary: String,
    /// The worst, then the largest.
    pub first: Vec<Table>,
    /// Those after them.
    pub folded: Vec<Table>,
    /// How many are in neither.
    pub more: Option<String>,
    /// Whether the source takes part, and each table has three hashes.
    pub stamped: bool,
}

/// A table.
pub struct Table {
    /// Its qualified name.
    pub name: String,
    /// `good`, `unsure` or `bad`.
    pub kind: &'static str,
    /// How it came back.
    pub state: &'static str,
    /// Its rows in the archive.
    pub rows: String,
    /// Its rows in the restored database, where they are others.
    pub restored: Option<String>,
    /// Its size as COPY text.
    pub bytes: String,
    /// Its row hash, or both of them.
    pub hash: String,
    /// Where the source takes part: its row hash there, in the archive, and restored.
    pub three: Option<[Place; 3]>,
    /// What is to be said beside its state: which of them differ, or which columns were left out.
    pub note: Option<String>,
}

/// What one of the three places says of a table.
pub struct Place {
    /// Which it is.
    pub title: &'static str,
    /// Its row hash there, or why there is none.
    pub hash: String,
    /// Its rows there, where they are others than in the archive.
    pub rows: Option<String>,
    /// It is not what the others say, or one of two that differ.
    pub differs: bool,
}

/// The tables of a proof.
pub fn tables(fidelity: &Fidelity) -> Tables {
    let mut sorted: Vec<&TableRecord> = fidelity.tables.iter().collect();
    sorted.sort_by_key(|table| (rank(table.state), Reverse(table.bytes), table.name.as_str()));
    let faulty = sorted.iter().filter(|table| table.state != TableState::Equal).count();
    let open = OPEN_MAX.max(faulty.min(50));
    let (first, rest) = sorted.split_at(open.min(sorted.len()));
    let stamped = fidelity.compared_to == ComparedTo::SourceStamp;
    let (folded, more) = words::bounded(rest, FOLDED_MAX, |table| row(table, stamped));
    let first = first.iter().map(|table| row(table, stamped)).collect();
    Tables { summary: summary(fidelity), first, folded, more, stamped }
}

fn rank(state: TableState) -> u8 {
    match state {
        TableState::Missing => 0,
        TableState::Different => 1,
        TableState::NotComparable => 2,
        TableState::Counted => 3,
        TableState::Sampled => 4,
        TableState::Equal => 5,
    }
}

fn summary(fidelity: &Fidelity) -> String {
    let stamped = fidelity.compared_to == ComparedTo::SourceStamp;
    let in_part = fidelity.tables.iter().filter(|table| table.state == TableState::Counted);
    let in_part = in_part.filter(|table| !table.columns_not_compared.is_empty()).count() as u64;
    let mut parts = Vec::new();
    let states = [
        (fidelity.tables_equal, if stamped { "equal at all three places" } else { "equal row for row" }),
        (fidelity.tables_sampled, "by a sample of their rows"),
        (in_part, "equal but for columns that could not be compared"),
        (fidelity.tables_counted.saturating_sub(in_part), "by their count of rows only"),
        (fidelity.tables_different, "different"),
        (fidelity.tables_missing, "missing"),
        (fidelity.tables_not_comparable, "not comparable"),
    ];
    for (count, words) in states.into_iter().filter(|(count, _)| *count > 0) {
        parts.push(format!("{} {words}", encode::count(count)));
    }
    for (compared, noun) in [(&fidelity.large_objects, "large objects"), (&fidelity.sequences, "sequences")] {
        if let Some(compared) = compared.as_ref().filter(|compared| compared.expected > 0) {
            parts.push(format!(
                "{} of {} {noun} equal",
                encode::count(compared.equal),
                encode::count(compared.expected)
            ));
        }
    }
    format!(
        "{} with {} and {}: {}.",
        encode::plural(fidelity.tables_expected, "table"),
        encode::plural(fidelity.rows_total, "row"),
        encode::bytes(fidelity.bytes_total),
        if parts.is_empty() { "none compared".to_owned() } else { parts.join(", ") }
    )
}

fn row(table: &TableRecord, stamped: bool) -> Table {
    let (kind, state) = match table.state {
        TableState::Equal => ("good", "equal"),
        TableState::Sampled => ("unsure", "sampled"),
        TableState::Counted => ("unsure", "counted"),
        TableState::Different => ("bad", "different"),
        TableState::Missing => ("bad", "missing"),
        TableState::NotComparable => ("unsure", "not comparable"),
    };
    let unknown = || "not known".to_owned();
    let rows = |count: Option<u64>| count.map_or_else(unknown, encode::count);
    Table {
        name: words::name(&table.name),
        kind,
        state,
        rows: rows(table.rows),
        restored: (table.rows != table.restored_rows).then(|| rows(table.restored_rows)),
        bytes: table.bytes.map_or_else(unknown, encode::bytes),
        hash: table.sample.as_ref().map_or_else(|| hash(table), sample),
        three: stamped.then(|| places(table)),
        note: note(table, stamped),
    }
}

/// Which two differ, and which columns are in no hash.
fn note(table: &TableRecord, stamped: bool) -> Option<String> {
    let between = table.between().filter(|_| stamped).map(|between| between.words().to_owned());
    let left_out = (!table.columns_not_compared.is_empty())
        .then(|| format!("without {}", words::name(&table.columns_not_compared.join(", "))));
    let notes: Vec<String> = between.into_iter().chain(left_out).collect();
    (!notes.is_empty()).then(|| notes.join("; "))
}

fn places(table: &TableRecord) -> [Place; 3] {
    let between = table.between();
    let is = |all: &[Between]| between.is_some_and(|between| all.contains(&between));
    let hash = |hash: &Option<Sha256>| hash.as_ref().map_or_else(|| "not hashed".to_owned(), words::digits);
    let rows =
        |rows: Option<u64>| rows.filter(|rows| Some(*rows) != table.rows).map(|n| encode::plural(n, "row"));
    let source = match table.not_stamped {
        Some(NotStamped::LeftOut) => "not in the stamp".to_owned(),
        Some(NotStamped::Unknown) => "no such table".to_owned(),
        None => hash(&table.stamp_hash),
    };
    let place = |title, hash, rows, differs| Place { title, hash, rows, differs };
    // Written in another zone, equal rows have other digits.
    let restored = match (&table.restored_as_stamped_hash, &table.sample) {
        (_, Some(rows)) => sample(rows),
        (Some(as_stamped), None) => {
            format!("{}, as the stamp writes it {}", hash(&table.restored_hash), words::digits(as_stamped))
        }
        (None, None) => hash(&table.restored_hash),
    };
    [
        place("Source", source, rows(table.stamp_rows), is(&[Between::SourceAndArchive, Between::AllThree])),
        place("Archive", hash(&table.stream_hash), None, is(&[Between::AllThree])),
        place(
            "Restored",
            restored,
            rows(table.restored_rows),
            is(&[Between::ArchiveAndRestored, Between::AllThree]),
        ),
    ]
}

fn sample(sample: &SampledRows) -> String {
    format!("{}, of {}", words::digits(&sample.restored_hash), encode::plural(sample.rows, "row"))
}

fn hash(table: &TableRecord) -> String {
    match (&table.stream_hash, &table.restored_hash) {
        (Some(stream), Some(restored)) if stream == restored => match &table.stamp_hash {
            Some(stamp) if stamp != stream => {
                format!("{}, but the stamp {}", words::digits(stream), words::digits(stamp))
            }
            _ => words::digits(stream),
        },
        (Some(stream), Some(restored)) => {
            format!("{} in the backup, {} restored", words::digits(stream), words::digits(restored))
        }
        (Some(_), None) | (None, Some(_)) | (None, None) => "not hashed on both sides".to_owned(),
    }
}

/// The checks of a drill.
pub struct CheckTable {
    /// Each check, those with a wrong answer or none first.
    pub rows: Vec<Check>,
    /// What is not among them.
    pub more: Option<String>,
    /// Where there is nothing to show, why.
    pub nothing: Option<&'static str>,
}

/// A check.
pub struct Check {
    /// Its name in the plan.
    pub name: String,
    /// `good`, `unsure` or `bad`.
    pub kind: &'static str,
    /// How it ended.
    pub outcome: &'static str,
    /// What was expected.
    pub expected: String,
    /// What was answered, or why nothing was.
    pub observed: String,
    /// How long it took.
    pub length: Option<String>,
}

/// The checks as a table.
pub fn checks(checks: &Checks) -> CheckTable {
    let mut sorted: Vec<&CheckRecord> = checks.items.iter().collect();
    sorted.sort_by_key(|check| check.outcome == CheckOutcome::Pass);
    let (rows, mut more) = words::bounded(&sorted, CHECKS_MAX, |check| check_row(check));
    let skipped = checks.planned.saturating_sub(checks.executed);
    if skipped > 0 {
        more = Some(format!("{} of the plan were never put.", encode::plural(skipped, "check")));
    }
    let nothing = match (rows.is_empty(), checks.content_only) {
        (true, true) => {
            Some("The plan says that the content proof is enough: no check asks what the data means.")
        }
        (true, false) => Some("No check was put."),
        (false, _) => None,
    };
    CheckTable { rows, more, nothing }
}

fn check_row(check: &CheckRecord) -> Check {
    let (kind, outcome) = match check.outcome {
        CheckOutcome::Pass => ("good", "passed"),
        CheckOutcome::Baseline => ("unsure", "nothing to compare with"),
        CheckOutcome::Fail => ("bad", "failed"),
        CheckOutcome::Error => ("unsure", "no answer"),
    };
    let observed = match (&check.observed, &check.error) {
        (Some(observed), _) => match &check.last {
            Some(last) => format!("{}, after {}", words::name(observed.as_str()), words::name(last.as_str())),
            None => words::name(observed.as_str()),
        },
        (None, Some(error)) => format!("it could not be put: {}", words::name(error)),
        (None, None) => "nothing".to_owned(),
    };
    Check {
        name: words::name(&check.name),
        kind,
        outcome,
        expected: words::name(&check.expected),
        observed,
        length: check.duration_ms.map(|length| words::length(length.get())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn the_worst_tables_come_first_and_none_of_them_is_folded_away() {
        let fidelity = sample::failure().fidelity.unwrap();
        let tables = tables(&fidelity);
        assert!(tables.first.iter().take(12).all(|table| table.state == "different"));
        assert_eq!(tables.first.len() + tables.folded.len(), fidelity.tables.len());
        assert!(tables.folded.iter().all(|table| table.state == "equal"));
    }

    #[test]
    fn a_long_list_is_bounded_and_says_so() {
        let mut table = sample::pass().fidelity.unwrap().tables.remove(0);
        table.state = TableState::Equal;
        let proof = Fidelity::of(ComparedTo::ArchiveStream, vec![table; 3_000]);
        let tables = tables(&proof);
        assert_eq!((tables.first.len(), tables.folded.len()), (OPEN_MAX, FOLDED_MAX));
        assert_eq!(tables.more.as_deref(), Some("and 2,488 more, which the record lists"));
    }

    #[test]
    fn what_is_not_known_is_said_and_not_shown_as_nothing() {
        let mut fidelity = sample::pass().fidelity.unwrap();
        let table = &mut fidelity.tables[0];
        (table.rows, table.restored_rows, table.bytes) = (None, None, None);
        let shown = row(&fidelity.tables[0], false);
        assert_eq!((shown.rows.as_str(), shown.bytes.as_str()), ("not known", "not known"));
        assert_eq!(shown.hash, "not hashed on both sides");
    }
}
