//! A figure against its objective, as a bar.

use crate::record::{ComparedTime, Millis, Record};
use crate::report::encode;
use crate::report::figures::{self, Figure, Loss};
use crate::report::html::words;

/// The width of a bar, in units of its own.
pub const WIDTH: f64 = 1000.0;
/// How much of it lies behind the larger of figure and objective.
const ROOM: f64 = 1.12;
/// The least that a part takes that is there at all.
const SLIVER: f64 = 4.0;
/// From which uncertainty on the data age says so: a minute.
const UNCERTAINTY_MS: u64 = 60_000;

/// A row of the first screen: a name, a figure, and a bar if there is an objective.
pub struct Meter {
    /// What is measured.
    pub name: &'static str,
    /// How large it is; absent if it was not measured.
    pub figure: Option<String>,
    /// `of 15m`, `over 15m`, or that there is no objective.
    pub relation: String,
    /// What it is made of.
    pub note: Option<String>,
    /// `met`, `missed` or `none`: how it is coloured.
    pub kind: &'static str,
    /// The bar, where there is something to compare.
    pub bar: Option<Bar>,
}

/// Where things stand on a bar.
pub struct Bar {
    /// The end of what was measured.
    pub measured: String,
    /// The end of what was measured and declared.
    pub whole: Option<String>,
    /// The objective.
    pub objective: String,
    /// The same in words, for who can't see it.
    pub description: String,
}

/// The meters of one drill: recovery time and loss of data.
pub fn meters(record: &Record) -> Vec<Meter> {
    let mut meters = vec![recovery_time(record)];
    let compared = figures::compared_loss(record).unwrap_or(Loss::DataAge);
    meters.push(lost(record, compared));
    let other = match compared {
        Loss::DataAge => Loss::WorstCase,
        Loss::WorstCase => Loss::DataAge,
    };
    if figures::loss(record, other).is_some() {
        meters.push(lost(record, other));
    }
    meters
}

fn recovery_time(record: &Record) -> Meter {
    let figure = figures::recovery_time(record);
    let time = record.measurements.recovery_time.as_ref();
    let estimated = time.filter(|time| time.compared_value == ComparedTime::EstimateMs);
    // What is declared was not measured, and a recovery time is a measurement.
    let name = if estimated.is_some() { "Recovery estimate" } else { "Recovery time" };
    let mut meter = meter(name, figure, record.objectives.rto_ms);
    if let Some(time) = estimated {
        let declared: Vec<String> = time
            .declared_overheads_ms
            .iter()
            .take(6)
            .map(|(name, length)| format!("{} {}", words::name(name), encode::objective(length.duration())))
            .collect();
        let measured = words::length(time.measured_ms.get());
        meter.note = Some(format!("{measured} measured; declared in the plan: {}", declared.join(", ")));
        if let (Some(bar), Some(figure)) = (&mut meter.bar, figure) {
            let part = time.measured_ms.get() as f64 / (figure.millis.max(1) as f64);
            bar.whole = Some(std::mem::take(&mut bar.measured));
            bar.measured = at((scaled(figure.millis, figure) * part).max(SLIVER));
        }
    } else if figure.is_some() {
        meter.note =
            Some("all of it measured, from choosing the backup until the database answers".to_owned());
    }
    meter
}

fn lost(record: &Record, which: Loss) -> Meter {
    let figure = figures::loss(record, which);
    let compared = figures::compared_loss(record).unwrap_or(Loss::DataAge) == which;
    let planned = record.objectives.rpo_ms.filter(|_| compared);
    let point = record.measurements.recovery_point.as_ref();
    let (name, note) = match which {
        Loss::DataAge => {
            let uncertainty =
                point.map(|point| point.uncertainty_ms.get()).filter(|millis| *millis > UNCERTAINTY_MS);
            let known = uncertainty.map(|millis| format!("; up to {} younger", words::length(millis)));
            let older = point.filter(|point| point.newest_backup_age_ms.is_some()).map(|point| {
                let restored = encode::age(point.data_age_ms.get());
                format!(": the newest backup’s; the one restored here was {restored} old")
            });
            let known = older.or(known).unwrap_or_default();
            ("Data age", format!("what would be lost now{known}"))
        }
        Loss::WorstCase => {
            let backups = point.and_then(|point| point.worst_case_backups);
            let over = backups.map(|count| format!(" over {}", encode::plural(count, "backup")));
            let note =
                format!("the longest gap{}{}", over.unwrap_or_default(), above(record, figure, compared));
            ("Worst-case loss", note)
        }
    };
    let mut meter = meter(name, figure, planned);
    if figure.is_some() {
        meter.note = Some(note);
    }
    if !compared {
        meter.relation = String::new();
    }
    meter
}

