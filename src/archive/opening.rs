//! The front of an archive that is one stream: what it is, and its table of contents.

use bytes::{Bytes, BytesMut};

use crate::archive::blocks::BlockWalker;
use crate::archive::error::Error;
use crate::archive::header::Layout;
use crate::archive::member::Member;
use crate::archive::parser::TocParser;
use crate::archive::sniff::{Kind, SNIFF_BYTES, sniff};
use crate::archive::tar::{Cut, TarCutter};
use crate::archive::tar_walker::TarWalker;
use crate::archive::toc::Toc;
use crate::archive::walker::Walker;

/// An archive whose table of contents was read.
#[derive(Debug)]
pub struct Front {
    /// The table of contents.
    pub toc: Toc,
    /// The walker over what comes behind it.
    pub walker: Walker,
    /// What was pushed beyond the table of contents: the first bytes for the walker.
    pub rest: Bytes,
}

/// Reads the front of an archive, custom or tar, from bytes pushed in order.
#[derive(Debug)]
pub struct Opening {
    state: State,
}

#[derive(Debug)]
enum State {
    /// The first bytes, until they tell what they are the first bytes of.
    First(BytesMut),
    Custom(TocParser),
    Tar {
        cutter: TarCutter,
        parser: TocParser,
    },
    Over,
}

impl Default for Opening {
    fn default() -> Opening {
        Opening::new()
    }
}

impl Opening {
    /// Nothing was read yet.
    pub fn new() -> Opening {
        Opening { state: State::First(BytesMut::new()) }
    }

    /// Takes the next bytes of the archive: its front, once that is complete.
    ///
    /// # Errors
    /// It is no such archive, or damaged. What that leaves behind is of no further use.
    pub fn push(&mut self, part: Bytes) -> Result<Option<Front>, Error> {
        let State::First(first) = &mut self.state else { return self.go_on(part) };
        if first.is_empty() && part.len() >= SNIFF_BYTES {
            self.state = begin(sniff(&part))?;
            return self.go_on(part);
        }
        first.extend_from_slice(&part);
        match sniff(first) {
            Kind::Unknown | Kind::Empty if first.len() < SNIFF_BYTES => Ok(None),
            kind => {
                let first = first.split().freeze();
                self.state = begin(kind)?;
                self.go_on(first)
            }
        }
    }

    fn go_on(&mut self, mut part: Bytes) -> Result<Option<Front>, Error> {
        let front = match &mut self.state {
            State::First(_) | State::Over => None,
            State::Custom(parser) => {
                parser.push(&part)?;
                let complete = parser.finish_if_complete()?;
                complete.map(|(toc, rest)| (Walker::Blocks(BlockWalker::new(&toc)), toc, rest))
            }
            State::Tar { cutter, parser } => {
                let toc = table_of_contents(cutter, parser, &mut part)?;
                toc.map(|toc| {
                    let cutter = std::mem::replace(cutter, TarCutter::new());
                    (Walker::Members(TarWalker::new(&toc, cutter)), toc, part)
                })
            }
        };
        let Some((walker, toc, rest)) = front else { return Ok(None) };
        self.state = State::Over;
        Ok(Some(Front { toc, walker, rest }))
    }

    /// What it means that the input ends here, before the front was complete.
    pub fn end(&self) -> Error {
        let cut = |parser: &TocParser| {
            let whole = || Error::truncated("it ends behind its table of contents", 0);
            parser.end().err().unwrap_or_else(whole)
        };
        match &self.state {
            State::First(first) => {
                let mut parser = TocParser::new();
                parser.push(first).err().unwrap_or_else(|| cut(&parser))
            }
            State::Custom(parser) => cut(parser),
            State::Tar { cutter, .. } => {
                Error::truncated("it ends within its table of contents", cutter.position())
            }
            State::Over => Error::truncated("it ends behind its table of contents", 0),
        }
    }
}

fn begin(kind: Kind) -> Result<State, Error> {
    match kind {
        Kind::Custom => Ok(State::Custom(TocParser::new())),
        Kind::Tar => Ok(State::Tar { cutter: TarCutter::new(), parser: TocParser::of(Layout::Tar) }),
        kind => Err(Error::NotAnArchive { kind }),
    }
}

/// The table of contents that the first member of a tar file holds, once that was read.
fn table_of_contents(
    cutter: &mut TarCutter,
    parser: &mut TocParser,
    part: &mut Bytes,
) -> Result<Option<Toc>, Error> {
    // A tar file that begins with anything else is not a bad archive, but none.
    let first = |error| match error {
        Error::Unsafe { .. } => Error::NotAnArchive { kind: Kind::Tar },
        other => other,
    };
    while let Some(cut) = cutter.next(part).map_err(first)? {
        match cut {
            Cut::Member(Member::Toc) => {}
            Cut::Member(_) => return Err(Error::NotAnArchive { kind: Kind::Tar }),
            // What comes behind the entries is not even kept.
            Cut::Content(_) if parser.is_complete() => {
                return Err(Error::behind_the_entries(cutter.position()));
            }
            Cut::Content(bytes) => parser.push(&bytes)?,
            Cut::MemberEnd(_) => {
                parser.end()?;
                let (toc, behind) = parser.finish_if_complete()?.unzip();
                if behind.is_some_and(|behind| !behind.is_empty()) {
                    return Err(Error::behind_the_entries(cutter.position()));
                }
                return Ok(toc);
            }
        }
    }
    if cutter.is_done() { Err(Error::NotAnArchive { kind: Kind::Tar }) } else { Ok(None) }
}
