//! The PostgreSQL programs of this machine.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::postgres::error::{Error, Kind};

/// Where packagers put one directory per major: the parent, and what leads from its children to
/// the programs.
const PACKAGED: &[(&str, &str, &str)] = &[
    ("/usr/lib/postgresql", "", "bin"),
    ("/usr", "pgsql-", "bin"),
    ("/usr/local", "pgsql", "bin"),
    ("/opt/homebrew/opt", "postgresql@", "bin"),
    ("/usr/local/opt", "postgresql@", "bin"),
    ("/home/linuxbrew/.linuxbrew/opt", "postgresql@", "bin"),
];

/// Which PostgreSQL it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// 15 for 15.18; 9 for 9.6.
    pub major: u32,
    /// As the programs say it: `15.18`, `18beta1`.
    pub text: String,
}

/// A directory that holds at least `initdb` and `postgres`, and they run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Install {
    /// The directory, absolute.
    pub bin: PathBuf,
    /// What its `postgres --version` says.
    pub version: Version,
}

/// Every PostgreSQL server found, newest major first: where Debian, RPM, Homebrew, `pg_config` and
/// `PATH` put it, or only in `bin` when that is given. Asks each for its version.
pub fn find_installs(bin: Option<&Path>) -> Vec<Install> {
    let candidates = match bin {
        Some(bin) => vec![bin.to_path_buf()],
        None => candidates(),
    };
    let mut seen = BTreeSet::new();
    let mut installs: Vec<Install> = candidates
        .into_iter()
        .filter_map(|bin| fs::canonicalize(bin).ok())
        .filter(|bin| seen.insert(bin.clone()))
        .filter_map(installed)
        .collect();
    // Stable: among equals the one that was looked at first.
    installs.sort_by_key(|install| std::cmp::Reverse(install.version.major));
    installs
}

/// The newest of them, if it is of `at_least_major`: a dump goes into its own major or a newer one.
///
/// # Errors
/// [`Kind::NotInstalled`]; it names what was found, and what to install.
pub fn choose_install(installs: &[Install], at_least_major: u32) -> Result<Install, Error> {
    let newest = installs
        .iter()
        .reduce(|best, next| if next.version.major > best.version.major { next } else { best });
    match newest {
        Some(install) if install.version.major >= at_least_major => Ok(install.clone()),
        _ => Err(none_for(installs, at_least_major)),
    }
}

fn none_for(installs: &[Install], major: u32) -> Error {
    let found: Vec<String> = installs
        .iter()
        .map(|install| format!("{} in {}", install.version.text, install.bin.display()))
        .collect();
    let what = match found.as_slice() {
        [] => format!("no PostgreSQL server was found; one of major {major} or newer is needed"),
        _ => format!("no PostgreSQL server of major {major} or newer was found, only {}", found.join(", ")),
    };
    Error::new(Kind::NotInstalled, what).with_remedy(format!(
        "install the server of PostgreSQL {major} or newer (Debian and Ubuntu: postgresql-{major}, RPM: \
         postgresql{major}-server, Homebrew: postgresql@{major}), or name its bin directory in scratch.postgres.bin"
    ))
}

fn candidates() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for (parent, start, below) in PACKAGED {
        let Ok(children) = fs::read_dir(parent) else { continue };
        let mut names: Vec<OsString> = children.flatten().map(|child| child.file_name()).collect();
        names.sort();
        let named = names.iter().filter(|name| name.to_string_lossy().starts_with(start));
        found.extend(named.map(|name| Path::new(parent).join(name).join(below)));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path: Vec<PathBuf> =
        std::env::split_paths(&path).filter(|directory| directory.is_absolute()).collect();
    found.extend(
        on_path.iter().map(|directory| directory.join("pg_config")).find_map(|program| bindir_of(&program)),
    );
    found.extend(on_path);
    found
}

fn bindir_of(pg_config: &Path) -> Option<PathBuf> {
    is_program(pg_config).then(|| said_by(pg_config, "--bindir")).flatten().map(PathBuf::from)
}

fn installed(bin: PathBuf) -> Option<Install> {
    let postgres = bin.join("postgres");
    if !is_program(&bin.join("initdb")) || !is_program(&postgres) {
        return None;
    }
    let version = version_in(&said_by(&postgres, "--version")?)?;
    Some(Install { bin, version })
}

fn is_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

fn said_by(program: &Path, argument: &str) -> Option<String> {
    let mut command = Command::new(program);
    command.arg(argument).env_clear().env("LC_ALL", "C").stdin(Stdio::null()).stderr(Stdio::null());
    let output = command.output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim_end().into())
}

/// From `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`.
fn version_in(line: &str) -> Option<Version> {
    let text = line.split_once("(PostgreSQL) ")?.1.split_whitespace().next()?;
    let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
    Some(Version { major: digits.parse().ok()?, text: text.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn install(major: u32) -> Install {
        let version = Version { major, text: format!("{major}.1") };
        Install { bin: PathBuf::from(format!("/opt/{major}/bin")), version }
    }

    #[test]
    fn versions_read_as_the_programs_write_them() {
        let table = [
            ("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)", Some((15, "15.18"))),
            ("postgres (PostgreSQL) 18beta1", Some((18, "18beta1"))),
            ("postgres (PostgreSQL) 9.6.24", Some((9, "9.6.24"))),
            ("postgres (PostgreSQL) devel", None),
            ("postgres (PostgreSQL) 99999999999.1", None),
            ("postgres (EDB) 15", None),
            ("", None),
        ];
        for (line, version) in table {
            let version = version.map(|(major, text)| Version { major, text: text.into() });
            assert_eq!(version_in(line), version, "{line}");
        }
    }

    #[test]
    fn the_newest_major_is_chosen() {
        let installs = [install(15), install(18), install(17)];
        assert_eq!(choose_install(&installs, 15).unwrap().version.major, 18);
        assert_eq!(choose_install(&installs, 18).unwrap().version.major, 18);
    }

    #[test]
    fn too_old_a_machine_is_told_what_it_has_and_what_it_needs() {
        let error = choose_install(&[install(15)], 17).unwrap_err();
        assert_eq!(error.kind(), Kind::NotInstalled);
        assert!(error.to_string().contains("15.1 in /opt/15/bin"), "{error}");
        assert!(error.reason().remedy.contains("postgresql-17"), "{}", error.reason().remedy);
        let error = choose_install(&[], 13).unwrap_err();
        assert!(error.to_string().contains("no PostgreSQL server was found"), "{error}");
    }

    #[test]
    fn a_named_directory_is_the_only_one_looked_at() {
        let nothing = tempfile::tempdir().unwrap();
        assert_eq!(find_installs(Some(nothing.path())), []);
    }
}
