//! A layer of age: X25519 recipients, or a passphrase.

use std::io::{BufRead, Read};

use age::secrecy::SecretString;
use age::{DecryptError, Decryptor, Identity};

use crate::archive::error::Error;
use crate::archive::sniff::Kind;
use crate::archive::wrap::{Keys, Opened};

/// The costliest passphrase that is tried: 2^20 takes a gigabyte and a few seconds.
const SCRYPT_LOG_N_MAX: u8 = 20;

/// Opens the layer. Each chunk of 64 KiB is authenticated before it is given, and the last one
/// is known as such.
pub(super) fn open<'k>(
    source: impl BufRead + Send + 'k,
    keys: &'k Keys,
) -> Result<(Box<dyn Read + Send + 'k>, Opened), Error> {
    let decryptor = Decryptor::new_buffered(source).map_err(refused)?;
    let scrypt = decryptor.is_scrypt();
    let reader = if scrypt {
        let passphrase = keys
            .passphrase
            .as_ref()
            .ok_or_else(|| Error::no_key(Kind::Age, "it needs a passphrase, and the plan gives none"))?;
        let text = std::str::from_utf8(passphrase)
            .map_err(|_| Error::no_key(Kind::Age, "the passphrase is not UTF-8"))?;
        let mut identity = age::scrypt::Identity::new(SecretString::from(text.to_owned()));
        identity.set_max_work_factor(SCRYPT_LOG_N_MAX);
        decryptor.decrypt(std::iter::once(&identity as &dyn Identity))
    } else {
        if keys.age.is_empty() {
            return Err(Error::no_key(Kind::Age, "it needs an identity, and the plan gives none"));
        }
        decryptor.decrypt(keys.age.iter().map(|identity| identity as &dyn Identity))
    };
    let how = if scrypt { "scrypt" } else { "X25519" };
    let opened = Opened { how: Some(how), checksum: Some("chacha20-poly1305") };
    Ok((Box::new(reader.map_err(refused)?), opened))
}

fn refused(error: DecryptError) -> Error {
    match error {
        DecryptError::Io(error) => Error::Source(error),
        DecryptError::NoMatchingKeys => {
            Error::no_key(Kind::Age, "none of the identities that the plan gives is among its recipients")
        }
        DecryptError::DecryptionFailed | DecryptError::KeyDecryptionFailed => {
            Error::no_key(Kind::Age, "its key does not open with what the plan gives")
        }
        DecryptError::ExcessiveWork { .. } => {
            let what = "the work factor of an age passphrase, as a power of two,".to_owned();
            Error::Limit { what, limit: u64::from(SCRYPT_LOG_N_MAX) }
        }
        DecryptError::UnknownFormat => {
            Error::Unsupported { what: "an age file of another version than v1".to_owned() }
        }
        _ => Error::corrupt("an age header that does not hold together", 0),
    }
}
