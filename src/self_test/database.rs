//! Damage to a copy of what was restored. Nothing here knows of any database but the scratch.

use crate::postgres::{Kind, Session, quote_identifier, quote_literal};
use crate::restore::{Error, Restored, Scratch};
use crate::self_test::Mutation;
use crate::self_test::draw::Draw;

/// How many tables, columns or objects are tried in turn where the server refuses one.
const TRIES: usize = 20;

/// Columns of a table that are looked at.
const COLUMNS_MAX: usize = 200;

/// Triggers, keys and rules of the database stay out of the way.
const PREAMBLE: &str = "SET session_replication_role = replica; SET search_path = ''; \
                        SET statement_timeout = 0; SET client_min_messages = error";

/// Those that came with the archive, and not with an extension.
const OWN_TABLE: &str = "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND NOT EXISTS (\
    SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass \
    AND d.objid = c.oid AND d.deptype = 'e')";

/// Does that damage to the database that [`Scratch::connect`] finds, and names what was hit; none
/// where there is nothing to be hit.
///
/// # Errors
/// The server gave up.
pub async fn harm(
    mutation: Mutation,
    draw: Draw,
    scratch: &Scratch,
    restored: &Restored,
) -> Result<Option<String>, Error> {
    let session = scratch.connect().await?;
    session.run(PREAMBLE).await.map_err(|error| Error::postgres(&error))?;
    let harm = Harm { mutation, draw, session };
    match mutation {
        Mutation::DropRow => harm.drop_row(drawn(draw, mutation, tables(restored))).await,
        Mutation::ChangeValue => harm.change_value(drawn(draw, mutation, tables(restored))).await,
        Mutation::TruncateTable => {
            let mut tables = largest_first(tables(restored));
            let largest = if tables.len() > 1 { Some(tables.remove(0)) } else { None };
            let tables = drawn(draw, mutation, tables).into_iter().chain(largest).collect();
            harm.truncate(tables).await
        }
        Mutation::EmptyTable => harm.empty(largest_first(tables(restored))).await,
        Mutation::DropIndex => harm.drop_index().await,
        Mutation::DisableTrigger => harm.disable_trigger().await,
        Mutation::AgeData | Mutation::FlipByte | Mutation::CutArchive => Ok(None),
    }
}

/// A table of the archive that has rows.
struct Target {
    sql: String,
    shown: String,
    rows: u64,
}

fn tables(restored: &Restored) -> Vec<Target> {
    let mut targets: Vec<Target> = Vec::new();
    for loaded in restored.tables.iter().filter(|loaded| !loaded.made_elsewhere) {
        let (schema, table) = &loaded.table;
        let shown = format!("{schema}.{table}");
        let rows = loaded.seen.hash.rows();
        match targets.iter_mut().find(|target| target.shown == shown) {
            Some(known) => known.rows = known.rows.saturating_add(rows),
            None => targets.push(Target { sql: qualified(schema, table), shown, rows }),
        }
    }
    targets.retain(|target| target.rows > 0);
    targets
}

fn largest_first(mut tables: Vec<Target>) -> Vec<Target> {
    tables.sort_by(|a, b| b.rows.cmp(&a.rows).then_with(|| a.shown.cmp(&b.shown)));
    tables
}

fn drawn(draw: Draw, mutation: Mutation, tables: Vec<Target>) -> Vec<Target> {
    draw.shuffled(mutation.as_str(), tables, |table| table.shown.clone())
}

struct Harm {
    mutation: Mutation,
    draw: Draw,
    session: Session,
}

impl Harm {
    async fn drop_row(&self, tables: Vec<Target>) -> Result<Option<String>, Error> {
        for Target { sql, shown, rows } in tables.into_iter().take(TRIES) {
            let row = self.number("row", rows);
            let delete = format!(
                "WITH firedrill_row AS (SELECT x.tableoid AS t, x.ctid AS c FROM {sql} x OFFSET {row} LIMIT 1) \
                 DELETE FROM {sql} x USING firedrill_row r WHERE x.tableoid = r.t AND x.ctid = r.c RETURNING 1"
            );
            if self.hits(&delete).await? {
                return Ok(Some(shown));
            }
        }
        Ok(None)
    }

