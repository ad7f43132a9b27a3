//! What is not rows of tables, held against what the source held: sequences, large objects, and
//! objects by definition.

use std::collections::BTreeMap;

use crate::archive::Toc;
use crate::clock::rfc3339_millis;
use crate::postgres::{Kind, Session, quote_identifier};
use crate::proof::fingerprint::{Fingerprint, Name, SequenceValue};
use crate::proof::inventory::{self, Class, Item};
use crate::proof::{Alike, CheckReport, Error, large_objects, reading, sequences};
use crate::restore::{Restored, Rules, Scratch};

/// Which of the three differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Apart {
    /// The archive and the restored database agree.
    Source,
    /// The source and the archive agree.
    Restored,
    /// The source and the restored database differ; the archive was not asked.
    SourceAndRestored,
    /// Each from each.
    All,
}

/// Something that is not the same everywhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Differing {
    /// What it is.
    pub class: &'static str,
    /// Its qualified name.
    pub name: String,
    /// Which differ.
    pub apart: Apart,
}

/// Holds what the plan's freshness checks found in the restored database against what they found
/// at the source. A question that was not put to both, or not answered by both, is not compared.
pub fn compare_newest(source: &Fingerprint, reports: &[CheckReport], beside: &mut Beside) {
    if source.newest.is_empty() {
        return;
    }
    let mut alike = Alike::default();
    for print in &source.newest {
        let same = |report: &&CheckReport| report.name == print.check && report.question == print.question;
        let Some(report) = reports.iter().find(same) else { continue };
        let Some(newest) = report.answered.newest else { continue };
        alike.expected += 1;
        alike.compared += 1;
        let (there, here) = (rfc3339_millis(print.moment), rfc3339_millis(newest));
        if there == here {
            alike.equal += 1;
            continue;
        }
        let name = format!("{}: {there} at the source, {here} restored", print.check);
        beside.differing.push(Differing { class: "newest", name, apart: Apart::SourceAndRestored });
    }
    beside.newest = Some(alike);
}

/// How the source, the archive and the restored database agree, beside the rows of tables.
#[derive(Clone, Debug, Default)]
pub struct Beside {
    /// Sequences, if the stamp has them.
    pub sequences: Option<Alike>,
    /// Large objects, if the stamp has them.
    pub large_objects: Option<Alike>,
    /// Objects, if the stamp has them.
    pub objects: Option<Alike>,
    /// The newest values of freshness checks, if the stamp has any.
    pub newest: Option<Alike>,
    /// Each that differs.
    pub differing: Vec<Differing>,
}

/// Compares everything that `source` holds beside rows.
///
/// # Errors
/// The scratch would not be read.
pub async fn compare_beside(
    source: &Fingerprint,
    toc: &Toc,
    restored: &Restored,
    scratch: &Scratch,
) -> Result<Beside, Error> {
    let session = reading::open(scratch).await?;
    let mut beside = Beside::default();
    of_sequences(source, toc, &session, &mut beside).await?;
    of_large_objects(source, restored, &session, &mut beside).await?;
    let same_major = source.server_major == scratch.server_major();
    of_objects(source, same_major, restored.rules, &session, &mut beside).await?;
    Ok(beside)
}

async fn of_sequences(
    source: &Fingerprint,
    toc: &Toc,
    session: &Session,
    beside: &mut Beside,
) -> Result<(), Error> {
    let Some(prints) = &source.sequences else { return Ok(()) };
    let mut alike = Alike::default();
    let mut archived = BTreeMap::new();
    for entry in toc.entries.iter().filter(|entry| entry.kind == "SEQUENCE SET") {
        let name = (entry.namespace.clone().unwrap_or_default(), entry.tag.clone());
        archived.insert(name, sequences::set_to(entry));
    }
    for (name, print) in prints {
        alike.expected += 1;
        alike.compared += 1;
        let archive = archived.remove(name).flatten();
        let back = standing(session, name).await?;
        let of_source = archive.is_some_and(|value| print.allows(value));
        let of_archive = archive.is_some() && archive == back;
        match apart(of_source, of_archive) {
            None => alike.equal += 1,
            Some(apart) => beside.differing.push(Differing { class: "sequence", name: shown(name), apart }),
        }
    }
    // What the source did not have can't be as it was there.
    for name in archived.keys() {
        alike.expected += 1;
        alike.compared += 1;
        beside.differing.push(Differing { class: "sequence", name: shown(name), apart: Apart::Source });
    }
    beside.sequences = Some(alike);
    Ok(())
}

fn apart(source_is_archive: bool, archive_is_restored: bool) -> Option<Apart> {
    match (source_is_archive, archive_is_restored) {
        (true, true) => None,
        (false, true) => Some(Apart::Source),
        (true, false) => Some(Apart::Restored),
        (false, false) => Some(Apart::All),
    }
}

