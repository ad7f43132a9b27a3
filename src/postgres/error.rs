//! What goes wrong with programs, clusters and servers.

use std::fmt;

use crate::postgres::redact;
use crate::verdict::{Code, Reason};

/// What a caller can decide by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// No PostgreSQL, or none that is new enough, was found.
    NotInstalled,
    /// A cluster could not be made or started.
    Start,
    /// The machine refuses the isolation that was required.
    Isolation,
    /// A server that was given can't be reached, or does not let us in.
    Unreachable,
    /// The server died, or closed a connection by itself.
    Crashed,
    /// A process of the server was killed by signal 9, or an allocation failed.
    OutOfMemory,
    /// The disk of the scratch is full.
    DiskFull,
    /// A session is not where it should be.
    WrongDatabase,
    /// The server refused a statement.
    Statement,
    /// The statement was cancelled, by us or by a timeout.
    Cancelled,
    /// Processes or directories could not be removed.
    Leftover,
    /// The server answered what the protocol does not allow there, or more than the limit.
    Protocol,
}

/// One failure. Nothing in it holds a row, an SQL text or a credential: of what a server says,
/// quoted values, DETAIL, HINT, QUERY and CONTEXT are dropped.
#[derive(Clone, Debug)]
pub struct Error {
    kind: Kind,
    what: String,
    remedy: String,
    server: Option<Box<ServerSays>>,
}

/// What is kept of a server's error.
#[derive(Clone, Debug, Default)]
struct ServerSays {
    sqlstate: String,
    severity: String,
    schema: Option<String>,
    table: Option<String>,
    column: Option<String>,
    constraint: Option<String>,
    line: Option<u64>,
    missing_role: Option<String>,
}

impl Error {
    /// An error of our own making, with the default remedy of its kind.
    pub fn new(kind: Kind, what: impl Into<String>) -> Error {
        Error { kind, what: what.into(), remedy: remedy(kind).into(), server: None }
    }

    /// The same error with another remedy.
    pub fn with_remedy(mut self, remedy: impl Into<String>) -> Error {
        self.remedy = remedy.into();
        self
    }

    /// The error of a driver, without what may hold rows. `tried` says what was tried, without SQL:
    /// "run a statement".
    pub fn of_driver(tried: &str, error: &tokio_postgres::Error) -> Error {
        if let Some(said) = error.as_db_error() {
            return Error::of_server(tried, said);
        }
        if error.is_closed() || is_io(error) {
            return Error::new(Kind::Crashed, format!("{tried}: the server closed the connection"));
        }
        // The driver's own texts name the step ("unexpected message from server"), never a value;
        // their sources may.
        Error::new(
            Kind::Protocol,
            format!("{tried}: {}", redact::bounded(&redact::unquoted(&error.to_string()))),
        )
    }

    fn of_server(tried: &str, said: &tokio_postgres::error::DbError) -> Error {
        let sqlstate = said.code().code();
        let (line, copy_column) = said.where_().map(redact::copy_position).unwrap_or_default();
        let name = |name: Option<&str>| name.map(redact::bounded);
        let server = ServerSays {
            sqlstate: sqlstate.into(),
            severity: redact::bounded(said.severity()),
            schema: name(said.schema()),
            table: name(said.table()),
            column: name(said.column()).or(copy_column),
            constraint: name(said.constraint()),
            line,
            missing_role: missing_role(sqlstate, said.message()),
        };
        let text = redact::message(sqlstate, said.routine(), said.message());
        let mut error = Error::new(kind_of(sqlstate), format!("{tried}: {text}"));
        error.server = Some(Box::new(server));
        error
    }

    /// What a caller can decide by.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The server's code for it, where the server said something.
    pub fn sqlstate(&self) -> Option<&str> {
        self.server.as_ref().map(|server| server.sqlstate.as_str())
    }

    /// The server's severity: `ERROR`, `FATAL`, `PANIC`.
    pub fn severity(&self) -> Option<&str> {
        self.server.as_ref().map(|server| server.severity.as_str())
    }

    /// The schema it is about, as far as the server tells.
    pub fn schema(&self) -> Option<&str> {
        self.server.as_ref().and_then(|server| server.schema.as_deref())
    }

    /// The table it is about, as far as the server tells.
    pub fn table(&self) -> Option<&str> {
        self.server.as_ref().and_then(|server| server.table.as_deref())
    }

    /// The column it is about, as far as the server tells.
    pub fn column(&self) -> Option<&str> {
        self.server.as_ref().and_then(|server| server.column.as_deref())
    }

    /// The constraint it is about, as far as the server tells.
    pub fn constraint(&self) -> Option<&str> {
        self.server.as_ref().and_then(|server| server.constraint.as_deref())
    }

    /// The line of COPY data that the server was at, counted from 1.
    pub fn line(&self) -> Option<u64> {
        self.server.as_ref().and_then(|server| server.line)
    }

