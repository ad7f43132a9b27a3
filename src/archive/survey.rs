//! A whole archive in memory, read to its last byte without restoring anything.

use std::collections::{BTreeMap, HashMap};
use std::io::Read;

use bytes::Bytes;

use crate::archive::blocks::{Piece, Trailer};
use crate::archive::copy::CopyTarget;
use crate::archive::decode::{Limits, decode_within};
use crate::archive::directory::{DataFile, Directory};
use crate::archive::error::Error;
use crate::archive::header::{Compression, Layout};
use crate::archive::object_index::parse_object_index;
use crate::archive::opening::{Front, Opening};
use crate::archive::parser::TocParser;
use crate::archive::pieces::PieceSource;
use crate::archive::rows::{RowReader, rows_of};
use crate::archive::statements::StatementReader;
use crate::archive::toc::Toc;
use crate::digest::{Digest, Hasher, RowHash};

/// The pieces that rows are read in here.
const PIECE_BYTES: usize = 1 << 20;

/// What an archive holds, counted.
#[derive(Clone, Debug)]
pub struct Survey {
    /// The table of contents.
    pub toc: Toc,
    /// Every table with a data block, in the archive's order.
    pub tables: Vec<SurveyedTable>,
    /// Every large object, in the archive's order.
    pub large_objects: Vec<SurveyedObject>,
    /// What was seen by the end.
    pub trailer: Trailer,
}

/// The data of one table, counted and hashed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SurveyedTable {
    /// The dump id of its `TABLE DATA` entry.
    pub id: u32,
    /// Rows, as COPY lines or as inserted by statements.
    pub rows: u64,
    /// The row hash; None in a dump of INSERTs.
    pub hash: Option<RowHash>,
}

/// One large object, measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SurveyedObject {
    /// Its OID.
    pub oid: u32,
    /// Bytes of its content.
    pub bytes: u64,
    /// The digest of its content.
    pub digest: Digest,
}

/// Reads a whole archive, custom or tar: parses, walks, decodes and counts, as a restore would, taking it in
/// parts of `part_bytes`. Large archives are for the streaming parts of this room; this is for
/// small ones, for tests and for fuzzing. Output is held to 64 MiB, then a ratio of 1100, for
/// each stream.
pub fn survey(archive: &[u8], part_bytes: usize) -> Result<Survey, Error> {
    let mut parts = archive.chunks(part_bytes.max(1));
    let mut opening = Opening::new();
    let Front { toc, mut walker, rest } = loop {
        let part = parts.next().ok_or_else(|| opening.end())?;
        if let Some(front) = opening.push(Bytes::copy_from_slice(part))? {
            break front;
        }
    };
    let mut streams = Streams { toc: &toc, open: None, tables: Vec::new(), large_objects: Vec::new() };
    let mut pieces = Vec::new();
    for part in std::iter::once(rest).chain(parts.map(Bytes::copy_from_slice)) {
        walker.push(part, &mut pieces)?;
        for piece in pieces.drain(..) {
            streams.take(piece)?;
        }
    }
    let trailer = walker.finish()?;
    let Streams { tables, large_objects, .. } = streams;
    Ok(Survey { tables, large_objects, trailer, toc })
}

/// As [`survey`], of the files of a directory, by their names.
pub fn survey_directory(files: &BTreeMap<String, Bytes>) -> Result<Survey, Error> {
    let directory =
        Directory::new(files.iter().map(|(name, content)| (name.as_str(), content.len() as u64)))?;
    let contents: Vec<&Bytes> = files.values().collect();
    let content =
        |file: DataFile| contents.get(file.place).map(|bytes| Bytes::clone(bytes)).unwrap_or_default();
    let mut parser = TocParser::of(Layout::Directory);
    if let Some(file) = directory.toc() {
        parser.push(&content(file))?;
    }
    let Some((toc, behind)) = parser.finish_if_complete()? else {
        return Err(parser.end().err().unwrap_or_else(|| Error::truncated("it ends", 0)));
    };
    if !behind.is_empty() {
        return Err(Error::behind_the_entries(toc.bytes));
    }
    let mut listed = HashMap::new();
    for (index, file) in directory.indexes(&toc)? {
        listed.insert(index, parse_object_index(index, &content(file))?);
    }
    let data = directory.data(&toc, &listed)?;
    let (mut tables, mut large_objects) = (Vec::new(), Vec::new());
    for (id, (oid, file)) in data.iter().flat_map(|data| data.files.iter().map(|file| (data.id, file))) {
        let chunks: Vec<Bytes> = Some(content(*file)).filter(|bytes| !bytes.is_empty()).into_iter().collect();
        match oid {
            Some(oid) => large_objects.push(large_object(*oid, chunks, file.compression)?),
            None => tables.push(table(&toc, id, chunks, file.compression)?),
        }
    }
    let sum = |places: &[usize]| -> u64 {
        places.iter().filter_map(|place| contents.get(*place)).map(|content| content.len() as u64).sum()
    };
    let unread_bytes = sum(&directory.unknown(&toc, &data));
    let all: u64 = contents.iter().map(|content| content.len() as u64).sum();
    let trailer = Trailer { blocks: data.len() as u64, bytes: all - unread_bytes, unread_bytes };
    Ok(Survey { tables, large_objects, trailer, toc })
}

