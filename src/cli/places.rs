//! Where the plan and the state lie.

use std::path::PathBuf;

use clap::Args;

use crate::cli::refusal::Refusal;
use crate::exit_code::ExitCode;
use crate::journal::StateDirectory;
use crate::plan::{self, Plan};

/// Where the plan and the state lie.
#[derive(Clone, Debug, Args)]
pub struct Places {
    /// The plan file [default: firedrill.toml here, else in the user's configuration
    /// directory, else in /etc/firedrill]
    #[arg(long, global = true, value_name = "FILE", display_order = 90)]
    plan: Option<PathBuf>,
    /// The directory for evidence, journals and the lock [default: $STATE_DIRECTORY, else
    /// firedrill in the user's state directory]
    #[arg(long, global = true, value_name = "DIR", display_order = 91)]
    state: Option<PathBuf>,
}

impl Places {
    /// The plan, read.
    pub fn plan(&self) -> Result<Plan, Refusal> {
        let path = plan::find(self.plan.as_deref()).map_err(|fault| Refusal::of_plan(&[fault]))?;
        plan::load(&path).map_err(|faults| Refusal::of_plan(&faults))
    }

    /// Whether the command line names a plan.
    pub fn names_a_plan(&self) -> bool {
        self.plan.is_some()
    }

    /// The plan, read, if there is one: none is a fault only where one was named.
    pub fn plan_if_any(&self) -> Result<Option<Plan>, Refusal> {
        match plan::find(self.plan.as_deref()) {
            Err(_) if self.plan.is_none() => Ok(None),
            _ => self.plan().map(Some),
        }
    }

    /// The state directory, made if it is missing.
    pub fn state(&self) -> Result<StateDirectory, Refusal> {
        StateDirectory::open(&self.state_path()?).map_err(|error| Refusal::of_state(&error))
    }

    /// Where evidence lies: where the plan says, if there is one, else in the state directory.
    /// Nothing is made.
    pub fn evidence(&self) -> Result<PathBuf, Refusal> {
        self.evidence_of(self.plan_if_any()?.as_ref())
    }

    /// The same for a plan that was read already.
    pub fn evidence_of(&self, plan: Option<&Plan>) -> Result<PathBuf, Refusal> {
        match plan.and_then(|plan| plan.evidence.directory.clone()) {
            Some(directory) => Ok(directory),
            None => Ok(self.state_path()?.join("evidence")),
        }
    }

    fn state_path(&self) -> Result<PathBuf, Refusal> {
        self.state.clone().or_else(StateDirectory::default_path).ok_or_else(|| {
            let what = "there is no home to keep the state in";
            Refusal::new(ExitCode::Usage, what, "name a directory with --state DIR")
        })
    }
}
