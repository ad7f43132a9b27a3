//! The rows of every table, read back and compared with the rows inside the archive.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::try_join_all;

use crate::archive::Toc;
use crate::digest::{Digest, RowHash};
use crate::event::{EventKind, Events};
use crate::postgres::{self, Session, quote_identifier, quote_literal};
use crate::proof::Error;
use crate::proof::dumping::Dumping;
use crate::proof::reading::{self, Manner};
use crate::restore::{Restored, RowsSeen, Scratch, TableLoaded};

/// Tables above this are read back in stretches over several connections.
const STRETCH_PAGES: u64 = 8192;
/// Rows that are reported in one event.
const ROWS_PER_EVENT: u64 = 10_000;

/// How a table came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Row for row.
    Equal,
    /// With other rows.
    Different,
    /// Not at all.
    Missing,
    /// It could not be told.
    NotComparable,
}

/// One table, or one partitioned table whose partitions were loaded through its root.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// Its qualified name.
    pub name: String,
    /// How it came back.
    pub state: State,
    /// The rows inside the archive.
    pub stream: RowHash,
    /// The rows that were read back.
    pub restored: Option<RowHash>,
    /// The digest of the list of columns that was hashed.
    pub columns: Digest,
}

/// Compares every table of the archive over `jobs` connections.
///
/// # Errors
/// The scratch would not be read at all. A table that alone can't be read is not comparable.
pub async fn compare(
    toc: &Toc,
    restored: &Restored,
    scratch: &Scratch,
    jobs: usize,
    events: &Events,
) -> Result<Vec<Comparison>, Error> {
    let session = reading::open(scratch).await?;
    let catalogue = Catalogue::read(&session, scratch.server_major()).await?;
    let dumping = Dumping::infer(toc, restored, &session).await?;
    let parts = gather(restored);
    let direct = catalogue.partitions_loaded_directly(&parts);
    let subject = |part| Subject::new(part, &catalogue, &direct, toc, &dumping);
    let subjects: Vec<Subject> = parts.into_iter().map(subject).collect();
    let work = Arc::new(Work::new(&subjects, &catalogue));
    let connection = |_| read_back(&subjects, work.clone(), scratch, events);
    try_join_all((0..jobs.max(1)).map(connection)).await?;
    let mut comparisons = Vec::with_capacity(subjects.len());
    for (index, subject) in subjects.iter().enumerate() {
        let mut outcome = work.outcome(index);
        if let Ok(hash) = &mut outcome
            && *hash != subject.seen.hash
        {
            *hash = subject.try_other_manners(&session, *hash).await?;
        }
        let comparison = subject.judge(outcome);
        let equal = comparison.state == State::Equal;
        events.emit(EventKind::TableCompared { table: comparison.name.as_str().into(), equal });
        comparisons.push(comparison);
    }
    Ok(comparisons)
}

/// What is compared as one: a table, or all entries that went through one root.
struct Part<'a> {
    key: (String, String),
    first: &'a TableLoaded,
    seen: RowsSeen,
}

fn gather(restored: &Restored) -> Vec<Part<'_>> {
    let mut parts: BTreeMap<(String, String), Part<'_>> = BTreeMap::new();
    for table in &restored.tables {
        let part = parts.entry(table.table.clone()).or_insert_with(|| Part {
            key: table.table.clone(),
            first: table,
            seen: RowsSeen::default(),
        });
        part.seen.merge(table.seen.clone());
    }
    parts.into_values().collect()
}

/// A part with what the restored catalogue says of it.
struct Subject {
    name: String,
    seen: RowsSeen,
    /// None: no such table was restored.
    reading: Option<Reading>,
    /// In which its rows may have been written.
    manners: Vec<Manner>,
    columns: Digest,
}

/// How a table is read.
struct Reading {
    /// The list of columns as SQL, without parentheses; empty for a table without columns.
    columns: String,
    /// What stands behind FROM.
    from: String,
    /// The condition of an extension's configuration table.
    condition: String,
    /// Pages, where it can be read in stretches.
    pages: Option<u64>,
    /// The encoding of the archive's rows.
    encoding: String,
}

