//! Which rows of a table differ: only once its hash does, and then by reading both sides again.
//!
//! Nothing is kept for it while a restore goes well. The archive is read once more, for the
//! tables that differ alone, and so are they; what is held of each is of a fixed size, whatever
//! the size of the table. Keys are only ever kept as hashes.

mod sketch;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use crate::postgres::Session;
use crate::proof::Error;
use crate::proof::located::sketch::{RowMark, Sketch, Told};
use crate::proof::reading;
use crate::proof::rows::{self, Comparison, Subject};
use crate::restore::{Opened, Restored, Scratch, rows_again};

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

/// Looks into the tables that `comparisons` found different: which of their rows are missing,
/// extra or changed, by table. `opened` is the archive, opened once more; `salt` stands before
/// each key that is hashed. Tables whose rows went through another one or came as INSERTs, and
/// those of a script, are left out.
///
/// # Errors
/// The scratch or the store would not be read.
pub async fn locate(
    restored: &Restored,
    comparisons: &[Comparison],
    scratch: &Scratch,
    opened: Opened,
    salt: &str,
) -> Result<BTreeMap<String, Located>, Error> {
    let toc = &restored.toc;
    let session = reading::open(scratch).await?;
    let all = rows::subjects(toc, restored, None, scratch, &session).await?;
    let differs =
        |subject: &Subject| comparisons.iter().any(|one| one.name == subject.name && one.has_other_rows());
    let mut tables = Vec::new();
    for subject in
        all.subjects.into_iter().filter(differs).filter(|subject| subject.is_plain).take(TABLES_MAX)
    {
        tables.push(Table::new(subject, &session, salt).await?);
    }
    let mut wanted = HashMap::new();
    for entry in toc.entries.iter().filter(|entry| entry.is_table_data()) {
        let name = entry.qualified_name();
        let table = tables.iter().position(|table| table.subject.name == name);
        wanted.extend(table.map(|table| (entry.id, table)));
    }
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
    if !rows_again(opened, wanted, see).await? {
        return Ok(BTreeMap::new());
    }
    let tables = std::mem::take(&mut *tables.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(tables.into_iter().map(|table| (table.subject.name.clone(), table.located())).collect())
}

/// A table that is looked into.
struct Table {
    subject: Subject,
    /// The places of its key's columns in a row; none without a primary key.
    key: Vec<usize>,
    salt: Vec<u8>,
    sketch: Sketch,
}

impl Table {
    async fn new(subject: Subject, session: &Session, salt: &str) -> Result<Table, Error> {
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
        let key: Vec<usize> = key.iter().filter_map(place).collect();
        Ok(Table { subject, key, salt: [salt.as_bytes(), b"\n"].concat(), sketch: Sketch::default() })
    }

    fn take(&mut self, row: &[u8], times: i64) {
        let key = (!self.key.is_empty()).then(|| {
            let fields: Vec<&[u8]> = row.split(|byte| *byte == b'\t').collect();
            self.key.iter().filter_map(|at| fields.get(*at).copied()).collect::<Vec<_>>().join(&b'\t')
        });
        self.sketch.add(RowMark::of(&self.salt, key.as_deref(), row), times);
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

    fn located(self) -> Located {
        let Told { rows, whole } = self.sketch.tell();
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
                }
            }
        }
        located
    }
}
