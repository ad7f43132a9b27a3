//! Where the stored backup is damaged.

use std::ops::Range;

use crate::archive::{DataPosition, Toc};
use crate::catalog::Backup;
use crate::restore::Restored;
use crate::self_test::draw::Draw;
use crate::store::{Damage, Harm, Object};

/// The table of contents of a directory: what is damaged is its data.
const CONTENTS: &str = "toc.dat";

/// One bit turned over in the middle of its data.
pub fn flipped(draw: Draw, backup: &Backup, restored: &Restored) -> Damage {
    let (object, data) = data(backup, restored);
    let offset = middle(draw, "flip", &data);
    let bits = 1_u8 << draw.number("flip/bit", 8);
    Damage { object: object.clone(), harm: Harm::Flip { offset, bits } }
}

/// Cut off in the middle of its data.
pub fn cut(draw: Draw, backup: &Backup, restored: &Restored) -> Damage {
    let (object, data) = data(backup, restored);
    Damage { object: object.clone(), harm: Harm::Cut { bytes: middle(draw, "cut", &data) } }
}

/// The damage in words, without its object.
pub fn place(damage: &Damage) -> String {
    let all = damage.object.bytes;
    match damage.harm {
        Harm::Flip { offset, .. } => format!("byte {offset} of {all}"),
        Harm::Cut { bytes } => format!("{bytes} of {all} bytes left"),
    }
}

/// The object that holds most of the data, and where in it that lies.
fn data<'a>(backup: &'a Backup, restored: &Restored) -> (&'a Object, Range<u64>) {
    let files = backup.files.iter().filter(|file| !file.key.rsplit('/').any(|name| name == CONTENTS));
    if let Some(largest) = files.max_by_key(|file| file.bytes) {
        return (largest, 0..largest.bytes);
    }
    let object = &backup.object;
    let as_stored = restored.read.layers.is_empty();
    let range = match largest_block(&restored.toc, object.bytes).filter(|_| as_stored) {
        Some(block) => block,
        None if as_stored && restored.toc.bytes < object.bytes => restored.toc.bytes..object.bytes,
        None => 0..object.bytes,
    };
    (object, range)
}

/// The largest block of data whose place the table of contents tells.
fn largest_block(toc: &Toc, archive_bytes: u64) -> Option<Range<u64>> {
    let sizes = toc.stored_bytes(archive_bytes);
    let blocks = toc.entries.iter().filter_map(|entry| match entry.position {
        DataPosition::At(offset) => {
            let end = offset.checked_add(*sizes.get(&entry.id)?)?;
            (end <= archive_bytes).then_some(offset..end)
        }
        DataPosition::NoData | DataPosition::Unknown | DataPosition::Files => None,
    });
    blocks.max_by_key(|block| block.end.saturating_sub(block.start))
}

/// A place in the middle half of a range.
fn middle(draw: Draw, what: &str, range: &Range<u64>) -> u64 {
    let length = range.end.saturating_sub(range.start);
    let from = range.start.saturating_add(length / 4);
    from.saturating_add(draw.number(what, (length / 2).max(1)))
}
