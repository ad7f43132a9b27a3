//! How far a backup may drift from the one that passed before it.

use crate::plan::TableName;

/// The share of the last pass below which a figure counts as dropped, in percent.
const BELOW_PERCENT: u64 = 50;

/// Tables that had fewer rows at the last pass may come and go.
const LEAST_ROWS: u64 = 100;

/// The `[service.NAME.drift]` table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drift {
    /// A figure below so many percent of what it was at the last pass has dropped: 1 to 100.
    pub below_percent: u64,
    /// The rows of a table, and of all tables.
    pub rows: Weight,
    /// The size of the backup, and of the restored database.
    pub size: Weight,
    /// Tables, columns and other objects that came or went, and another database.
    pub schema: Weight,
    /// The very bytes of the last pass, under another name. Without a word of the plan: `Fail`,
    /// or `Warn` for archives that do not hold the moment at which they were made.
    pub unchanged: Option<Weight>,
    /// Tables that had fewer rows at the last pass are not looked at one by one.
    pub least_rows: u64,
    /// Tables that are not looked at one by one.
    pub except: Vec<TableName>,
}

impl Default for Drift {
    fn default() -> Drift {
        Drift {
            below_percent: BELOW_PERCENT,
            rows: Weight::Warn,
            size: Weight::Warn,
            schema: Weight::Warn,
            unchanged: None,
            least_rows: LEAST_ROWS,
            except: Vec::new(),
        }
    }
}

/// What follows from a drift.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// Nothing.
    Ignore,
    /// A warning.
    Warn,
    /// The drill fails.
    Fail,
}

impl Weight {
    /// The word in the plan.
    pub fn as_str(self) -> &'static str {
        match self {
            Weight::Ignore => "ignore",
            Weight::Warn => "warn",
            Weight::Fail => "fail",
        }
    }
}
