//! The command that dumps: where the snapshot is put in, where the archive goes, and what the
//! dump leaves out.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use crate::stamp::error::{Error, Kind};
use crate::stamp::pattern::Pattern;

/// Options of pg_dump that take a value, over all its versions.
const WITH_VALUE: &[&str] = &[
    "compress",
    "dbname",
    "encoding",
    "exclude-extension",
    "exclude-schema",
    "exclude-table",
    "exclude-table-and-children",
    "exclude-table-data",
    "exclude-table-data-and-children",
    "extension",
    "extra-float-digits",
    "file",
    "filter",
    "format",
    "host",
    "include-foreign-data",
    "jobs",
    "lock-wait-timeout",
    "port",
    "restrict-key",
    "role",
    "rows-per-insert",
    "schema",
    "section",
    "snapshot",
    "superuser",
    "sync-method",
    "table",
    "table-and-children",
    "tablespace",
    "username",
];

/// Those without a value that tell what is dumped, or that others could be taken for.
const WITHOUT_VALUE: &[&str] = &[
    "attribute-inserts",
    "binary-upgrade",
    "blobs",
    "clean",
    "column-inserts",
    "create",
    "data-only",
    "disable-dollar-quoting",
    "disable-triggers",
    "enable-row-security",
    "help",
    "if-exists",
    "inserts",
    "large-objects",
    "load-via-partition-root",
    "no-acl",
    "no-blobs",
    "no-comments",
    "no-data",
    "no-large-objects",
    "no-owner",
    "no-password",
    "no-policies",
    "no-privileges",
    "no-publications",
    "no-reconnect",
    "no-schema",
    "no-security-labels",
    "no-statistics",
    "no-subscriptions",
    "no-sync",
    "no-synchronized-snapshots",
    "no-table-access-method",
    "no-tablespaces",
    "no-toast-compression",
    "no-unlogged-table-data",
    "on-conflict-do-nothing",
    "password",
    "quote-all-identifiers",
    "schema-only",
    "sequence-data",
    "serializable-deferrable",
    "statistics",
    "statistics-only",
    "strict-names",
    "use-set-session-authorization",
    "verbose",
    "version",
];

/// Short options and what they are short for; an empty word is one that does not matter here.
const SHORT: &[(char, &str)] = &[
    ('a', "data-only"),
    ('b', "large-objects"),
    ('B', "no-large-objects"),
    ('c', "clean"),
    ('C', "create"),
    ('d', "dbname"),
    ('e', "extension"),
    ('E', "encoding"),
    ('f', "file"),
    ('F', "format"),
    ('h', "host"),
    ('j', "jobs"),
    ('n', "schema"),
    ('N', "exclude-schema"),
    ('O', "no-owner"),
    ('p', "port"),
    ('R', "no-reconnect"),
    ('s', "schema-only"),
    ('S', "superuser"),
    ('t', "table"),
    ('T', "exclude-table"),
    ('U', "username"),
    ('v', "verbose"),
    ('w', "no-password"),
    ('W', "password"),
    ('x', "no-privileges"),
    ('Z', "compress"),
];

/// A dump that is to be run.
#[derive(Clone, Debug)]
pub struct DumpCommand {
    arguments: Vec<OsString>,
    /// Behind which argument options of pg_dump may stand.
    program: usize,
    /// Where the archive is written; `None` for the standard output.
    pub file: Option<PathBuf>,
    /// The encoding that it is written in, where the command says so.
    pub encoding: Option<String>,
    /// What is dumped.
    pub scope: Scope,
}

/// What a dump holds and what it leaves out, as its options say.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// Only these tables, if any.
    pub tables: Vec<Pattern>,
    /// Not these.
    pub exclude_tables: Vec<Pattern>,
    /// Only these schemas, if any.
    pub schemas: Vec<Pattern>,
    /// Not these.
    pub exclude_schemas: Vec<Pattern>,
    /// Not the rows of these tables.
    pub exclude_data: Vec<Pattern>,
    /// No rows at all.
    pub no_data: bool,
    /// No rows of unlogged tables.
    pub no_unlogged_data: bool,
    /// Partitions are loaded through their roots.
    pub through_roots: bool,
    /// Whether large objects were asked for, or refused.
    pub large_objects: Option<bool>,
}

impl Scope {
    /// Whether everything but rows of some tables is dumped.
    pub fn is_whole(&self) -> bool {
        let narrowed = [&self.tables, &self.exclude_tables, &self.schemas, &self.exclude_schemas];
        narrowed.iter().all(|patterns| patterns.is_empty()) && !self.no_data
    }