async fn standing(session: &Session, name: &Name) -> Result<Option<SequenceValue>, Error> {
    let sequence = format!("{}.{}", quote_identifier(&name.0), quote_identifier(&name.1));
    let rows = match session.rows(&format!("SELECT last_value, is_called FROM {sequence}")).await {
        Ok(rows) => rows,
        Err(error) if error.kind() == Kind::Statement => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    Ok(match rows.first().map(Vec::as_slice) {
        Some([Some(value), Some(called)]) => {
            value.parse().ok().map(|value| SequenceValue { value, called: called == "t" })
        }
        _ => None,
    })
}

async fn of_large_objects(
    source: &Fingerprint,
    restored: &Restored,
    session: &Session,
    beside: &mut Beside,
) -> Result<(), Error> {
    let Some(print) = &source.large_objects else { return Ok(()) };
    let back = large_objects::read_back(session).await?;
    let stream = restored.large_objects;
    let count = print.hash.rows().max(stream.rows());
    let mut alike = Alike { expected: count, compared: count, equal: count };
    if let Some(apart) = apart(print.hash == stream, stream == back) {
        // The hash is of all of them: which one it is can't be told, nor how many.
        alike = Alike { expected: count.max(1), compared: count.max(1), equal: count.max(1) - 1 };
        let name = format!("{} at the source, {} in the archive", print.hash.rows(), stream.rows());
        beside.differing.push(Differing { class: "large objects", name, apart });
    }
    beside.large_objects = Some(alike);
    Ok(())
}

async fn of_objects(
    source: &Fingerprint,
    same_major: bool,
    rules: Rules,
    session: &Session,
    beside: &mut Beside,
) -> Result<(), Error> {
    let Some(items) = &source.objects else { return Ok(()) };
    let back = inventory::take(session).await?;
    let (alike, differing) = objects_alike(items, &back, same_major, rules);
    beside.objects = Some(alike);
    beside.differing.extend(differing);
    Ok(())
}

/// Classes that a restore leaves out: they act on the world outside.
const LEFT_OUT: &[Class] = &[Class::Publication, Class::EventTrigger];

/// Objects of the source against those that came back. Two majors may write one definition in two
/// ways, so that only between equal ones definitions count.
fn objects_alike(source: &[Item], back: &[Item], same_major: bool, rules: Rules) -> (Alike, Vec<Differing>) {
    let mut open: BTreeMap<Key<'_>, Vec<&Item>> = BTreeMap::new();
    for item in back.iter().filter(|item| !LEFT_OUT.contains(&item.class)) {
        open.entry(key(item)).or_default().push(item);
    }
    let mut alike = Alike::default();
    let mut differing = Vec::new();
    let differs = |class: Class, schema: &str, name: &str| {
        let name = if schema.is_empty() { name.to_owned() } else { format!("{schema}.{name}") };
        Differing { class: class.as_str(), name, apart: Apart::SourceAndRestored }
    };
    for item in source.iter().filter(|item| !LEFT_OUT.contains(&item.class)) {
        alike.expected += 1;
        alike.compared += 1;
        let same = |other: &&Item| {
            item.state == other.state
                && (!same_major
                    || (item.definition == other.definition
                        && (!rules.owners || item.owner == other.owner)
                        && (!rules.grants || item.grants == other.grants)))
        };
        let of_its_name = open.get_mut(&key(item));
        let found = of_its_name.and_then(|all| {
            let exact = all.iter().position(same);
            // One that is otherwise is taken, so that it is not called unexpected as well.
            let any = exact.or_else(|| all.len().checked_sub(1))?;
            all.swap_remove(any);
            exact
        });
        match found {
            Some(_) => alike.equal += 1,
            None => differing.push(differs(item.class, &item.schema, &item.name)),
        }
    }
    for item in open.into_values().flatten() {
        alike.expected += 1;
        alike.compared += 1;
        differing.push(differs(item.class, &item.schema, &item.name));
    }
    (alike, differing)
}

/// How an object is called.
type Key<'a> = (Class, &'a str, &'a str);

fn key(item: &Item) -> Key<'_> {
    (item.class, &item.schema, &item.name)
}

fn shown(name: &Name) -> String {
    format!("{}.{}", name.0, name.1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;

    fn item(class: Class, name: &str, definition: &str, state: &str) -> Item {
        Item {
            class,
            schema: "app".into(),
            name: name.into(),
            definition: Digest::of(definition.as_bytes()),
            state: state.into(),
            owner: "ana".into(),
            grants: String::new(),
            commented: false,
        }
    }

    #[test]
    fn objects_are_held_against_each_other_by_name_state_and_definition() {
        let all = || {
            vec![
                item(Class::Index, "by_name", "btree (name)", "valid"),
                item(Class::Operator, "<", "one", ""),
                item(Class::Operator, "<", "two", ""),
                item(Class::EventTrigger, "watch", "x", "enabled"),
            ]
        };
        let differing = |back: Vec<Item>, same_major| {
            let (alike, differing) = objects_alike(&all(), &back, same_major, Rules::drill());
            assert_eq!(alike.expected - alike.equal, differing.len() as u64);
            differing.into_iter().map(|one| format!("{} {}", one.class, one.name)).collect::<Vec<_>>()
        };
        assert_eq!(differing(all(), true), [""; 0]);
        assert_eq!(differing(all()[..3].to_vec(), true), [""; 0], "event triggers are not restored");
        assert_eq!(differing(all()[1..].to_vec(), true), ["INDEX app.by_name"]);
        let with = |change: fn(&mut Item)| {
            let mut back = all();
            change(&mut back[0]);
            back
        };
        let other = with(|item| item.definition = Digest::of(b"hash (name)"));
        assert_eq!(differing(other.clone(), true), ["INDEX app.by_name"]);
        assert_eq!(differing(other, false), [""; 0], "another major writes it otherwise");
        assert_eq!(differing(with(|item| item.state = "invalid".into()), false), ["INDEX app.by_name"]);
        let mut more = all();
        more.push(item(Class::View, "extra", "select 1", ""));
        assert_eq!(differing(more, true), ["VIEW app.extra"]);
    }
}
