//! What `firedrill backups --json` makes of stdout.

use schemars::JsonSchema;
use serde::Serialize;

use crate::catalog::{Backup, Exposure, Gap};
use crate::history::{Drill, Item, Word};
use crate::record::{ConsistencyPoint, Millis, Moment, ReasonLine, RunId, VerdictWord};
use crate::report::backups::{Listed, Outcome};
use crate::report::history::SignaturesDocument;

/// The backups of each service. What is not known is absent, never 0.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields, title = "firedrill backups --json")]
pub struct Document {
    /// The number that the command ends with.
    pub exit_code: u8,
    /// Each service that was asked for, in the order of the plan.
    pub services: Vec<ServiceDocument>,
}

/// The backups of one service.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct ServiceDocument {
    /// Its name in the plan.
    service: String,
    /// Where its backups lie.
    location: String,
    /// Why they could not be listed; then everything below but the objectives is absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    unlisted: Option<ReasonLine>,
    /// How often the plan expects a backup.
    #[serde(skip_serializing_if = "Option::is_none")]
    expected_period_ms: Option<Millis>,
    /// How much later than that it may come.
    #[serde(skip_serializing_if = "Option::is_none")]
    grace_ms: Option<Millis>,
    /// The recovery point objective.
    #[serde(skip_serializing_if = "Option::is_none")]
    rpo_ms: Option<Millis>,
    /// What was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    found: Option<Found>,
}

/// What was found in a store.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Found {
    /// When the listing was complete; ages count to this moment.
    listed_at: Moment,
    /// Objects that were listed and are no backup by the plan's pattern.
    other_objects: u64,
    /// Whether a backup is overdue by the cadence; true where there is none at all.
    stale: bool,
    /// How old the data of the newest backup is, at the most.
    #[serde(skip_serializing_if = "Option::is_none")]
    data_age_ms: Option<Millis>,
    /// How old the data of the newest proven backup is, at the most.
    #[serde(skip_serializing_if = "Option::is_none")]
    proven_data_age_ms: Option<Millis>,
    /// How far back gaps and losses are looked for; absent where over all backups.
    #[serde(skip_serializing_if = "Option::is_none")]
    window_ms: Option<Millis>,
    /// The worst loss that a disaster could have meant, over all backups.
    #[serde(skip_serializing_if = "Option::is_none")]
    exposure: Option<ExposureDocument>,
    /// The same if only proven backups could be restored; absent where none is, or where a
    /// moment is unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    proven_exposure: Option<ExposureDocument>,
    /// Where a backup is missing by the cadence, oldest first.
    gaps: Vec<GapDocument>,
    /// How many backups are proven.
    proven: u64,
    /// Every backup, oldest first.
    backups: Vec<BackupDocument>,
    /// Files of evidence that could not be read; they prove nothing.
    unreadable_evidence: u64,
    /// Whether the right ones signed the drills.
    signatures: SignaturesDocument,
}

/// One backup.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct BackupDocument {
    /// Its key below the location.
    name: String,
    /// Its whole name.
    uri: String,
    /// The moment that its data speaks for, as far as its name tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    consistency_point: Option<ConsistencyPoint>,
    /// How old the data is, at the most.
    #[serde(skip_serializing_if = "Option::is_none")]
    data_age_ms: Option<Millis>,
    /// When it was last written, and so could be restored from.
    available_at: Moment,
    /// Its size.
    size_bytes: u64,
    /// Whether it must be thawed before it can be read.
    archived: bool,
    /// What drills say of it.
    proof: Proof,
    /// The drill that says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    drill: Option<DrillDocument>,
}

/// What drills say of a backup.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Proof {
    /// This very object came back whole in the drill, and in none since it did not. The drill
    /// passed, or failed by its objectives alone.
    Proven,
    /// This very object did not come back whole.
    Refuted,
    /// Another object of this name came back whole; it was replaced since.
    Changed,
    /// No drill could tell.
    Unproven,
}

