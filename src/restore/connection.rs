//! One connection to the scratch: it takes rows when there are rows, and entries otherwise.

use std::sync::Arc;

use bytes::Bytes;

use crate::archive::{Entry, ForeignKey, Toc};
use crate::event::{EventKind, Events};
use crate::postgres::{self, quote_literal};
use crate::restore::binary;
use crate::restore::board::{Board, Work};
use crate::restore::entry::{EntryRunner, How, is_fatal};
use crate::restore::error::Failure;
use crate::restore::load::{Load, Piece, Prepared, Sent, Way};
use crate::restore::marks::mark;
use crate::restore::policy::builds_index;
use crate::restore::roles::Roles;
use crate::restore::shape::RowsSeen;
use crate::restore::spans::Kind;
use crate::restore::steps::Step;
use crate::restore::tuned;
use crate::restore::{Error, Scratch};
use crate::verdict::Blame;

/// What all connections work with.
#[derive(Clone, Copy)]
pub struct Workplace<'a> {
    /// Where it is restored.
    pub scratch: &'a Scratch,
    /// The table of contents.
    pub toc: &'a Toc,
    /// What there is to do.
    pub board: &'a Board,
    /// Roles that turn out to be missing.
    pub roles: &'a Roles,
    /// What is done beside the definitions.
    pub how: How,
    /// The drill's voice.
    pub events: &'a Events,
}

impl<'a> Workplace<'a> {
    /// A connection in the state that entries and rows expect.
    ///
    /// # Errors
    /// The scratch server is gone.
    pub async fn connect(self) -> Result<Connection<'a>, Error> {
        let session = self.scratch.connect_to_restore(self.toc).await?;
        Ok(Connection { place: self, runner: EntryRunner::new(self.toc, session, self.roles, self.how) })
    }
}

/// What one transaction has copied.
#[derive(Default)]
struct Copied {
    seen: RowsSeen,
    sent: Sent,
}

impl Copied {
    /// The next piece of the load as it is sent; none when all were taken.
    ///
    /// # Errors
    /// As [`Copied::prepare`].
    async fn next(&mut self, load: &Arc<Load>) -> Result<Option<Prepared>, postgres::Error> {
        match load.next().await {
            Some(Piece::Rows(rows)) => self.prepare(load, rows).await.map(Some),
            Some(Piece::Prepared(prepared)) => Ok(Some(*prepared)),
            Some(Piece::LargeObject { .. }) | None => Ok(None),
        }
    }

    /// Takes a piece in, and makes it what is sent: on a thread, so that neither the other
    /// connections nor the timers of the runtime wait for it.
    ///
    /// # Errors
    /// The thread ended without a word.
    async fn prepare(&mut self, load: &Arc<Load>, rows: Bytes) -> Result<Prepared, postgres::Error> {
        let (load, mut seen) = (load.clone(), std::mem::take(&mut self.seen));
        let preparing = tokio::task::spawn_blocking(move || {
            let prepared = load.prepare(rows, &mut seen);
            (prepared, seen)
        });
        let lost = |_| postgres::Error::new(postgres::Kind::Protocol, "prepare rows: no answer");
        let (prepared, seen) = preparing.await.map_err(lost)?;
        self.seen = seen;
        Ok(prepared)
    }
}

/// One connection.
pub struct Connection<'a> {
    place: Workplace<'a>,
    runner: EntryRunner<'a>,
}

