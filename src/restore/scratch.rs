//! The scratch database: made empty from the archive's own settings, in a cluster of its own.

use std::sync::OnceLock;

use crate::archive::{DatabaseSetting, DatabaseSettings, LocaleProvider, Toc};
use crate::postgres::{self, Cluster, Session, quote_identifier, quote_literal};
use crate::restore::Error;
use crate::restore::given::GivenDatabase;
use crate::restore::host::{Host, remove_database};
use crate::restore::rules::Rules;
use crate::verdict::Code;

/// The name of the database that a drill restores into; its cluster holds no other.
pub const DATABASE: &str = "firedrill_scratch";

/// The name under which that database is kept while copies stand in its place.
const KEPT: &str = "firedrill_kept";

/// The database that is restored into: in a throwaway cluster of its own, or one that somebody
/// has named.
pub struct Scratch {
    home: Home,
    server_major: u32,
    monetary: OnceLock<Monetary>,
}

/// In which way amounts of money are read and written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Monetary {
    /// The value of `lc_monetary`.
    pub name: String,
    /// Whether the dump's session is known to have had it; otherwise it is a guess.
    pub known: bool,
}

enum Home {
    Own(Box<Cluster>),
    Hosted(Box<Hosted>),
    Given(Box<GivenDatabase>),
}

/// A database that a drill makes on a server that is given to drills.
struct Hosted {
    host: Host,
    name: String,
    database: OnceLock<GivenDatabase>,
}

impl Hosted {
    fn database(&self) -> Result<&GivenDatabase, Error> {
        self.database.get().ok_or_else(|| Error::lost("the making of a database on a given server"))
    }
}

impl Scratch {
    /// A scratch in `cluster`, still without its database.
    pub fn in_cluster(cluster: Cluster, server_major: u32) -> Scratch {
        Scratch { home: Home::Own(Box::new(cluster)), server_major, monetary: OnceLock::new() }
    }

    /// A scratch on `host`, still without its database, which will be called `name`.
    pub fn on_host(host: Host, name: String) -> Scratch {
        let server_major = host.server_major();
        let hosted = Hosted { host, name, database: OnceLock::new() };
        Scratch { home: Home::Hosted(Box::new(hosted)), server_major, monetary: OnceLock::new() }
    }

    /// A database that is there already.
    pub fn given(database: GivenDatabase) -> Scratch {
        Scratch {
            server_major: database.server_major(),
            home: Home::Given(Box::new(database)),
            monetary: OnceLock::new(),
        }
    }

    /// Makes the database as the archive's DATABASE entry describes it.
    ///
    /// # Errors
    /// An extension that the archive needs is not there, a locale is unknown to this machine,
    /// or the server refused.
    pub async fn make_database(&self, toc: &Toc) -> Result<(), Error> {
        let (session, name) = match &self.home {
            Home::Own(cluster) => (own_session(cluster, "postgres").await?, DATABASE),
            Home::Hosted(hosted) => (hosted.host.connect().await?, hosted.name.as_str()),
            Home::Given(_) => return Err(Error::lost("the making of a database that is there already")),
        };
        check_extensions(&session, toc).await?;
        let settings = toc.database_settings().map_err(|error| Error::archive(&error))?;
        let create = create_statement(name, settings.as_ref(), toc, self.server_major);
        session.run(&create).await.map_err(|error| cannot_create(&error, settings.as_ref()))?;
        if let Home::Hosted(hosted) = &self.home {
            let database = GivenDatabase::meet(hosted.host.server(), name).await?;
            _ = hosted.database.set(database);
        }
        apply_properties(&session, name, toc).await?;
        self.assert_empty().await
    }

    /// What of an archive goes into it in a drill.
    pub fn rules(&self) -> Rules {
        match self.home {
            Home::Own(_) => Rules::drill(),
            // The roles of a server that is not ours are not ours to make.
            Home::Hosted(_) | Home::Given(_) => Rules { owners: false, grants: false, ..Rules::drill() },
        }
    }

