//! The figures: phases, traffic, recovery time, recovery point, clean-up.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::{Phase, Span};
use crate::record::run::{Objectives, RpoJudgedBy};
use crate::record::selection::ConsistencyPoint;
use crate::record::value::{Millis, Moment, PhaseName, SignedMillis};

/// One phase of the drill.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PhaseRecord {
    /// Which.
    pub name: PhaseName,
    /// From the drill's start to its own.
    pub start_offset_ms: Millis,
    /// How long it took.
    pub duration_ms: Millis,
    /// How it ended.
    pub outcome: PhaseOutcome,
    /// Stored bytes that it read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Requests to the store that it had to repeat.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retries: Option<u64>,
}

impl PhaseRecord {
    /// A phase as the clock measured it.
    pub fn new(phase: Phase, span: Span, outcome: PhaseOutcome) -> PhaseRecord {
        PhaseRecord {
            name: PhaseName(phase),
            start_offset_ms: span.offset.into(),
            duration_ms: span.length.into(),
            outcome,
            bytes: None,
            retries: None,
        }
    }
}

/// How a phase ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PhaseOutcome {
    /// It came to its end, whatever it found.
    Ok,
    /// The drill ended in it.
    Halted,
}

/// What was asked of the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Traffic {
    /// Requests, repeated ones included.
    pub requests: u64,
    /// Those that were repetitions.
    pub retries: u64,
    /// Bytes that came back.
    pub bytes: u64,
}

/// The figures that meet the objectives.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Measurements {
    /// How long the recovery took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recovery_time: Option<RecoveryTime>,
    /// How much would be lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recovery_point: Option<RecoveryPoint>,
}

/// How long the recovery took: one monotonic stretch, from the start of choosing a backup
/// until the restored database answers, complete with indexes and constraints.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecoveryTime {
    /// That stretch.
    pub measured_ms: Millis,
    /// When its clock started, in words.
    pub clock_start: String,
    /// When its clock stopped, in words.
    pub clock_stop: String,
    /// The phases inside.
    pub includes: Vec<PhaseName>,
    /// What a real recovery also takes and this does not hold.
    pub excludes: Vec<String>,
    /// What the plan declares for some of that.
    pub declared_overheads_ms: BTreeMap<String, Millis>,
    /// Measured and declared together; there if, and only if, something is declared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estimate_ms: Option<Millis>,
    /// Which of the two meets the objective.
    pub compared_value: ComparedTime,
    /// The objective, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub objective_ms: Option<Millis>,
    /// Whether it is met; absent without an objective.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub met: Option<bool>,
}

impl RecoveryTime {
    /// The figures that follow from a measurement, the declared overheads and the objective.
    pub fn of(
        measured: Millis,
        declared: BTreeMap<String, Millis>,
        objective: Option<Millis>,
    ) -> RecoveryTime {
        let add = |sum: u64, more: &Millis| sum.saturating_add(more.get());
        let estimate = Millis::new(declared.values().fold(measured.get(), add));
        let compared = if declared.is_empty() { measured } else { estimate };
        RecoveryTime {
            measured_ms: measured,
            clock_start: "the choice of a backup begins".to_owned(),
            clock_stop: "the restored database answers, complete with indexes and constraints".to_owned(),
            includes: [Phase::Select, Phase::Provision, Phase::Restore, Phase::Ready].map(PhaseName).to_vec(),
            excludes: [
                "detect the loss",
                "decide to recover",
                "assemble people and access",
                "provision the production host",
                "cut over",
                "validate the application",
            ]
            .map(str::to_owned)
            .to_vec(),
            estimate_ms: (!declared.is_empty()).then_some(estimate),
            compared_value: if declared.is_empty() {
                ComparedTime::MeasuredMs
            } else {
                ComparedTime::EstimateMs
            },
            declared_overheads_ms: declared,
            objective_ms: objective,
            met: objective.map(|objective| compared <= objective),
        }
    }
}

/// Which recovery time meets the objective.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ComparedTime {
    /// What was measured, since nothing is declared.
    MeasuredMs,
    /// What was measured and what is declared.
    EstimateMs,
}

