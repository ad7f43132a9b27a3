//! Two requests to Azure: make a blob that is not there, and read one back.

use std::num::NonZero;

use azure_core::Bytes;
use azure_core::http::{Etag, RequestContent};
use azure_core::time::OffsetDateTime;
use azure_storage_blob::BlobContainerClient;
use azure_storage_blob::models::{
    BlobClientDownloadOptions, BlockBlobClientUploadOptions, ImmutabilityPolicyMode,
};
use futures_util::StreamExt;

use crate::evidence::sink::Piece;
use crate::store::connection::Refusal;

/// Makes the blob, unless there is one: one request, however large it is.
pub async fn create(client: &BlobContainerClient, prefix: &str, piece: Piece<'_>) -> Result<(), Refusal> {
    let until = piece
        .retain_until
        .and_then(|until| OffsetDateTime::from_unix_timestamp_nanos(until.as_nanosecond()).ok());
    let options = BlockBlobClientUploadOptions {
        if_none_match: Some(Etag::from("*")),
        blob_content_type: Some("application/json".to_owned()),
        immutability_policy_mode: until.map(|_| ImmutabilityPolicyMode::Locked),
        immutability_policy_expiry: until,
        partition_size: NonZero::new((piece.bytes.len() as u64).saturating_add(1)),
        parallel: Some(NonZero::<usize>::MIN),
        ..BlockBlobClientUploadOptions::default()
    };
    let content = RequestContent::from(piece.bytes.to_vec());
    let blob = client.blob_client(&format!("{prefix}{}", piece.name)).block_blob_client();
    blob.upload(content, Some(options)).await.map(|_| ()).map_err(|error| Refusal::of_azure(&error))
}

/// The bytes of a blob; `None` if it has more than `bytes_max` of them.
pub async fn read(
    client: &BlobContainerClient,
    prefix: &str,
    name: &str,
    bytes_max: usize,
) -> Result<Option<Vec<u8>>, Refusal> {
    let options = BlobClientDownloadOptions {
        parallel: Some(NonZero::<usize>::MIN),
        ..BlobClientDownloadOptions::default()
    };
    let blob = client.blob_client(&format!("{prefix}{name}"));
    let mut answer = blob.download(Some(options)).await.map_err(|error| Refusal::of_azure(&error))?;
    let mut bytes: Vec<u8> = Vec::new();
    while let Some(piece) = answer.body.next().await {
        let piece: Bytes = piece.map_err(|_| Refusal::broken_off())?;
        bytes.extend_from_slice(&piece);
        if bytes.len() > bytes_max {
            return Ok(None);
        }
    }
    Ok(Some(bytes))
}
