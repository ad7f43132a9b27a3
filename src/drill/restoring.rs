//! The stage that brings the data back, and what is made of an archive that can't be read.

use crate::catalog::Backup;
use crate::drill::staged::Came;
use crate::drill::{Stages, anchor, fill, opening, staged};
use crate::plan::Engine;
use crate::record::Record;
use crate::restore::{self, Archive, Halted, Restored, Scratch};
use crate::store::{ChecksumAlgorithm, Store};
use crate::verdict::{Blame, Code, Reason};

impl Stages<'_> {
    /// Everything of the archive into the scratch.
    pub(in crate::drill) async fn restore(
        &self,
        opened: Archive,
        scratch: &Scratch,
        store: &Store,
        backup: &Backup,
        record: &mut Record,
    ) -> Result<Came, Reason> {
        let came = match self.service.restore.engine {
            Engine::Native => {
                restore::restore(opened, scratch, self.manner(scratch), self.watch, self.events)
                    .await
                    .map(|restored| Came::Restored(Box::new(restored)))
            }
            Engine::PgRestore => {
                let toc = opened.toc().clone();
                drop(opened);
                let expected = record.artifact.as_ref().and_then(|a| a.expected.algorithm.as_deref());
                let kept = ChecksumAlgorithm::named(expected.unwrap_or_default());
                staged::restore(self, toc, kept, scratch, store, backup)
                    .await
                    .map(|by_tool| Came::ByTool(Box::new(by_tool)))
            }
        };
        match came {
            Ok(Came::Restored(restored)) => {
                self.settle(&restored, 0, store, record)?;
                Ok(Came::Restored(restored))
            }
            Ok(came) => Ok(came),
            Err(halted) => Err(self.second_opinion(halted, store, backup, record).await),
        }
    }

    /// What came of the restore, now with the rows that the archive holds.
    pub(in crate::drill) async fn rows_of(
        &self,
        came: Came,
        scratch: &Scratch,
        store: &Store,
        backup: &Backup,
        record: &mut Record,
    ) -> Result<Restored, Reason> {
        let by_tool = match came {
            Came::Restored(restored) => return Ok(*restored),
            Came::ByTool(by_tool) => by_tool,
        };
        let staged_bytes = by_tool.staged_bytes();
        match restore::spooled::count(*by_tool, scratch, self.manner(scratch)).await {
            Ok(restored) => {
                self.settle(&restored, staged_bytes, store, record)?;
                Ok(restored)
            }
            Err(halted) => Err(self.second_opinion(halted, store, backup, record).await),
        }
    }

    /// What the record says of a restore that came to its end.
    fn settle(
        &self,
        restored: &Restored,
        staged_bytes: u64,
        store: &Store,
        record: &mut Record,
    ) -> Result<(), Reason> {
        let (plan, seen) = (&self.service.restore, store.traffic());
        let compression = restored.toc.header.compression;
        record.restore = Some(fill::restored(restored, self.jobs(), plan, staged_bytes, seen));
        fill::tables_without_rows(record, restored, self.events);
        if let Some(artifact) = record.artifact.as_mut() {
            artifact.layers = fill::layers(&restored.read.layers);
            (artifact.expected, artifact.matches) =
                anchor::settled(artifact.expected.clone(), &restored.read, compression);
            artifact.trailing_bytes = Some(restored.read.trailing_bytes);
            artifact.observed = Some(anchor::observed(&restored.read));
        }
        let unfit = restored.failures.iter().find(|failure| failure.blame == Blame::Environment);
        unfit.map_or(Ok(()), |failure| Err(failure.reason()))
    }

    /// An archive that can't be read is blamed on the backup only if a second reading finds
    /// the same bytes.
    pub(in crate::drill) async fn second_opinion(
        &self,
        halted: Halted,
        store: &Store,
        backup: &Backup,
        record: &mut Record,
    ) -> Reason {
        let reason = halted.error.reason();
        if reason.code.blame() == Blame::Environment {
            return reason;
        }
        let Some(first) = halted.read else { return reason };
        let artifact = record.artifact.get_or_insert_with(crate::record::Artifact::unread);
        artifact.observed = Some(anchor::observed(&first));
        match opening::read_again(store, backup, None, self.tuning()).await {
            Ok(second) if second.digest == first.digest => reason,
            Ok(_) => Reason::new(
                Code::TransportUnreliable,
                format!("two readings of '{}' gave different bytes", backup.object.uri),
                "see the network between here and the store, and run the drill again",
            ),
            Err(error) => error.reason(),
        }
    }

    /// A digest from outside that does not fit is believed only if a second reading agrees.
    pub(in crate::drill) async fn anchor_holds(
        &self,
        store: &Store,
        backup: &Backup,
        record: &mut Record,
    ) -> Result<(), Reason> {
        let Some(artifact) = record.artifact.as_mut() else { return Ok(()) };
        if artifact.matches != Some(false) {
            return Ok(());
        }
        let kept = ChecksumAlgorithm::named(artifact.expected.algorithm.as_deref().unwrap_or_default());
        let read =
            opening::read_again(store, backup, kept, self.tuning()).await.map_err(|error| error.reason())?;
        artifact.observed_again = Some(anchor::observed(&read));
        Ok(())
    }
}

/// The restore ends when everything is on disk, not when the last statement has returned.
pub(in crate::drill) async fn make_durable(scratch: &Scratch) -> Result<(), Reason> {
    let session = scratch.connect().await.map_err(|error| error.reason())?;
    // A checkpoint of a server that others use is not ours to ask for. A commit that is waited for
    // has everything before it on disk, if only as WAL.
    let flush = "SET synchronous_commit = on; SELECT pg_catalog.txid_current()";
    let statement = if scratch.cluster().is_some() { "CHECKPOINT" } else { flush };
    session.run(statement).await.map_err(|error| error.reason())
}
