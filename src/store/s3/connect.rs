//! Credentials, region and endpoint of an S3 store.

use std::time::Duration;

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::imds;
use aws_config::imds::region::ImdsRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::{ProfileFileCredentialsProvider, ProfileFileRegionProvider};
use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, ConfigLoader};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{
    Credentials, ProvideCredentials, Region, RequestChecksumCalculation, ResponseChecksumValidation,
    SharedCredentialsProvider,
};
use aws_smithy_http_client::Builder as HttpBuilder;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use tokio::time::timeout;

use crate::store::authority::Authorities;
use crate::store::driver::{Fault, FaultKind};
use crate::store::environment::Environment;
use crate::store::options::Options;
use crate::store::retry::Patience;
use crate::store::wire;

/// The metadata service of an instance answers at once, or is not there.
const IMDS_PATIENCE: Duration = Duration::from_secs(1);
/// Single sign-on and credential processes may take their time, but not for ever.
const CREDENTIALS_PATIENCE: Duration = Duration::from_secs(30);
/// What endpoints of our own mostly don't care about, and the SDK insists on.
const REGION_FALLBACK: &str = "us-east-1";

/// How to connect; followed again when credentials have expired.
#[derive(Clone, Debug)]
pub(in crate::store) struct Recipe {
    pub options: Options,
    pub environment: Environment,
}

impl Recipe {
    /// A client whose own retries are off.
    pub(in crate::store) async fn connect(&self, patience: &Patience) -> Result<Client, Fault> {
        let region = self.region().await;
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .region(region.clone())
            .retry_config(RetryConfig::disabled())
            .timeout_config(TimeoutConfig::builder().connect_timeout(patience.connect).build())
            // Stalls are watched over here, for every kind of store alike.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
        loader = match self.credentials(region).await? {
            Some(credentials) => loader.credentials_provider(credentials),
            None => loader.no_credentials(),
        };
        if let Some(profile) = &self.options.profile {
            loader = loader.profile_name(profile);
        }
        loader = self.with_endpoint(loader)?;
        let shared = self.with_authorities(loader)?.load().await;
        let config =
            aws_sdk_s3::config::Builder::from(&shared).force_path_style(self.needs_path_style()).build();
        Ok(Client::from_conf(config))
    }

    /// No bucket can stand before a bare address.
    fn needs_path_style(&self) -> bool {
        let url = self.options.endpoint.as_ref().and_then(|endpoint| endpoint.parse::<reqwest::Url>().ok());
        let host = url.as_ref().and_then(reqwest::Url::host_str).unwrap_or_default();
        let is_address = host.starts_with('[') || host.parse::<std::net::Ipv4Addr>().is_ok();
        self.options.path_style || is_address || host == "localhost"
    }

    fn with_endpoint(&self, loader: ConfigLoader) -> Result<ConfigLoader, Fault> {
        let Some(endpoint) = &self.options.endpoint else { return Ok(loader) };
        match endpoint.parse::<reqwest::Url>() {
            Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => {
                Ok(loader.endpoint_url(endpoint))
            }
            _ => Err(Fault::new(FaultKind::Configuration, "its endpoint is not an http or https address")),
        }
    }

    fn with_authorities(&self, loader: ConfigLoader) -> Result<ConfigLoader, Fault> {
        let Some(file) = &self.options.ca_file else { return Ok(loader) };
        let authorities = Authorities::read(file)?;
        let trust = TrustStore::default().with_pem_certificate(authorities.pem());
        let context = TlsContext::builder()
            .with_trust_store(trust)
            .build()
            .map_err(|error| Fault::new(FaultKind::Configuration, wire::causes(&error)))?;
        let tls = Provider::Rustls(CryptoMode::AwsLc);
        Ok(loader.http_client(HttpBuilder::new().tls_provider(tls).tls_context(context).build_https()))
    }

    async fn region(&self) -> Region {
        let named = self.options.region.clone().or_else(|| match &self.environment {
            Environment::Process => None,
            Environment::Given(_) => {
                Some(self.environment.value("AWS_REGION").unwrap_or_else(|| REGION_FALLBACK.into()))
            }
        });
        if let Some(region) = named {
            return Region::new(region);
        }
        let profile = ProfileFileRegionProvider::builder();
        let profile = match &self.options.profile {
            Some(name) => profile.profile_name(name),
            None => profile,
        };
        let mut chain =
            RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new()).or_else(profile.build());
        if self.options.endpoint.is_none() && !self.options.anonymous {
            chain = chain.or_else(ImdsRegionProvider::builder().imds_client(imds_client()).build());
        }
        chain.region().await.unwrap_or_else(|| Region::new(REGION_FALLBACK))
    }

    /// `None` only where the options say that none are to be sent.
    async fn credentials(&self, region: Region) -> Result<Option<SharedCredentialsProvider>, Fault> {
        if self.options.anonymous {
            return Ok(None);
        }
        let provider = match (&self.environment, &self.options.profile) {
            (Environment::Given(_), _) => SharedCredentialsProvider::new(self.given()?),
            // A profile that the plan names comes before anything in the environment.
            (Environment::Process, Some(profile)) => SharedCredentialsProvider::new(
                ProfileFileCredentialsProvider::builder().profile_name(profile).build(),
            ),
            (Environment::Process, None) => {
                let chain = DefaultCredentialsChain::builder().region(region).imds_client(imds_client());
                SharedCredentialsProvider::new(chain.build().await)
            }
        };
        match timeout(CREDENTIALS_PATIENCE, provider.provide_credentials()).await {
            Ok(Ok(_)) => Ok(Some(provider)),
            Ok(Err(error)) => Err(self.no_credentials(&wire::causes(&error))),
            Err(_) => Err(self.no_credentials("their source did not answer in time")),
        }
    }

    fn given(&self) -> Result<Credentials, Fault> {
        let value = |name| self.environment.value(name);
        match (value("AWS_ACCESS_KEY_ID"), value("AWS_SECRET_ACCESS_KEY")) {
            (Some(key), Some(secret)) => {
                Ok(Credentials::new(key, secret, value("AWS_SESSION_TOKEN"), None, "given"))
            }
            _ => Err(self.no_credentials("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set")),
        }
    }

    fn no_credentials(&self, cause: &str) -> Fault {
        let (text, remedy) = match &self.options.profile {
            Some(profile) => (
                format!("no credentials: the profile '{profile}' gives none ({cause})"),
                "see that profile in the shared AWS configuration",
            ),
            None => (
                format!("no credentials were found ({cause})"),
                "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or profile = \"NAME\" in a [store.NAME] table, \
                 or anonymous = true there if the bucket is public",
            ),
        };
        Fault::new(FaultKind::NoCredentials, text).with_remedy(remedy)
    }
}

fn imds_client() -> imds::Client {
    imds::Client::builder().max_attempts(1).connect_timeout(IMDS_PATIENCE).read_timeout(IMDS_PATIENCE).build()
}
