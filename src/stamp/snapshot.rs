//! A snapshot of the source that a dump and several sessions share, and what the server says of
//! itself in it.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::postgres::{Error, Kind, Session, quote_literal};
use crate::proof::{self, Manner};
use crate::record::{Extension, Millis, Moment};
use crate::stamp::document::{BYTEA_OUTPUT, ENCODING, LC_MONETARY, Snapshot, SourceServer, TIME_ZONE};

/// The oldest server that can be read.
const MAJOR_MIN: u32 = 12;
/// How long a lock of ours waits behind somebody who changes tables.
const LOCK_TIMEOUT: &str = "60s";
/// Settings that shape how values are written.
const SHAPING: &[&str] = &[
    "DateStyle",
    "IntervalStyle",
    "TimeZone",
    "bytea_output",
    "extra_float_digits",
    "lc_monetary",
    "lc_numeric",
    "lc_time",
    "server_encoding",
    "standard_conforming_strings",
    "xmlbinary",
];
/// What is asked of the server in its snapshot.
const ASKED: &str = "SELECT pg_catalog.pg_export_snapshot(), \
    pg_catalog.floor(EXTRACT(epoch FROM pg_catalog.now()) * 1000)::int8, pg_catalog.pg_is_in_recovery(), \
    CASE WHEN pg_catalog.pg_is_in_recovery() \
    THEN pg_catalog.floor(EXTRACT(epoch FROM pg_catalog.pg_last_xact_replay_timestamp()) * 1000)::int8 END, \
    pg_catalog.current_setting('server_version'), pg_catalog.current_setting('server_version_num'), \
    pg_catalog.current_database(), \
    pg_catalog.has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE')";

/// The session that holds the snapshot for as long as it lives.
pub struct Leader {
    /// The session, in its transaction.
    pub session: Session,
    /// The name of the snapshot for others.
    pub snapshot: String,
    /// When it was taken.
    pub taken: Snapshot,
    /// The server.
    pub server: SourceServer,
    /// Settings that a session of the dump has.
    pub settings: BTreeMap<String, String>,
}

impl Leader {
    /// Takes a snapshot over `session`, and names it for others. Reads only.
    ///
    /// # Errors
    /// The server is too old, refuses, or is gone.
    pub async fn begin(session: Session) -> Result<Leader, Error> {
        let settings = settings(&session).await?;
        session
            .run(&format!(
                "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; \
                 SET lock_timeout = '{LOCK_TIMEOUT}'; BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"
            ))
            .await?;
        let rows = session.rows(ASKED).await?;
        let answer = rows.first().and_then(|row| Answer::read(row));
        let answer = answer.ok_or_else(|| {
            Error::new(Kind::Protocol, "take a snapshot: the server answered otherwise than PostgreSQL does")
        })?;
        let Answer { snapshot, taken, mut server, may_identify } = answer;
        if server.server_major < MAJOR_MIN {
            let what = format!("the source is PostgreSQL {}", server.server_version);
            let remedy = format!("only {MAJOR_MIN} and later can be stamped; dump it without a stamp");
            return Err(Error::new(Kind::Protocol, what).with_remedy(remedy));
        }
        if may_identify {
            let sql = "SELECT system_identifier FROM pg_catalog.pg_control_system()";
            server.system_identifier = first(&session, sql).await?;
        }
        Ok(Leader { session, snapshot, taken, server, settings })
    }

    /// Puts another session into the same snapshot, ready to read rows.
    ///
    /// # Errors
    /// The server refuses, or is gone.
    pub async fn lead(&self, session: &Session) -> Result<(), Error> {
        self.take_along(session).await?;
        proof::pin(session).await
    }

    /// Puts another session into the same snapshot, until its transaction ends.
    ///
    /// # Errors
    /// The server refuses, or is gone.
    pub async fn take_along(&self, session: &Session) -> Result<(), Error> {
        let snapshot = quote_literal(&self.snapshot);
        session
            .run(&format!(
                "SET idle_in_transaction_session_timeout = 0; SET lock_timeout = '{LOCK_TIMEOUT}'; \
                 BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; SET TRANSACTION SNAPSHOT {snapshot}"
            ))
            .await
    }

