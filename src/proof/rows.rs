//! The rows of every table, read back and compared with the rows inside the archive.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::future::try_join_all;

use crate::archive::Toc;
use crate::digest::{Digest, RowHash};
use crate::event::{EventKind, Events};
use crate::postgres::{self, Session, quote_identifier, quote_literal};
use crate::proof::Error;
use crate::proof::dumping::Dumping;
use crate::proof::fingerprint::{Fingerprint, Name, Sourced, TablePrint};
use crate::proof::reading::{self, Manner, Reading};
use crate::proof::relations::Catalogue;
use crate::proof::sampled::{self, Sampled, Sampling};
use crate::proof::stretches::{Back, Unread, Work};
use crate::restore::{Restored, RowHashes, RowsSeen, Scratch, TableLoaded, Unsteady};

/// How a table came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Row for row.
    Equal,
    /// Row for row, but for the columns that could not be compared.
    EqualInPart,
    /// With as many rows, of which a sample is the archive's.
    Sampled,
    /// With other rows.
    Different,
    /// Not at all.
    Missing,
    /// It could not be told.
    NotComparable,
}

/// One table, or one partitioned table whose partitions were loaded through its root.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// Its qualified name.
    pub name: String,
    /// How it came back.
    pub state: State,
    /// The rows inside the archive; `None` for a table that only the stamp knows.
    pub stream: Option<RowHash>,
    /// Their size as COPY text.
    pub stream_bytes: u64,
    /// The rows that were read back, if all were.
    pub restored: Option<RowHash>,
    /// What was read back, where that was a sample.
    pub sampled: Option<Sampled>,
    /// The digest of the list of columns that was hashed.
    pub columns: Option<Digest>,
    /// What the stamp says of it.
    pub sourced: Sourced,
    /// The rows that were read back, written as the stamp's were, where the archive's were
    /// written otherwise.
    pub as_stamped: Option<RowHash>,
    /// All of these hashes are of rows with what is not steady in one form, or left out.
    pub steady: bool,
    /// Columns whose values are left out of all of these hashes, and so not compared.
    pub not_compared: Vec<String>,
}

impl Comparison {
    /// Whether other rows came back than the archive holds, whatever a stamp says.
    pub fn has_other_rows(&self) -> bool {
        let both = self.stream.zip(self.restored);
        self.state == State::Different && both.is_some_and(|(stream, restored)| stream != restored)
    }
}

/// Compares every table of the archive over `jobs` connections, and, where there is a stamp,
/// with what the `source` held.
///
/// # Errors
/// The scratch would not be read at all. A table that alone can't be read is not comparable.
pub async fn compare(
    toc: &Toc,
    restored: &Restored,
    source: Option<&Fingerprint>,
    scratch: &Scratch,
    jobs: usize,
    events: &Events,
) -> Result<Vec<Comparison>, Error> {
    let session = reading::open(scratch).await?;
    let Subjects { subjects, reads_stretches, beside } =
        subjects(toc, restored, source, scratch, &session).await?;
    let readings = subjects.iter().map(|subject| subject.reading.as_ref());
    let work = Arc::new(Work::new(readings, reads_stretches));
    let connection = |_| read_back(&subjects, work.clone(), scratch, events);
    try_join_all((0..jobs.max(1)).map(connection)).await?;
    let mut comparisons = Vec::with_capacity(subjects.len());
    for (index, subject) in subjects.iter().enumerate() {
        comparisons.push(subject.conclude(work.outcome(index), &session).await?);
    }
    comparisons.extend(beside);
    for comparison in &comparisons {
        let equal = matches!(comparison.state, State::Equal | State::Sampled | State::EqualInPart);
        events.emit(EventKind::TableCompared { table: comparison.name.as_str().into(), equal });
    }
    Ok(comparisons)
}

