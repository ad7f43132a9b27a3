//! Sequences and the columns that take their numbers from them: where a sequence is behind, the
//! next row would take a number that is taken.

use std::collections::BTreeSet;

use crate::postgres::{self, Kind, Session};
use crate::proof::{Error, reading};
use crate::restore::Scratch;

/// How long one question may take: the largest number of a column without an index is found by
/// reading the whole table.
const QUESTION_MS_MAX: u64 = 60_000;

/// A column of whole numbers, and a sequence that it takes them from.
#[derive(Clone, Debug)]
pub struct Numbering {
    /// The schema and name of the table.
    pub table: (String, String),
    /// The qualified name of the sequence, quoted where it must be.
    pub sequence: String,
    question: String,
}

/// Sequences that belong to a column (of serial and identity columns), and those that its default
/// names, each with the question whether it is behind. One that begins again at its end is never
/// ahead of anything. Of the defaults of partitions their table's stands for all.
const NUMBERINGS: &str = "
WITH feeds (sequence, relation, attnum) AS (
  SELECT d.objid, d.refobjid, d.refobjsubid FROM pg_catalog.pg_depend d
  WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
    AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
    AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0
  UNION
  SELECT d.refobjid, f.adrelid, f.adnum::pg_catalog.int4 FROM pg_catalog.pg_depend d
  JOIN pg_catalog.pg_attrdef f ON f.oid = d.objid
  JOIN pg_catalog.pg_class c ON c.oid = f.adrelid AND NOT c.relispartition
  WHERE d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass
    AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.deptype = 'n'
)
SELECT tn.nspname, t.relname, pg_catalog.format('%I.%I', sn.nspname, s.relname),
       pg_catalog.format(
         'SELECT CASE WHEN m IS NULL THEN false WHEN is_called THEN last_value %s m ELSE last_value %s m END '
         'FROM (SELECT %s(%I)::pg_catalog.numeric AS m FROM %I.%I) x, %I.%I',
         CASE WHEN q.seqincrement > 0 THEN '<' ELSE '>' END,
         CASE WHEN q.seqincrement > 0 THEN '<=' ELSE '>=' END,
         CASE WHEN q.seqincrement > 0 THEN 'max' ELSE 'min' END,
         a.attname, tn.nspname, t.relname, sn.nspname, s.relname)
FROM feeds
JOIN pg_catalog.pg_class s ON s.oid = feeds.sequence AND s.relkind = 'S'
JOIN pg_catalog.pg_sequence q ON q.seqrelid = s.oid
JOIN pg_catalog.pg_namespace sn ON sn.oid = s.relnamespace
JOIN pg_catalog.pg_class t ON t.oid = feeds.relation AND t.relkind IN ('r', 'p')
JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum = feeds.attnum
WHERE NOT q.seqcycle AND a.atttypid IN (20, 21, 23, 1700)
ORDER BY 1, 2, 3";

/// Every such column.
///
/// # Errors
/// The server is gone.
pub async fn numberings(session: &Session) -> Result<Vec<Numbering>, postgres::Error> {
    let rows = session.rows(NUMBERINGS).await?;
    let one = |row: Vec<Option<String>>| match <[Option<String>; 4]>::try_from(row) {
        Ok([Some(schema), Some(name), Some(sequence), Some(question)]) => {
            Some(Numbering { table: (schema, name), sequence, question })
        }
        _ => None,
    };
    Ok(rows.into_iter().filter_map(one).collect())
}

impl Numbering {
    /// Whether the sequence is behind the column; none if no answer came.
    ///
    /// # Errors
    /// The server refuses the question, or is gone.
    pub async fn is_behind(&self, session: &Session) -> Result<Option<bool>, postgres::Error> {
        let rows = session.rows(&self.question).await?;
        Ok(match rows.first().and_then(|row| row.first()?.as_deref()) {
            Some("t") => Some(true),
            Some("f") => Some(false),
            _ => None,
        })
    }
}

/// What was found of all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Numbered {
    /// Columns that take their numbers from a sequence.
    pub expected: u64,
    /// Those that were asked, and answered.
    pub asked: u64,
    /// The sequences that are behind, by name.
    pub behind: BTreeSet<String>,
}

/// Asks every one. A question that the server refuses, or does not answer in a minute, is left
/// out of those asked.
///
/// # Errors
/// The scratch is gone.
pub async fn look_at_numbering(scratch: &Scratch) -> Result<Numbered, Error> {
    let session = reading::open(scratch).await?;
    session.run(&format!("SET statement_timeout = {QUESTION_MS_MAX}")).await?;
    let all = numberings(&session).await?;
    let mut numbered = Numbered { expected: all.len() as u64, ..Numbered::default() };
    for one in all {
        let behind = match one.is_behind(&session).await {
            Ok(Some(behind)) => behind,
            Ok(None) => continue,
            Err(error) if matches!(error.kind(), Kind::Statement | Kind::Cancelled) => continue,
            Err(error) => return Err(error.into()),
        };
        numbered.asked += 1;
        numbered.behind.extend(behind.then_some(one.sequence));
    }
    Ok(numbered)
}
