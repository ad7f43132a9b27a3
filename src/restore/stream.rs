//! The archive as one stream, read in order: hashed, walked, decoded, handed over.
//!
//! One thread reads, hashes and walks; each open block has a decoder thread of its own. All
//! queues are bounded, so the slowest of network, decoding and server sets the pace. Where that is
//! the server although connections to it have nothing to do, [`Ahead`] reads other blocks for them.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use bytes::Bytes;
use tokio::runtime::Handle;

use crate::archive::{
    Compression, Decoded, InsertColumn, InsertReader, Layer, Piece as Block, RowReader, Toc, Walker, decode,
};
use crate::digest::{Digest, Hasher};
use crate::restore::Error;
use crate::restore::ahead::Ahead;
use crate::restore::board::{Board, Wait};
use crate::restore::chunks::{Message, Stream, stream, stream_behind};
use crate::restore::claims::{Claim, Claims};
use crate::restore::input::Input;
use crate::restore::load::{Feed, Load, Piece, Planned, Way};
use crate::restore::pace::Pace;
use crate::restore::plain::Script;
use crate::restore::spans::Kind;
use crate::verdict::Blame;

/// Rows are cut into pieces of about this size.
const PIECE_BYTES: usize = 256 * 1024;
/// Compressed chunks that wait for a decoder, at most.
const CHUNKS_WAITING_MAX: usize = 4;

/// How the rows of each entry are put, decided before the stream begins.
pub type Ways = std::collections::HashMap<u32, Planned>;

/// What was read.
#[derive(Clone, Debug)]
pub struct Read {
    /// SHA-256 of every stored byte.
    pub digest: Digest,
    /// The checksum that the store keeps, computed over the same bytes.
    pub checksum: Option<String>,
    /// How many they were.
    pub bytes: u64,
    /// Bytes after the last block that belong to nothing.
    pub trailing_bytes: u64,
    /// Bytes that were read a second time, so that several tables could be loaded at once.
    pub read_twice_bytes: u64,
    /// The layers around the archive, outermost first, and what of them was seen to hold.
    pub layers: Vec<Layer>,
}

/// An archive whose table of contents was read, and the rest of which is still to come.
pub struct Opened {
    /// The table of contents.
    pub toc: Arc<Toc>,
    /// The rest of the stream; it has summed everything that was read.
    pub input: Input,
    /// The size of the archive; the largest number where layers around it hide it.
    pub bytes: u64,
    /// What comes behind the table of contents.
    pub body: Body,
}

/// What comes behind a table of contents.
pub enum Body {
    /// Blocks of rows and large objects that the table of contents announces.
    Blocks {
        /// Cuts them.
        walker: Box<Walker>,
        /// What was read of them already.
        rest: Bytes,
    },
    /// The rest of a script, and of the table of contents with it.
    Script(Box<Script>),
}

/// What the reader of a stream is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Task {
    /// To go through it in order.
    Whole,
    /// To take blocks that the other has not come to.
    Ahead,
}

/// A thread that reads.
pub struct Reader {
    board: Arc<Board>,
    claims: Arc<Claims>,
    toc: Arc<Toc>,
    runtime: Handle,
    task: Task,
    /// How the stream that begins next is compressed.
    pub compression: Compression,
    open: Open,
}

/// What happens to the block that is being read.
enum Open {
    /// It is read over.
    Nothing,
    /// It goes to a decoder; and what is read twice is summed.
    Load(SyncSender<Message>, Option<(u32, Hasher)>),
    /// Another reader has taken it, and it is only summed.
    Passed(u32, Hasher),
}

impl Reader {
    /// A reader that hands over to `board`. Must be made inside the runtime.
    pub fn new(board: Arc<Board>, claims: Arc<Claims>, toc: Arc<Toc>) -> Reader {
        let compression = toc.header.compression;
        let (runtime, task, open) = (Handle::current(), Task::Whole, Open::Nothing);
        Reader { board, claims, toc, runtime, task, compression, open }
    }

