//! An archive that is a directory of files: opened, and read by several lanes at once.
//!
//! Each lane takes the largest table that is left, feeds the decoder of its block, and reads
//! ahead into the next ones. All lanes share one bound on the parts that are in memory.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::stream::{self, StreamExt, TryStreamExt};

use crate::archive::{
    Compression, DataFile, DataFiles, Directory, INDEX_BYTES_MAX, Kind, Layout, Member, Piece, Toc,
    TocParser, parse_object_index,
};
use crate::digest::Hasher;
use crate::event::{EventKind, Events};
use crate::restore::board::{Board, Wait};
use crate::restore::claims::Claims;
use crate::restore::listing::{FileListing, name_below, read_files};
use crate::restore::spans;
use crate::restore::stream::{Read, Reader, Ways};
use crate::restore::{Error, Halted};
use crate::store::{Berths, Convoy, ConvoyPart, Download, Object, Store, Tuning};
use crate::verdict::Blame;

/// Chunks that are handed to a decoder, so that few bytes wait for it.
const CHUNK_BYTES: usize = 256 << 10;

/// A directory archive whose table of contents and lists were read.
pub struct Files {
    /// The table of contents; its compression is that of the files: the weakest, if they differ.
    pub toc: Arc<Toc>,
    /// The stored size of the data of each entry.
    pub stored_bytes: HashMap<u32, u64>,
    store: Store,
    key: String,
    files: Vec<Object>,
    tuning: Tuning,
    data: Vec<DataFiles>,
    unknown: Vec<usize>,
    seen: FileListing,
}

/// What a lane reads next: one file.
#[derive(Clone, Copy, Debug)]
struct Task {
    /// Its place in the listing; none for a block of large objects without any.
    place: Option<usize>,
    /// The block it belongs to; none if it belongs to nothing.
    block: Option<Block>,
    oid: Option<u32>,
    compression: Compression,
}

#[derive(Clone, Copy, Debug)]
struct Block {
    id: u32,
    large_objects: bool,
    /// Whether the file is the block's first.
    first: bool,
    /// Whether it is its last.
    last: bool,
}

/// Reads the table of contents of the directory `key`, and its lists of large objects.
///
/// # Errors
/// The store would not give the bytes, or they are no archive; then `read` tells the digest of
/// the whole directory, if all of it could be read.
pub async fn open(
    store: &Store,
    key: &str,
    files: Vec<Object>,
    tuning: Tuning,
    events: &Events,
) -> Result<Files, Halted> {
    let mut seen = FileListing::default();
    match front(store, key, &files, tuning, &mut seen, events).await {
        Ok((toc, data, unknown)) => {
            let stored_bytes = data.iter().map(|data| (data.id, data.bytes())).collect();
            let (store, key) = (store.clone(), key.to_owned());
            Ok(Files { toc: Arc::new(toc), stored_bytes, store, key, files, tuning, data, unknown, seen })
        }
        Err(error) if error.reason().code.blame() == Blame::Environment => Err(error.into()),
        Err(error) => {
            let read = read_files(store, key, &files, tuning, seen).await.ok();
            Err(Halted { error, read: read.map(Box::new) })
        }
    }
}

async fn front(
    store: &Store,
    key: &str,
    files: &[Object],
    tuning: Tuning,
    seen: &mut FileListing,
    events: &Events,
) -> Result<(Toc, Vec<DataFiles>, Vec<usize>), Error> {
    let bad = |error: crate::archive::Error| Error::archive(&error);
    let directory =
        Directory::new(files.iter().map(|file| (name_below(key, file), file.bytes))).map_err(bad)?;
    let toc = directory.toc().and_then(|file| files.get(file.place));
    let Some(toc) = toc else {
        return Err(bad(crate::archive::Error::NotAnArchive { kind: Kind::Empty }));
    };
    let mut toc = table_of_contents(store, key, toc, tuning, seen, events).await?;
    let indexes = directory.indexes(&toc).map_err(bad)?;
    let listed = lists(store, key, files, &indexes, tuning, seen, events).await?;
    let data = directory.data(&toc, &listed).map_err(bad)?;
    let unknown = directory.unknown(&toc, &data);
    toc.header.compression = weakest(&data).unwrap_or(toc.header.compression);
    Ok((toc, data, unknown))
}

/// The compression of the files, or of the first that has no checksum, if they differ.
fn weakest(data: &[DataFiles]) -> Option<Compression> {
    let files = || data.iter().flat_map(|data| &data.files).filter(|(_, file)| file.bytes > 0);
    let unchecked = files().find(|(_, file)| !file.compression.has_checksum());
    unchecked.or_else(|| files().next()).map(|(_, file)| file.compression)
}

