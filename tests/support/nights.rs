//! Records of drills that never were: the full example of the evidence, as of other nights.
#![allow(dead_code, reason = "each test crate uses its own share of what stands here")]

use std::collections::BTreeMap;

use firedrill::clock::Phase;
use firedrill::evidence::Statement;
use firedrill::record::*;
use jiff::SignedDuration;

const PASSING: &[u8] = include_bytes!("../../fixtures/evidence/v1.0/passing.json");

/// A record that passes, of the night that is `number` days after that of the example.
pub fn night(number: i64) -> Record {
    let mut record = Statement::read(PASSING).unwrap().predicate;
    record.run.run_id = RunId::fresh();
    record.run.tool.version = env!("CARGO_PKG_VERSION").to_owned();
    let later = |moment: Moment| Moment::from(moment.at() + SignedDuration::from_hours(24 * number));
    record.run.started_at = later(record.run.started_at);
    record.run.finished_at = record.run.finished_at.map(later);
    let selection = record.selection.as_mut().unwrap();
    selection.listing.listed_at = later(selection.listing.listed_at);
    let point = selection.consistency_point.as_mut().unwrap();
    point.time = later(point.time);
    let freshness = selection.freshness.as_mut().unwrap();
    freshness.newest_moment = later(freshness.newest_moment);
    let selected = selection.selected.as_mut().unwrap();
    selected.last_modified = selected.last_modified.map(later);
    let age = record.measurements.recovery_point.as_mut().unwrap();
    age.reference_time = later(age.reference_time);
    record
}

/// Makes the restore take so much longer than the 17 minutes of the example.
pub fn slower(record: &mut Record, by_ms: u64) {
    let longer = |millis: Millis| Millis::new(millis.get() + by_ms);
    let mut behind = false;
    for phase in &mut record.phases {
        if behind {
            phase.start_offset_ms = longer(phase.start_offset_ms);
        }
        if phase.name.0 == Phase::Restore {
            phase.duration_ms = longer(phase.duration_ms);
            behind = true;
        }
    }
    let run = &mut record.run;
    run.monotonic_duration_ms = run.monotonic_duration_ms.map(longer);
    run.wall_duration_ms = run.wall_duration_ms.map(longer);
    let later = |moment: Moment| Moment::from(moment.at() + SignedDuration::from_millis(by_ms as i64));
    run.finished_at = run.finished_at.map(later);
    let time = record.measurements.recovery_time.as_mut().unwrap();
    *time = RecoveryTime::of(
        longer(time.measured_ms),
        std::mem::take(&mut time.declared_overheads_ms),
        record.objectives.rto_ms,
    );
}

/// Gives the record another recovery time objective.
pub fn with_rto(record: &mut Record, rto_ms: u64) {
    record.objectives.rto_ms = Some(Millis::new(rto_ms));
    slower(record, 0);
}

/// Gives the backup another size.
pub fn sized(record: &mut Record, bytes: u64) {
    record.selection.as_mut().unwrap().selected.as_mut().unwrap().size_bytes = bytes;
    record.artifact.as_mut().unwrap().observed.as_mut().unwrap().bytes = bytes;
    record.drift.as_mut().unwrap().artifact_bytes.after = Some(bytes);
}

/// Ends the drill before anything was measured.
pub fn halted(record: &mut Record, code: firedrill::verdict::Code) {
    let reason = firedrill::verdict::Reason::new(code, "it was so", "");
    record.halt = Some(Halt::new(reason, Some(Phase::Restore)));
    record.measurements = Measurements::default();
    record.fidelity = None;
    record.checks = None;
    record.restore = None;
}

/// The overheads of the example, in all.
pub fn declared_ms(record: &Record) -> u64 {
    let declared: &BTreeMap<String, Millis> =
        &record.measurements.recovery_time.as_ref().unwrap().declared_overheads_ms;
    declared.values().map(|each| each.get()).sum()
}
