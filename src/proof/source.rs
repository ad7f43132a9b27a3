//! The tables, sequences and large objects of a source, read in one snapshot as the proof reads
//! what came back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::future::try_join_all;

use crate::digest::Digest;
use crate::postgres::{Error, Kind, Session, quote_identifier, quote_literal};
use crate::proof::fingerprint::{LargeObjectsPrint, Name, SequenceValue, SteadyPrint, TablePrint};
use crate::proof::large_objects;
use crate::proof::pace::Pace;
use crate::proof::reading::{self, Manner, Reading};
use crate::proof::relations::Catalogue;
use crate::proof::stretches::Work;

/// Tables that are locked by one statement.
const LOCKED_AT_ONCE: usize = 100;

/// A table that has rows of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceTable {
    /// Its name.
    pub name: Name,
    /// The root of the partition tree that it belongs to.
    pub root: Option<Name>,
    /// Its rows are lost in a crash, and no replica has them.
    pub unlogged: bool,
    oid: u32,
}

impl SourceTable {
    /// Its OID.
    pub fn oid(&self) -> u32 {
        self.oid
    }

    fn quoted(&self) -> String {
        format!("{}.{}", quote_identifier(&self.name.0), quote_identifier(&self.name.1))
    }
}

/// Everything of a source that pg_dump would dump rows of.
pub struct Source {
    /// In the order of their names.
    pub tables: Vec<SourceTable>,
    catalogue: Catalogue,
}

impl Source {
    /// Lists the tables: none of the system's or of other sessions, and of an extension's own only
    /// those whose rows it wants to be dumped.
    ///
    /// # Errors
    /// The server is gone, or answers otherwise than PostgreSQL does.
    pub async fn look(session: &Session, server_major: u32) -> Result<Source, Error> {
        let catalogue = Catalogue::read(session, server_major, server_major).await?;
        let sql = "SELECT n.nspname, c.relname, c.oid, c.relpersistence = 'u', rn.nspname, r.relname \
                   FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
                   LEFT JOIN pg_catalog.pg_class r ON c.relispartition AND r.oid = pg_catalog.pg_partition_root(c.oid) \
                   LEFT JOIN pg_catalog.pg_namespace rn ON rn.oid = r.relnamespace \
                   WHERE c.relkind = 'r' AND c.relpersistence <> 't' \
                   AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_' \
                   AND (NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.deptype = 'e' \
                   AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid) \
                   OR EXISTS (SELECT FROM pg_catalog.pg_extension e WHERE c.oid = ANY (e.extconfig))) \
                   ORDER BY 1, 2";
        let mut tables = Vec::new();
        for row in session.rows(sql).await? {
            let [Some(schema), Some(table), Some(oid), Some(unlogged), root_schema, root] = row.as_slice()
            else {
                return Err(unexpected("list the tables"));
            };
            tables.push(SourceTable {
                name: (schema.clone(), table.clone()),
                root: root_schema.clone().zip(root.clone()),
                unlogged: unlogged == "t",
                oid: oid.parse().map_err(|_| unexpected("list the tables"))?,
            });
        }
        Ok(Source { tables, catalogue })
    }

    /// Holds every table as it is, for as long as the transaction is open: nobody else's reading or
    /// writing is disturbed, but changes of a table's definition wait, as they do for pg_dump.
    ///
    /// # Errors
    /// The server refuses, such as for a table that we may not read.
    pub async fn lock(&self, session: &Session) -> Result<(), Error> {
        for some in self.tables.chunks(LOCKED_AT_ONCE) {
            let names: Vec<String> = some.iter().map(|table| format!("ONLY {}", table.quoted())).collect();
            session.run(&format!("LOCK TABLE {} IN ACCESS SHARE MODE", names.join(", "))).await?;
        }
        Ok(())
    }

    /// Reads all tables over all `sessions`, large ones in stretches of pages. Rows of partitions
    /// are read in the column order of their roots if the dump loads them through those.
    ///
    /// # Errors
    /// The server refuses one of them, or is gone.
    pub async fn read(
        &self,
        sessions: &[Session],
        how: &How,
        tell: impl Fn(u64) + Sync,
    ) -> Result<BTreeMap<Name, TablePrint>, Error> {
        let subjects: Vec<(Digest, Reading)> =
            self.tables.iter().map(|table| self.reading(table, how)).collect();
        let readings = subjects.iter().map(|(_, reading)| Some(reading));
        let work = Arc::new(Work::new(readings, self.catalogue.reads_stretches));
        let lane = |session| self.lane(session, &subjects, work.clone(), how, &tell);
        try_join_all(sessions.iter().map(lane)).await?;
        let mut prints = BTreeMap::new();
        for (index, (table, (columns, reading))) in self.tables.iter().zip(&subjects).enumerate() {
            let hashes = work.outcome(index).map_err(|_| unexpected("read every table"))?.hashes;
            let steady = (!reading.unsteady.is_empty())
                .then(|| SteadyPrint { hash: hashes.steady, columns: reading.unsteady_columns() });
            let print =
                TablePrint { root: table.root.clone(), hash: hashes.whole, columns: *columns, steady };
            prints.insert(table.name.clone(), print);
        }
        Ok(prints)
    }

