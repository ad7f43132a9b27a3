//! One line of a table of contents.

use crate::archive::sql::Scanner;
use crate::archive::wire::number;

/// The part of a restore that an entry belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Section {
    /// That of the last entry before it which has one: comments, grants.
    None,
    /// Before the rows: schemas, types, functions, tables.
    PreData,
    /// Rows, large objects, the state of sequences.
    Data,
    /// After the rows: indexes, constraints, triggers.
    PostData,
}

/// Where an entry's data block lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataPosition {
    /// It has none.
    NoData,
    /// Somewhere behind the table of contents: the dump was written through a pipe.
    Unknown,
    /// So many bytes from the start of the archive.
    At(u64),
    /// In files of its own, in an archive that is made of files.
    Files,
}

/// One entry, its strings decoded. `kind` is what pg_dump calls the description: `TABLE`,
/// `TABLE DATA`, `FK CONSTRAINT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The dump id: above 0, unique in the archive, in no order.
    pub id: u32,
    /// Whether a data block of its own follows the table of contents.
    pub has_data: bool,
    /// The catalogue that the object stood in; 0 for helpers.
    pub table_oid: u32,
    /// The object's OID in the dumped database; for `TABLE DATA` the table's.
    pub oid: u32,
    /// The name, unquoted; may hold quotes, semicolons and line breaks.
    pub tag: String,
    /// The kind of thing, in capitals.
    pub kind: String,
    /// Which part of the restore it belongs to.
    pub section: Section,
    /// The SQL that makes it: one message, often several statements; may be empty.
    pub definition: String,
    /// The SQL that would drop it; may be empty.
    pub drop: String,
    /// The COPY statement before its rows; None in a dump of INSERTs.
    pub copy: Option<String>,
    /// Its schema, unquoted.
    pub namespace: Option<String>,
    /// Its tablespace; "" is the database's own.
    pub tablespace: Option<String>,
    /// Its table access method (archives from 1.14 on).
    pub access_method: Option<String>,
    /// Its pg_class.relkind (archives from 1.16 on).
    pub relkind: Option<char>,
    /// Its owner, where it has one.
    pub owner: Option<String>,
    /// The ids it needs first: each once, in the order written, all of them in this archive.
    pub dependencies: Vec<u32>,
    /// Where its data block lies.
    pub position: DataPosition,
}

impl Entry {
    /// Whether it holds the rows of one table.
    pub fn is_table_data(&self) -> bool {
        self.has_data && self.kind == "TABLE DATA"
    }

    /// Whether it holds the contents of large objects.
    pub fn is_large_objects(&self) -> bool {
        self.has_data && self.kind == "BLOBS"
    }

    /// Whether its rows are to be loaded through the root of its partition tree, and then the
    /// root's name as it stands there, quoted where needed.
    pub fn load_via_root(&self) -> Option<&str> {
        const MARK: &str = "-- load via partition root ";
        let name = self.definition.strip_prefix(MARK)?.trim_end();
        (!name.is_empty()).then_some(name)
    }

    /// Schema and table of the root that its rows are to be loaded through, unquoted; the
    /// schema is None where it is not told.
    pub fn via_root_target(&self) -> Option<(Option<String>, String)> {
        let mut scanner = Scanner::new(self.load_via_root()?);
        let name = scanner.qualified_name().ok()?;
        scanner.end().ok()?;
        Some(name)
    }

    /// Schema and name as they stand, parted by a dot: for people, never for SQL.
    pub fn qualified_name(&self) -> String {
        match self.namespace.as_deref().filter(|namespace| !namespace.is_empty()) {
            Some(namespace) => format!("{namespace}.{}", self.tag),
            None => self.tag.clone(),
        }
    }

    /// The OIDs of the large objects that it announces: one for a `BLOB` entry (archives before
    /// 1.16), a list for a `BLOB METADATA` entry, none for any other. None if the list is no
    /// list of OIDs.
    pub fn announced_large_objects(&self) -> Option<Vec<u32>> {
        match self.kind.as_str() {
            "BLOB" => Some(vec![self.oid]),
            "BLOB METADATA" => self.definition.lines().map(|line| number(line.as_bytes())).collect(),
            _ => Some(Vec::new()),
        }
    }

    /// How messages call it: kind and name, control characters escaped.
    pub fn label(&self) -> String {
        match &self.namespace {
            Some(namespace) if !namespace.is_empty() => {
                format!("{} {:?}", self.kind.escape_debug(), format!("{namespace}.{}", self.tag))
            }
            _ => format!("{} {:?}", self.kind.escape_debug(), self.tag),
        }
    }
}
