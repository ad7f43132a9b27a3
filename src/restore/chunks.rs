//! The compressed chunks of one stream, as they come from the reading thread, as a reader.

use std::io;
use std::sync::mpsc::Receiver;

use bytes::Bytes;

use crate::archive::{Compression, PieceSource};

/// What the reading thread tells a decoder.
#[derive(Debug)]
pub enum Message {
    /// A large object begins.
    LargeObject {
        /// Which.
        oid: u32,
        /// How its stream is compressed.
        compression: Compression,
    },
    /// The next bytes of the compressed stream.
    Chunk(Bytes),
    /// The large object's stream is over.
    End,
    /// The block is over.
    BlockEnd,
}

/// The chunks of one stream, up to its end. An end without a word is an error: the archive was
/// cut, or the restore is over.
pub struct Chunks<'a> {
    first: Option<Bytes>,
    receiver: &'a Receiver<Message>,
    over: bool,
}

/// A stream as a reader.
pub type Stream<'a> = PieceSource<Chunks<'a>>;

/// The stream that comes next.
pub fn stream(receiver: &Receiver<Message>) -> Stream<'_> {
    PieceSource::new(Chunks { first: None, receiver, over: false })
}

/// The stream that goes on behind its first chunk.
pub fn stream_behind(first: Bytes, receiver: &Receiver<Message>) -> Stream<'_> {
    PieceSource::new(Chunks { first: Some(first), receiver, over: false })
}

impl Iterator for Chunks<'_> {
    type Item = io::Result<Bytes>;

    fn next(&mut self) -> Option<io::Result<Bytes>> {
        if self.over {
            return None;
        }
        if let Some(first) = self.first.take() {
            return Some(Ok(first));
        }
        match self.receiver.recv() {
            Ok(Message::Chunk(chunk)) => Some(Ok(chunk)),
            Ok(Message::End | Message::BlockEnd) => {
                self.over = true;
                None
            }
            Ok(Message::LargeObject { .. }) => Some(Err(io::Error::other("a stream begins inside another"))),
            Err(_) => Some(Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the stream was cut"))),
        }
    }
}
