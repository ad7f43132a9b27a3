//! The parser of headers and tables of contents, fed piece by piece.

use std::collections::{HashMap, HashSet};

use bytes::{Buf, Bytes, BytesMut};

use crate::archive::encoding::Encoding;
use crate::archive::entry::Entry;
use crate::archive::error::Error;
use crate::archive::header::{self, Header, Layout, RawHeader};
use crate::archive::raw_entry::RawEntry;
use crate::archive::sniff::{Kind, SNIFF_BYTES, sniff};
use crate::archive::sql::{Malformed, Scanner, Token};
use crate::archive::toc::{SEARCH_PATH_STATEMENT, Toc};
use crate::archive::wire::{Cursor, Stop, Widths};

/// The most entries that are read: a database with a million large objects has a few
/// million in an archive before 1.16.
const ENTRIES_MAX: i64 = 5_000_000;

/// The longest header and table of contents that are read, in bytes.
const TOC_BYTES_MAX: u64 = 512 << 20;

const MAGIC: &[u8] = b"PGDMP";

/// Reads header and table of contents from bytes pushed in order.
///
/// It keeps the entries read so far and the bytes of at most one entry beyond what was
/// pushed; nothing is read twice but the entry that a push ended in.
#[derive(Debug)]
pub struct TocParser {
    layout: Layout,
    buffer: BytesMut,
    /// Where in the archive the buffer begins.
    base: u64,
    /// Trying again is worth nothing before the buffer is this long.
    needed: usize,
    state: State,
}

#[derive(Debug)]
enum State {
    Magic,
    Header,
    Count(Box<RawHeader>),
    Entries { header: Box<RawHeader>, entries: Vec<RawEntry>, count: usize },
    Complete { header: Box<RawHeader>, entries: Vec<RawEntry> },
    Taken,
}

impl Default for TocParser {
    fn default() -> TocParser {
        TocParser::new()
    }
}

impl TocParser {
    /// A parser of a custom-format archive that has seen nothing.
    pub fn new() -> TocParser {
        TocParser::of(Layout::Custom)
    }

    /// A parser that has seen nothing; of an archive that is made of files, it is to be fed the
    /// file `toc.dat`.
    pub fn of(layout: Layout) -> TocParser {
        TocParser { layout, buffer: BytesMut::new(), base: 0, needed: MAGIC.len(), state: State::Magic }
    }

    /// Takes the next bytes of the archive. What an error leaves behind is of no further use.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.buffer.extend_from_slice(bytes);
        while self.buffer.len() >= self.needed && !self.is_complete() {
            match self.step() {
                Ok(taken) => {
                    self.buffer.advance(taken.min(self.buffer.len()));
                    self.base = self.base.saturating_add(taken as u64);
                    self.needed = 0;
                }
                Err(Stop::More(needed)) => self.needed = needed,
                Err(Stop::Bad(error)) => return Err(error),
            }
            let announced = self.base.saturating_add(self.needed as u64);
            if announced > TOC_BYTES_MAX {
                let what = format!("a table of contents of more than {TOC_BYTES_MAX} bytes");
                return Err(Error::Limit { what, limit: TOC_BYTES_MAX });
            }
        }
        Ok(())
    }

    /// Whether header and table of contents were seen to their end.
    pub fn is_complete(&self) -> bool {
        matches!(self.state, State::Complete { .. } | State::Taken)
    }

    /// How many entries were read so far.
    pub fn entries_read(&self) -> usize {
        match &self.state {
            State::Entries { entries, .. } | State::Complete { entries, .. } => entries.len(),
            State::Magic | State::Header | State::Count(_) | State::Taken => 0,
        }
    }

    /// The table of contents once it is complete, with what was pushed beyond it: the first
    /// bytes for a block walker. None before; and after, as it is handed out once.
    pub fn finish_if_complete(&mut self) -> Result<Option<(Toc, Bytes)>, Error> {
        match std::mem::replace(&mut self.state, State::Taken) {
            State::Complete { header, entries } => {
                let toc = meaning(*header, entries, self.base)?;
                Ok(Some((toc, self.buffer.split().freeze())))
            }
            other => {
                self.state = other;
                Ok(None)
            }
        }
    }

    /// What it means that the input ends here: an error, unless the table of contents is
    /// complete.
    pub fn end(&self) -> Result<(), Error> {
        let at = self.base.saturating_add(self.buffer.len() as u64);
        match &self.state {
            State::Complete { .. } | State::Taken => Ok(()),
            State::Magic if self.buffer.is_empty() => Err(Error::NotAnArchive { kind: Kind::Empty }),
            State::Magic if MAGIC.starts_with(&self.buffer) || self.buffer.starts_with(MAGIC) => {
                Err(Error::truncated("it ends within its header", at))
            }
            State::Magic => Err(Error::NotAnArchive { kind: sniff(&self.buffer) }),
            State::Header | State::Count(_) => Err(Error::truncated("it ends within its header", at)),
            State::Entries { entries, count, .. } => {
                let seen = entries.len();
                Err(Error::truncated(
                    format!("it ends after {seen} of {count} entries of its table of contents"),
                    at,
                ))
            }
        }
    }

    /// One step forward: how many bytes it took.
    fn step(&mut self) -> Result<usize, Stop> {
        let widths = match &self.state {
            State::Count(header) | State::Entries { header, .. } => header.widths,
            _ => Widths { int_bytes: 4, offset_bytes: 8 },
        };
        let mut cursor = Cursor::new(&self.buffer, self.base, widths);
        match &mut self.state {
            State::Magic => {
                check_magic(&self.buffer)?;
                self.state = State::Header;
                return Ok(0);
            }
            State::Header => {
                let header = header::read(&mut cursor, self.layout)?;
                let taken = cursor.taken();
                self.state = State::Count(Box::new(header));
                return Ok(taken);
            }
            State::Count(header) => {
                let count = entry_count(&mut cursor)?;
                self.state = State::Entries { header: header.clone(), entries: Vec::new(), count };
            }
            State::Entries { header, entries, .. } => {
                entries.push(RawEntry::read(&mut cursor, header)?);
            }
            State::Complete { .. } | State::Taken => {}
        }
        let taken = cursor.taken();
        self.complete_if_all_read();
        Ok(taken)
    }

    fn complete_if_all_read(&mut self) {
        if let State::Entries { header, entries, count } = &mut self.state
            && entries.len() == *count
        {
            self.state = State::Complete { header: header.clone(), entries: std::mem::take(entries) };
        }
    }
}

