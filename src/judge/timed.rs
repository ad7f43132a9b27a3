//! Obligations on clocks, phases and the recovery time.

use crate::clock::Phase;
use crate::judge::findings::Findings;
use crate::judge::statement::words_of;
use crate::record::{
    ClockReference, ComparedTime, PhaseOutcome, PhaseRecord, Record, RecoveryTime, SCHEMA_VERSION,
};
use crate::verdict::Code;

/// The phases that partition the recovery time.
const RECOVERY: [Phase; 4] = [Phase::Select, Phase::Provision, Phase::Restore, Phase::Ready];

/// How far sums of phases may be off by rounding each to the millisecond.
const ROUNDING_MS: u64 = 4;

/// How far the two clocks may drift apart in any case; over long runs a thousandth more,
/// which is twice what a time daemon slews.
const DRIFT_MS: u64 = 1000;

pub(in crate::judge) fn the_version_is_known(record: &Record, findings: &mut Findings) {
    let known =
        record.schema_version.major == SCHEMA_VERSION.major && record.schema_version <= SCHEMA_VERSION;
    findings.must_agree(known, "schema_version is not one that this firedrill judges");
}

pub(in crate::judge) fn the_clock_is_trusted(record: &Record, findings: &mut Findings) {
    let clock = &record.clock;
    match clock.reference {
        ClockReference::SameMachine => findings.must_agree(
            clock.offset_vs_store_ms.is_none(),
            "clock.reference is same_machine, and yet there is an offset",
        ),
        ClockReference::StoreDate => {
            let Some(offset) = findings.measured(clock.offset_vs_store_ms, "clock.offset_vs_store_ms") else {
                return;
            };
            if offset.get().unsigned_abs() > clock.max_allowed_offset_ms.get() {
                findings.add(
                    Code::ClockUntrusted,
                    format!(
                        "the local clock is {} off the store's, of {} allowed",
                        words_of(offset.get().unsigned_abs()),
                        words_of(clock.max_allowed_offset_ms.get())
                    ),
                    "synchronise the clock of this machine",
                );
            }
        }
    }
}

pub(in crate::judge) fn the_run_has_an_end(record: &Record, findings: &mut Findings) {
    let run = &record.run;
    let finished_at = findings.measured(run.finished_at, "run.finished_at");
    let wall = findings.measured(run.wall_duration_ms, "run.wall_duration_ms");
    let monotonic = findings.measured(run.monotonic_duration_ms, "run.monotonic_duration_ms");
    let (Some(finished_at), Some(wall), Some(monotonic)) = (finished_at, wall, monotonic) else { return };
    let (wall, monotonic) = (wall.get(), monotonic.get());
    let between = finished_at.since(run.started_at).get();
    if between < 0 || wall.abs_diff(monotonic) > DRIFT_MS + monotonic / 1000 {
        findings.add(
            Code::ClockUntrusted,
            "the wall clock was set while the drill ran",
            "synchronise the clock of this machine without steps",
        );
    } else {
        findings.must_agree(
            between.unsigned_abs() == wall,
            "run.wall_duration_ms is not finished_at - started_at",
        );
    }
}

