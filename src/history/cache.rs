//! The cache: a SQLite file that can be thrown away at any moment, since the evidence holds
//! everything that is in it.

use std::collections::HashMap;
use std::fs::{self, Metadata, OpenOptions};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior, params};

use crate::evidence::{self, Entry};
use crate::history::drill::Drill;
use crate::history::past::{Past, read};
use crate::history::row;

/// The version of the tables.
///
/// - 1: the first.
const VERSION: i64 = 1;

/// Who judged what is in it: another firedrill may judge otherwise.
const MADE_BY: &str = env!("CARGO_PKG_VERSION");

/// Why the cache gave no answer.
#[derive(Debug)]
pub enum Error {
    /// It is damaged, or of another version: it should be made anew.
    Damaged(String),
    /// It can't be had now: another process holds it, or the disk is full or read-only.
    Unavailable(String),
    /// The evidence itself can't be listed.
    Evidence(evidence::Error),
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Error {
        use rusqlite::Error as Sql;
        let damaged = match &error {
            Sql::SqliteFailure(failure, _) => matches!(
                failure.code,
                ErrorCode::DatabaseCorrupt
                    | ErrorCode::NotADatabase
                    | ErrorCode::Unknown
                    | ErrorCode::TypeMismatch
            ),
            Sql::SqlInputError { .. }
            | Sql::FromSqlConversionFailure(..)
            | Sql::IntegralValueOutOfRange(..)
            | Sql::InvalidColumnType(..)
            | Sql::InvalidColumnName(_)
            | Sql::Utf8Error(..)
            | Sql::QueryReturnedNoRows => true,
            _ => false,
        };
        match damaged {
            true => Error::Damaged(error.to_string()),
            false => Error::Unavailable(error.to_string()),
        }
    }
}

/// Removes the cache, and what SQLite keeps beside it. What can't be removed shows when it is
/// opened again.
pub fn remove(path: &Path) {
    for ending in ["", "-journal", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        let _ = fs::remove_file(PathBuf::from(name));
    }
}

/// The open cache.
pub struct Cache {
    connection: Connection,
}

impl Cache {
    /// Opens the cache, and makes it where it is missing.
    pub fn open(path: &Path, patience: Duration) -> Result<Cache, Error> {
        // SQLite would make it readable for whoever the umask lets.
        let made = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(nix::libc::O_NOFOLLOW)
            .open(path);
        made.map_err(|error| Error::Unavailable(format!("open '{}': {error}", path.display())))?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(patience)?;
        let mut cache = Cache { connection };
        cache.make()?;
        cache.check()?;
        Ok(cache)
    }

    /// Makes the tables, if there are none.
    fn make(&mut self) -> Result<(), Error> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let tables: i64 =
            transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        if tables == 0 {
            transaction.execute_batch(row::TABLES)?;
            transaction
                .execute("INSERT INTO made (version, by) VALUES (?1, ?2)", params![VERSION, MADE_BY])?;
        }
        transaction.commit()?;
        Ok(())
    }

    fn check(&self) -> Result<(), Error> {
        let made: (i64, String) = self
            .connection
            .query_row("SELECT version, by FROM made", [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        if made != (VERSION, MADE_BY.to_owned()) {
            return Err(Error::Damaged("the history is of another version".to_owned()));
        }
        let sound: String = self.connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        match sound.as_str() {
            "ok" => Ok(()),
            _ => Err(Error::Damaged(sound)),
        }
    }

    /// The drills of a service, brought up to what lies in its log below `evidence`.
    pub fn past(&mut self, evidence: &Path, service: &str) -> Result<Past, Error> {
        let files = evidence::files(evidence, service).map_err(Error::Evidence)?;
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut kept = kept(&transaction, service)?;
        let mut past = Past::empty(service);
        for entry in files {
            let Some(file) = File::of(&entry) else {
                past.take(&entry, Err(format!("look at the evidence '{}'", entry.path.display())));
                continue;
            };
            let known = kept.remove(&file.name).filter(|(identity, _)| *identity == file.identity);
            let is_new = known.is_none();
            let drill = match known {
                Some((_, drill)) => Ok(drill),
                None => read(&entry, service),
            };
            if let (true, Ok(drill)) = (is_new, &drill) {
                row::put(&transaction, service, &file.name, &file.identity, drill)?;
            }
            past.take(&entry, drill);
        }
        for name in kept.into_keys() {
            transaction
                .execute("DELETE FROM drill WHERE service = ?1 AND file = ?2", params![service, name])?;
        }
        transaction.commit()?;
        Ok(past)
    }
}

/// What is kept of a service, by the names of the files.
fn kept(connection: &Connection, service: &str) -> Result<HashMap<String, (String, Drill)>, Error> {
    let mut statement = connection.prepare(row::SELECT)?;
    let mut rows = statement.query(params![service])?;
    let mut kept = HashMap::new();
    while let Some(found) = rows.next()? {
        let (name, identity, drill) = row::get(found, service)?;
        kept.insert(name, (identity, drill));
    }
    Ok(kept)
}

/// A file of the log, as the system knows it.
struct File {
    name: String,
    /// Another one once the file was changed or replaced.
    identity: String,
}

impl File {
    fn of(entry: &Entry) -> Option<File> {
        let name = entry.path.file_name()?.to_str()?.to_owned();
        Some(File { name, identity: identity(&fs::symlink_metadata(&entry.path).ok()?) })
    }
}

fn identity(file: &Metadata) -> String {
    let (modified, changed) = ((file.mtime(), file.mtime_nsec()), (file.ctime(), file.ctime_nsec()));
    format!("{} {} {}.{:09} {}.{:09}", file.ino(), file.size(), modified.0, modified.1, changed.0, changed.1)
}
