//! Durations as people write them: `90s`, `15m`, `1h30m`, `1d`, `2w`. A unit is always given.

use std::time::Duration;

use crate::plan::fault::{Complaint, shortened};

/// Units by falling size, in seconds. No months or years: they have no fixed length.
const UNITS: [(char, u64); 5] = [('w', 7 * 86_400), ('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

/// The longest duration a plan may write: ten years of 365 days.
pub const LONGEST: Duration = Duration::from_secs(10 * 365 * 86_400);

/// Reads a duration: whole numbers, each with its unit, the units falling, nothing between.
///
/// # Errors
/// What is wrong with the text, and what to write instead.
pub fn parse(text: &str) -> Result<Duration, Complaint> {
    if text.is_empty() {
        return Err(Complaint::new("it is empty", "write '15m' or '1h30m'"));
    }
    if text.len() <= 12 && text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(unitless(text));
    }
    let mut seconds: u64 = 0;
    let mut units = UNITS.iter();
    let mut rest = text;
    while !rest.is_empty() {
        let (number, letter, tail) = first_term(rest).ok_or_else(|| malformed(text))?;
        let (_, unit) = units.find(|(name, _)| *name == letter).ok_or_else(|| malformed(text))?;
        seconds = number
            .checked_mul(*unit)
            .and_then(|part| seconds.checked_add(part))
            .filter(|sum| *sum <= LONGEST.as_secs())
            .ok_or_else(|| Complaint::new("it is longer than ten years", "write a shorter one"))?;
        rest = tail;
    }
    match seconds {
        0 => {
            Err(Complaint::new(format!("'{}' is no time at all", shortened(text)), "write '15m' or '1h30m'"))
        }
        _ => Ok(Duration::from_secs(seconds)),
    }
}

/// `1h30m` is `1`, `h` and `30m`.
fn first_term(text: &str) -> Option<(u64, char, &str)> {
    let (number, tail) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let mut letters = tail.chars();
    let letter = letters.next()?;
    Some((number.parse().ok()?, letter, letters.as_str()))
}

/// The text that [`parse`] reads back as the same duration, parts of a second cut off.
pub fn text(duration: Duration) -> String {
    let mut left = duration.as_secs();
    let mut text = String::new();
    // weeks are read but not written: '30d' says more than '4w2d'
    for (name, unit) in UNITS.iter().skip(1) {
        let count = left / unit;
        left %= unit;
        if count > 0 {
            text.push_str(&format!("{count}{name}"));
        }
    }
    if text.is_empty() { "0s".into() } else { text }
}

fn unitless(text: &str) -> Complaint {
    let remedy = match text.parse::<u64>().ok().filter(|n| *n > 60) {
        Some(n) if n % 60 > 0 => format!("write '{text}m' or '{}h{}m'", n / 60, n % 60),
        Some(n) => format!("write '{text}m' or '{}h'", n / 60),
        None => format!("write '{text}m', or '{text}h', or '{text}d'"),
    };
    Complaint::new(format!("'{text}' has no unit"), remedy)
}

fn malformed(text: &str) -> Complaint {
    Complaint::new(
        format!("'{}' is not a duration", shortened(text)),
        "write whole numbers with w, d, h, m or s, as in '1h30m'",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written_back() {
        let table = [
            ("90s", 90, "1m30s"),
            ("15m", 900, "15m"),
            ("90m", 5_400, "1h30m"),
            ("1h30m", 5_400, "1h30m"),
            ("1d", 86_400, "1d"),
            ("2w", 1_209_600, "14d"),
            ("1w2d3h4m5s", 788_645, "9d3h4m5s"),
            ("3650d", 315_360_000, "3650d"),
        ];
        for (written, seconds, shown) in table {
            let duration = parse(written).unwrap();
            assert_eq!(duration, Duration::from_secs(seconds), "{written}");
            assert_eq!(text(duration), shown);
            assert_eq!(parse(shown), Ok(duration), "{shown} reads back");
        }
        assert_eq!(text(Duration::ZERO), "0s");
    }

    #[test]
    fn a_wrong_duration_says_what_to_write() {
        let table = [
            ("90", "'90' has no unit; write '90m' or '1h30m'"),
            ("120", "'120' has no unit; write '120m' or '2h'"),
            ("5", "'5' has no unit; write '5m', or '5h', or '5d'"),
            ("", "it is empty; write '15m' or '1h30m'"),
            ("0s", "'0s' is no time at all; write '15m' or '1h30m'"),
            ("0d0h", "'0d0h' is no time at all; write '15m' or '1h30m'"),
            ("3651d", "it is longer than ten years; write a shorter one"),
            ("99999999999999999w", "it is longer than ten years; write a shorter one"),
        ];
        for (written, message) in table {
            assert_eq!(parse(written).unwrap_err().to_string(), message, "{written:?}");
        }
        for written in [
            "1mo",
            "1y",
            "m",
            "1.5h",
            "-1h",
            "1 h",
            " 1h",
            "1h ",
            "30m1h",
            "1h1h",
            "1h30",
            "1H",
            "½h",
            "1ms",
            "PT1H",
            "99999999999999999999999d",
        ] {
            let error = parse(written).unwrap_err().to_string();
            assert!(error.contains("is not a duration; write whole numbers"), "{written:?}: {error}");
        }
    }
}
