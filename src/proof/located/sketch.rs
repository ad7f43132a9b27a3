//! Two sets of rows of any size, and what is in one of them only, in a few hundred KiB.
//!
//! Each row falls into three of the cells, which add up how many rows they hold and what their
//! hashes are. Subtracted cell by cell, rows that both sets hold cancel out; a cell that is left
//! with copies of one row alone gives that row away, which is then taken out of its other two
//! cells, until nothing is left or the differences were too many.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

/// Cells of each of the three parts: about as many differing rows can be told apart.
const CELLS: usize = 4096;
/// Rows that are told apart at most, before the rest is only known to be there.
const TOLD_MAX: usize = 2 * CELLS;
/// Hashes have so many bits, that sums of two thousand million of them fit.
const HASH_BYTES: usize = 12;
/// Bytes of a key that can be told, where keys are to be told.
pub const KEY_BYTES_MAX: usize = 64;
/// The words that a key is summed as: its length, and eight of its bytes each.
const KEY_WORDS: usize = 1 + KEY_BYTES_MAX / 8;

/// A key as numbers that can be summed.
type KeyWords = [i128; KEY_WORDS];

/// A row, by the hash of its key and of all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RowMark {
    /// The hash of its key; 0 in a table without one.
    pub key: u128,
    /// The hash of the row.
    pub row: u128,
}

impl RowMark {
    /// The mark of a row whose key is `key`, hashed behind `salt`.
    pub fn of(salt: &[u8], key: Option<&[u8]>, row: &[u8]) -> RowMark {
        let key = key.map_or(0, |key| short(Sha256::new().chain_update(salt).chain_update(key)));
        RowMark { key, row: short(Sha256::new().chain_update(row)) }
    }

    /// The three cells, and a check that tells one row from a sum of several.
    fn places(&self) -> ([usize; 3], i128) {
        let digest: [u8; 32] = Sha256::new()
            .chain_update(self.key.to_le_bytes())
            .chain_update(self.row.to_le_bytes())
            .finalize()
            .into();
        let mut words = digest
            .chunks_exact(8)
            .map(|eight| eight.iter().fold(0_u64, |word, byte| word << 8 | u64::from(*byte)));
        let mut next = || words.next().unwrap_or_default();
        let check = i128::from(next());
        let cells = [0, 1, 2].map(|part| part * CELLS + next() as usize % CELLS);
        (cells, check)
    }
}

