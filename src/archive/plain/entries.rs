//! The entries of a plain dump, made of headings and the statements below them.

use std::collections::HashMap;

use crate::archive::entry::{DataPosition, Entry, Section};
use crate::archive::error::Error;
use crate::archive::plain::heading::Heading;
use crate::archive::plain::meaning::{self, Name};

/// The most entries that are read, as in other archives.
const ENTRIES_MAX: usize = 5_000_000;
/// The most bytes of definitions and names that are kept.
const BYTES_MAX: u64 = 512 << 20;

/// Kinds whose owner the restore sets from the entry's own name.
const OWNED: [&str; 16] = [
    "COLLATION",
    "CONVERSION",
    "DOMAIN",
    "FOREIGN TABLE",
    "MATERIALIZED VIEW",
    "SEQUENCE",
    "STATISTICS",
    "TABLE",
    "TEXT SEARCH CONFIGURATION",
    "TEXT SEARCH DICTIONARY",
    "TYPE",
    "VIEW",
    "SCHEMA",
    "FOREIGN DATA WRAPPER",
    "SERVER",
    "PROCEDURAL LANGUAGE",
];
/// Kinds whose owner the restore sets by the words of the statement that would drop it.
const OWNED_BY_SIGNATURE: [&str; 6] =
    ["AGGREGATE", "FUNCTION", "PROCEDURE", "OPERATOR", "OPERATOR CLASS", "OPERATOR FAMILY"];

/// Kinds that a restore may leave out, and how every statement below their headings begins: no
/// other may hide there.
const LEFT_OUT: [(&str, &[&str]); 10] = [
    ("PUBLICATION", &["CREATE PUBLICATION ", "ALTER PUBLICATION "]),
    ("SUBSCRIPTION", &["CREATE SUBSCRIPTION ", "ALTER SUBSCRIPTION ", "SELECT pg_catalog.binary_upgrade_"]),
    ("EVENT TRIGGER", &["CREATE EVENT TRIGGER ", "ALTER EVENT TRIGGER "]),
    ("SECURITY LABEL", &["SECURITY LABEL "]),
    ("COMMENT", &["COMMENT ON "]),
    ("ACL", &["GRANT ", "REVOKE ", "SET SESSION AUTHORIZATION ", "RESET SESSION AUTHORIZATION"]),
    (
        "DEFAULT ACL",
        &["ALTER DEFAULT PRIVILEGES ", "SET SESSION AUTHORIZATION ", "RESET SESSION AUTHORIZATION"],
    ),
    ("DATABASE PROPERTIES", &["ALTER DATABASE ", "ALTER ROLE ", "UPDATE pg_catalog.pg_database "]),
    (
        "STATISTICS DATA",
        &[
            "SELECT * FROM pg_catalog.pg_restore_relation_stats(",
            "SELECT * FROM pg_catalog.pg_restore_attribute_stats(",
        ],
    ),
    ("EXTENDED STATISTICS DATA", &["SELECT * FROM pg_catalog.pg_restore_extended_stats("]),
];
/// Kinds that stand for what has no heading.
const WITHOUT_HEADING: [&str; 12] = [
    "ENCODING",
    "STDSTRINGS",
    "SEARCHPATH",
    "ROLE",
    "ROLE PROPERTIES",
    "ROLE MEMBERSHIP",
    "PARAMETER ACL",
    "TABLESPACE",
    "DROP",
    "WARNING",
    "<Init>",
    "BLOB COMMENTS",
];

/// Entries in the order of the script, with ids by their position.
#[derive(Debug, Default)]
pub(super) struct Entries {
    list: Vec<Entry>,
    relations: HashMap<(String, String), u32>,
    bytes: u64,
    /// An entry of the section after the rows was seen.
    post_data: bool,
    /// That of the sessions by the last SET.
    access_method: Option<String>,
    /// That under which the open entry began: what is set below it is for the next one.
    access_method_of_entry: Option<String>,
}

impl Entries {
    pub fn list(&self) -> &[Entry] {
        &self.list
    }

    /// Forgets the entries from that position on.
    pub fn truncate(&mut self, count: usize) {
        self.list.truncate(count);
        self.relations.retain(|_, id| (*id as usize) <= count);
        self.post_data = false;
    }

    /// One more dump begins in the same script.
    pub fn begin_dump(&mut self) {
        self.post_data = false;
        self.access_method = None;
    }

    /// Tables are made with this access method from the next entry on.
    pub fn set_access_method(&mut self, name: String) {
        self.access_method = Some(name);
    }

    /// A heading was seen.
    pub fn begin_entry(&mut self) {
        self.access_method_of_entry.clone_from(&self.access_method);
    }

