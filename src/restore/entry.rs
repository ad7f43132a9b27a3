//! One entry of the archive that is SQL: its definition, its owner, its peculiarities.

use crate::archive::{Entry, Toc};
use crate::postgres::{self, Session, quote_identifier};
use crate::restore::marks::mark;
use crate::restore::roles::Roles;

/// An entry may name this many roles that do not exist before it is given up.
const MISSING_ROLES_MAX: usize = 1_000;

/// Runs entries over a connection, which it keeps in the state that they expect.
pub struct EntryRunner<'a> {
    toc: &'a Toc,
    session: Session,
    roles: &'a Roles,
    how: How,
    access_method: Option<String>,
    namespace: Option<String>,
}

/// What a runner does beside the definition of an entry.
#[derive(Clone, Copy, Debug)]
pub struct How {
    /// Whether objects get the owners that the archive names.
    pub owners: bool,
    /// Whether it is marked, in the same transaction, that the entry is done.
    pub marked: bool,
}

impl<'a> EntryRunner<'a> {
    /// A runner over `session`, which has had its preamble.
    pub fn new(toc: &'a Toc, session: Session, roles: &'a Roles, how: How) -> EntryRunner<'a> {
        EntryRunner { toc, session, roles, how, access_method: None, namespace: None }
    }

    /// The session, for what is not an entry of SQL.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Restores `entry`: all of its statements or none.
    ///
    /// # Errors
    /// What the server said to the first statement that it refused.
    pub async fn run(&mut self, entry: &Entry) -> Result<(), postgres::Error> {
        self.enter_namespace(entry).await?;
        self.choose_access_method(entry).await?;
        let definition = match entry.kind.as_str() {
            "BLOB METADATA" => self.create_large_objects(entry),
            "ACL" if entry.tag.starts_with("LARGE OBJECTS ") => self.grant_large_objects(entry),
            "SCHEMA" if comes_with_every_database(entry) => String::new(),
            _ => entry.definition.clone(),
        };
        let ownership = if self.how.owners { ownership(entry) } else { Vec::new() };
        if self.how.marked {
            // One message, so that all of it happens, the mark included, or nothing.
            let statements = [vec![definition], ownership, vec![mark(entry.id)]].concat();
            return self.define(&statements.join(";\n")).await;
        }
        self.define(&definition).await?;
        for statement in ownership {
            self.define(&statement).await?;
        }
        Ok(())
    }

    /// Runs `sql` as if it were the definition of `entry`, which it is a part of.
    ///
    /// # Errors
    /// As [`EntryRunner::run`].
    pub async fn run_as(&mut self, entry: &Entry, sql: &str) -> Result<(), postgres::Error> {
        self.enter_namespace(entry).await?;
        self.define(sql).await
    }

    /// Sends statements as one message, so that they are one transaction, and makes the
    /// roles that turn out to be missing.
    async fn define(&self, sql: &str) -> Result<(), postgres::Error> {
        if sql.trim().is_empty() {
            return Ok(());
        }
        let mut promoted = None;
        for _ in 0..MISSING_ROLES_MAX {
            let Err(error) = self.session.run(sql).await else { return Ok(()) };
            if !self.roles.may_make() {
                return Err(error);
            }
            if let Some(role) = error.missing_role() {
                self.roles.ensure(role).await?;
            } else if let Some(role) =
                superuser_wanted(sql, &error).filter(|role| promoted.as_ref() != Some(role))
            {
                self.roles.promote(&role).await?;
                promoted = Some(role);
            } else {
                return Err(error);
            }
        }
        self.session.run(sql).await
    }

    /// Archives older than version 1.13 rely on a search path that is set for each entry.
    async fn enter_namespace(&mut self, entry: &Entry) -> Result<(), postgres::Error> {
        if self.toc.search_path_statement().is_some() || self.namespace == entry.namespace {
            return Ok(());
        }
        let path = match &entry.namespace {
            Some(namespace) if !namespace.is_empty() => {
                format!("{}, pg_catalog", quote_identifier(namespace))
            }
            _ => "pg_catalog".to_owned(),
        };
        self.session.run(&format!("SET search_path = {path}")).await?;
        self.namespace.clone_from(&entry.namespace);
        Ok(())
    }

    async fn choose_access_method(&mut self, entry: &Entry) -> Result<(), postgres::Error> {
        let Some(method) = entry.access_method.as_ref().filter(|method| !method.is_empty()) else {
            return Ok(());
        };
        if entry.relkind == Some('p') || self.access_method.as_ref() == Some(method) {
            return Ok(());
        }
        self.session.run(&format!("SET default_table_access_method = {}", quote_identifier(method))).await?;
        self.access_method = Some(method.clone());
        Ok(())
    }

    /// The definition is a list of OIDs, one a line.
    fn create_large_objects(&self, entry: &Entry) -> String {
        let mut sql = String::new();
        for oid in large_object_ids(entry) {
            sql.push_str(&format!("SELECT pg_catalog.lo_create('{oid}');\n"));
            if let Some(owner) = owner(entry).filter(|_| self.how.owners) {
                sql.push_str(&format!("ALTER LARGE OBJECT {oid} OWNER TO {};\n", quote_identifier(owner)));
            }
        }
        sql
    }

    /// The definition grants on the first large object of a group, and stands for them all.
    fn grant_large_objects(&self, entry: &Entry) -> String {
        let group = entry.dependencies.first().and_then(|id| self.toc.entry(*id));
        let ids: Vec<u32> = group.map(large_object_ids).unwrap_or_default();
        let Some(first) = ids.first() else { return entry.definition.clone() };
        let (before, after) = (format!("LARGE OBJECT {first} "), "LARGE OBJECT ");
        let each = |id: &u32| entry.definition.replace(&before, &format!("{after}{id} "));
        ids.iter().map(each).collect()
    }
}

