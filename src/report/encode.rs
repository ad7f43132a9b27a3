//! Words and numbers as a terminal may show them: names that cannot steer it, figures that
//! a person can read.

use std::fmt::Write as _;
use std::time::Duration;

use unicode_width::UnicodeWidthChar;

/// A name from outside, safe to print and at most `width_columns` wide.
///
/// Control characters (C0, C1, delete), line and paragraph separators, invisible format
/// characters and bidirectional controls are shown as `\u{…}`; what is too long is cut
/// and ends in `…`.
pub fn name(text: &str, width_columns: usize) -> String {
    let mut shown = String::new();
    let mut used = 0;
    let mut last_fit = 0;
    let mut piece = String::new();
    for char in text.chars() {
        piece.clear();
        write_safe(&mut piece, char);
        used += width(&piece);
        if used > width_columns {
            shown.truncate(last_fit);
            shown.push('…');
            return shown;
        }
        shown.push_str(&piece);
        if used < width_columns {
            last_fit = shown.len();
        }
    }
    shown
}

/// A sentence from inside that may quote outside names: encoded, and bounded so that no
/// message floods a screen.
pub fn sentence(text: &str) -> String {
    const SENTENCE_COLUMNS: usize = 2_000;
    name(text, SENTENCE_COLUMNS)
}

/// An error with what caused it, in one line.
pub fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        // Writing into a String cannot fail.
        let _ = write!(text, ": {inner}");
        cause = inner.source();
    }
    sentence(&text)
}

/// How many columns `text` takes.
pub fn width(text: &str) -> usize {
    text.chars().map(|char| char.width().unwrap_or(0)).sum()
}

fn write_safe(into: &mut String, char: char) {
    if steers(char) {
        // Writing into a String cannot fail.
        let _ = write!(into, "\\u{{{:x}}}", char as u32);
    } else {
        into.push(char);
    }
}

