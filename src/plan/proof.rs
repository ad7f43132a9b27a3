//! What the plan demands of the proof beyond the rows.

use std::path::PathBuf;

use crate::plan::ReadBack;

/// The `[service.NAME.proof]` table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proof {
    /// How far the structure of tables and indexes is looked at with the extension `amcheck`.
    pub amcheck: Amcheck,
    /// Whether foreign keys, checks and NOT NULL are evaluated anew for every restored row.
    pub revalidate: bool,
    /// How much of the restored rows is read back.
    pub read_back: ReadBack,
    /// What is demanded of stamps of the source.
    pub stamp: StampDemand,
    /// Files of public keys, one of which must have signed a stamp that is signed. Without any, no
    /// signature is looked at.
    pub stamp_keys: Vec<PathBuf>,
}

/// What is demanded of stamps of the source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StampDemand {
    /// Nothing: one that is there is used.
    #[default]
    Optional,
    /// One must be there.
    Required,
    /// One must be there, and signed by one of the keys.
    Signed,
}

impl StampDemand {
    /// The word in the plan.
    pub fn as_str(self) -> &'static str {
        match self {
            StampDemand::Optional => "optional",
            StampDemand::Required => "required",
            StampDemand::Signed => "signed",
        }
    }
}

/// How far the structure of tables and indexes is looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Amcheck {
    /// Not at all.
    #[default]
    Off,
    /// Every page of every table and of every B-tree index.
    On,
    /// And for each row of a table that its indexes have it.
    HeapAllIndexed,
}
