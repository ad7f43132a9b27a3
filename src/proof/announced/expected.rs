//! What the entries of an archive announce, entry by entry.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use crate::archive::{Entry, Toc};
use crate::proof::announced::{Fault, stem, table};
use crate::proof::canonical::canonical;
use crate::proof::inventory::Class;
use crate::restore::Restored;

/// Class, schema and name.
pub(super) type Key = (Class, String, String);

/// An object that must be there.
pub(super) struct Wanted<'a> {
    /// The entry's place in the archive.
    pub place: usize,
    /// Its name, or that of what it is a part of and its own.
    pub name: String,
    /// What announces it.
    pub entry: &'a Entry,
    /// The statements that make it; empty where only its being there is looked at.
    pub definition: Cow<'a, str>,
    /// Its state, where it has one.
    pub state: Option<&'static str>,
    /// Its owner, where the archive gives it one.
    pub owner: Option<&'a str>,
    /// What is wrong with it; None until it was met.
    pub faults: Option<Vec<Fault>>,
}

/// Everything that is announced.
#[derive(Default)]
pub(super) struct Expected<'a> {
    /// Objects, by what they are.
    pub objects: HashMap<Key, Vec<Wanted<'a>>>,
    /// Grants and comments.
    pub besides: Vec<Wanted<'a>>,
    /// Entries that nothing is looked for of: place and kind.
    pub other: Vec<(usize, String)>,
    /// What nobody announced, and is wrong.
    pub unannounced: Vec<(Key, Fault)>,
    /// The stems of what is there, and was not announced by that name.
    pub others: HashSet<Key>,
    /// Which of `besides` are on what; the names are canonical.
    on: HashMap<Key, Vec<usize>>,
    /// Whether objects were given their owners.
    owners: bool,
    disabled: HashSet<&'a str>,
}

/// Kinds that are no objects: they are proven as rows, values and large objects, or fix the
/// state of a session.
const NO_OBJECTS: &[&str] = &[
    "TABLE DATA",
    "SEQUENCE SET",
    "BLOB",
    "BLOBS",
    "BLOB METADATA",
    "MATERIALIZED VIEW DATA",
    "STATISTICS DATA",
    "EXTENDED STATISTICS DATA",
    "ENCODING",
    "STDSTRINGS",
    "SEARCHPATH",
    "DATABASE",
    "DATABASE PROPERTIES",
    "SHELL TYPE",
];

impl<'a> Expected<'a> {
    /// What the restored entries of an archive announce.
    pub fn of(toc: &'a Toc, restored: &Restored) -> Expected<'a> {
        let named = |entry: &Entry| (entry.kind.clone(), entry.qualified_name());
        let excluded: HashSet<(String, String)> =
            restored.excluded.iter().map(|(kind, name, _)| (kind.clone(), name.clone())).collect();
        let failed: HashSet<u32> = restored.failures.iter().map(|failure| failure.entry).collect();
        let is_out = |entry: &Entry| failed.contains(&entry.id) || excluded.contains(&named(entry));
        let filled: HashSet<(Option<&str>, &str)> = toc
            .entries
            .iter()
            .filter(|entry| entry.kind == "MATERIALIZED VIEW DATA" && !is_out(entry))
            .map(|entry| (entry.namespace.as_deref(), entry.tag.as_str()))
            .collect();
        let mut expected = Expected { owners: restored.rules.owners, ..Expected::default() };
        for (place, entry) in toc.entries.iter().enumerate() {
            if NO_OBJECTS.contains(&entry.kind.as_str()) || is_out(entry) {
                continue;
            }
            let is_filled = filled.contains(&(entry.namespace.as_deref(), entry.tag.as_str()));
            expected.add(place, entry, is_filled);
        }
        expected
    }

    fn add(&mut self, place: usize, entry: &'a Entry, is_filled: bool) {
        let schema = entry.namespace.clone().unwrap_or_default();
        let wanted = |name: &str, definition: Cow<'a, str>, state, owner| Wanted {
            place,
            name: name.to_owned(),
            entry,
            definition,
            state,
            owner,
            faults: None,
        };
        if matches!(entry.kind.as_str(), "ACL" | "COMMENT") {
            let subjects = subject(&entry.tag, &schema);
            if subjects.is_empty() {
                self.other.push((place, entry.kind.clone()));
                return;
            }
            // The tag does not tell a table from a view: only one of them is met.
            for key in subjects {
                self.on.entry(key).or_default().push(self.besides.len());
            }
            self.besides.push(wanted(&entry.tag, "".into(), None, None));
            return;
        }
        let Some(class) = Class::named(&entry.kind) else {
            self.other.push((place, entry.kind.clone()));
            return;
        };
        // The view of a circle is made as a dummy, and gets its own meaning last.
        if let (Class::Rule, Some(view)) = (class, entry.tag.strip_suffix(" _RETURN")) {
            for view in self.objects.get_mut(&(Class::View, schema, canonical(view))).into_iter().flatten() {
                view.definition = Cow::Borrowed(&entry.definition);
            }
            return;
        }
        if class == Class::Trigger && entry.definition.contains(" DISABLE TRIGGER ") {
            self.disabled.extend(entry.tag.rsplit(' ').next());
        }
        if class == Class::Table {
            self.add_parts(&schema, entry, |name, definition, state| wanted(name, definition, state, None));
        }
        let definition = Cow::Borrowed(entry.definition.as_str());
        let has_owner = |owner: &&str| self.owners && !owner.is_empty() && !entry.drop.is_empty();
        let owner = entry.owner.as_deref().filter(has_owner);
        let state = state(class, entry, is_filled);
        let wanted = wanted(&entry.tag, definition, state, owner);
        self.objects.entry((class, schema, canonical(&entry.tag))).or_default().push(wanted);
    }

