//! Shared Key: the signature by an account's own key, which the SDK leaves to its callers.
//!
//! After Microsoft's "Authorize with Shared Key", for the Blob service of 2009-09-19 and newer.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use reqwest::Url;
use sha2::Sha256;

/// The key of a storage account. Never shown.
#[derive(Clone)]
pub(super) struct SharedKey {
    account: String,
    key: Vec<u8>,
}

/// The headers that stand in the signature by position, after the verb.
const SIGNED_HEADERS: [&str; 11] = [
    "content-encoding",
    "content-language",
    "content-length",
    "content-md5",
    "content-type",
    "date",
    "if-modified-since",
    "if-match",
    "if-none-match",
    "if-unmodified-since",
    "range",
];

impl SharedKey {
    /// `None` where the key is not base64.
    pub(super) fn new(account: &str, key: &str) -> Option<SharedKey> {
        let key = STANDARD.decode(key.trim()).ok().filter(|key| !key.is_empty())?;
        Some(SharedKey { account: account.into(), key })
    }

    /// The `Authorization` of a request with these headers (names in lower case), `x-ms-date`
    /// among them.
    pub(super) fn authorization(
        &self,
        verb: &str,
        url: &Url,
        headers: &BTreeMap<String, String>,
    ) -> Option<String> {
        let mut hmac = Hmac::<Sha256>::new_from_slice(&self.key).ok()?;
        hmac.update(string_to_sign(&self.account, verb, url, headers).as_bytes());
        let signature = STANDARD.encode(hmac.finalize().into_bytes());
        Some(format!("SharedKey {}:{signature}", self.account))
    }
}

fn string_to_sign(account: &str, verb: &str, url: &Url, headers: &BTreeMap<String, String>) -> String {
    let mut text = format!("{verb}\n");
    for name in SIGNED_HEADERS {
        let value = headers.get(name).map_or("", String::as_str);
        // A length of nought counts as none.
        text.push_str(if name == "content-length" && value == "0" { "" } else { value });
        text.push('\n');
    }
    for (name, value) in headers.iter().filter(|(name, _)| name.starts_with("x-ms-")) {
        text.push_str(&format!("{name}:{}\n", value.trim()));
    }
    text.push_str(&format!("/{account}{}", url.path()));
    let mut query: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in url.query_pairs() {
        query.entry(name.to_lowercase()).or_default().push(value.into_owned());
    }
    for (name, mut values) in query {
        values.sort();
        text.push_str(&format!("\n{name}:{}", values.join(",")));
    }
    text
}

impl fmt::Debug for SharedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SharedKey({})", self.account)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_signed_is_laid_out_as_the_reference_says() {
        let url = Url::parse(
            "https://myaccount.blob.core.windows.net/mycontainer?restype=container&comp=metadata&X=b&x=a%20c",
        )
        .unwrap();
        let headers = [
            ("x-ms-version", "2015-02-21"),
            ("x-ms-date", "Fri, 26 Jun 2015 23:39:12 GMT"),
            ("content-length", "0"),
            ("if-match", "\"e\""),
            ("range", "bytes=0-9"),
            ("accept", "not signed"),
        ];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let expected = "GET\n\n\n\n\n\n\n\n\"e\"\n\n\nbytes=0-9\n\
            x-ms-date:Fri, 26 Jun 2015 23:39:12 GMT\nx-ms-version:2015-02-21\n\
            /myaccount/mycontainer\ncomp:metadata\nrestype:container\nx:a c,b";
        assert_eq!(string_to_sign("myaccount", "GET", &url, &headers), expected);
    }

    #[test]
    fn a_key_that_is_not_base64_is_no_key() {
        assert!(SharedKey::new("a", "not base64!").is_none());
        assert!(SharedKey::new("a", "").is_none());
        let key = SharedKey::new("a", "c2VjcmV0").unwrap();
        assert_eq!(format!("{key:?}"), "SharedKey(a)");
    }
}
