//! Whether constraints hold of the rows that they speak of.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::value::Millis;

/// Constraints that a record names; the rest are counted.
pub const CONSTRAINTS_MAX: usize = 100;

/// Constraints, evaluated anew for every restored row, after the recovery time was measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Revalidated {
    /// Foreign keys: whether there is the row that each row names.
    pub foreign_keys: RevalidatedKind,
    /// Checks of tables.
    pub checks: RevalidatedKind,
    /// Columns that must not be null.
    pub not_null: RevalidatedKind,
    /// Constraints that rows break; the first hundred.
    pub broken: Vec<BrokenConstraint>,
    /// How many constraints are broken that promise nothing, not being validated.
    pub broken_unpromised: u64,
    /// Constraints that could not be evaluated; the first hundred.
    pub unasked: Vec<UnaskedConstraint>,
    /// Over how many connections.
    pub jobs: u64,
    /// How long all of it took.
    pub duration_ms: Millis,
}

/// The constraints of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RevalidatedKind {
    /// Constraints there are in the restored database.
    pub expected: u64,
    /// Those that were evaluated for every row.
    pub asked: u64,
    /// Those that say that they hold of every row, and don't.
    pub broken: u64,
}

/// A constraint that rows break.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BrokenConstraint {
    /// What it is.
    pub kind: ConstraintKind,
    /// The qualified name of its table.
    pub table: String,
    /// Its name; the column's, for one that must not be null.
    pub name: String,
    /// How many rows break it.
    pub rows: u64,
    /// Whether it says that it holds of every row: one that is not validated does not.
    pub promised: bool,
}

/// A constraint that could not be evaluated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UnaskedConstraint {
    /// What it is.
    pub kind: ConstraintKind,
    /// The qualified name of its table.
    pub table: String,
    /// Its name; the column's, for one that must not be null.
    pub name: String,
    /// Why: the server's five-character code or a word of ours.
    pub why: String,
}

/// What a constraint is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConstraintKind {
    /// A foreign key.
    ForeignKey,
    /// A check of a table.
    Check,
    /// That a column is not null.
    NotNull,
}

impl Revalidated {
    /// How many there are, were evaluated, and are broken, of all kinds together.
    pub fn sums(&self) -> RevalidatedKind {
        let kinds = [&self.foreign_keys, &self.checks, &self.not_null];
        let sum = |of: fn(&RevalidatedKind) -> u64| kinds.map(of).into_iter().fold(0, u64::saturating_add);
        RevalidatedKind {
            expected: sum(|kind| kind.expected),
            asked: sum(|kind| kind.asked),
            broken: sum(|kind| kind.broken),
        }
    }
}

impl BrokenConstraint {
    /// In words: `orders_customer_fkey of public.orders (3 rows)`.
    pub fn words(&self) -> String {
        let rows = if self.rows == 1 { "row" } else { "rows" };
        let what = if self.kind == ConstraintKind::NotNull { "NOT NULL of " } else { "" };
        format!("{what}{} of {} ({} {rows})", self.name, self.table, self.rows)
    }
}
