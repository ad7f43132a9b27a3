//! What vouches for the stored bytes, strongest first: a digest beside the backup, a checksum
//! that the store has kept since the upload, the codec's own checksum, nothing.

use crate::archive::Compression;
use crate::catalog::{Backup, parse_digest_sidecar};
use crate::digest::Digest;
use crate::record::{Anchor, ExpectedArtifact, Sha256};
use crate::store::{ChecksumAlgorithm, Object, Store};
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

/// Looks for a digest outside of the object.
///
/// # Errors
/// The store would not say, or the sidecar is not one of this backup.
pub async fn outside(store: &Store, backup: &Backup) -> Result<Option<Outside>, Reason> {
    if let Some(sidecar) = &backup.sidecars.digest {
        let digest = read_sidecar(store, sidecar, &backup.label).await?;
        return Ok(Some(Outside { expected: sha256(Anchor::Sidecar, digest), kept: None }));
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

async fn read_sidecar(store: &Store, sidecar: &Object, name: &str) -> Result<Digest, Reason> {
    let range = 0..sidecar.bytes.min(SIDECAR_BYTES_MAX);
    let bytes = store.read(sidecar, range).await.map_err(|error| error.reason())?;
    parse_digest_sidecar(&bytes, name).map_err(|error| error.reason())
}

fn sha256(source: Anchor, digest: Digest) -> ExpectedArtifact {
    ExpectedArtifact {
        source,
        algorithm: Some("sha256".to_owned()),
        sha256: Some(Sha256::from(digest)),
        checksum: None,
    }
}

/// What is left where nothing outside vouches: the codec's own checksum, if it has one.
pub fn inside(compression: Compression) -> ExpectedArtifact {
    let (source, algorithm) = match compression.has_checksum() {
        true => (Anchor::Codec, Some("adler32".to_owned())),
        false => (Anchor::None, None),
    };
    ExpectedArtifact { source, algorithm, sha256: None, checksum: None }
}