impl Subject {
    fn new(part: Part<'_>, catalogue: &Catalogue, direct: &str, toc: &Toc, dumping: &Dumping) -> Subject {
        let relation = catalogue.relations.get(&part.key);
        let columns = match (&part.first.target, relation) {
            (Some(target), _) if !part.first.through_root => target.columns.as_deref().unwrap_or_default(),
            (_, relation) => relation.map(|relation| relation.columns.as_slice()).unwrap_or_default(),
        };
        let quoted = columns.iter().map(|name| quote_identifier(name)).collect::<Vec<_>>().join(", ");
        let table = format!("{}.{}", quote_identifier(&part.key.0), quote_identifier(&part.key.1));
        let condition = match part.first.through_root {
            true => Some(format!("WHERE tableoid <> ALL ('{{{direct}}}'::pg_catalog.oid[])")),
            false => catalogue.conditions.get(&part.key).filter(|_| part.first.made_elsewhere).cloned(),
        };
        let reading = relation.map(|relation| Reading {
            from: if relation.partitioned { table.clone() } else { format!("ONLY {table}") },
            columns: quoted.clone(),
            condition: condition.unwrap_or_default(),
            pages: relation.pages,
            encoding: quote_literal(toc.encoding.name()),
        });
        Subject {
            name: format!("{}.{}", part.key.0, part.key.1),
            seen: part.seen,
            reading,
            manners: dumping.manners(&part.first.shape),
            columns: Digest::of(quoted.as_bytes()),
        }
    }

    /// The rows of a stretch of pages, or of the whole table.
    fn statement(&self, reading: &Reading, stretch: Option<(u64, u64)>) -> String {
        let Reading { columns, from, condition, encoding, .. } = reading;
        let condition = match stretch {
            Some((first, end)) => {
                &format!("WHERE ctid >= '({first},0)'::pg_catalog.tid AND ctid < '({end},0)'::pg_catalog.tid")
            }
            None => condition,
        };
        format!("COPY (SELECT {columns} FROM {from} {condition}) TO STDOUT WITH (ENCODING {encoding})")
    }

    /// The manner was inferred from values, and several may fit: equality in any is equality.
    async fn try_other_manners(&self, session: &Session, first: RowHash) -> Result<RowHash, Error> {
        let Some(reading) = &self.reading else { return Ok(first) };
        for manner in self.manners.iter().skip(1) {
            reading::adopt(session, manner).await?;
            let hash = hash_of(session, &self.statement(reading, None), |_| {}).await?;
            if hash == self.seen.hash {
                return Ok(hash);
            }
        }
        Ok(first)
    }

    fn judge(&self, outcome: Result<RowHash, Unread>) -> Comparison {
        let state = match &outcome {
            Err(Unread::Missing) => State::Missing,
            Err(Unread::Refused) => State::NotComparable,
            Ok(hash) if *hash == self.seen.hash => State::Equal,
            Ok(_) => State::Different,
        };
        Comparison {
            name: self.name.clone(),
            state,
            stream: self.seen.hash,
            restored: outcome.ok(),
            columns: self.columns,
        }
    }
}

/// Why a table was not read back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unread {
    Missing,
    Refused,
}

/// A subject, and a stretch of its pages where it is not read as a whole.
type Piece = (usize, Option<(u64, u64)>);

/// Stretches to be read, and what was read of each subject.
struct Work {
    open: Mutex<VecDeque<Piece>>,
    read: Mutex<Vec<Result<RowHash, Unread>>>,
}

impl Work {
    fn new(subjects: &[Subject], catalogue: &Catalogue) -> Work {
        let mut open = VecDeque::new();
        for (index, subject) in subjects.iter().enumerate() {
            let Some(reading) = &subject.reading else { continue };
            let whole = !reading.condition.is_empty() || !catalogue.reads_stretches;
            match reading
                .pages
                .filter(|pages| !whole && !reading.columns.is_empty() && *pages > STRETCH_PAGES)
            {
                None => open.push_back((index, None)),
                Some(pages) => {
                    let starts = (0..pages).step_by(STRETCH_PAGES as usize);
                    // The last stretch has no end: the table may have grown a page since.
                    open.extend(starts.map(|first| {
                        let end = first + STRETCH_PAGES;
                        (index, Some((first, if end >= pages { u64::from(u32::MAX) } else { end })))
                    }));
                }
            }
        }
        let none = |subject: &Subject| match subject.reading {
            Some(_) => Ok(RowHash::default()),
            None => Err(Unread::Missing),
        };
        Work { open: Mutex::new(open), read: Mutex::new(subjects.iter().map(none).collect()) }
    }

    fn next(&self) -> Option<Piece> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    fn add(&self, index: usize, read: Result<RowHash, Unread>) {
        let mut all = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        match (all.get_mut(index), read) {
            (Some(Ok(sum)), Ok(hash)) => sum.merge(&hash),
            (Some(slot), Err(unread)) => *slot = Err(unread),
            _ => {}
        }
    }

    fn outcome(&self, index: usize) -> Result<RowHash, Unread> {
        let all = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(index).copied().unwrap_or(Err(Unread::Refused))
    }
}

