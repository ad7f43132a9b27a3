//! The bytes of the backup: what was read, and what vouches for it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::value::Sha256;

/// The stored object, or directory of objects, that was restored, and what it turned out to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Artifact {
    /// What was read, when all of it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed: Option<ObservedArtifact>,
    /// What was read the second time, on fresh connections, where the first was not what was
    /// expected: the same wrong bytes twice are the backup's fault, others are not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_again: Option<ObservedArtifact>,
    /// What vouches for the stored bytes.
    pub expected: ExpectedArtifact,
    /// Whether what was read is what was expected; absent where that could not be told.
    #[serde(rename = "match", skip_serializing_if = "Option::is_none")]
    pub matches: Option<bool>,
    /// The layers of compression and encryption around the archive, outermost first; none where
    /// it lies as pg_dump wrote it.
    pub layers: Vec<ArtifactLayer>,
    /// The kind of archive, such as `pg_dump-custom` or `pg_dump-directory`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// The version of that format, such as `1.15`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archive_version: Option<String>,
    /// The codec, such as `gzip` or `none`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compression: Option<String>,
    /// The name of the database that was dumped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// The version of the server that was dumped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dump_server_version: Option<String>,
    /// The version of the pg_dump that dumped it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dump_tool_version: Option<String>,
    /// Whether the header's zone-less time was used for the consistency point.
    pub archive_header_time_used: bool,
    /// Bytes behind the end of the archive; of a directory, those of files that it does not name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trailing_bytes: Option<u64>,
}

impl Artifact {
    /// An artifact of which nothing was read and for which nothing vouches.
    pub fn unread() -> Artifact {
        Artifact {
            observed: None,
            observed_again: None,
            expected: ExpectedArtifact {
                source: Anchor::None,
                algorithm: None,
                sha256: None,
                checksum: None,
            },
            matches: None,
            layers: Vec::new(),
            format: None,
            archive_version: None,
            compression: None,
            database: None,
            dump_server_version: None,
            dump_tool_version: None,
            archive_header_time_used: false,
            trailing_bytes: None,
        }
    }
}

impl ExpectedArtifact {
    /// Whether `observed` is what is expected; unknown where only the codec, or nobody,
    /// vouches, since then there is nothing outside to compare with.
    pub fn agrees_with(&self, observed: &ObservedArtifact) -> Option<bool> {
        match (&self.sha256, &self.checksum) {
            (Some(sha256), None) => Some(*sha256 == observed.sha256),
            (None, Some(checksum)) => Some(observed.checksum.as_ref() == Some(checksum)),
            (None, None) | (Some(_), Some(_)) => None,
        }
    }
}

/// One layer of compression or encryption around an archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ArtifactLayer {
    /// Which: `gzip`, `zstd`, `lz4`, `xz`, `bzip2`, `age`, `openpgp` or `openssl enc`.
    pub kind: String,
    /// How the key to an encrypted one is held, such as `X25519`; never which key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The checksum or authentication over every byte inside that was seen to hold to the end;
    /// absent where there is none, or where the end was not reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checksum: Option<String>,
}

/// The stored bytes as they were read, before any decompression.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ObservedArtifact {
    /// Their digest. Of a directory it is that of one line for each file below it, ordered by the
    /// bytes of their names: the file's SHA-256 in lower-case hexadecimal digits, two blanks, its
    /// name relative to the directory, a line feed.
    pub sha256: Sha256,
    /// How many.
    pub bytes: u64,
    /// Their checksum by the expected algorithm, where that is not SHA-256.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checksum: Option<String>,
}

/// What the stored bytes should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExpectedArtifact {
    /// Who vouches for them.
    pub source: Anchor,
    /// With which algorithm, such as `sha256`, `crc64nvme` or, in the codec, `adler32`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<String>,
    /// The digest, where it is a SHA-256.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Sha256>,
    /// The checksum as its source spells it, where it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checksum: Option<String>,
}

/// Who vouches for the stored bytes, strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Anchor {
    /// The stamp.
    Stamp,
    /// A digest that lies beside the object.
    Sidecar,
    /// A full-object checksum that the store has kept since the upload; never an ETag.
    StoreChecksum,
    /// The checksums inside the archive's own codec.
    Codec,
    /// Nobody.
    None,
}
