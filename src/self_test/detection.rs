//! What a drill says of something damaged, and does not say of the intact thing.

use std::collections::BTreeSet;

use crate::record::{CheckOutcome, Record, WarningCode};
use crate::verdict::{Code, Reason};

/// What turned red, and what only changed colour.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Detection {
    /// Codes of the reasons of everything but the plan's checks: the proofs, the codec, the
    /// digests.
    pub codes: Vec<Code>,
    /// The plan's checks that failed or could no longer be put, by their names.
    pub checks: Vec<String>,
    /// Warnings that were not there before; they turn nothing red.
    pub warnings: Vec<WarningCode>,
}

impl Detection {
    /// Whether anything turned red.
    pub fn is_red(&self) -> bool {
        !self.codes.is_empty() || !self.checks.is_empty()
    }
}

/// Compares the records of something intact and of the same thing damaged, both judged.
///
/// # Errors
/// Why the damaged one was not looked at to the end, where that has nothing to do with the
/// damage.
pub fn detection(intact: &Record, damaged: &Record) -> Result<Detection, Reason> {
    if let Some(halt) = damaged.halt.as_ref().filter(|halt| is_of_the_surroundings(halt.code.0)) {
        return Err(halt.reason());
    }
    let mut codes = Vec::new();
    for code in damaged.verdict.reason_codes.iter().map(|code| code.0) {
        if !is_of_the_hour(code) && !is_of_checks(code) && !codes.contains(&code) {
            codes.push(code);
        }
    }
    let before = red_checks(intact);
    let warned: Vec<WarningCode> = intact.verdict.warnings.iter().map(|warning| warning.code).collect();
    let mut warnings: Vec<WarningCode> =
        damaged.verdict.warnings.iter().map(|warning| warning.code).collect();
    warnings.retain(|code| !warned.contains(code));
    warnings.dedup();
    Ok(Detection {
        codes,
        checks: red_checks(damaged).difference(&before).map(|name| (*name).to_owned()).collect(),
        warnings,
    })
}

fn red_checks(record: &Record) -> BTreeSet<&str> {
    let red = |outcome| matches!(outcome, CheckOutcome::Fail | CheckOutcome::Error);
    let checks = record.checks.iter().flat_map(|checks| &checks.items);
    checks.filter(|check| red(check.outcome)).map(|check| check.name.as_str()).collect()
}

/// What a later or a slower drill of the same backup may say.
fn is_of_the_hour(code: Code) -> bool {
    matches!(code, Code::RtoMissed | Code::RpoMissed | Code::BackupStale)
}

/// What is told by the names of checks.
fn is_of_checks(code: Code) -> bool {
    matches!(code, Code::CheckFailed | Code::CheckErrored)
}

/// What stops a drill of an intact backup, too.
pub fn is_of_the_surroundings(code: Code) -> bool {
    matches!(
        code,
        Code::ListUnavailable
            | Code::ListIncomplete
            | Code::AccessDenied
            | Code::Credentials
            | Code::ClockUntrusted
            | Code::SourceUnstable
            | Code::TransportUnreliable
            | Code::StoreUnavailable
            | Code::ScratchUnavailable
            | Code::IsolationUnavailable
            | Code::ExtensionMissing
            | Code::ScratchCrashed
            | Code::ScratchOutOfMemory
            | Code::ScratchDiskFull
            | Code::WrongDatabase
            | Code::Deadline
            | Code::Stalled
            | Code::Interrupted
            | Code::Internal
    )
}
