//! The keys that a plan gives for encrypted layers.

use std::fmt;
use std::str::FromStr;

use pgp::composed::{Deserializable, SignedSecretKey};
use zeroize::Zeroizing;

use crate::archive::wrap::openssl::Openssl;

/// Identities and keys beyond these are not taken.
const KEYS_MAX: usize = 64;

/// What may open an encrypted layer. Everything in it is wiped when it is dropped, and none of
/// it is ever shown.
#[derive(Default)]
pub struct Keys {
    pub(super) age: Vec<age::x25519::Identity>,
    pub(super) passphrase: Option<Zeroizing<Vec<u8>>>,
    pub(super) openpgp: Vec<SignedSecretKey>,
    pub(super) openpgp_passphrase: Option<Zeroizing<Vec<u8>>>,
    pub(super) openssl: Option<Openssl>,
}

/// Why something is no key. Never holds any of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct KeyError(&'static str);

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").finish_non_exhaustive()
    }
}

impl Keys {
    /// Adds the identities of age that stand in `text`, one a line, `#` before comments.
    ///
    /// # Errors
    /// A line is no X25519 identity, or there is none at all.
    pub fn add_age(&mut self, text: &[u8]) -> Result<(), KeyError> {
        let text = std::str::from_utf8(text).map_err(|_| KeyError("it is not text"))?;
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        for line in lines {
            let identity = age::x25519::Identity::from_str(line)
                .map_err(|_| KeyError("it holds a line that is no AGE-SECRET-KEY-1… of age-keygen"))?;
            if self.age.len() >= KEYS_MAX {
                return Err(KeyError("it holds more than 64 identities"));
            }
            self.age.push(identity);
        }
        if self.age.is_empty() { Err(KeyError("it holds no identity of age")) } else { Ok(()) }
    }

    /// Takes the passphrase for layers that were encrypted with one: the first line of `text`.
    ///
    /// # Errors
    /// It is empty.
    pub fn set_passphrase(&mut self, text: &[u8]) -> Result<(), KeyError> {
        self.passphrase = Some(first_line(text)?);
        Ok(())
    }

    /// Adds the secret keys of OpenPGP in `bytes`, armoured or not.
    ///
    /// # Errors
    /// They can't be read, or there is none.
    pub fn add_openpgp(&mut self, bytes: &[u8]) -> Result<(), KeyError> {
        const NONE: KeyError = KeyError("it holds no secret key of OpenPGP");
        let (keys, _) = SignedSecretKey::from_reader_many(bytes).map_err(|_| NONE)?;
        for key in keys {
            let key = key.map_err(|_| KeyError("it holds a secret key of OpenPGP that can't be read"))?;
            if self.openpgp.len() >= KEYS_MAX {
                return Err(KeyError("it holds more than 64 keys"));
            }
            self.openpgp.push(key);
        }
        if self.openpgp.is_empty() { Err(NONE) } else { Ok(()) }
    }

    /// Takes the passphrase that the keys of OpenPGP are locked with: the first line of `text`.
    ///
    /// # Errors
    /// It is empty.
    pub fn set_openpgp_passphrase(&mut self, text: &[u8]) -> Result<(), KeyError> {
        self.openpgp_passphrase = Some(first_line(text)?);
        Ok(())
    }

    /// Says how `openssl enc` made its key of the passphrase, which its files don't tell.
    pub fn set_openssl(&mut self, openssl: Openssl) {
        self.openssl = Some(openssl);
    }
}

/// As the tools read a passphrase from a file.
fn first_line(text: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    match line.strip_suffix(b"\r").unwrap_or(line) {
        [] => Err(KeyError("it is empty")),
        line => Ok(Zeroizing::new(line.to_vec())),
    }
}
