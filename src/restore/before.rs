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

/// Runs every entry that comes before the rows, over one connection, but for those that are
/// `done` already.
///
/// # Errors
/// The server is gone. What it refuses is noted, and the rest goes on.
pub async fn run(
    toc: &Toc,
    dispositions: &[Disposition],
    session: Session,
    roles: &Roles,
    how: How,
    done: &HashSet<u32>,
) -> Result<Before, Error> {
    let mut before = Before::default();
    run_from(0, toc, dispositions, session, roles, how, done, &mut before).await?;
    Ok(before)
}

/// Runs those of them that stand behind the first `first` entries.
///
/// # Errors
/// As [`run`].
pub async fn run_from(
    first: usize,
    toc: &Toc,
    dispositions: &[Disposition],
    session: Session,
    roles: &Roles,
    how: How,
    done: &HashSet<u32>,
    before: &mut Before,
) -> Result<(), Error> {
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
