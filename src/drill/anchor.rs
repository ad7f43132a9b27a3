//! What vouches for the stored bytes, strongest first: a digest beside the backup, a checksum
//! that the store has kept since the upload, the codec's own checksum, nothing.

use crate::archive::{Compression, Layer};
use crate::catalog::{Backup, LISTING_BYTES_MAX, parse_digest_sidecar, parse_listing_sidecar};
use crate::digest::Digest;
use crate::record::{Anchor, ExpectedArtifact, ObservedArtifact, Sha256};
use crate::restore::Read;
use crate::stamp::Stamp;
use crate::store::{ChecksumAlgorithm, Store};
use crate::verdict::Reason;

/// Longer sidecars are not read: a digest line is shorter.
const SIDECAR_BYTES_MAX: u64 = 4097;

/// A digest that lies outside of the object.
pub struct Outside {
    /// What the bytes should give.
    pub expected: ExpectedArtifact,
    /// The algorithm of the store's own checksum, which must be computed beside the digest.
    pub kept: Option<ChecksumAlgorithm>,
}

/// Looks for a digest outside of the object: `beside` lies beside it, and `stamp` knows it too. A
/// stamp that nobody has signed vouches no more than any file beside the backup.
///
/// # Errors
/// The store would not say.
pub async fn outside(
    store: &Store,
    backup: &Backup,
    beside: Option<Digest>,
    stamp: Option<&Stamp>,
) -> Result<Option<Outside>, Reason> {
    let signed = stamp.filter(|stamp| stamp.signed_by.is_some());
    if let Some(stamp) = signed {
        return Ok(Some(Outside { expected: sha256(Anchor::Stamp, stamp.archive.0), kept: None }));
    }
    if let Some(digest) = beside.or(stamp.map(|stamp| stamp.archive.0)) {
        return Ok(Some(Outside { expected: sha256(Anchor::Sidecar, digest), kept: None }));
    }
    if backup.is_directory() {
        return Ok(None);
    }
    let details = store.describe(&backup.object).await.map_err(|error| error.reason())?;
    Ok(details.checksum.and_then(|checksum| {
        let value = hex::encode(checksum.value);
        let expected = match checksum.algorithm {
            ChecksumAlgorithm::Sha256 => sha256(Anchor::StoreChecksum, Digest::parse(&value)?),
            other => ExpectedArtifact {
                source: Anchor::StoreChecksum,
                algorithm: Some(other.as_str().to_owned()),
                sha256: None,
                checksum: Some(value),
            },
        };
        Some(Outside { expected, kept: Some(checksum.algorithm) })
    }))
}

/// The digest that lies beside a backup, if one does.
///
/// # Errors
/// The store would not say, or what lies there is no digest of this backup.
pub async fn beside(store: &Store, backup: &Backup) -> Result<Option<Digest>, Reason> {
    let Some(sidecar) = &backup.sidecars.digest else { return Ok(None) };
    let most = if backup.is_directory() { LISTING_BYTES_MAX + 1 } else { SIDECAR_BYTES_MAX };
    let bytes = store.read(sidecar, 0..sidecar.bytes.min(most)).await.map_err(|error| error.reason())?;
    let parsed = match backup.is_directory() {
        true => parse_listing_sidecar(&bytes, &backup.label),
        false => parse_digest_sidecar(&bytes, &backup.label),
    };
    parsed.map(Some).map_err(|error| error.reason())
}

fn sha256(source: Anchor, digest: Digest) -> ExpectedArtifact {
    ExpectedArtifact {
        source,
        algorithm: Some("sha256".to_owned()),
        sha256: Some(Sha256::from(digest)),
        checksum: None,
    }
}

/// Who vouches for a backup that was read to its end, and whether that agrees; none where nobody
/// does. What is inside is known only now: a layer around the archive may have a checksum.
pub fn settled(
    expected: ExpectedArtifact,
    read: &Read,
    compression: Compression,
) -> (ExpectedArtifact, Option<bool>) {
    let expected = match expected.source {
        Anchor::Codec | Anchor::None => inside_of(&read.layers, compression),
        _ => expected,
    };
    let agrees = match expected.source {
        // Each stream, or a layer around all, was decompressed to its end, where its checksum
        // stands.
        Anchor::Codec => Some(true),
        _ => expected.agrees_with(&observed(read)),
    };
    (expected, agrees)
}

/// The bytes that were read.
pub fn observed(read: &Read) -> ObservedArtifact {
    ObservedArtifact { sha256: Sha256::from(read.digest), bytes: read.bytes, checksum: read.checksum.clone() }
}

/// What is left where nothing outside vouches, once all was read: the checksum of the outermost
/// layer that has one over every byte, else that of the archive's codec.
fn inside_of(layers: &[Layer], compression: Compression) -> ExpectedArtifact {
    let checked = layers.iter().find_map(|layer| Some((layer.kind, layer.checksum?)));
    let Some((kind, checksum)) = checked else { return inside(compression) };
    let algorithm = Some(format!("{checksum} of {}", kind.as_str()));
    ExpectedArtifact { source: Anchor::Codec, algorithm, sha256: None, checksum: None }
}

/// What is left where nothing outside vouches: the codec's own checksum, if it has one.
pub fn inside(compression: Compression) -> ExpectedArtifact {
    let algorithm = compression.checksum().map(str::to_owned);
    let source = if algorithm.is_some() { Anchor::Codec } else { Anchor::None };
    ExpectedArtifact { source, algorithm, sha256: None, checksum: None }
}