fn check_magic(buffer: &[u8]) -> Result<(), Stop> {
    if buffer.starts_with(MAGIC) {
        return Ok(());
    }
    match sniff(buffer) {
        // Some kinds show later than in the first five bytes.
        Kind::Unknown if buffer.len() < SNIFF_BYTES => Err(Stop::More(SNIFF_BYTES)),
        kind => Err(Error::NotAnArchive { kind }.into()),
    }
}

fn entry_count(cursor: &mut Cursor<'_>) -> Result<usize, Stop> {
    let at = cursor.position();
    let count = cursor.int()?;
    if count > ENTRIES_MAX {
        let what = format!("{count} entries in the table of contents");
        return Err(Error::Limit { what, limit: ENTRIES_MAX as u64 }.into());
    }
    Ok(usize::try_from(count).map_err(|_| Error::corrupt(format!("the count of entries is {count}"), at))?)
}

/// Makes a table of contents out of what was read, `bytes` long.
fn meaning(header: RawHeader, raw: Vec<RawEntry>, bytes: u64) -> Result<Toc, Error> {
    let encoding = encoding(&raw)?;
    let mut by_id = HashMap::with_capacity(raw.len());
    for (index, entry) in raw.iter().enumerate() {
        if by_id.insert(entry.id, index).is_some() {
            return Err(Error::corrupt(format!("two entries have the dump id {}", entry.id), bytes));
        }
    }
    let with_data = raw.iter().filter(|entry| entry.has_data);
    let first_needed = with_data.filter_map(|entry| Some((entry.id, *entry.dependencies.first()?))).collect();
    let mut entries = Vec::with_capacity(raw.len());
    for mut entry in raw {
        entry.dependencies.retain(|id| by_id.contains_key(id));
        entries.push(entry.decode(&encoding)?);
    }
    check_search_path(&entries)?;
    let large_objects = large_objects(&entries, bytes)?;
    let std_strings = std_strings(&entries)?;
    let header = Header {
        layout: header.layout,
        version: header.version,
        revision: header.revision,
        int_bytes: header.widths.int_bytes,
        offset_bytes: header.widths.offset_bytes,
        compression: header.compression,
        compression_level: header.compression_level,
        created: Some(header.created),
        database: encoding.decode(header.database)?,
        server_version: encoding.decode(header.server_version)?,
        dump_version: encoding.decode(header.dump_version)?,
    };
    Ok(Toc { header, entries, bytes, encoding, std_strings, by_id, first_needed, large_objects })
}

fn encoding(raw: &[RawEntry]) -> Result<Encoding, Error> {
    let entry = raw.iter().find(|entry| entry.kind == b"ENCODING");
    let Some(entry) = entry else {
        return Err(Error::Unsupported { what: "an archive that does not tell its encoding".into() });
    };
    let definition = String::from_utf8_lossy(&entry.definition);
    Encoding::new(&setting(&definition, "client_encoding").map_err(|Malformed| unexpected("ENCODING"))?)
}

fn std_strings(entries: &[Entry]) -> Result<bool, Error> {
    let Some(entry) = entries.iter().find(|entry| entry.kind == "STDSTRINGS") else { return Ok(true) };
    match setting(&entry.definition, "standard_conforming_strings").as_deref() {
        Ok("on") => Ok(true),
        Ok("off") => Ok(false),
        _ => Err(unexpected("STDSTRINGS")),
    }
}

/// Every large object that an entry announces.
fn large_objects(entries: &[Entry], bytes: u64) -> Result<HashSet<u32>, Error> {
    let mut oids = HashSet::new();
    for entry in entries {
        let announced = entry.announced_large_objects();
        let announced =
            announced.ok_or_else(|| Error::corrupt(format!("the list of {}", entry.label()), bytes))?;
        for oid in announced {
            if oid == 0 || !oids.insert(oid) {
                return Err(Error::corrupt(format!("the large object {oid} is announced twice"), bytes));
            }
        }
    }
    Ok(oids)
}

fn check_search_path(entries: &[Entry]) -> Result<(), Error> {
    let mut search_paths = entries.iter().filter(|entry| entry.kind == "SEARCHPATH");
    if search_paths.all(|entry| entry.definition.trim_end() == SEARCH_PATH_STATEMENT) {
        Ok(())
    } else {
        Err(unexpected("SEARCHPATH"))
    }
}

/// The value in `SET name = 'value';`.
fn setting(statement: &str, name: &str) -> Result<String, Malformed> {
    let mut scanner = Scanner::new(statement);
    scanner.words(&["SET", name])?;
    scanner.symbol('=')?;
    let Some(Token::Literal(value)) = scanner.next()? else { return Err(Malformed) };
    scanner.symbol(';')?;
    scanner.end()?;
    Ok(value)
}

fn unexpected(kind: &str) -> Error {
    Error::Unsafe { what: format!("its {kind} entry holds a statement that pg_dump does not write") }
}