impl Connection<'_> {
    /// Works until nothing is left.
    ///
    /// # Errors
    /// The scratch server is gone. What it refuses goes to the board, entry by entry.
    pub async fn work(mut self) -> Result<(), Error> {
        while let Some(work) = self.place.board.next().await {
            match work {
                Work::Load(load) => self.load(&load).await?,
                Work::Entry(id, step) => self.entry(id, step).await?,
                Work::Mark(finished) => {
                    let (load, loaded) = *finished;
                    let marked = self.runner.session().run(&mark(load.entry)).await;
                    marked.map_err(|error| Error::postgres(&error))?;
                    self.place.board.marked(&load, loaded);
                }
            }
        }
        Ok(())
    }

    /// Runs one entry, or a step of it, and tells the board.
    ///
    /// # Errors
    /// As [`Connection::work`].
    pub async fn entry(&mut self, id: u32, step: Step) -> Result<(), Error> {
        let Workplace { toc, board, events, .. } = self.place;
        let Some(entry) = toc.entry(id) else { return Err(Error::lost("an entry of the schedule")) };
        let began = board.elapsed();
        let (kind, name): (Arc<str>, Arc<str>) = (entry.kind.as_str().into(), entry.qualified_name().into());
        // An entry is told of once; it is the build of its index that takes time.
        let told = !matches!(step, Step::Attach(_));
        if told {
            events.emit(EventKind::EntryStarted { kind: kind.clone(), name: name.clone() });
        }
        let ran = self.run(entry, &step).await;
        if builds_index(entry) {
            board.note(Kind::Index, began);
        } else if entry.kind.ends_with("CONSTRAINT") {
            board.note(Kind::Constraint, began);
        }
        let failure = match ran {
            Ok(()) => None,
            Err(error) if is_fatal(&error) => return Err(Error::postgres(&error)),
            Err(error) => Some(Failure::new(entry, &error)),
        };
        if told {
            events.emit(EventKind::EntryFinished { kind, name });
        }
        if failure.is_none() && step.then().is_some() {
            board.built(id);
        } else {
            board.finish_entry(id, failure);
        }
        Ok(())
    }

    /// Runs one entry, or a step of it, in a session that is set for it.
    async fn run(&mut self, entry: &Entry, step: &Step) -> Result<(), postgres::Error> {
        let board = self.place.board;
        if builds_index(entry) && !matches!(step, Step::Attach(_)) {
            let set = tuned::to_build_an_index(board.unoccupied(), board.rows_bytes(entry.id));
            self.runner.session().run(&set).await?;
        }
        if let Some(sql) = step.sql() {
            return self.run_step(entry, step, &sql).await;
        }
        let Some(key) = ForeignKey::of(entry) else { return self.runner.run(entry).await };
        tuned::to_check(&key, self.runner.session()).await?;
        match self.runner.run(entry).await {
            Err(error) if is_fatal(&error) => Err(error),
            ran => self.runner.session().run(tuned::AS_BEFORE).await.and(ran),
        }
    }

    /// Where a step is refused, nothing is left of those before it.
    async fn run_step(&mut self, entry: &Entry, step: &Step, sql: &str) -> Result<(), postgres::Error> {
        match (self.runner.run_as(entry, sql).await, step.undo()) {
            (Err(error), Some(undo)) if !is_fatal(&error) => {
                self.runner.session().run(&undo).await.and(Err(error))
            }
            (ran, _) => ran,
        }
    }

    async fn load(&mut self, load: &Arc<Load>) -> Result<(), Error> {
        let began = self.place.board.elapsed();
        let joined = load.join();
        let put = match &load.way {
            Way::Copy { statement } => self.copy(load, statement, None).await,
            Way::CopyAlone { statement, truncate } => self.copy(load, statement, Some(truncate)).await,
            Way::LargeObjects => self.write_large_objects(load).await,
        };
        self.place.board.note(Kind::Load, began);
        if let Err(error) = put {
            if is_fatal(&error) {
                return Err(Error::postgres(&error));
            }
            // The table of contents of a script may not have the entry yet.
            let kind = if matches!(load.way, Way::LargeObjects) { "BLOBS" } else { "TABLE DATA" };
            let mut failure = Failure::named(load.entry, kind, load.name.to_string(), &error);
            if load.shape.unsteady.has_money() && is_locale_missing(&error) {
                failure.blame = Blame::Environment;
            }
            load.fail(failure);
            // After a COPY that was refused, the driver and the server may disagree about whose
            // turn it is; a new session also leaves the transaction behind.
            *self = self.place.connect().await?;
            // The rows still come; they are taken and thrown away so that the stream goes on.
            while load.next().await.is_some() {}
        }
        drop(joined);
        self.place.board.settle(load);
        Ok(())
    }

    /// Copies pieces until none is left, or until there is something better to do. The
    /// transaction is ours, since an error at an implicit commit would go unheard.
    async fn copy(
        &self,
        load: &Arc<Load>,
        statement: &str,
        first: Option<&str>,
    ) -> Result<(), postgres::Error> {
        let mut copied = Copied::default();
        let mut next = copied.next(load).await?;
        if next.is_none() {
            return Ok(());
        }
        let first = first.unwrap_or_default();
        // Words of the binary form are read in the session's encoding.
        let encoding = if load.has_binary_form() { "SET LOCAL client_encoding = 'UTF8';" } else { "" };
        self.runner.session().run(&format!("BEGIN; {encoding} {first}")).await?;
        // A COPY has one form: where the form of the pieces changes, another COPY begins.
        while let Some(piece) = next {
            next = self.copy_pieces(load, statement, piece, &mut copied).await?;
        }
        self.runner.session().run("COMMIT").await?;
        load.add(copied.seen, copied.sent);
        Ok(())
    }

    /// One COPY: the piece, and those after it that have the same form. The first that has the
    /// other one is returned.
    async fn copy_pieces(
        &self,
        load: &Arc<Load>,
        statement: &str,
        mut piece: Prepared,
        copied: &mut Copied,
    ) -> Result<Option<Prepared>, postgres::Error> {
        let binary = piece.binary.is_some();
        let mut sent = 0;
        let mut copy = self.runner.session().copy_in(&self.in_form(load, statement, binary)).await?;
        if binary {
            copy.send(Bytes::from_static(binary::HEADER)).await?;
        }
        let other = loop {
            copied.sent.count(binary);
            let (rows, bytes) = (piece.rows, piece.text.len());
            copy.send(piece.binary.unwrap_or(piece.text)).await?;
            sent += rows;
            self.tell_loaded(load, rows, bytes);
            if load.failed() || (load.can_spare_a_connection() && self.place.board.has_other_work()) {
                break None;
            }
            let Some(next) = copied.next(load).await? else { break None };
            piece = next;
            if piece.binary.is_some() != binary {
                break Some(piece);
            }
        };
        if binary {
            copy.send(Bytes::from_static(binary::TRAILER)).await?;
        }
        let taken = copy.finish().await?;
        if sent == taken { Ok(other) } else { Err(miscounted(sent, taken)) }
    }

    /// Only rows of text are in the encoding of the statement, which is the archive's.
    fn in_form(&self, load: &Load, statement: &str, binary: bool) -> String {
        // Frozen rows spare every later reader the question whether they are visible. Only a
        // table that was emptied in this very transaction may have them.
        let freeze = if matches!(load.way, Way::CopyAlone { .. }) { ", FREEZE true" } else { "" };
        if binary {
            return format!("{statement} WITH (FORMAT binary{freeze})");
        }
        let encoding = quote_literal(self.place.toc.encoding.name());
        format!("{statement} WITH (ENCODING {encoding}{freeze})")
    }

    /// One transaction for the entry; each object's content is one row of the hash.
    async fn write_large_objects(&self, load: &Load) -> Result<(), postgres::Error> {
        self.runner.session().run("BEGIN").await?;
        let written = self.write_pieces(load).await;
        self.runner.session().run(if written.is_ok() { "COMMIT" } else { "ROLLBACK" }).await?;
        written
    }

    async fn write_pieces(&self, load: &Load) -> Result<(), postgres::Error> {
        let put = self.runner.session().client().prepare("SELECT pg_catalog.lo_put($1, $2, $3)").await;
        let put =
            put.map_err(|error| postgres::Error::of_driver("prepare to write large objects", &error))?;
        let mut sum = crate::restore::large_objects::Sum::default();
        while let Some(piece) = load.next().await {
            let Piece::LargeObject { oid, offset, bytes } = piece else { continue };
            if offset == 0 {
                sum.begin(oid);
            }
            sum.update(&bytes);
            let at = i64::try_from(offset).unwrap_or(i64::MAX);
            if !bytes.is_empty() {
                let written =
                    self.runner.session().client().execute(&put, &[&oid, &at, &bytes.as_ref()]).await;
                written.map_err(|error| postgres::Error::of_driver("write a large object", &error))?;
            }
            // They are counted in bytes alone: no row of a table is among them.
            self.tell_loaded(load, 0, bytes.len());
        }
        load.add(RowsSeen { hash: sum.finish(), ..RowsSeen::default() }, Sent::default());
        Ok(())
    }

    fn tell_loaded(&self, load: &Load, rows: u64, bytes: usize) {
        self.place.events.emit(EventKind::RowsLoaded { table: load.name.clone(), rows, bytes: bytes as u64 });
    }
}

/// An amount of money that is written as no locale of this server writes one.
fn is_locale_missing(error: &postgres::Error) -> bool {
    matches!(error.sqlstate(), Some("22P02" | "22003")) && error.to_string().contains("money")
}

/// The server took another number of rows than were sent: nothing it says can be believed.
fn miscounted(sent: u64, taken: u64) -> postgres::Error {
    let what = format!("load rows: {sent} rows were sent and the server took {taken}");
    postgres::Error::new(postgres::Kind::Protocol, what)
}
