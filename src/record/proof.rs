//! What was proven: the rows, and the plan's own questions.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::stamp::Between;
use crate::record::value::{Millis, Observed, Sha256};

/// The name of the row hash: the sum modulo 2^256 of the SHA-256 of each COPY text line.
pub const ROW_HASH: &str = "firedrill-copy-sha256-sum-v1";

/// Whether the rows that came back are the rows of the backup.
///
/// `tables_expected = equal + sampled + counted + different + missing + not_comparable`, and
/// `tables_compared = equal + sampled + counted + different`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fidelity {
    /// What the restored rows were compared with.
    pub compared_to: ComparedTo,
    /// The name of the hash.
    pub row_hash: String,
    /// Tables whose rows should have come back.
    pub tables_expected: u64,
    /// Those that were compared.
    pub tables_compared: u64,
    /// Those whose rows and hash are equal.
    pub tables_equal: u64,
    /// Those whose rows were counted alike, and of which a sample is equal.
    pub tables_sampled: u64,
    /// Those whose rows were counted alike, but could not be hashed alike, or not with every column.
    pub tables_counted: u64,
    /// Those whose rows differ.
    pub tables_different: u64,
    /// Those that are not in the restored database.
    pub tables_missing: u64,
    /// Those that could not be compared.
    pub tables_not_comparable: u64,
    /// Columns that could not be compared, of all tables.
    pub columns_not_compared: u64,
    /// Rows of the expected tables.
    pub rows_total: u64,
    /// Their size as COPY text, without newlines, where they are read as such.
    pub bytes_total: u64,
    /// How many of the rows were hashed and compared.
    pub coverage: Coverage,
    /// The sample that was asked for in place of all rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sample: Option<SampleOf>,
    /// Large objects of the archive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub large_objects: Option<Compared>,
    /// Sequences of the archive, by the value they continue from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequences: Option<Compared>,
    /// Each expected table.
    pub tables: Vec<TableRecord>,
}

impl Fidelity {
    /// The proof that `tables` are, with every sum made; large objects and sequences are
    /// left absent.
    pub fn of(compared_to: ComparedTo, tables: Vec<TableRecord>) -> Fidelity {
        let count = |state: TableState| tables.iter().filter(|table| table.state == state).count() as u64;
        let [equal, sampled, counted, different] =
            [TableState::Equal, TableState::Sampled, TableState::Counted, TableState::Different].map(count);
        let sum =
            |figures: &mut dyn Iterator<Item = Option<u64>>| figures.flatten().fold(0, u64::saturating_add);
        let total_rows = sum(&mut tables.iter().map(|table| table.rows));
        let total_bytes = sum(&mut tables.iter().map(|table| table.bytes));
        Fidelity {
            compared_to,
            row_hash: ROW_HASH.to_owned(),
            tables_expected: tables.len() as u64,
            tables_compared: equal + sampled + counted + different,
            tables_equal: equal,
            tables_sampled: sampled,
            tables_counted: counted,
            tables_different: different,
            tables_missing: count(TableState::Missing),
            tables_not_comparable: count(TableState::NotComparable),
            columns_not_compared: tables.iter().map(|table| table.columns_not_compared.len() as u64).sum(),
            rows_total: total_rows,
            bytes_total: total_bytes,
            coverage: Coverage {
                compared_rows: sum(&mut tables.iter().map(|table| table.hashed().map(|(rows, _)| rows))),
                total_rows,
                compared_bytes: sum(&mut tables.iter().map(|table| table.hashed().map(|(_, bytes)| bytes))),
                total_bytes,
            },
            sample: None,
            large_objects: None,
            sequences: None,
            tables,
        }
    }
}

/// What the restored rows were compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ComparedTo {
    /// The rows inside the archive.
    ArchiveStream,
    /// The rows inside the archive, and the source's stamp.
    SourceStamp,
}

/// A sample of the rows of large tables, in place of all of them.
///
/// A row is in it if `hashtextextended(KEY::text, seed) & 4294967295` is below
/// `share_ppm * 4294967296 / 1000000`, where KEY is the column in `tables[].sample.by`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SampleOf {
    /// The share of the rows that was wanted, in millionths; what came of it is in `coverage`.
    pub share_ppm: u64,
    /// What the hash of each key begins with.
    pub seed: u64,
}

/// A fraction of the rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Coverage {
    /// Rows that were hashed on both sides and found equal.
    pub compared_rows: u64,
    /// Rows there are.
    pub total_rows: u64,
    /// The size of the former as COPY text, without newlines.
    pub compared_bytes: u64,
    /// The size of the latter.
    pub total_bytes: u64,
}

impl Coverage {
    /// Whether rows were left out: never to be called all.
    pub fn is_partial(&self) -> bool {
        self.compared_rows < self.total_rows
    }

