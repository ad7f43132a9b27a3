//! Which objects are backups: `orders-{time:%Y%m%dT%H%M%SZ}.dump`, matched from end to end.

use std::fmt;

use jiff::civil::DateTime;
use jiff::fmt::strtime::BrokenDownTime;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

use crate::plan::fault::{Complaint, shortened};

/// The longest pattern, in bytes: that of an object's key.
const LONGEST: usize = 1024;

/// What an object's name must be, from its first byte to its last.
///
/// Literal text matches itself; `*` matches any run of characters without `/`; `{time:FORMAT}`,
/// at most once, matches a moment. FORMAT is that of strftime, of these parts:
/// `%Y %y %m %b %B %d %j %H %I %p %M %S %F %T %R %s %z %:z %%`. It is exact: what it would
/// write for the moment must be what stands in the name.
///
/// The moment's zone is either in the name (`%z`, `%:z`, `%s`, or a `Z` that ends FORMAT),
/// or it is given beside the pattern; there is no third way.
#[derive(Clone, Debug, PartialEq)]
pub struct Pattern {
    text: Option<String>,
    parts: Vec<Part>,
}

/// One part of a pattern.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// This text.
    Literal(String),
    /// Any run of characters without `/`, the empty one included.
    Any,
    /// A moment.
    Time(NameTime),
}

/// How a moment stands in a name.
#[derive(Clone, Debug, PartialEq)]
pub struct NameTime {
    format: String,
    zone: Zone,
    resolution: Resolution,
}

/// Where the zone of a name's moment is from.
#[derive(Clone, Debug, PartialEq)]
enum Zone {
    /// The name itself tells: an offset, or seconds since 1970.
    InName,
    /// It ends in `Z`.
    Utc,
    /// The plan tells.
    Given(TimeZone),
}

/// The finest part of a name's moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Resolution {
    Day,
    Hour,
    Minute,
    Second,
}

impl Pattern {
    /// The pattern of a plan that gives none: every name matches, none has a moment.
    pub fn everything() -> Pattern {
        Pattern { text: None, parts: Vec::new() }
    }

    /// Reads a pattern; `timezone` is the plan's zone for a moment that has none of its own.
    ///
    /// # Errors
    /// What is wrong with the text, and what to write instead.
    pub fn parse(text: &str, timezone: Option<TimeZone>) -> Result<Pattern, Complaint> {
        if text.is_empty() || text.len() > LONGEST || text.chars().any(char::is_control) {
            return Err(Complaint::new(
                "it is no name of an object",
                "write 1 to 1,024 printable bytes, as in 'orders-{time:%Y%m%dT%H%M%SZ}.dump'",
            ));
        }
        if text.starts_with('/') || text.contains("//") {
            return Err(Complaint::new(
                "it has an empty path component",
                "write it relative to the location, without a leading '/' or '//'",
            ));
        }
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(next) = rest.chars().next() {
            let (part, tail) = part(next, rest, &timezone)?;
            rest = tail;
            match (&part, parts.last()) {
                (Part::Any, Some(Part::Any)) => return Err(double_star()),
                (Part::Time(_), _) if parts.iter().any(|p| matches!(p, Part::Time(_))) => {
                    return Err(two_times());
                }
                _ => parts.push(part),
            }
        }
        let pattern = Pattern { text: Some(text.into()), parts };
        if timezone.is_some() && pattern.timezone().is_none() {
            return Err(Complaint::new(
                "'timezone' is given, and nothing in the pattern needs it",
                "remove 'timezone', or the zone from the pattern",
            ));
        }
        Ok(pattern)
    }

    /// The text as the plan writes it; `None` for [`Pattern::everything`].
    pub fn text(&self) -> Option<&str> {
        self.text.as_deref()
    }

    /// The parts in order; none for [`Pattern::everything`].
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Whether names that match carry a moment.
    pub fn has_time(&self) -> bool {
        self.time().is_some()
    }

    /// The zone that the plan gave for names without one.
    pub fn timezone(&self) -> Option<&TimeZone> {
        match self.time().map(|time| &time.zone) {
            Some(Zone::Given(zone)) => Some(zone),
            _ => None,
        }
    }

    fn time(&self) -> Option<&NameTime> {
        self.parts.iter().find_map(|part| match part {
            Part::Time(time) => Some(time),
            _ => None,
        })
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text().unwrap_or("*"))
    }
}

