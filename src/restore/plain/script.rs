//! The reading thread of a plain dump.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::runtime::Handle;

use crate::archive::{Entry, InsertColumn, Item, PlainDump, Section, TableOfData, Toc, insert_as_copy};
use crate::restore::Error;
use crate::restore::board::Board;
use crate::restore::error::Failure;
use crate::restore::input::Input;
use crate::restore::load::{Feed, Load, Piece, Planned};
use crate::restore::policy;
use crate::restore::spans::Kind;
use crate::restore::ways::Columns;
use crate::verdict::Blame;

/// Rows of INSERTs are gathered into pieces of about this size.
const PIECE_BYTES: usize = 256 * 1024;

/// A script that was read in part.
#[derive(Debug)]
pub struct Script {
    /// What was read.
    pub dump: PlainDump,
    /// The rows or large objects that come next.
    pub next: Option<Item>,
    /// The script was read to its end, and was complete.
    pub over: bool,
}

impl Script {
    /// A script of which nothing was read.
    pub fn new(dump: PlainDump) -> Script {
        Script { dump, next: None, over: false }
    }

    /// There are no more bytes.
    ///
    /// # Errors
    /// The script is not complete.
    pub fn finish(&mut self) -> Result<(), crate::archive::Error> {
        self.over = true;
        self.dump.finish()
    }
}

/// Reads on until something must be run before the rows that come next, or to the end.
pub struct Reader {
    board: Arc<Board>,
    columns: Columns,
    toc: Arc<Toc>,
    failed: HashSet<u32>,
    script: Script,
    input: Input,
    runtime: Handle,
    /// Entries that were looked at.
    looked_at: usize,
    open: Option<OpenLoad>,
}

/// The load that is fed, and when it began to be.
struct OpenLoad {
    feed: Feed,
    /// The columns of a table whose rows stand in INSERT statements.
    inserted: Option<Vec<InsertColumn>>,
    rows: Vec<u8>,
    began: Duration,
}

impl Reader {
    /// A reader that hands over to `board`; entries up to those of `toc` were run, but for those
    /// that have `failed`. Must be made inside the runtime.
    pub fn new(
        board: Arc<Board>,
        columns: Columns,
        toc: Arc<Toc>,
        failed: HashSet<u32>,
        script: Script,
        input: Input,
    ) -> Reader {
        let looked_at = toc.entries.len();
        let runtime = Handle::current();
        Reader { board, columns, toc, failed, script, input, runtime, looked_at, open: None }
    }

    /// Reads. Blocks; runs on a thread. What is wrong with the script goes to the board.
    ///
    /// # Errors
    /// The store would not give all bytes.
    pub fn run(mut self) -> Result<(Script, Input), Error> {
        if let Err(error) = self.read() {
            self.open = None;
            if error.reason().code.blame() == Blame::Environment {
                return Err(error);
            }
            self.board.halt(error);
        }
        self.board.stream_over();
        Ok((self.script, self.input))
    }

    fn read(&mut self) -> Result<(), Error> {
        let mut item = self.script.next.take();
        loop {
            if self.board.halted().is_some() {
                return Ok(());
            }
            let next = match item.take() {
                Some(item) => Some(item),
                None => self.script.dump.next_item().map_err(|error| Error::archive(&error))?,
            };
            match next {
                Some(item) if self.must_pause(&item) => {
                    self.script.next = Some(item);
                    return Ok(());
                }
                Some(item) => self.hand_over(item)?,
                None => match self.next_part()? {
                    Some(part) => self.script.dump.push(&part),
                    None => return self.script.finish().map_err(|error| Error::archive(&error)),
                },
            }
        }
    }

    fn next_part(&mut self) -> Result<Option<Bytes>, Error> {
        let began = self.board.elapsed();
        let part = self.runtime.block_on(async {
            tokio::select! {
                part = self.input.next() => part,
                () = self.board.abandoned.cancelled() => Err(Error::lost("the restore")),
            }
        })?;
        if part.is_some() {
            self.board.note(Kind::Download, began);
        }
        Ok(part)
    }

