//! Obligations on the choice of the backup and on the age of its data.

use crate::judge::findings::Findings;
use crate::judge::statement::words_of;
use crate::record::{
    ComparedPoint, ConsistencyPoint, ConsistencySource, Freshness, Millis, Moment, Policy, REJECTED_MAX,
    Record, RecoveryPoint, RpoJudgedBy, Selection,
};
use crate::verdict::Code;

pub(in crate::judge) fn the_listing_is_complete(record: &Record, findings: &mut Findings) {
    let Some(selection) = findings.measured(record.selection.as_ref(), "selection") else { return };
    if !selection.listing.complete {
        findings.add(
            Code::ListIncomplete,
            "the store's listing was not read to its end, so the newest backup can't be told",
            "try again; see whether something between here and the store rewrites its answers",
        );
    }
    findings.must_agree(selection.listing.pages >= 1, "a listing without a page");
    findings.must_agree(
        selection.candidates <= selection.listing.objects,
        "selection.candidates are more than the listed objects",
    );
    let named = u64::try_from(selection.rejected.len()).unwrap_or(u64::MAX);
    findings.must_agree(
        named <= selection.rejected_total && selection.rejected.len() <= REJECTED_MAX,
        "selection.rejected_total is less than the rejected objects that are named",
    );
}

pub(in crate::judge) fn a_backup_was_chosen(record: &Record, findings: &mut Findings) {
    let Some(selection) = findings.measured(record.selection.as_ref(), "selection") else { return };
    if selection.candidates == 0 {
        let detail = format!("none of the {} listed objects is a backup", selection.listing.objects);
        findings.add(Code::NoBackupFound, detail, "see `location` and `pattern` in the plan");
        return;
    }
    for doubt in &selection.doubts {
        findings.add(doubt.code.0, doubt.detail.clone(), &doubt.remedy);
    }
    let Some(selected) = findings.measured(selection.selected.as_ref(), "selection.selected") else { return };
    if let (Some(modified), Some(point)) = (selected.last_modified, &selection.consistency_point) {
        let ahead = point.time.since(modified).get();
        if i128::from(ahead) > i128::from(record.clock.max_allowed_offset_ms.get()) {
            findings.add(
                Code::TimeSourcesDisagree,
                format!(
                    "the backup claims to speak for a moment {} after its own upload",
                    words_of(ahead.unsigned_abs())
                ),
                "see which zone the times in the names are in",
            );
        }
    }
}

pub(in crate::judge) fn backups_still_come(record: &Record, findings: &mut Findings) {
    let Some(selection) = findings.measured(record.selection.as_ref(), "selection") else { return };
    let cadence = (record.objectives.expected_period_ms, record.objectives.grace_ms);
    let (period, grace) = match cadence {
        (Some(period), Some(grace)) => (period, grace),
        (None, None) => {
            findings.must_agree(selection.freshness.is_none(), "selection.freshness, without a cadence");
            return;
        }
        _ => {
            findings.must_agree(false, "objectives hold a period or a grace, but not both");
            return;
        }
    };
    let Some(freshness) = findings.measured(selection.freshness.as_ref(), "selection.freshness") else {
        return;
    };
    let newest = freshness.newest_moment;
    let expected = Freshness::of(record.run.started_at, newest, period, grace);
    findings.must_agree(*freshness == expected, "selection.freshness is not what its figures say");
    if expected.stale {
        findings.add(
            Code::BackupStale,
            format!(
                "the newest backup is {} old, and one is due every {} with {} of grace",
                words_of(expected.age_ms.get().unsigned_abs()),
                words_of(period.get()),
                words_of(grace.get())
            ),
            "see why the backup job stopped writing here",
        );
    }
    // A backup from the future is not the newest: that is a reason of its own.
    // A stamp knows the moment of its backup better than the names from which the newest is told.
    let named = selection.consistency_point.as_ref().filter(|point| point.source != ConsistencySource::Stamp);
    let chosen = named.filter(|point| !is_in_future(record, point.time));
    if let Some(point) = chosen {
        let later = newest.since(point.time).get();
        let itself = selection.policy != Policy::Latest || later.unsigned_abs() <= point.uncertainty_ms.get();
        findings.must_agree(later >= 0 && itself, "the newest backup is not the newest");
    }
}

/// What to do about a moment in the future.
const ZONE: &str = "see which zone the times in the names are in, and the clock of the source";

