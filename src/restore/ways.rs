//! How the rows of each table are put: decided once the tables exist.

use std::collections::{HashMap, HashSet};

use crate::archive::{CopyTarget, Entry, InsertColumn, Toc};
use crate::plan::CopyForm;
use crate::postgres::Session;
use crate::restore::binary::{self, Element, Kind, Scalar};
use crate::restore::error::Failure;
use crate::restore::load::{Planned, Way};
use crate::restore::policy::{Disposition, Rows};
use crate::restore::sample::{Sample, SampledBy};
use crate::restore::shape::RowShape;
use crate::restore::stream::Ways;
use crate::restore::unsteady::{Unsteady, UnsteadyFields, types_with, unsteady_types};
use crate::restore::{Error, Manner};

/// Below this compressed size one connection takes a table alone, and spares the log.
const ALONE_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// With so few connections one takes a table of any size alone: the cores are busy all the
/// same, and the log, the locks and the second look at each row are spared. Measured on two
/// cores: 2.8 s of processor time instead of 3.3 s.
const ALONE_CONNECTIONS_MAX: usize = 2;

/// Types that tell something of the dumping session: 1184 is `timestamptz` and 17 is `bytea` in
/// every PostgreSQL.
const TELLING_TYPES: &str = "(1184::pg_catalog.oid, 1184::pg_catalog.oid), (17, 17)";

/// Every type that the server reads with functions of its own, which the source names as the
/// server itself does, and every domain over one. Of those whose elements are set apart by
/// commas, the type of these.
const READING_TYPES: &str = "\
    WITH RECURSIVE base (type, input, receive, element) AS ( \
      SELECT t.oid, i.prosrc, r.prosrc, e.oid FROM pg_catalog.pg_type t \
        JOIN pg_catalog.pg_proc i ON i.oid = t.typinput JOIN pg_catalog.pg_proc r ON r.oid = t.typreceive \
        JOIN pg_catalog.pg_language li ON li.oid = i.prolang AND li.lanname = 'internal' \
        JOIN pg_catalog.pg_language lr ON lr.oid = r.prolang AND lr.lanname = 'internal' \
        LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem AND e.typdelim = ',' \
        WHERE t.typtype IN ('b', 'e') \
      UNION ALL SELECT t.oid, base.input, base.receive, base.element FROM base \
        JOIN pg_catalog.pg_type t ON t.typbasetype = base.type AND t.typtype = 'd' \
    ) SELECT type, input, receive, element FROM base";

