//! The other engine: the archive is put on the local disk whole, and `pg_restore` restores it.
//!
//! ```text
//! stage: ranged reads → sums → a file beside the scratch's data
//! restore_by_tool: pg_restore -j, of the scratch's own install
//! count: our own reader over the file → the hash of each table's rows
//! ```
//!
//! The proof is no weaker than that of the other engine: the rows are hashed by the same
//! reader, and the file must still hold the very bytes that were downloaded.

mod copy;
mod count;
mod roles;
mod tool;

use std::path::PathBuf;
use std::sync::Arc;

pub use copy::{from_files, from_stream};
pub use count::count;
pub use tool::restore_by_tool;

use crate::archive::Toc;
use crate::digest::Digest;
use crate::restore::error::Failure;
use crate::restore::spans::Spans;
use crate::restore::stream::Read;

/// An archive on the local disk, in the directory of a scratch, with which it goes.
pub struct Staged {
    /// What `pg_restore` is given: a file, or a directory of files.
    path: PathBuf,
    /// Where that lies.
    spool: PathBuf,
    /// Whether it is a directory of files.
    is_directory: bool,
    /// The digest of what was written, by which what is read again is known to be the same.
    written: Digest,
    /// Bytes that were written.
    bytes: u64,
    /// What was read of the stored object.
    read: Read,
    spans: Spans,
}

impl Staged {
    /// Bytes that lie on the local disk.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

/// An archive that `pg_restore` has restored, and whose rows are not counted yet.
pub struct ByTool {
    staged: Staged,
    /// The table of contents, as it was read from the store.
    toc: Arc<Toc>,
    /// What the tool could not restore.
    failures: Vec<Failure>,
    /// Roles that were made without a login.
    placeholder_roles: Vec<String>,
}

impl ByTool {
    /// The table of contents.
    pub fn toc(&self) -> &Arc<Toc> {
        &self.toc
    }

    /// Bytes that lie on the local disk.
    pub fn staged_bytes(&self) -> u64 {
        self.staged.bytes
    }
}
