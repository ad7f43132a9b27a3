//! A check: one question in SQL, and the answers that will do.

use std::time::Duration;

use crate::plan::Expectation;

/// One `[[service.NAME.check]]` of the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Its name, unique within the service.
    pub name: String,
    /// One statement that gives exactly one row of one column, not null.
    pub sql: String,
    /// What is asked of that value.
    pub question: Question,
    /// How long the statement may take. Default: one minute.
    pub timeout: Duration,
}

/// What is asked of a check's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// It meets an expectation.
    Expect(Expectation),
    /// It is a moment at most this old, and not in the future: it also gives the data age.
    Newest(Duration),
}
