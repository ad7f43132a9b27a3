//! Where a statement of SQL ends.

use memchr::{memchr, memchr2, memmem};

use crate::archive::error::Error;

/// The longest tag of a dollar quote: an identifier.
const TAG_BYTES_MAX: usize = 64;

/// Follows one statement from its first byte. It is given everything of the statement that
/// is there, each time from its beginning, and goes on where it stopped.
#[derive(Debug)]
pub(super) struct Scan {
    /// A backslash escapes in every string, not in those alone that an E begins.
    backslashes: bool,
    /// A byte of a character may look like a backslash.
    trail_bytes: bool,
    at: usize,
    mode: Mode,
    parentheses: u32,
    head: Head,
    /// Of a literal that has just ended: whether it had escapes, should it go on.
    ended: Option<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Plain,
    Word {
        from: usize,
    },
    Literal {
        escapes: bool,
    },
    Name,
    /// `$tag$`, at that place.
    Dollar {
        from: usize,
        end: usize,
    },
    LineComment,
    BlockComment {
        depth: u32,
    },
}

/// How far one step got.
enum Step {
    On,
    Wait,
    End,
}

impl Scan {
    pub fn new(backslashes: bool, trail_bytes: bool) -> Scan {
        Scan {
            backslashes,
            trail_bytes,
            at: 0,
            mode: Mode::Plain,
            parentheses: 0,
            head: Head::default(),
            ended: None,
        }
    }

    /// The end of the statement in `text`, behind its semicolon; None if it is not there yet.
    pub fn end(&mut self, text: &[u8]) -> Result<Option<usize>, Error> {
        loop {
            let step = match self.mode {
                Mode::Plain => self.plain(text)?,
                Mode::Word { from } => self.word(text, from)?,
                Mode::Literal { escapes } => self.literal(text, escapes)?,
                Mode::Name => self.jump(text, |rest| memchr(b'"', rest), 1, Mode::Plain),
                Mode::Dollar { from, end } => self.dollar(text, from, end),
                Mode::LineComment => self.jump(text, |rest| memchr(b'\n', rest), 1, Mode::Plain),
                Mode::BlockComment { depth } => self.block_comment(text, depth),
            };
            match step {
                Step::On => {}
                Step::Wait => return Ok(None),
                Step::End => return Ok(Some(self.at)),
            }
        }
    }

    fn plain(&mut self, text: &[u8]) -> Result<Step, Error> {
        let Some(byte) = text.get(self.at) else { return Ok(Step::Wait) };
        let continued = self.ended.take().filter(|_| *byte == b'\'');
        let next = text.get(self.at + 1);
        match byte {
            b'\'' => {
                let escapes = continued.unwrap_or(self.backslashes);
                return self.begin_literal(escapes);
            }
            b'"' => self.mode = Mode::Name,
            b'-' | b'/' if next.is_none() => return Ok(Step::Wait),
            b'-' if next == Some(&b'-') => self.mode = Mode::LineComment,
            b'/' if next == Some(&b'*') => {
                self.at += 1;
                self.mode = Mode::BlockComment { depth: 1 };
            }
            b'$' => return self.begin_dollar(text),
            b'(' => self.parentheses = self.parentheses.saturating_add(1),
            b')' => self.parentheses = self.parentheses.saturating_sub(1),
            b';' if self.parentheses == 0 && !self.head.inside_body() => {
                self.at += 1;
                return Ok(Step::End);
            }
            b'\\' => return Err(refused("a backslash command inside of a statement")),
            0 => return Err(refused("a NUL byte inside of a statement")),
            byte if is_word(*byte) => self.mode = Mode::Word { from: self.at },
            _ => {}
        }
        self.at += 1;
        Ok(Step::On)
    }

    fn word(&mut self, text: &[u8], from: usize) -> Result<Step, Error> {
        let rest = text.get(self.at..).unwrap_or_default();
        let Some(length) = rest.iter().position(|byte| !is_word(*byte) && *byte != b'$') else {
            self.at = text.len();
            return Ok(Step::Wait);
        };
        self.at += length;
        self.mode = Mode::Plain;
        let word = text.get(from..self.at).unwrap_or_default();
        if text.get(self.at) == Some(&b'\'') {
            return self.begin_literal(self.backslashes || word.eq_ignore_ascii_case(b"e"));
        }
        self.head.take(word);
        Ok(Step::On)
    }

    fn begin_literal(&mut self, escapes: bool) -> Result<Step, Error> {
        if escapes && self.trail_bytes {
            let what = "strings with escapes in an encoding whose characters may hold a backslash".into();
            return Err(Error::Unsupported { what });
        }
        self.at += 1;
        self.mode = Mode::Literal { escapes };
        Ok(Step::On)
    }

