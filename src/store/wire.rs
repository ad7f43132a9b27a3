//! What S3 and Azure have in common: HTTP, and how far its answers are believed.

use std::error::Error as StdError;
use std::ops::Range;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use jiff::fmt::rfc2822::DateTimeParser;
use jiff::{SignedDuration, Timestamp};

use crate::store::driver::{Fault, FaultKind};
use crate::store::error::scrub;
use crate::store::object::Object;

/// One page of a listing, or the text of one error, is never larger than this.
pub(super) const PAGE_BYTES_MAX: usize = 32 << 20;

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
        (
            _,
            "InvalidAccessKeyId"
            | "SignatureDoesNotMatch"
            | "AuthenticationFailed"
            | "NoAuthenticationInformation",
        ) => FaultKind::Expired,
        (_, "NoSuchBucket" | "ContainerNotFound" | "PermanentRedirect") => FaultKind::Missing,
        (_, "InvalidObjectState" | "BlobArchived" | "BlobBeingRehydrated") => FaultKind::Archived,
        (_, "SlowDown" | "Throttling" | "ThrottlingException" | "RequestLimitExceeded" | "ServerBusy")
        | (429, _) => FaultKind::Throttled,
        // A busy S3 says 503 with or without the word.
        (503, _) => FaultKind::Throttled,
        (_, "PublicAccessNotPermitted") => FaultKind::Denied,
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

/// The head of an answer to a ranged read, as far as it is checked.
pub(super) struct Head<'a> {
    pub status: u16,
    pub etag: Option<&'a str>,
    pub content_range: Option<&'a str>,
    pub content_length: Option<u64>,
}

impl Head<'_> {
    /// Whether it announces exactly the bytes of `range` of the object that was listed. What a
    /// proxy has compressed anew gives itself away by its length.
    pub(super) fn check(&self, object: &Object, range: &Range<u64>) -> Result<(), Fault> {
        let wrong = |text: String| Err(Fault::new(FaultKind::Wrong, text));
        check_same(object, object.bytes, self.etag.map(bare))?;
        let whole = *range == (0..object.bytes);
        match (self.status, self.content_range) {
            // Some servers send the range that was asked for, say so, and call it 200.
            (200 | 206, Some(told)) if content_range(told) == Some((range.clone(), object.bytes)) => {}
            (200 | 206, Some(told)) => {
                return wrong(format!("it answered with other bytes ('{}')", scrub(told)));
            }
            (200, None) if whole => {}
            (200, None) => return wrong("it answered with the whole object".into()),
            (206, None) => return wrong("it does not say which bytes it answered with".into()),
            (status, _) => return wrong(format!("it answered {status} to a read")),
        }
        let length = range.end.saturating_sub(range.start);
        if let Some(told) = self.content_length.filter(|told| *told != length) {
            return wrong(format!("it announced {told} bytes instead of {length}"));
        }
        Ok(())
    }
}

/// Whether an answer speaks of the object that was listed.
pub(super) fn check_same(object: &Object, bytes: u64, etag: Option<&str>) -> Result<(), Fault> {
    let wrong = |text: &str| Err(Fault::new(FaultKind::Wrong, text));
    match (object.etag.as_deref(), etag) {
        (Some(_), None) => wrong("it does not say which object it answered with"),
        (listed, told) if listed.is_some() && listed != told => {
            Err(Fault::new(FaultKind::Changed, "it was replaced since it was listed"))
        }
        _ if bytes != object.bytes => {
            Err(Fault::new(FaultKind::Changed, "its size changed since it was listed"))
        }
        _ => Ok(()),
    }
}

/// `bytes 0-9/100` as a half-open range and the whole size.
fn content_range(text: &str) -> Option<(Range<u64>, u64)> {
    let (range, whole) = text.trim().strip_prefix("bytes")?.trim_start().split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let end = last.trim().parse::<u64>().ok()?.checked_add(1)?;
    Some((first.trim().parse().ok()?..end, whole.trim().parse().ok()?))
}

/// Bytes of one part as they arrive: never more than announced, and in the end all of them.
pub(super) struct Part {
    bytes: BytesMut,
    length: usize,
}

