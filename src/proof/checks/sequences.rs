//! Whether sequences that belong to a column are at or ahead of what is in it: the next row
//! would take a number that is taken.

use crate::plan::TableName;
use crate::postgres::{self, Session};
use crate::proof::checks::Answered;

/// Sequences that an answer names.
const NAMED_MAX: usize = 3;

/// Sequences of columns of whole numbers, each with the question whether it is behind. One that
/// begins again at its end is never ahead of anything.
const OWNED: &str = "
SELECT tn.nspname, t.relname, pg_catalog.format('%I.%I', sn.nspname, s.relname),
       pg_catalog.format(
         'SELECT CASE WHEN m IS NULL THEN false WHEN is_called THEN last_value %s m ELSE last_value %s m END '
         'FROM (SELECT %s(%I)::pg_catalog.numeric AS m FROM %I.%I) x, %I.%I',
         CASE WHEN q.seqincrement > 0 THEN '<' ELSE '>' END,
         CASE WHEN q.seqincrement > 0 THEN '<=' ELSE '>=' END,
         CASE WHEN q.seqincrement > 0 THEN 'max' ELSE 'min' END,
         a.attname, tn.nspname, t.relname, sn.nspname, s.relname)
FROM pg_catalog.pg_depend d
JOIN pg_catalog.pg_class s ON s.oid = d.objid AND s.relkind = 'S'
JOIN pg_catalog.pg_sequence q ON q.seqrelid = s.oid
JOIN pg_catalog.pg_namespace sn ON sn.oid = s.relnamespace
JOIN pg_catalog.pg_class t ON t.oid = d.refobjid
JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid
WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
  AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
  AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0 AND NOT q.seqcycle
  AND a.atttypid IN (20, 21, 23, 1700)
ORDER BY 1, 2, 3";

/// Looks at the sequences of the tables named, or at all.
pub async fn look(session: &Session, tables: &[TableName]) -> Result<Answered, postgres::Error> {
    let mut owned = Vec::new();
    for row in session.rows(OWNED).await? {
        if let Ok([Some(schema), Some(name), Some(sequence), Some(question)]) =
            <[Option<String>; 4]>::try_from(row)
        {
            owned.push((TableName { schema, name }, sequence, question));
        }
    }
    if let Some(table) = tables.iter().find(|table| !owned.iter().any(|(owner, ..)| owner == *table)) {
        return Ok(Answered::none(format!("there is no sequence of a column of {table}")));
    }
    if !tables.is_empty() {
        owned.retain(|(owner, ..)| tables.contains(owner));
    }
    if owned.is_empty() {
        return Ok(Answered::none("there is no sequence of a column"));
    }
    let mut behind = Vec::new();
    for (_, sequence, question) in &owned {
        let rows = session.rows(question).await?;
        match rows.first().and_then(|row| row.first()?.as_deref()) {
            Some("f") => {}
            Some("t") => behind.push(sequence.as_str()),
            _ => return Ok(Answered::none("no answer came back")),
        }
    }
    let mut observed = format!("{} of {} behind", behind.len(), owned.len());
    if !behind.is_empty() {
        observed.push_str(&format!(
            ": {}",
            behind.iter().take(NAMED_MAX).copied().collect::<Vec<_>>().join(", ")
        ));
    }
    Ok(Answered::of(observed, behind.is_empty()))
}