    /// Another one, that takes blocks before this one comes to them.
    pub fn ahead(board: Arc<Board>, claims: Arc<Claims>, toc: Arc<Toc>) -> Reader {
        Reader { task: Task::Ahead, ..Reader::new(board, claims, toc) }
    }

    /// Reads to the end of the object, whatever happens to its contents: the digest says
    /// whether a second reading would find the same bytes. Blocks; runs on a thread. `ahead` loads
    /// other tables meanwhile.
    ///
    /// # Errors
    /// The store would not give all bytes. What is wrong with the archive goes to the board.
    pub fn run(
        mut self,
        walker: Walker,
        rest: Bytes,
        mut input: Input,
        ahead: Option<Ahead>,
    ) -> Result<Read, Error> {
        let ahead = ahead.map(|ahead| self.runtime.spawn_blocking(move || ahead.run()));
        let read = self.walk(walker, rest, &mut input);
        self.board.order_over();
        if let Some(ahead) = ahead {
            let ran = self.runtime.block_on(ahead);
            let ran = ran.unwrap_or_else(|_| Err(Error::lost("the reading ahead")));
            if let Err(error) = ran.and_then(|()| self.claims.check()) {
                self.halt(error);
            }
        }
        self.board.stream_over();
        let trailing_bytes = read?;
        let read_twice_bytes = self.claims.read_twice_bytes();
        Ok(Read { trailing_bytes, read_twice_bytes, ..input.finish()? })
    }

    /// Reads to the end, and tells how many bytes belong to nothing.
    fn walk(&mut self, walker: Walker, rest: Bytes, input: &mut Input) -> Result<u64, Error> {
        let mut pace = Pace::from(self.board.elapsed());
        let mut walker = Some(walker);
        let mut blocks = Vec::new();
        let mut part = Some(rest);
        while let Some(bytes) = part {
            if let Some(at) = walker.as_mut() {
                let walked = at.push(bytes, &mut blocks).map_err(|error| Error::archive(&error));
                let handed = walked.and_then(|()| self.hand_over(&mut blocks));
                if let Err(error) = handed {
                    walker = None;
                    self.halt(error);
                }
            }
            part = match self.next_part(input, &mut pace) {
                Err(error) if error.reason().code.blame() == Blame::Backup => {
                    walker = None;
                    self.halt(error);
                    self.next_part(input, &mut pace)
                }
                part => part,
            }
            .inspect_err(|error| self.halt(error.clone()))?;
        }
        match walker.map(Walker::finish) {
            Some(Ok(trailer)) => Ok(trailer.unread_bytes),
            Some(Err(error)) => {
                self.halt(Error::archive(&error));
                Ok(0)
            }
            None => Ok(0),
        }
    }

    /// Says why first, and then cuts off the decoder, which could only say that it was.
    pub fn halt(&mut self, error: Error) {
        self.board.halt(error);
        self.open = Open::Nothing;
    }

    fn next_part(&self, input: &mut Input, pace: &mut Pace) -> Result<Option<Bytes>, Error> {
        let began = self.board.elapsed();
        let was_there = input.has_next();
        let part = self.wait_for(input.next())?;
        self.board.waited(Wait::Store, began);
        let waited = if was_there { Duration::ZERO } else { self.board.elapsed().saturating_sub(began) };
        pace.part(part.as_ref().map_or(0, Bytes::len), waited, self.board.elapsed());
        self.board.supplied(pace.supply(input.bytes_per_second()));
        if part.is_some() {
            self.board.note(Kind::Download, began);
        }
        Ok(part)
    }

