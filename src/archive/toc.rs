//! The table of contents, whole.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::archive::database::{DatabaseProperties, DatabaseSettings};
use crate::archive::encoding::Encoding;
use crate::archive::entry::{DataPosition, Entry};
use crate::archive::error::Error;
use crate::archive::header::Header;
use crate::archive::partitions::Partitions;

/// The one statement that pg_dump writes into a SEARCHPATH entry.
pub(super) const SEARCH_PATH_STATEMENT: &str = "SELECT pg_catalog.set_config('search_path', '', false);";

/// Everything an archive announces before its data.
#[derive(Clone, Debug)]
pub struct Toc {
    /// What the archive says about itself.
    pub header: Header,
    /// All entries, in the order of the archive.
    pub entries: Vec<Entry>,
    /// Bytes of the header and the table of contents: where data begins.
    pub bytes: u64,
    /// What the strings were, and the rows are, encoded in.
    pub encoding: Encoding,
    pub(super) std_strings: bool,
    pub(super) by_id: HashMap<u32, usize>,
    /// The first dependency of each entry with data, whether it is in the archive or not.
    pub(super) first_needed: HashMap<u32, u32>,
    /// The OIDs of all large objects that entries announce.
    pub(super) large_objects: HashSet<u32>,
}

/// What the rows of a `TABLE DATA` entry belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableOfData<'a> {
    /// A table that this archive creates.
    Table(&'a Entry),
    /// A foreign table: loading would write to another server.
    ForeignTable(&'a Entry),
    /// Something else that this archive creates; no dump of pg_dump is known to do so.
    Other(&'a Entry),
    /// Nothing in this archive: an extension's configuration table, or a dump of data only.
    Absent,
}

impl<'a> TableOfData<'a> {
    /// What rows belong to whose first dependency is this entry.
    pub fn of(table: &'a Entry) -> TableOfData<'a> {
        match table.kind.as_str() {
            "TABLE" => TableOfData::Table(table),
            "FOREIGN TABLE" => TableOfData::ForeignTable(table),
            _ => TableOfData::Other(table),
        }
    }
}

impl Toc {
    /// The entry with this dump id.
    pub fn entry(&self, id: u32) -> Option<&Entry> {
        self.entries.get(*self.by_id.get(&id)?)
    }

    /// Whether a backslash in a string literal of the archive is an ordinary character.
    pub fn std_strings(&self) -> bool {
        self.std_strings
    }

    /// The statement that empties the search path, if the archive has one: those before 1.13
    /// don't, and need a search path per entry instead. Parsing refused any other text.
    pub fn search_path_statement(&self) -> Option<&str> {
        self.entries.iter().find(|entry| entry.kind == "SEARCHPATH").map(|entry| entry.definition.trim_end())
    }

    /// What the rows of `data` belong to, by its first dependency as pg_dump wrote it.
    pub fn table_of_data(&self, data: &Entry) -> TableOfData<'_> {
        let table = self.first_needed.get(&data.id).and_then(|id| self.entry(*id));
        table.map_or(TableOfData::Absent, TableOfData::of)
    }

    /// The extensions that the archive creates, in its order.
    pub fn required_extensions(&self) -> Vec<String> {
        self.entries.iter().filter(|entry| entry.kind == "EXTENSION").map(|entry| entry.tag.clone()).collect()
    }

    /// Every role that owns something in the archive.
    pub fn owners(&self) -> BTreeSet<String> {
        let owners = self.entries.iter().filter_map(|entry| entry.owner.as_deref());
        owners.filter(|owner| !owner.is_empty()).map(str::to_owned).collect()
    }

    /// Which table is a partition of which.
    pub fn partitions(&self) -> Partitions {
        Partitions::new(&self.entries)
    }

    /// The stored size of each data block whose place is known, in an archive of
    /// `archive_bytes`: it ends where the next one begins.
    pub fn stored_bytes(&self, archive_bytes: u64) -> HashMap<u32, u64> {
        let mut places: Vec<(u64, u32)> = self
            .entries
            .iter()
            .filter_map(|entry| match entry.position {
                DataPosition::At(offset) => Some((offset, entry.id)),
                DataPosition::NoData | DataPosition::Unknown | DataPosition::Files => None,
            })
            .collect();
        places.sort_unstable();
        let ends = places.iter().skip(1).map(|(offset, _)| *offset).chain([archive_bytes]);
        places.iter().zip(ends).map(|((offset, id), end)| (*id, end.saturating_sub(*offset))).collect()
    }

    /// How the dumped database was created, from its DATABASE entry; None if there is none.
    pub fn database_settings(&self) -> Result<Option<DatabaseSettings>, Error> {
        let entry = self.entries.iter().find(|entry| entry.kind == "DATABASE");
        entry.map(|entry| DatabaseSettings::parse(&entry.definition)).transpose()
    }

    /// The settings that the dumped database carried, from its DATABASE PROPERTIES entry.
    pub fn database_properties(&self) -> Result<DatabaseProperties, Error> {
        let entry = self.entries.iter().find(|entry| entry.kind == "DATABASE PROPERTIES");
        entry.map_or(Ok(DatabaseProperties::default()), |entry| DatabaseProperties::parse(&entry.definition))
    }
}
