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

/// The fault in an HTTP status and the store's own code for it, alike for S3 and Azure.
///
/// The code comes from outside; only its letters and digits enter the text.
pub(super) fn http_fault(status: u16, code: Option<&str>) -> Fault {
    let code: String =
        code.unwrap_or_default().chars().filter(char::is_ascii_alphanumeric).take(64).collect();
    let kind = match (status, code.as_str()) {
        (_, "RequestTimeTooSkewed") => FaultKind::Skewed,
        (_, "ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired" | "InvalidToken") => {
            FaultKind::Expired
        }
        (_, "InvalidAccessKeyId" | "SignatureDoesNotMatch" | "AuthenticationFailed") => FaultKind::Expired,
        (_, "NoSuchBucket" | "ContainerNotFound" | "PermanentRedirect") => FaultKind::Missing,
        (_, "InvalidObjectState" | "BlobArchived" | "BlobBeingRehydrated") => FaultKind::Archived,
        (_, "SlowDown" | "Throttling" | "ThrottlingException" | "RequestLimitExceeded" | "ServerBusy")
        | (429, _) => FaultKind::Throttled,
        // A busy S3 says 503 with or without the word.
        (503, _) => FaultKind::Throttled,
        (401, _) => FaultKind::Expired,
        (403, _) => FaultKind::Denied,
        (404 | 409 | 410 | 412 | 416, _) => FaultKind::Changed,
        (301 | 307, _) => FaultKind::Missing,
        (408, _) | (500.., _) => FaultKind::Unavailable,
        (_, "InternalError" | "RequestTimeout" | "OperationTimedOut") => FaultKind::Unavailable,
        _ => FaultKind::Refused,
    };
    let text = if code.is_empty() {
        format!("it answered {status}")
    } else {
        format!("it answered {status} {code}")
    };
    Fault::new(kind, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_and_its_code_become_a_fault() {
        let table = [
            (503, Some("SlowDown"), FaultKind::Throttled),
            (503, None, FaultKind::Throttled),
            (429, None, FaultKind::Throttled),
            (500, Some("InternalError"), FaultKind::Unavailable),
            (200, Some("InternalError"), FaultKind::Unavailable),
            (200, Some("SlowDown"), FaultKind::Throttled),
            (408, None, FaultKind::Unavailable),
            (400, Some("ExpiredToken"), FaultKind::Expired),
            (403, Some("ExpiredToken"), FaultKind::Expired),
            (401, None, FaultKind::Expired),
            (403, None, FaultKind::Denied),
            (403, Some("AccessDenied"), FaultKind::Denied),
            (403, Some("RequestTimeTooSkewed"), FaultKind::Skewed),
            (403, Some("InvalidObjectState"), FaultKind::Archived),
            (409, Some("BlobArchived"), FaultKind::Archived),
            (404, Some("NoSuchBucket"), FaultKind::Missing),
            (404, Some("NoSuchKey"), FaultKind::Changed),
            (412, None, FaultKind::Changed),
            (416, None, FaultKind::Changed),
            (400, Some("InvalidArgument"), FaultKind::Refused),
        ];
        for (status, code, kind) in table {
            assert_eq!(http_fault(status, code).kind, kind, "{status} {code:?}");
        }
        assert_eq!(http_fault(400, Some("<b>Bad\n</b>")).text, "it answered 400 bBadb");
    }
}
