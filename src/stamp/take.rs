//! Taking a stamp: one snapshot, in which the dump and the hashing run side by side.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::digest::Digest;
use crate::evidence::{Envelope, SigningKey, canonical};
use crate::plan::{Check, Question};
use crate::postgres::{self, Session};
use crate::proof::inventory::{self, Item};
use crate::proof::source::{self, How, Source};
use crate::proof::{LargeObjectsPrint, Name, Pace, SequenceValue, TablePrint, newest_of, pin};
use crate::record::{Extension, Moment, ROW_HASH, Sha256};
use crate::stamp::command::DumpCommand;
use crate::stamp::document::{
    Document, LargeObjects, LeftOut, Newest, Object, Predicate, STAMP_VERSION, Table, sequences_of,
};
use crate::stamp::dump::{Archive, Dump, Output, archive_in, interrupted};
use crate::stamp::error::{Error, Kind};
use crate::stamp::left_out::leave_out;
use crate::stamp::pattern::Pattern;
use crate::stamp::snapshot::Leader;

/// What is to be stamped, and how.
pub struct Request {
    /// The command that dumps.
    pub command: DumpCommand,
    /// Variables that tell it where the source is.
    pub environment: Vec<(String, OsString)>,
    /// Where the archive goes if the command writes it to its standard output.
    pub output: Option<Output>,
    /// The zone that its environment gives its session, if any.
    pub zone: Option<String>,
    /// Where the stamp is written.
    pub out: PathBuf,
    /// Of the tables that are dumped, only these are hashed, if any.
    pub tables: Vec<Pattern>,
    /// And not these.
    pub exclude_tables: Vec<Pattern>,
    /// The plan's checks of the service; those for freshness are asked in the snapshot.
    pub checks: Vec<Check>,
    /// Who signs it.
    pub key: Option<SigningKey>,
    /// Sessions that read rows, at least 1.
    pub jobs: usize,
    /// Bytes of rows that are read in a second, at most.
    pub rate_max: Option<u64>,
}

/// A stamp that was taken.
#[derive(Clone, Debug)]
pub struct Taken {
    /// Where it lies.
    pub path: PathBuf,
    /// What it says.
    pub document: Document,
    /// The key that has signed it.
    pub signed_by: Option<String>,
    /// Freshness checks that the source gave no answer to, and why: the stamp leaves them out.
    pub unanswered: Vec<(String, String)>,
}

/// Takes a stamp over sessions that `connect` opens, while the dump runs. `tell` hears of rows as
/// they are hashed.
///
/// # Errors
/// The dump failed, the source could not be read, or the stamp not be written: then there is none.
/// A dump that runs is let run to its end, unless `cancel` stops it.
pub async fn take(
    mut request: Request,
    connect: impl AsyncFn() -> Result<Session, postgres::Error>,
    tell: impl Fn(u64) + Sync,
    cancel: &CancellationToken,
) -> Result<Taken, Error> {
    remove_stale(&request.out)?;
    let prepared = async {
        let survey = Survey::prepare(&request, &connect).await?;
        let mut workers = Vec::new();
        for _ in 0..request.jobs.max(1) {
            let worker = connected(&connect).await?;
            survey.leader.lead(&worker).await.map_err(refused("share the snapshot"))?;
            workers.push(worker);
        }
        let outside = connected(&connect).await?;
        let before = sequences(&outside).await?;
        Ok((survey, workers, outside, before))
    };
    let (survey, workers, outside, before) = tokio::select! {
        prepared = prepared => prepared?,
        () = cancel.cancelled() => return Err(interrupted()),
    };
    let output = request.output.take().filter(|_| request.command.file.is_none());
    let command = request.command.in_snapshot(&survey.leader.snapshot);
    let dump = Dump::start(&command, &request.environment, output)?;
    let reading = async {
        tokio::try_join!(survey.hash(&request, &workers, tell), survey.newest(&outside, &request.checks))
    };
    let (passed_on, (hashed, newest)) = side_by_side(dump.end(cancel), reading, cancel).await?;
    let after = sequences(&outside).await?;
    let archive = match (passed_on, &request.command.file) {
        (Some(passed_on), _) => passed_on,
        (None, Some(file)) => archive_in(file).await?,
        (None, None) => return Err(Error::new(Kind::File, "the dump has written no archive")),
    };
    let sequences = request.command.scope.is_whole().then(|| sequences_of(&before, &after));
    let (newest, unanswered): (Vec<_>, Vec<_>) = newest.into_iter().partition(Result::is_ok);
    let mut document = survey.document(&request, hashed, archive, sequences);
    document.predicate.newest = newest.into_iter().flatten().collect();
    let signed_by = write(&document, &request)?;
    let unanswered = unanswered.into_iter().filter_map(Result::err).collect();
    Ok(Taken { path: request.out, document, signed_by, unanswered })
}

