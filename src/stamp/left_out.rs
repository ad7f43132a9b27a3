//! Which tables are hashed, of all that the source has.

use std::collections::BTreeSet;

use crate::postgres::{Error, Session};
use crate::proof::source::{Source, named_by};
use crate::stamp::command::Scope;
use crate::stamp::document::{LeftOut, Root, Why};
use crate::stamp::pattern::Pattern;

/// Leaves in `source` only the tables to be hashed, and says which others there are: those whose
/// rows the dump leaves out, those that the stamp was told to leave out, and, on a `replica`, those
/// that it does not have. The session must still have its own search path, by which names without
/// a schema are found.
///
/// # Errors
/// A pattern is none, or the server is gone.
pub async fn leave_out(
    source: &mut Source,
    session: &Session,
    scope: &Scope,
    stamp: (&[Pattern], &[Pattern]),
    replica: bool,
) -> Result<Vec<LeftOut>, Error> {
    let tables = Choice::of(session, &scope.tables, &scope.exclude_tables, Pattern::tables).await?;
    let schemas =
        Choice::of(session, &scope.schemas, &scope.exclude_schemas, Pattern::tables_of_schemas).await?;
    let without_rows = named(session, &scope.exclude_data, Pattern::tables).await?;
    let stamped = Choice::of(session, stamp.0, stamp.1, Pattern::tables).await?;
    let why = |oid: u32, unlogged: bool| {
        // Tables that are named are dumped from whatever schema.
        let dumped = tables.takes(oid) && (tables.only.is_some() || schemas.takes(oid));
        let no_rows = without_rows.contains(&oid) || scope.no_data || (scope.no_unlogged_data && unlogged);
        match (dumped && !no_rows, stamped.takes(oid)) {
            (false, _) => Some(Why::Dump),
            (true, _) if replica && unlogged => Some(Why::Unlogged),
            (true, false) => Some(Why::Stamp),
            (true, true) => None,
        }
    };
    let mut left_out = Vec::new();
    source.tables.retain(|table| {
        let reason = why(table.oid(), table.unlogged);
        left_out.extend(reason.map(|reason| LeftOut {
            schema: table.name.0.clone(),
            name: table.name.1.clone(),
            root: table.root.as_ref().map(Root::of),
            reason,
        }));
        reason.is_none()
    });
    Ok(left_out)
}

/// Tables that are chosen by patterns.
struct Choice {
    only: Option<BTreeSet<u32>>,
    not: BTreeSet<u32>,
}

impl Choice {
    async fn of(
        session: &Session,
        only: &[Pattern],
        not: &[Pattern],
        query: fn(&Pattern) -> String,
    ) -> Result<Choice, Error> {
        let not = named(session, not, query).await?;
        let only = if only.is_empty() { None } else { Some(named(session, only, query).await?) };
        Ok(Choice { only, not })
    }

    fn takes(&self, oid: u32) -> bool {
        self.only.as_ref().is_none_or(|only| only.contains(&oid)) && !self.not.contains(&oid)
    }
}

async fn named(
    session: &Session,
    patterns: &[Pattern],
    query: fn(&Pattern) -> String,
) -> Result<BTreeSet<u32>, Error> {
    let mut all = BTreeSet::new();
    for pattern in patterns {
        all.extend(named_by(session, &query(pattern)).await?);
    }
    Ok(all)
}
