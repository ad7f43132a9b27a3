//! Azure Blob Storage, and Azurite, as a store.

mod connect;
mod courier;
mod identity;
mod shared_key;

use std::num::NonZero;
use std::ops::Range;
use std::sync::{PoisonError, RwLock};

use async_trait::async_trait;
use azure_core::error::{Error as SdkError, ErrorKind as SdkErrorKind};
use azure_core::http::Etag;
use azure_core::http::headers::{HeaderName, Headers};
use azure_storage_blob::models::{
    AccessTier, BlobClientDownloadOptions, BlobClientGetPropertiesOptions,
    BlobContainerClientListBlobsOptions, BlobItem, ListBlobsResponse,
};
use azure_storage_blob::{BlobClient, BlobContainerClient};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use tokio::time::timeout;

use crate::store::details::{ChecksumAlgorithm, Details, StoredChecksum};
use crate::store::driver::{Driver, Fault, FaultKind, Page};
use crate::store::object::Object;
use crate::store::retry::Patience;
use crate::store::wire::{self, Head, Part, bare, check_document, http_fault, quoted};

pub(super) use connect::Recipe;

/// The element that says where a listing goes on, open or empty.
const MARKER: &[u8] = b"<NextMarker";

pub(super) struct Azure {
    prefix: String,
    patience: Patience,
    recipe: Recipe,
    client: RwLock<BlobContainerClient>,
}

impl Azure {
    /// Resolves credentials and sends nothing to the store.
    pub(super) async fn open(prefix: &str, recipe: Recipe, patience: &Patience) -> Result<Azure, Fault> {
        let client = RwLock::new(recipe.connect(patience).await?);
        Ok(Azure { prefix: prefix.into(), patience: patience.clone(), recipe, client })
    }

    fn blob(&self, object: &Object) -> BlobClient {
        let container = self.client.read().unwrap_or_else(PoisonError::into_inner);
        container.blob_client(&format!("{}{}", self.prefix, object.key))
    }

    fn object(&self, listed: &BlobItem) -> Result<Object, Fault> {
        let garbled = |text: &str| Fault::new(FaultKind::Garbled, text);
        let name = listed.name.as_deref().ok_or_else(|| garbled("its listing has a blob without a name"))?;
        let key = name
            .strip_prefix(&self.prefix)
            .ok_or_else(|| garbled("its listing has blobs outside of the prefix"))?;
        let properties =
            listed.properties.as_ref().ok_or_else(|| garbled("its listing has a blob without properties"))?;
        let nanoseconds = properties.last_modified.map(|moment| moment.unix_timestamp_nanos());
        let Recipe { account, container, .. } = &self.recipe;
        Ok(Object {
            key: key.to_owned(),
            uri: format!("az://{account}/{container}/{name}"),
            bytes: properties
                .content_length
                .ok_or_else(|| garbled("its listing has a blob without a size"))?,
            etag: properties.etag.as_ref().map(|etag| bare(etag.as_ref()).to_owned()),
            version: listed.version_id.clone(),
            modified_at: nanoseconds
                .and_then(|nanoseconds| Timestamp::from_nanosecond(nanoseconds).ok())
                .ok_or_else(|| garbled("its listing has a blob without a date"))?,
            archived: properties.access_tier == Some(AccessTier::Archive),
        })
    }
}

#[async_trait]
impl Driver for Azure {
    async fn page(&self, token: Option<&str>) -> Result<Page, Fault> {
        let options = BlobContainerClientListBlobsOptions {
            prefix: (!self.prefix.is_empty()).then(|| self.prefix.clone()),
            marker: token.map(str::to_owned),
            ..BlobContainerClientListBlobsOptions::default()
        };
        let pager = self
            .client
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .list_blobs(Some(options))
            .map_err(|error| fault(&error))?;
        let mut pages = pager.into_pages();
        let page = timeout(self.patience.stall * 3, pages.try_next())
            .await
            .map_err(|_| silence())?
            .map_err(|error| fault(&error))?
            .ok_or_else(|| Fault::new(FaultKind::Garbled, "it answered without a listing"))?;
        let clock_offset = header(page.headers(), "date").and_then(wire::clock_offset);
        let body = page.into_body();
        check_document(body.as_ref(), "EnumerationResults")?;
        // The reader takes a missing marker for an empty one, and only that one means the end.
        if !body.as_ref().windows(MARKER.len()).any(|window| window == MARKER) {
            return Err(Fault::new(FaultKind::Garbled, "its listing does not say whether it ends"));
        }
        let listed: ListBlobsResponse = azure_core::xml::from_xml(&body)
            .map_err(|_| Fault::new(FaultKind::Garbled, "its listing could not be read"))?;
        let objects = listed.blob_items.iter().map(|item| self.object(item)).collect::<Result<_, _>>()?;
        let next = listed.next_marker.filter(|next| !next.is_empty());
        Ok(Page { objects, next, clock_offset })
    }

