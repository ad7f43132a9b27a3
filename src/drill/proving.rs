//! The stage that proves: the rows that came back, what is beside them, and the plan's questions.

use std::time::Duration;

use jiff::Timestamp;

use crate::archive::Toc;
use crate::catalog::Backup;
use crate::drill::{Stages, drift, examined, fill, last, opening};
use crate::event::{EventKind, Events};
use crate::plan::{Amcheck, Check};
use crate::proof::{self, Fingerprint, Narrowed, NotNarrowed, Revealed};
use crate::record::{ComparedTo, Fidelity, Record};
use crate::restore::{Restored, Scratch, WayIn};
use crate::store::Store;
use crate::verdict::Reason;

/// How long the rows that differ may be looked for.
const LOCATE_DEADLINE: Duration = Duration::from_secs(600);

impl Stages<'_> {
    /// The rows that came back are the rows of the archive, and the plan's questions.
    pub(in crate::drill) async fn prove(
        &self,
        toc: &Toc,
        restored: &Restored,
        source: Option<&Fingerprint>,
        scratch: &Scratch,
        record: &mut Record,
    ) -> Result<Vec<proof::Comparison>, Reason> {
        let rows = restored.rows();
        let checks = &self.service.checks;
        self.events.emit(EventKind::ProofPlanned {
            tables: restored.tables.len(),
            rows,
            checks: checks.iter().map(Check::answers).sum(),
        });
        let refused = |error: proof::Error| error.reason();
        let tables = proof::compare(toc, restored, source, scratch, self.jobs(), self.events)
            .await
            .map_err(refused)?;
        let compared_to = source.map_or(ComparedTo::ArchiveStream, |_| ComparedTo::SourceStamp);
        let mut fidelity = Fidelity::of(compared_to, tables.iter().map(fill::table).collect());
        fidelity.sample = self.sample().map(fill::sample_of);
        let objects = proof::compare_large_objects(restored, scratch).await.map_err(refused)?;
        let sequences = proof::compare_sequences(toc, scratch).await.map_err(refused)?;
        fidelity.large_objects = Some(fill::compared(objects));
        fidelity.sequences = Some(fill::compared(sequences));
        record.fidelity = Some(fidelity);
        let beside = match source {
            Some(source) => {
                Some((source, proof::compare_beside(source, toc, restored, scratch).await.map_err(refused)?))
            }
            None => None,
        };
        let found = proof::compare_objects(toc, restored, scratch).await.map_err(refused)?;
        record.objects = Some(fill::found(found));
        self.examine(scratch, record).await.map_err(refused)?;
        let reports = self.ask(Timestamp::now(), scratch, record).await.map_err(refused)?;
        if let Some((source, mut beside)) = beside {
            proof::compare_newest(source, &reports, &mut beside);
            fill::beside_rows(record, beside);
        }
        Ok(tables)
    }

    /// The plan's questions, as of `now`.
    pub(in crate::drill) async fn ask(
        &self,
        now: Timestamp,
        scratch: &Scratch,
        record: &mut Record,
    ) -> Result<Vec<proof::CheckReport>, proof::Error> {
        let checks = &self.service.checks;
        let last = last::answers(self.outside.previous);
        let reports = proof::put(checks, scratch, now, &last, self.events).await?;
        fill::content_age(record, &reports);
        record.checks = Some(crate::record::Checks::of(
            checks.iter().map(|check| check.answers() as u64).sum(),
            self.service.content_only,
            reports.iter().map(fill::check).collect(),
        ));
        Ok(reports)
    }

    /// Which rows of a table differ, if any do: both sides are read once more. That it takes too
    /// long, or can't be done, takes nothing from the verdict.
    pub(in crate::drill) async fn locate(
        &self,
        restored: &Restored,
        tables: &[proof::Comparison],
        scratch: &Scratch,
        store: &Store,
        backup: &Backup,
        record: &mut Record,
    ) -> Vec<Revealed> {
        if !tables.iter().any(proof::Comparison::has_other_rows) {
            return Vec::new();
        }
        let locating = async {
            let way = WayIn::of(&self.service.backup).ok()?;
            let opened = opening::open(store, backup, None, way, self.tuning(), &Events::silent()).await;
            let salt = self.outside.run_id.to_string();
            let search = proof::Search { salt: &salt, reveal: self.outside.reveal_keys };
            proof::locate(restored, tables, scratch, opened.ok()?, search).await.ok()
        };
        let Narrowed { tables, revealed } = match tokio::time::timeout(LOCATE_DEADLINE, locating).await {
            Ok(Some(narrowed)) => narrowed,
            Ok(None) => Narrowed::none(tables, NotNarrowed::Unreadable),
            Err(_) => Narrowed::none(tables, NotNarrowed::Deadline),
        };
        fill::located_rows(record, tables);
        revealed
    }

    /// How it drifted since the last pass, whether sequences are ahead, and where the plan wants
    /// that, its structure and whether its constraints hold.
    async fn examine(&self, scratch: &Scratch, record: &mut Record) -> Result<(), proof::Error> {
        record.shape = Some(examined::shape(proof::shape(scratch).await?));
        record.drift = Some(drift::since(self.outside.previous, record, self.service));
        if self.service.proof.amcheck != Amcheck::Off {
            let all_indexed = self.service.proof.amcheck == Amcheck::HeapAllIndexed;
            let found = proof::examine(scratch, all_indexed, self.jobs()).await?;
            record.structure = Some(examined::structure(found, all_indexed));
        }
        record.numbering = Some(examined::numbering(proof::look_at_numbering(scratch).await?));
        if self.service.proof.revalidate {
            let found = proof::revalidate(scratch, self.jobs()).await?;
            record.revalidated = Some(examined::revalidated(found));
        }
        Ok(())
    }
}
