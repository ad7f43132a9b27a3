//! The engine that stages the archive on the local disk and leaves it to `pg_restore`.

use std::sync::Arc;

use crate::archive::{Layout, Toc};
use crate::catalog::Backup;
use crate::drill::Stages;
use crate::plan::Engine;
use crate::restore::spooled::{self, ByTool};
use crate::restore::{self, Archive, Halted, Restored, Scratch};
use crate::store::{ChecksumAlgorithm, Connections, Download, Store, Tuning};
use crate::verdict::{Code, Reason};

/// Enough for most tables of contents, and little to be read twice.
pub fn first_tuning(of_the_plan: Tuning) -> Tuning {
    let connections = of_the_plan.connections.most().min(2);
    Tuning { connections: Connections::Pinned(connections), part_bytes: 1 << 20 }
}

/// What came of a restore, by one engine or the other.
pub enum Came {
    /// Everything is known.
    Restored(Box<Restored>),
    /// The rows of the archive are not counted yet: that is a part of the proof.
    ByTool(Box<ByTool>),
}

impl Came {
    /// The table of contents.
    pub fn toc(&self) -> &Arc<Toc> {
        match self {
            Came::Restored(restored) => &restored.toc,
            Came::ByTool(by_tool) => by_tool.toc(),
        }
    }
}

/// That the engine can restore what was opened.
///
/// # Errors
/// It is a script, which `pg_restore` does not read.
pub fn assert_readable(opened: &Archive, engine: Engine) -> Result<(), Reason> {
    let layout = opened.toc().header.layout;
    if engine == Engine::Native || !matches!(layout, Layout::Plain | Layout::Cluster) {
        return Ok(());
    }
    Err(Reason::new(
        Code::UnsupportedVersion,
        format!("pg_restore does not read {}, which is a script", layout.as_str()),
        "write engine = \"native\" for this service, or dump with pg_dump -Fc",
    ))
}

/// Stages the backup and has it restored.
///
/// # Errors
/// The store, the disk, the tool or the archive.
pub async fn restore(
    stages: &Stages<'_>,
    toc: Arc<Toc>,
    kept: Option<ChecksumAlgorithm>,
    scratch: &Scratch,
    store: &Store,
    backup: &Backup,
) -> Result<ByTool, Halted> {
    let (watch, events, tuning) = (stages.watch, stages.events, stages.tuning());
    let staged = if backup.is_directory() {
        spooled::from_files(store, &backup.label, &backup.files, tuning, scratch, watch, events).await?
    } else {
        let keys = restore::keys(stages.service.backup.decrypt.as_ref())?;
        let object = &backup.object;
        let download = Download::new(store, object, 0..object.bytes, tuning);
        spooled::from_stream(download, object.bytes, kept, keys, scratch, watch, events).await?
    };
    spooled::restore_by_tool(staged, toc, scratch, stages.manner(scratch), watch, events).await
}
