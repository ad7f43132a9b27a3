//! The stamp as it lies beside a backup: an in-toto statement about the archive, by its digest.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::digest::RowHash;
use crate::evidence::{DigestSet, Subject};
use crate::proof::inventory::{Class, Item};
use crate::proof::{
    Fingerprint, LargeObjectsPrint, Manner, Name, NewestPrint, SequencePrint, SequenceValue, SteadyPrint,
    TablePrint,
};
use crate::record::{Extension, INTEGER_MAX, Millis, Moment, ROW_HASH, SchemaVersion, Sha256};
use crate::stamp::error::{Error, Kind};

/// The version of the predicate that this firedrill writes. Major: an older reader would
/// misread it. Minor: an optional field more.
///
/// - 1.0: the first.
pub const STAMP_VERSION: SchemaVersion = SchemaVersion { major: 1, minor: 0, patch: 0 };

/// A stamp: what the source held in the snapshot of a dump.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// What shape this is.
    #[serde(rename = "_type")]
    kind: StatementType,
    /// The one archive that was dumped in the snapshot, as it was written.
    pub subject: Vec<Subject>,
    /// What shape the predicate is.
    #[serde(rename = "predicateType")]
    predicate_type: PredicateType,
    /// What the source held.
    pub predicate: Predicate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
enum StatementType {
    #[serde(rename = "https://in-toto.io/Statement/v1")]
    V1,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
enum PredicateType {
    #[serde(rename = "https://firedrill.dev/attestation/stamp/v1")]
    V1,
}

/// What a source held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Predicate {
    /// The version of this document's shape.
    pub stamp_version: SchemaVersion,
    /// The firedrill that took it.
    pub tool_version: String,
    /// The size of the archive.
    pub archive_bytes: u64,
    /// Where it was taken.
    pub source: SourceServer,
    /// When the snapshot was taken.
    pub snapshot: Snapshot,
    /// Settings of the source that shape how values are written, as a session of the dump has them.
    pub settings: BTreeMap<String, String>,
    /// Extensions and their versions.
    pub extensions: Vec<Extension>,
    /// The name of the row hash.
    pub row_hash: String,
    /// Each table that has rows of its own.
    pub tables: Vec<Table>,
    /// Tables that were left out, and why.
    pub left_out: Vec<LeftOut>,
    /// All large objects; absent if the dump leaves them out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub large_objects: Option<LargeObjects>,
    /// Each sequence; absent if the dump leaves them out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequences: Option<Vec<Sequence>>,
    /// Each object by its definition; absent if the dump leaves some out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub objects: Option<Vec<Object>>,
    /// The newest values of the plan's freshness checks.
    pub newest: Vec<Newest>,
}

/// The server that was dumped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceServer {
    /// The identifier of its cluster, in digits; absent where the role may not ask for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system_identifier: Option<String>,
    /// Its version.
    pub server_version: String,
    /// Its major version.
    pub server_major: u32,
    /// The database.
    pub database: String,
    /// Whether it was a replica.
    pub replica: bool,
}

/// When the snapshot was taken, by the clock of the source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Snapshot {
    /// The earliest moment that the data may speak for. On a replica that of the last transaction
    /// that it had heard of.
    pub at: Moment,
    /// How much later it may have been.
    pub uncertainty_ms: Millis,
}

/// The rows of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// The root of the partition tree that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root: Option<Root>,
    /// How many.
    pub rows: u64,
    /// Their size as COPY text, without newlines.
    pub bytes: u64,
    /// Their hash.
    pub hash: Sha256,
    /// The digest of the list of columns that was hashed.
    pub columns_sha256: Sha256,
    /// Its rows in a form that does not depend on the server that writes them; absent where that
    /// is the form they are hashed in anyhow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steady: Option<Steady>,
}

/// The rows of a table with the values of some columns in one form, or left out where none is exact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Steady {
    /// Those columns.
    pub columns: Vec<String>,
    /// The size of the rows, without newlines.
    pub bytes: u64,
    /// Their hash.
    pub hash: Sha256,
}

/// The root of a partition tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Root {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
}

/// A table that was not hashed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LeftOut {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// The root of the partition tree that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root: Option<Root>,
    /// Why.
    pub reason: Why,
}

/// Why a table was not hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// The dump leaves its rows out.
    Dump,
    /// The stamp was told to leave it out; the dump holds it.
    Stamp,
    /// It is unlogged, and the source a replica.
    Unlogged,
}

/// All large objects together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LargeObjects {
    /// How many.
    pub count: u64,
    /// Their size in all.
    pub bytes: u64,
    /// The sum of the digests of `OID, size, SHA-256` of each.
    pub hash: Sha256,
    /// The size of those lines.
    pub lines_bytes: u64,
}

