//! The compression of one stream, undone.

use std::io::{self, BufRead, Read};

use flate2::{Decompress, FlushDecompress, Status};
use lz4_flex::frame::FrameDecoder;
use zstd::stream::raw::{DParameter, Decoder, Operation};

use crate::archive::error::Error;
use crate::archive::gzip_file::GzipFile;
use crate::archive::header::Compression;
use crate::archive::lz4::Frame;

/// The largest zstd window that is granted: 2^27 bytes, what `pg_dump -Z zstd:long` uses.
/// Each open stream of such an archive takes that much memory.
pub(super) const ZSTD_WINDOW_LOG_MAX: u32 = 27;

/// How far a stream may unfold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Below this many bytes of output, any ratio goes.
    pub free_bytes: u64,
    /// Above it, output may be so many times as long as input.
    pub ratio_max: u64,
}

impl Default for Limits {
    /// 1 GiB free, then a ratio of 1100. zlib can't do better than 1032, and so never trips;
    /// lz4 ends at 255. Only zstd goes beyond, on gigabytes of all but equal rows. Output is
    /// never held in memory, so this guards time and disk, and need not be tight.
    fn default() -> Limits {
        Limits { free_bytes: 1 << 30, ratio_max: 1100 }
    }
}

/// Undoes the compression of one stream, within the default [`Limits`].
///
/// Reading ends with `Ok(0)` only when the codec's end mark was reached *and* the source has
/// nothing more. Errors are [`Error`]s inside [`io::Error`], but for those of the source,
/// which pass unchanged: [`Error::from_io`] tells them apart.
pub fn decode<R: BufRead>(compression: Compression, source: R) -> Result<Decoded<R>, Error> {
    decode_within(compression, source, Limits::default())
}

/// As [`decode`], within the limits given.
pub fn decode_within<R: BufRead>(
    compression: Compression,
    source: R,
    limits: Limits,
) -> Result<Decoded<R>, Error> {
    let codec = match compression {
        Compression::None => Codec::None { source },
        Compression::Gzip => Codec::Gzip { source, inflate: Decompress::new(true) },
        Compression::GzipFile => Codec::GzipFile(Box::new(GzipFile::new(source))),
        Compression::Lz4 => Codec::Lz4(Box::new(FrameDecoder::new(Frame::new(source)))),
        Compression::Zstd => {
            let mut decoder = Decoder::new().map_err(Error::Source)?;
            decoder.set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW_LOG_MAX)).map_err(Error::Source)?;
            Codec::Zstd { source, decoder }
        }
    };
    Ok(Decoded { codec, bytes_in: 0, bytes_out: 0, ended: false, limits })
}

/// The plain bytes of one stream: see [`decode`].
pub struct Decoded<R: BufRead> {
    codec: Codec<R>,
    bytes_in: u64,
    bytes_out: u64,
    ended: bool,
    limits: Limits,
}

enum Codec<R: BufRead> {
    None { source: R },
    Gzip { source: R, inflate: Decompress },
    GzipFile(Box<GzipFile<R>>),
    Lz4(Box<FrameDecoder<Frame<R>>>),
    Zstd { source: R, decoder: Decoder<'static> },
}

/// What one step of a codec did.
enum Step {
    /// It wrote so many bytes, possibly none, and may go on.
    Wrote(usize),
    /// It wrote so many bytes and reached its end mark.
    Ended(usize),
}

impl<R: BufRead> Decoded<R> {
    /// Compressed bytes taken so far.
    pub fn bytes_in(&self) -> u64 {
        self.bytes_in
    }

    /// Plain bytes given so far.
    pub fn bytes_out(&self) -> u64 {
        self.bytes_out
    }

