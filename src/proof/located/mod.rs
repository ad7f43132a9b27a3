//! Which rows of a table differ: only once its hash does, and then by reading both sides again.
//!
//! Nothing is kept for it while a restore goes well. The archive is read once more, for the
//! tables that differ alone, and so are they; what is held of each is of a fixed size, whatever
//! the size of the table. Keys are only ever kept as hashes.

mod sketch;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::postgres::Session;
use crate::proof::Error;
use crate::proof::located::sketch::{RowMark, Sketch, Told};
use crate::proof::reading;
use crate::proof::rows::{self, Comparison, Subject};
use crate::restore::{Archive, Restored, Scratch, Wanted, rows_again};

/// Tables that are looked into at most.
const TABLES_MAX: usize = 16;
/// Rows that are named at most, of each table.
const NAMED_MAX: usize = 20;

/// What a row is to the table that holds it, or should.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RowFault {
    /// It is in the archive only.
    Missing,
    /// It is in the restored table only.
    Extra,
    /// Another row has its key.
    Changed,
}

/// Where the rows of a table differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    /// Rows of the archive that did not come back.
    pub missing: u64,
    /// Rows that came back, and that the archive does not hold.
    pub extra: u64,
    /// Rows that came back with another content under the same key.
    pub changed: u64,
    /// Those are all: there are not too many to be told apart.
    pub whole: bool,
    /// The first of them, by the first 96 bits of SHA-256 over the run's name and the key's
    /// COPY text, or the row's where the table has no primary key; 24 hexadecimal digits.
    pub rows: Vec<(RowFault, String)>,
}

/// Why it is not known which rows of a table differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotNarrowed {
    /// So many tables differ that the others were looked into, and not this one.
    TooManyTables,
    /// It took too long.
    Deadline,
    /// The archive or the scratch would not be read once more.
    Unreadable,
}

/// The primary keys of rows that differ, as they are: for somebody at a terminal, and for
/// nothing that is kept.
#[derive(Clone, PartialEq, Eq)]
pub struct Revealed {
    /// The qualified name of the table.
    pub table: String,
    /// The columns of its primary key; none if it has none, and then no rows.
    pub columns: Vec<String>,
    /// The first of the rows, by the COPY text of their keys; none of a key that is too long.
    pub rows: Vec<(RowFault, Option<String>)>,
    /// How many more there are, or at least are.
    pub more: u64,
}

impl fmt::Debug for Revealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Revealed").field("table", &self.table).finish_non_exhaustive()
    }
}

/// What came of looking into the tables that differ.
#[derive(Debug, Default)]
pub struct Narrowed {
    /// Each of them.
    pub tables: BTreeMap<String, Result<Located, NotNarrowed>>,
    /// The keys of their rows, if that was asked for.
    pub revealed: Vec<Revealed>,
}

impl Narrowed {
    /// None of the tables that `comparisons` found different could be looked into.
    pub fn none(comparisons: &[Comparison], why: NotNarrowed) -> Narrowed {
        let tables = different(comparisons).map(|name| (name.to_owned(), Err(why))).collect();
        Narrowed { tables, revealed: Vec::new() }
    }
}

fn different(comparisons: &[Comparison]) -> impl Iterator<Item = &str> {
    comparisons.iter().filter(|it| it.has_other_rows()).map(|it| it.name.as_str())
}

/// What is looked for.
#[derive(Clone, Copy, Debug)]
pub struct Search<'a> {
    /// Stands before each key that is hashed.
    pub salt: &'a str,
    /// Whether the keys themselves are wanted, too.
    pub reveal: bool,
}

/// Looks into the tables that `comparisons` found different: which of their rows are missing,
/// extra or changed. `archive` is the same one, opened once more.
///
/// # Errors
/// The scratch or the store would not be read.
pub async fn locate(
    restored: &Restored,
    comparisons: &[Comparison],
    scratch: &Scratch,
    archive: Archive,
    search: Search<'_>,
) -> Result<Narrowed, Error> {
    let mut narrowed = Narrowed::none(comparisons, NotNarrowed::TooManyTables);
    let session = reading::open(scratch).await?;
    let subjects = rows::subjects(&restored.toc, restored, None, scratch, &session).await?;
    let differs = |subject: &Subject| narrowed.tables.contains_key(&subject.name);
    let mut tables = Vec::new();
    for subject in subjects.subjects.into_iter().filter(differs).take(TABLES_MAX) {
        let steady = comparisons.iter().any(|one| one.name == subject.name && one.steady);
        tables.push(Table { steady, ..Table::new(subject, &session, search).await? });
    }
    let wanted = wanted(restored, &tables);
    for table in &mut tables {
        table.take_restored(&session).await?;
    }
    let tables = Arc::new(Mutex::new(tables));
    let sink = tables.clone();
    let see = move |table: usize, row: &[u8]| {
        let mut tables = sink.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(table) = tables.get_mut(table) {
            table.take(row, 1);
        }
    };
    rows_again(archive, wanted, see).await?;
    let tables = std::mem::take(&mut *tables.lock().unwrap_or_else(PoisonError::into_inner));
    for table in tables {
        let name = table.subject.name.clone();
        let (located, revealed) = table.located(search.reveal);
        narrowed.tables.insert(name, Ok(located));
        narrowed.revealed.extend(revealed);
    }
    Ok(narrowed)
}

