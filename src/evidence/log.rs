//! The log of a service: one file per drill, each with the digest of the one before it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use crate::digest::Digest;
use crate::evidence::envelope::Envelope;
use crate::evidence::error::{Error, Kind};
use crate::evidence::key::SigningKey;
use crate::evidence::review::ReviewFile;
use crate::evidence::statement::{BYTES_MAX, Statement};
use crate::judge;
use crate::record::{Record, RunId, Sha256, Signing};

/// How long the name of a service may be.
const NAME_BYTES_MAX: usize = 63;

/// How many files of a directory are looked at: a drill each hour for a century.
const FILES_MAX: usize = 1_000_000;

/// How the name of a file begins until it is whole.
const UNFINISHED: &str = ".unfinished-";

/// The digest that the first record of a log carries in place of a file's before it.
pub fn genesis(log_id: &str) -> Sha256 {
    Sha256(Digest::of(format!("genesis {log_id}").as_bytes()))
}

/// The evidence of one service: a directory that only grows.
///
/// One writer at a time, which the lock of the state directory sees to.
#[derive(Clone, Debug)]
pub struct Log {
    directory: PathBuf,
    service: String,
}

/// A file of a log, by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The place that the name claims.
    pub sequence: u64,
    /// The drill that the name claims.
    pub run_id: RunId,
    /// Whether it is an envelope, and not a bare statement.
    pub signed: bool,
    /// Where it lies.
    pub path: PathBuf,
}

/// A record as it was read back, unverified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The record.
    pub record: Record,
    /// The digest of its file.
    pub sha256: Sha256,
}

/// The last file of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its place.
    pub sequence: u64,
    /// The digest of its bytes.
    pub sha256: Sha256,
}

/// A record that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Where it lies.
    pub path: PathBuf,
    /// Its place and the digest of its file: the new head of the log.
    pub head: Head,
}

impl Log {
    /// The log of `service` below `root`, whose directory is made if need be.
    ///
    /// The name must be 1 to 63 of letters, digits, `-`, `_` and `.`, and not begin with a
    /// `.`: it becomes the name of a directory.
    pub fn open(root: &Path, service: &str) -> Result<Log, Error> {
        is_safe(service)?;
        let directory = root.join(service);
        fs::create_dir_all(&directory)
            .and_then(|()| sync_directory(root))
            .map_err(|cause| Error::io("make the directory", &directory, cause))?;
        Ok(Log { directory, service: service.to_owned() })
    }

    /// Where the log lies.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The last file, if there is any.
    pub fn head(&self) -> Result<Option<Head>, Error> {
        let entries = entries(&self.directory)?;
        let Some(last) = entries.last() else { return Ok(None) };
        if entries.iter().filter(|entry| entry.sequence == last.sequence).count() > 1 {
            let what = format!("append to a log in which two files claim place {}:", last.sequence);
            return Err(Error::new(Kind::Conflict, what).at(&self.directory));
        }
        let bytes = read_file(&last.path)?;
        Ok(Some(Head { sequence: last.sequence, sha256: Sha256(Digest::of(&bytes)) }))
    }

    /// Gives the record its place, judges it as it stands, and writes it: signed with `key`,
    /// or bare without one. When this returns, the file is on the disk; it never replaces
    /// another.
    pub fn append(&self, record: &mut Record, key: Option<&SigningKey>) -> Result<Written, Error> {
        self.sweep()?;
        let (sequence, previous) = match self.head()? {
            None => (1, genesis(&self.service)),
            Some(head) => (head.sequence.saturating_add(1), head.sha256),
        };
        record.chain.log_id.clone_from(&self.service);
        record.chain.sequence = Some(sequence);
        record.chain.previous_envelope_sha256 = Some(previous);
        record.chain.signing = if key.is_some() { Signing::Ed25519 } else { Signing::None };
        judge::pronounce(record);

        let payload = Statement::of(record.clone()).payload()?;
        let (bytes, suffix) = match key {
            Some(key) => (Envelope::seal(&payload, key).bytes()?, "dsse.json"),
            None => (payload, "json"),
        };
        let name = format!("{sequence:08}-{}.{suffix}", record.run.run_id);
        let path = self.directory.join(&name);
        create(&self.directory, &name, &bytes)?;
        Ok(Written { path, head: Head { sequence, sha256: Sha256(Digest::of(&bytes)) } })
    }

    /// Removes what a killed writer left; a link that it made stays.
    fn sweep(&self) -> Result<(), Error> {
        let failed = |cause| Error::io("sweep the directory", &self.directory, cause);
        for entry in fs::read_dir(&self.directory).map_err(failed)?.take(FILES_MAX) {
            let entry = entry.map_err(failed)?;
            if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
                fs::remove_file(entry.path()).map_err(failed)?;
            }
        }
        Ok(())
    }
}

/// Refuses a name that would be no safe name of a directory.
pub(in crate::evidence) fn is_safe(service: &str) -> Result<(), Error> {
    if is_safe_name(service) {
        return Ok(());
    }
    let shown: String = service.chars().take(NAME_BYTES_MAX).collect();
    Err(Error::new(Kind::UnsafeName, format!("name a directory after the service {shown:?}")))
}

