//! Whether sequences are at or ahead of the columns that take their numbers from them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Sequences, held against the largest number in the columns that they feed (the smallest, for
/// one that counts down). A source may really have one that is behind, so it is a warning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Numbering {
    /// Columns that take their numbers from a sequence.
    pub expected: u64,
    /// Those that could be asked, within a minute each.
    pub asked: u64,
    /// Sequences that would give a number that is taken; the first hundred.
    pub behind: Vec<String>,
    /// How many of them there are.
    pub behind_total: u64,
}