/// Everything whose rows are compared.
pub struct Subjects {
    /// One after the other, by name.
    pub subjects: Vec<Subject>,
    /// Whether the server finds the pages of a stretch without reading the others.
    pub reads_stretches: bool,
    /// Tables of the source whose rows are not in the archive.
    beside: Vec<Comparison>,
}

/// What is compared, and how it is read.
///
/// # Errors
/// The scratch would not be read.
pub async fn subjects(
    toc: &Toc,
    restored: &Restored,
    source: Option<&Fingerprint>,
    scratch: &Scratch,
    session: &Session,
) -> Result<Subjects, Error> {
    let of_major = toc.header.server_major().unwrap_or(u32::MAX);
    let catalogue = Catalogue::read(session, scratch.server_major(), of_major).await?;
    let dumping = Dumping::infer(toc, restored, scratch, session).await?;
    let majors_differ = of_major != scratch.server_major();
    let parts = gather(restored);
    let direct = partitions_loaded_directly(&catalogue, &parts);
    let against = Against::new(source, toc, &parts, session).await?;
    let surroundings =
        Surroundings { catalogue: &catalogue, direct: &direct, toc, dumping: &dumping, majors_differ };
    let subject = |part| Subject::new(part, &surroundings, &against);
    let mut subjects: Vec<Subject> = parts.iter().map(subject).collect();
    if sampled::can_be_read(restored, session).await? {
        for (subject, part) in subjects.iter_mut().zip(&parts) {
            let (sourced, columns) = (&subject.sourced, subject.columns_digest);
            subject.sampling = Sampling::of(part.first, &part.seen, sourced, columns);
        }
    }
    let beside = against.beside(&parts);
    Ok(Subjects { subjects, reads_stretches: catalogue.reads_stretches, beside })
}

/// What the restored rows are compared with beside those of the archive.
struct Against<'s> {
    source: Option<&'s Fingerprint>,
    /// Whether the stamp's rows are in the encoding of the archive's.
    same_encoding: bool,
    /// The manner of the stamp's rows, if the scratch can write in it.
    manner: Option<Manner>,
    /// Parts that are tables of their own.
    directly: BTreeSet<Name>,
}

impl<'s> Against<'s> {
    async fn new(
        source: Option<&'s Fingerprint>,
        toc: &Toc,
        parts: &[Part<'_>],
        session: &Session,
    ) -> Result<Against<'s>, Error> {
        let direct = parts.iter().filter(|part| !part.first.through_root);
        let mut against = Against {
            source,
            same_encoding: source.is_some_and(|source| source.encoding == toc.encoding.name()),
            manner: None,
            directly: direct.map(|part| part.key.clone()).collect(),
        };
        if let Some(source) = source
            && reading::knows_zone(session, &source.manner.time_zone).await?
        {
            let mut manner = source.manner.clone();
            if let Some(monetary) = &manner.monetary
                && !reading::knows_monetary(session, monetary).await?
            {
                manner.monetary = None;
            }
            against.manner = Some(manner);
        }
        Ok(against)
    }

    fn part(&self, part: &Part<'_>) -> Sourced {
        let Some(source) = self.source else { return Sourced::NoStamp };
        let sourced = source.table(&part.key, part.first.through_root, &self.directly);
        let comparable = self.same_encoding && (self.manner.is_some() || part.first.shape.is_manner_free());
        match sourced {
            Sourced::Known(..) if !comparable => Sourced::LeftOut,
            sourced => sourced,
        }
    }

