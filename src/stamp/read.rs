//! A stamp, read from bytes that anybody may have written.

use crate::digest::Digest;
use crate::evidence::{Envelope, PublicKey, canonical};
use crate::proof::Fingerprint;
use crate::record::Sha256;
use crate::stamp::document::{Document, Predicate};
use crate::stamp::error::{Error, Kind};

/// How large a stamp may be to be read: a table takes some 300 bytes.
pub const BYTES_MAX: u64 = 64 * 1024 * 1024;

/// A stamp that can be used.
#[derive(Clone, Debug)]
pub struct Stamp {
    /// What it says.
    pub predicate: Predicate,
    /// What the proof compares with.
    pub fingerprint: Fingerprint,
    /// The digest of the archive that it speaks of.
    pub archive: Sha256,
    /// The digest of its own bytes.
    pub digest: Digest,
    /// The key that has signed it, among those that are trusted.
    pub signed_by: Option<String>,
}

/// Reads the bytes of a `.stamp.json`: bare, or in a signed envelope.
///
/// # Errors
/// They are no stamp, or are signed, and by none of `keys`. Without any key no signature is
/// looked at.
pub fn read(bytes: &[u8], keys: &[PublicKey]) -> Result<Stamp, Error> {
    if bytes.len() as u64 > BYTES_MAX {
        return Err(too_long());
    }
    let (payload, signed_by) = match Envelope::read(bytes) {
        Ok(envelope) => {
            let payload = envelope.payload().map_err(|_| malformed("its envelope holds no bytes"))?;
            let signer = envelope.signed_by(&payload, keys).map(|key| key.id().to_owned());
            if signer.is_none() && !keys.is_empty() {
                let what = "the stamp is signed, but by none of the keys that the plan names";
                return Err(Error::new(Kind::UnknownSigner, what));
            }
            (payload, signer)
        }
        Err(_) => (bytes.to_vec(), None),
    };
    let value = serde_json::from_slice(&payload).map_err(|_| malformed("it is no JSON"))?;
    let document = Document::deserialized(&value)?;
    if canonical(&value).map_err(|_| malformed("it is nested too deep"))? != payload {
        return Err(malformed("it is not written in its one way"));
    }
    Ok(Stamp {
        fingerprint: document.fingerprint()?,
        archive: document.archive()?,
        predicate: document.predicate,
        digest: Digest::of(bytes),
        signed_by,
    })
}

/// What is said of a stamp that is not even read.
pub fn too_long() -> Error {
    malformed("it is longer than 64 MiB")
}

fn malformed(what: &str) -> Error {
    Error::new(Kind::Malformed, format!("the stamp beside the backup can't be used: {what}"))
}
