//! The order of everything that waits: which entry may run now, beside those that are running.
//!
//! Pure: it is told what has finished and answers what may start. The rules are those that
//! pg_restore's parallel mode follows, plus the dependencies that pg_dump forgets to write
//! down for partitioned tables, without which rows are changed by triggers that come too early.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::Range;

use crate::archive::{Entry, Section, Toc};
use crate::restore::policy::{Disposition, Pass, builds_index, waits_for_all_rows};
use crate::restore::steps::Step;

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
    /// Whether its index is of a key: rows are mostly in the order of one, and so the sooner
    /// sorted.
    key: bool,
    /// How much of it is run next.
    step: Step,
    /// Bytes of the largest table whose rows it goes through.
    rows_bytes: u64,
    /// The same of everything that waits for it, too: the longest work is kept waiting least.
    weight: u64,
}

/// The order of what is ready: by pass, the heaviest first, of those the one that takes longest.
type Rank = (Pass, Reverse<(u64, u64)>, bool, usize, u32);

impl Node {
    fn rank(&self, id: u32) -> Rank {
        (self.pass, Reverse((self.weight, self.rows_bytes)), self.key, self.position, id)
    }

    /// Two entries conflict if one locks a table that the other needs.
    fn conflicts(&self, other: &Node) -> bool {
        (self.exclusive || other.exclusive) && !self.tables.is_disjoint(&other.tables)
    }
}

/// Which entries may run.
#[derive(Debug)]
pub struct Schedule {
    nodes: HashMap<u32, Node>,
    /// Who waits for an entry.
    waiting: HashMap<u32, Vec<u32>>,
    /// Entries that wait for nothing any more, the heaviest first.
    ready: BTreeSet<Rank>,
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

    /// Has the keys of tables on which anything else is built run in two steps, where they can
    /// be, so that their indexes are built beside the others.
    pub fn split_keys(&mut self, toc: &Toc) {
        let builds = || toc.entries.iter().filter(|entry| builds_index(entry));
        let mut on_table: HashMap<u32, usize> = HashMap::new();
        for entry in builds().filter(|entry| self.nodes.contains_key(&entry.id)) {
            for needed in &entry.dependencies {
                *on_table.entry(*needed).or_default() += 1;
            }
        }
        let partitions = toc.partitions();
        for entry in builds() {
            let Some(node) = self.nodes.get_mut(&entry.id) else { continue };
            let beside = |table: &u32| on_table.get(table).is_some_and(|builds| *builds > 1);
            if !node.tables.iter().any(beside) {
                continue;
            }
            if let Some(first) = Step::first_of_two(entry, toc, &partitions) {
                (node.step, node.exclusive) = (first, false);
            }
        }
    }

    /// How many entries run.
    pub fn running(&self) -> usize {
        self.running.len()
    }

    /// How many entries wait or run.
    pub fn left(&self) -> usize {
        self.nodes.len()
    }

    /// Whether an entry could be started now, those left aside that go through so many bytes of rows.
    pub fn has_next(&self, put_off: &Range<u64>) -> bool {
        self.next(put_off).is_some()
    }

    /// The rows of a table weigh this much: what depends on them is chosen accordingly, and
    /// what that waits for in its turn.
    pub fn weigh(&mut self, rows_entry: u32, bytes: u64) {
        let mut heavier = self.waiting.get(&rows_entry).cloned().unwrap_or_default();
        for id in &heavier {
            // What waits for rows is not ready yet: its place among those that are stays.
            if let Some(node) = self.nodes.get_mut(id) {
                node.rows_bytes = node.rows_bytes.max(bytes);
            }
        }
        while let Some(id) = heavier.pop() {
            let Some(node) = self.nodes.get_mut(&id).filter(|node| node.weight < bytes) else { continue };
            let was_ready = self.ready.remove(&node.rank(id));
            node.weight = bytes;
            if was_ready {
                self.ready.insert(node.rank(id));
            }
            heavier.extend(&node.open);
        }
    }

