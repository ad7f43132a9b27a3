//! What of a log has been sent, and what still waits: the log is its own spool.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::evidence::error::{Error, Kind};
use crate::evidence::log::{Entry, entries, read_file, replace, reviews};
use crate::evidence::review::ReviewFile;
use crate::evidence::sink::Sink;
use crate::record::Sha256;

/// How long the files of one log are sent before the rest is left to the next run.
const DEADLINE: Duration = Duration::from_secs(300);

/// How the name of a cursor begins; the digest of the location follows.
const CURSOR: &str = ".sent-";

/// How much a cursor may hold.
const CURSOR_BYTES_MAX: usize = 16 * 1024 * 1024;

/// How far a log was sent to one location.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cursor {
    location: String,
    /// The place of the last record that is there.
    sequence: u64,
    /// The digest of its file.
    sha256: Sha256,
    /// The names of the reviews that are there.
    reviews: BTreeSet<String>,
}

/// What came of sending.
#[derive(Debug)]
pub struct Sent {
    /// How many files were sent.
    pub sent: u64,
    /// How many still wait.
    pub waiting: u64,
    /// Why, if any waits.
    pub trouble: Option<Error>,
}

/// The files of the log in `directory` that wait to be sent to `location`, in their order.
///
/// # Errors
/// The log can't be read.
pub fn waiting(directory: &Path, location: &str) -> Result<u64, Error> {
    let outbox = Outbox::open(directory, location)?;
    Ok(outbox.waiting())
}

/// Sends what waits of the log of `service` in `directory`: the records in their order, then
/// the reviews. What can't be sent now waits for the next run.
///
/// # Errors
/// The log can't be read.
pub async fn send(directory: &Path, service: &str, sink: &Sink) -> Result<Sent, Error> {
    let mut outbox = Outbox::open(directory, sink.location())?;
    let began = Instant::now();
    let mut sent = 0_u64;
    let mut trouble = None;
    while let Some((path, name)) = outbox.next() {
        if began.elapsed() > DEADLINE {
            let what = format!("send all evidence to {} within five minutes", sink.location());
            trouble = Some(Error::new(Kind::Unreachable, what).with_remedy("the next run sends the rest"));
            break;
        }
        let bytes = read_file(&path)?;
        if let Err(error) = sink.store(&format!("{service}/{name}"), &bytes).await {
            trouble = Some(error);
            break;
        }
        sent = sent.saturating_add(1);
        outbox.is_there(&name, Sha256(Digest::of(&bytes)))?;
    }
    Ok(Sent { sent, waiting: outbox.waiting(), trouble })
}

/// What waits of one log, for one location.
struct Outbox {
    directory: PathBuf,
    cursor: Cursor,
    records: Vec<Entry>,
    reviews: Vec<ReviewFile>,
}

impl Outbox {
    fn open(directory: &Path, location: &str) -> Result<Outbox, Error> {
        let all = entries(directory)?;
        let cursor = read_cursor(directory, location, &all).unwrap_or_else(|| Cursor {
            location: location.to_owned(),
            sequence: 0,
            sha256: Sha256(Digest::of(b"")),
            reviews: BTreeSet::new(),
        });
        let records = all.into_iter().filter(|entry| entry.sequence > cursor.sequence).collect();
        let mut reviews = reviews(directory)?;
        reviews.retain(|review| name_of(&review.path).is_some_and(|name| !cursor.reviews.contains(&name)));
        Ok(Outbox { directory: directory.to_owned(), cursor, records, reviews })
    }

    fn waiting(&self) -> u64 {
        self.records.len().saturating_add(self.reviews.len()) as u64
    }

    /// The next file and its name.
    fn next(&self) -> Option<(PathBuf, String)> {
        let records = self.records.iter().map(|entry| &entry.path);
        let path = records.chain(self.reviews.iter().map(|review| &review.path)).next()?;
        Some((path.clone(), name_of(path)?))
    }

    /// Takes note that the next file was sent.
    fn is_there(&mut self, name: &str, sha256: Sha256) -> Result<(), Error> {
        if self.records.is_empty() {
            self.reviews.remove(0);
            self.cursor.reviews.insert(name.to_owned());
        } else {
            self.cursor.sequence = self.records.remove(0).sequence;
            self.cursor.sha256 = sha256;
        }
        let bytes = serde_json::to_vec(&self.cursor)
            .map_err(|source| Error::new(Kind::Malformed, "write what was sent").because(source))?;
        replace(&self.directory, &cursor_name(&self.cursor.location), &bytes)
    }
}

fn name_of(path: &Path) -> Option<String> {
    path.file_name()?.to_str().map(str::to_owned)
}

fn cursor_name(location: &str) -> String {
    let digest = Digest::of(location.as_bytes()).to_string();
    format!("{CURSOR}{}.json", digest.get(..16).unwrap_or(&digest))
}

/// What was noted, if it is of this very log. A cursor that is lost or damaged costs requests:
/// what is there already is found to be there.
fn read_cursor(directory: &Path, location: &str, entries: &[Entry]) -> Option<Cursor> {
    let bytes = fs::read(directory.join(cursor_name(location))).ok()?;
    let cursor: Cursor = (bytes.len() <= CURSOR_BYTES_MAX).then(|| serde_json::from_slice(&bytes).ok())??;
    let last = entries.iter().find(|entry| entry.sequence == cursor.sequence)?;
    let same = Sha256(Digest::of(&read_file(&last.path).ok()?)) == cursor.sha256;
    (same && cursor.location == location).then_some(cursor)
}
