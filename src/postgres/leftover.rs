//! What may still run or lie in a cluster's directory when nobody owns it any more.

use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::postgres::directory;
use crate::postgres::error::{Error, Kind};
use crate::postgres::places::{Places, data_in};

/// How long processes may take to end by themselves, and then when they are killed.
const ASKED: Duration = Duration::from_secs(2);
const KILLED: Duration = Duration::from_secs(4);
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Ends the processes and removes the directories of a cluster whose owner is dead, and sees them
/// gone. Whether there was anything. Waits at most six seconds for processes.
///
/// Blocks; takes as long as the file system takes to remove the files.
///
/// # Errors
/// [`Kind::Leftover`] when a directory is not one that a firedrill of this user made (then
/// nothing of it is touched), or when something would not go.
pub fn remove_leftover(places: &Places) -> Result<bool, Error> {
    let directories = || std::iter::once(&places.directory).chain(&places.socket_directory);
    for path in directories() {
        if let Some(why) = directory::why_not_ours(path) {
            return Err(Error::new(Kind::Leftover, format!("leave '{}' alone: {why}", path.display()))
                .with_remedy("look at it, and remove it by hand if it is not needed"));
        }
    }
    let there = directories().any(|path| path.symlink_metadata().is_ok());
    if there {
        clear(places)?;
    }
    Ok(there)
}

/// The same for a cluster that is known to be ours.
pub(in crate::postgres) fn clear(places: &Places) -> Result<(), Error> {
    if !end_processes(&places.directory) {
        let what = format!("processes of the cluster in '{}' would not end", places.directory.display());
        return Err(Error::new(Kind::Leftover, what));
    }
    for path in std::iter::once(&places.directory).chain(&places.socket_directory) {
        directory::remove(path)
            .map_err(|error| Error::new(Kind::Leftover, format!("remove '{}': {error}", path.display())))?;
        if path.symlink_metadata().is_ok() {
            return Err(Error::new(Kind::Leftover, format!("'{}' is still there", path.display())));
        }
    }
    Ok(())
}

/// Ends what runs in a cluster's directory. A postmaster is asked, and takes its own processes
/// and shared memory along; a program of initdb ends by itself now that nobody feeds it, and would
/// leave shared memory behind if it were killed. Whether all are gone.
fn end_processes(directory: &Path) -> bool {
    let started = Instant::now();
    let mut asked = false;
    loop {
        let found = processes_of(directory);
        if found.is_empty() {
            return true;
        }
        let waited = started.elapsed();
        if waited > ASKED.saturating_add(KILLED) {
            return false;
        }
        if waited > ASKED {
            found.iter().for_each(|&pid| _ = kill(pid, Signal::SIGKILL));
        } else if !asked {
            let postmaster = postmaster_of(directory).filter(|pid| found.contains(pid));
            asked = postmaster.is_some_and(|pid| kill(pid, Signal::SIGQUIT).is_ok());
        }
        std::thread::sleep(LOOK_AGAIN);
    }
}

/// Who the pid file names. A program of initdb writes its id there with a minus.
fn postmaster_of(cluster: &Path) -> Option<Pid> {
    // What ran in the server may have put anything in its place: nothing is waited for.
    let flags = nix::libc::O_NONBLOCK | nix::libc::O_NOFOLLOW;
    let path = data_in(cluster).join("postmaster.pid");
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).ok()?;
    let mut text = String::new();
    file.take(64).read_to_string(&mut text).ok()?;
    text.lines().next()?.parse::<i32>().ok().filter(|&pid| pid > 1).map(Pid::from_raw)
}

/// Processes that work in the cluster's directory, as the postmaster, its children, what they run,
/// initdb and the shells between it and its programs do; and PostgreSQL programs with a path in
/// the cluster's directory among their arguments.
#[cfg(target_os = "linux")]
fn processes_of(cluster: &Path) -> Vec<Pid> {
    let Ok(processes) = std::fs::read_dir("/proc") else { return Vec::new() };
    processes
        .flatten()
        .filter_map(|process| {
            let pid = process.file_name().to_str()?.parse::<i32>().ok().filter(|&pid| pid > 1)?;
            let path = process.path();
            (works_in(&path, cluster) || serves(&path, cluster)).then(|| Pid::from_raw(pid))
        })
        .filter(|&pid| pid != nix::unistd::getpid())
        .collect()
}

#[cfg(target_os = "linux")]
fn works_in(process: &Path, cluster: &Path) -> bool {
    use std::os::unix::ffi::OsStrExt;
    let Ok(cwd) = std::fs::read_link(process.join("cwd")) else { return false };
    let bytes = cwd.as_os_str().as_bytes();
    let bytes = bytes.strip_suffix(b" (deleted)").unwrap_or(bytes);
    Path::new(std::ffi::OsStr::from_bytes(bytes)).starts_with(cluster)
}

#[cfg(target_os = "linux")]
fn serves(process: &Path, cluster: &Path) -> bool {
    use std::os::unix::ffi::OsStrExt;
    let Ok(command) = std::fs::read(process.join("cmdline")) else { return false };
    let mut arguments =
        command.split(|&byte| byte == 0).map(|word| Path::new(std::ffi::OsStr::from_bytes(word)));
    let program = arguments.next().and_then(Path::file_name).and_then(std::ffi::OsStr::to_str);
    // Zombies have no command line, and are no trouble.
    matches!(program, Some("postgres" | "initdb")) && arguments.any(|argument| argument.starts_with(cluster))
}

/// Without /proc: the postmaster of the pid file, if that process names the data directory.
/// Untested.
#[cfg(not(target_os = "linux"))]
fn processes_of(cluster: &Path) -> Vec<Pid> {
    let data = data_in(cluster);
    let Some(pid) = postmaster_of(cluster) else { return Vec::new() };
    let command = std::process::Command::new("ps").args(["-o", "command=", "-p", &pid.to_string()]).output();
    let named =
        command.is_ok_and(|said| String::from_utf8_lossy(&said.stdout).contains(&*data.to_string_lossy()));
    if named { vec![pid] } else { Vec::new() }
}
