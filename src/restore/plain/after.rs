//! What stands behind the rows of a script, run stage by stage.

use std::collections::HashSet;
use std::sync::Arc;

use crate::archive::Toc;
use crate::clock::Stopwatch;
use crate::event::Events;
use crate::restore::board::{Board, Outcome};
use crate::restore::connection::Workplace;
use crate::restore::load::{Load, Loaded};
use crate::restore::plain::stages::{Stage, stages};
use crate::restore::policy::Disposition;
use crate::restore::roles::Roles;
use crate::restore::schedule::Schedule;
use crate::restore::steps::Step;
use crate::restore::{Error, Manner, Scratch, work};

/// What the stages work with.
pub struct After<'a> {
    /// Where it is restored.
    pub scratch: &'a Scratch,
    /// The table of contents, whole.
    pub toc: &'a Toc,
    /// Roles that turn out to be missing.
    pub roles: &'a Roles,
    /// How it is restored.
    pub manner: Manner,
    /// The drill's clock.
    pub watch: Stopwatch,
    /// The drill's voice.
    pub events: &'a Events,
}

impl After<'_> {
    /// Runs every entry that is run after the rows; `loads` are the rows.
    ///
    /// # Errors
    /// The server is gone. What it refuses stands in the outcome.
    pub async fn run(
        &self,
        dispositions: &[Disposition],
        loads: &[(Arc<Load>, Loaded)],
    ) -> Result<Outcome, Error> {
        let mut whole = Outcome::default();
        for stage in stages(self.toc, dispositions) {
            let outcome = match stage {
                Stage::Serial(ids) => self.serial(&ids).await?,
                Stage::Parallel(ids) => self.parallel(&ids, dispositions, loads).await?,
            };
            whole.merge(outcome);
        }
        Ok(whole)
    }

    async fn serial(&self, ids: &[u32]) -> Result<Outcome, Error> {
        let board = self.board(Schedule::new(self.toc, &[]));
        let mut connection = self.place(&board).connect().await?;
        for id in ids {
            connection.entry(*id, Step::Whole).await?;
        }
        board.outcome()
    }

    /// The largest tables first, as many as there are connections.
    async fn parallel(
        &self,
        ids: &[u32],
        dispositions: &[Disposition],
        loads: &[(Arc<Load>, Loaded)],
    ) -> Result<Outcome, Error> {
        let of_stage: HashSet<u32> = ids.iter().copied().collect();
        let of_stage: Vec<Disposition> = self
            .toc
            .entries
            .iter()
            .zip(dispositions)
            .map(|(entry, disposition)| match disposition {
                Disposition::After(_) if !of_stage.contains(&entry.id) => Disposition::Applied,
                other => other.clone(),
            })
            .collect();
        let mut schedule = Schedule::new(self.toc, &of_stage);
        schedule.split_keys(self.toc);
        for (load, loaded) in loads {
            schedule.weigh(load.entry, loaded.seen.hash.bytes());
        }
        for entry in self.toc.entries.iter().filter(|entry| entry.has_data) {
            schedule.finish(entry.id);
        }
        let board = self.board(schedule);
        board.stream_over();
        work(self.place(&board), self.manner.jobs).await?;
        board.outcome()
    }

    fn board(&self, schedule: Schedule) -> Board {
        Board::new(schedule, 1, 1, self.watch, self.events.clone(), false)
    }

    fn place<'b>(&'b self, board: &'b Board) -> Workplace<'b> {
        Workplace {
            scratch: self.scratch,
            toc: self.toc,
            board,
            roles: self.roles,
            how: self.manner.unmarked(),
            events: self.events,
        }
    }
}