    fn step(&mut self, out: &mut [u8]) -> io::Result<Step> {
        let bytes_in = &mut self.bytes_in;
        match &mut self.codec {
            Codec::None { source } => match source.read(out)? {
                0 => Ok(Step::Ended(0)),
                count => {
                    *bytes_in = bytes_in.saturating_add(count as u64);
                    Ok(Step::Wrote(count))
                }
            },
            Codec::Gzip { source, inflate } => gzip_step(source, inflate, bytes_in, out),
            Codec::GzipFile(file) => {
                let written = file.step(out)?;
                *bytes_in = file.bytes;
                Ok(if file.ended() { Step::Ended(written) } else { Step::Wrote(written) })
            }
            Codec::Lz4(decoder) => lz4_step(decoder, bytes_in, out),
            Codec::Zstd { source, decoder } => zstd_step(source, decoder, bytes_in, out),
        }
    }

    /// The codec is at its end: so must the source be.
    fn check_exhausted(&mut self) -> io::Result<()> {
        let source = match &mut self.codec {
            Codec::None { source } | Codec::Gzip { source, .. } | Codec::Zstd { source, .. } => source,
            Codec::GzipFile(file) => file.source(),
            Codec::Lz4(decoder) => decoder.get_mut().source(),
        };
        if source.fill_buf()?.is_empty() {
            Ok(())
        } else {
            Err(Error::corrupt_stream("bytes behind the end of its compressed data", self.bytes_in).into_io())
        }
    }

    fn check_ratio(&self) -> io::Result<()> {
        let Limits { free_bytes, ratio_max } = self.limits;
        if self.bytes_out <= free_bytes || self.bytes_out <= self.bytes_in.saturating_mul(ratio_max) {
            return Ok(());
        }
        let what = format!("{} bytes of a stream unfold to more than {}", self.bytes_in, self.bytes_out);
        Err(Error::Limit { what, limit: ratio_max }.into_io())
    }
}

impl<R: BufRead> Read for Decoded<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while !self.ended && !out.is_empty() {
            let count = match self.step(out)? {
                Step::Wrote(count) => count,
                Step::Ended(count) => {
                    self.check_exhausted()?;
                    self.ended = true;
                    count
                }
            };
            self.bytes_out = self.bytes_out.saturating_add(count as u64);
            self.check_ratio()?;
            if count > 0 {
                return Ok(count);
            }
        }
        Ok(0)
    }
}

fn cut(bytes_in: u64) -> io::Error {
    Error::truncated_stream("compressed data without an end", bytes_in).into_io()
}

fn damaged(codec: Compression, bytes_in: u64) -> io::Error {
    Error::corrupt_stream(format!("{codec} data that can't be decoded"), bytes_in).into_io()
}

fn gzip_step<R: BufRead>(
    source: &mut R,
    inflate: &mut Decompress,
    bytes_in: &mut u64,
    out: &mut [u8],
) -> io::Result<Step> {
    let input = source.fill_buf()?;
    let (input_ended, before_in, before_out) = (input.is_empty(), inflate.total_in(), inflate.total_out());
    let status = inflate.decompress(input, out, FlushDecompress::None);
    let taken = inflate.total_in().saturating_sub(before_in);
    let written = inflate.total_out().saturating_sub(before_out);
    // Neither exceeds the length of a slice.
    source.consume(taken as usize);
    *bytes_in = bytes_in.saturating_add(taken);
    match status {
        Ok(Status::StreamEnd) => Ok(Step::Ended(written as usize)),
        Ok(_) if written > 0 || taken > 0 => Ok(Step::Wrote(written as usize)),
        Ok(_) if input_ended => Err(cut(*bytes_in)),
        Ok(_) | Err(_) => Err(damaged(Compression::Gzip, *bytes_in)),
    }
}

