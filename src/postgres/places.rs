//! Where a cluster lives, known before it exists.

use std::fs;
use std::path::{Path, PathBuf};

use crate::postgres::directory;
use crate::postgres::error::{Error, Kind};

/// The longest path of a unix socket that every system takes (macOS; Linux takes 107).
const SOCKET_PATH_BYTES_MAX: usize = 103;

/// The port, which is only a part of the socket's name: nothing listens on the network.
pub(in crate::postgres) const PORT: u16 = 5432;

/// The directories that a cluster makes. A journal names them before they exist, so that they
/// can be removed after a kill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// The cluster's directory: absolute, with a name of our generated form.
    pub directory: PathBuf,
    /// A second directory for the socket, where the first one's path is too long for one.
    pub socket_directory: Option<PathBuf>,
}

impl Places {
    /// Below `parent`, or below `$TMPDIR`, or below `/var/tmp`, which survives being large better
    /// than `/tmp` does.
    pub(in crate::postgres) fn below(parent: Option<&Path>, name: &str) -> Result<Places, Error> {
        if !directory::is_our_name(name) {
            return Err(Error::new(
                Kind::Start,
                "the name of the cluster's directory is not of the generated form",
            ));
        }
        let parent = parent.map_or_else(default_parent, Path::to_path_buf);
        // Resolved, so that it compares with the working directories of processes.
        let parent = fs::canonicalize(&parent).map_err(|error| {
            Error::new(
                Kind::Start,
                format!("find the scratch's parent directory '{}': {error}", parent.display()),
            )
            .with_remedy("make that directory, or name another one for the scratch")
        })?;
        let directory = parent.join(name);
        let socket_directory = (!fits(&directory)).then(|| Path::new("/tmp").join(name));
        Ok(Places { directory, socket_directory })
    }

    /// The directory that holds the socket itself.
    pub(in crate::postgres) fn sockets(&self) -> PathBuf {
        sockets_in(self.socket_directory.as_deref().unwrap_or(&self.directory))
    }

    /// The server's data directory.
    pub(in crate::postgres) fn data(&self) -> PathBuf {
        data_in(&self.directory)
    }
}

/// The data directory in a cluster's directory.
pub(in crate::postgres) fn data_in(directory: &Path) -> PathBuf {
    directory.join("data")
}

fn sockets_in(directory: &Path) -> PathBuf {
    directory.join("s")
}

/// The socket in its directory.
pub(in crate::postgres) fn socket_in(sockets: &Path) -> PathBuf {
    sockets.join(format!(".s.PGSQL.{PORT}"))
}

fn fits(directory: &Path) -> bool {
    socket_in(&sockets_in(directory)).as_os_str().len() <= SOCKET_PATH_BYTES_MAX
}

fn default_parent() -> PathBuf {
    let named = std::env::var_os("TMPDIR").map(PathBuf::from).filter(|path| path.is_absolute());
    named.unwrap_or_else(|| {
        let large = Path::new("/var/tmp");
        if large.is_dir() { large.into() } else { std::env::temp_dir() }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_path_gets_a_short_second_directory_for_its_socket() {
        let parent = tempfile::tempdir().unwrap();
        let name = directory::new_directory_name();
        let short = Places::below(Some(parent.path()), &name).unwrap();
        assert_eq!(short.socket_directory, None);
        let deep = parent.path().join("d".repeat(90));
        fs::create_dir(&deep).unwrap();
        let long = Places::below(Some(&deep), &name).unwrap();
        assert_eq!(long.socket_directory, Some(Path::new("/tmp").join(&name)));
        assert!(socket_in(&long.sockets()).as_os_str().len() <= SOCKET_PATH_BYTES_MAX);
    }

    #[test]
    fn a_name_that_we_did_not_generate_is_refused() {
        for name in [
            "",
            "..",
            "firedrill",
            "firedrill-",
            "firedrill-../../etc",
            "firedrill-ABCDEF01",
            "pg-0123456789",
        ] {
            assert!(Places::below(None, name).is_err(), "{name}");
        }
    }
}
