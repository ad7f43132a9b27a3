//! Address and access of a container.

use std::collections::BTreeMap;
use std::sync::Arc;

use azure_core::credentials::TokenCredential;
use azure_core::http::{ClientOptions, RetryOptions, Transport};
use azure_storage_blob::{BlobContainerClient, BlobContainerClientOptions};
use reqwest::{Client, Url, redirect};

use crate::store::authority::Authorities;
use crate::store::azure::courier::{Courier, Pass};
use crate::store::azure::identity;
use crate::store::azure::shared_key::SharedKey;
use crate::store::driver::{Fault, FaultKind};
use crate::store::environment::Environment;
use crate::store::options::Options;
use crate::store::retry::Patience;
use crate::store::wire;

/// How to connect; followed again when credentials have expired.
#[derive(Clone, Debug)]
pub(in crate::store) struct Recipe {
    pub account: String,
    pub container: String,
    pub options: Options,
    pub environment: Environment,
}

/// Where the account answers and how it is entered.
struct Entrance {
    /// `None` for the account's address in Azure itself.
    endpoint: Option<String>,
    pass: Pass,
    needs_token: bool,
}

impl Recipe {
    /// A client whose own retries are off.
    pub(in crate::store) async fn connect(&self, patience: &Patience) -> Result<BlobContainerClient, Fault> {
        let entrance = self.entrance()?;
        let url = self.container_url(entrance.endpoint.as_deref())?;
        let credential: Option<Arc<dyn TokenCredential>> = match entrance.needs_token {
            true if url.scheme() != "https" => {
                let text = "no key, SAS or connection string is named, and tokens are sent over https only";
                return Err(Fault::new(FaultKind::NoCredentials, text).with_remedy(NAME_ONE));
            }
            true => Some(identity::find(&self.environment).await?),
            false => None,
        };
        let client_options = ClientOptions {
            retry: RetryOptions::none(),
            transport: Some(Transport::new(Arc::new(self.http_client(patience)?))),
            per_try_policies: vec![Arc::new(Courier { pass: entrance.pass })],
            ..ClientOptions::default()
        };
        let options = BlobContainerClientOptions { client_options, ..BlobContainerClientOptions::default() };
        BlobContainerClient::new(url, credential, Some(options))
            .map_err(|error| configuration(&wire::causes(&error)))
    }

    fn http_client(&self, patience: &Patience) -> Result<Client, Fault> {
        // A redirect would take the signature elsewhere; storage has none.
        let mut builder =
            Client::builder().connect_timeout(patience.connect).redirect(redirect::Policy::none());
        if let Some(file) = &self.options.ca_file {
            builder = builder.tls_certs_merge(Authorities::read(file)?.certificates());
        }
        builder.build().map_err(|error| configuration(&wire::causes(&error)))
    }

    fn container_url(&self, endpoint: Option<&str>) -> Result<Url, Fault> {
        let account = &self.account;
        let text = match endpoint {
            None => format!("https://{account}.blob.core.windows.net"),
            Some(endpoint) => endpoint.trim_end_matches('/').to_owned(),
        };
        let mut url: Url = text.parse().map_err(|_| configuration("its endpoint is not an address"))?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() || url.query().is_some() {
            return Err(configuration("its endpoint is not an http or https address without a query"));
        }
        let adds_account =
            self.options.path_style && !url.path().split('/').any(|segment| segment == account);
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(adds_account.then_some(account)).push(&self.container);
        }
        Ok(url)
    }

    fn entrance(&self) -> Result<Entrance, Fault> {
        let endpoint = self.options.endpoint.clone();
        let entered_with = |pass| Entrance { endpoint: endpoint.clone(), pass, needs_token: false };
        if self.options.anonymous {
            return Ok(entered_with(Pass::None));
        }
        if let Some(name) = &self.options.connection_string_env {
            return self.by_connection_string(&self.secret(name, "connection_string_env")?);
        }
        if let Some(name) = &self.options.account_key_env {
            let key = self.secret(name, "account_key_env")?;
            return Ok(entered_with(self.pass_of_key(&key)?));
        }
        if let Some(name) = &self.options.sas_env {
            return Ok(entered_with(pass_of_sas(&self.secret(name, "sas_env")?)));
        }
        Ok(Entrance { needs_token: true, ..entered_with(Pass::None) })
    }

    fn secret(&self, name: &str, option: &str) -> Result<String, Fault> {
        self.environment.value(name).ok_or_else(|| {
            let text = format!("no credentials: the variable '{name}', which {option} names, is not set");
            Fault::new(FaultKind::NoCredentials, text).with_remedy("set that variable")
        })
    }

    fn pass_of_key(&self, key: &str) -> Result<Pass, Fault> {
        let key = SharedKey::new(&self.account, key);
        key.map(Pass::Key)
            .ok_or_else(|| Fault::new(FaultKind::NoCredentials, "the account key is not base64"))
    }

    fn by_connection_string(&self, text: &str) -> Result<Entrance, Fault> {
        let parts = parse_connection_string(text)
            .ok_or_else(|| configuration("the connection string is not a list of NAME=VALUE;"))?;
        let part = |name: &str| parts.get(name).copied();
        if let Some(account) = part("accountname").filter(|account| *account != self.account) {
            return Err(configuration(&self.for_another(account)));
        }
        let pass = match (part("accountkey"), part("sharedaccesssignature")) {
            (Some(key), _) => self.pass_of_key(key)?,
            (None, Some(sas)) => pass_of_sas(sas),
            (None, None) => {
                let text = "the connection string has neither AccountKey nor SharedAccessSignature";
                return Err(Fault::new(FaultKind::NoCredentials, text));
            }
        };
        let by_suffix = || {
            let suffix = part("endpointsuffix")?;
            Some(format!(
                "{}://{}.blob.{suffix}",
                part("defaultendpointsprotocol").unwrap_or("https"),
                self.account
            ))
        };
        let endpoint = self
            .options
            .endpoint
            .clone()
            .or_else(|| part("blobendpoint").map(str::to_owned))
            .or_else(by_suffix);
        Ok(Entrance { endpoint, pass, needs_token: false })
    }

    fn for_another(&self, account: &str) -> String {
        match is_account_name(account) {
            true => format!(
                "the connection string is for the account '{account}', the location for '{}'",
                self.account
            ),
            false => "the AccountName in the connection string is not the name of an account".to_owned(),
        }
    }
}

