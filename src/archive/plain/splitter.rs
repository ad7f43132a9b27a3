//! A script as a sequence of what psql would have done with it: statements, rows, commands.

use bytes::{Buf, Bytes, BytesMut};
use memchr::{memchr, memmem, memrchr};

use crate::archive::error::Error;
use crate::archive::plain::scan::Scan;

/// Rows are handed out in pieces of about this size.
const PIECE_BYTES: usize = 256 << 10;
/// The longest line of a comment or command that is read.
const LINE_BYTES_MAX: usize = 1 << 20;
/// The longest row, and the longest INSERT: above the 1 GiB at which PostgreSQL itself gives up.
const ROW_BYTES_MAX: usize = (1 << 30) + (64 << 20);
/// The longest statement that is not an INSERT.
const STATEMENT_BYTES_MAX: usize = 64 << 20;

/// One thing in a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// A line that begins with two hyphens, without its end.
    Comment(Bytes),
    /// A line that begins with a backslash, without its end.
    Command(Bytes),
    /// A statement with its semicolon.
    Statement(Bytes),
    /// A `COPY … FROM stdin;`: rows follow.
    Copy(Bytes),
    /// Whole rows, each ended by one line feed.
    Rows(Bytes),
    /// The rows are over.
    RowsEnd,
}

#[derive(Debug)]
enum Mode {
    Between,
    Statement(Scan),
    /// Behind a COPY statement, before the end of its line.
    CopyLine,
    /// So many bytes of the buffer are known to hold no end of the rows.
    Rows {
        searched: usize,
    },
    /// The end of the rows was found at the buffer's beginning.
    RowsOver,
}

/// Takes a script in parts and gives what is in it, in bounded memory. It knows nothing of
/// what the statements mean, except that a COPY from stdin is followed by rows: they are taken
/// to their end whether anybody wants them or not, and never read as statements.
#[derive(Debug)]
pub(super) struct Splitter {
    buffer: BytesMut,
    mode: Mode,
    /// Bytes handed out or passed over.
    at: u64,
    /// Lines end as Windows ends them; None until the first has told.
    carriage_returns: Option<bool>,
    backslashes: bool,
    trail_bytes: bool,
}

impl Splitter {
    pub fn new() -> Splitter {
        Splitter {
            buffer: BytesMut::new(),
            mode: Mode::Between,
            at: 0,
            carriage_returns: None,
            backslashes: false,
            trail_bytes: false,
        }
    }

    /// From the next statement on a backslash escapes in every string.
    pub fn backslashes_escape(&mut self, escape: bool) {
        self.backslashes = escape;
    }

    /// From the next statement on a byte of a character may look like a backslash.
    pub fn trail_bytes(&mut self, trail_bytes: bool) {
        self.trail_bytes = trail_bytes;
    }

    pub fn push(&mut self, part: &[u8]) {
        self.buffer.extend_from_slice(part);
    }

    /// Bytes of the script that were handed out.
    pub fn at(&self) -> u64 {
        self.at
    }

    /// The size of the rows that come next, if all of them are here.
    pub fn rows_at_hand(&self) -> Option<u64> {
        let Mode::Rows { .. } = self.mode else { return None };
        let end =
            if self.buffer.starts_with(b"\\.") { Some(0) } else { memmem::find(&self.buffer, b"\n\\.") };
        end.map(|end| end as u64)
    }

    /// What comes next; None: push more.
    pub fn next(&mut self) -> Result<Option<Event>, Error> {
        loop {
            match &mut self.mode {
                Mode::Between => {
                    if let Some(line) = self.between()? {
                        return Ok(Some(line));
                    }
                    if !matches!(self.mode, Mode::Statement(_)) {
                        return Ok(None);
                    }
                }
                Mode::Statement(scan) => {
                    let Some(end) = scan.end(&self.buffer)? else {
                        self.check_length()?;
                        return Ok(None);
                    };
                    return self.statement(end).map(Some);
                }
                Mode::CopyLine => {
                    if !self.copy_line()? {
                        return Ok(None);
                    }
                }
                Mode::Rows { .. } => return self.rows(),
                Mode::RowsOver => {
                    let Some(end) = memchr(b'\n', &self.buffer) else { return Ok(None) };
                    self.pass(end + 1);
                    self.mode = Mode::Between;
                    return Ok(Some(Event::RowsEnd));
                }
            }
        }
    }

