//! Sizes as people write them: `64KiB`, `8MiB`, `1GiB`. A unit is always given.

use crate::plan::fault::{Complaint, shortened};

/// Units by falling size.
const UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];

/// Reads a size: one whole number above zero with its unit.
///
/// # Errors
/// What is wrong with the text, and what to write instead.
pub fn parse(text: &str) -> Result<u64, Complaint> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    if unit.is_empty() && !number.is_empty() {
        return Err(Complaint::new(format!("'{}' has no unit", shortened(text)), "write '8MiB'"));
    }
    if let Some(letter) = unit.strip_suffix('B').filter(|letter| ["K", "k", "M", "G"].contains(letter)) {
        let right = format!("write '{}{}iB'", shortened(number), letter.to_uppercase());
        return Err(Complaint::new(format!("'{}' is not a binary unit", shortened(unit)), right));
    }
    let factor = UNITS.iter().find(|(name, _)| *name == unit).map(|(_, factor)| *factor);
    let number = number.parse::<u64>().ok().filter(|number| *number > 0);
    number.zip(factor).and_then(|(number, factor)| number.checked_mul(factor)).ok_or_else(|| {
        Complaint::new(
            format!("'{}' is not a size", shortened(text)),
            "write one whole number with KiB, MiB or GiB, as in '8MiB'",
        )
    })
}

/// The text that [`parse`] reads back as the same size; parts of a KiB are cut off.
pub fn text(bytes: u64) -> String {
    let fits = |factor: &u64| bytes > 0 && bytes.is_multiple_of(*factor);
    let (unit, factor) = UNITS.into_iter().find(|(_, factor)| fits(factor)).unwrap_or(("KiB", 1 << 10));
    format!("{}{unit}", bytes / factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_written_back() {
        let table = [
            ("64KiB", 65_536, "64KiB"),
            ("1024KiB", 1 << 20, "1MiB"),
            ("8MiB", 8 << 20, "8MiB"),
            ("1GiB", 1 << 30, "1GiB"),
        ];
        for (written, bytes, shown) in table {
            assert_eq!(parse(written), Ok(bytes));
            assert_eq!(text(bytes), shown);
        }
    }

    #[test]
    fn a_wrong_size_says_what_to_write() {
        let table = [
            ("8", "'8' has no unit; write '8MiB'"),
            ("8MB", "'MB' is not a binary unit; write '8MiB'"),
            ("8kB", "'kB' is not a binary unit; write '8KiB'"),
            ("", "'' is not a size; write one whole number"),
            ("MiB", "'MiB' is not a size; write one whole number"),
            ("0MiB", "'0MiB' is not a size; write one whole number"),
            ("-8MiB", "'-8MiB' is not a size"),
            ("8 MiB", "'8 MiB' is not a size"),
            ("1.5MiB", "'1.5MiB' is not a size"),
            ("99999999999999999999GiB", "'99999999999999999999GiB' is not a size"),
            ("18446744073709551615GiB", "'18446744073709551615GiB' is not a size"),
        ];
        for (written, message) in table {
            let error = parse(written).unwrap_err().to_string();
            assert!(error.starts_with(message), "{written:?}: {error}");
        }
    }
}
