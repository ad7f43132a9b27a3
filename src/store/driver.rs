//! The seam between the store and what it is made of: one attempt at one question.

use std::ops::Range;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::SignedDuration;

use crate::store::details::Details;
use crate::store::object::Object;

/// What each kind of store can do. Every call is one attempt: no retries below this line.
#[async_trait]
pub(super) trait Driver: Send + Sync {
    /// One page of the listing, from `token` on.
    async fn page(&self, token: Option<&str>) -> Result<Page, Fault>;

    /// What is kept about the object, if it is still the one that was listed.
    async fn describe(&self, object: &Object) -> Result<Details, Fault>;

    /// Exactly the bytes of `range`, which is not empty, if the object is still the one that
    /// was listed.
    async fn read(&self, object: &Object, range: Range<u64>) -> Result<Bytes, Fault>;

    /// Obtains fresh credentials; an error where there are none to be had.
    async fn renew(&self) -> Result<(), Fault>;
}

/// One page of a listing.
#[derive(Debug)]
pub(super) struct Page {
    /// In the store's order.
    pub objects: Vec<Object>,
    /// Where the next page begins; `None` only where the store said that this was the last.
    pub next: Option<String>,
    /// The store's clock minus ours.
    pub clock_offset: Option<SignedDuration>,
}

/// Why one attempt came to nothing.
#[derive(Debug)]
pub(super) struct Fault {
    pub kind: FaultKind,
    /// Reads on after a colon: "it answered 503 SlowDown".
    pub text: String,
    /// How long the store asked us to wait.
    pub retry_after: Option<Duration>,
    /// What to do about it, where more is known than the kind tells.
    pub remedy: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FaultKind {
    /// No answer, an error of the store's own, or an answer that broke off.
    Unavailable,
    /// The store asks to slow down.
    Throttled,
    /// Other bytes than were asked for.
    Wrong,
    /// A listing that can't be true.
    Garbled,
    /// The credentials have expired, or are not (or no longer) known.
    Expired,
    /// There are no credentials.
    NoCredentials,
    /// Refused.
    Denied,
    /// Our clock and the store's differ too far for signatures.
    Skewed,
    /// Not the object that was listed.
    Changed,
    /// Must be thawed first.
    Archived,
    /// No such bucket, container or directory.
    Missing,
    /// Can't work as configured.
    Configuration,
    /// The store says that the question is wrong.
    Refused,
}

impl Fault {
    pub(super) fn new(kind: FaultKind, text: impl Into<String>) -> Fault {
        Fault { kind, text: text.into(), retry_after: None, remedy: None }
    }

    pub(super) fn with_remedy(self, remedy: impl Into<String>) -> Fault {
        Fault { remedy: Some(remedy.into()), ..self }
    }

    pub(super) fn is_worth_another_try(&self) -> bool {
        match self.kind {
            FaultKind::Unavailable | FaultKind::Throttled | FaultKind::Wrong | FaultKind::Garbled => true,
            FaultKind::Expired
            | FaultKind::NoCredentials
            | FaultKind::Denied
            | FaultKind::Skewed
            | FaultKind::Changed
            | FaultKind::Archived
            | FaultKind::Missing
            | FaultKind::Configuration
            | FaultKind::Refused => false,
        }
    }
}
