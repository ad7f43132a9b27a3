//! A layer of `openssl enc -aes-256-cbc -pbkdf2 -salt`.
//!
//! Nothing authenticates it: bytes that were changed come out as other bytes. Only its length
//! and its padding are checked here, and whatever is inside.

use std::io::{self, BufRead, Read};

use aes::Aes256;
use cbc::Decryptor;
use cbc::cipher::{Array, BlockModeDecrypt, KeyIvInit};
use pbkdf2::pbkdf2_hmac;
use sha2::{Sha256, Sha384, Sha512};
use zeroize::Zeroizing;

use crate::archive::error::Error;
use crate::archive::sniff::Kind;
use crate::archive::wrap::{Keys, Opened};

const MAGIC: &[u8] = b"Salted__";
const BLOCK_BYTES: usize = 16;
const PIECE_BYTES: usize = 64 * 1024;

/// The most iterations that a plan may ask for: some seconds of work.
pub const ITERATIONS_MAX: u32 = 10_000_000;

/// How `openssl enc` made its key of the passphrase; its files don't tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Openssl {
    /// `-md`.
    pub digest: Digest,
    /// `-iter`, at most [`ITERATIONS_MAX`].
    pub iterations: u32,
}

/// The digest of PBKDF2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Digest {
    /// `sha256`, the default of openssl.
    Sha256,
    /// `sha384`.
    Sha384,
    /// `sha512`.
    Sha512,
}

impl Digest {
    /// The word for it, as openssl takes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Digest::Sha256 => "sha256",
            Digest::Sha384 => "sha384",
            Digest::Sha512 => "sha512",
        }
    }
}

/// Opens the layer.
pub(super) fn open<'k>(
    mut source: impl BufRead + Send + 'k,
    keys: &'k Keys,
) -> Result<(Box<dyn Read + Send + 'k>, Opened), Error> {
    let wanting = |what| Error::no_key(Kind::OpensslEnc, what);
    let how = keys.openssl.ok_or_else(|| wanting("the plan gives no digest and iterations for it"))?;
    let passphrase =
        keys.passphrase.as_ref().ok_or_else(|| wanting("the plan gives no passphrase for it"))?;
    let mut header = [0; MAGIC.len() + 8];
    source.read_exact(&mut header).map_err(Error::Source)?;
    let salt = header.get(MAGIC.len()..).unwrap_or_default();
    let mut derived = Zeroizing::new([0; 48]);
    let iterations = how.iterations.clamp(1, ITERATIONS_MAX);
    match how.digest {
        Digest::Sha256 => pbkdf2_hmac::<Sha256>(passphrase, salt, iterations, &mut *derived),
        Digest::Sha384 => pbkdf2_hmac::<Sha384>(passphrase, salt, iterations, &mut *derived),
        Digest::Sha512 => pbkdf2_hmac::<Sha512>(passphrase, salt, iterations, &mut *derived),
    }
    let (key, iv) = derived.split_at(32);
    let decryptor = Decryptor::<Aes256>::new_from_slices(key, iv)
        .map_err(|_| Error::Unsupported { what: "a key of another length".to_owned() })?;
    let cbc =
        Cbc { source, decryptor, buffer: Vec::with_capacity(PIECE_BYTES), given: 0, ready: 0, bytes: 0 };
    Ok((Box::new(cbc), Opened { how: Some("passphrase, AES-256-CBC, not authenticated"), checksum: None }))
}

/// Blocks decrypted as they come. The last one is held back until the source is at its end,
/// since only there it is known how much of it is padding.
struct Cbc<R> {
    source: R,
    decryptor: Decryptor<Aes256>,
    /// Plain bytes up to `ready`, of which `given` were given, then ciphertext.
    buffer: Vec<u8>,
    given: usize,
    ready: usize,
    bytes: u64,
}

impl<R: BufRead> Cbc<R> {
    /// Decrypts the next blocks; nothing is ready behind the last.
    fn advance(&mut self) -> io::Result<()> {
        self.buffer.drain(..self.ready);
        (self.given, self.ready) = (0, 0);
        let mut ended = false;
        while self.buffer.len() <= BLOCK_BYTES && !ended {
            let available = self.source.fill_buf()?;
            let count = available.len().min(PIECE_BYTES);
            ended = available.is_empty();
            self.buffer.extend_from_slice(available.get(..count).unwrap_or_default());
            self.source.consume(count);
            self.bytes = self.bytes.saturating_add(count as u64);
        }
        if ended && self.buffer.is_empty() && self.bytes > 0 {
            return Ok(());
        }
        if ended && self.buffer.len() != BLOCK_BYTES {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let whole = if ended { BLOCK_BYTES } else { (self.buffer.len() - 1) / BLOCK_BYTES * BLOCK_BYTES };
        let blocks = self.buffer.get_mut(..whole).unwrap_or_default();
        let (blocks, _) = Array::slice_as_chunks_mut(blocks);
        self.decryptor.decrypt_blocks(blocks);
        self.ready = whole;
        if ended {
            let padding = padding(&self.buffer).ok_or_else(|| self.damaged())?;
            self.ready = whole.saturating_sub(padding);
            self.buffer.truncate(self.ready);
        }
        Ok(())
    }

    fn damaged(&self) -> io::Error {
        let what = "an openssl enc file without the padding of its end";
        Error::corrupt(what, self.bytes).into_io()
    }
}

/// How many bytes of the last block are padding, all of which say so.
fn padding(block: &[u8]) -> Option<usize> {
    let count = usize::from(*block.last()?);
    let padded = block.get(block.len().checked_sub(count)?..)?;
    let holds = (1..=BLOCK_BYTES).contains(&count) && padded.iter().all(|byte| usize::from(*byte) == count);
    holds.then_some(count)
}

impl<R: BufRead> Read for Cbc<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.given == self.ready {
            self.advance()?;
        }
        let plain = self.buffer.get(self.given..self.ready).unwrap_or_default();
        let count = plain.len().min(out.len());
        if let (Some(out), Some(plain)) = (out.get_mut(..count), plain.get(..count)) {
            out.copy_from_slice(plain);
        }
        self.given += count;
        Ok(count)
    }
}

impl<R> Drop for Cbc<R> {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.buffer);
    }
}
