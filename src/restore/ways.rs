//! How the rows of each table are put: decided once the tables exist.

use std::collections::{HashMap, HashSet};

use crate::archive::{CopyTarget, Entry, InsertColumn, Toc};
use crate::postgres::Session;
use crate::restore::Error;
use crate::restore::error::Failure;
use crate::restore::load::{Planned, Way};
use crate::restore::policy::{Disposition, Rows};
use crate::restore::shape::RowShape;
use crate::restore::stream::Ways;

/// Below this compressed size one connection takes a table alone, and spares the log.
const ALONE_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// Every type and what is inside of it that tells something of the dumping session: 1184 is
/// `timestamptz` and 17 is `bytea` in every PostgreSQL. Multiranges came with 14.
const TELLING_TYPES: &str = "\
    WITH RECURSIVE part (whole, inside) AS ( \
      SELECT t.oid, t.typbasetype FROM pg_catalog.pg_type t WHERE t.typtype = 'd' \
      UNION ALL SELECT t.oid, t.typelem FROM pg_catalog.pg_type t WHERE t.typelem <> 0 \
      UNION ALL SELECT r.rngtypid, r.rngsubtype FROM pg_catalog.pg_range r \
      UNION ALL SELECT (pg_catalog.to_jsonb(r) ->> 'rngmultitypid')::pg_catalog.oid, r.rngsubtype \
        FROM pg_catalog.pg_range r \
      UNION ALL SELECT c.reltype, a.atttypid FROM pg_catalog.pg_class c \
        JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid \
        WHERE c.reltype <> 0 AND a.attnum > 0 AND NOT a.attisdropped \
    ), telling (type, inside) AS ( \
      VALUES (1184::pg_catalog.oid, 1184::pg_catalog.oid), (17, 17) \
      UNION SELECT part.whole, telling.inside FROM telling JOIN part ON part.inside = telling.type \
    ) SELECT type, inside FROM telling";
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
                let planned = Planned {
                    name: "large objects".into(),
                    way: Way::LargeObjects,
                    shape: RowShape::default(),
                    inserted: None,
                    stored_bytes: stored.get(&entry.id).copied(),
                };
                decided.ways.insert(entry.id, planned);
            }
            Disposition::Rows(rows) => {
                if let Some(table) = rows.table_entry.filter(|table| failed.contains(table)) {
                    let missing = toc.entry(table).map(|table| table.qualified_name()).unwrap_or_default();
                    decided.skipped.push(Failure::skipped(entry, &missing));
                    continue;
                }
                let planned = columns.plan(entry, rows, stored.get(&entry.id).copied());
                decided.ways.insert(entry.id, planned);
            }
            _ => {}
        }
    }
    Ok(decided)
}

fn way(rows: &Rows, target: &CopyTarget, stored_bytes: Option<u64>) -> Way {
    let statement = target.copy_in();
    // Only a table that this restore has made may be emptied first, and never a partitioned
    // root, which other entries fill as well.
    let ours_alone = rows.table_entry.is_some() && !rows.through_root;
    if ours_alone && stored_bytes.is_some_and(|bytes| bytes <= ALONE_BYTES_MAX) {
        return Way::CopyAlone { statement, truncate: format!("TRUNCATE TABLE ONLY {}", target.name()) };
    }
    Way::Copy { statement }
}

/// The target of rows that stand in INSERT statements: the table that the entry names, and
/// those of its columns that are not generated.
fn inserted_into(entry: &Entry, columns: &[InsertColumn]) -> CopyTarget {
    let (schema, table) = match entry.via_root_target() {
        Some((schema, table)) => (schema.or_else(|| entry.namespace.clone()), table),
        None => (entry.namespace.clone(), entry.tag.clone()),
    };
    let names: Vec<String> =
        columns.iter().filter(|column| !column.generated).map(|column| column.name.clone()).collect();
    CopyTarget { schema: schema.unwrap_or_default(), table, columns: (!names.is_empty()).then_some(names) }
}

