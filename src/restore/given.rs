//! A database on a server that is given: the same one from the first connection to the last.

use crate::postgres::{GivenServer, Session};
use crate::restore::Error;
use crate::restore::marks;
use crate::verdict::Code;

/// Everything that somebody could miss if a restore came over it.
const OBJECTS: &str = "\
    SELECT (SELECT pg_catalog.count(*) FROM pg_catalog.pg_class c JOIN named n ON n.oid = c.relnamespace) \
         + (SELECT pg_catalog.count(*) FROM pg_catalog.pg_proc p JOIN named n ON n.oid = p.pronamespace) \
         + (SELECT pg_catalog.count(*) FROM pg_catalog.pg_type t JOIN named n ON n.oid = t.typnamespace) \
         + (SELECT pg_catalog.count(*) FROM named WHERE nspname <> 'public') \
         + (SELECT pg_catalog.count(*) FROM pg_catalog.pg_largeobject_metadata)";

/// A database that was named, and what tells it from every other.
#[derive(Clone)]
pub struct GivenDatabase {
    server: GivenServer,
    name: String,
    identity: Vec<Option<String>>,
    server_major: u32,
}

impl GivenDatabase {
    /// Looks at the database `name` of `server`.
    ///
    /// # Errors
    /// It can't be reached, or its server takes no writes.
    pub async fn meet(server: &GivenServer, name: &str) -> Result<GivenDatabase, Error> {
        let session = server.connect_to(name).await.map_err(|error| Error::postgres(&error))?;
        let sql = "SELECT pg_catalog.pg_is_in_recovery(), \
                   pg_catalog.current_setting('server_version_num')::int / 10000";
        let rows = session.rows(sql).await.map_err(|error| Error::postgres(&error))?;
        let [Some(standby), Some(major)] = rows.first().map(Vec::as_slice).unwrap_or_default() else {
            return Err(Error::lost("the question for the server's version"));
        };
        if standby == "t" {
            return Err(Error::new(
                Code::WrongDatabase,
                format!("{server} is a standby, which takes no writes"),
                "name the primary, or promote it",
            ));
        }
        let server_major = major.parse().map_err(|_| Error::lost("the question for the server's version"))?;
        let identity = identity(&session).await?;
        Ok(GivenDatabase { server: server.clone(), name: name.to_owned(), identity, server_major })
    }

    /// A session in it, and in no other that may answer under the same name by now.
    ///
    /// # Errors
    /// It can't be reached, or another one answers.
    pub async fn connect(&self) -> Result<Session, Error> {
        let session = self.server.connect_to(&self.name).await.map_err(|error| Error::postgres(&error))?;
        if identity(&session).await? != self.identity {
            return Err(Error::new(
                Code::WrongDatabase,
                format!("{} answers with another database than before", self.server),
                "see whether a failover or a proxy moved the name; then run the same command again",
            ));
        }
        Ok(session)
    }

    /// That nothing is in it, but for what an interrupted restore of ours has left.
    ///
    /// # Errors
    /// [`Code::WrongDatabase`] with the number of objects that are there.
    pub async fn assert_empty(&self) -> Result<(), Error> {
        let session = self.connect().await?;
        let ours = format!("SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = '{}'", marks::SCHEMA);
        if !session.rows(&ours).await.map_err(|error| Error::postgres(&error))?.is_empty() {
            return Ok(());
        }
        let sql = format!(
            "WITH named AS (SELECT oid, nspname FROM pg_catalog.pg_namespace \
             WHERE nspname !~ '^pg_' AND nspname <> 'information_schema') {OBJECTS}"
        );
        let rows = session.rows(&sql).await.map_err(|error| Error::postgres(&error))?;
        match rows.first().and_then(|row| row.first()).and_then(Option::as_deref) {
            Some("0") => Ok(()),
            Some(count) => Err(Error::new(
                Code::WrongDatabase,
                format!("the database '{}' is not empty: {count} objects are in it", self.name),
                "make a new one with CREATE DATABASE, and name that",
            )),
            None => Err(Error::lost("the question for what is in the database")),
        }
    }

    /// The server that holds it.
    pub fn server(&self) -> &GivenServer {
        &self.server
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The major version of its server.
    pub fn server_major(&self) -> u32 {
        self.server_major
    }
}

/// What tells a database from every other: the cluster's identifier and the database's OID; where
/// the identifier may not be read, the moment at which the server started.
async fn identity(session: &Session) -> Result<Vec<Option<String>>, Error> {
    let of = |cluster: &str| {
        format!(
            "SELECT {cluster}::text, d.oid::text, d.datname FROM pg_catalog.pg_database d \
             WHERE d.datname = pg_catalog.current_database()"
        )
    };
    let named = "(SELECT system_identifier FROM pg_catalog.pg_control_system())";
    let rows = match session.rows(&of(named)).await {
        Ok(rows) => rows,
        Err(error) if error.sqlstate() == Some("42501") => session
            .rows(&of("pg_catalog.pg_postmaster_start_time()"))
            .await
            .map_err(|error| Error::postgres(&error))?,
        Err(error) => return Err(Error::postgres(&error)),
    };
    rows.into_iter().next().ok_or_else(|| Error::lost("the question for the database's identity"))
}
