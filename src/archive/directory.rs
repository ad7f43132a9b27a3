//! The files of a directory archive, and which of them hold what.

use std::collections::{HashMap, HashSet};

use crate::archive::entry::Entry;
use crate::archive::error::Error;
use crate::archive::header::Compression;
use crate::archive::member::Member;
use crate::archive::toc::Toc;

/// What a file's compression adds to its name. The table of contents does not tell it, and
/// files of one directory may differ.
const SUFFIXES: [(&str, Compression); 4] = [
    (".gz", Compression::GzipFile),
    (".lz4", Compression::Lz4),
    (".zst", Compression::Zstd),
    ("", Compression::None),
];

/// The first version of an archive with a list of large objects for each entry.
pub(super) const INDEX_PER_ENTRY_SINCE: (u8, u8) = (1, 16);

/// The list of the large objects of an entry that holds some.
pub(super) fn index_of(toc: &Toc, id: u32) -> Member {
    if toc.header.version >= INDEX_PER_ENTRY_SINCE { Member::IndexOf(id) } else { Member::Index }
}

/// The files of a directory by what they are. Files of other names are in it as unknown.
#[derive(Debug)]
pub struct Directory {
    files: HashMap<Member, DataFile>,
    count: usize,
}

/// One file of a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataFile {
    /// Its place among the names that the directory was made of.
    pub place: usize,
    /// Its length, compressed as it is. A file without any bytes has no content either,
    /// whatever its compression.
    pub bytes: u64,
    /// How it is compressed, by its name.
    pub compression: Compression,
}

/// The files that hold the data of one entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataFiles {
    /// The entry's dump id.
    pub id: u32,
    /// For a table its one file; for large objects one each, with its OID, in the order of
    /// their list.
    pub files: Vec<(Option<u32>, DataFile)>,
    /// Whether they are large objects.
    pub large_objects: bool,
}

impl DataFiles {
    /// The length of all of them.
    pub fn bytes(&self) -> u64 {
        self.files.iter().fold(0, |sum, (_, file)| sum.saturating_add(file.bytes))
    }
}

