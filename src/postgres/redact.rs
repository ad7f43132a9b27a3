//! What may be repeated of a server's message: its messages carry rows, and rows go nowhere.

/// Messages are cut to this many characters.
const TEXT_CHARS_MAX: usize = 300;

/// SQLSTATEs whose messages quote names of objects, never values.
const QUOTES_NAMES: &[&str] = &[
    "0A000", "2BP01", "3D000", "3F000", "42501", "42703", "42704", "42710", "42723", "42883", "42P01",
    "42P04", "42P06", "42P07", "42P16", "42P17", "55006", "55P02", "58P01", "58P02", "23505", "23514",
    "23502", "23503",
];

/// Functions of the server that raise what a user's own code says: such a text is dropped whole.
const SAYS_ANYTHING: &[&str] = &["exec_stmt_raise", "PLy_", "plperl_", "pltcl_", "plr_", "plv8"];

/// The message of an error without the values in it: everything from the first double quote to
/// the last goes, unless the SQLSTATE says that names are quoted. From first to last, because a
/// value may itself hold quotes.
pub fn message(sqlstate: &str, routine: Option<&str>, text: &str) -> String {
    let raised = routine.is_some_and(|routine| SAYS_ANYTHING.iter().any(|start| routine.starts_with(start)));
    if raised || ["P0", "38", "39"].iter().any(|class| sqlstate.starts_with(class)) {
        return "an exception of the database's own code".into();
    }
    if QUOTES_NAMES.contains(&sqlstate) { bounded(text) } else { bounded(&unquoted(text)) }
}

/// A text on one line, at most 300 characters, without control characters.
pub fn bounded(text: &str) -> String {
    let mut out: String =
        text.chars().take(TEXT_CHARS_MAX).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(TEXT_CHARS_MAX).is_some() {
        out.push('…');
    }
    out
}

/// The text without what stands between its first and its last double quote.
pub fn unquoted(text: &str) -> String {
    let (Some(first), Some(last)) = (text.find('"'), text.rfind('"')) else { return text.into() };
    let before = text.get(..first).unwrap_or_default();
    if first == last {
        return format!("{before}\"…");
    }
    format!("{before}\"…\"{}", text.get(last.saturating_add(1)..).unwrap_or_default())
}

/// The line and the column that COPY was at, from the context of its error:
/// `COPY orders, line 7, column uid: "the value"`.
pub fn copy_position(context: &str) -> (Option<u64>, Option<String>) {
    let Some((_, rest)) = context.strip_prefix("COPY ").and_then(|rest| rest.split_once(", line ")) else {
        return (None, None);
    };
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    let after = rest.get(digits.len()..).unwrap_or_default();
    // The value follows the first ": ", so nothing behind that is ever looked at.
    let column = after
        .strip_prefix(", column ")
        .and_then(|rest| rest.split_once(": "))
        .map(|(column, _)| bounded(column));
    (digits.parse().ok(), column)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_keeps_names_and_loses_values() {
        let table = [
            (
                "42P01",
                None,
                "relation \"public.orders\" does not exist",
                "relation \"public.orders\" does not exist",
            ),
            (
                "22P02",
                None,
                "invalid input syntax for type integer: \"2q689\"",
                "invalid input syntax for type integer: \"…\"",
            ),
            ("22P02", None, "bad: \"a\" secret \"b\" end", "bad: \"…\" end"),
            ("22P02", None, "cut off: \"secr", "cut off: \"…"),
            ("42601", None, "syntax error at or near \"'secret'\"", "syntax error at or near \"…\""),
            ("P0001", Some("exec_stmt_raise"), "customer secret", "an exception of the database's own code"),
            ("23514", Some("exec_stmt_raise"), "customer secret", "an exception of the database's own code"),
            ("38000", Some("PLy_elog_impl"), "secret", "an exception of the database's own code"),
        ];
        for (sqlstate, routine, text, safe) in table {
            assert_eq!(message(sqlstate, routine, text), safe);
        }
        assert_eq!(bounded(&"x".repeat(1000)).chars().count(), 301);
        assert_eq!(bounded("a\nb\u{1b}[2J"), "a b [2J");
    }

    #[test]
    fn the_position_of_a_copy_is_kept_without_its_value() {
        let table = [
            ("COPY orders, line 98222, column uid: \"2q689\"", Some(98222), Some("uid")),
            ("COPY orders, line 7: \"1\tsecret\"", Some(7), None),
            ("COPY orders, line 7, column x: null input", Some(7), Some("x")),
            ("COPY orders, line 7, column secret", Some(7), None),
            ("SQL statement \"select 'secret'\"", None, None),
            ("COPY orders, line , column x: y", None, Some("x")),
            ("", None, None),
        ];
        for (context, line, column) in table {
            assert_eq!(copy_position(context), (line, column.map(String::from)), "{context}");
        }
    }
}
