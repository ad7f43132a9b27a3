//! What the restored database holds, and whether any of it came back broken.

use std::collections::BTreeMap;

use crate::archive::Toc;
use crate::postgres::Session;
use crate::proof::{Error, reading};
use crate::restore::Scratch;

/// What the restored catalogue says.
#[derive(Clone, Debug, Default)]
pub struct Objects {
    /// How many there are of each kind: `tables`, `indexes`, …
    pub counts: BTreeMap<String, u64>,
    /// Indexes that are not valid.
    pub invalid_indexes: u64,
    /// Constraints that are not validated although the archive does not say so.
    pub unvalidated_constraints: u64,
    /// Extensions and their versions.
    pub extensions: Vec<(String, String)>,
    /// The identifier of the scratch cluster.
    pub system_identifier: Option<String>,
}

/// Looks at the restored database over a session of its own: the answer to it is also what
/// "the database answers" means.
///
/// # Errors
/// The scratch would not be read.
pub async fn look(toc: &Toc, scratch: &Scratch) -> Result<Objects, Error> {
    let session = reading::open(scratch).await?;
    let unvalidated = number(
        &session,
        "SELECT count(*) FROM pg_catalog.pg_constraint c JOIN pg_catalog.pg_namespace n ON n.oid = c.connamespace \
         WHERE NOT c.convalidated AND n.nspname NOT IN ('pg_catalog', 'information_schema')",
    );
    let declared = toc.entries.iter().filter(|entry| entry.definition.contains(" NOT VALID")).count() as u64;
    Ok(Objects {
        counts: counts(&session).await?,
        // An index of a partitioned table is valid once all partitions have theirs, which may
        // not have been so at the source; those of tables with rows have no such excuse.
        invalid_indexes: number(
            &session,
            "SELECT count(*) FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid \
             WHERE c.relkind = 'i' AND NOT (i.indisvalid AND i.indisready)",
        )
        .await?,
        unvalidated_constraints: unvalidated.await?.saturating_sub(declared),
        extensions: extensions(&session).await?,
        system_identifier: text(&session, "SELECT system_identifier FROM pg_catalog.pg_control_system()")
            .await?,
    })
}

async fn counts(session: &Session) -> Result<BTreeMap<String, u64>, Error> {
    let user = "NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_toast'";
    let of_class = |kinds: &str| {
        format!(
            "SELECT count(*) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n \
             ON n.oid = c.relnamespace WHERE c.relkind IN ({kinds}) AND n.nspname {user}"
        )
    };
    let of = |catalogue: &str, namespace: &str| {
        format!(
            "SELECT count(*) FROM pg_catalog.{catalogue} x JOIN pg_catalog.pg_namespace n \
             ON n.oid = x.{namespace} WHERE n.nspname {user}"
        )
    };
    let questions = [
        ("tables", of_class("'r', 'p'")),
        ("indexes", of_class("'i', 'I'")),
        ("sequences", of_class("'S'")),
        ("views", of_class("'v'")),
        ("materialized_views", of_class("'m'")),
        ("constraints", of("pg_constraint", "connamespace")),
        ("functions", of("pg_proc", "pronamespace")),
        ("triggers", "SELECT count(*) FROM pg_catalog.pg_trigger WHERE NOT tgisinternal".to_owned()),
        ("policies", "SELECT count(*) FROM pg_catalog.pg_policy".to_owned()),
        ("large_objects", "SELECT count(*) FROM pg_catalog.pg_largeobject_metadata".to_owned()),
    ];
    let mut counts = BTreeMap::new();
    for (name, sql) in questions {
        counts.insert(name.to_owned(), number(session, &sql).await?);
    }
    Ok(counts)
}

async fn extensions(session: &Session) -> Result<Vec<(String, String)>, Error> {
    let rows =
        session.rows("SELECT extname, extversion FROM pg_catalog.pg_extension ORDER BY extname").await?;
    Ok(rows
        .into_iter()
        .filter_map(|row| match row.as_slice() {
            [Some(name), Some(version)] => Some((name.clone(), version.clone())),
            _ => None,
        })
        .collect())
}

async fn text(session: &Session, sql: &str) -> Result<Option<String>, Error> {
    Ok(session.rows(sql).await?.into_iter().next().and_then(|row| row.into_iter().next()).flatten())
}

async fn number(session: &Session, sql: &str) -> Result<u64, Error> {
    let unread =
        || crate::postgres::Error::new(crate::postgres::Kind::Protocol, "count objects: no number came");
    text(session, sql).await?.and_then(|text| text.parse().ok()).ok_or_else(|| unread().into())
}
