//! Days and moments on the command line.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

/// The beginning of a period: a day's first moment, in UTC, or the moment that is named.
pub fn beginning(text: &str) -> Result<Timestamp, String> {
    moment(text, Some)
}

/// The end of a period: a day's last moment, in UTC, or the moment that is named.
pub fn end(text: &str) -> Result<Timestamp, String> {
    moment(text, |day| day.checked_add(1.day()).ok())
}

fn moment(text: &str, of_day: impl FnOnce(Date) -> Option<Date>) -> Result<Timestamp, String> {
    let day = || {
        let day = of_day(text.parse().ok()?)?;
        Some(day.to_zoned(TimeZone::UTC).ok()?.timestamp())
    };
    // A date alone is a day, and never read as a moment of another kind.
    let found = if text.len() == 10 { day() } else { text.parse().ok() };
    found.ok_or_else(|| "write a day such as 2026-11-01, or a moment such as 2026-11-01T06:00:00Z".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_with_its_first_moment_and_ends_with_its_last() {
        let moment = |text: &str| text.parse::<Timestamp>().unwrap();
        assert_eq!(beginning("2026-11-01"), Ok(moment("2026-11-01T00:00:00Z")));
        assert_eq!(end("2026-11-30"), Ok(moment("2026-12-01T00:00:00Z")));
        for either in [beginning, end] {
            assert_eq!(either("2026-11-01T06:00:00+01:00"), Ok(moment("2026-11-01T05:00:00Z")));
            for bad in ["", "yesterday", "2026-13-01", "20261101", "2026-11-01T06:00"] {
                either(bad).unwrap_err();
            }
        }
    }
}
