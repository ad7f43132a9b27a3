//! Where the backup was restored.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The scratch, and the machine under it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Environment {
    /// The kind of scratch.
    pub kind: EnvironmentKind,
    /// The version of its server.
    pub postgres_version: String,
    /// The server's own identifier, which tells it from any other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system_identifier: Option<String>,
    /// Whether this drill made the cluster.
    pub cluster_created_by_run: bool,
    /// Whether this drill made the database, empty, from `template0`.
    pub database_created_by_run: bool,
    /// What the server could reach.
    pub sandbox: Sandbox,
    /// The machine.
    pub hardware: Hardware,
    /// Settings that production must not have, such as `fsync` = `off`.
    pub settings_relaxed: BTreeMap<String, String>,
    /// Whether the plan declares this machine to be like production.
    pub production_like: bool,
    /// Extensions of the restored database.
    pub extensions: Vec<Extension>,
}

/// The kind of scratch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EnvironmentKind {
    /// An ephemeral cluster on this machine.
    Cluster,
    /// A database on a server that the plan names.
    Server,
}

/// What the scratch server could reach.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sandbox {
    /// Its network.
    pub network: Network,
    /// The user it ran as.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Whether the plan demands that it has no network.
    pub required: bool,
}

/// The network of the scratch server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Network {
    /// An empty network namespace: nothing can be reached.
    None,
    /// That of the machine.
    Host,
    /// That of the server that the plan names.
    Server,
}

/// The machine under the scratch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hardware {
    /// Processors that could be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vcpus: Option<u64>,
    /// Memory of the machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
}

/// An extension of the restored database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Extension {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}