/// That a loss which the plan does not compare is above the objective all the same.
fn above(record: &Record, figure: Option<Figure>, compared: bool) -> &'static str {
    let beyond = |figure: Figure| {
        record.objectives.rpo_ms.is_some_and(|rpo| i128::from(figure.millis) > i128::from(rpo.get()))
    };
    match !compared && figure.is_some_and(beyond) {
        true => ", above the objective, which the plan holds against the data age",
        false => "",
    }
}

fn meter(name: &'static str, figure: Option<Figure>, planned: Option<Millis>) -> Meter {
    let objective = figure.and_then(|figure| figure.objective);
    let shown = objective.map(|objective| encode::objective(objective.duration()));
    let (relation, kind) = match (figure.and_then(|figure| figure.met), &shown) {
        (Some(true), Some(objective)) => (format!("of {objective}"), "met"),
        (Some(false), Some(objective)) => (format!("over {objective}"), "missed"),
        _ => match planned {
            Some(objective) => (format!("objective {}", encode::objective(objective.duration())), "none"),
            None => ("no objective in the plan".to_owned(), "none"),
        },
    };
    Meter {
        name,
        figure: figure.map(|figure| match figure.millis {
            0.. => words::length(figure.length().as_millis() as u64),
            _ => encode::age(figure.millis),
        }),
        relation,
        note: None,
        kind,
        bar: figure.zip(shown).map(|(figure, objective)| bar(name, figure, &objective)),
    }
}

fn bar(name: &str, figure: Figure, objective: &str) -> Bar {
    let limit = figure.objective.map_or(0, |objective| i64::try_from(objective.get()).unwrap_or(i64::MAX));
    Bar {
        measured: at(scaled(figure.millis, figure).max(SLIVER)),
        whole: None,
        objective: at(scaled(limit, figure)),
        description: format!("{name}: {}, objective {objective}", encode::age(figure.millis)),
    }
}

/// Where a figure stands on the bar of `figure`.
fn scaled(millis: i64, figure: Figure) -> f64 {
    let objective =
        figure.objective.map_or(0, |objective| i64::try_from(objective.get()).unwrap_or(i64::MAX));
    let most = figure.millis.max(objective).max(1) as f64 * ROOM;
    (millis.max(0) as f64 / most * WIDTH).clamp(0.0, WIDTH)
}

fn at(x: f64) -> String {
    format!("{x:.1}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn a_bar_is_true_to_scale() {
        let figure = Figure { millis: 500, objective: Some(Millis::new(1_000)), met: Some(true) };
        let bar = bar("Recovery time", figure, "1s");
        let [measured, objective] = [&bar.measured, &bar.objective].map(|x| x.parse::<f64>().unwrap());
        assert!((objective / measured - 2.0).abs() < 0.001, "{measured} {objective}");
        assert!(objective < WIDTH, "there is room behind the objective");
    }

    #[test]
    fn what_was_not_measured_has_neither_figure_nor_bar() {
        for meter in meters(&sample::begun()) {
            assert!(meter.figure.is_none() && meter.bar.is_none(), "{}", meter.name);
            assert!(meter.relation.starts_with("objective "), "{}", meter.relation);
        }
    }

    #[test]
    fn declared_time_is_set_apart_from_measured_time() {
        let meter = &meters(&sample::pass())[0];
        let bar = meter.bar.as_ref().unwrap();
        let [measured, whole] =
            [&bar.measured, bar.whole.as_ref().unwrap()].map(|x| x.parse::<f64>().unwrap());
        assert!((measured / whole - 402_500.0 / 522_500.0).abs() < 0.001);
        assert!(meter.note.as_ref().unwrap().contains("6m43s measured; declared in the plan: cutover 2m"));
    }

    #[test]
    fn a_figure_from_the_future_is_no_bar_to_the_left() {
        let figure = Figure { millis: -5_000, objective: Some(Millis::new(1_000)), met: Some(true) };
        assert_eq!(bar("Data age", figure, "1s").measured, "4.0");
    }
}
