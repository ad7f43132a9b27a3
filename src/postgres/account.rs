//! Who the server runs as: never root.

use nix::unistd::{Gid, Uid, User, geteuid};

use crate::postgres::error::{Error, Kind};

/// The users that a server of ours steps down to when root started us, best first.
const STEP_DOWN_TO: &[&str] = &["postgres", "nobody"];

/// Who the server runs as, and who we are.
#[derive(Clone, Debug)]
pub struct Account {
    uid: Uid,
    gid: Gid,
    name: String,
    our_name: String,
    another: bool,
}

impl Account {
    /// Ourselves, unless we are root: then `postgres`, else `nobody`.
    pub fn of_server() -> Result<Account, Error> {
        let uid = geteuid();
        let ourselves = User::from_uid(uid).ok().flatten().ok_or_else(|| {
            Error::new(
                Kind::Start,
                format!("user id {uid} has no name on this machine, and initdb needs one"),
            )
            .with_remedy("run firedrill as a user that the system knows by name")
        })?;
        if !uid.is_root() {
            let User { name, gid, .. } = ourselves;
            return Ok(Account { uid, gid, our_name: name.clone(), name, another: false });
        }
        let server = STEP_DOWN_TO.iter().find_map(|name| User::from_name(name).ok().flatten());
        let server = server.filter(|server| !server.uid.is_root()).ok_or_else(|| {
            Error::new(
                Kind::Start,
                "PostgreSQL refuses to run as root, and there is no user 'postgres' or 'nobody'",
            )
            .with_remedy("run firedrill as an unprivileged user, or make a user 'postgres'")
        })?;
        Ok(Account {
            uid: server.uid,
            gid: server.gid,
            name: server.name,
            our_name: ourselves.name,
            another: true,
        })
    }

    /// Ourselves, even as root.
    #[cfg(test)]
    pub fn ourselves_for_tests() -> Account {
        let (uid, gid) = (geteuid(), nix::unistd::getegid());
        Account { uid, gid, name: "us".into(), our_name: "us".into(), another: false }
    }

    /// The server's user.
    pub fn uid(&self) -> Uid {
        self.uid
    }

    /// The server's group.
    pub fn gid(&self) -> Gid {
        self.gid
    }

    /// The server's user name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name of the user that we are, and that alone may connect without a password.
    pub fn our_name(&self) -> &str {
        &self.our_name
    }

    /// Whether the server runs as somebody else than we do.
    pub fn is_another(&self) -> bool {
        self.another
    }
}