fn short(hasher: Sha256) -> u128 {
    hasher.finalize().iter().take(HASH_BYTES).fold(0, |number, byte| number << 8 | u128::from(*byte))
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Cell {
    count: i64,
    key: i128,
    row: i128,
    check: i128,
}

/// The cells of a set of rows, or of the difference of two.
pub struct Sketch {
    cells: Vec<Cell>,
    /// The keys of the rows in each cell, summed; empty where keys are not to be told.
    keys: Vec<KeyWords>,
}

/// What two sets differ in.
#[derive(Debug, PartialEq, Eq)]
pub struct Told {
    /// Each differing row, and how often the first set holds it more than the second.
    pub rows: Vec<(RowMark, i64)>,
    /// There are no others.
    pub whole: bool,
    /// The keys of the rows, by their hash, as far as they are not too long; only from a sketch
    /// that tells keys.
    pub keys: BTreeMap<u128, Vec<u8>>,
}

impl Default for Sketch {
    fn default() -> Sketch {
        Sketch { cells: vec![Cell::default(); 3 * CELLS], keys: Vec::new() }
    }
}

fn words_of(key: &[u8]) -> KeyWords {
    let mut words = [0; KEY_WORDS];
    words[0] = i128::try_from(key.len()).unwrap_or(i128::from(u64::MAX));
    for (word, eight) in words.iter_mut().skip(1).zip(key.chunks(8)) {
        *word = eight.iter().fold(0, |word, byte| word << 8 | i128::from(*byte));
    }
    words
}

/// The key of these words; none where it was too long for them.
fn key_of(words: &KeyWords) -> Option<Vec<u8>> {
    let length = usize::try_from(words[0]).ok().filter(|length| *length <= KEY_BYTES_MAX)?;
    let mut key = Vec::with_capacity(KEY_BYTES_MAX);
    for (word, at) in words.iter().skip(1).zip((0..length).step_by(8)) {
        let bytes = u64::try_from(*word).ok()?.to_be_bytes();
        key.extend_from_slice(bytes.get(8 - (length - at).min(8)..)?);
    }
    Some(key)
}

impl Sketch {
    /// A sketch that tells keys, too.
    pub fn with_keys() -> Sketch {
        Sketch { keys: vec![[0; KEY_WORDS]; 3 * CELLS], ..Sketch::default() }
    }

    /// Puts a row with such a `key` in, `times` times; takes it out where that is negative.
    pub fn add(&mut self, mark: RowMark, key: &[u8], times: i64) {
        if !self.keys.is_empty() {
            self.add_key(mark, &words_of(key), times);
        }
        self.add_mark(mark, times);
    }

    fn add_key(&mut self, mark: RowMark, words: &KeyWords, times: i64) {
        for at in mark.places().0 {
            let sums = self.keys.get_mut(at).into_iter().flatten();
            for (sum, word) in sums.zip(words) {
                *sum = sum.wrapping_add(word.wrapping_mul(i128::from(times)));
            }
        }
    }

    fn add_mark(&mut self, mark: RowMark, times: i64) {
        let (cells, check) = mark.places();
        let wide = i128::from(times);
        for at in cells {
            let Some(cell) = self.cells.get_mut(at) else { continue };
            cell.count = cell.count.wrapping_add(times);
            cell.key = cell.key.wrapping_add(wide.wrapping_mul(mark.key as i128));
            cell.row = cell.row.wrapping_add(wide.wrapping_mul(mark.row as i128));
            cell.check = cell.check.wrapping_add(wide.wrapping_mul(check));
        }
    }

    /// The rows that are left.
    pub fn tell(mut self) -> Told {
        let mut rows = Vec::new();
        let mut keys = BTreeMap::new();
        let mut open: Vec<usize> = (0..self.cells.len()).collect();
        while let Some(at) = open.pop() {
            if rows.len() > TOLD_MAX {
                break;
            }
            let Some((mark, times)) = self.cells.get(at).and_then(|cell| cell.alone(at)) else { continue };
            if let Some(words) = self.keys.get(at).copied() {
                let words = words.map(|sum| sum.checked_div(i128::from(times)).unwrap_or_default());
                keys.extend(key_of(&words).map(|key| (mark.key, key)));
                self.add_key(mark, &words, times.wrapping_neg());
            }
            self.add_mark(mark, times.wrapping_neg());
            open.extend(mark.places().0);
            rows.push((mark, times));
        }
        rows.sort_unstable();
        let whole = self.cells.iter().all(|cell| *cell == Cell::default());
        Told { rows, whole, keys }
    }
}

impl Cell {
    /// The one row that the cell holds copies of, and how many; None if it holds several.
    fn alone(&self, at: usize) -> Option<(RowMark, i64)> {
        let times = i128::from(self.count);
        let share = |sum: i128| (times != 0 && sum % times == 0).then(|| sum / times);
        let hash = |sum| u128::try_from(share(sum)?).ok().filter(|hash| *hash < 1 << (8 * HASH_BYTES));
        let mark = RowMark { key: hash(self.key)?, row: hash(self.row)? };
        let (cells, check) = mark.places();
        (cells.contains(&at) && share(self.check) == Some(check)).then_some((mark, self.count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(row: u64) -> RowMark {
        RowMark::of(b"salt", Some(&(row / 2).to_le_bytes()), &row.to_le_bytes())
    }

    #[test]
    fn rows_of_one_set_only_are_told_with_their_number() {
        let mut sketch = Sketch::default();
        for row in 0..20_000 {
            sketch.add(mark(row), b"", 1);
            sketch.add(mark(row), b"", -1);
        }
        let differences =
            [(mark(7), 1), (mark(8), -1), (mark(30_000), 2), (mark(30_001), -3), (mark(30_002), 1)];
        for (mark, times) in differences {
            sketch.add(mark, b"", times);
        }
        let mut expected = differences.to_vec();
        expected.sort_unstable();
        assert_eq!(sketch.tell(), Told { rows: expected, whole: true, keys: BTreeMap::new() });
        assert_eq!(Sketch::default().tell(), Told { rows: vec![], whole: true, keys: BTreeMap::new() });
    }

    #[test]
    fn keys_are_told_where_that_is_asked_for() {
        let keys: Vec<Vec<u8>> = [0, 1, 7, 8, 9, 20, 63, 64, 65, 300]
            .map(|length| (0..length).map(|at| (at as u8).wrapping_mul(37) ^ length as u8).collect())
            .to_vec();
        let mark = |key: &[u8]| RowMark::of(b"salt", Some(key), key);
        let mut sketch = Sketch::with_keys();
        for row in 0..20_000_u64 {
            let key = row.to_string();
            sketch.add(mark(key.as_bytes()), key.as_bytes(), 1);
            sketch.add(mark(key.as_bytes()), key.as_bytes(), -1);
        }
        for (key, times) in keys.iter().zip([1, -1, 2, -3].into_iter().cycle()) {
            sketch.add(mark(key), key, times);
        }
        let told = sketch.tell();
        assert!(told.whole && told.rows.len() == keys.len());
        for key in &keys {
            let expected = Some(key).filter(|key| key.len() <= KEY_BYTES_MAX);
            assert_eq!(told.keys.get(&mark(key).key), expected, "{}", key.len());
        }
    }

    #[test]
    fn thousands_are_told_and_what_is_too_much_is_known_to_be_there() {
        for (count, whole) in [(3_000, true), (100_000, false)] {
            let mut sketch = Sketch::default();
            (0..count).for_each(|row| sketch.add(mark(row), b"", 1));
            let told = sketch.tell();
            assert_eq!(told.whole, whole, "{count}");
            assert!(told.rows.iter().all(|(_, times)| *times == 1));
            assert_eq!(told.rows.len() as u64 == count, whole);
        }
    }
}
