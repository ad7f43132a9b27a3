//! A chosen backup as an archive, whether it is one object or a directory of them.

use crate::archive::{self, Layout};
use crate::catalog::Backup;
use crate::event::Events;
use crate::restore::{self, Archive, FileListing, Halted, Read, WayIn};
use crate::store::{ChecksumAlgorithm, Download, Store, Tuning};

/// Reads a backup up to the end of its table of contents; `way` leads into it.
///
/// # Errors
/// The store would not give the bytes, or they are not an archive.
pub async fn open(
    store: &Store,
    backup: &Backup,
    kept: Option<ChecksumAlgorithm>,
    way: impl Into<WayIn>,
    tuning: Tuning,
    events: &Events,
) -> Result<Archive, Halted> {
    let way = way.into();
    let wanted = way.database.clone();
    let archive = if backup.is_directory() {
        let files = backup.files.clone();
        Archive::from(restore::open_files(store, &backup.label, files, tuning, events).await?)
    } else {
        let object = &backup.object;
        let download = Download::new(store, object, 0..object.bytes, tuning);
        Archive::from(restore::open(download, object.bytes, kept, way, events).await?)
    };
    match wanted {
        Some(wanted) if is_of_another(&archive, &wanted) => {
            let held = vec![archive.toc().header.database.clone()];
            Err(restore::Error::archive(&archive::Error::NoDatabase { wanted, held }).into())
        }
        _ => Ok(archive),
    }
}

/// Whether an archive says that it is of another database. A script is asked when it is read.
fn is_of_another(archive: &Archive, wanted: &str) -> bool {
    let header = &archive.toc().header;
    !matches!(header.layout, Layout::Plain | Layout::Cluster) && header.database != wanted
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
