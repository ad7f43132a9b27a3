//! One connection to the scratch: it takes rows when there are rows, and entries otherwise.

use std::sync::Arc;

use crate::archive::Toc;
use crate::event::{EventKind, Events};
use crate::postgres::{self, Session, quote_literal};
use crate::restore::Error;
use crate::restore::board::{Board, Work};
use crate::restore::entry::{EntryRunner, is_fatal};
use crate::restore::error::Failure;
use crate::restore::load::{Load, Piece, Way};
use crate::restore::policy::builds_index;
use crate::restore::roles::Roles;
use crate::restore::shape::RowsSeen;
use crate::restore::spans::Kind;

/// What a connection works with.
pub struct Connection<'a> {
    /// The table of contents.
    pub toc: &'a Toc,
    /// What there is to do.
    pub board: &'a Board,
    /// Its session, which has had its preamble.
    pub session: &'a Session,
    /// Roles that turn out to be missing.
    pub roles: &'a Roles,
    /// The drill's voice.
    pub events: &'a Events,
}

impl Connection<'_> {
    /// Works until nothing is left.
    ///
    /// # Errors
    /// The scratch server is gone. What it refuses goes to the board, entry by entry.
    pub async fn work(&self) -> Result<(), Error> {
        let mut runner = EntryRunner::new(self.toc, self.session, self.roles);
        while let Some(work) = self.board.next().await {
            match work {
                Work::Load(load) => self.load(&load).await?,
                Work::Entry(id) => self.entry(&mut runner, id).await?,
            }
        }
        Ok(())
    }

    async fn entry(&self, runner: &mut EntryRunner<'_>, id: u32) -> Result<(), Error> {
        let Some(entry) = self.toc.entry(id) else { return Err(Error::lost("an entry of the schedule")) };
        let began = self.board.elapsed();
        let (kind, name): (Arc<str>, Arc<str>) = (entry.kind.as_str().into(), entry.qualified_name().into());
        self.events.emit(EventKind::EntryStarted { kind: kind.clone(), name: name.clone() });
        let ran = runner.run(entry).await;
        if builds_index(entry) {
            self.board.note(Kind::Index, began);
        } else if entry.kind.ends_with("CONSTRAINT") {
            self.board.note(Kind::Constraint, began);
        }
        let failure = match ran {
            Ok(()) => None,
            Err(error) if is_fatal(&error) => return Err(Error::postgres(&error)),
            Err(error) => Some(Failure::new(entry, &error)),
        };
        self.events.emit(EventKind::EntryFinished { kind, name });
        self.board.finish_entry(id, failure);
        Ok(())
    }

    async fn load(&self, load: &Arc<Load>) -> Result<(), Error> {
        let began = self.board.elapsed();
        let joined = load.join();
        let put = match &load.way {
            Way::Copy { statement } => self.copy(load, statement, None).await,
            Way::CopyAlone { statement, truncate } => self.copy(load, statement, Some(truncate)).await,
            Way::Statements => self.insert(load).await,
            Way::LargeObjects => self.write_large_objects(load).await,
        };
        self.board.note(Kind::Load, began);
        if let Err(error) = put {
            if is_fatal(&error) {
                return Err(Error::postgres(&error));
            }
            if let Some(entry) = self.toc.entry(load.entry) {
                load.fail(Failure::new(entry, &error));
            }
            // The rows still come; they are taken and thrown away so that the stream goes on.
            while load.next().await.is_some() {}
        }
        drop(joined);
        self.board.settle(load);
        Ok(())
    }

    /// Copies pieces until none is left, or until there is something better to do. The
    /// transaction is ours, since an error at an implicit commit would go unheard.
    async fn copy(&self, load: &Load, statement: &str, first: Option<&str>) -> Result<(), postgres::Error> {
        let Some(piece) = load.next().await else { return Ok(()) };
        let encoding = quote_literal(self.toc.encoding.name());
        let first = first.unwrap_or_default();
        self.session.run(&format!("BEGIN; SET LOCAL client_encoding = {encoding}; {first}")).await?;
        match self.copy_pieces(load, statement, piece).await {
            Ok(seen) => {
                self.session.run("COMMIT").await?;
                load.add(seen, 0);
                Ok(())
            }
            Err(error) if is_fatal(&error) => Err(error),
            Err(error) => {
                self.session.run("ROLLBACK").await?;
                Err(error)
            }
        }
    }

    async fn copy_pieces(
        &self,
        load: &Load,
        statement: &str,
        piece: Piece,
    ) -> Result<RowsSeen, postgres::Error> {
        let mut copy = self.session.copy_in(statement).await?;
        let mut seen = RowsSeen::default();
        let mut next = Some(piece);
        while let Some(Piece::Rows(rows)) = next {
            let before = seen.hash.rows();
            load.shape.take(&rows, &mut seen);
            let bytes = rows.len();
            copy.send(rows).await?;
            self.tell_loaded(load, seen.hash.rows() - before, bytes);
            if load.failed() || (load.can_spare_a_connection() && self.board.has_other_work()) {
                break;
            }
            next = load.next().await;
        }
        let copied = copy.finish().await?;
        if copied == seen.hash.rows() { Ok(seen) } else { Err(miscounted(seen.hash.rows(), copied)) }
    }

    async fn insert(&self, load: &Load) -> Result<(), postgres::Error> {
        while let Some(piece) = load.next().await {
            if let Piece::Statements { sql, rows } = piece {
                self.session.run(&sql).await?;
                load.add(RowsSeen::default(), rows);
                self.tell_loaded(load, rows, sql.len());
            }
        }
        Ok(())
    }

    /// One transaction for the entry; each object's content is one row of the hash.
    async fn write_large_objects(&self, load: &Load) -> Result<(), postgres::Error> {
        self.session.run("BEGIN").await?;
        let written = self.write_pieces(load).await;
        self.session.run(if written.is_ok() { "COMMIT" } else { "ROLLBACK" }).await?;
        written
    }

    async fn write_pieces(&self, load: &Load) -> Result<(), postgres::Error> {
        let put = self.session.client().prepare("SELECT pg_catalog.lo_put($1, $2, $3)").await;
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
                let written = self.session.client().execute(&put, &[&oid, &at, &bytes.as_ref()]).await;
                written.map_err(|error| postgres::Error::of_driver("write a large object", &error))?;
            }
            self.tell_loaded(load, u64::from(offset == 0), bytes.len());
        }
        load.add(RowsSeen { hash: sum.finish(), ..RowsSeen::default() }, 0);
        Ok(())
    }

    fn tell_loaded(&self, load: &Load, rows: u64, bytes: usize) {
        self.events.emit(EventKind::RowsLoaded { table: load.name.clone(), rows, bytes: bytes as u64 });
    }
}

/// The server took another number of rows than were sent: nothing it says can be believed.
fn miscounted(sent: u64, taken: u64) -> postgres::Error {
    let what = format!("load rows: {sent} rows were sent and the server took {taken}");
    postgres::Error::new(postgres::Kind::Protocol, what)
}