    /// Extensions and their versions.
    ///
    /// # Errors
    /// The server is gone.
    pub async fn extensions(&self) -> Result<Vec<Extension>, Error> {
        let sql = "SELECT extname, extversion FROM pg_catalog.pg_extension ORDER BY extname";
        let extension = |row: Vec<Option<String>>| match row.as_slice() {
            [Some(name), Some(version)] => Some(Extension { name: name.clone(), version: version.clone() }),
            _ => None,
        };
        Ok(self.session.rows(sql).await?.into_iter().filter_map(extension).collect())
    }

    /// The dump's session has another zone or encoding than one of ours.
    pub fn dumped_with(&mut self, zone: Option<&str>, encoding: Option<&str>) {
        if let Some(zone) = zone {
            self.settings.insert(TIME_ZONE.to_owned(), zone.to_owned());
        }
        let own = self.settings.get("server_encoding").cloned().unwrap_or_default();
        let encoding = encoding.map_or(own, |name| name.to_uppercase());
        self.settings.insert(ENCODING.to_owned(), encoding);
    }

    /// In which manner the dump writes rows, and in which encoding.
    pub fn manner(&self) -> (Manner, String) {
        let setting = |name: &str| self.settings.get(name).cloned().unwrap_or_default();
        let bytea_escape = setting(BYTEA_OUTPUT) == "escape";
        let monetary = self.settings.get(LC_MONETARY).cloned();
        (Manner { time_zone: setting(TIME_ZONE), bytea_escape, monetary }, setting(ENCODING))
    }
}

/// What the server said of its snapshot and of itself.
struct Answer {
    snapshot: String,
    taken: Snapshot,
    server: SourceServer,
    may_identify: bool,
}

impl Answer {
    fn read(row: &[Option<String>]) -> Option<Answer> {
        let [snapshot, now, replica, replayed, version, number, database, may_identify] = row else {
            return None;
        };
        let number: u32 = number.as_deref()?.parse().ok()?;
        Some(Answer {
            snapshot: snapshot.clone()?,
            taken: taken(now.as_deref()?, replayed.as_deref())?,
            server: SourceServer {
                system_identifier: None,
                server_version: version.clone()?,
                server_major: number / 10_000,
                database: database.clone()?,
                replica: replica.as_deref()? == "t",
            },
            may_identify: may_identify.as_deref()? == "t",
        })
    }
}

/// The earliest moment that the data speaks for, and how much later it may have been taken.
fn taken(now: &str, replayed: Option<&str>) -> Option<Snapshot> {
    let now: i64 = now.parse().ok()?;
    let replayed = replayed.map(str::parse::<i64>).transpose().ok()?;
    let at = replayed.map_or(now, |replayed| replayed.min(now));
    Some(Snapshot {
        at: Moment::from(Timestamp::from_millisecond(at).ok()?),
        uncertainty_ms: Millis::new(now.abs_diff(at)),
    })
}

async fn settings(session: &Session) -> Result<BTreeMap<String, String>, Error> {
    let names: Vec<String> = SHAPING.iter().map(|name| quote_literal(name)).collect();
    let sql = format!(
        "SELECT name, pg_catalog.current_setting(name, true) FROM pg_catalog.unnest(ARRAY[{}]) AS name",
        names.join(", ")
    );
    let rows = session.rows(&sql).await?;
    let pair = |row: &Vec<Option<String>>| match row.as_slice() {
        [Some(name), Some(value)] => Some((name.clone(), value.clone())),
        _ => None,
    };
    Ok(rows.iter().filter_map(pair).collect())
}

/// The first value of a query.
async fn first(session: &Session, sql: &str) -> Result<Option<String>, Error> {
    Ok(session.rows(sql).await?.into_iter().next().and_then(|row| row.into_iter().next()).flatten())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replica_speaks_for_the_last_transaction_that_it_has_heard_of() {
        let told =
            |now, replayed| taken(now, replayed).map(|it| (it.at.to_string(), it.uncertainty_ms.get()));
        let at = |text: &str, uncertain| Some((text.to_owned(), uncertain));
        assert_eq!(told("1700000000123", None), at("2023-11-14T22:13:20.123Z", 0));
        assert_eq!(told("1700000000123", Some("1700000000000")), at("2023-11-14T22:13:20.000Z", 123));
        assert_eq!(told("1700000000123", Some("1800000000000")), at("2023-11-14T22:13:20.123Z", 0));
        assert_eq!(told("soon", None), None);
    }
}
