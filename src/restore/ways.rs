//! How the rows of each table are put: decided once the tables exist.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::archive::{CopyTarget, Toc};
use crate::postgres::Session;
use crate::restore::Error;
use crate::restore::error::Failure;
use crate::restore::load::Way;
use crate::restore::policy::{Disposition, Rows};
use crate::restore::shape::RowShape;
use crate::restore::stream::{Planned, Ways};

/// Below this compressed size one connection takes a table alone, and spares the log.
const ALONE_BYTES_MAX: u64 = 1024 * 1024;

/// Type OIDs that are the same in every PostgreSQL: `timestamptz` and `bytea`.
const TIMESTAMPTZ: &str = "1184";
const BYTEA: &str = "17";

/// How each entry of the stream is put, and those that can't be because their table failed.
pub struct Decided {
    /// By entry.
    pub ways: Ways,
    /// Entries whose rows have nowhere to go.
    pub skipped: Vec<Failure>,
}

/// Decides for every entry of the stream.
///
/// # Errors
/// The server is gone.
pub async fn decide(
    toc: &Toc,
    dispositions: &[Disposition],
    failed: &HashSet<u32>,
    archive_bytes: u64,
    session: &Session,
) -> Result<Decided, Error> {
    let columns = Columns::read(session).await?;
    let stored = toc.stored_bytes(archive_bytes);
    let mut decided = Decided { ways: Ways::new(), skipped: Vec::new() };
    for (entry, disposition) in toc.entries.iter().zip(dispositions) {
        match disposition {
            Disposition::LargeObjects => {
                let way = Planned {
                    name: "large objects".into(),
                    way: Way::LargeObjects,
                    shape: RowShape::default(),
                    stored_bytes: stored.get(&entry.id).copied(),
                };
                decided.ways.insert(entry.id, way);
            }
            Disposition::Rows(rows) => {
                if let Some(table) = rows.table_entry.filter(|table| failed.contains(table)) {
                    let missing = toc.entry(table).map(|table| table.qualified_name()).unwrap_or_default();
                    decided.skipped.push(Failure::skipped(entry, &missing));
                    continue;
                }
                let name: Arc<str> = match &rows.target {
                    Some(target) if !rows.through_root => {
                        format!("{}.{}", target.schema, target.table).into()
                    }
                    _ => entry.qualified_name().into(),
                };
                let stored_bytes = stored.get(&entry.id).copied();
                let way = way(rows, stored_bytes);
                decided
                    .ways
                    .insert(entry.id, Planned { name, way, shape: columns.shape(rows), stored_bytes });
            }
            _ => {}
        }
    }
    Ok(decided)
}

fn way(rows: &Rows, compressed_bytes: Option<u64>) -> Way {
    let Some(target) = &rows.target else { return Way::Statements };
    let statement = target.copy_in();
    // Only a table that this restore has made may be emptied first, and never a partitioned
    // root, which other entries fill as well.
    let ours_alone = rows.table_entry.is_some() && !rows.through_root;
    if ours_alone && compressed_bytes.is_some_and(|bytes| bytes <= ALONE_BYTES_MAX) {
        return Way::CopyAlone { statement, truncate: format!("TRUNCATE TABLE ONLY {}", target.name()) };
    }
    Way::Copy { statement }
}

/// Columns of the restored tables, as far as they matter.
struct Columns {
    /// Names of the `timestamptz` and `bytea` columns by schema and table.
    telling: HashMap<(String, String), (HashSet<String>, HashSet<String>)>,
    /// Column names of partitioned tables, in order.
    of_roots: HashMap<(String, String), Vec<String>>,
}

impl Columns {
    async fn read(session: &Session) -> Result<Columns, Error> {
        let from = "FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid \
                    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
                    WHERE a.attnum > 0 AND NOT a.attisdropped AND n.nspname <> 'pg_catalog'";
        let telling = format!(
            "SELECT n.nspname, c.relname, a.attname, a.atttypid {from} AND c.relkind IN ('r', 'p') \
             AND a.atttypid IN ({TIMESTAMPTZ}, {BYTEA})"
        );
        let roots = format!(
            "SELECT n.nspname, c.relname, a.attname {from} AND c.relkind = 'p' AND a.attgenerated = '' \
             ORDER BY a.attrelid, a.attnum"
        );
        let mut columns = Columns { telling: HashMap::new(), of_roots: HashMap::new() };
        for row in session.rows(&telling).await.map_err(|error| Error::postgres(&error))? {
            let [Some(schema), Some(table), Some(column), Some(kind)] = row.as_slice() else { continue };
            let (instants, binaries) = columns.telling.entry((schema.clone(), table.clone())).or_default();
            if kind == TIMESTAMPTZ { instants } else { binaries }.insert(column.clone());
        }
        for row in session.rows(&roots).await.map_err(|error| Error::postgres(&error))? {
            let [Some(schema), Some(table), Some(column)] = row.as_slice() else { continue };
            columns.of_roots.entry((schema.clone(), table.clone())).or_default().push(column.clone());
        }
        Ok(columns)
    }

    fn shape(&self, rows: &Rows) -> RowShape {
        let Some(CopyTarget { schema, table, columns: Some(list) }) = &rows.target else {
            return RowShape::default();
        };
        let key = (schema.clone(), table.clone());
        let places = |wanted: &HashSet<String>| -> Vec<usize> {
            list.iter()
                .enumerate()
                .filter(|(_, name)| wanted.contains(*name))
                .map(|(place, _)| place)
                .collect()
        };
        let (instants, binaries) = self
            .telling
            .get(&key)
            .map(|(instants, binaries)| (places(instants), places(binaries)))
            .unwrap_or_default();
        let order = self.of_roots.get(&key).filter(|_| rows.through_root).map(|root| {
            root.iter().filter_map(|name| list.iter().position(|column| column == name)).collect()
        });
        RowShape { instants, binaries, order }
    }
}
