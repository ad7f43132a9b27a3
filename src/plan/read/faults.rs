//! All faults of one file, gathered while it is read.

use std::collections::HashSet;
use std::ops::Range;
use std::path::PathBuf;

use crate::plan::fault::{Complaint, Fault, shortened};

/// How many faults are listed; the rest is counted.
const LISTED: usize = 100;

/// The faults found so far, and what is needed to say where they stand.
pub struct Faults {
    file: PathBuf,
    /// Where each line of the file begins.
    lines: Vec<usize>,
    found: Vec<Fault>,
    /// Where values begin that must not be shown.
    hidden: HashSet<usize>,
}

impl Faults {
    /// No faults yet, of the file whose content is `text`.
    pub fn new(file: PathBuf, text: &str) -> Faults {
        let breaks = text
            .bytes()
            .enumerate()
            .filter(|(_, byte)| *byte == b'\n')
            .map(|(place, _)| place.saturating_add(1));
        Faults {
            file,
            lines: [0].into_iter().chain(breaks).collect(),
            found: Vec::new(),
            hidden: HashSet::new(),
        }
    }

    /// Takes note of a fault of `key`, at the line of the byte `place`.
    pub fn add(&mut self, place: usize, key: &str, complaint: Complaint) {
        let line = Some(self.line(place));
        let Complaint { problem, remedy } = complaint;
        self.found.push(Fault {
            file: self.file.clone(),
            line,
            column: None,
            key: key.into(),
            problem,
            remedy,
        });
    }

    /// Takes note of what the TOML parser says about the bytes `span` of `text`.
    pub fn add_syntax(&mut self, text: &str, span: Option<Range<usize>>, problem: &str) {
        let place = span.as_ref().map_or(0, |span| span.start).min(text.len());
        let line = self.line(place);
        let start = text
            .get(..place)
            .and_then(|before| before.rfind('\n'))
            .map_or(0, |newline| newline.saturating_add(1));
        let column =
            text.get(start..place).map_or(1, |before| counted(before.chars().count()).saturating_add(1));
        let named = span.and_then(|span| text.get(span)).map(shortened).unwrap_or_default();
        let (problem, remedy) = match problem {
            "duplicate key" => {
                (format!("'{named}' stands here a second time"), "rename or remove one of them")
            }
            other if other.starts_with("string values must be quoted") => (
                "a value is neither quoted nor a number".to_owned(),
                "write texts, durations and sizes in quotes",
            ),
            other => (
                format!("this is not TOML: {}", other.replace('\n', ", ")),
                "correct it first; the rest was not looked at",
            ),
        };
        let (line, column, remedy) = (Some(line), Some(column), remedy.into());
        self.found.push(Fault { file: self.file.clone(), line, column, key: String::new(), problem, remedy });
    }

    /// Marks the value that begins at `place` as one that nothing may repeat.
    pub fn hide(&mut self, place: usize) {
        self.hidden.insert(place);
    }

    /// Whether the value that begins at `place` is a fault already, and must not be shown.
    pub fn is_hidden(&self, place: usize) -> bool {
        self.hidden.contains(&place)
    }

    /// How many there are so far.
    pub fn len(&self) -> usize {
        self.found.len()
    }

    /// The faults by line, the first hundred of them.
    pub fn finish(mut self) -> Vec<Fault> {
        self.found.sort_by_key(|fault| (fault.line, fault.column));
        self.found.dedup_by_key(|fault| {
            fault.column.map_or((None, fault.to_string()), |_| (fault.line, String::new()))
        });
        let more = self.found.len().saturating_sub(LISTED);
        self.found.truncate(LISTED);
        if more > 0 {
            self.found.push(Fault {
                file: self.file,
                line: None,
                column: None,
                key: String::new(),
                problem: format!("there are {more} more faults"),
                remedy: "correct these first".into(),
            });
        }
        self.found
    }

    fn line(&self, place: usize) -> u32 {
        counted(self.lines.partition_point(|start| *start <= place))
    }
}

/// A line or column of a file that is at most 1 MiB long.
fn counted(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
