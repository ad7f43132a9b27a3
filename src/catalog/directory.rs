//! Directories among the objects of a listing: a backup that is many objects under one prefix.

use std::collections::{HashMap, HashSet};

use crate::catalog::name::{self, Match};
use crate::digest::Hasher;
use crate::plan::Pattern;
use crate::store::Object;

/// The file that makes a directory a backup of pg_dump.
const TOC: &str = "toc.dat";

/// All objects under one prefix.
pub struct Directory {
    /// They as one: the name ends in `/`, the size is the sum, the last write that of the newest,
    /// and the tag changes when that of any of them does.
    pub object: Object,
    /// They themselves, by key.
    pub files: Vec<Object>,
}

impl Directory {
    fn new(key: &str, files: Vec<Object>) -> Option<Directory> {
        let first = files.first()?;
        let mut tags = Hasher::default();
        for file in &files {
            let tag = [Some(&file.key), file.etag.as_ref(), file.version.as_ref()];
            tags.update(format!("{tag:?} {}\n", file.bytes).as_bytes());
        }
        let below = first.key.len().saturating_sub(key.len());
        let object = Object {
            key: key.to_owned(),
            uri: first.uri.get(..first.uri.len().saturating_sub(below)).unwrap_or(key).to_owned(),
            bytes: files.iter().fold(0, |sum, file| sum.saturating_add(file.bytes)),
            etag: Some(tags.finish().to_string()),
            version: None,
            modified_at: files.iter().map(|file| file.modified_at).max()?,
            archived: files.iter().any(|file| file.archived),
        };
        Some(Directory { object, files })
    }

    /// The table of contents, without which this is no backup yet.
    pub fn toc(&self) -> Option<&Object> {
        self.files.iter().find(|file| file.key.strip_prefix(&self.object.key) == Some(TOC))
    }
}

/// Takes the directories out of a listing: those whose name, with its `/`, is of the pattern;
/// where the plan gives none, those that hold a table of contents.
pub fn take(pattern: &Pattern, objects: Vec<Object>) -> (Vec<Directory>, Vec<Object>) {
    let named = match pattern.text() {
        Some(text) if text.ends_with('/') => None,
        Some(_) => return (Vec::new(), objects),
        None => Some(with_toc(&objects)),
    };
    let mut known: HashMap<String, bool> = HashMap::new();
    let mut is_one = |key: &str| match &named {
        Some(named) => named.contains(key),
        None => match known.get(key) {
            Some(known) => *known,
            None => {
                let is_one = name::matches(pattern, key) != Match::No;
                known.insert(key.to_owned(), is_one);
                is_one
            }
        },
    };
    let mut others = Vec::new();
    let mut files: HashMap<String, Vec<Object>> = HashMap::new();
    for object in objects {
        let of = prefixes(&object.key).find(|prefix| is_one(prefix)).map(str::to_owned);
        match of {
            None => others.push(object),
            // A store's own mark of a directory.
            Some(key) if key == object.key && object.bytes == 0 => {}
            Some(key) => files.entry(key).or_default().push(object),
        }
    }
    let mut directories: Vec<Directory> =
        files.into_iter().filter_map(|(key, files)| Directory::new(&key, files)).collect();
    directories.sort_by(|a, b| a.object.key.cmp(&b.object.key));
    (directories, others)
}

fn with_toc(objects: &[Object]) -> HashSet<String> {
    let directory = |object: &Object| {
        let key = object.key.strip_suffix(TOC)?;
        key.ends_with('/').then(|| key.to_owned())
    };
    objects.iter().filter_map(directory).collect()
}

/// The directories that a key lies in, the outermost first, each with its `/`.
fn prefixes(key: &str) -> impl Iterator<Item = &str> {
    key.match_indices('/').filter_map(move |(at, _)| key.get(..=at))
}
