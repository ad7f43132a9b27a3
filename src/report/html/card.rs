//! The first look at a service: where it stands, its figures, what was proven and what not.

use crate::clock::{Phase, rfc3339_millis};
use crate::record::{Anchor, ComparedTo, Record};
use crate::report::encode;
use crate::report::figures;
use crate::report::html::Shown;
use crate::report::html::bar::{Meter, meters};
use crate::report::html::words;
use crate::report::standing::{self, Standing};
use crate::report::stored::Series;
use crate::verdict::Verdict;

/// How many reasons are shown at once, and how many faults.
const REASONS_MAX: usize = 8;
const FAULTS_MAX: usize = 8;

/// A service at first sight.
pub struct Card {
    /// Its name.
    pub name: String,
    /// Its description, environment, tier and owner.
    pub about: Vec<String>,
    /// `good`, `unsure`, `bad` or `none`: how it is coloured.
    pub tone: &'static str,
    /// Which sign stands before the word: `tick`, `bang`, `cross`, `query`, `clock` or `empty`.
    pub sign: &'static str,
    /// Where it stands, in a word.
    pub word: &'static str,
    /// The drill in one sentence.
    pub sentence: String,
    /// Why the verdict is not the last word, if it is not.
    pub alarms: Vec<String>,
    /// What should be looked at although it passed.
    pub warnings: Vec<String>,
    /// Why it is no pass, with what to do.
    pub reasons: Vec<Reason>,
    /// Reasons that are left out.
    pub more: Option<String>,
    /// Recovery time and loss of data.
    pub meters: Vec<Meter>,
    /// What was positively seen.
    pub proven: Vec<String>,
    /// What was not.
    pub unproven: Vec<String>,
    /// When the drill was, for people and for programs.
    pub drilled: Option<[String; 2]>,
    /// How long before the page that was, in words.
    pub age: Option<String>,
}

/// A reason of the verdict.
pub struct Reason {
    /// What was seen.
    pub detail: String,
    /// What to do.
    pub remedy: String,
    /// The published code.
    pub code: &'static str,
}

/// The card of a series.
pub fn card(series: &Series, shown: Shown<'_>) -> Card {
    let standing = Standing::of(series, shown.now, shown.age_max);
    let record = series.newest.as_ref().map(|drill| &drill.record);
    let (tone, sign) = look(standing);
    let (reasons, more) = record.map(reasons).unwrap_or_default();
    Card {
        name: words::name(&series.service),
        about: record.map(about).unwrap_or_default(),
        tone,
        sign,
        word: word(standing),
        sentence: sentence(series, standing),
        alarms: alarms(series, standing, shown),
        warnings: record.filter(|_| standing == Standing::Warned).map(warnings).unwrap_or_default(),
        reasons,
        more,
        meters: record.map(meters).unwrap_or_default(),
        proven: record.map(proven).unwrap_or_default(),
        unproven: record.map(unproven).unwrap_or_default(),
        drilled: record.map(|record| {
            let ended = standing::ended_at(record);
            [words::moment(ended), rfc3339_millis(ended.at())]
        }),
        age: record.map(|record| match standing::age_ms(record, shown.now) {
            ..60_000 => "just before this page".to_owned(),
            millis => format!("{} before this page", encode::age(millis)),
        }),
    }
}

fn look(standing: Standing) -> (&'static str, &'static str) {
    match standing {
        Standing::Passed => ("good", "tick"),
        Standing::Warned => ("good", "bang"),
        Standing::Failed => ("bad", "cross"),
        Standing::Stale => ("bad", "clock"),
        Standing::Inconclusive | Standing::Unsound => ("unsure", "query"),
        Standing::Never => ("none", "empty"),
    }
}

fn word(standing: Standing) -> &'static str {
    match standing {
        Standing::Passed => "Passed",
        Standing::Warned => "Passed, with a warning",
        Standing::Never => "Never drilled",
        Standing::Unsound => "Evidence not sound",
        Standing::Inconclusive => "Inconclusive",
        Standing::Stale => "Out of date",
        Standing::Failed => "Failed",
    }
}

fn about(record: &Record) -> Vec<String> {
    let service = &record.service;
    let tier = service.tier.map(|tier| format!("tier {tier}"));
    let parts = [service.description.clone(), service.environment.clone(), tier, service.owner.clone()];
    parts.into_iter().flatten().map(|part| words::name(&part)).collect()
}

/// The drill in a sentence; where it is no proof any more, only that there was one.
fn sentence(series: &Series, standing: Standing) -> String {
    let Some(drill) = &series.newest else { return String::new() };
    let record = &drill.record;
    match (standing, record.verdict.result.0) {
        (Standing::Unsound, verdict) => {
            format!(
                "The newest record says “{verdict}”, which proves nothing while the evidence is not sound."
            )
        }
        (Standing::Stale, verdict) => {
            format!("The newest drill ended in “{verdict}”, too long ago to say anything about today.")
        }
        (_, Verdict::Fail | Verdict::Inconclusive) if !record.verdict.reasons.is_empty() => String::new(),
        _ => words::long(&record.verdict.statement),
    }
}

