//! What a source held in one snapshot: the third number that must be one with those of the
//! archive and of the restored database.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::digest::{Digest, RowHash};
use crate::proof::inventory::Item;
use crate::proof::reading::Manner;
use crate::restore::RowHashes;

/// Schema and name, unquoted.
pub type Name = (String, String);

/// What a source held, hashed as the proof hashes what came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    /// The major version of its server.
    pub server_major: u32,
    /// In which its rows were written to be hashed.
    pub manner: Manner,
    /// In which encoding they were, as PostgreSQL calls it.
    pub encoding: String,
    /// Every table that was read; a partition is a table of its own.
    pub tables: BTreeMap<Name, TablePrint>,
    /// Tables that were left out on purpose, each with the root of its partition tree.
    pub left_out: BTreeMap<Name, Option<Name>>,
    /// Sequences; `None` if they were left out.
    pub sequences: Option<BTreeMap<Name, SequencePrint>>,
    /// Large objects; `None` if they were left out.
    pub large_objects: Option<LargeObjectsPrint>,
    /// Every object by its definition; `None` if the dump leaves some out.
    pub objects: Option<Vec<Item>>,
    /// What freshness checks of the plan found.
    pub newest: Vec<NewestPrint>,
}

/// What a freshness check of the plan found at the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewestPrint {
    /// Its name.
    pub check: String,
    /// The digest of its SQL.
    pub question: Digest,
    /// The newest moment, to a millisecond.
    pub moment: Timestamp,
}

/// A table of the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TablePrint {
    /// The root of the partition tree that it belongs to.
    pub root: Option<Name>,
    /// Its rows.
    pub hash: RowHash,
    /// The digest of the list of columns that was hashed.
    pub columns: Digest,
    /// Its rows with what is not steady in one form, if anything in them is not.
    pub steady: Option<SteadyPrint>,
}

/// The rows of a table with what is not steady in one form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SteadyPrint {
    /// The rows.
    pub hash: RowHash,
    /// The columns whose text is not the same everywhere.
    pub columns: Vec<String>,
}

impl TablePrint {
    /// Both hashes of its rows.
    pub fn hashes(&self) -> RowHashes {
        let steady = self.steady.as_ref().map(|steady| steady.hash).unwrap_or_default();
        RowHashes { whole: self.hash, steady }
    }
}

/// Where a sequence stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SequenceValue {
    /// Its last value.
    pub value: i64,
    /// Whether that was handed out already.
    pub called: bool,
}

/// A sequence, which no snapshot holds: where it stood before the dump began, and after it was over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SequencePrint {
    /// Before the dump.
    pub before: SequenceValue,
    /// After it.
    pub after: SequenceValue,
}

impl SequencePrint {
    /// Whether a dump in between may have seen `value`.
    pub fn allows(&self, value: SequenceValue) -> bool {
        if self.before == self.after {
            return value == self.before;
        }
        let ends = [self.before.value, self.after.value];
        let (least, most) = (ends.iter().min(), ends.iter().max());
        least.is_some_and(|least| *least <= value.value) && most.is_some_and(|most| value.value <= *most)
    }
}

/// The large objects of the source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LargeObjectsPrint {
    /// Their hash and number.
    pub hash: RowHash,
    /// Their bytes in all.
    pub bytes: u64,
}

/// What the source says of what is compared as one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sourced {
    /// Nothing: there is no stamp.
    NoStamp,
    /// The stamp leaves it out on purpose, or holds it in a form that can't be compared.
    LeftOut,
    /// The stamp does not know such a table.
    Unknown,
    /// Its rows, and the digest of the list of columns that was hashed.
    Known(RowHashes, Digest),
}

