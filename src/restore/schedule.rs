//! The order of everything that waits: which entry may run now, beside those that are running.
//!
//! Pure: it is told what has finished and answers what may start. The rules are those that
//! pg_restore's parallel mode follows, plus the dependencies that pg_dump forgets to write
//! down for partitioned tables, without which rows are changed by triggers that come too early.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap, HashSet};

use crate::archive::{Entry, Section, Toc};
use crate::restore::policy::{Disposition, Pass, builds_index, waits_for_all_rows};

/// An entry that waits for others.
#[derive(Debug)]
struct Node {
    /// Position in the table of contents, which breaks ties.
    position: usize,
    pass: Pass,
    /// What it still waits for.
    open: HashSet<u32>,
    /// Whether it also waits for every row of the archive.
    after_all_rows: bool,
    /// The tables, and the entries of their rows, that it depends on.
    tables: HashSet<u32>,
    /// Whether it locks those tables against everything else; plain index builds share them.
    exclusive: bool,
    /// Bytes of the largest table whose rows it goes through.
    rows_bytes: u64,
    /// The same of everything that waits for it, too: the longest work is kept waiting least.
    weight: u64,
}

impl Node {
    fn key(&self, id: u32) -> (Pass, Reverse<u64>, usize, u32) {
        (self.pass, Reverse(self.weight), self.position, id)
    }
}

/// Which entries may run.
#[derive(Debug)]
pub struct Schedule {
    nodes: HashMap<u32, Node>,
    /// Who waits for an entry.
    waiting: HashMap<u32, Vec<u32>>,
    /// Entries that wait for nothing any more, the heaviest first.
    ready: BTreeSet<(Pass, Reverse<u64>, usize, u32)>,
    running: HashSet<u32>,
    /// Entries of the stream (rows, large objects) that are not complete yet.
    streaming: HashSet<u32>,
    /// How many entries of each pass are left.
    left: [usize; 3],
}

impl Schedule {
    /// The schedule of everything that is not run before the rows.
    pub fn new(toc: &Toc, dispositions: &[Disposition]) -> Schedule {
        let builder = Builder::new(toc, dispositions);
        let nodes = builder.nodes();
        let mut waiting: HashMap<u32, Vec<u32>> = HashMap::new();
        let mut left = [0; 3];
        for (id, node) in &nodes {
            left[node.pass as usize] += 1;
            for need in &node.open {
                waiting.entry(*need).or_default().push(*id);
            }
        }
        let mut schedule = Schedule {
            nodes,
            waiting,
            ready: BTreeSet::new(),
            running: HashSet::new(),
            streaming: builder.streaming,
            left,
        };
        let ids: Vec<u32> = schedule.nodes.keys().copied().collect();
        for id in ids {
            schedule.make_ready(id);
        }
        schedule
    }

    /// How many entries wait or run.
    pub fn left(&self) -> usize {
        self.nodes.len()
    }

    /// Whether an entry could be started now.
    pub fn has_next(&self) -> bool {
        self.next().is_some()
    }

    /// The rows of a table weigh this much: what depends on them is chosen accordingly, and
    /// what that waits for in its turn.
    pub fn weigh(&mut self, rows_entry: u32, bytes: u64) {
        let mut heavier = self.waiting.get(&rows_entry).cloned().unwrap_or_default();
        for id in &heavier {
            if let Some(node) = self.nodes.get_mut(id) {
                node.rows_bytes = node.rows_bytes.max(bytes);
            }
        }
        while let Some(id) = heavier.pop() {
            let Some(node) = self.nodes.get_mut(&id).filter(|node| node.weight < bytes) else { continue };
            let was_ready = self.ready.remove(&node.key(id));
            node.weight = bytes;
            if was_ready {
                self.ready.insert(node.key(id));
            }
            heavier.extend(&node.open);
        }
    }

    /// Bytes of the largest table whose rows this entry goes through, as far as is known.
    pub fn rows_bytes(&self, id: u32) -> u64 {
        self.nodes.get(&id).map_or(0, |node| node.rows_bytes)
    }

    /// Takes the heaviest entry that may run beside those that are running.
    pub fn start_next(&mut self) -> Option<u32> {
        let id = self.next()?;
        if let Some(node) = self.nodes.get(&id) {
            self.ready.remove(&node.key(id));
        }
        self.running.insert(id);
        Some(id)
    }