/// Types of which a key of a sample may be, and which are written in one way only: `int8`, `int4`
/// and `uuid`.
const KEY_TYPES: [&str; 3] = ["20", "23", "2950"];

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
    stored: &HashMap<u32, u64>,
    manner: Manner,
    session: &Session,
) -> Result<Decided, Error> {
    let columns = Columns::read(session, manner, toc).await?;
    let mut decided = Decided { ways: Ways::new(), skipped: Vec::new() };
    for (entry, disposition) in toc.entries.iter().zip(dispositions) {
        match disposition {
            Disposition::LargeObjects => {
                let planned = Planned::large_objects(stored.get(&entry.id).copied());
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

fn way(rows: &Rows, target: &CopyTarget, stored_bytes: Option<u64>, connections: usize) -> Way {
    let statement = target.copy_in();
    // Only a table that this restore has made may be emptied first, and never a partitioned
    // root, which other entries fill as well.
    let ours_alone = rows.table_entry.is_some() && !rows.through_root;
    let small =
        connections <= ALONE_CONNECTIONS_MAX || stored_bytes.is_some_and(|bytes| bytes <= ALONE_BYTES_MAX);
    if ours_alone && small {
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
pub struct Columns {
    of: HashMap<(String, String), Vec<Column>>,
    /// Whether rows may be put in the binary form.
    binary: bool,
    /// Connections that take rows at once, at most.
    copy_connections: usize,
    /// What a later reading may be content with.
    sample: Option<Sample>,
}

struct Column {
    name: String,
    tells: Tells,
    /// How its text differs from server to server, if it does.
    unsteady: Option<Unsteady>,
    /// It is never null, and of a type that a key of a sample may be of.
    is_key: bool,
    /// The binary form of its type, if that is used.
    kind: Option<Kind>,
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
    /// Asks for those of every table, whose rows are in the archive with that table of contents.
    ///
    /// # Errors
    /// The server is gone.
    pub async fn read(session: &Session, manner: Manner, toc: &Toc) -> Result<Columns, Error> {
        let sql = "SELECT n.nspname, c.relname, a.attname, a.atttypid, a.attgenerated <> '', \
                   a.attnotnull FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid \
                   JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
                   WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p') \
                   AND n.nspname NOT IN ('pg_catalog', 'information_schema') ORDER BY a.attrelid, a.attnum";
        let telling = telling_types(session).await?;
        let kinds = kinds(session).await?;
        let of_major = toc.header.server_major().unwrap_or(u32::MAX);
        let unsteady = unsteady_types(session, of_major).await.map_err(|error| Error::postgres(&error))?;
        let mut of: HashMap<(String, String), Vec<Column>> = HashMap::new();
        for row in session.rows(sql).await.map_err(|error| Error::postgres(&error))? {
            let [Some(schema), Some(table), Some(name), Some(of_type), Some(generated), Some(never_null)] =
                row.as_slice()
            else {
                continue;
            };
            let generated = generated == "t";
            let is_key = never_null == "t" && !generated && KEY_TYPES.contains(&of_type.as_str());
            let tells = telling.get(of_type).copied().unwrap_or_default();
            let kind = kinds.get(of_type).copied();
            let unsteady = unsteady.get(of_type).copied();
            let column = Column { name: name.clone(), tells, unsteady, is_key, kind, generated };
            of.entry((schema.clone(), table.clone())).or_default().push(column);
        }
        // Binary rows are in the session's encoding, whatever the COPY statement says.
        let binary = manner.copy == CopyForm::Auto && toc.encoding.name().eq_ignore_ascii_case("UTF8");
        Ok(Columns { of, binary, copy_connections: manner.copy_connections, sample: manner.sample })
    }

    /// How the rows of `entry` are put, of which so many bytes are stored.
    pub fn plan(&self, entry: &Entry, rows: &Rows, stored_bytes: Option<u64>) -> Planned {
        let own = (entry.namespace.clone().unwrap_or_default(), entry.tag.clone());
        let insert =
            |column: &Column| InsertColumn { name: column.name.clone(), generated: column.generated };
        let inserted = || self.table(&own).iter().map(insert).collect::<Vec<_>>();
        let (target, inserted) = match &rows.target {
            Some(target) => (target.clone(), None),
            None => (inserted_into(entry, &inserted()), Some(inserted())),
        };
        let columns = self.binary_form(&target);
        let mut shape = self.shape(&target, rows.through_root);
        // What we convert ourselves is read back whole, so that no fault of ours is passed over.
        let as_it_stands = rows.target.is_some() && rows.table_entry.is_some() && !rows.through_root;
        if columns.is_none() && as_it_stands {
            shape.sampled_by = self.sampled_by(&target);
        }
        Planned {
            name: if rows.through_root {
                entry.qualified_name()
            } else {
                format!("{}.{}", target.schema, target.table)
            }
            .into(),
            way: way(rows, &target, stored_bytes, self.copy_connections),
            shape,
            columns,
            inserted,
            stored_bytes,
        }
    }

    fn table(&self, name: &(String, String)) -> &[Column] {
        self.of.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    /// The binary form of the rows, if every one of their columns has one.
    fn binary_form(&self, target: &CopyTarget) -> Option<binary::Columns> {
        let list = target.columns.as_ref().filter(|_| self.binary)?;
        let table = self.table(&(target.schema.clone(), target.table.clone()));
        let kind = |name: &String| table.iter().find(|column| column.name == *name)?.kind;
        binary::Columns::new(list.iter().map(kind).collect::<Option<_>>()?)
    }

    /// The first column that a sample can be taken by, where one is wanted.
    fn sampled_by(&self, target: &CopyTarget) -> Option<SampledBy> {
        let sample = self.sample?;
        let list = target.columns.as_ref()?;
        let table = self.table(&(target.schema.clone(), target.table.clone()));
        let is_key = |name: &String| table.iter().any(|column| column.is_key && column.name == *name);
        let field = list.iter().position(is_key)?;
        Some(SampledBy { column: list.get(field)?.clone(), field, sample })
    }

    fn shape(&self, target: &CopyTarget, through_root: bool) -> RowShape {
        let Some(list) = &target.columns else { return RowShape::default() };
        let table = self.table(&(target.schema.clone(), target.table.clone()));
        let place = |column: &Column| list.iter().position(|name| *name == column.name);
        let places = |tells: fn(&Tells) -> bool| {
            table.iter().filter(|column| tells(&column.tells)).filter_map(place).collect()
        };
        let unsteady = table.iter().filter_map(|column| Some((place(column)?, column.unsteady?)));
        let stored = || table.iter().filter(|column| !column.generated);
        RowShape {
            instants: places(|tells| tells.instant),
            nested_instants: places(|tells| tells.nested_instant),
            binaries: places(|tells| tells.binary),
            nested_binaries: places(|tells| tells.nested_binary),
            unsteady: UnsteadyFields::new(unsteady.collect()),
            order: through_root.then(|| stored().filter_map(place).collect()),
            sampled_by: None,
        }
    }
}

/// What each type tells that tells anything, by its OID.
async fn telling_types(session: &Session) -> Result<HashMap<String, Tells>, Error> {
    let mut telling: HashMap<String, Tells> = HashMap::new();
    for row in session.rows(&types_with(TELLING_TYPES)).await.map_err(|error| Error::postgres(&error))? {
        if let [Some(kind), Some(inside), _] = row.as_slice() {
            telling.entry(kind.clone()).or_default().note(kind, inside);
        }
    }
    Ok(telling)
}

/// The binary form of each type that has one that is used, by its OID. Domains are put in that
/// of their base: the server reads it for the domain, and checks the domain's constraints.
async fn kinds(session: &Session) -> Result<HashMap<String, Kind>, Error> {
    let rows = session.rows(READING_TYPES).await.map_err(|error| Error::postgres(&error))?;
    let scalar = |row: &Vec<Option<String>>| match row.as_slice() {
        [Some(of_type), Some(input), Some(receive), _] => {
            Some((of_type.clone(), Scalar::of(input, receive)?))
        }
        _ => None,
    };
    let scalars: HashMap<String, Scalar> = rows.iter().filter_map(scalar).collect();
    let element = |oid: &String| Some(Element { scalar: scalars.get(oid).copied()?, oid: oid.parse().ok()? });
    let kind = |row: &Vec<Option<String>>| match row.as_slice() {
        [Some(of_type), Some(input), Some(receive), of_element] => {
            let element = of_element.as_ref().and_then(element);
            Some((of_type.clone(), Kind::of(input, receive, element)?))
        }
        _ => None,
    };
    Ok(rows.iter().filter_map(kind).collect())
}
