//! A line through figures that a few wild ones do not turn: Theil and Sen's, with the range of
//! slopes that the figures allow.

/// From how many figures on a line is drawn.
pub const POINTS_MIN: usize = 8;

/// How many standard deviations of Kendall's statistic the range of slopes is wide: 95 %.
const DEVIATIONS: f64 = 1.96;

/// How much of the spread of a normal distribution the median deviation is.
const NORMAL: f64 = 1.4826;

/// One figure, and what it is drawn over: a moment in milliseconds, or a size in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Point {
    /// What it is drawn over.
    pub x: i64,
    /// The figure.
    pub y: i64,
}

/// A line through figures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trend {
    /// How many figures.
    pub points: usize,
    /// The median slope between two of them, in `y` per `x`.
    pub slope: f64,
    /// The lower end of the range in which it lies with 95 %.
    pub low: f64,
    /// The upper end of that range.
    pub high: f64,
    /// Where the line goes through: the median of all `x`.
    pub middle_x: f64,
    /// The median of all `y`.
    pub middle_y: f64,
    /// How far figures lie beside the line: about two of three are within.
    pub scatter: f64,
    /// The first and the last `x`.
    pub ends: (i64, i64),
}

/// Why there is no line at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// Too few figures.
    TooFew {
        /// How many there are.
        points: usize,
    },
    /// They are all of one moment, or of one size.
    NoSpread,
}

/// Why nothing may be told from a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoTrend {
    /// There is no line.
    Unfit(Unfit),
    /// It may rise as well as fall.
    Unclear,
    /// Figures lie further beside it than it rises or falls from end to end.
    Scattered,
}

/// The line through `points`, in any order.
///
/// # Errors
/// There are fewer than [`POINTS_MIN`], or all have the same `x`.
pub fn fit(points: &[Point]) -> Result<Trend, Unfit> {
    if points.len() < POINTS_MIN {
        return Err(Unfit::TooFew { points: points.len() });
    }
    let slopes = slopes(points);
    let slope = median(&slopes).ok_or(Unfit::NoSpread)?;
    let mut xs: Vec<f64> = points.iter().map(|point| point.x as f64).collect();
    let mut ys: Vec<f64> = points.iter().map(|point| point.y as f64).collect();
    xs.sort_unstable_by(f64::total_cmp);
    ys.sort_unstable_by(f64::total_cmp);
    let (middle_x, middle_y) = (median(&xs).ok_or(Unfit::NoSpread)?, median(&ys).ok_or(Unfit::NoSpread)?);
    let beside = |point: &Point| {
        let on_line = slope.mul_add(point.x as f64 - middle_x, middle_y);
        (point.y as f64 - on_line).abs()
    };
    let mut deviations: Vec<f64> = points.iter().map(beside).collect();
    deviations.sort_unstable_by(f64::total_cmp);
    let (low, high) = range(&slopes, points.len());
    let first = points.iter().map(|point| point.x).min().unwrap_or_default();
    let last = points.iter().map(|point| point.x).max().unwrap_or_default();
    Ok(Trend {
        points: points.len(),
        slope,
        low,
        high,
        middle_x,
        middle_y,
        scatter: NORMAL * median(&deviations).unwrap_or_default(),
        ends: (first, last),
    })
}

impl Trend {
    /// The line, if something may be told from it.
    ///
    /// # Errors
    /// Why not.
    pub fn clear(self) -> Result<Trend, NoTrend> {
        let rise = (self.slope * self.length()).abs();
        if self.low <= 0.0 && self.high >= 0.0 {
            return Err(NoTrend::Unclear);
        }
        if self.scatter > rise {
            return Err(NoTrend::Scattered);
        }
        Ok(self)
    }

    /// What the line says at `x`.
    pub fn at(&self, x: i64) -> f64 {
        self.with_slope(self.slope, x)
    }

    /// Between what one figure is to be expected at `x`: the range of the slopes, and twice
    /// the scatter on either side.
    pub fn expected(&self, x: i64) -> (f64, f64) {
        let ends = [self.with_slope(self.low, x), self.with_slope(self.high, x)];
        let low = ends.iter().copied().fold(f64::INFINITY, f64::min);
        let high = ends.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        (low - 2.0 * self.scatter, high + 2.0 * self.scatter)
    }

    /// Where a line through the middle with `slope` comes to `y`; nowhere if it is level.
    pub fn reaches(&self, y: i64, slope: f64) -> Option<f64> {
        let x = self.middle_x + (y as f64 - self.middle_y) / slope;
        x.is_finite().then_some(x)
    }

    /// From the first `x` to the last.
    pub fn length(&self) -> f64 {
        self.ends.1 as f64 - self.ends.0 as f64
    }

    fn with_slope(&self, slope: f64, x: i64) -> f64 {
        slope.mul_add(x as f64 - self.middle_x, self.middle_y)
    }
}

/// The slope between each two points of different `x`, in order.
fn slopes(points: &[Point]) -> Vec<f64> {
    let mut slopes = Vec::new();
    for (index, one) in points.iter().enumerate() {
        for other in points.iter().skip(index.saturating_add(1)) {
            if one.x != other.x {
                slopes.push((other.y as f64 - one.y as f64) / (other.x as f64 - one.x as f64));
            }
        }
    }
    slopes.sort_unstable_by(f64::total_cmp);
    slopes
}

