//! Placeholder roles: an archive names owners and grantees that only production has.

use std::collections::BTreeSet;

use tokio::sync::Mutex;

use crate::postgres::{self, Session, quote_identifier};

/// More roles than any archive of good will names.
const ROLES_MAX: usize = 100_000;

/// Roles that can't log in and may nothing, made as they are needed.
pub struct Roles {
    session: Session,
    may_make: bool,
    made: Mutex<BTreeSet<String>>,
}

impl Roles {
    /// No roles yet; they will be made over `session`, if they may be made at all.
    pub fn new(session: Session, may_make: bool) -> Roles {
        Roles { session, may_make, made: Mutex::new(BTreeSet::new()) }
    }

    /// Whether roles may be made here.
    pub fn may_make(&self) -> bool {
        self.may_make
    }

    /// Makes `role`, unless the server has it; nothing where no role may be made.
    ///
    /// # Errors
    /// The server refused, or the archive names more roles than any archive should.
    pub async fn ensure(&self, role: &str) -> Result<(), postgres::Error> {
        let mut made = self.made.lock().await;
        if !self.may_make || made.contains(role) || made.len() >= ROLES_MAX {
            return Ok(());
        }
        let known = self
            .session
            .client()
            .query_opt("SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = $1", &[&role])
            .await
            .map_err(|error| postgres::Error::of_driver("look a role up", &error))?;
        if known.is_none() {
            self.session.run(&format!("CREATE ROLE {} NOLOGIN", quote_identifier(role))).await?;
            made.insert(role.to_owned());
        }
        Ok(())
    }

    /// Some things may be owned by superusers only, so the placeholder becomes one; it still
    /// can't log in.
    ///
    /// # Errors
    /// The server refused.
    pub async fn promote(&self, role: &str) -> Result<(), postgres::Error> {
        self.session.run(&format!("ALTER ROLE {} SUPERUSER", quote_identifier(role))).await
    }

    /// The roles that were made, by name.
    pub fn into_made(self) -> Vec<String> {
        self.made.into_inner().into_iter().collect()
    }
}
