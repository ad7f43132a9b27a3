//! What a store keeps about one whole object.

use std::collections::BTreeMap;

/// The answer to a HEAD.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Details {
    /// The object's size.
    pub bytes: u64,
    /// Changes when the content does; never a digest.
    pub etag: Option<String>,
    /// The version id, where the store keeps versions.
    pub version: Option<String>,
    /// Whether its storage class must be thawed before it can be read.
    pub archived: bool,
    /// What the uploader wrote beside it; names in lower case, values as they came.
    pub metadata: BTreeMap<String, String>,
    /// The checksum of the whole object that the store has kept since the upload.
    pub checksum: Option<StoredChecksum>,
}

/// A checksum over all bytes of an object. Never an ETag, and never a checksum of checksums
/// of parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredChecksum {
    /// By which algorithm.
    pub algorithm: ChecksumAlgorithm,
    /// Its value, big-endian, as long as the algorithm says.
    pub value: Vec<u8>,
}

/// The algorithms that stores keep checksums by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChecksumAlgorithm {
    /// SHA-256: S3, uploaded in one part.
    Sha256,
    /// CRC-64/NVME: the default of S3 today.
    Crc64Nvme,
    /// CRC-32C (Castagnoli): S3.
    Crc32c,
    /// CRC-32 (IEEE): S3.
    Crc32,
    /// MD5: Azure's Content-MD5, as the uploader gave it.
    Md5,
}

impl ChecksumAlgorithm {
    /// The name in evidence.
    pub fn as_str(self) -> &'static str {
        match self {
            ChecksumAlgorithm::Sha256 => "sha256",
            ChecksumAlgorithm::Crc64Nvme => "crc64nvme",
            ChecksumAlgorithm::Crc32c => "crc32c",
            ChecksumAlgorithm::Crc32 => "crc32",
            ChecksumAlgorithm::Md5 => "md5",
        }
    }

    /// The algorithm of that name.
    pub fn named(name: &str) -> Option<ChecksumAlgorithm> {
        use ChecksumAlgorithm::{Crc32, Crc32c, Crc64Nvme, Md5, Sha256};
        [Sha256, Crc64Nvme, Crc32c, Crc32, Md5].into_iter().find(|algorithm| algorithm.as_str() == name)
    }

    /// How long its values are.
    pub fn value_bytes(self) -> usize {
        match self {
            ChecksumAlgorithm::Sha256 => 32,
            ChecksumAlgorithm::Md5 => 16,
            ChecksumAlgorithm::Crc64Nvme => 8,
            ChecksumAlgorithm::Crc32c | ChecksumAlgorithm::Crc32 => 4,
        }
    }
}

impl StoredChecksum {
    /// `None` where the value has another length than the algorithm gives: a composite, or noise.
    pub(super) fn new(algorithm: ChecksumAlgorithm, value: Vec<u8>) -> Option<StoredChecksum> {
        (value.len() == algorithm.value_bytes()).then_some(StoredChecksum { algorithm, value })
    }
}
