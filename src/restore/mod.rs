//! The restore: an archive streamed into a scratch database.
//!
//! ```text
//! open:     ranged reads → table of contents
//! restore:  before (schemas, types, tables) → rows as they stream in, indexes and
//!           constraints beside them as soon as their tables are complete → grants → refreshes
//! ```
//!
//! The object is read from its first byte to its last, so that its digest covers what was
//! restored. Tables that are loaded before their turn ([`ahead`]) are read twice and held against
//! it. Nothing is staged on disk, except by the other engine ([`spooled`]).

mod again;
mod ahead;
mod before;
pub mod binary;
mod board;
mod checksum;
mod chunks;
mod claims;
mod connection;
mod entry;
mod error;
mod files;
mod given;
mod host;
mod input;
mod keys;
mod large_objects;
mod listing;
mod load;
mod marks;
mod pace;
mod plain;
mod policy;
mod roles;
mod rules;
mod sample;
mod schedule;
mod scratch;
mod shape;
mod source;
mod spans;
pub mod spooled;
mod steps;
mod stream;
mod tuned;
mod unsteady;
mod unwrap;
mod ways;
mod zone;

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::try_join_all;

pub use again::{Wanted, rows_again};
pub use error::{Error, Failure};
pub use files::{Files, open as open_files};
pub use given::GivenDatabase;
pub use host::{Claim, Host, new_database_name, remove_database};
pub use keys::{WayIn, keys};
pub use large_objects::Sum as LargeObjectSum;
pub use listing::{FileListing, read_files};
pub use load::Sent;
pub use marks::{Marks, SCHEMA as MARKS_SCHEMA};
pub use policy::Exclusion;
pub use rules::{Purpose, Rules};
pub use sample::{PARTS as SAMPLE_PARTS, Sample, SampledBy, hash_text_extended};
pub use scratch::{DATABASE, Monetary, Scratch};
pub use shape::{RowShape, RowsSeen};
pub use spans::{Kind as SpanKind, Spans};
pub use stream::{Body, Opened, Read};
pub use unsteady::{Amounts, RowHashes, Unsteady, UnsteadyFields, unsteady_types};
pub use zone::ZoneSamples;

use crate::archive::{CopyTarget, Entry, Front, InsertColumn, Kind, Opening, SNIFF_BYTES, Toc, sniff};
use crate::clock::Stopwatch;
use crate::event::{EventKind, Events};
use crate::plan::{self, CopyForm, TablesAtOnce};
use crate::restore::before::{Before, Task};
use crate::restore::board::{Board, Outcome};
use crate::restore::connection::Workplace;
use crate::restore::entry::How;
use crate::restore::input::Input;
use crate::restore::load::{Load, Loaded, Way};
use crate::restore::policy::{Disposition, Rows};
use crate::restore::roles::Roles;
use crate::restore::schedule::Schedule;
use crate::restore::source::Source;
use crate::store::{ChecksumAlgorithm, Download};

/// Everything that came of a restore.
#[derive(Debug)]
pub struct Restored {
    /// The table of contents, whole.
    pub toc: Arc<Toc>,
    /// What was read of the stored object.
    pub read: Read,
    /// Entries of the table of contents.
    pub entries: usize,
    /// Entries that were positively restored.
    pub restored: usize,
    /// Of these, entries of rows that an interrupted restore had loaded before.
    pub loads_done_before: usize,
    /// Entries that policy left out: kind, name, why.
    pub excluded: Vec<(String, String, Exclusion)>,
    /// Entries that could not be restored.
    pub failures: Vec<Failure>,
    /// The rows of each table.
    pub tables: Vec<TableLoaded>,
    /// The hash of the large objects, one row each.
    pub large_objects: crate::digest::RowHash,
    /// Tables that the archive makes and has no rows for.
    pub without_rows: Vec<String>,
    /// What of the archive was to be restored.
    pub rules: Rules,
    /// Roles that were made without a login.
    pub placeholder_roles: Vec<String>,
    /// When what was done.
    pub spans: Spans,
}

impl Restored {
    /// The rows of all tables that were loaded.
    pub fn rows(&self) -> u64 {
        self.tables.iter().map(|table| table.seen.hash.rows()).sum()
    }
}

/// The rows of one entry of the archive.
#[derive(Debug)]
pub struct TableLoaded {
    /// The qualified name that the archive gives the table.
    pub name: String,
    /// The columns that they name; none for an INSERT dump, which has those of the table.
    pub target: Option<CopyTarget>,
    /// Schema and name of the table, for an INSERT dump too.
    pub table: (String, String),
    /// They went through the root of a partitioned table.
    pub through_root: bool,
    /// The archive does not make this table: an extension did.
    pub made_elsewhere: bool,
    /// What is known of their columns.
    pub shape: RowShape,
    /// What was seen of them.
    pub seen: RowsSeen,
    /// In which form they were sent.
    pub sent: Sent,
    /// The columns of the table that the entry names, where its rows stand in INSERT statements.
    pub inserted: Option<Vec<InsertColumn>>,
}

