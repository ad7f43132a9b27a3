//! Why a command did not do what it was asked.

use std::fmt::Display;

use crate::cli::output;
use crate::evidence;
use crate::exit_code::ExitCode;
use crate::journal;
use crate::plan::Fault;
use crate::report::encode;

/// A command that ends before it began: what to tell, and with which code.
#[derive(Debug)]
pub struct Refusal {
    code: ExitCode,
    lines: Vec<String>,
}

impl Refusal {
    /// One error, and what to do about it.
    pub fn new(code: ExitCode, what: impl Display, remedy: impl Display) -> Refusal {
        let mut lines = vec![format!("error: {}", encode::sentence(&what.to_string()))];
        let remedy = remedy.to_string();
        if !remedy.is_empty() {
            lines.push(format!("hint: {}", encode::sentence(&remedy)));
        }
        Refusal { code, lines }
    }

    /// Every fault of a plan, one a line.
    pub fn of_plan(faults: &[Fault]) -> Refusal {
        let mut lines: Vec<_> =
            faults.iter().map(|fault| format!("error: {}", encode::sentence(&fault.to_string()))).collect();
        if faults.len() > 1 {
            lines.push(format!("{} faults", faults.len()));
        }
        Refusal { code: ExitCode::PlanWrong, lines }
    }

    /// What the state directory said.
    pub fn of_state(error: &journal::Error) -> Refusal {
        let code = match error.kind() {
            journal::Kind::Locked => ExitCode::Locked,
            journal::Kind::Unsafe | journal::Kind::State => ExitCode::Bug,
        };
        Refusal::new(code, error, error.remedy())
    }

    /// What went wrong, in one line and without the remedy.
    pub fn line(&self) -> String {
        let first = self.lines.first().map_or("", String::as_str);
        first.strip_prefix("error: ").unwrap_or(first).to_owned()
    }

    /// What the evidence said.
    pub fn of_evidence(error: &evidence::Error) -> Refusal {
        let reason = error.reason();
        Refusal::new(ExitCode::Inconclusive, &reason.detail, &reason.remedy)
    }

    /// Tells it on stderr.
    pub fn tell(&self) -> ExitCode {
        for line in &self.lines {
            output::say(line);
        }
        self.code
    }
}
