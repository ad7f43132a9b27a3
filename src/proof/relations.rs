//! The tables of a database, as its catalogue has them.

use std::collections::HashMap;

use crate::postgres::{Error, Session};
use crate::restore::{Unsteady, UnsteadyFields, unsteady_types};

/// What a catalogue says of its tables.
pub struct Catalogue {
    /// Every table outside of the system's schemas, by schema and name.
    pub relations: HashMap<(String, String), Relation>,
    /// Which rows of an extension's configuration table are dumped, as SQL; mostly empty.
    pub conditions: HashMap<(String, String), String>,
    /// Whether the server finds the pages of a stretch without reading the others.
    pub reads_stretches: bool,
}

/// A table.
pub struct Relation {
    /// Its OID.
    pub oid: u32,
    /// It is partitioned, and has no rows of its own.
    pub partitioned: bool,
    /// It is a partition of another one.
    pub partition: bool,
    /// Its pages, where it can be read in stretches of them.
    pub pages: Option<u64>,
    /// Its columns that are not generated, in their order.
    pub columns: Vec<String>,
    /// Those of them whose text is not the same everywhere.
    pub unsteady: HashMap<String, Unsteady>,
}

impl Relation {
    /// Those of `columns` whose text is not the same everywhere.
    pub fn unsteady_of(&self, columns: &[String]) -> UnsteadyFields {
        let fields = columns.iter().enumerate();
        let fields = fields.filter_map(|(place, name)| Some((place, *self.unsteady.get(name)?)));
        UnsteadyFields::new(fields.collect())
    }
}

impl Catalogue {
    /// Reads it. `of_major` is the major of the server that first wrote the rows.
    ///
    /// # Errors
    /// The server is gone.
    pub async fn read(session: &Session, server_major: u32, of_major: u32) -> Result<Catalogue, Error> {
        let unsteady = unsteady_types(session, of_major).await?;
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
            let (columns, unsteady) = (Vec::new(), HashMap::new());
            let relation = Relation { oid, partitioned, partition, pages, columns, unsteady };
            relations.insert((schema.clone(), table.clone()), relation);
        }
        let columns = "SELECT n.nspname, c.relname, a.attname, a.atttypid FROM pg_catalog.pg_attribute a \
                       JOIN pg_catalog.pg_class c ON c.oid = a.attrelid \
                       JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
                       WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' \
                       ORDER BY a.attrelid, a.attnum";
        for row in session.rows(columns).await? {
            let [Some(schema), Some(table), Some(column), Some(kind)] = row.as_slice() else { continue };
            if let Some(relation) = relations.get_mut(&(schema.clone(), table.clone())) {
                relation.unsteady.extend(unsteady.get(kind).map(|unsteady| (column.clone(), *unsteady)));
                relation.columns.push(column.clone());
            }
        }
        let conditions = conditions(session).await?;
        Ok(Catalogue { relations, conditions, reads_stretches: server_major >= 14 })
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
