//! The digest of a directory: that of the list of its files' digests.

use std::collections::BTreeMap;

use crate::digest::{Digest, Hasher};
use crate::restore::Error;
use crate::restore::stream::Read;
use crate::store::{Berths, Convoy, Object, Store, Tuning};

/// The digests of a directory's files, by their names below it.
///
/// The digest of the directory is the SHA-256 of one line for each file, ordered by the bytes of
/// the names: its SHA-256 in 64 lower-case hexadecimal digits, two blanks, its name below the
/// directory, a line feed. That is what `sha256sum` prints for them, sorted so.
#[derive(Debug, Default)]
pub struct FileListing {
    digests: BTreeMap<String, Digest>,
    bytes: u64,
}

impl FileListing {
    /// Adds a file.
    pub fn add(&mut self, name: &str, hasher: Hasher) {
        self.bytes = self.bytes.saturating_add(hasher.bytes());
        self.digests.insert(name.to_owned(), hasher.finish());
    }

    /// Adds what another one holds.
    pub fn merge(&mut self, other: FileListing) {
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.digests.extend(other.digests);
    }

    /// Whether a file is in it.
    pub fn has(&self, name: &str) -> bool {
        self.digests.contains_key(name)
    }

    /// What was read.
    pub fn finish(self, trailing_bytes: u64) -> Read {
        let mut hasher = Hasher::default();
        for (name, digest) in &self.digests {
            hasher.update(format!("{digest}  {name}\n").as_bytes());
        }
        Read {
            digest: hasher.finish(),
            checksum: None,
            bytes: self.bytes,
            read_twice_bytes: 0,
            trailing_bytes,
            layers: Vec::new(),
        }
    }
}

/// The name of a file below the directory `key`.
pub fn name_below<'o>(key: &str, file: &'o Object) -> &'o str {
    file.key.strip_prefix(key).unwrap_or(&file.key)
}

/// Reads every file of the directory `key` that is not in `seen` yet, for the digest alone.
///
/// # Errors
/// The store would not give all bytes.
pub async fn read_files(
    store: &Store,
    key: &str,
    files: &[Object],
    tuning: Tuning,
    mut seen: FileListing,
) -> Result<Read, Error> {
    let named = files.iter().map(|file| (name_below(key, file), Some(file.clone())));
    let unseen: Vec<_> = named.filter(|(name, _)| !seen.has(name)).collect();
    let mut convoy = Convoy::new(store, &Berths::new(tuning), tuning.connections.most(), unseen.into_iter());
    let mut hasher = Hasher::default();
    while let Some(part) = convoy.next().await.map_err(|error| Error::store(&error))? {
        hasher.update(&part.bytes);
        if part.ends {
            seen.add(part.key, std::mem::take(&mut hasher));
        }
    }
    Ok(seen.finish(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_that_of_the_sorted_output_of_sha256sum() {
        let hashed = |text: &str| {
            let mut hasher = Hasher::default();
            hasher.update(text.as_bytes());
            hasher
        };
        let mut listing = FileListing::default();
        listing.add("toc.dat", hashed("abc"));
        let mut other = FileListing::default();
        other.add("17.dat", hashed(""));
        listing.merge(other);
        let expected = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  17.dat\n\
                        ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  toc.dat\n";
        let read = listing.finish(0);
        assert_eq!((read.digest, read.bytes), (Digest::of(expected.as_bytes()), 3));
    }
}
