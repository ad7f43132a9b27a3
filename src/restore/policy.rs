//! What becomes of each entry of an archive: restored in some way, or left out for a reason.
//!
//! The policy protects against accidents, not against an attacker, whom only the scratch's
//! isolation stops: any entry can hold any SQL.

use std::collections::HashSet;

use crate::archive::{CopyTarget, Entry, OTHER_DATABASE, Section, TableOfData, Toc};
use crate::restore::Error;
use crate::restore::rules::{Purpose, Rules};

/// The passes of a restore: each begins when the one before it is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pass {
    /// Everything but the two below.
    Main,
    /// Grants, so that nothing of ours is refused on the way.
    Grants,
    /// Materialised views are filled last: they may read anything.
    Refresh,
}

/// Why an entry is left out. The text stands in the evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exclusion {
    /// A subscription would dial its publisher, and drop the production slot when dropped.
    NoOutbound,
    /// A publication serves nobody in a scratch.
    NoReplication,
    /// An event trigger would fire on the statements of the restore itself.
    NoEventTriggers,
    /// A security label needs its provider loaded into the server.
    NoLabelProvider,
    /// It speaks of the database by the name it had in production.
    NamesTheOriginalDatabase,
    /// Statistics of a newer server than the scratch.
    StatisticsNotPortable,
    /// A remark of pg_dump that holds nothing to restore.
    NothingToRestore,
    /// It belongs to the whole server, whose roles have passwords and whose tablespaces have
    /// places that a scratch must not have.
    BelongsToTheServer,
    /// It is another database of the server than the one that the plan names.
    AnotherDatabase,
    /// Grants were not asked for.
    NoGrants,
}

impl Exclusion {
    /// The code in the evidence.
    pub fn as_str(self) -> &'static str {
        match self {
            Exclusion::NoOutbound => "POLICY_NO_OUTBOUND",
            Exclusion::NoReplication => "POLICY_NO_REPLICATION",
            Exclusion::NoEventTriggers => "POLICY_NO_EVENT_TRIGGERS",
            Exclusion::NoLabelProvider => "POLICY_NO_SECURITY_LABELS",
            Exclusion::NamesTheOriginalDatabase => "POLICY_NAMES_ORIGINAL_DATABASE",
            Exclusion::StatisticsNotPortable => "POLICY_STATISTICS_NOT_PORTABLE",
            Exclusion::NothingToRestore => "POLICY_NOTHING_TO_RESTORE",
            Exclusion::BelongsToTheServer => "POLICY_BELONGS_TO_SERVER",
            Exclusion::AnotherDatabase => "POLICY_ANOTHER_DATABASE",
            Exclusion::NoGrants => "POLICY_NO_GRANTS",
        }
    }
}

/// What becomes of an entry.
#[derive(Clone, Debug, PartialEq)]
pub enum Disposition {
    /// It fixes the state of our sessions, or of the scratch database's creation.
    Applied,
    /// Its SQL is run in one connection, in order, before any row is loaded.
    Before,
    /// The rows of a table, as COPY text or as INSERT statements.
    Rows(Rows),
    /// The contents of large objects.
    LargeObjects,
    /// Its SQL is run when what it depends on is complete.
    After(Pass),
    /// It is left out.
    Excluded(Exclusion),
}

/// Where the rows of a TABLE DATA entry go.
#[derive(Clone, Debug, PartialEq)]
pub struct Rows {
    /// The COPY that the archive names, parsed; none in an INSERT dump.
    pub target: Option<CopyTarget>,
    /// The rows are sent to the root of a partitioned table, which routes them.
    pub through_root: bool,
    /// The entry that creates the table, if this archive does.
    pub table_entry: Option<u32>,
}

/// Decides about every entry, in the order of the table of contents.
///
/// # Errors
/// An archive that would write into another server, or whose COPY is not one, is refused whole.
pub fn decide(toc: &Toc, server_major: u32, rules: Rules) -> Result<Vec<Disposition>, Error> {
    let mut in_data = false;
    toc.entries
        .iter()
        .map(|entry| {
            in_data |= matches!(entry.section, Section::Data | Section::PostData);
            disposition(toc, entry, in_data, server_major, rules)
        })
        .collect()
}

fn disposition(
    toc: &Toc,
    entry: &Entry,
    in_data: bool,
    server_major: u32,
    rules: Rules,
) -> Result<Disposition, Error> {
    if let Some(exclusion) = exclusion(entry, server_major, rules) {
        return Ok(Disposition::Excluded(exclusion));
    }
    Ok(match entry.kind.as_str() {
        "ENCODING" | "STDSTRINGS" | "SEARCHPATH" | "DATABASE" | "DATABASE PROPERTIES" => Disposition::Applied,
        // Owners are made as placeholders.
        "ROLE" => Disposition::Applied,
        "TABLE DATA" => Disposition::Rows(rows_into(toc.table_of_data(entry), entry)?),
        "BLOBS" => Disposition::LargeObjects,
        "BLOB" | "BLOB METADATA" => Disposition::Before,
        "ACL" | "ACL LANGUAGE" | "DEFAULT ACL" => Disposition::After(Pass::Grants),
        "MATERIALIZED VIEW DATA" => Disposition::After(Pass::Refresh),
        // It would fire on what else is restored.
        "EVENT TRIGGER" => Disposition::After(Pass::Refresh),
        "COMMENT" | "SECURITY LABEL" if entry.tag.starts_with("EVENT TRIGGER ") => {
            Disposition::After(Pass::Refresh)
        }
        "STATISTICS DATA" | "EXTENDED STATISTICS DATA" => Disposition::After(Pass::Refresh),
        _ if entry.section == Section::PreData => Disposition::Before,
        _ if entry.section == Section::None && !in_data => Disposition::Before,
        _ => Disposition::After(Pass::Main),
    })
}

