//! Why a store could not be asked, or could not be believed.

use std::fmt;

use crate::verdict::{Code, Reason};

/// What went wrong, by what a caller can decide on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The options, or the location with them, can't be used as they are.
    Configuration,
    /// Nobody answered the listing, or only with errors, until the patience was spent.
    ListUnavailable,
    /// Listings came that contradict themselves, end early or pass a bound.
    ListIncomplete,
    /// The bucket, the container or the directory does not exist.
    NotFound,
    /// The store knows who asks, and refuses.
    AccessDenied,
    /// No credentials were found, or they are wrong, or they expired and could not be renewed.
    Credentials,
    /// The store refuses our signatures because our clock and its own differ.
    ClockUntrusted,
    /// The object is not the one that was listed: changed, replaced, removed.
    SourceUnstable,
    /// The object lies in a storage class that must be thawed first.
    NotRetrievable,
    /// Bytes came, but other ones than were asked for, and again and again.
    TransportUnreliable,
    /// Nobody answered the read, or only with errors, until the patience was spent.
    StoreUnavailable,
    /// The caller asked for bytes that the object does not have: a bug of ours.
    OutOfRange,
}

/// A question to a store that has no answer. Its text names the thing and never a secret.
#[derive(Clone, Debug)]
pub struct Error {
    kind: ErrorKind,
    tried: String,
    cause: String,
    attempts: u32,
    remedy: Option<String>,
}

impl Error {
    /// `tried` reads on after "could not": `list s3://bucket/prefix/`.
    pub(super) fn new(kind: ErrorKind, tried: impl Into<String>, cause: impl Into<String>) -> Error {
        Error { kind, tried: tried.into(), cause: cause.into(), attempts: 1, remedy: None }
    }

    pub(super) fn after(self, attempts: u32) -> Error {
        Error { attempts, ..self }
    }

    pub(super) fn with_remedy(self, remedy: Option<String>) -> Error {
        Error { remedy, ..self }
    }

    /// What kind of trouble it is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The reason that a drill halts with.
    pub fn reason(&self) -> Reason {
        let remedy = self.remedy.clone().unwrap_or_else(|| self.kind.remedy().to_owned());
        Reason::new(self.kind.code(), self.to_string(), remedy)
    }
}

impl ErrorKind {
    fn code(self) -> Code {
        match self {
            ErrorKind::Configuration | ErrorKind::ListUnavailable | ErrorKind::NotFound => {
                Code::ListUnavailable
            }
            ErrorKind::ListIncomplete => Code::ListIncomplete,
            ErrorKind::AccessDenied => Code::AccessDenied,
            ErrorKind::Credentials => Code::Credentials,
            ErrorKind::ClockUntrusted => Code::ClockUntrusted,
            ErrorKind::SourceUnstable => Code::SourceUnstable,
            ErrorKind::NotRetrievable => Code::NotRetrievable,
            ErrorKind::TransportUnreliable => Code::TransportUnreliable,
            ErrorKind::StoreUnavailable => Code::StoreUnavailable,
            ErrorKind::OutOfRange => Code::Internal,
        }
    }

    fn remedy(self) -> &'static str {
        match self {
            ErrorKind::Configuration => "correct the [store.NAME] table of the plan",
            ErrorKind::ListUnavailable | ErrorKind::StoreUnavailable => {
                "see whether the store is up and reachable from this machine, then drill again"
            }
            ErrorKind::ListIncomplete => {
                "list the location with the store's own tool; a proxy or gateway between may damage listings"
            }
            ErrorKind::NotFound => {
                "correct the location, or the endpoint and region of its [store.NAME] table"
            }
            ErrorKind::AccessDenied => "let this identity list the prefix and read its objects",
            ErrorKind::Credentials => "provide credentials that are valid now",
            ErrorKind::ClockUntrusted => "synchronise this machine's clock",
            ErrorKind::SourceUnstable => {
                "drill again; if it recurs, backups are overwritten in place: give each a name of its own"
            }
            ErrorKind::NotRetrievable => {
                "keep the newest backups in a storage class that can be read at once"
            }
            ErrorKind::TransportUnreliable => {
                "look for a proxy or gateway between here and the store that alters answers"
            }
            ErrorKind::OutOfRange => "report this bug of firedrill",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "could not {}: {}", self.tried, self.cause)?;
        if self.attempts > 1 {
            write!(f, " (after {} attempts)", self.attempts)?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

/// Text from outside as it may stand in a message: one line, short, without the query of an
/// address, which may hold a signature.
pub(super) fn scrub(text: &str) -> String {
    const CHARS_MAX: usize = 300;
    let mut clean = String::new();
    let mut in_query = false;
    for c in text.chars().take(CHARS_MAX) {
        let ends_query = c.is_whitespace() || matches!(c, '"' | '\'' | ')' | '>' | ',');
        in_query = (in_query || c == '?') && !ends_query;
        match c {
            '?' => clean.push('…'),
            _ if in_query => {}
            c if c.is_control() => clean.push(' '),
            c => clean.push(c),
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scrubbed_text_keeps_the_address_and_loses_its_query() {
        let text =
            "error for url (https://a.blob.core.windows.net/c/b?sv=2024&sig=SECRET%3D), refused\nby peer";
        assert_eq!(scrub(text), "error for url (https://a.blob.core.windows.net/c/b…), refused by peer");
        assert_eq!(scrub(&"x".repeat(1000)).len(), 300);
    }

    #[test]
    fn an_error_reads_as_a_sentence_and_gives_a_reason_with_a_remedy() {
        let error = Error::new(ErrorKind::ListUnavailable, "list s3://b/", "it answered 503").after(8);
        assert_eq!(error.to_string(), "could not list s3://b/: it answered 503 (after 8 attempts)");
        assert_eq!(error.reason().code, Code::ListUnavailable);
        assert!(!error.reason().remedy.is_empty());
    }
}