/// Both to their end, unless the dump fails: then the hashing is in vain. If the hashing fails, the
/// dump is let run all the same, since it may be a good one.
async fn side_by_side<D, H>(
    dump: impl Future<Output = Result<D, Error>>,
    hashing: impl Future<Output = Result<H, Error>>,
    cancel: &CancellationToken,
) -> Result<(D, H), Error> {
    let mut dump = std::pin::pin!(dump);
    let mut hashing = std::pin::pin!(hashing);
    tokio::select! {
        dumped = &mut dump => {
            let dumped = dumped?;
            tokio::select! {
                hashed = hashing => Ok((dumped, hashed?)),
                () = cancel.cancelled() => Err(interrupted()),
            }
        }
        hashed = &mut hashing => {
            let dumped = dump.await?;
            Ok((dumped, hashed?))
        }
    }
}

/// What is known of the source before its rows are read.
struct Survey {
    leader: Leader,
    source: Source,
    left_out: Vec<LeftOut>,
    extensions: Vec<Extension>,
}

/// What was read of the source.
struct Hashed {
    tables: BTreeMap<Name, TablePrint>,
    large_objects: Option<LargeObjectsPrint>,
    objects: Option<Vec<Item>>,
}

impl Survey {
    async fn prepare(
        request: &Request,
        connect: &impl AsyncFn() -> Result<Session, postgres::Error>,
    ) -> Result<Survey, Error> {
        let session = connected(connect).await?;
        let mut leader = Leader::begin(session).await.map_err(refused("take a snapshot"))?;
        leader.dumped_with(request.zone.as_deref(), request.command.encoding.as_deref());
        let session = &leader.session;
        let listed = refused("list the tables of the source");
        let mut source = Source::look(session, leader.server.server_major).await.map_err(listed)?;
        let stamp = (request.tables.as_slice(), request.exclude_tables.as_slice());
        let scope = &request.command.scope;
        let left_out = leave_out(&mut source, session, scope, stamp, leader.server.replica);
        let left_out = left_out.await.map_err(refused("find the tables that the patterns name"))?;
        pin(session).await.map_err(refused("prepare to read"))?;
        source.lock(session).await.map_err(refused("hold the tables of the source as they are"))?;
        let extensions = leader.extensions().await.map_err(refused("list the extensions"))?;
        Ok(Survey { leader, source, left_out, extensions })
    }

    async fn hash(
        &self,
        request: &Request,
        workers: &[Session],
        tell: impl Fn(u64) + Sync,
    ) -> Result<Hashed, Error> {
        let scope = &request.command.scope;
        let (manner, encoding) = self.leader.manner();
        let pace = request.rate_max.map(Pace::of);
        let how = How { manner, encoding, through_roots: scope.through_roots, pace };
        let session = &self.leader.session;
        let objects = match scope.is_whole() {
            true => Some(inventory::take(session).await.map_err(refused("list the objects of the source"))?),
            false => None,
        };
        let tables = self.source.read(workers, &how, tell).await.map_err(refused("hash the rows"))?;
        let large_objects = match scope.has_large_objects() {
            true => {
                let read = source::large_objects(session, &how).await;
                Some(read.map_err(refused("hash the large objects"))?)
            }
            false => None,
        };
        Ok(Hashed { tables, large_objects, objects })
    }

