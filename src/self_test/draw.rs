//! Chance that can be had again: the same seed draws the same.

use crate::digest::Digest;

/// Draws by a seed.
#[derive(Clone, Copy, Debug)]
pub struct Draw(u32);

impl Draw {
    /// Draws by that seed.
    pub fn by(seed: u32) -> Draw {
        Draw(seed)
    }

    /// A number from 0 to below `end`, for the purpose `what`; 0 where there is none below it.
    pub fn number(self, what: &str, end: u64) -> u64 {
        let digits = self.digits(what);
        let drawn = digits.get(..16).and_then(|digits| u64::from_str_radix(digits, 16).ok());
        drawn.unwrap_or(0).checked_rem(end).unwrap_or(0)
    }

    /// The items in a drawn order, which does not depend on how they stood before.
    pub fn shuffled<T>(self, what: &str, mut items: Vec<T>, name: impl Fn(&T) -> String) -> Vec<T> {
        items.sort_by_cached_key(|item| self.digits(&format!("{what}/{}", name(item))));
        items
    }

    fn digits(self, what: &str) -> String {
        Digest::of(format!("{}/{what}", self.0).as_bytes()).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_draws_the_same_and_another_one_something_else() {
        let numbers =
            |seed| (0..20).map(|n| Draw::by(seed).number(&n.to_string(), 1_000)).collect::<Vec<_>>();
        assert_eq!(numbers(7), numbers(7));
        assert_ne!(numbers(7), numbers(8));
        assert!(numbers(7).iter().all(|number| *number < 1_000));
        assert_eq!(Draw::by(7).number("x", 0), 0);
        let shuffled = |items: Vec<u32>| Draw::by(7).shuffled("y", items, u32::to_string);
        assert_eq!(shuffled((0..9).collect()), shuffled((0..9).rev().collect()));
        assert_ne!(shuffled((0..9).collect()), (0..9).collect::<Vec<_>>());
    }
}
