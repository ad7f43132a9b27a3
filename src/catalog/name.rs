//! What an object's name says: a backup and its moment, a sidecar, or something unfinished.

use jiff::Timestamp;

use crate::plan::Pattern;
use crate::plan::pattern::Part;

/// The longest key that is looked at, in bytes; no store takes a longer one.
const LONGEST: usize = 4096;

/// Endings of names that are given to what is still being written.
const UNFINISHED: [&str; 11] = [
    ".partial",
    ".part",
    ".tmp",
    ".temp",
    ".incomplete",
    ".inprogress",
    ".uploading",
    ".filepart",
    ".crdownload",
    ".swp",
    "~",
];

/// Endings of what lies beside a backup and is none.
const BESIDE: [&str; 11] = [
    DIGEST,
    STAMP,
    ".sha256sum",
    ".sha512",
    ".sha512sum",
    ".sha1",
    ".md5",
    ".md5sum",
    ".sig",
    ".asc",
    ".minisig",
];

/// The ending of a sidecar digest.
pub const DIGEST: &str = ".sha256";

/// The ending of a stamp.
pub const STAMP: &str = ".stamp.json";

/// What matching a key against a pattern gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Match {
    /// It is not of this pattern.
    No,
    /// It is, and this is the first and the last moment that it can stand for.
    Yes(Option<(Timestamp, Timestamp)>),
    /// It can be read in several ways that give different moments.
    Ambiguous,
}

/// Whether the name says that its object is still being written, or is hidden.
pub fn is_unfinished(key: &str) -> bool {
    let lower = key.to_ascii_lowercase();
    UNFINISHED.iter().any(|ending| lower.ends_with(ending))
        || key.split('/').any(|part| part.starts_with('.'))
}

/// Whether an unfinished name can become one of the pattern: it begins with the same text.
pub fn begins_like(pattern: &Pattern, key: &str) -> bool {
    match pattern.parts().first() {
        Some(Part::Literal(text)) => key.trim_start_matches('.').starts_with(text.as_str()),
        _ => true,
    }
}

/// Whether the name is of a kind that lies beside backups.
pub fn is_beside(key: &str) -> bool {
    BESIDE.iter().any(|ending| key.ends_with(ending))
}

/// Whether the name can be shown as it is: no control characters, none that turn the text.
pub fn is_printable(key: &str) -> bool {
    let turns = |c| matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
    !key.chars().any(|c| c.is_control() || turns(c))
}

/// The name as it can be shown: what is not printable escaped, cut at 2,048 characters.
pub fn showable(name: &str) -> String {
    if is_printable(name) {
        name.chars().take(2048).collect()
    } else {
        name.escape_default().take(2048).collect()
    }
}

/// A way to have read a key up to some place.
type Reading = Option<(Timestamp, Timestamp)>;

/// The readings that end at each place of a key: none, one, or several different ones.
#[derive(Clone, Copy, PartialEq)]
enum Readings {
    None,
    One(Reading),
    Several,
}

impl Readings {
    fn join(self, other: Readings) -> Readings {
        match (self, other) {
            (Readings::None, one) | (one, Readings::None) => one,
            (one, same) if one == same => one,
            _ => Readings::Several,
        }
    }
}

/// Matches the whole key; linear in its length for each part of the pattern.
pub fn matches(pattern: &Pattern, key: &str) -> Match {
    if pattern.text().is_none() {
        return Match::Yes(None);
    }
    if key.len() > LONGEST {
        return Match::No;
    }
    let mut places = vec![Readings::None; key.len() + 1];
    if let Some(start) = places.first_mut() {
        *start = Readings::One(None);
    }
    for part in pattern.parts() {
        places = step(part, key, &places);
    }
    match places.last() {
        Some(Readings::One(reading)) => Match::Yes(*reading),
        Some(Readings::Several) => Match::Ambiguous,
        Some(Readings::None) | None => Match::No,
    }
}

/// From where the parts so far may end to where they may end with `part` behind them.
fn step(part: &Part, key: &str, places: &[Readings]) -> Vec<Readings> {
    let mut next = vec![Readings::None; places.len()];
    let mut carried = Readings::None;
    for (place, here) in places.iter().enumerate() {
        if let Part::Any = part {
            carried = carried.join(*here);
            reach(&mut next, place, carried);
            if key.as_bytes().get(place) == Some(&b'/') {
                carried = Readings::None;
            }
            continue;
        }
        let Some(rest) = key.get(place..).filter(|_| *here != Readings::None) else { continue };
        match part {
            Part::Literal(text) if rest.starts_with(text.as_str()) => {
                reach(&mut next, place.saturating_add(text.len()), *here);
            }
            Part::Time(time) => {
                if let Some((first, last, bytes)) = time.read(rest) {
                    reach(&mut next, place.saturating_add(bytes), Readings::One(Some((first, last))));
                }
            }
            _ => {}
        }
    }
    next
}

