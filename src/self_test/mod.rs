//! Can the checks fail? A backup that passed is damaged in many ways, one at a time, and each
//! time the drill is asked what it says of it.
//!
//! restore the backup once more, and put it aside; copy it, damage the copy, prove it, and again;
//! then let a drill find the stored bytes damaged.
//!
//! What is damaged is a copy in a scratch, or bytes on their way out of the store: never the
//! backup, and never the source. Nothing of it becomes evidence.

mod archive;
mod database;
mod detection;
mod draw;
mod mutation;

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::clock::Stopwatch;
use crate::digest::Digest;
use crate::drill::{Outside, Rehearsal, Site, drill};
use crate::event::{EventKind, Events, Observer};
use crate::journal::{self, Journal, StateDirectory};
use crate::judge;
use crate::plan::{Select, Service};
use crate::record::{Cleanup, Record, Selected, Trigger};
use crate::self_test::detection::{detection, is_of_the_surroundings};
use crate::self_test::draw::Draw;
use crate::store::{Damage, Location, Shaping};
use crate::verdict::{Code, Reason, Verdict};

pub use detection::Detection;
pub use mutation::Mutation;

/// How much older than it is the data is taken for. What is still young enough then is not
/// checked for its age.
const AGED: SignedDuration = SignedDuration::from_hours(24 * 365 * 10);

/// What a self-test is asked for.
pub struct SelfTestRequest<'a> {
    /// The service, as it was drilled.
    pub service: &'a Service,
    /// The digest of the plan file.
    pub plan_digest: Digest,
    /// Where lock and journal lie.
    pub state: &'a StateDirectory,
    /// The drill of the intact backup, which passed.
    pub passed: &'a Record,
    /// Draws the tables, the rows and the bytes.
    pub seed: u32,
}

/// What came of a self-test.
#[derive(Clone, Debug)]
pub struct SelfTest {
    /// The service.
    pub service: String,
    /// The backup, by its name in the catalogue.
    pub backup: String,
    /// What drew the tables, the rows and the bytes.
    pub seed: u32,
    /// Each kind of damage that was come to, in order.
    pub trials: Vec<Trial>,
    /// Why it did not come to all of them.
    pub stopped: Option<Reason>,
    /// What it made and could not remove, one line each.
    pub leaked: Vec<String>,
    /// How long it took.
    pub took: Duration,
}

/// One kind of damage, and what came of it.
#[derive(Clone, Debug)]
pub struct Trial {
    /// The kind.
    pub mutation: Mutation,
    /// What was damaged, by its name; hostile until encoded.
    pub target: String,
    /// What came of it.
    pub came: Came,
}

/// What came of a damage.
#[derive(Clone, Debug)]
pub enum Came {
    /// The drill was put: what turned red, if anything did.
    Seen(Detection),
    /// There is nothing in this backup that could be damaged in that way.
    NotApplicable,
    /// It could not be tried.
    NotTried(Reason),
}

impl SelfTest {
    /// How many kinds of damage were done.
    pub fn done(&self) -> usize {
        self.seen().count()
    }

    /// How many of them were detected.
    pub fn detected(&self) -> usize {
        self.seen().filter(|(_, detection)| detection.is_red()).count()
    }

    /// Of those that could have happened at the source, too: how many were done, and how many of
    /// them the plan's own checks detected.
    pub fn by_checks(&self) -> (usize, usize) {
        let of_data = || self.seen().filter(|(trial, _)| trial.mutation.is_of_the_data());
        (of_data().count(), of_data().filter(|(_, detection)| !detection.checks.is_empty()).count())
    }

    /// Whether every kind of damage was tried that there is something for.
    pub fn is_complete(&self) -> bool {
        self.stopped.is_none() && !self.trials.iter().any(|trial| matches!(trial.came, Came::NotTried(_)))
    }

    /// Whether everything that was done was detected.
    pub fn all_detected(&self) -> bool {
        self.detected() == self.done()
    }

    /// Whether somebody ended it.
    pub fn was_interrupted(&self) -> bool {
        self.stopped.as_ref().is_some_and(|reason| reason.code == Code::Interrupted)
    }

    fn seen(&self) -> impl Iterator<Item = (&Trial, &Detection)> {
        self.trials.iter().filter_map(|trial| match &trial.came {
            Came::Seen(detection) => Some((trial, detection)),
            Came::NotApplicable | Came::NotTried(_) => None,
        })
    }
}