    /// Has amounts of money read as the dump's session wrote them: as a stamp says, else as the
    /// database's own settings do, else as its locale lets guess, as far as the server knows any.
    ///
    /// # Errors
    /// The server is gone.
    pub async fn settle_monetary(&self, toc: &Toc, stamped: Option<&str>) -> Result<(), Error> {
        let properties = toc.database_properties().map_err(|error| Error::archive(&error))?;
        let own = properties.settings.iter().filter(|setting| setting.role.is_none());
        let own = own.filter(|setting| setting.name.eq_ignore_ascii_case("lc_monetary"));
        let declared = own.filter_map(|setting| setting.values.first().cloned()).next_back();
        let settings = toc.database_settings().map_err(|error| Error::archive(&error))?.unwrap_or_default();
        let guesses = [settings.locale, settings.lc_collate, Some("C".to_owned())];
        let known = [stamped.map(str::to_owned), declared].into_iter().flatten().map(|name| (name, true));
        let session = self.connect().await?;
        for (name, known) in known.chain(guesses.into_iter().flatten().map(|name| (name, false))) {
            match session.run(&format!("SET lc_monetary = {}", quote_literal(&name))).await {
                Ok(()) => {
                    self.alter_monetary(&session, &name).await?;
                    _ = self.monetary.set(Monetary { name, known });
                    return Ok(());
                }
                Err(error) if error.kind() == postgres::Kind::Statement => {}
                Err(error) => return Err(Error::postgres(&error)),
            }
        }
        Ok(())
    }

    /// In a database of our own, later sessions write amounts in that way, too.
    async fn alter_monetary(&self, session: &Session, name: &str) -> Result<(), Error> {
        let Home::Own(_) = self.home else { return Ok(()) };
        let database = quote_identifier(DATABASE);
        let sql = format!("ALTER DATABASE {database} SET lc_monetary = {}", quote_literal(name));
        session.run(&sql).await.map_err(|error| Error::postgres(&error))
    }

    /// In which way amounts of money are read, if that was settled.
    pub fn monetary(&self) -> Option<&Monetary> {
        self.monetary.get()
    }

    /// Puts the database of a cluster of its own aside, so that copies can take its place. Nobody
    /// may be connected to it; from now on [`Scratch::connect`] finds a copy, or nothing.
    ///
    /// # Errors
    /// The server refused, or it is not the drill's own.
    pub async fn set_aside(&self) -> Result<(), Error> {
        let rename =
            format!("ALTER DATABASE {} RENAME TO {}", quote_identifier(DATABASE), quote_identifier(KEPT));
        self.own_server().await?.run(&rename).await.map_err(|error| Error::postgres(&error))
    }

    /// Puts a fresh copy of what was set aside in its place, and removes the copy before it.
    ///
    /// # Errors
    /// As [`Scratch::set_aside`].
    pub async fn copy_anew(&self, toc: &Toc) -> Result<(), Error> {
        let session = self.own_server().await?;
        let name = quote_identifier(DATABASE);
        let remove = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
        session.run(&remove).await.map_err(|error| Error::postgres(&error))?;
        let create = format!("CREATE DATABASE {name} TEMPLATE {}", quote_identifier(KEPT));
        session.run(&create).await.map_err(|error| Error::postgres(&error))?;
        // Settings of a database are not copied with it.
        apply_properties(&session, DATABASE, toc).await?;
        match self.monetary.get() {
            Some(monetary) => self.alter_monetary(&session, &monetary.name).await,
            None => Ok(()),
        }
    }

    /// A session beside the scratch database, on a server of its own.
    async fn own_server(&self) -> Result<Session, Error> {
        match &self.home {
            Home::Own(cluster) => own_session(cluster, "postgres").await,
            Home::Hosted(_) | Home::Given(_) => {
                Err(Error::lost("the copying of a database on a given server"))
            }
        }
    }

    /// That the server has every extension that the archive needs.
    ///
    /// # Errors
    /// [`Code::ExtensionMissing`] with their names.
    pub async fn assert_extensions(&self, toc: &Toc) -> Result<(), Error> {
        check_extensions(&self.connect().await?, toc).await
    }

    /// The cluster under it, if it is its own.
    pub fn cluster(&self) -> Option<&Cluster> {
        match &self.home {
            Home::Own(cluster) => Some(cluster),
            Home::Hosted(_) | Home::Given(_) => None,
        }
    }

    /// The major version of its server.
    pub fn server_major(&self) -> u32 {
        self.server_major
    }

