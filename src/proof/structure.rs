//! Whether the pages of tables and indexes are what the server takes them for, by its own
//! extension `amcheck`.
//!
//! The extension is made in a schema of its own, and dropped again: nothing that looks at the
//! scratch afterwards meets it.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;

use crate::postgres::{self, Session, quote_identifier};
use crate::proof::Error;
use crate::restore::Scratch;

/// What the server says of pages and indexes that are not what they should be.
const CORRUPTED: [&str; 2] = ["XX001", "XX002"];

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Structure {
    /// The version of the extension.
    pub version: Option<String>,
    /// Why nothing was looked at, if so.
    pub unavailable: Option<String>,
    /// Tables, materialised views and their overflow.
    pub heaps_expected: u64,
    /// Those whose every page was looked at.
    pub heaps_checked: u64,
    /// B-tree indexes.
    pub indexes_expected: u64,
    /// Those whose every page was looked at.
    pub indexes_checked: u64,
    /// Indexes of other kinds.
    pub indexes_other: u64,
    /// What is damaged.
    pub damaged: Vec<Damaged>,
    /// What could not be looked at.
    pub unchecked: Vec<Unchecked>,
    /// Over how many connections.
    pub jobs: u64,
    /// How long all of it took.
    pub took: Duration,
}

/// A relation that is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damaged {
    /// Its qualified name.
    pub name: String,
    /// Whether it is an index.
    pub index: bool,
    /// How many faults were found; of an index the first ends the search.
    pub faults: u64,
    /// The first page with a fault, where that is told.
    pub first_block: Option<u64>,
    /// The server's code, where the search ended with one.
    pub sqlstate: Option<String>,
}

/// A relation that could not be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unchecked {
    /// Its qualified name.
    pub name: String,
    /// Whether it is an index.
    pub index: bool,
    /// Why, in one line.
    pub why: String,
}

/// Looks at every page of every table and B-tree index of the restored database over `jobs`
/// connections, the largest first; `all_indexed` also looks for each row in the indexes of its
/// table. Of the system's own tables only those that hold large objects are looked at.
///
/// # Errors
/// The scratch is gone. That the server has no such extension is an answer.
pub async fn examine(scratch: &Scratch, all_indexed: bool, jobs: usize) -> Result<Structure, Error> {
    let began = Instant::now();
    let session = open(scratch).await?;
    let mut structure = match Amcheck::find(&session).await? {
        Err(why) => Structure { unavailable: Some(why), ..Structure::default() },
        Ok(amcheck) => {
            let structure = look(scratch, &session, &amcheck, all_indexed, jobs.max(1)).await?;
            amcheck.put_away(&session).await?;
            structure
        }
    };
    structure.took = began.elapsed();
    Ok(structure)
}

async fn open(scratch: &Scratch) -> Result<Session, Error> {
    let session = scratch.connect().await?;
    session.run("SET search_path = ''; SET statement_timeout = 0; SET row_security = off").await?;
    Ok(session)
}

/// The extension, where it was found or made.
struct Amcheck {
    /// Its schema, quoted.
    schema: String,
    version: String,
    /// Whether we made it.
    ours: bool,
}

impl Amcheck {
    /// The extension, or why there is none that will do.
    async fn find(session: &Session) -> Result<Result<Amcheck, String>, Error> {
        let there = "SELECT n.nspname, e.extversion FROM pg_catalog.pg_extension e \
                     JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'amcheck'";
        let mut ours = false;
        let mut found = two(session.rows(there).await?);
        if found.is_none() {
            let schema = format!("firedrill_{}", uuid::Uuid::now_v7().simple());
            let make =
                format!("CREATE SCHEMA {0}; CREATE EXTENSION amcheck SCHEMA {0}", quote_identifier(&schema));
            match session.run(&make).await {
                Ok(()) => {}
                Err(error) if error.kind() == postgres::Kind::Statement => {
                    let state = error.sqlstate().unwrap_or("unknown").to_owned();
                    return Ok(Err(format!("the server can't make the extension (SQLSTATE {state})")));
                }
                Err(error) => return Err(error.into()),
            }
            ours = true;
            found = two(session.rows(there).await?);
        }
        let Some((schema, version)) = found else {
            return Ok(Err("the extension was made and is not there".into()));
        };
        let amcheck = Amcheck { schema: quote_identifier(&schema), version, ours };
        let heaps = "SELECT count(*)::text, '' FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_extension e \
                     ON e.extname = 'amcheck' AND e.extnamespace = p.pronamespace \
                     WHERE p.proname = 'verify_heapam'";
        if two(session.rows(heaps).await?).is_none_or(|(count, _)| count == "0") {
            let why = format!(
                "amcheck {} does not look at tables, which it learnt in PostgreSQL 14",
                amcheck.version
            );
            amcheck.put_away(session).await?;
            return Ok(Err(why));
        }
        Ok(Ok(amcheck))
    }

    /// Drops the extension, if we made it.
    async fn put_away(&self, session: &Session) -> Result<(), Error> {
        if self.ours {
            session.run(&format!("DROP EXTENSION amcheck; DROP SCHEMA {}", self.schema)).await?;
        }
        Ok(())
    }
}

/// The two columns of the first row.
fn two(rows: Vec<Vec<Option<String>>>) -> Option<(String, String)> {
    match <[Option<String>; 2]>::try_from(rows.into_iter().next()?) {
        Ok([Some(first), Some(second)]) => Some((first, second)),
        _ => None,
    }
}

/// Something to be looked at.
struct Relation {
    oid: u32,
    name: String,
    index: bool,
}