/// A sequence, before the dump and after it: no snapshot holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sequence {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// Where it stood before the dump.
    pub before: Standing,
    /// Where it stood after it.
    pub after: Standing,
}

/// Where a sequence stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Standing {
    /// Its last value, in digits: it may be larger than what JSON keeps exact.
    pub last_value: String,
    /// Whether that was handed out.
    pub called: bool,
}

/// An object by its definition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Object {
    /// What it is, as pg_dump calls it.
    pub class: String,
    /// Its schema; empty for what lies in none.
    pub schema: String,
    /// Its name as pg_dump tags it.
    pub name: String,
    /// The digest of its definition.
    pub definition_sha256: Sha256,
    /// What can change without its definition, such as `valid` or `enabled`.
    pub state: String,
    /// The role that owns it.
    pub owner: String,
    /// Who may do what with it.
    pub grants: String,
    /// Whether it has a comment.
    pub commented: bool,
}

impl From<Item> for Object {
    fn from(item: Item) -> Object {
        Object {
            class: item.class.as_str().to_owned(),
            schema: item.schema,
            name: item.name,
            definition_sha256: Sha256(item.definition),
            state: item.state,
            owner: item.owner,
            grants: item.grants,
            commented: item.commented,
        }
    }
}

impl Object {
    fn item(&self) -> Result<Item, Error> {
        let class =
            Class::named(&self.class).ok_or_else(|| malformed("it names an unknown class of objects"))?;
        Ok(Item {
            class,
            schema: self.schema.clone(),
            name: self.name.clone(),
            definition: self.definition_sha256.0,
            state: self.state.clone(),
            owner: self.owner.clone(),
            grants: self.grants.clone(),
            commented: self.commented,
        })
    }
}

/// What a freshness check of the plan found at the source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Newest {
    /// Its name in the plan.
    pub check: String,
    /// The digest of its SQL.
    pub sql_sha256: Sha256,
    /// The newest moment.
    pub moment: Moment,
}

impl Newest {
    fn print(&self) -> NewestPrint {
        NewestPrint { check: self.check.clone(), question: self.sql_sha256.0, moment: self.moment.at() }
    }
}

impl Document {
    /// The statement that `predicate` is of an archive.
    pub fn of(archive: String, digest: Sha256, predicate: Predicate) -> Document {
        Document {
            kind: StatementType::V1,
            subject: vec![Subject { name: archive, digest: DigestSet { sha256: digest } }],
            predicate_type: PredicateType::V1,
            predicate,
        }
    }

    /// The document that `value` is.
    ///
    /// # Errors
    /// It is no stamp.
    pub fn deserialized(value: &serde_json::Value) -> Result<Document, Error> {
        // The parser's words are dropped: they may repeat what it read.
        Document::deserialize(value).map_err(|_| malformed("it is no stamp of a version that is known"))
    }

    /// The digest of the archive.
    ///
    /// # Errors
    /// It speaks of no archive, or of several.
    pub fn archive(&self) -> Result<Sha256, Error> {
        match self.subject.as_slice() {
            [subject] => Ok(subject.digest.sha256),
            _ => Err(malformed("it does not speak of one archive")),
        }
    }

    /// What the proof compares with.
    ///
    /// # Errors
    /// It names a thing twice, or holds numbers that are none.
    pub fn fingerprint(&self) -> Result<Fingerprint, Error> {
        let stamp = &self.predicate;
        if stamp.stamp_version.major != STAMP_VERSION.major {
            return Err(Error::new(
                Kind::Version,
                format!("the stamp is of version {}", stamp.stamp_version),
            ));
        }
        if stamp.row_hash != ROW_HASH {
            return Err(Error::new(Kind::Version, "the stamp hashes rows in another way"));
        }
        let setting = |name: &str| {
            stamp.settings.get(name).cloned().ok_or_else(|| malformed("a setting of the source is missing"))
        };
        Ok(Fingerprint {
            server_major: stamp.source.server_major,
            manner: Manner {
                time_zone: setting(TIME_ZONE)?,
                bytea_escape: setting(BYTEA_OUTPUT)? == "escape",
                monetary: stamp.settings.get(LC_MONETARY).cloned(),
            },
            encoding: setting(ENCODING)?,
            tables: once(stamp.tables.iter().map(Table::print))?,
            left_out: once(stamp.left_out.iter().map(LeftOut::name))?,
            sequences: stamp.sequences.as_ref().map(|all| sequences(all)).transpose()?,
            large_objects: stamp.large_objects.as_ref().map(|all| LargeObjectsPrint {
                hash: RowHash::of_parts(all.hash.0, all.count, all.lines_bytes),
                bytes: all.bytes,
            }),
            objects: match &stamp.objects {
                Some(all) => Some(all.iter().map(Object::item).collect::<Result<_, Error>>()?),
                None => None,
            },
            newest: stamp.newest.iter().map(Newest::print).collect(),
        })
    }
}