    async fn lane(
        &self,
        session: &Session,
        subjects: &[(Digest, Reading)],
        work: Arc<Work>,
        how: &How,
        tell: &(impl Fn(u64) + Sync),
    ) -> Result<(), Error> {
        reading::adopt(session, &how.manner).await?;
        while let Some((index, stretch)) = work.next() {
            let (Some((_, reading)), Some(table)) = (subjects.get(index), self.tables.get(index)) else {
                continue;
            };
            let hash = reading::hash_of(session, reading, stretch, how.pace.as_ref(), tell).await;
            let hash = hash.map_err(|error| of_table(&table.name, &error))?;
            work.add(index, Ok(hash.into()));
        }
        Ok(())
    }

    fn reading(&self, table: &SourceTable, how: &How) -> (Digest, Reading) {
        let relation = self.catalogue.relations.get(&table.name);
        let root = table.root.as_ref().filter(|_| how.through_roots);
        let ordered = root.and_then(|root| self.catalogue.relations.get(root)).or(relation);
        let columns = ordered.map(|relation| relation.columns.as_slice()).unwrap_or_default();
        let unsteady = relation.map(|relation| relation.unsteady_of(columns)).unwrap_or_default();
        let quoted = columns.iter().map(|name| quote_identifier(name)).collect::<Vec<_>>().join(", ");
        let reading = Reading {
            from: format!("ONLY {}", table.quoted()),
            columns: quoted.clone(),
            condition: self.catalogue.conditions.get(&table.name).cloned().unwrap_or_default(),
            pages: relation.and_then(|relation| relation.pages),
            encoding: quote_literal(&how.encoding),
            names: columns.to_vec(),
            unsteady,
        };
        (Digest::of(quoted.as_bytes()), reading)
    }
}

/// How rows are read.
pub struct How {
    /// In which manner the dump writes them.
    pub manner: Manner,
    /// In which encoding it does.
    pub encoding: String,
    /// Whether it loads partitions through their roots.
    pub through_roots: bool,
    /// How fast, where there is a limit.
    pub pace: Option<Pace>,
}

/// Where every sequence stands now, whatever the snapshot: none that an extension owns.
///
/// # Errors
/// The server refuses, or is gone.
pub async fn sequences(session: &Session) -> Result<BTreeMap<Name, SequenceValue>, Error> {
    let list = "SELECT n.nspname, c.relname FROM pg_catalog.pg_class c \
                JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
                WHERE c.relkind = 'S' AND c.relpersistence <> 't' \
                AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_' \
                AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.deptype = 'e' \
                AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid) ORDER BY 1, 2";
    let mut found = BTreeMap::new();
    for row in session.rows(list).await? {
        let [Some(schema), Some(name)] = row.as_slice() else { return Err(unexpected("list the sequences")) };
        let sql = format!(
            "SELECT last_value, is_called FROM {}.{}",
            quote_identifier(schema),
            quote_identifier(name)
        );
        let key = (schema.clone(), name.clone());
        let rows = session.rows(&sql).await.map_err(|error| of_table(&key, &error))?;
        let value = match rows.first().map(Vec::as_slice) {
            Some([Some(value), Some(called)]) => value.parse().ok().map(|value| (value, called == "t")),
            _ => None,
        };
        let (value, called) = value.ok_or_else(|| unexpected("read a sequence"))?;
        found.insert(key, SequenceValue { value, called });
    }
    Ok(found)
}

/// All large objects.
///
/// # Errors
/// The server refuses, or is gone.
pub async fn large_objects(session: &Session, how: &How) -> Result<LargeObjectsPrint, Error> {
    let may = "SELECT pg_catalog.has_table_privilege('pg_catalog.pg_largeobject', 'SELECT')";
    let pages =
        matches!(session.rows(may).await?.first().map(Vec::as_slice), Some([Some(yes)]) if yes == "t");
    let pace = how.pace.as_ref();
    let (hash, bytes) = match pages {
        true => large_objects::read_pages(session, pace).await?,
        false => large_objects::read_one_by_one(session, pace).await?,
    };
    Ok(LargeObjectsPrint { hash, bytes })
}

/// The names of the tables that any of the conditions, each an SQL query of OIDs, names.
///
/// # Errors
/// The server refuses a condition: a pattern is no pattern.
pub async fn named_by(session: &Session, query: &str) -> Result<BTreeSet<u32>, Error> {
    let rows = session.rows(query).await?;
    Ok(rows.iter().filter_map(|row| row.first()?.as_deref()?.parse().ok()).collect())
}

fn unexpected(tried: &str) -> Error {
    Error::new(Kind::Protocol, format!("{tried}: the server answered otherwise than PostgreSQL does"))
}

fn of_table(name: &Name, error: &Error) -> Error {
    let what = format!("read '{}.{}': {error}", name.0, name.1);
    match error.kind() {
        Kind::Statement => Error::new(Kind::Statement, what).with_remedy(
            "stamp as a role that may read every row: a superuser, or pg_read_all_data with BYPASSRLS",
        ),
        kind => Error::new(kind, what),
    }
}
