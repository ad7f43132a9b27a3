//! A layer of OpenPGP: to a key or a passphrase, and only with integrity protection.

use std::io::{self, BufRead, Read};

use pgp::composed::{
    DecryptionOptions, Edata, Esk, Message, PlainSessionKey, SignedSecretKey,
    decrypt_session_key_with_password,
};
use pgp::packet::{
    ProtectedDataConfig, PublicKeyEncryptedSessionKey, SymEncryptedProtectedDataConfig,
    SymKeyEncryptedSessionKey,
};
use pgp::types::{DecryptionKey, EskType, Password, PkeskVersion, Seipdv1ReadMode, StringToKey};

use crate::archive::error::Error;
use crate::archive::sniff::Kind;
use crate::archive::wrap::packets::Content;
use crate::archive::wrap::{Keys, Opened};

/// Session keys beyond these are not tried: each may cost a passphrase's work.
const SESSION_KEYS_MAX: usize = 32;

/// The memory that the work on a passphrase may take, as a power of two of KiB: 1 GiB.
const ARGON2_MEMORY_LOG_MAX: u8 = 20;
/// The passes over that memory.
const ARGON2_PASSES_MAX: u8 = 8;

/// Opens the layer. A message with an MDC is given before its end was authenticated, and ends
/// with an error if it wasn't; one with AEAD is authenticated chunk by chunk.
pub(super) fn open<'k>(
    source: impl BufRead + Send + std::fmt::Debug + 'k,
    keys: &'k Keys,
) -> Result<(Box<dyn Read + Send + 'k>, Opened), Error> {
    let message = Message::from_bytes(source).map_err(unreadable)?;
    let Message::Encrypted { esk, mut edata, .. } = message else {
        return Err(Error::Unsupported { what: "an OpenPGP message that is not encrypted".to_owned() });
    };
    let checksum = match &edata {
        Edata::SymEncryptedData { .. } => {
            let what = "it is encrypted by OpenPGP without integrity protection".to_owned();
            return Err(Error::Unsafe { what });
        }
        Edata::GnupgAeadData { .. } => "aead",
        Edata::SymEncryptedProtectedData { reader } => match reader.config() {
            ProtectedDataConfig::Seipd(SymEncryptedProtectedDataConfig::V1) => "mdc sha1",
            _ => "aead",
        },
    };
    let (session, how) = session_key(&esk, keys)?;
    if !begins_as_it_should(&mut edata, &session).map_err(Error::Source)? {
        let what = "what comes out is nothing known: the passphrase is another, or its beginning is damaged";
        return Err(Error::no_key(Kind::OpenPgp, what));
    }
    let options =
        DecryptionOptions::new().enable_gnupg_aead().set_seipdv1_read_mode(Seipdv1ReadMode::Streaming);
    edata.decrypt_with_options(&session, options).map_err(|error| match error {
        pgp::errors::Error::IO { source, .. } => Error::Source(source),
        _ => does_not_open(),
    })?;
    let opened = Opened { how: Some(how), checksum: Some(checksum) };
    Ok((Box::new(Decrypted { content: Content::open(edata)?, ended: false }), opened))
}

/// A passphrase alone makes a session key, and any makes one. Before an MDC message its cipher
/// puts a block whose last two bytes come twice, so that a wrong one is told from damage.
fn begins_as_it_should(edata: &mut Edata<'_>, session: &PlainSessionKey) -> io::Result<bool> {
    let Edata::SymEncryptedProtectedData { reader } = edata else { return Ok(true) };
    let PlainSessionKey::V3_4 { sym_alg, key } = session else { return Ok(true) };
    if !matches!(reader.config(), ProtectedDataConfig::Seipd(SymEncryptedProtectedDataConfig::V1)) {
        return Ok(true);
    }
    let block = sym_alg.block_size();
    let mut prefix = match reader.get_mut().fill_buf()?.get(..block + 2) {
        Some(prefix) => prefix.to_vec(),
        // Too short for anything: that is told below.
        None => return Ok(true),
    };
    let decrypted = sym_alg.decrypt_with_iv_regular(key.as_ref(), &vec![0; block], &mut prefix);
    Ok(decrypted.is_ok() && prefix.get(block.saturating_sub(2)..block) == prefix.get(block..))
}

fn does_not_open() -> Error {
    Error::no_key(Kind::OpenPgp, "its session key does not open with what the plan gives")
}

