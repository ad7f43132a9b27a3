//! Digests of bytes, and the order-independent hash of a table's rows.

use std::fmt;

use sha2::{Digest as _, Sha256};

/// A SHA-256 digest, shown as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Digest {
        Digest(Sha256::digest(bytes).into())
    }

    /// The digest that `text` spells, if it is 64 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Digest> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).ok()?;
        Some(Digest(bytes))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// SHA-256 over a stream of pieces, with the bytes counted beside it.
#[derive(Clone, Default)]
pub struct Hasher {
    state: Sha256,
    bytes: u64,
}

impl Hasher {
    /// Takes the next piece.
    pub fn update(&mut self, piece: &[u8]) {
        self.state.update(piece);
        self.bytes += piece.len() as u64;
    }

    /// How many bytes were taken.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The digest of everything taken.
    pub fn finish(self) -> Digest {
        Digest(self.state.finalize().into())
    }
}

/// The row hash of a table: the sum modulo 2^256 of SHA-256 over each row, and the row count.
///
/// It streams, splits and merges in any order; duplicates count, as they would not under
/// XOR. It finds accidents and unsophisticated change; it is no defence against somebody
/// who may choose the rows, for whom the digest of the artifact is.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct RowHash {
    /// Four little-endian limbs of the sum.
    sum: [u64; 4],
    rows: u64,
    bytes: u64,
}

impl RowHash {
    /// Adds one row: its COPY text line without the newline.
    pub fn add(&mut self, row: &[u8]) {
        let digest: [u8; 32] = Sha256::digest(row).into();
        let mut limbs = [0; 4];
        for (limb, bytes) in limbs.iter_mut().zip(digest.chunks_exact(8)) {
            let mut eight = [0; 8];
            eight.copy_from_slice(bytes);
            *limb = u64::from_le_bytes(eight);
        }
        self.carry_in(limbs);
        self.rows += 1;
        self.bytes += row.len() as u64;
    }

    /// Adds all that `other` has seen.
    pub fn merge(&mut self, other: &RowHash) {
        self.carry_in(other.sum);
        self.rows = self.rows.saturating_add(other.rows);
        self.bytes = self.bytes.saturating_add(other.bytes);
    }

    /// The hash that has seen so many rows and bytes, and whose digits are `sum`.
    pub fn of_parts(sum: Digest, rows: u64, bytes: u64) -> RowHash {
        let mut limbs = [0; 4];
        for (limb, eight) in limbs.iter_mut().zip(sum.0.chunks_exact(8)) {
            let mut digits = [0; 8];
            digits.copy_from_slice(eight);
            *limb = u64::from_le_bytes(digits);
        }
        RowHash { sum: limbs, rows, bytes }
    }

    /// Its digits alone.
    pub fn sum(&self) -> Digest {
        let mut bytes = [0; 32];
        for (eight, limb) in bytes.chunks_exact_mut(8).zip(self.sum) {
            eight.copy_from_slice(&limb.to_le_bytes());
        }
        Digest(bytes)
    }

    /// How many rows were added.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// How many bytes the rows had, without newlines.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    fn carry_in(&mut self, limbs: [u64; 4]) {
        let mut carry = false;
        for (mine, theirs) in self.sum.iter_mut().zip(limbs) {
            let (sum, over) = mine.overflowing_add(theirs);
            let (sum, again) = sum.overflowing_add(u64::from(carry));
            *mine = sum;
            carry = over | again;
        }
    }
}

impl fmt::Display for RowHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for limb in self.sum {
            f.write_str(&hex::encode(limb.to_le_bytes()))?;
        }
        Ok(())
    }
}

impl fmt::Debug for RowHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} rows {self}", self.rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(rows: &[&str]) -> RowHash {
        let mut hash = RowHash::default();
        for row in rows {
            hash.add(row.as_bytes());
        }
        hash
    }

    #[test]
    fn the_row_hash_knows_rows_but_not_their_order() {
        let rows = hash(&["1\ta", "2\tb", "3\tc"]);
        assert_eq!(rows, hash(&["3\tc", "1\ta", "2\tb"]));
        let table = [
            ("a row gone", hash(&["1\ta", "2\tb"])),
            ("a row twice", hash(&["1\ta", "2\tb", "3\tc", "3\tc"])),
            ("two values swapped", hash(&["1\tb", "2\ta", "3\tc"])),
            ("null for empty", hash(&["1\ta", "2\tb", "3\t\\N"])),
            ("one row split in two", hash(&["1", "a", "2\tb", "3\tc"])),
        ];
        for (name, other) in table {
            assert_ne!(rows, other, "{name}");
        }
        assert_ne!(hash(&["x", "x"]), hash(&[]), "two equal rows do not cancel out");
        assert_ne!(hash(&[""]), hash(&[]), "an empty line is a row");
    }

    #[test]
    fn parts_hashed_apart_merge_into_the_whole() {
        let mut whole = RowHash::default();
        let mut parts = [RowHash::default(); 3];
        for n in 0..1000_usize {
            let row = format!("{n}\tvalue {n}");
            whole.add(row.as_bytes());
            parts[n % 3].add(row.as_bytes());
        }
        let mut merged = RowHash::default();
        for part in &parts {
            merged.merge(part);
        }
        assert_eq!(merged, whole);
        assert_eq!(merged.rows(), 1000);
        assert_eq!(RowHash::of_parts(whole.sum(), whole.rows(), whole.bytes()), whole);
        assert_eq!(whole.sum().to_string(), whole.to_string());
    }

    #[test]
    fn a_digest_survives_being_written_and_read() {
        let digest = Digest::of(b"abc");
        assert_eq!(digest.to_string(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(Digest::parse(&digest.to_string()), Some(digest));
        for bad in ["", "ba78", "zz7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"] {
            assert_eq!(Digest::parse(bad), None, "{bad:?}");
        }
    }
}