    /// An entry, or the rows of a table, are done, well or badly.
    pub fn finish(&mut self, id: u32) {
        self.running.remove(&id);
        if let Some(node) = self.nodes.remove(&id) {
            self.left[node.pass as usize] -= 1;
        }
        for waiter in self.waiting.remove(&id).unwrap_or_default() {
            if let Some(node) = self.nodes.get_mut(&waiter) {
                node.open.remove(&id);
            }
            self.make_ready(waiter);
        }
        if self.streaming.remove(&id) && self.streaming.is_empty() {
            let held: Vec<u32> =
                self.nodes.iter().filter(|(_, node)| node.after_all_rows).map(|(id, _)| *id).collect();
            for id in held {
                self.make_ready(id);
            }
        }
    }

    fn make_ready(&mut self, id: u32) {
        let Some(node) = self.nodes.get(&id) else { return };
        let held = node.after_all_rows && !self.streaming.is_empty();
        if node.open.is_empty() && !held && !self.running.contains(&id) {
            self.ready.insert(node.key(id));
        }
    }

    fn next(&self) -> Option<u32> {
        let pass = [Pass::Main, Pass::Grants, Pass::Refresh]
            .into_iter()
            .find(|pass| self.left[*pass as usize] > 0)?;
        if pass > Pass::Main && !self.streaming.is_empty() {
            return None;
        }
        let of_pass = self.ready.iter().filter(|(of, ..)| *of == pass).map(|(.., id)| *id);
        let alone = self.running.is_empty() && self.streaming.is_empty();
        // Grants are made one at a time: two of them may want the same row of a catalogue.
        let free = |id: &u32| self.running.is_empty() || (pass != Pass::Grants && !self.conflicts(*id));
        of_pass.clone().find(free).or_else(|| if alone { self.first_of_a_cycle(pass) } else { None })
    }

    /// Two entries conflict if one locks a table that the other needs.
    fn conflicts(&self, id: u32) -> bool {
        let Some(node) = self.nodes.get(&id) else { return false };
        self.running
            .iter()
            .filter_map(|other| self.nodes.get(other))
            .any(|other| (node.exclusive || other.exclusive) && !node.tables.is_disjoint(&other.tables))
    }

    /// Entries that wait for each other are run one by one at the end, in their order.
    fn first_of_a_cycle(&self, pass: Pass) -> Option<u32> {
        let left = self.nodes.iter().filter(|(_, node)| node.pass == pass);
        left.min_by_key(|(_, node)| node.position).map(|(id, _)| *id)
    }
}

/// What is looked up while the nodes are made.
struct Builder<'a> {
    toc: &'a Toc,
    dispositions: &'a [Disposition],
    /// Table entry → the entry that holds its rows.
    rows_of_table: HashMap<u32, u32>,
    streaming: HashSet<u32>,
    /// Partitioned table → its partitions, however deep.
    below: HashMap<u32, Vec<u32>>,
    /// Table → the indexes that are built on it.
    indexes: HashMap<u32, Vec<u32>>,
}

