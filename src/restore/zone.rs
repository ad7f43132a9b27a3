//! The time zone of the session that dumped: recorded nowhere, yet half of every
//! timestamptz is written in it. It is inferred from the values themselves.

use std::collections::HashMap;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};

/// More hours than a dozen years of them are not remembered.
const SAMPLES_MAX: usize = 100_000;
/// `2026-11-20 02`
const HOUR_BYTES: usize = 13;
/// `2026-11-20 02:30:00`
const SECOND_BYTES: usize = 19;
/// `+00:53:28`
const OFFSET_BYTES_MAX: usize = 9;

/// An hour as a clock on the wall shows it, and its offset: `2026-11-20 02`, `+01`, zeros.
type Hour = [u8; HOUR_BYTES + OFFSET_BYTES_MAX];

/// What values say about the zone they were written in.
#[derive(Clone, Debug, Default)]
pub struct ZoneSamples {
    /// The minute of one value for each hour that occurs.
    minutes: HashMap<Hour, [u8; 2]>,
}

impl ZoneSamples {
    /// Takes a value as COPY text: `2026-11-20 02:30:00.1+01`. Anything else says nothing.
    pub fn take(&mut self, value: &[u8]) {
        if let Some((hour, minute)) = sample(value)
            && self.minutes.len() < SAMPLES_MAX
        {
            self.minutes.entry(hour).or_insert(minute);
        }
    }

    /// Takes every value that stands inside of another one: in an array, a range, a row.
    pub fn take_inside(&mut self, value: &[u8]) {
        let mut rest = value;
        while let Some(dash) = memchr::memchr(b'-', rest) {
            let (before, after) = rest.split_at(dash);
            let year = before.len().checked_sub(4).and_then(|start| rest.get(start..));
            let apart = before.iter().rev().nth(4).is_none_or(|byte| !byte.is_ascii_digit());
            if let Some(moment) = year.filter(|_| apart).and_then(moment_at_the_start) {
                self.take(moment);
            }
            rest = after.get(1..).unwrap_or_default();
        }
    }

    /// Adds what other values said.
    pub fn merge(&mut self, other: &ZoneSamples) {
        for (hour, minute) in &other.minutes {
            if self.minutes.len() >= SAMPLES_MAX {
                break;
            }
            self.minutes.entry(*hour).or_insert(*minute);
        }
    }

    /// Whether no value said anything.
    pub fn is_empty(&self) -> bool {
        self.minutes.is_empty()
    }

    /// Zones in which every value reads as it was written, the likeliest first. `declared` is
    /// the zone that the database's own settings name.
    pub fn candidates(&self, declared: Option<&str>, candidates_max: usize) -> Vec<String> {
        let samples: Vec<(i64, i32)> =
            self.minutes.iter().filter_map(|(hour, minute)| instant(hour, *minute)).collect();
        let fits = |name: &str| {
            let zone = TimeZone::get(name);
            zone.is_ok_and(|zone| samples.iter().all(|(at, east)| offset_at(&zone, *at) == Some(*east)))
        };
        let known = jiff::tz::db().available().map(|name| name.to_string());
        let first = declared.map(str::to_owned).into_iter().chain(["UTC".to_owned()]);
        // Where nothing was said, one name is as good as another.
        let others = known.filter(|_| !samples.is_empty());
        let mut zones: Vec<String> = Vec::new();
        for name in first.chain(others) {
            if zones.len() < candidates_max && !zones.contains(&name) && fits(&name) {
                zones.push(name);
            }
        }
        if let Some((_, east)) = samples.first()
            && zones.is_empty()
            && samples.iter().all(|(_, other)| other == east)
        {
            zones.push(unnamed(*east));
        }
        zones
    }
}

