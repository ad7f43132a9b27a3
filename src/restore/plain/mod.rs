//! The restore of a plain dump, whose table of contents is complete only when the last byte
//! of it was read.
//!
//! ```text
//! round:   what stands before rows is run → rows as they stream in; again, where the script has
//!          statements that must be run before the next rows
//! after:   what stands behind them, indexes and constraints beside each other
//! ```
//!
//! Nothing that is built on a table stands before the last row in a script: there is nothing
//! that could be built beside the rows, and nothing is lost by beginning when they are in.

mod after;
mod script;
mod stages;

use std::collections::HashSet;
use std::sync::Arc;

use crate::archive::{PlainDump, Toc};
use crate::clock::Stopwatch;
use crate::event::{EventKind, Events};
use crate::restore::before::{self, Before, Task};
use crate::restore::board::{Board, Outcome};
use crate::restore::connection::Workplace;
use crate::restore::input::Input;
use crate::restore::plain::script::Reader;
pub use crate::restore::plain::script::Script;
use crate::restore::policy::{self, Disposition};
use crate::restore::roles::Roles;
use crate::restore::schedule::Schedule;
use crate::restore::stream::{Body, Opened};
use crate::restore::ways::Columns;
use crate::restore::{Error, Halted, Loads, Manner, Restored, Scratch, account, work};
use crate::verdict::Blame;

/// Reads a script up to its first rows, or to its end if it has none; `first` are its first
/// bytes, and `database` is what is wanted of several.
///
/// # Errors
/// The store would not give the bytes, or the script is damaged or unsafe.
pub async fn open(
    mut input: Input,
    bytes: u64,
    first: &[u8],
    database: Option<String>,
) -> Result<Opened, Halted> {
    let mut script = Script::new(database.map_or_else(PlainDump::new, PlainDump::of_database));
    script.dump.push(first);
    while !script.over && script.next.is_none() {
        let read = match script.dump.next_item() {
            Ok(None) => match input.next().await {
                Ok(Some(part)) => {
                    script.dump.push(&part);
                    Ok(())
                }
                Ok(None) => script.finish(),
                Err(error) => return Err(Halted { read: input.drain_after(&error).await, error }),
            },
            Ok(item) => {
                script.next = item;
                Ok(())
            }
            Err(error) => Err(error),
        };
        if let Err(error) = read {
            return Err(halted(Error::archive(&error), input).await);
        }
    }
    match script.dump.toc() {
        Ok(toc) => Ok(Opened { toc: Arc::new(toc), input, bytes, body: Body::Script(Box::new(script)) }),
        Err(error) => Err(halted(Error::archive(&error), input).await),
    }
}

async fn halted(error: Error, input: Input) -> Halted {
    Halted { error, read: input.drain().await.map(Box::new) }
}

/// Restores a script that was opened.
///
/// # Errors
/// As [`crate::restore::restore`].
pub async fn restore(
    mut toc: Arc<Toc>,
    mut script: Script,
    mut input: Input,
    scratch: &Scratch,
    manner: Manner,
    watch: Stopwatch,
    events: &Events,
) -> Result<Restored, Halted> {
    let roles = Roles::new(scratch.connect().await?, manner.rules.makes_roles());
    let mut before = Before::default();
    let mut whole = Outcome::default();
    let mut run = 0;
    let nothing = HashSet::new();
    let dispositions = loop {
        let dispositions = policy::decide(&toc, scratch.server_major(), manner.rules)?;
        let session = scratch.connect_to_restore(&toc).await?;
        let task = Task {
            toc: &toc,
            dispositions: &dispositions,
            roles: &roles,
            how: manner.unmarked(),
            done: &nothing,
        };
        before::run_from(run, task, session, &mut before).await?;
        run = toc.entries.len();
        if script.over {
            break dispositions;
        }
        let tables = toc.entries.iter().filter(|entry| entry.kind == "TABLE").count();
        events.emit(EventKind::RestorePlanned { tables, post_data: 0 });
        let round = Round { scratch, toc: &toc, before: &before, roles: &roles, manner, watch, events };
        let outcome;
        (script, input, outcome) = round.run(script, input).await?;
        whole.merge(outcome);
        match script.dump.toc() {
            Ok(grown) => toc = Arc::new(grown),
            Err(error) => return Err(halted(Error::archive(&error), input).await),
        }
    };
    let waiting = dispositions.iter().filter(|disposition| matches!(disposition, Disposition::After(_)));
    events.emit(EventKind::RestorePlanned { tables: whole.loads.len(), post_data: waiting.count() });
    let after = after::After { scratch, toc: &toc, roles: &roles, manner, watch, events };
    whole.merge(after.run(&dispositions, &whole.loads).await?);
    let loads = Loads::sort(&toc, &dispositions, whole);
    let mut restored = account(toc.clone(), &dispositions, before, loads, input.finish()?, manner.rules);
    restored.placeholder_roles = roles.into_made();
    Ok(restored)
}

/// Rows that come one after the other, with nothing between them that must be run first.
struct Round<'a> {
    scratch: &'a Scratch,
    toc: &'a Arc<Toc>,
    before: &'a Before,
    roles: &'a Roles,
    manner: Manner,
    watch: Stopwatch,
    events: &'a Events,
}

impl Round<'_> {
    async fn run(&self, script: Script, input: Input) -> Result<(Script, Input, Outcome), Halted> {
        let session = self.scratch.connect_to_restore(self.toc).await?;
        // A script may hold rows of one table twice: none is emptied for being alone.
        let manner = Manner { copy_connections: usize::MAX, ..self.manner };
        let columns = Columns::read(&session, manner, self.toc).await?;
        drop(session);
        let nothing = Schedule::new(self.toc, &[]);
        let board = Arc::new(Board::new(
            nothing,
            self.manner.jobs,
            self.manner.copy_connections,
            self.watch,
            self.events.clone(),
            false,
        ));
        let abandon = board.abandoned.clone().drop_guard();
        let failed = self.before.failed.clone();
        let reader = Reader::new(board.clone(), columns, self.toc.clone(), failed, script, input);
        let reading = tokio::task::spawn_blocking(move || reader.run());
        let place = Workplace {
            scratch: self.scratch,
            toc: self.toc,
            board: &board,
            roles: self.roles,
            how: self.manner.unmarked(),
            events: self.events,
        };
        let reading = async {
            let read = reading.await.unwrap_or_else(|_| Err(Error::lost("the reading of the script")));
            read.inspect_err(|error| board.halt(error.clone()))
        };
        let (worked, read) = tokio::join!(work(place, self.manner.jobs), reading);
        drop(abandon);
        let outcome = board.outcome().and_then(|outcome| worked.map(|()| outcome));
        match (outcome, read) {
            (Ok(outcome), Ok((script, input))) => Ok((script, input, outcome)),
            // What is wrong with the backup is believed if a second reading finds the same bytes.
            (Err(error), Ok((_, input))) if error.reason().code.blame() == Blame::Backup => {
                Err(halted(error, input).await)
            }
            (Err(error), _) | (Ok(_), Err(error)) => Err(error.into()),
        }
    }
}
