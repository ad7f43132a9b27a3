//! The judge: one pure function over the finished record.
//!
//! It reads no clock, no file and no socket, so whoever holds the record comes to the same
//! verdict, a year later too. A pass is what is left when every obligation was met and
//! positively observed: what is missing is not a pass, and what contradicts itself is none
//! either.

mod drift;
mod findings;
mod objects;
mod proven;
mod restored;
mod revalidated;
mod selected;
mod stamped;
mod statement;
mod structure;
mod timed;
mod warnings;

use crate::clock::Phase;
use crate::judge::findings::Findings;
use crate::record::{
    PhaseOutcome, ReasonCode, ReasonLine, Record, Ruling, VerdictWord, WarningLine, limitations,
};
use crate::verdict::{Blame, Code, Reason, Verdict};

/// What the judge says of a record. Nobody else can make one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    verdict: Verdict,
    reasons: Vec<Reason>,
    warnings: Vec<WarningLine>,
    statement: String,
}

impl Judgement {
    /// The verdict.
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// Why it is not a pass, what decides it first; empty for a pass.
    pub fn reasons(&self) -> &[Reason] {
        &self.reasons
    }

    /// What should be known beside it.
    pub fn warnings(&self) -> &[WarningLine] {
        &self.warnings
    }

    /// The drill in one plain sentence.
    pub fn statement(&self) -> &str {
        &self.statement
    }

    /// The judgement as it stands in a record.
    pub fn ruling(&self) -> Ruling {
        Ruling {
            result: VerdictWord(self.verdict),
            reason_codes: self.reasons.iter().map(|reason| ReasonCode(reason.code)).collect(),
            reasons: self.reasons.iter().map(ReasonLine::from).collect(),
            warnings: self.warnings.clone(),
            statement: self.statement.clone(),
        }
    }
}

/// Something that must be seen in the record before it can be a pass.
struct Obligation {
    /// The phase that shows it; `None` if it can be asked of every record.
    shown_by: Option<Phase>,
    /// Tells what stands against it.
    ask: fn(&Record, &mut Findings),
}

/// Each obligation, in the order of the pipeline.
const OBLIGATIONS: &[Obligation] = &[
    Obligation { shown_by: None, ask: timed::the_version_is_known },
    Obligation { shown_by: None, ask: timed::the_clock_is_trusted },
    Obligation { shown_by: None, ask: timed::the_run_has_an_end },
    Obligation { shown_by: Some(Phase::Select), ask: selected::the_listing_is_complete },
    Obligation { shown_by: Some(Phase::Select), ask: selected::a_backup_was_chosen },
    Obligation { shown_by: Some(Phase::Select), ask: selected::backups_still_come },
    Obligation { shown_by: Some(Phase::Select), ask: selected::the_moment_is_known },
    Obligation { shown_by: Some(Phase::Select), ask: selected::the_data_is_young_enough },
    Obligation { shown_by: Some(Phase::Select), ask: stamped::the_stamp_is_as_demanded },
    Obligation { shown_by: Some(Phase::Provision), ask: restored::the_scratch_is_ours },
    Obligation { shown_by: Some(Phase::Restore), ask: restored::the_artifact_is_whole },
    Obligation { shown_by: Some(Phase::Restore), ask: restored::somebody_vouches_for_the_artifact },
    Obligation { shown_by: Some(Phase::Restore), ask: stamped::the_stamp_is_what_it_is_used_for },
    Obligation { shown_by: Some(Phase::Restore), ask: restored::entries_are_accounted_for },
    Obligation { shown_by: Some(Phase::Restore), ask: restored::nothing_that_counts_was_left_out },
    Obligation { shown_by: Some(Phase::Ready), ask: stamped::the_scratch_is_not_the_source },
    Obligation { shown_by: Some(Phase::Ready), ask: restored::the_structure_is_whole },
    Obligation { shown_by: Some(Phase::Ready), ask: timed::phases_partition_the_recovery },
    Obligation { shown_by: Some(Phase::Ready), ask: timed::the_recovery_is_fast_enough },
    Obligation { shown_by: Some(Phase::Proof), ask: proven::there_are_rows },
    Obligation { shown_by: Some(Phase::Proof), ask: proven::every_table_came_back },
    Obligation { shown_by: Some(Phase::Proof), ask: proven::each_table_bears_its_state_out },
    Obligation { shown_by: Some(Phase::Proof), ask: proven::sequences_and_large_objects_came_back },
    Obligation { shown_by: Some(Phase::Proof), ask: drift::nothing_drifted_that_must_not },
    Obligation { shown_by: Some(Phase::Proof), ask: structure::structure_was_looked_at },
    Obligation { shown_by: Some(Phase::Proof), ask: revalidated::constraints_hold_of_the_rows },
    Obligation { shown_by: Some(Phase::Proof), ask: stamped::the_source_says_the_same },
    Obligation { shown_by: Some(Phase::Proof), ask: objects::every_object_is_as_announced },
    Obligation { shown_by: Some(Phase::Proof), ask: proven::every_check_was_put },
    Obligation { shown_by: Some(Phase::Proof), ask: proven::every_check_passed },
    Obligation { shown_by: Some(Phase::Proof), ask: timed::the_proof_came_to_its_end },
];