fn zstd_step<R: BufRead>(
    source: &mut R,
    decoder: &mut Decoder<'static>,
    bytes_in: &mut u64,
    out: &mut [u8],
) -> io::Result<Step> {
    let input = source.fill_buf()?;
    let input_ended = input.is_empty();
    let status = decoder.run_on_buffers(input, out).map_err(|error| zstd_error(&error, *bytes_in))?;
    source.consume(status.bytes_read);
    *bytes_in = bytes_in.saturating_add(status.bytes_read as u64);
    if status.remaining == 0 && *bytes_in > 0 {
        return Ok(Step::Ended(status.bytes_written));
    }
    match (status.bytes_read, status.bytes_written) {
        (0, 0) if input_ended => Err(cut(*bytes_in)),
        (0, 0) => Err(damaged(Compression::Zstd, *bytes_in)),
        (_, written) => Ok(Step::Wrote(written)),
    }
}

fn zstd_error(error: &io::Error, bytes_in: u64) -> io::Error {
    // The only way to tell: the library's own text for a window beyond the one granted.
    if error.to_string().contains("too much memory") {
        let what = "the window of a zstd stream".to_owned();
        return Error::Limit { what, limit: 1 << ZSTD_WINDOW_LOG_MAX }.into_io();
    }
    damaged(Compression::Zstd, bytes_in)
}

