//! How the scratch server is set while it restores.

use std::collections::BTreeMap;

use crate::plan::Settings;

/// Server settings by name and value, for a machine with so much memory.
///
/// Both kinds skip what a server that was just made does not need: archiving, replication,
/// vacuuming, compiling of queries. `durable` ends with a checkpoint that has everything on
/// disk; `fast` gives that up, which [`relaxed`] tells.
pub fn server_settings(settings: Settings, memory_bytes: Option<u64>, jobs: usize) -> Vec<(String, String)> {
    let memory_mib = memory_bytes.unwrap_or(1 << 30) >> 20;
    let shared = (memory_mib / 8).clamp(64, 1024);
    let maintenance = (memory_mib / 16 / jobs.max(1) as u64).clamp(32, 512);
    let mut list = vec![
        ("shared_buffers".to_owned(), format!("{shared}MB")),
        ("maintenance_work_mem".to_owned(), format!("{maintenance}MB")),
        ("work_mem".to_owned(), "64MB".to_owned()),
        ("max_connections".to_owned(), (jobs * 2 + 20).to_string()),
        ("synchronous_commit".to_owned(), "off".to_owned()),
        ("checkpoint_timeout".to_owned(), "1h".to_owned()),
        ("max_wal_size".to_owned(), "16GB".to_owned()),
        ("wal_buffers".to_owned(), "16MB".to_owned()),
        ("jit".to_owned(), "off".to_owned()),
        ("autovacuum".to_owned(), "off".to_owned()),
        ("bgwriter_lru_maxpages".to_owned(), "0".to_owned()),
    ];
    list.extend(relaxed(settings));
    list
}

/// Those among them that production must not have.
pub fn relaxed(settings: Settings) -> BTreeMap<String, String> {
    match settings {
        Settings::Durable => BTreeMap::new(),
        Settings::Fast => {
            ["fsync", "full_page_writes"].map(|name| (name.to_owned(), "off".to_owned())).into()
        }
    }
}