/// How much would be lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecoveryPoint {
    /// The moment from which ages are counted: when the drill began.
    pub reference_time: Moment,
    /// From the consistency point of the restored backup to it: the oldest that the data can
    /// be.
    pub data_age_ms: SignedMillis,
    /// How much younger it may be.
    pub uncertainty_ms: Millis,
    /// The same age of the newest backup that could be restored, where another one was: what
    /// would be lost now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest_backup_age_ms: Option<SignedMillis>,
    /// From the moment the backup could be read to the reference time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since_backup_available_ms: Option<SignedMillis>,
    /// The age of the newest row that a freshness check found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_age_ms: Option<SignedMillis>,
    /// The worst that could have been lost over the catalogue:
    /// `max(available[i+1] - consistency_point[i])`, the open interval until now included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worst_case_exposure_ms: Option<Millis>,
    /// Backups over which that was taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worst_case_backups: Option<u64>,
    /// Which of these meets the objective.
    pub compared_value: ComparedPoint,
    /// The objective, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub objective_ms: Option<Millis>,
    /// Whether the age of the newest backup meets it, which mostly is the restored one; absent
    /// without an objective.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub met_now: Option<bool>,
    /// Whether the worst case meets it; absent without an objective or a worst case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub met_worst_case: Option<bool>,
}

impl RecoveryPoint {
    /// The figures that follow from the drill's start, the moment that the data speaks for,
    /// the worst case over the catalogue with the number of backups behind it, and the
    /// objectives.
    pub fn of(
        started_at: Moment,
        point: &ConsistencyPoint,
        worst_case: Option<(Millis, u64)>,
        objectives: &Objectives,
    ) -> RecoveryPoint {
        let age = started_at.since(point.time);
        let meets = |loss: i64| objectives.rpo_ms.map(|rpo| i128::from(loss) <= i128::from(rpo.get()));
        RecoveryPoint {
            reference_time: started_at,
            data_age_ms: age,
            uncertainty_ms: point.uncertainty_ms,
            newest_backup_age_ms: None,
            since_backup_available_ms: None,
            content_age_ms: None,
            worst_case_exposure_ms: worst_case.map(|(exposure, _)| exposure),
            worst_case_backups: worst_case.map(|(_, backups)| backups),
            compared_value: match objectives.rpo_judged_by {
                RpoJudgedBy::DataAge => ComparedPoint::DataAgeMs,
                RpoJudgedBy::Exposure => ComparedPoint::WorstCaseExposureMs,
            },
            objective_ms: objectives.rpo_ms,
            met_now: meets(age.get()),
            met_worst_case: worst_case.and_then(|(exposure, _)| Some(exposure <= objectives.rpo_ms?)),
        }
    }

    /// The figures where another backup was restored than the newest one: what would be lost
    /// now is told by the newest.
    #[must_use]
    pub fn beside(mut self, newest: &ConsistencyPoint) -> RecoveryPoint {
        let age = self.reference_time.since(newest.time);
        self.newest_backup_age_ms = Some(age);
        self.met_now = self.objective_ms.map(|rpo| i128::from(age.get()) <= i128::from(rpo.get()));
        if self.compared_value == ComparedPoint::DataAgeMs {
            self.compared_value = ComparedPoint::NewestBackupAgeMs;
        }
        self
    }

    /// What would be lost now.
    pub fn loss_now_ms(&self) -> SignedMillis {
        self.newest_backup_age_ms.unwrap_or(self.data_age_ms)
    }
}

/// Which loss meets the objective.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ComparedPoint {
    /// What would be lost now: the age of the restored backup, which is the newest.
    DataAgeMs,
    /// What would be lost now: the age of the newest backup, where an older one was restored.
    NewestBackupAgeMs,
    /// The worst that could have been lost.
    WorstCaseExposureMs,
}

/// What became of the scratch. It is no part of the verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cleanup {
    /// Whether it was removed.
    pub scratch_removed: bool,
    /// Whether it was seen to be gone.
    pub removal_verified: bool,
    /// What is left, by name.
    pub leaked: Vec<String>,
}
