//! The objects that the archive announces, looked for in the restored database.
//!
//! Each entry that was restored must be found there, and be as its statements say: something
//! that was dropped, switched off or made invalid after its statement had succeeded is found too.

mod expected;
mod grants;
mod table;

use std::collections::BTreeMap;

use crate::archive::Toc;
use crate::proof::announced::expected::{Expected, Wanted};
use crate::proof::canonical::{canonical, holds};
use crate::proof::inventory::{self, Class, Item, Written};
use crate::proof::{Error, reading};
use crate::restore::{Restored, Scratch};

/// Differences that are kept; the rest is counted.
pub const DIFFERENCES_MAX: usize = 100;

/// Versions of `pg_dump` of which it was tried how they name objects: those of another one are
/// never certain to be missing.
const MAJORS_KNOWN: std::ops::RangeInclusive<u32> = 13..=18;

/// What came of the objects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectsFound {
    /// By class, as `pg_dump` calls it; grants and comments are classes of their own.
    pub classes: BTreeMap<String, Tally>,
    /// Whether definitions were compared too: the archive's server was of the scratch's major.
    pub definitions: bool,
    /// The first differences, in the order of the archive.
    pub differences: Vec<Difference>,
    /// The first of those that may be none: what two servers write in two ways.
    pub doubts: Vec<Difference>,
}

/// How many objects of a class were found as they should be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Announced, and restored.
    pub expected: u64,
    /// Looked for.
    pub compared: u64,
    /// Found as announced.
    pub equal: u64,
    /// Found, and maybe not as announced.
    pub doubtful: u64,
}

/// An object that is not as announced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Its class.
    pub class: String,
    /// Its schema and name.
    pub name: String,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What is wrong with an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is not there.
    Missing,
    /// It is there, with another definition.
    Changed,
    /// It is in another state than announced: `disabled`, `invalid`, `not validated`.
    State(String),
    /// Another role owns it.
    Owner,
    /// Something else is granted on it.
    Grants,
    /// It has fewer columns than announced, and this one is missing.
    Column(String),
    /// A column of it may be of another type.
    Typed(String),
    /// It was not found by its name, and something like it under another.
    Renamed,
}

impl Fault {
    /// The fault in words that follow the object's name.
    pub fn text(&self) -> String {
        match self {
            Fault::Missing => "is missing".to_owned(),
            Fault::Changed => "has another definition".to_owned(),
            Fault::State(state) if state.is_empty() => "is in another state".to_owned(),
            Fault::State(state) => format!("is {state}"),
            Fault::Owner => "belongs to another role".to_owned(),
            Fault::Grants => "grants something else".to_owned(),
            Fault::Column(column) => format!("lacks its column '{column}'"),
            Fault::Typed(column) => format!("may have another column in the place of '{column}'"),
            Fault::Renamed => "may be there under another name".to_owned(),
        }
    }

    /// Whether an object with it is not what it was, whatever our reading of definitions is worth.
    /// Only what the catalogue says in one word is: a thing that is not there by its plain name,
    /// or that is switched off, invalid or empty where its statement leaves it on, valid and
    /// filled, or that lacks a column. What has to be read out of a statement (a definition, a
    /// type, who owns it and who may use it) two servers may write in two ways, and that must
    /// not turn a good backup down.
    fn is_certain(&self, class: &str) -> bool {
        match self {
            Fault::Missing => !matches!(class, "COMMENT" | "ACL" | "DEFAULT ACL"),
            Fault::State(state) => ["invalid", "not validated", "disabled", "on replicas", "not populated"]
                .contains(&state.as_str()),
            Fault::Column(_) => true,
            Fault::Changed | Fault::Owner | Fault::Grants | Fault::Typed(_) | Fault::Renamed => false,
        }
    }
}

/// Looks for everything that the entries of the archive which were restored announce.
///
/// # Errors
/// The scratch would not be read.
pub async fn compare(toc: &Toc, restored: &Restored, scratch: &Scratch) -> Result<ObjectsFound, Error> {
    let definitions = toc.header.server_major() == Some(scratch.server_major());
    let mut expected = Expected::of(toc, restored);
    let session = reading::open(scratch).await?;
    inventory::each(&session, |written| see(&mut expected, &written, definitions)).await?;
    let known = toc.header.dump_major().is_some_and(|major| MAJORS_KNOWN.contains(&major));
    Ok(sum(expected, definitions, known))
}

/// Meets one object of the database with what is wanted of it.
fn see(expected: &mut Expected<'_>, written: &Written, definitions: bool) {
    let Item { class, schema, name, .. } = &written.item;
    let key = (*class, schema.clone(), canonical(name));
    // Of several wanted objects of one name it is the one that it fits best.
    let fits = |wanted: &Wanted<'_>| faults(wanted, written, definitions);
    let open =
        expected.objects.get_mut(&key).map(|all| all.iter_mut().filter(|wanted| wanted.faults.is_none()));
    let best = open
        .and_then(|open| open.map(|wanted| (fits(wanted), wanted)).min_by_key(|(faults, _)| faults.len()));
    if let Some((faults, wanted)) = best {
        wanted.faults = Some(faults);
    } else {
        expected.unmet(*class, schema, name);
    }
    let switched_off = *class == Class::Trigger && written.item.state == "disabled";
    if switched_off && !expected.objects.contains_key(&key) && !expected.is_disabled_elsewhere(name) {
        let plainly = (*class, schema.clone(), name.clone());
        expected.unannounced.push((plainly, Fault::State("disabled".to_owned())));
    }
    let called = (*class, schema.clone(), canonical(&written.called));
    expected.beside(&called, |entry| match entry.kind.as_str() {
        "ACL" if grants::are_as_said(&entry.definition, &written.item.grants) => None,
        "ACL" => Some(Fault::Grants),
        _ if written.item.commented => None,
        _ => Some(Fault::Missing),
    });
}