fn exclusion(entry: &Entry, server_major: u32, rules: Rules) -> Option<Exclusion> {
    let about = |what: &str| {
        matches!(entry.kind.as_str(), "COMMENT" | "SECURITY LABEL" | "ACL") && entry.tag.starts_with(what)
    };
    match entry.kind.as_str() {
        "STATISTICS DATA" if server_major < 18 => Some(Exclusion::StatisticsNotPortable),
        "EXTENDED STATISTICS DATA" if server_major < 19 => Some(Exclusion::StatisticsNotPortable),
        "WARNING" | "<Init>" | "BLOB COMMENTS" | "DROP" => Some(Exclusion::NothingToRestore),
        "ROLE PROPERTIES" | "ROLE MEMBERSHIP" | "PARAMETER ACL" | "TABLESPACE" => {
            Some(Exclusion::BelongsToTheServer)
        }
        OTHER_DATABASE => Some(Exclusion::AnotherDatabase),
        "TABLE DATA" | "BLOBS" if !entry.has_data => Some(Exclusion::NothingToRestore),
        "ACL" | "ACL LANGUAGE" | "DEFAULT ACL" if !rules.grants => Some(Exclusion::NoGrants),
        _ if about("DATABASE ") => Some(Exclusion::NamesTheOriginalDatabase),
        _ if rules.purpose == Purpose::Drill => acts_outside(entry, about),
        _ => None,
    }
}

/// What would act on something outside of a scratch, or needs more than a scratch has.
fn acts_outside(entry: &Entry, about: impl Fn(&str) -> bool) -> Option<Exclusion> {
    match entry.kind.as_str() {
        kind if kind.starts_with("SUBSCRIPTION") => Some(Exclusion::NoOutbound),
        kind if kind.starts_with("PUBLICATION") => Some(Exclusion::NoReplication),
        "EVENT TRIGGER" => Some(Exclusion::NoEventTriggers),
        "SECURITY LABEL" => Some(Exclusion::NoLabelProvider),
        _ if about("SUBSCRIPTION ") => Some(Exclusion::NoOutbound),
        _ if about("PUBLICATION ") => Some(Exclusion::NoReplication),
        _ if about("EVENT TRIGGER ") => Some(Exclusion::NoEventTriggers),
        _ => None,
    }
}

/// Where the rows of `entry`, which belong to `table`, go.
///
/// # Errors
/// As [`decide`].
pub fn rows_into(table: TableOfData<'_>, entry: &Entry) -> Result<Rows, Error> {
    let table = match table {
        TableOfData::Table(table) => Some(table),
        TableOfData::Absent => None,
        TableOfData::ForeignTable(_) | TableOfData::Other(_) => return Err(Error::foreign_rows(entry)),
    };
    let target = CopyTarget::of(entry).map_err(|error| Error::archive(&error))?;
    let through_root = entry.load_via_root().is_some();
    Ok(Rows { target, through_root, table_entry: table.map(|table| table.id) })
}

/// Kinds that may touch rows when they exist too early: they wait for every row of the
/// archive, since pg_dump names only the parent of a partitioned table as what they need.
pub fn waits_for_all_rows(entry: &Entry) -> bool {
    matches!(
        entry.kind.as_str(),
        "TRIGGER" | "RULE" | "FK CONSTRAINT" | "CHECK CONSTRAINT" | "POLICY" | "ROW SECURITY"
    )
}

/// The entries whose kind is an index or a constraint that is backed by one.
pub fn builds_index(entry: &Entry) -> bool {
    matches!(entry.kind.as_str(), "INDEX" | "CONSTRAINT")
}

/// The tables whose rows this archive should hold but does not: created here, ordinary, and
/// without a TABLE DATA entry (`--exclude-table-data`, `--schema-only`, unlogged).
pub fn tables_without_rows<'a>(toc: &'a Toc, dispositions: &[Disposition]) -> Vec<&'a Entry> {
    let with_rows: HashSet<u32> = dispositions
        .iter()
        .filter_map(|disposition| match disposition {
            Disposition::Rows(rows) => rows.table_entry,
            _ => None,
        })
        .collect();
    let partitions = toc.partitions();
    toc.entries
        .iter()
        .filter(|entry| entry.kind == "TABLE")
        .filter(|entry| entry.relkind.is_none_or(|kind| kind == 'r'))
        .filter(|entry| !with_rows.contains(&entry.id) && !partitions.is_parent(entry.id))
        .filter(|entry| !is_partitioned(entry))
        .collect()
}

/// Whether a TABLE entry makes a partitioned table; before archive version 1.16 only its
/// definition tells.
pub fn is_partitioned(entry: &Entry) -> bool {
    entry.relkind == Some('p') || entry.definition.contains("\nPARTITION BY ")
}
