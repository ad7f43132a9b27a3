//! Values by chance, the same ones for the same seed.

/// A generator of the SplitMix family.
pub struct Dice {
    state: u64,
}

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice { state: seed }
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from `least` to `most`.
    pub fn from(&mut self, least: u64, most: u64) -> u64 {
        least + self.bits() % (most - least + 1)
    }

    pub fn one_in(&mut self, sides: u64) -> bool {
        self.bits().is_multiple_of(sides)
    }

    /// Any one of them.
    pub fn any<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[usize::try_from(self.from(0, of.len() as u64 - 1)).unwrap()]
    }

    /// So many random digits, the first not a zero.
    pub fn digits(&mut self, count: u64) -> String {
        let digit = |(at, value): (u64, u64)| {
            char::from(b'0' + if at == 0 { 1 + (value % 9) as u8 } else { (value % 10) as u8 })
        };
        (0..count).map(|at| digit((at, self.bits()))).collect()
    }

    /// The field with one byte left out, doubled, or changed.
    pub fn misspelled(&mut self, field: &[u8]) -> Vec<u8> {
        const LETTERS: &[u8] = b"0123456789+-.: eEyIx/_TZtfan,\\\"{}";
        let mut odd = field.to_vec();
        let letter = LETTERS[usize::try_from(self.from(0, LETTERS.len() as u64 - 1)).unwrap()];
        let at = usize::try_from(self.from(0, field.len() as u64)).unwrap();
        match self.from(0, 3) {
            0 if at < odd.len() => _ = odd.remove(at),
            1 if at < odd.len() => odd.insert(at, field[at]),
            2 if at < odd.len() => odd[at] = letter,
            _ => odd.insert(at, letter),
        }
        odd
    }
}