async fn table_of_contents(
    store: &Store,
    key: &str,
    file: &Object,
    tuning: Tuning,
    seen: &mut FileListing,
    events: &Events,
) -> Result<Toc, Error> {
    let mut download = Download::new(store, file, 0..file.bytes, tuning);
    let (mut parser, mut hasher) = (TocParser::of(Layout::Directory), Hasher::default());
    let (mut pushed, mut behind) = (Ok(()), false);
    // Read to its end whatever it holds: a second reading is held against the digest.
    while let Some(part) = download.next().await {
        let part = part.map_err(|error| Error::store(&error))?;
        hasher.update(&part);
        events.emit(EventKind::BytesFetched { bytes: part.len() as u64 });
        behind |= parser.is_complete();
        if pushed.is_ok() && !behind {
            pushed = parser.push(&part);
        }
    }
    seen.add(name_below(key, file), hasher);
    let parsed = pushed.and_then(|()| parser.end()).and_then(|()| parser.finish_if_complete());
    let parsed = parsed.map_err(|error| Error::archive(&error))?;
    let Some((toc, rest)) = parsed else { return Err(Error::lost("the table of contents")) };
    if behind || !rest.is_empty() {
        return Err(Error::archive(&crate::archive::Error::behind_the_entries(toc.bytes)));
    }
    Ok(toc)
}

/// The large objects in each list.
async fn lists(
    store: &Store,
    key: &str,
    files: &[Object],
    indexes: &[(Member, DataFile)],
    tuning: Tuning,
    seen: &mut FileListing,
    events: &Events,
) -> Result<HashMap<Member, Vec<u32>>, Error> {
    let bytes = indexes.iter().fold(0_u64, |sum, (_, file)| sum.saturating_add(file.bytes));
    if bytes > INDEX_BYTES_MAX {
        let what = format!("lists of large objects of {bytes} bytes");
        return Err(Error::archive(&crate::archive::Error::Limit { what, limit: INDEX_BYTES_MAX }));
    }
    let read = |(index, file): &(Member, DataFile)| {
        let (index, object) = (*index, files.get(file.place).cloned());
        async move {
            let object = object.ok_or_else(|| Error::lost("a list of large objects"))?;
            let bytes = store.read(&object, 0..object.bytes).await.map_err(|error| Error::store(&error))?;
            Ok::<_, Error>((index, object, bytes))
        }
    };
    // A borrowing closure in a stream of futures is more general than the compiler sees.
    let reads: Vec<_> = indexes.iter().map(read).collect();
    let lists: Vec<_> = stream::iter(reads).buffered(tuning.connections.first()).try_collect().await?;
    let mut listed = HashMap::new();
    let mut parsed = Ok(());
    for (index, object, bytes) in lists {
        let mut hasher = Hasher::default();
        hasher.update(&bytes);
        events.emit(EventKind::BytesFetched { bytes: bytes.len() as u64 });
        seen.add(name_below(key, &object), hasher);
        match parse_object_index(index, &bytes) {
            Ok(oids) => drop(listed.insert(index, oids)),
            Err(error) => parsed = parsed.and(Err(Error::archive(&error))),
        }
    }
    parsed.map(|()| listed)
}

impl Files {
    /// Reads every file to its end, whatever happens to its contents: the digest says whether a
    /// second reading would find the same bytes. The tables go to `board`.
    ///
    /// # Errors
    /// The store would not give all bytes. What is wrong with the archive goes to the board.
    pub async fn run(
        self,
        board: Arc<Board>,
        ways: Ways,
        jobs: usize,
        events: Events,
    ) -> Result<Read, Error> {
        let trailing_bytes = self.unknown.iter().filter_map(|place| self.files.get(*place));
        let trailing_bytes = trailing_bytes.fold(0, |sum: u64, file| sum.saturating_add(file.bytes));
        let queue = self.queue();
        let claims = Arc::new(Claims::new(ways));
        let connections = self.tuning.connections.most();
        let lanes = jobs.max(2).min(connections).min(queue.len()).max(1);
        let files = Arc::new(self.files);
        let shared = Shared {
            queue: Arc::new(Mutex::new(queue)),
            files,
            key: self.key,
            berths: Berths::new(self.tuning),
            connections,
            running: Arc::new(AtomicUsize::new(lanes)),
            events,
        };
        let reading = (0..lanes).map(|_| {
            let reader = Reader::new(board.clone(), claims.clone(), self.toc.clone());
            let lane = Lane { reader, board: board.clone(), shared: shared.clone(), halted: false };
            let store = self.store.clone();
            tokio::task::spawn_blocking(move || lane.run(&store))
        });
        let reading: Vec<_> = reading.collect();
        let mut listing = self.seen;
        let mut failed = None;
        for lane in reading {
            match lane.await.unwrap_or_else(|_| Err(Error::lost("the reading of the archive"))) {
                Ok(read) => listing.merge(read),
                Err(error) => drop(failed.get_or_insert(error)),
            }
        }
        if let Some(error) = failed {
            return Err(error);
        }
        board.stream_over();
        Ok(listing.finish(trailing_bytes))
    }

    /// The file that holds the rows of an entry, from its first byte, and how it is compressed.
    pub fn table(&self, id: u32) -> Option<(Compression, Download)> {
        let data = self.data.iter().find(|data| data.id == id && !data.large_objects)?;
        let (_, file) = data.files.first()?;
        let object = self.files.get(file.place)?;
        Some((file.compression, Download::new(&self.store, object, 0..object.bytes, self.tuning)))
    }

