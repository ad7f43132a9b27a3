//! The rows of one table in a dump of INSERTs.

use std::io::Read;

use bytes::Bytes;

use crate::archive::error::Error;
use crate::archive::toc::Toc;

/// The longest statement that is read.
const STATEMENT_BYTES_MAX: usize = (1 << 30) + (64 << 20);

/// How much is read at a time.
const READ_BYTES: usize = 256 << 10;

/// What every statement begins with.
const BEGINNING: &[u8] = b"INSERT INTO ";

/// Line feeds behind the last statement's own.
const TAIL_BYTES: usize = 2;

/// One INSERT of a dump, with its semicolon, in the archive's encoding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The SQL.
    pub sql: Bytes,
    /// How many rows it inserts.
    pub rows: u64,
}

/// Reads the decoded stream of one `TABLE DATA` entry without a COPY statement.
///
/// Statements end at a `;` outside of quotes. The two empty lines behind the last must be
/// there, and nothing but line feeds may follow it. Comments, dollar quotes and E'' strings,
/// which pg_dump does not write into such a stream, are refused.
#[derive(Debug)]
pub struct StatementReader<R> {
    source: R,
    /// What was read and not handed out; begins with a statement or the line feeds before it.
    buffer: Vec<u8>,
    scan: Scan,
    /// So many bytes of the buffer were scanned.
    scanned: usize,
    /// Bytes handed out or passed over.
    at: u64,
    line_feeds: usize,
    any: bool,
    ended: bool,
}

impl<R: Read> StatementReader<R> {
    /// Reads `source`, the data of an entry of `toc`.
    pub fn new(source: R, toc: &Toc) -> Result<StatementReader<R>, Error> {
        let backslashes = !toc.std_strings();
        if backslashes && toc.encoding.has_ascii_trail_bytes() {
            let what = format!("INSERTs in {} with standard_conforming_strings off", toc.encoding);
            return Err(Error::Unsupported { what });
        }
        Ok(StatementReader::with_backslashes(source, backslashes))
    }

    fn with_backslashes(source: R, backslashes: bool) -> StatementReader<R> {
        StatementReader {
            source,
            buffer: Vec::new(),
            scan: Scan::new(backslashes),
            scanned: 0,
            at: 0,
            line_feeds: 0,
            any: false,
            ended: false,
        }
    }

    /// The next statement; None behind the last, once the source had nothing more.
    pub fn next_statement(&mut self) -> Result<Option<Statement>, Error> {
        while !self.ended {
            self.skip_line_feeds();
            if let Some(end) = self.scan_on()? {
                return self.split(end).map(Some);
            }
            if self.buffer.len() >= STATEMENT_BYTES_MAX {
                let what = format!("a statement of more than {STATEMENT_BYTES_MAX} bytes");
                return Err(Error::Limit { what, limit: STATEMENT_BYTES_MAX as u64 });
            }
            let mut limited = self.source.by_ref().take(READ_BYTES as u64);
            if limited.read_to_end(&mut self.buffer).map_err(Error::from_io)? == 0 {
                self.finish()?;
            }
        }
        Ok(None)
    }

    /// Line feeds between statements, as long as none has begun.
    fn skip_line_feeds(&mut self) {
        if self.scanned == 0 {
            let count = self.buffer.iter().take_while(|byte| **byte == b'\n').count();
            self.buffer.drain(..count);
            self.line_feeds = self.line_feeds.saturating_add(count);
            self.at = self.at.saturating_add(count as u64);
        }
    }

    /// Scans what was read since; the end of the statement if it is there.
    fn scan_on(&mut self) -> Result<Option<usize>, Error> {
        let begun = self.buffer.get(..BEGINNING.len().min(self.buffer.len())).unwrap_or_default();
        if !BEGINNING.starts_with(begun) {
            return Err(Error::Unsafe { what: "rows that are not INSERT statements".into() });
        }
        for byte in self.buffer.get(self.scanned..).unwrap_or_default() {
            self.scanned += 1;
            match self.scan.take(*byte) {
                Taken::Inside => {}
                Taken::End => return Ok(Some(self.scanned)),
                Taken::Refused => {
                    return Err(Error::Unsafe { what: "an INSERT that pg_dump does not write".into() });
                }
            }
        }
        Ok(None)
    }

    fn split(&mut self, end: usize) -> Result<Statement, Error> {
        let rest = self.buffer.split_off(end.min(self.buffer.len()));
        let sql = Bytes::from(std::mem::replace(&mut self.buffer, rest));
        let rows = self.scan.rows;
        if rows == 0 || !sql.starts_with(BEGINNING) {
            return Err(Error::Unsafe { what: "an INSERT that pg_dump does not write".into() });
        }
        self.at = self.at.saturating_add(sql.len() as u64);
        self.scan = Scan::new(self.scan.backslashes);
        self.scanned = 0;
        self.line_feeds = 0;
        self.any = true;
        Ok(Statement { sql, rows })
    }

    fn finish(&mut self) -> Result<(), Error> {
        let wanted = TAIL_BYTES + usize::from(self.any);
        if !self.buffer.is_empty() || self.line_feeds < wanted {
            let at = self.at.saturating_add(self.buffer.len() as u64);
            return Err(Error::truncated_stream("statements without the blank lines that end them", at));
        }
        self.ended = true;
        Ok(())
    }
}

