//! The walker that an archive's layout asks for.

use bytes::Bytes;

use crate::archive::blocks::{BlockWalker, Piece, Trailer};
use crate::archive::error::Error;
use crate::archive::tar_walker::TarWalker;

/// Cuts what lies behind the table of contents of an archive that is one stream into pieces.
#[derive(Debug)]
pub enum Walker {
    /// Blocks of the custom format.
    Blocks(BlockWalker),
    /// Members of a tar file.
    Members(TarWalker),
}

impl Walker {
    /// Whether all that is expected was seen to its end; what follows is only counted.
    pub fn is_done(&self) -> bool {
        match self {
            Walker::Blocks(walker) => walker.is_done(),
            Walker::Members(walker) => walker.is_done(),
        }
    }

    /// Takes the next bytes of the archive and adds what they complete to `out`.
    ///
    /// # Errors
    /// The archive is damaged. What that leaves behind is of no further use.
    pub fn push(&mut self, part: Bytes, out: &mut Vec<Piece>) -> Result<(), Error> {
        match self {
            Walker::Blocks(walker) => walker.push(part, out),
            Walker::Members(walker) => walker.push(part, out),
        }
    }

    /// The end of the input.
    ///
    /// # Errors
    /// Something that is expected was not seen to its end.
    pub fn finish(self) -> Result<Trailer, Error> {
        match self {
            Walker::Blocks(walker) => walker.finish(),
            Walker::Members(walker) => walker.finish(),
        }
    }
}