/// Whether a name can be that of a log's directory.
pub(in crate::evidence) fn is_safe_name(name: &str) -> bool {
    let safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    (1..=NAME_BYTES_MAX).contains(&name.len()) && !name.starts_with('.') && name.chars().all(safe)
}

/// The files of the log in `directory`, in the order of the places that their names claim.
/// Files with other names are no part of it. At most a million files are looked at.
pub fn entries(directory: &Path) -> Result<Vec<Entry>, Error> {
    let mut entries: Vec<Entry> = files(directory)?.into_iter().filter_map(entry_of).collect();
    entries.sort_by_key(|entry| (entry.sequence, entry.run_id));
    Ok(entries)
}

/// The reviews among the files in `directory`, by the record and then in their order.
pub(in crate::evidence) fn reviews(directory: &Path) -> Result<Vec<ReviewFile>, Error> {
    let mut reviews: Vec<ReviewFile> = files(directory)?.into_iter().filter_map(ReviewFile::of).collect();
    reviews.sort_by_key(|review| (review.sequence, review.run_id, review.number));
    Ok(reviews)
}

fn files(directory: &Path) -> Result<Vec<PathBuf>, Error> {
    let failed = |cause| Error::io("read the directory", directory, cause);
    let mut files = Vec::new();
    for (at, file) in fs::read_dir(directory).map_err(failed)?.enumerate() {
        if at >= FILES_MAX {
            return Err(
                Error::new(Kind::Malformed, "read a directory of more than a million files:").at(directory)
            );
        }
        files.push(file.map_err(failed)?.path());
    }
    Ok(files)
}

impl Entry {
    /// The name of the file.
    pub fn file_name(&self) -> String {
        let suffix = if self.signed { "dsse.json" } else { "json" };
        format!("{:08}-{}.{suffix}", self.sequence, self.run_id)
    }

    /// Reads the file as it stands. Nothing of it is verified.
    pub fn read(&self) -> Result<Stored, Error> {
        let bytes = read_file(&self.path)?;
        let payload = match self.signed {
            true => Envelope::read(&bytes).and_then(|envelope| envelope.payload()),
            false => Ok(bytes.clone()),
        };
        let statement = payload.and_then(|payload| Statement::read(&payload));
        let record = statement.map_err(|error| error.at(&self.path))?.predicate;
        Ok(Stored { record, sha256: Sha256(Digest::of(&bytes)) })
    }
}

pub(in crate::evidence) fn entry_of(path: PathBuf) -> Option<Entry> {
    let name = path.file_name()?.to_str()?;
    let (stem, signed) = match name.strip_suffix(".dsse.json") {
        Some(stem) => (stem, true),
        None => (name.strip_suffix(".json")?, false),
    };
    let (digits, run_id) = stem.split_once('-')?;
    let sequence: u64 = digits.parse().ok()?;
    let run_id = run_id.parse().ok()?;
    (format!("{sequence:08}") == digits).then_some(Entry { sequence, run_id, signed, path })
}

/// The bytes of a file of evidence, at most 64 MiB.
pub(in crate::evidence) fn read_file(path: &Path) -> Result<Vec<u8>, Error> {
    let read = || {
        let mut bytes = Vec::new();
        // An envelope is a third larger than its statement.
        File::open(path)?.take(2 * BYTES_MAX + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().map_err(|cause| Error::io("read the evidence", path, cause))?;
    if bytes.len() as u64 > 2 * BYTES_MAX {
        return Err(Error::new(Kind::Malformed, "read evidence of more than 128 MiB:").at(path));
    }
    Ok(bytes)
}

/// Makes a file, whole or not at all, and never over another: written beside, synced, then
/// linked.
pub(in crate::evidence) fn create(directory: &Path, name: &str, bytes: &[u8]) -> Result<(), Error> {
    let path = directory.join(name);
    let write = || {
        // What a killed writer left must not stand in the way of the next.
        let beside = directory.join(format!("{UNFINISHED}{}-{name}", std::process::id()));
        let mut file = OpenOptions::new().write(true).create_new(true).open(&beside)?;
        let linked =
            file.write_all(bytes).and_then(|()| file.sync_all()).and_then(|()| fs::hard_link(&beside, &path));
        let removed = fs::remove_file(&beside);
        linked.and(removed).and_then(|()| sync_directory(directory))
    };
    write().map_err(|cause| match cause.kind() {
        io::ErrorKind::AlreadyExists => Error::new(Kind::Conflict, "write evidence that exists:").at(&path),
        _ => Error::io("write the evidence", &path, cause),
    })
}

/// Writes a file that may be replaced, whole or not at all.
pub(in crate::evidence) fn replace(directory: &Path, name: &str, bytes: &[u8]) -> Result<(), Error> {
    let path = directory.join(name);
    let write = || {
        let beside = directory.join(format!("{UNFINISHED}{}-{name}", std::process::id()));
        let mut file = File::create(&beside)?;
        file.write_all(bytes).and_then(|()| file.sync_all())?;
        fs::rename(&beside, &path)?;
        sync_directory(directory)
    };
    write().map_err(|cause| Error::io("write", &path, cause))
}

fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}