/// `pg_dump -n public` makes the schema that every new database has; its grants stay then.
pub fn comes_with_every_database(entry: &Entry) -> bool {
    matches!(entry.definition.trim(), "CREATE SCHEMA public;" | "CREATE SCHEMA \"public\";")
}

/// Whether the server is gone, or can't do anything any more, rather than refuse one statement.
pub fn is_fatal(error: &postgres::Error) -> bool {
    !matches!(error.kind(), postgres::Kind::Statement | postgres::Kind::Cancelled)
}

/// The OIDs that a BLOB METADATA entry lists.
fn large_object_ids(entry: &Entry) -> Vec<u32> {
    entry.definition.lines().filter_map(|line| line.trim().parse().ok()).collect()
}

fn owner(entry: &Entry) -> Option<&str> {
    entry.owner.as_deref().filter(|owner| !owner.is_empty())
}

/// The statements that follow a definition: the partitioned table's access method, the owner.
fn ownership(entry: &Entry) -> Vec<String> {
    let mut statements = Vec::new();
    if let (Some('p'), Some(method)) = (entry.relkind, entry.access_method.as_ref().filter(|m| !m.is_empty()))
    {
        let table = qualified(entry);
        statements.push(format!("ALTER TABLE {table} SET ACCESS METHOD {}", quote_identifier(method)));
    }
    if let (Some(owner), Some(object)) = (owner(entry), owned_object(entry)) {
        statements.push(format!("ALTER {object} OWNER TO {}", quote_identifier(owner)));
    }
    statements
}

/// How `ALTER … OWNER TO` names the entry's object, if its kind has an owner.
fn owned_object(entry: &Entry) -> Option<String> {
    if entry.drop.is_empty() {
        return None;
    }
    match entry.kind.as_str() {
        "AGGREGATE" | "FUNCTION" | "PROCEDURE" | "OPERATOR" | "OPERATOR CLASS" | "OPERATOR FAMILY" => {
            let named = entry.drop.strip_prefix("DROP ")?;
            Some(named.trim_end().trim_end_matches(';').to_owned())
        }
        "BLOB" => Some(format!("LARGE OBJECT {}", entry.tag.parse::<u32>().ok()?)),
        "COLLATION"
        | "CONVERSION"
        | "DOMAIN"
        | "FOREIGN TABLE"
        | "MATERIALIZED VIEW"
        | "SEQUENCE"
        | "STATISTICS"
        | "TABLE"
        | "TEXT SEARCH CONFIGURATION"
        | "TEXT SEARCH DICTIONARY"
        | "TYPE"
        | "VIEW"
        | "SCHEMA"
        | "FOREIGN DATA WRAPPER"
        | "SERVER"
        | "PROCEDURAL LANGUAGE" => Some(format!("{} {}", entry.kind, qualified(entry))),
        _ => None,
    }
}

fn qualified(entry: &Entry) -> String {
    match entry.namespace.as_deref().filter(|namespace| !namespace.is_empty()) {
        Some(namespace) => format!("{}.{}", quote_identifier(namespace), quote_identifier(&entry.tag)),
        None => quote_identifier(&entry.tag),
    }
}

/// The role that must be a superuser to own what `sql` hands over.
fn superuser_wanted(sql: &str, error: &postgres::Error) -> Option<String> {
    if error.sqlstate() != Some("42501") || !sql.starts_with("ALTER FOREIGN DATA WRAPPER ") {
        return None;
    }
    let (_, role) = sql.rsplit_once(" OWNER TO ")?;
    let role = role.strip_prefix('"').and_then(|role| role.strip_suffix('"')).unwrap_or(role);
    Some(role.replace("\"\"", "\""))
}
