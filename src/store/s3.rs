//! S3, and anything that speaks it, as a store.

mod connect;
mod witness;

use std::ops::Range;
use std::sync::Arc;
use std::sync::{PoisonError, RwLock};

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::primitives::DateTime;
use aws_sdk_s3::types::{
    ChecksumMode, ChecksumType, Object as S3Object, ObjectStorageClass, OptionalObjectAttributes,
    StorageClass,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use jiff::Timestamp;
use tokio::time::timeout;

use crate::store::details::{ChecksumAlgorithm, Details, StoredChecksum};
use crate::store::driver::{Driver, Fault, FaultKind, Page};
use crate::store::object::Object;
use crate::store::retry::Patience;
use crate::store::wire::{self, Head, Part, bare, http_fault, quoted};

pub(super) use connect::Recipe;
use witness::Witness;

pub(super) struct S3 {
    bucket: String,
    prefix: String,
    patience: Patience,
    recipe: Recipe,
    client: RwLock<Client>,
}

impl S3 {
    /// Resolves credentials and sends nothing to the store.
    pub(super) async fn open(
        bucket: &str,
        prefix: &str,
        recipe: Recipe,
        patience: &Patience,
    ) -> Result<S3, Fault> {
        let client = RwLock::new(recipe.connect(patience).await?);
        Ok(S3 { bucket: bucket.into(), prefix: prefix.into(), patience: patience.clone(), recipe, client })
    }

    fn client(&self) -> Client {
        self.client.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn full_key(&self, object: &Object) -> String {
        format!("{}{}", self.prefix, object.key)
    }

    fn object(&self, listed: &S3Object) -> Result<Object, Fault> {
        let garbled = |text: &str| Fault::new(FaultKind::Garbled, text);
        let full_key = listed.key().ok_or_else(|| garbled("its listing has an object without a name"))?;
        let key = full_key
            .strip_prefix(&self.prefix)
            .ok_or_else(|| garbled("its listing has objects outside of the prefix"))?;
        let bytes = listed.size().and_then(|size| u64::try_from(size).ok());
        Ok(Object {
            key: key.to_owned(),
            uri: format!("s3://{}/{full_key}", self.bucket),
            bytes: bytes.ok_or_else(|| garbled("its listing has an object without a size"))?,
            etag: listed.e_tag().map(|etag| bare(etag).to_owned()),
            version: None,
            modified_at: listed
                .last_modified()
                .and_then(timestamp)
                .ok_or_else(|| garbled("its listing has an object without a date"))?,
            archived: is_archived(listed),
        })
    }
}

#[async_trait]
impl Driver for S3 {
    async fn page(&self, token: Option<&str>) -> Result<Page, Fault> {
        let witness = Arc::new(Witness::of_listing());
        let request = self
            .client()
            .list_objects_v2()
            .bucket(&self.bucket)
            .prefix(&self.prefix)
            .set_continuation_token(token.map(str::to_owned))
            .optional_object_attributes(OptionalObjectAttributes::RestoreStatus)
            .customize()
            .interceptor(witness::Shared(witness.clone()))
            .send();
        let page = timeout(self.patience.stall * 3, request)
            .await
            .map_err(|_| silence())?
            .map_err(|error| fault(&error, &witness))?;
        let objects = page.contents().iter().map(|listed| self.object(listed)).collect::<Result<_, _>>()?;
        let next = match (page.is_truncated(), page.next_continuation_token()) {
            (Some(true), Some(next)) => Some(next.to_owned()),
            (Some(true), None) => {
                return Err(Fault::new(FaultKind::Garbled, "its listing goes on, and does not say where"));
            }
            (Some(false), None) => None,
            (Some(false), Some(_)) => {
                return Err(Fault::new(FaultKind::Garbled, "its listing ends, and goes on at the same time"));
            }
            (None, _) => {
                return Err(Fault::new(FaultKind::Garbled, "its listing does not say whether it ends"));
            }
        };
        Ok(Page { objects, next, clock_offset: witness.clock_offset() })
    }

    async fn describe(&self, object: &Object) -> Result<Details, Fault> {
        let witness = Arc::new(Witness::default());
        let request = self
            .client()
            .head_object()
            .bucket(&self.bucket)
            .key(self.full_key(object))
            .set_if_match(object.etag.as_deref().map(quoted))
            .set_version_id(object.version.clone())
            .checksum_mode(ChecksumMode::Enabled)
            .customize()
            .interceptor(witness::Shared(witness.clone()))
            .send();
        let head = timeout(self.patience.stall, request)
            .await
            .map_err(|_| silence())?
            .map_err(|error| fault(&error, &witness))?;
        details(&head).ok_or_else(|| Fault::new(FaultKind::Wrong, "it told no size"))
    }

    async fn read(&self, object: &Object, range: Range<u64>) -> Result<Bytes, Fault> {
        let witness = Arc::new(Witness::default());
        let request = self
            .client()
            .get_object()
            .bucket(&self.bucket)
            .key(self.full_key(object))
            .range(format!("bytes={}-{}", range.start, range.end.saturating_sub(1)))
            .set_if_match(object.etag.as_deref().map(quoted))
            .set_version_id(object.version.clone())
            .customize()
            .interceptor(witness::Shared(witness.clone()))
            .send();
        let mut answer = timeout(self.patience.stall, request)
            .await
            .map_err(|_| silence())?
            .map_err(|error| fault(&error, &witness))?;
        let head = Head {
            status: witness.status(),
            etag: answer.e_tag(),
            content_range: answer.content_range(),
            content_length: answer.content_length().and_then(|length| u64::try_from(length).ok()),
        };
        head.check(object, &range)?;
        if object.version.is_some() && answer.version_id() != object.version.as_deref() {
            return Err(Fault::new(FaultKind::Changed, "it answered with another version"));
        }
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

fn timestamp(moment: &DateTime) -> Option<Timestamp> {
    Timestamp::from_nanosecond(moment.as_nanos()).ok()
}

fn is_archived(listed: &S3Object) -> bool {
    let is_cold =
        matches!(listed.storage_class(), Some(ObjectStorageClass::Glacier | ObjectStorageClass::DeepArchive));
    let thawed = listed.restore_status().is_some_and(|status| {
        status.is_restore_in_progress() != Some(true) && status.restore_expiry_date().is_some()
    });
    is_cold && !thawed
}

fn details(head: &HeadObjectOutput) -> Option<Details> {
    let is_cold = matches!(head.storage_class(), Some(StorageClass::Glacier | StorageClass::DeepArchive));
    let thawed = head.restore().is_some_and(|restore| restore.contains("ongoing-request=\"false\""));
    let metadata = head.metadata().into_iter().flatten();
    Some(Details {
        bytes: u64::try_from(head.content_length()?).ok()?,
        etag: head.e_tag().map(|etag| bare(etag).to_owned()),
        version: head.version_id().filter(|version| *version != "null").map(str::to_owned),
        archived: (is_cold && !thawed) || head.archive_status().is_some(),
        metadata: metadata.map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect(),
        checksum: checksum(head),
    })
}

/// Only what the store itself calls a checksum of the full object: one of a multipart upload may
/// be a checksum of checksums and look just alike.
fn checksum(head: &HeadObjectOutput) -> Option<StoredChecksum> {
    if head.checksum_type() != Some(&ChecksumType::FullObject) {
        return None;
    }
    let kept = [
        (ChecksumAlgorithm::Sha256, head.checksum_sha256()),
        (ChecksumAlgorithm::Crc64Nvme, head.checksum_crc64_nvme()),
        (ChecksumAlgorithm::Crc32c, head.checksum_crc32_c()),
        (ChecksumAlgorithm::Crc32, head.checksum_crc32()),
    ];
    kept.into_iter()
        .find_map(|(algorithm, text)| StoredChecksum::new(algorithm, STANDARD.decode(text?).ok()?))
}

/// What an error of the SDK means. Texts of the store do not get through, only its code.
fn fault<E>(error: &SdkError<E, HttpResponse>, witness: &Witness) -> Fault
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    if let Some(seen) = witness.garbled() {
        return Fault::new(FaultKind::Garbled, seen);
    }
    let causes = wire::causes(error);
    match error {
        SdkError::TimeoutError(_) => Fault::new(FaultKind::Unavailable, "it did not answer in time"),
        SdkError::DispatchFailure(failure) if failure.is_user() => {
            Fault::new(FaultKind::Configuration, format!("the request could not be sent: {causes}"))
        }
        SdkError::DispatchFailure(_) => {
            Fault::new(FaultKind::Unavailable, format!("it could not be reached: {causes}"))
        }
        SdkError::ConstructionFailure(_) => {
            Fault::new(FaultKind::Configuration, format!("the request could not be made: {causes}"))
        }
        SdkError::ResponseError(_) | SdkError::ServiceError(_) => {
            let status = witness.status();
            if (200..300).contains(&status) {
                return match error {
                    SdkError::ResponseError(_) => {
                        Fault::new(FaultKind::Unavailable, format!("the answer broke off: {causes}"))
                    }
                    _ => Fault::new(FaultKind::Garbled, format!("its answer could not be read: {causes}")),
                };
            }
            let fault = http_fault(status, error.code());
            let region = witness.region().filter(|_| matches!(status, 301 | 307 | 400));
            let remedy = region.map(|region| format!("set region = \"{region}\" in its [store.NAME] table"));
            Fault { retry_after: witness.retry_after(), remedy, ..fault }
        }
        _ => Fault::new(FaultKind::Unavailable, causes),
    }
}
