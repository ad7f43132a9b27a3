//! Names and texts inside SQL.

/// A name as SQL reads it: always in double quotes, so that case, keywords and odd characters
/// stand as they are. A zero byte, which no name can hold, is left out.
pub fn quote_identifier(name: &str) -> String {
    quoted(name, '"')
}

/// A text as an SQL literal. With a backslash in it the escape form `E'…'` is used, so that it
/// reads the same under either setting of `standard_conforming_strings`. A zero byte is left out.
pub fn quote_literal(text: &str) -> String {
    if text.contains('\\') {
        return format!(" E{}", quoted(&text.replace('\\', "\\\\"), '\''));
    }
    quoted(text, '\'')
}

fn quoted(text: &str, mark: char) -> String {
    let mut out = String::with_capacity(text.len().saturating_add(2));
    out.push(mark);
    for c in text.chars().filter(|&c| c != '\0') {
        if c == mark {
            out.push(mark);
        }
        out.push(c);
    }
    out.push(mark);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_texts_cannot_leave_their_quotes() {
        let names =
            [("a", "\"a\""), ("A b", "\"A b\""), ("x\"; drop", "\"x\"\"; drop\""), ("a\0b", "\"ab\"")];
        for (name, sql) in names {
            assert_eq!(quote_identifier(name), sql);
        }
        let texts =
            [("a", "'a'"), ("it's", "'it''s'"), ("a\\'b", " E'a\\\\''b'"), ("", "''"), ("a\0", "'a'")];
        for (text, sql) in texts {
            assert_eq!(quote_literal(text), sql);
        }
    }
}
