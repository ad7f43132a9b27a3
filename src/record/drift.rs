//! How far the backup has drifted from the one that passed before it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::value::{Moment, RunId, Sha256};

/// Tables and columns that a record names of each kind of change; the rest are counted.
pub const CHANGES_MAX: usize = 100;

/// What was compared with the last pass of the same service.
///
/// Without `compared_with` there was none, and no figure has a `before`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Drift {
    /// What the plan makes of it.
    pub policy: DriftPolicy,
    /// The pass that was compared with: the newest whose evidence stands up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compared_with: Option<ComparedWith>,
    /// Rows of all tables.
    pub rows: Figure,
    /// Tables whose rows are in the proof.
    pub tables: Figure,
    /// The size of the restored database.
    pub restored_bytes: Figure,
    /// The size of the stored backup.
    pub artifact_bytes: Figure,
    /// Tables whose rows were compared with those of the last pass.
    pub tables_compared: u64,
    /// Tables of which fewer rows than the policy allows came back, the largest losses first.
    pub dropped: Vec<DroppedRows>,
    /// How many there are.
    pub dropped_total: u64,
    /// What became of the schema; absent without a last pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<SchemaChange>,
    /// Whether the bytes are those of the last pass, under another name.
    pub same_artifact: bool,
    /// The name of the database in the archive, where it is another than at the last pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<Renamed>,
}

/// What the plan makes of a drift.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DriftPolicy {
    /// A figure below so many percent of what it was has dropped.
    pub below_percent: u64,
    /// Tables that had fewer rows are not looked at one by one.
    pub least_rows: u64,
    /// Tables that are not looked at one by one, by name.
    pub except: Vec<String>,
    /// Rows that dropped.
    pub rows: Weight,
    /// Sizes that dropped.
    pub size: Weight,
    /// Objects that came or went, or another database.
    pub schema: Weight,
    /// The same bytes under another name.
    pub unchanged: Weight,
}

/// What follows from a drift.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Weight {
    /// Nothing.
    Ignore,
    /// A warning.
    Warn,
    /// The drill fails.
    Fail,
}

/// The pass that was compared with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ComparedWith {
    /// Its place in the log.
    pub sequence: u64,
    /// Its drill.
    pub run_id: RunId,
    /// When that began.
    pub started_at: Moment,
    /// The backup that it restored.
    pub uri: String,
    /// The digest of that backup.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifact_sha256: Option<Sha256>,
}

/// A figure, now and at the last pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Figure {
    /// At the last pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<u64>,
    /// Now; absent where it was not measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
}

impl Figure {
    /// Whether it is below so many percent of what it was.
    pub fn dropped(&self, below_percent: u64) -> bool {
        let (Some(before), Some(after)) = (self.before, self.after) else { return false };
        u128::from(after) * 100 < u128::from(before) * u128::from(below_percent)
    }
}

/// A table that lost rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DroppedRows {
    /// Its qualified name.
    pub name: String,
    /// Its rows at the last pass.
    pub before: u64,
    /// Its rows now.
    pub after: u64,
}

/// Names that came or went.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Names {
    /// How many.
    pub total: u64,
    /// The first of them.
    pub names: Vec<String>,
}

/// What became of the schema.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SchemaChange {
    /// Tables that were not there.
    pub tables_added: Names,
    /// Tables that are not there any more.
    pub tables_removed: Names,
    /// Columns that were not there, of tables that were; with their types.
    pub columns_added: Names,
    /// Columns that are not there any more, of tables that are; with their types.
    pub columns_removed: Names,
    /// Other classes of objects whose definitions are not the same, each with how many objects
    /// there were and are. Compared on the same major version of the scratch server only.
    pub classes_changed: BTreeMap<String, Figure>,
    /// Whether tables and columns were compared by name; the lists of large schemas are not
    /// kept, and then only their digests are compared.
    pub by_name: bool,
}

impl SchemaChange {
    /// Whether anything is otherwise.
    pub fn is_any(&self) -> bool {
        let lists = [&self.tables_added, &self.tables_removed, &self.columns_added, &self.columns_removed];
        lists.iter().any(|names| names.total > 0) || !self.classes_changed.is_empty()
    }
}

/// Another name than before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Renamed {
    /// At the last pass.
    pub before: String,
    /// Now.
    pub after: String,
}