    /// What it means that the script ends here.
    pub fn end(&mut self) -> Result<(), Error> {
        let at = self.at.saturating_add(self.buffer.len() as u64);
        let what = match &self.mode {
            Mode::Between => {
                let blank = self.buffer.iter().all(u8::is_ascii_whitespace);
                return if blank { Ok(()) } else { Err(Error::truncated("it ends within a line", at)) };
            }
            Mode::Statement(_) => "it ends within a statement",
            Mode::CopyLine | Mode::Rows { .. } | Mode::RowsOver => {
                "it ends within rows, without the line that ends them"
            }
        };
        Err(Error::truncated(what, at))
    }

    /// A line of its own; None having either begun a statement or used up what is there.
    fn between(&mut self) -> Result<Option<Event>, Error> {
        let blank = self.buffer.iter().position(|byte| !byte.is_ascii_whitespace());
        self.pass(blank.unwrap_or(self.buffer.len()));
        let comment = match (self.buffer.first(), self.buffer.get(1)) {
            (None, _) | (Some(b'-'), None) => return Ok(None),
            (Some(b'-'), Some(b'-')) => true,
            (Some(b'\\'), _) => false,
            _ => {
                self.mode = Mode::Statement(Scan::new(self.backslashes, self.trail_bytes));
                return Ok(None);
            }
        };
        let Some(end) = memchr(b'\n', &self.buffer) else {
            if self.buffer.len() > LINE_BYTES_MAX {
                return Err(too_long("a line", LINE_BYTES_MAX));
            }
            return Ok(None);
        };
        let mut line = self.take(end + 1);
        line.truncate(end);
        if self.carriage_returns.is_none() {
            self.carriage_returns = Some(line.ends_with(b"\r"));
        }
        if line.ends_with(b"\r") {
            line.truncate(end - 1);
        }
        Ok(Some(if comment { Event::Comment(line) } else { Event::Command(line) }))
    }

    fn check_length(&self) -> Result<(), Error> {
        let insert = self.buffer.starts_with(b"INSERT INTO ");
        let limit = if insert { ROW_BYTES_MAX } else { STATEMENT_BYTES_MAX };
        if self.buffer.len() > limit { Err(too_long("a statement", limit)) } else { Ok(()) }
    }

    fn statement(&mut self, end: usize) -> Result<Event, Error> {
        let statement = self.take(end);
        let first = statement.iter().position(|byte| !byte.is_ascii_alphabetic()).unwrap_or(0);
        let copy = statement.get(..first).is_some_and(|word| word.eq_ignore_ascii_case(b"copy"));
        if !copy {
            self.mode = Mode::Between;
            return Ok(Event::Statement(statement));
        }
        if !statement.starts_with(b"COPY ") || !statement.ends_with(b" FROM stdin;") {
            return Err(Error::Unsafe { what: "a COPY statement that pg_dump does not write".into() });
        }
        self.mode = Mode::CopyLine;
        Ok(Event::Copy(statement))
    }

    /// Nothing may stand behind a COPY on its line.
    fn copy_line(&mut self) -> Result<bool, Error> {
        match (self.buffer.first(), self.buffer.get(1)) {
            (None, _) | (Some(b'\r'), None) => return Ok(false),
            (Some(b'\n'), _) => self.pass(1),
            (Some(b'\r'), Some(b'\n')) => self.pass(2),
            _ => return Err(Error::Unsafe { what: "something behind a COPY on its line".into() }),
        }
        self.mode = Mode::Rows { searched: 0 };
        Ok(true)
    }

