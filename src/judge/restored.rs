//! Obligations on the scratch, the stored bytes and the restore.

use crate::judge::findings::Findings;
use crate::judge::statement::counted;
use crate::record::{
    Anchor, Artifact, EnvironmentKind, ExpectedArtifact, Network, ObservedArtifact, Record, Restore,
};
use crate::verdict::Code;

/// Kinds of entries that may be left out without a loss of rows or structure: they act on
/// the world outside, belong to other machines, or are made anew.
const MAY_BE_LEFT_OUT: &[&str] = &[
    "<Init>",
    "ACL LANGUAGE",
    "ACL",
    "BLOB COMMENTS",
    "COMMENT",
    "DATABASE PROPERTIES",
    "DATABASE",
    "DEFAULT ACL",
    "DROP",
    "ENCODING",
    "EVENT TRIGGER",
    "EXTENDED STATISTICS DATA",
    "OTHER DATABASE",
    "PARAMETER ACL",
    "PUBLICATION TABLE",
    "PUBLICATION TABLES IN SCHEMA",
    "PUBLICATION",
    "ROLE MEMBERSHIP",
    "ROLE PROPERTIES",
    "SEARCHPATH",
    "SECURITY LABEL",
    "STATISTICS DATA",
    "STDSTRINGS",
    "SUBSCRIPTION TABLE",
    "SUBSCRIPTION",
    "TABLESPACE",
    "USER MAPPING",
    "WARNING",
];

/// How many entries a reason names.
const NAMED_MAX: usize = 5;

pub(in crate::judge) fn the_scratch_is_ours(record: &Record, findings: &mut Findings) {
    let Some(environment) = findings.measured(record.environment.as_ref(), "environment") else { return };
    findings.must_agree(
        (environment.kind == EnvironmentKind::Cluster) == environment.cluster_created_by_run,
        "environment.cluster_created_by_run does not fit its kind",
    );
    if !environment.database_created_by_run {
        findings.add(
            Code::WrongDatabase,
            "the database that was restored into was not made by this drill, so its rows may be older",
            "let firedrill make its own scratch",
        );
    }
    let sandbox = &environment.sandbox;
    if sandbox.required && sandbox.network != Network::None {
        findings.add(
            Code::IsolationUnavailable,
            "the plan demands a scratch without a network, and it had one",
            "allow user namespaces, or set `isolation` to \"best-effort\" in the plan",
        );
    }
}

pub(in crate::judge) fn the_artifact_is_whole(record: &Record, findings: &mut Findings) {
    let Some(artifact) = findings.measured(record.artifact.as_ref(), "artifact") else { return };
    let Some(observed) = findings.measured(artifact.observed.as_ref(), "artifact.observed") else { return };
    let selected = record.selection.as_ref().and_then(|selection| selection.selected.as_ref());
    let Some(selected) = findings.measured(selected, "selection.selected") else { return };
    if observed.bytes != selected.size_bytes {
        findings.add(
            Code::TransportUnreliable,
            format!("{} bytes were read of an object of {}", observed.bytes, selected.size_bytes),
            "see whether something between here and the store rewrites its answers",
        );
    }
    if observed.bytes == 0 {
        findings.add(Code::NotAnArchive, "the object holds no bytes", "see whether the backup job fails");
    }
}

pub(in crate::judge) fn somebody_vouches_for_the_artifact(record: &Record, findings: &mut Findings) {
    let Some(artifact) = findings.measured(record.artifact.as_ref(), "artifact") else { return };
    let Some(observed) = findings.measured(artifact.observed.as_ref(), "artifact.observed") else { return };
    let expected = &artifact.expected;
    if !is_well_formed(expected) {
        findings.must_agree(false, "artifact.expected does not fit its source");
        return;
    }
    match expected.source {
        Anchor::None if record.objectives.accept_unanchored => {}
        Anchor::None => findings.add(
            Code::NoIntegrityReference,
            "neither the codec nor anything outside vouches for the stored bytes",
            "store a .sha256 beside the backup, upload it with a checksum, or dump with gzip",
        ),
        Anchor::Codec => match findings.measured(artifact.matches, "artifact.match") {
            Some(true) | None => {}
            Some(false) => findings.add(
                Code::ArtifactCorrupt,
                "a checksum inside the archive does not fit its data",
                "take a new backup, and see what stores this one",
            ),
        },
        Anchor::Stamp | Anchor::Sidecar | Anchor::StoreChecksum => {
            outer_anchor_holds(artifact, observed, findings);
        }
    }
}