/// Tests the checks and the proofs of a service. Each of its steps may take as long as the
/// service's deadline.
///
/// # Errors
/// Another run holds the lock, or the state directory can't be written to.
pub async fn self_test(
    request: &SelfTestRequest<'_>,
    observer: Arc<dyn Observer>,
    cancel: &CancellationToken,
) -> Result<SelfTest, journal::Error> {
    let watch = Stopwatch::start();
    let run_id = Uuid::now_v7();
    // What an earlier run left is named by the next drill: a self-test makes no evidence.
    let (journal, _) = Journal::open(request.state, run_id)?;
    let site = Site::found().await;
    let outside = Outside {
        run_id,
        trigger: Trigger::Manual,
        site: &site,
        plan_digest: request.plan_digest,
        journal: &journal,
        previous: Some(request.passed),
        cancel: cancel.clone(),
        reveal_keys: false,
        damage: None,
        shaping: Shaping::default(),
    };
    let backup = label(request.passed, &request.service.backup.location);
    let mut service = request.service.clone();
    service.backup.select = Select::Label(backup.clone());
    let events = Events::new(&service.name, observer);
    let mut tester = Tester {
        service: &service,
        outside: &outside,
        draw: Draw::by(request.seed),
        events: &events,
        trials: Vec::new(),
        leaked: Vec::new(),
    };
    let stopped = Box::pin(tester.all()).await.err();
    let Tester { trials, mut leaked, .. } = tester;
    leaked.extend(journal.finish().err().map(|error| error.to_string()));
    Ok(SelfTest {
        service: request.service.name.clone(),
        backup,
        seed: request.seed,
        trials,
        stopped,
        leaked,
        took: watch.elapsed(),
    })
}

/// The backup that was drilled, by its name in the catalogue.
fn label(passed: &Record, location: &Location) -> String {
    let uri = selected(passed).map(|selected| selected.uri.as_str()).unwrap_or_default();
    let below = uri.strip_prefix(&location.to_string()).unwrap_or(uri);
    match location {
        Location::Directory { .. } => below.strip_prefix('/').unwrap_or(below).to_owned(),
        Location::S3 { .. } | Location::Azure { .. } => below.to_owned(),
    }
}

fn selected(record: &Record) -> Option<&Selected> {
    record.selection.as_ref().and_then(|selection| selection.selected.as_ref())
}

struct Tester<'a> {
    service: &'a Service,
    outside: &'a Outside<'a>,
    draw: Draw,
    events: &'a Events,
    trials: Vec<Trial>,
    leaked: Vec<String>,
}

