//! A figure over drills, as a drawing: points in time, a line between them, the objective.

use crate::record::{Millis, Moment};
use crate::report::html::words;
use crate::verdict::Verdict;

/// The drawing's own units: near the pixels that it takes on a screen.
const LEFT: f64 = 50.0;
const RIGHT: f64 = 352.0;
const TOP: f64 = 16.0;
const BOTTOM: f64 = 142.0;
/// Where drills stand that were not measured: below the axis, and never on it.
const UNMEASURED: f64 = 152.0;
/// Between the edges and the first and last point.
const INSET: f64 = 7.0;
/// How many drills are drawn; the newest.
pub const DRILLS_MAX: usize = 400;

/// What a drill contributes to a chart.
#[derive(Clone, Copy, Debug)]
pub struct Dot {
    /// When it began.
    pub at: Moment,
    /// How it ended.
    pub verdict: Verdict,
    /// What was measured, if it was.
    pub value: Option<u64>,
    /// The objective of that drill, if it had one.
    pub objective: Option<u64>,
}

/// What the values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Milliseconds.
    Time,
    /// Bytes.
    Bytes,
}

impl Unit {
    /// A value in words.
    pub fn shown(self, value: u64) -> String {
        match self {
            Unit::Time => words::length(value),
            Unit::Bytes => crate::report::encode::bytes(value),
        }
    }

    /// A value at the axis: whole, and without what it does not need.
    fn tick(self, value: u64) -> String {
        match self {
            _ if value == 0 => "0".to_owned(),
            Unit::Time => crate::report::encode::objective(Millis::new(value).duration()),
            Unit::Bytes => crate::report::encode::bytes(value).replace(".0 ", " "),
        }
    }
}

/// A drawing.
pub struct Chart {
    /// What it shows.
    pub title: &'static str,
    /// The same in words, for who can't see it.
    pub description: String,
    /// The newest value.
    pub latest: String,
    /// Lines across, with their values.
    pub ticks: Vec<Tick>,
    /// The first and the last day.
    pub days: [String; 2],
    /// The line between measured drills, in pieces.
    pub line: String,
    /// The objective, if any drill had one.
    pub objective: Option<Objective>,
    /// Each drill.
    pub marks: Vec<Mark>,
}

/// A line across.
pub struct Tick {
    /// How far down.
    pub y: String,
    /// Its value.
    pub label: String,
}

/// The objective's line, which steps where the objective was changed.
pub struct Objective {
    /// The line.
    pub line: String,
    /// Where its words stand.
    pub label_y: String,
    /// Its last value.
    pub label: String,
}

/// A drill on the drawing.
pub struct Mark {
    /// `pass`, `fail`, `inconclusive` or `unmeasured`.
    pub kind: &'static str,
    /// How far to the right.
    pub x: String,
    /// How far down.
    pub y: String,
    /// What it is, in words.
    pub title: String,
}

/// The drawing of `dots`, oldest first; none for fewer than two, which make no line.
pub fn chart(title: &'static str, unit: Unit, dots: &[Dot]) -> Option<Chart> {
    let dots = dots.get(dots.len().saturating_sub(DRILLS_MAX)..).unwrap_or(dots);
    let [first, .., last] = dots else { return None };
    dots.iter().find_map(|dot| dot.value)?;
    let largest = dots.iter().flat_map(|dot| [dot.value, dot.objective]).flatten().max().unwrap_or(0);
    let step = step(unit, largest);
    let frame = Frame { first: millis(first), last: millis(last), most: (largest / step + 1) * step };
    let latest = last.value.map_or("not measured".to_owned(), |value| unit.shown(value));
    let measured = dots.iter().filter(|dot| dot.value.is_some()).count();
    Some(Chart {
        title,
        description: format!(
            "{title} of {} drills from {} to {}, {} of them measured; the newest: {latest}",
            dots.len(),
            words::day(first.at),
            words::day(last.at),
            measured,
        ),
        latest,
        ticks: ticks(unit, step, &frame),
        days: [words::day(first.at), words::day(last.at)],
        line: line(dots, &frame),
        objective: objective(unit, dots, &frame),
        marks: dots.iter().map(|dot| mark(unit, dot, &frame)).collect(),
    })
}

fn millis(dot: &Dot) -> i64 {
    dot.at.at().as_millisecond()
}

/// What stands at the edges.
struct Frame {
    first: i64,
    last: i64,
    most: u64,
}

impl Frame {
    fn x(&self, dot: &Dot) -> f64 {
        let all = self.last.saturating_sub(self.first);
        let part = match all > 0 {
            true => millis(dot).saturating_sub(self.first) as f64 / all as f64,
            false => 0.5,
        };
        LEFT + INSET + part.clamp(0.0, 1.0) * (RIGHT - LEFT - 2.0 * INSET)
    }

    fn y(&self, value: u64) -> f64 {
        BOTTOM - value as f64 / self.most.max(1) as f64 * (BOTTOM - TOP)
    }
}

/// The distance of lines across: the smallest round one that leaves at most four.
fn step(unit: Unit, largest: u64) -> u64 {
    const SECOND: u64 = 1_000;
    const MINUTE: u64 = 60 * SECOND;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    const TIMES: [u64; 29] = [
        100,
        200,
        500,
        SECOND,
        2 * SECOND,
        5 * SECOND,
        10 * SECOND,
        15 * SECOND,
        30 * SECOND,
        MINUTE,
        2 * MINUTE,
        5 * MINUTE,
        10 * MINUTE,
        15 * MINUTE,
        30 * MINUTE,
        HOUR,
        2 * HOUR,
        3 * HOUR,
        6 * HOUR,
        12 * HOUR,
        DAY,
        2 * DAY,
        7 * DAY,
        14 * DAY,
        30 * DAY,
        60 * DAY,
        180 * DAY,
        360 * DAY,
        3_600 * DAY,
    ];
    let fits = |step: &u64| largest / step < 4;
    match unit {
        Unit::Time => TIMES.into_iter().find(fits).unwrap_or(largest / 4 + 1),
        Unit::Bytes => (0..63).map(|power| 1_u64 << power).find(fits).unwrap_or(1 << 63),
    }
}

