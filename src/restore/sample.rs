//! A sample of a table's rows: which ones are in it, their own text tells, so that the stream
//! and the server choose the same ones, in whatever order and over however many connections.

use crate::postgres::quote_identifier;

/// A sample is a share of so many parts.
pub const PARTS: u64 = 1_000_000;

/// Hashes are cut to so many of their lowest bits.
const BITS: u32 = 32;

/// Which rows are in a sample: those whose key hashes below a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// What the hash begins with. Another seed gives another sample.
    pub seed: u32,
    /// The share of the rows, in millionths: 1 to 999,999.
    pub share_ppm: u32,
}

/// The key of a table of which a sample may be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SampledBy {
    /// The column.
    pub column: String,
    /// Its field (from 0) in a row.
    pub field: usize,
    /// Which rows are in it.
    pub sample: Sample,
}

impl Sample {
    /// Whether a row whose key is written so is in the sample.
    pub fn holds(self, key: &[u8]) -> bool {
        hash_text_extended(key, u64::from(self.seed)) & mask() < self.bound()
    }

    /// The same as an SQL condition on `column`.
    pub fn condition(self, column: &str) -> String {
        format!(
            "pg_catalog.hashtextextended({}::pg_catalog.text COLLATE pg_catalog.\"C\", {}) & {} < {}",
            quote_identifier(column),
            self.seed,
            mask(),
            self.bound()
        )
    }

    fn bound(self) -> u64 {
        (u64::from(self.share_ppm) << BITS) / PARTS
    }
}

impl SampledBy {
    /// Whether the row is in the sample. One without a key is not.
    pub fn holds(&self, row: &[u8]) -> bool {
        let key = row.split(|byte| *byte == b'\t').nth(self.field);
        key.is_some_and(|key| key != b"\\N" && self.sample.holds(key))
    }
}

fn mask() -> u64 {
    (1 << BITS) - 1
}

/// PostgreSQL's `hashtextextended`, which can't change as long as tables are partitioned by it:
/// lookup3 by Bob Jenkins, on a little-endian machine.
pub fn hash_text_extended(text: &[u8], seed: u64) -> u64 {
    let length = text.len() as u32;
    let start = 0x9e37_79b9_u32.wrapping_add(length).wrapping_add(3_923_095);
    let mut state = [start; 3];
    if seed != 0 {
        state[0] = state[0].wrapping_add((seed >> 32) as u32);
        state[1] = state[1].wrapping_add(seed as u32);
        mix(&mut state);
    }
    let mut blocks = text.chunks_exact(12);
    for block in &mut blocks {
        add(&mut state, words(block));
        mix(&mut state);
    }
    // The lowest byte of the last word belongs to the length.
    let [a, b, c] = words(blocks.remainder());
    add(&mut state, [a, b, c << 8]);
    finish(&mut state);
    u64::from(state[1]) << 32 | u64::from(state[2])
}

/// Up to twelve bytes as three little-endian words.
fn words(bytes: &[u8]) -> [u32; 3] {
    let mut words = [0; 3];
    for (word, four) in words.iter_mut().zip(bytes.chunks(4)) {
        *word = four.iter().rev().fold(0, |word, byte| word << 8 | u32::from(*byte));
    }
    words
}

fn add(state: &mut [u32; 3], words: [u32; 3]) {
    for (sum, word) in state.iter_mut().zip(words) {
        *sum = sum.wrapping_add(word);
    }
}

fn mix(state: &mut [u32; 3]) {
    let [mut a, mut b, mut c] = *state;
    let step = |x: u32, y: u32, turn: u32| x.wrapping_sub(y) ^ y.rotate_left(turn);
    a = step(a, c, 4);
    c = c.wrapping_add(b);
    b = step(b, a, 6);
    a = a.wrapping_add(c);
    c = step(c, b, 8);
    b = b.wrapping_add(a);
    a = step(a, c, 16);
    c = c.wrapping_add(b);
    b = step(b, a, 19);
    a = a.wrapping_add(c);
    c = step(c, b, 4);
    b = b.wrapping_add(a);
    *state = [a, b, c];
}

fn finish(state: &mut [u32; 3]) {
    let [mut a, mut b, mut c] = *state;
    let step = |x: u32, y: u32, turn: u32| (x ^ y).wrapping_sub(y.rotate_left(turn));
    c = step(c, b, 14);
    a = step(a, c, 11);
    b = step(b, a, 25);
    c = step(c, b, 16);
    a = step(a, c, 4);
    b = step(b, a, 14);
    c = step(c, b, 24);
    *state = [a, b, c];
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share_of(sample: Sample, keys: impl Iterator<Item = String>) -> f64 {
        let (mut all, mut held) = (0.0, 0.0);
        for key in keys {
            all += 1.0;
            held += f64::from(u8::from(sample.holds(key.as_bytes())));
        }
        held / all
    }

    #[test]
    fn a_sample_is_the_share_that_was_asked_for_whatever_the_keys() {
        for share_ppm in [10_000, 50_000, 500_000] {
            let sample = Sample { seed: 7, share_ppm };
            let wanted = f64::from(share_ppm) / PARTS as f64;
            for stride in [1_u64, 2, 1_000, 1 << 22] {
                let share = share_of(sample, (0..100_000).map(|n| (n * stride).to_string()));
                assert!((share / wanted - 1.0).abs() < 0.1, "{share} of {wanted}, every {stride}");
            }
        }
    }

    #[test]
    fn another_seed_gives_another_sample() {
        let held = |seed| {
            (0..10_000)
                .filter(move |n: &u32| Sample { seed, share_ppm: 50_000 }.holds(n.to_string().as_bytes()))
        };
        let first: Vec<u32> = held(1).collect();
        let both = held(2).filter(|n| first.contains(n)).count();
        assert!(both * 10 < first.len(), "{both} of {}", first.len());
    }

    #[test]
    fn a_row_is_in_it_by_one_field_alone() {
        let by = SampledBy { column: "id".into(), field: 1, sample: Sample { seed: 1, share_ppm: 999_999 } };
        for (row, held) in [("a\t1\tb", true), ("a\t\\N\tb", false), ("a", false), ("", false), ("\t5", true)]
        {
            assert_eq!(by.holds(row.as_bytes()), held, "{row:?}");
        }
    }
}
