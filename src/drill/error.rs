//! Why a run did not begin, or could not go on.

use crate::evidence;
use crate::journal;

/// What a run met before its drills, or between them.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Its state: another run, or a directory that can't be used.
    #[error(transparent)]
    State(#[from] journal::Error),
    /// Its evidence could not be kept as the plan says: the key, or the directory.
    #[error(transparent)]
    Evidence(#[from] evidence::Error),
}