/// The part at the start of `rest`, whose first character is `next`, and what follows.
fn part<'t>(next: char, rest: &'t str, timezone: &Option<TimeZone>) -> Result<(Part, &'t str), Complaint> {
    match next {
        '*' => Ok((Part::Any, rest.get(1..).unwrap_or_default())),
        '{' => {
            let (inside, tail) = rest
                .get(1..)
                .and_then(|rest| rest.split_once('}'))
                .ok_or_else(|| Complaint::new("a '{' is not closed", "write {time:%Y%m%dT%H%M%SZ}"))?;
            let format = inside.strip_prefix("time:").ok_or_else(|| {
                Complaint::new(
                    format!("'{{{}}}' is no placeholder", shortened(inside)),
                    "write {time:%Y%m%dT%H%M%SZ}, or '*' for anything",
                )
            })?;
            Ok((Part::Time(NameTime::parse(format, tail, timezone)?), tail))
        }
        '}' => Err(Complaint::new("a '}' was not opened", "write {time:%Y%m%dT%H%M%SZ}")),
        _ => {
            let (literal, tail) = rest.split_at(rest.find(['*', '{', '}']).unwrap_or(rest.len()));
            Ok((Part::Literal(literal.into()), tail))
        }
    }
}

fn double_star() -> Complaint {
    Complaint::new(
        "'**' is no wildcard",
        "write one '*'; it does not cross '/', so '*/*.dump' is one level deep",
    )
}

fn two_times() -> Complaint {
    Complaint::new("it has two {time:…}", "keep one, and write '*' for the other")
}

/// The parts that a time format may use, by letter, and what each tells.
const DIRECTIVES: [(&str, &str); 17] = [
    ("Y", "y"),
    ("y", "y"),
    ("m", "m"),
    ("b", "m"),
    ("B", "m"),
    ("d", "d"),
    ("j", "md"),
    ("F", "ymd"),
    ("H", "H"),
    ("I", "i"),
    ("p", "p"),
    ("M", "M"),
    ("S", "S"),
    ("T", "HMS"),
    ("R", "HM"),
    ("s", "ymdHMSz"),
    ("z", "z"),
];

impl NameTime {
    /// `tail` is what follows the placeholder, for the remedy of a misplaced `Z` only.
    fn parse(format: &str, tail: &str, timezone: &Option<TimeZone>) -> Result<NameTime, Complaint> {
        let told = told_by(format)?;
        let tells = |what: &str| what.chars().all(|c| told.contains(c));
        if !tells("ymd") {
            return Err(Complaint::new("its time has no year, month and day", "write {time:%Y%m%dT%H%M%SZ}"));
        }
        let hour = tells("H") || tells("ip");
        let resolution = match (hour, tells("M"), tells("S")) {
            (true, true, true) => Resolution::Second,
            (true, true, false) => Resolution::Minute,
            (true, false, false) => Resolution::Hour,
            (false, false, false) if !told.contains(['i', 'p']) => Resolution::Day,
            _ => {
                return Err(Complaint::new(
                    "its time skips a part",
                    "give hours, minutes and seconds in full, or none",
                ));
            }
        };
        let zone = match (format.ends_with('Z') && !format.ends_with("%Z"), tells("z"), timezone) {
            (true, false, None) => Zone::Utc,
            (false, true, None) => Zone::InName,
            (false, false, Some(zone)) => Zone::Given(zone.clone()),
            (false, false, None) => return Err(no_zone(tail)),
            (true, true, _) => {
                return Err(Complaint::new("its time has two zones", "remove the 'Z' or the offset"));
            }
            (_, _, Some(_)) => {
                return Err(Complaint::new(
                    "'timezone' is given, and the pattern's time has a zone of its own",
                    "remove one of them",
                ));
            }
        };
        Ok(NameTime { format: format.into(), zone, resolution })
    }

    /// The moment at the start of `text` and how many bytes it takes: the first and the
    /// last instant that it can stand for. `None` where there is no moment of this format,
    /// or it is written in another way than the format would write it.
    pub fn read(&self, text: &str) -> Option<(Timestamp, Timestamp, usize)> {
        let (parsed, bytes) = BrokenDownTime::parse_prefix(&self.format, text).ok()?;
        let written = text.get(..bytes)?;
        // strptime skips blanks, takes signs and single digits: only the exact form is a name
        if parsed.to_string(&self.format).ok()? != written {
            return None;
        }
        let (first, last) = self.instants(&parsed)?;
        // '-2026' is a year of its own to strptime, and a dash before one to everybody else
        (first >= Timestamp::UNIX_EPOCH).then_some((first, last, bytes))
    }

