//! What the newest pass of a service leaves for the next drill to compare itself with.

use crate::proof::Answers;
use crate::record::{CheckOutcome, Record};

/// The values that checks were answered with. A number that was cut short in the record is no
/// number, and a check that failed is in no pass.
pub fn answers(pass: Option<&Record>) -> Answers {
    let checks = pass.and_then(|record| record.checks.as_ref());
    let answered = checks.into_iter().flat_map(|checks| &checks.items).filter_map(|item| {
        let good = matches!(item.outcome, CheckOutcome::Pass | CheckOutcome::Baseline);
        let value = item.observed.as_ref().filter(|_| good)?;
        Some((item.name.clone(), item.question_sha256?.0, value.as_str().to_owned()))
    });
    answered.collect()
}
