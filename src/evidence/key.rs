//! Keys: one that signs, and those that a verifier trusts.

use std::ffi::OsString;
use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, DecodePublicKey, EncodePublicKey, KeypairBytes};
use ed25519_dalek::{Signer, VerifyingKey};
use zeroize::Zeroizing;

use crate::digest::Digest;
use crate::evidence::envelope::Envelope;
use crate::evidence::error::{Error, Kind};
use crate::plan::KeySource;

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
    let mut secret = Zeroizing::new([0; 32]);
    let source = Path::new("/dev/urandom");
    OpenOptions::new()
        .read(true)
        .open(source)
        .and_then(|mut random| random.read_exact(&mut *secret))
        .map_err(|cause| Error::io("read random bytes from", source, cause))?;
    let public = PublicKey::of(ed25519_dalek::SigningKey::from_bytes(&secret).verifying_key())?;
    let pair = KeypairBytes { secret_key: *secret, public_key: None };
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
        .map_err(|cause| match cause.kind() {
            io::ErrorKind::AlreadyExists => {
                Error::new(Kind::Conflict, "make a key, since one exists:").at(path)
            }
            _ => Error::io("make the key file", path, cause),
        })
}

/// The key that signs evidence. It shows nothing of itself.
#[derive(Clone)]
pub struct SigningKey {
    key: ed25519_dalek::SigningKey,
    public: PublicKey,
}

impl SigningKey {
    /// Takes the key from where the plan says it is, and tries it: it signs, and what it
    /// signed verifies. Nothing of its text is kept.
    pub fn from_source(source: &KeySource) -> Result<SigningKey, Error> {
        let key = match source {
            KeySource::File(path) => SigningKey::read(path)?,
            KeySource::Variable(name) => SigningKey::from_variable(name)?,
            KeySource::Credential(name) => {
                SigningKey::from_credential(name, std::env::var_os("CREDENTIALS_DIRECTORY"))?
            }
        };
        key.probe()?;
        Ok(key)
    }

    /// Reads a PKCS#8 PEM file of at most 16 KiB. A file that others than its owner may read
    /// is refused.
    pub fn read(path: &Path) -> Result<SigningKey, Error> {
        SigningKey::read_private(path, 0o077)
    }

    /// Reads the file of a private key, whose mode must have none of the bits `forbidden`.
    fn read_private(path: &Path, forbidden: u32) -> Result<SigningKey, Error> {
        let (text, mode) = read_text(path)?;
        let text = Zeroizing::new(text);
        if mode & forbidden != 0 {
            let what = format!("use a private key that others may read (mode {:o}):", mode & 0o777);
            let remedy =
                format!("run chmod 600 {}; if others may have read it, make a new key", path.display());
            return Err(Error::new(Kind::Key, what).at(path).with_remedy(remedy));
        }
        SigningKey::from_pem(&text).map_err(|error| error.at(path))
    }

    fn from_variable(name: &str) -> Result<SigningKey, Error> {
        let text = std::env::var(name).map(Zeroizing::new).map_err(|_| {
            Error::new(Kind::Key, format!("read the key from the variable '{name}', which is not set"))
                .with_remedy("set it to the text of evidence.key")
        })?;
        SigningKey::from_pem(&text)
            .map_err(|error| error.because(format!("the variable '{name}' holds none")))
    }

    fn from_credential(name: &str, directory: Option<OsString>) -> Result<SigningKey, Error> {
        let Some(directory) = directory else {
            let what = format!("read the credential '{name}': CREDENTIALS_DIRECTORY is not set");
            let remedy =
                format!("write LoadCredential={name}:/PATH/evidence.key in the [Service] of the unit");
            return Err(Error::new(Kind::Key, what).with_remedy(remedy));
        };
        // systemd lets the unit's user read it by an access list, whose mask shows as the
        // right of the group; the directory around it is that user's alone.
        SigningKey::read_private(&Path::new(&directory).join(name), 0o037)
    }

    fn probe(&self) -> Result<(), Error> {
        let envelope = Envelope::seal(b"probe", self);
        match envelope.signed_by(b"probe", std::slice::from_ref(&self.public)) {
            Some(_) => Ok(()),
            None => Err(Error::new(Kind::Key, "sign with the key: what it signs does not verify")),
        }
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
        // Without O_NONBLOCK a pipe in the key's place would be waited for.
        let file = OpenOptions::new().read(true).custom_flags(nix::libc::O_NONBLOCK).open(path)?;
        let facts = file.metadata()?;
        if !facts.is_file() {
            return Err(io::Error::other("it is not a file"));
        }
        let mut text = String::with_capacity(BYTES_MAX as usize + 1);
        file.take(BYTES_MAX + 1).read_to_string(&mut text)?;
        Ok((text, facts.permissions().mode()))
    };
    let (text, mode) = read().map_err(|cause| {
        let remedy = "name a file that the user who runs firedrill may read; `firedrill keygen` makes one";
        Error::new(Kind::Key, "read the key file").at(path).because(cause).with_remedy(remedy)
    })?;
    if text.len() as u64 > BYTES_MAX {
        return Err(Error::new(Kind::Key, "read a key file of more than 16 KiB").at(path));
    }
    Ok((text, mode))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_credential_may_show_the_mask_of_its_access_list_and_nothing_more() {
        let folder = tempfile::tempdir().unwrap();
        let (path, public) = keygen(folder.path()).unwrap();
        let take = || SigningKey::from_credential(PRIVATE_FILE, Some(folder.path().into()));
        for (mode, taken) in [(0o400, true), (0o440, true), (0o600, true), (0o444, false), (0o460, false)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(
                take().ok().map(|key| key.public().clone()),
                taken.then(|| public.clone()),
                "{mode:o}"
            );
        }
        let error = SigningKey::from_credential(PRIVATE_FILE, None).unwrap_err();
        assert!(error.reason().remedy.contains("LoadCredential=evidence.key:"), "{error}");
    }
}