fn unreadable(error: pgp::errors::Error) -> Error {
    match error {
        pgp::errors::Error::IO { source, .. } => Error::Source(source),
        _ => Error::corrupt("an OpenPGP message that does not hold together", 0),
    }
}

/// The session key, by the first key or passphrase that opens one.
fn session_key(esks: &[Esk], keys: &Keys) -> Result<(PlainSessionKey, &'static str), Error> {
    if esks.len() > SESSION_KEYS_MAX {
        let what = "the number of session keys of an OpenPGP message".to_owned();
        return Err(Error::Limit { what, limit: SESSION_KEYS_MAX as u64 });
    }
    for esk in esks {
        let found = match esk {
            Esk::PublicKeyEncryptedSessionKey(esk) => by_key(esk, keys).map(|key| (key, "key")),
            Esk::SymKeyEncryptedSessionKey(esk) => by_passphrase(esk, keys)?.map(|key| (key, "passphrase")),
        };
        if let Some(found) = found {
            return Ok(found);
        }
    }
    let of_keys = esks.iter().any(|esk| matches!(esk, Esk::PublicKeyEncryptedSessionKey(_)));
    let given = (!keys.openpgp.is_empty() && of_keys) || (keys.passphrase.is_some() && !of_keys);
    if given {
        return Err(does_not_open());
    }
    let what = match of_keys {
        true => "it needs a secret key, and the plan gives none",
        false => "it needs a passphrase, and the plan gives none",
    };
    Err(Error::no_key(Kind::OpenPgp, what))
}

fn by_key(esk: &PublicKeyEncryptedSessionKey, keys: &Keys) -> Option<PlainSessionKey> {
    let unlock = keys.openpgp_passphrase.as_ref().map(|passphrase| Password::from(passphrase.as_slice()));
    let unlock = unlock.unwrap_or_default();
    keys.openpgp.iter().find_map(|key| opened_by(esk, key, &unlock))
}

fn opened_by(
    esk: &PublicKeyEncryptedSessionKey,
    key: &SignedSecretKey,
    unlock: &Password,
) -> Option<PlainSessionKey> {
    let kind = match esk.version() {
        PkeskVersion::V3 => EskType::V3_4,
        PkeskVersion::V6 => EskType::V6,
        PkeskVersion::Other(_) => return None,
    };
    let values = esk.values().ok()?;
    let primary = esk.match_identity(key.primary_key.public_key());
    let opened = primary.then(|| key.primary_key.decrypt(unlock, values, kind));
    let opened = opened.and_then(|opened| opened.ok()?.ok());
    opened.or_else(|| {
        let fits = |subkey: &&pgp::composed::SignedSecretSubKey| esk.match_identity(subkey.public_key());
        let mut subkeys = key.secret_subkeys.iter().filter(fits);
        subkeys.find_map(|subkey| subkey.key.decrypt(unlock, values, kind).ok()?.ok())
    })
}

fn by_passphrase(esk: &SymKeyEncryptedSessionKey, keys: &Keys) -> Result<Option<PlainSessionKey>, Error> {
    let Some(passphrase) = &keys.passphrase else { return Ok(None) };
    if let Some(StringToKey::Argon2 { t, m_enc, .. }) = esk.s2k()
        && (*m_enc > ARGON2_MEMORY_LOG_MAX || *t > ARGON2_PASSES_MAX)
    {
        let what = "the work on the passphrase of an OpenPGP message, as a power of two of KiB,".to_owned();
        return Err(Error::Limit { what, limit: u64::from(ARGON2_MEMORY_LOG_MAX) });
    }
    if !esk.is_supported() {
        return Ok(None);
    }
    Ok(decrypt_session_key_with_password(esk, &Password::from(passphrase.as_slice())).ok())
}

/// The content of a message, to the end of what encrypts it and of everything behind.
struct Decrypted<'k> {
    content: Content<Edata<'k>>,
    ended: bool,
}

impl Read for Decrypted<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.ended || out.is_empty() {
            return Ok(0);
        }
        let count = self.content.read(out)?;
        if count == 0 {
            let behind = self.content.source().get_mut().get_mut();
            if !behind.fill_buf()?.is_empty() {
                return Err(Error::corrupt("bytes behind an OpenPGP message", 0).into_io());
            }
            self.ended = true;
        }
        Ok(count)
    }
}
