//! The clients that stores are made of, for the one room beside this that needs them: evidence
//! is written where backups are only read.

use aws_sdk_s3::Client;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use azure_core::error::{Error as AzureError, ErrorKind as AzureErrorKind};
use azure_storage_blob::BlobContainerClient;

use crate::store::driver::{Fault, FaultKind};
use crate::store::environment::Environment;
use crate::store::error::Error;
use crate::store::location::Location;
use crate::store::options::Options;
use crate::store::retry::{Patience, Question};
use crate::store::{azure, s3, wire};

/// A connection below one prefix, by which single requests are made.
pub(crate) enum Connection {
    /// To a bucket.
    S3 {
        /// Its own retries are off.
        client: Client,
        /// The bucket.
        bucket: String,
        /// Empty, or what stands before each key.
        prefix: String,
    },
    /// To a container.
    Azure {
        /// Its own retries are off.
        client: BlobContainerClient,
        /// Empty, or what stands before each name.
        prefix: String,
    },
}

/// Connects as a store does, and sends nothing.
///
/// # Errors
/// The options can't be used, there are no credentials, or the location is a directory.
pub(crate) async fn connect(
    location: &Location,
    options: &Options,
    environment: &Environment,
) -> Result<Connection, Error> {
    let patience = Patience::default();
    let (options, environment) = (options.clone(), environment.clone());
    let connection = match location {
        Location::S3 { bucket, prefix } => {
            let recipe = s3::Recipe { options, environment };
            recipe.connect(&patience).await.map(|client| Connection::S3 {
                client,
                bucket: bucket.clone(),
                prefix: prefix.clone(),
            })
        }
        Location::Azure { account, container, prefix } => {
            let (account, container) = (account.clone(), container.clone());
            let recipe = azure::Recipe { account, container, options, environment };
            let client = recipe.connect(&patience).await;
            client.map(|client| Connection::Azure { client, prefix: prefix.clone() })
        }
        Location::Directory { .. } => {
            Err(Fault::new(FaultKind::Configuration, "a directory is reached without a connection"))
        }
    };
    connection.map_err(|fault| Question::List(format!("open {location}")).error(fault, 1))
}

/// Why a single request came to nothing. Of the store's own words only its code gets through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The status of the answer, if one came.
    pub status: Option<u16>,
    /// Reads on after a colon: "it answered 503 SlowDown".
    pub text: String,
    /// Whether another attempt may fare better.
    pub worth_another_try: bool,
}

impl Refusal {
    /// Nobody answered in time.
    pub fn silence() -> Refusal {
        Refusal { status: None, text: "it did not answer in time".to_owned(), worth_another_try: true }
    }

    /// The answer began well, and did not come to its end.
    pub fn broken_off() -> Refusal {
        Refusal { status: None, text: "the answer broke off".to_owned(), worth_another_try: true }
    }

    fn of(fault: Fault, status: Option<u16>) -> Refusal {
        Refusal { status, worth_another_try: fault.is_worth_another_try(), text: fault.text }
    }

    /// What an error of the S3 client means.
    pub fn of_s3<E>(error: &SdkError<E, HttpResponse>) -> Refusal
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let status = error.raw_response().map(|answer| answer.status().as_u16());
        let fault = match status {
            Some(status) if status >= 300 => wire::http_fault(status, error.code()),
            _ => {
                let text = format!("it could not be reached: {}", wire::causes(error));
                Fault::new(FaultKind::Unavailable, text)
            }
        };
        Refusal::of(fault, status)
    }

    /// What an error of the Azure client means.
    pub fn of_azure(error: &AzureError) -> Refusal {
        let status = match error.kind() {
            AzureErrorKind::HttpResponse { status, .. } => Some(u16::from(*status)),
            _ => None,
        };
        Refusal::of(azure::fault(error), status)
    }
}