    /// An entry that only tells the state of sessions.
    pub fn push_state(&mut self, kind: &str, definition: &str) -> Result<(), Error> {
        let heading = Heading { tag: kind.into(), kind: kind.into(), ..Heading::default() };
        let mut entry = self.blank(&heading);
        entry.definition = format!("{definition}\n");
        self.push(entry)
    }

    /// An entry of which nothing but its name is kept, for what has no heading.
    pub fn push_name(&mut self, heading: &Heading) -> Result<(), Error> {
        let entry = self.blank(heading);
        self.push(entry)
    }

    /// The entry below `heading`, with everything that stood below it.
    pub fn push_statements(&mut self, heading: &Heading, statements: Vec<String>) -> Result<(), Error> {
        check(heading, &statements)?;
        let mut entry = self.blank(heading);
        if let Some(name) = statements.iter().find_map(|text| self.own_name(heading, text)) {
            entry.tag = name.1;
            entry.namespace = name.0.or(entry.namespace);
        }
        entry.dependencies = self.needed(&heading.kind, &statements);
        match heading.kind.as_str() {
            "DATABASE" => entry.definition = database(statements)?,
            "BLOB" | "BLOB METADATA" => large_objects(&mut entry, &statements)?,
            _ => define(&mut entry, statements),
        }
        let relation =
            matches!(entry.kind.as_str(), "TABLE" | "FOREIGN TABLE" | "VIEW" | "MATERIALIZED VIEW");
        if relation {
            let name = (entry.namespace.clone().unwrap_or_default(), entry.tag.clone());
            self.relations.insert(name, entry.id);
        }
        self.push(entry)
    }

    /// An entry with rows or large objects, to be completed by who knows how they come.
    pub fn data(&self, heading: &Heading) -> Entry {
        let mut entry = self.blank(heading);
        entry.has_data = true;
        entry.position = DataPosition::Unknown;
        entry.section = Section::Data;
        entry
    }

    /// The relation of that name, if an entry makes it.
    pub fn relation(&self, name: &Name) -> Option<u32> {
        self.relations.get(&(name.0.clone().unwrap_or_default(), name.1.clone())).copied()
    }

    pub fn push(&mut self, entry: Entry) -> Result<(), Error> {
        self.post_data |= entry.section == Section::PostData;
        self.keep(entry.tag.len())?;
        if self.list.len() >= ENTRIES_MAX {
            let what = format!("more than {ENTRIES_MAX} entries");
            return Err(Error::Limit { what, limit: ENTRIES_MAX as u64 });
        }
        self.list.push(entry);
        Ok(())
    }

    /// So many bytes of names or definitions are kept.
    pub fn keep(&mut self, bytes: usize) -> Result<(), Error> {
        self.bytes = self.bytes.saturating_add(bytes as u64);
        if self.bytes <= BYTES_MAX {
            return Ok(());
        }
        Err(Error::Limit { what: format!("definitions of more than {BYTES_MAX} bytes"), limit: BYTES_MAX })
    }

    fn blank(&self, heading: &Heading) -> Entry {
        let table = heading.kind == "TABLE" || heading.kind == "MATERIALIZED VIEW";
        Entry {
            id: self.list.len() as u32 + 1,
            has_data: false,
            table_oid: 0,
            oid: 0,
            tag: heading.tag.clone(),
            kind: heading.kind.clone(),
            section: self.section(&heading.kind),
            definition: String::new(),
            drop: String::new(),
            copy: None,
            namespace: heading.namespace.clone(),
            tablespace: None,
            access_method: self.access_method_of_entry.clone().filter(|_| table),
            relkind: None,
            owner: heading.owner.clone(),
            dependencies: Vec::new(),
            position: DataPosition::NoData,
        }
    }

    /// What pg_dump makes before the rows comes behind them only if it needs something there.
    fn section(&self, kind: &str) -> Section {
        match kind {
            "COMMENT" | "SECURITY LABEL" | "ACL" => Section::None,
            "SEQUENCE SET" | "BLOB METADATA" | "STATISTICS DATA" | "EXTENDED STATISTICS DATA" => {
                Section::Data
            }
            "CONSTRAINT"
            | "INDEX"
            | "INDEX ATTACH"
            | "STATISTICS"
            | "RULE"
            | "TRIGGER"
            | "FK CONSTRAINT"
            | "CHECK CONSTRAINT"
            | "POLICY"
            | "ROW SECURITY"
            | "EVENT TRIGGER"
            | "MATERIALIZED VIEW DATA"
            | "DEFAULT ACL" => Section::PostData,
            _ if kind.starts_with("PUBLICATION") || kind.starts_with("SUBSCRIPTION") => Section::PostData,
            _ if self.post_data => Section::PostData,
            _ => Section::PreData,
        }
    }

