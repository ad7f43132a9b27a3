//! Whether each row has the row that its foreign keys name.

use std::collections::BTreeSet;

use crate::plan::TableName;
use crate::postgres::{self, Session};
use crate::proof::checks::Answered;
use crate::proof::foreign_keys::foreign_keys;

/// Constraints that an answer names.
const NAMED_MAX: usize = 3;

/// Counts the rows that lack theirs, in the tables named, or in all.
pub async fn look(session: &Session, tables: &[TableName]) -> Result<Answered, postgres::Error> {
    let mut keys = foreign_keys(session).await?;
    let wanted: BTreeSet<(&str, &str)> =
        tables.iter().map(|table| (table.schema.as_str(), table.name.as_str())).collect();
    if !wanted.is_empty() {
        keys.retain(|key| wanted.contains(&(key.table.0.as_str(), key.table.1.as_str())));
    }
    let without = tables
        .iter()
        .find(|table| !keys.iter().any(|key| key.table.0 == table.schema && key.table.1 == table.name));
    if let Some(table) = without {
        return Ok(Answered::none(format!("there is no foreign key of {table}")));
    }
    if keys.is_empty() {
        return Ok(Answered::none("there is no foreign key"));
    }
    let mut orphans = 0_u64;
    let mut broken = Vec::new();
    for key in &keys {
        let Some(count) = &key.count else {
            return Ok(Answered::none(format!("{} is over periods, which is not asked here", key.named())));
        };
        let rows = session.rows(count).await?;
        let number = rows.first().and_then(|row| row.first()?.as_deref()?.parse::<u64>().ok());
        let Some(number) = number else { return Ok(Answered::none("no number came back")) };
        orphans = orphans.saturating_add(number);
        if number > 0 {
            broken.push(key.named());
        }
    }
    let mut observed = format!("{orphans} in {} foreign keys", keys.len());
    if !broken.is_empty() {
        observed.push_str(&format!(
            ": {}",
            broken.iter().take(NAMED_MAX).cloned().collect::<Vec<_>>().join(", ")
        ));
    }
    Ok(Answered::of(observed, orphans == 0))
}