/// A drill, by its place in the evidence.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct DrillDocument {
    run_id: RunId,
    sequence: u64,
    started_at: Moment,
    verdict: VerdictWord,
}

/// A loss, and the pair of backups that it lies between.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct ExposureDocument {
    /// How much would have been lost.
    loss_ms: Millis,
    /// The backup that one would have gone back to.
    from: String,
    /// The one that was not available yet; absent where the worst is now.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
}

/// A stretch without a backup, and the pair that it lies between.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct GapDocument {
    /// The backup before it.
    after: String,
    /// The one behind it; absent where none has come yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<String>,
    /// From the moment of the one to that of the other, or until now.
    length_ms: Millis,
}

/// The document of a listing of services.
pub fn document(services: &[Listed<'_>], exit_code: u8) -> Document {
    Document { exit_code, services: services.iter().map(service).collect() }
}

fn service(listed: &Listed<'_>) -> ServiceDocument {
    let limits = listed.limits;
    let (unlisted, found) = match &listed.outcome {
        Outcome::Unlisted(reason) => (Some(ReasonLine::from(reason)), None),
        Outcome::Found { .. } => (None, found(listed)),
    };
    ServiceDocument {
        service: listed.service.to_owned(),
        location: listed.location.clone(),
        unlisted,
        expected_period_ms: limits.every.map(Millis::from),
        grace_ms: limits.every.map(|_| Millis::from(limits.grace)),
        rpo_ms: limits.rpo.map(Millis::from),
        found,
    }
}

fn found(listed: &Listed<'_>) -> Option<Found> {
    let Outcome::Found { inventory, other_objects, .. } = &listed.outcome else { return None };
    let age = |item: Item<'_>| item.data_age(inventory.now).map(Millis::from);
    Some(Found {
        listed_at: inventory.now.into(),
        other_objects: *other_objects as u64,
        stale: inventory.stale,
        data_age_ms: inventory.newest.and_then(age),
        proven_data_age_ms: inventory.newest_proven.and_then(age),
        window_ms: inventory.window.map(Millis::from),
        exposure: inventory.exposure.map(exposure),
        proven_exposure: inventory.proven_exposure.map(exposure),
        gaps: inventory.gaps.iter().map(gap).collect(),
        proven: inventory.proven() as u64,
        backups: inventory.items.iter().map(|item| backup(item, age(*item))).collect(),
        unreadable_evidence: listed.unreadable as u64,
        signatures: listed.signed.into(),
    })
}

fn backup(item: &Item<'_>, data_age_ms: Option<Millis>) -> BackupDocument {
    let Backup { label, object, point, available_at, .. } = item.backup;
    BackupDocument {
        name: label.clone(),
        uri: object.uri.clone(),
        consistency_point: point.map(ConsistencyPoint::from),
        data_age_ms,
        available_at: (*available_at).into(),
        size_bytes: object.bytes,
        archived: object.archived,
        proof: match item.word {
            Word::Proven(_) => Proof::Proven,
            Word::Refuted(_) => Proof::Refuted,
            Word::Changed(_) => Proof::Changed,
            Word::Unproven => Proof::Unproven,
        },
        drill: item.word.drill().map(drill),
    }
}

fn drill(drill: &Drill) -> DrillDocument {
    DrillDocument {
        run_id: drill.run_id,
        sequence: drill.sequence,
        started_at: drill.started_at,
        verdict: VerdictWord(drill.verdict),
    }
}

fn exposure(exposure: Exposure<'_>) -> ExposureDocument {
    ExposureDocument {
        loss_ms: exposure.loss.into(),
        from: exposure.from.label.clone(),
        until: exposure.until.map(|backup| backup.label.clone()),
    }
}

fn gap(gap: &Gap<'_>) -> GapDocument {
    GapDocument {
        after: gap.after.label.clone(),
        before: gap.before.map(|backup| backup.label.clone()),
        length_ms: gap.length.into(),
    }
}