impl Fingerprint {
    /// What it says of a table, or, for rows that went through a root, of all partitions of it
    /// but those that went `directly`.
    pub fn table(&self, name: &Name, through_root: bool, directly: &BTreeSet<Name>) -> Sourced {
        if !through_root {
            return match self.tables.get(name) {
                Some(table) => Sourced::Known(table.hashes(), table.columns),
                None if self.left_out.contains_key(name) => Sourced::LeftOut,
                None => Sourced::Unknown,
            };
        }
        if self.left_out.values().any(|root| root.as_ref() == Some(name)) {
            return Sourced::LeftOut;
        }
        let below = |(leaf, table): &(&Name, &TablePrint)| {
            table.root.as_ref() == Some(name) && !directly.contains(*leaf)
        };
        let mut sum = RowHashes::default();
        let mut columns = None;
        for (_, table) in self.tables.iter().filter(below) {
            sum.merge(&table.hashes());
            if *columns.get_or_insert(table.columns) != table.columns {
                return Sourced::LeftOut;
            }
        }
        columns.map_or(Sourced::Unknown, |columns| Sourced::Known(sum, columns))
    }

    /// The tables it knows that are neither among `seen` nor below one of the `roots`: their rows
    /// are missing from the archive.
    pub fn tables_beside<'s>(
        &'s self,
        seen: &'s BTreeSet<Name>,
        roots: &'s BTreeSet<Name>,
    ) -> impl Iterator<Item = (&'s Name, &'s TablePrint)> {
        let below = |table: &TablePrint| table.root.as_ref().is_some_and(|root| roots.contains(root));
        self.tables.iter().filter(move |(name, table)| !seen.contains(*name) && !below(table))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sequence_that_moved_while_it_was_dumped_allows_what_lies_between() {
        let at = |value, called| SequenceValue { value, called };
        let quiet = SequencePrint { before: at(5, true), after: at(5, true) };
        let busy = SequencePrint { before: at(1, false), after: at(9, true) };
        let falling = SequencePrint { before: at(-1, true), after: at(-9, true) };
        let table = [
            (quiet, at(5, true), true),
            (quiet, at(5, false), false),
            (quiet, at(6, true), false),
            (busy, at(1, false), true),
            (busy, at(9, true), true),
            (busy, at(10, true), false),
            (busy, at(0, true), false),
            (falling, at(-4, true), true),
            (falling, at(0, true), false),
        ];
        for (print, value, allowed) in table {
            assert_eq!(print.allows(value), allowed, "{print:?} {value:?}");
        }
    }

    #[test]
    fn rows_that_went_through_a_root_are_those_of_its_partitions() {
        let name = |name: &str| ("s".to_owned(), name.to_owned());
        let table = |root: Option<&str>, row: &str, columns: &str| {
            let mut hash = RowHash::default();
            hash.add(row.as_bytes());
            TablePrint { root: root.map(name), hash, columns: Digest::of(columns.as_bytes()), steady: None }
        };
        let mut print = Fingerprint {
            server_major: 17,
            manner: Manner { time_zone: "UTC".into(), bytea_escape: false, monetary: None },
            encoding: "UTF8".into(),
            tables: BTreeMap::from([
                (name("a"), table(Some("root"), "1", "id")),
                (name("b"), table(Some("root"), "2", "id")),
                (name("other"), table(None, "3", "id")),
            ]),
            left_out: BTreeMap::new(),
            sequences: None,
            large_objects: None,
            objects: None,
            newest: Vec::new(),
        };
        let none = BTreeSet::new();
        let Sourced::Known(both, _) = print.table(&name("root"), true, &none) else { panic!() };
        assert_eq!(both.whole.rows(), 2);
        let directly = BTreeSet::from([name("b")]);
        let Sourced::Known(one, _) = print.table(&name("root"), true, &directly) else { panic!() };
        assert_eq!(one.whole, print.tables[&name("a")].hash);
        assert_eq!(print.table(&name("nobody"), false, &none), Sourced::Unknown);
        let roots = BTreeSet::from([name("root")]);
        let beside: Vec<_> = print.tables_beside(&none, &roots).map(|(name, _)| name.1.as_str()).collect();
        assert_eq!(beside, ["other"]);
        print.left_out.insert(name("c"), Some(name("root")));
        assert_eq!(print.table(&name("root"), true, &none), Sourced::LeftOut);
        assert_eq!(print.table(&name("c"), false, &none), Sourced::LeftOut);
    }
}
