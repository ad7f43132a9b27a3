//! A server that is given to drills: each makes a database of its own there, and removes it.
//!
//! A restore over production can't be undone, so a server is taken only when all of this speaks
//! for it: its identifier is the one in the plan and not the one of the source; its administrator
//! has marked it; nothing replicates from it; and our role there could harm nothing else.

use uuid::Uuid;

use crate::postgres::{GivenServer, Session, quote_identifier, quote_literal};
use crate::restore::Error;
use crate::verdict::Code;

/// The database whose comment is the marker.
pub const MARKER_DATABASE: &str = "firedrill_scratch_ok";

/// What the name of each database of a drill begins with.
const PREFIX: &str = "firedrill_scratch_";

/// What a server must be before a drill makes anything on it.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// The comment on [`MARKER_DATABASE`].
    pub marker: &'a str,
    /// Its system identifier.
    pub system_identifier: &'a str,
    /// The system identifier of the server that was backed up, where it is known.
    pub source_identifier: Option<&'a str>,
}

/// A server that met every guard.
#[derive(Clone, Debug)]
pub struct Host {
    server: GivenServer,
    version: String,
    major: u32,
    system_identifier: String,
    relaxed: Vec<(String, String)>,
}

impl Host {
    /// Looks at `server`, and changes nothing there.
    ///
    /// # Errors
    /// It can't be reached, or a guard refuses it: [`Code::WrongDatabase`].
    pub async fn meet(server: &GivenServer, claim: &Claim<'_>) -> Result<Host, Error> {
        if !server.is_verified() && !server.is_here() {
            return Err(refused(server, "it is on another machine, and is not spoken to over verified TLS"));
        }
        let session = server.connect().await.map_err(|error| Error::postgres(&error))?;
        let facts = Facts::of(&session).await?;
        if let Some(objection) = facts.objection(claim) {
            return Err(refused(server, &objection));
        }
        Ok(Host {
            server: server.clone(),
            version: facts.version,
            major: facts.major,
            system_identifier: facts.system_identifier,
            relaxed: facts.relaxed,
        })
    }

    /// A session in the database of the server's URL.
    ///
    /// # Errors
    /// It can't be reached any more.
    pub async fn connect(&self) -> Result<Session, Error> {
        self.server.connect().await.map_err(|error| Error::postgres(&error))
    }

    /// The server.
    pub fn server(&self) -> &GivenServer {
        &self.server
    }

    /// Its version, as it says it.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Its major version.
    pub fn server_major(&self) -> u32 {
        self.major
    }

    /// What tells it from any other.
    pub fn system_identifier(&self) -> &str {
        &self.system_identifier
    }

    /// Its settings that production must not have.
    pub fn relaxed(&self) -> &[(String, String)] {
        &self.relaxed
    }
}

/// A name that only a drill makes, and no two drills make.
pub fn new_database_name() -> String {
    format!("{PREFIX}{}", Uuid::now_v7().simple())
}

