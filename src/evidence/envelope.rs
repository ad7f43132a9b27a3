//! The DSSE envelope: the bytes of a statement, and the signature over exactly those.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::evidence::error::{Error, Kind};
use crate::evidence::key::{PublicKey, SigningKey};

/// The `payloadType` of every envelope.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// How many signatures an envelope may carry.
const SIGNATURES_MAX: usize = 8;

/// A signed statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Envelope {
    payload: String,
    #[serde(rename = "payloadType")]
    payload_type: String,
    signatures: Vec<Signature>,
}

/// A signature of an envelope.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// Which key is said to have made it: a hint, and no more.
    pub keyid: String,
    /// The signature in base64.
    pub sig: String,
}

impl Envelope {
    /// The envelope of `payload`, signed.
    pub fn seal(payload: &[u8], key: &SigningKey) -> Envelope {
        let sig = STANDARD.encode(key.sign(&message(PAYLOAD_TYPE, payload)));
        Envelope {
            payload: STANDARD.encode(payload),
            payload_type: PAYLOAD_TYPE.to_owned(),
            signatures: vec![Signature { keyid: key.public().id().to_owned(), sig }],
        }
    }

    /// The bytes of the envelope's file.
    pub fn bytes(&self) -> Result<Vec<u8>, Error> {
        serde_json::to_vec(self)
            .map_err(|source| Error::new(Kind::Malformed, "write an envelope").because(source))
    }

    /// Reads the bytes that [`Envelope::bytes`] wrote, and no others. Nothing is verified yet.
    pub fn read(bytes: &[u8]) -> Result<Envelope, Error> {
        let envelope: Envelope = serde_json::from_slice(bytes)
            .map_err(|source| Error::new(Kind::Malformed, "read an envelope").because(source))?;
        let well_formed = envelope.payload_type == PAYLOAD_TYPE
            && (1..=SIGNATURES_MAX).contains(&envelope.signatures.len())
            && envelope.bytes()? == bytes;
        if !well_formed {
            return Err(Error::new(Kind::Malformed, "read an envelope that is not written in its one way"));
        }
        Ok(envelope)
    }

    /// The signed bytes, whoever signed them.
    pub fn payload(&self) -> Result<Vec<u8>, Error> {
        STANDARD
            .decode(&self.payload)
            .map_err(|source| Error::new(Kind::Malformed, "read the payload of an envelope").because(source))
    }

    /// The signatures.
    pub fn signatures(&self) -> &[Signature] {
        &self.signatures
    }

    /// Which of `keys` has signed exactly `payload`. Every key is tried on every signature:
    /// what an envelope says of its keys is not believed.
    pub fn signed_by<'k>(&self, payload: &[u8], keys: &'k [PublicKey]) -> Option<&'k PublicKey> {
        let message = message(&self.payload_type, payload);
        let signatures: Vec<[u8; 64]> = self
            .signatures
            .iter()
            .filter_map(|signature| STANDARD.decode(&signature.sig).ok()?.try_into().ok())
            .collect();
        keys.iter().find(|key| signatures.iter().any(|signature| key.verifies(&message, signature)))
    }
}

/// What is signed, as DSSE puts it: the type and the bytes, each with its length in front.
fn message(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut message = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    message.extend_from_slice(payload);
    message
}