fn lz4_step<R: BufRead>(
    decoder: &mut FrameDecoder<Frame<R>>,
    bytes_in: &mut u64,
    out: &mut [u8],
) -> io::Result<Step> {
    let result = decoder.read(out);
    let frame = decoder.get_mut();
    *bytes_in = frame.bytes;
    if let Some(error) = frame.failed.take() {
        return Err(error);
    }
    match result {
        Ok(0) if frame.ended() => Ok(Step::Ended(0)),
        Ok(0) if frame.starved => Err(cut(frame.bytes)),
        // A block that decodes to nothing.
        Ok(written) => Ok(Step::Wrote(written)),
        Err(_) if frame.starved => Err(cut(frame.bytes)),
        Err(_) => Err(damaged(Compression::Lz4, frame.bytes)),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::archive::error::Error;

    const CODECS: [Compression; 5] =
        [Compression::None, Compression::Gzip, Compression::GzipFile, Compression::Lz4, Compression::Zstd];

    fn text() -> Vec<u8> {
        (0..30_000).flat_map(|row| format!("{row}\tvalue {}\n", row * 7919 % 1000).into_bytes()).collect()
    }

    fn encoded(compression: Compression, text: &[u8]) -> Vec<u8> {
        match compression {
            Compression::None => text.to_vec(),
            Compression::Gzip => {
                let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
                encoder.write_all(text).unwrap();
                encoder.finish().unwrap()
            }
            Compression::GzipFile => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
                encoder.write_all(text).unwrap();
                encoder.finish().unwrap()
            }
            Compression::Lz4 => {
                let info = lz4_flex::frame::FrameInfo::new()
                    .block_mode(lz4_flex::frame::BlockMode::Linked)
                    .block_size(lz4_flex::frame::BlockSize::Max64KB);
                let mut encoder = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
                encoder.write_all(text).unwrap();
                encoder.finish().unwrap()
            }
            Compression::Zstd => zstd::encode_all(text, 3).unwrap(),
        }
    }

    fn decoded(compression: Compression, stream: &[u8]) -> Result<Vec<u8>, Error> {
        let mut text = Vec::new();
        decode(compression, stream)?.read_to_end(&mut text).map_err(Error::from_io)?;
        Ok(text)
    }

    #[test]
    fn every_codec_gives_back_what_went_in() {
        for text in [Vec::new(), b"x".to_vec(), text()] {
            for compression in CODECS {
                assert_eq!(
                    decoded(compression, &encoded(compression, &text)).unwrap(),
                    text,
                    "{compression}"
                );
            }
        }
    }

    #[test]
    fn input_that_comes_byte_by_byte_makes_no_difference() {
        for compression in CODECS {
            let stream = encoded(compression, &text());
            let source = io::BufReader::with_capacity(1, &stream[..]);
            let mut out = Vec::new();
            decode(compression, source).unwrap().read_to_end(&mut out).unwrap();
            assert_eq!(out, text(), "{compression}");
        }
    }

    #[test]
    fn a_stream_cut_anywhere_is_cut_short() {
        let text = &text()[..200_000];
        for compression in CODECS.into_iter().filter(|codec| *codec != Compression::None) {
            let stream = encoded(compression, text);
            let ends = (0..stream.len()).step_by(997).chain(0..30).chain(stream.len() - 30..stream.len());
            for end in ends {
                let error = decoded(compression, &stream[..end]).expect_err("a cut stream");
                assert!(matches!(error, Error::Truncated { .. }), "{compression} cut to {end}: {error}");
            }
        }
    }

    #[test]
    fn nothing_may_follow_the_end_of_a_stream() {
        for compression in CODECS.into_iter().filter(|codec| *codec != Compression::None) {
            let stream = encoded(compression, b"rows\n");
            for behind in [&b"\0"[..], &stream] {
                let longer = [&stream[..], behind].concat();
                let error = decoded(compression, &longer).expect_err("a longer stream");
                assert!(matches!(error, Error::Corrupt { .. }), "{compression}: {error}");
            }
        }
    }

    #[test]
    fn a_flipped_bit_is_caught_where_there_is_a_checksum() {
        for compression in [Compression::Gzip, Compression::GzipFile] {
            let stream = encoded(compression, &text()[..5000]);
            for at in 0..stream.len() {
                let mut damaged = stream.clone();
                damaged[at] ^= 0x10;
                let result = decoded(compression, &damaged);
                assert!(result.is_err() || result.unwrap() == text()[..5000], "{compression} {at}");
            }
        }
    }

    #[test]
    fn an_empty_lz4_block_is_not_the_end() {
        let stream = encoded(Compression::Lz4, b"rows\n");
        let mut longer = stream[..7].to_vec();
        longer.extend([1, 0, 0, 0, 0]);
        longer.extend(&stream[7..]);
        assert_eq!(decoded(Compression::Lz4, &longer).unwrap(), b"rows\n");
        let error = decoded(Compression::Lz4, &longer[..12]).expect_err("cut behind the empty block");
        assert!(matches!(error, Error::Truncated { .. }), "{error}");
    }

    #[test]
    fn a_stream_may_unfold_so_far_and_no_further() {
        let limits = Limits { free_bytes: 1 << 16, ratio_max: 100 };
        for compression in CODECS.into_iter().filter(|codec| *codec != Compression::None) {
            let stream = encoded(compression, &vec![b'x'; 4 << 20]);
            assert_eq!(decoded(compression, &stream).unwrap().len(), 4 << 20);
            let mut reader = decode_within(compression, &stream[..], limits).unwrap();
            let error = io::copy(&mut reader, &mut io::sink()).map_err(Error::from_io).expect_err("a bomb");
            assert!(matches!(error, Error::Limit { .. }), "{compression}: {error}");
        }
    }

    #[test]
    fn the_longest_window_of_pg_dump_is_granted_and_no_longer_one() {
        for (window_log, granted) in [(27, true), (28, false)] {
            let mut encoder = zstd::stream::Encoder::new(Vec::new(), 1).unwrap();
            encoder.window_log(window_log).unwrap();
            encoder.write_all(b"rows\n").unwrap();
            let result = decoded(Compression::Zstd, &encoder.finish().unwrap());
            assert_eq!(result.is_ok(), granted, "{window_log}");
            assert!(granted || matches!(result, Err(Error::Limit { .. })));
        }
    }

    #[test]
    fn a_failing_source_is_not_taken_for_a_damaged_archive() {
        struct Failing;
        impl Read for Failing {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::ErrorKind::ConnectionReset.into())
            }
        }
        for compression in CODECS {
            let stream = encoded(compression, &text());
            let source = io::BufReader::new((&stream[..stream.len() / 2]).chain(Failing));
            let mut reader = decode(compression, source).unwrap();
            let error =
                io::copy(&mut reader, &mut io::sink()).map_err(Error::from_io).expect_err("a failure");
            assert!(matches!(error, Error::Source(_)), "{compression}: {error}");
        }
    }
}