    /// A session in the scratch database as an application would get it, except that it has
    /// seen that it is in the right one.
    ///
    /// # Errors
    /// The server is gone, or it is not the drill's own.
    pub async fn connect(&self) -> Result<Session, Error> {
        match &self.home {
            Home::Own(cluster) => own_session(cluster, DATABASE).await,
            Home::Hosted(hosted) => hosted.database()?.connect().await,
            Home::Given(database) => database.connect().await,
        }
    }

    /// A session in the state that the archive's statements expect.
    ///
    /// # Errors
    /// As [`Scratch::connect`].
    pub async fn connect_to_restore(&self, toc: &Toc) -> Result<Session, Error> {
        let session = self.connect().await?;
        let ours = matches!(self.home, Home::Own(_));
        let mut preamble = preamble(toc, self.server_major, ours);
        if let Some(monetary) = self.monetary.get() {
            preamble.push_str(&format!("SET lc_monetary = {};\n", quote_literal(&monetary.name)));
        }
        session.run(&preamble).await.map_err(|error| Error::postgres(&error))?;
        Ok(session)
    }

    /// Removes what was made: a server of its own with everything on it, or the database on a
    /// server that is given to drills. A database that was named stays.
    ///
    /// # Errors
    /// Something is left behind; the error names it.
    pub async fn remove(self) -> Result<(), postgres::Error> {
        match self.home {
            Home::Own(cluster) => cluster.stop().await,
            Home::Hosted(hosted) => {
                let removed = remove_database(hosted.host.server(), &hosted.name).await;
                removed.map_err(|error| postgres::Error::new(postgres::Kind::Leftover, error.to_string()))
            }
            Home::Given(_) => Ok(()),
        }
    }

    async fn assert_empty(&self) -> Result<(), Error> {
        let session = self.connect().await?;
        let sql = "SELECT count(*) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
                   WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'";
        let rows = session.rows(sql).await.map_err(|error| Error::postgres(&error))?;
        if rows.first().and_then(|row| row.first()).and_then(Option::as_deref) == Some("0") {
            return Ok(());
        }
        Err(Error::new(
            Code::WrongDatabase,
            "the new scratch database is not empty",
            "report this as a bug of firedrill",
        ))
    }
}

/// Settings that the database had of its own: without them its queries may mean other things.
async fn apply_properties(session: &Session, name: &str, toc: &Toc) -> Result<(), Error> {
    let properties = toc.database_properties().map_err(|error| Error::archive(&error))?;
    let ours = |setting: &&DatabaseSetting| setting.role.is_none() && !is_withheld(&setting.name);
    for setting in properties.settings.iter().filter(ours) {
        let alter = format!("ALTER DATABASE {} {}", quote_identifier(name), setting.set_clause());
        // A parameter of an extension that is not loaded yet, or of another major, is no
        // reason not to restore; what matters of the settings is proven by the checks.
        if let Err(error) = session.run(&alter).await
            && error.kind() != postgres::Kind::Statement
        {
            return Err(Error::postgres(&error));
        }
    }
    Ok(())
}

async fn own_session(cluster: &Cluster, database: &str) -> Result<Session, Error> {
    let session = cluster.connect(database).await.map_err(|error| Error::postgres(&error))?;
    session.assert_here(cluster.run_token()).await.map_err(|error| Error::postgres(&error))?;
    Ok(session)
}

/// Settings of the original database that would get in the way of the restore or of its
/// guards: who we are, what is loaded into our sessions, how long a statement may take.
fn is_withheld(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let withheld = [
        "role",
        "session_authorization",
        "session_preload_libraries",
        "local_preload_libraries",
        "default_transaction_read_only",
        "default_tablespace",
        "temp_tablespaces",
        "client_encoding",
    ];
    withheld.contains(&name.as_str())
        || name.ends_with("_timeout")
        || name.starts_with("log_")
        || name.starts_with("firedrill.")
}

async fn check_extensions(session: &Session, toc: &Toc) -> Result<(), Error> {
    let rows = session.rows("SELECT name FROM pg_catalog.pg_available_extensions").await;
    let rows = rows.map_err(|error| Error::postgres(&error))?;
    let available: std::collections::HashSet<&str> =
        rows.iter().filter_map(|row| row.first()?.as_deref()).collect();
    let missing: Vec<String> =
        toc.required_extensions().into_iter().filter(|name| !available.contains(name.as_str())).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Error::new(
        Code::ExtensionMissing,
        format!("the archive needs extensions that the scratch server does not have: {}", missing.join(", ")),
        "install their packages for the PostgreSQL that firedrill uses, or name another one in scratch.postgres.bin",
    ))
}