/// Sen's range of the slope, without a correction for ties, which would only narrow it.
fn range(slopes: &[f64], points: usize) -> (f64, f64) {
    let n = points as f64;
    let deviation = (n * (n - 1.0) * (2.0 * n + 5.0) / 18.0).sqrt();
    let outside = ((slopes.len() as f64 - DEVIATIONS * deviation) / 2.0).floor();
    if outside < 1.0 {
        return (f64::NEG_INFINITY, f64::INFINITY);
    }
    let outside = outside as usize;
    let low = slopes.get(outside.saturating_sub(1));
    let high = slopes.get(slopes.len().saturating_sub(outside));
    (low.copied().unwrap_or(f64::NEG_INFINITY), high.copied().unwrap_or(f64::INFINITY))
}

/// The median of sorted figures.
fn median(sorted: &[f64]) -> Option<f64> {
    let upper = sorted.get(sorted.len() / 2)?;
    match sorted.len().is_multiple_of(2) {
        true => sorted.get((sorted.len() / 2).checked_sub(1)?).map(|lower| f64::midpoint(*lower, *upper)),
        false => Some(*upper),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn line(points: impl IntoIterator<Item = (i64, i64)>) -> Result<Trend, Unfit> {
        fit(&points.into_iter().map(|(x, y)| Point { x, y }).collect::<Vec<_>>())
    }

    #[test]
    fn a_straight_line_is_found_exactly() {
        let trend = line((0..10).map(|x| (x, 100 + 3 * x))).unwrap();
        assert_eq!((trend.slope, trend.low, trend.high, trend.scatter), (3.0, 3.0, 3.0, 0.0));
        assert_eq!((trend.at(0), trend.at(20)), (100.0, 160.0));
        assert_eq!(trend.reaches(190, trend.slope), Some(30.0));
        assert_eq!(trend.clear(), Ok(trend));
    }

    #[test]
    fn a_few_wild_figures_do_not_turn_the_line() {
        let wild = |x: i64| if x % 7 == 3 { 5_000 } else { 100 + 3 * x };
        let trend = line((0..30).map(|x| (x, wild(x)))).unwrap();
        assert!((2.5..=3.5).contains(&trend.slope), "{trend:?}");
        assert!(trend.clear().is_ok());
    }

    #[test]
    fn a_line_is_refused_where_there_is_none() {
        assert_eq!(line((0..7).map(|x| (x, x))), Err(Unfit::TooFew { points: 7 }));
        assert_eq!(line([]), Err(Unfit::TooFew { points: 0 }));
        assert_eq!(line((0..9).map(|y| (5, y))), Err(Unfit::NoSpread));
        let level = line((0..20).map(|x| (x, 100 + x % 2))).unwrap();
        assert_eq!(level.clear(), Err(NoTrend::Unclear));
        let constant = line((0..20).map(|x| (x, 100))).unwrap();
        assert_eq!(constant.clear(), Err(NoTrend::Unclear));
        let two_sizes = line((0..20).map(|n| (n / 19, n))).unwrap();
        assert_eq!(two_sizes.clear(), Err(NoTrend::Unclear), "one figure of another size tells nothing");
        let noisy = line((0..200).map(|x| (x, x + 400 * (x * 7919 % 5)))).unwrap();
        assert!(noisy.clear().is_err(), "{noisy:?}");
    }

    #[test]
    fn what_is_expected_is_wider_the_further_away() {
        let trend = line((0..12).map(|x| (x, 100 + 3 * x + x % 3))).unwrap();
        let width = |x| trend.expected(x).1 - trend.expected(x).0;
        assert!(width(100) > width(20) && width(20) > width(6), "{trend:?}");
        assert!(trend.expected(100).0 <= trend.at(100) && trend.at(100) <= trend.expected(100).1);
    }

    fn points() -> impl Strategy<Value = Vec<Point>> {
        let point = (0_i64..1_000_000, 0_i64..1_000_000).prop_map(|(x, y)| Point { x, y });
        prop::collection::vec(point, 0..40)
    }

    proptest! {
        #[test]
        fn the_order_of_figures_does_not_matter(
            (points, shuffled) in points().prop_flat_map(|p| (Just(p.clone()), Just(p).prop_shuffle())),
        ) {
            prop_assert_eq!(fit(&points), fit(&shuffled));
        }

        #[test]
        fn the_slope_lies_in_its_range_and_turns_with_the_figures(points in points()) {
            let Ok(trend) = fit(&points) else { return Ok(()) };
            prop_assert!(trend.low <= trend.slope && trend.slope <= trend.high);
            let upside_down: Vec<_> = points.iter().map(|p| Point { x: p.x, y: -p.y }).collect();
            let turned = fit(&upside_down).unwrap();
            prop_assert_eq!((turned.slope, turned.low, turned.high), (-trend.slope, -trend.high, -trend.low));
        }

        #[test]
        fn what_is_added_to_each_figure_by_the_day_is_added_to_the_slope(
            points in points(), more in 0_i64..50,
        ) {
            let Ok(trend) = fit(&points) else { return Ok(()) };
            let steeper: Vec<_> = points.iter().map(|p| Point { x: p.x, y: p.y + more * p.x }).collect();
            let found = fit(&steeper).unwrap();
            prop_assert!((found.slope - trend.slope - more as f64).abs() < 1e-3, "{found:?}");
        }
    }
}