/// What is wrong with an object that is there.
fn faults(wanted: &Wanted<'_>, written: &Written, definitions: bool) -> Vec<Fault> {
    let Item { class, owner, state, .. } = &written.item;
    let mut faults = Vec::new();
    // That of a partitioned table is complete when all partitions have theirs, which may not have
    // been so at the source.
    if wanted.state.is_some_and(|wanted| wanted != state) && state != "incomplete" {
        faults.push(Fault::State(state.clone()));
    }
    if !owner.is_empty() && wanted.owner.is_some_and(|wanted| wanted != owner) {
        faults.push(Fault::Owner);
    }
    if matches!(class, Class::Table | Class::ForeignTable) {
        faults.extend(table::other_column(&wanted.definition, &written.fragment, definitions));
    } else if definitions && !is_written_in(*class, &wanted.definition, &written.fragment) {
        faults.push(Fault::Changed);
    }
    faults
}

fn is_written_in(class: Class, definition: &str, fragment: &str) -> bool {
    match class {
        _ if definition.is_empty() || fragment.is_empty() => true,
        // A body is no SQL, and stands between dollars or as a literal.
        Class::Function | Class::Procedure => {
            let literal = fragment.replace('\'', "''");
            [fragment, &literal, &literal.replace('\\', "\\\\")].iter().any(|body| definition.contains(*body))
        }
        // The trigger of a partition is only switched, not made.
        Class::Trigger if !definition.starts_with("CREATE ") => true,
        _ => holds(definition, fragment),
    }
}

fn sum(expected: Expected<'_>, definitions: bool, known: bool) -> ObjectsFound {
    let mut sum = Sum { known, ..Sum::default() };
    for ((class, schema, _), all) in expected.objects {
        for wanted in all {
            let is_called_otherwise =
                expected.others.contains(&(class, schema.clone(), stem(class, &wanted.name)));
            let missing = if is_called_otherwise { Fault::Renamed } else { Fault::Missing };
            let faults = wanted.faults.unwrap_or_else(|| vec![missing]);
            sum.add(wanted.place, class.as_str(), qualified(&schema, &wanted.name), Some(faults));
        }
    }
    for wanted in expected.besides {
        // What they are on may be an extension's, or of a kind that is not listed; but a column
        // is listed only where there is something of the kind.
        let unmet = match wanted.entry.tag.starts_with("COLUMN ") {
            true if wanted.entry.kind == "ACL" => Some(vec![Fault::Grants]),
            true => Some(vec![Fault::Missing]),
            false => None,
        };
        let name = wanted.entry.qualified_name();
        sum.add(wanted.place, &wanted.entry.kind, name, wanted.faults.or(unmet));
    }
    for (place, class) in expected.other {
        sum.add(place, &class, String::new(), None);
    }
    for ((class, schema, name), fault) in expected.unannounced {
        sum.add(usize::MAX, class.as_str(), qualified(&schema, &name), Some(vec![fault]));
    }
    let first = |mut all: Vec<(usize, Difference)>| {
        all.sort_by_key(|(place, _)| *place);
        all.into_iter().map(|(_, one)| one).take(DIFFERENCES_MAX).collect()
    };
    let (differences, doubts) = (first(sum.differences), first(sum.doubts));
    ObjectsFound { classes: sum.classes, definitions, differences, doubts }
}

#[derive(Default)]
struct Sum {
    classes: BTreeMap<String, Tally>,
    differences: Vec<(usize, Difference)>,
    doubts: Vec<(usize, Difference)>,
    /// Whether it is known how the archive names objects.
    known: bool,
}

impl Sum {
    /// Counts one object; its faults are None if it was not looked for.
    fn add(&mut self, place: usize, class: &str, name: String, faults: Option<Vec<Fault>>) {
        let tally = self.classes.entry(class.to_owned()).or_default();
        tally.expected += 1;
        let Some(faults) = faults else { return };
        tally.compared += 1;
        tally.equal += u64::from(faults.is_empty());
        let certain = faults.iter().position(|fault| self.known && fault.is_certain(class));
        let Some(fault) = faults.into_iter().nth(certain.unwrap_or_default()) else { return };
        let difference = (place, Difference { class: class.to_owned(), name, fault });
        if certain.is_some() {
            self.differences.push(difference);
        } else {
            tally.doubtful += 1;
            self.doubts.push(difference);
        }
    }
}

fn qualified(schema: &str, name: &str) -> String {
    if schema.is_empty() { name.to_owned() } else { format!("{schema}.{name}") }
}

/// What of a name stays the same however its types are written; empty where nothing does.
fn stem(class: Class, name: &str) -> String {
    match class {
        Class::Function | Class::Procedure | Class::Aggregate => {
            name.split('(').next().unwrap_or_default().to_owned()
        }
        Class::Cast | Class::Transform | Class::UserMapping | Class::DefaultGrants => String::new(),
        _ => name.to_owned(),
    }
}
