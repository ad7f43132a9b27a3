//! What a drill does not show, in plain sentences.

use crate::record::Record;

/// What the drill of `record` does not show; never empty.
pub fn limitations(_record: &Record) -> Vec<String> {
    vec!["The recovery was measured in a scratch environment; it is not a production recovery.".to_owned()]
}
