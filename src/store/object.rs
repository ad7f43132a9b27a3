//! What a listing shows.

use jiff::{SignedDuration, Timestamp};

/// One object, as it was when listed. Reading it later fails if it has changed since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its name relative to the location: `orders-20261120.dump`, `2026/11/orders.dump`.
    pub key: String,
    /// Its whole name, without secrets: `s3://acme-backups/orders/orders-20261120.dump`.
    pub uri: String,
    /// Its size.
    pub bytes: u64,
    /// Changes when the content does; never taken for a digest.
    pub etag: Option<String>,
    /// The version id, where the store keeps versions and the listing tells.
    pub version: Option<String>,
    /// When it was last written; a bound on the backup's moment, never that moment.
    pub modified_at: Timestamp,
    /// Whether its storage class must be thawed before it can be read.
    pub archived: bool,
}

/// A complete listing: all objects under the location, or there is no listing.
#[derive(Clone, Debug)]
pub struct Listing {
    /// Every object, by strictly increasing key.
    pub objects: Vec<Object>,
    /// How many answers of the store it took.
    pub pages: u32,
    /// When the last answer came, by our clock.
    pub listed_at: Timestamp,
    /// The store's clock minus ours, as far as its answers tell.
    pub clock_offset: Option<SignedDuration>,
}
