//! A plain dump as it goes by: entries are collected, rows and large objects handed on.

mod databases;
mod rows;
mod settings;

use std::collections::{HashMap, HashSet, VecDeque};

use bytes::Bytes;
use jiff::civil::DateTime;

use crate::archive::encoding::Encoding;
use crate::archive::entry::Entry;
use crate::archive::error::Error;
use crate::archive::header::{Compression, Header, Layout};
use crate::archive::plain::cluster;
use crate::archive::plain::contents::Call;
use crate::archive::plain::entries::Entries;
use crate::archive::plain::heading::{Heading, Title};
use crate::archive::plain::meaning;
use crate::archive::plain::splitter::{Event, Splitter};
use crate::archive::toc::{SEARCH_PATH_STATEMENT, Toc};

/// The kind of the entry that tells of a database that was not wanted.
pub const OTHER_DATABASE: &str = "OTHER DATABASE";

/// How many databases a message names.
const NAMED_MAX: usize = 10;

/// What a dump gives while it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// The rows of a table come next: as COPY text if the entry has a COPY, else as INSERTs.
    TableData {
        /// Its entry.
        entry: Box<Entry>,
        /// The bytes of its rows, if they are few enough to be known already.
        bytes: Option<u64>,
    },
    /// Whole rows of COPY text, each ended by a line feed.
    Rows(Bytes),
    /// One INSERT of the table, in the dump's encoding.
    Insert(Bytes),
    /// The contents of large objects come next.
    LargeObjects {
        /// Their entry.
        entry: Box<Entry>,
    },
    /// A stretch of a large object; empty for an empty object.
    LargeObject {
        /// Which.
        oid: u32,
        /// Where in it the stretch lies.
        offset: u64,
        /// The stretch.
        bytes: Bytes,
    },
    /// The rows or large objects are over.
    BlockEnd,
}

/// Reads a plain dump, or one database of a dump of pg_dumpall: the one that is wanted, or the only
/// one that holds something.
///
/// Bytes are pushed in order, and items taken until there are none; then the next bytes. The
/// table of contents grows meanwhile.
#[derive(Debug)]
pub struct PlainDump {
    splitter: Splitter,
    entries: Entries,
    items: VecDeque<Item>,
    head: Head,
    open: Open,
    place: Place,
    /// The key of the `\restrict` that is in force.
    key: Option<String>,
    cluster: Option<Cluster>,
    /// The database that is wanted of a cluster.
    wanted: Option<String>,
}

/// What the dump says of itself and of the sessions it wants.
#[derive(Clone, Debug, Default)]
struct Head {
    database: Option<String>,
    server_version: Option<String>,
    dump_version: Option<String>,
    encoding: Option<Encoding>,
    std_strings: Option<bool>,
    search_path: bool,
}

/// Where in the script we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Before the first title.
    Begin,
    /// Before the databases of a cluster.
    Globals,
    /// Between two databases of a cluster.
    Between,
    /// Inside of a dump.
    Inside,
    /// Behind the line that says that it is complete.
    Complete,
}

/// What stands below the last heading.
#[derive(Debug)]
enum Open {
    Nothing,
    Entry { heading: Heading, statements: Vec<String> },
    Rows { heading: Heading, root: Option<String>, state: RowsState },
    LargeObjects { object: Option<(u32, u64)> },
}

#[derive(Debug)]
enum RowsState {
    Awaited,
    Copying,
    /// The beginning of every INSERT.
    Inserting(String),
    Over,
}

/// The databases of a dump of pg_dumpall.
#[derive(Debug, Default)]
struct Cluster {
    /// The database that is read.
    database: Option<String>,
    /// Its first entry.
    from: usize,
    /// The one that holds something, and its head.
    full: Option<(String, Head)>,
    /// Others, which were not wanted.
    others: Vec<String>,
}

impl Default for PlainDump {
    fn default() -> PlainDump {
        PlainDump::new()
    }
}

impl PlainDump {
    /// A reader at the beginning of a script.
    pub fn new() -> PlainDump {
        PlainDump {
            splitter: Splitter::new(),
            entries: Entries::default(),
            items: VecDeque::new(),
            head: Head::default(),
            open: Open::Nothing,
            place: Place::Begin,
            key: None,
            cluster: None,
            wanted: None,
        }
    }

    /// A reader that takes the database `wanted` of a dump of pg_dumpall, and passes over the others.
    pub fn of_database(wanted: String) -> PlainDump {
        PlainDump { wanted: Some(wanted), ..PlainDump::new() }
    }

    /// Takes the next bytes of the script.
    pub fn push(&mut self, part: &[u8]) {
        self.splitter.push(part);
    }

