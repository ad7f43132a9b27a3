//! The shape of the restored database: its size, its tables with their columns, and each class
//! of objects by a digest. Partitions and what is theirs are not counted, since they come and
//! go with the days.

use std::collections::{BTreeMap, HashSet};

use crate::digest::{Digest, Hasher};
use crate::postgres::Session;
use crate::proof::inventory::{self, Item};
use crate::proof::{Error, reading};
use crate::restore::Scratch;

/// Columns that are listed at most; of a larger schema there are digests only.
const COLUMNS_MAX: usize = 20_000;

/// What a database is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Its size in bytes.
    pub database_bytes: u64,
    /// The major version of the server that worded the definitions.
    pub server_major: u32,
    /// Each table with its columns and their types; none of more than 20,000 columns.
    pub tables: Option<BTreeMap<String, Vec<String>>>,
    /// Each class of objects: how many there are, and the digest of their definitions.
    pub classes: BTreeMap<&'static str, (u64, Digest)>,
}

/// Takes the shape of what was restored.
///
/// # Errors
/// The scratch would not be read.
pub async fn shape(scratch: &Scratch) -> Result<Shape, Error> {
    let session = reading::open(scratch).await?;
    let bytes = session.rows("SELECT pg_catalog.pg_database_size(pg_catalog.current_database())").await?;
    let unread = || {
        crate::postgres::Error::new(crate::postgres::Kind::Protocol, "measure the database: no number came")
    };
    let database_bytes =
        bytes.first().and_then(|row| row.first()?.as_deref()?.parse().ok()).ok_or_else(unread)?;
    let partitions = partitions(&session).await?;
    let tables = tables(&session).await?;
    let classes = classes(inventory::take(&session).await?, &partitions);
    Ok(Shape { database_bytes, server_major: scratch.server_major(), tables, classes })
}

/// The schema and name of each partition, of tables and of indexes.
async fn partitions(session: &Session) -> Result<HashSet<(String, String)>, Error> {
    let sql = "SELECT n.nspname, c.relname FROM pg_catalog.pg_class c \
               JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relispartition";
    let pair = |row: Vec<Option<String>>| match <[Option<String>; 2]>::try_from(row) {
        Ok([Some(schema), Some(name)]) => Some((schema, name)),
        _ => None,
    };
    Ok(session.rows(sql).await?.into_iter().filter_map(pair).collect())
}

async fn tables(session: &Session) -> Result<Option<BTreeMap<String, Vec<String>>>, Error> {
    let sql = format!(
        "SELECT n.nspname || '.' || c.relname, a.attname || ' ' || pg_catalog.format_type(a.atttypid, a.atttypmod) \
                || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END \
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
         WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition \
           AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_' \
         ORDER BY 1, a.attnum LIMIT {}",
        COLUMNS_MAX + 1
    );
    let rows = session.rows(&sql).await?;
    if rows.len() > COLUMNS_MAX {
        return Ok(None);
    }
    let mut tables: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in rows {
        if let Ok([Some(table), column]) = <[Option<String>; 2]>::try_from(row) {
            tables.entry(table).or_default().extend(column);
        }
    }
    Ok(Some(tables))
}

fn classes(
    items: Vec<Item>,
    partitions: &HashSet<(String, String)>,
) -> BTreeMap<&'static str, (u64, Digest)> {
    let mut sums: BTreeMap<&'static str, (u64, Hasher)> = BTreeMap::new();
    for item in items.iter().filter(|item| !of_a_partition(item, partitions)) {
        let (count, hasher) = sums.entry(item.class.as_str()).or_default();
        *count += 1;
        let definition = item.definition.to_string();
        for part in [&item.schema, &item.name, &definition, &item.state, &item.owner, &item.grants] {
            hasher.update(&part.len().to_be_bytes());
            hasher.update(part.as_bytes());
        }
    }
    sums.into_iter().map(|(class, (count, hasher))| (class, (count, hasher.finish()))).collect()
}

/// Whether an object is a partition or belongs to one: `t`, or `t t_pkey`.
fn of_a_partition(item: &Item, partitions: &HashSet<(String, String)>) -> bool {
    let ends = item.name.match_indices(' ').map(|(at, _)| at).chain([item.name.len()]);
    ends.filter_map(|end| item.name.get(..end))
        .any(|name| partitions.contains(&(item.schema.clone(), name.to_owned())))
}
