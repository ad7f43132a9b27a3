//! The words a drill ends in: its verdict, the reasons for it, and who is to blame.

use std::fmt;

/// What a drill proved. There is no default and no fourth word.
///
/// Only [`crate::judge`] says [`Verdict::Pass`]; everything else may only fall short of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Every obligation was met and positively observed.
    Pass,
    /// It could not be told: the store was down, the scratch would not start, a bug of ours.
    Inconclusive,
    /// The backup or an objective is at fault, and we know it.
    Fail,
}

impl Verdict {
    /// The word as it stands in evidence, JSON and exit lines.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Pass => "pass",
            Verdict::Inconclusive => "inconclusive",
            Verdict::Fail => "fail",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Who answers for a reason: it decides between `fail` and `inconclusive`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The backup, or an objective that it missed.
    Backup,
    /// Everything else: the store, the machine, the scratch, ourselves.
    Environment,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $blame:ident;)*) => {
        /// Why a drill did not pass: a closed, published list, stable across releases.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            /// Every code there is, in the order of the pipeline.
            pub const ALL: &'static [Code] = &[$(Code::$name,)*];

            /// The code as it stands in evidence.
            pub fn as_str(self) -> &'static str {
                match self { $(Code::$name => $text,)* }
            }

            /// Whose fault a reason of this code is.
            pub fn blame(self) -> Blame {
                match self { $(Code::$name => Blame::$blame,)* }
            }
        }
    };
}

