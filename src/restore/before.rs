//! What is restored before any row: schemas, types, functions, tables, in the archive's order.

use std::collections::HashSet;

use crate::archive::Toc;
use crate::postgres::Session;
use crate::restore::Error;
use crate::restore::entry::{EntryRunner, How, is_fatal};
use crate::restore::error::Failure;
use crate::restore::policy::Disposition;
use crate::restore::roles::Roles;

/// What came of it.
#[derive(Debug, Default)]
pub struct Before {
    /// Entries that were restored.
    pub restored: usize,
    /// Entries that were not.
    pub failures: Vec<Failure>,
    /// Ids of the entries that were not.
    pub failed: HashSet<u32>,
}

/// What is run, and how.
#[derive(Clone, Copy)]
pub struct Task<'a> {
    /// The table of contents.
    pub toc: &'a Toc,
    /// What becomes of each of its entries.
    pub dispositions: &'a [Disposition],
    /// Roles that turn out to be missing.
    pub roles: &'a Roles,
    /// What is done beside the definitions.
    pub how: How,
    /// Entries that are done already.
    pub done: &'a HashSet<u32>,
}

/// Runs every entry that comes before the rows, over one connection.
///
/// # Errors
/// The server is gone. What it refuses is noted, and the rest goes on.
pub async fn run(task: Task<'_>, session: Session) -> Result<Before, Error> {
    let mut before = Before::default();
    run_from(0, task, session, &mut before).await?;
    Ok(before)
}

/// Runs those of them that stand behind the first `first` entries.
///
/// # Errors
/// As [`run`].
pub async fn run_from(
    first: usize,
    task: Task<'_>,
    session: Session,
    before: &mut Before,
) -> Result<(), Error> {
    let Task { toc, dispositions, roles, how, done } = task;
    let mut runner = EntryRunner::new(toc, session, roles, how);
    for owner in toc.owners() {
        roles.ensure(&owner).await.map_err(|error| Error::postgres(&error))?;
    }
    for (entry, disposition) in toc.entries.iter().zip(dispositions).skip(first) {
        if *disposition != Disposition::Before {
            continue;
        }
        if done.contains(&entry.id) {
            before.restored += 1;
            continue;
        }
        match runner.run(entry).await {
            Ok(()) => before.restored += 1,
            Err(error) if is_fatal(&error) => return Err(Error::postgres(&error)),
            Err(error) => {
                before.failures.push(Failure::new(entry, &error));
                before.failed.insert(entry.id);
            }
        }
    }
    Ok(())
}
