//! One table's rows on their way: filled by a decoder thread, emptied by connections.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::archive::InsertColumn;
use crate::restore::binary::Columns;
use crate::restore::error::Failure;
use crate::restore::shape::{RowShape, RowsSeen};

/// Pieces of one table that wait for a connection, at most; with their size it bounds memory.
const PIECES_WAITING_MAX: usize = 8;

/// The same of those that are prepared, and so twice as large.
const PREPARED_WAITING_MAX: usize = 4;

/// Pieces that may fall back to text before it is asked whether converting pays at all.
const FALLEN_BACK_MIN: usize = 8;

/// What a decoder hands to a connection.
#[derive(Debug)]
pub enum Piece {
    /// Whole rows of COPY text.
    Rows(Bytes),
    /// The same, ready to be sent and seen already.
    Prepared(Box<Prepared>),
    /// A stretch of a large object.
    LargeObject {
        /// Which.
        oid: u32,
        /// Where in it the stretch lies.
        offset: u64,
        /// The stretch; empty for an empty object.
        bytes: Bytes,
    },
}

/// A piece of rows as it is sent: in the binary form where every value has one, else as text.
#[derive(Debug)]
pub struct Prepared {
    /// The rows as the archive holds them, which is what is hashed.
    pub text: Bytes,
    /// The same in the binary form.
    pub binary: Option<Bytes>,
    /// How many rows they are.
    pub rows: u64,
}

/// How many pieces were sent in which form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// In the binary form.
    pub binary: u64,
    /// As text.
    pub text: u64,
}

impl Sent {
    /// Counts one more piece.
    pub fn count(&mut self, binary: bool) {
        *(if binary { &mut self.binary } else { &mut self.text }) += 1;
    }
}

/// How the rows are put into the table.
#[derive(Clone, Debug)]
pub enum Way {
    /// `COPY … FROM stdin` over as many connections as there are pieces for.
    Copy {
        /// The statement, made by us from the parsed one.
        statement: String,
    },
    /// The same over one connection, in one transaction with a TRUNCATE, which spares the log.
    CopyAlone {
        /// The statement, made by us from the parsed one.
        statement: String,
        /// `TRUNCATE TABLE ONLY …`.
        truncate: String,
    },
    /// Large objects over one connection, in one transaction.
    LargeObjects,
}

/// What is decided about the rows of one entry, before the stream begins.
#[derive(Debug)]
pub struct Planned {
    /// The qualified name of the table.
    pub name: Arc<str>,
    /// How its rows are put.
    pub way: Way,
    /// What is known of its columns.
    pub shape: RowShape,
    /// The columns of a table whose rows stand in INSERT statements.
    pub inserted: Option<Vec<InsertColumn>>,
    /// The columns, where each has a binary form that is used.
    pub columns: Option<Columns>,
    /// The stored size of its rows, where the archive tells.
    pub stored_bytes: Option<u64>,
}

impl Planned {
    /// Large objects of that stored size.
    pub fn large_objects(stored_bytes: Option<u64>) -> Planned {
        Planned {
            name: "large objects".into(),
            way: Way::LargeObjects,
            shape: RowShape::default(),
            inserted: None,
            columns: None,
            stored_bytes,
        }
    }
}

/// One entry of the stream, from its first piece to its last.
#[derive(Debug)]
pub struct Load {
    /// The entry's id in the table of contents.
    pub entry: u32,
    /// The qualified name of the table.
    pub name: Arc<str>,
    /// How its rows are put.
    pub way: Way,
    /// What is known of its columns.
    pub shape: RowShape,
    /// The columns of a table whose rows stand in INSERT statements.
    pub inserted: Option<Vec<InsertColumn>>,
    columns: Option<Columns>,
    converted: AtomicUsize,
    fallen_back: AtomicUsize,
    queue: tokio::sync::Mutex<mpsc::Receiver<Piece>>,
    waiting: AtomicUsize,
    /// Bytes of its rows that were handed over.
    handed_bytes: AtomicU64,
    /// Bytes of its rows as they are stored, where the archive tells.
    stored_bytes: u64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    connections: usize,
    source_over: bool,
    seen: RowsSeen,
    sent: Sent,
    failure: Option<Failure>,
    closed: bool,
}

/// What came of a load.
#[derive(Debug)]
pub struct Loaded {
    /// What was seen of the rows.
    pub seen: RowsSeen,
    /// In which form they were sent.
    pub sent: Sent,
    /// Why it failed, if it did.
    pub failure: Option<Failure>,
}

/// The end of a load that the decoder holds.
#[derive(Debug)]
pub struct Feed {
    load: Arc<Load>,
    sender: mpsc::Sender<Piece>,
    seen: RowsSeen,
}

impl Feed {
    /// Hands a piece over, and waits while too many are waiting. `false`: nobody wants it,
    /// because the restore is over.
    pub async fn push(&self, piece: Piece, cancel: &CancellationToken) -> bool {
        self.load.waiting.fetch_add(1, Ordering::SeqCst);
        tokio::select! {
            sent = self.sender.send(piece) => sent.is_ok(),
            () = cancel.cancelled() => false,
        }
    }