    /// Bytes of the largest table whose rows this entry goes through, as far as is known.
    pub fn rows_bytes(&self, id: u32) -> u64 {
        self.nodes.get(&id).map_or(0, |node| node.rows_bytes)
    }

    /// Takes the heaviest entry that may run beside those that are running, those left aside that
    /// go through so many bytes of rows.
    pub fn start_next(&mut self, put_off: &Range<u64>) -> Option<(u32, Step)> {
        let id = self.next(put_off)?;
        let node = self.nodes.get(&id)?;
        self.ready.remove(&node.rank(id));
        self.running.insert(id);
        Some((id, node.step.clone()))
    }

    /// The first step of an entry went well: it is ready for the other one, which nothing else
    /// may run beside on its tables.
    pub fn built(&mut self, id: u32) {
        let Some(node) = self.nodes.get_mut(&id) else { return };
        let Some(step) = node.step.then() else { return };
        (node.step, node.exclusive, node.key) = (step, true, false);
        self.running.remove(&id);
        self.ready.insert(node.rank(id));
    }

    /// How many entries could be started now, one beside the other; no more than `most` are
    /// looked for.
    pub fn startable(&self, most: usize) -> usize {
        let Some(pass) = self.pass() else { return 0 };
        let mut beside: Vec<&Node> = Vec::new();
        for (.., id) in self.ready.iter().filter(|(of, ..)| *of == pass) {
            if beside.len() == most || (pass == Pass::Grants && !beside.is_empty()) {
                break;
            }
            let Some(node) = self.nodes.get(id) else { continue };
            if self.is_free(*id, pass) && !beside.iter().any(|other| node.conflicts(other)) {
                beside.push(node);
            }
        }
        beside.len()
    }

    /// An entry, or the rows of a table, are done, well or badly.
    pub fn finish(&mut self, id: u32) {
        self.running.remove(&id);
        if let Some(node) = self.nodes.remove(&id) {
            self.left[node.pass as usize] -= 1;
            self.ready.remove(&node.rank(id));
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
            self.ready.insert(node.rank(id));
        }
    }

    fn next(&self, put_off: &Range<u64>) -> Option<u32> {
        let pass = self.pass()?;
        let mut of_pass = self.ready.iter().filter(|(of, ..)| *of == pass).map(|(.., id)| *id);
        let alone = self.running.is_empty() && self.streaming.is_empty();
        of_pass
            .find(|id| !put_off.contains(&self.rows_bytes(*id)) && self.is_free(*id, pass))
            .or_else(|| if alone { self.first_of_a_cycle(pass) } else { None })
    }

    /// The pass that entries may be started of.
    fn pass(&self) -> Option<Pass> {
        let pass = [Pass::Main, Pass::Grants, Pass::Refresh]
            .into_iter()
            .find(|pass| self.left[*pass as usize] > 0)?;
        (pass == Pass::Main || self.streaming.is_empty()).then_some(pass)
    }

    /// Whether an entry gets into the way of none that runs.
    fn is_free(&self, id: u32, pass: Pass) -> bool {
        // Grants are made one at a time: two of them may want the same row of a catalogue.
        self.running.is_empty() || (pass != Pass::Grants && !self.conflicts(id))
    }

