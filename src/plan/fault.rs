//! A fault of a plan file: where it stands, what it is, and what to do.

use std::fmt;
use std::path::PathBuf;

/// One fault. Its text never holds a secret that the file should not have held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The file; empty where no file was found at all.
    pub file: PathBuf,
    /// The line, from 1; `None` where the fault is of the whole file.
    pub line: Option<u32>,
    /// The character in that line, from 1.
    pub column: Option<u32>,
    /// The dotted key, such as `service.orders.rto`; empty for the file and its syntax.
    pub key: String,
    /// What is wrong.
    pub problem: String,
    /// What to do about it; never empty.
    pub remedy: String,
}

impl fmt::Display for Fault {
    /// One line: `plan.toml:3:9: service.orders.rto: '90' has no unit; write '90m'`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.file.as_os_str().is_empty() {
            write!(f, "{}:", self.file.display())?;
            for place in [self.line, self.column].into_iter().flatten() {
                write!(f, "{place}:")?;
            }
            f.write_str(" ")?;
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        write!(f, "{}; {}", self.problem, self.remedy)
    }
}

impl std::error::Error for Fault {}

/// What is wrong with one text, wherever it stands: in a plan or behind an option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// What is wrong.
    pub problem: String,
    /// What to write instead.
    pub remedy: String,
}

impl Complaint {
    /// A complaint from its two halves.
    pub fn new(problem: impl Into<String>, remedy: impl Into<String>) -> Complaint {
        Complaint { problem: problem.into(), remedy: remedy.into() }
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.problem, self.remedy)
    }
}

impl std::error::Error for Complaint {}

/// At most 40 printable characters of a text that somebody else wrote, for a message.
pub fn shortened(text: &str) -> String {
    let mut shown: String =
        text.chars().take(40).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if text.chars().nth(40).is_some() {
        shown.push('…');
    }
    shown
}
