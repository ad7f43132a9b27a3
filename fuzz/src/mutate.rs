//! Changes to an input, one to eight at a time.

use crate::dice::Dice;

const LENGTH_MAX: usize = 512 * 1024;

/// Numbers at which parsers break.
const BOUNDARIES: [u64; 14] = [
    0,
    1,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0xffff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x1_0000_0000,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    u64::MAX,
];

/// Words that mean something to one of the parsers.
const WORDS: [&[u8]; 16] = [
    b"PGDMP",
    b"\\.\n",
    b"\\N\t",
    b"ustar\0",
    b"INSERT INTO x VALUES (",
    b"'; --",
    b"$$",
    b"E'\\''",
    b"\x1f\x8b\x08",
    b"\x28\xb5\x2f\xfd",
    b"\x04\x22\x4d\x18",
    b"BZh9",
    b"-> X25519 ",
    b"Salted__",
    b"blob_4294967295.dat",
    b"../",
];

/// `input` with some changes, with parts of `other` in it at times.
pub fn mutated(dice: &mut Dice, input: &[u8], other: &[u8]) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..1 << dice.below(4) {
        change(dice, &mut bytes, other);
    }
    bytes.truncate(LENGTH_MAX);
    bytes
}

/// Half of the changes are near the front, where the lengths are.
fn place(dice: &mut Dice, length: usize) -> usize {
    match dice.below(2) {
        0 => dice.below(length.min(256)),
        _ => dice.below(length),
    }
}

fn change(dice: &mut Dice, bytes: &mut Vec<u8>, other: &[u8]) {
    let at = place(dice, bytes.len());
    let span = (1 << dice.below(12)).min(bytes.len() - at);
    match dice.below(10) {
        0 | 1 if !bytes.is_empty() => bytes[at] ^= 1 << dice.below(8),
        2 if !bytes.is_empty() => bytes[at] = dice.roll() as u8,
        3 | 4 => overwrite(bytes, at, &number(dice)),
        5 => overwrite(bytes, at, dice.of::<&[u8]>(&WORDS)),
        6 => drop(bytes.drain(at..at + span)),
        7 => {
            let copy = bytes[at..at + span].to_vec();
            bytes.splice(at..at, copy);
        }
        8 if !other.is_empty() => {
            let from = dice.below(other.len());
            let length = (1 << dice.below(12)).min(other.len() - from);
            bytes.splice(at..at, other[from..from + length].iter().copied());
        }
        _ => bytes.truncate(at),
    }
}

fn number(dice: &mut Dice) -> Vec<u8> {
    let near = dice.of(&BOUNDARIES).wrapping_add(dice.below(3) as u64).wrapping_sub(1);
    let width = *dice.of(&[1, 2, 4, 5, 8]);
    match dice.below(2) {
        0 => near.to_le_bytes()[..width].to_vec(),
        _ => near.to_be_bytes()[8 - width..].to_vec(),
    }
}

fn overwrite(bytes: &mut [u8], at: usize, with: &[u8]) {
    let end = (at + with.len()).min(bytes.len());
    let count = end - at;
    bytes[at..end].copy_from_slice(&with[..count]);
}