struct Streams<'a> {
    toc: &'a Toc,
    open: Option<(Stream, Vec<Bytes>)>,
    tables: Vec<SurveyedTable>,
    large_objects: Vec<SurveyedObject>,
}

#[derive(Clone, Copy)]
enum Stream {
    Table(u32),
    LargeObject(u32),
}

impl Streams<'_> {
    fn take(&mut self, piece: Piece) -> Result<(), Error> {
        match piece {
            Piece::TableData { id } => self.open = Some((Stream::Table(id), Vec::new())),
            Piece::LargeObject { oid } => self.open = Some((Stream::LargeObject(oid), Vec::new())),
            Piece::LargeObjects { .. } => {}
            Piece::Chunk(chunk) => {
                if let Some((_, chunks)) = &mut self.open {
                    chunks.push(chunk);
                }
            }
            Piece::LargeObjectEnd | Piece::BlockEnd => match self.open.take() {
                Some((Stream::Table(id), chunks)) => {
                    self.tables.push(table(self.toc, id, chunks, self.toc.header.compression)?);
                }
                Some((Stream::LargeObject(oid), chunks)) => {
                    self.large_objects.push(large_object(oid, chunks, self.toc.header.compression)?);
                }
                None => {}
            },
        }
        Ok(())
    }
}

fn decoded(compression: Compression, chunks: Vec<Bytes>) -> Result<impl Read, Error> {
    let limits = Limits { free_bytes: 64 << 20, ..Limits::default() };
    decode_within(compression, PieceSource::new(chunks.into_iter().map(Ok)), limits)
}

fn table(toc: &Toc, id: u32, chunks: Vec<Bytes>, compression: Compression) -> Result<SurveyedTable, Error> {
    let source = decoded(compression, chunks)?;
    let copied = toc.entry(id).map(CopyTarget::of).transpose()?.flatten().is_some();
    if !copied {
        let mut reader = StatementReader::new(source, toc)?;
        let mut rows = 0;
        while let Some(statement) = reader.next_statement()? {
            rows += statement.rows;
        }
        return Ok(SurveyedTable { id, rows, hash: None });
    }
    let mut reader = RowReader::new(source, PIECE_BYTES);
    let mut hash = RowHash::default();
    let mut rows = 0;
    while let Some(piece) = reader.next_piece()? {
        rows += rows_of(&piece);
        let lines = piece.strip_suffix(b"\n").unwrap_or(&piece);
        lines.split(|byte| *byte == b'\n').for_each(|row| hash.add(row));
    }
    Ok(SurveyedTable { id, rows, hash: Some(hash) })
}

fn large_object(oid: u32, chunks: Vec<Bytes>, compression: Compression) -> Result<SurveyedObject, Error> {
    let mut hasher = Hasher::default();
    if !chunks.is_empty() {
        let mut source = decoded(compression, chunks)?;
        let mut buffer = vec![0; 64 << 10];
        loop {
            let count = source.read(&mut buffer).map_err(Error::from_io)?;
            if count == 0 {
                break;
            }
            hasher.update(buffer.get(..count).unwrap_or_default());
        }
    }
    Ok(SurveyedObject { oid, bytes: hasher.bytes(), digest: hasher.finish() })
}
