//! The packets inside an OpenPGP message that was decrypted: literal data, mostly compressed,
//! with signatures around it. Signatures are passed over: what is proven here is that the
//! message came whole, not who wrote it.

use std::io::{self, BufRead, BufReader, Read};

use bzip2::bufread::BzDecoder;
use flate2::bufread::{DeflateDecoder, ZlibDecoder};

use crate::archive::error::Error;
use crate::archive::read_buffered;

/// How many packets may lie around the data, and how long each of them may be.
const OTHER_PACKETS_MAX: usize = 64;
const OTHER_BYTES_MAX: u64 = 64 * 1024;

/// Packets of a stream, one after the other. Reads as the body of the one it stands in.
struct Packets<R> {
    source: R,
    body: Body,
}

/// What is left of a packet's body.
#[derive(Clone, Copy)]
enum Body {
    /// So many bytes, then the end.
    Last(u64),
    /// So many bytes, then another length.
    Partial(u64),
    /// Everything.
    Open,
}

/// What carries the data.
enum Carrier {
    Literal,
    Compressed(u8),
}

impl<R: BufRead> Packets<R> {
    fn new(source: R) -> Packets<R> {
        Packets { source, body: Body::Last(0) }
    }

    fn byte(&mut self) -> io::Result<u8> {
        let mut byte = [0];
        self.source.read_exact(&mut byte)?;
        Ok(byte[0])
    }

    fn number(&mut self, bytes: u32) -> io::Result<u64> {
        (0..bytes).try_fold(0_u64, |number, _| Ok(number << 8 | u64::from(self.byte()?)))
    }

    /// The length of a packet, or of the next part of one, in the new format.
    fn length(&mut self) -> io::Result<Body> {
        Ok(match self.byte()? {
            short @ 0..=191 => Body::Last(u64::from(short)),
            first @ 192..=223 => {
                let second = self.byte()?;
                Body::Last((u64::from(first) - 192) * 256 + u64::from(second) + 192)
            }
            255 => Body::Last(self.number(4)?),
            part => Body::Partial(1 << (part & 0x1f)),
        })
    }

    /// The tag of the next packet; `None` at the end of the stream.
    fn next(&mut self) -> io::Result<Option<u8>> {
        if self.source.fill_buf()?.is_empty() {
            return Ok(None);
        }
        let first = self.byte()?;
        if first & 0x80 == 0 {
            return Err(damaged());
        }
        if first & 0x40 != 0 {
            self.body = self.length()?;
            return Ok(Some(first & 0x3f));
        }
        self.body = match first & 3 {
            3 => Body::Open,
            log => Body::Last(self.number(1 << log)?),
        };
        Ok(Some((first >> 2) & 0x0f))
    }

    /// Reads over the packets up to the one with the data, or to the end of the stream.
    fn carrier(&mut self) -> io::Result<Option<Carrier>> {
        const ONE_PASS_SIGNATURE: u8 = 4;
        const SIGNATURE: u8 = 2;
        const COMPRESSED: u8 = 8;
        const MARKER: u8 = 10;
        const LITERAL: u8 = 11;
        const PADDING: u8 = 21;
        for _ in 0..OTHER_PACKETS_MAX {
            match self.next()? {
                None => return Ok(None),
                Some(COMPRESSED) => {
                    let mut algorithm = [0];
                    self.read_exact(&mut algorithm)?;
                    return Ok(Some(Carrier::Compressed(algorithm[0])));
                }
                Some(LITERAL) => {
                    // Format, name and date.
                    let mut header = [0; 2];
                    self.read_exact(&mut header)?;
                    let rest = u64::from(header[1]) + 4;
                    self.pass_over(rest, rest)?;
                    return Ok(Some(Carrier::Literal));
                }
                Some(ONE_PASS_SIGNATURE | SIGNATURE | MARKER | PADDING) => {
                    self.pass_over(0, OTHER_BYTES_MAX)?
                }
                Some(_) => return Err(damaged()),
            }
        }
        let what = "the number of packets of an OpenPGP message".to_owned();
        Err(Error::Limit { what, limit: OTHER_PACKETS_MAX as u64 }.into_io())
    }