    /// Waits for the store, unless the restore is over for a reason that no further byte changes.
    ///
    /// # Errors
    /// The store would not give the bytes, or nobody wants them.
    pub fn wait_for<T>(&self, bytes: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        if self.board.halted().is_some_and(|error| error.reason().code.blame() == Blame::Environment) {
            return Err(Error::lost("the restore"));
        }
        self.runtime.block_on(async {
            tokio::select! {
                bytes = bytes => bytes,
                () = self.board.abandoned.cancelled() => Err(Error::lost("the restore")),
            }
        })
    }

    /// Hands what comes next to the decoder of its block.
    ///
    /// # Errors
    /// The restore is over.
    pub fn hand_over(&mut self, blocks: &mut Vec<Block>) -> Result<(), Error> {
        for block in blocks.drain(..) {
            match block {
                Block::LargeObjects { .. } if self.task == Task::Ahead => self.open = Open::Nothing,
                Block::TableData { id } | Block::LargeObjects { id } => self.open = self.open_block(id)?,
                Block::LargeObject { oid } => {
                    let compression = self.compression;
                    self.send(Message::LargeObject { oid, compression });
                }
                Block::Chunk(chunk) => {
                    self.sum(&chunk);
                    self.send(Message::Chunk(chunk));
                }
                Block::LargeObjectEnd => self.send(Message::End),
                Block::BlockEnd => {
                    self.send(Message::BlockEnd);
                    self.block_over();
                }
            }
        }
        Ok(())
    }

    fn sum(&mut self, chunk: &Bytes) {
        if let Open::Load(_, Some((_, hasher))) | Open::Passed(_, hasher) = &mut self.open {
            hasher.update(chunk);
        }
    }

    fn block_over(&mut self) {
        match std::mem::replace(&mut self.open, Open::Nothing) {
            Open::Load(_, Some((id, hasher))) => self.claims.loaded(id, hasher.finish()),
            Open::Passed(id, hasher) => self.claims.passed(id, hasher.finish()),
            Open::Load(_, None) | Open::Nothing => {}
        }
    }

    /// A decoder that has given up is not an error here: it has told the board why.
    fn send(&mut self, message: Message) {
        if let Open::Load(open, _) = &self.open
            && open.send(message).is_err()
        {
            self.open = Open::Nothing;
        }
    }

    /// Decides about a block. One of an entry that nobody wants is read over.
    fn open_block(&mut self, id: u32) -> Result<Open, Error> {
        let (planned, summed) = match self.task {
            Task::Whole => match self.claims.take(id) {
                Claim::Mine(planned) => (*planned, None),
                Claim::Ahead => return Ok(Open::Passed(id, Hasher::default())),
                Claim::Nobodys => return Ok(Open::Nothing),
            },
            Task::Ahead => match self.claims.take_ahead(id) {
                Some(planned) => (planned, Some((id, Hasher::default()))),
                None => return Ok(Open::Nothing),
            },
        };
        let stored_bytes = planned.stored_bytes;
        let (load, feed) = Load::open(id, planned);
        if self.runtime.block_on(self.board.open(load, stored_bytes)).is_none() {
            return Ok(Open::Nothing);
        }
        let (sender, receiver) = sync_channel(CHUNKS_WAITING_MAX);
        let decoder = Decoder {
            feed,
            board: self.board.clone(),
            toc: self.toc.clone(),
            compression: self.compression,
            runtime: self.runtime.clone(),
            began: self.board.elapsed(),
        };
        self.runtime.spawn_blocking(move || decoder.run(receiver));
        Ok(Open::Load(sender, summed))
    }

    /// Whether rows of a block are being handed over.
    pub fn is_loading(&self) -> bool {
        matches!(self.open, Open::Load(..))
    }
}

/// The thread that decodes one block.
struct Decoder {
    feed: Feed,
    board: Arc<Board>,
    toc: Arc<Toc>,
    compression: Compression,
    runtime: Handle,
    began: Duration,
}

