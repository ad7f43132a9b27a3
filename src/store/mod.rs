//! The store door: a read-only view of one prefix of an object store.
//!
//! There is no verb that writes or deletes: a tool that proves backups can't harm one.
//! [`Store::list`] gives a complete listing or an error, [`Store::read`] gives exactly the bytes
//! that were asked for, of the very object that was listed, or an error. Everything is tried
//! again in one place ([`Patience`]), and the drivers for S3, Azure and directories below it
//! make single attempts.

mod authority;
mod azure;
pub(crate) mod connection;
mod convoy;
mod damaged;
mod details;
mod download;
mod driver;
mod environment;
mod error;
mod gather;
mod local;
pub mod location;
pub mod object;
pub mod options;
mod retry;
mod s3;
mod shaping;
mod traffic;
mod window;
mod wire;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

pub use convoy::{Berths, Convoy, ConvoyPart};
pub use damaged::{Damage, Harm};
pub use details::{ChecksumAlgorithm, Details, StoredChecksum};
pub use download::{Download, Tuning};
pub use environment::Environment;
pub use error::{Error, ErrorKind};
pub use location::Location;
pub use object::{Listing, Object};
pub use options::Options;
pub use retry::Patience;
pub use shaping::Shaping;
pub use traffic::Traffic;
pub use window::Connections;

use azure::Azure;
use damaged::Damaged;
use driver::{Driver, Fault, FaultKind};
use local::Local;
use retry::{Question, Retry};
use s3::S3;
use shaping::Line;

/// No single read may ask for more than this.
pub const READ_BYTES_MAX: u64 = 256 << 20;

/// A read-only view of one prefix; cheap to clone, and clones share connections, patience and
/// counters.
#[derive(Clone)]
pub struct Store {
    inside: Arc<Inside>,
}

struct Inside {
    location: Location,
    driver: Box<dyn Driver>,
    retry: Retry,
    line: Line,
}

impl Store {
    /// Opens a store with secrets from the process's environment and ordinary patience.
    ///
    /// Resolves credentials, and asks the store nothing yet.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`], or [`ErrorKind::Credentials`] where there are none.
    pub async fn open(location: &Location, options: &Options) -> Result<Store, Error> {
        Store::open_with(location, options, &Environment::Process, &Patience::default()).await
    }