    async fn change_value(&self, tables: Vec<Target>) -> Result<Option<String>, Error> {
        for Target { sql, shown, rows } in tables.into_iter().take(TRIES) {
            let columns = self.columns(&sql).await?;
            let columns = self.draw.shuffled(&shown, columns, |column| column.name.clone());
            for column in columns.iter().take(TRIES) {
                let Some(change) = column.change() else { continue };
                for row in [self.number("row", rows), 0] {
                    if self.hits(&update(&sql, column, &change, row)).await? {
                        return Ok(Some(format!("{shown}.{}", column.name)));
                    }
                }
            }
        }
        Ok(None)
    }

    async fn truncate(&self, tables: Vec<Target>) -> Result<Option<String>, Error> {
        for table in tables.iter().take(TRIES) {
            if self.does(&format!("TRUNCATE TABLE {}", table.sql)).await? {
                return Ok(Some(table.shown.clone()));
            }
        }
        // Each is referred to by another one.
        let Some(first) = tables.first() else { return Ok(None) };
        let done = self.does(&format!("TRUNCATE TABLE {} CASCADE", first.sql)).await?;
        Ok(done.then(|| format!("{}, and what refers to it", first.shown)))
    }

    async fn empty(&self, tables: Vec<Target>) -> Result<Option<String>, Error> {
        for table in tables.into_iter().take(TRIES) {
            if self.does(&format!("DELETE FROM {}", table.sql)).await? {
                return Ok(Some(table.shown));
            }
        }
        Ok(None)
    }

    async fn drop_index(&self) -> Result<Option<String>, Error> {
        let sql = format!(
            "SELECT m.nspname, i.relname, n.nspname, c.relname, k.conname FROM pg_catalog.pg_index x \
             JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid JOIN pg_catalog.pg_namespace m ON m.oid = i.relnamespace \
             JOIN pg_catalog.pg_class c ON c.oid = x.indrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             LEFT JOIN pg_catalog.pg_constraint k ON k.conindid = i.oid AND k.contype IN ('p', 'u', 'x') \
             WHERE NOT i.relispartition AND c.relkind IN ('r', 'p', 'm') AND {OWN_TABLE} ORDER BY 1, 2 LIMIT 10000"
        );
        let mut plain = Vec::new();
        let mut of_constraints = Vec::new();
        for row in self.rows(&sql).await? {
            let [Some(index_schema), Some(index), Some(schema), Some(table), constraint] = row.as_slice()
            else {
                continue;
            };
            let shown = format!("{index_schema}.{index}");
            match constraint {
                None => plain.push((format!("DROP INDEX {}", qualified(index_schema, index)), shown)),
                Some(constraint) => {
                    let table = qualified(schema, table);
                    let drop =
                        format!("ALTER TABLE {table} DROP CONSTRAINT {}", quote_identifier(constraint));
                    of_constraints.push((drop, shown));
                }
            }
        }
        self.first_of([plain, of_constraints], " CASCADE").await
    }

    async fn disable_trigger(&self) -> Result<Option<String>, Error> {
        let sql = format!(
            "SELECT n.nspname, c.relname, t.tgname FROM pg_catalog.pg_trigger t \
             JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE NOT t.tgisinternal AND t.tgenabled <> 'D' AND t.tgparentid = 0 AND c.relkind IN ('r', 'p') \
             AND {OWN_TABLE} ORDER BY 1, 2, 3 LIMIT 10000"
        );
        let mut triggers = Vec::new();
        for row in self.rows(&sql).await? {
            let [Some(schema), Some(table), Some(trigger)] = row.as_slice() else { continue };
            let (table, name) = (qualified(schema, table), quote_identifier(trigger));
            let shown =
                format!("{schema}.{}.{trigger}", row.get(1).and_then(Option::as_deref).unwrap_or_default());
            triggers.push((format!("ALTER TABLE {table} DISABLE TRIGGER {name}"), shown));
        }
        self.first_of([triggers, Vec::new()], "").await
    }