fn reach(next: &mut [Readings], place: usize, readings: Readings) {
    if let Some(there) = next.get_mut(place) {
        *there = there.join(readings);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::TimeZone;

    fn pattern(text: &str) -> Pattern {
        Pattern::parse(text, None).unwrap()
    }

    #[test]
    fn a_pattern_matches_from_end_to_end_and_nothing_beside() {
        let nightly = "orders-{time:%Y%m%dT%H%M%SZ}.dump";
        let table = [
            (nightly, "orders-20261120T010000Z.dump", true),
            (nightly, "orders-archive-20261120T010000Z.dump", false),
            (nightly, "my-orders-20261120T010000Z.dump", false),
            (nightly, "orders-20261120T010000Z.dump.partial", false),
            (nightly, "orders-20261120T010000Z.dump.sha256", false),
            (nightly, "orders-20261120T010000Z.dump ", false),
            (nightly, "Orders-20261120T010000Z.dump", false),
            (nightly, "orders-20261120T010000Z_dump", false),
            (nightly, "orders-20261120T010000Z-20261121T010000Z.dump", false),
            (nightly, "orders-.dump", false),
            (nightly, "", false),
            ("*.dump", "a.dump", true),
            ("*.dump", ".dump", true),
            ("*.dump", "a/b.dump", false),
            ("*/*.dump", "a/b.dump", true),
            ("*/*.dump", "a/b/c.dump", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-b-c-", false),
            ("{time:%Y/%m/%dZ}/orders.dump", "2026/11/20Z/orders.dump", true),
            ("{time:%Y/%m/%dZ}/orders.dump", "2026/11/31Z/orders.dump", false),
            ("ünï*.dump", "ünïcode–ö.dump", true),
            ("*é", "ê", false),
        ];
        for (text, key, expected) in table {
            assert_eq!(matches(&pattern(text), key) != Match::No, expected, "{text} and {key:?}");
        }
        assert_eq!(matches(&Pattern::everything(), "any/thing"), Match::Yes(None));
    }

    #[test]
    fn a_name_of_several_moments_is_ambiguous_and_not_guessed() {
        let two = pattern("*{time:%Y%m%dT%H%M%SZ}*");
        let one = matches(&two, "x20261120T010000Z.dump");
        assert!(matches!(one, Match::Yes(Some(_))), "{one:?}");
        assert_eq!(matches(&two, "20261120T010000Z-20261121T010000Z"), Match::Ambiguous);
        assert_eq!(matches(&two, "20261120T010000Z-20261120T010000Z"), one, "twice the same moment");
    }

    #[test]
    fn hostile_names_cost_little_and_match_nothing() {
        let stars = pattern("*a*a*a*a*a*a*b{time:%FZ}");
        let keys = [
            "a".repeat(LONGEST),
            "a".repeat(LONGEST + 1),
            "\u{202e}".repeat(400),
            "%s%n%Y".into(),
            "{time:%F}".into(),
        ];
        for key in keys {
            assert_eq!(matches(&stars, &key), Match::No);
        }
        let zone = Some(TimeZone::get("Europe/Berlin").unwrap());
        let dates = Pattern::parse("*{time:%F}", zone).unwrap();
        for key in ["-9999-01-01", "0000-01-01", "9999-12-31", "2026-00-10", "2026-1-1", "٢٠٢٦-01-01"] {
            let found = matches(&dates, key);
            assert!(!matches!(found, Match::Ambiguous), "{key}: {found:?}");
        }
    }

    #[test]
    fn unfinished_and_hidden_names_are_known() {
        for key in [
            "a.dump.partial",
            "a.dump.PART",
            "a.tmp",
            "a.dump~",
            ".a.dump",
            "x/.cache/a.dump",
            "a.dump.3f2a.partial",
        ] {
            assert!(is_unfinished(key), "{key}");
        }
        for key in ["a.dump", "partial.dump", "part/a.dump", "a.tmp.dump", "a..dump"] {
            assert!(!is_unfinished(key), "{key}");
        }
        assert!(is_beside("a.dump.sha256") && is_beside("a.dump.stamp.json") && !is_beside("sha256.dump"));
        for key in ["a\nb", "a\u{1b}[31m", "a\u{202e}pmud.", "a\u{feff}"] {
            assert!(!is_printable(key), "{key:?}");
        }
        assert!(is_printable("bäckup 2026 – ☂.dump"));
    }
}
