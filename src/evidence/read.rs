//! Reading logs back: which there are, which files they hold, and what a file says.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::digest::Digest;
use crate::evidence::envelope::Envelope;
use crate::evidence::error::{Error, Kind};
use crate::evidence::fault::with_causes;
use crate::evidence::key::PublicKey;
use crate::evidence::log::{Entry, entries, is_safe, read_file};
use crate::evidence::statement::Statement;
use crate::record::{Record, RunId, Sha256, Signing};

/// How many logs a folder may hold.
const LOGS_MAX: usize = 100_000;

/// The services that have a log below `root`, by name; none where nothing was written yet.
///
/// # Errors
/// The folder is there and can't be read, or holds more than 100,000 logs.
pub fn services(root: &Path) -> Result<Vec<String>, Error> {
    let failed = |cause| Error::io("read the directory", root, cause);
    let folders = match fs::read_dir(root) {
        Ok(folders) => folders,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut services = Vec::new();
    for folder in folders {
        let folder = folder.map_err(failed)?;
        let name = folder.file_name().into_string().ok().filter(|name| is_safe(name).is_ok());
        if folder.file_type().map_err(failed)?.is_dir() {
            services.extend(name);
        }
        if services.len() > LOGS_MAX {
            return Err(Error::new(Kind::Malformed, "read a folder of more than 100,000 logs:").at(root));
        }
    }
    services.sort();
    Ok(services)
}

/// The files of the log of `service` below `root`, in order; none where there is no log yet.
///
/// # Errors
/// The folder is there and can't be read, or the name is no safe name of a folder.
pub fn files(root: &Path, service: &str) -> Result<Vec<Entry>, Error> {
    is_safe(service)?;
    let directory = root.join(service);
    match directory.try_exists() {
        Ok(false) => Ok(Vec::new()),
        _ => entries(&directory),
    }
}

/// What the signatures of a log came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signatures {
    /// Files that nobody signed, from before the first that somebody did.
    pub unsigned: u64,
    /// Files that should bear a signature of one of the keys and do not.
    pub refused: Vec<Refused>,
}

/// A file whose signature does not stand up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Its place in the log.
    pub sequence: u64,
    /// The drill that its name claims.
    pub run_id: RunId,
    /// Where it lies.
    pub path: PathBuf,
    /// What is wrong with it, in one line.
    pub why: String,
}

/// Checks the signatures of the log of `service` below `root` against `keys`, and nothing else.
/// Signing may begin one day, and is demanded from then on.
///
/// # Errors
/// As [`files`].
pub fn signatures(root: &Path, service: &str, keys: &[PublicKey]) -> Result<Signatures, Error> {
    let mut found = Signatures::default();
    let mut begun = false;
    for entry in files(root, service)? {
        begun |= entry.signed;
        let why = match entry.signed {
            true => entry.not_signed_by(keys),
            false if begun => Some("it is not signed, and records before it are".to_owned()),
            false => {
                found.unsigned = found.unsigned.saturating_add(1);
                None
            }
        };
        let Entry { sequence, run_id, path, .. } = entry;
        found.refused.extend(why.map(|why| Refused { sequence, run_id, path, why }));
    }
    Ok(found)
}

impl Entry {
    /// Why none of `keys` has signed the file, if none has.
    fn not_signed_by(&self, keys: &[PublicKey]) -> Option<String> {
        let signed = || {
            let envelope = Envelope::read(&read_file(&self.path)?)?;
            let payload = envelope.payload()?;
            Ok::<bool, Error>(envelope.signed_by(&payload, keys).is_some())
        };
        match signed() {
            Ok(true) => None,
            Ok(false) => Some("none of the known keys has signed it, as it stands".to_owned()),
            Err(error) => Some(with_causes(&error)),
        }
    }

    /// The record in the file, if it is of `service` and all that the name of the file says.
    ///
    /// It is read, and not verified: neither the signature nor the chain is looked at, and
    /// the verdict stands as it was written.
    ///
    /// # Errors
    /// The file can't be read, or is no evidence of this service, place and drill.
    pub fn record(&self, service: &str) -> Result<Record, Error> {
        self.parsed(service).map_err(|error| error.at(&self.path))
    }

    fn parsed(&self, service: &str) -> Result<Record, Error> {
        self.verified(service, &[]).map(|(record, ..)| record)
    }

    /// The record as [`Entry::record`] reads it, the digest of its file, and whether one of
    /// `keys` signed exactly what was read.
    pub(in crate::evidence) fn verified(
        &self,
        service: &str,
        keys: &[PublicKey],
    ) -> Result<(Record, Sha256, bool), Error> {
        let bytes = read_file(&self.path)?;
        let (record, signing, signed) = match self.signed {
            true => {
                let envelope = Envelope::read(&bytes)?;
                let payload = envelope.payload()?;
                let signed = envelope.signed_by(&payload, keys).is_some();
                (Statement::read(&payload)?.predicate, Signing::Ed25519, signed)
            }
            false => (Statement::read(&bytes)?.predicate, Signing::None, false),
        };
        let says = (record.chain.sequence, record.run.run_id, record.chain.signing);
        if says != (Some(self.sequence), self.run_id, signing) {
            return Err(Error::new(Kind::Malformed, "read evidence whose name is not what it says:"));
        }
        if record.service.id != service || record.chain.log_id != service {
            return Err(Error::new(Kind::Malformed, "read evidence of another service:"));
        }
        Ok((record, Sha256(Digest::of(&bytes)), signed))
    }
}
