//! Obligations on constraints that were evaluated anew.

use crate::judge::findings::Findings;
use crate::judge::statement::counted;
use crate::record::{BrokenConstraint, CONSTRAINTS_MAX, Record, Revalidated, RevalidatedKind};
use crate::verdict::Code;

/// How many constraints a reason names.
const NAMED_MAX: usize = 5;

pub(in crate::judge) fn constraints_hold_of_the_rows(record: &Record, findings: &mut Findings) {
    if !record.objectives.revalidate {
        let none = record.revalidated.is_none();
        findings.must_agree(none, "constraints were evaluated anew, and the plan does not ask for it");
        return;
    }
    let Some(found) = findings.measured(record.revalidated.as_ref(), "revalidated") else { return };
    let RevalidatedKind { expected, asked, broken } = found.sums();
    the_sums_are_right(found, findings);
    if broken > 0 {
        let named = found.broken.iter().filter(|one| one.promised);
        let named: Vec<String> = named.take(NAMED_MAX).map(BrokenConstraint::words).collect();
        findings.add(
            Code::ConstraintsBroken,
            format!("restored rows break {}: {}", counted(broken, "constraint"), named.join(", ")),
            "look for the same rows at the source: a trigger, a rule or a function that changed let them in",
        );
    }
    if asked < expected {
        let named = found.unasked.iter().take(NAMED_MAX);
        let named: Vec<String> =
            named.map(|one| format!("{} of {} ({})", one.name, one.table, one.why)).collect();
        findings.add(
            Code::ConstraintsNotChecked,
            format!(
                "{} could not be evaluated anew: {}",
                counted(expected - asked, "constraint"),
                named.join(", ")
            ),
            "evaluate them by hand in the source, or write revalidate = false",
        );
    }
}

fn the_sums_are_right(found: &Revalidated, findings: &mut Findings) {
    let kinds = [&found.foreign_keys, &found.checks, &found.not_null];
    let ordered = kinds.iter().all(|kind| kind.broken <= kind.asked && kind.asked <= kind.expected);
    let RevalidatedKind { expected, asked, broken } = found.sums();
    let named = |count: u64, names: usize| names as u64 == count.min(CONSTRAINTS_MAX as u64);
    findings.must_agree(
        ordered
            && named(broken.saturating_add(found.broken_unpromised), found.broken.len())
            && named(expected.saturating_sub(asked), found.unasked.len()),
        "the sums of revalidated are not those of its constraints",
    );
}