/// Judges the record as it stands. What it says of itself (`verdict`, `limitations`) is not
/// looked at.
pub fn judge(record: &Record) -> Judgement {
    let mut findings = Findings::default();
    for obligation in OBLIGATIONS.iter().filter(|obligation| is_asked(record, obligation)) {
        (obligation.ask)(record, &mut findings);
    }
    let reasons = match &record.halt {
        // What was not measured after the end of a drill is not worth a word.
        Some(halt) => [vec![halt.reason()], findings.wrong()].concat(),
        None => findings.wrong_or_missing(),
    };
    let reasons = decisive_first(reasons);
    let verdict = verdict_of(&reasons);
    let warnings = warnings::warnings(record);
    let statement = statement::statement(record, verdict, &reasons);
    Judgement { verdict, reasons, warnings, statement }
}

/// Judges the record, and writes the ruling and the limitations into it.
pub fn pronounce(record: &mut Record) -> Judgement {
    let judgement = judge(record);
    record.verdict = judgement.ruling();
    record.limitations = limitations(record);
    judgement
}

/// A phase that was cut short proves nothing against the backup: a drill that halted is only
/// asked for what its finished phases show. One that did not halt is asked for everything.
fn is_asked(record: &Record, obligation: &Obligation) -> bool {
    let finished =
        |phase: Phase| record.phases.iter().any(|it| it.name.0 == phase && it.outcome == PhaseOutcome::Ok);
    record.halt.is_none() || obligation.shown_by.is_none_or(finished)
}

/// Blame decides: one reason against the backup makes it a fail, any other an inconclusive.
fn verdict_of(reasons: &[Reason]) -> Verdict {
    let word = |reason: &Reason| match reason.code.blame() {
        Blame::Backup => Verdict::Fail,
        Blame::Environment => Verdict::Inconclusive,
    };
    reasons.iter().map(word).max().unwrap_or(Verdict::Pass)
}

/// The reasons with those against the backup in front, each code and text once.
fn decisive_first(reasons: Vec<Reason>) -> Vec<Reason> {
    let mut once: Vec<Reason> = Vec::with_capacity(reasons.len());
    for reason in reasons {
        if !once.contains(&reason) {
            once.push(reason);
        }
    }
    once.sort_by_key(|reason| match (reason.code.blame(), reason.code) {
        (Blame::Backup, _) => 0,
        (Blame::Environment, Code::NotMeasured) => 2,
        (Blame::Environment, _) => 1,
    });
    once
}
