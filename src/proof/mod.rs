//! The proof: the rows that came back are the rows that the backup held.
//!
//! Everything here reads; the sessions are read-only, and a question that could not be put
//! is told apart from an answer that is wrong.

mod announced;
mod beside;
mod canonical;
mod checks;
mod dumping;
mod error;
mod fingerprint;
mod foreign_keys;
pub mod inventory;
mod large_objects;
mod located;
mod numbering;
mod objects;
mod pace;
mod reading;
mod relations;
mod revalidated;
mod rows;
mod sampled;
mod sequences;
mod shape;
pub mod source;
mod stretches;
mod structure;

pub use announced::{Difference, Fault, ObjectsFound, Tally, compare as compare_objects};
pub use beside::{Apart, Beside, Differing, compare_beside, compare_newest};
pub use checks::{Answer, Answered, Answers, CheckReport, CheckSort, newest_of, put};
pub use error::Error;
pub use fingerprint::{
    Fingerprint, LargeObjectsPrint, Name, NewestPrint, SequencePrint, SequenceValue, Sourced, SteadyPrint,
    TablePrint,
};
pub use located::{Located, Narrowed, NotNarrowed, Revealed, RowFault, Search, locate};
pub use numbering::{Numbered, look_at_numbering};
pub use objects::{Objects, look};
pub use pace::Pace;
pub use reading::{Manner, adopt, pin};
pub use revalidated::{Asked, Broken, ConstraintKind, Revalidated, Unasked, revalidate};
pub use rows::{Comparison, State, compare};
pub use sampled::Sampled;
pub use shape::{Shape, shape};
pub use structure::{Damaged, Structure, Unchecked, examine};

use crate::archive::Toc;
use crate::digest::RowHash;
use crate::restore::{Restored, Scratch};

/// How many of a class there were, and how many came back alike.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Alike {
    /// In the archive.
    pub expected: u64,
    /// Looked at in the restored database.
    pub compared: u64,
    /// Alike.
    pub equal: u64,
}

impl Alike {
    /// Whether everything that is in the archive was looked at and is alike.
    pub fn is_alike(&self) -> bool {
        self.expected == self.equal
    }
}

/// Compares the large objects, by number and by the hash of all.
///
/// # Errors
/// The scratch would not be read.
pub async fn compare_large_objects(restored: &Restored, scratch: &Scratch) -> Result<Alike, Error> {
    let expected: RowHash = restored.large_objects;
    let back = large_objects::read_back(&reading::open(scratch).await?).await?;
    let equal = if back == expected { expected.rows() } else { 0 };
    Ok(Alike { expected: expected.rows(), compared: back.rows(), equal })
}

/// Compares each sequence with the value that the archive sets it to.
///
/// # Errors
/// The scratch would not be read.
pub async fn compare_sequences(toc: &Toc, scratch: &Scratch) -> Result<Alike, Error> {
    sequences::compare(toc, &reading::open(scratch).await?).await
}
