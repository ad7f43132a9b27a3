//! The drills of a service over time.

use crate::report::figures::{self, Figure, Loss};
use crate::report::html::chart::{Chart, DRILLS_MAX, Dot, Unit, chart};
use crate::report::stored::{Point, Series};
use crate::verdict::Verdict;

/// The charts of a service.
pub struct Trend {
    /// Recovery time, loss of data, size: those with at least two drills.
    pub charts: Vec<Chart>,
    /// What the charts are made of.
    pub summary: String,
}

/// The charts over the drills of `series`, if there are two.
pub fn trend(series: &Series) -> Option<Trend> {
    let drills = &series.drills;
    let newest = &series.newest.as_ref()?.record;
    let timed = |figure: fn(&Point) -> Option<Figure>| dots(drills, figure);
    let (title, loss): (_, fn(&Point) -> Option<Figure>) = match figures::compared_loss(newest) {
        Some(Loss::WorstCase) => ("Worst-case loss", |point| point.worst_case),
        Some(Loss::DataAge) | None => ("Data age", |point| point.data_age),
    };
    let estimated = newest.measurements.recovery_time.as_ref().is_some_and(|time| time.estimate_ms.is_some());
    let recovery = if estimated { "Recovery estimate" } else { "Recovery time" };
    let sizes: Vec<Dot> = drills
        .iter()
        .map(|point| Dot {
            at: point.started_at,
            verdict: point.verdict,
            value: point.backup_bytes,
            objective: None,
        })
        .collect();
    let charts = [
        chart(recovery, Unit::Time, &timed(|point| point.recovery_time)),
        chart(title, Unit::Time, &timed(loss)),
        chart("Size of the backup", Unit::Bytes, &sizes),
    ];
    let charts: Vec<Chart> = charts.into_iter().flatten().collect();
    (!charts.is_empty()).then(|| Trend { charts, summary: summary(series) })
}

fn dots(drills: &[Point], figure: fn(&Point) -> Option<Figure>) -> Vec<Dot> {
    drills
        .iter()
        .map(|point| {
            let figure = figure(point);
            Dot {
                at: point.started_at,
                verdict: point.verdict,
                value: figure.and_then(|figure| u64::try_from(figure.millis).ok()),
                objective: figure.and_then(|figure| figure.objective).map(|objective| objective.get()),
            }
        })
        .collect()
}

/// `30 drills: 28 passed, 1 failed, 1 inconclusive; 1 more was killed and left no record.`
fn summary(series: &Series) -> String {
    let words =
        [(Verdict::Pass, "passed"), (Verdict::Fail, "failed"), (Verdict::Inconclusive, "inconclusive")];
    let counts: Vec<String> = words
        .into_iter()
        .map(|(verdict, word)| (series.count(verdict), word))
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    let mut text = format!("{} drills: {}", series.drills.len(), counts.join(", "));
    match series.abandoned {
        0 => {}
        1 => text.push_str("; 1 more was killed and left no record"),
        more => text.push_str(&format!("; {more} more were killed and left no record")),
    }
    if series.drills.len() > DRILLS_MAX {
        text.push_str(&format!("; the newest {DRILLS_MAX} are drawn"));
    }
    text.push('.');
    text
}