/// The stored bytes against a digest from outside. One wrong reading may be the network's
/// fault; the same wrong bytes twice are the backup's.
fn outer_anchor_holds(artifact: &Artifact, observed: &ObservedArtifact, findings: &mut Findings) {
    let agrees = artifact.expected.agrees_with(observed);
    let (Some(claimed), Some(agrees)) = (findings.measured(artifact.matches, "artifact.match"), agrees)
    else {
        return;
    };
    findings.must_agree(claimed == agrees, "artifact.match is not what its digests say");
    if agrees {
        return;
    }
    if artifact.observed_again.as_ref() == Some(observed) {
        findings.add(
            Code::ArtifactDigestMismatch,
            "the stored bytes are not those that were backed up, read twice alike",
            "take a new backup, and see what wrote to this one",
        );
    } else {
        findings.add(
            Code::TransportUnreliable,
            "the bytes that were read are not those that were backed up, but were read so only once",
            "try again; see the network between here and the store",
        );
    }
}

fn is_well_formed(expected: &ExpectedArtifact) -> bool {
    let digest = expected.sha256.is_some();
    let checksum = expected.checksum.is_some();
    match expected.source {
        Anchor::None => expected.algorithm.is_none() && !digest && !checksum,
        Anchor::Codec => expected.algorithm.is_some() && !digest && !checksum,
        Anchor::Stamp | Anchor::Sidecar | Anchor::StoreChecksum => {
            digest != checksum
                && expected.algorithm.as_ref().is_some_and(|algorithm| (algorithm == "sha256") == digest)
        }
    }
}

pub(in crate::judge) fn entries_are_accounted_for(record: &Record, findings: &mut Findings) {
    let Some(restore) = findings.measured(record.restore.as_ref(), "restore") else { return };
    let sum = [restore.toc_entries_restored, restore.toc_entries_excluded, restore.toc_entries_failed]
        .into_iter()
        .fold(0, u64::saturating_add);
    if restore.toc_entries_in_archive != sum || sum == 0 {
        findings.add(
            Code::EntriesUnaccounted,
            format!(
                "the archive holds {} entries, and {sum} are accounted for",
                restore.toc_entries_in_archive
            ),
            "report this as a bug of firedrill",
        );
    }
    if restore.toc_entries_failed > 0 || !restore.failed.is_empty() {
        let entries = counted(restore.toc_entries_failed, "entry");
        let detail = format!("{entries} could not be restored: {}", failures(restore));
        findings.add(Code::RestoreErrors, detail, "restore the backup by hand to see the server's messages");
    }
}

fn failures(restore: &Restore) -> String {
    let one = |entry: &crate::record::FailedEntry| match &entry.sqlstate {
        Some(sqlstate) => format!("{} {} ({sqlstate})", entry.kind, entry.name),
        None => format!("{} {}", entry.kind, entry.name),
    };
    restore.failed.iter().take(NAMED_MAX).map(one).collect::<Vec<_>>().join(", ")
}

pub(in crate::judge) fn nothing_that_counts_was_left_out(record: &Record, findings: &mut Findings) {
    let Some(restore) = findings.measured(record.restore.as_ref(), "restore") else { return };
    let named = u64::try_from(restore.excluded.len()).unwrap_or(u64::MAX);
    findings.must_agree(named == restore.toc_entries_excluded, "not every entry left out is named");
    let counts = |kind: &str| !MAY_BE_LEFT_OUT.contains(&kind);
    let left_out: Vec<String> = restore
        .excluded
        .iter()
        .filter(|entry| counts(&entry.kind))
        .take(NAMED_MAX)
        .map(|entry| format!("{} {}", entry.kind, entry.name))
        .collect();
    if !left_out.is_empty() {
        findings.add(
            Code::DataNotCompared,
            format!("entries that hold rows or structure were left out: {}", left_out.join(", ")),
            "",
        );
    }
}

pub(in crate::judge) fn the_structure_is_whole(record: &Record, findings: &mut Findings) {
    let Some(restore) = findings.measured(record.restore.as_ref(), "restore") else { return };
    let indexes = findings.measured(restore.invalid_indexes, "restore.invalid_indexes");
    let constraints = findings.measured(restore.unvalidated_constraints, "restore.unvalidated_constraints");
    let (Some(indexes), Some(constraints)) = (indexes, constraints) else { return };
    if indexes > 0 || constraints > 0 {
        findings.add(
            Code::StructureDamaged,
            format!(
                "{} came back invalid, and {} unvalidated",
                counted(indexes, "index"),
                counted(constraints, "constraint")
            ),
            "see whether the data at the source breaks its own constraints",
        );
    }
}