/// How a restore works.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    /// Connections to the server that work at once; at least one.
    pub jobs: usize,
    /// So many of them, at most, take rows at once; at least one. The others are left to indexes.
    pub copy_connections: usize,
    /// How many tables of an archive are begun at once.
    pub tables_at_once: TablesAtOnce,
    /// In which form rows are sent.
    pub copy: CopyForm,
    /// What of the archive is restored.
    pub rules: Rules,
    /// The rows that a later reading may be content with, where it is not to read all.
    pub sample: Option<Sample>,
}

impl Manner {
    /// That of a drill.
    pub fn drill(jobs: usize, copy: CopyForm) -> Manner {
        let (copy_connections, tables_at_once) = (jobs, plan::Restore::default().begun_at_once(jobs));
        Manner { jobs, copy_connections, tables_at_once, copy, rules: Rules::drill(), sample: None }
    }

    /// What is done beside a definition where nothing is marked.
    fn unmarked(self) -> How {
        How { owners: self.rules.owners, marked: false }
    }
}

/// A restore that stopped, and what was read by then.
#[derive(Debug)]
pub struct Halted {
    /// Why.
    pub error: Error,
    /// The whole object, if it was read to its end all the same.
    pub read: Option<Box<Read>>,
}

impl From<Error> for Halted {
    fn from(error: Error) -> Halted {
        Halted { error, read: None }
    }
}

/// Reads a stream of `bytes` up to the end of the table of contents; `kept` is the checksum
/// that the store keeps of it, and `way` opens what it may be encrypted with.
///
/// # Errors
/// The store would not give the bytes, or they are not an archive; then `read` tells whether
/// all of them were there.
pub async fn open(
    download: Download,
    bytes: u64,
    kept: Option<ChecksumAlgorithm>,
    way: impl Into<WayIn>,
    events: &Events,
) -> Result<Opened, Halted> {
    let WayIn { keys, database } = way.into();
    let mut opening = Opening::new();
    let mut input = Input::new(download, kept, events).unwrapped(keys);
    let first = match first_bytes(&mut input).await {
        Ok(first) => first,
        Err(error) => return Err(Halted { read: input.drain_after(&error).await, error }),
    };
    if sniff(&first) == Kind::PlainSql {
        return plain::open(input, bytes, &first, database).await;
    }
    let mut first = Some(first).filter(|first| !first.is_empty());
    loop {
        let part = match first.take() {
            Some(first) => Ok(Some(first)),
            None => input.next().await,
        };
        let pushed = match part {
            Ok(Some(part)) => opening.push(part).map_err(Error::from),
            Ok(None) => Err(opening.end().into()),
            Err(error) => Err(error),
        };
        match pushed {
            Ok(None) => {}
            Ok(Some(Front { toc, walker, rest })) => {
                let bytes = if input.layers().is_empty() { bytes } else { u64::MAX };
                return Ok(Opened {
                    toc: Arc::new(toc),
                    input,
                    bytes,
                    body: Body::Blocks { walker: Box::new(walker), rest },
                });
            }
            Err(error) => return Err(Halted { read: input.drain_after(&error).await, error }),
        }
    }
}

/// The first bytes of the object: enough to tell what it is, if it has as many.
async fn first_bytes(input: &mut Input) -> Result<Bytes, Error> {
    let mut first = input.next().await?.unwrap_or_default();
    while first.len() < SNIFF_BYTES {
        let Some(part) = input.next().await? else { break };
        first = [first, part].concat().into();
    }
    Ok(first)
}

/// An archive of any layout, its table of contents read.
pub enum Archive {
    /// One object, read from its first byte to its last.
    Stream(Box<Opened>),
    /// A directory of objects.
    Files(Box<Files>),
}

impl Archive {
    /// The table of contents.
    pub fn toc(&self) -> &Arc<Toc> {
        match self {
            Archive::Stream(opened) => &opened.toc,
            Archive::Files(files) => &files.toc,
        }
    }

    /// The stored size of the data of each entry, where that is known.
    fn stored_bytes(&self) -> std::collections::HashMap<u32, u64> {
        match self {
            Archive::Stream(opened) => opened.toc.stored_bytes(opened.bytes),
            Archive::Files(files) => files.stored_bytes.clone(),
        }
    }
}

impl From<Opened> for Archive {
    fn from(opened: Opened) -> Archive {
        Archive::Stream(Box::new(opened))
    }
}

impl From<Files> for Archive {
    fn from(files: Files) -> Archive {
        Archive::Files(Box::new(files))
    }
}

