//! A `[service.NAME.drift]` table.

use crate::plan::fault::{Complaint, shortened};
use crate::plan::read::faults::Faults;
use crate::plan::read::table::Table;
use crate::plan::read::text;
use crate::plan::{Drift, TableName, Weight};

/// How many tables may be left out.
const EXCEPT_MAX: usize = 1000;

/// Reads the table.
pub fn read(mut table: Table<'_>, faults: &mut Faults) -> Drift {
    let mut drift = Drift::default();
    if let Some(percent) = table.take_text("below", faults, percent) {
        drift.below_percent = percent;
    }
    let words = [("warn", Weight::Warn), ("fail", Weight::Fail), ("ignore", Weight::Ignore)];
    let mut weight =
        |key, faults: &mut Faults| table.take_text(key, faults, |word| text::one_of(word, &words));
    drift.rows = weight("rows", faults).unwrap_or(drift.rows);
    drift.size = weight("size", faults).unwrap_or(drift.size);
    drift.schema = weight("schema", faults).unwrap_or(drift.schema);
    drift.unchanged = weight("unchanged", faults);
    if let Some(least) = table.take_number("least_rows", faults, 1..=1_000_000_000_000) {
        drift.least_rows = least;
    }
    let items = table.take_array("except", faults, "write except = [\"public.jobs\"]").unwrap_or_default();
    if let Some(item) = items.get(EXCEPT_MAX) {
        item.fault(faults, Complaint::new("there are more than 1,000 tables", "raise least_rows instead"));
    }
    drift.except =
        items.iter().take(EXCEPT_MAX).filter_map(|item| item.text(faults, TableName::parse)).collect();
    table.finish(faults);
    drift
}

/// `50%`, from 1 to 100.
fn percent(text: &str) -> Result<u64, Complaint> {
    let number = text.trim().strip_suffix('%').and_then(|number| number.trim().parse().ok());
    number.filter(|percent| (1..=100).contains(percent)).ok_or_else(|| {
        let problem = format!("'{}' is no share of the last pass", shortened(text));
        Complaint::new(problem, "write one from 1% to 100%, as in \"50%\"")
    })
}
