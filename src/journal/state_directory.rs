//! Where firedrill keeps what it must not forget.

use std::ffi::OsString;
use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use nix::unistd::geteuid;

use crate::journal::error::Error;

/// A directory that only we can write to.
#[derive(Clone, Debug)]
pub struct StateDirectory(PathBuf);

impl StateDirectory {
    /// The given directory, made with mode 0700 where it is missing.
    ///
    /// # Errors
    /// `Unsafe` when it belongs to somebody else or others can write to it, `State` when it can't
    /// be made.
    pub fn open(path: &Path) -> Result<StateDirectory, Error> {
        let failed = |error: std::io::Error| Error::state("open the state directory", path, &error);
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed)?;
        let path = fs::canonicalize(path).map_err(failed)?;
        let found = fs::metadata(&path).map_err(failed)?;
        let shown = path.display();
        if found.uid() != geteuid().as_raw() {
            let what = format!("the state directory '{shown}' belongs to user id {}", found.uid());
            return Err(Error::not_safe(what, "use a state directory of your own, or run as its owner"));
        }
        if found.mode() & 0o022 != 0 {
            let what = format!("others can write to the state directory '{shown}'");
            return Err(Error::not_safe(what, "take that right away: chmod go-w"));
        }
        Ok(StateDirectory(path))
    }

    /// `$STATE_DIRECTORY`, which systemd sets; else `firedrill` in the user's XDG state directory,
    /// which is `~/.local/state` by default. `None` without a home.
    pub fn default_path() -> Option<PathBuf> {
        default_path(|name| std::env::var_os(name))
    }

    /// Its path, absolute.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

fn default_path(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let absolute = |path: PathBuf| path.is_absolute().then_some(path);
    // systemd puts several directories there, with colons between, when a unit names several.
    let service = variable("STATE_DIRECTORY").and_then(|paths| std::env::split_paths(&paths).next());
    let xdg = || variable("XDG_STATE_HOME").map(PathBuf::from).and_then(absolute);
    let home =
        || variable("HOME").map(PathBuf::from).and_then(absolute).map(|home| home.join(".local/state"));
    service.and_then(absolute).or_else(|| xdg().or_else(home).map(|state| state.join("firedrill")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_default_is_systemds_then_xdgs_then_the_homes() {
        type Variables = &'static [(&'static str, &'static str)];
        let table: [(Variables, Option<&str>); 6] = [
            (&[("STATE_DIRECTORY", "/var/lib/firedrill"), ("HOME", "/h")], Some("/var/lib/firedrill")),
            (&[("STATE_DIRECTORY", "/a:/b")], Some("/a")),
            (&[("XDG_STATE_HOME", "/x"), ("HOME", "/h")], Some("/x/firedrill")),
            (&[("XDG_STATE_HOME", "relative"), ("HOME", "/h")], Some("/h/.local/state/firedrill")),
            (&[("STATE_DIRECTORY", ""), ("HOME", "/h")], Some("/h/.local/state/firedrill")),
            (&[], None),
        ];
        for (variables, path) in table {
            let get = |name: &str| {
                variables.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value))
            };
            assert_eq!(default_path(get), path.map(PathBuf::from), "{variables:?}");
        }
    }

    #[test]
    fn a_directory_that_others_can_write_to_is_refused() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("a/state");
        let made = StateDirectory::open(&path).unwrap();
        assert_eq!(fs::metadata(made.path()).unwrap().mode() & 0o777, 0o700);
        for mode in [0o770, 0o702, 0o777] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let error = StateDirectory::open(&path).unwrap_err();
            assert_eq!(error.kind(), crate::journal::Kind::Unsafe, "{mode:o}");
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        StateDirectory::open(&path).unwrap();
    }
}
