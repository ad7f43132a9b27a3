//! A program of the plan's author, with the scratch before it.

use std::time::Duration;

use crate::plan::duration;
use crate::proof::checks::Answered;
use crate::restore::{DATABASE, Scratch};

/// Runs the program to its end. Exit code 0 is the right answer, any other a wrong one; one
/// that can't be run, is killed or takes too long gives none.
pub async fn run(argv: &[String], scratch: &Scratch, timeout: Duration) -> Answered {
    let Some(cluster) = scratch.cluster() else {
        return Answered::none("a program is run only beside a scratch cluster of the drill's own");
    };
    let running = cluster.run_beside(argv, DATABASE);
    let ran = match tokio::time::timeout(timeout, running).await {
        Err(_) => {
            return Answered::none(format!(
                "it was not over within {}, and was killed",
                duration::text(timeout)
            ));
        }
        Ok(Err(error)) => return Answered::none(error.to_string()),
        Ok(Ok(ran)) => ran,
    };
    let answered = match (ran.code, ran.signal) {
        (Some(code), _) => Answered::of(format!("exit code {code}"), code == 0),
        (None, Some(signal)) => Answered::none(format!("it was ended by signal {signal}")),
        (None, None) => Answered::none("it ended without an exit code"),
    };
    Answered { output: Some((ran.output, ran.output_bytes)), ..answered }
}
