//! What the plan demands of the proof beyond the rows.

/// The `[service.NAME.proof]` table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proof {
    /// How far the structure of tables and indexes is looked at with the extension `amcheck`.
    pub amcheck: Amcheck,
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