impl Directory {
    /// The directory of these files: names below it, and lengths.
    ///
    /// # Errors
    /// Two of them claim to be the same, compressed differently.
    pub fn new<'n>(names: impl IntoIterator<Item = (&'n str, u64)>) -> Result<Directory, Error> {
        let mut directory = Directory { files: HashMap::new(), count: 0 };
        for (place, (name, bytes)) in names.into_iter().enumerate() {
            directory.count = place + 1;
            let Some((member, compression)) = named(name) else { continue };
            if directory.files.insert(member, DataFile { place, bytes, compression }).is_some() {
                return Err(Error::Unsafe { what: format!("it has two files for '{member}'") });
            }
        }
        Ok(directory)
    }

    /// The table of contents.
    pub fn toc(&self) -> Option<DataFile> {
        self.files.get(&Member::Toc).copied()
    }

    /// The lists of large objects that `toc` asks for.
    ///
    /// # Errors
    /// One is not there.
    pub fn indexes(&self, toc: &Toc) -> Result<Vec<(Member, DataFile)>, Error> {
        let entries = toc.entries.iter().filter(|entry| entry.is_large_objects());
        let mut indexes = Vec::new();
        for entry in entries {
            let index = index_of(toc, entry.id);
            indexes.push((index, self.file(index, entry)?));
        }
        Ok(indexes)
    }

    /// The files of every entry with data, in the archive's order; `listed` are the large
    /// objects in each of the lists.
    ///
    /// # Errors
    /// A file is not there, or the lists contradict the table of contents.
    pub fn data(&self, toc: &Toc, listed: &HashMap<Member, Vec<u32>>) -> Result<Vec<DataFiles>, Error> {
        let mut announced: HashSet<u32> = toc.large_objects.clone();
        let mut data = Vec::new();
        for entry in toc.entries.iter().filter(|entry| entry.has_data) {
            let mut files = Vec::new();
            if entry.is_large_objects() {
                for oid in listed.get(&index_of(toc, entry.id)).into_iter().flatten() {
                    if !announced.remove(oid) {
                        let what = format!("the large object {oid} was not announced, or is listed twice");
                        return Err(Error::corrupt(what, toc.bytes));
                    }
                    files.push((Some(*oid), self.file(Member::LargeObject(*oid), entry)?));
                }
            } else {
                files.push((None, self.file(Member::Rows(entry.id), entry)?));
            }
            data.push(DataFiles { id: entry.id, files, large_objects: entry.is_large_objects() });
        }
        let missing = announced.len();
        let with_objects = toc.entries.iter().any(Entry::is_large_objects);
        if missing > 0 && with_objects {
            return Err(Error::corrupt(
                format!("{missing} large objects are announced and not listed"),
                toc.bytes,
            ));
        }
        Ok(data)
    }

    /// The places of the files that belong to nothing: those of other names, and those that
    /// neither `toc` nor a list names.
    pub fn unknown(&self, toc: &Toc, data: &[DataFiles]) -> Vec<usize> {
        let indexes = self.indexes(toc).unwrap_or_default();
        let mut known: HashSet<usize> = indexes.iter().map(|(_, file)| file.place).collect();
        known.extend(self.toc().map(|file| file.place));
        known.extend(data.iter().flat_map(|data| &data.files).map(|(_, file)| file.place));
        (0..self.count).filter(|place| !known.contains(place)).collect()
    }

    fn file(&self, member: Member, entry: &Entry) -> Result<DataFile, Error> {
        self.files.get(&member).copied().ok_or_else(|| {
            let what = format!(
                "the directory has no file '{member}' for {}; pg_dump writes the table of contents before \
                 the data, so it may have died, still be running, or be uploading",
                entry.label()
            );
            Error::truncated(what, 0)
        })
    }
}

/// What the file of this name is; pg_dump never compresses tables of contents and lists.
fn named(name: &str) -> Option<(Member, Compression)> {
    let (suffix, compression) = SUFFIXES.into_iter().find(|(suffix, _)| name.ends_with(suffix))?;
    let member = Member::named(name.strip_suffix(suffix)?)?;
    match (member, compression) {
        (Member::Rows(_) | Member::LargeObject(_), _)
        | (Member::Toc | Member::Index | Member::IndexOf(_), Compression::None) => {
            Some((member, compression))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_what_a_file_is_and_how_it_is_compressed() {
        let table = [
            ("toc.dat", Some((Member::Toc, Compression::None))),
            ("17.dat", Some((Member::Rows(17), Compression::None))),
            ("17.dat.gz", Some((Member::Rows(17), Compression::GzipFile))),
            ("17.dat.lz4", Some((Member::Rows(17), Compression::Lz4))),
            ("blob_17.dat.zst", Some((Member::LargeObject(17), Compression::Zstd))),
            ("blobs_17.toc", Some((Member::IndexOf(17), Compression::None))),
            ("toc.dat.gz", None),
            ("blobs.toc.gz", None),
            ("restore.sql", None),
            ("17.dat.gz.gz", None),
            ("17.dat.bz2", None),
            ("sub/17.dat", None),
            ("../17.dat", None),
            ("/17.dat", None),
            ("README", None),
        ];
        for (name, expected) in table {
            assert_eq!(named(name), expected, "{name}");
        }
    }

    #[test]
    fn one_table_has_one_file() {
        assert!(Directory::new([("toc.dat", 9), ("17.dat.gz", 9), ("18.dat", 9)]).is_ok());
        let twice = Directory::new([("17.dat.gz", 9), ("17.dat", 9)]).expect_err("two files");
        assert!(matches!(twice, Error::Unsafe { .. }), "{twice}");
    }
}
