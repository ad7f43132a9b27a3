//! The walker over the members behind the table of contents of a tar archive.

use std::collections::{HashSet, VecDeque};

use bytes::Bytes;

use crate::archive::blocks::{Piece, Trailer};
use crate::archive::directory::index_of;
use crate::archive::error::Error;
use crate::archive::member::Member;
use crate::archive::object_index::{INDEX_BYTES_MAX, parse_object_index};
use crate::archive::tar::{Cut, TarCutter};
use crate::archive::toc::Toc;

/// Cuts the members behind `toc.dat` into the pieces that a [`super::BlockWalker`] would give.
///
/// Members must come in the order of their entries, as pg_dump writes them: for a table its
/// one member, for large objects one each and then their list. It holds the list of one entry
/// and the numbers of the members seen; contents are handed out as slices of their part.
#[derive(Debug)]
pub struct TarWalker {
    cutter: TarCutter,
    expected: VecDeque<Expected>,
    /// The large objects announced and not seen yet.
    large_objects: HashSet<u32>,
    seen: HashSet<Member>,
    blocks: u64,
    /// The objects of the block that is open.
    objects: Option<Vec<u32>>,
    index: Vec<u8>,
}

#[derive(Debug)]
struct Expected {
    id: u32,
    /// The list at the end of a block of large objects.
    index: Option<Member>,
    label: String,
}

impl TarWalker {
    /// A walker that goes on behind `toc.dat`, where `cutter` stands.
    pub(super) fn new(toc: &Toc, cutter: TarCutter) -> TarWalker {
        let with_data = toc.entries.iter().filter(|entry| entry.has_data);
        TarWalker {
            cutter,
            expected: with_data
                .map(|entry| Expected {
                    id: entry.id,
                    index: entry.is_large_objects().then(|| index_of(toc, entry.id)),
                    label: entry.label(),
                })
                .collect(),
            large_objects: toc.large_objects.clone(),
            seen: HashSet::from([Member::Toc]),
            blocks: 0,
            objects: None,
            index: Vec::new(),
        }
    }

    /// Whether the end mark of the tar file was seen; what follows is only counted.
    pub fn is_done(&self) -> bool {
        self.cutter.is_done()
    }

    /// Takes the next bytes of the archive and adds what they complete to `out`. What an
    /// error leaves behind is of no further use.
    pub fn push(&mut self, mut part: Bytes, out: &mut Vec<Piece>) -> Result<(), Error> {
        while let Some(cut) = self.cutter.next(&mut part)? {
            match cut {
                Cut::Member(member) => self.begin(member, out)?,
                Cut::Content(bytes) => self.content(bytes, out)?,
                Cut::MemberEnd(member) => self.end(member, out)?,
            }
        }
        Ok(())
    }

    /// The end of the input: an error unless every expected member and the end mark were seen.
    pub fn finish(self) -> Result<Trailer, Error> {
        let at = self.cutter.position();
        let (bytes, unread_bytes) = self.cutter.measured();
        match self.expected.front() {
            None if self.cutter.is_done() => Ok(Trailer { blocks: self.blocks, bytes, unread_bytes }),
            None => Err(Error::truncated("it ends without the end mark of a tar file", at)),
            Some(expected) if self.cutter.is_done() => {
                Err(Error::corrupt(format!("it has no member with the data of {}", expected.label), at))
            }
            Some(expected) => {
                let missing = match self.cutter.is_between() {
                    true => "it ends before the data of",
                    false => "it ends within a member, before or in the data of",
                };
                let left = self.expected.len();
                Err(Error::truncated(format!("{missing} {}, with {left} blocks to come", expected.label), at))
            }
        }
    }

    fn begin(&mut self, member: Member, out: &mut Vec<Piece>) -> Result<(), Error> {
        if !self.seen.insert(member) {
            return Err(Error::Unsafe { what: format!("it has two members named '{member}'") });
        }
        let at = self.cutter.position();
        let expected = self.expected.front();
        match (member, expected.map(|expected| (expected.id, expected.index))) {
            (Member::Script, None) => {}
            (Member::Rows(rows), Some((id, None))) if rows == id => out.push(Piece::TableData { id }),
            (Member::LargeObject(oid), Some((id, Some(_)))) => {
                if !self.large_objects.remove(&oid) {
                    let what = format!("the large object {oid} was not announced, or stands twice");
                    return Err(Error::corrupt(what, at));
                }
                self.open_objects(id, out).push(oid);
                out.push(Piece::LargeObject { oid });
            }
            (_, Some((id, Some(index)))) if member == index => drop(self.open_objects(id, out)),
            _ => {
                let place = expected.map_or("the end", |expected| &expected.label);
                return Err(Error::corrupt(format!("'{member}' stands where {place} should"), at));
            }
        }
        Ok(())
    }

    /// The objects of the block, which begins with the first of them.
    fn open_objects(&mut self, id: u32, out: &mut Vec<Piece>) -> &mut Vec<u32> {
        self.objects.get_or_insert_with(|| {
            out.push(Piece::LargeObjects { id });
            Vec::new()
        })
    }

    fn content(&mut self, bytes: Bytes, out: &mut Vec<Piece>) -> Result<(), Error> {
        let in_index = self
            .expected
            .front()
            .is_some_and(|expected| expected.index.is_some_and(|index| self.seen.contains(&index)));
        if self.expected.is_empty() {
            // The script, which is read over.
            return Ok(());
        }
        if !in_index {
            out.push(Piece::Chunk(bytes));
            return Ok(());
        }
        if (self.index.len() + bytes.len()) as u64 > INDEX_BYTES_MAX {
            let what = "the length of the list of large objects".to_owned();
            return Err(Error::Limit { what, limit: INDEX_BYTES_MAX });
        }
        self.index.extend_from_slice(&bytes);
        Ok(())
    }

    fn end(&mut self, member: Member, out: &mut Vec<Piece>) -> Result<(), Error> {
        match member {
            Member::Rows(_) => self.block_end(out),
            Member::LargeObject(_) => out.push(Piece::LargeObjectEnd),
            Member::Index | Member::IndexOf(_) => {
                let listed = parse_object_index(member, &std::mem::take(&mut self.index))?;
                let at = self.cutter.position();
                if self.objects.take().unwrap_or_default() != listed {
                    let what = format!("'{member}' lists other large objects than stand before it");
                    return Err(Error::corrupt(what, at));
                }
                self.block_end(out);
                let missing = self.large_objects.len();
                let more = self.expected.iter().any(|expected| expected.index.is_some());
                if missing > 0 && !more {
                    let what = format!("{missing} large objects are announced and were not seen");
                    return Err(Error::corrupt(what, at));
                }
            }
            Member::Toc | Member::Script => {}
        }
        Ok(())
    }

    fn block_end(&mut self, out: &mut Vec<Piece>) {
        out.push(Piece::BlockEnd);
        self.expected.pop_front();
        self.blocks += 1;
    }
}