    async fn describe(&self, object: &Object) -> Result<Details, Fault> {
        let options = BlobClientGetPropertiesOptions {
            if_match: object.etag.as_deref().map(|etag| Etag::from(quoted(etag))),
            version_id: object.version.clone(),
            ..BlobClientGetPropertiesOptions::default()
        };
        let blob = self.blob(object);
        let answer = timeout(self.patience.stall, blob.get_properties(Some(options)))
            .await
            .map_err(|_| silence())?
            .map_err(|error| fault(&error))?;
        details(answer.headers()).ok_or_else(|| Fault::new(FaultKind::Wrong, "it told no size"))
    }

    async fn read(&self, object: &Object, range: Range<u64>) -> Result<Bytes, Fault> {
        let length = range.end.saturating_sub(range.start);
        // The SDK would cut the range into parts of its own: one request, one part.
        let whole = usize::try_from(length).ok().and_then(NonZero::new);
        let options = BlobClientDownloadOptions {
            range: Some(range.clone().into()),
            partition_size: whole,
            parallel: Some(NonZero::<usize>::MIN),
            if_match: object.etag.as_deref().map(|etag| Etag::from(quoted(etag))),
            version_id: object.version.clone(),
            ..BlobClientDownloadOptions::default()
        };
        let blob = self.blob(object);
        let mut answer = timeout(self.patience.stall, blob.download(Some(options)))
            .await
            .map_err(|_| silence())?
            .map_err(|error| fault(&error))?;
        Head {
            status: header(&answer.headers, courier::STATUS)
                .and_then(|status| status.parse().ok())
                .unwrap_or(0),
            etag: header(&answer.headers, "etag"),
            content_range: header(&answer.headers, "content-range"),
            content_length: header(&answer.headers, "content-length").and_then(|length| length.parse().ok()),
        }
        .check(object, &range)?;
        let mut part = Part::new(&range)?;
        while let Some(piece) =
            timeout(self.patience.stall, answer.body.next()).await.map_err(|_| silence())?
        {
            let piece = piece.map_err(|error| {
                Fault::new(FaultKind::Unavailable, format!("the answer broke off: {}", wire::causes(&error)))
            })?;
            part.add(&piece)?;
        }
        part.finish()
    }

    async fn renew(&self) -> Result<(), Fault> {
        let client = self.recipe.connect(&self.patience).await?;
        *self.client.write().unwrap_or_else(PoisonError::into_inner) = client;
        Ok(())
    }
}

fn silence() -> Fault {
    Fault::new(FaultKind::Unavailable, "it fell silent")
}

fn header<'a>(headers: &'a Headers, name: &'static str) -> Option<&'a str> {
    headers.get_optional_str(&HeaderName::from_static(name))
}

fn details(headers: &Headers) -> Option<Details> {
    const METADATA: &str = "x-ms-meta-";
    let metadata = headers.iter().filter_map(|(name, value)| {
        let name = name.as_str().to_ascii_lowercase();
        Some((name.strip_prefix(METADATA)?.to_owned(), value.as_str().to_owned()))
    });
    let md5 = header(headers, "content-md5").and_then(|text| STANDARD.decode(text).ok());
    Some(Details {
        bytes: header(headers, "content-length")?.parse().ok()?,
        etag: header(headers, "etag").map(|etag| bare(etag).to_owned()),
        version: header(headers, "x-ms-version-id").map(str::to_owned),
        archived: header(headers, "x-ms-access-tier") == Some("Archive"),
        metadata: metadata.collect(),
        checksum: md5.and_then(|value| StoredChecksum::new(ChecksumAlgorithm::Md5, value)),
    })
}

/// What an error of the SDK means. Texts of the store do not get through, only its code.
pub(super) fn fault(error: &SdkError) -> Fault {
    match error.kind() {
        SdkErrorKind::HttpResponse { status, error_code, raw_response } => {
            let headers = raw_response.as_ref().map(|answer| answer.headers());
            let told = headers.and_then(|headers| header(headers, "x-ms-error-code"));
            let fault = http_fault(u16::from(*status), told.or(error_code.as_deref()));
            let retry_after =
                headers.and_then(|headers| header(headers, "retry-after")).and_then(wire::retry_after);
            Fault { retry_after, ..fault }
        }
        SdkErrorKind::Credential => {
            Fault::new(FaultKind::Expired, format!("no token could be had: {}", wire::causes(error)))
        }
        SdkErrorKind::DataConversion => Fault::new(FaultKind::Garbled, "its answer could not be read"),
        SdkErrorKind::Connection | SdkErrorKind::Io | SdkErrorKind::Other => {
            Fault::new(FaultKind::Unavailable, format!("it could not be reached: {}", wire::causes(error)))
        }
    }
}