    /// The name as the statement has it, if the heading's is the same but for its line breaks.
    fn own_name(&self, heading: &Heading, statement: &str) -> Option<Name> {
        let name = match heading.kind.as_str() {
            "SEQUENCE SET" => meaning::sequence_set(statement)?,
            kind => meaning::created(kind, statement)?,
        };
        (on_one_line(&name.1) == heading.tag).then_some(name)
    }

    /// The tables that an entry works on; for an attached partition, itself and its parent.
    fn needed(&self, kind: &str, statements: &[String]) -> Vec<u32> {
        let mut needed: Vec<u32> = Vec::new();
        for statement in statements {
            let attaches = statement.contains(" ATTACH PARTITION ");
            if kind == "TABLE" && !attaches {
                continue;
            }
            let mut names = meaning::tables(statement);
            if attaches {
                names.reverse();
            }
            for id in names.iter().filter_map(|name| self.relation(name)) {
                if !needed.contains(&id) {
                    needed.push(id);
                }
            }
        }
        needed
    }
}

/// Whether the statements are such as stand below a heading of that kind.
fn check(heading: &Heading, statements: &[String]) -> Result<(), Error> {
    let kind = heading.kind.as_str();
    let known = LEFT_OUT.iter().find(|(known, _)| match *known {
        "PUBLICATION" | "SUBSCRIPTION" => kind.starts_with(known),
        known => kind == known,
    });
    let fits = |beginnings: &&[&str]| {
        statements.iter().all(|text| beginnings.iter().any(|beginning| text.starts_with(beginning)))
    };
    if WITHOUT_HEADING.contains(&kind) || known.is_some_and(|(_, beginnings)| !fits(beginnings)) {
        let what =
            format!("a statement below the heading of {} that does not belong there", kind.escape_debug());
        return Err(Error::Unsafe { what });
    }
    Ok(())
}

/// A name as headings write it.
pub(super) fn on_one_line(name: &str) -> String {
    name.replace(['\n', '\r'], " ")
}

/// The statement that makes a database; what changes it afterwards is not for a scratch.
fn database(statements: Vec<String>) -> Result<String, Error> {
    let unexpected =
        || Error::Unsafe { what: "its DATABASE entry holds a statement that pg_dump does not write".into() };
    let mut statements = statements.into_iter();
    let create = statements.next().ok_or_else(unexpected)?;
    let known = create.starts_with("CREATE DATABASE ")
        && statements.all(|statement| statement.starts_with("ALTER DATABASE "));
    if known { Ok(create) } else { Err(unexpected()) }
}

/// The entry announces objects by their OIDs: one, or a list with one a line.
fn large_objects(entry: &mut Entry, statements: &[String]) -> Result<(), Error> {
    let unexpected = || Error::Unsafe { what: "large objects made in another way than pg_dump's".into() };
    let mut oids = Vec::new();
    for statement in statements.iter().filter(|statement| !statement.starts_with("ALTER LARGE OBJECT ")) {
        let oid = statement.strip_prefix("SELECT pg_catalog.lo_create('");
        let oid = oid.and_then(|rest| rest.strip_suffix("');")).and_then(|oid| oid.parse::<u32>().ok());
        oids.push(oid.filter(|oid| *oid != 0).ok_or_else(unexpected)?);
    }
    let first = *oids.first().ok_or_else(unexpected)?;
    if entry.kind == "BLOB" {
        entry.oid = first;
        entry.tag = first.to_string();
        entry.definition = statements.first().cloned().unwrap_or_default();
        entry.drop = format!("SELECT pg_catalog.lo_unlink('{first}');");
    } else {
        entry.definition = oids.iter().map(u32::to_string).collect::<Vec<_>>().join("\n");
    }
    Ok(())
}

/// Definition and owner stand apart in an entry, so that the one does not fail with the other.
fn define(entry: &mut Entry, mut statements: Vec<String>) {
    let by_signature = OWNED_BY_SIGNATURE.contains(&entry.kind.as_str());
    if by_signature || OWNED.contains(&entry.kind.as_str()) {
        let found = statements.iter().enumerate().find_map(|(at, statement)| {
            meaning::handed_over(statement).map(|(what, role)| (at, what.to_owned(), role))
        });
        if let Some((at, what, role)) = found {
            statements.remove(at);
            entry.owner = Some(role);
            entry.drop = format!("DROP {what};");
        }
    }
    entry.definition = statements.join("\n");
}