/// Rows first, by size; overflow under the name of its table.
const RELATIONS: &str = "
SELECT c.oid, CASE WHEN c.relkind = 't' THEN pg_catalog.format('%s.%s (TOAST)', mn.nspname, m.relname)
                   ELSE pg_catalog.format('%s.%s', n.nspname, c.relname) END,
       CASE WHEN c.relkind <> 'i' THEN 'heap' WHEN c.relam = 403 THEN 'index' ELSE 'other' END
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid
LEFT JOIN pg_catalog.pg_class o ON o.oid = i.indrelid
LEFT JOIN pg_catalog.pg_class m ON m.reltoastrelid = CASE WHEN o.relkind = 't' THEN o.oid ELSE c.oid END
LEFT JOIN pg_catalog.pg_namespace mn ON mn.oid = m.relnamespace
WHERE c.relpersistence <> 't'
  AND (c.relkind IN ('r', 'm', 't') AND c.relam = 2 OR c.relkind = 'i' AND i.indisvalid AND i.indisready)
  AND (coalesce(mn.nspname, n.nspname) NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
       OR coalesce(o.relname, c.relname) IN ('pg_largeobject', 'pg_largeobject_metadata'))
ORDER BY pg_catalog.pg_relation_size(c.oid) DESC, 2";

async fn look(
    scratch: &Scratch,
    session: &Session,
    amcheck: &Amcheck,
    all_indexed: bool,
    jobs: usize,
) -> Result<Structure, Error> {
    let mut structure =
        Structure { version: Some(amcheck.version.clone()), jobs: jobs as u64, ..Structure::default() };
    let mut open_ones = VecDeque::new();
    for row in session.rows(RELATIONS).await? {
        let Ok([Some(oid), Some(name), Some(kind)]) = <[Option<String>; 3]>::try_from(row) else { continue };
        let Ok(oid) = oid.parse() else { continue };
        match kind.as_str() {
            "heap" => structure.heaps_expected += 1,
            "index" => structure.indexes_expected += 1,
            _ => {
                structure.indexes_other += 1;
                continue;
            }
        }
        open_ones.push_back(Relation { oid, name, index: kind == "index" });
    }
    let work = Mutex::new((open_ones, structure));
    try_join_all((0..jobs).map(|_| one_connection(scratch, amcheck, all_indexed, &work))).await?;
    let (_, mut structure) = work.into_inner().unwrap_or_else(PoisonError::into_inner);
    structure.damaged.sort_by(|a, b| a.name.cmp(&b.name));
    structure.unchecked.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(structure)
}

/// One connection's share.
async fn one_connection(
    scratch: &Scratch,
    amcheck: &Amcheck,
    all_indexed: bool,
    work: &Mutex<(VecDeque<Relation>, Structure)>,
) -> Result<(), Error> {
    let session = open(scratch).await?;
    let next = || work.lock().unwrap_or_else(PoisonError::into_inner).0.pop_front();
    while let Some(relation) = next() {
        let looked = match relation.index {
            true => look_at_index(&session, amcheck, all_indexed, &relation).await?,
            false => look_at_heap(&session, amcheck, &relation).await?,
        };
        let (_, structure) = &mut *work.lock().unwrap_or_else(PoisonError::into_inner);
        let Relation { name, index, .. } = relation;
        if let Looked::Not(why) = looked {
            structure.unchecked.push(Unchecked { name, index, why });
            continue;
        }
        match index {
            true => structure.indexes_checked += 1,
            false => structure.heaps_checked += 1,
        }
        if let Looked::Damaged { faults, first_block, sqlstate } = looked {
            structure.damaged.push(Damaged { name, index, faults, first_block, sqlstate });
        }
    }
    Ok(())
}

/// What came of looking at a relation.
enum Looked {
    Whole,
    Damaged { faults: u64, first_block: Option<u64>, sqlstate: Option<String> },
    Not(String),
}

async fn look_at_heap(session: &Session, amcheck: &Amcheck, relation: &Relation) -> Result<Looked, Error> {
    let sql = format!(
        "SELECT count(*), min(blkno) FROM {}.verify_heapam({}::pg_catalog.regclass, on_error_stop := false, \
         check_toast := true)",
        amcheck.schema, relation.oid
    );
    let rows = match session.rows(&sql).await {
        Ok(rows) => rows,
        Err(error) => return refused(error),
    };
    let number =
        |column: usize| rows.first().and_then(|row| row.get(column)?.as_deref()?.parse::<u64>().ok());
    Ok(match number(0) {
        Some(0) => Looked::Whole,
        Some(faults) => Looked::Damaged { faults, first_block: number(1), sqlstate: None },
        None => Looked::Not("no answer came".into()),
    })
}

async fn look_at_index(
    session: &Session,
    amcheck: &Amcheck,
    all_indexed: bool,
    relation: &Relation,
) -> Result<Looked, Error> {
    let sql = format!(
        "SELECT {}.bt_index_check({}::pg_catalog.regclass, {all_indexed})",
        amcheck.schema, relation.oid
    );
    match session.rows(&sql).await {
        Ok(rows) if rows.len() == 1 => Ok(Looked::Whole),
        Ok(_) => Ok(Looked::Not("no answer came".into())),
        Err(error) => refused(error),
    }
}

/// The server ends its search where it finds that it can't trust what it reads.
fn refused(error: postgres::Error) -> Result<Looked, Error> {
    match error.sqlstate() {
        Some(state) if CORRUPTED.contains(&state) => {
            Ok(Looked::Damaged { faults: 1, first_block: None, sqlstate: Some(state.to_owned()) })
        }
        Some(state) if error.kind() == postgres::Kind::Statement => {
            Ok(Looked::Not(format!("SQLSTATE {state}")))
        }
        _ => Err(error.into()),
    }
}