    /// Every file that was not read yet: blocks by their size, the largest first, then what
    /// belongs to nothing.
    fn queue(&self) -> VecDeque<Vec<Task>> {
        let mut blocks: Vec<&DataFiles> = self.data.iter().collect();
        blocks.sort_by_key(|data| std::cmp::Reverse(data.bytes()));
        let unknown = |place: &usize| {
            vec![Task { place: Some(*place), block: None, oid: None, compression: Compression::None }]
        };
        blocks.into_iter().map(tasks).chain(self.unknown.iter().map(unknown)).collect()
    }
}

fn tasks(data: &DataFiles) -> Vec<Task> {
    let block = |first, last| Some(Block { id: data.id, large_objects: data.large_objects, first, last });
    let count = data.files.len();
    if count == 0 {
        let compression = Compression::None;
        return vec![Task { place: None, block: block(true, true), oid: None, compression }];
    }
    let task = |(at, (oid, file)): (usize, &(Option<u32>, DataFile))| Task {
        place: Some(file.place),
        block: block(at == 0, at + 1 == count),
        oid: *oid,
        compression: file.compression,
    };
    data.files.iter().enumerate().map(task).collect()
}

/// What all lanes share.
#[derive(Clone)]
struct Shared {
    queue: Arc<Mutex<VecDeque<Vec<Task>>>>,
    files: Arc<Vec<Object>>,
    key: String,
    berths: Berths,
    connections: usize,
    /// Lanes that are not at their end: each reads ahead its share of the connections, rounded
    /// down, so that the others can't take the last berth from one of them.
    running: Arc<AtomicUsize>,
    events: Events,
}

impl Shared {
    /// The files that a lane takes, block after block, as long as there are any.
    fn tasks(&self) -> impl Iterator<Item = (Task, Option<Object>)> + use<> {
        let (queue, files) = (self.queue.clone(), self.files.clone());
        let next = move || queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let object = move |task: Task| (task, task.place.and_then(|place| files.get(place).cloned()));
        std::iter::from_fn(next).flatten().map(object)
    }
}

/// A thread that reads blocks, one after the other.
struct Lane {
    reader: Reader,
    board: Arc<Board>,
    shared: Shared,
    /// Nothing is handed over any more.
    halted: bool,
}

impl Lane {
    fn run(mut self, store: &Store) -> Result<FileListing, Error> {
        let lanes = self.shared.running.load(Ordering::SeqCst).max(1);
        let ahead_max = self.shared.connections / lanes;
        let mut convoy = Convoy::new(store, &self.shared.berths, ahead_max, self.shared.tasks());
        let read = self.read(&mut convoy);
        self.shared.running.fetch_sub(1, Ordering::SeqCst);
        read.inspect_err(|error| self.reader.halt(error.clone()))
    }

    fn read<I>(&mut self, convoy: &mut Convoy<Task, I>) -> Result<FileListing, Error>
    where
        I: Iterator<Item = (Task, Option<Object>)>,
    {
        let (mut listing, mut hasher) = (FileListing::default(), Hasher::default());
        loop {
            let lanes = self.shared.running.load(Ordering::SeqCst).max(1);
            convoy.read_ahead(self.shared.connections / lanes);
            let began = self.board.elapsed();
            let Some(part) =
                self.reader.wait_for(async { convoy.next().await.map_err(|error| Error::store(&error)) })?
            else {
                return Ok(listing);
            };
            self.board.note(spans::Kind::Download, began);
            self.board.waited(Wait::Store, began);
            self.shared.events.emit(EventKind::BytesFetched { bytes: part.bytes.len() as u64 });
            hasher.update(&part.bytes);
            if part.ends
                && let Some(file) = part.key.place.and_then(|place| self.shared.files.get(place))
            {
                listing.add(name_below(&self.shared.key, file), std::mem::take(&mut hasher));
            }
            if !self.halted
                && let Err(error) = self.hand_over(part)
            {
                self.halted = true;
                self.reader.halt(error);
            }
        }
    }

    /// What the part says to the decoder of its block.
    fn hand_over(&mut self, part: ConvoyPart<Task>) -> Result<(), Error> {
        let Task { block: Some(block), oid, compression, .. } = part.key else { return Ok(()) };
        if part.begins {
            self.reader.compression = compression;
        }
        if part.begins && block.first {
            let id = block.id;
            let begin =
                if block.large_objects { Piece::LargeObjects { id } } else { Piece::TableData { id } };
            self.reader.hand_over(&mut vec![begin])?;
        }
        if part.begins
            && let Some(oid) = oid
        {
            self.reader.hand_over(&mut vec![Piece::LargeObject { oid }])?;
        }
        let mut rest: Bytes = part.bytes.clone();
        while !rest.is_empty() {
            let chunk = rest.split_to(rest.len().min(CHUNK_BYTES));
            self.reader.hand_over(&mut vec![Piece::Chunk(chunk)])?;
        }
        if part.ends && oid.is_some() {
            self.reader.hand_over(&mut vec![Piece::LargeObjectEnd])?;
        }
        if part.ends && block.last {
            self.reader.hand_over(&mut vec![Piece::BlockEnd])?;
        }
        Ok(())
    }
}
