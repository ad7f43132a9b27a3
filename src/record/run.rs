//! Which run this was, of what, for whom, and its place in the log.

use std::time::Duration;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::stamp::StampDemand;
use crate::record::structure::AmcheckAsked;
use crate::record::value::{Millis, Moment, RunId, Sha256, SignedMillis};

/// The place of a record in its service's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Chain {
    /// The name of the log: the service's.
    pub log_id: String,
    /// One more than that of the record before; the first is 1. Absent until it is written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u64>,
    /// The SHA-256 of the file of the record before; for the first, of `genesis LOG_ID`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_envelope_sha256: Option<Sha256>,
    /// How the file of this record is signed.
    pub signing: Signing,
    /// Drills of this service that were killed since the record before.
    pub abandoned_runs: Vec<AbandonedRun>,
}

impl Chain {
    /// The chain of a record that is not written yet.
    pub fn unwritten(log_id: &str) -> Chain {
        Chain {
            log_id: log_id.to_owned(),
            sequence: None,
            previous_envelope_sha256: None,
            signing: Signing::None,
            abandoned_runs: Vec::new(),
        }
    }
}

/// How a record's file is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Signing {
    /// Not at all: the file is a bare statement.
    None,
    /// A DSSE envelope with an Ed25519 signature.
    Ed25519,
}

/// A drill that was killed: it has no record of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AbandonedRun {
    /// Its name.
    pub run_id: RunId,
    /// When it began, if its journal says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Moment>,
    /// The last line of its journal, in a few words.
    pub last_state: String,
}

/// One run of firedrill, as far as this drill is concerned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// The name of the drill, which no other has.
    pub run_id: RunId,
    /// What set it off.
    pub trigger: Trigger,
    /// What it pretends has happened, such as `latest`.
    pub scenario: String,
    /// When it began, by the wall clock.
    pub started_at: Moment,
    /// When it was over, the scratch removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Moment>,
    /// From the one to the other, by the wall clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wall_duration_ms: Option<Millis>,
    /// From the one to the other, by the monotonic clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub monotonic_duration_ms: Option<Millis>,
    /// The program that ran.
    pub tool: Tool,
    /// The machine it ran on.
    pub host: Host,
    /// The user it ran as.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// The SHA-256 of the plan file; absent where there is none, as in a demonstration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan_sha256: Option<Sha256>,
}

impl Run {
    /// A run that begins at `started_at` and is not over.
    pub fn begun(run_id: RunId, trigger: Trigger, started_at: Timestamp, tool: Tool, host: Host) -> Run {
        Run {
            run_id,
            trigger,
            scenario: "latest".to_owned(),
            started_at: started_at.into(),
            finished_at: None,
            wall_duration_ms: None,
            monotonic_duration_ms: None,
            tool,
            host,
            actor: None,
            plan_sha256: None,
        }
    }

    /// The run is over: by the wall clock at `finished_at`, by the monotonic one after
    /// `elapsed`.
    pub fn finish(&mut self, finished_at: Timestamp, elapsed: Duration) {
        let finished_at = Moment::from(finished_at);
        self.finished_at = Some(finished_at);
        let wall = finished_at.since(self.started_at).get();
        self.wall_duration_ms = Some(Millis::new(u64::try_from(wall).unwrap_or(0)));
        self.monotonic_duration_ms = Some(elapsed.into());
    }
}

/// What set a run off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Trigger {
    /// Somebody at a terminal.
    Manual,
    /// A timer: no terminal.
    Timer,
    /// The demonstration.
    Demo,
}

/// The program that ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tool {
    /// `firedrill`.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The commit it was built from, if the build knew it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub git_commit: Option<String>,
    /// The SHA-256 of the executable, if it could be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub binary_sha256: Option<Sha256>,
}

/// The machine that a run ran on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Host {
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The operating system, such as `Debian GNU/Linux 12`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub os: Option<String>,
    /// The release of the kernel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel: Option<String>,
}

/// What was drilled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// Its name in the plan.
    pub id: String,
    /// What it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Where it lives, such as `prod-eu`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// Who answers for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// How much it matters; 1 matters most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tier: Option<u32>,
}

/// What the plan demands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Objectives {
    /// The recovery time objective.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rto_ms: Option<Millis>,
    /// The recovery point objective.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rpo_ms: Option<Millis>,
    /// Which figure meets the recovery point objective.
    pub rpo_judged_by: RpoJudgedBy,
    /// How often a backup is expected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected_period_ms: Option<Millis>,
    /// How much later than that it may come; there if, and only if, a period is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grace_ms: Option<Millis>,
    /// How long the whole drill may take.
    pub deadline_ms: Millis,
    /// Whether a backup may pass for whose stored bytes nothing vouches.
    pub accept_unanchored: bool,
    /// What the plan demands of stamps of the source.
    pub stamp: StampDemand,
    /// At least so many tables must come back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minimum_tables: Option<u64>,
    /// At least so many rows must come back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minimum_rows: Option<u64>,
    /// How far the structure of tables and indexes must be looked at.
    pub amcheck: AmcheckAsked,
    /// Whether constraints must be evaluated anew for every restored row.
    pub revalidate: bool,
}

/// Which figure meets the recovery point objective.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RpoJudgedBy {
    /// What would be lost now; the exposure warns.
    DataAge,
    /// The worst that could have been lost over the catalogue.
    Exposure,
}

/// How far the clocks can be trusted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Clock {
    /// What the local clock was compared with.
    pub reference: ClockReference,
    /// The local clock minus the store's: the largest seen. Absent for a store that has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset_vs_store_ms: Option<SignedMillis>,
    /// How large it may be, either way.
    pub max_allowed_offset_ms: Millis,
}

/// What the local clock is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClockReference {
    /// The `Date` of the store's answers.
    StoreDate,
    /// Nothing: the store is a directory of this machine, and its clock is ours.
    SameMachine,
}