    /// The role that the statement names and the server does not know. It comes from the
    /// archive, and is shown nowhere.
    pub fn missing_role(&self) -> Option<&str> {
        self.server.as_ref().and_then(|server| server.missing_role.as_deref())
    }

    /// As a drill that halts with it says it. A refused statement is put on the archive
    /// ([`Code::RestoreErrors`]); who runs other statements than the archive's maps
    /// [`Kind::Statement`] and [`Kind::Cancelled`] before.
    pub fn reason(&self) -> Reason {
        let code = match self.kind {
            Kind::NotInstalled | Kind::Start | Kind::Unreachable | Kind::Leftover | Kind::Protocol => {
                Code::ScratchUnavailable
            }
            Kind::Isolation => Code::IsolationUnavailable,
            Kind::Crashed => Code::ScratchCrashed,
            Kind::OutOfMemory => Code::ScratchOutOfMemory,
            Kind::DiskFull => Code::ScratchDiskFull,
            Kind::WrongDatabase => Code::WrongDatabase,
            Kind::Statement => Code::RestoreErrors,
            Kind::Cancelled => Code::Stalled,
        };
        Reason::new(code, self.to_string(), self.remedy.clone())
    }
}

/// The name in `role "x" does not exist`, which the server writes with its quotes as they are.
fn missing_role(sqlstate: &str, message: &str) -> Option<String> {
    let undefined_object = sqlstate == "42704";
    let role = message.strip_prefix("role \"")?.strip_suffix("\" does not exist")?;
    (undefined_object && !role.is_empty()).then(|| role.to_owned())
}

fn is_io(error: &tokio_postgres::Error) -> bool {
    std::error::Error::source(error).is_some_and(|source| source.is::<std::io::Error>())
}

fn kind_of(sqlstate: &str) -> Kind {
    match sqlstate {
        "53100" => Kind::DiskFull,
        "53200" => Kind::OutOfMemory,
        "57014" | "25P03" | "25P04" => Kind::Cancelled,
        "57P01" | "57P02" | "57P03" => Kind::Crashed,
        _ if sqlstate.starts_with("08") => Kind::Crashed,
        _ => Kind::Statement,
    }
}

fn remedy(kind: Kind) -> &'static str {
    match kind {
        Kind::NotInstalled => "install PostgreSQL, or name its bin directory in scratch.postgres.bin",
        Kind::Start => "run 'firedrill doctor', which tries the same and says more",
        Kind::Unreachable => {
            "see host, port, user, password and certificate of the URL; psql with it must get in"
        }
        Kind::Isolation => {
            "allow network namespaces on this machine, or set isolation = \"best-effort\" for this service's scratch"
        }
        Kind::Crashed => {
            "run the drill again; if the server dies at the same place, report it with its version"
        }
        Kind::OutOfMemory => {
            "give the machine more memory, or the restore fewer jobs or less maintenance_work_mem"
        }
        Kind::DiskFull => "give the scratch a directory with more room",
        Kind::WrongDatabase => "nothing was changed there; see which server answers on the scratch's socket",
        Kind::Statement => "restore this backup by hand with pg_restore, and mend how it is made",
        Kind::Cancelled => "see what the statement waited for, or raise the time limit",
        Kind::Leftover => "run 'firedrill sweep', or remove what is named by hand",
        Kind::Protocol => "this is a bug of firedrill or of the server; report it with the version of both",
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        let Some(server) = &self.server else { return Ok(()) };
        write!(f, " (SQLSTATE {}", server.sqlstate)?;
        let named = [
            ("schema", &server.schema),
            ("table", &server.table),
            ("column", &server.column),
            ("constraint", &server.constraint),
        ];
        for (what, name) in named {
            if let Some(name) = name {
                write!(f, ", {what} {name}")?;
            }
        }
        if let Some(line) = server.line {
            write!(f, ", line {line}")?;
        }
        f.write_str(")")
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_code_and_a_remedy() {
        let kinds = [
            (Kind::NotInstalled, Code::ScratchUnavailable),
            (Kind::Unreachable, Code::ScratchUnavailable),
            (Kind::Isolation, Code::IsolationUnavailable),
            (Kind::Crashed, Code::ScratchCrashed),
            (Kind::OutOfMemory, Code::ScratchOutOfMemory),
            (Kind::DiskFull, Code::ScratchDiskFull),
            (Kind::WrongDatabase, Code::WrongDatabase),
            (Kind::Statement, Code::RestoreErrors),
        ];
        for (kind, code) in kinds {
            let reason = Error::new(kind, "what").reason();
            assert_eq!(reason.code, code);
            assert!(!reason.remedy.is_empty());
        }
    }

    #[test]
    fn what_the_server_says_of_its_state_is_no_fault_of_the_archive() {
        let table = [
            ("53100", Kind::DiskFull),
            ("53200", Kind::OutOfMemory),
            ("57P02", Kind::Crashed),
            ("08006", Kind::Crashed),
            ("22P02", Kind::Statement),
        ];
        for (sqlstate, kind) in table {
            assert_eq!(kind_of(sqlstate), kind);
        }
    }
}
