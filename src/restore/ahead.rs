//! Readers that run ahead of the one that goes through the archive in order, so that several
//! tables are loaded at once.
//!
//! A block that they take is read twice: by one of them for its rows, and in its place for the
//! digest of the object. Both sum it, and the restore holds only where the sums are equal. They
//! begin only while the store could give twice what is taken and connections have nothing to do.

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::archive::{BlockWalker, DataPosition, Piece, Toc};
use crate::plan::TablesAtOnce;
use crate::restore::Error;
use crate::restore::board::Board;
use crate::restore::claims::Claims;
use crate::restore::input::Input;
use crate::restore::stream::Reader;
use crate::store::{Connections, Download, Tuning};

/// Parts of this size, and so many at once, are what each of these readers holds of memory.
const TUNING: Tuning = Tuning { connections: Connections::Pinned(4), part_bytes: 1 << 20 };

/// A block with fewer stored bytes is not worth a reader of its own.
const BLOCK_BYTES_MIN: u64 = 1 << 20;

/// The readers that run ahead in one archive.
pub struct Ahead {
    board: Arc<Board>,
    claims: Arc<Claims>,
    toc: Arc<Toc>,
    /// Asked for nothing itself: others are opened beside it.
    object: Download,
    bytes: u64,
    tables: TablesAtOnce,
}

/// Where a block of rows lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    id: u32,
    begin: u64,
    end: u64,
}

impl Ahead {
    /// Readers for as many tables beside the one of `input`; none where the archive is inside of
    /// something else. Its size is `bytes`.
    pub fn beside(
        input: &Input,
        board: &Arc<Board>,
        claims: &Arc<Claims>,
        toc: &Arc<Toc>,
        bytes: u64,
        tables: TablesAtOnce,
    ) -> Option<Ahead> {
        let object = input.beside(0..0, TUNING).filter(|_| tables.most > 1)?;
        let (board, claims, toc) = (board.clone(), claims.clone(), toc.clone());
        Some(Ahead { board, claims, toc, object, bytes, tables })
    }

    /// Loads tables as long as connections wait for some. Blocks; runs on a thread.
    ///
    /// # Errors
    /// The store would not give the bytes, or the archive is damaged.
    pub fn run(self) -> Result<(), Error> {
        let places = places(&self.toc, self.bytes);
        let ran = if places.is_empty() { self.walk() } else { self.jump(places) };
        match ran {
            // What a reader meets after the end of all is a consequence.
            Err(_) if self.board.halted().is_some() => Ok(()),
            ran => ran.inspect_err(|error| self.board.halt(error.clone())),
        }
    }

    /// Where the archive tells where its blocks are: the largest of them first.
    fn jump(&self, mut places: Vec<Place>) -> Result<(), Error> {
        places.sort_by_key(|place| place.end - place.begin);
        let mut readings: Vec<JoinHandle<Result<(), Error>>> = Vec::new();
        let runtime = Handle::current();
        let mut read = Ok(());
        while read.is_ok() && runtime.block_on(self.board.spare(self.tables.pinned)) {
            places.retain(|place| self.claims.is_free(place.id));
            let Some(place) = places.pop() else { break };
            match Reading::begin(self, place) {
                Ok(reading) => readings.push(runtime.spawn_blocking(move || reading.run())),
                Err(error) => read = Err(error),
            }
            if readings.len() + 1 >= self.tables.most {
                read = read.and(runtime.block_on(first_of(&mut readings)));
            }
        }
        while !readings.is_empty() {
            read = read.and(runtime.block_on(first_of(&mut readings)));
        }
        read
    }

    /// Where it does not: the next that nobody has taken, past those that somebody has.
    fn walk(&self) -> Result<(), Error> {
        let runtime = Handle::current();
        let wanted = || self.toc.entries.iter().any(|entry| self.claims.is_free(entry.id));
        let mut reading: Option<Reading> = None;
        while runtime.block_on(self.board.spare(self.tables.pinned)) && wanted() {
            let reading = reading.get_or_insert_with(|| Reading::of_all(self));
            if !reading.past_a_load()? {
                break;
            }
        }
        Ok(())
    }
}

