//! What is computed over the stored bytes while they stream: always SHA-256, and beside it
//! the checksum that the store has kept, where that is another one.

use md5::Digest as _;

use crate::digest::{Digest, Hasher};
use crate::store::ChecksumAlgorithm;

/// Takes every stored byte, in order.
pub struct Summer {
    sha256: Hasher,
    kept: Option<Kept>,
}

enum Kept {
    Crc { state: Box<crc_fast::Digest>, bytes: usize },
    Md5(md5::Md5),
}

impl Summer {
    /// A summer that also computes the store's checksum, if it has one.
    pub fn new(kept: Option<ChecksumAlgorithm>) -> Summer {
        let crc = |algorithm, bytes| Kept::Crc { state: Box::new(crc_fast::Digest::new(algorithm)), bytes };
        let kept = kept.and_then(|algorithm| match algorithm {
            ChecksumAlgorithm::Sha256 => None,
            ChecksumAlgorithm::Crc64Nvme => Some(crc(crc_fast::CrcAlgorithm::Crc64Nvme, 8)),
            ChecksumAlgorithm::Crc32c => Some(crc(crc_fast::CrcAlgorithm::Crc32Iscsi, 4)),
            ChecksumAlgorithm::Crc32 => Some(crc(crc_fast::CrcAlgorithm::Crc32IsoHdlc, 4)),
            ChecksumAlgorithm::Md5 => Some(Kept::Md5(md5::Md5::new())),
        });
        Summer { sha256: Hasher::default(), kept }
    }

    /// Takes the next piece.
    pub fn update(&mut self, piece: &[u8]) {
        self.sha256.update(piece);
        match &mut self.kept {
            Some(Kept::Crc { state, .. }) => state.update(piece),
            Some(Kept::Md5(state)) => state.update(piece),
            None => {}
        }
    }

    /// How many bytes were taken.
    pub fn bytes(&self) -> u64 {
        self.sha256.bytes()
    }

    /// The digest, and the store's checksum of the same bytes as lower-case hexadecimal digits.
    pub fn finish(self) -> (Digest, Option<String>) {
        let kept = self.kept.map(|kept| match kept {
            Kept::Crc { state, bytes } => format!("{:0width$x}", state.finalize(), width = bytes * 2),
            Kept::Md5(state) => hex::encode(state.finalize()),
        });
        (self.sha256.finish(), kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_algorithm_gives_its_published_check_value() {
        let table = [
            (ChecksumAlgorithm::Crc64Nvme, Some("ae8b14860a799888")),
            (ChecksumAlgorithm::Crc32c, Some("e3069283")),
            (ChecksumAlgorithm::Crc32, Some("cbf43926")),
            (ChecksumAlgorithm::Md5, Some("25f9e794323b453885f5181f1b624d0b")),
            (ChecksumAlgorithm::Sha256, None),
        ];
        for (algorithm, expected) in table {
            let mut summer = Summer::new(Some(algorithm));
            summer.update(b"1234");
            summer.update(b"56789");
            assert_eq!(summer.bytes(), 9);
            let (digest, kept) = summer.finish();
            assert_eq!(digest, Digest::of(b"123456789"));
            assert_eq!(kept.as_deref(), expected, "{}", algorithm.as_str());
        }
    }
}
