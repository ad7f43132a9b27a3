//! Secrets that a plan names, taken from where it says they are.

use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use zeroize::Zeroizing;

use crate::plan::KeySource;
use crate::verdict::{Code, Reason};

/// How large a secret may be: a bundle of secret keys, at most.
const BYTES_MAX: u64 = 256 * 1024;

/// Why a secret could not be taken. Never holds any of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("take {what} from {from}: {why}")]
pub struct Error {
    what: &'static str,
    from: String,
    why: String,
    remedy: String,
}

impl Error {
    /// What to do next, in one line.
    pub fn remedy(&self) -> &str {
        &self.remedy
    }

    /// The published reason a drill halts with.
    pub fn reason(&self) -> Reason {
        Reason::new(Code::DecryptionKey, self.to_string(), self.remedy.clone())
    }

    /// A secret that was taken, and is not what it should be.
    pub fn unfit(what: &'static str, source: &KeySource, why: impl ToString) -> Error {
        let remedy = "see the README on encrypted backups for what belongs there".to_owned();
        Error { what, from: source.to_string(), why: why.to_string(), remedy }
    }
}

/// Takes the secret that `source` names, called `what` in messages. It is wiped when dropped.
///
/// # Errors
/// It is not there, can't be read, or others may read it too.
pub fn take(what: &'static str, source: &KeySource) -> Result<Zeroizing<Vec<u8>>, Error> {
    let failed = |(why, remedy): (String, String)| Error { what, from: source.to_string(), why, remedy };
    match source {
        KeySource::File(path) => read(path, 0o077).map_err(failed),
        KeySource::Variable(name) => match std::env::var_os(name) {
            Some(value) => Ok(Zeroizing::new(value.into_vec())),
            None => Err(failed(("it is not set".into(), format!("set {name} where firedrill runs")))),
        },
        KeySource::Credential(name) => match std::env::var_os("CREDENTIALS_DIRECTORY") {
            // systemd lets the unit's user read it by an access list, whose mask shows as the
            // right of the group; the directory around it is that user's alone.
            Some(directory) => read(&Path::new(&directory).join(name), 0o037).map_err(failed),
            None => Err(failed((
                "CREDENTIALS_DIRECTORY is not set".into(),
                format!("write LoadCredential={name}:/PATH in the [Service] of the unit"),
            ))),
        },
    }
}

/// The bytes of a small file, whose mode must have none of the bits `forbidden`.
fn read(path: &Path, forbidden: u32) -> Result<Zeroizing<Vec<u8>>, (String, String)> {
    let (bytes, mode) = read_small(path).map_err(|error| {
        (error.to_string(), "name a file that the user who runs firedrill may read".to_owned())
    })?;
    if mode & forbidden != 0 {
        let why = format!("others may read it (mode {:o})", mode & 0o777);
        return Err((
            why,
            format!("run chmod 600 {}; if others may have read it, make a new key", path.display()),
        ));
    }
    Ok(bytes)
}

fn read_small(path: &Path) -> io::Result<(Zeroizing<Vec<u8>>, u32)> {
    // Without O_NONBLOCK a pipe in the file's place would be waited for.
    let file = OpenOptions::new().read(true).custom_flags(nix::libc::O_NONBLOCK).open(path)?;
    let facts = file.metadata()?;
    if !facts.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    if facts.len() > BYTES_MAX {
        return Err(io::Error::other("it is larger than 256 KiB"));
    }
    // Room enough from the start: a vector that grows leaves copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(BYTES_MAX as usize + 1));
    file.take(BYTES_MAX).read_to_end(&mut bytes)?;
    Ok((bytes, facts.permissions().mode()))
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};

    use super::*;

    #[test]
    fn a_secret_that_others_may_read_is_refused_and_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("passphrase");
        fs::write(&path, "hunter2\n").unwrap();
        for (mode, taken) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false), (0o666, false)] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let secret = take("the passphrase", &KeySource::File(path.clone()));
            assert_eq!(
                secret.as_deref().ok().map(Vec::as_slice),
                taken.then_some(&b"hunter2\n"[..]),
                "{mode:o}"
            );
            if let Err(error) = secret {
                assert_eq!(error.reason().code, Code::DecryptionKey);
                assert!(error.reason().remedy.contains("chmod 600"), "{error}");
                assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
            }
        }
    }

    #[test]
    fn a_secret_that_is_not_there_says_where_it_was_looked_for() {
        let folder = tempfile::tempdir().unwrap();
        let table = [
            (KeySource::File(folder.path().join("none")), "none"),
            (KeySource::File(folder.path().into()), "it is not a file"),
            (KeySource::Variable("FIREDRILL_TEST_NOT_SET".into()), "'FIREDRILL_TEST_NOT_SET'"),
        ];
        for (source, told) in table {
            let error = take("the passphrase", &source).unwrap_err();
            assert!(error.to_string().contains(told), "{error}");
        }
    }
}