fn alarms(series: &Series, standing: Standing, shown: Shown<'_>) -> Vec<String> {
    let mut alarms: Vec<String> =
        series.faults.iter().take(FAULTS_MAX).map(|fault| words::sentence(fault)).collect();
    if series.faults.len() > FAULTS_MAX {
        alarms.push(format!("{} faults in all.", encode::count(series.faults_total)));
    }
    if series.faults.is_empty() {
        let why = standing::why(series, standing, shown.now, shown.age_max);
        alarms.extend(why.map(|why| words::sentence(&why)));
    }
    alarms
}

fn warnings(record: &Record) -> Vec<String> {
    standing::happened(record).take(REASONS_MAX).map(|warning| words::sentence(&warning.detail)).collect()
}

fn reasons(record: &Record) -> (Vec<Reason>, Option<String>) {
    words::bounded(&record.verdict.reasons, REASONS_MAX, |reason| Reason {
        detail: words::sentence(&reason.detail),
        remedy: words::sentence(&reason.remedy),
        code: reason.code.0.as_str(),
    })
}

/// Only what was positively seen, each in a few words.
fn proven(record: &Record) -> Vec<String> {
    let mut seen = Vec::new();
    let artifact = record.artifact.as_ref();
    if let Some(observed) = artifact.and_then(|artifact| artifact.observed.as_ref()) {
        let vouched = match artifact.map(|artifact| (artifact.expected.source, artifact.matches)) {
            Some((Anchor::Stamp | Anchor::Sidecar | Anchor::StoreChecksum, Some(true))) => {
                ", as recorded outside of it"
            }
            _ => "",
        };
        seen.push(format!("Every byte was read{vouched}: {}", encode::bytes(observed.bytes)));
    }
    let restore = record.restore.as_ref().filter(|_| figures::has_ended(record, Phase::Restore));
    if let Some(restore) = restore.filter(|restore| restore.toc_entries_failed == 0) {
        seen.push(format!("{} restored without an error", entries(restore.toc_entries_restored)));
    }
    if let Some(proof) = record.fidelity.as_ref().filter(|proof| proof.tables_sampled > 0) {
        let coverage = &proof.coverage;
        seen.push(format!(
            "A sample of the rows came back row for row: {} of {} by SHA-256",
            encode::count(coverage.compared_rows),
            encode::plural(coverage.total_rows, "row")
        ));
    } else if let Some(proof) = record.fidelity.as_ref().filter(|proof| proof.tables_equal > 0) {
        let of = match proof.tables_equal == proof.tables_expected {
            true => encode::plural(proof.tables_expected, "table"),
            false => format!(
                "{} of {}",
                encode::count(proof.tables_equal),
                encode::plural(proof.tables_expected, "table")
            ),
        };
        let rows = encode::plural(proof.coverage.compared_rows, "row");
        seen.push(format!("{of} came back row for row: {rows} by SHA-256"));
    }
    if let Some(restore) = restore
        && (restore.invalid_indexes, restore.unvalidated_constraints) == (Some(0), Some(0))
    {
        seen.push("Every index is valid, every constraint holds".to_owned());
    }
    if let Some(checks) = record.checks.as_ref().filter(|checks| checks.passed > 0) {
        let of = match checks.passed == checks.planned {
            true => encode::plural(checks.planned, "check"),
            false => {
                format!("{} of {}", encode::count(checks.passed), encode::plural(checks.planned, "check"))
            }
        };
        seen.push(format!("{of} answered as expected"));
    }
    let fresh = record.selection.as_ref().and_then(|selection| selection.freshness.as_ref());
    if let Some(fresh) = fresh.filter(|fresh| !fresh.stale) {
        let limit = encode::objective(fresh.limit_ms.duration());
        seen.push(format!(
            "Backups still come: the newest is {} old, of {limit}",
            encode::age(fresh.age_ms.get())
        ));
    }
    seen
}

/// What somebody might take for proven, and is not.
fn unproven(record: &Record) -> Vec<String> {
    let mut open = Vec::new();
    match &record.fidelity {
        None => open.push("That the rows came back: they were not compared".to_owned()),
        Some(proof) => {
            let rest = proof.tables_expected.saturating_sub(proof.tables_equal);
            if rest > 0 {
                open.push(format!("The rows of {}", encode::plural(rest, "table")));
            }
            if proof.compared_to == ComparedTo::ArchiveStream {
                open.push("That the source held these rows: no stamp was taken with the dump".to_owned());
            }
        }
    }
    match &record.checks {
        Some(checks) if checks.planned > checks.passed => {
            let bad = checks.planned.saturating_sub(checks.passed);
            open.push(format!("What {} of the plan asks", encode::plural(bad, "check")));
        }
        Some(checks) if checks.content_only => {
            open.push("What the data means: the plan has no check".to_owned())
        }
        Some(_) => {}
        None => open.push("What the plan's checks ask: they were not put".to_owned()),
    }
    if let Some(left_out) =
        record.restore.as_ref().map(|restore| restore.toc_entries_excluded).filter(|n| *n > 0)
    {
        open.push(format!("{} left out by policy", entries(left_out)));
    }
    if !record.environment.as_ref().is_some_and(|environment| environment.production_like) {
        open.push("The speed of production: the plan does not call this machine like it".to_owned());
    }
    open.push("People, access, DNS, cut-over, roles and server settings: no part of a drill".to_owned());
    open
}

fn entries(count: u64) -> String {
    match count {
        1 => "1 entry of the archive".to_owned(),
        more => format!("{} entries of the archive", encode::count(more)),
    }
}
