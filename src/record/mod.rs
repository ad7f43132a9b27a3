//! The record of one drill: what was planned, seen and measured.
//!
//! One set of types serves three readers: the drill fills it, the judge judges it, and it is
//! what evidence writes and reads. So what is signed is what was judged. The rules of the
//! document hold for every type here: names are snake_case, numbers are integers with the
//! unit last in the name, moments are RFC 3339 in UTC with milliseconds, and what is not
//! known is absent, never 0 or empty.

mod artifact;
mod controls;
mod drift;
mod environment;
mod informational;
mod limitations;
mod measurements;
mod numbering;
mod objects;
mod proof;
mod restore;
mod revalidated;
mod ruling;
mod run;
mod selection;
mod shape;
mod stamp;
mod structure;
mod value;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use artifact::{Anchor, Artifact, ArtifactLayer, ExpectedArtifact, ObservedArtifact};
pub use controls::{CONTROLS, Control, control};
pub use drift::{
    CHANGES_MAX, ComparedWith, Drift, DriftPolicy, DroppedRows, Figure, Names, Renamed, SchemaChange, Weight,
};
pub use environment::{Environment, EnvironmentKind, Extension, Hardware, Network, Sandbox};
pub use informational::INFORMATIONAL;
pub use limitations::limitations;
pub use measurements::{
    Cleanup, ComparedPoint, ComparedTime, Measurements, PhaseOutcome, PhaseRecord, RecoveryPoint,
    RecoveryTime, Traffic,
};
pub use numbering::Numbering;
pub use objects::{ObjectClass, ObjectDifference, Objects};
pub use proof::{
    CheckKind, CheckOutcome, CheckRecord, Checks, Compared, ComparedTo, Coverage, Fidelity, LocatedRow,
    LocatedRows, NotNarrowed, NotStamped, ROW_HASH, RowFault, SampleOf, SampledRows, TableRecord, TableState,
};
pub use restore::{
    Copied, CopyChoice, Engine, ExcludedEntry, FailedEntry, Restore, Span, SpanName, StoreWindow,
    WindowChoice,
};
pub use revalidated::{
    BrokenConstraint, CONSTRAINTS_MAX, ConstraintKind, Revalidated, RevalidatedKind, UnaskedConstraint,
};
pub use ruling::{Halt, ReasonLine, Ruling, WarningCode, WarningLine};
pub use run::{
    AbandonedRun, Chain, Clock, ClockReference, Host, Objectives, RpoJudgedBy, Run, Service, Signing, Tool,
    Trigger,
};
pub use selection::{
    ConsistencyPoint, ConsistencySource, Freshness, Listing, Newest, Policy, REJECTED_MAX, Rejected,
    RejectedReason, Selected, Selection,
};
pub use shape::{COLUMNS_MAX, Shape, ShapeClass};
pub use stamp::{BesideRows, Between, DIFFERENCES_MAX, Difference, Stamp, StampDemand};
pub use structure::{
    AmcheckAsked, DamagedRelation, RELATIONS_MAX, RelationKind, Structure, UncheckedRelation,
};
pub use value::{
    INTEGER_MAX, Invalid, Millis, Moment, Observed, PhaseName, ReasonCode, RunId, SchemaVersion, Sha256,
    SignedMillis, VerdictWord,
};

/// The version of the predicate that this firedrill writes. Major: an older reader would
/// misread it. Minor: an optional field more.
///
/// - 1.0: the first.
pub const SCHEMA_VERSION: SchemaVersion = SchemaVersion { major: 1, minor: 0, patch: 0 };

/// Every version that was ever written: each has its golden file, and still reads.
pub const SCHEMA_VERSIONS: &[SchemaVersion] = &[SCHEMA_VERSION];

/// Everything known about one drill: the predicate of its evidence.
///
/// A block that is absent was not reached. It can be judged and written at any moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The version of this document's shape.
    pub schema_version: SchemaVersion,
    /// What was judged, from everything below; written by the judge alone.
    pub verdict: Ruling,
    /// The place of this record in its service's log.
    pub chain: Chain,
    /// Which run this was, of which tool, where.
    pub run: Run,
    /// What was drilled.
    pub service: Service,
    /// References to control frameworks, as the plan gives them; never a claim of compliance.
    pub controls: Vec<String>,
    /// What the plan demands of the drill.
    pub objectives: Objectives,
    /// How far the clocks can be trusted.
    pub clock: Clock,
    /// Why the drill ended early, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub halt: Option<Halt>,
    /// What was noticed on the way and should be known; the judge carries it to the warnings.
    pub notices: Vec<WarningLine>,
    /// Which backup was chosen, from what.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selection: Option<Selection>,
    /// The bytes of the backup, as read and as they should be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifact: Option<Artifact>,
    /// The stamp of the source that joined the proof.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stamp: Option<Stamp>,
    /// Where it was restored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<Environment>,
    /// What was restored, and what was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restore: Option<Restore>,
    /// Whether the rows that came back are the rows of the backup.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fidelity: Option<Fidelity>,
    /// What `amcheck` found, if the plan wants it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub structure: Option<Structure>,
    /// Whether constraints hold of the restored rows, if the plan wants it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revalidated: Option<Revalidated>,
    /// Whether sequences are at or ahead of the columns that take their numbers from them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub numbering: Option<Numbering>,
    /// What the restored database is made of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shape: Option<Shape>,
    /// How far it has drifted from the last pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drift: Option<Drift>,
    /// Whether everything beside the rows is there, as the archive announces it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub objects: Option<Objects>,
    /// The plan's own questions, and their answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checks: Option<Checks>,
    /// The phases of the drill, in order, by the monotonic clock.
    pub phases: Vec<PhaseRecord>,
    /// What was asked of the store.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traffic: Option<Traffic>,
    /// The figures that meet the objectives.
    pub measurements: Measurements,
    /// What became of the scratch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cleanup: Option<Cleanup>,
    /// What this drill does not show; never empty once judged.
    pub limitations: Vec<String>,
}

impl Record {
    /// The record of a drill that has begun and of which nothing is known yet: inconclusive,
    /// `NOT_EVALUATED`.
    pub fn begin(run: Run, service: Service, objectives: Objectives, clock: Clock) -> Record {
        Record {
            schema_version: SCHEMA_VERSION,
            verdict: Ruling::not_evaluated(),
            chain: Chain::unwritten(&service.id),
            run,
            service,
            controls: Vec::new(),
            objectives,
            clock,
            halt: None,
            notices: Vec::new(),
            selection: None,
            artifact: None,
            stamp: None,
            environment: None,
            restore: None,
            fidelity: None,
            structure: None,
            revalidated: None,
            numbering: None,
            shape: None,
            drift: None,
            objects: None,
            checks: None,
            phases: Vec::new(),
            traffic: None,
            measurements: Measurements::default(),
            cleanup: None,
            limitations: Vec::new(),
        }
    }
}
