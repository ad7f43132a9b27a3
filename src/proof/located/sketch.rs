//! Two sets of rows of any size, and what is in one of them only, in a few hundred KiB.
//!
//! Each row falls into three of the cells, which add up how many rows they hold and what their
//! hashes are. Subtracted cell by cell, rows that both sets hold cancel out; a cell that is left
//! with copies of one row alone gives that row away, which is then taken out of its other two
//! cells, until nothing is left or the differences were too many.

use sha2::{Digest, Sha256};

/// Cells of each of the three parts: about as many differing rows can be told apart.
const CELLS: usize = 4096;
/// Rows that are told apart at most, before the rest is only known to be there.
const TOLD_MAX: usize = 2 * CELLS;
/// Hashes have so many bits, that sums of two thousand million of them fit.
const HASH_BYTES: usize = 12;

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
}

/// What two sets differ in.
#[derive(Debug, PartialEq, Eq)]
pub struct Told {
    /// Each differing row, and how often the first set holds it more than the second.
    pub rows: Vec<(RowMark, i64)>,
    /// There are no others.
    pub whole: bool,
}

impl Default for Sketch {
    fn default() -> Sketch {
        Sketch { cells: vec![Cell::default(); 3 * CELLS] }
    }
}

impl Sketch {
    /// Puts a row in, `times` times; takes it out where that is negative.
    pub fn add(&mut self, mark: RowMark, times: i64) {
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
        let mut open: Vec<usize> = (0..self.cells.len()).collect();
        while let Some(at) = open.pop() {
            if rows.len() > TOLD_MAX {
                break;
            }
            let Some((mark, times)) = self.cells.get(at).and_then(|cell| cell.alone(at)) else { continue };
            self.add(mark, times.wrapping_neg());
            open.extend(mark.places().0);
            rows.push((mark, times));
        }
        rows.sort_unstable();
        Told { rows, whole: self.cells.iter().all(|cell| *cell == Cell::default()) }
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
            sketch.add(mark(row), 1);
            sketch.add(mark(row), -1);
        }
        let differences =
            [(mark(7), 1), (mark(8), -1), (mark(30_000), 2), (mark(30_001), -3), (mark(30_002), 1)];
        for (mark, times) in differences {
            sketch.add(mark, times);
        }
        let mut expected = differences.to_vec();
        expected.sort_unstable();
        assert_eq!(sketch.tell(), Told { rows: expected, whole: true });
        assert_eq!(Sketch::default().tell(), Told { rows: vec![], whole: true });
    }

    #[test]
    fn thousands_are_told_and_what_is_too_much_is_known_to_be_there() {
        for (count, whole) in [(3_000, true), (100_000, false)] {
            let mut sketch = Sketch::default();
            (0..count).for_each(|row| sketch.add(mark(row), 1));
            let told = sketch.tell();
            assert_eq!(told.whole, whole, "{count}");
            assert!(told.rows.iter().all(|(_, times)| *times == 1));
            assert_eq!(told.rows.len() as u64 == count, whole);
        }
    }
}
