//! The plan's file: where it is looked for, and who may have written it.

use std::env;
use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::plan::fault::{Complaint, Fault};
use crate::plan::{Plan, read};

/// The largest plan file, in bytes.
pub const BYTES_MAX: u64 = 1 << 20;

/// The mode bit that lets everybody write, and the one that keeps them from each other's files.
const OTHERS_WRITE: u32 = 0o002;
const STICKY: u32 = 0o1000;

/// Reads a plan.
///
/// # Errors
/// Every fault of the file, by line. A file that others may write, or that lies in a
/// directory where others may put another in its place, is refused unread.
pub fn load(path: &Path) -> Result<Plan, Vec<Fault>> {
    let text = read_text(path).map_err(|complaint| vec![whole_file(path, complaint)])?;
    read::read(path, &text)
}

/// The plan to use: the one that was named, else the first that exists of `firedrill.toml`,
/// `$XDG_CONFIG_HOME/firedrill/firedrill.toml` (`~/.config` by default) and
/// `/etc/firedrill/firedrill.toml`. A named one is not looked at here.
///
/// # Errors
/// None exists; the fault says where it was looked.
pub fn find(explicit: Option<&Path>) -> Result<PathBuf, Fault> {
    if let Some(path) = explicit {
        return Ok(path.into());
    }
    find_in(candidates(
        env::var_os("XDG_CONFIG_HOME").map(PathBuf::from),
        env::var_os("HOME").map(PathBuf::from),
    ))
}

fn candidates(config: Option<PathBuf>, home: Option<PathBuf>) -> Vec<PathBuf> {
    let config = config.filter(|path| path.is_absolute()).or_else(|| home.map(|home| home.join(".config")));
    let below = |base: PathBuf| base.join("firedrill").join("firedrill.toml");
    [Some("firedrill.toml".into()), config.map(below), Some(below("/etc".into()))]
        .into_iter()
        .flatten()
        .collect()
}

fn find_in(candidates: Vec<PathBuf>) -> Result<PathBuf, Fault> {
    let looked: Vec<String> = candidates.iter().map(|path| path.display().to_string()).collect();
    // what exists and can't be read is a fault of that file, not a reason to take another
    let there = |path: &PathBuf| !matches!(path.symlink_metadata(), Err(error) if error.kind() == io::ErrorKind::NotFound);
    candidates.into_iter().find(there).ok_or_else(|| {
        let problem = format!("there is no plan; looked for {}", looked.join(", "));
        whole_file(Path::new(""), Complaint::new(problem, "write one there, or name it with --plan FILE"))
    })
}

fn whole_file(path: &Path, complaint: Complaint) -> Fault {
    let Complaint { problem, remedy } = complaint;
    Fault { file: path.into(), line: None, column: None, key: String::new(), problem, remedy }
}

fn read_text(path: &Path) -> Result<String, Complaint> {
    let unreadable = |error: io::Error| {
        let remedy = match error.kind() {
            io::ErrorKind::NotFound => "look at the path, or leave --plan out to search for one",
            io::ErrorKind::PermissionDenied => "let the user that runs firedrill read it",
            _ => "look at the disk and the path",
        };
        Complaint::new(format!("it can't be read: {}", kind_of(&error)), remedy)
    };
    // without O_NONBLOCK a pipe in the plan's place would be waited for
    let flags = nix::libc::O_NONBLOCK;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(unreadable)?;
    let facts = file.metadata().map_err(unreadable)?;
    if !facts.is_file() {
        return Err(Complaint::new("it is not a file", "name a regular file"));
    }
    if facts.mode() & OTHERS_WRITE != 0 {
        return Err(Complaint::new("everybody may write it", format!("run chmod o-w {}", path.display())));
    }
    must_lie_safely(path)?;
    let mut bytes = Vec::new();
    file.take(BYTES_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > BYTES_MAX {
        return Err(Complaint::new("it is larger than 1 MiB", "split the plan into several files"));
    }
    String::from_utf8(bytes).map_err(|error| {
        let line = error
            .as_bytes()
            .iter()
            .take(error.utf8_error().valid_up_to())
            .filter(|byte| **byte == b'\n')
            .count();
        Complaint::new(format!("line {} is not UTF-8", line.saturating_add(1)), "save the file as UTF-8")
    })
}

fn must_lie_safely(path: &Path) -> Result<(), Complaint> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let open = directory
        .metadata()
        .is_ok_and(|facts| facts.mode() & OTHERS_WRITE != 0 && facts.mode() & STICKY == 0);
    if open {
        return Err(Complaint::new(
            "everybody may put another file in its place",
            format!("run chmod o-w {}", directory.display()),
        ));
    }
    Ok(())
}

/// What the system said, without its number.
fn kind_of(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".into(),
        io::ErrorKind::PermissionDenied => "permission denied".into(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_looked_for_in_three_places() {
        let shown = |config: Option<&str>, home: Option<&str>| {
            let paths = candidates(config.map(Into::into), home.map(Into::into));
            paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(" ")
        };
        let etc = "/etc/firedrill/firedrill.toml";
        assert_eq!(
            shown(Some("/c"), Some("/h")),
            format!("firedrill.toml /c/firedrill/firedrill.toml {etc}")
        );
        assert_eq!(
            shown(None, Some("/h")),
            format!("firedrill.toml /h/.config/firedrill/firedrill.toml {etc}")
        );
        assert_eq!(shown(Some("c"), None), format!("firedrill.toml {etc}"), "a relative one is ignored");
        let folder = tempfile::tempdir().unwrap();
        let (absent, present) = (folder.path().join("absent"), folder.path().join("present"));
        let fault = find_in(vec![absent.clone(), present.clone()]).unwrap_err().to_string();
        assert!(fault.starts_with("there is no plan; looked for ") && fault.contains("/absent, "), "{fault}");
        std::fs::write(&present, "").unwrap();
        assert_eq!(find_in(vec![absent, present.clone()]), Ok(present));
    }
}