    /// The next item; None: push more, or [`finish`](PlainDump::finish).
    ///
    /// # Errors
    /// The script holds something that pg_dump does not write, or passes a limit.
    pub fn next_item(&mut self) -> Result<Option<Item>, Error> {
        loop {
            if let Some(item) = self.items.pop_front() {
                return Ok(Some(item));
            }
            let Some(event) = self.splitter.next()? else { return Ok(None) };
            match event {
                Event::Comment(line) => self.comment(line)?,
                Event::Command(line) => self.command(line)?,
                Event::Statement(statement) => self.statement(statement)?,
                Event::Copy(_) | Event::Rows(_) | Event::RowsEnd if self.passes_over() => {}
                Event::Copy(statement) => self.copy(statement)?,
                Event::Rows(rows) => self.items.push_back(Item::Rows(rows)),
                Event::RowsEnd => self.rows_end(),
            }
        }
    }

    /// The entries so far, in the order of the script.
    pub fn entries(&self) -> &[Entry] {
        self.entries.list()
    }

    /// The script has no more bytes: whether it is complete.
    ///
    /// # Errors
    /// Something that should follow is missing.
    pub fn finish(&mut self) -> Result<(), Error> {
        self.splitter.end()?;
        let cut = |what: &str| Err(Error::truncated(what, self.splitter.at()));
        match (self.place, &self.cluster) {
            (Place::Begin, _) => Err(untitled()),
            (Place::Inside, _) => cut("it ends without the line that says that it is complete"),
            (Place::Globals | Place::Between, _) => {
                cut("it ends before the line that says that it is complete")
            }
            (Place::Complete, _) if self.key.is_some() => cut("it ends without its last command"),
            (Place::Complete, Some(Cluster { full: None, others, .. })) if self.wanted.is_some() => {
                let wanted = self.wanted.clone().unwrap_or_default();
                Err(Error::NoDatabase { wanted, held: others.iter().take(NAMED_MAX).cloned().collect() })
            }
            (Place::Complete, None) if self.wanted.is_some() && self.wanted != self.head.database => {
                let wanted = self.wanted.clone().unwrap_or_default();
                Err(Error::NoDatabase { wanted, held: self.head.database.iter().cloned().collect() })
            }
            (Place::Complete, Some(Cluster { full: None, .. })) => {
                Err(Error::Unsupported { what: "a dump of pg_dumpall that holds no database".into() })
            }
            (Place::Complete, _) => Ok(()),
        }
    }

    /// The table of contents so far, as that of an archive.
    ///
    /// # Errors
    /// The script has not told its encoding.
    pub fn toc(&self) -> Result<Toc, Error> {
        let full = self.cluster.as_ref().and_then(|cluster| cluster.full.as_ref());
        let (name, head) = match full {
            Some((name, head)) => (Some(name), head),
            None => (self.head.database.as_ref(), &self.head),
        };
        let Some(encoding) = head.encoding.clone() else {
            return Err(Error::Unsupported { what: "a dump that does not tell its encoding".into() });
        };
        let entries = self.entries.list().to_vec();
        let by_id: HashMap<u32, usize> =
            entries.iter().enumerate().map(|(at, entry)| (entry.id, at)).collect();
        let with_data = entries.iter().filter(|entry| entry.has_data);
        let first_needed =
            with_data.filter_map(|entry| Some((entry.id, *entry.dependencies.first()?))).collect();
        Ok(Toc {
            header: head.header(name, self.cluster.is_some()),
            bytes: self.splitter.at(),
            std_strings: head.std_strings.unwrap_or(true),
            encoding,
            by_id,
            first_needed,
            large_objects: HashSet::new(),
            entries,
        })
    }

    fn decode(&self, text: &[u8]) -> Result<String, Error> {
        match &self.head.encoding {
            Some(encoding) => encoding.decode(text.to_vec()),
            None => String::from_utf8(text.to_vec())
                .map_err(|_| Error::Unsupported { what: "text before the dump tells its encoding".into() }),
        }
    }