impl<'a> Builder<'a> {
    fn new(toc: &'a Toc, dispositions: &'a [Disposition]) -> Builder<'a> {
        let mut rows_of_table = HashMap::new();
        let mut streaming = HashSet::new();
        for (entry, disposition) in toc.entries.iter().zip(dispositions).filter(|(entry, _)| entry.has_data) {
            match disposition {
                Disposition::Rows(rows) => {
                    streaming.insert(entry.id);
                    rows_of_table.extend(rows.table_entry.map(|table| (table, entry.id)));
                }
                Disposition::LargeObjects => {
                    streaming.insert(entry.id);
                }
                _ => {}
            }
        }
        let partitions = toc.partitions();
        let below = partitions.parents().map(|parent| (parent, partitions.descendants(parent))).collect();
        let mut indexes: HashMap<u32, Vec<u32>> = HashMap::new();
        for entry in toc.entries.iter().filter(|entry| builds_index(entry)) {
            for dependency in &entry.dependencies {
                indexes.entry(*dependency).or_default().push(entry.id);
            }
        }
        Builder { toc, dispositions, rows_of_table, streaming, below, indexes }
    }

    fn nodes(&self) -> HashMap<u32, Node> {
        let entries = || self.toc.entries.iter().zip(self.dispositions).enumerate();
        let mut known = self.streaming.clone();
        known.extend(
            entries().filter(|(_, (_, d))| matches!(d, Disposition::After(_))).map(|(_, (e, _))| e.id),
        );
        entries()
            .filter_map(|(position, (entry, disposition))| match disposition {
                Disposition::After(pass) => Some((entry.id, self.node(position, entry, *pass, &known))),
                _ => None,
            })
            .collect()
    }

    fn node(&self, position: usize, entry: &Entry, pass: Pass, known: &HashSet<u32>) -> Node {
        let mut needs: HashSet<u32> = entry.dependencies.iter().copied().collect();
        let post_data = entry.section == Section::PostData;
        if post_data {
            for dependency in &entry.dependencies {
                needs.extend(self.rows_of_table.get(dependency));
                let partitions = self.below.get(dependency).into_iter().flatten();
                needs.extend(
                    partitions.flat_map(|table| [Some(table), self.rows_of_table.get(table)]).flatten(),
                );
                // A foreign key locks out the builds of indexes, and is checked faster with them.
                if entry.kind == "FK CONSTRAINT" {
                    needs.extend(self.indexes.get(dependency).into_iter().flatten());
                }
            }
        }
        let is_table = |id: &u32| {
            let kind = self.toc.entry(*id).map(|entry| entry.kind.as_str());
            matches!(kind, Some("TABLE" | "TABLE DATA"))
        };
        Node {
            position,
            pass,
            open: needs.iter().filter(|id| known.contains(id) && **id != entry.id).copied().collect(),
            after_all_rows: post_data && waits_for_all_rows(entry),
            tables: if post_data { needs.into_iter().filter(is_table).collect() } else { HashSet::new() },
            exclusive: post_data && entry.kind != "INDEX",
            rows_bytes: 0,
            weight: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::survey_plain;
    use crate::restore::policy::decide;

    const SCRIPT: &str = "--\n-- PostgreSQL database dump\n--\n\nSET client_encoding = 'UTF8';\n\n";
    const END: &str = "--\n-- PostgreSQL database dump complete\n--\n\n";

    const TABLES: [&str; 3] = ["small", "large", "other"];

    /// Three tables with rows and an index each, two of them with keys and a reference from the
    /// large one to the small one. What is started, one after the other, where their rows are of
    /// so many bytes.
    fn started(bytes: [u64; 3]) -> Vec<String> {
        let entry = |name: &str, kind: &str, sql: &str| {
            format!("--\n-- Name: {name}; Type: {kind}; Schema: s; Owner: me\n--\n\n{sql}\n\n")
        };
        let table = |name: &str| entry(name, "TABLE", &format!("CREATE TABLE s.{name} (id integer);"));
        let rows = |name: &str| {
            let heading =
                format!("--\n-- Data for Name: {name}; Type: TABLE DATA; Schema: s; Owner: me\n--\n\n");
            format!("{heading}COPY s.{name} (id) FROM stdin;\n1\n\\.\n\n\n")
        };
        let index = |name: &str| {
            let sql = format!("CREATE INDEX {name}_index ON s.{name} USING btree (id);");
            entry(&format!("{name}_index"), "INDEX", &sql)
        };
        let constraint = |name: &str, kind: &str, what: &str| {
            let sql = format!("ALTER TABLE ONLY s.{name}\n    ADD CONSTRAINT x {what};");
            entry(&format!("{name} x"), kind, &sql)
        };
        let script = [
            SCRIPT.to_owned(),
            TABLES.map(table).concat(),
            TABLES.map(rows).concat(),
            constraint("large", "FK CONSTRAINT", "FOREIGN KEY (id) REFERENCES s.small(id)"),
            TABLES.map(index).concat(),
            constraint("small", "CONSTRAINT", "PRIMARY KEY (id)"),
            END.to_owned(),
        ]
        .concat();
        let (toc, ..) = survey_plain(script.as_bytes(), 100).unwrap();
        let dispositions = decide(&toc, 18, crate::restore::Rules::drill()).unwrap();
        let mut schedule = Schedule::new(&toc, &dispositions);
        for (name, bytes) in TABLES.iter().zip(bytes) {
            let rows = toc.entries.iter().find(|entry| entry.has_data && entry.tag == *name).unwrap().id;
            schedule.weigh(rows, bytes);
            schedule.finish(rows);
        }
        let mut started = Vec::new();
        while let Some(id) = schedule.start_next() {
            started.push(toc.entry(id).unwrap().tag.clone());
            schedule.finish(id);
        }
        assert_eq!(schedule.left(), 0);
        started
    }

    #[test]
    fn what_the_heaviest_waits_for_comes_first_and_references_come_behind_the_indexes() {
        let of_the_pair = ["small_index", "large_index", "small x", "large x"];
        let cases = [
            // Indexes of the small table are waited for by the reference of the large one.
            ([1, 100, 50], [&of_the_pair[..], &["other_index"]].concat()),
            ([100, 1, 50], [&of_the_pair[..], &["other_index"]].concat()),
            ([1, 100, 500], [&["other_index"], &of_the_pair[..]].concat()),
            // Where nothing is known, the order is the archive's.
            ([0, 0, 0], vec!["small_index", "large_index", "other_index", "small x", "large x"]),
        ];
        for (bytes, expected) in cases {
            assert_eq!(started(bytes), expected, "{bytes:?}");
        }
    }
}
