//! Who keeps the evidence of a run: where, and signed with which key.

use std::fs;
use std::path::{Path, PathBuf};

use crate::evidence::error::Error;
use crate::evidence::key::{PublicKey, SigningKey};
use crate::evidence::log::{Log, Written};
use crate::evidence::outbox::{Sent, send, waiting};
use crate::evidence::read::files;
use crate::evidence::sink::Sink;
use crate::judge::judge;
use crate::plan::{self, Remote, Signing};
use crate::record::Record;
use crate::verdict::Verdict;

/// How many drills are looked back at for a pass.
const LOOK_BACK_MAX: usize = 1000;

/// Keeps the evidence of a run. There is none without the key that the plan names.
#[derive(Clone, Debug)]
pub struct Keeper {
    root: PathBuf,
    key: Option<SigningKey>,
    known: Vec<PublicKey>,
    remote: Option<Remote>,
}

impl Keeper {
    /// A keeper as `plan` wants it, with `default` for the directory that it does not name.
    /// Takes the key, once, and makes the directory.
    ///
    /// # Errors
    /// There is no usable key where the plan says, or the directory can't be made.
    pub fn open(plan: &plan::Evidence, default: &Path) -> Result<Keeper, Error> {
        let key = match &plan.signing {
            Signing::Unsaid | Signing::Declined => None,
            Signing::By(source) => Some(SigningKey::from_source(source)?),
        };
        let root = plan.directory.as_deref().unwrap_or(default).to_owned();
        fs::create_dir_all(&root).map_err(|cause| Error::io("make the evidence directory", &root, cause))?;
        let own = key.iter().map(|key| key.public().clone());
        // A key that can't be read vouches for nothing, and is no reason not to drill.
        let named = plan.public.iter().filter_map(|path| PublicKey::read(path).ok());
        let known = own.chain(named).collect();
        Ok(Keeper { root, key, known, remote: plan.remote.clone() })
    }

    /// The folder that the logs of the services lie in.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The key that verifies what is kept; none where nothing is signed.
    pub fn public(&self) -> Option<&PublicKey> {
        self.key.as_ref().map(SigningKey::public)
    }

    /// Judges the record, and appends it to the log of its service.
    ///
    /// # Errors
    /// As [`Log::append`]; the record is then judged, and lies nowhere.
    pub fn keep(&self, record: &mut Record) -> Result<Written, Error> {
        Log::open(&self.root, &record.service.id)?.append(record, self.key.as_ref())
    }

    /// The newest record of the service that stands up as a pass: its verdict follows from it,
    /// it is signed with a key of the plan's where the plan signs, and the record after it follows its very
    /// bytes. At most a thousand drills are looked back at; what can't be read is passed over.
    pub fn newest_pass(&self, service: &str) -> Option<Record> {
        let entries = files(&self.root, service).ok()?;
        let mut follower: Option<Record> = None;
        for entry in entries.iter().rev().take(LOOK_BACK_MAX) {
            let Ok((record, sha256, signed)) = entry.verified(service, &self.known) else {
                follower = None;
                continue;
            };
            let followed =
                follower.as_ref().is_none_or(|next| next.chain.previous_envelope_sha256 == Some(sha256));
            let passed = |verdict| verdict == Verdict::Pass;
            let good = followed
                && (signed || self.key.is_none())
                && passed(record.verdict.result.0)
                && passed(judge(&record).verdict());
            if good {
                return Some(record);
            }
            follower = Some(record);
        }
        None
    }

    /// Sends what waits of the log of `service` to where the plan wants copies; nothing where
    /// it wants none.
    ///
    /// # Errors
    /// The log can't be read. That it can't be sent is no error, but waits.
    pub async fn send(&self, service: &str) -> Result<Option<Sent>, Error> {
        let Some(remote) = &self.remote else { return Ok(None) };
        let directory = self.root.join(service);
        match Sink::open(remote).await {
            Ok(sink) => send(&directory, service, &sink).await.map(Some),
            Err(error) => {
                let waiting = waiting(&directory, &remote.location.to_string())?;
                Ok(Some(Sent { sent: 0, waiting, trouble: Some(error) }))
            }
        }
    }

    /// How many files of the log of `service` wait to be sent; nothing where the plan wants no
    /// copies.
    ///
    /// # Errors
    /// The log can't be read.
    pub fn waiting(&self, service: &str) -> Result<Option<u64>, Error> {
        let Some(remote) = &self.remote else { return Ok(None) };
        waiting(&self.root.join(service), &remote.location.to_string()).map(Some)
    }
}
