//! `firedrill run --self-test`: after a drill that passed, whether its checks can fail.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::cli::refusal::Refusal;
use crate::digest::Digest;
use crate::drill::{RunOutcome, RunRequest};
use crate::event::Observer;
use crate::exit_code::ExitCode;
use crate::journal::{self, StateDirectory};
use crate::plan::Service;
use crate::self_test::{SelfTest, SelfTestRequest, self_test};
use crate::verdict::Verdict;

/// A self-test that is wanted after the drill of its service.
pub struct Wanted {
    service: Service,
    plan_digest: Digest,
    state: StateDirectory,
    seed: u32,
}

impl Wanted {
    /// That of the one service of a request, by a seed of its own where none is given.
    ///
    /// # Errors
    /// The request is for several services, or the drills of this one are made on a server that
    /// is given.
    pub fn of(request: &RunRequest, seed: Option<u32>) -> Result<Wanted, Refusal> {
        let [service] = request.plan.services.as_slice() else {
            let what = "a self-test is of one service";
            return Err(Refusal::new(ExitCode::Usage, what, "name the one whose checks are to be tested"));
        };
        if service.scratch.server.is_some() {
            let what = format!("a self-test can't be made on the scratch server of '{}'", service.name);
            let remedy = "it copies databases as a superuser: test where a cluster can be started, with a \
                          plan whose scratch names no server";
            return Err(Refusal::new(ExitCode::Usage, what, remedy));
        }
        Ok(Wanted {
            service: service.clone(),
            plan_digest: request.plan.digest,
            state: request.state.clone(),
            seed: seed.unwrap_or_else(any_seed),
        })
    }

    /// Tests what passed; nothing, where the drill did not pass.
    ///
    /// # Errors
    /// The state directory is in use, or can't be written to.
    pub async fn test(
        &self,
        outcome: &RunOutcome,
        observer: Arc<dyn Observer>,
        cancel: &CancellationToken,
    ) -> Result<Option<SelfTest>, journal::Error> {
        let Some(drilled) = outcome.drills.first() else { return Ok(None) };
        if drilled.record.verdict.result.0 != Verdict::Pass {
            return Ok(None);
        }
        let request = SelfTestRequest {
            service: &self.service,
            plan_digest: self.plan_digest,
            state: &self.state,
            passed: &drilled.record,
            seed: self.seed,
        };
        self_test(&request, observer, cancel).await.map(Some)
    }
}

fn any_seed() -> u32 {
    let (_, random) = Uuid::now_v7().as_u64_pair();
    u32::try_from(random & u64::from(u32::MAX)).unwrap_or_default()
}

/// How a run ended whose drill ended with `drills`: what a self-test shows says nothing against
/// the backup.
pub fn ended(drills: ExitCode, test: &SelfTest, heard: Option<ExitCode>) -> ExitCode {
    match drills {
        ExitCode::Passed | ExitCode::Degraded => {}
        other => return other,
    }
    if test.was_interrupted() {
        return heard.unwrap_or(ExitCode::Inconclusive);
    }
    if !test.is_complete() {
        return ExitCode::Inconclusive;
    }
    match test.all_detected() && test.leaked.is_empty() {
        true => drills,
        false => ExitCode::Degraded,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::self_test::{Came, Detection, Mutation, Trial};
    use crate::verdict::{Code, Reason};

    fn test(trials: Vec<Came>, stopped: Option<Code>) -> SelfTest {
        let trial = |came| Trial { mutation: Mutation::DropRow, target: "public.t".into(), came };
        SelfTest {
            service: "orders".into(),
            backup: "orders.dump".into(),
            seed: 1,
            trials: trials.into_iter().map(trial).collect(),
            stopped: stopped.map(|code| Reason::new(code, "", "")),
            leaked: Vec::new(),
            took: Duration::ZERO,
        }
    }

    #[test]
    fn undetected_damage_is_a_blemish_and_never_a_failed_backup() {
        let red = || Came::Seen(Detection { checks: vec!["c".into()], ..Detection::default() });
        let green = || Came::Seen(Detection::default());
        let untried = || Came::NotTried(Reason::new(Code::ScratchDiskFull, "", ""));
        let table = [
            ("all detected", vec![red(), Came::NotApplicable], None, ExitCode::Passed),
            ("one was not", vec![red(), green()], None, ExitCode::Degraded),
            ("one was not tried", vec![green(), untried()], None, ExitCode::Inconclusive),
            ("a copy was not proven", vec![], Some(Code::DataMismatch), ExitCode::Inconclusive),
            ("somebody ended it", vec![red()], Some(Code::Interrupted), ExitCode::Interrupted),
        ];
        for (name, trials, stopped, code) in table {
            let test = test(trials, stopped);
            assert_eq!(ended(ExitCode::Passed, &test, Some(ExitCode::Interrupted)), code, "{name}");
            assert_eq!(ended(ExitCode::Failed, &test, None), ExitCode::Failed, "{name}");
        }
        let mut leaking = test(vec![red()], None);
        leaking.leaked.push("a directory".into());
        assert_eq!(ended(ExitCode::Passed, &leaking, None), ExitCode::Degraded);
    }
}
