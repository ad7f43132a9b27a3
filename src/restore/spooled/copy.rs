//! The archive on its way to the local disk.

use std::path::{Component, Path};
use std::sync::Arc;

use bytes::Bytes;
use tokio::fs::File;
use tokio::io::AsyncWriteExt;

use crate::archive::Keys;
use crate::clock::Stopwatch;
use crate::digest::Hasher;
use crate::event::{EventKind, Events};
use crate::postgres::{self, Spool};
use crate::restore::input::Input;
use crate::restore::listing::{FileListing, name_below};
use crate::restore::spans::{Kind, Spans};
use crate::restore::spooled::Staged;
use crate::restore::{Error, Halted, Scratch};
use crate::store::{Berths, ChecksumAlgorithm, Convoy, Download, Object, Store, Tuning};
use crate::verdict::Code;

/// The name of an archive that is one file.
const FILE: &str = "archive";

/// Left free on the disk: the server's log and the first tables need some at once.
const RESERVE_BYTES: u64 = 64 << 20;

/// How often it is looked how much is left, in bytes that were written.
const LOOK_EVERY_BYTES: u64 = 64 << 20;

/// Puts a stored object of `bytes` on the disk of `scratch`, without the layers around the archive
/// in it, which `keys` open; `kept` is the checksum that the store keeps of it.
///
/// # Errors
/// The store would not give it, a layer is damaged, or the disk is too small.
pub async fn from_stream(
    download: Download,
    bytes: u64,
    kept: Option<ChecksumAlgorithm>,
    keys: Arc<Keys>,
    scratch: &Scratch,
    watch: Stopwatch,
    events: &Events,
) -> Result<Staged, Halted> {
    let began = watch.elapsed();
    let mut disk = Disk::of(scratch, bytes)?;
    let mut input = Input::new(download, kept, events).unwrapped(keys);
    let mut file = disk.create(FILE)?;
    let mut hasher = Hasher::default();
    loop {
        match input.next().await {
            Ok(Some(part)) => {
                hasher.update(&part);
                disk.write(&mut file, part).await?;
            }
            Ok(None) => break,
            Err(error) => return Err(Halted { read: input.drain_after(&error).await, error }),
        }
    }
    close(file).await?;
    let read = input.finish()?;
    let path = disk.spool.path().join(FILE);
    Ok(disk.staged(path, false, hasher, read, spans(began, watch)))
}

/// Puts every file of the directory `key` on the disk of `scratch`.
///
/// # Errors
/// As [`from_stream`].
pub async fn from_files(
    store: &Store,
    key: &str,
    files: &[Object],
    tuning: Tuning,
    scratch: &Scratch,
    watch: Stopwatch,
    events: &Events,
) -> Result<Staged, Halted> {
    let began = watch.elapsed();
    let bytes = files.iter().fold(0_u64, |sum, file| sum.saturating_add(file.bytes));
    let mut disk = Disk::of(scratch, bytes)?;
    let named: Vec<_> =
        files.iter().map(|file| (name_below(key, file).to_owned(), Some(file.clone()))).collect();
    let mut convoy = Convoy::new(store, &Berths::new(tuning), tuning.connections.most(), named.into_iter());
    let (mut listing, mut hasher, mut open) = (FileListing::default(), Hasher::default(), None);
    while let Some(part) = convoy.next().await.map_err(|error| Error::store(&error))? {
        if part.begins {
            open = Some(&part.key).filter(|name| is_plain(name)).map(|name| disk.create(name)).transpose()?;
        }
        hasher.update(&part.bytes);
        events.emit(EventKind::BytesFetched { bytes: part.bytes.len() as u64 });
        if let Some(file) = &mut open {
            disk.write(file, part.bytes.clone()).await?;
        }
        if part.ends {
            listing.add(&part.key, std::mem::take(&mut hasher));
            if let Some(file) = open.take() {
                close(file).await?;
            }
        }
    }
    let read = listing.finish(0);
    let path = disk.spool.path().to_owned();
    // The digest of the directory is that of what lies on the disk, unless a file was left out.
    Ok(Staged {
        written: read.digest,
        ..disk.staged(path, true, Hasher::default(), read, spans(began, watch))
    })
}

