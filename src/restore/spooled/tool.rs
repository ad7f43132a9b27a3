//! `pg_restore`: run, heard, and judged by how it ended.

use std::collections::BTreeSet;
use std::io::Write;

use crate::archive::{Layout, Toc};
use crate::clock::Stopwatch;
use crate::event::{EventKind, Events};
use crate::postgres::{Cluster, Ran};
use crate::restore::entry::comes_with_every_database;
use crate::restore::error::Failure;
use crate::restore::policy::{self, Disposition};
use crate::restore::roles::Roles;
use crate::restore::spans::Kind;
use crate::restore::spooled::copy::no_cluster;
use crate::restore::spooled::{ByTool, Staged, count, roles};
use crate::restore::{DATABASE, Error, Halted, Manner, Scratch};
use crate::verdict::{Blame, Code};

/// The first so many bytes of what it says are looked at; nothing of them is shown. Where they
/// don't reach, the drill can't say more than that the tool failed.
const HEARD_BYTES_MAX: usize = 8 << 20;

/// What the tool says when not the archive is at fault but the machine, the server, or the tool
/// itself, and what that is. Texts of the tool and of libpq in the C locale.
const SAYINGS: &[(&str, Code, &str)] = &[
    ("No space left on device", Code::ScratchDiskFull, "the scratch's disk is full"),
    ("server closed the connection", Code::ScratchCrashed, "the scratch server closed the connection"),
    ("terminating connection", Code::ScratchCrashed, "the scratch server closed the connection"),
    ("connection to server", Code::ScratchCrashed, "the scratch server could not be reached"),
    ("out of memory", Code::ScratchOutOfMemory, "it, or the scratch server, ran out of memory"),
    ("unsupported version", Code::UnsupportedVersion, "it does not know this version of the archive"),
    ("this build does not support", Code::UnsupportedVersion, "it was built without this compression"),
    ("not supported by this build", Code::ScratchUnavailable, "the scratch server lacks a feature"),
    ("could not load library", Code::ScratchUnavailable, "the scratch server lacks a library"),
    ("could not access file", Code::ScratchUnavailable, "the scratch server lacks a file"),
    (
        "could not open extension control file",
        Code::ExtensionMissing,
        "the scratch server lacks an extension",
    ),
];

/// Restores a staged archive into `scratch`, everything that policy does not leave out, with `jobs`
/// connections where its layout allows more than one.
///
/// # Errors
/// It could not be run, or failed for a reason that lies in the archive as a whole, or in this
/// machine. What it could not restore, entry by entry, is told when the rows are counted.
pub async fn restore_by_tool(
    mut staged: Staged,
    toc: std::sync::Arc<Toc>,
    scratch: &Scratch,
    manner: Manner,
    watch: Stopwatch,
    events: &Events,
) -> Result<ByTool, Halted> {
    let Some(cluster) = scratch.cluster() else { return Err(no_cluster().into()) };
    let dispositions = policy::decide(&toc, scratch.server_major(), manner.rules)?;
    let placeholder_roles = make_roles(&toc, scratch).await?;
    let argv = arguments(cluster, &staged, &toc, &dispositions, manner.jobs)?;
    let (kind, name): (std::sync::Arc<str>, std::sync::Arc<str>) = ("pg_restore".into(), "".into());
    let began = watch.elapsed();
    events.emit(EventKind::RestorePlanned { tables: 0, post_data: 1 });
    events.emit(EventKind::EntryStarted { kind: kind.clone(), name: name.clone() });
    let ran = cluster.run_heard(&argv, DATABASE, HEARD_BYTES_MAX).await;
    let (ran, said) = ran.map_err(|error| Error::postgres(&error))?;
    events.emit(EventKind::EntryFinished { kind, name });
    staged.spans.note(Kind::Tool, began, watch.elapsed());
    let said = String::from_utf8_lossy(&said);
    let failures = if ran.code == Some(0) { Vec::new() } else { failures(&toc, &said) };
    let came = ByTool { staged, toc, failures, placeholder_roles };
    if ran.code == Some(0) {
        return Ok(came);
    }
    match fault(&ran, &said, &came.failures) {
        None => Ok(came),
        // Our own reader knows better what an archive lacks that the tool stumbled over.
        Some(error) => match count(came, scratch, manner).await {
            Err(halted) if halted.error.reason().code.blame() == Blame::Backup => Err(halted),
            _ => Err(error.into()),
        },
    }
}

/// Why the tool ended as it did, where that is not told by the entries that it could not restore.
fn fault(ran: &Ran, said: &str, failures: &[Failure]) -> Option<Error> {
    let errors = || said.lines().filter(|line| line.starts_with("pg_restore: ") && line.contains("error: "));
    let known = SAYINGS.iter().find(|(words, ..)| errors().any(|line| line.contains(words)));
    if let Some((_, code, what)) = known {
        let remedy = "see the scratch's machine and its PostgreSQL, or write engine = \"native\"";
        return Some(Error::new(*code, format!("pg_restore failed: {what}"), remedy));
    }
    if ran.signal.is_none() && !failures.is_empty() {
        return None;
    }
    let ended = match (ran.code, ran.signal) {
        (Some(code), _) => format!("ended with exit code {code}"),
        (None, Some(signal)) => format!("was ended by signal {signal}"),
        (None, None) => "ended".to_owned(),
    };
    Some(Error::new(
        Code::ScratchUnavailable,
        format!("pg_restore {ended} and named no entry of the archive that it could not restore"),
        "run pg_restore on the backup by hand to see its words, or write engine = \"native\"",
    ))
}

