//! When an objective would be broken, if everything went on as it did.

use jiff::Timestamp;

use crate::history::trend::{NoTrend, Trend};

/// How many times as far ahead as the figures reach back a line is believed.
const AHEAD: f64 = 10.0;

/// How far ahead at most: two years.
const AHEAD_MS: f64 = 2.0 * 365.0 * 86_400_000.0;

/// What a trend over time says of an objective.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outlook {
    /// Nothing may be told.
    Declined(NoTrend),
    /// It falls, and never comes there.
    Falling,
    /// It is above already.
    Broken,
    /// It rises, but does not come there as far ahead as the figures can tell.
    Later {
        /// Until when they can.
        horizon: Timestamp,
        /// When at the earliest, if that is before: by the steepest line that they allow.
        earliest: Option<Timestamp>,
    },
    /// It comes there.
    Breach {
        /// When, by the line itself.
        at: Timestamp,
        /// When at the earliest: by the steepest line that the figures allow.
        earliest: Timestamp,
        /// When at the latest; none if that is further ahead than the figures can tell.
        latest: Option<Timestamp>,
    },
}

/// When the line of a figure over moments rises above `limit`.
///
/// The range is that of the line, not of the figures: single ones above it come earlier.
pub fn outlook(trend: Result<Trend, NoTrend>, limit: i64) -> Outlook {
    let trend = match trend.and_then(Trend::clear) {
        Ok(trend) => trend,
        Err(why) => return Outlook::Declined(why),
    };
    let last = trend.ends.1;
    if trend.at(last) > limit as f64 {
        return Outlook::Broken;
    }
    if trend.slope <= 0.0 {
        return Outlook::Falling;
    }
    let horizon = last as f64 + (trend.length() * AHEAD).min(AHEAD_MS);
    let reached = |slope: f64| {
        let x = trend.reaches(limit, slope)?.max(last as f64);
        moment(x).filter(|_| x <= horizon)
    };
    match (reached(trend.slope), reached(trend.high)) {
        (Some(at), Some(earliest)) => Outlook::Breach { at, earliest, latest: reached(trend.low) },
        (_, earliest) => match moment(horizon) {
            Some(horizon) => Outlook::Later { horizon, earliest },
            None => Outlook::Declined(NoTrend::Unclear),
        },
    }
}

/// The moment of so many milliseconds.
fn moment(millis: f64) -> Option<Timestamp> {
    Timestamp::from_millisecond(millis as i64).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::trend::{Point, Unfit, fit};
    use proptest::prelude::*;

    const DAY: i64 = 86_400_000;

    fn over(figures: impl IntoIterator<Item = i64>) -> Result<Trend, NoTrend> {
        let points = figures.into_iter().zip(0..).map(|(y, day)| Point { x: day * DAY, y });
        fit(&points.collect::<Vec<_>>()).map_err(NoTrend::Unfit)
    }

    fn day(moment: Timestamp) -> i64 {
        moment.as_millisecond() / DAY
    }

    #[test]
    fn a_straight_line_is_followed_to_the_objective() {
        let trend = over((0..10).map(|day| 100 + day * 10));
        let Outlook::Breach { at, earliest, latest } = outlook(trend, 400) else { panic!("{trend:?}") };
        assert_eq!((day(at), day(earliest), latest.map(day)), (30, 30, Some(30)));
    }

    #[test]
    fn each_thing_that_can_be_said_is_said() {
        let rising = || over((0..10).map(|day| 100 + day * 10));
        let noisy = |slope: i64| over((0..20).map(|day| 100 + day * slope + day * 7919 % 11));
        assert_eq!(outlook(rising(), 150), Outlook::Broken);
        assert_eq!(outlook(over((0..10).map(|day| 200 - day)), 300), Outlook::Falling);
        assert!(
            matches!(outlook(rising(), 10_000), Outlook::Later { horizon, earliest: None } if day(horizon) == 99)
        );
        let few = Outlook::Declined(NoTrend::Unfit(Unfit::TooFew { points: 4 }));
        assert_eq!(outlook(over(0..4), 300), few);
        assert_eq!(outlook(over([7; 12]), 300), Outlook::Declined(NoTrend::Unclear));
        let Outlook::Breach { at, earliest, latest } = outlook(noisy(3), 250) else { panic!() };
        assert!(earliest < at && latest.is_none_or(|latest| at < latest), "{earliest} {at} {latest:?}");
    }

    proptest! {
        #[test]
        fn a_looser_objective_is_never_broken_earlier(
            figures in prop::collection::vec(0_i64..1000, 8..40),
            slope in 0_i64..200, limit in 0_i64..20_000, more in 0_i64..20_000,
        ) {
            let trend = over(figures.iter().zip(0..).map(|(noise, day)| noise + day * slope));
            let when = |outlook| match outlook {
                Outlook::Broken => Some(Timestamp::MIN),
                Outlook::Breach { at, earliest, latest } => {
                    assert!(earliest <= at && latest.is_none_or(|latest| at <= latest));
                    Some(at)
                }
                Outlook::Later { .. } | Outlook::Falling => Some(Timestamp::MAX),
                Outlook::Declined(_) => None,
            };
            let (tight, loose) = (when(outlook(trend, limit)), when(outlook(trend, limit + more)));
            prop_assert!(tight <= loose, "{:?} {:?}", tight, loose);
        }
    }
}
