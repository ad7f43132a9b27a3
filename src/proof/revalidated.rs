//! Constraints, asked anew of the rows that they speak of.
//!
//! A constraint that stands in the catalogue as valid was looked at when it was made, and since
//! then for each change; what a restore can't show is whether it still holds of every row.
//! Each table is read once for all of its own constraints, and each foreign key is a join.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;

use crate::postgres::{self, Kind, Session, quote_identifier};
use crate::proof::foreign_keys::{ForeignKey, foreign_keys};
use crate::proof::{Error, reading};
use crate::restore::Scratch;

/// Constraints that are asked by one statement; a server takes 1664 columns.
const ASKED_AT_ONCE: usize = 200;

/// What a constraint is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConstraintKind {
    /// A foreign key.
    ForeignKey,
    /// A check of a table.
    Check,
    /// That a column is not null.
    NotNull,
}

/// What was found of the constraints of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// Constraints there are.
    pub expected: u64,
    /// Those that were evaluated for every row.
    pub asked: u64,
    /// Those that say that they hold of every row, and don't.
    pub broken: u64,
}

/// A constraint that rows break.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// What it is.
    pub kind: ConstraintKind,
    /// The qualified name of its table.
    pub table: String,
    /// Its name; the column's, for one that must not be null.
    pub name: String,
    /// How many rows break it.
    pub rows: u64,
    /// Whether it says that it holds of every row: one that is not validated does not.
    pub promised: bool,
}

/// A constraint that could not be evaluated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unasked {
    /// What it is.
    pub kind: ConstraintKind,
    /// The qualified name of its table.
    pub table: String,
    /// Its name; the column's, for one that must not be null.
    pub name: String,
    /// Why, in one line.
    pub why: String,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Revalidated {
    /// By kind.
    pub kinds: BTreeMap<ConstraintKind, Asked>,
    /// What rows break, in the order of tables and names.
    pub broken: Vec<Broken>,
    /// What could not be evaluated.
    pub unasked: Vec<Unasked>,
    /// Over how many connections.
    pub jobs: u64,
    /// How long all of it took.
    pub took: Duration,
}

/// Evaluates every foreign key, check and NOT NULL of the restored database for every row, over
/// `jobs` connections. Rows are counted and not read; nothing is written.
///
/// # Errors
/// The scratch is gone. What the server refuses to evaluate is an answer.
pub async fn revalidate(scratch: &Scratch, jobs: usize) -> Result<Revalidated, Error> {
    let began = Instant::now();
    let session = reading::open(scratch).await?;
    let mut work: VecDeque<Work> = tables(&session).await?.into();
    work.extend(foreign_keys(&session).await?.into_iter().map(Work::ForeignKey));
    drop(session);
    let jobs = jobs.max(1);
    let state = Mutex::new((work, Revalidated { jobs: jobs as u64, ..Revalidated::default() }));
    try_join_all((0..jobs).map(|_| one_connection(scratch, &state))).await?;
    let (_, mut found) = state.into_inner().unwrap_or_else(PoisonError::into_inner);
    found.broken.sort_by(|a, b| (&a.table, &a.name).cmp(&(&b.table, &b.name)));
    found.unasked.sort_by(|a, b| (&a.table, &a.name).cmp(&(&b.table, &b.name)));
    found.took = began.elapsed();
    Ok(found)
}

/// What one connection does at a time.
enum Work {
    /// Reads a table, for its own constraints.
    Table(Table),
    /// Looks for the rows that a foreign key names.
    ForeignKey(ForeignKey),
}

struct Table {
    name: (String, String),
    rules: Vec<Rule>,
}

/// A constraint of one table.
struct Rule {
    kind: ConstraintKind,
    name: String,
    /// Is true of a row that breaks it.
    broken: String,
    promised: bool,
}

/// The constraints of each table with rows of its own, the largest tables first.
const RULES: &str = "
SELECT n.nspname, c.relname, x.kind, x.name, x.broken, x.promised
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (
  SELECT 'n', a.attname, pg_catalog.format('%I IS NULL', a.attname),
         NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'n'
                     AND k.conkey = ARRAY[a.attnum] AND NOT k.convalidated)
  FROM pg_catalog.pg_attribute a
  WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attnotnull
  UNION ALL
  SELECT 'c', k.conname, pg_catalog.format('(%s) IS FALSE', pg_catalog.pg_get_expr(k.conbin, k.conrelid)),
         k.convalidated AND coalesce((pg_catalog.to_jsonb(k) ->> 'conenforced')::pg_catalog.bool, true)
  FROM pg_catalog.pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'c'
) x (kind, name, broken, promised)
WHERE c.relkind = 'r' AND c.relpersistence <> 't'
  AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_toast'
ORDER BY c.relpages DESC, c.oid, x.kind, x.name";

