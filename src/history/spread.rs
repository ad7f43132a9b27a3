//! How figures of several drills spread: percentiles by nearest rank, in which a drill that
//! gave no figure counts as worse than any that did.

/// From how many drills on a 95th percentile says more than the worst of them.
pub const P95_DRILLS_MIN: u64 = 20;

/// Which figure is the worse of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Worse {
    /// The larger one, as for times.
    Larger,
    /// The smaller one, as for rates.
    Smaller,
}

/// Where a percentile falls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// On this figure.
    On(i64),
    /// On a drill that gave none: there is no bound.
    Unbounded,
}

/// The spread of a figure over drills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spread {
    /// Drills that are counted.
    pub drills: u64,
    /// Those of them that gave no figure.
    pub censored: u64,
    /// Half of the drills were at least as good.
    pub p50: Place,
    /// 19 of 20 drills were; only from [`P95_DRILLS_MIN`] drills on.
    pub p95: Option<Place>,
    /// All drills were.
    pub worst: Place,
}

/// The spread of the figures of some drills, and of `censored` more that gave none; nothing
/// over no drill at all.
pub fn spread(figures: &[i64], censored: u64, worse: Worse) -> Option<Spread> {
    let mut known = figures.to_vec();
    known.sort_unstable();
    if worse == Worse::Smaller {
        known.reverse();
    }
    let drills = censored.saturating_add(known.len() as u64);
    let place = |percent: u64| {
        let rank = u128::from(percent).saturating_mul(u128::from(drills)).div_ceil(100).max(1);
        let place = usize::try_from(rank.saturating_sub(1)).ok();
        place.and_then(|place| known.get(place)).map_or(Place::Unbounded, |figure| Place::On(*figure))
    };
    (drills > 0).then(|| Spread {
        drills,
        censored,
        p50: place(50),
        p95: (drills >= P95_DRILLS_MIN).then(|| place(95)),
        worst: place(100),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn worth(place: Place) -> i64 {
        match place {
            Place::On(figure) => figure,
            Place::Unbounded => i64::MAX,
        }
    }

    /// The spread of one figure a drill, `None` where it gave none.
    fn over(figures: &[Option<i64>], worse: Worse) -> Option<Spread> {
        let known: Vec<i64> = figures.iter().copied().flatten().collect();
        spread(&known, (figures.len() - known.len()) as u64, worse)
    }

    #[test]
    fn percentiles_are_figures_that_occurred() {
        use Place::{On, Unbounded};
        let to = |n: i64| (1..=n).map(Some).collect::<Vec<_>>();
        let table = [
            ("one drill", to(1), On(1), None, On(1)),
            ("two drills", to(2), On(1), None, On(2)),
            ("three drills", to(3), On(2), None, On(3)),
            ("nineteen drills", to(19), On(10), None, On(19)),
            ("twenty drills", to(20), On(10), Some(On(19)), On(20)),
            ("a hundred drills", to(100), On(50), Some(On(95)), On(100)),
            ("one without", [to(6), vec![None]].concat(), On(4), None, Unbounded),
            ("most without", vec![Some(1), None, None], Unbounded, None, Unbounded),
            ("p95 without", [to(18), vec![None; 2]].concat(), On(10), Some(Unbounded), Unbounded),
            ("p95 with", [to(19), vec![None]].concat(), On(10), Some(On(19)), Unbounded),
        ];
        for (name, figures, p50, p95, worst) in table {
            let found = over(&figures, Worse::Larger).unwrap();
            assert_eq!((found.p50, found.p95, found.worst), (p50, p95, worst), "{name}");
            assert_eq!(found.drills, figures.len() as u64);
            assert_eq!(found.censored, figures.iter().filter(|figure| figure.is_none()).count() as u64);
        }
        assert_eq!(over(&[], Worse::Larger), None);
        let hostile = spread(&[1], u64::MAX, Worse::Larger).unwrap();
        assert_eq!((hostile.drills, hostile.p50), (u64::MAX, Unbounded));
    }

    #[test]
    fn of_rates_the_smaller_is_the_worse() {
        let rates: Vec<_> = (1..=20).map(Some).collect();
        let found = over(&rates, Worse::Smaller).unwrap();
        assert_eq!((found.p50, found.p95, found.worst), (Place::On(11), Some(Place::On(2)), Place::On(1)));
        let halted = over(&[Some(5), None], Worse::Smaller).unwrap();
        assert_eq!((halted.p50, halted.worst), (Place::On(5), Place::Unbounded));
    }

    proptest! {
        #[test]
        fn the_order_of_drills_does_not_matter(
            (figures, shuffled) in prop::collection::vec(prop::option::of(-1000_i64..1000), 1..60)
                .prop_flat_map(|figures| (Just(figures.clone()), Just(figures).prop_shuffle())),
        ) {
            for worse in [Worse::Larger, Worse::Smaller] {
                prop_assert_eq!(over(&figures, worse), over(&shuffled, worse));
            }
        }

        #[test]
        fn a_worse_drill_never_makes_a_better_spread(
            figures in prop::collection::vec(prop::option::of(0_i64..1000), 1..60),
            at in any::<prop::sample::Index>(),
            by in prop::option::of(0_i64..1000),
        ) {
            let mut worse = figures.clone();
            let changed = &mut worse[at.index(figures.len())];
            *changed = changed.zip(by).map(|(figure, by)| figure + by);
            let before = over(&figures, Worse::Larger).unwrap();
            let after = over(&worse, Worse::Larger).unwrap();
            prop_assert!(worth(after.p50) >= worth(before.p50));
            prop_assert!(worth(after.worst) >= worth(before.worst));
            prop_assert_eq!(after.p95.is_some(), before.p95.is_some());
            prop_assert!(after.p95.map(worth) >= before.p95.map(worth));
            prop_assert!(worth(after.p50) <= after.p95.map_or(i64::MAX, worth));
            prop_assert!(after.p95.map_or(i64::MIN, worth) <= worth(after.worst));
        }
    }
}
