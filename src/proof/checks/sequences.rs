//! Whether sequences are at or ahead of the columns that take their numbers from them.

use crate::plan::TableName;
use crate::postgres::{self, Session};
use crate::proof::checks::Answered;
use crate::proof::numbering::numberings;

/// Sequences that an answer names.
const NAMED_MAX: usize = 3;

/// Looks at the sequences of the tables named, or at all.
pub async fn look(session: &Session, tables: &[TableName]) -> Result<Answered, postgres::Error> {
    let mut all = numberings(session).await?;
    let is_of =
        |table: &TableName, owner: &(String, String)| table.schema == owner.0 && table.name == owner.1;
    if let Some(table) = tables.iter().find(|table| !all.iter().any(|one| is_of(table, &one.table))) {
        return Ok(Answered::none(format!("there is no sequence of a column of {table}")));
    }
    if !tables.is_empty() {
        all.retain(|one| tables.iter().any(|table| is_of(table, &one.table)));
    }
    if all.is_empty() {
        return Ok(Answered::none("there is no sequence of a column"));
    }
    let mut behind = Vec::new();
    for one in &all {
        match one.is_behind(session).await? {
            Some(false) => {}
            Some(true) => behind.push(one.sequence.as_str()),
            None => return Ok(Answered::none("no answer came back")),
        }
    }
    let mut observed = format!("{} of {} behind", behind.len(), all.len());
    if !behind.is_empty() {
        observed.push_str(&format!(
            ": {}",
            behind.iter().take(NAMED_MAX).copied().collect::<Vec<_>>().join(", ")
        ));
    }
    Ok(Answered::of(observed, behind.is_empty()))
}
