//! What is kept of one drill to compare it with others.

use std::collections::BTreeMap;

use crate::clock::Phase;
use crate::judge::judge;
use crate::record::{Millis, Moment, Policy, ReasonCode, Record, RecoveryPoint, RunId, Sha256, SignedMillis};
use crate::verdict::{Blame, Code, Verdict};

/// The figures of one drill; what was not measured is absent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drill {
    /// Its place in the log of its service.
    pub sequence: u64,
    /// Its name.
    pub run_id: RunId,
    /// When it began.
    pub started_at: Moment,
    /// The worse of what was recorded and of what the judge finds in the record today.
    pub verdict: Verdict,
    /// Whether those two differ.
    pub disputed: bool,
    /// What the drill says of the backup itself.
    pub content: Content,
    /// Drills before it that were killed, and left no evidence of their own.
    pub killed_before: u64,
    /// The backup that was chosen.
    pub artifact: Option<Artifact>,
    /// Under what the recovery time was measured, in words that are equal where figures can
    /// be compared; absent where it was not measured.
    pub profile: Option<String>,
    /// The measured recovery time.
    pub recovery: Option<Millis>,
    /// What the plan declares beside it.
    pub declared: Millis,
    /// How long the restore took, of that.
    pub restore: Option<Millis>,
    /// Stored bytes that were read.
    pub read_bytes: Option<u64>,
    /// How old the data of the newest backup was, which mostly is the one that was restored.
    pub data_age: Option<SignedMillis>,
    /// The recovery time objective.
    pub rto: Option<Millis>,
    /// The recovery point objective.
    pub rpo: Option<Millis>,
}

/// The object that a drill restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// Where it lay.
    pub uri: String,
    /// The store's name for that version of it.
    pub version: Option<String>,
    /// The store's tag of its content.
    pub etag: Option<String>,
    /// Its size.
    pub bytes: u64,
    /// When it was last written.
    pub modified_at: Option<Moment>,
    /// The digest of its bytes as they were read, if all of them were.
    pub sha256: Option<Sha256>,
}

/// What a drill says of the backup itself, whatever it took and however old it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// It came back whole: the drill passed, or failed by objectives alone.
    Whole,
    /// It did not, and the backup is at fault.
    Broken,
    /// It could not be told.
    Unknown,
}

impl Content {
    /// Every answer there is.
    pub const ALL: [Content; 3] = [Content::Whole, Content::Broken, Content::Unknown];

    /// The word in the cache.
    pub fn as_str(self) -> &'static str {
        match self {
            Content::Whole => "whole",
            Content::Broken => "broken",
            Content::Unknown => "unknown",
        }
    }

    /// A sample may find a backup broken, and never whole.
    fn unless(self, sampled: bool) -> Content {
        if sampled && self == Content::Whole { Content::Unknown } else { self }
    }

    /// From a verdict that the judge shares, and its reasons.
    pub fn of(verdict: Verdict, codes: &[ReasonCode]) -> Content {
        let about_time = |code: &ReasonCode| ABOUT_TIME.contains(&code.0);
        let faulty = |code: &ReasonCode| code.0.blame() == Blame::Backup && !about_time(code);
        match verdict {
            Verdict::Pass => Content::Whole,
            _ if codes.iter().any(faulty) => Content::Broken,
            Verdict::Fail if codes.iter().all(about_time) => Content::Whole,
            Verdict::Fail | Verdict::Inconclusive => Content::Unknown,
        }
    }
}

/// Whether rows were left out of the proof.
fn is_sampled(record: &Record) -> bool {
    record.fidelity.as_ref().is_some_and(|fidelity| fidelity.tables_sampled > 0)
}

/// Reasons that speak of when, and not of what came back.
const ABOUT_TIME: [Code; 4] = [Code::RtoMissed, Code::RpoMissed, Code::BackupStale, Code::TimestampInFuture];

impl Drill {
    /// The figures of a record that has its place in a log.
    pub fn of(record: &Record) -> Drill {
        let found = judge(record).verdict();
        let recorded = record.verdict.result.0;
        let verdict = recorded.max(found);
        let content = match recorded == found {
            true => Content::of(verdict, &record.verdict.reason_codes).unless(is_sampled(record)),
            false => Content::Unknown,
        };
        let recovery_time = record.measurements.recovery_time.as_ref();
        let restore = record.phases.iter().find(|phase| phase.name.0 == Phase::Restore);
        let observed = record.artifact.as_ref().and_then(|artifact| artifact.observed.as_ref());
        Drill {
            sequence: record.chain.sequence.unwrap_or_default(),
            run_id: record.run.run_id,
            started_at: record.run.started_at,
            verdict,
            disputed: recorded != found,
            content,
            killed_before: record.chain.abandoned_runs.len() as u64,
            artifact: artifact(record),
            profile: recovery_time.and_then(|_| profile(record)),
            recovery: recovery_time.map(|time| time.measured_ms),
            declared: recovery_time.map(|time| sum(&time.declared_overheads_ms)).unwrap_or_default(),
            restore: recovery_time.and(restore).map(|phase| phase.duration_ms),
            read_bytes: observed.map(|observed| observed.bytes),
            data_age: record.measurements.recovery_point.as_ref().map(RecoveryPoint::loss_now_ms),
            rto: record.objectives.rto_ms,
            rpo: record.objectives.rpo_ms,
        }
    }

    /// Bytes a second of the restore; absent where the time is too short to tell.
    pub fn throughput(&self) -> Option<u64> {
        let millis = self.restore.filter(|took| took.get() > 0)?.get();
        let per_second = u128::from(self.read_bytes?).checked_mul(1000)?.checked_div(u128::from(millis))?;
        u64::try_from(per_second).ok().filter(|rate| *rate > 0)
    }
}

fn artifact(record: &Record) -> Option<Artifact> {
    let selected = record.selection.as_ref()?.selected.as_ref()?;
    let observed = record.artifact.as_ref().and_then(|artifact| artifact.observed.as_ref());
    Some(Artifact {
        uri: selected.uri.clone(),
        version: selected.version_id.clone(),
        etag: selected.etag.clone(),
        bytes: selected.size_bytes,
        modified_at: selected.last_modified,
        sha256: observed.map(|observed| observed.sha256),
    })
}

/// `scenario latest, latest backup, 4 jobs on 8 cores`, with the relaxed settings behind it.
fn profile(record: &Record) -> Option<String> {
    let environment = record.environment.as_ref()?;
    let restore = record.restore.as_ref()?;
    let policy = match record.selection.as_ref()?.policy {
        Policy::Latest => "latest",
        Policy::Oldest => "oldest",
        Policy::Random => "random",
        Policy::Label => "named",
    };
    let mut words = format!("scenario {}, {policy} backup, {} jobs", record.run.scenario, restore.jobs);
    if let Some(cores) = environment.hardware.vcpus {
        words.push_str(&format!(" on {cores} cores"));
    }
    for (setting, value) in &environment.settings_relaxed {
        words.push_str(&format!(", {setting} = {value}"));
    }
    Some(words)
}

fn sum(declared: &BTreeMap<String, Millis>) -> Millis {
    Millis::new(declared.values().fold(0, |sum, each| sum.saturating_add(each.get())))
}
