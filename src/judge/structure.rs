//! Obligations on the structure of tables and indexes.

use crate::judge::findings::Findings;
use crate::record::{AmcheckAsked, Record, Structure};
use crate::verdict::Code;

/// How many relations a reason names.
const NAMED_MAX: usize = 5;

/// What to do where amcheck could not be asked.
const NOT_ASKED: &str = "install the server's contrib modules, 14 or later, or write amcheck = false";

pub(in crate::judge) fn structure_was_looked_at(record: &Record, findings: &mut Findings) {
    let asked = record.objectives.amcheck;
    if asked == AmcheckAsked::Off {
        findings.must_agree(
            record.structure.is_none(),
            "structure was looked at, and the plan does not ask for it",
        );
        return;
    }
    let Some(structure) = findings.measured(record.structure.as_ref(), "structure") else { return };
    findings.must_agree(
        structure.heap_all_indexed == (asked == AmcheckAsked::HeapAllIndexed),
        "the rows were not looked for in the indexes as the plan asks for it",
    );
    if let Some(why) = &structure.unavailable {
        findings.add(Code::StructureNotChecked, format!("amcheck could not be asked: {why}"), NOT_ASKED);
        return;
    }
    findings.measured(structure.amcheck_version.as_ref(), "structure.amcheck_version");
    all_was_looked_at(record, structure, findings);
    if structure.damaged_total > 0 {
        let names: Vec<&str> =
            structure.damaged.iter().take(NAMED_MAX).map(|one| one.name.as_str()).collect();
        findings.add(
            Code::StructureDamaged,
            format!("amcheck found {} relations damaged: {}", structure.damaged_total, names.join(", ")),
            "see the disk and the memory of this machine first, then the collations of the source",
        );
    }
}

fn all_was_looked_at(record: &Record, structure: &Structure, findings: &mut Findings) {
    let Structure { heaps_expected, heaps_checked, indexes_expected, indexes_checked, .. } = *structure;
    let missed =
        heaps_expected.saturating_sub(heaps_checked) + indexes_expected.saturating_sub(indexes_checked);
    findings.must_agree(
        heaps_checked <= heaps_expected
            && indexes_checked <= indexes_expected
            && missed == structure.unchecked_total
            && structure.unchecked.len() as u64 <= structure.unchecked_total
            && structure.damaged.len() as u64 <= structure.damaged_total
            && structure.damaged.is_empty() == (structure.damaged_total == 0),
        "the sums of structure are not those of its relations",
    );
    // A table whose rows were proven has pages to look at, or a few hundred bytes less.
    let tables = record.fidelity.as_ref().map_or(0, |fidelity| fidelity.tables_equal);
    findings.must_agree(tables == 0 || heaps_expected > 0, "tables came back, and none was looked at");
    if missed > 0 {
        let names: Vec<String> = structure
            .unchecked
            .iter()
            .take(NAMED_MAX)
            .map(|one| format!("{} ({})", one.name, one.why))
            .collect();
        let detail = format!("{missed} relations could not be looked at: {}", names.join(", "));
        findings.add(Code::StructureNotChecked, detail, NOT_ASKED);
    }
}
