//! What stands around a whole archive: compression and encryption that were put on after
//! pg_dump, told by their first bytes and undone in the stream.
//!
//! ```text
//! stored bytes → layer → layer → the archive
//! ```
//!
//! Every layer is read to its own end, with nothing behind it, and its checksum or
//! authentication is looked at before that end is told. Layers hold bounded memory: the window
//! of a codec, the chunk of a cipher, and a header of at most 256 KiB.

mod age;
mod codecs;
mod keys;
mod layer;
mod openpgp;
mod openssl;
mod packets;
mod watch;

use std::io::{self, BufRead, BufReader, Read};
use std::sync::Arc;

pub use keys::{KeyError, Keys};
pub use openssl::{Digest as OpensslDigest, ITERATIONS_MAX, Openssl};

use crate::archive::decode::Limits;
use crate::archive::error::Error;
use crate::archive::sniff::{Kind, SNIFF_BYTES, sniff};
use crate::archive::wrap::layer::{Layer as Undone, explained};
use crate::archive::wrap::watch::{Tap, Watch};

/// How many layers may stand around an archive.
pub const LAYERS_MAX: usize = 3;

/// What a layer gives is gathered in pieces of this size.
const BUFFER_BYTES: usize = 128 * 1024;

type Source<'k> = Box<dyn BufRead + Send + 'k>;

/// One layer around an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// What it is.
    pub kind: Kind,
    /// How the key to an encrypted one is held, and what authenticates it; nothing secret.
    pub how: Option<&'static str>,
    /// The checksum or authentication that covers every byte inside, where the layer was read
    /// to its end and it held there.
    pub checksum: Option<&'static str>,
}

/// The archive inside all layers.
pub struct Unwrapped<'k> {
    source: Source<'k>,
    layers: Vec<Found>,
}

/// A layer that was found, and what is seen of it.
struct Found {
    kind: Kind,
    opened: Opened,
    watch: Arc<Watch>,
}

/// What opening a layer told beside its bytes.
#[derive(Clone, Copy, Default)]
struct Opened {
    how: Option<&'static str>,
    /// What checks its bytes, if anything does.
    checksum: Option<&'static str>,
}

impl Unwrapped<'_> {
    /// The layers, outermost first, as far as they were read by now.
    pub fn layers(&self) -> Vec<Layer> {
        let layer = |found: &Found| Layer {
            kind: found.kind,
            how: found.opened.how,
            checksum: found.opened.checksum.filter(|_| found.watch.checked()),
        };
        self.layers.iter().map(layer).collect()
    }
}

impl Read for Unwrapped<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.source.read(out)
    }
}

impl BufRead for Unwrapped<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.source.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.source.consume(amount);
    }
}

/// Finds the layers around an archive and undoes them, within `limits` on what the stored
/// bytes may unfold to. Reading ends with `Ok(0)` only when every layer was found whole.
/// Errors of the source pass unchanged: [`Error::from_io`] tells them apart.
///
/// # Errors
/// The source failed, a layer is damaged from its start, there are too many, or none of the
/// `keys` opens it.
pub fn unwrap<'k>(
    source: impl BufRead + Send + 'k,
    keys: &'k Keys,
    limits: Limits,
) -> Result<Unwrapped<'k>, Error> {
    let mut unwrapped = Unwrapped { source: Box::new(source), layers: Vec::new() };
    loop {
        let (kind, source) = peek(unwrapped.source)?;
        unwrapped.source = source;
        let within = unwrapped.layers.last().map(|found| found.kind);
        if within == Some(Kind::OpensslEnc) && kind == Kind::Unknown {
            return Err(Error::no_key(
                Kind::OpensslEnc,
                "what comes out is nothing known: the passphrase, the digest or the iterations are others, \
                 or its beginning is damaged",
            ));
        }
        if !kind.is_layer() {
            return Ok(unwrapped);
        }
        if unwrapped.layers.len() >= LAYERS_MAX {
            let what = "the number of layers around it".to_owned();
            return Err(Error::Limit { what, limit: LAYERS_MAX as u64 });
        }
        let watch = Arc::new(Watch::default());
        let tap = Tap::new(unwrapped.source, watch.clone());
        let (undo, opened) = open(kind, tap, keys, &watch).map_err(|error| because(kind, &watch, error))?;
        let stored = unwrapped.layers.first().map_or(&watch, |outermost| &outermost.watch).clone();
        let undone = Undone::new(kind, undo, watch.clone(), stored, limits);
        unwrapped.layers.push(Found { kind, opened, watch });
        unwrapped.source = Box::new(BufReader::with_capacity(BUFFER_BYTES, undone));
    }
}

/// What comes next, and all of it.
fn peek(mut source: Source<'_>) -> Result<(Kind, Source<'_>), Error> {
    let mut head = Vec::with_capacity(SNIFF_BYTES);
    source.by_ref().take(SNIFF_BYTES as u64).read_to_end(&mut head).map_err(Error::from_io)?;
    Ok((sniff(&head), Box::new(io::Cursor::new(head).chain(source))))
}

/// Why a layer could not be opened: its source may have failed beneath it.
fn because(kind: Kind, watch: &Watch, error: Error) -> Error {
    match error {
        Error::Source(error) => Error::from_io(explained(kind, watch, error)),
        ours => watch.take_failure().map_or(ours, Error::from_io),
    }
}

type Undo<'k> = Box<dyn Read + Send + 'k>;

fn open<'k>(
    kind: Kind,
    source: Tap<Source<'k>>,
    keys: &'k Keys,
    watch: &Arc<Watch>,
) -> Result<(Undo<'k>, Opened), Error> {
    let checked = |checksum| Opened { how: None, checksum: Some(checksum) };
    watch.set_opening(kind.is_encrypted());
    let opened = match kind {
        Kind::Gzip => (codecs::gzip(source), checked("crc32")),
        Kind::Bzip2 => (codecs::bzip2(source), checked("crc32")),
        Kind::Xz => (codecs::xz(source, watch)?, checked("xz check")),
        Kind::Zstd => (codecs::zstd(source, watch)?, checked("xxh64")),
        Kind::Lz4 => (codecs::lz4(source, watch), checked("xxh32")),
        Kind::Age => age::open(source, keys)?,
        Kind::OpenPgp => openpgp::open(source, keys)?,
        Kind::OpensslEnc => openssl::open(source, keys)?,
        _ => return Err(Error::NotAnArchive { kind }),
    };
    watch.set_opening(false);
    Ok(opened)
}