pub(in crate::judge) fn phases_partition_the_recovery(record: &Record, findings: &mut Findings) {
    let Some(time) = findings.measured(record.measurements.recovery_time.as_ref(), "recovery_time") else {
        return;
    };
    let phases: Vec<&PhaseRecord> = record.phases.iter().filter(|phase| phase.name.0.recovers()).collect();
    if phases.iter().map(|phase| phase.name.0).ne(RECOVERY) {
        findings.measured(None::<()>, "the phases of the recovery, each once and in order");
        return;
    }
    let ended = phases.iter().all(|phase| phase.outcome == PhaseOutcome::Ok);
    findings.must_agree(ended, "a phase was halted, but the drill was not");

    let measured = time.measured_ms.get();
    let slack = measured / 100 + ROUNDING_MS;
    let sum = phases.iter().map(|phase| phase.duration_ms.get()).fold(0, u64::saturating_add);
    findings.must_agree(sum.abs_diff(measured) <= slack, "the phases do not add up to the recovery time");
    let gaps = phases.windows(2).map(|pair| match pair {
        [before, after] => end_of(before).abs_diff(after.start_offset_ms.get()),
        _ => 0,
    });
    findings.must_agree(gaps.fold(0, u64::saturating_add) <= slack, "the phases leave gaps, or overlap");
    if let ([first, ..], Some(monotonic)) = (phases.as_slice(), record.run.monotonic_duration_ms) {
        let end = first.start_offset_ms.get().saturating_add(measured);
        findings.must_agree(end <= monotonic.get() + ROUNDING_MS, "the recovery ends after the run");
    }
    findings.must_agree(
        time.includes.iter().map(|phase| phase.0).eq(RECOVERY),
        "recovery_time.includes is not the phases of the recovery",
    );
}

pub(in crate::judge) fn the_proof_came_to_its_end(record: &Record, findings: &mut Findings) {
    let phase_of = |name: Phase| record.phases.iter().find(|phase| phase.name.0 == name);
    let Some(proof) = findings.measured(phase_of(Phase::Proof), "the phase of the proof") else { return };
    findings.must_agree(proof.outcome == PhaseOutcome::Ok, "the proof was halted, but the drill was not");
    if let Some(ready) = phase_of(Phase::Ready) {
        let after = proof.start_offset_ms.get() + ROUNDING_MS >= end_of(ready);
        findings.must_agree(after, "the proof began before the database was ready");
    }
    if let Some(monotonic) = record.run.monotonic_duration_ms {
        let within = record.phases.iter().all(|phase| end_of(phase) <= monotonic.get() + ROUNDING_MS);
        findings.must_agree(within, "a phase ends after the run");
    }
    let each_once = record
        .phases
        .iter()
        .enumerate()
        .all(|(at, phase)| record.phases.iter().skip(at + 1).all(|other| other.name != phase.name));
    findings.must_agree(each_once, "a phase stands there twice");
}

pub(in crate::judge) fn the_recovery_is_fast_enough(record: &Record, findings: &mut Findings) {
    let Some(time) = findings.measured(record.measurements.recovery_time.as_ref(), "recovery_time") else {
        return;
    };
    findings.must_agree(
        time.objective_ms == record.objectives.rto_ms,
        "recovery_time.objective_ms is not objectives.rto_ms",
    );
    let Some(compared) = compared_ms(time, findings) else { return };
    let Some(objective) = time.objective_ms else {
        findings.must_agree(time.met.is_none(), "recovery_time.met, without an objective");
        return;
    };
    let met = compared <= objective.get();
    findings.must_agree(time.met == Some(met), "recovery_time.met is not what its figures say");
    if !met {
        findings.add(
            Code::RtoMissed,
            format!(
                "the recovery takes {}, and the objective is {}",
                words_of(compared),
                words_of(objective.get())
            ),
            "see which phase took longest; `firedrill bench` finds the best tuning",
        );
    }
}

/// The recovery time that meets the objective: what is declared is added to what is measured.
fn compared_ms(time: &RecoveryTime, findings: &mut Findings) -> Option<u64> {
    let declared = &time.declared_overheads_ms;
    let sum = declared.values().fold(time.measured_ms.get(), |sum, more| sum.saturating_add(more.get()));
    match (declared.is_empty(), time.compared_value, time.estimate_ms) {
        (true, ComparedTime::MeasuredMs, None) => Some(time.measured_ms.get()),
        (false, ComparedTime::EstimateMs, Some(estimate)) => {
            findings.must_agree(estimate.get() == sum, "recovery_time.estimate_ms is not its sum");
            Some(sum)
        }
        _ => {
            findings.must_agree(false, "recovery_time.compared_value does not fit what is declared");
            None
        }
    }
}

fn end_of(phase: &PhaseRecord) -> u64 {
    phase.start_offset_ms.get().saturating_add(phase.duration_ms.get())
}