    fn rows(&mut self) -> Result<Option<Event>, Error> {
        let Mode::Rows { searched } = self.mode else { return Ok(None) };
        let end_line: &[u8] = if self.carriage_returns == Some(true) { b"\\.\r\n" } else { b"\\.\n" };
        if self.buffer.starts_with(end_line) {
            self.mode = Mode::RowsOver;
            return self.next();
        }
        if end_line.starts_with(&self.buffer) {
            return Ok(None);
        }
        let Some(last) = self.last_row_end(searched) else {
            if self.buffer.len() > ROW_BYTES_MAX {
                return Err(too_long("a row", ROW_BYTES_MAX));
            }
            self.mode = Mode::Rows { searched: self.buffer.len() };
            return Ok(None);
        };
        let rows = self.buffer.get(..last).unwrap_or_default();
        let end = memmem::find(rows, &[b"\n", end_line].concat()).map(|at| at + 1);
        // A small piece may grow, unless the end is in sight.
        if end.is_none() && self.buffer.len() < PIECE_BYTES {
            return Ok(None);
        }
        self.mode = Mode::Rows { searched: 0 };
        let rows = self.take(end.unwrap_or(last));
        self.unix(rows).map(|rows| Some(Event::Rows(rows)))
    }

    /// Behind the last row of a piece, or behind the first where that is longer.
    fn last_row_end(&self, searched: usize) -> Option<usize> {
        let border = self.buffer.len().min(PIECE_BYTES);
        let piece = self.buffer.get(..border).filter(|_| searched < border);
        if let Some(last) = piece.and_then(|piece| memrchr(b'\n', piece)) {
            return Some(last + 1);
        }
        let from = border.max(searched);
        memchr(b'\n', self.buffer.get(from..)?).map(|first| from + first + 1)
    }

    /// Rows whose lines end in a line feed alone.
    fn unix(&self, rows: Bytes) -> Result<Bytes, Error> {
        if self.carriage_returns != Some(true) {
            return Ok(rows);
        }
        let mut unix = Vec::with_capacity(rows.len());
        for row in rows.split_inclusive(|byte| *byte == b'\n') {
            let Some(row) = row.strip_suffix(b"\r\n") else {
                return Err(Error::corrupt("lines end in two ways", self.at));
            };
            unix.extend_from_slice(row);
            unix.push(b'\n');
        }
        Ok(unix.into())
    }

    fn take(&mut self, count: usize) -> Bytes {
        let count = count.min(self.buffer.len());
        self.at = self.at.saturating_add(count as u64);
        self.buffer.split_to(count).freeze()
    }

    fn pass(&mut self, count: usize) {
        let count = count.min(self.buffer.len());
        self.at = self.at.saturating_add(count as u64);
        self.buffer.advance(count);
    }
}

