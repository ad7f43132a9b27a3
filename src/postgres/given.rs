//! A server that somebody else runs, named by a URL.
//!
//! Stricter than libpq in one thing: a server on another host is spoken to over TLS with its
//! certificate and its name verified, unless the URL itself says `sslmode=disable`.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;
use zeroize::Zeroizing;

use crate::postgres::error::{Error, Kind};
use crate::postgres::session::Session;

const URL_BYTES_MAX: usize = 4096;
const PASSWORD_FILE_BYTES_MAX: u64 = 1 << 20;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// Where a password may come from when the URL has none.
#[derive(Clone, Default)]
pub struct PasswordSources {
    password: Option<Zeroizing<String>>,
    file: Option<PathBuf>,
}

impl PasswordSources {
    /// The URL alone.
    pub fn url_alone() -> PasswordSources {
        PasswordSources::default()
    }

    /// What libpq's users expect: `PGPASSWORD`, else `PGPASSFILE`, else `~/.pgpass`.
    pub fn of_environment() -> PasswordSources {
        let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let home = || set("HOME").map(|home| Path::new(&home).join(".pgpass"));
        PasswordSources {
            password: set("PGPASSWORD").and_then(|value| value.into_string().ok()).map(Zeroizing::new),
            file: set("PGPASSFILE").map(PathBuf::from).or_else(home),
        }
    }

    fn password(&self, host: &str, port: u16, database: &str, user: &str) -> Option<Zeroizing<String>> {
        let from_file =
            || self.file.as_deref().and_then(|file| of_file(file, [host, &port.to_string(), database, user]));
        self.password.clone().or_else(from_file)
    }
}

/// A server, a database in it and how to get in.
#[derive(Clone)]
pub struct GivenServer {
    config: Config,
    tls: Option<Arc<ClientConfig>>,
    database: String,
    user: String,
    place: String,
    roots: Option<PathBuf>,
}

impl GivenServer {
    /// Reads `postgres://user[:password]@host[:port]/database[?sslmode=…&sslrootcert=FILE]`.
    /// A host that is a path (percent-encoded, or as `?host=/run/postgresql`) is the directory of a
    /// unix socket. `sslmode` is `disable` or `verify-full`; `prefer` and `require` mean
    /// `verify-full`, except that this machine itself needs no TLS unless it is demanded.
    ///
    /// # Errors
    /// [`Kind::Unreachable`]: what is wrong with the URL, without repeating it, since it may hold
    /// a password.
    pub fn parse(url: &str, passwords: &PasswordSources) -> Result<GivenServer, Error> {
        let Ours { rest, mode, roots } = Ours::split(url)?;
        let mut config: Config = rest.parse().map_err(|_| {
            wrong("the URL of the server can't be read", "write postgres://user@host:5432/database")
        })?;
        let (host, port) = only_host(&config)?;
        let missing = |what| {
            wrong(
                format!("the URL of the server names no {what}"),
                "write postgres://user@host:5432/database",
            )
        };
        let database = config.get_dbname().ok_or_else(|| missing("database"))?.to_owned();
        let user = config.get_user().ok_or_else(|| missing("user"))?.to_owned();
        if config.get_password().is_none()
            && let Some(password) = passwords.password(&host, port, &database, &user)
        {
            config.password(password.as_bytes());
        }
        let tls = mode.wants_tls(&host).then(|| trusting(roots.as_deref())).transpose()?;
        config.ssl_mode(if tls.is_some() { SslMode::Require } else { SslMode::Disable });
        config.connect_timeout(CONNECT_TIMEOUT).application_name("firedrill");
        let place = if port == 5432 { host } else { format!("{host}:{port}") };
        Ok(GivenServer { config, tls, database, user, place, roots })
    }

    /// A session in the database of the URL.
    ///
    /// # Errors
    /// [`Kind::Unreachable`] when nobody answers, the certificate is not to be trusted, or the
    /// server does not let us in.
    pub async fn connect(&self) -> Result<Session, Error> {
        self.connect_to(&self.database).await
    }