    fn literal(&mut self, text: &[u8], escapes: bool) -> Result<Step, Error> {
        let rest = text.get(self.at..).unwrap_or_default();
        let found = if escapes { memchr2(b'\'', b'\\', rest) } else { memchr(b'\'', rest) };
        let seen = rest.get(..found.unwrap_or(rest.len())).unwrap_or_default();
        if memchr(0, seen).is_some() {
            return Err(refused("a NUL byte inside of a string"));
        }
        let Some(found) = found else {
            self.at = text.len();
            return Ok(Step::Wait);
        };
        if rest.get(found) == Some(&b'\\') {
            if rest.get(found + 1).is_none() {
                self.at += found;
                return Ok(Step::Wait);
            }
            self.at += found + 2;
            return Ok(Step::On);
        }
        self.at += found + 1;
        self.ended = Some(escapes);
        self.mode = Mode::Plain;
        Ok(Step::On)
    }

    /// `$1` is a parameter, `$$` and `$tag$` begin a quote.
    fn begin_dollar(&mut self, text: &[u8]) -> Result<Step, Error> {
        let rest = text.get(self.at + 1..).unwrap_or_default();
        let tag = rest.iter().take(TAG_BYTES_MAX).position(|byte| !is_word(*byte));
        match tag.map(|length| (length, rest.get(length))) {
            Some((length, Some(b'$'))) if !rest.first().is_some_and(u8::is_ascii_digit) => {
                let (from, end) = (self.at, self.at + length + 2);
                self.at = end;
                self.mode = Mode::Dollar { from, end };
            }
            None if rest.len() < TAG_BYTES_MAX => return Ok(Step::Wait),
            _ => self.at += 1,
        }
        Ok(Step::On)
    }

    fn dollar(&mut self, text: &[u8], from: usize, end: usize) -> Step {
        let tag = text.get(from..end).unwrap_or_default();
        // The closing tag may have been there in part.
        let back = self.at.saturating_sub(tag.len()).max(end);
        match memmem::find(text.get(back..).unwrap_or_default(), tag) {
            Some(found) => {
                self.at = back + found + tag.len();
                self.mode = Mode::Plain;
                Step::On
            }
            None => {
                self.at = text.len().max(end);
                Step::Wait
            }
        }
    }

    fn block_comment(&mut self, text: &[u8], depth: u32) -> Step {
        let rest = text.get(self.at..).unwrap_or_default();
        let Some(found) = memchr2(b'*', b'/', rest) else {
            self.at = text.len();
            return Step::Wait;
        };
        let Some(second) = rest.get(found + 1) else {
            self.at += found;
            return Step::Wait;
        };
        let depth = match (rest.get(found), second) {
            (Some(b'/'), b'*') => depth.saturating_add(1),
            (Some(b'*'), b'/') => depth - 1,
            _ => {
                self.at += found + 1;
                return Step::On;
            }
        };
        self.at += found + 2;
        self.mode = if depth == 0 { Mode::Plain } else { Mode::BlockComment { depth } };
        Step::On
    }

    /// Goes on behind what is found, in another mode.
    fn jump(&mut self, text: &[u8], find: impl Fn(&[u8]) -> Option<usize>, bytes: usize, then: Mode) -> Step {
        let rest = text.get(self.at..).unwrap_or_default();
        match find(rest) {
            Some(found) => {
                self.at += found + bytes;
                self.mode = then;
                Step::On
            }
            None => {
                self.at = text.len();
                Step::Wait
            }
        }
    }
}

/// The words of a statement that tell whether it defines a routine with a body of statements:
/// `CREATE FUNCTION … BEGIN ATOMIC …; …; END`.
#[derive(Debug, Default)]
struct Head {
    words: usize,
    routine: bool,
    after_begin: bool,
    depth: u32,
}

impl Head {
    const WORDS: usize = 4;

    fn inside_body(&self) -> bool {
        self.depth > 0
    }

