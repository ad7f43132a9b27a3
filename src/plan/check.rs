//! A check: a question to the restored database, or to something that stands beside it, and
//! the answers that will do.

use std::time::Duration;

use crate::plan::{Expectation, TableName};

/// One `[[service.NAME.check]]` of the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Its name, unique within the service.
    pub name: String,
    /// What is asked.
    pub question: Question,
    /// How long it may take. Default: one minute; ten where it reads whole tables.
    pub timeout: Duration,
}

impl Check {
    /// How many answers it gives: one, or one for each table whose rows it counts.
    pub fn answers(&self) -> usize {
        match &self.question {
            Question::Rows { tables } => tables.len(),
            _ => 1,
        }
    }
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// Whether a value is as expected.
    Expect {
        /// One statement that gives exactly one row of one column, not null.
        sql: String,
        /// The values that will do.
        expectation: Expectation,
    },
    /// Whether a moment is at most this old, and not in the future: it also gives the data age.
    Newest {
        /// One statement that gives exactly one moment, not null.
        sql: String,
        /// The greatest age.
        age: Duration,
    },
    /// Whether tables have as many rows as expected; at least one table.
    Rows {
        /// Each table, with the numbers of rows that will do.
        tables: Vec<(TableName, Expectation)>,
    },
    /// Whether each row has the row that its foreign keys name.
    NoOrphans {
        /// The tables whose foreign keys are looked at; all, where there is none.
        tables: Vec<TableName>,
    },
    /// Whether sequences that belong to a column are at or ahead of its greatest value.
    SequenceAhead {
        /// The tables whose sequences are looked at; all, where there is none.
        tables: Vec<TableName>,
    },
    /// Whether a program ends with exit code 0.
    Command {
        /// The program, by its absolute path or a name without any, and its arguments.
        argv: Vec<String>,
    },
    /// Whether an address answers as expected.
    Http {
        /// The address, `http` or `https`, without a user or a password.
        url: String,
        /// The status that is expected.
        status: u16,
        /// What the body is expected to be, if that matters.
        body: Option<Expectation>,
    },
}
