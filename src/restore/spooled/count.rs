//! The rows of a staged archive, counted and hashed by our own reader.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use futures_util::future::try_join_all;
use tokio_util::task::AbortOnDropHandle;

use crate::archive::Keys;
use crate::clock::Stopwatch;
use crate::event::Events;
use crate::plan::TablesAtOnce;
use crate::restore::before::Before;
use crate::restore::board::{Board, Work};
use crate::restore::large_objects;
use crate::restore::load::{Load, Piece, Sent};
use crate::restore::policy::{self, Disposition};
use crate::restore::schedule::Schedule;
use crate::restore::shape::RowsSeen;
use crate::restore::spooled::{ByTool, Staged};
use crate::restore::{
    Archive, Error, Halted, Loads, Manner, Restored, Scratch, Source, account, finish, join_reader, open,
    open_files, ways,
};
use crate::store::{Download, Location, Options, Store, Tuning};
use crate::verdict::Code;

/// Reads the staged archive to its end and gives what a native restore would have given: the rows
/// of each table as the archive holds them, to be compared with those that came back.
///
/// # Errors
/// The archive is damaged, or the copy on the disk is not what was downloaded.
pub async fn count(came: ByTool, scratch: &Scratch, manner: Manner) -> Result<Restored, Halted> {
    let ByTool { staged, toc, failures, placeholder_roles } = came;
    let halted = |error: Error| Halted { error, read: Some(Box::new(staged.read.clone())) };
    let archive = reopen(&staged).await.map_err(|inside| halted(inside.error))?;
    let dispositions = policy::decide(&toc, scratch.server_major(), manner.rules)?;
    let session = scratch.connect_to_restore(&toc).await?;
    let nothing = HashSet::new();
    let decided = ways::decide(&toc, &dispositions, &nothing, &HashMap::new(), manner, &session).await?;
    drop(session);

    let board = Arc::new(board(&toc, &dispositions, manner.jobs));
    let abandon = board.abandoned.clone().drop_guard();
    let source = Source::of(archive).map_err(|_| Error::lost("the staged archive"))?;
    let in_order = Manner { tables_at_once: TablesAtOnce { most: 1, pinned: true }, ..manner };
    let reading = source.read(board.clone(), decided.ways, toc.clone(), in_order, &Events::silent());
    let counting = (0..manner.jobs.max(1)).map(|_| {
        let counting = tokio::spawn(work(board.clone()));
        async { AbortOnDropHandle::new(counting).await.map_err(|_| Error::lost("the counting of rows")) }
    });
    let (worked, again) = tokio::join!(try_join_all(counting), join_reader(reading, &board));
    drop(abandon);
    let (again, mut outcome) =
        finish(worked.map(drop), again, &board).map_err(|inside| halted(inside.error))?;
    if again.digest != staged.written {
        return Err(changed().into());
    }
    let failed: HashSet<u32> = failures.iter().map(|failure| failure.entry).collect();
    outcome.loads.retain(|(load, _)| !failed.contains(&load.entry));
    outcome.spans = staged.spans;
    let ran = |disposition: &&Disposition| matches!(disposition, Disposition::Before | Disposition::After(_));
    let run =
        toc.entries.iter().zip(&dispositions).filter(|(entry, d)| ran(d) && !failed.contains(&entry.id));
    let before = Before { restored: run.count(), failures, failed };
    let read = crate::restore::Read { trailing_bytes: again.trailing_bytes, ..staged.read };
    let loads = Loads::sort(&toc, &dispositions, outcome);
    Ok(Restored {
        placeholder_roles,
        ..account(toc.clone(), &dispositions, before, loads, read, manner.rules)
    })
}

/// The staged archive, through the same door as one in a store.
async fn reopen(staged: &Staged) -> Result<Archive, Halted> {
    let location = Location::Directory { path: staged.spool.clone() };
    let store = Store::open(&location, &Options::default()).await.map_err(|error| Error::store(&error))?;
    let listing = store.list().await.map_err(|error| Error::store(&error))?;
    let (tuning, silent) = (Tuning::default(), Events::silent());
    let files: Vec<_> =
        listing.objects.into_iter().filter(|object| object.key != super::tool::LIST).collect();
    if staged.is_directory {
        return open_files(&store, "", files, tuning, &silent).await.map(Archive::from);
    }
    let object = files.into_iter().next().ok_or_else(changed)?;
    let download = Download::new(&store, &object, 0..object.bytes, tuning);
    open(download, object.bytes, None, Arc::new(Keys::default()), &silent).await.map(Archive::from)
}

/// A board with nothing on it but the rows.
fn board(toc: &crate::archive::Toc, dispositions: &[Disposition], jobs: usize) -> Board {
    let only_rows = |disposition: &Disposition| match disposition {
        Disposition::After(_) | Disposition::Before => Disposition::Applied,
        other => other.clone(),
    };
    let dispositions: Vec<_> = dispositions.iter().map(only_rows).collect();
    let schedule = Schedule::new(toc, &dispositions);
    Board::new(schedule, jobs, jobs, Stopwatch::start(), Events::silent(), false)
}

/// Takes rows until none are left.
async fn work(board: Arc<Board>) {
    while let Some(work) = board.next().await {
        let Work::Load(load) = work else { continue };
        let joined = load.join();
        take(&load).await;
        drop(joined);
        board.settle(&load);
    }
}

async fn take(load: &Load) {
    let (mut seen, mut objects) = (RowsSeen::default(), large_objects::Sum::default());
    while let Some(piece) = load.next().await {
        match piece {
            Piece::Rows(rows) => load.shape.take(&rows, &mut seen),
            Piece::Prepared(_) => {}
            Piece::LargeObject { oid, offset, bytes } => {
                if offset == 0 {
                    objects.begin(oid);
                }
                objects.update(&bytes);
            }
        }
    }
    seen.hash.merge(&objects.finish());
    load.add(seen, Sent::default());
}

fn changed() -> Error {
    Error::new(
        Code::SourceUnstable,
        "the copy of the archive on the scratch's disk is not what was downloaded any more",
        "see the disk under the scratch's directory, and run the drill again",
    )
}
