//! Signed logs of nights that never were: the golden record, again and again.
#![allow(dead_code, reason = "each test program uses its own share of what stands here")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use firedrill::evidence::*;
use firedrill::record::*;
use jiff::SignedDuration;
use tempfile::TempDir;

pub const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/evidence");

pub fn golden() -> Vec<u8> {
    fs::read(Path::new(FIXTURES).join("v1.0/passing.json")).unwrap()
}

pub fn passing() -> Record {
    Statement::read(&golden()).unwrap().predicate
}

/// The passing record as of another night, by this firedrill, under a name of its own.
pub fn night(number: i64) -> Record {
    let mut record = passing();
    record.run.run_id = RunId::fresh();
    record.run.tool.version = env!("CARGO_PKG_VERSION").to_owned();
    let later = |moment: Moment| Moment::from(moment.at() + SignedDuration::from_hours(24 * number));
    record.run.started_at = later(record.run.started_at);
    record.run.finished_at = record.run.finished_at.map(later);
    let selection = record.selection.as_mut().unwrap();
    selection.listing.listed_at = later(selection.listing.listed_at);
    let point = selection.consistency_point.as_mut().unwrap();
    point.time = later(point.time);
    let freshness = selection.freshness.as_mut().unwrap();
    freshness.newest_moment = later(freshness.newest_moment);
    let selected = selection.selected.as_mut().unwrap();
    selected.last_modified = selected.last_modified.map(later);
    let age = record.measurements.recovery_point.as_mut().unwrap();
    age.reference_time = later(age.reference_time);
    record
}

pub struct Archive {
    pub root: TempDir,
    pub key: SigningKey,
    pub files: Vec<PathBuf>,
    pub head: Head,
}

impl Archive {
    pub fn log(&self) -> PathBuf {
        self.root.path().join("log/orders")
    }

    pub fn verified(&self, options: &Options) -> Report {
        verify(&self.log(), &[self.key.public().clone()], options).unwrap()
    }

    /// What is found wrong, each kind once.
    pub fn faults(&self, options: &Options) -> BTreeSet<FaultKind> {
        let report = self.verified(options);
        report.logs.iter().flat_map(LogReport::faults).map(|fault| fault.kind).collect()
    }

    /// What `firedrill evidence verify` says to the log, with its key and `more`.
    pub fn verified_by_command(&self, more: &[&str]) -> (Option<i32>, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_firedrill"))
            .args(["evidence", "verify", "--key"])
            .arg(self.root.path().join(PUBLIC_FILE))
            .args(more)
            .arg(self.log())
            .output()
            .unwrap();
        let told = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(told).unwrap())
    }

    /// A review of the record in `file`, by the key that signs the records.
    pub fn review(&self, file: &Path) -> PathBuf {
        let entries = entries(&self.log()).unwrap();
        let entry = entries.iter().find(|entry| entry.path == file).unwrap();
        let word = Word {
            outcome: ReviewOutcome::Accepted,
            note: None,
            ticket: None,
            reviewer: Some("a test".to_owned()),
            reviewed_at: jiff::Timestamp::now().into(),
        };
        review(entry, word, &self.key).unwrap()
    }

    pub fn pinned(&self) -> Options {
        Options { expect_head: Some(self.head.sha256), ..Options::default() }
    }
}

/// A signed log of so many nights, which verifies.
pub fn archive(nights: i64) -> Archive {
    let root = TempDir::new().unwrap();
    let (private, public) = keygen(root.path()).unwrap();
    let key = SigningKey::read(&private).unwrap();
    assert_eq!(key.public(), &public);
    let log = Log::open(&root.path().join("log"), "orders").unwrap();
    let written: Vec<Written> =
        (0..nights).map(|number| log.append(&mut night(number), Some(&key)).unwrap()).collect();
    let head = written.last().unwrap().head;
    let files = written.into_iter().map(|written| written.path).collect();
    let archive = Archive { root, key, files, head };
    let report = archive.verified(&archive.pinned());
    assert!(report.is_sound(), "the log is sound before it is damaged: {report:#?}");
    assert_eq!(report.trust(), Trust::Anchored);
    archive
}