    /// The checks and defaults inside of a table's own statement.
    fn add_parts(
        &mut self,
        schema: &str,
        entry: &'a Entry,
        wanted: impl Fn(&str, Cow<'a, str>, Option<&'static str>) -> Wanted<'a>,
    ) {
        for element in table::elements(&entry.definition) {
            let (class, name, state) = match &element.part {
                // One that is not validated has an entry of its own.
                table::Part::Check(name) => (Class::Check, name, Some("validated")),
                table::Part::Column { name, has_default: true } => (Class::Default, name, None),
                table::Part::Column { .. } | table::Part::Other => continue,
            };
            let name = format!("{} {name}", entry.tag);
            let key = (class, schema.to_owned(), canonical(&name));
            self.objects.entry(key).or_default().push(wanted(&name, Cow::Borrowed(element.text), state));
        }
    }

    /// Takes down what is there without having been announced so.
    pub fn unmet(&mut self, class: Class, schema: &str, name: &str) {
        if stem(class, name) != name {
            self.others.insert((class, schema.to_owned(), stem(class, name)));
        }
    }

    /// Judges the grants and comments on what is called so.
    pub fn beside(&mut self, called: &Key, mut judge: impl FnMut(&Entry) -> Option<Fault>) {
        for at in self.on.get(called).into_iter().flatten() {
            if let Some(wanted) = self.besides.get_mut(*at) {
                wanted.faults = Some(judge(wanted.entry).into_iter().collect());
            }
        }
    }

    /// Whether the archive switches off a trigger of that name on another table: on the parent
    /// of a partition it also goes for hers.
    pub fn is_disabled_elsewhere(&self, name: &str) -> bool {
        name.rsplit(' ').next().is_some_and(|trigger| self.disabled.contains(trigger))
    }
}

/// The state in which an entry's object must be.
fn state(class: Class, entry: &Entry, is_filled: bool) -> Option<&'static str> {
    let says = |words: &str| entry.definition.contains(words);
    match class {
        Class::MaterializedView => Some(if is_filled { "populated" } else { "not populated" }),
        Class::ForeignKey | Class::Check => {
            Some(if says(" NOT VALID") || says(" NOT ENFORCED") { "not validated" } else { "validated" })
        }
        Class::Constraint if says(" NOT VALID") => Some("not validated"),
        Class::Index | Class::Constraint => Some("valid"),
        Class::Trigger | Class::Rule => Some(match class {
            _ if says(" DISABLE TRIGGER ") || says(" DISABLE RULE ") => "disabled",
            _ if says(" ENABLE REPLICA ") => "on replicas",
            _ if says(" ENABLE ALWAYS ") => "always",
            _ => "enabled",
        }),
        _ => None,
    }
}

/// What a comment or a grant is on, by its tag: `TABLE t`, `COLUMN t.a`, `TRIGGER x ON t`.
fn subject(tag: &str, schema: &str) -> Vec<Key> {
    let words = [
        ("MATERIALIZED VIEW ", &[Class::MaterializedView][..]),
        ("FOREIGN TABLE ", &[Class::ForeignTable]),
        ("FOREIGN DATA WRAPPER ", &[Class::ForeignDataWrapper]),
        ("FOREIGN SERVER ", &[Class::Server]),
        ("SERVER ", &[Class::Server]),
        ("TABLE ", &[Class::Table, Class::View, Class::MaterializedView, Class::ForeignTable]),
        ("VIEW ", &[Class::View]),
        ("COLUMN ", &[Class::ColumnGrants]),
        ("SEQUENCE ", &[Class::Sequence]),
        ("INDEX ", &[Class::Index]),
        ("FUNCTION ", &[Class::Function, Class::Aggregate]),
        ("PROCEDURE ", &[Class::Procedure]),
        ("AGGREGATE ", &[Class::Aggregate]),
        ("TYPE ", &[Class::Type, Class::Domain]),
        ("DOMAIN ", &[Class::Domain]),
        ("SCHEMA ", &[Class::Schema]),
        ("EXTENSION ", &[Class::Extension]),
        ("CONSTRAINT ", &[Class::Constraint, Class::ForeignKey, Class::Check]),
        ("TRIGGER ", &[Class::Trigger]),
        ("RULE ", &[Class::Rule]),
        ("POLICY ", &[Class::Policy]),
        ("STATISTICS ", &[Class::Statistics]),
    ];
    let Some((classes, name)) = words.iter().find_map(|(word, all)| Some((*all, tag.strip_prefix(word)?)))
    else {
        return Vec::new();
    };
    let name = canonical(name);
    let schema = match classes {
        [Class::Schema | Class::Extension | Class::ForeignDataWrapper | Class::Server] => "",
        _ => schema,
    };
    classes.iter().map(|class| (*class, schema.to_owned(), name.clone())).collect()
}