/// Waits for one of them to be over.
async fn first_of(readings: &mut Vec<JoinHandle<Result<(), Error>>>) -> Result<(), Error> {
    let (read, _, rest) = futures_util::future::select_all(std::mem::take(readings)).await;
    *readings = rest;
    read.unwrap_or_else(|_| Err(Error::lost("the reading ahead")))
}

/// The blocks of rows of which it is known where they begin and end, and which are worth it.
fn places(toc: &Toc, bytes: u64) -> Vec<Place> {
    let stored = toc.stored_bytes(bytes);
    let place = |(id, begin): (u32, u64)| {
        let end = begin.checked_add(*stored.get(&id)?)?;
        (end <= bytes && end - begin >= BLOCK_BYTES_MIN).then_some(Place { id, begin, end })
    };
    let rows = toc.entries.iter().filter(|entry| entry.has_data && !entry.is_large_objects());
    rows.filter_map(|entry| match entry.position {
        DataPosition::At(begin) => place((entry.id, begin)),
        _ => None,
    })
    .collect()
}

/// One of the readers at work.
struct Reading {
    reader: Reader,
    board: Arc<Board>,
    claims: Arc<Claims>,
    walker: BlockWalker,
    download: Download,
}

impl Reading {
    /// Of one block, which is opened before this returns.
    fn begin(ahead: &Ahead, place: Place) -> Result<Reading, Error> {
        let walker = BlockWalker::of_block(&ahead.toc, place.id, place.begin);
        let mut reading = Reading::new(ahead, walker, place.begin..place.end);
        // The block's header says the same again, and is not handed over.
        reading.reader.hand_over(&mut vec![Piece::TableData { id: place.id }])?;
        Ok(reading)
    }

    /// Of everything behind the table of contents.
    fn of_all(ahead: &Ahead) -> Reading {
        let walker = BlockWalker::new(&ahead.toc);
        Reading::new(ahead, walker, ahead.toc.bytes..ahead.bytes)
    }

    fn new(ahead: &Ahead, walker: BlockWalker, range: std::ops::Range<u64>) -> Reading {
        let (board, claims, toc) = (ahead.board.clone(), ahead.claims.clone(), ahead.toc.clone());
        let reader = Reader::ahead(board.clone(), claims.clone(), toc);
        let download = ahead.object.beside(range, TUNING);
        Reading { reader, board, claims, walker, download }
    }

    /// The next pieces; none at the end, or when the restore is over.
    fn next(&mut self) -> Result<Option<Vec<Piece>>, Error> {
        if self.board.halted().is_some() || self.walker.is_done() {
            return Ok(None);
        }
        let Some(part) = self.reader.wait_for(async {
            self.download.next().await.transpose().map_err(|error| Error::store(&error))
        })?
        else {
            return Ok(None);
        };
        self.claims.read_ahead(part.len());
        let mut pieces = Vec::new();
        self.walker.push(part, &mut pieces).map_err(|error| Error::archive(&error))?;
        Ok(Some(pieces))
    }

    fn run(mut self) -> Result<(), Error> {
        while let Some(mut pieces) = self.next()? {
            pieces.retain(|piece| !matches!(piece, Piece::TableData { .. }));
            self.reader.hand_over(&mut pieces)?;
        }
        if self.board.halted().is_some() {
            return Ok(());
        }
        self.walker.finish().map(drop).map_err(|error| Error::archive(&error))
    }

    /// Reads on until rows were handed over to their end; `false` at the end of the archive.
    fn past_a_load(&mut self) -> Result<bool, Error> {
        let mut was_loading = false;
        while let Some(mut pieces) = self.next()? {
            self.reader.hand_over(&mut pieces)?;
            was_loading |= self.reader.is_loading();
            if was_loading && !self.reader.is_loading() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
