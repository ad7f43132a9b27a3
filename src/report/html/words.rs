//! Texts as the page shows them: outside names made visible and bounded, moments and figures
//! in words.

use std::time::Duration;

use crate::record::{Moment, Sha256};
use crate::report::encode;

/// Columns that a name may take.
const NAME_COLUMNS: usize = 160;
/// Columns that an address or a sentence may take.
const LONG_COLUMNS: usize = 600;

/// A name from outside.
pub fn name(text: &str) -> String {
    encode::name(text, NAME_COLUMNS)
}

/// An address or a sentence from outside.
pub fn long(text: &str) -> String {
    encode::name(text, LONG_COLUMNS)
}

/// A sentence with a capital at its beginning and a full stop at its end.
pub fn sentence(text: &str) -> String {
    let shown = long(text);
    let mut chars = shown.chars();
    let Some(first) = chars.next() else { return shown };
    let mut sentence: String = first.to_uppercase().chain(chars).collect();
    if !sentence.ends_with(['.', '!', '?', '…']) {
        sentence.push('.');
    }
    sentence
}

/// `2026-11-20 05:12 UTC`.
pub fn moment(moment: Moment) -> String {
    moment.at().strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// `20 Nov 2026`.
pub fn day(moment: Moment) -> String {
    moment.at().strftime("%-d %b %Y").to_string()
}

/// A length in milliseconds, in its two largest units; below a second with its milliseconds.
pub fn length(millis: u64) -> String {
    match millis {
        0 => "below 1 ms".to_owned(),
        1..1_000 => format!("{millis} ms"),
        _ => encode::duration(Duration::from_millis(millis)),
    }
}

/// The first digits of a digest, enough to compare by eye.
pub fn digits(digest: &Sha256) -> String {
    digest.to_string().chars().take(12).collect()
}

/// The first `max` of a list, and how many more there are, in words.
pub fn bounded<T, U>(items: &[T], max: usize, show: impl FnMut(&T) -> U) -> (Vec<U>, Option<String>) {
    let more = items.len().saturating_sub(max);
    let shown = items.iter().take(max).map(show).collect();
    (shown, (more > 0).then(|| format!("and {} more, which the record lists", encode::count(more as u64))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_begin_and_end_as_sentences_do() {
        let table = [
            ("the data is old", "The data is old."),
            ("Done.", "Done."),
            ("", ""),
            ("a\nb", "A\\u{a}b."),
            ("über", "Über."),
        ];
        for (text, shown) in table {
            assert_eq!(sentence(text), shown);
        }
    }

    #[test]
    fn a_length_is_never_shown_as_nothing() {
        assert_eq!(length(0), "below 1 ms");
        assert_eq!(length(2), "2 ms");
        assert_eq!(length(1_000), "1.0s");
        assert_eq!(length(402_500), "6m43s");
    }

    #[test]
    fn a_list_says_what_it_leaves_out() {
        let (shown, more) = bounded(&[1, 2, 3], 2, |n| n * 10);
        assert_eq!((shown, more.as_deref()), (vec![10, 20], Some("and 1 more, which the record lists")));
        assert_eq!(bounded(&[1, 2], 2, |n| *n).1, None);
    }
}
