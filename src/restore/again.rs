//! The rows of a few tables, read out of the archive once more.

use std::collections::{HashMap, VecDeque};
use std::io;

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use crate::archive::{Piece, PieceSource, RowReader, Walker, decode};
use crate::restore::Error;
use crate::restore::input::Input;
use crate::restore::stream::{Body, Opened};

/// Rows are decoded in pieces of about this size.
const PIECE_BYTES: usize = 256 * 1024;

/// Reads the archive on to the last of the `wanted` entries, and shows each row of theirs,
/// without its newline, beside what is wanted of its entry. False if it is a script, of which
/// nothing is read.
///
/// # Errors
/// The store would not give the bytes, or they are damaged.
///
/// # Cancel safety
/// Dropped, it ends at the next part of the download.
pub async fn rows_again<F>(opened: Opened, wanted: HashMap<u32, usize>, see: F) -> Result<bool, Error>
where
    F: FnMut(usize, &[u8]) + Send + 'static,
{
    let cancel = CancellationToken::new();
    let _guard = cancel.clone().drop_guard();
    let runtime = Handle::current();
    let reading = tokio::task::spawn_blocking(move || {
        let compression = opened.toc.header.compression;
        let Body::Blocks { walker, rest } = opened.body else { return Ok(false) };
        let (first, input) = (VecDeque::from([rest]), opened.input);
        let mut blocks = Blocks { walker: *walker, input, first, pieces: VecDeque::new(), runtime, cancel };
        read(&mut blocks, compression, wanted, see).map(|()| true)
    });
    reading.await.unwrap_or_else(|_| Err(Error::lost("the second reading of the archive")))
}

fn read<F: FnMut(usize, &[u8])>(
    blocks: &mut Blocks,
    compression: crate::archive::Compression,
    mut wanted: HashMap<u32, usize>,
    mut see: F,
) -> Result<(), Error> {
    while !wanted.is_empty() {
        let Some(piece) = blocks.next()? else { return Ok(()) };
        let Piece::TableData { id } = piece else { continue };
        let Some(table) = wanted.remove(&id) else { continue };
        let stream = PieceSource::new(Chunks { blocks, over: false });
        let decoded = decode(compression, stream).map_err(|error| Error::archive(&error))?;
        let mut rows = RowReader::new(decoded, PIECE_BYTES);
        while let Some(piece) = rows.next_piece().map_err(|error| Error::archive(&error))? {
            let lines = piece.strip_suffix(b"\n").unwrap_or(&piece);
            lines.split(|byte| *byte == b'\n').for_each(|row| see(table, row));
        }
    }
    Ok(())
}

/// What comes behind the table of contents, piece by piece.
struct Blocks {
    walker: Walker,
    input: Input,
    first: VecDeque<Bytes>,
    pieces: VecDeque<Piece>,
    runtime: Handle,
    cancel: CancellationToken,
}

impl Blocks {
    fn next(&mut self) -> Result<Option<Piece>, Error> {
        loop {
            if let Some(piece) = self.pieces.pop_front() {
                return Ok(Some(piece));
            }
            if self.cancel.is_cancelled() {
                return Err(Error::lost("the second reading of the archive"));
            }
            let part = match self.first.pop_front() {
                Some(part) => Some(part),
                None => self.runtime.block_on(self.input.next())?,
            };
            let Some(part) = part else { return Ok(None) };
            let mut pieces = Vec::new();
            self.walker.push(part, &mut pieces).map_err(|error| Error::archive(&error))?;
            self.pieces.extend(pieces);
        }
    }
}

/// The chunks of the block that is open.
struct Chunks<'a> {
    blocks: &'a mut Blocks,
    over: bool,
}

impl Iterator for Chunks<'_> {
    type Item = io::Result<Bytes>;

    fn next(&mut self) -> Option<io::Result<Bytes>> {
        if self.over {
            return None;
        }
        match self.blocks.next() {
            Ok(Some(Piece::Chunk(chunk))) => Some(Ok(chunk)),
            Ok(Some(Piece::BlockEnd)) => {
                self.over = true;
                None
            }
            Ok(_) => Some(Err(io::ErrorKind::UnexpectedEof.into())),
            Err(error) => Some(Err(io::Error::other(error.reason().detail))),
        }
    }
}