/// Whether a terminal would act on the character, or reorder or hide others because of it.
fn steers(char: char) -> bool {
    char.is_control()
        || matches!(char,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

/// A number of bytes with a binary unit: `0 B`, `1.5 KiB`, `12 GiB`.
pub fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    scaled(bytes, 1024, &UNITS)
}

/// A number of rows: exact below a million, with groups; then `12.4 M`, `3.1 G`.
pub fn count(number: u64) -> String {
    const UNITS: [&str; 7] = ["", "k", "M", "G", "T", "P", "E"];
    if number >= 1_000_000 { scaled(number, 1000, &UNITS) } else { grouped(number) }
}

/// A number with its thousands set apart: `12,345`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Three significant figures at most, by `base`.
fn scaled(number: u64, base: u64, units: &[&str]) -> String {
    let mut unit = 0;
    let mut divisor: u128 = 1;
    let number = u128::from(number);
    let base = u128::from(base);
    // Rounded figures move up a unit before they would show `1024 KiB`.
    while unit + 1 < units.len() && tenths(number, divisor) >= base * 10 - 5 {
        divisor *= base;
        unit += 1;
    }
    let tenths = tenths(number, divisor);
    let figure = match unit {
        0 => number.to_string(),
        _ if tenths < 100 => format!("{}.{}", tenths / 10, tenths % 10),
        _ => ((tenths + 5) / 10).to_string(),
    };
    format!("{figure} {}", units.get(unit).unwrap_or(&"")).trim_end().to_owned()
}

fn tenths(number: u128, divisor: u128) -> u128 {
    (number * 10 + divisor / 2) / divisor
}

/// A duration in its two largest units: `0.3s`, `42s`, `1m04s`, `3h12m`, `2d06h`.
pub fn duration(duration: Duration) -> String {
    let millis = duration.as_millis();
    if millis < 9_950 {
        let tenths = (millis + 50) / 100;
        return format!("{}.{}s", tenths / 10, tenths % 10);
    }
    let seconds = (millis + 500) / 1000;
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3_600..172_800 => format!("{}h{:02}m", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{}d{:02}h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

/// Milliseconds as seconds for programs, exact and in plain decimals: `402.5`, `0.001`, `12`.
pub fn seconds(millis: u64) -> String {
    let (whole, rest) = (millis / 1000, millis % 1000);
    match rest {
        0 => whole.to_string(),
        _ => format!("{whole}.{rest:03}").trim_end_matches('0').to_owned(),
    }
}

/// An age: a duration that may be negative, for what claims to come from the future.
pub fn age(millis: i64) -> String {
    let length = duration(Duration::from_millis(millis.unsigned_abs()));
    if millis < 0 { format!("{length} in the future") } else { length }
}

/// An objective in the words a plan would use, exact to the second: `15m`, `1h30m`, `24h`,
/// `45s`, and from two days on `7d`.
pub fn objective(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let days = if seconds < 2 * 86_400 { 0 } else { seconds / 86_400 };
    let rest = seconds - days * 86_400;
    let parts = [(days, "d"), (rest / 3_600, "h"), (rest % 3_600 / 60, "m"), (rest % 60, "s")];
    let text: String = parts.iter().filter(|(n, _)| *n > 0).map(|(n, unit)| format!("{n}{unit}")).collect();
    match text.is_empty() {
        true => self::duration(duration),
        false => text,
    }
}

/// Something per second, over a time too short to mean anything shown as nothing.
pub fn rate(amount: u64, over: Duration, unit: fn(u64) -> String) -> Option<String> {
    const SHORTEST: Duration = Duration::from_millis(200);
    if over < SHORTEST || amount == 0 {
        return None;
    }
    let per_second = u128::from(amount) * 1000 / over.as_millis().max(1);
    Some(format!("{}/s", unit(u64::try_from(per_second).unwrap_or(u64::MAX))))
}

/// `1 table`, `41 tables`, `2 entries`: a count and its noun.
pub fn plural(number: u64, noun: &str) -> String {
    let stem = noun.strip_suffix('y').filter(|stem| !stem.ends_with(['a', 'e', 'i', 'o', 'u']));
    match (number, stem) {
        (1, _) => format!("1 {noun}"),
        (_, Some(stem)) => format!("{} {stem}ies", count(number)),
        (_, None) => format!("{} {noun}s", count(number)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_and_its_noun_agree() {
        let table = [
            (0, "row", "0 rows"),
            (1, "entry", "1 entry"),
            (2, "entry", "2 entries"),
            (2, "day", "2 days"),
            (1200, "table", "1,200 tables"),
        ];
        for (number, noun, said) in table {
            assert_eq!(plural(number, noun), said);
        }
    }

    #[test]
    fn plain_names_pass_unchanged() {
        for text in ["", "public.orders", "größe", "表", "a b", "x\"; drop table y"] {
            assert_eq!(name(text, 40), text);
        }
    }

    #[test]
    fn what_would_steer_a_terminal_is_spelled_out() {
        let table = [
            ("a\x1b[2Jb", "a\\u{1b}[2Jb"),
            ("a\nb\r\tc\0", "a\\u{a}b\\u{d}\\u{9}c\\u{0}"),
            ("a\u{9b}2J", "a\\u{9b}2J"),
            ("\x7f", "\\u{7f}"),
            ("a\u{202e}b\u{2066}c\u{200f}", "a\\u{202e}b\\u{2066}c\\u{200f}"),
            ("a\u{200b}b\u{feff}", "a\\u{200b}b\\u{feff}"),
            ("a\u{2028}b", "a\\u{2028}b"),
            ("tag\u{e0041}", "tag\\u{e0041}"),
        ];
        for (text, shown) in table {
            assert_eq!(name(text, 60), shown, "{text:?}");
        }
        for code in (0..0x20).chain(0x7f..0xa0) {
            let char = char::from_u32(code).unwrap();
            assert!(!name(&char.to_string(), 20).chars().any(char::is_control), "{code:x}");
        }
    }

    #[test]
    fn names_are_cut_to_their_width_in_columns() {
        let table = [
            ("abcdef", 6, "abcdef"),
            ("abcdefg", 6, "abcde…"),
            ("表表表", 6, "表表表"),
            ("表表表表", 6, "表表…"),
            ("ab\x1b\x1b\x1b", 8, "ab…"),
            ("anything", 1, "…"),
        ];
        for (text, columns, shown) in table {
            assert_eq!(name(text, columns), shown, "{text:?} in {columns}");
            assert!(width(shown) <= columns, "{shown}");
        }
    }

    #[test]
    fn bytes_carry_binary_units_and_at_most_three_figures() {
        let table = [
            (0, "0 B"),
            (1, "1 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1536, "1.5 KiB"),
            (10 * 1024, "10 KiB"),
            (1024 * 1024 - 1, "1.0 MiB"),
            (12_884_901_888, "12 GiB"),
            (u64::MAX, "16 EiB"),
        ];
        for (number, text) in table {
            assert_eq!(bytes(number), text, "{number}");
        }
    }

    #[test]
    fn rows_are_exact_as_long_as_a_person_can_read_them() {
        let table = [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (123_456, "123,456"),
            (999_999, "999,999"),
            (1_000_000, "1.0 M"),
            (12_400_000, "12 M"),
            (3_100_000_000, "3.1 G"),
        ];
        for (number, text) in table {
            assert_eq!(count(number), text, "{number}");
        }
    }

    #[test]
    fn durations_show_their_two_largest_units() {
        let table = [
            (0, "0.0s"),
            (49, "0.0s"),
            (50, "0.1s"),
            (9_949, "9.9s"),
            (9_950, "10s"),
            (59_499, "59s"),
            (59_500, "1m00s"),
            (64_000, "1m04s"),
            (3_599_600, "1h00m"),
            (11_520_000, "3h12m"),
            (47 * 3_600_000, "47h00m"),
            (54 * 3_600_000, "2d06h"),
        ];
        for (millis, text) in table {
            assert_eq!(duration(Duration::from_millis(millis)), text, "{millis}");
        }
    }

    #[test]
    fn seconds_for_programs_are_exact_and_have_no_exponent() {
        let table = [
            (0, "0"),
            (1, "0.001"),
            (100, "0.1"),
            (402_500, "402.5"),
            (12_000, "12"),
            (u64::MAX, "18446744073709551.615"),
        ];
        for (millis, text) in table {
            assert_eq!(seconds(millis), text, "{millis}");
        }
    }

    #[test]
    fn objectives_read_as_a_plan_writes_them() {
        let table = [
            (900, "15m"),
            (5_400, "1h30m"),
            (86_400, "24h"),
            (45, "45s"),
            (3_661, "1h1m1s"),
            (604_800, "7d"),
            (180_000, "2d2h"),
        ];
        for (seconds, text) in table {
            assert_eq!(objective(Duration::from_secs(seconds)), text);
        }
        assert_eq!(objective(Duration::from_millis(500)), "0.5s");
    }

    #[test]
    fn an_age_may_lie_in_the_future() {
        assert_eq!(age(64_000), "1m04s");
        assert_eq!(age(-64_000), "1m04s in the future");
        assert_eq!(age(i64::MIN), "106751991167d07h in the future");
    }

    #[test]
    fn a_rate_over_no_time_is_not_shown() {
        assert_eq!(rate(1024, Duration::ZERO, bytes), None);
        assert_eq!(rate(0, Duration::from_secs(1), bytes), None);
        assert_eq!(rate(10 << 20, Duration::from_secs(2), bytes).as_deref(), Some("5.0 MiB/s"));
        assert_eq!(rate(u64::MAX, Duration::from_millis(200), count).as_deref(), Some("18 E/s"));
    }
}