/// The entries that hold rows of the tables: several, where they went through one root.
fn wanted(restored: &Restored, tables: &[Table]) -> HashMap<u32, Wanted> {
    let mut by_entry = HashMap::new();
    for loaded in &restored.tables {
        let name = format!("{}.{}", loaded.table.0, loaded.table.1);
        if let Some(table) = tables.iter().position(|table| table.subject.name == name) {
            let (order, inserted) = (loaded.shape.order.clone(), loaded.inserted.clone());
            by_entry.insert(loaded.name.as_str(), Wanted { table, order, inserted });
        }
    }
    let entries = restored.toc.entries.iter().filter(|entry| entry.is_table_data());
    entries
        .filter_map(|entry| Some((entry.id, by_entry.get(entry.qualified_name().as_str())?.clone())))
        .collect()
}

/// A table that is looked into.
struct Table {
    subject: Subject,
    /// The places of its key's columns in a row; none without a primary key.
    key: Vec<usize>,
    salt: Vec<u8>,
    /// Rows were compared with what is not steady in one form.
    steady: bool,
    sketch: Sketch,
}

impl Table {
    async fn new(subject: Subject, session: &Session, search: Search<'_>) -> Result<Table, Error> {
        let sql = format!(
            "SELECT a.attname FROM pg_catalog.pg_index i, pg_catalog.unnest(i.indkey) WITH ORDINALITY k(num, nr), \
             pg_catalog.pg_attribute a WHERE i.indrelid = {} AND i.indisprimary AND k.nr <= i.indnkeyatts \
             AND a.attrelid = i.indrelid AND a.attnum = k.num ORDER BY k.nr",
            subject.oid
        );
        let key = session.rows(&sql).await?;
        let place = |row: &Vec<Option<String>>| {
            let name = row.first()?.as_ref()?;
            subject.columns.iter().position(|column| column == name)
        };
        // A column that is not dumped can't tell its rows apart.
        let key = key.iter().map(place).collect::<Option<Vec<usize>>>().unwrap_or_default();
        let sketch = if search.reveal { Sketch::with_keys() } else { Sketch::default() };
        let salt = [search.salt.as_bytes(), b"\n"].concat();
        Ok(Table { subject, key, salt, steady: false, sketch })
    }

    fn take(&mut self, row: &[u8], times: i64) {
        let reading = self.subject.reading.as_ref().filter(|_| self.steady);
        let row = &*reading.map_or(Cow::Borrowed(row), |reading| reading.unsteady.steady(row).into());
        let key = (!self.key.is_empty()).then(|| {
            let fields: Vec<&[u8]> = row.split(|byte| *byte == b'\t').collect();
            self.key.iter().filter_map(|at| fields.get(*at).copied()).collect::<Vec<_>>().join(&b'\t')
        });
        let mark = RowMark::of(&self.salt, key.as_deref(), row);
        self.sketch.add(mark, key.as_deref().unwrap_or_default(), times);
    }

    /// Takes what the restored table holds out again.
    async fn take_restored(&mut self, session: &Session) -> Result<(), Error> {
        let Some(reading) = &self.subject.reading else { return Ok(()) };
        if let Some(manner) = self.subject.manners.first() {
            reading::adopt(session, manner).await?;
        }
        let mut rows = session.copy_out(&reading.statement(None)).await?;
        while let Some(row) = rows.next().await? {
            self.take(row.strip_suffix(b"\n").unwrap_or(&row), -1);
        }
        Ok(())
    }

    /// Where its rows differ, and the keys of those that are named.
    fn located(self, reveal: bool) -> (Located, Option<Revealed>) {
        let Told { rows, whole, keys } = self.sketch.tell();
        let columns = self.key.iter().filter_map(|at| self.subject.columns.get(*at).cloned()).collect();
        let mut named = Vec::new();
        let mut located = Located { missing: 0, extra: 0, changed: 0, whole, rows: Vec::new() };
        // Without a key each row stands for itself.
        let mut by_key: BTreeMap<u128, (u64, u64)> = BTreeMap::new();
        for (mark, times) in rows {
            let at = if self.key.is_empty() { mark.row } else { mark.key };
            let (missing, extra) = by_key.entry(at).or_default();
            *(if times > 0 { missing } else { extra }) += times.unsigned_abs();
        }
        for (mark, (missing, extra)) in by_key {
            let changed = missing.min(extra);
            let counts = [
                (RowFault::Changed, changed, &mut located.changed),
                (RowFault::Missing, missing - changed, &mut located.missing),
                (RowFault::Extra, extra - changed, &mut located.extra),
            ];
            for (fault, count, sum) in counts {
                *sum += count;
                if count > 0 && located.rows.len() < NAMED_MAX {
                    located.rows.push((fault, format!("{mark:024x}")));
                    named.push((fault, keys.get(&mark).map(|key| String::from_utf8_lossy(key).into_owned())));
                }
            }
        }
        let all = located.missing + located.extra + located.changed;
        let has_key = !self.key.is_empty();
        let revealed = reveal.then(|| Revealed {
            table: self.subject.name,
            columns,
            more: all.saturating_sub(named.len() as u64),
            rows: if has_key { named } else { Vec::new() },
        });
        (located, revealed)
    }
}
