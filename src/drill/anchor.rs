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

/// Looks for a digest outside of the object.
///
/// # Errors
/// The store would not say, or the sidecar is not one of this backup.
pub async fn outside(store: &Store, backup: &Backup) -> Result<Option<ExpectedArtifact>, Reason> {
    if let Some(sidecar) = &backup.sidecars.digest {
        let digest = read_sidecar(store, sidecar, &backup.label).await?;
        return Ok(Some(sha256(Anchor::Sidecar, digest)));
    }
    let details = store.describe(&backup.object).await.map_err(|error| error.reason())?;
    let kept = details.checksum.filter(|checksum| checksum.algorithm == ChecksumAlgorithm::Sha256);
    let digest = kept.and_then(|checksum| Digest::parse(&hex::encode(checksum.value)));
    Ok(digest.map(|digest| sha256(Anchor::StoreChecksum, digest)))
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