fn ticks(unit: Unit, step: u64, frame: &Frame) -> Vec<Tick> {
    let values = (0..=4_u64).map(|n| n.saturating_mul(step)).take_while(|value| *value <= frame.most);
    values.map(|value| Tick { y: at(frame.y(value)), label: unit.tick(value) }).collect()
}

/// A line through what was measured; it is broken where something was not.
fn line(dots: &[Dot], frame: &Frame) -> String {
    let mut path = String::new();
    let mut pen_is_down = false;
    for dot in dots {
        let Some(value) = dot.value else {
            pen_is_down = false;
            continue;
        };
        let verb = if pen_is_down { 'L' } else { 'M' };
        path.push_str(&format!("{verb}{} {}", at(frame.x(dot)), at(frame.y(value))));
        pen_is_down = true;
    }
    path
}

fn objective(unit: Unit, dots: &[Dot], frame: &Frame) -> Option<Objective> {
    let mut path = String::new();
    let mut before: Option<u64> = None;
    for (index, dot) in dots.iter().enumerate() {
        let x = if index == 0 { LEFT } else { frame.x(dot) };
        match (before, dot.objective) {
            (None, Some(value)) => path.push_str(&format!("M{} {}", at(x), at(frame.y(value)))),
            (Some(_), Some(value)) => path.push_str(&format!("H{}V{}", at(x), at(frame.y(value)))),
            (Some(_), None) => path.push_str(&format!("H{}", at(x))),
            (None, None) => {}
        }
        before = dot.objective;
    }
    if before.is_some() {
        path.push_str(&format!("H{}", at(RIGHT)));
    }
    let last = dots.iter().rev().find_map(|dot| dot.objective)?;
    Some(Objective {
        line: path,
        label_y: at(frame.y(last) - 5.0),
        label: format!("objective {}", unit.tick(last)),
    })
}

fn mark(unit: Unit, dot: &Dot, frame: &Frame) -> Mark {
    let (kind, y) = match (dot.value, dot.verdict) {
        (None, _) => ("unmeasured", UNMEASURED),
        (Some(value), Verdict::Pass) => ("pass", frame.y(value)),
        (Some(value), Verdict::Fail) => ("fail", frame.y(value)),
        (Some(value), Verdict::Inconclusive) => ("inconclusive", frame.y(value)),
    };
    let value = dot.value.map_or("not measured".to_owned(), |value| unit.shown(value));
    Mark {
        kind,
        x: at(frame.x(dot)),
        y: at(y),
        title: format!("{}: {value} ({})", words::moment(dot.at), dot.verdict),
    }
}

fn at(position: f64) -> String {
    format!("{position:.1}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dot(day: i64, value: Option<u64>, verdict: Verdict) -> Dot {
        let at = jiff::Timestamp::from_second(1_700_000_000 + day * 86_400).unwrap().into();
        Dot { at, verdict, value, objective: Some(900_000) }
    }

    #[test]
    fn what_was_not_measured_breaks_the_line_and_stands_below_the_axis() {
        let dots = [
            dot(0, Some(400_000), Verdict::Pass),
            dot(1, None, Verdict::Inconclusive),
            dot(2, Some(500_000), Verdict::Pass),
        ];
        let chart = chart("Recovery time", Unit::Time, &dots).unwrap();
        assert_eq!(chart.line.matches('M').count(), 2, "{}", chart.line);
        assert_eq!(chart.marks[1].kind, "unmeasured");
        assert!(chart.marks[1].y.parse::<f64>().unwrap() > BOTTOM);
        assert!(chart.marks[1].title.contains("not measured"));
    }

    #[test]
    fn points_and_objective_lie_inside_and_true_to_scale() {
        for largest in [1, 999, 61_000, 900_000, 86_400_000, 4_000_000_000, 1 << 52] {
            for unit in [Unit::Time, Unit::Bytes] {
                let mut dots =
                    [dot(0, Some(largest), Verdict::Pass), dot(9, Some(largest / 2), Verdict::Fail)];
                dots.iter_mut().for_each(|dot| dot.objective = None);
                let chart = chart("x", unit, &dots).unwrap();
                let ys: Vec<f64> = chart.marks.iter().map(|mark| mark.y.parse().unwrap()).collect();
                assert!(ys.iter().all(|y| (TOP..=BOTTOM).contains(y)), "{largest}: {ys:?}");
                assert!((2..=5).contains(&chart.ticks.len()), "{largest}: {}", chart.ticks.len());
                assert_eq!(chart.ticks[0].label, "0", "the axis begins at nothing");
            }
        }
    }

    #[test]
    fn an_objective_that_was_changed_steps() {
        let mut dots = [dot(0, Some(1), Verdict::Pass), dot(1, Some(1), Verdict::Pass)];
        dots[1].objective = Some(600_000);
        let objective = chart("x", Unit::Time, &dots).unwrap().objective.unwrap();
        assert!(objective.line.contains('V'), "{}", objective.line);
        assert_eq!(objective.label, "objective 10m");
    }

    #[test]
    fn one_drill_makes_no_line() {
        assert!(chart("x", Unit::Time, &[dot(0, Some(1), Verdict::Pass)]).is_none());
        assert!(
            chart("x", Unit::Time, &[dot(0, None, Verdict::Fail), dot(1, None, Verdict::Fail)]).is_none()
        );
    }
}
