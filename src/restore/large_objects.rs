//! The hash of many large objects: each is one row, made of its OID, size and digest.

use crate::digest::{Hasher, RowHash};

/// Takes large objects one after the other, each in stretches from its start.
#[derive(Default)]
pub struct Sum {
    open: Option<(u32, Hasher)>,
    hash: RowHash,
}

impl Sum {
    /// The next object begins.
    pub fn begin(&mut self, oid: u32) {
        self.close();
        self.open = Some((oid, Hasher::default()));
    }

    /// Takes the next stretch of the object that has begun.
    pub fn update(&mut self, bytes: &[u8]) {
        if let Some((_, hasher)) = &mut self.open {
            hasher.update(bytes);
        }
    }

    /// The hash of every object taken; its rows are the objects.
    pub fn finish(mut self) -> RowHash {
        self.close();
        self.hash
    }

    fn close(&mut self) {
        if let Some((oid, hasher)) = self.open.take() {
            let bytes = hasher.bytes();
            self.hash.add(format!("{oid}\t{bytes}\t{}", hasher.finish()).as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(objects: &[(u32, &[&str])]) -> RowHash {
        let mut sum = Sum::default();
        for (oid, stretches) in objects {
            sum.begin(*oid);
            for bytes in *stretches {
                sum.update(bytes.as_bytes());
            }
        }
        sum.finish()
    }

    #[test]
    fn objects_hash_alike_however_they_are_cut_and_ordered() {
        let whole = sum(&[(1, &["abcdef"]), (2, &[])]);
        assert_eq!(whole.rows(), 2);
        assert_eq!(whole, sum(&[(2, &[""]), (1, &["abc", "def"])]));
        let others: [&[(u32, &[&str])]; 3] =
            [&[(1, &["abcdef"])], &[(1, &["abcdeg"]), (2, &[])], &[(2, &["abcdef"]), (1, &[])]];
        for other in others {
            assert_ne!(whole, sum(other));
        }
    }
}
