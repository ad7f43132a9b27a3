//! A directory as a store.

use std::fs::{File, Metadata};
use std::io::ErrorKind as IoKind;
use std::ops::Range;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use nix::fcntl::OFlag;

use crate::store::details::Details;
use crate::store::driver::{Driver, Fault, FaultKind, Page};
use crate::store::error::scrub;
use crate::store::gather::OBJECTS_MAX;
use crate::store::object::Object;

/// Deeper directories than this are refused.
const DEPTH_MAX: usize = 64;

pub(super) struct Local {
    path: PathBuf,
}

impl Local {
    pub(super) fn new(path: &Path) -> Local {
        Local { path: path.to_owned() }
    }
}

#[async_trait]
impl Driver for Local {
    async fn page(&self, _: Option<&str>) -> Result<Page, Fault> {
        let root = self.path.clone();
        let mut objects = blocking(move || walk(&root)).await?;
        objects.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(Page { objects, next: None, clock_offset: None })
    }

    async fn describe(&self, object: &Object) -> Result<Details, Fault> {
        let (path, listed) = (self.path.join(&object.key), object.clone());
        blocking(move || {
            let (_, metadata) = open_unchanged(&path, &listed)?;
            Ok(Details {
                bytes: metadata.len(),
                etag: Some(etag(&metadata)),
                version: None,
                archived: false,
                metadata: Default::default(),
                checksum: None,
            })
        })
        .await
    }

    async fn read(&self, object: &Object, range: Range<u64>) -> Result<Bytes, Fault> {
        let (path, listed) = (self.path.join(&object.key), object.clone());
        blocking(move || {
            let (file, _) = open_unchanged(&path, &listed)?;
            let length = usize::try_from(range.end.saturating_sub(range.start))
                .map_err(|_| Fault::new(FaultKind::Refused, "the range does not fit into memory"))?;
            let mut buffer = vec![0; length];
            file.read_exact_at(&mut buffer, range.start).map_err(|error| match error.kind() {
                IoKind::UnexpectedEof => changed("it became shorter while it was read"),
                _ => io_fault(&error),
            })?;
            // Bytes of a file that is being written over are not the bytes that were listed.
            check_unchanged(&file, &listed)?;
            Ok(buffer.into())
        })
        .await
    }

    async fn renew(&self) -> Result<(), Fault> {
        Ok(())
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(_) => Err(Fault::new(FaultKind::Unavailable, "the task that reads it was ended")),
    }
}

/// The regular files below `root`, in no promised order. Symbolic links are followed to files
/// below `root` and nowhere else.
fn walk(root: &Path) -> Result<Vec<Object>, Fault> {
    let real_root = root.canonicalize().map_err(|error| match error.kind() {
        IoKind::NotFound => Fault::new(FaultKind::Missing, "there is no such directory"),
        _ => io_fault(&error),
    })?;
    if !real_root.is_dir() {
        return Err(Fault::new(FaultKind::Missing, "it is not a directory"));
    }
    let mut objects = Vec::new();
    let mut ahead = vec![(PathBuf::new(), 0)];
    while let Some((relative, depth)) = ahead.pop() {
        if depth > DEPTH_MAX {
            let text = format!("its directories are nested deeper than {DEPTH_MAX}");
            return Err(Fault::new(FaultKind::Garbled, text));
        }
        let folder = real_root.join(&relative);
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == IoKind::NotFound && depth > 0 => continue,
            Err(error) => return Err(named(&relative, io_fault(&error))),
        };
        for entry in entries {
            let entry = entry.map_err(|error| named(&relative, io_fault(&error)))?;
            let relative = relative.join(entry.file_name());
            let Some(metadata) = look(&real_root, &relative)? else { continue };
            if metadata.is_dir() {
                ahead.push((relative, depth + 1));
            } else if metadata.is_file() {
                objects.push(object(root, &relative, &metadata)?);
            }
            if objects.len().saturating_add(ahead.len()) > OBJECTS_MAX {
                return Err(Fault::new(
                    FaultKind::Garbled,
                    format!("it holds more than {OBJECTS_MAX} files"),
                ));
            }
        }
    }
    Ok(objects)
}

