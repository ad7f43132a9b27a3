//! The settings that a dump makes for its session.

use crate::archive::encoding::Encoding;
use crate::archive::error::Error;
use crate::archive::plain::dump::{Place, PlainDump};
use crate::archive::plain::meaning::{self, Setting};
use crate::archive::toc::SEARCH_PATH_STATEMENT;

/// Settings that pg_dump writes, and that a restore makes in its own way or not at all.
const SETTINGS: [&str; 16] = [
    "statement_timeout",
    "lock_timeout",
    "idle_in_transaction_session_timeout",
    "transaction_timeout",
    "idle_session_timeout",
    "check_function_bodies",
    "xmloption",
    "client_min_messages",
    "row_security",
    "escape_string_warning",
    "default_tablespace",
    "default_transaction_read_only",
    "default_toast_compression",
    "session_replication_role",
    "default_with_oids",
    "extra_float_digits",
];

impl PlainDump {
    pub(super) fn setting(&mut self, statement: &str) -> Result<(), Error> {
        let refused = |what: String| Error::Unsafe { what };
        let globals = self.place == Place::Globals;
        if !globals && self.place != Place::Inside {
            return Err(refused("a setting outside of the dump".into()));
        }
        match meaning::setting(statement) {
            Some(Setting::SearchPath) => Ok(()),
            Some(Setting::NoSearchPath) if self.head.search_path || self.passes_over() => Ok(()),
            Some(Setting::NoSearchPath) => {
                self.head.search_path = true;
                self.entries.push_state("SEARCHPATH", SEARCH_PATH_STATEMENT)
            }
            Some(Setting::Set { name, value }) => match name.as_str() {
                "client_encoding" => self.set_encoding(&value, statement, globals || self.passes_over()),
                "standard_conforming_strings" => {
                    self.set_strings(&value, statement, globals || self.passes_over())
                }
                "default_table_access_method" => {
                    self.entries.set_access_method(value);
                    Ok(())
                }
                "default_with_oids" if value != "false" => {
                    Err(Error::Unsupported { what: "a table WITH OIDS".into() })
                }
                known if SETTINGS.contains(&known) => Ok(()),
                other => Err(refused(format!("it sets the parameter '{}'", other.escape_debug()))),
            },
            None if statement.starts_with("SET SESSION AUTHORIZATION ")
                || statement.starts_with("SET ROLE ") =>
            {
                Err(Error::Unsupported {
                    what: "a dump that changes the role (--use-set-session-authorization)".into(),
                })
            }
            None => Err(refused("a SET that pg_dump does not write".into())),
        }
    }

    fn set_encoding(&mut self, value: &str, statement: &str, globals: bool) -> Result<(), Error> {
        let encoding = Encoding::new(value)?;
        self.splitter.trail_bytes(encoding.has_ascii_trail_bytes());
        match self.head.encoding.replace(encoding) {
            None if !globals => self.entries.push_state("ENCODING", statement),
            Some(before) if before.name() != value => {
                Err(Error::Unsupported { what: "a dump in more than one encoding".into() })
            }
            _ => Ok(()),
        }
    }

    fn set_strings(&mut self, value: &str, statement: &str, globals: bool) -> Result<(), Error> {
        let conform = match value {
            "on" => true,
            "off" => false,
            _ => {
                return Err(Error::Unsafe {
                    what: "standard_conforming_strings is neither on nor off".into(),
                });
            }
        };
        self.splitter.backslashes_escape(!conform);
        match self.head.std_strings.replace(conform) {
            None if !globals => self.entries.push_state("STDSTRINGS", statement),
            Some(before) if before != conform => {
                Err(Error::Unsafe { what: "standard_conforming_strings is set in two ways".into() })
            }
            _ => Ok(()),
        }
    }
}