    fn instants(&self, parsed: &BrokenDownTime) -> Option<(Timestamp, Timestamp)> {
        let step = match self.resolution {
            Resolution::Day => Span::new().days(1),
            Resolution::Hour => Span::new().hours(1),
            Resolution::Minute => Span::new().minutes(1),
            Resolution::Second => Span::new().seconds(1),
        };
        if let Some(at) = parsed.timestamp() {
            return Some((at, at.checked_add(step).ok()?));
        }
        let start = match self.resolution {
            Resolution::Day => parsed.to_date().ok()?.at(0, 0, 0, 0),
            Resolution::Hour => parsed.to_date().ok()?.at(parsed.hour()?, 0, 0, 0),
            Resolution::Minute => parsed.to_date().ok()?.at(parsed.hour()?, parsed.minute()?, 0, 0),
            Resolution::Second => parsed.to_datetime().ok()?,
        };
        let zone = match &self.zone {
            Zone::Utc => TimeZone::UTC,
            Zone::Given(zone) => zone.clone(),
            Zone::InName => TimeZone::fixed(parsed.offset()?),
        };
        between(start, start.checked_add(step).ok()?, &zone)
    }
}

/// The first instant at which a clock in `zone` can have shown `start`, and the last at
/// which it can have shown `end`. A clock that is put back shows an hour twice; one that is
/// put forward never shows the hour that it skips, and then either side is possible.
pub fn between(start: DateTime, end: DateTime, zone: &TimeZone) -> Option<(Timestamp, Timestamp)> {
    let sides = |at: DateTime| {
        let clock = zone.to_ambiguous_timestamp(at);
        Some((clock.earlier().ok()?, clock.later().ok()?))
    };
    let (a, b) = sides(start)?;
    let (c, d) = sides(end)?;
    Some((a.min(b), c.max(d)))
}

fn no_zone(tail: &str) -> Complaint {
    let remedy = match tail.starts_with('Z') {
        true => "write the Z inside the braces, as in {time:%Y%m%dT%H%M%SZ}",
        false => {
            "end the format in Z if the names are in UTC, else add timezone = \"Europe/Berlin\" beside the pattern"
        }
    };
    Complaint::new("its time has no zone", remedy)
}

/// What a format tells: one letter for each of year, month, day, hour (`H`, or `i` with `p`
/// for its half), minute, second and zone.
fn told_by(format: &str) -> Result<String, Complaint> {
    let mut told = String::new();
    let mut pieces = format.split('%');
    pieces.next();
    while let Some(piece) = pieces.next() {
        if piece.is_empty() {
            // a doubled '%' splits into an empty piece and the literal text behind it
            pieces.next().ok_or_else(|| unknown_directive(""))?;
            continue;
        }
        let letter = piece.strip_prefix(":z").map_or(piece, |_| "z");
        let (_, tells) = DIRECTIVES
            .iter()
            .find(|(name, _)| letter.starts_with(name))
            .ok_or_else(|| unknown_directive(piece))?;
        told.push_str(tells);
    }
    Ok(told)
}