/// One connection's share of the reading.
async fn read_back(
    subjects: &[Subject],
    work: Arc<Work>,
    scratch: &Scratch,
    events: &Events,
) -> Result<(), Error> {
    let session = reading::open(scratch).await?;
    let mut adopted = None;
    while let Some((index, stretch)) = work.next() {
        let Some(subject) = subjects.get(index) else { continue };
        let Some(reading) = &subject.reading else { continue };
        let manner = subject.manners.first();
        if let Some(manner) = manner.filter(|_| adopted != manner) {
            reading::adopt(&session, manner).await?;
            adopted = Some(manner);
        }
        let statement = subject.statement(reading, stretch);
        let read = hash_of(&session, &statement, |rows| events.emit(EventKind::RowsReadBack { rows })).await;
        match read {
            Ok(hash) => work.add(index, Ok(hash)),
            Err(error) if error.kind() == postgres::Kind::Statement => work.add(index, Err(Unread::Refused)),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

async fn hash_of(session: &Session, statement: &str, tell: impl Fn(u64)) -> Result<RowHash, postgres::Error> {
    let mut rows = session.copy_out(statement).await?;
    let mut hash = RowHash::default();
    let mut told = 0;
    while let Some(row) = rows.next().await? {
        hash.add(row.strip_suffix(b"\n").unwrap_or(&row));
        if hash.rows() - told >= ROWS_PER_EVENT {
            tell(hash.rows() - told);
            told = hash.rows();
        }
    }
    tell(hash.rows() - told);
    Ok(hash)
}

/// What the restored catalogue says.
struct Catalogue {
    relations: HashMap<(String, String), Relation>,
    conditions: HashMap<(String, String), String>,
    reads_stretches: bool,
}

struct Relation {
    oid: u32,
    partitioned: bool,
    partition: bool,
    pages: Option<u64>,
    columns: Vec<String>,
}

impl Catalogue {
    async fn read(session: &Session, server_major: u32) -> Result<Catalogue, Error> {
        let mut relations = HashMap::new();
        let tables = "SELECT n.nspname, c.relname, c.oid, c.relkind, c.relispartition, CASE WHEN c.relam = 2 \
                      THEN pg_catalog.pg_relation_size(c.oid) / pg_catalog.current_setting('block_size')::int8 END \
                      FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
                      WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema')";
        for row in session.rows(tables).await? {
            let [Some(schema), Some(table), Some(oid), Some(kind), Some(partition), pages] = row.as_slice()
            else {
                continue;
            };
            let Ok(oid) = oid.parse() else { continue };
            let pages = pages.as_deref().and_then(|pages| pages.parse().ok());
            let (partitioned, partition) = (kind == "p", partition == "t");
            let relation = Relation { oid, partitioned, partition, pages, columns: Vec::new() };
            relations.insert((schema.clone(), table.clone()), relation);
        }
        let columns = "SELECT n.nspname, c.relname, a.attname FROM pg_catalog.pg_attribute a \
                       JOIN pg_catalog.pg_class c ON c.oid = a.attrelid \
                       JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
                       WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' \
                       ORDER BY a.attrelid, a.attnum";
        for row in session.rows(columns).await? {
            let [Some(schema), Some(table), Some(column)] = row.as_slice() else { continue };
            if let Some(relation) = relations.get_mut(&(schema.clone(), table.clone())) {
                relation.columns.push(column.clone());
            }
        }
        let conditions = conditions(session).await?;
        Ok(Catalogue { relations, conditions, reads_stretches: server_major >= 14 })
    }
}

impl Catalogue {
    /// The OIDs of partitions that were loaded as tables of their own, parted by commas: what
    /// went through a root is everything below it but those.
    fn partitions_loaded_directly(&self, parts: &[Part<'_>]) -> String {
        let direct = parts.iter().filter(|part| !part.first.through_root);
        let relations =
            direct.filter_map(|part| self.relations.get(&part.key)).filter(|relation| relation.partition);
        relations.map(|relation| relation.oid.to_string()).collect::<Vec<_>>().join(",")
    }
}

/// Which rows of an extension's configuration tables pg_dump dumps.
async fn conditions(session: &Session) -> Result<HashMap<(String, String), String>, Error> {
    let sql = "SELECT n.nspname, c.relname, u.condition FROM pg_catalog.pg_extension e, \
               LATERAL ROWS FROM (pg_catalog.unnest(e.extconfig), pg_catalog.unnest(e.extcondition)) AS u(id, condition) \
               JOIN pg_catalog.pg_class c ON c.oid = u.id JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace";
    let rows = session.rows(sql).await?;
    Ok(rows
        .into_iter()
        .filter_map(|row| match row.as_slice() {
            [Some(schema), Some(table), Some(condition)] => {
                Some(((schema.clone(), table.clone()), condition.clone()))
            }
            _ => None,
        })
        .collect())
}