fn too_long(what: &str, limit: usize) -> Error {
    Error::Limit { what: format!("{what} of more than {limit} bytes"), limit: limit as u64 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn split(script: &[u8], part_bytes: usize) -> Result<Vec<Event>, Error> {
        let mut splitter = Splitter::new();
        let mut events: Vec<Event> = Vec::new();
        for part in script.chunks(part_bytes.max(1)) {
            splitter.push(part);
            while let Some(event) = splitter.next()? {
                match (events.last_mut(), event) {
                    (Some(Event::Rows(rows)), Event::Rows(more)) => {
                        *rows = [rows.as_ref(), &more].concat().into();
                    }
                    (_, event) => events.push(event),
                }
            }
        }
        splitter.end()?;
        Ok(events)
    }

    fn bytes(text: &str) -> Bytes {
        Bytes::copy_from_slice(text.as_bytes())
    }

    const SCRIPT: &str = "--\n-- A title\n--\n\n\\restrict k\n\nSELECT 'a;\n--b';\nCOPY s.t (a) FROM stdin;\n\
                          1\n\\\\.\n\\\\.\tx\n;'\"\\n$$--\n\n\\.\n\n\nCOPY s.u (a) FROM stdin;\n\\.\nSELECT 2;\n";

    #[test]
    fn a_script_splits_alike_in_parts_of_any_size() {
        let expected = vec![
            Event::Comment(bytes("--")),
            Event::Comment(bytes("-- A title")),
            Event::Comment(bytes("--")),
            Event::Command(bytes("\\restrict k")),
            Event::Statement(bytes("SELECT 'a;\n--b';")),
            Event::Copy(bytes("COPY s.t (a) FROM stdin;")),
            Event::Rows(bytes("1\n\\\\.\n\\\\.\tx\n;'\"\\n$$--\n\n")),
            Event::RowsEnd,
            Event::Copy(bytes("COPY s.u (a) FROM stdin;")),
            Event::RowsEnd,
            Event::Statement(bytes("SELECT 2;")),
        ];
        for part_bytes in 1..SCRIPT.len() + 1 {
            assert_eq!(split(SCRIPT.as_bytes(), part_bytes).unwrap(), expected, "{part_bytes}");
        }
    }

    #[test]
    fn lines_that_windows_has_ended_give_the_same_rows() {
        let windows = SCRIPT.replace('\n', "\r\n");
        let rows = |script: &str, part_bytes| {
            let events = split(script.as_bytes(), part_bytes).unwrap();
            events.into_iter().filter(|event| matches!(event, Event::Rows(_) | Event::Command(_))).collect()
        };
        let expected: Vec<Event> = rows(SCRIPT, 7);
        for part_bytes in [1, 2, 3, 64, 4096] {
            assert_eq!(rows(&windows, part_bytes), expected);
        }
        let mixed = windows.replace("1\r\n", "1\n");
        assert!(matches!(split(mixed.as_bytes(), 9), Err(Error::Corrupt { .. })));
    }

    #[test]
    fn an_end_inside_of_anything_is_one_too_few() {
        for (script, told) in [
            ("SELECT 1", "statement"),
            ("SELECT '", "statement"),
            ("-- A comment", "line"),
            ("COPY s.t (a) FROM stdin;", "rows"),
            ("COPY s.t (a) FROM stdin;\n", "rows"),
            ("COPY s.t (a) FROM stdin;\n1\n", "rows"),
            ("COPY s.t (a) FROM stdin;\n1\n\\.", "rows"),
            ("COPY s.t (a) FROM stdin;\n1\n\\\n", "rows"),
        ] {
            let error = split(script.as_bytes(), 5).unwrap_err();
            assert!(matches!(error, Error::Truncated { .. }) && error.to_string().contains(told), "{script}");
        }
    }

    #[test]
    fn a_copy_of_another_form_is_refused() {
        for script in [
            "COPY t FROM PROGRAM 'id';\n",
            "copy t (a) from stdin;\n",
            "COPY t (a) TO stdout;\n",
            "COPY t (a) FROM stdin; SELECT 1;\n",
            "COPY t (a) FROM stdin WITH CSV;\n",
            "COPY t (a) FROM stdin;-- x\n",
        ] {
            assert!(matches!(split(script.as_bytes(), 5), Err(Error::Unsafe { .. })), "{script}");
        }
    }

    #[test]
    fn what_has_no_end_is_given_up() {
        let mut splitter = Splitter::new();
        splitter.push(b"SELECT '");
        let filler = vec![b'x'; 4 << 20];
        let given_up = (0..20).find_map(|_| {
            splitter.push(&filler);
            splitter.next().err()
        });
        assert!(matches!(given_up, Some(Error::Limit { .. })));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(
            script in proptest::collection::vec(
                prop_oneof!["COPY t \\(a\\) FROM stdin;\n", "\\\\.\n", "[a-z;'\"$\\\\/*() \r\n\0-]{0,8}"], 0..20),
            part_bytes in 1usize..50,
        ) {
            let script = script.concat();
            let whole = split(script.as_bytes(), script.len());
            let parts = split(script.as_bytes(), part_bytes);
            prop_assert_eq!(whole.ok(), parts.ok());
        }
    }
}