    /// The share of the rows that was compared, in hundredths of a percent, rounded down.
    pub fn share_bp(&self) -> u64 {
        let share =
            u128::from(self.compared_rows).saturating_mul(10_000).checked_div(u128::from(self.total_rows));
        share.and_then(|share| u64::try_from(share).ok()).unwrap_or(0)
    }
}

/// A class of things that are not rows of tables.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Compared {
    /// How many the archive holds.
    pub expected: u64,
    /// How many were compared.
    pub compared: u64,
    /// How many are equal.
    pub equal: u64,
}

/// One table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TableRecord {
    /// Its qualified name.
    pub name: String,
    /// How it came back.
    pub state: TableState,
    /// Its rows in the archive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// Its rows in the restored database.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restored_rows: Option<u64>,
    /// The size of its rows in the archive as COPY text, without newlines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// The row hash of the archive's stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream_hash: Option<Sha256>,
    /// The row hash of what was read back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restored_hash: Option<Sha256>,
    /// Its rows at the source, as the stamp says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stamp_rows: Option<u64>,
    /// The row hash of the stamp, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stamp_hash: Option<Sha256>,
    /// The row hash of what was read back, written as the stamp's rows were, where those of the
    /// archive were written otherwise (another time zone, another format of `bytea`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restored_as_stamped_hash: Option<Sha256>,
    /// Why a stamp that there is says nothing of the table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_stamped: Option<NotStamped>,
    /// The digest of the list of columns that were hashed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub columns_sha256: Option<Sha256>,
    /// Columns whose values are in none of the hashes, and so were not compared: how they are
    /// written depends on the server, and on its locale.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns_not_compared: Vec<String>,
    /// What was read back of it, where that was a sample; then `restored_hash` is absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sample: Option<SampledRows>,
    /// Where its rows differ, if they do and it could be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub located: Option<LocatedRows>,
    /// Why it could not be told where its rows differ from those of the archive, if they do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_narrowed: Option<NotNarrowed>,
}

/// Why it is not known which rows of a table differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NotNarrowed {
    /// So many tables differ that the others were looked into, and not this one.
    TooManyTables,
    /// Looking took longer than it may.
    Deadline,
    /// The archive or the restored database could not be read once more.
    Unreadable,
}

impl NotNarrowed {
    /// In words: `not narrowed: …`.
    pub fn words(self) -> &'static str {
        match self {
            NotNarrowed::TooManyTables => "not narrowed: too many tables differ",
            NotNarrowed::Deadline => "not narrowed: looking for the rows took too long",
            NotNarrowed::Unreadable => "not narrowed: the rows could not be read once more",
        }
    }
}

/// The rows of a table that were in the sample.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SampledRows {
    /// The column by which rows are in the sample, or not.
    pub by: String,
    /// Those of the archive.
    pub rows: u64,
    /// The size of those of the archive as COPY text, without newlines.
    pub bytes: u64,
    /// Those of the restored database.
    pub restored_rows: u64,
    /// The row hash of those of the archive.
    pub stream_hash: Sha256,
    /// The row hash of those of the restored database.
    pub restored_hash: Sha256,
}

/// Which rows of a table differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LocatedRows {
    /// Rows of the archive that did not come back.
    pub missing: u64,
    /// Rows that came back, and that the archive does not hold.
    pub extra: u64,
    /// Rows that came back with another content under the same primary key.
    pub changed: u64,
    /// Whether those are all; otherwise there are too many to be told apart.
    pub complete: bool,
    /// The first of them.
    pub rows: Vec<LocatedRow>,
}

/// A row that differs, by the hash of its key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LocatedRow {
    /// What is wrong with it.
    pub fault: RowFault,
    /// The first 96 bits of SHA-256 over the run's id, a line feed and the COPY text of its primary
    /// key; where the table has none, over the COPY text of the whole row. Who can guess a key can
    /// find it here; who can't learns nothing.
    pub key_sha256_96: String,
}

/// What a row is to the table that holds it, or should.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RowFault {
    /// It is in the archive only.
    Missing,
    /// It is in the restored table only.
    Extra,
    /// Another row has its key.
    Changed,
}

impl LocatedRows {
    /// How many rows, in words: `1 row missing, 2 changed`.
    pub fn words(&self) -> String {
        let all = [(self.missing, "missing"), (self.extra, "extra"), (self.changed, "changed")];
        let told: Vec<String> = all
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        match (self.complete, told.is_empty()) {
            (true, _) => format!("rows: {}", told.join(", ")),
            (false, false) => format!("rows: {} and more", told.join(", ")),
            (false, true) => "rows: too many to be told apart".to_owned(),
        }
    }
}

