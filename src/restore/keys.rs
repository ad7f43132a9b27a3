//! What leads into a backup: the keys to encrypted ones, taken from where the plan says they are,
//! and the database that is wanted of several.

use std::sync::Arc;

use crate::archive::{KeyError, Keys};
use crate::plan::secret::{self, take};
use crate::plan::{Backup, Decrypt, KeySource};
use crate::restore::Error;

/// What leads into a backup.
#[derive(Clone, Debug, Default)]
pub struct WayIn {
    /// The keys to the layers around it.
    pub keys: Arc<Keys>,
    /// The database that is wanted of a dump of pg_dumpall.
    pub database: Option<String>,
}

impl WayIn {
    /// What the plan says of it.
    ///
    /// # Errors
    /// A key is not there, others may read it, or it is none.
    pub fn of(backup: &Backup) -> Result<WayIn, Error> {
        Ok(WayIn { keys: keys(backup.decrypt.as_ref())?, database: backup.database.clone() })
    }
}

impl From<Arc<Keys>> for WayIn {
    fn from(keys: Arc<Keys>) -> WayIn {
        WayIn { keys, database: None }
    }
}

/// Takes every key that the plan names; none where it names none.
///
/// # Errors
/// One is not there, others may read it, or it is none.
pub fn keys(decrypt: Option<&Decrypt>) -> Result<Arc<Keys>, Error> {
    let mut keys = Keys::default();
    if let Some(decrypt) = decrypt {
        const AGE: &str = "the identity of age";
        const PGP: &str = "the OpenPGP key";
        const PGP_PASSPHRASE: &str = "the passphrase of the OpenPGP key";
        put(AGE, decrypt.age_identity.as_ref(), |text| keys.add_age(text))?;
        put("the passphrase", decrypt.passphrase.as_ref(), |text| keys.set_passphrase(text))?;
        put(PGP, decrypt.openpgp_key.as_ref(), |bytes| keys.add_openpgp(bytes))?;
        put(PGP_PASSPHRASE, decrypt.openpgp_key_passphrase.as_ref(), |text| {
            keys.set_openpgp_passphrase(text)
        })?;
        if let Some(openssl) = decrypt.openssl {
            keys.set_openssl(openssl);
        }
    }
    Ok(Arc::new(keys))
}

fn put(
    what: &'static str,
    source: Option<&KeySource>,
    into: impl FnOnce(&[u8]) -> Result<(), KeyError>,
) -> Result<(), Error> {
    let Some(source) = source else { return Ok(()) };
    let secret = take(what, source).map_err(|error| Error::from_reason(error.reason()))?;
    into(&secret).map_err(|why| Error::from_reason(secret::Error::unfit(what, source, why).reason()))
}
