//! A session that only reads, in the state in which pg_dump writes rows.

use crate::postgres::{Kind, Session, quote_literal};
use crate::proof::Error;
use crate::restore::Scratch;

/// What the dumping session had, as far as it is known or inferred.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manner {
    /// The zone in which instants are written.
    pub time_zone: String,
    /// Whether `bytea` is written in the escape format.
    pub bytea_escape: bool,
}

impl Manner {
    /// The statements that make a session write rows in this manner.
    fn statements(&self) -> String {
        format!(
            "SET TimeZone = {}; SET bytea_output = '{}';",
            quote_literal(&self.time_zone),
            if self.bytea_escape { "escape" } else { "hex" },
        )
    }
}

/// Opens a read-only session.
///
/// # Errors
/// The server is gone, or it is not the drill's own.
pub async fn open(scratch: &Scratch) -> Result<Session, Error> {
    let session = scratch.connect().await?;
    let guards = "SET default_transaction_read_only = on; SET search_path = ''; SET row_security = off; \
                  SET statement_timeout = 0; SET DateStyle = 'ISO, MDY'; SET IntervalStyle = 'postgres'; \
                  SET extra_float_digits = 3; SET xmloption = content; SET TimeZone = 'UTC'; \
                  SET bytea_output = 'hex'; SET max_parallel_workers_per_gather = 0; \
                  SELECT pg_catalog.set_config(name, 'view, foreign-table', false) \
                  FROM pg_catalog.pg_settings WHERE name = 'restrict_nonsystem_relation_kind'";
    session.run(guards).await?;
    Ok(session)
}

/// Whether the server has the rules of that zone.
///
/// # Errors
/// The server is gone.
pub async fn knows_zone(session: &Session, zone: &str) -> Result<bool, Error> {
    match session.run(&format!("SET TimeZone = {}", quote_literal(zone))).await {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == Kind::Statement => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Makes `session` write rows in `manner`.
///
/// # Errors
/// The server does not know the zone.
pub async fn adopt(session: &Session, manner: &Manner) -> Result<(), Error> {
    Ok(session.run(&manner.statements()).await?)
}