    /// Tables of the source whose rows are not in the archive.
    fn beside(&self, parts: &[Part<'_>]) -> Vec<Comparison> {
        let Some(source) = self.source else { return Vec::new() };
        let roots = parts.iter().filter(|part| part.first.through_root);
        let roots: BTreeSet<Name> = roots.map(|part| part.key.clone()).collect();
        let missing = |(name, table): (&Name, &TablePrint)| Comparison {
            name: format!("{}.{}", name.0, name.1),
            state: State::Missing,
            stream: None,
            stream_bytes: 0,
            restored: None,
            sampled: None,
            columns: None,
            sourced: Sourced::Known(table.hashes(), table.columns),
            as_stamped: None,
            steady: false,
            not_compared: Vec::new(),
        };
        source.tables_beside(&self.directly, &roots).map(missing).collect()
    }
}

/// The OIDs of partitions that were loaded as tables of their own, parted by commas: what
/// went through a root is everything below it but those.
fn partitions_loaded_directly(catalogue: &Catalogue, parts: &[Part<'_>]) -> String {
    let direct = parts.iter().filter(|part| !part.first.through_root);
    let relations =
        direct.filter_map(|part| catalogue.relations.get(&part.key)).filter(|relation| relation.partition);
    relations.map(|relation| relation.oid.to_string()).collect::<Vec<_>>().join(",")
}

/// What is compared as one: a table, or all entries that went through one root.
struct Part<'a> {
    key: (String, String),
    first: &'a TableLoaded,
    seen: RowsSeen,
}

fn gather(restored: &Restored) -> Vec<Part<'_>> {
    let mut parts: BTreeMap<(String, String), Part<'_>> = BTreeMap::new();
    for table in &restored.tables {
        let part = parts.entry(table.table.clone()).or_insert_with(|| Part {
            key: table.table.clone(),
            first: table,
            seen: RowsSeen::default(),
        });
        part.seen.merge(table.seen.clone());
    }
    parts.into_values().collect()
}

/// What is the same for every part.
struct Surroundings<'a> {
    catalogue: &'a Catalogue,
    direct: &'a str,
    toc: &'a Toc,
    dumping: &'a Dumping,
    majors_differ: bool,
}

/// A part with what the restored catalogue says of it.
pub struct Subject {
    /// Its qualified name.
    pub name: String,
    /// The OID of the restored table; 0 if there is none.
    pub oid: u32,
    /// The names of the columns that are compared.
    pub columns: Vec<String>,
    /// None: no such table was restored.
    pub reading: Option<Reading>,
    /// In which its rows may have been written.
    pub manners: Vec<Manner>,
    seen: RowsSeen,
    columns_digest: Digest,
    sourced: Sourced,
    /// The first manner is that of the stamp, and need not be that of the archive.
    stamped_first: bool,
    /// Whether every column whose text differs may well be the same all the same.
    excused: bool,
    /// The sample that is read of it, where that is enough.
    sampling: Option<Sampling>,
}

impl Subject {
    fn new(part: &Part<'_>, around: &Surroundings<'_>, against: &Against<'_>) -> Subject {
        let Surroundings { catalogue, direct, toc, dumping, majors_differ } = around;
        let shape = &part.first.shape;
        let relation = catalogue.relations.get(&part.key);
        let columns = match (&part.first.target, relation) {
            (Some(target), _) if !part.first.through_root => target.columns.as_deref().unwrap_or_default(),
            (_, relation) => relation.map(|relation| relation.columns.as_slice()).unwrap_or_default(),
        };
        let quoted = columns.iter().map(|name| quote_identifier(name)).collect::<Vec<_>>().join(", ");
        let table = format!("{}.{}", quote_identifier(&part.key.0), quote_identifier(&part.key.1));
        let condition = match part.first.through_root {
            true => Some(format!("WHERE tableoid <> ALL ('{{{direct}}}'::pg_catalog.oid[])")),
            false => catalogue.conditions.get(&part.key).filter(|_| part.first.made_elsewhere).cloned(),
        };
        let reading = relation.map(|relation| Reading {
            from: if relation.partitioned { table.clone() } else { format!("ONLY {table}") },
            columns: quoted.clone(),
            names: columns.to_vec(),
            condition: condition.unwrap_or_default(),
            pages: relation.pages,
            encoding: quote_literal(toc.encoding.name()),
            unsteady: relation.unsteady_of(columns),
        });
        let sourced = against.part(part);
        let mut manners = dumping.manners(shape);
        let of_stamp = against.manner.clone().filter(|_| matches!(sourced, Sourced::Known(..)));
        let of_stamp = of_stamp.filter(|_| !shape.is_manner_free());
        let stamped_first = of_stamp.is_some();
        if let Some(mut of_stamp) = of_stamp {
            // What the stamp's rows were written in and is not to be had is left as the dump's.
            of_stamp.monetary = of_stamp.monetary.or_else(|| manners.first()?.monetary.clone());
            manners.retain(|manner| *manner != of_stamp);
            manners.insert(0, of_stamp);
        }
        let excused = |unsteady: Unsteady| match unsteady.is_money() {
            true => !dumping.writes_amounts(),
            false => *majors_differ,
        };
        Subject {
            name: format!("{}.{}", part.key.0, part.key.1),
            oid: relation.map_or(0, |relation| relation.oid),
            columns: columns.to_vec(),
            reading,
            manners,
            seen: part.seen.clone(),
            columns_digest: Digest::of(quoted.as_bytes()),
            sourced,
            stamped_first,
            excused: shape.unsteady.iter().all(|(_, unsteady)| !unsteady.is_left_out() || excused(unsteady)),
            sampling: None,
        }
    }

