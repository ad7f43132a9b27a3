//! What every kind of page has around it: its policy, its style, its title and its moment.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use crate::clock::rfc3339_millis;
use crate::record::Moment;
use crate::report::html::words;

/// The one style of all pages; its digest stands in the page's policy.
const STYLE: &str = include_str!("templates/style.css");

/// The frame of a page, which `head.html` writes.
pub struct Frame {
    pub style: &'static str,
    pub style_sha256: String,
    pub title: String,
    pub headline: String,
    pub made_at: String,
    pub made_at_exactly: String,
    pub version: &'static str,
}

impl Frame {
    /// The frame of a page of some `kind` ("fire drills"), as of `made_at`.
    pub fn new(headline: String, kind: &str, made_at: Timestamp) -> Frame {
        Frame {
            style: STYLE,
            style_sha256: STANDARD.encode(Sha256::digest(STYLE)),
            title: format!("{} — {kind}", headline.trim_end_matches('.')),
            headline,
            made_at: words::moment(Moment::from(made_at)),
            made_at_exactly: rfc3339_millis(made_at),
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}
