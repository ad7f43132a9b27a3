//! The drill in one plain sentence.

use crate::record::{Anchor, ComparedTo, Fidelity, Network, Record};
use crate::verdict::{Reason, Verdict};

/// What the record says, in one sentence for somebody who reads nothing else.
pub(in crate::judge) fn statement(record: &Record, verdict: Verdict, reasons: &[Reason]) -> String {
    let service = &record.service.id;
    let why = reasons.first().map_or("nothing was judged", |reason| reason.detail.as_str());
    match verdict {
        Verdict::Pass => passed(record),
        Verdict::Fail => format!("The drill of {service} failed: {why}."),
        Verdict::Inconclusive => {
            format!("The drill of {service} was inconclusive, so its backup is not proven: {why}.")
        }
    }
}

fn passed(record: &Record) -> String {
    let mut parts = vec!["was read whole".to_owned()];
    if let Some(artifact) = &record.artifact {
        parts.push(vouched(artifact.expected.source).to_owned());
    }
    if let Some(environment) = &record.environment {
        let alone = match environment.sandbox.network {
            Network::None => "a scratch database without a network",
            Network::Host | Network::Server => "a scratch database",
        };
        parts.push(format!("was restored without an error into {alone}"));
    }
    if let Some(fidelity) = &record.fidelity {
        parts.push(came_back(fidelity));
    }
    let mut sentence = format!("The backup {} of {} {}", name(record), record.service.id, parts.join(", "));
    if let Some(time) = &record.measurements.recovery_time {
        sentence.push_str(&format!(", in a measured recovery time of {}", words_of(time.measured_ms.get())));
    }
    sentence.push('.');
    sentence
}

fn came_back(fidelity: &Fidelity) -> String {
    let tables = counted(fidelity.tables_expected, "table");
    let (whose, equal) = (whose(fidelity), grouped(fidelity.tables_equal));
    match fidelity.tables_sampled {
        0 => format!(
            "and came back with the rows of the {whose} in {equal} of {tables} ({})",
            counted(fidelity.rows_total, "row")
        ),
        sampled => format!(
            "and came back with the rows of the {whose} in a sample: {}, of {equal} of {tables} all and of {} some; \
             all were counted",
            read_back(fidelity),
            grouped(sampled),
        ),
    }
}

/// `1,204,331 of 6,000,000 rows (20.07 %, 118,000,000 of 590,000,000 bytes) were read back`.
pub(in crate::judge) fn read_back(fidelity: &Fidelity) -> String {
    let coverage = &fidelity.coverage;
    let share = coverage.share_bp();
    format!(
        "{} of {} ({}.{:02} %, {} of {}) were read back",
        grouped(coverage.compared_rows),
        counted(coverage.total_rows, "row"),
        share / 100,
        share % 100,
        grouped(coverage.compared_bytes),
        counted(coverage.total_bytes, "byte"),
    )
}

/// Whose rows came back: the source's, if a stamp says so of every table.
fn whose(fidelity: &Fidelity) -> &'static str {
    let all_stamped = fidelity.tables.iter().all(|table| table.stamp_hash.is_some());
    if fidelity.compared_to == ComparedTo::SourceStamp && all_stamped { "source" } else { "backup" }
}

fn vouched(anchor: Anchor) -> &'static str {
    match anchor {
        Anchor::Stamp => "has the digest of its stamp",
        Anchor::Sidecar => "has the digest that lies beside it",
        Anchor::StoreChecksum => "has the checksum that the store kept since its upload",
        Anchor::Codec => "fits the checksums inside of it",
        Anchor::None => "has nothing that vouches for it",
    }
}

/// `1 table`, `1,234 tables`.
pub(in crate::judge) fn counted(number: u64, noun: &str) -> String {
    let plural = match noun.strip_suffix('y') {
        _ if number == 1 => noun.to_owned(),
        Some(stem) => format!("{stem}ies"),
        None if noun.ends_with('x') => format!("{noun}es"),
        None => format!("{noun}s"),
    };
    format!("{} {plural}", grouped(number))
}

/// A number with its thousands apart: `246,912`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The last part of the selected object's address.
fn name(record: &Record) -> &str {
    let selected = record.selection.as_ref().and_then(|selection| selection.selected.as_ref());
    selected.map_or("", |selected| selected.uri.rsplit('/').next().unwrap_or(&selected.uri))
}

/// A length of time in words, in the two largest units that it has: `1 d 47 min`,
/// `17 min 26 s`, `840 ms`.
pub(in crate::judge) fn words_of(millis: u64) -> String {
    const UNITS: [(u64, &str); 5] =
        [(86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1000, "s"), (1, "ms")];
    let mut rest = millis;
    let mut words = Vec::new();
    for (unit, word) in UNITS {
        if rest >= unit && words.len() < 2 {
            words.push(format!("{} {word}", rest / unit));
            rest %= unit;
        }
    }
    if words.is_empty() { "0 ms".to_owned() } else { words.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_are_counted_in_groups_and_one_of_them_is_one() {
        let table = [
            (0, "0 rows"),
            (1, "1 row"),
            (2, "2 rows"),
            (999, "999 rows"),
            (1_000, "1,000 rows"),
            (246_912, "246,912 rows"),
            (12_345_678, "12,345,678 rows"),
            (u64::MAX, "18,446,744,073,709,551,615 rows"),
        ];
        for (number, words) in table {
            assert_eq!(counted(number, "row"), words);
        }
        let nouns = [("entry", "entries"), ("index", "indexes"), ("table", "tables")];
        for (noun, plural) in nouns {
            assert_eq!(counted(1, noun), format!("1 {noun}"));
            assert_eq!(counted(2_000, noun), format!("2,000 {plural}"));
        }
    }

    #[test]
    fn lengths_of_time_are_said_in_their_two_largest_units() {
        let table = [
            (0, "0 ms"),
            (999, "999 ms"),
            (1000, "1 s"),
            (61_000, "1 min 1 s"),
            (3_600_000, "1 h"),
            (3_601_000, "1 h 1 s"),
            (900_300, "15 min 300 ms"),
            (89_250_000, "1 d 47 min"),
            (u64::MAX, "213503982334 d 14 h"),
        ];
        for (millis, words) in table {
            assert_eq!(words_of(millis), words);
        }
    }
}