    /// A session in another database of the same server.
    ///
    /// # Errors
    /// As [`GivenServer::connect`].
    pub async fn connect_to(&self, database: &str) -> Result<Session, Error> {
        let mut config = self.config.clone();
        config.dbname(database);
        let failed = |error: tokio_postgres::Error| self.refused(&error);
        match &self.tls {
            Some(tls) => {
                let tls = MakeRustlsConnect::new(ClientConfig::clone(tls));
                let (client, connection) = config.connect(tls).await.map_err(failed)?;
                Ok(Session::driven(client, connection, database))
            }
            None => {
                let (client, connection) = config.connect(NoTls).await.map_err(failed)?;
                Ok(Session::driven(client, connection, database))
            }
        }
    }

    /// The variables by which a client program of PostgreSQL finds the same database, in place of
    /// arguments that every user of the machine could read. libpq trusts the machine's certificates
    /// only where it is told to, by `sslrootcert` in the URL or its own means.
    pub fn for_clients(&self) -> Vec<(&'static str, OsString)> {
        let port = self.config.get_ports().first().copied().unwrap_or(5432);
        let host = match self.config.get_hosts() {
            [Host::Tcp(host)] => OsString::from(host),
            [Host::Unix(directory)] => directory.clone().into_os_string(),
            _ => OsString::new(),
        };
        let mut variables = vec![
            ("PGHOST", host),
            ("PGPORT", port.to_string().into()),
            ("PGUSER", self.user.clone().into()),
            ("PGDATABASE", self.database.clone().into()),
        ];
        if let Some(password) = self.config.get_password() {
            variables.push(("PGPASSWORD", OsStr::from_bytes(password).to_owned()));
        }
        match (&self.tls, &self.roots) {
            (Some(_), Some(roots)) => {
                variables.push(("PGSSLMODE", "verify-full".into()));
                variables.push(("PGSSLROOTCERT", roots.clone().into_os_string()));
            }
            (Some(_), None) if std::env::var_os("PGSSLMODE").is_none() => {
                variables.push(("PGSSLMODE", "require".into()));
            }
            (Some(_) | None, _) => {}
        }
        variables
    }

    /// The database of the URL.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// Who we are there.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// Whether what is said on the way is encrypted, and to a server that has proven its name.
    pub fn is_verified(&self) -> bool {
        self.tls.is_some()
    }

    /// Whether the server is on this machine.
    pub fn is_here(&self) -> bool {
        match self.config.get_hosts() {
            [Host::Tcp(host)] => is_here(host),
            [Host::Unix(_)] => true,
            _ => false,
        }
    }

    /// Whether the server is spoken to over a unix socket.
    pub fn is_socket(&self) -> bool {
        self.place.starts_with('/')
    }

    fn refused(&self, error: &tokio_postgres::Error) -> Error {
        let tried = format!("connect to {self}");
        if error.as_db_error().is_some() {
            let said = Error::of_driver(&tried, error);
            return Error::new(Kind::Unreachable, said.to_string());
        }
        // What lies under it is an operating system's or a certificate's complaint: no rows there.
        let why = std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string);
        Error::new(Kind::Unreachable, format!("{tried}: {}", crate::postgres::redact::bounded(&why)))
    }
}

/// Without the password.
impl fmt::Display for GivenServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_socket() {
            return write!(f, "database '{}' as '{}' at the socket {}", self.database, self.user, self.place);
        }
        write!(f, "postgres://{}@{}/{}", self.user, self.place, self.database)
    }
}

impl fmt::Debug for GivenServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GivenServer({self})")
    }
}

fn wrong(what: impl Into<String>, remedy: impl Into<String>) -> Error {
    Error::new(Kind::Unreachable, what).with_remedy(remedy)
}

/// One host: with several, nobody could say which of them was meant.
fn only_host(config: &Config) -> Result<(String, u16), Error> {
    let port = config.get_ports().first().copied().unwrap_or(5432);
    match config.get_hosts() {
        [Host::Tcp(host)] => Ok((host.clone(), port)),
        [Host::Unix(directory)] => Ok((directory.display().to_string(), port)),
        [] => Err(wrong("the URL of the server names no host", "write postgres://user@host:5432/database")),
        _ => Err(wrong("the URL names several servers", "name the one that is meant")),
    }
}