    fn conflicts(&self, id: u32) -> bool {
        let Some(node) = self.nodes.get(&id) else { return false };
        self.running.iter().filter_map(|other| self.nodes.get(other)).any(|other| node.conflicts(other))
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
            key: entry.kind == "CONSTRAINT",
            step: Step::Whole,
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

    fn entry(name: &str, kind: &str, sql: &str) -> String {
        format!("--\n-- Name: {name}; Type: {kind}; Schema: s; Owner: me\n--\n\n{sql}\n\n")
    }

    fn table(name: &str) -> String {
        entry(name, "TABLE", &format!("CREATE TABLE s.{name} (id integer);"))
    }

    fn rows(name: &str) -> String {
        let heading = format!("--\n-- Data for Name: {name}; Type: TABLE DATA; Schema: s; Owner: me\n--\n\n");
        format!("{heading}COPY s.{name} (id) FROM stdin;\n1\n\\.\n\n\n")
    }

    fn index(name: &str) -> String {
        let sql = format!("CREATE INDEX {name}_index ON s.{name} USING btree (id);");
        entry(&format!("{name}_index"), "INDEX", &sql)
    }

    fn constraint(name: &str, kind: &str, what: &str) -> String {
        let sql = format!("ALTER TABLE ONLY s.{name}\n    ADD CONSTRAINT x {what};");
        entry(&format!("{name} x"), kind, &sql)
    }

    /// The schedule of a script of these entries.
    fn scheduled(entries: &[String]) -> (Toc, Schedule) {
        let script = [SCRIPT, &entries.concat(), END].concat();
        let (toc, ..) = survey_plain(script.as_bytes(), 100).unwrap();
        let dispositions = decide(&toc, 18, crate::restore::Rules::drill()).unwrap();
        let schedule = Schedule::new(&toc, &dispositions);
        (toc, schedule)
    }

    /// The same when all rows are in and keys are run in two steps.
    fn split(entries: &[String]) -> (Toc, Schedule) {
        let (toc, mut schedule) = scheduled(entries);
        schedule.split_keys(&toc);
        for entry in toc.entries.iter().filter(|entry| entry.has_data) {
            schedule.finish(entry.id);
        }
        (toc, schedule)
    }

    /// Everything that may be started now, one beside the other: its name and the step.
    fn start_all(toc: &Toc, schedule: &mut Schedule) -> Vec<(u32, String)> {
        let mut started = Vec::new();
        while let Some((id, step)) = schedule.start_next(&(0..0)) {
            let step = match step {
                Step::Whole => "",
                Step::Build(_) => "build of ",
                Step::Attach(_) => "attach of ",
            };
            started.push((id, format!("{step}{}", toc.entry(id).unwrap().tag)));
        }
        started
    }

    fn names(started: &[(u32, String)]) -> Vec<&str> {
        started.iter().map(|(_, name)| name.as_str()).collect()
    }

    /// Three tables with rows and an index each, two of them with keys and a reference from the
    /// large one to the small one. What is started, one after the other, where their rows are of
    /// so many bytes.
    fn started(bytes: [u64; 3]) -> Vec<String> {
        let (toc, mut schedule) = scheduled(&[
            TABLES.map(table).concat(),
            TABLES.map(rows).concat(),
            constraint("large", "FK CONSTRAINT", "FOREIGN KEY (id) REFERENCES s.small(id)"),
            TABLES.map(index).concat(),
            constraint("small", "CONSTRAINT", "PRIMARY KEY (id)"),
        ]);
        for (name, bytes) in TABLES.iter().zip(bytes) {
            let rows = toc.entries.iter().find(|entry| entry.has_data && entry.tag == *name).unwrap().id;
            schedule.weigh(rows, bytes);
            schedule.finish(rows);
        }
        let mut started = Vec::new();
        while let Some((id, _)) = schedule.start_next(&(0..0)) {
            started.push(toc.entry(id).unwrap().tag.clone());
            schedule.finish(id);
        }
        assert_eq!(schedule.left(), 0);
        started
    }

    /// Two tables with rows, an index on one of them, a key of it as `what` says, and a reference
    /// to it.
    fn referred(what: &str) -> Vec<String> {
        vec![
            ["small", "large"].map(table).concat(),
            ["small", "large"].map(rows).concat(),
            constraint("small", "CONSTRAINT", what),
            index("small"),
            constraint("large", "FK CONSTRAINT", "FOREIGN KEY (id) REFERENCES s.small(id)"),
        ]
    }

    #[test]
    fn the_index_of_a_key_is_built_beside_others_and_made_the_key_when_none_is_built() {
        let (toc, mut schedule) = split(&referred("PRIMARY KEY (id)"));
        assert_eq!(schedule.startable(8), 2);
        let builds = start_all(&toc, &mut schedule);
        assert_eq!(names(&builds), ["small_index", "build of small x"]);
        assert_eq!((schedule.left(), schedule.startable(8)), (3, 0));

        schedule.built(builds[1].0);
        assert!(!schedule.has_next(&(0..0)), "the other index is being built");
        schedule.weigh(builds[1].0, 7);
        schedule.finish(builds[0].0);
        assert_eq!((schedule.left(), schedule.startable(8)), (2, 1));
        let attach = start_all(&toc, &mut schedule);
        assert_eq!(names(&attach), ["attach of small x"]);

        assert!(!schedule.has_next(&(0..0)), "what refers to the key waits for it");
        schedule.finish(attach[0].0);
        assert_eq!(names(&start_all(&toc, &mut schedule)), ["large x"]);
        assert_eq!(schedule.left(), 1);
    }

    #[test]
    fn a_key_whose_index_could_not_be_built_is_over() {
        let (toc, mut schedule) = split(&referred("UNIQUE (id)"));
        let builds = start_all(&toc, &mut schedule);
        for (id, _) in &builds {
            schedule.finish(*id);
        }
        assert_eq!(builds.len(), 2);
        assert_eq!(names(&start_all(&toc, &mut schedule)), ["large x"]);
        assert_eq!(schedule.left(), 1);
    }

    #[test]
    fn keys_that_gain_nothing_by_it_or_are_more_than_an_index_are_run_whole() {
        let alone = [table("small"), rows("small"), constraint("small", "CONSTRAINT", "PRIMARY KEY (id)")];
        let two = [&alone[..], &[constraint("small", "CONSTRAINT", "UNIQUE (id)")]].concat();
        let mut tall = two.clone();
        tall[0] = tall[0].replace("integer)", "integer)\nPARTITION BY LIST (id)");
        let cases = [
            (&alone[..], &["small x"][..]),
            (&two[..], &["build of small x", "build of small x"]),
            (&tall[..], &["small x"]),
            // Beside another index only the first of two steps would be begun.
            (&referred("UNIQUE (id) DEFERRABLE"), &["small_index"]),
            (&referred("UNIQUE (id) INCLUDE (a)"), &["small_index"]),
        ];
        for (entries, expected) in cases {
            let (toc, mut schedule) = split(entries);
            assert_eq!(names(&start_all(&toc, &mut schedule)), expected, "{}", entries.concat());
        }
    }

    #[test]
    fn what_was_done_before_is_not_started() {
        let (toc, mut schedule) = split(&referred("PRIMARY KEY (id)"));
        let key = toc.entries.iter().find(|entry| entry.tag == "small x").unwrap().id;
        schedule.finish(key);
        assert_eq!(names(&start_all(&toc, &mut schedule)), ["small_index"]);
    }

    #[test]
    fn what_the_heaviest_waits_for_comes_first_and_references_come_behind_the_indexes() {
        let of_the_pair = ["large_index", "small_index", "small x", "large x"];
        let of_the_other_order = ["small_index", "small x", "large_index", "large x"];
        let cases = [
            // Indexes of the small table are waited for by the reference of the large one.
            ([1, 100, 50], [&of_the_pair[..], &["other_index"]].concat()),
            ([100, 1, 50], [&of_the_other_order[..], &["other_index"]].concat()),
            ([1, 100, 500], [&["other_index"], &of_the_pair[..]].concat()),
            // Where nothing is known, the order is the archive's; keys come behind.
            ([0, 0, 0], vec!["small_index", "large_index", "other_index", "small x", "large x"]),
        ];
        for (bytes, expected) in cases {
            assert_eq!(started(bytes), expected, "{bytes:?}");
        }
    }
}