impl Part {
    pub(super) fn new(range: &Range<u64>) -> Result<Part, Fault> {
        let length = usize::try_from(range.end.saturating_sub(range.start))
            .map_err(|_| Fault::new(FaultKind::Refused, "the range does not fit into memory"))?;
        Ok(Part { bytes: BytesMut::with_capacity(length), length })
    }

    pub(super) fn add(&mut self, piece: &[u8]) -> Result<(), Fault> {
        if piece.len() > self.length - self.bytes.len() {
            return Err(Fault::new(FaultKind::Wrong, format!("more than {} bytes came", self.length)));
        }
        self.bytes.extend_from_slice(piece);
        Ok(())
    }

    pub(super) fn finish(self) -> Result<Bytes, Fault> {
        if self.bytes.len() != self.length {
            let text = format!("{} bytes came instead of {}", self.bytes.len(), self.length);
            return Err(Fault::new(FaultKind::Wrong, text));
        }
        Ok(self.bytes.freeze())
    }
}

/// An ETag without the quotes that one answer has and another lacks.
pub(super) fn bare(etag: &str) -> &str {
    etag.strip_prefix('"').and_then(|etag| etag.strip_suffix('"')).unwrap_or(etag)
}

/// An ETag as it stands in a condition.
pub(super) fn quoted(etag: &str) -> String {
    if etag.starts_with("W/") { etag.to_owned() } else { format!("\"{etag}\"") }
}

/// The store's clock minus ours, from the `Date` of an answer that came just now.
pub(super) fn clock_offset(date: &str) -> Option<SignedDuration> {
    let told = DateTimeParser::new().parse_timestamp(date).ok()?;
    // The header has whole seconds: on average it is half a second late.
    let half = SignedDuration::from_millis(500);
    Some(told.duration_since(Timestamp::now()).saturating_add(half))
}

/// `Retry-After` in seconds; the form with a date is rare and not worth a wait.
pub(super) fn retry_after(text: &str) -> Option<Duration> {
    text.trim().parse().ok().map(Duration::from_secs)
}

/// Whether the body is one XML document with the root `root`, from its beginning to its end.
///
/// The stores' own readers take a missing element for an absent one, and so a cut or foreign
/// document for a short listing.
pub(super) fn check_document(body: &[u8], root: &str) -> Result<(), Fault> {
    let garbled = |text: String| Err(Fault::new(FaultKind::Garbled, text));
    let Ok(text) = std::str::from_utf8(body) else {
        return garbled("its listing is not UTF-8".into());
    };
    let mut rest = text.trim_start_matches('\u{feff}').trim();
    while let Some(prolog) = rest.strip_prefix("<?").or_else(|| rest.strip_prefix("<!--")) {
        let end = if rest.starts_with("<?") { "?>" } else { "-->" };
        rest = prolog.split_once(end).map_or("", |(_, after)| after).trim_start();
    }
    let name = rest.strip_prefix('<').unwrap_or_default();
    let name = name.split([' ', '>', '/', '\n', '\r', '\t']).next().unwrap_or_default();
    if name == "Error" {
        let code = rest.split_once("<Code>").and_then(|(_, code)| code.split_once("</Code>"));
        let fault = http_fault(200, code.map(|(code, _)| code));
        return garbled(format!("{} inside of a success", fault.text));
    }
    if name != root {
        return garbled(format!("it answered with something else than a listing ('{}')", scrub(name)));
    }
    if !rest.ends_with(&format!("</{root}>")) {
        return garbled("its listing breaks off".into());
    }
    Ok(())
}