/// The setting that holds the zone in which the rows were written.
pub const TIME_ZONE: &str = "TimeZone";
/// The setting that holds how binary values were written.
pub const BYTEA_OUTPUT: &str = "bytea_output";
/// The setting that holds how amounts of money were written.
pub const LC_MONETARY: &str = "lc_monetary";
/// The setting that holds the encoding in which the rows were written.
pub const ENCODING: &str = "client_encoding";

fn malformed(what: &str) -> Error {
    Error::new(Kind::Malformed, format!("the stamp beside the backup can't be used: {what}"))
}

/// A map in which nothing stands twice.
fn once<V>(all: impl Iterator<Item = (Name, V)>) -> Result<BTreeMap<Name, V>, Error> {
    let mut map = BTreeMap::new();
    for (name, value) in all {
        if map.insert(name, value).is_some() {
            return Err(malformed("it names a thing twice"));
        }
    }
    Ok(map)
}

fn sequences(all: &[Sequence]) -> Result<BTreeMap<Name, SequencePrint>, Error> {
    let print = |sequence: &Sequence| {
        let print = SequencePrint { before: sequence.before.value()?, after: sequence.after.value()? };
        Ok(((sequence.schema.clone(), sequence.name.clone()), print))
    };
    let prints: Vec<_> = all.iter().map(print).collect::<Result<_, Error>>()?;
    once(prints.into_iter())
}

impl Standing {
    fn value(&self) -> Result<SequenceValue, Error> {
        let value = self.last_value.parse::<i64>().ok().filter(|value| value.to_string() == self.last_value);
        let value = value.ok_or_else(|| malformed("a sequence stands at no number"))?;
        Ok(SequenceValue { value, called: self.called })
    }
}

impl From<SequenceValue> for Standing {
    fn from(at: SequenceValue) -> Standing {
        Standing { last_value: at.value.to_string(), called: at.called }
    }
}

impl Root {
    fn name(&self) -> Name {
        (self.schema.clone(), self.name.clone())
    }

    /// The root of that name.
    pub fn of(name: &Name) -> Root {
        Root { schema: name.0.clone(), name: name.1.clone() }
    }
}

impl LeftOut {
    fn name(&self) -> (Name, Option<Name>) {
        ((self.schema.clone(), self.name.clone()), self.root.as_ref().map(Root::name))
    }
}

impl Table {
    fn print(&self) -> (Name, TablePrint) {
        let print = TablePrint {
            root: self.root.as_ref().map(Root::name),
            hash: RowHash::of_parts(self.hash.0, self.rows, self.bytes),
            columns: self.columns_sha256.0,
            steady: self.steady.as_ref().map(|steady| SteadyPrint {
                hash: RowHash::of_parts(steady.hash.0, self.rows, steady.bytes),
                columns: steady.columns.clone(),
            }),
        };
        ((self.schema.clone(), self.name.clone()), print)
    }

    /// The table as it was hashed.
    pub fn of(name: &Name, print: &TablePrint) -> Table {
        Table {
            schema: name.0.clone(),
            name: name.1.clone(),
            root: print.root.as_ref().map(Root::of),
            rows: print.hash.rows().min(INTEGER_MAX),
            bytes: print.hash.bytes().min(INTEGER_MAX),
            hash: Sha256(print.hash.sum()),
            columns_sha256: Sha256(print.columns),
            steady: print.steady.as_ref().map(|steady| Steady {
                columns: steady.columns.clone(),
                bytes: steady.hash.bytes().min(INTEGER_MAX),
                hash: Sha256(steady.hash.sum()),
            }),
        }
    }
}

impl LargeObjects {
    /// The large objects as they were hashed.
    pub fn of(print: &LargeObjectsPrint) -> LargeObjects {
        LargeObjects {
            count: print.hash.rows().min(INTEGER_MAX),
            bytes: print.bytes.min(INTEGER_MAX),
            hash: Sha256(print.hash.sum()),
            lines_bytes: print.hash.bytes().min(INTEGER_MAX),
        }
    }
}

/// The sequences that were there before and after.
pub fn sequences_of(
    before: &BTreeMap<Name, SequenceValue>,
    after: &BTreeMap<Name, SequenceValue>,
) -> Vec<Sequence> {
    let names: BTreeSet<&Name> = before.keys().collect();
    let both = names.into_iter().filter_map(|name| Some((name, before.get(name)?, after.get(name)?)));
    both.map(|(name, before, after)| Sequence {
        schema: name.0.clone(),
        name: name.1.clone(),
        before: (*before).into(),
        after: (*after).into(),
    })
    .collect()
}