    /// Whether large objects are dumped.
    pub fn has_large_objects(&self) -> bool {
        let by_default = self.tables.is_empty() && self.schemas.is_empty() && !self.no_data;
        self.large_objects.unwrap_or(by_default)
    }
}

impl DumpCommand {
    /// Reads a command with pg_dump somewhere in it: itself, or behind `docker exec …` and the like.
    ///
    /// # Errors
    /// There is no pg_dump in it, or it is told something that a stamp can't follow.
    pub fn parse(arguments: Vec<OsString>) -> Result<DumpCommand, Error> {
        let is_pg_dump = |argument: &OsString| {
            let name = Path::new(argument).file_name().and_then(OsStr::to_str).unwrap_or_default();
            name == "pg_dump" || name.strip_prefix("pg_dump").is_some_and(|rest| rest.starts_with(['-', '.']))
        };
        let program = arguments.iter().position(is_pg_dump).ok_or_else(|| {
            refused("there is no pg_dump in the command", "write: firedrill stamp … -- pg_dump -Fc -f FILE")
        })?;
        let mut command =
            DumpCommand { arguments, program, file: None, encoding: None, scope: Scope::default() };
        let words: Vec<String> = command
            .arguments
            .iter()
            .skip(program + 1)
            .map(|argument| argument.to_str().map(str::to_owned))
            .collect::<Option<_>>()
            .ok_or_else(|| refused("an argument of pg_dump is no text", "write it in UTF-8"))?;
        for (name, value) in options(&words)? {
            command.take(name, &value)?;
        }
        Ok(command)
    }

    /// The command with the snapshot put in.
    pub fn in_snapshot(&self, snapshot: &str) -> Vec<OsString> {
        let mut arguments = self.arguments.clone();
        arguments.insert(self.program + 1, format!("--snapshot={snapshot}").into());
        arguments
    }

    fn take(&mut self, name: &'static str, value: &str) -> Result<(), Error> {
        let scope = &mut self.scope;
        match name {
            "file" => self.file = Some(value.into()),
            "encoding" => self.encoding = Some(value.to_owned()),
            "format" if value.starts_with('d') => {
                return Err(refused(
                    "a directory of files has no digest of its own",
                    "dump in the custom format, -Fc, to be stamped",
                ));
            }
            "snapshot" => return Err(refused("the command names a snapshot of its own", "leave it out")),
            "filter" => {
                return Err(refused(
                    "what a filter file leaves out is not followed",
                    "write --table, --exclude-table and the like on the command line",
                ));
            }
            "table" => scope.tables.push(Pattern::parse(value, false)?),
            "table-and-children" => scope.tables.push(Pattern::parse(value, true)?),
            "exclude-table" => scope.exclude_tables.push(Pattern::parse(value, false)?),
            "exclude-table-and-children" => scope.exclude_tables.push(Pattern::parse(value, true)?),
            "exclude-table-data" => scope.exclude_data.push(Pattern::parse(value, false)?),
            "exclude-table-data-and-children" => scope.exclude_data.push(Pattern::parse(value, true)?),
            "schema" => scope.schemas.push(Pattern::parse(value, false)?),
            "exclude-schema" => scope.exclude_schemas.push(Pattern::parse(value, false)?),
            "schema-only" | "no-data" | "statistics-only" => scope.no_data = true,
            "section" if value != "data" => scope.no_data = true,
            "no-unlogged-table-data" => scope.no_unlogged_data = true,
            "load-via-partition-root" => scope.through_roots = true,
            "blobs" | "large-objects" => scope.large_objects = Some(true),
            "no-blobs" | "no-large-objects" => scope.large_objects = Some(false),
            _ => {}
        }
        Ok(())
    }
}

fn refused(what: &str, remedy: &str) -> Error {
    Error::new(Kind::Command, what).with_remedy(remedy)
}