/// The innermost causes of a transport error. Not the outermost: that one quotes the address,
/// and with it what may be secret.
pub(super) fn causes(error: &(dyn StdError + 'static)) -> String {
    let mut chain = vec![error.to_string()];
    let mut next = error.source();
    while let Some(error) = next {
        chain.push(error.to_string());
        next = error.source();
    }
    let from = chain.len().saturating_sub(2).max(usize::from(chain.len() > 1));
    scrub(&chain.get(from..).unwrap_or_default().join(": "))
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

    fn listed() -> Object {
        Object {
            key: "a".into(),
            uri: "s3://b/a".into(),
            bytes: 100,
            etag: Some("abc".into()),
            version: None,
            modified_at: Timestamp::UNIX_EPOCH,
            archived: false,
        }
    }

    #[test]
    fn an_answer_is_believed_only_if_it_announces_what_was_asked() {
        let good = || Head {
            status: 206,
            etag: Some("\"abc\""),
            content_range: Some("bytes 10-19/100"),
            content_length: Some(10),
        };
        assert!(good().check(&listed(), &(10..20)).is_ok());
        let whole = Head { status: 200, content_range: None, content_length: Some(100), ..good() };
        assert!(whole.check(&listed(), &(0..100)).is_ok());
        let table = [
            ("another object", Head { etag: Some("\"abd\""), ..good() }, FaultKind::Changed),
            ("no etag", Head { etag: None, ..good() }, FaultKind::Wrong),
            ("the range ignored", Head { status: 200, content_range: None, ..good() }, FaultKind::Wrong),
            ("other bytes", Head { content_range: Some("bytes 11-20/100"), ..good() }, FaultKind::Wrong),
            ("fewer bytes", Head { content_range: Some("bytes 10-18/100"), ..good() }, FaultKind::Wrong),
            ("another size", Head { content_range: Some("bytes 10-19/101"), ..good() }, FaultKind::Wrong),
            ("an unknown size", Head { content_range: Some("bytes 10-19/*"), ..good() }, FaultKind::Wrong),
            ("no range at all", Head { content_range: None, ..good() }, FaultKind::Wrong),
            (
                "an overflowing range",
                Head { content_range: Some("bytes 1-18446744073709551615/1"), ..good() },
                FaultKind::Wrong,
            ),
            ("another length", Head { content_length: Some(9), ..good() }, FaultKind::Wrong),
            ("no content", Head { status: 204, ..good() }, FaultKind::Wrong),
        ];
        for (name, head, kind) in table {
            assert_eq!(head.check(&listed(), &(10..20)).unwrap_err().kind, kind, "{name}");
        }
    }

    #[test]
    fn a_part_takes_its_bytes_and_no_others() {
        let part = |pieces: &[&[u8]]| {
            let mut part = Part::new(&(5..10))?;
            pieces.iter().try_for_each(|piece| part.add(piece))?;
            part.finish()
        };
        assert_eq!(part(&[b"ab", b"", b"cde"]).unwrap(), "abcde");
        for pieces in [&[b"ab".as_slice()][..], &[], &[b"abc", b"def"]] {
            assert_eq!(part(pieces).unwrap_err().kind, FaultKind::Wrong, "{pieces:?}");
        }
    }

    #[test]
    fn only_a_whole_document_with_the_right_root_is_a_listing() {
        let good = [
            "<L></L>",
            "<?xml version=\"1.0\"?>\n<L xmlns=\"x\"><a/></L>\n",
            "\u{feff}<?xml?><!-- c --><L>\n</L>",
        ];
        for text in good {
            assert!(check_document(text.as_bytes(), "L").is_ok(), "{text}");
        }
        let table = [
            ("", "something else"),
            ("<html>no</html>", "something else"),
            ("<?xml", "something else"),
            ("<L><a>", "breaks off"),
            ("<L><a></a></L", "breaks off"),
            ("<L/>", "breaks off"),
            ("<Error><Code>SlowDown</Code></Error>", "it answered 200 SlowDown inside"),
            ("<?xml?><Error/>", "it answered 200 inside"),
        ];
        for (text, says) in table {
            let fault = check_document(text.as_bytes(), "L").unwrap_err();
            assert_eq!(fault.kind, FaultKind::Garbled);
            assert!(fault.text.contains(says), "{text}: {}", fault.text);
        }
        assert!(check_document(b"<L>\xff</L>", "L").is_err());
    }

    #[test]
    fn the_date_of_an_answer_tells_how_far_the_clocks_are_apart() {
        let in_an_hour = Timestamp::now() + SignedDuration::from_hours(1);
        let date = jiff::fmt::strtime::format("%a, %d %b %Y %H:%M:%S GMT", in_an_hour).unwrap();
        let offset = clock_offset(&date).unwrap();
        assert!((offset - SignedDuration::from_hours(1)).abs() < SignedDuration::from_secs(5), "{offset:?}");
        assert_eq!(clock_offset("yesterday"), None);
    }
}
