//! The stamp that lay beside the backup, and what the proof of it showed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::proof::Compared;
use crate::record::value::{Millis, Moment, Sha256};

/// How many differences a record names; the rest are counted.
pub const DIFFERENCES_MAX: usize = 100;

/// What the plan demands of stamps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StampDemand {
    /// Nothing: one that is there is used.
    Optional,
    /// One must be there.
    Required,
    /// One must be there, signed by a key that the plan names.
    Signed,
}

/// A stamp that took part in the proof.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stamp {
    /// The digest of its own bytes.
    pub sha256: Sha256,
    /// The key that has signed it, of those that the plan names; absent if none has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signed_by: Option<String>,
    /// The digest of the archive that it speaks of.
    pub archive_sha256: Sha256,
    /// The earliest moment that its snapshot speaks for, by the clock of the source.
    pub snapshot_at: Moment,
    /// How much later that may have been, as on a replica.
    pub snapshot_uncertainty_ms: Millis,
    /// The database.
    pub database: String,
    /// The version of the source's server.
    pub server_version: String,
    /// The identifier of the source's cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system_identifier: Option<String>,
    /// Whether the source was a replica.
    pub replica: bool,
    /// Tables that it holds the hash of.
    pub tables: u64,
    /// Tables that it leaves out.
    pub tables_left_out: u64,
    /// The same as the archive and the restored database, beside the rows of tables.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beside_rows: Option<BesideRows>,
}

/// What is not rows of tables, compared with the stamp; each absent where the stamp leaves it out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BesideRows {
    /// Sequences, by where they go on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequences: Option<Compared>,
    /// Large objects, by their number and the hash of all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub large_objects: Option<Compared>,
    /// Objects by definition and state; by their existence and state where the majors differ.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub objects: Option<Compared>,
    /// The newest values of the plan's freshness checks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest: Option<Compared>,
    /// What differs, at most 100 of it.
    pub differences: Vec<Difference>,
    /// How many differ in all.
    pub differences_total: u64,
}

impl BesideRows {
    /// How many the classes say that differ.
    pub fn unequal(&self) -> u64 {
        let classes = [&self.sequences, &self.large_objects, &self.objects, &self.newest];
        let unequal = |class: &Compared| class.expected.saturating_sub(class.equal);
        classes.into_iter().flatten().map(unequal).fold(0, u64::saturating_add)
    }
}

/// Something that is not the same at all three places.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Difference {
    /// What it is, such as `sequence` or `INDEX`.
    pub class: String,
    /// Its qualified name.
    pub name: String,
    /// Which of them differ.
    pub between: Between,
}

/// Which of the three differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Between {
    /// The archive and the restored database agree, and the source does not.
    SourceAndArchive,
    /// The source and the archive agree, and the restored database does not.
    ArchiveAndRestored,
    /// The source and the restored database; the archive was not asked.
    SourceAndRestored,
    /// Each differs from each.
    AllThree,
}

impl Between {
    /// In words, for a sentence.
    pub fn words(self) -> &'static str {
        match self {
            Between::SourceAndArchive => "source and archive differ",
            Between::ArchiveAndRestored => "archive and restored database differ",
            Between::SourceAndRestored => "source and restored database differ",
            Between::AllThree => "source, archive and restored database all differ",
        }
    }
}
