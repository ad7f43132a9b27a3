//! Where the rows of an opened archive come from.

use std::sync::Arc;

use bytes::Bytes;

use crate::archive::{Toc, Walker};
use crate::event::Events;
use crate::restore::ahead::Ahead;
use crate::restore::board::Board;
use crate::restore::claims::Claims;
use crate::restore::input::Input;
use crate::restore::plain::Script;
use crate::restore::stream::{Body, Opened, Read, Reader, Ways};
use crate::restore::{Archive, Error, Files, Manner};

/// Where the data behind a table of contents comes from.
pub enum Source {
    /// One object.
    Stream(Box<Blocks>),
    /// A directory of them.
    Files(Box<Files>),
}

/// The blocks of an archive that is one stream.
pub struct Blocks {
    walker: Walker,
    rest: Bytes,
    input: Input,
    /// The size of the archive.
    bytes: u64,
}

impl Source {
    /// What lies behind the table of contents; of a script, which has none, the script itself.
    pub fn of(archive: Archive) -> Result<Source, Box<(Box<Script>, Input)>> {
        match archive {
            Archive::Files(files) => Ok(Source::Files(files)),
            Archive::Stream(opened) => match *opened {
                Opened { input, bytes, body: Body::Blocks { walker, rest }, .. } => {
                    Ok(Source::Stream(Box::new(Blocks { walker: *walker, rest, input, bytes })))
                }
                Opened { input, body: Body::Script(script), .. } => Err(Box::new((script, input))),
            },
        }
    }

    /// Begins to read it to its end, for the board.
    pub fn read(
        self,
        board: Arc<Board>,
        ways: Ways,
        toc: Arc<Toc>,
        manner: Manner,
        events: &Events,
    ) -> tokio::task::JoinHandle<Result<Read, Error>> {
        match self {
            Source::Stream(blocks) => {
                let Blocks { walker, rest, input, bytes } = *blocks;
                let claims = Arc::new(Claims::new(ways));
                let ahead = match &walker {
                    Walker::Blocks(_) => {
                        Ahead::beside(&input, &board, &claims, &toc, bytes, manner.tables_at_once)
                    }
                    Walker::Members(_) => None,
                };
                let reader = Reader::new(board, claims, toc);
                tokio::task::spawn_blocking(move || reader.run(walker, rest, input, ahead))
            }
            Source::Files(files) => tokio::spawn(files.run(board, ways, manner.jobs, events.clone())),
        }
    }
}