    fn take(&mut self, word: &[u8]) {
        let is = |keyword: &[u8]| word.eq_ignore_ascii_case(keyword);
        if self.words < Head::WORDS {
            let goes_on = match self.words {
                0 => is(b"create"),
                1 => is(b"or") || is(b"function") || is(b"procedure"),
                2 => is(b"replace"),
                _ => is(b"function") || is(b"procedure"),
            };
            self.routine |= goes_on && (is(b"function") || is(b"procedure"));
            self.words = if goes_on && !self.routine { self.words + 1 } else { Head::WORDS };
        }
        if !self.routine {
            return;
        }
        if self.depth == 0 {
            self.depth = u32::from(self.after_begin && is(b"atomic"));
        } else if is(b"case") {
            self.depth = self.depth.saturating_add(1);
        } else if is(b"end") {
            self.depth -= 1;
        }
        self.after_begin = is(b"begin");
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

fn refused(what: &str) -> Error {
    Error::Unsafe { what: what.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Where the first statement ends, however the text comes in.
    fn end(text: &str, backslashes: bool) -> Option<usize> {
        let whole = Scan::new(backslashes, false).end(text.as_bytes()).unwrap();
        let mut scan = Scan::new(backslashes, false);
        let bytewise = (0..=text.len()).find_map(|length| scan.end(&text.as_bytes()[..length]).unwrap());
        assert_eq!(whole, bytewise, "{text}");
        whole
    }

    #[test]
    fn a_statement_ends_outside_of_everything_that_quotes() {
        for text in [
            "SELECT 1;",
            "SELECT ';', ';'';';",
            r"SELECT '\';",
            r"SELECT E'\';', e'a''\';';",
            "SELECT \"a;\"\"b\";",
            "SELECT $$ ; $a$ ; $$;",
            "SELECT $a$ ; $$ ; $b$ ; $a$;",
            "SELECT $1, a$b;",
            "SELECT 1 -- ; '\n;",
            "SELECT 1 /* ; /* ; */ ' ; */;",
            "CREATE RULE r AS ON INSERT TO t DO ALSO (DELETE FROM a; DELETE FROM b);",
            "CREATE FUNCTION f() RETURNS int\n    BEGIN ATOMIC\n SELECT 1;\n SELECT CASE WHEN true THEN 1 END;\nEND;",
            "CREATE OR REPLACE PROCEDURE p(\"begin\" int)\nBEGIN ATOMIC\nEND;",
            "CREATE FUNCTION f(begin int) RETURNS int LANGUAGE sql AS 'x';",
            "COMMENT ON FUNCTION f IS 'BEGIN ATOMIC';",
            "CREATE TABLE begin (atomic int);",
            "SELECT U&'\\0041', B'01', X'ff';",
            "SELECT a[1:2], 'é;', é;",
            "SELECT 1/2, 1-2;",
            ";",
        ] {
            for behind in ["", "\n-- more;\n", "SELECT ';"] {
                assert_eq!(end(&format!("{text}{behind}"), false), Some(text.len()), "{text}");
            }
        }
    }

    #[test]
    fn a_statement_that_goes_on_has_no_end() {
        for text in [
            "SELECT 1",
            "SELECT ';",
            "SELECT \";",
            "SELECT $a$;$b$;",
            "SELECT (1;",
            "SELECT /* /* */ ;",
            "SELECT 1 -- ;",
            "CREATE FUNCTION f() BEGIN ATOMIC SELECT CASE WHEN a THEN 1 END; SELECT 2;",
            r"SELECT E'\';",
        ] {
            assert_eq!(end(text, false), None, "{text}");
        }
    }

    #[test]
    fn a_backslash_escapes_where_strings_do_not_conform() {
        assert_eq!(end(r"SELECT '\';';", true), Some(r"SELECT '\';';".len()));
        assert_eq!(end(r"SELECT '\';';", false), Some(r"SELECT '\';".len()));
        let trail = Scan::new(true, true).end(b"SELECT 'x';");
        assert!(matches!(trail, Err(Error::Unsupported { .. })));
    }

    #[test]
    fn a_backslash_or_a_nul_outside_of_quotes_is_refused() {
        for text in ["SELECT 1 \\! id\n;", "SELECT \\gexec", "SELECT '\0';", "SELECT \0;"] {
            let scanned = Scan::new(false, false).end(text.as_bytes());
            assert!(matches!(scanned, Err(Error::Unsafe { .. })), "{text}");
        }
    }

    /// One way to write a text so that nothing of it is seen.
    fn quoted(text: &str, how: u8) -> String {
        match how % 6 {
            0 => format!("'{}'", text.replace('\'', "''")),
            1 => format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "\\'")),
            2 => format!("\"{}\"", text.replace('"', "\"\"")),
            3 => format!("$q${}$q$", text.replace("$q", "")),
            4 => format!("/*{}*/", text.replace(['*', '/'], "")),
            _ => format!("({})", text.replace(|c: char| !c.is_alphanumeric(), ";")),
        }
    }

    proptest! {
        #[test]
        fn whatever_is_quoted_does_not_end_a_statement(
            texts in proptest::collection::vec(("[a-z;'\"$\\\\/*() -]{0,12}", any::<u8>()), 0..8),
            behind in "[a-z;'\"$/*() \n-]{0,12}",
        ) {
            let quoted: Vec<String> = texts.iter().map(|(text, how)| quoted(text, *how)).collect();
            let statement = format!("SELECT {} ;", quoted.join(" , "));
            prop_assert_eq!(end(&format!("{statement}{behind}"), false), Some(statement.len()));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), cut in 0usize..200) {
            for backslashes in [false, true] {
                let mut scan = Scan::new(backslashes, false);
                let first = scan.end(&bytes[..cut.min(bytes.len())]);
                if matches!(first, Ok(None)) {
                    let rest = scan.end(&bytes).ok();
                    prop_assert_eq!(rest, Scan::new(backslashes, false).end(&bytes).ok());
                }
            }
        }
    }
}
