//! The page that each run leaves in the state directory, beside the evidence.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::cli::report::write::replace;
use crate::drill::{Drilled, RunOutcome};
use crate::evidence::PublicKey;
use crate::record::RunId;
use crate::report::html::{Shown, page};
use crate::report::stored::{self, Drill, Series};

/// How many pages are kept.
pub const PAGES_MAX: usize = 100;

/// How many files of the folder are looked at.
const FILES_MAX: usize = 100_000;

/// Writes the page of a run to `reports/RUN_ID.html` below the state directory, readable by
/// its owner only. A run without a drill leaves none. Earlier drills are shown beside those of the
/// run, verified with `keys`. Of the pages of all runs the newest [`PAGES_MAX`] are kept.
///
/// # Errors
/// Why it could not be written, in one line.
pub fn keep(state: &Path, outcome: &RunOutcome, keys: &[PublicKey]) -> Result<Option<PathBuf>, String> {
    if outcome.drills.is_empty() {
        return Ok(None);
    }
    let series: Vec<Series> =
        outcome.drills.iter().map(|drilled| series(&outcome.evidence, keys, drilled)).collect();
    let failed =
        |what: &dyn std::fmt::Display| format!("the report of this run could not be written: {what}");
    let page = page(Shown {
        series: &series,
        now: Timestamp::now(),
        age_max: None,
        stocks: &BTreeMap::new(),
        notes: &[],
    });
    let page = page.map_err(|error| failed(&error))?;
    let folder = state.join("reports");
    DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(|error| failed(&error))?;
    let file = folder.join(format!("{}.html", outcome.run_id));
    replace(&file, &page, 0o600).map_err(|error| failed(&error))?;
    thin(&folder).map_err(|error| failed(&error))?;
    Ok(Some(file))
}

/// Removes the oldest pages of runs; each can be made again from the evidence. What is called
/// otherwise than a run is left alone.
fn thin(folder: &Path) -> io::Result<()> {
    let mut pages = Vec::new();
    for file in fs::read_dir(folder)?.take(FILES_MAX) {
        let path = file?.path();
        let is_page = path.extension().is_some_and(|extension| extension == "html");
        let run = path.file_stem().and_then(|stem| stem.to_str()?.parse::<RunId>().ok());
        pages.extend(run.filter(|_| is_page).map(|run| (run.to_string(), path)));
    }
    // The names of runs begin with their time.
    pages.sort();
    let old = pages.len().saturating_sub(PAGES_MAX);
    pages.iter().take(old).try_for_each(|(_, path)| fs::remove_file(path))
}

/// The drill with those before it, as far as their evidence can be read back.
fn series(evidence: &Path, keys: &[PublicKey], drilled: &Drilled) -> Series {
    let alone = || Series::of_one(&drilled.record);
    let Some(path) = &drilled.evidence else { return alone() };
    let stored = stored::one(evidence, &drilled.record.service.id, keys);
    let same = |series: &Series| {
        series.newest.as_ref().and_then(|newest: &Drill| newest.evidence.as_ref()) == Some(path)
    };
    stored.ok().filter(same).unwrap_or_else(alone)
}
