//! What was restored, and what was not.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock;
use crate::record::value::Millis;

/// The restore, entry by entry accounted for:
/// `in_archive = restored + excluded + failed`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Restore {
    /// What restored it.
    pub engine: Engine,
    /// Connections to the scratch server that worked at once.
    pub jobs: u64,
    /// So many of them, at most, took rows at once.
    pub copy_connections: u64,
    /// Reads of the store that were under way at once, at most.
    pub store_connections: u64,
    /// Why they were so many.
    pub store_window: StoreWindow,
    /// The size of such a read, at most.
    pub part_bytes: u64,
    /// In which form the rows went to the server. They are always read back as text.
    pub copy: Copied,
    /// Entries of the archive's table of contents.
    pub toc_entries_in_archive: u64,
    /// Those that were restored.
    pub toc_entries_restored: u64,
    /// Those that policy left out.
    pub toc_entries_excluded: u64,
    /// Those that could not be restored.
    pub toc_entries_failed: u64,
    /// Each entry that was left out, and why.
    pub excluded: Vec<ExcludedEntry>,
    /// Entries that could not be restored; the first of them where there are many.
    pub failed: Vec<FailedEntry>,
    /// What the restored database holds, counted by kind (`tables`, `indexes`, …).
    pub objects: BTreeMap<String, u64>,
    /// Indexes that came back invalid; absent if nobody looked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invalid_indexes: Option<u64>,
    /// Constraints that came back unvalidated although they were valid; absent if nobody looked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unvalidated_constraints: Option<u64>,
    /// Roles of the source that were made without login, by name.
    pub placeholder_roles: Vec<String>,
    /// So many tables of an archive in the custom format were begun at once, at most.
    pub tables_at_once: u64,
    /// Bytes of the backup that were read a second time for that.
    pub read_twice_bytes: u64,
    /// Bytes of the backup that were put on a local disk on the way.
    pub staged_bytes: u64,
    /// What went on inside, as start and length. They overlap and are never added up.
    pub spans: Vec<Span>,
}

/// How many reads of the store might have been under way at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StoreWindow {
    /// Whether the plan named their number.
    pub chosen: WindowChoice,
    /// Their number, or its limit.
    pub most: u64,
    /// Answers of the store that asked to slow down: they make an adaptive window smaller.
    pub throttled: u64,
}

/// Who chooses the number of reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum WindowChoice {
    /// The plan.
    Pinned,
    /// firedrill, by what pays.
    Adaptive,
}

/// The forms of COPY in which rows went to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Copied {
    /// What the plan, or the command line, asked for.
    pub chosen: CopyChoice,
    /// Tables of whose rows at least a part went in the binary form.
    pub tables_binary: u64,
    /// Tables whose rows all went as text.
    pub tables_text: u64,
    /// Pieces of the former that went as text all the same, for a value that was spelled oddly.
    pub pieces_fallen_back: u64,
}

/// The form of COPY that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CopyChoice {
    /// Binary, wherever firedrill's conversion is exact.
    Auto,
    /// The text that stands in the archive.
    Text,
}

/// What restored the archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Engine {
    /// firedrill itself.
    Native,
    /// pg_restore.
    PgRestore,
}

/// An entry that was left out by policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExcludedEntry {
    /// Its kind, as the archive calls it.
    pub kind: String,
    /// Its qualified name.
    pub name: String,
    /// Why, as a published word such as `NO_OUTBOUND_CONNECTIONS`.
    pub reason: String,
}

/// An entry that could not be restored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FailedEntry {
    /// Its kind, as the archive calls it.
    pub kind: String,
    /// Its qualified name.
    pub name: String,
    /// The server's five-character code, if the server said one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sqlstate: Option<String>,
}

/// A stretch of the restore.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Span {
    /// What went on.
    pub name: SpanName,
    /// From the drill's start to its own.
    pub start_offset_ms: Millis,
    /// From its first moment to its last.
    pub duration_ms: Millis,
}

impl Span {
    /// A stretch as the clock measured it.
    pub fn new(name: SpanName, span: clock::Span) -> Span {
        Span { name, start_offset_ms: span.offset.into(), duration_ms: span.length.into() }
    }
}

/// What can go on inside a restore.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SpanName {
    /// Stored bytes arrive.
    Download,
    /// They are decompressed.
    Decode,
    /// Rows are loaded.
    Load,
    /// Indexes are built.
    Index,
    /// Constraints are made and validated.
    Constraint,
    /// pg_restore does all of that.
    #[serde(rename = "pg_restore")]
    PgRestore,
}
