//! The rows of a few tables, read out of the archive once more.

use std::collections::{HashMap, VecDeque};
use std::io;

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use crate::archive::{
    Compression, InsertColumn, InsertReader, Item, Piece, PieceSource, RowReader, Toc, Walker, decode,
    insert_as_copy,
};
use crate::restore::input::Input;
use crate::restore::plain::Script;
use crate::restore::shape::reordered;
use crate::restore::stream::{Body, Opened};
use crate::restore::{Archive, Error, Files};

/// Rows are decoded in pieces of about this size.
const PIECE_BYTES: usize = 256 * 1024;

/// An entry whose rows are wanted.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// What is shown beside each of them.
    pub table: usize,
    /// The field that stands at each place, where they are wanted in another order.
    pub order: Option<Vec<usize>>,
    /// The columns of the table, where the rows stand in INSERT statements.
    pub inserted: Option<Vec<InsertColumn>>,
}

/// Reads the archive on to the last of the `wanted` entries, by their ids, and shows each row of
/// theirs as COPY text, without its newline.
///
/// # Errors
/// The store would not give the bytes, or they are damaged.
///
/// # Cancel safety
/// Dropped, it ends at the next part of the download.
pub async fn rows_again<F>(archive: Archive, wanted: HashMap<u32, Wanted>, see: F) -> Result<(), Error>
where
    F: FnMut(usize, &[u8]) + Send + 'static,
{
    let cancel = CancellationToken::new();
    let _guard = cancel.clone().drop_guard();
    let waiting = Waiting { runtime: Handle::current(), cancel };
    let reading = tokio::task::spawn_blocking(move || match archive {
        Archive::Files(files) => read_files(&files, &waiting, &wanted, see),
        Archive::Stream(opened) => match *opened {
            Opened { toc, input, body: Body::Blocks { walker, rest }, .. } => {
                let (first, pieces) = (VecDeque::from([rest]), VecDeque::new());
                let mut blocks = Blocks { walker: *walker, input, first, pieces, waiting };
                read_blocks(&mut blocks, &toc, wanted, see)
            }
            Opened { toc, input, body: Body::Script(script), .. } => {
                read_script(*script, input, &toc, &waiting, wanted, see)
            }
        },
    });
    reading.await.unwrap_or_else(|_| Err(lost()))
}

fn lost() -> Error {
    Error::lost("the second reading of the archive")
}

fn unreadable(error: crate::archive::Error) -> Error {
    Error::archive(&error)
}

/// How a thread waits for the store.
struct Waiting {
    runtime: Handle,
    cancel: CancellationToken,
}

impl Waiting {
    fn wait<T>(&self, bytes: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        self.runtime.block_on(async {
            tokio::select! {
                biased;
                () = self.cancel.cancelled() => Err(lost()),
                bytes = bytes => bytes,
            }
        })
    }
}

impl Wanted {
    /// Shows each row of a piece of whole rows.
    fn show<F: FnMut(usize, &[u8])>(&self, piece: &[u8], see: &mut F) {
        let lines = piece.strip_suffix(b"\n").unwrap_or(piece);
        for row in lines.split(|byte| *byte == b'\n') {
            match &self.order {
                None => see(self.table, row),
                Some(order) => see(self.table, &reordered(row, order)),
            }
        }
    }

    /// Shows each row of a stream.
    fn read<F: FnMut(usize, &[u8])>(
        &self,
        compression: Compression,
        chunks: impl Iterator<Item = io::Result<Bytes>>,
        toc: &Toc,
        see: &mut F,
    ) -> Result<(), Error> {
        let decoded = decode(compression, PieceSource::new(chunks)).map_err(unreadable)?;
        match &self.inserted {
            None => {
                let mut rows = RowReader::new(decoded, PIECE_BYTES);
                while let Some(piece) = rows.next_piece().map_err(unreadable)? {
                    self.show(&piece, see);
                }
            }
            Some(columns) => {
                let columns = columns.clone();
                let mut rows = InsertReader::new(decoded, toc, columns, PIECE_BYTES).map_err(unreadable)?;
                while let Some(piece) = rows.next_piece().map_err(unreadable)? {
                    self.show(&piece, see);
                }
            }
        }
        Ok(())
    }
}

fn read_blocks<F: FnMut(usize, &[u8])>(
    blocks: &mut Blocks,
    toc: &Toc,
    mut wanted: HashMap<u32, Wanted>,
    mut see: F,
) -> Result<(), Error> {
    while !wanted.is_empty() {
        let Some(piece) = blocks.next()? else { return Ok(()) };
        let Piece::TableData { id } = piece else { continue };
        let Some(entry) = wanted.remove(&id) else { continue };
        entry.read(toc.header.compression, Chunks { blocks, over: false }, toc, &mut see)?;
    }
    Ok(())
}

fn read_files<F: FnMut(usize, &[u8])>(
    files: &Files,
    waiting: &Waiting,
    wanted: &HashMap<u32, Wanted>,
    mut see: F,
) -> Result<(), Error> {
    for (id, entry) in wanted {
        let Some((compression, mut download)) = files.table(*id) else { continue };
        let chunks = std::iter::from_fn(|| {
            let next = async { download.next().await.transpose().map_err(|error| Error::store(&error)) };
            waiting.wait(next).map_err(|error| io::Error::other(error.reason().detail)).transpose()
        });
        entry.read(compression, chunks, &files.toc, &mut see)?;
    }
    Ok(())
}

fn read_script<F: FnMut(usize, &[u8])>(
    mut script: Script,
    mut input: Input,
    toc: &Toc,
    waiting: &Waiting,
    mut wanted: HashMap<u32, Wanted>,
    mut see: F,
) -> Result<(), Error> {
    let mut item = script.next.take();
    let mut open: Option<Wanted> = None;
    let mut rows = Vec::new();
    while open.is_some() || !wanted.is_empty() {
        let next = match item.take() {
            Some(item) => Some(item),
            None => script.dump.next_item().map_err(unreadable)?,
        };
        match (next, &open) {
            (Some(Item::TableData { entry, .. }), _) => open = wanted.remove(&entry.id),
            (Some(Item::Rows(piece)), Some(entry)) => entry.show(&piece, &mut see),
            (Some(Item::Insert(statement)), Some(entry)) => {
                if let Some(columns) = &entry.inserted {
                    rows.clear();
                    insert_as_copy(&statement, columns, !toc.std_strings(), &mut rows).map_err(unreadable)?;
                    entry.show(&rows, &mut see);
                }
            }
            (Some(Item::BlockEnd), _) => open = None,
            (Some(_), _) => {}
            (None, _) => match waiting.wait(input.next())? {
                Some(part) => script.dump.push(&part),
                None => return Ok(()),
            },
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
    waiting: Waiting,
}

impl Blocks {
    fn next(&mut self) -> Result<Option<Piece>, Error> {
        loop {
            if let Some(piece) = self.pieces.pop_front() {
                return Ok(Some(piece));
            }
            let part = match self.first.pop_front() {
                Some(part) => Some(part),
                None => self.waiting.wait(self.input.next())?,
            };
            let Some(part) = part else { return Ok(None) };
            let mut pieces = Vec::new();
            self.walker.push(part, &mut pieces).map_err(unreadable)?;
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
