//! Obligations on the objects beside the rows.

use crate::judge::findings::Findings;
use crate::record::{Objects, Record};
use crate::verdict::Code;

/// How many objects a reason names.
const NAMED_MAX: usize = 5;

pub(in crate::judge) fn every_object_is_as_announced(record: &Record, findings: &mut Findings) {
    let Some(objects) = findings.measured(record.objects.as_ref(), "objects") else { return };
    let (classes, differences) = (objects.classes.clone(), objects.differences.clone());
    let sums = Objects::of(objects.definitions_compared, classes, differences, objects.doubts.clone());
    findings.must_agree(*objects == sums, "the sums of objects are not those of its classes");
    let all_ordered = objects.classes.iter().all(|class| {
        class.equal.saturating_add(class.doubtful) <= class.compared && class.compared <= class.expected
    });
    findings.must_agree(all_ordered, "more objects were found than were looked for or announced");
    if objects.expected > 0 && objects.compared == 0 {
        findings.add(Code::DataNotCompared, "no object of the archive was looked for", "");
    }
    let wrong = objects.compared.saturating_sub(objects.equal).saturating_sub(objects.doubtful);
    findings.must_agree(
        (wrong > 0) != objects.differences.is_empty(),
        "the objects that differ are not those that are named",
    );
    findings.must_agree(
        (objects.doubtful > 0) != objects.doubts.is_empty(),
        "the objects that may differ are not those that are named",
    );
    if wrong == 0 {
        return;
    }
    let named = objects.differences.iter().take(NAMED_MAX);
    let named: Vec<String> = named.map(|one| format!("{} {} {}", one.class, one.name, one.fault)).collect();
    let any_missing = objects.differences.iter().any(|one| one.fault == "is missing");
    findings.add(
        if any_missing { Code::ObjectsMissing } else { Code::StructureDamaged },
        format!("{wrong} objects are not as the archive announces them: {}", named.join(", ")),
        "restore the backup by hand and look at what is named",
    );
}