impl Decoder {
    fn run(mut self, receiver: Receiver<Message>) {
        let decoded = match self.feed.load().way {
            Way::Copy { .. } | Way::CopyAlone { .. } => match &self.feed.load().inserted {
                None => self.rows(&receiver),
                Some(columns) => {
                    let columns = columns.clone();
                    self.inserts(&receiver, columns)
                }
            },
            Way::LargeObjects => self.large_objects(&receiver),
        };
        self.board.note(Kind::Decode, self.began);
        match decoded {
            Ok(()) => self.board.source_over(self.feed),
            // A restore that is over cuts its decoders off: then this is not the archive's fault.
            Err(_) if self.board.cancel.is_cancelled() => {}
            Err(error) => self.board.halt(error),
        }
    }

    /// Hands a piece over; an error ends a decoder whose restore is over.
    fn push(&self, piece: Piece) -> Result<(), Error> {
        let began = self.board.elapsed();
        let wanted = self.runtime.block_on(self.feed.push(piece, &self.board.cancel));
        self.board.waited(Wait::Server, began);
        self.board.stir();
        if wanted { Ok(()) } else { Err(Error::lost("the restore")) }
    }

    /// The stream that comes next, decompressed.
    fn decoded<'r>(&self, receiver: &'r Receiver<Message>) -> Result<Decoded<Stream<'r>>, Error> {
        decode(self.compression, stream(receiver)).map_err(unreadable)
    }

    fn rows(&mut self, receiver: &Receiver<Message>) -> Result<(), Error> {
        let mut rows = RowReader::new(self.decoded(receiver)?, PIECE_BYTES);
        while let Some(piece) = rows.next_piece().map_err(unreadable)? {
            let rows = self.feed.rows(piece);
            self.push(rows)?;
        }
        Ok(())
    }

    fn inserts(&mut self, receiver: &Receiver<Message>, columns: Vec<InsertColumn>) -> Result<(), Error> {
        let decoded = self.decoded(receiver)?;
        let mut rows = InsertReader::new(decoded, &self.toc, columns, PIECE_BYTES).map_err(unreadable)?;
        while let Some(piece) = rows.next_piece().map_err(unreadable)? {
            let rows = self.feed.rows(piece);
            self.push(rows)?;
        }
        Ok(())
    }

    fn large_objects(&self, receiver: &Receiver<Message>) -> Result<(), Error> {
        loop {
            match receiver.recv() {
                Ok(Message::LargeObject { oid, compression }) => {
                    self.large_object(oid, compression, receiver)?;
                }
                Ok(Message::BlockEnd) => return Ok(()),
                _ => return Err(Error::lost("the reading of large objects")),
            }
        }
    }

    fn large_object(
        &self,
        oid: u32,
        compression: Compression,
        receiver: &Receiver<Message>,
    ) -> Result<(), Error> {
        // An empty object may have no stream at all, not even that of a codec.
        let first = match receiver.recv() {
            Ok(Message::Chunk(chunk)) => chunk,
            Ok(Message::End) => return self.push(Piece::LargeObject { oid, offset: 0, bytes: Bytes::new() }),
            _ => return Err(Error::lost("the reading of large objects")),
        };
        let mut decoded = decode(compression, stream_behind(first, receiver)).map_err(unreadable)?;
        let mut offset = 0;
        loop {
            let mut bytes = Vec::with_capacity(PIECE_BYTES);
            let limit = PIECE_BYTES as u64;
            std::io::Read::read_to_end(&mut std::io::Read::take(&mut decoded, limit), &mut bytes)
                .map_err(|error| unreadable(crate::archive::Error::from_io(error)))?;
            let read = bytes.len();
            if read > 0 || offset == 0 {
                self.push(Piece::LargeObject { oid, offset, bytes: bytes.into() })?;
            }
            offset += read as u64;
            if read < PIECE_BYTES {
                return Ok(());
            }
        }
    }
}

fn unreadable(error: crate::archive::Error) -> Error {
    Error::archive(&error)
}
