//! The drill in one plain sentence.

use crate::record::{Anchor, Network, Record};
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
            Network::Host => "a scratch database",
        };
        parts.push(format!("was restored without an error into {alone}"));
    }
    if let Some(fidelity) = &record.fidelity {
        parts.push(format!(
            "and came back with the rows of the backup in {} of {} tables ({} rows)",
            fidelity.tables_equal, fidelity.tables_expected, fidelity.rows_total
        ));
    }
    let mut sentence = format!("The backup {} of {} {}", name(record), record.service.id, parts.join(", "));
    if let Some(time) = &record.measurements.recovery_time {
        sentence.push_str(&format!(", in a measured recovery time of {}", words_of(time.measured_ms.get())));
    }
    sentence.push('.');
    sentence
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
