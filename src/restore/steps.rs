//! A key in two steps: its index is built beside others of its table, and then made the key.
//!
//! `ALTER TABLE … ADD PRIMARY KEY (…)` locks the table against every other build for as long as
//! its own takes. The index alone locks nobody out who builds, and to attach it takes no time.

use std::sync::Arc;

use crate::archive::{Entry, Partitions, Toc, UniqueKey, quoted};
use crate::restore::policy::is_partitioned;

/// How much of an entry is run at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// All of it.
    Whole,
    /// The index of this key.
    Build(Arc<UniqueKey>),
    /// The key itself, of the index that was built.
    Attach(Arc<UniqueKey>),
}

impl Step {
    /// The first of two steps of an entry that can be had so: a key that its index says all about,
    /// on an ordinary table, which `partitions` must have nothing below.
    pub fn first_of_two(entry: &Entry, toc: &Toc, partitions: &Partitions) -> Option<Step> {
        let key = UniqueKey::of(entry)?;
        let named = |table: &&Entry| {
            let schema = table.namespace.as_deref().unwrap_or_default();
            format!("{}.{}", quoted(schema), quoted(&table.tag)) == key.table
        };
        let table = table(entry, toc).filter(named)?;
        let ordinary = table.relkind.is_none_or(|kind| kind == 'r')
            && !is_partitioned(table)
            && !partitions.is_parent(table.id);
        // From PostgreSQL 18 on, a primary key of an index that was there makes the NOT NULL of its
        // columns the table's own, too, where it was inherited alone.
        let inherits = table.definition.contains("\nINHERITS (") || partitions.root(table.id) != table.id;
        let in_place = entry.tablespace.as_deref().is_none_or(str::is_empty);
        (ordinary && in_place && !(key.primary && inherits)).then(|| Step::Build(Arc::new(key)))
    }

    /// The step that follows this one, if any does.
    pub fn then(&self) -> Option<Step> {
        match self {
            Step::Build(key) => Some(Step::Attach(key.clone())),
            Step::Whole | Step::Attach(_) => None,
        }
    }

    /// What is run for it; None where that is the entry's own definition.
    pub fn sql(&self) -> Option<String> {
        match self {
            Step::Whole => None,
            Step::Build(key) => {
                let UniqueKey { name, table, columns, .. } = &**key;
                let columns = columns.join(", ");
                Some(format!("CREATE UNIQUE INDEX {name} ON {table} USING btree ({columns})"))
            }
            Step::Attach(key) => {
                let UniqueKey { name, table, .. } = &**key;
                let kind = if key.primary { "PRIMARY KEY" } else { "UNIQUE" };
                Some(format!("ALTER TABLE ONLY {table} ADD CONSTRAINT {name} {kind} USING INDEX {name}"))
            }
        }
    }

    /// What takes away what the steps before this one have made.
    pub fn undo(&self) -> Option<String> {
        match self {
            Step::Attach(key) => Some(format!("DROP INDEX IF EXISTS {}.{}", key.schema, key.name)),
            Step::Whole | Step::Build(_) => None,
        }
    }
}

/// The one table that an entry depends on.
fn table<'a>(entry: &Entry, toc: &'a Toc) -> Option<&'a Entry> {
    let needed = entry.dependencies.iter().filter_map(|id| toc.entry(*id));
    let mut tables = needed.filter(|entry| entry.kind == "TABLE");
    tables.next().filter(|_| tables.next().is_none())
}