    /// Reads over the next bytes of a body: all of them, which are so many at least and at most.
    fn pass_over(&mut self, least: u64, most: u64) -> io::Result<()> {
        let passed = io::copy(&mut self.by_ref().take(most), &mut io::sink())?;
        if passed < least {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if least < most && !self.fill_buf()?.is_empty() {
            let what = "the length of a packet of an OpenPGP message".to_owned();
            return Err(Error::Limit { what, limit: most }.into_io());
        }
        Ok(())
    }

    /// Behind the data there must be nothing but what may lie around it, to the end.
    fn finish(&mut self) -> io::Result<()> {
        if !self.fill_buf()?.is_empty() || self.carrier()?.is_some() {
            return Err(damaged());
        }
        Ok(())
    }
}

impl<R: BufRead> BufRead for Packets<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while let Body::Partial(0) = self.body {
            self.body = self.length()?;
        }
        let limit = match self.body {
            Body::Last(left) | Body::Partial(left) => usize::try_from(left).unwrap_or(usize::MAX),
            Body::Open => usize::MAX,
        };
        if limit == 0 {
            return Ok(&[]);
        }
        let available = self.source.fill_buf()?;
        if available.is_empty() && !matches!(self.body, Body::Open) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let count = available.len().min(limit);
        Ok(available.get(..count).unwrap_or_default())
    }

    fn consume(&mut self, amount: usize) {
        self.source.consume(amount);
        match &mut self.body {
            Body::Last(left) | Body::Partial(left) => *left = left.saturating_sub(amount as u64),
            Body::Open => {}
        }
    }
}

impl<R: BufRead> Read for Packets<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        read_buffered(self, out)
    }
}

fn damaged() -> io::Error {
    Error::corrupt("packets of an OpenPGP message that do not fit together", 0).into_io()
}

/// The data of a message. Reading ends with `Ok(0)` behind the last packet, at the end of the
/// stream they are in.
pub(super) struct Content<R: BufRead> {
    inside: Inside<R>,
}

enum Inside<R: BufRead> {
    Literal(Packets<R>),
    Deflate(Packets<BufReader<DeflateDecoder<Packets<R>>>>),
    Zlib(Packets<BufReader<ZlibDecoder<Packets<R>>>>),
    Bzip2(Box<Packets<BufReader<BzDecoder<Packets<R>>>>>),
}

impl<R: BufRead> Content<R> {
    /// Reads up to the data.
    pub fn open(source: R) -> Result<Content<R>, Error> {
        let inside = Content::find(source).map_err(|error| match error.get_ref() {
            Some(inner) if inner.is::<Error>() => Error::from_io(error),
            _ => Error::Source(error),
        })?;
        Ok(Content { inside })
    }

    fn find(source: R) -> io::Result<Inside<R>> {
        let mut outer = Packets::new(source);
        let algorithm = match outer.carrier()? {
            Some(Carrier::Literal) => return Ok(Inside::Literal(outer)),
            Some(Carrier::Compressed(algorithm)) => algorithm,
            None => return Err(damaged()),
        };
        Ok(match algorithm {
            1 => Inside::Deflate(inner(DeflateDecoder::new(outer))?),
            2 => Inside::Zlib(inner(ZlibDecoder::new(outer))?),
            3 => Inside::Bzip2(Box::new(inner(BzDecoder::new(outer))?)),
            _ => return Err(damaged()),
        })
    }

    /// What the packets are read from.
    pub fn source(&mut self) -> &mut R {
        match &mut self.inside {
            Inside::Literal(packets) => &mut packets.source,
            Inside::Deflate(packets) => &mut packets.source.get_mut().get_mut().source,
            Inside::Zlib(packets) => &mut packets.source.get_mut().get_mut().source,
            Inside::Bzip2(packets) => &mut packets.source.get_mut().get_mut().source,
        }
    }
}

/// The packets that a compressed one holds; compressed data may not hold compressed data.
fn inner<D: Read>(decoder: D) -> io::Result<Packets<BufReader<D>>> {
    let mut packets = Packets::new(BufReader::new(decoder));
    match packets.carrier()? {
        Some(Carrier::Literal) => Ok(packets),
        _ => Err(damaged()),
    }
}

impl<R: BufRead> Read for Content<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = match &mut self.inside {
            Inside::Literal(packets) => packets.read(out)?,
            Inside::Deflate(packets) => packets.read(out)?,
            Inside::Zlib(packets) => packets.read(out)?,
            Inside::Bzip2(packets) => packets.read(out)?,
        };
        if count > 0 {
            return Ok(count);
        }
        match &mut self.inside {
            Inside::Literal(packets) => packets.finish()?,
            Inside::Deflate(packets) => {
                packets.finish()?;
                packets.source.get_mut().get_mut().finish()?;
            }
            Inside::Zlib(packets) => {
                packets.finish()?;
                packets.source.get_mut().get_mut().finish()?;
            }
            Inside::Bzip2(packets) => {
                packets.finish()?;
                packets.source.get_mut().get_mut().finish()?;
            }
        }
        Ok(0)
    }
}
