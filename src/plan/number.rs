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

    /// So many percent of this number, exactly.
    pub fn percent(&self, percent: &Number) -> Number {
        let digits = product(&self.digits(), &percent.digits());
        let places = self.fraction.len().saturating_add(percent.fraction.len()).saturating_add(2);
        Number::of_digits(self.negative != percent.negative, &digits, places)
    }

    /// The sum of two numbers, exactly.
    pub fn plus(&self, other: &Number) -> Number {
        let places = self.fraction.len().max(other.fraction.len());
        let aligned = |number: &Number| {
            let zeros = places.saturating_sub(number.fraction.len());
            [number.digits(), vec![0; zeros]].concat()
        };
        let (mine, theirs) = (aligned(self), aligned(other));
        match (self.negative == other.negative, self.cmp_magnitude(other)) {
            (true, _) => Number::of_digits(self.negative, &sum(&mine, &theirs), places),
            (false, Ordering::Less) => Number::of_digits(other.negative, &difference(&theirs, &mine), places),
            (false, _) => Number::of_digits(self.negative, &difference(&mine, &theirs), places),
        }
    }

    /// The number with the other sign.
    pub fn negated(&self) -> Number {
        Number { negative: !self.negative && !self.is_zero(), ..self.clone() }
    }

    /// The number without its sign.
    pub fn magnitude(&self) -> Number {
        Number { negative: false, ..self.clone() }
    }

    /// Whether it is below zero.
    pub fn is_negative(&self) -> bool {
        self.negative
    }

    fn is_zero(&self) -> bool {
        self.whole.is_empty() && self.fraction.is_empty()
    }

    /// Its digits without the point, each from 0 to 9, the greatest first.
    fn digits(&self) -> Vec<u8> {
        self.whole.bytes().chain(self.fraction.bytes()).map(|digit| digit.saturating_sub(b'0')).collect()
    }

    /// The number of these digits, with so many of them behind the point.
    fn of_digits(negative: bool, digits: &[u8], places: usize) -> Number {
        let padding = places.saturating_sub(digits.len());
        let text: String = std::iter::repeat_n(0, padding)
            .chain(digits.iter().copied())
            .map(|digit| char::from(b'0' + digit % 10))
            .collect();
        let (whole, fraction) = text.split_at(text.len().saturating_sub(places));
        let whole = whole.trim_start_matches('0').to_owned();
        let fraction = fraction.trim_end_matches('0').to_owned();
        let zero = whole.is_empty() && fraction.is_empty();
        Number { negative: negative && !zero, whole, fraction }
    }

    fn cmp_magnitude(&self, other: &Number) -> Ordering {
        self.whole
            .len()
            .cmp(&other.whole.len())
            .then_with(|| self.whole.cmp(&other.whole))
            .then_with(|| self.fraction.cmp(&other.fraction))
    }
}

/// The product of two numbers by their digits, the greatest first.
fn product(left: &[u8], right: &[u8]) -> Vec<u8> {
    // The least digit first, with room for what is carried; no sum of 1,500 products of digits
    // comes near the end of this type.
    let mut columns = vec![0_u32; left.len().saturating_add(right.len())];
    for (at, digit) in left.iter().rev().enumerate() {
        for (column, other) in columns.iter_mut().skip(at).zip(right.iter().rev()) {
            *column = column.saturating_add(u32::from(*digit) * u32::from(*other));
        }
    }
    carried(columns)
}

/// The sum of as many digits on both sides.
fn sum(left: &[u8], right: &[u8]) -> Vec<u8> {
    let mut columns: Vec<u32> = vec![0; left.len().max(right.len()).saturating_add(1)];
    for digits in [left, right] {
        columns.iter_mut().zip(digits.iter().rev()).for_each(|(column, digit)| *column += u32::from(*digit));
    }
    carried(columns)
}

fn carried(columns: Vec<u32>) -> Vec<u8> {
    let mut carry = 0_u32;
    let mut digits = Vec::with_capacity(columns.len());
    for column in columns {
        let all = column.saturating_add(carry);
        digits.push((all % 10) as u8);
        carry = all / 10;
    }
    digits.reverse();
    digits
}

/// The difference of digits, of which the left are not the smaller number.
fn difference(left: &[u8], right: &[u8]) -> Vec<u8> {
    let mut borrow = 0_u8;
    let mut digits = Vec::with_capacity(left.len());
    let taken = right.iter().rev().copied().chain(std::iter::repeat(0));
    for (digit, take) in left.iter().rev().zip(taken) {
        let take = take + borrow;
        borrow = u8::from(*digit < take);
        digits.push((digit + borrow * 10).saturating_sub(take));
    }
    digits.reverse();
    digits
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

impl From<u64> for Number {
    fn from(whole: u64) -> Number {
        let text = whole.to_string();
        Number { negative: false, whole: text.trim_start_matches('0').to_owned(), fraction: String::new() }
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
    fn sums_and_shares_are_exact() {
        let number = |text: &str| Number::parse(text).unwrap();
        let sums = [
            ("1", "2", "3"),
            ("999.5", "0.5", "1000"),
            ("1", "-1", "0"),
            ("-2.5", "1", "-1.5"),
            ("1", "-2.5", "-1.5"),
            ("-1", "-2.05", "-3.05"),
            ("1000", "-0.001", "999.999"),
            ("0", "-7", "-7"),
            ("123456789012345678901234567890", "0.1", "123456789012345678901234567890.1"),
        ];
        for (left, right, sum) in sums {
            assert_eq!(number(left).plus(&number(right)).to_string(), sum, "{left} + {right}");
            assert_eq!(number(right).plus(&number(left)).to_string(), sum, "{right} + {left}");
        }
        let shares = [
            ("1000", "5", "50"),
            ("1", "0.5", "0.005"),
            ("-200", "50", "-100"),
            ("0", "50", "0"),
            ("333", "33.3", "110.889"),
            ("9007199254740993", "100", "9007199254740993"),
        ];
        for (of, percent, share) in shares {
            assert_eq!(number(of).percent(&number(percent)).to_string(), share, "{percent}% of {of}");
        }
        let long = number(&"9".repeat(1000));
        assert_eq!(long.percent(&number("100")), long);
        assert_eq!(long.plus(&long.negated()).to_string(), "0");
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
