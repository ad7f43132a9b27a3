//! What stands beside every verdict of a plan as it is, night after night: worth a line, and not
//! an alarm. What is not among it is a warning.

use crate::record::{Objectives, Record, WarningCode};
use crate::report::encode;

/// Whether a warning says what the plan or this kind of drill leaves out by its nature, and so
/// would say the same tomorrow.
pub fn is_standing(code: WarningCode) -> bool {
    matches!(
        code,
        WarningCode::NoObjective
            | WarningCode::RtoPartial
            | WarningCode::NotProductionLike
            | WarningCode::SettingsRelaxed
            | WarningCode::EntriesExcluded
            | WarningCode::PlaceholderRoles
            | WarningCode::SourceNotInProof
            | WarningCode::ContentOnly
            | WarningCode::RowsSampled
    )
}

/// The standing warnings of a drill in a few words each; none if there are none. The evidence
/// tells each in full.
pub fn caveats(record: &Record) -> Option<String> {
    let mut told: Vec<String> = Vec::new();
    for warning in record.verdict.warnings.iter().filter(|warning| is_standing(warning.code)) {
        let words = in_few_words(warning.code, record);
        if !told.contains(&words) {
            told.push(words);
        }
    }
    (!told.is_empty()).then(|| told.join("; "))
}

fn in_few_words(code: WarningCode, record: &Record) -> String {
    let restore = record.restore.as_ref();
    match code {
        WarningCode::NoObjective => format!("no objective for {}", lacking(&record.objectives)),
        WarningCode::RtoPartial => "no overhead declared".into(),
        WarningCode::NotProductionLike => "not on a machine like production".into(),
        WarningCode::SettingsRelaxed => "settings relaxed".into(),
        WarningCode::EntriesExcluded => {
            let count = restore.map_or(0, |restore| restore.toc_entries_excluded);
            format!("left out by policy: {} of the archive's entries", encode::count(count))
        }
        WarningCode::PlaceholderRoles => {
            let count = restore.map_or(0, |restore| restore.placeholder_roles.len());
            format!("{} stood in for", encode::plural(count as u64, "role"))
        }
        WarningCode::SourceNotInProof => "compared with the archive, not with the source".into(),
        WarningCode::ContentOnly => "no checks".into(),
        WarningCode::RowsSampled => "only a sample of the rows was read back".into(),
        other => other.as_str().into(),
    }
}

fn lacking(objectives: &Objectives) -> String {
    let all = [
        ("rto", objectives.rto_ms.is_none()),
        ("rpo", objectives.rpo_ms.is_none()),
        ("every", objectives.expected_period_ms.is_none()),
    ];
    let lacking: Vec<_> = all.iter().filter(|(_, lacks)| *lacks).map(|(key, _)| *key).collect();
    lacking.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::WarningLine;
    use crate::report::sample;

    #[test]
    fn standing_warnings_are_told_in_one_line_and_each_once() {
        let mut record = sample::begun();
        assert_eq!(caveats(&record), None);
        record.objectives.rpo_ms = None;
        let warnings = [
            (WarningCode::NoObjective, "the plan gives no recovery point (`rpo`)"),
            (WarningCode::NoObjective, "the plan gives no cadence of backups (`every`)"),
            (WarningCode::SizeDropped, "half of what it was"),
            (WarningCode::RtoPartial, "the plan declares no overhead"),
        ];
        record.verdict.warnings = warnings.map(|(code, detail)| WarningLine::new(code, detail)).into();
        assert_eq!(caveats(&record).unwrap(), "no objective for rpo, every; no overhead declared");
    }

    #[test]
    fn every_standing_warning_has_words_of_its_own() {
        let record = sample::pass();
        for code in WarningCode::ALL.iter().filter(|code| is_standing(**code)) {
            let words = in_few_words(*code, &record);
            assert!(!words.is_empty() && words != code.as_str(), "{code:?}");
        }
    }
}