    /// How it came back, for what was read of it. What differs in a sample or in number is read
    /// whole first.
    async fn conclude(&self, outcome: Result<Back, Unread>, session: &Session) -> Result<Comparison, Error> {
        let mut outcome = outcome;
        if let (Some(sampling), Ok(back)) = (&self.sampling, outcome) {
            let equal = sampling.equal(back.hashes.whole, back.rows);
            if let Some(sampled) = equal.filter(|_| back.rows == self.seen.hash.rows()) {
                return Ok(self.proven_by(sampled));
            }
            outcome = self.read_whole(session).await?;
        }
        let first = outcome.map(|back| back.hashes);
        let mut outcome = first;
        if let Ok(hashes) = &mut outcome
            && hashes.whole != self.seen.hash
        {
            *hashes = self.try_other_manners(session, *hashes).await?;
        }
        Ok(self.judge(outcome, first))
    }

    fn proven_by(&self, sampled: Sampled) -> Comparison {
        let whole = self.judge(Err(Unread::Refused), Err(Unread::Refused));
        Comparison { state: State::Sampled, sampled: Some(sampled), ..whole }
    }

    /// All of its rows, in the manner that fits best.
    async fn read_whole(&self, session: &Session) -> Result<Result<Back, Unread>, Error> {
        let Some(reading) = &self.reading else { return Ok(Err(Unread::Missing)) };
        if let Some(manner) = self.manners.first() {
            reading::adopt(session, manner).await?;
        }
        match reading::hash_of(session, reading, None, None, |_| {}).await {
            Ok(hashes) => Ok(Ok(hashes.into())),
            Err(error) if error.kind() == postgres::Kind::Statement => Ok(Err(Unread::Refused)),
            Err(error) => Err(error.into()),
        }
    }

    /// The manner was inferred from values, and several may fit: equality in any is equality.
    async fn try_other_manners(&self, session: &Session, first: RowHashes) -> Result<RowHashes, Error> {
        let Some(reading) = &self.reading else { return Ok(first) };
        let mut best = first;
        for manner in self.manners.iter().skip(1) {
            reading::adopt(session, manner).await?;
            let hashes = reading::hash_of(session, reading, None, None, |_| {}).await?;
            if hashes.whole == self.seen.hash {
                return Ok(hashes);
            }
            if best.steady != self.seen.steady && hashes.steady == self.seen.steady {
                best = hashes;
            }
        }
        Ok(best)
    }

