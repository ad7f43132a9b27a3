//! A drill that is not ended: what it restored stands, to be damaged and proven again. Its
//! records are no evidence of anything.

use std::sync::Arc;

use jiff::Timestamp;

use crate::archive::Toc;
use crate::catalog::Backup;
use crate::clock::Stopwatch;
use crate::drill::{Outside, Owned, Stages, Standing, Through, bounded, explained, fill, go, interrupted};
use crate::event::Events;
use crate::judge;
use crate::plan::Service;
use crate::proof;
use crate::record::{Cleanup, Record};
use crate::restore::{Restored, Scratch};
use crate::verdict::{Blame, Code, Reason};

/// A drill whose scratch stands until [`Rehearsal::end`].
pub struct Rehearsal<'a> {
    service: &'a Service,
    outside: &'a Outside<'a>,
    events: Events,
    watch: Stopwatch,
    record: Record,
    owned: Owned,
    standing: Option<Standing>,
}

impl<'a> Rehearsal<'a> {
    /// Goes through the stages of a drill, its proof included, and judges it. Nobody hears of
    /// them.
    pub async fn begin(service: &'a Service, outside: &'a Outside<'a>) -> Rehearsal<'a> {
        let events = Events::silent();
        // A drill is a large future, and those that hold it should not be.
        let through = Box::pin(go(service, outside, &events)).await;
        let Through { watch, mut record, mut timeline, owned, standing } = through;
        timeline.close();
        record.phases = timeline.phases().to_vec();
        record.run.finish(Timestamp::now(), watch.elapsed());
        judge::pronounce(&mut record);
        Rehearsal { service, outside, events, watch, record, owned, standing }
    }

    /// What a drill says of what was restored, judged.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// The scratch, with what was restored into it.
    ///
    /// # Errors
    /// The stages did not come to their end; the record says why.
    pub fn scratch(&self) -> Result<&Scratch, Reason> {
        self.owned.lease.scratch().ok_or_else(|| self.stopped())
    }

    /// What came of the restore.
    ///
    /// # Errors
    /// As [`Rehearsal::scratch`].
    pub fn restored(&self) -> Result<&Restored, Reason> {
        self.standing().map(|standing| &standing.restored)
    }

    /// The backup that was restored.
    ///
    /// # Errors
    /// As [`Rehearsal::scratch`].
    pub fn backup(&self) -> Result<&Backup, Reason> {
        self.standing().map(|standing| &standing.backup)
    }

    /// What a drill would say of the scratch as it is now, judged: everything that comes after
    /// the restore is done again.
    ///
    /// # Errors
    /// The scratch gave up.
    pub async fn prove(&self) -> Result<Record, Reason> {
        let (scratch, Standing { restored, source, .. }) = (self.scratch()?, self.standing()?);
        let toc: Arc<Toc> = restored.toc.clone();
        let mut record = self.record.clone();
        let objects = proof::look(&toc, scratch).await.map_err(|error| error.reason())?;
        fill::objects(&mut record, objects);
        self.stages().prove(&toc, restored, source.as_ref(), scratch, &mut record).await?;
        judge::pronounce(&mut record);
        Ok(record)
    }

    /// The same, but only the plan's checks are put again, as if it was `now`.
    ///
    /// # Errors
    /// As [`Rehearsal::prove`].
    pub async fn ask(&self, now: Timestamp) -> Result<Record, Reason> {
        let mut record = self.record.clone();
        let refused = |error: proof::Error| error.reason();
        self.stages().ask(now, self.scratch()?, &mut record).await.map_err(refused)?;
        judge::pronounce(&mut record);
        Ok(record)
    }

    /// Does `work` within the service's deadline, unless somebody wants it to end.
    ///
    /// # Errors
    /// Those of the work; [`Code::Deadline`] and [`Code::Interrupted`].
    pub async fn within<T>(&self, work: impl Future<Output = Result<T, Reason>>) -> Result<T, Reason> {
        match bounded(self.service, self.outside, work).await {
            Err(reason)
                if self.outside.cancel.is_cancelled() && reason.code.blame() == Blame::Environment =>
            {
                Err(interrupted())
            }
            Err(reason) => Err(explained(reason, &self.owned).await),
            Ok(done) => Ok(done),
        }
    }

    /// Removes the scratch; nothing if none was made.
    pub async fn end(mut self) -> Option<Cleanup> {
        self.owned.lease.end(self.service, self.outside.journal).await
    }

    fn stages(&self) -> Stages<'_> {
        Stages { service: self.service, outside: self.outside, events: &self.events, watch: self.watch }
    }

    fn standing(&self) -> Result<&Standing, Reason> {
        self.standing.as_ref().ok_or_else(|| self.stopped())
    }

    fn stopped(&self) -> Reason {
        let halt = self.record.halt.as_ref().map(|halt| halt.reason());
        halt.unwrap_or_else(|| Reason::new(Code::Internal, "the stages left nothing standing", ""))
    }
}
