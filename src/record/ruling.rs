//! What was judged, and why a drill ended early.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::Phase;
use crate::record::value::{PhaseName, ReasonCode, VerdictWord};
use crate::verdict::{Code, Reason, Verdict};

/// The judge's word with its reasons, as it stands in evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ruling {
    /// The verdict.
    pub result: VerdictWord,
    /// The codes of the reasons, in their order.
    pub reason_codes: Vec<ReasonCode>,
    /// Why it is not a pass; empty for a pass.
    pub reasons: Vec<ReasonLine>,
    /// What should be known beside the verdict.
    pub warnings: Vec<WarningLine>,
    /// The drill in one plain sentence.
    pub statement: String,
}

impl Ruling {
    /// Where every record starts.
    pub fn not_evaluated() -> Ruling {
        let code = ReasonCode(Code::NotEvaluated);
        Ruling {
            result: VerdictWord(Verdict::Inconclusive),
            reason_codes: vec![code],
            reasons: vec![ReasonLine {
                code,
                detail: "nothing has been judged yet".to_owned(),
                remedy: String::new(),
            }],
            warnings: Vec::new(),
            statement: "The drill was not judged.".to_owned(),
        }
    }
}

/// One reason why a drill is not a pass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReasonLine {
    /// The published code.
    pub code: ReasonCode,
    /// What was seen, in one line.
    pub detail: String,
    /// What to do next; empty where nothing helps.
    pub remedy: String,
}

impl From<&Reason> for ReasonLine {
    fn from(reason: &Reason) -> ReasonLine {
        ReasonLine {
            code: ReasonCode(reason.code),
            detail: reason.detail.clone(),
            remedy: reason.remedy.clone(),
        }
    }
}

/// One thing to know beside the verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WarningLine {
    /// The published code.
    pub code: WarningCode,
    /// One line that names the thing.
    pub detail: String,
}

impl WarningLine {
    /// A warning from its two parts.
    pub fn new(code: WarningCode, detail: impl Into<String>) -> WarningLine {
        WarningLine { code, detail: detail.into() }
    }
}

/// Why the drill ended before everything was measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Halt {
    /// The published code; its blame decides the verdict.
    pub code: ReasonCode,
    /// What was seen, in one line.
    pub detail: String,
    /// What to do next; empty where nothing helps.
    pub remedy: String,
    /// The phase in which it happened, if one had begun.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<PhaseName>,
}

impl Halt {
    /// A halt for `reason`, in `phase`.
    pub fn new(reason: Reason, phase: Option<Phase>) -> Halt {
        Halt {
            code: ReasonCode(reason.code),
            detail: reason.detail,
            remedy: reason.remedy,
            phase: phase.map(PhaseName),
        }
    }

    /// The halt as a reason for the verdict.
    pub fn reason(&self) -> Reason {
        Reason::new(self.code.0, self.detail.clone(), self.remedy.clone())
    }
}

