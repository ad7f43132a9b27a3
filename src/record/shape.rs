//! The shape of the restored database: what a later drill compares itself with.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::value::Sha256;

/// Columns that a record lists; of a larger schema there are digests only.
pub const COLUMNS_MAX: u64 = 20_000;

/// What the restored database is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Shape {
    /// The size of the restored database.
    pub database_bytes: u64,
    /// The major version of the server that worded the definitions.
    pub server_major: u32,
    /// Tables, with each of their columns and its type; absent where there are more than 20,000
    /// columns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tables: Option<BTreeMap<String, Vec<String>>>,
    /// Each class of objects; those of extensions are not counted.
    pub classes: BTreeMap<String, ShapeClass>,
}

/// A class of objects, by their definitions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ShapeClass {
    /// How many there are.
    pub count: u64,
    /// The digest of their names and definitions, in order.
    pub sha256: Sha256,
}
