//! What the server and initdb said.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::process::Stdio;

use crate::postgres::error::{Error, Kind};
use crate::postgres::redact;

const TAIL_BYTES: u64 = 64 << 10;
const TAIL_LINES: usize = 12;

/// Beginnings of messages that the server itself writes at level LOG. A user's code can write
/// there too, and that could be a row.
const SERVERS_OWN: &[&str] = &[
    "server process (PID",
    "starting PostgreSQL",
    "could not",
    "database system",
    "terminating any other",
    "shutting down because",
    "background worker",
    "startup process",
    "checkpointer",
    "received immediate shutdown",
    "invalid ",
];

/// The file behind stdout and stderr of the cluster's programs. We keep it open, and read it by
/// that: what stands at its path later does not matter.
pub struct Log(File);

impl Log {
    /// Over a file opened to read and append.
    pub fn new(file: File) -> Log {
        Log(file)
    }

    /// For a child to write to.
    pub fn writer(&self) -> io::Result<Stdio> {
        Ok(self.0.try_clone()?.into())
    }

    /// The last lines that may be shown: at most twelve, without values, statements and details.
    pub fn tail(&self) -> String {
        let text = self.last_bytes();
        let shown: Vec<String> = text.lines().filter_map(shown).collect();
        let first = shown.len().saturating_sub(TAIL_LINES);
        shown.get(first..).unwrap_or_default().join("\n")
    }

    /// Why the server is going down, as far as it says.
    pub fn cause(&self) -> Option<Error> {
        let text = self.last_bytes();
        let line = |what: &str| text.lines().find(|line| line.contains(what));
        if line("was terminated by signal 9").is_some() {
            let what = "a server process was killed by signal 9, as the kernel does when memory runs out";
            return Some(Error::new(Kind::OutOfMemory, what));
        }
        if line("No space left on device").is_some() {
            return Some(Error::new(Kind::DiskFull, "the disk of the scratch is full"));
        }
        let crashed = line("was terminated by signal ")?;
        let signal: String = crashed
            .split_once("was terminated by signal ")
            .map(|(_, rest)| rest.chars().take_while(char::is_ascii_digit).collect())
            .unwrap_or_default();
        Some(Error::new(Kind::Crashed, format!("a server process crashed with signal {signal}")))
    }

    fn last_bytes(&self) -> String {
        let size = self.0.metadata().map_or(0, |found| found.len());
        let mut bytes = vec![0; usize::try_from(size.min(TAIL_BYTES)).unwrap_or_default()];
        // A line that is cut off at the front is not shown, as it begins with nothing known.
        match self.0.read_at(&mut bytes, size.saturating_sub(TAIL_BYTES)) {
            Ok(read) => bytes.truncate(read),
            Err(_) => bytes.clear(),
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

fn shown(line: &str) -> Option<String> {
    let (level, text) = line.split_once(": ")?;
    let text = text.trim_start();
    let fine = match level {
        "FATAL" | "PANIC" | "initdb" | "postgres" => true,
        "LOG" => SERVERS_OWN.iter().any(|start| text.starts_with(start)),
        _ => false,
    };
    fine.then(|| redact::bounded(&format!("{level}: {}", redact::unquoted(text))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn log(text: &str) -> Log {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        Log::new(file)
    }

    #[test]
    fn what_is_shown_holds_no_row() {
        let text = "LOG:  starting PostgreSQL 15\nLOG:  customer secret\nERROR:  bad \"secret\"\n\
                    DETAIL:  secret\nSTATEMENT:  select 'secret'\n\tand secret\nFATAL:  no \"secret\" here\n";
        assert_eq!(log(text).tail(), "LOG: starting PostgreSQL 15\nFATAL: no \"…\" here");
    }

    #[test]
    fn a_long_log_shows_its_end() {
        let text: String = (0..100_000).map(|n| format!("FATAL:  line {n}\n")).collect();
        let tail = log(&text).tail();
        assert_eq!(tail.lines().count(), TAIL_LINES);
        assert!(tail.ends_with("line 99999"));
    }

    #[test]
    fn the_cause_of_a_death_is_told_by_the_log() {
        let table = [
            ("LOG:  server process (PID 7) was terminated by signal 9: Killed\n", Some(Kind::OutOfMemory)),
            (
                "PANIC:  could not write: No space left on device\nLOG:  server process (PID 7) was terminated by signal 6: Aborted\n",
                Some(Kind::DiskFull),
            ),
            (
                "LOG:  server process (PID 7) was terminated by signal 11: Segmentation fault\n",
                Some(Kind::Crashed),
            ),
            ("LOG:  database system is ready to accept connections\n", None),
            ("", None),
        ];
        for (text, kind) in table {
            assert_eq!(log(text).cause().map(|error| error.kind()), kind, "{text}");
        }
    }
}