pub(in crate::judge) fn the_moment_is_known(record: &Record, findings: &mut Findings) {
    let Some(selection) = findings.measured(record.selection.as_ref(), "selection") else { return };
    let header_used = record.artifact.as_ref().is_some_and(|artifact| artifact.archive_header_time_used);
    let header_claimed = selection
        .consistency_point
        .as_ref()
        .is_some_and(|point| point.source == ConsistencySource::ArchiveHeader);
    findings.must_agree(
        header_used == header_claimed,
        "artifact.archive_header_time_used does not fit the source of the consistency point",
    );
    let Some(point) = &selection.consistency_point else {
        let wanted = record.objectives.rpo_ms.is_some() || record.objectives.expected_period_ms.is_some();
        if wanted {
            findings.add(
                Code::NoConsistencyPoint,
                "nothing tells which moment the data speaks for",
                "put a time into the names, and into `pattern` in the plan",
            );
        }
        findings.must_agree(
            record.measurements.recovery_point.is_none(),
            "measurements.recovery_point, without a consistency point",
        );
        return;
    };
    if is_in_future(record, point.time) {
        findings.add(Code::TimestampInFuture, "the backup claims a moment that has not come yet", ZONE);
    }
}

/// Whether a moment is so far ahead of the drill's start that no clock explains it.
fn is_in_future(record: &Record, moment: Moment) -> bool {
    let ahead = moment.since(record.run.started_at).get();
    i128::from(ahead) > i128::from(record.clock.max_allowed_offset_ms.get())
}

pub(in crate::judge) fn the_data_is_young_enough(record: &Record, findings: &mut Findings) {
    let Some(selection) = findings.measured(record.selection.as_ref(), "selection") else { return };
    let Some(point) = &selection.consistency_point else { return };
    let measured = record.measurements.recovery_point.as_ref();
    let Some(measured) = findings.measured(measured, "recovery_point") else { return };

    let worst = measured.worst_case_exposure_ms.zip(measured.worst_case_backups);
    findings.must_agree(
        measured.worst_case_exposure_ms.is_some() == measured.worst_case_backups.is_some(),
        "recovery_point holds a worst case or its backups, but not both",
    );
    let mut expected = RecoveryPoint::of(record.run.started_at, point, worst, &record.objectives);
    let mut source = point.source;
    if let Some(newest) = the_newest(record, selection, point, findings) {
        expected = expected.beside(newest);
        source = newest.source;
    }
    expected.since_backup_available_ms = measured.since_backup_available_ms;
    expected.content_age_ms = measured.content_age_ms;
    findings.must_agree(*measured == expected, "recovery_point is not what its figures say");

    if let Some(rpo) = record.objectives.rpo_ms {
        meets_rpo(record, &expected, source, rpo, findings);
    }
}

/// The moment of the newest backup, where another one was restored: what would be lost now is
/// told by the newest, and not by how old a backup somebody wished to see.
fn the_newest<'r>(
    record: &Record,
    selection: &'r Selection,
    chosen: &ConsistencyPoint,
    findings: &mut Findings,
) -> Option<&'r ConsistencyPoint> {
    let newest = selection.newest.as_ref()?;
    let point = &newest.consistency_point;
    let other = selection.selected.as_ref().is_some_and(|selected| selected.uri != newest.uri);
    findings.must_agree(
        other && selection.policy != Policy::Latest,
        "selection.newest, although the newest was chosen",
    );
    findings.must_agree(
        point.time >= chosen.time || is_in_future(record, chosen.time),
        "selection.newest is older than the chosen backup",
    );
    let known = selection.freshness.as_ref().map(|freshness| freshness.newest_moment);
    findings.must_agree(
        known.is_none_or(|known| point.time <= known),
        "selection.newest is newer than selection.freshness tells",
    );
    if is_in_future(record, point.time) {
        findings.add(
            Code::TimestampInFuture,
            "the newest backup claims a moment that has not come yet",
            ZONE,
        );
    }
    Some(point)
}

fn meets_rpo(
    record: &Record,
    point: &RecoveryPoint,
    source: ConsistencySource,
    rpo: Millis,
    findings: &mut Findings,
) {
    let (met, loss) = match record.objectives.rpo_judged_by {
        RpoJudgedBy::DataAge => (point.met_now, Some(point.loss_now_ms().get().unsigned_abs())),
        RpoJudgedBy::Exposure => {
            findings.measured(point.worst_case_exposure_ms, "recovery_point.worst_case_exposure_ms");
            (point.met_worst_case, point.worst_case_exposure_ms.map(Millis::get))
        }
    };
    if let (Some(false), Some(loss)) = (met, loss) {
        let (what, old) = match point.compared_value {
            ComparedPoint::DataAgeMs => ("the data is", " old"),
            ComparedPoint::NewestBackupAgeMs => ("the data of the newest backup is", " old"),
            ComparedPoint::WorstCaseExposureMs => ("the worst loss over the catalogue is", ""),
        };
        let (loss, rpo) = (words_of(loss), words_of(rpo.get()));
        findings.add(
            Code::RpoMissed,
            format!("{what} {loss}{old}, and the objective is {rpo}"),
            "back up more often, or faster",
        );
    } else if source == ConsistencySource::LastModified {
        findings.add(
            Code::NoConsistencyPoint,
            "only the store's LastModified tells how old the data is, and the data may be any older",
            "put a time into the names, and into `pattern` in the plan",
        );
    }
}
