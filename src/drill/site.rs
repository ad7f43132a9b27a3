//! Where the drill runs: the machine, the program, the user.

use std::fs::{self, File};
use std::io::Read;
use std::sync::Arc;

use crate::digest::Hasher;
use crate::record::{Hardware, Host, Sha256, Tool};

/// Facts about this machine and this program, looked up once a run.
#[derive(Clone, Debug)]
pub struct Site {
    /// The program.
    pub tool: Tool,
    /// The machine.
    pub host: Host,
    /// Its processors and memory.
    pub hardware: Hardware,
    /// The user.
    pub actor: Option<String>,
}

impl Site {
    /// Looks around, beside whatever else is going on: the program itself is hashed.
    pub async fn found() -> Arc<Site> {
        tokio::task::spawn_blocking(Site::look).await.unwrap_or_else(|_| Site::look())
    }

    /// Looks around.
    pub fn look() -> Arc<Site> {
        let user = nix::unistd::User::from_uid(nix::unistd::geteuid()).ok().flatten();
        Arc::new(Site {
            tool: Tool {
                name: env!("CARGO_PKG_NAME").to_owned(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                git_commit: option_env!("FIREDRILL_GIT_COMMIT").map(str::to_owned),
                binary_sha256: binary_digest(),
            },
            host: Host {
                name: nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok()),
                os: os_name(),
                kernel: fs::read_to_string("/proc/sys/kernel/osrelease")
                    .ok()
                    .map(|text| text.trim().to_owned()),
            },
            hardware: Hardware {
                vcpus: std::thread::available_parallelism().ok().map(|count| count.get() as u64),
                memory_bytes: memory_bytes(),
            },
            actor: user.map(|user| user.name),
        })
    }

    /// Processors, for defaults.
    pub fn cores(&self) -> usize {
        self.hardware.vcpus.and_then(|count| usize::try_from(count).ok()).unwrap_or(1).max(1)
    }
}

/// Processors of this machine, for defaults where nothing else of it is asked: a [`Site`] hashes the
/// whole program.
pub fn cores_here() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn binary_digest() -> Option<Sha256> {
    let mut file = File::open(std::env::current_exe().ok()?).ok()?;
    let mut hasher = Hasher::default();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let read = file.read(&mut buffer).ok()?;
        if read == 0 {
            return Some(Sha256::from(hasher.finish()));
        }
        hasher.update(buffer.get(..read)?);
    }
}

fn os_name() -> Option<String> {
    let release = fs::read_to_string("/etc/os-release").ok()?;
    let line = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
    Some(line.trim_matches('"').to_owned())
}

/// The machine's memory, or what a control group leaves of it.
fn memory_bytes() -> Option<u64> {
    let info = fs::read_to_string("/proc/meminfo").ok()?;
    let total = info.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let total: u64 = total.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    let limit = fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
    let limit = limit.and_then(|text| text.trim().parse::<u64>().ok());
    Some(limit.unwrap_or(u64::MAX).min(total * 1024))
}
