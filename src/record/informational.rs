//! The fields that no verdict rests on.

/// Fields that may be absent, or hold another value, without a change of the verdict. Each
/// other field of a passing record holds its pass up: without it, or with another value, the
/// judge does not say pass. (A phase of the recovery may be off by the hundredth part that
/// its sum is allowed.)
///
/// Paths have `[]` for any item of a list, and phases stand by their name; a path covers
/// everything below it. What is listed here is still signed, and the verifier of a log looks
/// at `chain`, `service.id`, `selection.selected.uri` and the words of the verdict.
pub const INFORMATIONAL: &[&str] = &[
    // What the judge says, and not what it reads.
    "verdict",
    "limitations",
    // Where the record belongs.
    "chain",
    "service",
    "controls",
    // Who ran what, where, and why.
    "run.trigger",
    "run.scenario",
    "run.tool",
    "run.host",
    "run.actor",
    "run.plan_sha256",
    // What the plan allows or asks for, and nothing else repeats.
    "objectives.deadline_ms",
    "objectives.accept_unanchored",
    "clock.max_allowed_offset_ms",
    "selection.policy",
    "selection.policy_text",
    "environment.sandbox.required",
    "environment.production_like",
    // A smaller offset of the clock is as good as the one that was measured.
    "clock.offset_vs_store_ms",
    // How the backup is called and found.
    "selection.listing.listed_at",
    "selection.listing.objects",
    "selection.listing.pages",
    "selection.rejected",
    "selection.rejected_total",
    "selection.selected.etag",
    "selection.selected.last_modified",
    "selection.selected.uri",
    "selection.selected.version_id",
    // Which of several good sources spoke; a bad one is seen.
    "selection.consistency_point.source",
    "artifact.expected.source",
    // What the archive is.
    "artifact.archive_version",
    "artifact.compression",
    "artifact.database",
    "artifact.dump_server_version",
    "artifact.dump_tool_version",
    "artifact.format",
    "artifact.trailing_bytes",
    // What the scratch was.
    "environment.extensions",
    "environment.hardware",
    "environment.postgres_version",
    "environment.sandbox.user",
    "environment.settings_relaxed",
    "environment.system_identifier",
    // How the restore was tuned, and where its time went.
    "restore.copy",
    "restore.engine",
    "restore.excluded[].name",
    "restore.excluded[].reason",
    "restore.copy_connections",
    "restore.jobs",
    "restore.objects",
    "restore.part_bytes",
    "restore.placeholder_roles",
    "restore.read_twice_bytes",
    "restore.spans",
    "restore.staged_bytes",
    "restore.store_connections",
    "restore.store_window",
    "restore.tables_at_once",
    "phases[select].bytes",
    "phases[select].retries",
    "phases[restore].bytes",
    "phases[restore].retries",
    "traffic",
    // What follows the recovery.
    "phases[proof].duration_ms",
    "phases[cleanup]",
    "cleanup",
    // How things are called that were compared, and how checks were worded.
    "fidelity.tables[].name",
    "fidelity.tables[].columns_sha256",
    // What amcheck was, and what it took.
    "structure.amcheck_version",
    "structure.duration_ms",
    "structure.indexes_other",
    "structure.jobs",
    // What the evaluation of constraints took; and sequences, which only warn.
    "revalidated.duration_ms",
    "revalidated.jobs",
    "numbering",
    // What a later drill compares itself with.
    "shape.classes",
    "shape.server_major",
    "shape.tables",
    // What was compared with, and what the plan would make of it.
    "drift.artifact_bytes.before",
    "drift.compared_with",
    "drift.policy",
    "drift.restored_bytes.before",
    "drift.rows.before",
    "drift.schema",
    "drift.tables.before",
    "drift.tables_compared",
    "objects.classes[].class",
    "objects.definitions_compared",
    "checks.items[].duration_ms",
    "checks.items[].expected",
    "checks.items[].kind",
    "checks.items[].name",
    "checks.items[].observed",
    "checks.items[].question_sha256",
    // Figures that stand beside those which meet the objectives.
    "measurements.recovery_point.content_age_ms",
    "measurements.recovery_point.since_backup_available_ms",
    "measurements.recovery_point.worst_case_backups",
    "measurements.recovery_point.worst_case_exposure_ms",
    "measurements.recovery_time.clock_start",
    "measurements.recovery_time.clock_stop",
    "measurements.recovery_time.excludes",
];