    fn comment(&mut self, line: Bytes) -> Result<(), Error> {
        let line = self.decode(&line)?;
        let misplaced = || Error::Unsafe { what: "a title of pg_dump where none belongs".into() };
        match (Title::read(&line), self.place) {
            (Title::Other, _) => {}
            (Title::Cluster, Place::Begin) => {
                self.place = Place::Globals;
                self.cluster = Some(Cluster::default());
            }
            (Title::ClusterComplete, Place::Globals | Place::Between) => {
                self.leave_database()?;
                self.place = Place::Complete;
            }
            (Title::Database(name), Place::Globals | Place::Between) => self.enter_database(name)?,
            (Title::Dump, Place::Begin | Place::Between) => {
                self.place = Place::Inside;
                self.entries.begin_dump();
            }
            (Title::Dump, Place::Complete) if self.cluster.is_none() => {
                return Err(Error::Unsupported { what: "several dumps in one object".into() });
            }
            (Title::DumpComplete, Place::Inside) => {
                if !self.passes_over() {
                    self.close()?;
                }
                self.place = if self.cluster.is_some() { Place::Between } else { Place::Complete };
            }
            (Title::ServerVersion(version), Place::Inside) => self.head.server_version = Some(version),
            (Title::DumpVersion(version), Place::Inside) => self.head.dump_version = Some(version),
            (Title::Entry(_), Place::Inside) if self.passes_over() => {}
            (Title::Entry(heading), Place::Inside) => {
                self.close()?;
                self.begin(heading)?;
            }
            (Title::ThroughRoot(name), Place::Inside) => {
                if let Open::Rows { root, state: RowsState::Awaited, .. } = &mut self.open {
                    *root = Some(name);
                }
            }
            (Title::ServerVersion(_) | Title::DumpVersion(_) | Title::ThroughRoot(_), _) => {}
            _ => return Err(misplaced()),
        }
        Ok(())
    }

    /// What is allowed of psql's commands; none is executed.
    fn command(&mut self, line: Bytes) -> Result<(), Error> {
        let line = self.decode(&line)?;
        let key = |rest: &str| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if let Some(rest) = line.strip_prefix("\\restrict ").filter(|rest| key(rest) && self.key.is_none()) {
            self.key = Some(rest.to_owned());
            return Ok(());
        }
        if line.strip_prefix("\\unrestrict ").is_some_and(|rest| self.key.as_deref() == Some(rest)) {
            self.key = None;
            return Ok(());
        }
        if self.key.is_none() && self.place != Place::Complete {
            let known = |database: &String| match &self.cluster {
                Some(cluster) => cluster.database.as_ref() == Some(database),
                None => self.head.database.as_ref() == Some(database),
            };
            if line == "\\encoding SQL_ASCII" || meaning::connected(&line).as_ref().is_some_and(known) {
                return Ok(());
            }
        }
        if matches!(self.cluster, Some(Cluster { database: None, .. })) && line.starts_with("\\connect ") {
            return Err(Error::Unsupported { what: "a dump of a pg_dumpall before 11".into() });
        }
        let end = line.find(|c: char| c.is_whitespace()).unwrap_or(line.len());
        let command: String = line.chars().take(end.min(20)).collect();
        Err(Error::Unsafe { what: format!("it holds the psql command '{}'", command.escape_debug()) })
    }

    fn statement(&mut self, statement: Bytes) -> Result<(), Error> {
        if let Open::Rows { state: RowsState::Awaited | RowsState::Inserting(_), .. } = &self.open
            && statement.starts_with(b"INSERT INTO ")
        {
            return self.insert(statement);
        }
        let text = self.decode(&statement)?;
        if (text.starts_with("SET ") || text == SEARCH_PATH_STATEMENT) && !self.grants_as_another(&text) {
            return self.setting(&text);
        }
        if self.passes_over() {
            return Ok(());
        }
        match (&mut self.open, self.place) {
            (Open::Entry { statements, .. }, _) => {
                self.entries.keep(text.len())?;
                statements.push(text);
                Ok(())
            }
            (Open::Rows { .. }, _) if switches_triggers(&text) => Ok(()),
            (Open::LargeObjects { .. }, _) => self.large_object(Call::read(&text)?),
            (_, Place::Globals) => {
                let heading = cluster::global(&text)?;
                let entry = self.entries.push_name(&heading);
                if let Some(cluster) = &mut self.cluster {
                    cluster.from = self.entries.list().len();
                }
                entry
            }
            // What --clean drops is not there in a scratch.
            (Open::Nothing, Place::Inside) if is_cleaning(&text) => {
                let heading = Heading { kind: "DROP".into(), tag: "--clean".into(), ..Heading::default() };
                self.entries.push_name(&heading)
            }
            (_, Place::Begin) => Err(untitled()),
            (_, Place::Complete | Place::Between) => {
                Err(Error::corrupt("a statement behind the end of the dump", self.splitter.at()))
            }
            _ => Err(Error::Unsafe { what: "a statement where pg_dump does not write one".into() }),
        }
    }