async fn tables(session: &Session) -> Result<Vec<Work>, Error> {
    let mut tables: Vec<Table> = Vec::new();
    for row in session.rows(RULES).await? {
        let Ok([Some(schema), Some(table), Some(kind), Some(name), Some(broken), Some(promised)]) =
            <[Option<String>; 6]>::try_from(row)
        else {
            continue;
        };
        let kind = if kind == "c" { ConstraintKind::Check } else { ConstraintKind::NotNull };
        let rule = Rule { kind, name, broken, promised: promised == "t" };
        let of = (schema, table);
        match tables.last_mut() {
            Some(last) if last.name == of && last.rules.len() < ASKED_AT_ONCE => last.rules.push(rule),
            _ => tables.push(Table { name: of, rules: vec![rule] }),
        }
    }
    Ok(tables.into_iter().map(Work::Table).collect())
}

/// How many rows break a constraint, or why that is not known.
struct Answer {
    kind: ConstraintKind,
    table: String,
    name: String,
    promised: bool,
    rows: Result<u64, String>,
}

async fn one_connection(
    scratch: &Scratch,
    state: &Mutex<(VecDeque<Work>, Revalidated)>,
) -> Result<(), Error> {
    let session = reading::open(scratch).await?;
    let next = || state.lock().unwrap_or_else(PoisonError::into_inner).0.pop_front();
    while let Some(work) = next() {
        let answers = match &work {
            Work::Table(table) => table.ask(&session).await?,
            Work::ForeignKey(key) => vec![ask_key(&session, key).await?],
        };
        let (_, found) = &mut *state.lock().unwrap_or_else(PoisonError::into_inner);
        answers.into_iter().for_each(|answer| found.take(answer));
    }
    Ok(())
}

impl Revalidated {
    fn take(&mut self, answer: Answer) {
        let Answer { kind, table, name, promised, rows } = answer;
        let of_kind = self.kinds.entry(kind).or_default();
        of_kind.expected += 1;
        match rows {
            Err(why) => self.unasked.push(Unasked { kind, table, name, why }),
            Ok(rows) => {
                of_kind.asked += 1;
                if rows > 0 {
                    of_kind.broken += u64::from(promised);
                    self.broken.push(Broken { kind, table, name, rows, promised });
                }
            }
        }
    }
}

impl Table {
    /// All at once; one by one where the server refuses that, to tell which it refuses.
    async fn ask(&self, session: &Session) -> Result<Vec<Answer>, Error> {
        let all: Vec<&Rule> = self.rules.iter().collect();
        if let Ok(counts) = self.counts(session, &all).await? {
            return Ok(self
                .rules
                .iter()
                .zip(counts)
                .map(|(rule, rows)| self.answer(rule, Ok(rows)))
                .collect());
        }
        let mut answers = Vec::with_capacity(self.rules.len());
        for rule in &self.rules {
            let rows = self.counts(session, &[rule]).await?;
            let rows = rows.and_then(|counts| counts.first().copied().ok_or_else(no_number));
            answers.push(self.answer(rule, rows));
        }
        Ok(answers)
    }

    async fn counts(&self, session: &Session, rules: &[&Rule]) -> Result<Result<Vec<u64>, String>, Error> {
        let counts: Vec<String> =
            rules.iter().map(|rule| format!("count(*) FILTER (WHERE {})", rule.broken)).collect();
        let (schema, table) = (quote_identifier(&self.name.0), quote_identifier(&self.name.1));
        let sql = format!("SELECT {} FROM ONLY {schema}.{table}", counts.join(", "));
        let numbers = |row: &Vec<Option<String>>| {
            row.iter().map(|field| field.as_deref()?.parse().ok()).collect::<Option<Vec<u64>>>()
        };
        match session.rows(&sql).await {
            Ok(rows) => {
                let counts = rows.first().and_then(numbers).filter(|counts| counts.len() == rules.len());
                Ok(counts.ok_or_else(no_number))
            }
            Err(error) => refused(error).map(Err),
        }
    }

    fn answer(&self, rule: &Rule, rows: Result<u64, String>) -> Answer {
        let Rule { kind, name, promised, .. } = rule;
        let table = format!("{}.{}", self.name.0, self.name.1);
        Answer { kind: *kind, table, name: name.clone(), promised: *promised, rows }
    }
}

async fn ask_key(session: &Session, key: &ForeignKey) -> Result<Answer, Error> {
    let rows = match &key.count {
        None => Err("it is over periods, which are not asked for".to_owned()),
        Some(count) => match session.rows(count).await {
            Ok(rows) => {
                let number = rows.first().and_then(|row| row.first()?.as_deref()?.parse::<u64>().ok());
                number.ok_or_else(no_number)
            }
            Err(error) => Err(refused(error)?),
        },
    };
    Ok(Answer {
        kind: ConstraintKind::ForeignKey,
        table: format!("{}.{}", key.table.0, key.table.1),
        name: key.name.clone(),
        promised: key.validated,
        rows,
    })
}

fn no_number() -> String {
    "no number came back".to_owned()
}

/// What the server says of a question that it refuses; never its words, which may hold a row.
fn refused(error: postgres::Error) -> Result<String, Error> {
    match (error.kind(), error.sqlstate()) {
        (Kind::Statement, Some(state)) => Ok(format!("SQLSTATE {state}")),
        _ => Err(error.into()),
    }
}
