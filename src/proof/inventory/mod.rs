//! Every object of a database by its definition, as the catalogues tell it.
//!
//! The same questions are put to a source and to what was restored of it, so that two lists are
//! alike where the databases are.

mod class;
mod global_objects;
mod question;
mod relations;
mod schema_objects;

use futures_util::StreamExt;
use tokio_postgres::SimpleQueryMessage;

pub use class::Class;

use crate::digest::Digest;
use crate::postgres::{Error, Kind, Session};
use crate::proof::canonical::canonical;

/// The state of a session in which definitions are written alike everywhere.
pub const PINNED: &str = "SET search_path = ''; SET quote_all_identifiers = off; SET extra_float_digits = 3; \
                          SET DateStyle = 'ISO, MDY'; SET IntervalStyle = 'postgres'; SET TimeZone = 'UTC'; \
                          SET bytea_output = 'hex'";
/// Objects that are listed at most, as bytes of their names and states: what is above is no
/// database that can be held in memory.
const LISTED_BYTES_MAX: usize = 256 << 20;

/// One object. `(class, schema, name)` is how `pg_dump` names it in a table of contents; operators
/// may share a name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Item {
    /// What it is.
    pub class: Class,
    /// Its schema; empty for what lies in none.
    pub schema: String,
    /// Its name as `pg_dump` tags it, unquoted: `f(integer)`, `t t_pkey`.
    pub name: String,
    /// The digest of its definition, up to casts and parentheses, which a server does not write
    /// alike each time. Two majors may write one definition in two ways.
    pub definition: Digest,
    /// What can change without its definition: `valid`, `validated`, `enabled`, `populated`, `on`
    /// and their contraries; empty where there is nothing of the kind.
    pub state: String,
    /// The role that owns it; empty where nobody does.
    pub owner: String,
    /// Who may do what with it, in the order of roles: `reader=SELECT,-=EXECUTE*`, `-` being
    /// everybody and `*` the right to pass it on; what comes by default is spelled out, but an
    /// owner's MAINTAIN, which servers before 17 don't know. Empty where nothing can be granted.
    pub grants: String,
    /// Whether it has a comment.
    pub commented: bool,
}

/// An object with the words of its definition.
#[derive(Clone, Debug)]
pub struct Written {
    /// What is kept of it.
    pub item: Item,
    /// The part of `pg_dump`'s statement that the server writes for it; empty where `pg_dump` puts
    /// the statement together itself.
    pub fragment: String,
    /// How comments and grants call it in their tags, with the quotes that it needs.
    pub called: String,
}

/// Lists every object that `pg_dump` would dump: none of the system's, and none that an extension
/// made. Sorted; only reads. The session is left as [`PINNED`] says.
///
/// # Errors
/// The server refuses, or the list is too long to be held.
pub async fn take(session: &Session) -> Result<Vec<Item>, Error> {
    let mut items = Vec::new();
    let mut bytes = 0_usize;
    let mut long = false;
    each(session, |written| {
        let Item { schema, name, state, owner, grants, .. } = &written.item;
        let strings = [schema, name, state, owner, grants];
        bytes += size_of::<Item>() + strings.iter().map(|text| text.len()).sum::<usize>();
        long |= bytes > LISTED_BYTES_MAX;
        if !long {
            items.push(written.item);
        }
    })
    .await?;
    if long {
        let what = format!("list the objects: more than {} MiB of them", LISTED_BYTES_MAX >> 20);
        return Err(Error::new(Kind::Protocol, what));
    }
    items.sort_unstable();
    Ok(items)
}

/// Shows every object once, in no order, without holding any.
///
/// # Errors
/// The server refuses.
pub async fn each(session: &Session, mut see: impl FnMut(Written)) -> Result<(), Error> {
    session.run(PINNED).await?;
    for (class, sql) in question::all() {
        let failed = |error| Error::of_driver(&format!("list objects of class {}", class.as_str()), &error);
        let mut answers = std::pin::pin!(session.client().simple_query_raw(&sql).await.map_err(failed)?);
        while let Some(answer) = answers.next().await {
            let SimpleQueryMessage::Row(row) = answer.map_err(failed)? else { continue };
            let text = |column| row.try_get(column).map(Option::unwrap_or_default).map_err(failed);
            let definition = text("definition")?;
            see(Written {
                item: Item {
                    class: class.or_named(text("kind")?),
                    schema: text("schema")?.to_owned(),
                    name: text("name")?.to_owned(),
                    definition: Digest::of(canonical(definition).as_bytes()),
                    state: text("state")?.to_owned(),
                    owner: text("owner")?.to_owned(),
                    grants: text("grants")?.to_owned(),
                    commented: text("commented")? == "t",
                },
                fragment: text("fragment")?.to_owned(),
                called: text("called")?.to_owned(),
            });
        }
    }
    Ok(())
}
