//! Sequences: each must go on where the archive says.

use crate::archive::{Entry, Toc};
use crate::postgres::{Kind, Session, quote_identifier};
use crate::proof::fingerprint::SequenceValue;
use crate::proof::{Alike, Error};

/// Compares the value of each sequence that the archive sets.
pub async fn compare(toc: &Toc, session: &Session) -> Result<Alike, Error> {
    let mut alike = Alike::default();
    for entry in toc.entries.iter().filter(|entry| entry.kind == "SEQUENCE SET") {
        alike.expected += 1;
        let Some(expected) = set_to(entry) else { continue };
        let schema = entry.namespace.as_deref().unwrap_or_default();
        let sequence = format!("{}.{}", quote_identifier(schema), quote_identifier(&entry.tag));
        let rows = match session.rows(&format!("SELECT last_value, is_called FROM {sequence}")).await {
            Ok(rows) => rows,
            Err(error) if error.kind() == Kind::Statement => continue,
            Err(error) => return Err(error.into()),
        };
        alike.compared += 1;
        if let [row] = rows.as_slice()
            && let [Some(value), Some(called)] = row.as_slice()
            && (value.parse() == Ok(expected.value), called == "t") == (true, expected.called)
        {
            alike.equal += 1;
        }
    }
    Ok(alike)
}

/// The value, and whether it was handed out already, of `SELECT pg_catalog.setval('…', 42, true);`.
pub fn set_to(entry: &Entry) -> Option<SequenceValue> {
    let arguments = entry.definition.trim_end().strip_suffix(");")?;
    let mut last = arguments.rsplitn(3, ", ");
    let called = last.next()?;
    let value = last.next()?;
    let value = value.parse::<i64>().ok()?;
    match called {
        "true" => Some(SequenceValue { value, called: true }),
        "false" => Some(SequenceValue { value, called: false }),
        _ => None,
    }
}
