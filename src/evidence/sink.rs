//! Where copies of evidence go: a door that only ever makes objects that were not there.
//!
//! It has no verb that replaces or deletes. What is there already is compared: the same bytes
//! are as good as written, other bytes are a conflict, and never overwritten.

mod azure;
mod s3;

use std::fmt;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::{sleep, timeout};

use crate::evidence::error::{Error, Kind};
use crate::plan::Remote;
use crate::store::Environment;
use crate::store::connection::{Connection, Refusal, connect};

/// How often a request is made at most, and the pause before it is made again, which doubles.
const ATTEMPTS: u32 = 3;
const PAUSE: Duration = Duration::from_millis(500);

/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A place for copies.
pub struct Sink {
    connection: Connection,
    location: String,
    retain: Option<Duration>,
}

/// What is to be written.
#[derive(Clone, Copy, Debug)]
pub(in crate::evidence) struct Piece<'a> {
    /// Its name below the location.
    pub name: &'a str,
    /// All of it.
    pub bytes: &'a [u8],
    /// Until when nobody may change or delete it.
    pub retain_until: Option<Timestamp>,
}

impl Sink {
    /// Opens the place that the plan names, with credentials of the process's environment.
    /// Sends nothing.
    ///
    /// # Errors
    /// There are no credentials, or the options can't be used.
    pub async fn open(remote: &Remote) -> Result<Sink, Error> {
        Sink::open_with(remote, &Environment::Process).await
    }

    /// Opens the place that the plan names, with credentials of `environment`.
    ///
    /// # Errors
    /// As [`Sink::open`].
    pub async fn open_with(remote: &Remote, environment: &Environment) -> Result<Sink, Error> {
        let location = remote.location.to_string();
        let connection = connect(&remote.location, &remote.store, environment).await.map_err(|error| {
            let remedy = error.reason().remedy;
            Error::new(Kind::Unreachable, format!("send evidence to {location}"))
                .because(error)
                .with_remedy(remedy)
        })?;
        Ok(Sink { connection, location, retain: remote.retain })
    }

    /// Where it leads.
    pub fn location(&self) -> &str {
        &self.location
    }

    /// Makes the object `name` below the location, with exactly `bytes`. When this returns, it
    /// is there: it was made by this call, or by an earlier one.
    ///
    /// # Errors
    /// [`Kind::Conflict`] where other bytes are there; [`Kind::Unreachable`] where it could not
    /// be written now.
    pub async fn store(&self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        let retain = self.retain.and_then(|retain| SignedDuration::try_from(retain).ok());
        let retain_until = retain.and_then(|retain| Timestamp::now().checked_add(retain).ok());
        let piece = Piece { name, bytes, retain_until };
        // A store that does not know conditional writes would overwrite: look first.
        match self.holds(piece).await? {
            Held::Same => return Ok(()),
            Held::Other => return Err(self.conflict(name)),
            Held::Nothing | Held::Unknown => {}
        }
        match self.patiently(|| self.create(piece)).await {
            Ok(()) => {}
            // Another attempt of ours may have made it, whose answer was lost, or somebody else.
            Err(refusal) if matches!(refusal.status, Some(409 | 412)) => {
                return match self.holds(piece).await? {
                    Held::Same => Ok(()),
                    Held::Other => Err(self.conflict(name)),
                    Held::Nothing | Held::Unknown => Err(self.unreachable(name, &refusal)),
                };
            }
            Err(refusal) => return Err(self.unreachable(name, &refusal)),
        }
        match self.holds(piece).await? {
            // Whoever may only write is believed.
            Held::Same | Held::Unknown => Ok(()),
            Held::Other => Err(self.conflict(name)),
            Held::Nothing => {
                let text = "it took the object, and does not have it".to_owned();
                Err(self.unreachable(name, &Refusal { status: None, text, worth_another_try: false }))
            }
        }
    }

    async fn create(&self, piece: Piece<'_>) -> Result<(), Refusal> {
        let made = async {
            match &self.connection {
                Connection::S3 { client, bucket, prefix } => s3::create(client, bucket, prefix, piece).await,
                Connection::Azure { client, prefix } => azure::create(client, prefix, piece).await,
            }
        };
        timeout(PATIENCE, made).await.unwrap_or_else(|_| Err(Refusal::silence()))
    }

    /// What is there in the place of `piece`.
    async fn holds(&self, piece: Piece<'_>) -> Result<Held, Error> {
        let bytes_max = piece.bytes.len();
        let look = || async {
            let read = async {
                match &self.connection {
                    Connection::S3 { client, bucket, prefix } => {
                        s3::read(client, bucket, prefix, piece.name, bytes_max).await
                    }
                    Connection::Azure { client, prefix } => {
                        azure::read(client, prefix, piece.name, bytes_max).await
                    }
                }
            };
            timeout(PATIENCE, read).await.unwrap_or_else(|_| Err(Refusal::silence()))
        };
        match self.patiently(look).await {
            Ok(Some(bytes)) if bytes == piece.bytes => Ok(Held::Same),
            Ok(_) => Ok(Held::Other),
            Err(Refusal { status: Some(404), text, .. }) if !says_no_place(&text) => Ok(Held::Nothing),
            Err(Refusal { status: Some(403), .. }) => Ok(Held::Unknown),
            Err(refusal) => Err(self.unreachable(piece.name, &refusal)),
        }
    }

    async fn patiently<T, F>(&self, attempt: impl Fn() -> F) -> Result<T, Refusal>
    where
        F: Future<Output = Result<T, Refusal>>,
    {
        let mut pause = PAUSE;
        for _ in 1..ATTEMPTS {
            match attempt().await {
                Err(refusal) if refusal.worth_another_try => sleep(pause).await,
                answered => return answered,
            }
            pause = pause.saturating_mul(2);
        }
        attempt().await
    }

    fn conflict(&self, name: &str) -> Error {
        let what = format!("send evidence to {}: other bytes are there already as '{name}'", self.location);
        Error::new(Kind::Conflict, what).with_remedy(
            "somebody else wrote there, or the log here was begun anew: verify both before anything else",
        )
    }

    fn unreachable(&self, name: &str, refusal: &Refusal) -> Error {
        let what = format!("send '{name}' to {}: {}", self.location, refusal.text);
        let remedy = match refusal.status {
            Some(403) => "let this identity write objects there, and read them",
            Some(400) if self.retain.is_some() => {
                "see whether the bucket keeps objects locked; 'retain' in the plan demands it"
            }
            _ => "the next run sends it; see whether the store is up and reachable from here",
        };
        Error::new(Kind::Unreachable, what).with_remedy(remedy)
    }
}

/// What is there in the place of an object to be made.
enum Held {
    Nothing,
    Same,
    Other,
    /// Nobody tells us.
    Unknown,
}

/// Whether it is the bucket or the container that is missing.
fn says_no_place(text: &str) -> bool {
    text.contains("NoSuchBucket") || text.contains("ContainerNotFound")
}

impl fmt::Debug for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sink").field("location", &self.location).finish_non_exhaustive()
    }
}
