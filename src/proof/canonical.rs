//! Definitions in a form in which equal ones are equal texts.
//!
//! A server that reads its own definition back may write it otherwise: `x = ANY ((ARRAY['a'::varchar])::text[])`
//! comes back as `x = ANY (ARRAY[('a'::varchar)::text])`. Without casts, parentheses and
//! white space both are one.

use std::iter::Peekable;
use std::str::Chars;

use jiff::Timestamp;

/// What stands before, between and after the tokens.
const BORDER: char = '\u{1f}';

/// The tokens of `text` but casts and parentheses, each with a border on both sides. Instants in
/// literals are written in UTC.
pub fn canonical(text: &str) -> String {
    let mut tokens = Tokens { chars: text.chars().peekable() };
    let mut out = String::from(BORDER);
    while let Some(token) = tokens.next() {
        match token.as_str() {
            "(" | ")" => {}
            "::" => tokens.skip_type(),
            _ => {
                out.push_str(&token);
                out.push(BORDER);
            }
        }
    }
    out
}

/// What may follow a definition in the statement that it is part of; `WHERE` or `AND` would go on
/// with it.
const FOLLOWERS: &[&str] = &["", ";", ",", "WITH", "NOT", "NULL", "CONSTRAINT", "COLLATE"];

/// Whether the tokens of `fragment` stand in `whole` one after the other, as a whole.
pub fn holds(whole: &str, fragment: &str) -> bool {
    let (whole, fragment) = (canonical(whole), canonical(fragment));
    whole.match_indices(&fragment).any(|(at, _)| {
        let after = whole.get(at + fragment.len()..).unwrap_or_default();
        fragment.ends_with(";\u{1f}") || FOLLOWERS.contains(&after.split(BORDER).next().unwrap_or_default())
    })
}

/// Whether `whole` begins with the tokens of `fragment`.
pub fn begins(whole: &str, fragment: &str) -> bool {
    canonical(whole).starts_with(&canonical(fragment))
}

/// The tokens of `text`, casts and parentheses too; names that need no quotes have none.
pub fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Tokens { chars: text.chars().peekable() };
    std::iter::from_fn(|| tokens.next()).collect()
}

struct Tokens<'a> {
    chars: Peekable<Chars<'a>>,
}

impl Tokens<'_> {
    fn next(&mut self) -> Option<String> {
        while self.chars.next_if(|c| c.is_whitespace()).is_some() {}
        let first = self.chars.next()?;
        let mut token = String::from(first);
        match first {
            '\'' | '"' => {
                self.enclosed(first, &mut token);
                return Some(if first == '\'' { instant_in_utc(token) } else { plain(token) });
            }
            ':' if self.chars.next_if_eq(&':').is_some() => token.push(':'),
            _ if is_word(first) => {
                while let Some(c) = self.chars.next_if(|c| is_word(*c)) {
                    token.push(c);
                }
            }
            _ => {}
        }
        Some(token)
    }

    /// The rest of a literal or a quoted name; a doubled quote is one of its characters.
    fn enclosed(&mut self, quote: char, token: &mut String) {
        while let Some(c) = self.chars.next() {
            token.push(c);
            if c != quote {
                continue;
            }
            match self.chars.next_if_eq(&quote) {
                Some(second) => token.push(second),
                None => return,
            }
        }
    }

    fn skip_type(&mut self) {
        let Some(mut word) = self.next() else { return };
        while self.peeks('.') {
            self.next();
            word = self.next().unwrap_or_default();
        }
        let more: &[&str] = match word.as_str() {
            "character" | "bit" => &["varying"],
            "double" => &["precision"],
            "interval" => &["year", "month", "day", "hour", "minute", "second", "to"],
            _ => &[],
        };
        self.skip_words(more);
        if self.peeks('(') {
            while self.next().is_some_and(|token| token != ")") {}
        }
        if matches!(word.as_str(), "timestamp" | "time") {
            self.skip_words(&["without", "with", "time", "zone"]);
        }
        while self.peeks('[') {
            while self.next().is_some_and(|token| token != "]") {}
        }
    }

    fn skip_words(&mut self, words: &[&str]) {
        loop {
            let mut ahead = Tokens { chars: self.chars.clone() };
            if !ahead.next().is_some_and(|word| words.contains(&word.as_str())) {
                return;
            }
            *self = ahead;
        }
    }

    /// Whether that character comes next; a type's name and what belongs to it may be apart.
    fn peeks(&mut self, c: char) -> bool {
        let mut ahead = self.chars.clone();
        while ahead.next_if(|c| c.is_whitespace()).is_some() {}
        ahead.peek() == Some(&c)
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$'
}