/// A zone of one offset in the words of POSIX, which count westwards.
fn unnamed(east: i32) -> String {
    let sign = if east < 0 { '+' } else { '-' };
    let seconds = east.unsigned_abs();
    format!("<fixed>{sign}{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

fn offset_at(zone: &TimeZone, seconds: i64) -> Option<i32> {
    Some(zone.to_offset(Timestamp::from_second(seconds).ok()?).seconds())
}

/// The moment that `text` begins with, up to its offset.
fn moment_at_the_start(text: &[u8]) -> Option<&[u8]> {
    let sign = offset_of(text)?;
    let offset = text.get(sign + 1..)?;
    let end = offset.iter().position(|byte| !byte.is_ascii_digit() && *byte != b':').unwrap_or(offset.len());
    let (moment, after) = text.split_at_checked(sign + 1 + end)?;
    // Of the time before Christ only the plain values are told.
    (!after.starts_with(b" BC")).then_some(moment)
}

/// Where the sign of the offset stands, if `text` begins with `2026-11-20 02:30:00`, with or
/// without a fraction.
fn offset_of(text: &[u8]) -> Option<usize> {
    let marks = [(4, b'-'), (7, b'-'), (10, b' '), (13, b':'), (16, b':')];
    let second = text.get(..SECOND_BYTES)?;
    let shaped = second.iter().enumerate().all(|(at, byte)| match marks.iter().find(|mark| mark.0 == at) {
        Some((_, mark)) => byte == mark,
        None => byte.is_ascii_digit(),
    });
    let rest = text.get(SECOND_BYTES..).filter(|_| shaped)?;
    let sign = rest.iter().position(|byte| !byte.is_ascii_digit() && *byte != b'.')?;
    rest.get(sign).is_some_and(|byte| matches!(byte, b'+' | b'-')).then_some(SECOND_BYTES + sign)
}

/// The hour of a value, and its minute.
fn sample(value: &[u8]) -> Option<(Hour, [u8; 2])> {
    // Before the first railways every zone keeps the sun's time, however early.
    let (value, early) = match value.strip_suffix(b" BC") {
        Some(value) => (value, true),
        None => (value, false),
    };
    let offset = value.get(offset_of(value)?..).filter(|offset| offset.len() <= OFFSET_BYTES_MAX)?;
    let mut hour: Hour = [0; HOUR_BYTES + OFFSET_BYTES_MAX];
    hour.get_mut(..HOUR_BYTES)?.copy_from_slice(value.get(..HOUR_BYTES)?);
    if early {
        hour.get_mut(..4)?.copy_from_slice(b"0001");
    }
    hour.get_mut(HOUR_BYTES..HOUR_BYTES + offset.len())?.copy_from_slice(offset);
    Some((hour, value.get(14..16)?.try_into().ok()?))
}

/// The instant (Unix seconds) and the offset (seconds east) of a sample.
fn instant(hour: &Hour, minute: [u8; 2]) -> Option<(i64, i32)> {
    let (civil, offset) = hour.split_at_checked(HOUR_BYTES)?;
    let (civil, minute) = (std::str::from_utf8(civil).ok()?, std::str::from_utf8(&minute).ok()?.to_owned());
    let civil: DateTime = format!("{civil}:{minute}:00").parse().ok()?;
    let offset = std::str::from_utf8(offset).ok()?.trim_end_matches('\0');
    let mut parts = offset.get(1..)?.split(':').map(|part| part.parse::<i32>().ok());
    let hours = parts.next()??;
    let minutes = parts.next().unwrap_or(Some(0))?;
    let seconds = parts.next().unwrap_or(Some(0))?;
    let east = hours.checked_mul(3600)?.checked_add(minutes.checked_mul(60)?)?.checked_add(seconds)?;
    let east = if offset.starts_with('-') { -east } else { east };
    let instant = Offset::from_seconds(east).ok()?.to_timestamp(civil).ok()?;
    Some((instant.as_second(), east))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(values: &[&str]) -> ZoneSamples {
        let mut samples = ZoneSamples::default();
        for value in values {
            samples.take(value.as_bytes());
        }
        samples
    }

    fn inside(value: &str) -> ZoneSamples {
        let mut samples = ZoneSamples::default();
        samples.take_inside(value.as_bytes());
        samples
    }

    #[test]
    fn the_zone_is_read_off_the_values() {
        let table: &[(&[&str], Option<&str>, &str)] = &[
            (&["2026-01-01 00:00:00+00", "2026-07-01 00:00:00+00"], None, "UTC"),
            (&["2026-01-01 00:00:00+01", "2026-07-01 00:00:00+02"], Some("Europe/Berlin"), "Europe/Berlin"),
            (&["2026-01-01 00:00:00+05:30"], Some("Asia/Kolkata"), "Asia/Kolkata"),
            (
                &["2026-01-01 00:00:00.25+00", "2026-07-01 00:00:00+01"],
                Some("Europe/London"),
                "Europe/London",
            ),
            (&["0044-03-15 12:00:00+00:53:28 BC"], Some("Europe/Berlin"), "Europe/Berlin"),
            (&["2026-01-01 00:00:00+03:15", "2026-07-01 00:00:00+03:15"], None, "<fixed>-03:15:00"),
            (&["2026-01-01 00:00:00-03:15"], None, "<fixed>+03:15:00"),
            (&[], None, "UTC"),
            (&[], Some("Asia/Tokyo"), "Asia/Tokyo"),
            (&["infinity", "\\N", "junk", "2026-01-01", "12026-01-01 00:00:00+09"], None, "UTC"),
        ];
        for (values, declared, zone) in table {
            let found = samples(values).candidates(*declared, 3);
            assert_eq!(found.first().map(String::as_str), Some(*zone), "{values:?}");
        }
    }

    #[test]
    fn a_declared_zone_that_does_not_fit_the_values_is_not_believed() {
        let found = samples(&["2026-01-01 00:00:00+09"]).candidates(Some("Europe/Berlin"), 50);
        assert!(found.contains(&"Asia/Tokyo".to_owned()), "{found:?}");
        assert!(!found.contains(&"Europe/Berlin".to_owned()));
    }

    #[test]
    fn winter_and_summer_together_tell_more_than_either() {
        let zones = |samples: &ZoneSamples| samples.candidates(None, 1000);
        let (berlin, lagos) = ("Europe/Berlin".to_owned(), "Africa/Lagos".to_owned());
        let winter = samples(&["2026-01-01 00:00:00+01"]);
        assert!(zones(&winter).contains(&berlin) && zones(&winter).contains(&lagos));
        let mut both = winter.clone();
        both.merge(&samples(&["2026-07-01 00:00:00+01"]));
        assert!(!zones(&both).contains(&berlin) && zones(&both).contains(&lagos));
    }

    #[test]
    fn values_at_zero_count_beside_others() {
        // All of the winter's values come first, and look like UTC.
        let london = samples(&["2026-01-01 00:00:00+00", "2026-07-01 00:00:00+01"]).candidates(None, 1000);
        assert!(london.contains(&"Europe/London".to_owned()));
        assert!(!london.contains(&"Africa/Lagos".to_owned()));
    }

    #[test]
    fn values_inside_of_others_are_found() {
        let table = [
            (r#"{"2026-01-01 00:00:00+01","2026-07-01 00:00:00.5+02",NULL}"#, 2),
            (r#"["2026-01-01 00:00:00+01","2026-07-01 00:00:00+02")"#, 2),
            (r#"(x-y,"2026-01-01 00:00:00-03:30")"#, 1),
            ("2026-01-01 00:00:00+01", 1),
            (r#"{"0044-03-15 12:00:00+00:53:28 BC"}"#, 0),
            (r#"{"12026-01-01 00:00:00+01"}"#, 0),
            ("{2026-01-01,-,--,----}", 0),
            ("-", 0),
        ];
        for (value, found) in table {
            assert_eq!(inside(value).minutes.len(), found, "{value}");
        }
        assert_eq!(inside(table[0].0).candidates(Some("Europe/Berlin"), 1), ["Europe/Berlin"]);
    }
}