/// Restores an opened archive into `scratch`.
///
/// # Errors
/// The archive is damaged or must not be restored, or the scratch or the store gave up. What
/// the server refuses, entry by entry, is no error but stands in [`Restored::failures`].
pub async fn restore(
    archive: impl Into<Archive>,
    scratch: &Scratch,
    manner: Manner,
    watch: Stopwatch,
    events: &Events,
) -> Result<Restored, Halted> {
    go_on(archive, scratch, manner, None, watch, events).await
}

/// The same, but what is finished is marked in the database, and what `marks` say is finished is
/// not done again.
///
/// # Errors
/// As [`restore`]; and a script, in which nothing can be left out, is not gone on with.
pub async fn go_on(
    archive: impl Into<Archive>,
    scratch: &Scratch,
    manner: Manner,
    mut marks: Option<&mut Marks>,
    watch: Stopwatch,
    events: &Events,
) -> Result<Restored, Halted> {
    let Manner { jobs, rules, .. } = manner;
    let archive = archive.into();
    let stored = archive.stored_bytes();
    let toc = archive.toc().clone();
    let source = match Source::of(archive) {
        Ok(source) => source,
        Err(_) if marks.as_ref().is_some_and(|marks| marks.resumed()) => {
            return Err(not_resumable().into());
        }
        Err(plain) => {
            let (script, input) = *plain;
            return plain::restore(toc, *script, input, scratch, manner, watch, events).await;
        }
    };
    let dispositions = policy::decide(&toc, scratch.server_major(), rules)?;
    let roles = Roles::new(scratch.connect().await?, rules.makes_roles());
    let how = How { owners: rules.owners, marked: marks.is_some() };
    if let Some(marks) = &mut marks {
        marks.empty_the_unfinished(&toc, &dispositions, &scratch.connect().await?).await?;
    }
    let nothing = HashSet::new();
    let done = marks.as_deref().map_or(&nothing, Marks::done);
    let session = scratch.connect_to_restore(&toc).await?;
    let before =
        before::run(Task { toc: &toc, dispositions: &dispositions, roles: &roles, how, done }, session)
            .await?;
    let session = scratch.connect_to_restore(&toc).await?;
    let mut decided = ways::decide(&toc, &dispositions, &before.failed, &stored, manner, &session).await?;
    decided.ways.retain(|entry, _| !done.contains(entry));
    drop(session);

    let mut schedule = Schedule::new(&toc, &dispositions);
    // An entry that is marked is one transaction with its mark.
    if !how.marked {
        schedule.split_keys(&toc);
    }
    let of_objects = decided.ways.values().filter(|way| matches!(way.way, Way::LargeObjects)).count();
    let (tables, post_data) = (decided.ways.len() - of_objects, schedule.left() + of_objects);
    events.emit(EventKind::RestorePlanned { tables, post_data });
    let board =
        Arc::new(Board::new(schedule, jobs, manner.copy_connections, watch, events.clone(), how.marked));
    for skipped in decided.skipped {
        board.finish_entry(skipped.entry, Some(skipped));
    }
    done_before(&toc, &dispositions, done, &board);
    let abandon = board.abandoned.clone().drop_guard();
    let reading = source.read(board.clone(), decided.ways, toc.clone(), manner, events);
    let place = Workplace { scratch, toc: &toc, board: &board, roles: &roles, how, events };
    let working = work(place, jobs);
    let (worked, read) = tokio::join!(working, join_reader(reading, &board));
    drop(abandon);
    board.tell_waits();
    finish(worked, read, &board)
        .map(|(read, outcome)| {
            let loads = Loads::sort(&toc, &dispositions, outcome);
            account(toc.clone(), &dispositions, before, loads, read, rules)
        })
        .map(|mut restored| {
            restored.placeholder_roles = roles.into_made();
            restored
        })
}

fn not_resumable() -> Error {
    Error::new(
        crate::verdict::Code::WrongDatabase,
        "the restore of a plain dump was interrupted here, and can't be gone on with",
        "make the database anew, and run the same command again",
    )
}

/// Takes off the board what an interrupted restore has finished.
fn done_before(toc: &Toc, dispositions: &[Disposition], done: &HashSet<u32>, board: &Board) {
    for (entry, disposition) in toc.entries.iter().zip(dispositions) {
        match disposition {
            _ if !done.contains(&entry.id) => {}
            Disposition::After(_) => board.done_before(entry.id, false),
            Disposition::Rows(_) | Disposition::LargeObjects => board.done_before(entry.id, true),
            _ => {}
        }
    }
}

/// The connections, until the board is empty. The first that loses its server stops them all.
async fn work(place: Workplace<'_>, jobs: usize) -> Result<(), Error> {
    let connection = |_| async { place.connect().await?.work().await };
    let worked = try_join_all((0..jobs.max(1)).map(connection)).await;
    if let Err(error) = &worked {
        place.board.halt(error.clone());
    }
    worked.map(drop)
}

