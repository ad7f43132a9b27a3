//! How to reach a store when the defaults don't serve: the plan's `[store.NAME]` table.

use std::path::PathBuf;

/// What a store is told beside its location. Secrets are named here (by environment
/// variable or file), never held.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Another endpoint than the provider's own: `http://127.0.0.1:9000`.
    pub endpoint: Option<String>,
    /// S3: the region, where the environment and the profile don't tell.
    pub region: Option<String>,
    /// S3: the named profile of the shared AWS configuration.
    pub profile: Option<String>,
    /// Send no credentials at all.
    pub anonymous: bool,
    /// S3: the bucket stands in the path, not in the host name. Azure: the account does.
    pub path_style: bool,
    /// A PEM file with certificate authorities to trust beside the system's.
    pub ca_file: Option<PathBuf>,
    /// Azure: the environment variable that holds the account's shared key.
    pub account_key_env: Option<String>,
    /// Azure: the environment variable that holds a SAS token.
    pub sas_env: Option<String>,
    /// Azure: the environment variable that holds a connection string.
    pub connection_string_env: Option<String>,
}
