//! Two requests to S3: make an object that is not there, and read one back.

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::{ByteStream, DateTime};
use aws_sdk_s3::types::ObjectLockMode;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use crate::evidence::sink::Piece;
use crate::store::connection::Refusal;

/// Makes the object, unless there is one. The store is told the digest of its bytes, and
/// refuses others.
pub async fn create(client: &Client, bucket: &str, prefix: &str, piece: Piece<'_>) -> Result<(), Refusal> {
    let mut request = client
        .put_object()
        .bucket(bucket)
        .key(format!("{prefix}{}", piece.name))
        .if_none_match("*")
        .content_type("application/json")
        .checksum_sha256(STANDARD.encode(Sha256::digest(piece.bytes)))
        .body(ByteStream::from(piece.bytes.to_vec()));
    if let Some(until) = piece.retain_until {
        request = request
            .object_lock_mode(ObjectLockMode::Compliance)
            .object_lock_retain_until_date(DateTime::from_millis(until.as_millisecond()));
    }
    request.send().await.map(|_| ()).map_err(|error| Refusal::of_s3(&error))
}

/// The bytes of an object; `None` if it has more than `bytes_max` of them.
pub async fn read(
    client: &Client,
    bucket: &str,
    prefix: &str,
    name: &str,
    bytes_max: usize,
) -> Result<Option<Vec<u8>>, Refusal> {
    let request = client.get_object().bucket(bucket).key(format!("{prefix}{name}"));
    let mut answer = request.send().await.map_err(|error| Refusal::of_s3(&error))?;
    let mut bytes = Vec::new();
    while let Some(piece) = answer.body.next().await {
        bytes.extend_from_slice(&piece.map_err(|_| Refusal::broken_off())?);
        if bytes.len() > bytes_max {
            return Ok(None);
        }
    }
    Ok(Some(bytes))
}