fn is_here(host: &str) -> bool {
    host.starts_with('/') || matches!(host, "localhost" | "127.0.0.1" | "::1")
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Disable,
    Prefer,
    Verify,
}

impl Mode {
    fn wants_tls(self, host: &str) -> bool {
        let here = is_here(host);
        match self {
            Mode::Disable => false,
            Mode::Prefer => !here,
            Mode::Verify => !host.starts_with('/'),
        }
    }
}

/// The parameters of a URL that are decided here, and the rest of it.
struct Ours {
    rest: String,
    mode: Mode,
    roots: Option<PathBuf>,
}

impl Ours {
    fn split(url: &str) -> Result<Ours, Error> {
        let schemes = ["postgres://", "postgresql://"];
        if url.len() > URL_BYTES_MAX || !schemes.iter().any(|scheme| url.starts_with(scheme)) {
            return Err(wrong(
                "the server is not named by a URL",
                "write postgres://user@host:5432/database",
            ));
        }
        let (base, query) = url.split_once('?').unwrap_or((url, ""));
        let mut ours = Ours { rest: base.to_owned(), mode: Mode::Prefer, roots: None };
        let mut kept = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            match key {
                "sslmode" => ours.mode = mode(value)?,
                "sslrootcert" => {
                    let path = percent_encoding::percent_decode_str(value).decode_utf8_lossy();
                    ours.roots = Some(PathBuf::from(path.as_ref()));
                }
                _ => kept.push(pair),
            }
        }
        if !kept.is_empty() {
            ours.rest = format!("{base}?{}", kept.join("&"));
        }
        Ok(ours)
    }
}

fn mode(value: &str) -> Result<Mode, Error> {
    match value {
        "disable" => Ok(Mode::Disable),
        "prefer" | "allow" => Ok(Mode::Prefer),
        "require" | "verify-ca" | "verify-full" => Ok(Mode::Verify),
        _ => Err(wrong("the URL has an unknown sslmode", "write sslmode=verify-full or sslmode=disable")),
    }
}

