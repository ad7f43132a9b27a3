//! The two figures that meet objectives, as every face shows them.

use std::time::Duration;

use crate::clock::Phase;
use crate::record::{ComparedPoint, ComparedTime, Millis, PhaseOutcome, Record};

/// A figure, and the objective that it meets or misses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figure {
    /// What was measured, in milliseconds; below zero for what claims to come from the future.
    pub millis: i64,
    /// The objective, if there is one.
    pub objective: Option<Millis>,
    /// Whether it is met; absent without an objective.
    pub met: Option<bool>,
}

impl Figure {
    /// The figure as a length of time; what lies in the future is none.
    pub fn length(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.millis).unwrap_or(0))
    }
}

/// The recovery time that meets the objective: what was measured, with what is declared.
/// Nothing where it was not measured.
pub fn recovery_time(record: &Record) -> Option<Figure> {
    let time = record.measurements.recovery_time.as_ref()?;
    let compared = match time.compared_value {
        ComparedTime::MeasuredMs => time.measured_ms,
        ComparedTime::EstimateMs => time.estimate_ms?,
    };
    Some(Figure { millis: signed(compared), objective: time.objective_ms, met: time.met })
}

/// Which loss of data meets the objective.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// What would have been lost when the drill began: the age of the newest backup.
    DataAge,
    /// The worst that could have been lost over the catalogue.
    WorstCase,
}

/// Which loss the drill compares with its objective; nothing where none was measured.
pub fn compared_loss(record: &Record) -> Option<Loss> {
    record.measurements.recovery_point.as_ref().map(|point| match point.compared_value {
        ComparedPoint::DataAgeMs | ComparedPoint::NewestBackupAgeMs => Loss::DataAge,
        ComparedPoint::WorstCaseExposureMs => Loss::WorstCase,
    })
}

/// A loss, with the objective if it is the one that is compared. Nothing where it was not
/// measured.
pub fn loss(record: &Record, which: Loss) -> Option<Figure> {
    let point = record.measurements.recovery_point.as_ref()?;
    let (millis, met) = match which {
        Loss::DataAge => (point.loss_now_ms().get(), point.met_now),
        Loss::WorstCase => (signed(point.worst_case_exposure_ms?), point.met_worst_case),
    };
    let compared = compared_loss(record) == Some(which);
    let objective = point.objective_ms.filter(|_| compared);
    Some(Figure { millis, objective, met: met.filter(|_| compared) })
}

/// Whether a phase of the drill came to its end.
pub fn has_ended(record: &Record, phase: Phase) -> bool {
    record.phases.iter().any(|one| one.name.0 == phase && one.outcome == PhaseOutcome::Ok)
}

fn signed(millis: Millis) -> i64 {
    i64::try_from(millis.get()).unwrap_or(i64::MAX)
}
