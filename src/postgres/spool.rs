//! A place beside a cluster's data for files that its programs read.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};

use nix::sys::statvfs::statvfs;

use crate::postgres::account::Account;
use crate::postgres::error::{Error, Kind};

const NAME: &str = "spool";

/// A directory of ours in that of a cluster. Its files belong to the server's user, who can read
/// them but can't put others in their place.
pub struct Spool {
    path: PathBuf,
    account: Account,
}

impl Spool {
    pub(in crate::postgres) fn make(parent: &Path, account: &Account) -> Result<Spool, Error> {
        let path = parent.join(NAME);
        // To be passed through, but not listed, by a server that runs as somebody else.
        let mode = if account.is_another() { 0o711 } else { 0o700 };
        let made = DirBuilder::new().mode(mode).create(&path);
        made.map_err(|error| failed("make a place for a copy of the archive", &error))?;
        Ok(Spool { path, account: account.clone() })
    }

    pub(in crate::postgres) fn made(parent: &Path, account: &Account) -> Spool {
        Spool { path: parent.join(NAME), account: account.clone() }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes a new file in it, 0600, to be written.
    ///
    /// # Errors
    /// [`Kind::DiskFull`] or [`Kind::Start`].
    pub fn file(&self, name: &str) -> Result<File, Error> {
        let make = || {
            let file =
                OpenOptions::new().write(true).create_new(true).mode(0o600).open(self.path.join(name))?;
            if self.account.is_another() {
                let (uid, gid) = (self.account.uid().as_raw(), self.account.gid().as_raw());
                fchown(&file, Some(uid), Some(gid))?;
            }
            Ok(file)
        };
        make().map_err(|error| failed("make a file for a copy of the archive", &error))
    }

    /// Bytes that are free on its disk for us.
    ///
    /// # Errors
    /// [`Kind::Start`]: the system would not say.
    pub fn free_bytes(&self) -> Result<u64, Error> {
        let disk = statvfs(&self.path)
            .map_err(|error| failed("see how much of the scratch's disk is free", &error.into()))?;
        #[expect(
            clippy::useless_conversion,
            reason = "the types of these numbers differ from system to system"
        )]
        let (blocks, size) = (u64::from(disk.blocks_available()), u64::from(disk.fragment_size()));
        Ok(blocks.saturating_mul(size))
    }
}

/// What a fault of the disk under it is.
pub(in crate::postgres) fn failed(tried: &str, error: &io::Error) -> Error {
    let kind = if error.kind() == io::ErrorKind::StorageFull { Kind::DiskFull } else { Kind::Start };
    Error::new(kind, format!("{tried}: {error}"))
}
