//! A drill as a row of the cache.

use rusqlite::types::Value;
use rusqlite::{Connection, Row, params_from_iter};

use crate::digest::Digest;
use crate::history::cache::Error;
use crate::history::drill::{Artifact, Content, Drill};
use crate::record::{Millis, Moment, RunId, SignedMillis, VerdictWord};

/// The tables. A row's seal is the digest of all that stands in front of it.
pub const TABLES: &str = "
CREATE TABLE made (version INTEGER NOT NULL, by TEXT NOT NULL) STRICT;
CREATE TABLE drill (
    service TEXT NOT NULL,
    file TEXT NOT NULL,
    identity TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    run_id TEXT NOT NULL,
    started_at TEXT NOT NULL,
    verdict TEXT NOT NULL,
    disputed INTEGER NOT NULL,
    content TEXT NOT NULL,
    killed_before INTEGER NOT NULL,
    uri TEXT,
    version TEXT,
    etag TEXT,
    size_bytes INTEGER,
    modified_at TEXT,
    sha256 TEXT,
    profile TEXT,
    recovery_ms INTEGER,
    declared_ms INTEGER NOT NULL,
    restore_ms INTEGER,
    read_bytes INTEGER,
    data_age_ms INTEGER,
    rto_ms INTEGER,
    rpo_ms INTEGER,
    seal TEXT NOT NULL,
    PRIMARY KEY (service, file)
) STRICT;
";

/// The rows of a service.
pub const SELECT: &str = "
SELECT service, file, identity, sequence, run_id, started_at, verdict, disputed, content,
       killed_before, uri, version, etag, size_bytes, modified_at, sha256, profile, recovery_ms,
       declared_ms, restore_ms, read_bytes, data_age_ms, rto_ms, rpo_ms, seal
FROM drill WHERE service = ?1";

const INSERT: &str = "
INSERT OR REPLACE INTO drill VALUES
    (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21,
     ?22, ?23, ?24, ?25)";

/// How many columns there are before the seal.
const COLUMNS: usize = 24;

/// Writes the row of a drill.
pub fn put(
    connection: &Connection,
    service: &str,
    file: &str,
    identity: &str,
    drill: &Drill,
) -> Result<(), Error> {
    let mut values = values(drill).ok_or_else(|| Error::Unavailable("a figure is too large".to_owned()))?;
    values.splice(0..0, [service, file, identity].map(|text| Value::Text(text.to_owned())));
    values.push(Value::Text(seal(&values)));
    connection.prepare(INSERT)?.execute(params_from_iter(values))?;
    Ok(())
}

/// The name and the identity of a file, and its drill.
pub fn get(row: &Row<'_>, service: &str) -> Result<(String, String, Drill), Error> {
    let values: Vec<Value> = (0..COLUMNS).map(|column| row.get(column)).collect::<Result<_, _>>()?;
    let sealed: String = row.get(COLUMNS)?;
    let damaged = || Error::Damaged(format!("a row of '{service}' is not what was written"));
    if seal(&values) != sealed {
        return Err(damaged());
    }
    let mut columns = Columns(values.into_iter());
    let mut parsed = || {
        columns.text()??;
        let (file, identity) = (columns.text()??, columns.text()??);
        Some((file, identity, drill(&mut columns)?))
    };
    parsed().ok_or_else(damaged)
}

/// Finds accidents in the file, which SQLite itself does not.
fn seal(values: &[Value]) -> String {
    Digest::of(format!("{values:?}").as_bytes()).to_string()
}

fn values(drill: &Drill) -> Option<Vec<Value>> {
    let text = |text: Option<String>| text.map_or(Value::Null, Value::Text);
    let number = |number: Option<u64>| match number {
        None => Some(Value::Null),
        Some(number) => i64::try_from(number).ok().map(Value::Integer),
    };
    let millis = |millis: Option<Millis>| number(millis.map(Millis::get));
    let artifact = drill.artifact.as_ref();
    Some(vec![
        number(Some(drill.sequence))?,
        text(Some(drill.run_id.to_string())),
        text(Some(drill.started_at.to_string())),
        text(Some(drill.verdict.to_string())),
        number(Some(drill.disputed.into()))?,
        text(Some(drill.content.as_str().to_owned())),
        number(Some(drill.killed_before))?,
        text(artifact.map(|one| one.uri.clone())),
        text(artifact.and_then(|one| one.version.clone())),
        text(artifact.and_then(|one| one.etag.clone())),
        number(artifact.map(|one| one.bytes))?,
        text(artifact.and_then(|one| one.modified_at).map(|at| at.to_string())),
        text(artifact.and_then(|one| one.sha256).map(|digest| digest.to_string())),
        text(drill.profile.clone()),
        millis(drill.recovery)?,
        millis(Some(drill.declared))?,
        millis(drill.restore)?,
        number(drill.read_bytes)?,
        drill.data_age.map_or(Value::Null, |age| Value::Integer(age.get())),
        millis(drill.rto)?,
        millis(drill.rpo)?,
    ])
}

/// The drill in the columns behind the identity; none if anything in them is out of place.
fn drill(columns: &mut Columns) -> Option<Drill> {
    Some(Drill {
        sequence: columns.number()??,
        run_id: columns.text()??.parse::<RunId>().ok()?,
        started_at: columns.text()??.parse::<Moment>().ok()?,
        verdict: columns.text()??.parse::<VerdictWord>().ok()?.0,
        disputed: columns.number()?? == 1,
        content: content(&columns.text()??)?,
        killed_before: columns.number()??,
        artifact: artifact(columns)?,
        profile: columns.text()?,
        recovery: columns.millis()?,
        declared: columns.millis()??,
        restore: columns.millis()?,
        read_bytes: columns.number()?,
        data_age: columns.integer()?.map(SignedMillis::new),
        rto: columns.millis()?,
        rpo: columns.millis()?,
    })
}

fn content(word: &str) -> Option<Content> {
    Content::ALL.into_iter().find(|content| content.as_str() == word)
}

fn artifact(columns: &mut Columns) -> Option<Option<Artifact>> {
    let (uri, version, etag) = (columns.text()?, columns.text()?, columns.text()?);
    let (bytes, modified_at, sha256) = (columns.number()?, columns.text()?, columns.text()?);
    let Some((uri, bytes)) = uri.zip(bytes) else { return Some(None) };
    let modified_at = modified_at.map(|text| text.parse()).transpose().ok()?;
    let sha256 = sha256.map(|text| text.parse()).transpose().ok()?;
    Some(Some(Artifact { uri, version, etag, bytes, modified_at, sha256 }))
}

/// The columns of a row from left to right. The outer `None` is a column of another kind.
struct Columns(std::vec::IntoIter<Value>);

impl Columns {
    fn text(&mut self) -> Option<Option<String>> {
        match self.0.next()? {
            Value::Null => Some(None),
            Value::Text(text) => Some(Some(text)),
            _ => None,
        }
    }

    fn integer(&mut self) -> Option<Option<i64>> {
        match self.0.next()? {
            Value::Null => Some(None),
            Value::Integer(number) => Some(Some(number)),
            _ => None,
        }
    }

    fn number(&mut self) -> Option<Option<u64>> {
        match self.integer()? {
            None => Some(None),
            Some(number) => u64::try_from(number).ok().map(Some),
        }
    }

    fn millis(&mut self) -> Option<Option<Millis>> {
        Some(self.number()?.map(Millis::new))
    }
}