    /// Opens a store whose traffic is made slower on purpose.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub async fn open_shaped(
        location: &Location,
        options: &Options,
        shaping: Shaping,
    ) -> Result<Store, Error> {
        let (environment, patience) = (Environment::Process, Patience::default());
        Store::connected(location, options, &environment, &patience, shaping).await
    }

    /// Opens a store with secrets from `environment`.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub async fn open_with(
        location: &Location,
        options: &Options,
        environment: &Environment,
        patience: &Patience,
    ) -> Result<Store, Error> {
        Store::connected(location, options, environment, patience, Shaping::default()).await
    }

    async fn connected(
        location: &Location,
        options: &Options,
        environment: &Environment,
        patience: &Patience,
        shaping: Shaping,
    ) -> Result<Store, Error> {
        let driver = connect(location, options, environment, patience).await;
        let driver = driver.map_err(|fault| Question::List(format!("open {location}")).error(fault, 1))?;
        let (retry, line) = (Retry::new(patience.clone()), Line::new(shaping));
        let inside = Inside { location: location.clone(), driver, retry, line };
        Ok(Store { inside: Arc::new(inside) })
    }

    /// The same store as it would look with that damage; it is read through a view that alters
    /// bytes on their way in, and nothing in the store is touched.
    pub fn damaged(&self, damage: Damage) -> Store {
        let inside = Inside {
            location: self.inside.location.clone(),
            driver: Box::new(Damaged::new(self.inside.clone(), damage)),
            retry: Retry::new(self.inside.retry.patience.clone()),
            line: Line::new(Shaping::default()),
        };
        Store { inside: Arc::new(inside) }
    }

    /// Where it looks.
    pub fn location(&self) -> &Location {
        &self.inside.location
    }

    /// Every object under the location, by strictly increasing key: complete, or an error.
    ///
    /// An S3 or Azure prefix is plain text before the rest of a name; a directory is listed
    /// with everything below it. At most 1,000,000 objects.
    ///
    /// # Errors
    /// [`ErrorKind::ListUnavailable`], [`ErrorKind::ListIncomplete`], [`ErrorKind::NotFound`], and
    /// the ones of access.
    pub async fn list(&self) -> Result<Listing, Error> {
        let uri = self.inside.location.to_string();
        gather::gather(&*self.inside.driver, &self.inside.retry, &uri).await
    }

    /// What the store keeps about the whole object.
    ///
    /// # Errors
    /// [`ErrorKind::SourceUnstable`] if the object changed since it was listed; else as
    /// [`Store::read`].
    pub async fn describe(&self, object: &Object) -> Result<Details, Error> {
        let driver = &*self.inside.driver;
        let question = Question::Read(format!("look at {}", object.uri));
        let ask = || async {
            let details = driver.describe(object).await?;
            wire::check_same(object, details.bytes, details.etag.as_deref())?;
            Ok(details)
        };
        self.inside.retry.ask(driver, question, ask).await
    }

    /// The bytes of `range`, all of them or an error; at most [`READ_BYTES_MAX`].
    ///
    /// An empty range asks the store nothing.
    ///
    /// # Errors
    /// [`ErrorKind::SourceUnstable`] if the object is not the one that was listed,
    /// [`ErrorKind::NotRetrievable`] if it is archived, [`ErrorKind::TransportUnreliable`] if other
    /// bytes keep coming, [`ErrorKind::StoreUnavailable`] if none do, [`ErrorKind::OutOfRange`] if
    /// the object has no such bytes, and the ones of access.
    pub async fn read(&self, object: &Object, range: Range<u64>) -> Result<Bytes, Error> {
        let tried = format!("read bytes {} to {} of {}", range.start, range.end, object.uri);
        let is_within = range.start <= range.end && range.end <= object.bytes;
        if !is_within || range.end - range.start > READ_BYTES_MAX {
            let cause = format!("it has {} bytes, and one read at most {READ_BYTES_MAX}", object.bytes);
            return Err(Error::new(ErrorKind::OutOfRange, tried, cause));
        }
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        let driver = &*self.inside.driver;
        let retry = &self.inside.retry;
        let _reading = retry.counters.reading();
        let asked = tokio::time::Instant::now();
        let bytes = retry
            .ask(driver, Question::Read(tried), || async {
                let bytes = driver.read(object, range.clone()).await?;
                check_length(&bytes, &range)
            })
            .await?;
        self.inside.line.carry(asked, bytes.len() as u64).await;
        retry.counters.bytes(bytes.len() as u64);
        Ok(bytes)
    }

    /// What went over the wire so far.
    pub fn traffic(&self) -> Traffic {
        self.inside.retry.counters.snapshot()
    }
}

async fn connect(
    location: &Location,
    options: &Options,
    environment: &Environment,
    patience: &Patience,
) -> Result<Box<dyn Driver>, Fault> {
    Ok(match location {
        Location::Directory { path } => Box::new(Local::new(path)),
        Location::S3 { bucket, prefix } => {
            let recipe = s3::Recipe { options: options.clone(), environment: environment.clone() };
            Box::new(S3::open(bucket, prefix, recipe, patience).await?)
        }
        Location::Azure { account, container, prefix } => {
            let recipe = azure::Recipe {
                account: account.clone(),
                container: container.clone(),
                options: options.clone(),
                environment: environment.clone(),
            };
            Box::new(Azure::open(prefix, recipe, patience).await?)
        }
    })
}

/// The last word on every read, whatever the driver below believes.
fn check_length(bytes: &Bytes, range: &Range<u64>) -> Result<Bytes, Fault> {
    if bytes.len() as u64 != range.end - range.start {
        return Err(Fault::new(FaultKind::Wrong, format!("{} bytes came", bytes.len())));
    }
    Ok(bytes.clone())
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("location", &self.inside.location).finish_non_exhaustive()
    }
}
