//! Real PostgreSQL servers: the machine's own, and those that `script/parts.d/postgres` installs.
#![allow(dead_code, reason = "each test program uses its own share of what stands here")]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use firedrill::postgres::{
    Cluster, ClusterOptions, InitdbOptions, Install, Isolation, find_installs, new_directory_name,
};

/// Majors that the suite can't do without, beside the machine's own.
const NEEDED: [u32; 2] = [17, 18];

fn parts() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let target = target.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target"));
    target.join("parts/postgres")
}

/// Every server there is: the machine's own, and the installed parts. At least three majors.
pub fn installs() -> Vec<Install> {
    let mut installs = find_installs(None);
    assert!(!installs.is_empty(), "PostgreSQL is missing: install the package 'postgresql'");
    for part in std::fs::read_dir(parts()).into_iter().flatten().flatten() {
        installs.extend(find_installs(Some(&part.path().join("bin"))));
    }
    for major in NEEDED {
        let had = installs.iter().any(|install| install.version.major == major);
        assert!(had, "PostgreSQL {major} is missing: run script/parts.d/postgres {major}");
    }
    installs
}

/// The server of one major.
pub fn install(major: u32) -> Install {
    let found = installs().into_iter().find(|install| install.version.major == major);
    found.unwrap_or_else(|| panic!("PostgreSQL {major} is missing: run script/parts.d/postgres {major}"))
}

/// The machine's own server, with clients beside it.
pub fn own_install() -> Install {
    let installs = find_installs(None);
    installs.into_iter().next().expect("PostgreSQL is missing: install the package 'postgresql'")
}

/// A cluster below `parent` as tests like it: no network where the machine allows that.
pub fn options(parent: &Path) -> ClusterOptions {
    ClusterOptions {
        parent: Some(parent.into()),
        directory_name: new_directory_name(),
        settings: vec![("fsync".into(), "off".into()), ("shared_buffers".into(), "16MB".into())],
        isolation: Isolation::BestEffort,
        initdb: InitdbOptions::default(),
        start_deadline: Duration::from_secs(120),
    }
}

/// A started cluster below `parent`, on the machine's own server.
pub async fn start(parent: &Path) -> Cluster {
    Cluster::start(&own_install(), options(parent)).await.unwrap()
}

/// A directory for clusters that the server's user can pass through to, removed at the end.
pub fn parent() -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt;
    let parent = tempfile::Builder::new().prefix("fdtest-").tempdir_in("/tmp").unwrap();
    std::fs::set_permissions(parent.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    parent
}

/// Waits until `holds`, looking often; fails with `what` after `patience`.
pub fn eventually(patience: Duration, what: &str, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + patience;
    while !holds() {
        assert!(Instant::now() < until, "after {patience:?} still not: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Processes that work in `directory` or name something in it on their command line, ourselves
/// not counted.
pub fn processes_in(directory: &Path) -> Vec<u32> {
    let name = directory.to_str().unwrap();
    let mut found = Vec::new();
    for process in std::fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = process.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let cwd = std::fs::read_link(process.path().join("cwd")).unwrap_or_default();
        let command = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
        let named =
            cwd.to_string_lossy().starts_with(name) || String::from_utf8_lossy(&command).contains(name);
        if named && pid != std::process::id() {
            found.push(pid);
        }
    }
    found
}
