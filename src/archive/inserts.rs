//! A dump of INSERTs, read as the COPY text that the same rows would have been.
//!
//! pg_dump writes numbers as they are, `true` and `false`, `B'…'` for bits, `NULL`, `DEFAULT`
//! for generated columns, and everything else in quotes; inside them stands exactly the text
//! that COPY would have written, but for COPY's own escapes.

use std::io::Read;

use bytes::Bytes;

use crate::archive::error::Error;
use crate::archive::statements::StatementReader;
use crate::archive::toc::Toc;

/// A column of the table, in its physical order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InsertColumn {
    /// Its name.
    pub name: String,
    /// Whether it is generated, so that the dump says DEFAULT for it and COPY leaves it out.
    pub generated: bool,
}

/// Reads the decoded stream of one `TABLE DATA` entry without a COPY statement.
#[derive(Debug)]
pub struct InsertReader<R> {
    statements: StatementReader<R>,
    columns: Vec<InsertColumn>,
    backslashes: bool,
    piece_bytes: usize,
}

impl<R: Read> InsertReader<R> {
    /// Reads `source`, the data of an entry of `toc` whose table has these `columns`, in
    /// pieces of about `piece_bytes`.
    ///
    /// # Errors
    /// An encoding in which a byte of a character may look like a backslash.
    pub fn new(source: R, toc: &Toc, columns: Vec<InsertColumn>, piece_bytes: usize) -> Result<Self, Error> {
        if toc.encoding.has_ascii_trail_bytes() {
            return Err(Error::Unsupported { what: format!("INSERTs in {}", toc.encoding) });
        }
        let statements = StatementReader::new(source, toc)?;
        Ok(InsertReader { statements, columns, backslashes: !toc.std_strings(), piece_bytes })
    }

    /// The next rows as COPY text, each ended by a line feed; None behind the last.
    ///
    /// # Errors
    /// What [`StatementReader`] finds, and rows that do not fit the table's columns.
    pub fn next_piece(&mut self) -> Result<Option<Bytes>, Error> {
        let mut piece = Vec::with_capacity(self.piece_bytes);
        while piece.len() < self.piece_bytes {
            let Some(statement) = self.statements.next_statement()? else { break };
            let rows = insert_as_copy(&statement.sql, &self.columns, self.backslashes, &mut piece)?;
            if rows != statement.rows {
                return Err(Error::Unsafe {
                    what: "an INSERT with other rows than it was split into".into(),
                });
            }
        }
        Ok(if piece.is_empty() { None } else { Some(piece.into()) })
    }
}

/// The rows of one INSERT as COPY text, each ended by a line feed, appended to `out`; how many
/// they are. `backslashes`: strings do not conform to the standard.
///
/// # Errors
/// An INSERT that does not fit the table's `columns`.
pub fn insert_as_copy(
    statement: &[u8],
    columns: &[InsertColumn],
    backslashes: bool,
    out: &mut Vec<u8>,
) -> Result<u64, Error> {
    let mut cursor = Cursor { rest: statement, backslashes };
    cursor
        .rows(columns, out)
        .ok_or_else(|| Error::Unsafe { what: "an INSERT that does not fit the columns of its table".into() })
}

/// A place in one statement. Every method gives None where the text is not of pg_dump's form.
struct Cursor<'a> {
    rest: &'a [u8],
    backslashes: bool,
}