fn unknown_directive(piece: &str) -> Complaint {
    let shown: String = piece.chars().take(1).collect();
    let remedy = match shown.as_str() {
        "Z" => "end the format in a plain Z, or write %z for an offset like +0200",
        _ => "use %Y %m %d %H %M %S, also %y %b %B %j %I %p %F %T %R %s %z %:z",
    };
    Complaint::new(format!("'%{shown}' can't be read from a name"), remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn berlin() -> Option<TimeZone> {
        Some(TimeZone::get("Europe/Berlin").unwrap())
    }

    #[test]
    fn a_wrong_pattern_says_what_to_write() {
        let table = [
            ("", None, "it is no name of an object"),
            ("/orders.dump", None, "it has an empty path component"),
            ("a**b", None, "'**' is no wildcard; write one '*'"),
            ("a-{time:%F-%T", None, "a '{' is not closed"),
            ("a-}", None, "a '}' was not opened"),
            ("a-{label}", None, "'{label}' is no placeholder; write {time:"),
            ("{time:%sZ}", None, "its time has two zones"),
            ("{time:%FZ}-{time:%FZ}", None, "it has two {time:…}; keep one"),
            ("{time:%Y%m%dT%H%M%S}Z.dump", None, "its time has no zone; write the Z inside the braces"),
            ("{time:%Y%m%dT%H%M%S}.dump", None, "its time has no zone; end the format in Z"),
            ("{time:%Y%m%dT%H%M%SZ}", berlin(), "'timezone' is given, and the pattern's time has a zone"),
            ("orders-*.dump", berlin(), "'timezone' is given, and nothing in the pattern needs it"),
            ("{time:%Y%mZ}", None, "its time has no year, month and day"),
            ("{time:%F %H:%SZ}", None, "its time skips a part"),
            ("{time:%F %IZ}", None, "its time skips a part"),
            ("{time:%F %Z}", None, "'%Z' can't be read from a name; end the format in a plain Z"),
            ("{time:%F %fZ}", None, "'%f' can't be read from a name; use %Y"),
            ("{time:%FZ%}", None, "'%' can't be read from a name"),
            ("{time:%-m%d%YZ}", None, "'%-' can't be read from a name"),
        ];
        for (text, zone, message) in table {
            let error = Pattern::parse(text, zone).unwrap_err().to_string();
            assert!(error.starts_with(message), "{text:?}: {error}");
        }
    }

    #[test]
    fn a_moment_is_read_with_all_that_it_may_mean() {
        let table = [
            ("%Y%m%dT%H%M%SZ", None, "20261120T013000Z", "2026-11-20T01:30:00Z", 1),
            ("%Y-%m-%d_%H%MZ", None, "2026-11-20_0130Z", "2026-11-20T01:30:00Z", 60),
            ("%Y%m%d%HZ", None, "2026112001Z", "2026-11-20T01:00:00Z", 3_600),
            ("%FZ", None, "2026-11-20Z", "2026-11-20T00:00:00Z", 86_400),
            ("%Y%jZ", None, "2026324Z", "2026-11-20T00:00:00Z", 86_400),
            ("%d%b%YZ", None, "20Nov2026Z", "2026-11-20T00:00:00Z", 86_400),
            ("%F-%I%M%pZ", None, "2026-11-20-0130PMZ", "2026-11-20T13:30:00Z", 60),
            ("%s", None, "1795138200", "2026-11-20T01:30:00Z", 1),
            ("%FT%T%z", None, "2026-11-20T02:30:00+0100", "2026-11-20T01:30:00Z", 1),
            ("%FT%T%:z", None, "2026-11-20T02:30:00+01:00", "2026-11-20T01:30:00Z", 1),
            ("%FT%T", berlin(), "2026-11-20T02:30:00", "2026-11-20T01:30:00Z", 1),
            ("%F", berlin(), "2026-11-20", "2026-11-19T23:00:00Z", 86_400),
            // the clock is put back at 3:00 in the morning: half past two comes twice
            ("%FT%T", berlin(), "2026-10-25T02:30:00", "2026-10-25T00:30:00Z", 3_601),
            ("%F", berlin(), "2026-10-25", "2026-10-24T22:00:00Z", 90_000),
            // it is put forward at 2:00: half past two never comes
            ("%FT%T", berlin(), "2026-03-29T02:30:00", "2026-03-29T00:30:00Z", 3_601),
        ];
        for (format, zone, text, first, seconds) in table {
            let pattern = Pattern::parse(&format!("{{time:{format}}}"), zone).unwrap();
            let (at, end, bytes) = pattern.time().unwrap().read(text).expect(text);
            assert_eq!(at.to_string(), first, "{text}");
            assert_eq!((end - at).total(jiff::Unit::Second).unwrap(), f64::from(seconds), "{text}");
            assert_eq!(bytes, text.len());
        }
    }

    #[test]
    fn a_moment_in_another_form_is_none() {
        let pattern = Pattern::parse("{time:%Y%m%dT%H%M%SZ}", None).unwrap();
        for text in [
            "",
            "2",
            "20261120",
            "20261320T000000Z",
            "20261131T000000Z",
            "20260229T000000Z",
            "20261120T240000Z",
            "20261120T235960Z",
            "20261120t000000Z",
            "20261120T000000z",
            "-2026120T000000Z",
            "-20261120T000000Z",
            "19691231T235959Z",
            "+2026120T000000Z",
            " 2026112T000000Z",
            "2026 1 2T 0 0 0Z",
            "2026112T000000Z",
            "２０２６1120T000000Z",
            "20261120T000000",
        ] {
            assert_eq!(pattern.time().unwrap().read(text), None, "{text:?}");
        }
        assert!(pattern.time().unwrap().read("20260228T235959Z").is_some(), "the intact form is read");
    }
}