/// Follows one statement byte by byte.
#[derive(Debug)]
struct Scan {
    backslashes: bool,
    mode: Mode,
    depth: u32,
    /// The byte before, outside of quotes.
    last: u8,
    word: Vec<u8>,
    word_before: Vec<u8>,
    values: bool,
    rows: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Plain,
    Literal,
    Escaped,
    Name,
}

enum Taken {
    Inside,
    End,
    Refused,
}

impl Scan {
    fn new(backslashes: bool) -> Scan {
        Scan {
            backslashes,
            mode: Mode::Plain,
            depth: 0,
            last: b' ',
            word: Vec::new(),
            word_before: Vec::new(),
            values: false,
            rows: 0,
        }
    }

    fn take(&mut self, byte: u8) -> Taken {
        match (self.mode, byte) {
            (Mode::Literal, b'\'') | (Mode::Name, b'"') => self.mode = Mode::Plain,
            (Mode::Literal, b'\\') if self.backslashes => self.mode = Mode::Escaped,
            (Mode::Escaped, _) => self.mode = Mode::Literal,
            (Mode::Literal | Mode::Name, _) => {}
            (Mode::Plain, _) => return self.take_plain(byte),
        }
        Taken::Inside
    }

    fn take_plain(&mut self, byte: u8) -> Taken {
        let last = std::mem::replace(&mut self.last, byte);
        if byte.is_ascii_alphanumeric() || byte == b'_' {
            // No keyword is longer; a longer word need not be kept.
            if self.word.len() < 16 {
                self.word.push(byte);
            }
            return Taken::Inside;
        }
        if matches!((byte, self.word.as_slice()), (b'\'', b"E" | b"e" | b"U" | b"u")) {
            return Taken::Refused;
        }
        self.end_word();
        match (last, byte) {
            (b'-', b'-') | (b'/', b'*') | (_, b'$' | b'\\' | 0) => return Taken::Refused,
            (_, b'\'') => self.mode = Mode::Literal,
            (_, b'"') => self.mode = Mode::Name,
            (_, b'(') => {
                self.rows += u64::from(self.values && self.depth == 0);
                self.depth = self.depth.saturating_add(1);
            }
            (_, b')') => match self.depth.checked_sub(1) {
                Some(depth) => self.depth = depth,
                None => return Taken::Refused,
            },
            (_, b';') if self.depth == 0 => return Taken::End,
            (_, b';') => return Taken::Refused,
            _ => {}
        }
        Taken::Inside
    }

    /// Notices the keywords that rows are counted by.
    fn end_word(&mut self) {
        if self.word.is_empty() {
            return;
        }
        if self.depth == 0 && self.word == b"VALUES" {
            self.values = true;
            self.rows += u64::from(self.word_before == b"DEFAULT");
        }
        self.word_before = std::mem::take(&mut self.word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, backslashes: bool) -> Result<Vec<(String, u64)>, Error> {
        let mut reader = StatementReader::with_backslashes(text.as_bytes(), backslashes);
        let mut statements = Vec::new();
        while let Some(statement) = reader.next_statement()? {
            statements.push((String::from_utf8_lossy(&statement.sql).into_owned(), statement.rows));
        }
        Ok(statements)
    }

    #[test]
    fn statements_end_outside_of_quotes() {
        let statements = read(
            "INSERT INTO a.\"t;\"\"VALUES (\" VALUES ('x;''y', -1, B'01');\n\
             INSERT INTO a.b (c) OVERRIDING SYSTEM VALUE VALUES\n\t('a\nb'),\n\t((f(1)));\n\
             INSERT INTO a.z DEFAULT VALUES;\n\n\n",
            false,
        )
        .unwrap();
        assert_eq!(statements.iter().map(|(_, rows)| *rows).collect::<Vec<_>>(), [1, 2, 1]);
        assert!(statements.iter().all(|(sql, _)| sql.ends_with(';')));
        assert!(read("\n\n", false).unwrap().is_empty());
    }

    #[test]
    fn a_backslash_escapes_only_where_strings_do_not_conform() {
        let text = "INSERT INTO t VALUES ('a\\');\nINSERT INTO t VALUES ('b');\n\n\n";
        assert_eq!(read(text, false).unwrap().len(), 2);
        assert!(read(text, true).is_err());
        assert_eq!(read("INSERT INTO t VALUES ('a\\';');\n\n\n", true).unwrap().len(), 1);
    }

    #[test]
    fn a_stream_cut_anywhere_is_an_error() {
        let whole = "INSERT INTO t VALUES (1);\nINSERT INTO t VALUES ('x');\n\n\n";
        assert_eq!(read(whole, false).unwrap().len(), 2);
        for end in 0..whole.len() {
            assert!(read(&whole[..end], false).is_err(), "{end}");
        }
    }

    #[test]
    fn what_pg_dump_does_not_write_is_refused() {
        for text in [
            "DROP TABLE t;\n\n\n",
            "INSERT INTO t VALUES (1) -- x\n;\n\n\n",
            "INSERT INTO t VALUES (E'a');\n\n\n",
            "INSERT INTO t VALUES ($$a$$);\n\n\n",
            "INSERT INTO t VALUES (1));\n\n\n",
            "INSERT INTO t SELECT 1;\n\n\n",
            "INSERT INTO t VALUES (1); DROP TABLE t;\n\n\n",
        ] {
            assert!(matches!(read(text, false), Err(Error::Unsafe { .. })), "{text}");
        }
    }
}