    /// How it came back, for what was read of it in the manner that fits best, and in the `first`.
    fn judge(&self, outcome: Result<RowHashes, Unread>, first: Result<RowHashes, Unread>) -> Comparison {
        let as_stamped = first.ok().filter(|first| self.stamped_first && Ok(*first) != outcome);
        let whole = outcome.is_ok_and(|back| self.is_equal(back, as_stamped, |hashes| hashes.whole));
        let unsteady = self.reading.as_ref().is_some_and(|reading| !reading.unsteady.is_empty());
        let steady = !whole && unsteady && self.excused;
        let pick: Pick = if steady { |hashes| hashes.steady } else { |hashes| hashes.whole };
        let not_compared: Vec<String> = self.left_out().filter(|_| steady).collect();
        let state = match outcome {
            Err(Unread::Missing) => State::Missing,
            Err(Unread::Refused) => State::NotComparable,
            Ok(back) if !self.is_equal(back, as_stamped, pick) => State::Different,
            Ok(_) if not_compared.is_empty() => State::Equal,
            Ok(_) => State::EqualInPart,
        };
        Comparison {
            name: self.name.clone(),
            state,
            stream: Some(pick(self.seen.hashes())),
            stream_bytes: self.seen.hash.bytes(),
            restored: outcome.ok().map(pick),
            columns: Some(self.columns_but(&not_compared)),
            sampled: None,
            sourced: self.sourced.clone(),
            as_stamped: as_stamped.map(pick),
            steady,
            not_compared,
        }
    }

    /// Whether what came back is what the archive holds, and the stamp, if there is one, says the
    /// same.
    fn is_equal(&self, back: RowHashes, as_stamped: Option<RowHashes>, pick: Pick) -> bool {
        let seen = pick(self.seen.hashes());
        let of_source = match &self.sourced {
            Sourced::NoStamp | Sourced::LeftOut => true,
            Sourced::Unknown => false,
            Sourced::Known(hashes, columns) => {
                pick(*hashes) == as_stamped.map_or(seen, pick) && *columns == self.columns_digest
            }
        };
        pick(back) == seen && of_source
    }

    /// The columns whose values have no one form.
    fn left_out(&self) -> impl Iterator<Item = String> {
        let fields = self.reading.iter().flat_map(|reading| reading.unsteady.iter());
        let left_out = fields.filter(|(_, unsteady)| unsteady.is_left_out());
        left_out.filter_map(|(place, _)| self.columns.get(place).cloned())
    }

    /// The digest of the list of columns without those.
    fn columns_but(&self, left_out: &[String]) -> Digest {
        let rest = self.columns.iter().filter(|name| !left_out.contains(name));
        Digest::of(rest.map(|name| quote_identifier(name)).collect::<Vec<_>>().join(", ").as_bytes())
    }
}

/// Which of two hashes counts.
type Pick = fn(RowHashes) -> RowHash;

/// One connection's share of the reading.
async fn read_back(
    subjects: &[Subject],
    work: Arc<Work>,
    scratch: &Scratch,
    events: &Events,
) -> Result<(), Error> {
    let session = reading::open(scratch).await?;
    let mut adopted = None;
    while let Some((index, stretch)) = work.next() {
        let Some(subject) = subjects.get(index) else { continue };
        let Some(reading) = &subject.reading else { continue };
        let manner = subject.manners.first();
        if let Some(manner) = manner.filter(|_| adopted != manner) {
            reading::adopt(&session, manner).await?;
            adopted = Some(manner);
        }
        let tell = |rows| events.emit(EventKind::RowsReadBack { rows });
        let read = match &subject.sampling {
            None => {
                let read = reading::hash_of(&session, reading, stretch, None, tell).await;
                read.map(Back::from)
            }
            Some(sampling) => sampling.read(&session, reading, stretch).await.inspect(|back| tell(back.rows)),
        };
        match read {
            Ok(back) => work.add(index, Ok(back)),
            Err(error) if error.kind() == postgres::Kind::Statement => work.add(index, Err(Unread::Refused)),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
