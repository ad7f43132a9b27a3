//! The numbers the command ends with. The README holds the same table, and so does
//! `firedrill run --help`.

use std::process::Termination;

use crate::verdict::Verdict;

/// How the command ended, for cron, systemd and whoever else reads nothing but a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ExitCode {
    /// Every drill passed, or the command did what it was asked.
    Passed = 0,
    /// At least one drill failed: a backup or an objective is at fault.
    Failed = 1,
    /// No drill failed, and at least one was inconclusive.
    Inconclusive = 2,
    /// Every drill passed, but something around them did not: evidence that could not be
    /// stored, scratch left behind, damage that a self-test did and nothing detected.
    Degraded = 3,
    /// Wrong usage of the command line.
    Usage = 64,
    /// A bug of firedrill, or evidence of somebody else in the place of ours.
    Bug = 70,
    /// Another run holds the lock of the state directory.
    Locked = 75,
    /// The plan is wrong, or there is none.
    PlanWrong = 78,
    /// Interrupted by SIGINT, and cleaned up.
    Interrupted = 130,
    /// Stopped by SIGTERM, and cleaned up.
    Terminated = 143,
}

impl ExitCode {
    /// Every code there is, by number.
    pub const ALL: &'static [ExitCode] = &[
        ExitCode::Passed,
        ExitCode::Failed,
        ExitCode::Inconclusive,
        ExitCode::Degraded,
        ExitCode::Usage,
        ExitCode::Bug,
        ExitCode::Locked,
        ExitCode::PlanWrong,
        ExitCode::Interrupted,
        ExitCode::Terminated,
    ];

    /// The number itself.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// What the number means, in the words of the README's table.
    pub fn meaning(self) -> &'static str {
        match self {
            ExitCode::Passed => "every drill passed",
            ExitCode::Failed => "at least one drill failed",
            ExitCode::Inconclusive => "none failed, at least one was inconclusive",
            ExitCode::Degraded => {
                "all passed, but evidence was not stored, scratch was left, or a self-test went undetected"
            }
            ExitCode::Usage => "wrong usage of the command line",
            ExitCode::Bug => "a bug of firedrill, or evidence of somebody else where ours should be",
            ExitCode::Locked => "another run holds the lock",
            ExitCode::PlanWrong => "the plan is wrong, or there is none",
            ExitCode::Interrupted => "interrupted (SIGINT), cleaned up",
            ExitCode::Terminated => "stopped (SIGTERM), cleaned up",
        }
    }

    /// The code of a run: a bug outweighs a failure, a failure what could not be told, and
    /// that a blemish around drills that passed. A run without any drill proved nothing.
    pub fn of_run(verdicts: &[Verdict], bug: bool, degraded: bool) -> ExitCode {
        match verdicts.iter().max() {
            _ if bug => ExitCode::Bug,
            Some(Verdict::Fail) => ExitCode::Failed,
            Some(Verdict::Inconclusive) | None => ExitCode::Inconclusive,
            Some(Verdict::Pass) if degraded => ExitCode::Degraded,
            Some(Verdict::Pass) => ExitCode::Passed,
        }
    }
}

impl Termination for ExitCode {
    fn report(self) -> std::process::ExitCode {
        std::process::ExitCode::from(self.number())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Verdict::{Fail, Inconclusive, Pass};

    #[test]
    fn a_bug_outweighs_a_failure_and_a_failure_what_could_not_be_told() {
        let table: &[(&[Verdict], bool, bool, ExitCode)] = &[
            (&[Pass, Pass], false, false, ExitCode::Passed),
            (&[Pass, Pass], false, true, ExitCode::Degraded),
            (&[Pass, Inconclusive], false, false, ExitCode::Inconclusive),
            (&[Pass, Inconclusive], false, true, ExitCode::Inconclusive),
            (&[Inconclusive, Fail, Pass], false, false, ExitCode::Failed),
            (&[Fail], false, true, ExitCode::Failed),
            (&[Fail], true, true, ExitCode::Bug),
            (&[Pass], true, false, ExitCode::Bug),
        ];
        for (verdicts, bug, degraded, expected) in table {
            assert_eq!(
                ExitCode::of_run(verdicts, *bug, *degraded),
                *expected,
                "{verdicts:?} {bug} {degraded}"
            );
        }
    }

    #[test]
    fn a_run_without_a_drill_is_no_pass() {
        assert_eq!(ExitCode::of_run(&[], false, false), ExitCode::Inconclusive);
    }

    #[test]
    fn the_numbers_are_those_that_were_published() {
        let numbers: Vec<u8> = ExitCode::ALL.iter().map(|code| code.number()).collect();
        assert_eq!(numbers, [0, 1, 2, 3, 64, 70, 75, 78, 130, 143]);
    }

    #[test]
    fn the_readme_holds_the_same_table() {
        let readme = include_str!("../README.md");
        for code in ExitCode::ALL {
            let row = format!("| {} | {} |", code.number(), code.meaning());
            assert!(readme.contains(&row), "the README lacks: {row}");
        }
    }
}
