//! Tokens of Entra ID, from whatever this machine has.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use azure_core::credentials::{Secret, TokenCredential};
use azure_identity::{
    ClientSecretCredential, DeveloperToolsCredential, ManagedIdentityCredential, WorkloadIdentityCredential,
    WorkloadIdentityCredentialOptions,
};
use tokio::time::timeout;

use crate::store::driver::{Fault, FaultKind};
use crate::store::environment::Environment;

const SCOPE: &str = "https://storage.azure.com/.default";
/// The metadata service of an instance answers at once, or is not there.
const INSTANCE_PATIENCE: Duration = Duration::from_secs(3);
const SOURCE_PATIENCE: Duration = Duration::from_secs(30);

/// The first source that gives a token: a client secret or a federated token from the
/// environment, the machine's managed identity, the developer's command-line tools.
pub(super) async fn find(environment: &Environment) -> Result<Arc<dyn TokenCredential>, Fault> {
    for (source, patience) in sources(environment) {
        if let Ok(Ok(_)) = timeout(patience, source.get_token(&[SCOPE], None)).await {
            return Ok(source);
        }
    }
    let text =
        "no credentials were found (no client secret, workload identity, managed identity, az or azd login)";
    Err(Fault::new(FaultKind::NoCredentials, text).with_remedy(
        "log in with az, or name account_key_env, sas_env or connection_string_env in a [store.NAME] table, \
         or set anonymous = true there if the container is public",
    ))
}

fn sources(environment: &Environment) -> Vec<(Arc<dyn TokenCredential>, Duration)> {
    let mut sources: Vec<(Arc<dyn TokenCredential>, Duration)> = Vec::new();
    let value = |name| environment.value(name);
    let client = value("AZURE_TENANT_ID").zip(value("AZURE_CLIENT_ID"));
    if let Some(((tenant, client), secret)) = client.clone().zip(value("AZURE_CLIENT_SECRET"))
        && let Ok(source) = ClientSecretCredential::new(&tenant, client, Secret::new(secret), None)
    {
        sources.push((source, SOURCE_PATIENCE));
    }
    if let Some(((tenant, client), file)) = client.zip(value("AZURE_FEDERATED_TOKEN_FILE")) {
        let options = WorkloadIdentityCredentialOptions {
            client_id: Some(client),
            tenant_id: Some(tenant),
            token_file_path: Some(PathBuf::from(file)),
            ..WorkloadIdentityCredentialOptions::default()
        };
        if let Ok(source) = WorkloadIdentityCredential::new(Some(options)) {
            sources.push((source, SOURCE_PATIENCE));
        }
    }
    if matches!(environment, Environment::Process) {
        if let Ok(source) = ManagedIdentityCredential::new(None) {
            sources.push((source, INSTANCE_PATIENCE));
        }
        if let Ok(source) = DeveloperToolsCredential::new(None) {
            sources.push((source, SOURCE_PATIENCE));
        }
    }
    sources
}
