//! What a real restore has finished, written down in the very database and, for what is SQL, in
//! the very transaction: after an interruption the same command goes on from there.
//!
//! They stand in a schema of their own, which is removed when the restore is complete.

use std::collections::HashSet;

use crate::archive::{CopyTarget, Toc};
use crate::postgres::{Session, quote_identifier, quote_literal};
use crate::restore::Error;
use crate::restore::policy::{Disposition, Rows};
use crate::verdict::Code;

/// The schema of the marks.
pub const SCHEMA: &str = "firedrill_restore";

/// What is finished of one archive in one database.
#[derive(Debug)]
pub struct Marks {
    done: HashSet<u32>,
    resumed: bool,
}

impl Marks {
    /// Goes on with the restore of `archive` (which names one version of one object) that was
    /// interrupted in this database, or begins one.
    ///
    /// # Errors
    /// Another archive was being restored here, or the server refused.
    pub async fn open(session: &Session, archive: &str) -> Result<Marks, Error> {
        let failed = |error| Error::postgres(&error);
        let there = session
            .rows(&format!("SELECT pg_catalog.to_regclass('{SCHEMA}.done') IS NOT NULL"))
            .await
            .map_err(failed)?;
        if there.first().and_then(|row| row.first()).and_then(Option::as_deref) != Some("t") {
            let archive = quote_literal(archive);
            let create = format!(
                "CREATE SCHEMA {SCHEMA}; CREATE TABLE {SCHEMA}.archive AS SELECT {archive}::text AS name; \
                 CREATE TABLE {SCHEMA}.done (entry bigint PRIMARY KEY);"
            );
            session.run(&create).await.map_err(failed)?;
            return Ok(Marks { done: HashSet::new(), resumed: false });
        }
        let names = session.rows(&format!("SELECT name FROM {SCHEMA}.archive")).await.map_err(failed)?;
        if names.first().and_then(|row| row.first()).and_then(Option::as_deref) != Some(archive) {
            return Err(Error::new(
                Code::WrongDatabase,
                "another archive was being restored into this database when it was interrupted",
                "name an empty database, or that same backup with --select",
            ));
        }
        let rows = session.rows(&format!("SELECT entry FROM {SCHEMA}.done")).await.map_err(failed)?;
        let done = rows.iter().filter_map(|row| row.first()?.as_deref()?.parse().ok()).collect();
        Ok(Marks { done, resumed: true })
    }

    /// Whether an interrupted restore is gone on with.
    pub fn resumed(&self) -> bool {
        self.resumed
    }

    /// The entries that were finished before.
    pub fn done(&self) -> &HashSet<u32> {
        &self.done
    }

    /// Empties every table that an interruption left half full. No foreign key is there yet:
    /// those wait for the rows of the whole archive.
    ///
    /// # Errors
    /// The server refused.
    pub async fn empty_the_unfinished(
        &mut self,
        toc: &Toc,
        dispositions: &[Disposition],
        session: &Session,
    ) -> Result<(), Error> {
        if !self.resumed {
            return Ok(());
        }
        let rows: Vec<(u32, &Rows)> = toc
            .entries
            .iter()
            .zip(dispositions)
            .filter_map(|(entry, disposition)| match disposition {
                Disposition::Rows(rows)
                    if rows.table_entry.is_none_or(|table| self.done.contains(&table)) =>
                {
                    Some((entry.id, rows))
                }
                _ => None,
            })
            .collect();
        let unfinished = |(id, _): &&(u32, &Rows)| !self.done.contains(id);
        let half_full: HashSet<String> =
            rows.iter().filter(unfinished).filter_map(|(_, rows)| emptied(toc, rows)).collect();
        // Several entries may fill one root: all of them are loaded again with it.
        for (id, rows) in &rows {
            if emptied(toc, rows).is_some_and(|statement| half_full.contains(&statement))
                && self.done.remove(id)
            {
                let unmark = format!("DELETE FROM {SCHEMA}.done WHERE entry = {id}");
                session.run(&unmark).await.map_err(|error| Error::postgres(&error))?;
            }
        }
        for statement in half_full {
            session.run(&statement).await.map_err(|error| Error::postgres(&error))?;
        }
        Ok(())
    }

    /// Removes the marks: the restore is complete. The commit waits for the disk, and with it
    /// everything that was committed before.
    ///
    /// # Errors
    /// The server refused.
    pub async fn remove(session: &Session) -> Result<(), Error> {
        let sql = format!(
            "SET synchronous_commit = on; SET client_min_messages = warning; DROP SCHEMA {SCHEMA} CASCADE"
        );
        session.run(&sql).await.map_err(|error| Error::postgres(&error))
    }
}

/// The statement that marks an entry as finished.
pub fn mark(entry: u32) -> String {
    format!("INSERT INTO {SCHEMA}.done VALUES ({entry})")
}

fn emptied(toc: &Toc, rows: &Rows) -> Option<String> {
    let only = if rows.through_root { "" } else { "ONLY " };
    let name = match (&rows.target, rows.table_entry) {
        (Some(target), _) => CopyTarget::name(target),
        (None, Some(table)) => {
            let table = toc.entry(table)?;
            let schema = table.namespace.as_deref().unwrap_or_default();
            format!("{}.{}", quote_identifier(schema), quote_identifier(&table.tag))
        }
        (None, None) => return None,
    };
    Some(format!("TRUNCATE TABLE {only}{name}"))
}
