//! The stamp: what the source held in the very snapshot of a dump, kept beside the archive.
//!
//! ```text
//! at the source:  DumpCommand → take → NAME.stamp.json
//! in a drill:     read → Stamp → its fingerprint joins the proof
//! ```

mod command;
mod document;
mod dump;
mod error;
mod left_out;
mod pattern;
mod read;
mod snapshot;
mod take;

pub use command::{DumpCommand, Scope};
pub use document::{Document, Predicate, STAMP_VERSION, Table};
pub use dump::Output;
pub use error::{Error, Kind};
pub use pattern::Pattern;
pub use read::{BYTES_MAX, Stamp, read, too_long};
pub use take::{Request, SUFFIX, Taken, take};

use crate::evidence::closed_schema;

/// The published shape of a stamp, bare or as the payload of its envelope.
pub fn schema() -> serde_json::Value {
    closed_schema::<Document>("Stamp of a firedrill", "https://firedrill.dev/schema/stamp/1")
}