impl Cursor<'_> {
    /// All rows of the statement, appended to `out`.
    fn rows(&mut self, columns: &[InsertColumn], out: &mut Vec<u8>) -> Option<u64> {
        self.word(b"INSERT")?;
        self.word(b"INTO")?;
        self.name()?;
        while self.took(b'.') {
            self.name()?;
        }
        // A list of columns leaves the generated ones out, and so do the values then.
        let stored: Vec<InsertColumn>;
        let mut columns = columns;
        if self.took(b'(') {
            stored = columns.iter().filter(|column| !column.generated).cloned().collect();
            columns = &stored;
            self.listed(columns)?;
        }
        if self.word(b"DEFAULT").is_some() {
            self.word(b"VALUES")?;
            out.push(b'\n');
            return self.end().filter(|()| columns.iter().all(|column| column.generated)).map(|()| 1);
        }
        if self.word(b"OVERRIDING").is_some() {
            self.word(b"SYSTEM")?;
            self.word(b"VALUE")?;
        }
        self.word(b"VALUES")?;
        let mut rows = 0;
        loop {
            self.row(columns, out)?;
            rows += 1;
            if !self.took(b',') {
                return self.end().map(|()| rows);
            }
        }
    }

    /// The list of columns must be the table's own, the generated ones left out.
    fn listed(&mut self, columns: &[InsertColumn]) -> Option<()> {
        for (place, column) in columns.iter().enumerate() {
            if place > 0 && !self.took(b',') {
                return None;
            }
            if self.name()? != column.name.as_bytes() {
                return None;
            }
        }
        self.took(b')').then_some(())
    }

    fn row(&mut self, columns: &[InsertColumn], out: &mut Vec<u8>) -> Option<()> {
        self.took(b'(').then_some(())?;
        let mut first = true;
        for (place, column) in columns.iter().enumerate() {
            if place > 0 && !self.took(b',') {
                return None;
            }
            if column.generated {
                self.word(b"DEFAULT")?;
                continue;
            }
            if !first {
                out.push(b'\t');
            }
            first = false;
            self.value(out)?;
        }
        out.push(b'\n');
        self.took(b')').then_some(())
    }

    fn value(&mut self, out: &mut Vec<u8>) -> Option<()> {
        self.skip_space();
        match self.rest {
            [b'\'', ..] => self.literal(out),
            [b'B', b'\'', ..] => {
                self.rest = self.rest.get(1..)?;
                self.literal(out)
            }
            [b'0'..=b'9' | b'-' | b'+' | b'.', ..] => {
                let number = |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
                let end = self.rest.iter().position(|byte| !number(byte))?;
                let (digits, rest) = self.rest.split_at(end);
                out.extend_from_slice(digits);
                self.rest = rest;
                Some(())
            }
            _ => {
                let words: [(&[u8], &[u8]); 3] = [(b"NULL", b"\\N"), (b"true", b"t"), (b"false", b"f")];
                let (_, text) = words.into_iter().find(|(word, _)| self.word(word).is_some())?;
                out.extend_from_slice(text);
                Some(())
            }
        }
    }

    /// A string in single quotes, with COPY's escapes in place of SQL's.
    fn literal(&mut self, out: &mut Vec<u8>) -> Option<()> {
        let mut rest = self.rest.strip_prefix(b"'")?;
        loop {
            let (byte, more) = rest.split_first()?;
            rest = more;
            match (byte, more) {
                (b'\'', [b'\'', after @ ..]) => {
                    out.push(b'\'');
                    rest = after;
                }
                (b'\'', _) => break,
                // pg_dump doubles a backslash where strings do not conform, and writes no other escape.
                (b'\\', _) if self.backslashes => {
                    rest = more.strip_prefix(b"\\")?;
                    escape(b'\\', out);
                }
                (byte, _) => escape(*byte, out),
            }
        }
        self.rest = rest;
        Some(())
    }

    /// An identifier, without its quotes.
    fn name(&mut self) -> Option<Vec<u8>> {
        self.skip_space();
        let Some(mut rest) = self.rest.strip_prefix(b"\"") else {
            let bare =
                |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_' || *byte == b'$' || *byte >= 0x80;
            let end = self.rest.iter().position(|byte| !bare(byte)).filter(|end| *end > 0)?;
            let (name, rest) = self.rest.split_at(end);
            self.rest = rest;
            return Some(name.to_vec());
        };
        let mut name = Vec::new();
        loop {
            let end = memchr::memchr(b'"', rest)?;
            name.extend_from_slice(rest.get(..end)?);
            rest = rest.get(end + 1..)?;
            match rest.strip_prefix(b"\"") {
                Some(more) => {
                    name.push(b'"');
                    rest = more;
                }
                None => {
                    self.rest = rest;
                    return Some(name);
                }
            }
        }
    }

    /// Takes this keyword if it comes next.
    fn word(&mut self, keyword: &[u8]) -> Option<()> {
        self.skip_space();
        let rest = self.rest.strip_prefix(keyword)?;
        let goes_on = rest.first().is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
        if goes_on {
            return None;
        }
        self.rest = rest;
        Some(())
    }

    /// Takes this character if it comes next.
    fn took(&mut self, symbol: u8) -> bool {
        self.skip_space();
        let taken = self.rest.strip_prefix(&[symbol]);
        self.rest = taken.unwrap_or(self.rest);
        taken.is_some()
    }

    /// `;`, or what `--on-conflict-do-nothing` puts before it: in a table that was dumped, no two
    /// rows are in conflict.
    fn end(&mut self) -> Option<()> {
        if self.word(b"ON").is_some() {
            [b"CONFLICT".as_slice(), b"DO", b"NOTHING"].into_iter().try_for_each(|word| self.word(word))?;
        }
        (self.took(b';') && self.rest.is_empty()).then_some(())
    }

    fn skip_space(&mut self) {
        self.rest = self.rest.trim_ascii_start();
    }
}