    /// Whole rows of COPY text as they are handed over. Where one connection takes them all it
    /// has enough to do with sending them: they are made ready before, by the thread that decodes.
    /// Where there are several, each does it for those that it takes.
    pub fn rows(&mut self, rows: Bytes) -> Piece {
        self.load.handed_bytes.fetch_add(rows.len() as u64, Ordering::Relaxed);
        match self.load.way {
            Way::CopyAlone { .. } => Piece::Prepared(self.load.prepare(rows, &mut self.seen).into()),
            _ => Piece::Rows(rows),
        }
    }

    /// The load that is fed.
    pub fn load(&self) -> &Arc<Load> {
        &self.load
    }

    /// Everything was handed over.
    pub fn finish(self) {
        let mut state = self.load.state();
        state.seen.merge(self.seen);
        state.source_over = true;
    }
}

impl Load {
    /// A load and the end by which it is fed.
    pub fn open(entry: u32, planned: Planned) -> (Arc<Load>, Feed) {
        let Planned { name, way, shape, inserted, columns, stored_bytes } = planned;
        let waiting_max = match way {
            Way::CopyAlone { .. } => PREPARED_WAITING_MAX,
            _ => PIECES_WAITING_MAX,
        };
        let (sender, receiver) = mpsc::channel(waiting_max);
        let load = Arc::new(Load {
            entry,
            name,
            way,
            shape,
            inserted,
            columns,
            converted: AtomicUsize::new(0),
            fallen_back: AtomicUsize::new(0),
            queue: tokio::sync::Mutex::new(receiver),
            waiting: AtomicUsize::new(0),
            handed_bytes: AtomicU64::new(0),
            stored_bytes: stored_bytes.unwrap_or(0),
            state: Mutex::new(State::default()),
        });
        (load.clone(), Feed { load, sender, seen: RowsSeen::default() })
    }

    /// Whether one more connection would have something to do.
    pub fn wants_connection(&self) -> bool {
        let state = self.state();
        let room = matches!(self.way, Way::Copy { .. }) || state.connections == 0;
        room && self.waiting.load(Ordering::SeqCst) > 0
    }

    /// Connections that take pieces of it.
    pub fn connections(&self) -> usize {
        self.state().connections
    }

    /// Bytes of rows that it has at least.
    pub fn rows_bytes_min(&self) -> u64 {
        self.handed_bytes.load(Ordering::Relaxed).max(self.stored_bytes)
    }

    /// A connection joins. The guard leaves when dropped.
    pub fn join(self: &Arc<Load>) -> Joined {
        self.state().connections += 1;
        Joined { load: self.clone() }
    }

    /// The next piece; none when all were taken.
    pub async fn next(&self) -> Option<Piece> {
        let piece = self.queue.lock().await.recv().await;
        if piece.is_some() {
            self.waiting.fetch_sub(1, Ordering::SeqCst);
        }
        piece
    }

    /// Whether nothing waits and another connection is there to take what comes.
    pub fn can_spare_a_connection(&self) -> bool {
        self.waiting.load(Ordering::SeqCst) == 0 && self.state().connections > 1
    }

    /// Whether the binary form is used at all.
    pub fn has_binary_form(&self) -> bool {
        self.columns.is_some()
    }

    /// The piece as it is sent, when it was added to what was seen before.
    pub fn prepare(&self, text: Bytes, seen: &mut RowsSeen) -> Prepared {
        let rows_before = seen.hash.rows();
        // The text is hashed in either form, and compared with text that the server writes.
        self.shape.take(&text, seen);
        let binary = self.columns.as_ref().filter(|_| self.converting_pays());
        let binary = binary.and_then(|columns| {
            let converted = columns.convert(&text);
            let counter = if converted.is_some() { &self.converted } else { &self.fallen_back };
            counter.fetch_add(1, Ordering::Relaxed);
            converted.map(Bytes::from)
        });
        Prepared { text, binary, rows: seen.hash.rows() - rows_before }
    }

    /// A table full of odd values is not converted in vain to its end.
    fn converting_pays(&self) -> bool {
        let fallen_back = self.fallen_back.load(Ordering::Relaxed);
        fallen_back < FALLEN_BACK_MIN || fallen_back < self.converted.load(Ordering::Relaxed)
    }

    /// Adds what a connection saw, and in which form it was sent.
    pub fn add(&self, seen: RowsSeen, sent: Sent) {
        let mut state = self.state();
        state.seen.merge(seen);
        state.sent.binary += sent.binary;
        state.sent.text += sent.text;
    }

    /// The first failure stands for all that follow from it.
    pub fn fail(&self, failure: Failure) {
        self.state().failure.get_or_insert(failure);
    }

    /// Whether what still comes is thrown away.
    pub fn failed(&self) -> bool {
        self.state().failure.is_some()
    }

    /// The outcome, once: when the source is over, nothing waits and every connection has left.
    pub fn take_outcome(&self) -> Option<Loaded> {
        let mut state = self.state();
        let over = state.source_over && state.connections == 0 && self.waiting.load(Ordering::SeqCst) == 0;
        if !over || state.closed {
            return None;
        }
        state.closed = true;
        let failure = state.failure.take();
        Some(Loaded { seen: std::mem::take(&mut state.seen), sent: state.sent, failure })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection's place at a load.
#[derive(Debug)]
pub struct Joined {
    load: Arc<Load>,
}

impl Drop for Joined {
    fn drop(&mut self) {
        self.load.state().connections -= 1;
    }
}
