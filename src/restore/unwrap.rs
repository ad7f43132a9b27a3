//! The layers around an archive, undone on a thread of their own.
//!
//! One task reads and sums, one thread undoes; whoever asks decodes further. All queues
//! between them are bounded. The task reads on to the end of the object whatever becomes of
//! the layers, since its digest is wanted all the same.

use std::io::{self, Read as _};
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio_util::task::AbortOnDropHandle;

use crate::archive::{self, Keys, Layer, Limits, PieceSource, unwrap};
use crate::restore::Error;
use crate::restore::input::Summed;
use crate::verdict::Blame;

/// Unwrapped bytes are handed over in pieces of this size.
const PIECE_BYTES: usize = 256 * 1024;
/// Pieces that wait to be taken, at most.
const PIECES_WAITING_MAX: usize = 8;
/// Stored parts that wait to be undone, at most.
const PARTS_WAITING_MAX: usize = 1;

/// An object of which the layers are being undone.
pub struct Unwrapping {
    given: Receiver<Message>,
    summing: AbortOnDropHandle<(Summed, Result<(), Error>)>,
    /// How the layers ended, once they have.
    ended: Option<Result<(), Error>>,
}

/// What comes of it next.
pub enum Given {
    /// The next bytes from inside.
    Bytes(Bytes),
    /// What is known of the layers by now.
    Layers(Vec<Layer>),
    /// Nothing more: the sums over the whole object, and what ended it; or why there are none.
    End(Result<(Box<Summed>, Result<(), Error>), Error>),
}

enum Message {
    Bytes(Bytes),
    Layers(Vec<Layer>),
    Fault(archive::Error),
    End,
}

impl Unwrapping {
    /// Begins behind the first part of `summed`. Must be called inside the runtime.
    pub fn start(first: Bytes, summed: Summed, keys: Arc<Keys>) -> Unwrapping {
        let (parts, taken) = mpsc::channel(PARTS_WAITING_MAX);
        let (pieces, given) = mpsc::channel(PIECES_WAITING_MAX);
        tokio::task::spawn_blocking(move || undo(first, taken, &keys, &pieces));
        let summing = AbortOnDropHandle::new(tokio::spawn(sum(summed, parts)));
        Unwrapping { given, summing, ended: None }
    }

    /// What comes next.
    ///
    /// # Cancel safety
    /// A call that is dropped while it waits loses nothing.
    pub async fn next(&mut self) -> Given {
        while self.ended.is_none() {
            self.ended = Some(match self.given.recv().await {
                Some(Message::Bytes(bytes)) => return Given::Bytes(bytes),
                Some(Message::Layers(layers)) => return Given::Layers(layers),
                Some(Message::End) => Ok(()),
                Some(Message::Fault(error)) => {
                    let from_store = matches!(error, archive::Error::Source(_));
                    let error = Error::archive(&error);
                    if error.reason().code.blame() == Blame::Environment && !from_store {
                        return Given::End(Err(error));
                    }
                    Err(error)
                }
                None => Err(Error::lost("the undoing of the layers around the archive")),
            });
        }
        let summed = (&mut self.summing).await;
        let ended = self.ended.take().unwrap_or(Ok(()));
        Given::End(match summed {
            Ok((summed, Ok(()))) => Ok((Box::new(summed), ended)),
            Ok((_, Err(store))) => Err(store),
            Err(_) => Err(Error::lost("the reading of the object")),
        })
    }
}

/// Reads to the end of the object and sums, and hands over as long as somebody takes.
async fn sum(mut summed: Summed, parts: Sender<Result<Bytes, ()>>) -> (Summed, Result<(), Error>) {
    loop {
        match summed.next().await {
            Ok(Some(part)) => {
                // A thread that has given up has told why.
                let _ = parts.send(Ok(part)).await;
            }
            Ok(None) => return (summed, Ok(())),
            Err(error) => {
                let _ = parts.send(Err(())).await;
                return (summed, Err(error));
            }
        }
    }
}

/// The parts of an object as they come from the task of the sums.
struct Parts {
    first: Option<Bytes>,
    taken: Receiver<Result<Bytes, ()>>,
}

impl Iterator for Parts {
    type Item = io::Result<Bytes>;

    fn next(&mut self) -> Option<io::Result<Bytes>> {
        if let Some(first) = self.first.take() {
            return Some(Ok(first));
        }
        let part = self.taken.blocking_recv()?;
        Some(part.map_err(|()| io::Error::other("the store gave no more")))
    }
}

/// The thread: undoes the layers, and tells how it ended.
fn undo(first: Bytes, taken: Receiver<Result<Bytes, ()>>, keys: &Keys, pieces: &Sender<Message>) {
    let source = PieceSource::new(Parts { first: Some(first), taken });
    let ended = match undo_all(source, keys, pieces) {
        Ok(()) => Message::End,
        Err(error) => Message::Fault(error),
    };
    // Whoever asked may be gone.
    let _ = pieces.blocking_send(ended);
}

fn undo_all(source: PieceSource<Parts>, keys: &Keys, pieces: &Sender<Message>) -> Result<(), archive::Error> {
    let mut unwrapped = unwrap(source, keys, Limits::default())?;
    if pieces.blocking_send(Message::Layers(unwrapped.layers())).is_err() {
        return Ok(());
    }
    loop {
        let mut piece = Vec::with_capacity(PIECE_BYTES);
        let whole = unwrapped.by_ref().take(PIECE_BYTES as u64).read_to_end(&mut piece);
        let count = piece.len();
        if count > 0 && pieces.blocking_send(Message::Bytes(piece.into())).is_err() {
            return Ok(());
        }
        whole.map_err(archive::Error::from_io)?;
        if count < PIECE_BYTES {
            // Whoever asked may be gone.
            let _ = pieces.blocking_send(Message::Layers(unwrapped.layers()));
            return Ok(());
        }
    }
}
