//! The settings of a scratch server, all on its command line, where they beat every file and
//! `ALTER SYSTEM`.

use std::path::Path;

use crate::postgres::error::{Error, Kind};
use crate::postgres::places::PORT;
use crate::postgres::session::RunToken;

/// From major, setting, value: what a scratch server never does, whatever the archive says.
const GUARDS: &[(u32, &str, &str)] = &[
    // Nobody from outside, and nothing by itself.
    (0, "listen_addresses", ""),
    (0, "unix_socket_permissions", "0700"),
    (0, "ssl", "off"),
    (0, "shared_preload_libraries", ""),
    (0, "session_preload_libraries", ""),
    (0, "local_preload_libraries", ""),
    (0, "archive_mode", "off"),
    (0, "wal_level", "minimal"),
    (0, "max_wal_senders", "0"),
    (10, "max_logical_replication_workers", "0"),
    (0, "autovacuum", "off"),
    (11, "jit", "off"),
    (17, "event_triggers", "off"),
    // A killed process is the end of it: going on after a crash could lose rows unseen.
    (0, "restart_after_crash", "off"),
    // In the data directory rather than in /dev/shm, where a kill would leave it.
    (0, "dynamic_shared_memory_type", "mmap"),
    // A statement whose session was dropped is not finished for nobody.
    (14, "client_connection_check_interval", "1000"),
    // Rows stay out of the log; what we read there is the server's own.
    (0, "logging_collector", "off"),
    (0, "log_destination", "stderr"),
    (0, "log_line_prefix", ""),
    (0, "log_min_messages", "log"),
    (0, "log_min_error_statement", "panic"),
    (0, "log_error_verbosity", "terse"),
    (0, "log_statement", "none"),
    (0, "log_min_duration_statement", "-1"),
    (0, "log_checkpoints", "off"),
    (13, "log_parameter_max_length_on_error", "0"),
    (0, "lc_messages", "C"),
    (0, "log_timezone", "UTC"),
];

/// Where things are, for the command line.
pub struct Paths<'a> {
    /// The data directory.
    pub data: &'a Path,
    /// The directory of the socket.
    pub sockets: &'a Path,
    /// Who may connect.
    pub hba: &'a Path,
    /// Which user of the machine is which role.
    pub ident: &'a Path,
}

/// The arguments of `postgres`: the caller's settings first, so that the guards win.
pub fn arguments(
    major: u32,
    settings: &[(String, String)],
    paths: &Paths<'_>,
    token: &RunToken,
) -> Result<Vec<String>, Error> {
    let mut arguments = vec!["-D".to_owned(), text(paths.data)?];
    for (name, value) in settings {
        let fine = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'.');
        if name.is_empty() || !name.bytes().all(fine) || value.contains('\0') {
            return Err(Error::new(
                Kind::Start,
                format!("'{}' is not the name of a setting", name.escape_debug()),
            ));
        }
        set(&mut arguments, name, value);
    }
    for (from_major, name, value) in GUARDS {
        if major >= *from_major {
            set(&mut arguments, name, value);
        }
    }
    // A list in which quotes keep commas and blanks together.
    let sockets = format!("\"{}\"", text(paths.sockets)?.replace('"', "\"\""));
    set(&mut arguments, "unix_socket_directories", &sockets);
    set(&mut arguments, "port", &PORT.to_string());
    set(&mut arguments, "hba_file", &text(paths.hba)?);
    set(&mut arguments, "ident_file", &text(paths.ident)?);
    set(&mut arguments, RunToken::SETTING, token.as_str());
    Ok(arguments)
}

fn set(arguments: &mut Vec<String>, name: &str, value: &str) {
    arguments.extend(["-c".to_owned(), format!("{name}={value}")]);
}

fn text(path: &Path) -> Result<String, Error> {
    path.to_str().map(String::from).ok_or_else(|| {
        Error::new(Kind::Start, format!("the path '{}' is not UTF-8", path.display()))
            .with_remedy("name another directory for the scratch")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guards_win_over_the_settings_of_the_caller() {
        let path = Path::new("/d");
        let paths = Paths { data: path, sockets: Path::new("/a,b"), hba: path, ident: path };
        let own =
            [("listen_addresses".to_owned(), "*".to_owned()), ("work_mem".to_owned(), "64MB".to_owned())];
        let arguments = arguments(15, &own, &paths, &RunToken::fresh()).unwrap();
        let last = arguments.iter().rfind(|argument| argument.starts_with("listen_addresses=")).unwrap();
        assert_eq!(last, "listen_addresses=");
        assert!(arguments.contains(&"work_mem=64MB".to_owned()));
        assert!(arguments.contains(&"unix_socket_directories=\"/a,b\"".to_owned()));
        assert!(
            !arguments.iter().any(|argument| argument.starts_with("event_triggers")),
            "17 and newer only"
        );
    }

    #[test]
    fn an_odd_setting_is_refused() {
        let path = Path::new("/d");
        let paths = Paths { data: path, sockets: path, hba: path, ident: path };
        for name in ["", "a=b", "a b", "-D"] {
            let own = [(name.to_owned(), "x".to_owned())];
            assert!(arguments(15, &own, &paths, &RunToken::fresh()).is_err(), "{name}");
        }
    }
}