impl Tester<'_> {
    async fn all(&mut self) -> Result<(), Reason> {
        self.tell(0, "restore the backup once more");
        let rehearsal = Rehearsal::begin(self.service, self.outside).await;
        let tried = self.on_copies(&rehearsal).await;
        self.note(rehearsal.end().await);
        let (intact, damages) = tried?;
        for (mutation, damage) in damages {
            self.on_the_store(&intact, mutation, damage).await?;
        }
        Ok(())
    }

    /// Every damage to what was restored, each on a copy of its own. Tells what a drill says of
    /// the intact backup, and how its bytes are to be damaged.
    async fn on_copies(
        &mut self,
        rehearsal: &Rehearsal<'_>,
    ) -> Result<(Record, Vec<(Mutation, Damage)>), Reason> {
        let intact = rehearsal.record();
        assert_passed(intact, "the backup, restored once more,")?;
        if selected(intact) != self.outside.previous.and_then(selected) {
            return Err(changed());
        }
        let scratch = rehearsal.scratch()?;
        rehearsal.within(async { scratch.set_aside().await.map_err(|error| error.reason()) }).await?;
        self.tell(0, "prove a copy of it");
        let intact = rehearsal.within(self.proven_copy(rehearsal)).await?;
        assert_passed(&intact, "a copy of what was restored")?;
        for (at, mutation) in Mutation::ALL.into_iter().enumerate() {
            if mutation.is_of_the_archive() {
                continue;
            }
            self.tell(at + 1, mutation.words());
            let tried = rehearsal.within(self.on_a_copy(rehearsal, &intact, mutation)).await;
            self.take_down(mutation, tried)?;
        }
        let (backup, restored) = (rehearsal.backup()?, rehearsal.restored()?);
        let damages = vec![
            (Mutation::FlipByte, archive::flipped(self.draw, backup, restored)),
            (Mutation::CutArchive, archive::cut(self.draw, backup, restored)),
        ];
        Ok((intact, damages))
    }

    /// A copy without any damage: what is red from now on is so because of the damage.
    async fn proven_copy(&self, rehearsal: &Rehearsal<'_>) -> Result<Record, Reason> {
        let scratch = rehearsal.scratch()?;
        scratch.copy_anew(&rehearsal.restored()?.toc).await.map_err(|error| error.reason())?;
        rehearsal.prove().await
    }

    async fn on_a_copy(
        &self,
        rehearsal: &Rehearsal<'_>,
        intact: &Record,
        mutation: Mutation,
    ) -> Result<(String, Came), Reason> {
        let (scratch, restored) = (rehearsal.scratch()?, rehearsal.restored()?);
        scratch.copy_anew(&restored.toc).await.map_err(|error| error.reason())?;
        if mutation == Mutation::AgeData {
            // Rows that were old at the source are old in the archive, too: whether they are the
            // same does not tell. So nothing but the clock of the plan's questions is put forward.
            let now = Timestamp::now().saturating_add(AGED).unwrap_or(Timestamp::MAX);
            let damaged = rehearsal.ask(now).await?;
            return Ok(("by ten years".into(), Came::Seen(detection(intact, &damaged)?)));
        }
        let harmed = database::harm(mutation, self.draw, scratch, restored).await;
        let Some(target) = harmed.map_err(|error| error.reason())? else {
            return Ok((String::new(), Came::NotApplicable));
        };
        let damaged = rehearsal.prove().await?;
        Ok((target, Came::Seen(detection(intact, &damaged)?)))
    }

    /// A drill, from its beginning, that finds the stored bytes damaged.
    async fn on_the_store(
        &mut self,
        intact: &Record,
        mutation: Mutation,
        damage: Damage,
    ) -> Result<(), Reason> {
        let at = Mutation::ALL.iter().position(|known| *known == mutation).unwrap_or_default();
        self.tell(at + 1, mutation.words());
        let target = format!("{}, {}", damage.object.key, archive::place(&damage));
        let outside = Outside { damage: Some(damage), ..self.outside.clone() };
        let mut damaged = Box::pin(drill(self.service, &outside, &Events::silent())).await.record;
        self.note(damaged.cleanup.take());
        judge::pronounce(&mut damaged);
        let tried = detection(intact, &damaged).map(|seen| (target, Came::Seen(seen)));
        self.take_down(mutation, tried)
    }

    /// Writes down what came of a kind of damage. What stopped this one does not stop the others,
    /// unless somebody wants the end of all.
    fn take_down(&mut self, mutation: Mutation, tried: Result<(String, Came), Reason>) -> Result<(), Reason> {
        let (target, came) = match tried {
            Ok(tried) => tried,
            Err(reason) if reason.code == Code::Interrupted => return Err(reason),
            Err(reason) if is_of_the_surroundings(reason.code) => (String::new(), Came::NotTried(reason)),
            // A proof that can't be put any more is one that turned red.
            Err(reason) => {
                let codes = vec![reason.code];
                (String::new(), Came::Seen(Detection { codes, ..Detection::default() }))
            }
        };
        self.trials.push(Trial { mutation, target, came });
        Ok(())
    }

    fn note(&mut self, cleanup: Option<Cleanup>) {
        self.leaked.extend(cleanup.into_iter().flat_map(|cleanup| cleanup.leaked));
    }

    fn tell(&self, step: usize, doing: &'static str) {
        self.events.emit(EventKind::SelfTesting { step, steps: Mutation::ALL.len(), doing });
    }
}

fn changed() -> Reason {
    let what = "the backup is no longer the one that was drilled before";
    Reason::new(Code::SourceUnstable, what, "run it again when nothing is written to the store")
}

/// Only what is green can turn red.
fn assert_passed(record: &Record, what: &str) -> Result<(), Reason> {
    if record.verdict.result.0 == Verdict::Pass {
        return Ok(());
    }
    let first = record.verdict.reasons.first();
    let (code, detail) = first.map_or((Code::NotEvaluated, ""), |line| (line.code.0, line.detail.as_str()));
    Err(Reason::new(
        code,
        format!("{what} does not pass: {detail}"),
        "only the checks of a backup that passes can be tested; see what a drill says of it",
    ))
}