/// A name without the quotes that it does not need: which ones do, each version sees otherwise.
fn plain(name: String) -> String {
    let inner = name.trim_matches('"');
    let simple = inner.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && inner.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if simple { inner.to_owned() } else { name }
}

/// `'2026-01-01 02:00:00+02'` as the same instant in UTC: a server writes instants in the zone of
/// the session that asks.
fn instant_in_utc(literal: String) -> String {
    let inner = literal.trim_matches('\'');
    let has_zone = inner.get(19..).is_some_and(|rest| rest.contains(['+', '-']));
    match inner.parse::<Timestamp>() {
        Ok(instant) if has_zone => format!("'{instant}'"),
        _ => literal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_writes_in_two_ways_is_one() {
        let alike = [
            (
                "CHECK (((s)::text = ANY ((ARRAY['a'::character varying, 'b'::character varying])::text[])))",
                "CHECK (((s)::text = ANY (ARRAY[('a'::character varying)::text, ('b'::character varying)::text])))",
            ),
            ("a > '1'::double precision", "a > '1'"),
            ("a::timestamp(3) with time zone + b", "a + b"),
            ("x::app.\"My type\"[] || y", "x || y"),
            ("x::numeric(10,2) > 0", "x>0"),
            (
                "FROM ('2026-01-01 00:00:00+00') TO ('2026-02-01 00:00:00+00')",
                "FROM ('2026-01-01 05:30:00+05:30') TO ('2026-01-31 14:00:00-10')",
            ),
            ("interval '1 day'", "interval  '1 day'"),
        ];
        for (one, other) in alike {
            assert_eq!(canonical(one), canonical(other), "{one}");
        }
    }

    #[test]
    fn what_differs_stays_different() {
        let different = [
            ("a > 1", "a > 2"),
            ("a > 1", "a >= 1"),
            ("a = 'x'", "a = 'y'"),
            ("a = 'x '", "a = 'x'"),
            ("a = 'b::c'", "a = 'b'"),
            ("\"A\" > 1", "a > 1"),
            ("a and b", "a or b"),
            ("ab", "a b"),
            ("'2026-01-01 00:00:00+00'", "'2026-01-01 00:00:00+01'"),
        ];
        for (one, other) in different {
            assert_ne!(canonical(one), canonical(other), "{one}");
        }
    }

    #[test]
    fn a_fragment_is_found_as_a_whole() {
        assert!(holds("ALTER TABLE t ADD CONSTRAINT c CHECK ((a > 1));", "c CHECK (a > 1)"));
        assert!(!holds("ALTER TABLE t ADD CONSTRAINT c CHECK ((a > 10));", "c CHECK (a > 1)"));
        assert!(!holds("ALTER TABLE t ADD CONSTRAINT c CHECK ((a > 1) AND (b > 1));", "c CHECK (a > 1)"));
        assert!(begins("\"select\" text NOT NULL", "select text"));
        assert!(!begins("\"Select\" text", "select text"));
    }

    #[test]
    fn no_text_is_too_odd() {
        for text in
            ["", "'", "\"", "::", "a::", "a::b.", "a::b(", "a::b[", "'it''s'", "::::", "é::ü", "$$'$$"]
        {
            canonical(text);
        }
    }
}
