//! The in-toto statement: a record, bound to the digest of the backup that it speaks of.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::evidence::canonical::canonical;
use crate::evidence::error::{Error, Kind};
use crate::evidence::log::genesis;
use crate::record::{Record, SCHEMA_VERSION, SchemaVersion, Sha256};

/// The `_type` of every statement.
pub const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";

/// The `predicateType` of a drill's statement; another major version has another one.
pub const PREDICATE_TYPE: &str = "https://firedrill.dev/attestation/restore-test/v1";

/// How large a statement or an envelope may be to be read: a table takes some 500 bytes, so
/// this is room for 100,000 of them.
pub const BYTES_MAX: u64 = 64 * 1024 * 1024;

/// A record as an in-toto Statement v1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// What shape this is.
    #[serde(rename = "_type")]
    kind: StatementType,
    /// The one thing that the predicate speaks of: the backup, by its digest. Where a drill
    /// ended before the backup was read, the plan file `plan:SERVICE`; where there is no plan
    /// file, the log `log:SERVICE`, by the digest that its first record carries.
    pub subject: Vec<Subject>,
    /// What shape the predicate is.
    #[serde(rename = "predicateType")]
    predicate_type: PredicateType,
    /// The record.
    pub predicate: Record,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(in crate::evidence) enum StatementType {
    #[serde(rename = "https://in-toto.io/Statement/v1")]
    V1,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
enum PredicateType {
    #[serde(rename = "https://firedrill.dev/attestation/restore-test/v1")]
    V1,
}

/// A thing, by its digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// What it is called.
    pub name: String,
    /// Its digest.
    pub digest: DigestSet,
}

/// The digest of a thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DigestSet {
    /// Its SHA-256.
    pub sha256: Sha256,
}

impl Statement {
    /// The statement that `record` makes.
    pub fn of(record: Record) -> Statement {
        Statement {
            kind: StatementType::V1,
            subject: vec![subject_of(&record)],
            predicate_type: PredicateType::V1,
            predicate: record,
        }
    }

    /// The bytes of the statement: those that are signed, and the only ones that read back.
    pub fn payload(&self) -> Result<Vec<u8>, Error> {
        let value = serde_json::to_value(self)
            .map_err(|source| Error::new(Kind::Malformed, "write a statement").because(source))?;
        canonical(&value)
    }

    /// Reads the bytes that [`Statement::payload`] wrote, and no others: unknown, missing,
    /// empty or doubled fields and any other spelling are refused, and so is a version that
    /// this firedrill does not know, by its name.
    pub fn read(payload: &[u8]) -> Result<Statement, Error> {
        if payload.len() as u64 > BYTES_MAX {
            return Err(Error::new(Kind::Malformed, "read a statement of more than 64 MiB"));
        }
        let malformed =
            |source: serde_json::Error| Error::new(Kind::Malformed, "read a statement").because(source);
        let value: Value = serde_json::from_slice(payload).map_err(malformed)?;
        is_readable(&value)?;
        let statement: Statement = serde_json::from_value(value).map_err(malformed)?;
        if statement.payload()? != payload {
            return Err(Error::new(Kind::Malformed, "read a statement that is not written in its one way"));
        }
        if statement.subject != [subject_of(&statement.predicate)] {
            return Err(Error::new(
                Kind::Malformed,
                "read a statement whose subject is not that of its record",
            ));
        }
        Ok(statement)
    }
}

fn subject_of(record: &Record) -> Subject {
    let selected = record.selection.as_ref().and_then(|selection| selection.selected.as_ref());
    let observed = record.artifact.as_ref().and_then(|artifact| artifact.observed.as_ref());
    let service = &record.service.id;
    let (name, sha256) = match (selected, observed, record.run.plan_sha256) {
        (Some(selected), Some(observed), _) => (selected.uri.clone(), observed.sha256),
        (_, _, Some(plan)) => (format!("plan:{service}"), plan),
        (_, _, None) => (format!("log:{service}"), genesis(service)),
    };
    Subject { name, digest: DigestSet { sha256 } }
}

/// Refuses what is of another kind or a later version, before its fields confuse anybody.
fn is_readable(value: &Value) -> Result<(), Error> {
    let refuse = |what: String| Err(Error::new(Kind::UnknownVersion, what));
    let text = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default();
    let (kind, predicate) = (text("_type"), text("predicateType"));
    if kind != STATEMENT_TYPE {
        return refuse(format!("read a document of type {}", shown(kind)));
    }
    if predicate != PREDICATE_TYPE {
        return refuse(format!("read a predicate of type {}", shown(predicate)));
    }
    let version = value.pointer("/predicate/schema_version").and_then(Value::as_str).unwrap_or_default();
    match version.parse::<SchemaVersion>() {
        Ok(known) if known.major == SCHEMA_VERSION.major && known <= SCHEMA_VERSION => Ok(()),
        Ok(other) => refuse(format!("read evidence of version {other}, above {SCHEMA_VERSION}")),
        Err(_) => refuse(format!("read evidence of version {}", shown(version))),
    }
}

/// A text from outside, short and without control characters.
fn shown(text: &str) -> String {
    format!("{:?}", text.chars().take(100).collect::<String>())
}
