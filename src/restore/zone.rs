//! The time zone of the session that dumped: recorded nowhere, yet half of every
//! timestamptz is written in it. It is inferred from the values themselves.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};

/// More distinct hours than a century of them per table are not remembered.
const SAMPLES_MAX: usize = 200_000;

/// What the values of a table say about the zone they were written in.
#[derive(Clone, Debug, Default)]
pub struct ZoneSamples {
    /// One instant (Unix seconds) and its offset (seconds east) per hour that occurs.
    by_hour: BTreeMap<i64, (i64, i32)>,
    utc_seen: bool,
}

impl ZoneSamples {
    /// Takes a value as COPY text: `2026-11-20 02:30:00.1+01`. Anything else says nothing.
    pub fn take(&mut self, value: &[u8]) {
        if value.ends_with(b"+00") && self.by_hour.is_empty() {
            self.utc_seen = true;
            return;
        }
        let Some((seconds, offset)) = parse(value) else { return };
        if self.by_hour.len() < SAMPLES_MAX {
            self.by_hour.entry(seconds.div_euclid(3600)).or_insert((seconds, offset));
        }
    }

    /// Adds what other values said.
    pub fn merge(&mut self, other: ZoneSamples) {
        self.utc_seen |= other.utc_seen;
        for (hour, sample) in other.by_hour {
            if self.by_hour.len() >= SAMPLES_MAX {
                break;
            }
            self.by_hour.entry(hour).or_insert(sample);
        }
    }

    /// Zones in which every value reads as it was written, the likeliest first. `declared` is
    /// the zone that the database's own settings name.
    pub fn candidates(&self, declared: Option<&str>, candidates_max: usize) -> Vec<String> {
        let mut zones: Vec<String> = Vec::new();
        if self.by_hour.is_empty() {
            zones.push("UTC".to_owned());
        }
        zones.extend(declared.filter(|name| self.fits(name)).map(str::to_owned));
        let known = jiff::tz::db().available().map(|name| name.to_string());
        for name in ["UTC".to_owned()].into_iter().chain(known) {
            if zones.len() >= candidates_max {
                break;
            }
            if !zones.contains(&name) && self.fits(&name) {
                zones.push(name);
            }
        }
        zones
    }

    fn fits(&self, name: &str) -> bool {
        let Ok(zone) = TimeZone::get(name) else { return false };
        self.by_hour.values().all(|(seconds, offset)| offset_at(&zone, *seconds) == Some(*offset))
    }
}

fn offset_at(zone: &TimeZone, seconds: i64) -> Option<i32> {
    Some(zone.to_offset(Timestamp::from_second(seconds).ok()?).seconds())
}

/// The instant and the offset of `YYYY-MM-DD HH:MM:SS[.f]±HH[:MM[:SS]]`.
fn parse(value: &[u8]) -> Option<(i64, i32)> {
    let text = std::str::from_utf8(value).ok()?;
    let sign = text.rfind(['+', '-']).filter(|at| *at > 10)?;
    let (civil, offset) = text.split_at_checked(sign)?;
    let civil: DateTime = civil.parse().ok()?;
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

    #[test]
    fn the_zone_is_read_off_the_values() {
        let table: &[(&[&str], Option<&str>, &str)] = &[
            (&["2026-01-01 00:00:00+00", "2026-07-01 00:00:00+00"], None, "UTC"),
            (&["2026-01-01 00:00:00+01", "2026-07-01 00:00:00+02"], Some("Europe/Berlin"), "Europe/Berlin"),
            (&["2026-01-01 00:00:00+05:30"], Some("Asia/Kolkata"), "Asia/Kolkata"),
            (&[], Some("Asia/Tokyo"), "UTC"),
            (&["infinity", "\\N", "junk", "0044-03-15 12:00:00+00 BC"], None, "UTC"),
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
        let winter = samples(&["2026-01-01 00:00:00+01"]);
        let mut both = winter.clone();
        both.merge(samples(&["2026-07-01 00:00:00+01"]));
        assert!(winter.fits("Europe/Berlin") && winter.fits("Africa/Lagos"));
        assert!(!both.fits("Europe/Berlin") && both.fits("Africa/Lagos"));
    }
}
