//! Obligations on the stamp of the source.

use crate::judge::findings::Findings;
use crate::record::{
    Anchor, BesideRows, Compared, ComparedTo, ConsistencySource, DIFFERENCES_MAX, Record, StampDemand,
};
use crate::verdict::Code;

/// How many things a reason names.
const NAMED_MAX: usize = 5;

/// Codes that say why a stamp which is there was not used.
const UNUSABLE: &[Code] = &[
    Code::StampMissing,
    Code::StampUnsigned,
    Code::StampSignatureUnknown,
    Code::StampMalformed,
    Code::StampOfAnotherArchive,
    Code::UnsupportedVersion,
];

pub(in crate::judge) fn the_stamp_is_as_demanded(record: &Record, findings: &mut Findings) {
    let doubts = record.selection.iter().flat_map(|selection| &selection.doubts);
    if doubts.into_iter().any(|doubt| UNUSABLE.contains(&doubt.code.0)) {
        return;
    }
    let signed_by = record.stamp.as_ref().map(|stamp| stamp.signed_by.is_some());
    match (record.objectives.stamp, signed_by) {
        (StampDemand::Optional, _) | (StampDemand::Required, Some(_)) | (StampDemand::Signed, Some(true)) => {
        }
        (StampDemand::Required | StampDemand::Signed, None) => findings.add(
            Code::StampMissing,
            "the plan demands a stamp of the source, and none took part",
            "take the backup with `firedrill stamp`",
        ),
        (StampDemand::Signed, Some(false)) => findings.add(
            Code::StampUnsigned,
            "the plan demands a signed stamp, and no key that it names has signed this one",
            "give `firedrill stamp` a --key",
        ),
    }
}

pub(in crate::judge) fn the_stamp_is_what_it_is_used_for(record: &Record, findings: &mut Findings) {
    let stamp = record.stamp.as_ref();
    let point = record.selection.as_ref().and_then(|selection| selection.consistency_point.as_ref());
    if let (Some(stamp), Some(point)) =
        (stamp, point.filter(|point| point.source == ConsistencySource::Stamp))
    {
        let same = point.time == stamp.snapshot_at && point.uncertainty_ms == stamp.snapshot_uncertainty_ms;
        findings.must_agree(same, "the consistency point is not that of the stamp");
    }
    let Some(artifact) = &record.artifact else { return };
    if artifact.expected.source == Anchor::Stamp
        && let Some(stamp) = stamp
    {
        let vouches = stamp.signed_by.is_some() && artifact.expected.sha256 == Some(stamp.archive_sha256);
        findings.must_agree(vouches, "artifact.expected is not what a signed stamp says");
    }
    let Some((stamp, observed)) = stamp.zip(artifact.observed.as_ref()) else { return };
    // What was read wrongly once says nothing of the stamp.
    let read_well = artifact.matches == Some(true) || artifact.observed_again.as_ref() == Some(observed);
    if read_well && observed.sha256 != stamp.archive_sha256 {
        findings.add(
            Code::StampOfAnotherArchive,
            "the stamp beside the backup speaks of another archive",
            "see whether the backup or its stamp was replaced, and take a new backup",
        );
    }
}

pub(in crate::judge) fn the_scratch_is_not_the_source(record: &Record, findings: &mut Findings) {
    let source = record.stamp.as_ref().and_then(|stamp| stamp.system_identifier.as_ref());
    let scratch = record.environment.as_ref().and_then(|environment| environment.system_identifier.as_ref());
    if source.is_some() && source == scratch {
        findings.add(
            Code::WrongDatabase,
            "the scratch is on the very server that was backed up, as its stamp says",
            "restore into another server",
        );
    }
}

pub(in crate::judge) fn the_source_says_the_same(record: &Record, findings: &mut Findings) {
    let Some(fidelity) = &record.fidelity else { return };
    findings.must_agree(
        (fidelity.compared_to == ComparedTo::SourceStamp) == record.stamp.is_some(),
        "fidelity.compared_to does not fit the stamp",
    );
    let Some(stamp) = &record.stamp else { return };
    let Some(beside) = findings.measured(stamp.beside_rows.as_ref(), "stamp.beside_rows") else { return };
    let classes = [
        (&beside.sequences, "sequences"),
        (&beside.large_objects, "large objects"),
        (&beside.objects, "objects"),
        (&beside.newest, "newest values"),
    ];
    for (class, name) in classes {
        let Some(Compared { expected, compared, equal }) = class else { continue };
        let ordered = equal <= compared && compared <= expected;
        findings.must_agree(ordered, &format!("more {name} are as stamped than were compared or expected"));
    }
    let named = beside.differences.len() as u64;
    findings.must_agree(
        beside.differences_total == beside.unequal()
            && named == beside.differences_total.min(DIFFERENCES_MAX as u64),
        "what differs from the stamp is not what is named",
    );
    if beside.differences_total > 0 {
        findings.add(
            Code::DataMismatch,
            format!(
                "{} things are not as the source held them: {}",
                beside.differences_total,
                named_in(beside)
            ),
            "see which of the three differs: the source is what the stamp saw, the archive what was stored",
        );
    }
}

fn named_in(beside: &BesideRows) -> String {
    let one = |difference: &crate::record::Difference| {
        format!("{} {} ({})", difference.class, difference.name, difference.between.words())
    };
    beside.differences.iter().take(NAMED_MAX).map(one).collect::<Vec<_>>().join(", ")
}
