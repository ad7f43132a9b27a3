//! Exact decimals, as PostgreSQL writes them: no rounding ever decides a check.

use std::cmp::Ordering;
use std::fmt;

/// The longest text that is read as a number, in bytes.
const LONGEST: usize = 1100;

/// The largest exponent either way, above that of any double precision value.
const EXPONENT_MAX: usize = 400;

/// A finite decimal number, however long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Number {
    /// Never set for zero.
    negative: bool,
    /// Digits before the point, without leading zeros.
    whole: String,
    /// Digits behind it, without trailing zeros.
    fraction: String,
}

impl Number {
    /// Reads `-12`, `0.50` or `1.5e-07`; `None` for anything else, `NaN` and infinities
    /// included, and for more than 1,100 bytes.
    pub fn parse(text: &str) -> Option<Number> {
        if text.len() > LONGEST {
            return None;
        }
        let (negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() && fraction.is_empty() || !digits(whole) || !digits(fraction) {
            return None;
        }
        let (whole, fraction) = shift(whole, fraction, exponent)?;
        let whole = whole.trim_start_matches('0').to_owned();
        let fraction = fraction.trim_end_matches('0').to_owned();
        let zero = whole.is_empty() && fraction.is_empty();
        Some(Number { negative: negative && !zero, whole, fraction })
    }

    fn cmp_magnitude(&self, other: &Number) -> Ordering {
        self.whole
            .len()
            .cmp(&other.whole.len())
            .then_with(|| self.whole.cmp(&other.whole))
            .then_with(|| self.fraction.cmp(&other.fraction))
    }
}

/// Moves the point by the exponent.
fn shift(whole: &str, fraction: &str, exponent: &str) -> Option<(String, String)> {
    let (back, places) = match exponent.strip_prefix('-') {
        Some(places) => (true, places),
        None => (false, exponent.strip_prefix('+').unwrap_or(exponent)),
    };
    if places.is_empty() || !places.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let places: usize = places.parse().ok().filter(|places| *places <= EXPONENT_MAX)?;
    let padding = "0".repeat(places);
    if back {
        let padded = format!("{padding}{whole}");
        let (whole, moved) = padded.split_at_checked(padded.len().checked_sub(places)?)?;
        Some((whole.into(), format!("{moved}{fraction}")))
    } else {
        let padded = format!("{fraction}{padding}");
        let (moved, fraction) = padded.split_at_checked(places)?;
        Some((format!("{whole}{moved}"), fraction.into()))
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Number) -> Ordering {
        match (self.negative, other.negative) {
            (false, false) => self.cmp_magnitude(other),
            (true, true) => other.cmp_magnitude(self),
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
        }
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Number) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.negative { "-" } else { "" };
        let whole = if self.whole.is_empty() { "0" } else { &self.whole };
        let point = if self.fraction.is_empty() { "" } else { "." };
        write!(f, "{sign}{whole}{point}{}", self.fraction)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_ordered_exactly() {
        let rising = [
            "-1e+20",
            "-12.5",
            "-12.49",
            "-0.001",
            "0",
            "1e-300",
            "0.1",
            "0.11",
            "1",
            "9.99",
            "10",
            "9007199254740992",
            "9007199254740993",
            "1.5e+16",
            "123456789012345678901234567890.1",
            "123456789012345678901234567890.11",
            "1e308",
        ];
        let numbers: Vec<_> = rising.iter().map(|text| Number::parse(text).unwrap()).collect();
        for (index, number) in numbers.iter().enumerate() {
            for (other_index, other) in numbers.iter().enumerate() {
                assert_eq!(number.cmp(other), index.cmp(&other_index), "{number} and {other}");
            }
            assert_eq!(Number::parse(&number.to_string()).as_ref(), Some(number));
        }
    }

    #[test]
    fn one_number_has_one_form() {
        let table = [
            ("007.50", "7.5"),
            ("-0.0", "0"),
            ("+3", "3"),
            (".5", "0.5"),
            ("5.", "5"),
            ("1.5e-07", "0.00000015"),
            ("12.34e1", "123.4"),
            ("12.34E+3", "12340"),
            ("1e0", "1"),
        ];
        for (written, shown) in table {
            assert_eq!(Number::parse(written).unwrap().to_string(), shown, "{written}");
        }
    }

    #[test]
    fn what_is_not_a_finite_decimal_is_no_number() {
        for text in [
            "", "-", ".", "e5", "1e", "1e+", "1e401", "NaN", "Infinity", "inf", "0x10", "1 000", "1_000",
            "1,5", "--1", "+-1", "1e-+1", "1.2.3", "٣",
        ] {
            assert_eq!(Number::parse(text), None, "{text:?}");
        }
        assert_eq!(Number::parse(&"9".repeat(LONGEST + 1)), None);
    }
}
