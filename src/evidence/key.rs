//! Keys: one that signs, and those that a verifier trusts.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, DecodePublicKey, EncodePublicKey, KeypairBytes};
use ed25519_dalek::{Signer, VerifyingKey};

use crate::digest::Digest;
use crate::evidence::error::{Error, Kind};

/// The name of the file that [`keygen`] writes the private key to.
pub const PRIVATE_FILE: &str = "evidence.key";

/// The name of the file that [`keygen`] writes the public key to.
pub const PUBLIC_FILE: &str = "evidence.pub";

/// How large the file of a key may be.
const BYTES_MAX: u64 = 16 * 1024;

/// Makes a key pair in `directory`, which must exist: `evidence.key`, PKCS#8 in PEM and
/// readable by its owner only, and `evidence.pub`, SPKI in PEM. Neither file is ever
/// overwritten: if one exists, nothing is written.
pub fn keygen(directory: &Path) -> Result<(PathBuf, PublicKey), Error> {
    let mut secret = [0; 32];
    let source = Path::new("/dev/urandom");
    File::open(source)
        .and_then(|mut random| random.read_exact(&mut secret))
        .map_err(|cause| Error::io("read random bytes from", source, cause))?;
    let public = PublicKey::of(ed25519_dalek::SigningKey::from_bytes(&secret).verifying_key())?;
    let pair = KeypairBytes { secret_key: secret, public_key: None };
    let pem = ed25519_dalek::pkcs8::EncodePrivateKey::to_pkcs8_pem(&pair, LineEnding::LF)
        .map_err(|cause| Error::new(Kind::Key, "write a private key as PEM").because(cause.to_string()))?;
    let public_pem = public.to_pem()?;

    let (private_file, public_file) = (directory.join(PRIVATE_FILE), directory.join(PUBLIC_FILE));
    if public_file.exists() {
        return Err(Error::new(Kind::Conflict, "make a key, since one exists:").at(&public_file));
    }
    create(&private_file, pem.as_bytes(), 0o600)?;
    create(&public_file, public_pem.as_bytes(), 0o644)?;
    Ok((private_file, public))
}

fn create(path: &Path, bytes: &[u8], mode: u32) -> Result<(), Error> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .map_err(|cause| Error::io("make the key file", path, cause))
}

/// The key that signs evidence. It shows nothing of itself.
#[derive(Clone)]
pub struct SigningKey {
    key: ed25519_dalek::SigningKey,
    public: PublicKey,
}

impl SigningKey {
    /// Reads a PKCS#8 PEM file of at most 16 KiB. A file that others than its owner may read
    /// is refused.
    pub fn read(path: &Path) -> Result<SigningKey, Error> {
        let (text, mode) = read_text(path)?;
        if mode & 0o077 != 0 {
            let what = format!("use a private key that others may read (mode {:o}):", mode & 0o777);
            return Err(Error::new(Kind::Key, what).at(path));
        }
        SigningKey::from_pem(&text).map_err(|error| error.at(path))
    }

    /// The key in the text of a PKCS#8 PEM, as from an environment variable.
    pub fn from_pem(pem: &str) -> Result<SigningKey, Error> {
        // The parser's words are dropped: they may repeat parts of what it read.
        let key = ed25519_dalek::SigningKey::from_pkcs8_pem(pem)
            .map_err(|_| Error::new(Kind::Key, "read an Ed25519 private key, as PKCS#8 in PEM"))?;
        let public = PublicKey::of(key.verifying_key())?;
        Ok(SigningKey { key, public })
    }

    /// The key that verifies what this one signs.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    pub(in crate::evidence) fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.key.sign(message).to_bytes()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.public.id)
    }
}

/// A key that a verifier trusts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    key: VerifyingKey,
    id: String,
}

impl PublicKey {
    fn of(key: VerifyingKey) -> Result<PublicKey, Error> {
        let der = key
            .to_public_key_der()
            .map_err(|cause| Error::new(Kind::Key, "write a public key as DER").because(cause.to_string()))?;
        Ok(PublicKey { key, id: format!("sha256:{}", Digest::of(der.as_bytes())) })
    }

    /// Reads an SPKI PEM file of at most 16 KiB.
    pub fn read(path: &Path) -> Result<PublicKey, Error> {
        let (text, _) = read_text(path)?;
        PublicKey::from_pem(&text).map_err(|error| error.at(path))
    }

    /// The key in the text of an SPKI PEM.
    pub fn from_pem(pem: &str) -> Result<PublicKey, Error> {
        let key = VerifyingKey::from_public_key_pem(pem)
            .map_err(|_| Error::new(Kind::Key, "read an Ed25519 public key, as SPKI in PEM"))?;
        PublicKey::of(key)
    }

    /// The key as SPKI PEM.
    pub fn to_pem(&self) -> Result<String, Error> {
        self.key
            .to_public_key_pem(LineEnding::LF)
            .map_err(|cause| Error::new(Kind::Key, "write a public key as PEM").because(cause.to_string()))
    }

    /// `sha256:` and the digest of the key as DER.
    pub fn id(&self) -> &str {
        &self.id
    }

    pub(in crate::evidence) fn verifies(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        let signature = ed25519_dalek::Signature::from_bytes(signature);
        self.key.verify_strict(message, &signature).is_ok()
    }
}

/// The text of a small file, and its mode.
fn read_text(path: &Path) -> Result<(String, u32), Error> {
    let read = || {
        let file = File::open(path)?;
        let mode = file.metadata()?.permissions().mode();
        let mut text = String::new();
        file.take(BYTES_MAX + 1).read_to_string(&mut text)?;
        Ok((text, mode))
    };
    let (text, mode) = read().map_err(|cause| Error::io("read the key file", path, cause))?;
    if text.len() as u64 > BYTES_MAX {
        return Err(Error::new(Kind::Key, "read a key file of more than 16 KiB").at(path));
    }
    Ok((text, mode))
}