/// The entries that it names, each once. Its words hold rows and statements, and are not shown.
fn failures(toc: &Toc, said: &str) -> Vec<Failure> {
    // Its workers write at the same time, each in pieces: a line may begin in the middle of another.
    const WORDS: &str = "from TOC entry ";
    let id = |(at, _)| said.get(at + WORDS.len()..)?.split(';').next()?.parse().ok();
    let ids: BTreeSet<u32> = said.match_indices(WORDS).filter_map(id).collect();
    let failure = |entry: &crate::archive::Entry| Failure {
        entry: entry.id,
        kind: entry.kind.clone(),
        name: entry.qualified_name(),
        sqlstate: None,
        message: "pg_restore could not restore it".to_owned(),
        blame: Blame::Backup,
    };
    ids.into_iter().filter_map(|id| toc.entry(id)).map(failure).collect()
}

async fn make_roles(toc: &Toc, scratch: &Scratch) -> Result<Vec<String>, Error> {
    let made = Roles::new(scratch.connect().await?, true);
    let refused = |error: crate::postgres::Error| Error::postgres(&error);
    for role in roles::named(toc) {
        made.ensure(&role).await.map_err(refused)?;
    }
    for entry in toc.entries.iter().filter(|entry| entry.kind == "FOREIGN DATA WRAPPER") {
        if let Some(owner) = entry.owner.as_deref().filter(|owner| !owner.is_empty()) {
            made.promote(owner).await.map_err(refused)?;
        }
    }
    Ok(made.into_made())
}

/// The program and its arguments; beside them a list of the entries that are restored is written.
fn arguments(
    cluster: &Cluster,
    staged: &Staged,
    toc: &Toc,
    dispositions: &[Disposition],
    jobs: usize,
) -> Result<Vec<String>, Error> {
    let program = cluster.program("pg_restore");
    if !program.is_file() {
        return Err(Error::new(
            Code::ScratchUnavailable,
            format!("there is no '{}'", program.display()),
            "install PostgreSQL's client programs of the scratch's version, or write engine = \"native\"",
        ));
    }
    let list = staged.spool.join(LIST);
    write_list(cluster, toc, dispositions)?;
    // A tar can be read from its beginning only.
    let jobs = if toc.header.layout == Layout::Tar { 1 } else { jobs.max(1) };
    let mut argv = vec![program.display().to_string(), "--no-password".into()];
    // Only so it says which entries its errors are of.
    argv.push("--verbose".into());
    argv.push(format!("--dbname={DATABASE}"));
    argv.push(format!("--jobs={jobs}"));
    argv.push(format!("--use-list={}", list.display()));
    argv.push(staged.path.display().to_string());
    Ok(argv)
}

/// The name of the list of entries; no file of an archive has one like it.
pub const LIST: &str = "firedrill.list";

fn write_list(cluster: &Cluster, toc: &Toc, dispositions: &[Disposition]) -> Result<(), Error> {
    let wanted = toc.entries.iter().zip(dispositions).filter(|(entry, disposition)| {
        // Every new database has this schema, and a second one is an error to pg_restore.
        let there = entry.kind == "SCHEMA" && comes_with_every_database(entry);
        !matches!(disposition, Disposition::Excluded(_)) && !there
    });
    let list: String = wanted.map(|(entry, _)| format!("{};\n", entry.id)).collect();
    let mut file = cluster.reopen_spool().file(LIST).map_err(|error| Error::postgres(&error))?;
    file.write_all(list.as_bytes()).map_err(|error| {
        let remedy = "see the disk under the scratch's directory";
        Error::new(Code::ScratchUnavailable, format!("write the list for pg_restore: {error}"), remedy)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;

    fn fault_of(code: i32, said: &str, failures: &[Failure]) -> Option<Code> {
        let ran = Ran { code: Some(code), signal: None, output: Digest::of(b""), output_bytes: 0 };
        fault(&ran, said, failures).map(|error| error.reason().code)
    }

    #[test]
    fn a_broken_machine_is_told_from_a_broken_archive_by_what_the_tool_says() {
        let failed = [Failure {
            entry: 1,
            kind: "TABLE".into(),
            name: "t".into(),
            sqlstate: None,
            message: String::new(),
            blame: Blame::Backup,
        }];
        let full = "pg_restore: error: COPY failed: ERROR: could not extend file: No space left on device\n";
        let lost = "pg_restore: error: could not execute query: server closed the connection unexpectedly\n";
        let table = [
            (full, &failed[..], Some(Code::ScratchDiskFull)),
            (lost, &failed[..], Some(Code::ScratchCrashed)),
            ("pg_restore: error: could not execute query: ERROR: x\n", &failed[..], None),
            // Two workers that write at once.
            (
                "pg_restore: pg_restore: error: error: ERROR: No space left on device\n",
                &failed[..],
                Some(Code::ScratchDiskFull),
            ),
            // A row, or a name, says nothing.
            ("CONTEXT: COPY t, line 1: No space left on device\n", &failed[..], None),
            ("pg_restore: error: could not uncompress data\n", &[], Some(Code::ScratchUnavailable)),
        ];
        for (said, failures, code) in table {
            assert_eq!(fault_of(1, said, failures), code, "{said}");
        }
    }
}