/// A byte of a value as COPY TO writes it.
fn escape(byte: u8, out: &mut Vec<u8>) {
    let letter = match byte {
        b'\\' => b'\\',
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        0x08 => b'b',
        0x0b => b'v',
        0x0c => b'f',
        plain => return out.push(plain),
    };
    out.extend_from_slice(&[b'\\', letter]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(names: &[&str]) -> Vec<InsertColumn> {
        let column = |name: &&str| InsertColumn {
            name: name.trim_start_matches('=').to_owned(),
            generated: name.starts_with('='),
        };
        names.iter().map(column).collect()
    }

    fn rows(sql: &str, names: &[&str]) -> Option<String> {
        let mut out = Vec::new();
        let mut cursor = Cursor { rest: sql.as_bytes(), backslashes: false };
        cursor.rows(&columns(names), &mut out)?;
        Some(String::from_utf8(out).unwrap())
    }

    #[test]
    fn inserts_read_as_the_rows_that_copy_would_have_written() {
        let table: &[(&str, &[&str], &str)] = &[
            ("INSERT INTO app.t VALUES (1, 'it''s', NULL);", &["a", "b", "c"], "1\tit's\t\\N\n"),
            ("INSERT INTO app.t VALUES ('a\tb\\c\nd');", &["a"], "a\\tb\\\\c\\nd\n"),
            (
                "INSERT INTO \"we\"\"ird;\".\"T(\" VALUES (-1.5e-7, true, B'0101');",
                &["a", "b", "c"],
                "-1.5e-7\tt\t0101\n",
            ),
            ("INSERT INTO t (a, \"B c\") VALUES ('', false);", &["a", "B c"], "\tf\n"),
            ("INSERT INTO t (a, b) VALUES (1, 2);", &["a", "=g", "b"], "1\t2\n"),
            ("INSERT INTO t VALUES (1, DEFAULT, 2);", &["a", "=g", "b"], "1\t2\n"),
            ("INSERT INTO t VALUES (DEFAULT);", &["=g"], "\n"),
            ("INSERT INTO t DEFAULT VALUES;", &[], "\n"),
            ("INSERT INTO t OVERRIDING SYSTEM VALUE VALUES (7);", &["id"], "7\n"),
            ("INSERT INTO t VALUES\n\t(1, 'x'),\n\t(2, 'y');", &["a", "b"], "1\tx\n2\ty\n"),
            ("INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING;", &["a"], "1\n"),
            ("INSERT INTO t DEFAULT VALUES ON CONFLICT DO NOTHING;", &[], "\n"),
        ];
        for (sql, names, text) in table {
            assert_eq!(rows(sql, names).as_deref(), Some(*text), "{sql}");
        }
    }

    #[test]
    fn an_insert_that_does_not_fit_its_table_is_refused() {
        let table: &[(&str, &[&str])] = &[
            ("INSERT INTO t VALUES (1);", &["a", "b"]),
            ("INSERT INTO t VALUES (1, 2);", &["a"]),
            ("INSERT INTO t (b) VALUES (1);", &["a"]),
            ("INSERT INTO t VALUES (DEFAULT);", &["a"]),
            ("INSERT INTO t VALUES (1);", &["=g"]),
            ("INSERT INTO t DEFAULT VALUES;", &["a"]),
            ("INSERT INTO t VALUES (now());", &["a"]),
            ("INSERT INTO t VALUES (1); DROP TABLE t;", &["a"]),
            ("INSERT INTO t VALUES (1) ON CONFLICT DO UPDATE SET a = 2;", &["a"]),
            ("INSERT INTO t VALUES ('a", &["a"]),
        ];
        for (sql, names) in table {
            assert_eq!(rows(sql, names), None, "{sql}");
        }
    }

    #[test]
    fn doubled_backslashes_are_one_where_strings_do_not_conform() {
        let read = |sql: &str| {
            let mut out = Vec::new();
            let mut cursor = Cursor { rest: sql.as_bytes(), backslashes: true };
            cursor.rows(&columns(&["a"]), &mut out).map(|_| out)
        };
        assert_eq!(read(r"INSERT INTO t VALUES ('a\\b');").unwrap(), b"a\\\\b\n");
        assert_eq!(read(r"INSERT INTO t VALUES ('a\nb');"), None);
    }
}