/// What may be an account's name, and no more of a connection string than that: where its parts
/// were joined in another way than by `;`, the key stands in what is taken for the name.
fn is_account_name(text: &str) -> bool {
    text.len() <= 24 && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
}

const NAME_ONE: &str = "name the variable that holds one: account_key_env, sas_env or connection_string_env in a \
    [store.NAME] table, or anonymous = true there if the container is public";

fn pass_of_sas(sas: &str) -> Pass {
    Pass::Sas(sas.trim().trim_start_matches('?').to_owned())
}

/// Names in lower case. Values may hold `=`.
fn parse_connection_string(text: &str) -> Option<BTreeMap<String, &str>> {
    let pairs = text.split(';').map(str::trim).filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            pair.split_once('=').map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim()))
        })
        .collect()
}

fn configuration(text: &str) -> Fault {
    Fault::new(FaultKind::Configuration, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipe(options: Options) -> Recipe {
        let variables = [
            ("KEY", "c2VjcmV0"),
            ("SAS", "?sv=1&sig=SECRET"),
            (
                "CS",
                "DefaultEndpointsProtocol=http;AccountName=acc;AccountKey=c2VjcmV0;EndpointSuffix=example.net",
            ),
            ("CS_OTHER", "AccountName=other;AccountKey=c2VjcmV0"),
            (
                "CS_POINT",
                "BlobEndpoint=http://127.0.0.1:1/acc;SharedAccessSignature=sv=1&sig=SECRET;AccountName=acc;",
            ),
            ("CS_BARE", "AccountName=acc"),
        ];
        let environment = Environment::given(variables);
        Recipe { account: "acc".into(), container: "con".into(), options, environment }
    }

    fn url(options: Options) -> Result<String, String> {
        let recipe = recipe(options);
        let entrance = recipe.entrance().map_err(|fault| fault.text)?;
        recipe.container_url(entrance.endpoint.as_deref()).map(String::from).map_err(|fault| fault.text)
    }

    #[test]
    fn the_container_is_found_where_the_options_say() {
        let endpoint = |endpoint: &str, path_style| Options {
            endpoint: Some(endpoint.into()),
            path_style,
            anonymous: true,
            ..Options::default()
        };
        let cs = |name: &str| Options { connection_string_env: Some(name.into()), ..Options::default() };
        let table = [
            (Options { anonymous: true, ..Options::default() }, "https://acc.blob.core.windows.net/con"),
            (endpoint("http://127.0.0.1:1/acc", false), "http://127.0.0.1:1/acc/con"),
            (endpoint("http://127.0.0.1:1/acc/", true), "http://127.0.0.1:1/acc/con"),
            (endpoint("http://127.0.0.1:1", true), "http://127.0.0.1:1/acc/con"),
            (endpoint("https://cdn.example.net", false), "https://cdn.example.net/con"),
            (cs("CS"), "http://acc.blob.example.net/con"),
            (cs("CS_POINT"), "http://127.0.0.1:1/acc/con"),
        ];
        for (options, expected) in table {
            assert_eq!(url(options).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn what_is_missing_or_wrong_is_said_without_showing_a_secret() {
        let table = [
            (
                Options { account_key_env: Some("NOPE".into()), ..Options::default() },
                "'NOPE', which account_key_env names",
            ),
            (
                Options { connection_string_env: Some("CS_OTHER".into()), ..Options::default() },
                "for the account 'other'",
            ),
            (
                Options { connection_string_env: Some("CS_BARE".into()), ..Options::default() },
                "neither AccountKey",
            ),
            (
                Options { connection_string_env: Some("KEY".into()), ..Options::default() },
                "not a list of NAME=VALUE",
            ),
            (Options { account_key_env: Some("SAS".into()), ..Options::default() }, "not base64"),
            (
                Options { endpoint: Some("ftp://x".into()), anonymous: true, ..Options::default() },
                "not an http or https",
            ),
        ];
        for (options, says) in table {
            let text = url(options).unwrap_err();
            assert!(text.contains(says), "{text}");
            assert!(!text.contains("SECRET") && !text.contains("c2VjcmV0"), "{text}");
        }
        let shown = format!("{:?}", recipe(Options::default()));
        assert!(!shown.contains("SECRET") && !shown.contains("c2VjcmV0"), "{shown}");
    }
}
