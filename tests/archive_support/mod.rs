//! The archives under `fixtures/`, and a writer that turns one into another version.
#![allow(dead_code, reason = "each test program uses its own share of what stands here")]

use std::collections::BTreeMap;
use std::io::Read;
use std::path::PathBuf;

use bytes::Bytes;
use firedrill::archive::{BlockWalker, Compression, DataPosition, Entry, Piece, Section, Toc, TocParser};

/// Where a fixture lies.
pub fn path(major: u32, name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/archives");
    folder.join(format!("pg{major}/custom-{name}.dump"))
}

/// The bytes of a fixture.
pub fn load(major: u32, name: &str) -> Vec<u8> {
    let path = path(major, name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The bytes of a fixture that is made of files: `tar.tar`, or `dir-gzip.tgz`, a packed directory.
pub fn member_archive(major: u32, file: &str) -> Vec<u8> {
    let path = path(major, "x").with_file_name(file);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The files of a directory fixture, such as `dir-gzip`, by their names.
pub fn directory(major: u32, name: &str) -> BTreeMap<String, Vec<u8>> {
    let mut tar = Vec::new();
    let packed = member_archive(major, &format!("{name}.tgz"));
    flate2::read::GzDecoder::new(&packed[..]).read_to_end(&mut tar).unwrap();
    let mut files = BTreeMap::new();
    let mut at = 0;
    while tar[at] != 0 {
        let name = tar[at..at + 100].iter().take_while(|byte| **byte != 0).copied().collect();
        let size = std::str::from_utf8(&tar[at + 124..at + 135]).unwrap();
        let bytes = usize::from_str_radix(size, 8).unwrap();
        files.insert(String::from_utf8(name).unwrap(), tar[at + 512..at + 512 + bytes].to_vec());
        at += 512 + bytes.div_ceil(512) * 512;
    }
    files
}

/// An archive's table of contents and all its pieces.
pub fn pieces(archive: &[u8]) -> (Toc, Vec<Piece>) {
    let mut parser = TocParser::new();
    parser.push(archive).unwrap();
    let (toc, rest) = parser.finish_if_complete().unwrap().expect("a complete table of contents");
    let mut walker = BlockWalker::new(&toc);
    let mut pieces = Vec::new();
    walker.push(rest, &mut pieces).unwrap();
    walker.finish().unwrap();
    (toc, pieces)
}

/// What an archive is to be rewritten as.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub version: (u8, u8),
    pub int_bytes: usize,
    pub offset_bytes: usize,
    pub positions: bool,
    pub chunk_bytes: usize,
}

impl Shape {
    /// As pg_dump 17 and later write to a pipe.
    pub const NEWEST: Shape =
        Shape { version: (1, 16), int_bytes: 4, offset_bytes: 8, positions: false, chunk_bytes: 4096 };

    /// The whole archive anew.
    pub fn write(self, toc: &Toc, pieces: &[Piece]) -> Vec<u8> {
        let blocks = self.blocks(pieces);
        let mut starts = vec![0; blocks.len()];
        // The positions don't change the length of the table of contents.
        let mut at = self.head(toc, &starts).len() as u64;
        for (start, block) in starts.iter_mut().zip(&blocks) {
            *start = at;
            at += block.len() as u64;
        }
        let mut out = self.head(toc, &starts);
        blocks.iter().for_each(|block| out.extend_from_slice(block));
        out
    }

    fn head(self, toc: &Toc, starts: &[u64]) -> Vec<u8> {
        let mut out = b"PGDMP".to_vec();
        let header = &toc.header;
        out.extend([self.version.0, self.version.1, 0, self.int_bytes as u8, self.offset_bytes as u8, 1]);
        let algorithm: u8 = match header.compression {
            Compression::None => 0,
            Compression::Gzip => 1,
            Compression::Lz4 => 2,
            Compression::Zstd => 3,
            Compression::GzipFile => panic!("no custom archive holds gzip files"),
        };
        if self.version >= (1, 15) {
            out.push(algorithm);
        } else {
            assert!(algorithm < 2, "no lz4 or zstd before 1.15");
            self.int(&mut out, if algorithm == 0 { 0 } else { -1 });
        }
        let created = header.created.unwrap();
        for field in [
            i64::from(created.second()),
            i64::from(created.minute()),
            i64::from(created.hour()),
            i64::from(created.day()),
            i64::from(created.month()) - 1,
            i64::from(created.year()) - 1900,
            0,
        ] {
            self.int(&mut out, field);
        }
        for text in [&header.database, &header.server_version, &header.dump_version] {
            self.text(&mut out, Some(text));
        }
        self.int(&mut out, toc.entries.len() as i64);
        let mut starts = starts.iter();
        for entry in &toc.entries {
            let start = if entry.has_data { starts.next().copied() } else { None };
            self.entry(&mut out, entry, start.unwrap_or(0));
        }
        out
    }

    fn entry(self, out: &mut Vec<u8>, entry: &Entry, start: u64) {
        self.int(out, i64::from(entry.id));
        self.int(out, i64::from(entry.has_data));
        self.text(out, Some(&entry.table_oid.to_string()));
        self.text(out, Some(&entry.oid.to_string()));
        self.text(out, Some(&entry.tag));
        self.text(out, Some(&entry.kind));
        let sections = [Section::None, Section::PreData, Section::Data, Section::PostData];
        self.int(out, sections.iter().position(|section| *section == entry.section).unwrap() as i64 + 1);
        self.text(out, Some(&entry.definition));
        self.text(out, Some(&entry.drop));
        self.text(out, entry.copy.as_deref());
        self.text(out, entry.namespace.as_deref());
        self.text(out, entry.tablespace.as_deref());
        if self.version >= (1, 14) {
            self.text(out, entry.access_method.as_deref());
        }
        if self.version >= (1, 16) {
            self.int(out, entry.relkind.map_or(0, |kind| i64::from(u32::from(kind))));
        }
        self.text(out, entry.owner.as_deref());
        self.text(out, Some("false"));
        for id in &entry.dependencies {
            self.text(out, Some(&id.to_string()));
        }
        self.text(out, None);
        let (state, position) = match (entry.position, self.positions) {
            (DataPosition::NoData, _) => (3, 0),
            (_, false) => (1, 0),
            (_, true) => (2, start),
        };
        out.push(state);
        out.extend_from_slice(&position.to_le_bytes()[..self.offset_bytes]);
    }

    /// The blocks of a walk anew, one each.
    fn blocks(self, pieces: &[Piece]) -> Vec<Vec<u8>> {
        let mut blocks: Vec<Vec<u8>> = Vec::new();
        for piece in pieces {
            if matches!(piece, Piece::TableData { .. } | Piece::LargeObjects { .. }) {
                blocks.push(Vec::new());
            }
            let out = blocks.last_mut().expect("a block begins first");
            match piece {
                Piece::TableData { id } => {
                    out.push(1);
                    self.int(out, i64::from(*id));
                }
                Piece::LargeObjects { id } => {
                    out.push(3);
                    self.int(out, i64::from(*id));
                }
                Piece::LargeObject { oid } => self.int(out, i64::from(*oid as i32)),
                Piece::Chunk(bytes) => bytes.chunks(self.chunk_bytes).for_each(|chunk| {
                    self.int(out, chunk.len() as i64);
                    out.extend_from_slice(chunk);
                }),
                Piece::LargeObjectEnd | Piece::BlockEnd => self.int(out, 0),
            }
        }
        blocks
    }

    fn int(self, out: &mut Vec<u8>, value: i64) {
        out.push(u8::from(value < 0));
        out.extend_from_slice(&value.unsigned_abs().to_le_bytes()[..self.int_bytes]);
    }

    fn text(self, out: &mut Vec<u8>, text: Option<&str>) {
        match text {
            None => self.int(out, -1),
            Some(text) => {
                self.int(out, text.len() as i64);
                out.extend_from_slice(text.as_bytes());
            }
        }
    }
}

/// The streams of a walk joined, so that two walks compare whatever pieces they came in.
pub fn joined(pieces: &[Piece]) -> Vec<Piece> {
    let mut joined: Vec<Piece> = Vec::new();
    for piece in pieces {
        match (joined.last_mut(), piece) {
            (Some(Piece::Chunk(last)), Piece::Chunk(next)) => {
                *last = Bytes::from([&last[..], &next[..]].concat());
            }
            _ => joined.push(piece.clone()),
        }
    }
    joined
}