    /// Whether rows come that need something which was not run yet.
    fn must_pause(&mut self, item: &Item) -> bool {
        if !matches!(item, Item::TableData { .. } | Item::LargeObjects { .. }) {
            return false;
        }
        let entries = self.script.dump.entries();
        let new = entries.get(self.looked_at..).unwrap_or_default();
        let needed = |entry: &Entry| {
            entry.section == Section::PreData || matches!(entry.kind.as_str(), "BLOB" | "BLOB METADATA")
        };
        let pause = new.iter().any(needed);
        self.looked_at = entries.len();
        pause
    }

    fn hand_over(&mut self, item: Item) -> Result<(), Error> {
        match item {
            Item::TableData { entry, bytes } => self.open_rows(&entry, bytes)?,
            Item::LargeObjects { entry } => self.open_load(entry.id, Planned::large_objects(None)),
            Item::Rows(rows) => self.push(Piece::Rows(rows)),
            Item::LargeObject { oid, offset, bytes } => self.push(Piece::LargeObject { oid, offset, bytes }),
            Item::Insert(statement) => self.insert(&statement)?,
            Item::BlockEnd => self.close_load(),
        }
        Ok(())
    }

    fn open_rows(&mut self, entry: &Entry, bytes: Option<u64>) -> Result<(), Error> {
        let table = entry.dependencies.first().and_then(|id| self.toc.entry(*id));
        let rows = policy::rows_into(table.map_or(TableOfData::Absent, TableOfData::of), entry)?;
        if let Some(table) = table.filter(|table| self.failed.contains(&table.id)) {
            let skipped = Failure::skipped(entry, &table.qualified_name());
            self.board.finish_entry(entry.id, Some(skipped));
            return Ok(());
        }
        self.open_load(entry.id, self.columns.plan(entry, &rows, bytes));
        Ok(())
    }

    fn open_load(&mut self, entry: u32, planned: Planned) {
        let bytes = planned.stored_bytes;
        let (load, feed) = Load::open(entry, planned);
        let inserted = load.inserted.clone();
        if self.runtime.block_on(self.board.open(load, bytes)).is_some() {
            self.open = Some(OpenLoad { feed, inserted, rows: Vec::new(), began: self.board.elapsed() });
        }
    }

    fn insert(&mut self, statement: &[u8]) -> Result<(), Error> {
        let Some(open) = &mut self.open else { return Ok(()) };
        let Some(columns) = &open.inserted else { return Ok(()) };
        let unreadable = |error| Error::archive(&error);
        if self.toc.encoding.has_ascii_trail_bytes() {
            let what = format!("INSERTs in {}", self.toc.encoding);
            return Err(unreadable(crate::archive::Error::Unsupported { what }));
        }
        insert_as_copy(statement, columns, !self.toc.std_strings(), &mut open.rows).map_err(unreadable)?;
        if open.rows.len() >= PIECE_BYTES {
            let rows = std::mem::take(&mut open.rows);
            self.push(Piece::Rows(rows.into()));
        }
        Ok(())
    }

    /// Rows of a load that nobody wants any more are read over.
    fn push(&mut self, piece: Piece) {
        let Some(open) = &self.open else { return };
        let wanted = self.runtime.block_on(open.feed.push(piece, &self.board.cancel));
        self.board.stir();
        if !wanted {
            self.open = None;
        }
    }

    fn close_load(&mut self) {
        let rows = self.open.as_mut().map(|open| std::mem::take(&mut open.rows)).unwrap_or_default();
        if !rows.is_empty() {
            self.push(Piece::Rows(rows.into()));
        }
        if let Some(open) = self.open.take() {
            self.board.note(Kind::Decode, open.began);
            self.board.source_over(open.feed);
        }
    }
}
