//! Whether the pages of tables and indexes are what the server takes them for.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::value::Millis;

/// Relations that a record names; the rest are counted.
pub const RELATIONS_MAX: usize = 100;

/// How far the plan wants structure looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AmcheckAsked {
    /// Not at all.
    Off,
    /// Every page of every table and B-tree index.
    On,
    /// And for each row of a table that its indexes have it.
    HeapAllIndexed,
}

/// What `amcheck` found.
///
/// `heaps_expected` and `indexes_expected` are those looked at and those that could not be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Structure {
    /// The version of the extension; absent where the server does not have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amcheck_version: Option<String>,
    /// Why nothing could be looked at, if so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unavailable: Option<String>,
    /// Whether each row was looked for in the indexes of its table.
    pub heap_all_indexed: bool,
    /// Tables, materialised views and their overflow.
    pub heaps_expected: u64,
    /// Those whose every page was looked at.
    pub heaps_checked: u64,
    /// B-tree indexes.
    pub indexes_expected: u64,
    /// Those whose every page was looked at.
    pub indexes_checked: u64,
    /// Indexes of other kinds, which `amcheck` can't look at.
    pub indexes_other: u64,
    /// What is damaged.
    pub damaged: Vec<DamagedRelation>,
    /// How many relations are.
    pub damaged_total: u64,
    /// What could not be looked at.
    pub unchecked: Vec<UncheckedRelation>,
    /// How many relations could not be.
    pub unchecked_total: u64,
    /// Over how many connections.
    pub jobs: u64,
    /// How long all of it took; after the recovery time was measured.
    pub duration_ms: Millis,
}

/// A relation that is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DamagedRelation {
    /// Its qualified name.
    pub name: String,
    /// `heap` or `index`.
    pub kind: RelationKind,
    /// How many faults were found; of an index the first ends the search.
    pub faults: u64,
    /// The first page with a fault, where that is told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_block: Option<u64>,
    /// The server's five-character code, where the search ended with one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sqlstate: Option<String>,
}

/// A relation that could not be looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UncheckedRelation {
    /// Its qualified name.
    pub name: String,
    /// `heap` or `index`.
    pub kind: RelationKind,
    /// Why: the server's five-character code or a word of ours.
    pub why: String,
}

/// What a relation is to `amcheck`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RelationKind {
    /// Rows.
    Heap,
    /// A B-tree index.
    Index,
}