/// Every option with its value, or without one, as getopt_long reads them.
fn options(words: &[String]) -> Result<Vec<(&'static str, String)>, Error> {
    let mut found = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if word == "--" {
            break;
        }
        let mut value_of = |name: &str, inline: Option<&str>| match inline {
            Some(value) => Ok(value.to_owned()),
            None => words
                .next()
                .cloned()
                .ok_or_else(|| refused(&format!("pg_dump's --{name} needs a value"), "give it one")),
        };
        if let Some(long) = word.strip_prefix("--") {
            let (written, inline) = long.split_once('=').map_or((long, None), |(name, v)| (name, Some(v)));
            let name = long_option(written)?;
            let value = if WITH_VALUE.contains(&name) { value_of(name, inline)? } else { String::new() };
            found.push((name, value));
        } else if let Some(mut letters) = word.strip_prefix('-').filter(|letters| !letters.is_empty()) {
            while let Some(letter) = letters.chars().next() {
                letters = letters.get(letter.len_utf8()..).unwrap_or_default();
                let name = SHORT.iter().find(|(short, _)| *short == letter).map(|(_, name)| *name);
                let name = name.ok_or_else(|| {
                    refused(&format!("pg_dump has no option '-{letter}'"), "see pg_dump --help")
                })?;
                if WITH_VALUE.contains(&name) {
                    let value = value_of(name, Some(letters).filter(|rest| !rest.is_empty()))?;
                    found.push((name, value));
                    break;
                }
                found.push((name, String::new()));
            }
        }
    }
    Ok(found)
}

/// The option that a word is, or is the beginning of.
fn long_option(written: &str) -> Result<&'static str, Error> {
    let all = || WITH_VALUE.iter().chain(WITHOUT_VALUE);
    if let Some(name) = all().find(|name| **name == written) {
        return Ok(name);
    }
    let mut begun = all().filter(|name| name.starts_with(written));
    match (begun.next(), begun.next()) {
        (Some(name), None) => Ok(name),
        _ => Err(refused(
            &format!("it is not known what pg_dump's --{written} leaves out"),
            "write the option in full, or leave it out",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<DumpCommand, Error> {
        DumpCommand::parse(line.split(' ').map(OsString::from).collect())
    }

    #[test]
    fn the_snapshot_goes_behind_pg_dump_wherever_it_stands() {
        let table = [
            ("pg_dump -Fc -f x.dump", "pg_dump --snapshot=S -Fc -f x.dump"),
            ("/usr/lib/postgresql/15/bin/pg_dump db", "/usr/lib/postgresql/15/bin/pg_dump --snapshot=S db"),
            ("docker exec db pg_dump -Fc", "docker exec db pg_dump --snapshot=S -Fc"),
            ("nice -n 19 pg_dump-15", "nice -n 19 pg_dump-15 --snapshot=S"),
        ];
        for (line, expected) in table {
            let arguments = parse(line).unwrap().in_snapshot("S");
            let written: Vec<&str> = arguments.iter().map(|argument| argument.to_str().unwrap()).collect();
            assert_eq!(written.join(" "), expected);
        }
    }

    #[test]
    fn where_the_archive_goes_is_read_in_every_spelling() {
        for line in
            ["pg_dump -f x", "pg_dump -fx", "pg_dump -vf x", "pg_dump --file x", "pg_dump --file=x db"]
        {
            assert_eq!(parse(line).unwrap().file, Some("x".into()), "{line}");
        }
        assert_eq!(parse("pg_dump -Fc db").unwrap().file, None);
        assert_eq!(parse("pg_dump -Fc -- -f").unwrap().file, None);
    }

    #[test]
    fn what_a_dump_leaves_out_is_read_off_its_options() {
        let scope = |line: &str| parse(line).unwrap().scope;
        assert!(scope("pg_dump -Fc -Z 9 -U ana").is_whole());
        assert!(scope("pg_dump --exclude-table-data=log").is_whole());
        assert!(scope("pg_dump").has_large_objects());
        for line in ["pg_dump -t a", "pg_dump -T a", "pg_dump -n s", "pg_dump -Ns", "pg_dump -s"] {
            assert!(!scope(line).is_whole(), "{line}");
        }
        assert!(!scope("pg_dump -t a").has_large_objects());
        assert!(scope("pg_dump -t a -b").has_large_objects());
        assert!(!scope("pg_dump --no-large-objects").has_large_objects());
        assert!(scope("pg_dump --load-via").through_roots);
        assert_eq!(scope("pg_dump -t a --table=b --table-and-children c").tables.len(), 3);
    }

    #[test]
    fn what_a_stamp_can_not_follow_is_refused() {
        for line in [
            "psql",
            "sh -c pg_dumpall",
            "pg_dump -Fd -f x",
            "pg_dump --format=directory",
            "pg_dump --snapshot=S",
            "pg_dump --filter f",
            "pg_dump --leave-it-all-out",
            "pg_dump --no-s",
            "pg_dump -y",
            "pg_dump -f",
        ] {
            assert_eq!(parse(line).unwrap_err().kind(), Kind::Command, "{line}");
        }
    }
}