/// What lies there: `None` for what has just vanished, for a link that leads out of the root,
/// nowhere or to a directory.
fn look(root: &Path, relative: &Path) -> Result<Option<Metadata>, Fault> {
    let path = root.join(relative);
    let gone_or = |error: std::io::Error| match error.kind() {
        IoKind::NotFound => Ok(None),
        _ => Err(named(relative, io_fault(&error))),
    };
    let metadata = match std::fs::symlink_metadata(&path) {
        Ok(metadata) => metadata,
        Err(error) => return gone_or(error),
    };
    if !metadata.is_symlink() {
        return Ok(Some(metadata));
    }
    let Ok(target) = path.canonicalize() else { return Ok(None) };
    if !target.starts_with(root) {
        return Ok(None);
    }
    match std::fs::metadata(&target) {
        Ok(metadata) => Ok(metadata.is_file().then_some(metadata)),
        Err(error) => gone_or(error),
    }
}

fn object(root: &Path, relative: &Path, metadata: &Metadata) -> Result<Object, Fault> {
    let Some(key) = relative.to_str() else {
        let fault = Fault::new(FaultKind::Garbled, "its name is not UTF-8");
        return Err(named(relative, fault).with_remedy("give that file another name, or move it elsewhere"));
    };
    let nanoseconds = i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec());
    let modified_at = Timestamp::from_nanosecond(nanoseconds).map_err(|_| {
        named(relative, Fault::new(FaultKind::Garbled, "its modification time is out of range"))
    })?;
    Ok(Object {
        key: key.to_owned(),
        uri: format!("file://{}", root.join(relative).display()),
        bytes: metadata.len(),
        etag: Some(etag(metadata)),
        version: None,
        modified_at,
        archived: false,
    })
}

/// Changes whenever a file is replaced, written to, or cut.
fn etag(metadata: &Metadata) -> String {
    format!(
        "{:x}-{:x}.{:09}-{:x}.{:x}",
        metadata.len(),
        metadata.mtime(),
        metadata.mtime_nsec(),
        metadata.dev(),
        metadata.ino()
    )
}

fn open_unchanged(path: &Path, listed: &Object) -> Result<(File, Metadata), Fault> {
    let file = File::options()
        .read(true)
        // What was a file when it was listed may be a pipe by now, and must not hold us up.
        .custom_flags((OFlag::O_NONBLOCK | OFlag::O_CLOEXEC).bits())
        .open(path)
        .map_err(|error| match error.kind() {
            IoKind::NotFound | IoKind::NotADirectory => changed("it is gone"),
            _ => io_fault(&error),
        })?;
    let metadata = check_unchanged(&file, listed)?;
    Ok((file, metadata))
}

fn check_unchanged(file: &File, listed: &Object) -> Result<Metadata, Fault> {
    let metadata = file.metadata().map_err(|error| io_fault(&error))?;
    if !metadata.is_file() || listed.etag.as_deref() != Some(etag(&metadata).as_str()) {
        return Err(changed("it was replaced or written to since it was listed"));
    }
    Ok(metadata)
}

fn changed(text: &str) -> Fault {
    Fault::new(FaultKind::Changed, text)
}

fn io_fault(error: &std::io::Error) -> Fault {
    let kind = match error.kind() {
        IoKind::PermissionDenied => FaultKind::Denied,
        IoKind::NotFound => FaultKind::Changed,
        _ => FaultKind::Unavailable,
    };
    Fault::new(kind, scrub(&error.to_string()))
}

