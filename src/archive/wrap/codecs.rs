//! The compressions that a whole archive is wrapped in.

use std::io::{self, BufRead, Read};
use std::sync::Arc;

use bzip2::bufread::MultiBzDecoder;
use flate2::bufread::MultiGzDecoder;
use liblzma::stream::{Action, CONCATENATED, Status, Stream, TELL_NO_CHECK, TELL_UNSUPPORTED_CHECK};
use lz4_flex::frame::FrameDecoder;
use zstd::stream::raw::{DParameter, Decoder, Operation};

use crate::archive::decode::ZSTD_WINDOW_LOG_MAX;
use crate::archive::error::Error;
use crate::archive::lz4::Frame;
use crate::archive::wrap::watch::Watch;

/// What a decoder of xz may hold: the dictionary of `xz -9` takes half of it.
const XZ_MEMORY_MAX: u64 = 136 << 20;

/// Every member of a gzip file. Each ends with a CRC-32 of its content.
pub(super) fn gzip<'k>(source: impl BufRead + Send + 'k) -> Box<dyn Read + Send + 'k> {
    Box::new(MultiGzDecoder::new(source))
}

/// Every stream of a bzip2 file. Each block and each stream has a CRC-32.
pub(super) fn bzip2<'k>(source: impl BufRead + Send + 'k) -> Box<dyn Read + Send + 'k> {
    Box::new(MultiBzDecoder::new(source))
}

/// Every stream of an xz file, with the check that its header announces, if any.
pub(super) fn xz<'k>(
    source: impl BufRead + Send + 'k,
    watch: &Arc<Watch>,
) -> Result<Box<dyn Read + Send + 'k>, Error> {
    let flags = CONCATENATED | TELL_NO_CHECK | TELL_UNSUPPORTED_CHECK;
    let stream =
        Stream::new_stream_decoder(XZ_MEMORY_MAX, flags).map_err(|error| Error::Source(error.into()))?;
    Ok(Box::new(Xz { source, stream, watch: watch.clone() }))
}

struct Xz<R> {
    source: R,
    stream: Stream,
    watch: Arc<Watch>,
}

impl<R: BufRead> Read for Xz<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            let input = self.source.fill_buf()?;
            let ended = input.is_empty();
            let (before_in, before_out) = (self.stream.total_in(), self.stream.total_out());
            let action = if ended { Action::Finish } else { Action::Run };
            let status = self.stream.process(input, out, action);
            // Neither exceeds the length of a slice.
            let taken = self.stream.total_in().saturating_sub(before_in) as usize;
            let written = self.stream.total_out().saturating_sub(before_out) as usize;
            self.source.consume(taken);
            match status {
                Ok(_) if written > 0 => return Ok(written),
                Ok(Status::StreamEnd) => return Ok(0),
                Ok(Status::MemNeeded) if ended => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
                Err(liblzma::stream::Error::NoCheck | liblzma::stream::Error::UnsupportedCheck) => {
                    self.watch.note_unchecked();
                    if written > 0 {
                        return Ok(written);
                    }
                }
                Err(liblzma::stream::Error::MemLimit) => {
                    let what = "the memory that an xz layer asks for".to_owned();
                    return Err(Error::Limit { what, limit: XZ_MEMORY_MAX }.into_io());
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Every frame of a zstd file, each with its checksum if its header announces one.
pub(super) fn zstd<'k>(
    source: impl BufRead + Send + 'k,
    watch: &Arc<Watch>,
) -> Result<Box<dyn Read + Send + 'k>, Error> {
    let mut decoder = Decoder::new().map_err(Error::Source)?;
    decoder.set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW_LOG_MAX)).map_err(Error::Source)?;
    Ok(Box::new(Zstd { source, decoder, watch: watch.clone(), inside: false }))
}

struct Zstd<R> {
    source: R,
    decoder: Decoder<'static>,
    watch: Arc<Watch>,
    /// Within a frame.
    inside: bool,
}

impl<R: BufRead> Zstd<R> {
    /// Reads the first bytes of a frame, which tell whether it has a checksum, and hands them
    /// to the decoder. `false` where there is no frame any more.
    fn begin(&mut self) -> io::Result<bool> {
        const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
        const CHECKSUM: u8 = 0x04;
        if self.source.fill_buf()?.is_empty() {
            return Ok(false);
        }
        let mut header = [0; 5];
        self.source.read_exact(&mut header)?;
        let [a, b, c, d, flags] = header;
        if [a, b, c, d] == MAGIC && flags & CHECKSUM == 0 {
            self.watch.note_unchecked();
        }
        self.decoder.reinit()?;
        let mut rest = &header[..];
        while !rest.is_empty() {
            let status = self.decoder.run_on_buffers(rest, &mut []).map_err(zstd_error)?;
            rest = match status.bytes_read {
                0 => return Err(io::ErrorKind::InvalidData.into()),
                read => rest.get(read..).unwrap_or_default(),
            };
        }
        self.inside = true;
        Ok(true)
    }
}

impl<R: BufRead> Read for Zstd<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            if !self.inside && !self.begin()? {
                return Ok(0);
            }
            let input = self.source.fill_buf()?;
            let starved = input.is_empty();
            let status = self.decoder.run_on_buffers(input, out).map_err(zstd_error)?;
            self.source.consume(status.bytes_read);
            self.inside = status.remaining != 0;
            if status.bytes_written > 0 {
                return Ok(status.bytes_written);
            }
            if self.inside && starved {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

fn zstd_error(error: io::Error) -> io::Error {
    // The only way to tell: the library's own text for a window beyond the one granted.
    if error.to_string().contains("too much memory") {
        let what = "the window of a zstd layer".to_owned();
        return Error::Limit { what, limit: 1 << ZSTD_WINDOW_LOG_MAX }.into_io();
    }
    error
}

/// Every frame of an LZ4 file, each with the checksum of its content if its header announces
/// one.
pub(super) fn lz4<'k>(source: impl BufRead + Send + 'k, watch: &Arc<Watch>) -> Box<dyn Read + Send + 'k> {
    Box::new(Lz4 { decoder: Some(FrameDecoder::new(Frame::new(source))), watch: watch.clone() })
}

struct Lz4<R: BufRead> {
    /// Always there, but for the moment between two frames.
    decoder: Option<FrameDecoder<Frame<R>>>,
    watch: Arc<Watch>,
}

impl<R: BufRead> Read for Lz4<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            let Some(decoder) = self.decoder.as_mut() else { return Ok(0) };
            let result = decoder.read(out);
            let frame = decoder.get_mut();
            if let Some(error) = frame.failed.take() {
                return Err(error);
            }
            match result {
                Ok(0) if frame.ended() => {
                    if !frame.has_checksum() {
                        self.watch.note_unchecked();
                    }
                    if frame.source().fill_buf()?.is_empty() {
                        return Ok(0);
                    }
                    let source = self.decoder.take().map(|decoder| decoder.into_inner().into_source());
                    self.decoder = source.map(|source| FrameDecoder::new(Frame::new(source)));
                }
                Ok(0) if frame.starved => return Err(io::ErrorKind::UnexpectedEof.into()),
                // A block that decodes to nothing.
                Ok(0) => {}
                Ok(written) => return Ok(written),
                Err(_) if frame.starved => return Err(io::ErrorKind::UnexpectedEof.into()),
                Err(error) => return Err(error),
            }
        }
    }
}
