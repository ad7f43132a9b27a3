//! Which table is a partition of which.

use std::collections::{HashMap, HashSet};

use crate::archive::entry::Entry;

/// The partition trees of an archive. pg_dump makes what is built on a partitioned table
/// depend on that table alone, though it acts on the rows of all its descendants: who
/// schedules by dependencies has to add them from here.
#[derive(Clone, Debug, Default)]
pub struct Partitions {
    children: HashMap<u32, Vec<u32>>,
    parents: HashMap<u32, u32>,
}

impl Partitions {
    pub(super) fn new(entries: &[Entry]) -> Partitions {
        let mut partitions = Partitions::default();
        for entry in entries.iter().filter(|entry| entry.kind == "TABLE ATTACH") {
            // Both are tables of this archive, or the pair says nothing.
            if let [child, parent, ..] = entry.dependencies[..] {
                partitions.attach(child, parent);
            }
        }
        partitions.add_inline(entries);
        partitions
    }

    /// Up to PostgreSQL 13 there are no TABLE ATTACH entries: the partition's own definition
    /// attaches it, and all that its entry tells is that it depends on its parent.
    fn add_inline(&mut self, entries: &[Entry]) {
        let tables: HashSet<u32> = entries.iter().filter(|e| e.kind == "TABLE").map(|e| e.id).collect();
        let attaches = |entry: &&Entry| {
            let definition = &entry.definition;
            tables.contains(&entry.id)
                && (definition.contains(" ATTACH PARTITION ") || definition.contains(" PARTITION OF "))
        };
        for entry in entries.iter().filter(attaches) {
            for parent in entry.dependencies.iter().filter(|id| tables.contains(id)) {
                self.attach(entry.id, *parent);
            }
        }
    }

    fn attach(&mut self, child: u32, parent: u32) {
        self.children.entry(parent).or_default().push(child);
        self.parents.entry(child).or_insert(parent);
    }

    /// Whether anything is attached to the table with this id.
    pub fn is_parent(&self, table: u32) -> bool {
        self.children.contains_key(&table)
    }

    /// The ids of the partitions of the table with this id, and of theirs, each once.
    pub fn descendants(&self, table: u32) -> Vec<u32> {
        let mut found = Vec::new();
        let mut seen = HashSet::from([table]);
        let mut open = vec![table];
        while let Some(parent) = open.pop() {
            for child in self.children.get(&parent).into_iter().flatten() {
                if seen.insert(*child) {
                    found.push(*child);
                    open.push(*child);
                }
            }
        }
        found
    }

    /// The id of the topmost table above the one with this id; its own where nothing is.
    pub fn root(&self, table: u32) -> u32 {
        let mut seen = HashSet::from([table]);
        let mut root = table;
        while let Some(parent) = self.parents.get(&root) {
            if !seen.insert(*parent) {
                break;
            }
            root = *parent;
        }
        root
    }

    /// Every table that something is attached to, in no order.
    pub fn parents(&self) -> impl Iterator<Item = u32> + '_ {
        self.children.keys().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::entry::{DataPosition, Section};

    fn entry(id: u32, kind: &str, definition: &str, dependencies: Vec<u32>) -> Entry {
        Entry {
            id,
            has_data: false,
            table_oid: 0,
            oid: 0,
            tag: "part".into(),
            kind: kind.into(),
            section: Section::PreData,
            definition: definition.into(),
            drop: String::new(),
            copy: None,
            namespace: None,
            tablespace: None,
            access_method: None,
            relkind: None,
            owner: None,
            dependencies,
            position: DataPosition::NoData,
        }
    }

    fn attach(id: u32, dependencies: Vec<u32>) -> Entry {
        entry(id, "TABLE ATTACH", "", dependencies)
    }

    #[test]
    fn a_partition_may_be_attached_by_its_own_definition() {
        let entries = [
            entry(5, "SCHEMA", "CREATE SCHEMA app;", vec![]),
            entry(1, "TABLE", "CREATE TABLE app.p (a int) PARTITION BY LIST (a);", vec![5]),
            entry(
                2,
                "TABLE",
                "CREATE TABLE app.c ();\nALTER TABLE ONLY app.p ATTACH PARTITION app.c DEFAULT;",
                vec![5, 1],
            ),
            entry(3, "TABLE", "CREATE TABLE app.d PARTITION OF app.p\nFOR VALUES IN (1);", vec![1, 5]),
            entry(4, "TABLE", "CREATE TABLE app.e () INHERITS (app.p);", vec![1]),
        ];
        let partitions = Partitions::new(&entries);
        assert_eq!(partitions.descendants(1), [2, 3]);
        assert_eq!(partitions.root(3), 1);
        assert!(!partitions.is_parent(5));
    }

    #[test]
    fn descendants_reach_through_all_levels() {
        let entries =
            [attach(10, vec![2, 1]), attach(11, vec![3, 2]), attach(12, vec![4, 2]), attach(13, vec![9])];
        let partitions = Partitions::new(&entries);
        let mut descendants = partitions.descendants(1);
        descendants.sort_unstable();
        assert_eq!(descendants, [2, 3, 4]);
        assert!(partitions.is_parent(2) && !partitions.is_parent(3));
        assert_eq!(partitions.root(4), 1);
        assert!(partitions.descendants(9).is_empty());
    }

    #[test]
    fn a_circle_of_partitions_ends() {
        let partitions = Partitions::new(&[attach(10, vec![2, 1]), attach(11, vec![1, 2])]);
        assert_eq!(partitions.descendants(1), [2]);
        assert!([1, 2].contains(&partitions.root(1)));
    }
}