/// TLS that believes the certificates of `roots`, else those that this machine trusts.
fn trusting(roots: Option<&Path>) -> Result<Arc<ClientConfig>, Error> {
    let mut store = RootCertStore::empty();
    match roots {
        Some(file) => {
            let unreadable = |error: &dyn fmt::Display| {
                wrong(
                    format!("read the certificates in {}: {error}", file.display()),
                    "name a PEM file in sslrootcert",
                )
            };
            for certificate in CertificateDer::pem_file_iter(file).map_err(|error| unreadable(&error))? {
                let certificate = certificate.map_err(|error| unreadable(&error))?;
                store.add(certificate).map_err(|error| unreadable(&error))?;
            }
        }
        None => {
            store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    if store.is_empty() {
        return Err(wrong("there is no certificate to trust", "name a PEM file in sslrootcert"));
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(format!("set TLS up: {error}"), "report this as a bug of firedrill"))?;
    Ok(Arc::new(config.with_root_certificates(store).with_no_client_auth()))
}

/// The password of the first line of a password file that fits; as libpq, a file that others can
/// read is not looked at.
fn of_file(file: &Path, wanted: [&str; 4]) -> Option<Zeroizing<String>> {
    use std::os::unix::fs::PermissionsExt;
    let metadata = std::fs::metadata(file).ok()?;
    if metadata.permissions().mode() & 0o077 != 0 || metadata.len() > PASSWORD_FILE_BYTES_MAX {
        return None;
    }
    let text = Zeroizing::new(std::fs::read_to_string(file).ok()?);
    text.lines().filter(|line| !line.starts_with('#')).find_map(|line| fitting(line, wanted))
}

fn fitting(line: &str, wanted: [&str; 4]) -> Option<Zeroizing<String>> {
    let fields = fields(line);
    let (password, named) = fields.split_last()?;
    let fits = named.len() == wanted.len()
        && named.iter().zip(wanted).all(|(field, wanted)| *field == "*" || field == wanted);
    fits.then(|| Zeroizing::new(password.clone()))
}

/// The fields of a line, at colons; a backslash takes the character behind it as it is.
fn fields(line: &str) -> Vec<String> {
    let mut fields = Vec::new();
    let mut field = String::new();
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match character {
            ':' if fields.len() < 4 => fields.push(std::mem::take(&mut field)),
            '\\' => field.extend(characters.next()),
            _ => field.push(character),
        }
    }
    fields.push(field);
    fields
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_url_is_read_and_shown_without_its_password() {
        let table = [
            ("postgres://ana:s3cret@db.example/orders", "postgres://ana@db.example/orders", true),
            (
                "postgresql://ana@db.example:6432/orders?sslmode=disable",
                "postgres://ana@db.example:6432/orders",
                false,
            ),
            ("postgres://ana:s3cret@localhost/orders", "postgres://ana@localhost/orders", false),
            ("postgres://ana@127.0.0.1/orders?sslmode=require", "postgres://ana@127.0.0.1/orders", true),
            (
                "postgres://ana@%2Frun%2Fpostgresql/orders",
                "database 'orders' as 'ana' at the socket /run/postgresql",
                false,
            ),
        ];
        for (url, shown, verified) in table {
            let server = GivenServer::parse(url, &PasswordSources::url_alone()).unwrap();
            assert_eq!(server.to_string(), shown);
            assert_eq!(server.is_verified(), verified, "{url}");
            assert_eq!(server.database(), "orders");
            assert!(!format!("{server:?}").contains("s3cret"));
        }
    }

    #[test]
    fn client_programs_find_the_same_database() {
        let variables = |url: &str| {
            let server = GivenServer::parse(url, &PasswordSources::url_alone()).unwrap();
            let pairs = server.for_clients();
            let written = |(name, value): (&str, OsString)| format!("{name}={}", value.to_str().unwrap());
            pairs.into_iter().map(written).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(
            variables("postgres://ana:s3%20cret@localhost:6432/orders"),
            "PGHOST=localhost PGPORT=6432 PGUSER=ana PGDATABASE=orders PGPASSWORD=s3 cret"
        );
        assert_eq!(
            variables("postgres://ana@%2Frun%2Fpostgresql/orders"),
            "PGHOST=/run/postgresql PGPORT=5432 PGUSER=ana PGDATABASE=orders"
        );
    }

    #[test]
    fn a_url_that_is_not_one_server_is_refused_without_being_repeated() {
        let table = [
            "host=db.example password=s3cret",
            "https://ana:s3cret@db.example/orders",
            "postgres://ana:s3cret@a.example,b.example/orders",
            "postgres://ana:s3cret@db.example",
            "postgres://db.example:s3cret/orders",
            "postgres://ana:s3cret@db.example/orders?sslmode=maybe",
            "postgres://ana:s3cret@db.example/orders?sslrootcert=/no/such/file",
        ];
        for url in table {
            let refused = GivenServer::parse(url, &PasswordSources::url_alone()).unwrap_err();
            assert_eq!(refused.kind(), Kind::Unreachable);
            assert!(!refused.to_string().contains("s3cret"), "{refused}");
        }
    }

    #[test]
    fn a_password_comes_from_a_file_that_is_ours_alone() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("pgpass");
        std::fs::write(
            &file,
            "# comment\nother:*:*:*:wrong\ndb.example:*:a\\:b:ana:s3:cr\\et\n*:*:*:*:any\n",
        )
        .unwrap();
        let mode = |mode| std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        let of = |wanted| of_file(&file, wanted).map(|password| password.to_string());
        mode(0o600);
        assert_eq!(of(["db.example", "5432", "a:b", "ana"]).as_deref(), Some("s3:cret"));
        assert_eq!(of(["db.example", "5432", "c", "ana"]).as_deref(), Some("any"));
        mode(0o644);
        assert_eq!(of(["db.example", "5432", "a:b", "ana"]), None);
    }
}
