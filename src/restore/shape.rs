//! The shape of a table's rows: which fields tell the dumping session's settings, and in
//! which order a partitioned root wants them hashed.

use crate::digest::RowHash;
use crate::restore::sample::SampledBy;
use crate::restore::unsteady::{Amounts, RowHashes, Unsteady, UnsteadyFields};
use crate::restore::zone::ZoneSamples;

/// What is known of a table's columns before its rows come.
#[derive(Clone, Debug, Default)]
pub struct RowShape {
    /// Fields (from 0) of type `timestamptz`.
    pub instants: Vec<usize>,
    /// Fields (from 0) of a type that holds `timestamptz` inside: arrays, ranges, rows, domains.
    pub nested_instants: Vec<usize>,
    /// Fields (from 0) of type `bytea`.
    pub binaries: Vec<usize>,
    /// Fields (from 0) of a type that holds `bytea` inside.
    pub nested_binaries: Vec<usize>,
    /// Fields whose text is not the same everywhere.
    pub unsteady: UnsteadyFields,
    /// For rows that go through a partitioned root: the field that stands at each place of
    /// the root's own column order.
    pub order: Option<Vec<usize>>,
    /// The key of the sample that may be taken of it.
    pub sampled_by: Option<SampledBy>,
}

/// What was seen of a table's rows.
#[derive(Clone, Debug, Default)]
pub struct RowsSeen {
    /// Their hash and number.
    pub hash: RowHash,
    /// Their hash with what is not steady in one form; of no rows where everything is.
    pub steady: RowHash,
    /// Some of the amounts of money among them.
    pub amounts: Amounts,
    /// The hash and number of those in the sample.
    pub sampled: RowHash,
    /// What they say of the dumping session's time zone.
    pub zones: ZoneSamples,
    /// What stands inside of other values and looks as if it said so, too.
    pub nested_zones: ZoneSamples,
    /// Whether a `bytea` was written in the escape format.
    pub bytea_escape: bool,
}

impl RowsSeen {
    /// Both hashes of them.
    pub fn hashes(&self) -> RowHashes {
        RowHashes { whole: self.hash, steady: self.steady }
    }

    fn add(&mut self, row: &[u8], unsteady: &UnsteadyFields) {
        self.hash.add(row);
        if !unsteady.is_empty() {
            self.steady.add(&unsteady.steady(row));
        }
    }

    /// Adds what was seen elsewhere.
    pub fn merge(&mut self, other: RowsSeen) {
        self.hash.merge(&other.hash);
        self.steady.merge(&other.steady);
        self.amounts.merge(&other.amounts);
        self.sampled.merge(&other.sampled);
        self.zones.merge(&other.zones);
        self.nested_zones.merge(&other.nested_zones);
        self.bytea_escape |= other.bytea_escape;
    }
}

impl RowShape {
    /// Takes a piece of whole rows, each ended by a newline.
    pub fn take(&self, piece: &[u8], seen: &mut RowsSeen) {
        let mut rest = piece;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let (row, after) = rest.split_at(end);
            self.take_row(row, seen);
            rest = after.get(1..).unwrap_or_default();
        }
        if !rest.is_empty() {
            self.take_row(rest, seen);
        }
    }

    /// Whether no field's text depends on settings of the session that writes it.
    pub fn is_manner_free(&self) -> bool {
        self.is_plain() && self.nested_binaries.is_empty() && !self.unsteady.has_money()
    }

    /// No field tells anything of the dumping session.
    fn is_plain(&self) -> bool {
        self.instants.is_empty() && self.nested_instants.is_empty() && self.binaries.is_empty()
    }

    /// The unsteady fields by their place in the order in which rows are hashed.
    pub fn unsteady_as_hashed(&self) -> UnsteadyFields {
        let Some(order) = &self.order else { return self.unsteady.clone() };
        let fields = order.iter().enumerate();
        let fields = fields.filter_map(|(place, field)| Some((place, self.unsteady.at(*field)?)));
        UnsteadyFields::new(fields.collect())
    }

    fn take_row(&self, row: &[u8], seen: &mut RowsSeen) {
        if self.sampled_by.as_ref().is_some_and(|by| by.holds(row)) {
            seen.sampled.add(row);
        }
        if self.order.is_none() && self.is_plain() && self.unsteady.is_empty() {
            seen.hash.add(row);
            return;
        }
        for (index, field) in row.split(|byte| *byte == b'\t').enumerate() {
            if self.instants.contains(&index) {
                seen.zones.take(field);
            } else if self.nested_instants.contains(&index) {
                seen.nested_zones.take_inside(field);
            } else if self.binaries.contains(&index) && field != b"\\N" {
                // In the hex format even an empty value has the prefix.
                seen.bytea_escape |= !field.starts_with(b"\\\\x");
            } else if self.unsteady.at(index) == Some(Unsteady::Money) {
                seen.amounts.take(field);
            }
        }
        match &self.order {
            None => seen.add(row, &self.unsteady),
            Some(order) if self.unsteady.is_empty() => seen.hash.add(&reordered(row, order)),
            Some(order) => seen.add(&reordered(row, order), &self.unsteady_as_hashed()),
        }
    }
}

/// The row with its fields in another order.
pub fn reordered(row: &[u8], order: &[usize]) -> Vec<u8> {
    let fields: Vec<&[u8]> = row.split(|byte| *byte == b'\t').collect();
    let mut out = Vec::with_capacity(row.len());
    for (place, field) in order.iter().enumerate() {
        if place > 0 {
            out.push(b'\t');
        }
        out.extend_from_slice(fields.get(*field).copied().unwrap_or_default());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(shape: &RowShape, piece: &str) -> RowsSeen {
        let mut seen = RowsSeen::default();
        shape.take(piece.as_bytes(), &mut seen);
        seen
    }

    #[test]
    fn rows_are_counted_by_their_newlines() {
        let plain = RowShape::default();
        for (piece, rows) in [("", 0), ("1\n", 1), ("1\n2\n", 2), ("\n\n", 2), ("1", 1)] {
            assert_eq!(seen(&plain, piece).hash.rows(), rows, "{piece:?}");
        }
    }

    #[test]
    fn partitions_with_other_column_orders_hash_alike() {
        let plain = RowShape::default();
        let turned = RowShape { order: Some(vec![1, 0, 2]), ..RowShape::default() };
        assert_eq!(seen(&plain, "a\tb\tc\n").hash, seen(&turned, "b\ta\tc\n").hash);
        assert_ne!(seen(&plain, "a\tb\tc\n").hash, seen(&turned, "a\tb\tc\n").hash);
    }

    #[test]
    fn the_escape_format_of_bytea_shows() {
        let shape = RowShape { binaries: vec![1], ..RowShape::default() };
        for (piece, escape) in
            [("1\t\\\\x00ff\n", false), ("1\t\\N\n", false), ("1\t\n", true), ("1\tabc\n", true)]
        {
            assert_eq!(seen(&shape, piece).bytea_escape, escape, "{piece:?}");
        }
    }
}