    /// What the freshness checks find in the snapshot, asked one after the other as a drill asks
    /// them; or which of them found nothing, and why.
    async fn newest(
        &self,
        session: &Session,
        checks: &[Check],
    ) -> Result<Vec<Result<Newest, (String, String)>>, Error> {
        let failed = refused("ask for the newest values");
        let mut all = Vec::new();
        for check in checks {
            let Question::Newest { sql, .. } = &check.question else { continue };
            self.leader.take_along(session).await.map_err(&failed)?;
            let answered = newest_of(session, sql, check.timeout).await.map_err(&failed)?;
            session.run("ROLLBACK").await.map_err(&failed)?;
            let newest = |moment: Timestamp| Newest {
                check: check.name.clone(),
                sql_sha256: Sha256(Digest::of(sql.as_bytes())),
                moment: Moment::from(moment),
            };
            all.push(answered.map(newest).map_err(|why| (check.name.clone(), why)));
        }
        Ok(all)
    }

    fn document(
        self,
        request: &Request,
        hashed: Hashed,
        (digest, archive_bytes): Archive,
        sequences: Option<Vec<crate::stamp::document::Sequence>>,
    ) -> Document {
        let predicate = Predicate {
            stamp_version: STAMP_VERSION,
            tool_version: env!("CARGO_PKG_VERSION").to_owned(),
            archive_bytes,
            source: self.leader.server,
            snapshot: self.leader.taken,
            settings: self.leader.settings,
            extensions: self.extensions,
            row_hash: ROW_HASH.to_owned(),
            tables: hashed.tables.iter().map(|(name, print)| Table::of(name, print)).collect(),
            left_out: self.left_out,
            large_objects: hashed.large_objects.as_ref().map(LargeObjects::of),
            sequences,
            objects: hashed.objects.map(|items| items.into_iter().map(Object::from).collect()),
            newest: Vec::new(),
        };
        Document::of(subject_name(request), Sha256(digest), predicate)
    }
}

async fn connected(connect: &impl AsyncFn() -> Result<Session, postgres::Error>) -> Result<Session, Error> {
    connect().await.map_err(refused("reach the source"))
}

async fn sequences(session: &Session) -> Result<BTreeMap<Name, SequenceValue>, Error> {
    source::sequences(session).await.map_err(refused("read the sequences"))
}

fn refused(tried: &'static str) -> impl Fn(postgres::Error) -> Error {
    move |error| Error::of_source(tried, &error)
}

/// What the archive is called in its stamp: as the file, else as the stamp.
fn subject_name(request: &Request) -> String {
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    let own = || name(&request.out).map(|own| own.strip_suffix(SUFFIX).map(str::to_owned).unwrap_or(own));
    request.command.file.as_deref().and_then(name).or_else(own).unwrap_or_default()
}

/// What the name of a stamp ends with.
pub const SUFFIX: &str = ".stamp.json";

/// The stamp of an earlier archive of the same name speaks of nothing, once the dump has begun.
fn remove_stale(out: &Path) -> Result<(), Error> {
    match fs::remove_file(out) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(unwritten(out, &error)),
        _ => Ok(()),
    }
}

/// Writes the stamp all at once, signed if there is a key.
fn write(document: &Document, request: &Request) -> Result<Option<String>, Error> {
    let broken = |_| Error::new(Kind::File, "write the stamp: a number in it is too large");
    let value = serde_json::to_value(document).map_err(|error| unwritten(&request.out, &error))?;
    let payload = canonical(&value).map_err(broken)?;
    let bytes = match &request.key {
        Some(key) => Envelope::seal(&payload, key).bytes().map_err(broken)?,
        None => payload,
    };
    let folder = request.out.parent().filter(|folder| !folder.as_os_str().is_empty());
    let written = || {
        let mut file = tempfile::Builder::new()
            .prefix(".firedrill-stamp-")
            .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
            .tempfile_in(folder.unwrap_or(Path::new(".")))?;
        file.write_all(&bytes)?;
        file.as_file().sync_all()?;
        file.persist(&request.out).map_err(|error| error.error)
    };
    written().map_err(|error: io::Error| unwritten(&request.out, &error))?;
    Ok(request.key.as_ref().map(|key| key.public().id().to_owned()))
}

fn unwritten(out: &Path, error: &dyn std::fmt::Display) -> Error {
    Error::new(Kind::File, format!("write the stamp '{}': {error}", out.display()))
        .with_remedy("name a file in a directory that you may write to in --out")
}
