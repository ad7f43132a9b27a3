//! What the plan says of encrypted backups: where their keys are.

use crate::archive::Openssl;
use crate::plan::KeySource;

/// A `[service.NAME.backup.decrypt]` table. It names keys, and never holds one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decrypt {
    /// Identities of age, one a line: `AGE-SECRET-KEY-1…`.
    pub age_identity: Option<KeySource>,
    /// The passphrase of age, of OpenPGP, or of `openssl enc`: one line.
    pub passphrase: Option<KeySource>,
    /// Secret keys of OpenPGP, armoured or not, as `gpg --export-secret-keys` gives them.
    pub openpgp_key: Option<KeySource>,
    /// The passphrase that those are locked with: one line.
    pub openpgp_key_passphrase: Option<KeySource>,
    /// How `openssl enc` made its key of the passphrase.
    pub openssl: Option<Openssl>,
}