/// Why a stamp says nothing of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NotStamped {
    /// It leaves the table out, or holds it in a form that can't be compared.
    LeftOut,
    /// It does not know the table.
    Unknown,
}

impl TableRecord {
    /// How many rows and bytes were hashed on both sides and found equal.
    fn hashed(&self) -> Option<(u64, u64)> {
        match (self.state, &self.sample) {
            (TableState::Equal, _) => Some((self.rows.unwrap_or(0), self.bytes.unwrap_or(0))),
            (TableState::Sampled, Some(sample)) => Some((sample.rows, sample.bytes)),
            _ => None,
        }
    }

    /// Which of source, archive and restored database differ, as their hashes tell; `None` if they
    /// don't, or it can't be told.
    pub fn between(&self) -> Option<Between> {
        let (stream, restored) = (self.stream_hash?, self.restored_hash?);
        let back = stream == restored && self.rows == self.restored_rows;
        let as_stamped = self.restored_as_stamped_hash.unwrap_or(restored);
        // The stamp's rows and the archive's are compared as one text, or by way of the restored.
        let source = match (self.not_stamped, self.stamp_hash) {
            (Some(NotStamped::Unknown), _) => Some(false),
            (Some(NotStamped::LeftOut), _) | (None, None) => None,
            (None, Some(stamp)) => Some(stamp == if back { as_stamped } else { stream }),
        };
        match (source, back) {
            (None | Some(true), false) => Some(Between::ArchiveAndRestored),
            (Some(false), true) => Some(Between::SourceAndArchive),
            (Some(false), false) => Some(Between::AllThree),
            (None | Some(true), true) => {
                (self.state == TableState::Different).then_some(Between::SourceAndArchive)
            }
        }
    }
}

/// How a table came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TableState {
    /// Row for row.
    Equal,
    /// As many rows, and those of a sample row for row.
    Sampled,
    /// As many rows, and not hashed, or hashed without the columns that could not be compared.
    Counted,
    /// With other rows.
    Different,
    /// Not at all.
    Missing,
    /// It could not be told.
    NotComparable,
}

/// The plan's own questions: `planned = executed = passed + baseline + failed + errored`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Checks {
    /// Whether the plan says that the content proof is enough.
    pub content_only: bool,
    /// Checks in the plan.
    pub planned: u64,
    /// Checks that were put.
    pub executed: u64,
    /// Those with the right answer.
    pub passed: u64,
    /// Those with one that should be compared with an earlier pass, of which there is none.
    pub baseline: u64,
    /// Those with a wrong one.
    pub failed: u64,
    /// Those without one.
    pub errored: u64,
    /// Each check that was put.
    pub items: Vec<CheckRecord>,
}

impl Checks {
    /// The checks that were put, of so many planned, with every sum made.
    pub fn of(planned: u64, content_only: bool, items: Vec<CheckRecord>) -> Checks {
        let count = |outcome| items.iter().filter(|item| item.outcome == outcome).count() as u64;
        Checks {
            content_only,
            planned,
            executed: items.len() as u64,
            passed: count(CheckOutcome::Pass),
            baseline: count(CheckOutcome::Baseline),
            failed: count(CheckOutcome::Fail),
            errored: count(CheckOutcome::Error),
            items,
        }
    }
}

/// One question, and its answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckRecord {
    /// Its name in the plan.
    pub name: String,
    /// What it asks.
    pub kind: CheckKind,
    /// How it was answered.
    pub outcome: CheckOutcome,
    /// The digest of its SQL, command or address, which itself never enters the record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub question_sha256: Option<Sha256>,
    /// What was expected, as the plan words it.
    pub expected: String,
    /// What was answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed: Option<Observed>,
    /// The answer of the earlier pass that it was compared with, where the plan asks for that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<Observed>,
    /// The digest of what a command wrote, which itself is not kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_sha256: Option<Sha256>,
    /// How much a command wrote.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_bytes: Option<u64>,
    /// Why there is no answer: the server's five-character code or a word of ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// How long it took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<Millis>,
}

/// What a check asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CheckKind {
    /// Whether a scalar is as expected.
    Expect,
    /// Whether the newest of something is new enough, and not in the future.
    Newest,
    /// How many rows a table has.
    Rows,
    /// Whether rows lack the row that their foreign keys name.
    NoOrphans,
    /// Whether sequences are behind the column that they belong to.
    SequenceAhead,
    /// How a program ends that has the scratch before it.
    Command,
    /// What an address answers.
    Http,
}

/// How a check was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CheckOutcome {
    /// As expected.
    Pass,
    /// With a value that should be compared with an earlier pass, of which there is none.
    Baseline,
    /// Otherwise.
    Fail,
    /// Not at all.
    Error,
}