async fn join_reader(
    reading: tokio::task::JoinHandle<Result<Read, Error>>,
    board: &Board,
) -> Result<Read, Error> {
    let read = reading.await.unwrap_or_else(|_| Err(Error::lost("the reading of the archive")));
    if let Err(error) = &read {
        board.halt(error.clone());
    }
    read
}

fn finish(
    worked: Result<(), Error>,
    read: Result<Read, Error>,
    board: &Board,
) -> Result<(Read, Outcome), Halted> {
    let outcome = board.outcome().and_then(|outcome| worked.map(|()| outcome));
    match (outcome, read) {
        (Ok(outcome), Ok(read)) => Ok((read, outcome)),
        (Err(error), read) => Err(Halted { error, read: read.ok().map(Box::new) }),
        (Ok(_), Err(error)) => Err(error.into()),
    }
}

/// The loads of a finished restore, each with the entry it came from.
struct Loads {
    tables: Vec<TableLoaded>,
    large_objects: crate::digest::RowHash,
    restored: usize,
    done_before: usize,
    entries_done: usize,
    failures: Vec<Failure>,
    spans: Spans,
}

impl Loads {
    fn sort(toc: &Toc, dispositions: &[Disposition], outcome: Outcome) -> Loads {
        let mut loads = Loads {
            tables: Vec::new(),
            large_objects: Default::default(),
            restored: 0,
            done_before: outcome.loads_done_before,
            entries_done: outcome.entries_done,
            failures: outcome.failures,
            spans: outcome.spans,
        };
        let by_entry: std::collections::HashMap<u32, (&Entry, &Disposition)> =
            toc.entries.iter().zip(dispositions).map(|(entry, d)| (entry.id, (entry, d))).collect();
        for (load, loaded) in outcome.loads {
            if loaded.failure.is_some() {
                continue;
            }
            loads.restored += 1;
            match by_entry.get(&load.entry) {
                Some((_, Disposition::LargeObjects)) => loads.large_objects.merge(&loaded.seen.hash),
                Some((entry, Disposition::Rows(rows))) => {
                    loads.tables.push(table_loaded(entry, rows, &load, loaded))
                }
                _ => {}
            }
        }
        loads
    }
}

fn table_loaded(entry: &Entry, rows: &Rows, load: &Load, loaded: Loaded) -> TableLoaded {
    let own = || (entry.namespace.clone().unwrap_or_default(), entry.tag.clone());
    let root = || entry.via_root_target().map(|(schema, table)| (schema.unwrap_or_default(), table));
    TableLoaded {
        name: entry.qualified_name(),
        table: match &rows.target {
            Some(target) => (target.schema.clone(), target.table.clone()),
            None => root().unwrap_or_else(own),
        },
        target: rows.target.clone(),
        through_root: rows.through_root,
        made_elsewhere: rows.table_entry.is_none(),
        shape: load.shape.clone(),
        seen: loaded.seen,
        sent: loaded.sent,
        inserted: load.inserted.clone(),
    }
}

/// Every entry is restored, left out by policy, or failed; each is counted by what was seen
/// of it, so that one that was forgotten shows.
fn account(
    toc: Arc<Toc>,
    dispositions: &[Disposition],
    before: Before,
    loads: Loads,
    read: Read,
    rules: Rules,
) -> Restored {
    let applied = dispositions.iter().filter(|d| **d == Disposition::Applied).count();
    let excluded =
        toc.entries.iter().zip(dispositions).filter_map(|(entry, disposition)| match disposition {
            Disposition::Excluded(why) => Some((entry.kind.clone(), entry.qualified_name(), *why)),
            _ => None,
        });
    let mut failures = before.failures;
    failures.extend(loads.failures);
    let mut seen = HashSet::new();
    failures.retain(|failure| seen.insert(failure.entry));
    Restored {
        read,
        entries: toc.entries.len(),
        restored: applied + before.restored + loads.restored + loads.done_before + loads.entries_done,
        loads_done_before: loads.done_before,
        excluded: excluded.collect(),
        failures,
        tables: loads.tables,
        large_objects: loads.large_objects,
        without_rows: policy::tables_without_rows(&toc, dispositions)
            .iter()
            .map(|e| e.qualified_name())
            .collect(),
        rules,
        placeholder_roles: Vec::new(),
        spans: loads.spans,
        toc,
    }
}

/// Reads an object once more, for its digest and the checksum that the store keeps alone.
///
/// # Errors
/// The store would not give all of its bytes.
pub async fn read_again(download: Download, kept: Option<ChecksumAlgorithm>) -> Result<Read, Error> {
    let mut input = Input::new(download, kept, &Events::silent());
    while input.next().await?.is_some() {}
    input.finish()
}
