//! A chosen backup as an archive, whether it is one object or a directory of them.

use std::sync::Arc;

use crate::archive::Keys;
use crate::catalog::Backup;
use crate::event::Events;
use crate::restore::{self, Archive, FileListing, Halted, Read};
use crate::store::{ChecksumAlgorithm, Download, Store, Tuning};

/// Reads a backup up to the end of its table of contents; `keys` open the layers around it.
///
/// # Errors
/// The store would not give the bytes, or they are not an archive.
pub async fn open(
    store: &Store,
    backup: &Backup,
    kept: Option<ChecksumAlgorithm>,
    keys: Arc<Keys>,
    tuning: Tuning,
    events: &Events,
) -> Result<Archive, Halted> {
    if backup.is_directory() {
        let files = backup.files.clone();
        return restore::open_files(store, &backup.label, files, tuning, events).await.map(Archive::from);
    }
    let object = &backup.object;
    let download = Download::new(store, object, 0..object.bytes, tuning);
    restore::open(download, object.bytes, kept, keys, events).await.map(Archive::from)
}

/// Reads a backup once more, for its digest and the checksum that the store keeps alone.
///
/// # Errors
/// The store would not give all of its bytes.
pub async fn read_again(
    store: &Store,
    backup: &Backup,
    kept: Option<ChecksumAlgorithm>,
    tuning: Tuning,
) -> Result<Read, restore::Error> {
    if backup.is_directory() {
        let nothing = FileListing::default();
        return restore::read_files(store, &backup.label, &backup.files, tuning, nothing).await;
    }
    let object = &backup.object;
    restore::read_again(Download::new(store, object, 0..object.bytes, tuning), kept).await
}