/// Columns of the restored tables, in their order.
struct Columns {
    of: HashMap<(String, String), Vec<Column>>,
}

struct Column {
    name: String,
    tells: Tells,
    generated: bool,
}

/// What a type's text tells of the dumping session.
#[derive(Clone, Copy, Default)]
struct Tells {
    instant: bool,
    binary: bool,
    nested_instant: bool,
    nested_binary: bool,
}

impl Tells {
    fn note(&mut self, kind: &str, inside: &str) {
        match (kind == inside, inside) {
            (true, TIMESTAMPTZ) => self.instant = true,
            (true, BYTEA) => self.binary = true,
            (false, TIMESTAMPTZ) => self.nested_instant = true,
            (false, BYTEA) => self.nested_binary = true,
            _ => {}
        }
    }
}

impl Columns {
    async fn read(session: &Session) -> Result<Columns, Error> {
        let sql = "SELECT n.nspname, c.relname, a.attname, a.atttypid, a.attgenerated <> '' \
                   FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid \
                   JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
                   WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p') \
                   AND n.nspname NOT IN ('pg_catalog', 'information_schema') ORDER BY a.attrelid, a.attnum";
        let telling = telling_types(session).await?;
        let mut of: HashMap<(String, String), Vec<Column>> = HashMap::new();
        for row in session.rows(sql).await.map_err(|error| Error::postgres(&error))? {
            let [Some(schema), Some(table), Some(name), Some(kind), Some(generated)] = row.as_slice() else {
                continue;
            };
            let tells = telling.get(kind).copied().unwrap_or_default();
            let column = Column { name: name.clone(), tells, generated: generated == "t" };
            of.entry((schema.clone(), table.clone())).or_default().push(column);
        }
        Ok(Columns { of })
    }

    fn plan(&self, entry: &Entry, rows: &Rows, stored_bytes: Option<u64>) -> Planned {
        let own = (entry.namespace.clone().unwrap_or_default(), entry.tag.clone());
        let insert =
            |column: &Column| InsertColumn { name: column.name.clone(), generated: column.generated };
        let inserted = || self.table(&own).iter().map(insert).collect::<Vec<_>>();
        let (target, inserted) = match &rows.target {
            Some(target) => (target.clone(), None),
            None => (inserted_into(entry, &inserted()), Some(inserted())),
        };
        Planned {
            name: if rows.through_root {
                entry.qualified_name()
            } else {
                format!("{}.{}", target.schema, target.table)
            }
            .into(),
            way: way(rows, &target, stored_bytes),
            shape: self.shape(&target, rows.through_root),
            inserted,
            stored_bytes,
        }
    }

    fn table(&self, name: &(String, String)) -> &[Column] {
        self.of.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    fn shape(&self, target: &CopyTarget, through_root: bool) -> RowShape {
        let Some(list) = &target.columns else { return RowShape::default() };
        let table = self.table(&(target.schema.clone(), target.table.clone()));
        let place = |column: &Column| list.iter().position(|name| *name == column.name);
        let places = |tells: fn(&Tells) -> bool| {
            table.iter().filter(|column| tells(&column.tells)).filter_map(place).collect()
        };
        let stored = || table.iter().filter(|column| !column.generated);
        RowShape {
            instants: places(|tells| tells.instant),
            nested_instants: places(|tells| tells.nested_instant),
            binaries: places(|tells| tells.binary),
            nested_binaries: places(|tells| tells.nested_binary),
            order: through_root.then(|| stored().filter_map(place).collect()),
        }
    }
}

/// What each type tells that tells anything, by its OID.
async fn telling_types(session: &Session) -> Result<HashMap<String, Tells>, Error> {
    let mut telling: HashMap<String, Tells> = HashMap::new();
    for row in session.rows(TELLING_TYPES).await.map_err(|error| Error::postgres(&error))? {
        if let [Some(kind), Some(inside)] = row.as_slice() {
            telling.entry(kind.clone()).or_default().note(kind, inside);
        }
    }
    Ok(telling)
}
