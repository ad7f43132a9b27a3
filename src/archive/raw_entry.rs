//! One line of a table of contents, as it is read.

use std::collections::HashSet;

use crate::archive::encoding::Encoding;
use crate::archive::entry::{DataPosition, Entry, Section};
use crate::archive::error::Error;
use crate::archive::header::{Layout, RawHeader};
use crate::archive::member::Member;
use crate::archive::wire::{Cursor, Stop, number};

/// The most dependencies of one entry that are read.
const DEPENDENCIES_MAX: usize = 1_000_000;

/// An entry before the encoding of its strings is known.
#[derive(Debug)]
pub(super) struct RawEntry {
    pub id: u32,
    pub has_data: bool,
    pub table_oid: u32,
    pub oid: u32,
    pub tag: Vec<u8>,
    pub kind: Vec<u8>,
    pub section: Section,
    pub definition: Vec<u8>,
    pub drop: Vec<u8>,
    pub copy: Option<Vec<u8>>,
    pub namespace: Option<Vec<u8>>,
    pub tablespace: Option<Vec<u8>>,
    pub access_method: Option<Vec<u8>>,
    pub relkind: Option<char>,
    pub owner: Option<Vec<u8>>,
    pub dependencies: Vec<u32>,
    pub position: DataPosition,
}

impl RawEntry {
    /// Reads the next entry of an archive with this header.
    pub fn read(cursor: &mut Cursor<'_>, header: &RawHeader) -> Result<RawEntry, Stop> {
        let version = header.version;
        const ACCESS_METHOD_SINCE: (u8, u8) = (1, 14);
        const RELKIND_SINCE: (u8, u8) = (1, 16);
        let at = cursor.position();
        let owned = |text: Option<&[u8]>| text.map(<[u8]>::to_vec);
        let id = dump_id(cursor.int_within(1, i64::from(i32::MAX), "a dump id")?);
        let has_data = cursor.int_within(0, 1, "the mark of an entry with data")? == 1;
        let table_oid = cursor.number("the catalogue of an entry")?;
        let oid = cursor.number("the OID of an entry")?;
        let tag = cursor.some_string("the tag of an entry")?.to_vec();
        let kind = cursor.some_string("the kind of an entry")?.to_vec();
        let section = match cursor.int_within(1, 4, "the section of an entry")? {
            1 => Section::None,
            2 => Section::PreData,
            3 => Section::Data,
            _ => Section::PostData,
        };
        let definition = cursor.string("a definition")?.unwrap_or_default().to_vec();
        let drop = cursor.string("a drop statement")?.unwrap_or_default().to_vec();
        let copy = owned(cursor.string("a COPY statement")?);
        let namespace = owned(cursor.string("a schema's name")?);
        let tablespace = owned(cursor.string("a tablespace's name")?);
        let access_method =
            if version >= ACCESS_METHOD_SINCE { owned(cursor.string("an access method")?) } else { None };
        let relkind = if version >= RELKIND_SINCE { relkind(cursor)? } else { None };
        let owner = owned(cursor.string("an owner")?);
        without_oids(cursor)?;
        let dependencies = dependencies(cursor)?;
        let position = match header.layout {
            Layout::Custom => cursor.data_position()?,
            _ => file_position(cursor, id, &kind)?,
        };
        if has_data == (position == DataPosition::NoData) {
            return Err(Error::corrupt(format!("entry {id} both has data and has none"), at).into());
        }
        if has_data && kind != b"TABLE DATA" && kind != b"BLOBS" {
            return Err(Error::corrupt(format!("entry {id} has data, but is of a kind without"), at).into());
        }
        Ok(RawEntry {
            id,
            has_data,
            table_oid,
            oid,
            tag,
            kind,
            section,
            definition,
            drop,
            copy,
            namespace,
            tablespace,
            access_method,
            relkind,
            owner,
            dependencies,
            position,
        })
    }

    /// The entry, its strings decoded.
    pub fn decode(self, encoding: &Encoding) -> Result<Entry, Error> {
        let some = |text| encoding.decode(text);
        let maybe = |text: Option<_>| text.map(|text| encoding.decode(text)).transpose();
        Ok(Entry {
            id: self.id,
            has_data: self.has_data,
            table_oid: self.table_oid,
            oid: self.oid,
            tag: some(self.tag)?,
            kind: some(self.kind)?,
            section: self.section,
            definition: some(self.definition)?,
            drop: some(self.drop)?,
            copy: maybe(self.copy)?,
            namespace: maybe(self.namespace)?,
            tablespace: maybe(self.tablespace)?,
            access_method: maybe(self.access_method)?,
            relkind: self.relkind,
            owner: maybe(self.owner)?,
            dependencies: self.dependencies,
            position: self.position,
        })
    }
}

/// A dump id that was checked to be within 1 and 2^31 - 1.
fn dump_id(checked: i64) -> u32 {
    u32::try_from(checked).unwrap_or(0)
}

fn relkind(cursor: &mut Cursor<'_>) -> Result<Option<char>, Stop> {
    let code = cursor.int_within(0, 127, "the relkind of an entry")?;
    Ok(u8::try_from(code).ok().filter(|code| *code != 0).map(char::from))
}

/// An archive that is made of files names the one that holds the data of an entry. Only the
/// names that follow from the entry itself are taken; the files are found by the id alone.
fn file_position(cursor: &mut Cursor<'_>, id: u32, kind: &[u8]) -> Result<DataPosition, Stop> {
    let at = cursor.position();
    let name = match cursor.string("the file of an entry")? {
        None | Some(b"") => return Ok(DataPosition::NoData),
        Some(name) => String::from_utf8_lossy(name).into_owned(),
    };
    match Member::named(&name) {
        Some(Member::Rows(rows)) if rows == id => Ok(DataPosition::Files),
        // A tar file's own name for these is `17.dat`, a file that it doesn't have.
        Some(Member::Index | Member::IndexOf(_)) if kind == b"BLOBS" => Ok(DataPosition::Files),
        Some(_) => Err(Error::corrupt(format!("entry {id} has its data in {name:?}"), at).into()),
        None => {
            let what = format!("entry {id} has its data in {name:?}, a name that pg_dump does not write");
            Err(Error::Unsafe { what }.into())
        }
    }
}

/// Tables WITH OIDS are gone since PostgreSQL 12, and so is any way to load them.
fn without_oids(cursor: &mut Cursor<'_>) -> Result<(), Stop> {
    let at = cursor.position();
    match cursor.string("the mark of a table WITH OIDS")? {
        None | Some(b"false") => Ok(()),
        Some(b"true") => Err(Error::Unsupported { what: "a table WITH OIDS".into() }.into()),
        Some(_) => Err(Error::corrupt("the mark of a table WITH OIDS is neither true nor false", at).into()),
    }
}

/// Each dependency once, in the order written; those on ids that the archive lacks are kept
/// for now.
fn dependencies(cursor: &mut Cursor<'_>) -> Result<Vec<u32>, Stop> {
    let at = cursor.position();
    let mut seen = HashSet::new();
    let mut dependencies = Vec::new();
    for _ in 0..DEPENDENCIES_MAX {
        let Some(text) = cursor.string("a dependency")? else { return Ok(dependencies) };
        let id = number(text).ok_or_else(|| Error::corrupt("a dependency is no number", at))?;
        if seen.insert(id) {
            dependencies.push(id);
        }
    }
    let what = format!("the dependencies of one entry at byte {at} of the archive");
    Err(Error::Limit { what, limit: DEPENDENCIES_MAX as u64 }.into())
}
