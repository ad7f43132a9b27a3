//! What is verified: a folder, a bundle, or what lies in a bucket, brought into a folder.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::cli::evidence::refused;
use crate::cli::refusal::Refusal;
use crate::cli::runtime::under_signals;
use crate::cli::{Places, output};
use crate::evidence;
use crate::exit_code::ExitCode;
use crate::report::encode;
use crate::store::{self, Location, Object, Options, Store};

/// How large one file of evidence may be, and all that is fetched.
const FILE_BYTES_MAX: u64 = 2 * evidence::BYTES_MAX;
const ALL_BYTES_MAX: u64 = 16 << 30;

/// A folder of evidence, and what it was unpacked or fetched into.
pub struct Source {
    folder: PathBuf,
    _made: Option<TempDir>,
}

impl Source {
    /// The folder at `path`, the bundle there, or what is fetched from there; `store` is the
    /// name of the plan's table for a bucket.
    ///
    /// # Errors
    /// There is none, it can't be read, or it is none.
    pub fn open(path: &str, store: Option<&str>, places: &Places) -> Result<Source, Refusal> {
        if path.contains("://") {
            return Source::fetched(path, store, places);
        }
        let path = Path::new(path);
        if path.is_dir() {
            return Ok(Source { folder: path.to_owned(), _made: None });
        }
        if !path.is_file() {
            let what =
                format!("'{}' is neither a folder nor a bundle", encode::name(&path.to_string_lossy(), 400));
            return Err(Refusal::new(ExitCode::Usage, what, "name the folder of the evidence, or a bundle"));
        }
        let made = temporary()?;
        evidence::unpack(path, made.path()).map_err(|error| refused(&error))?;
        Ok(Source { folder: made.path().to_owned(), _made: Some(made) })
    }

    /// Where the evidence lies.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn fetched(location: &str, store: Option<&str>, places: &Places) -> Result<Source, Refusal> {
        let slash = if location.ends_with('/') { "" } else { "/" };
        let location = Location::parse(&format!("{location}{slash}"))
            .map_err(|error| Refusal::new(ExitCode::Usage, error, "write s3://BUCKET/PREFIX/ or az://…"))?;
        let options = store.map_or_else(|| Ok(Options::default()), |name| named(name, places))?;
        let made = temporary()?;
        let (fetched, heard) = under_signals(output::say, |cancel| {
            cancel.run_until_cancelled_owned(fetch(location, options, made.path().to_owned()))
        })?;
        match fetched {
            Some(fetched) => fetched?,
            None => return Err(Refusal::new(heard.unwrap_or(ExitCode::Interrupted), "interrupted", "")),
        }
        Ok(Source { folder: made.path().to_owned(), _made: Some(made) })
    }
}

fn temporary() -> Result<TempDir, Refusal> {
    let made = tempfile::Builder::new().prefix("firedrill-evidence-").tempdir();
    made.map_err(|error| {
        Refusal::new(ExitCode::Usage, format!("make a temporary folder: {error}"), "see TMPDIR")
    })
}

/// The options of the plan's `[store.NAME]` table.
fn named(name: &str, places: &Places) -> Result<Options, Refusal> {
    let plan = places.plan()?;
    plan.stores.get(name).cloned().ok_or_else(|| {
        let what = format!("the plan has no store '{}'", encode::name(name, 63));
        Refusal::new(ExitCode::Usage, what, "name a [store.NAME] table of the plan, or none")
    })
}

/// Brings every file of evidence below the location into `folder`, one folder for each service.
async fn fetch(location: Location, options: Options, folder: PathBuf) -> Result<(), Refusal> {
    let told = |error: store::Error| Refusal::new(ExitCode::Usage, &error, error.reason().remedy);
    let store = Store::open(&location, &options).await.map_err(told)?;
    let mut left = ALL_BYTES_MAX;
    for object in store.list().await.map_err(told)?.objects {
        let Some(path) = below(&folder, &object) else { continue };
        left =
            left.checked_sub(object.bytes).filter(|_| object.bytes <= FILE_BYTES_MAX).ok_or_else(|| {
                let what = format!("'{}' is too large for evidence", encode::name(&object.uri, 400));
                Refusal::new(ExitCode::Usage, what, "name the prefix of the evidence and nothing else")
            })?;
        let bytes = store.read(&object, 0..object.bytes).await.map_err(told)?;
        let written =
            path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(&path, &bytes));
        written
            .map_err(|error| Refusal::new(ExitCode::Usage, format!("keep what was fetched: {error}"), ""))?;
    }
    Ok(())
}

/// Where an object is put: `SERVICE/FILE`, or `FILE` where the location is one service's. What
/// is called otherwise is no evidence.
fn below(folder: &Path, object: &Object) -> Option<PathBuf> {
    let parts: Vec<&str> = object.key.split('/').collect();
    let safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let fine = |part: &&&str| part.len() <= 255 && !part.starts_with('.') && part.chars().all(safe);
    let is_evidence = (1..=2).contains(&parts.len())
        && parts.iter().filter(fine).count() == parts.len()
        && parts.iter().all(|part| !part.is_empty())
        && object.key.ends_with(".json");
    is_evidence.then(|| folder.join(parts.join("/")))
}
