//! A directory that firedrill made, and may therefore remove.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use nix::unistd::geteuid;
use uuid::Uuid;

use crate::postgres::account::Account;

const NAME_START: &str = "firedrill-";

/// The file that says so. It goes last but for the directory itself, so that a removal cut short
/// can be taken up again.
const MARKER: &str = ".firedrill-scratch";

/// A name for a cluster's directory that no other run uses: `firedrill-` and 16 hexadecimal digits.
pub fn new_directory_name() -> String {
    // The second half of a version 7 UUID is random but for two bits.
    let (_, random) = Uuid::now_v7().as_u64_pair();
    format!("{NAME_START}{random:016x}")
}

/// Whether a name could come from [`new_directory_name`].
pub fn is_our_name(name: &str) -> bool {
    let Some(digits) = name.strip_prefix(NAME_START) else { return false };
    (8..=32).contains(&digits.len())
        && digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// A directory of ours. Dropped, it is removed with all that is in it, as far as that goes.
///
/// It belongs to us, not to the server: what runs in the server can change what is in its own
/// subdirectories, but neither the marker nor the files that we read beside them.
pub struct OwnDirectory {
    path: PathBuf,
}

impl OwnDirectory {
    /// Makes it; an existing one is never taken over. Others than the server's account and ours
    /// see nothing in it: it is 0700, or 0711 (to be passed through, with 0700 below) when the
    /// server runs as somebody else.
    pub fn create(path: &Path, account: &Account) -> io::Result<OwnDirectory> {
        DirBuilder::new().mode(0o700).create(path)?;
        let made = OwnDirectory { path: path.into() };
        made.file(MARKER, 0o600)?;
        if account.is_another() {
            fs::set_permissions(path, Permissions::from_mode(0o711))?;
        }
        Ok(made)
    }

    /// Makes a directory in it that belongs to the server's account, 0700.
    pub fn make_for(&self, path: &Path, account: &Account) -> io::Result<()> {
        DirBuilder::new().mode(0o700).create(path)?;
        if account.is_another() {
            chown(path, Some(account.uid().as_raw()), Some(account.gid().as_raw()))?;
        }
        Ok(())
    }

    /// Makes a new file in it that belongs to us, to be read and appended to.
    pub fn file(&self, name: &str, mode: u32) -> io::Result<File> {
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create_new(true)
            .mode(mode)
            .open(self.path.join(name))?;
        // Whatever the umask says: the server must read what it is given.
        file.set_permissions(Permissions::from_mode(mode))?;
        Ok(file)
    }
}

impl Drop for OwnDirectory {
    fn drop(&mut self) {
        // Who wants to know whether it worked calls `remove` before.
        _ = remove(&self.path);
    }
}

/// Why a directory is not ours to remove, or `None` when it is (or is gone).
///
/// It is ours when its name has our form, it is a real directory (no link) of our user, and either
/// carries our marker or is empty, as it is for a moment after it was made.
pub fn why_not_ours(path: &Path) -> Option<&'static str> {
    let plain =
        path.is_absolute() && path.components().all(|part| !matches!(part, std::path::Component::ParentDir));
    if !plain || !path.file_name().and_then(OsStr::to_str).is_some_and(is_our_name) {
        return Some("its name is not one that firedrill gives");
    }
    let found = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Err(_) => return Some("it can't be looked at"),
        Ok(found) => found,
    };
    if !found.is_dir() {
        return Some("it is not a directory");
    }
    if found.uid() != geteuid().as_raw() {
        return Some("it belongs to another user");
    }
    let marked = fs::symlink_metadata(path.join(MARKER)).is_ok_and(|marker| marker.is_file());
    if marked || is_empty(path) { None } else { Some("it does not carry firedrill's marker") }
}

fn is_empty(path: &Path) -> bool {
    fs::read_dir(path).is_ok_and(|mut children| children.next().is_none())
}

/// Removes a directory and all that is in it, links not followed; the marker goes last.
pub fn remove(path: &Path) -> io::Result<()> {
    let children = match fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        children => children?,
    };
    for child in children {
        let child = child?;
        if child.file_name() == MARKER {
            continue;
        }
        if child.file_type()?.is_dir() {
            remove_tree(&child.path())?;
        } else {
            fs::remove_file(child.path())?;
        }
    }
    match fs::remove_file(path.join(MARKER)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::remove_dir(path)
}

fn remove_tree(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            // What ran in the server may have closed its directories to their own owner.
            open_up(path, 0)?;
            fs::remove_dir_all(path)
        }
        other => other,
    }
}

fn open_up(path: &Path, depth: u32) -> io::Result<()> {
    if depth > 256 {
        return Err(io::Error::other("directories are nested too deep"));
    }
    fs::set_permissions(path, Permissions::from_mode(0o700))?;
    for child in fs::read_dir(path)? {
        let child = child?;
        if child.file_type()?.is_dir() {
            open_up(&child.path(), depth.saturating_add(1))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn generated_names_are_recognised_and_differ() {
        let (one, other) = (new_directory_name(), new_directory_name());
        assert!(is_our_name(&one), "{one}");
        assert_ne!(one, other);
    }

    #[test]
    fn only_marked_or_empty_directories_of_our_name_are_ours() {
        let parent = tempfile::tempdir().unwrap();
        let account = Account::ourselves_for_tests();
        let ours = parent.path().join(new_directory_name());
        let made = OwnDirectory::create(&ours, &account).unwrap();
        assert_eq!(why_not_ours(&ours), None);
        drop(made);
        assert!(!ours.exists());
        assert_eq!(why_not_ours(&ours), None, "gone is fine");

        fs::create_dir(&ours).unwrap();
        assert_eq!(why_not_ours(&ours), None, "empty, as it is before its marker");
        fs::write(ours.join("precious"), "x").unwrap();
        assert!(why_not_ours(&ours).is_some(), "no marker");

        let link = parent.path().join(new_directory_name());
        symlink(&ours, &link).unwrap();
        assert!(why_not_ours(&link).is_some(), "a link");
        assert!(why_not_ours(parent.path()).is_some(), "another name");
    }

    #[test]
    fn removal_follows_no_link_and_opens_what_was_closed() {
        let parent = tempfile::tempdir().unwrap();
        let outside = parent.path().join("outside");
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("precious"), "x").unwrap();
        let ours = parent.path().join(new_directory_name());
        let made = OwnDirectory::create(&ours, &Account::ourselves_for_tests()).unwrap();
        symlink(&outside, ours.join("link")).unwrap();
        let closed = ours.join("data/closed");
        fs::create_dir_all(closed.join("deep")).unwrap();
        symlink(&outside, closed.join("deep/link")).unwrap();
        fs::set_permissions(&closed, Permissions::from_mode(0o000)).unwrap();
        drop(made);
        assert!(!ours.exists());
        assert!(outside.join("precious").exists());
    }
}
