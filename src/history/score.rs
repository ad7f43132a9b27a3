//! How well earlier forecasts did: each drill is compared with what the drills before it
//! said of it.

use crate::history::trend::{Point, fit};

/// How many forecasts are scored, at most: the latest ones.
const SCORED_MAX: usize = 30;

/// How the forecasts of one figure did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Score {
    /// How many drills ahead they looked.
    pub ahead: usize,
    /// How many could be compared.
    pub forecasts: usize,
    /// Of how many the figure lay in the range that was expected.
    pub inside: usize,
    /// How far they were off, in the middle.
    pub median_error: u64,
    /// The latest of them.
    pub latest: Scored,
}

/// One forecast, and what came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scored {
    /// The last moment that it knew.
    pub made_at: i64,
    /// What it said; never below zero.
    pub expected: i64,
    /// The least of its range.
    pub low: i64,
    /// The most of its range.
    pub high: i64,
    /// What came.
    pub actual: i64,
}

impl Scored {
    /// Whether what came was in the range.
    pub fn is_inside(&self) -> bool {
        (self.low..=self.high).contains(&self.actual)
    }
}

/// Scores what was forecast `ahead` drills before each of `points`, which are in order of
/// time; nothing where no forecast was possible yet.
pub fn score(points: &[Point], ahead: usize) -> Option<Score> {
    let ahead = ahead.max(1);
    let scored: Vec<Scored> = (0..points.len())
        .rev()
        .take(SCORED_MAX)
        .filter_map(|place| {
            forecast(points.get(..place.checked_sub(ahead)?.checked_add(1)?)?, *points.get(place)?)
        })
        .collect();
    let mut errors: Vec<u64> = scored.iter().map(|one| one.actual.abs_diff(one.expected)).collect();
    errors.sort_unstable();
    Some(Score {
        ahead,
        forecasts: scored.len(),
        inside: scored.iter().filter(|one| one.is_inside()).count(),
        median_error: *errors.get(errors.len() / 2)?,
        latest: *scored.first()?,
    })
}

/// What `known` said of `actual`.
fn forecast(known: &[Point], actual: Point) -> Option<Scored> {
    let trend = fit(known).ok()?;
    let (low, high) = trend.expected(actual.x);
    if !low.is_finite() || !high.is_finite() {
        return None;
    }
    let whole = |figure: f64| (figure.round() as i64).max(0);
    Some(Scored {
        made_at: known.last()?.x,
        expected: whole(trend.at(actual.x)),
        low: whole(low),
        high: whole(high),
        actual: actual.y,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(figures: impl IntoIterator<Item = i64>) -> Vec<Point> {
        figures.into_iter().zip(0..).map(|(y, x)| Point { x, y }).collect()
    }

    #[test]
    fn a_steady_course_was_foretold() {
        let score = score(&days((0..20).map(|day| 100 + day * 5)), 7).unwrap();
        assert_eq!((score.ahead, score.forecasts, score.inside, score.median_error), (7, 6, 6, 0));
        let latest = Scored { made_at: 12, expected: 195, low: 195, high: 195, actual: 195 };
        assert_eq!(score.latest, latest);
    }

    #[test]
    fn a_turn_was_not_and_that_is_said() {
        let turned = (0..20).map(|day| if day < 13 { 100 + day * 5 } else { 1000 });
        let score = score(&days(turned), 7).unwrap();
        assert_eq!((score.forecasts, score.inside), (6, 0), "{score:?}");
        assert_eq!((score.latest.expected, score.latest.actual), (195, 1000));
    }

    #[test]
    fn where_nothing_could_be_forecast_nothing_is_scored() {
        assert_eq!(score(&[], 7), None);
        assert_eq!(score(&days(0..14), 7), None, "the eighth drill is the first that could");
        assert!(score(&days(0..15), 7).is_some());
        assert!(score(&days(0..9), 0).is_some(), "a forecast looks ahead at least one drill");
    }

    #[test]
    fn a_forecast_knows_nothing_of_what_came_later() {
        let mut points = days((0..20).map(|day| 100 + day * 5));
        let before = score(&points, 7).unwrap();
        for later in &mut points[13..19] {
            later.y = 1_000_000;
        }
        assert_eq!(score(&points, 7).unwrap().latest, before.latest);
    }
}