fn is_of_a_drill(name: &str) -> bool {
    name.strip_prefix(PREFIX)
        .is_some_and(|id| id.len() == 32 && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')))
}

/// Removes the database `name` that a drill made on `server`, with whoever is still in it, and
/// sees it gone.
///
/// # Errors
/// The name is not one that a drill makes, the server can't be reached, or the database is still
/// there.
pub async fn remove_database(server: &GivenServer, name: &str) -> Result<(), Error> {
    if !is_of_a_drill(name) {
        return Err(refused(server, &format!("'{name}' is no database that a drill has made")));
    }
    let session = server.connect().await.map_err(|error| Error::postgres(&error))?;
    let drop = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", quote_identifier(name));
    session.run(&drop).await.map_err(|error| Error::postgres(&error))?;
    let there = format!("SELECT 1 FROM pg_catalog.pg_database WHERE datname = {}", quote_literal(name));
    if session.rows(&there).await.map_err(|error| Error::postgres(&error))?.is_empty() {
        return Ok(());
    }
    Err(refused(server, &format!("the database '{name}' was dropped and is still there")))
}

fn refused(server: &GivenServer, why: &str) -> Error {
    Error::new(
        Code::WrongDatabase,
        format!("{server} is not taken for a drill: {why}"),
        "see the README on drills on a given server; nothing was changed there",
    )
}

/// What a server says of itself, and of us.
#[derive(Clone, Debug)]
struct Facts {
    version: String,
    major: u32,
    system_identifier: String,
    marker: Option<String>,
    in_recovery: bool,
    is_superuser: bool,
    may_create_databases: bool,
    may_more: bool,
    memberships: u64,
    owned: u64,
    receivers: u64,
    slots: u64,
    relaxed: Vec<(String, String)>,
}

/// What is asked; the databases of drills, and what is in them, do not count as owned.
const QUESTION: &str = "\
    WITH drills AS (SELECT oid FROM pg_catalog.pg_database WHERE datname ~ '^firedrill_scratch_[0-9a-f]{32}$') \
    SELECT pg_catalog.current_setting('server_version'), \
           pg_catalog.current_setting('server_version_num')::int / 10000, \
           (SELECT system_identifier FROM pg_catalog.pg_control_system()), \
           (SELECT pg_catalog.shobj_description(oid, 'pg_database') FROM pg_catalog.pg_database \
             WHERE datname = 'firedrill_scratch_ok'), \
           pg_catalog.pg_is_in_recovery(), r.rolsuper, r.rolcreatedb, \
           r.rolcreaterole OR r.rolreplication OR r.rolbypassrls, \
           (SELECT pg_catalog.count(*) FROM pg_catalog.pg_auth_members m WHERE m.member = r.oid), \
           (SELECT pg_catalog.count(*) FROM pg_catalog.pg_shdepend d \
             WHERE d.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass AND d.refobjid = r.oid \
               AND d.deptype = 'o' AND d.dbid NOT IN (SELECT oid FROM drills) \
               AND NOT (d.classid = 'pg_catalog.pg_database'::pg_catalog.regclass \
                        AND d.objid IN (SELECT oid FROM drills))), \
           (SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_replication), \
           (SELECT pg_catalog.count(*) FROM pg_catalog.pg_replication_slots), \
           pg_catalog.current_setting('fsync'), pg_catalog.current_setting('full_page_writes') \
      FROM pg_catalog.pg_roles r WHERE r.rolname = session_user AND session_user = current_user";

impl Facts {
    async fn of(session: &Session) -> Result<Facts, Error> {
        let rows = session.rows(QUESTION).await.map_err(|error| Error::postgres(&error))?;
        let read = || {
            let [version, major, identifier, marker, told @ ..] = rows.first()?.as_slice() else {
                return None;
            };
            let [recovery, superuser, databases, more, members, owned, receivers, slots, fsync, pages] = told
            else {
                return None;
            };
            let yes = |value: &Option<String>| value.as_deref().map(|value| value == "t");
            let count = |value: &Option<String>| value.as_deref()?.parse().ok();
            let settings = [("fsync", fsync), ("full_page_writes", pages)];
            Some(Facts {
                version: version.clone()?,
                major: major.as_deref()?.parse().ok()?,
                system_identifier: identifier.clone()?,
                marker: marker.clone(),
                in_recovery: yes(recovery)?,
                is_superuser: yes(superuser)?,
                may_create_databases: yes(databases)?,
                may_more: yes(more)?,
                memberships: count(members)?,
                owned: count(owned)?,
                receivers: count(receivers)?,
                slots: count(slots)?,
                relaxed: settings
                    .into_iter()
                    .filter(|(_, value)| value.as_deref() != Some("on"))
                    .map(|(name, value)| (name.to_owned(), value.clone().unwrap_or_default()))
                    .collect(),
            })
        };
        read().ok_or_else(|| Error::lost("the question for what the server is"))
    }

    /// Why a drill should not be run there, if anything speaks against it.
    fn objection(&self, claim: &Claim<'_>) -> Option<String> {
        let no = |why: &str| Some(why.to_owned());
        if self.system_identifier != claim.system_identifier {
            return Some(format!(
                "its system identifier is {}, and the plan's is {}",
                self.system_identifier, claim.system_identifier
            ));
        }
        if claim.source_identifier == Some(self.system_identifier.as_str()) {
            return no("it is the server that was backed up, as the stamp says");
        }
        match &self.marker {
            None => return Some(format!("it has no database '{MARKER_DATABASE}' with a comment")),
            Some(marker) if marker != claim.marker => {
                return Some(format!(
                    "the comment of its database '{MARKER_DATABASE}' is not the plan's marker"
                ));
            }
            Some(_) => {}
        }
        if self.in_recovery {
            return no("it is a standby");
        }
        if self.receivers > 0 {
            return no("something replicates from it, or takes a base backup");
        }
        if self.slots > 0 {
            return no("it has replication slots");
        }
        if self.is_superuser {
            return no("our role there is a superuser");
        }
        if self.may_more || self.memberships > 0 {
            return no(
                "our role there may do more than make databases: it has other rights, or is a member of roles",
            );
        }
        if self.owned > 0 {
            return no("our role there owns things that no drill has made");
        }
        if !self.may_create_databases {
            return no("our role there may not make databases");
        }
        (self.major < 13).then(|| "it is older than PostgreSQL 13".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLAIM: Claim<'_> = Claim {
        marker: "0123456789abcdef",
        system_identifier: "7301234567890123456",
        source_identifier: Some("7300000000000000000"),
    };

    fn fit() -> Facts {
        Facts {
            version: "15.8".into(),
            major: 15,
            system_identifier: CLAIM.system_identifier.into(),
            marker: Some(CLAIM.marker.into()),
            in_recovery: false,
            is_superuser: false,
            may_create_databases: true,
            may_more: false,
            memberships: 0,
            owned: 0,
            receivers: 0,
            slots: 0,
            relaxed: Vec::new(),
        }
    }

    #[test]
    fn each_guard_refuses_by_itself() {
        assert_eq!(fit().objection(&CLAIM), None);
        type Change = fn(&mut Facts);
        let table: [(&str, Change); 12] = [
            ("system identifier", |facts| facts.system_identifier = "7309999999999999999".into()),
            ("no database", |facts| facts.marker = None),
            ("not the plan's marker", |facts| facts.marker = Some("another".into())),
            ("standby", |facts| facts.in_recovery = true),
            ("replicates", |facts| facts.receivers = 1),
            ("slots", |facts| facts.slots = 1),
            ("superuser", |facts| facts.is_superuser = true),
            ("more than make databases", |facts| facts.may_more = true),
            ("more than make databases", |facts| facts.memberships = 1),
            ("owns things", |facts| facts.owned = 1),
            ("may not make databases", |facts| facts.may_create_databases = false),
            ("older", |facts| facts.major = 12),
        ];
        for (why, change) in table {
            let mut facts = fit();
            change(&mut facts);
            let objection = facts.objection(&CLAIM).unwrap_or_default();
            assert!(objection.contains(why), "{why}: {objection}");
        }
        let source = Claim { source_identifier: Some(CLAIM.system_identifier), ..CLAIM };
        assert!(fit().objection(&source).is_some_and(|objection| objection.contains("backed up")));
    }

    #[test]
    fn only_names_of_drills_are_dropped() {
        assert!(is_of_a_drill(&new_database_name()));
        for name in ["", "orders", "firedrill_scratch_", "firedrill_scratch_ok", "firedrill_scratch_x y"] {
            assert!(!is_of_a_drill(name), "{name}");
        }
    }
}