codes! {
    /// The store could not be listed: unreachable, throttled, out of retries.
    ListUnavailable = "LIST_UNAVAILABLE", Environment;
    /// The listing contradicts itself or ends early, so "the newest" can't be told.
    ListIncomplete = "LIST_INCOMPLETE", Environment;
    /// The store refused to list or read: credentials, permissions.
    AccessDenied = "ACCESS_DENIED", Environment;
    /// No credentials were found, or they expired and could not be renewed.
    Credentials = "CREDENTIALS", Environment;
    /// The local clock and the store's differ too far to measure an age.
    ClockUntrusted = "CLOCK_UNTRUSTED", Environment;
    /// Nothing under the location is a backup by the plan's pattern.
    NoBackupFound = "NO_BACKUP_FOUND", Backup;
    /// The newest complete backup is older than its cadence plus grace.
    BackupStale = "BACKUP_STALE", Backup;
    /// The backup claims a moment that has not happened yet.
    TimestampInFuture = "TIMESTAMP_IN_FUTURE", Backup;
    /// Two sources of the consistency point disagree beyond the grace.
    TimeSourcesDisagree = "TIME_SOURCES_DISAGREE", Environment;
    /// No source tells which moment the data speaks for.
    NoConsistencyPoint = "NO_CONSISTENCY_POINT", Environment;
    /// The object changed, vanished or lost its version while it was read.
    SourceUnstable = "SOURCE_UNSTABLE", Environment;
    /// The object can't be read now: an archive storage class.
    NotRetrievable = "NOT_RETRIEVABLE_WITHIN_RTO", Backup;
    /// The store answers, but wrongly, and keeps doing so.
    TransportUnreliable = "TRANSPORT_UNRELIABLE", Environment;
    /// The store stopped answering while an object was read.
    StoreUnavailable = "STORE_UNAVAILABLE", Environment;
    /// The stored bytes differ from the digest recorded outside of them, twice alike.
    ArtifactDigestMismatch = "ARTIFACT_DIGEST_MISMATCH", Backup;
    /// The archive ends before everything it announces was seen.
    ArtifactTruncated = "ARTIFACT_TRUNCATED", Backup;
    /// The archive contradicts itself: lengths, blocks, checksums of the codec.
    ArtifactCorrupt = "ARTIFACT_CORRUPT", Backup;
    /// The object is not an archive of a kind that firedrill reads.
    NotAnArchive = "NOT_AN_ARCHIVE", Backup;
    /// The archive holds something that must not be run, such as a foreign table's rows.
    UnsafeArchive = "UNSAFE_ARCHIVE", Backup;
    /// A bound on size, count or depth was passed.
    LimitExceeded = "LIMIT_EXCEEDED", Backup;
    /// The archive is of a version or codec that this firedrill does not know.
    UnsupportedVersion = "UNSUPPORTED_VERSION", Environment;
    /// The backup is encrypted, and its key is missing, unreadable or another one.
    DecryptionKey = "DECRYPTION_KEY", Environment;
    /// The codec carries no checksum and nothing outside vouches for the bytes.
    NoIntegrityReference = "NO_INTEGRITY_REFERENCE", Environment;
    /// The plan demands a stamp of the source beside the backup, and there is none.
    StampMissing = "STAMP_MISSING", Backup;
    /// The plan demands a signed stamp, and this one is not.
    StampUnsigned = "STAMP_UNSIGNED", Backup;
    /// The stamp is signed by none of the keys that the plan names.
    StampSignatureUnknown = "STAMP_SIGNATURE_UNKNOWN", Backup;
    /// What lies beside the backup as its stamp is none, or is too long.
    StampMalformed = "STAMP_MALFORMED", Backup;
    /// The stamp speaks of another archive than this one.
    StampOfAnotherArchive = "STAMP_OF_ANOTHER_ARCHIVE", Backup;
    /// The scratch server could not be found, made or started.
    ScratchUnavailable = "SCRATCH_UNAVAILABLE", Environment;
    /// The scratch can't be kept off the network as the plan requires.
    IsolationUnavailable = "ISOLATION_UNAVAILABLE", Environment;
    /// The scratch server lacks an extension that the archive needs.
    ExtensionMissing = "EXTENSION_MISSING", Environment;
    /// The scratch server died or closed its connections.
    ScratchCrashed = "SCRATCH_CRASHED", Environment;
    /// A scratch server process was killed for memory.
    ScratchOutOfMemory = "SCRATCH_OUT_OF_MEMORY", Environment;
    /// The scratch ran out of disk.
    ScratchDiskFull = "SCRATCH_DISK_FULL", Environment;
    /// A session found itself in another database than the drill's own.
    WrongDatabase = "WRONG_DATABASE", Environment;
    /// Entries of the archive could not be restored.
    RestoreErrors = "RESTORE_ERRORS", Backup;
    /// Entries of the archive are neither restored, excluded nor failed.
    EntriesUnaccounted = "ENTRIES_UNACCOUNTED", Environment;
    /// The archive holds no table data at all: nothing to prove.
    NoTableData = "NO_TABLE_DATA", Backup;
    /// Tables were restored, and every one of them is empty.
    AllTablesEmpty = "ALL_TABLES_EMPTY", Backup;
    /// Tables are missing from the restored database.
    ObjectsMissing = "OBJECTS_MISSING", Backup;
    /// Restored rows differ from the rows inside the archive.
    DataMismatch = "DATA_MISMATCH", Backup;
    /// Rows of a table could not be compared, and so are not proven.
    DataNotCompared = "DATA_NOT_COMPARED", Environment;
    /// Invalid indexes or unvalidated constraints came back.
    StructureDamaged = "STRUCTURE_DAMAGED", Backup;
    /// Fewer rows came back than the plan lets go since the last pass.
    DriftRowsDropped = "DRIFT_ROWS_DROPPED", Backup;
    /// The backup, or what came of it, is smaller than the plan lets it be since the last pass.
    DriftSizeDropped = "DRIFT_SIZE_DROPPED", Backup;
    /// The schema is not that of the last pass, and the plan wants it to be.
    DriftSchemaChanged = "DRIFT_SCHEMA_CHANGED", Backup;
    /// The bytes are those of the last pass, under another name.
    DriftSameBackup = "DRIFT_SAME_BACKUP", Backup;
    /// The structure of tables or indexes could not be looked at as the plan wants it.
    StructureNotChecked = "STRUCTURE_NOT_CHECKED", Environment;
    /// Rows break constraints that say that they hold of every row.
    ConstraintsBroken = "CONSTRAINTS_BROKEN", Backup;
    /// Constraints could not be evaluated anew as the plan wants it.
    ConstraintsNotChecked = "CONSTRAINTS_NOT_CHECKED", Environment;
    /// A check of the plan was answered, and the answer is wrong.
    CheckFailed = "CHECK_FAILED", Backup;
    /// A check of the plan could not be put.
    CheckErrored = "CHECK_ERRORED", Environment;
    /// Fewer checks ran than were planned.
    NoChecks = "NO_CHECKS", Environment;
    /// The recovery time is above the objective.
    RtoMissed = "RTO_MISSED", Backup;
    /// The data age is above the objective.
    RpoMissed = "RPO_MISSED", Backup;
    /// A figure that the verdict rests on was not measured.
    NotMeasured = "NOT_MEASURED", Environment;
    /// Figures of the record contradict each other.
    RecordInconsistent = "RECORD_INCONSISTENT", Environment;
    /// The drill ran past its deadline, and was stopped.
    Deadline = "DEADLINE", Environment;
    /// The drill stopped making progress.
    Stalled = "STALLED", Environment;
    /// The drill was interrupted by a signal.
    Interrupted = "INTERRUPTED", Environment;
    /// A bug of firedrill.
    Internal = "INTERNAL", Environment;
    /// Nothing has been judged yet: where every record starts.
    NotEvaluated = "NOT_EVALUATED", Environment;
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One reason: the published code, what was seen in one line, and what to do next.
///
/// Neither text ever holds a row, an SQL literal or a credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// The published code.
    pub code: Code,
    /// What was seen, in one line that names the thing.
    pub detail: String,
    /// What to do next, in one line; empty where nothing helps.
    pub remedy: String,
}

impl Reason {
    /// A reason from its three parts.
    pub fn new(code: Code, detail: impl Into<String>, remedy: impl Into<String>) -> Reason {
        Reason { code, detail: detail.into(), remedy: remedy.into() }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl std::error::Error for Reason {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_code_has_a_text_of_its_own() {
        let texts: HashSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(texts.len(), Code::ALL.len());
        for text in texts {
            assert!(text.chars().all(|c| c.is_ascii_uppercase() || c == '_'), "{text}");
        }
    }

    #[test]
    fn the_worst_of_many_verdicts_is_their_maximum() {
        let run = [Verdict::Pass, Verdict::Fail, Verdict::Inconclusive];
        assert_eq!(run.into_iter().max(), Some(Verdict::Fail));
        assert_eq!([Verdict::Pass, Verdict::Inconclusive].into_iter().max(), Some(Verdict::Inconclusive));
    }
}