fn spans(began: std::time::Duration, watch: Stopwatch) -> Spans {
    let mut spans = Spans::default();
    spans.note(Kind::Download, began, watch.elapsed());
    spans
}

/// A name that stands for a file in the directory itself, which is where an archive has all its
/// own: what lies deeper belongs to nothing, and is summed and not kept.
fn is_plain(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None))
}

async fn close(mut file: File) -> Result<(), Error> {
    file.flush().await.map_err(|error| not_written(&error))
}

fn not_written(error: &std::io::Error) -> Error {
    if error.kind() == std::io::ErrorKind::StorageFull {
        return too_small("the scratch's disk is full".to_owned());
    }
    let remedy = "see the disk under the scratch's directory, or name another one in scratch.directory";
    Error::new(Code::ScratchUnavailable, format!("write the copy of the archive: {error}"), remedy)
}

fn too_small(detail: String) -> Error {
    let remedy =
        "name a larger disk in scratch.directory, or write engine = \"native\", which stages nothing";
    Error::new(Code::ScratchDiskFull, detail, remedy)
}

/// The disk of a scratch, as far as a copy may fill it.
struct Disk {
    spool: Spool,
    bytes: u64,
    look_at: u64,
}

impl Disk {
    /// Makes the place, if `bytes` fit.
    fn of(scratch: &Scratch, bytes: u64) -> Result<Disk, Error> {
        let Some(cluster) = scratch.cluster() else { return Err(no_cluster()) };
        let spool = cluster.make_spool().map_err(|error| Error::postgres(&error))?;
        let disk = Disk { spool, bytes: 0, look_at: LOOK_EVERY_BYTES };
        enough(bytes, disk.free()?)?;
        Ok(disk)
    }

    fn free(&self) -> Result<u64, Error> {
        self.spool.free_bytes().map_err(|error| Error::postgres(&error))
    }

    fn create(&self, name: &str) -> Result<File, Error> {
        let file = self.spool.file(name).map_err(|error: postgres::Error| Error::postgres(&error))?;
        Ok(File::from_std(file))
    }

    async fn write(&mut self, file: &mut File, part: Bytes) -> Result<(), Error> {
        file.write_all(&part).await.map_err(|error| not_written(&error))?;
        self.bytes = self.bytes.saturating_add(part.len() as u64);
        if self.bytes >= self.look_at {
            self.look_at = self.bytes.saturating_add(LOOK_EVERY_BYTES);
            enough(0, self.free()?)?;
        }
        Ok(())
    }

    fn staged(
        self,
        path: std::path::PathBuf,
        is_directory: bool,
        hasher: Hasher,
        read: crate::restore::stream::Read,
        spans: Spans,
    ) -> Staged {
        let spool = self.spool.path().to_owned();
        Staged { path, spool, is_directory, written: hasher.finish(), bytes: self.bytes, read, spans }
    }
}

/// Whether so many more bytes fit, and leave the server some.
fn enough(bytes: u64, free: u64) -> Result<(), Error> {
    let needed = bytes.saturating_add(RESERVE_BYTES);
    if needed <= free {
        return Ok(());
    }
    Err(too_small(format!(
        "the copy of the archive for pg_restore needs {needed} bytes on the scratch's disk, and {free} are free"
    )))
}

/// A tool that reads a file beside the server has no place on one that is only reached.
pub fn no_cluster() -> Error {
    Error::new(
        Code::ScratchUnavailable,
        "pg_restore restores only into a scratch cluster on this machine",
        "write engine = \"native\" for a scratch on a given server",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_is_too_small_is_refused_before_it_is_full() {
        assert!(enough(10, 10 + RESERVE_BYTES).is_ok());
        let error = enough(11, 10 + RESERVE_BYTES).unwrap_err().reason();
        assert_eq!(error.code, Code::ScratchDiskFull);
        assert!(error.detail.contains(&(11 + RESERVE_BYTES).to_string()), "{}", error.detail);
        assert!(enough(u64::MAX, u64::MAX - 1).is_err());
    }

    #[test]
    fn no_file_is_put_outside_of_its_directory() {
        for (name, plain) in
            [("toc.dat", true), ("../x", false), ("/x", false), ("a/b", false), ("..", false), ("", false)]
        {
            assert_eq!(is_plain(name), plain, "{name}");
        }
    }
}