fn create_statement(name: &str, settings: Option<&DatabaseSettings>, toc: &Toc, server_major: u32) -> String {
    let encoding = settings.and_then(|s| s.encoding.as_deref()).unwrap_or(toc.encoding.name());
    let mut sql = format!(
        "CREATE DATABASE {} TEMPLATE template0 ENCODING {}",
        quote_identifier(name),
        quote_literal(encoding)
    );
    let Some(settings) = settings else { return sql };
    let mut option = |name: &str, value: Option<&str>| {
        if let Some(value) = value {
            sql.push_str(&format!(" {name} {}", quote_literal(value)));
        }
    };
    let libc = settings.locale.as_deref().filter(|_| settings.provider == LocaleProvider::Libc);
    option("LC_COLLATE", settings.lc_collate.as_deref().or(libc));
    option("LC_CTYPE", settings.lc_ctype.as_deref().or(libc));
    match settings.provider {
        LocaleProvider::Libc => {}
        LocaleProvider::Icu => {
            option("ICU_LOCALE", settings.icu_locale.as_deref().or(settings.locale.as_deref()));
            option("ICU_RULES", settings.icu_rules.as_deref());
            sql.push_str(" LOCALE_PROVIDER icu");
        }
        LocaleProvider::Builtin => {
            option("BUILTIN_LOCALE", settings.builtin_locale.as_deref().or(settings.locale.as_deref()));
            sql.push_str(" LOCALE_PROVIDER builtin");
        }
    }
    if settings.provider == LocaleProvider::Libc && server_major >= 15 {
        sql.push_str(" LOCALE_PROVIDER libc");
    }
    sql
}

fn cannot_create(error: &postgres::Error, settings: Option<&DatabaseSettings>) -> Error {
    if error.kind() != postgres::Kind::Statement {
        return Error::postgres(error);
    }
    let locale =
        settings.and_then(|settings| settings.lc_collate.clone().or_else(|| settings.locale.clone()));
    let wanted = locale.map_or(String::new(), |locale| format!(" with the locale '{locale}'"));
    Error::new(
        Code::ScratchUnavailable,
        format!("the scratch database could not be made{wanted}: {error}"),
        "install that locale on this machine (Debian: 'locale-gen', RPM: a glibc-langpack)",
    )
}

/// The state of a session that the archive's statements and rows expect. What only a superuser
/// may say is said on a server of our own.
fn preamble(toc: &Toc, server_major: u32, ours: bool) -> String {
    let mut sql = String::from(
        "SET statement_timeout = 0; SET lock_timeout = 0; SET idle_in_transaction_session_timeout = 0;\n",
    );
    if server_major >= 17 {
        sql.push_str("SET transaction_timeout = 0;\n");
    }
    let conforming = if toc.std_strings() { "on" } else { "off" };
    sql.push_str(&format!("SET standard_conforming_strings = {conforming};\n"));
    sql.push_str(toc.search_path_statement().unwrap_or("SET search_path = pg_catalog;"));
    sql.push_str(
        "\nSET check_function_bodies = false; SET xmloption = content; SET client_min_messages = warning;\n\
         SET row_security = off; SET default_tablespace = '';\n\
         SET array_nulls = on; SET DateStyle = 'ISO, MDY'; SET IntervalStyle = 'postgres'; SET TimeZone = 'UTC';\n\
         SET default_transaction_read_only = off; SET synchronous_commit = off;\n",
    );
    if ours {
        sql.push_str("SET session_replication_role = origin;\n");
    }
    if !toc.std_strings() {
        sql.push_str("SET escape_string_warning = off;\n");
    }
    sql
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_would_disarm_the_drill_are_withheld() {
        for name in [
            "role",
            "Role",
            "statement_timeout",
            "session_preload_libraries",
            "firedrill.run_token",
            "log_statement",
        ] {
            assert!(is_withheld(name), "{name}");
        }
        for name in ["search_path", "TimeZone", "DateStyle", "app.tenant", "lc_monetary", "work_mem"] {
            assert!(!is_withheld(name), "{name}");
        }
    }
}
