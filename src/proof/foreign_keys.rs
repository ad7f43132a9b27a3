//! Foreign keys, each with the question which rows lack the row that it names.
//!
//! Asked anew of the rows themselves: a constraint that says so may have come back without
//! having looked, and one that is `NOT VALID` or not enforced never has.

use crate::postgres::{self, Session};

/// A foreign key, ready to be asked about.
#[derive(Clone, Debug)]
pub struct ForeignKey {
    /// The schema and name of the table whose rows must name one.
    pub table: (String, String),
    /// Its own name.
    pub name: String,
    /// Whether it says of every row that it has been looked at.
    pub validated: bool,
    /// Counts the rows that lack theirs; none where it is of a kind that can't be asked.
    pub count: Option<String>,
}

/// Each foreign key once: those that partitions inherit are their parent's.
const FOREIGN_KEYS: &str = "
SELECT n.nspname, c.relname, k.conname,
       k.convalidated AND coalesce((pg_catalog.to_jsonb(k) ->> 'conenforced')::pg_catalog.bool, true),
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
GROUP BY k.oid, k.conname, k.convalidated, k.confmatchtype, n.nspname, c.relname, c.relkind, pn.nspname, p.relname, p.relkind, k.*
ORDER BY n.nspname, c.relname, k.conname";

/// Every foreign key of the database.
///
/// # Errors
/// The server is gone.
pub async fn foreign_keys(session: &Session) -> Result<Vec<ForeignKey>, postgres::Error> {
    let rows = session.rows(FOREIGN_KEYS).await?;
    let key = |row: Vec<Option<String>>| match <[Option<String>; 5]>::try_from(row) {
        Ok([Some(schema), Some(table), Some(name), Some(validated), count]) => {
            Some(ForeignKey { table: (schema, table), name, validated: validated == "t", count })
        }
        _ => None,
    };
    Ok(rows.into_iter().filter_map(key).collect())
}

impl ForeignKey {
    /// Its name and its table's.
    pub fn named(&self) -> String {
        format!("{} of {}.{}", self.name, self.table.0, self.table.1)
    }
}