    /// A grant that another role than the owner has made is made anew in its name.
    fn grants_as_another(&self, statement: &str) -> bool {
        statement.starts_with("SET SESSION AUTHORIZATION ")
            && matches!(&self.open, Open::Entry { heading, .. } if matches!(heading.kind.as_str(), "ACL" | "DEFAULT ACL"))
    }

    /// An entry begins.
    fn begin(&mut self, heading: Heading) -> Result<(), Error> {
        if !cluster::is_bare(&heading.kind, &heading.tag) {
            self.fill_database()?;
        }
        self.entries.begin_entry();
        self.open = match heading.kind.as_str() {
            "TABLE DATA" => Open::Rows { heading, root: None, state: RowsState::Awaited },
            "BLOBS" => {
                let entry = self.entries.data(&heading);
                self.entries.push(entry.clone())?;
                self.items.push_back(Item::LargeObjects { entry: Box::new(entry) });
                Open::LargeObjects { object: None }
            }
            kind => {
                if kind == "DATABASE" {
                    self.head.database = Some(heading.tag.clone());
                }
                Open::Entry { heading, statements: Vec::new() }
            }
        };
        Ok(())
    }

    /// The entry that is open is over.
    fn close(&mut self) -> Result<(), Error> {
        match std::mem::replace(&mut self.open, Open::Nothing) {
            Open::Nothing | Open::Rows { state: RowsState::Over, .. } => {}
            Open::Entry { heading, statements } => self.entries.push_statements(&heading, statements)?,
            Open::Rows { heading, root, state } => {
                if matches!(state, RowsState::Awaited) {
                    let name = (heading.namespace.clone(), heading.tag.clone());
                    self.begin_rows(&heading, root.as_deref(), &name, None)?;
                }
                self.items.push_back(Item::BlockEnd);
            }
            Open::LargeObjects { object: None } => self.items.push_back(Item::BlockEnd),
            Open::LargeObjects { object: Some(_) } => {
                return Err(Error::corrupt("a large object that is not closed", self.splitter.at()));
            }
        }
        Ok(())
    }

    fn large_object(&mut self, call: Call) -> Result<(), Error> {
        let at = self.splitter.at();
        let Open::LargeObjects { object } = &mut self.open else { return Ok(()) };
        match (call, &object) {
            (Call::Transaction, None) => {}
            (Call::Open(oid), None) => *object = Some((oid, 0)),
            (Call::Write(bytes), Some((oid, offset))) => {
                let (oid, offset) = (*oid, *offset);
                *object = Some((oid, offset.saturating_add(bytes.len() as u64)));
                self.items.push_back(Item::LargeObject { oid, offset, bytes });
            }
            (Call::Close, Some((oid, offset))) => {
                if *offset == 0 {
                    self.items.push_back(Item::LargeObject { oid: *oid, offset: 0, bytes: Bytes::new() });
                }
                *object = None;
            }
            _ => return Err(Error::corrupt("large objects are not opened and closed in turn", at)),
        }
        Ok(())
    }
}

impl Head {
    fn header(&self, database: Option<&String>, of_cluster: bool) -> Header {
        Header {
            layout: if of_cluster { Layout::Cluster } else { Layout::Plain },
            version: (0, 0),
            revision: 0,
            int_bytes: 0,
            offset_bytes: 0,
            compression: Compression::None,
            compression_level: None,
            created: None::<DateTime>,
            database: database.cloned().unwrap_or_default(),
            server_version: self.server_version.clone().unwrap_or_default(),
            dump_version: self.dump_version.clone().unwrap_or_default(),
        }
    }
}

/// What `--disable-triggers` writes around rows: there are no triggers yet.
fn switches_triggers(statement: &str) -> bool {
    statement.starts_with("ALTER TABLE ")
        && (statement.ends_with(" DISABLE TRIGGER ALL;") || statement.ends_with(" ENABLE TRIGGER ALL;"))
}

/// What `--clean` writes before the first entry.
fn is_cleaning(statement: &str) -> bool {
    let alters = statement.starts_with("ALTER TABLE ") || statement.starts_with("ALTER DOMAIN ");
    statement.starts_with("DROP ")
        || statement.starts_with("SELECT pg_catalog.lo_unlink(")
        || (alters && statement.contains(" DROP "))
        || statement.starts_with("CREATE OR REPLACE VIEW ")
        || (statement.starts_with("ALTER DATABASE ") && statement.contains("IS_TEMPLATE"))
        || statement.starts_with("ALTER TABLE ") && statement.contains(" DETACH PARTITION ")
}

fn untitled() -> Error {
    Error::Unsupported { what: "a script without the title that pg_dump gives it".into() }
}