fn named(relative: &Path, fault: Fault) -> Fault {
    Fault { text: format!("'{}': {}", scrub(&relative.to_string_lossy()), fault.text), ..fault }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::fs;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;

    use nix::sys::stat::Mode;
    use nix::unistd::mkfifo;
    use tempfile::TempDir;

    use super::*;

    /// A folder with one file in it, and a secret beside it.
    fn folder() -> (TempDir, PathBuf) {
        let outside = tempfile::tempdir().unwrap();
        let root = outside.path().join("root");
        fs::create_dir_all(root.join("sub")).unwrap();
        fs::write(root.join("sub/a.dump"), "0123456789").unwrap();
        fs::write(outside.path().join("secret"), "secret").unwrap();
        (outside, root)
    }

    fn keys(root: &Path) -> Vec<String> {
        let mut keys: Vec<_> = walk(root).unwrap().into_iter().map(|object| object.key).collect();
        keys.sort();
        keys
    }

    #[test]
    fn links_are_followed_to_files_inside_and_nowhere_else() {
        let (outside, root) = folder();
        symlink("sub/a.dump", root.join("latest")).unwrap();
        symlink("../secret", root.join("escape")).unwrap();
        symlink(outside.path(), root.join("parent")).unwrap();
        symlink("sub", root.join("again")).unwrap();
        symlink("nothing", root.join("dangling")).unwrap();
        symlink("circle", root.join("circle")).unwrap();
        assert_eq!(keys(&root), ["latest", "sub/a.dump"]);
        let by_link = outside.path().join("by-link");
        symlink(&root, &by_link).unwrap();
        assert_eq!(keys(&by_link), ["latest", "sub/a.dump"], "the root itself may be a link");
    }

    #[test]
    fn what_is_not_a_file_is_not_an_object_and_never_waited_for() {
        let (_outside, root) = folder();
        mkfifo(&root.join("pipe"), Mode::S_IRWXU).unwrap();
        assert_eq!(keys(&root), ["sub/a.dump"]);
        let object = walk(&root).unwrap().remove(0);
        fs::remove_file(root.join("sub/a.dump")).unwrap();
        mkfifo(&root.join("sub/a.dump"), Mode::S_IRWXU).unwrap();
        let fault = open_unchanged(&root.join("sub/a.dump"), &object).unwrap_err();
        assert_eq!(fault.kind, FaultKind::Changed);
    }

    #[test]
    fn a_file_written_in_place_is_not_the_file_that_was_listed() {
        let (_outside, root) = folder();
        let object = walk(&root).unwrap().remove(0);
        let path = root.join("sub/a.dump");
        let (file, _) = open_unchanged(&path, &object).unwrap();
        let later = std::time::SystemTime::now() + std::time::Duration::from_secs(5);
        let write = |content: &str| {
            fs::write(&path, content).unwrap();
            File::options().write(true).open(&path).unwrap().set_modified(later).unwrap();
        };
        for content in ["9876543210", "01234", "0123456789abc"] {
            write(content);
            assert_eq!(check_unchanged(&file, &object).unwrap_err().kind, FaultKind::Changed, "{content}");
            assert_eq!(open_unchanged(&path, &object).unwrap_err().kind, FaultKind::Changed, "{content}");
        }
    }

    #[test]
    fn a_folder_that_can_not_be_listed_in_full_is_an_error() {
        let (_outside, root) = folder();
        fs::write(root.join(OsStr::from_bytes(b"\xff.dump")), "x").unwrap();
        let fault = walk(&root).unwrap_err();
        assert!(fault.text.contains("not UTF-8"), "{}", fault.text);
        let (_outside, root) = folder();
        let deep: PathBuf = std::iter::repeat_n("d", DEPTH_MAX + 1).collect();
        fs::create_dir_all(root.join(deep)).unwrap();
        let fault = walk(&root).unwrap_err();
        assert!(fault.text.contains("nested deeper"), "{}", fault.text);
        assert_eq!(walk(&root.join("sub/a.dump")).unwrap_err().kind, FaultKind::Missing);
    }
}