    /// Runs the first statement that the server takes, those of the first list before the others;
    /// where it takes none, the first one once more with `force` behind it.
    async fn first_of(
        &self,
        statements: [Vec<(String, String)>; 2],
        force: &str,
    ) -> Result<Option<String>, Error> {
        let shuffled =
            |list| self.draw.shuffled(self.mutation.as_str(), list, |(_, shown): &(_, String)| shown.clone());
        let all: Vec<_> = statements.into_iter().flat_map(shuffled).collect();
        for (sql, shown) in all.iter().take(TRIES) {
            if self.does(sql).await? {
                return Ok(Some(shown.clone()));
            }
        }
        match all.first() {
            Some((sql, shown)) if self.does(&format!("{sql}{force}")).await? => Ok(Some(shown.clone())),
            _ => Ok(None),
        }
    }

    async fn columns(&self, table: &str) -> Result<Vec<Column>, Error> {
        let sql = format!(
            "SELECT a.attname, t.typcategory, a.attnotnull FROM pg_catalog.pg_attribute a \
             JOIN pg_catalog.pg_type t ON t.oid = a.atttypid \
             WHERE a.attrelid = {}::pg_catalog.regclass AND a.attnum > 0 AND NOT a.attisdropped \
             AND a.attgenerated = '' ORDER BY a.attnum LIMIT {COLUMNS_MAX}",
            quote_literal(table)
        );
        let column = |row: &Vec<Option<String>>| match row.as_slice() {
            [Some(name), Some(category), Some(not_null)] => {
                Some(Column { name: name.clone(), category: category.clone(), nullable: not_null == "f" })
            }
            _ => None,
        };
        Ok(self.rows(&sql).await?.iter().filter_map(column).collect())
    }

    fn number(&self, what: &str, end: u64) -> u64 {
        self.draw.number(&format!("{}/{what}", self.mutation.as_str()), end)
    }

    async fn rows(&self, sql: &str) -> Result<Vec<Vec<Option<String>>>, Error> {
        self.session.rows(sql).await.map_err(|error| Error::postgres(&error))
    }

    /// Whether the statement hit a row; what the server refuses hits none.
    async fn hits(&self, sql: &str) -> Result<bool, Error> {
        match self.session.rows(sql).await {
            Ok(rows) => Ok(!rows.is_empty()),
            Err(error) if error.kind() == Kind::Statement => Ok(false),
            Err(error) => Err(Error::postgres(&error)),
        }
    }

    /// Whether the server took the statement.
    async fn does(&self, sql: &str) -> Result<bool, Error> {
        match self.session.run(sql).await {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == Kind::Statement => Ok(false),
            Err(error) => Err(Error::postgres(&error)),
        }
    }
}

struct Column {
    name: String,
    /// The category of its type, as the server sorts types.
    category: String,
    nullable: bool,
}

impl Column {
    /// Another value of the same type, as an expression over the row `x`; none if there is no way
    /// to it.
    fn change(&self) -> Option<String> {
        let value = format!("x.{}", quote_identifier(&self.name));
        match self.category.as_str() {
            "N" => Some(format!("{value} + 1")),
            "B" => Some(format!("NOT {value}")),
            "D" => Some(format!("{value} + INTERVAL '1 day'")),
            "S" => Some(format!(
                "CASE pg_catalog.left({value}::text, 1) WHEN 'x' THEN 'y' ELSE 'x' END \
                 || pg_catalog.substr({value}::text, 2)"
            )),
            _ if self.nullable => Some("NULL".into()),
            _ => None,
        }
    }
}

/// Changes the value of the `row`th row that has one which the change alters.
fn update(table: &str, column: &Column, change: &str, row: u64) -> String {
    let name = quote_identifier(&column.name);
    let alters = match change {
        "NULL" => String::new(),
        _ => format!(" AND ({change}) IS DISTINCT FROM x.{name}"),
    };
    format!(
        "WITH firedrill_row AS (SELECT x.tableoid AS t, x.ctid AS c FROM {table} x \
         WHERE x.{name} IS NOT NULL{alters} OFFSET {row} LIMIT 1) \
         UPDATE {table} x SET {name} = {change} FROM firedrill_row r \
         WHERE x.tableoid = r.t AND x.ctid = r.c RETURNING 1"
    )
}

fn qualified(schema: &str, name: &str) -> String {
    format!("{}.{}", quote_identifier(schema), quote_identifier(name))
}
