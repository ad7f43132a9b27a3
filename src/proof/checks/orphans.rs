//! Whether each row has the row that its foreign keys name.
//!
//! Asked anew of the rows themselves: a constraint that says so may have come back without
//! having looked, and one that is `NOT VALID` or not enforced never has.

use std::collections::BTreeSet;

use crate::plan::TableName;
use crate::postgres::{self, Session};
use crate::proof::checks::Answered;

/// Constraints that an answer names.
const NAMED_MAX: usize = 3;

/// A foreign key, ready to be asked about.
struct ForeignKey {
    table: (String, String),
    name: String,
    /// Counts the rows that lack theirs; `None` where it is of a kind that can't be asked.
    count: Option<String>,
}

/// Counts the rows that lack theirs, in the tables named, or in all.
pub async fn look(session: &Session, tables: &[TableName]) -> Result<Answered, postgres::Error> {
    let mut keys = foreign_keys(session).await?;
    let wanted: BTreeSet<(&str, &str)> =
        tables.iter().map(|table| (table.schema.as_str(), table.name.as_str())).collect();
    if !wanted.is_empty() {
        keys.retain(|key| wanted.contains(&(key.table.0.as_str(), key.table.1.as_str())));
    }
    let without = tables
        .iter()
        .find(|table| !keys.iter().any(|key| key.table.0 == table.schema && key.table.1 == table.name));
    if let Some(table) = without {
        return Ok(Answered::none(format!("there is no foreign key of {table}")));
    }
    if keys.is_empty() {
        return Ok(Answered::none("there is no foreign key"));
    }
    let mut orphans = 0_u64;
    let mut broken = Vec::new();
    for key in &keys {
        let Some(count) = &key.count else {
            return Ok(Answered::none(format!("{} is over periods, which is not asked here", key.named())));
        };
        let rows = session.rows(count).await?;
        let number = rows.first().and_then(|row| row.first()?.as_deref()?.parse::<u64>().ok());
        let Some(number) = number else { return Ok(Answered::none("no number came back")) };
        orphans = orphans.saturating_add(number);
        if number > 0 {
            broken.push(key.named());
        }
    }
    let mut observed = format!("{orphans} in {} foreign keys", keys.len());
    if !broken.is_empty() {
        observed.push_str(&format!(
            ": {}",
            broken.iter().take(NAMED_MAX).cloned().collect::<Vec<_>>().join(", ")
        ));
    }
    Ok(Answered::of(observed, orphans == 0))
}

impl ForeignKey {
    fn named(&self) -> String {
        format!("{} of {}.{}", self.name, self.table.0, self.table.1)
    }
}

/// Each foreign key once: those that partitions inherit are their parent's.
const FOREIGN_KEYS: &str = "
SELECT n.nspname, c.relname, k.conname,
       CASE WHEN pg_catalog.to_jsonb(k) ->> 'conperiod' = 'true' THEN NULL ELSE pg_catalog.format(
         'SELECT count(*) FROM %s%I.%I c WHERE (%s) AND NOT EXISTS (SELECT FROM %s%I.%I p WHERE %s)',
         CASE WHEN c.relkind = 'p' THEN '' ELSE 'ONLY ' END, n.nspname, c.relname,
         pg_catalog.string_agg(pg_catalog.format('c.%I IS NOT NULL', ca.attname),
                               CASE WHEN k.confmatchtype = 'f' THEN ' OR ' ELSE ' AND ' END ORDER BY x.place),
         CASE WHEN p.relkind = 'p' THEN '' ELSE 'ONLY ' END, pn.nspname, p.relname,
         pg_catalog.string_agg(pg_catalog.format('p.%I OPERATOR(%I.%s) c.%I', pa.attname, opn.nspname, o.oprname, ca.attname),
                               ' AND ' ORDER BY x.place)) END
FROM pg_catalog.pg_constraint k
JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_class p ON p.oid = k.confrelid
JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace
CROSS JOIN LATERAL ROWS FROM (pg_catalog.unnest(k.conkey), pg_catalog.unnest(k.confkey), pg_catalog.unnest(k.conpfeqop))
     WITH ORDINALITY AS x (child, parent, operator, place)
JOIN pg_catalog.pg_attribute ca ON ca.attrelid = c.oid AND ca.attnum = x.child
JOIN pg_catalog.pg_attribute pa ON pa.attrelid = p.oid AND pa.attnum = x.parent
JOIN pg_catalog.pg_operator o ON o.oid = x.operator
JOIN pg_catalog.pg_namespace opn ON opn.oid = o.oprnamespace
WHERE k.contype = 'f' AND k.conparentid = 0
GROUP BY k.oid, k.conname, k.confmatchtype, n.nspname, c.relname, c.relkind, pn.nspname, p.relname, p.relkind, k.*
ORDER BY n.nspname, c.relname, k.conname";

async fn foreign_keys(session: &Session) -> Result<Vec<ForeignKey>, postgres::Error> {
    let rows = session.rows(FOREIGN_KEYS).await?;
    let key = |row: Vec<Option<String>>| match <[Option<String>; 4]>::try_from(row) {
        Ok([Some(schema), Some(table), Some(name), count]) => {
            Some(ForeignKey { table: (schema, table), name, count })
        }
        _ => None,
    };
    Ok(rows.into_iter().filter_map(key).collect())
}