macro_rules! warnings {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        /// What may stand beside a verdict: a closed, published list.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
        pub enum WarningCode { $($(#[$doc])* #[serde(rename = $text)] $name,)* }

        impl WarningCode {
            /// Every warning there is.
            pub const ALL: &'static [WarningCode] = &[$(WarningCode::$name,)*];

            /// The code as it stands in evidence.
            pub fn as_str(self) -> &'static str {
                match self { $(WarningCode::$name => $text,)* }
            }

            /// The warning that `text` spells.
            pub fn spelled(text: &str) -> Option<WarningCode> {
                WarningCode::ALL.iter().copied().find(|code| code.as_str() == text)
            }
        }
    };
}

warnings! {
    /// The plan gives no recovery time, recovery point or cadence to measure against.
    NoObjective = "NO_OBJECTIVE";
    /// Only the codec's own checksum vouches for the stored bytes.
    IntegrityUnanchored = "INTEGRITY_UNANCHORED";
    /// The backup is encrypted in a way that does not tell whether it was changed.
    EncryptionUnauthenticated = "ENCRYPTION_UNAUTHENTICATED";
    /// Nothing from the source takes part in the proof: no stamp.
    SourceNotInProof = "SOURCE_NOT_IN_PROOF";
    /// The scratch ran with settings that production must not have.
    SettingsRelaxed = "SETTINGS_RELAXED";
    /// The recovery time was measured on a machine that is not like production.
    NotProductionLike = "NOT_PRODUCTION_LIKE";
    /// The recovery time leaves out everything but the restore itself.
    RtoPartial = "RTO_PARTIAL";
    /// The restored database could have reached the network.
    IsolationNone = "ISOLATION_NONE";
    /// The worst-case loss over the catalogue is above the objective.
    RpoExposure = "RPO_EXPOSURE";
    /// The worst-case loss over the catalogue is not known.
    RpoExposureUnknown = "RPO_EXPOSURE_UNKNOWN";
    /// Bytes lie behind the end of the archive.
    TrailingBytes = "TRAILING_BYTES";
    /// Of some tables only a sample of the rows was read back, and all were counted.
    RowsSampled = "ROWS_SAMPLED";
    /// Rows of some tables were counted, and not hashed.
    RowsCountedNotHashed = "ROWS_COUNTED_NOT_HASHED";
    /// Columns of some tables were left out of the comparison.
    ColumnsNotCompared = "COLUMNS_NOT_COMPARED";
    /// Objects are there, and their definitions, owners, grants or comments may not be as announced.
    ObjectsDoubtful = "OBJECTS_DOUBTFUL";
    /// Rows break constraints that are not validated, and so promise nothing of them.
    UnvalidatedBroken = "UNVALIDATED_BROKEN";
    /// Sequences are behind the columns that take their numbers from them.
    SequenceBehind = "SEQUENCE_BEHIND";
    /// Entries of the archive were left out by policy.
    EntriesExcluded = "ENTRIES_EXCLUDED";
    /// The archive makes tables and holds no rows for them.
    TablesWithoutRows = "TABLES_WITHOUT_ROWS";
    /// Roles of the source were replaced by ones that can't log in.
    PlaceholderRoles = "PLACEHOLDER_ROLES";
    /// No check of the plan looked at the data: only its sameness is proven.
    ContentOnly = "CONTENT_ONLY";
    /// There is no earlier pass to compare the backup with.
    DriftNotCompared = "DRIFT_NOT_COMPARED";
    /// Fewer rows came back than at the last pass.
    DriftRowsDropped = "DRIFT_ROWS_DROPPED";
    /// The backup, or what came of it, is smaller than at the last pass.
    DriftSizeDropped = "DRIFT_SIZE_DROPPED";
    /// The schema is not that of the last pass.
    DriftSchemaChanged = "DRIFT_SCHEMA_CHANGED";
    /// The bytes are those of the last pass, under another name.
    DriftSameBackup = "DRIFT_SAME_BACKUP";
    /// A check that is measured by the last pass found none.
    CheckWithoutLast = "CHECK_WITHOUT_LAST";
    /// The moment that the data speaks for is known only roughly.
    ConsistencyPointUncertain = "CONSISTENCY_POINT_UNCERTAIN";
    /// Several backups claim the same moment.
    TimeSourcesDisagree = "TIME_SOURCES_DISAGREE";
    /// No name tells a moment; backups were put in order by when they were last written.
    OrderedByLastWrite = "ORDERED_BY_LAST_WRITE";
    /// A newer backup was passed over as unfinished.
    NewerBackupUnfinished = "NEWER_BACKUP_UNFINISHED";
    /// The backup is less than half as large as those before it.
    SizeDropped = "SIZE_DROPPED";
    /// Earlier drills were killed and left no evidence of their own.
    AbandonedRuns = "ABANDONED_RUNS";
    /// The scratch was not removed, or not seen to be.
    ScratchLeft = "SCRATCH_LEFT";
    /// The store answered only after many attempts.
    StoreFlaky = "STORE_FLAKY";
    /// The state directory was damaged and has been mended.
    StateRecovered = "STATE_RECOVERED";
}
