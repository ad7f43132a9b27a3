//! What can be wrong with evidence, and what to do about it.

use crate::evidence::error::Error;

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What.
    pub kind: FaultKind,
    /// One line that names it.
    pub detail: String,
}

/// What can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FaultKind {
    /// The file can't be read as evidence.
    Unreadable,
    /// It is not signed.
    Unsigned,
    /// No key of the auditor's has signed it, as it stands.
    NotOurs,
    /// Its name is not what its record says.
    Misnamed,
    /// Its record is of another log.
    WrongLog,
    /// It does not follow the file before it.
    ChainBroken,
    /// A place in the sequence has no file.
    PlaceMissing,
    /// A place in the sequence has two, or a drill has.
    Twice,
    /// The drill began before the one before it.
    TimeRunsBack,
    /// The judge comes to another verdict.
    VerdictDiffers,
    /// The last file is not the one that the auditor was told of.
    HeadDiffers,
    /// Records are missing, by the cadence.
    Gap,
    /// It reviews a record that is not here, or not as it stands.
    ReviewAstray,
    /// There is nothing.
    Empty,
}

impl FaultKind {
    /// The published word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            FaultKind::Unreadable => "UNREADABLE",
            FaultKind::Unsigned => "UNSIGNED",
            FaultKind::NotOurs => "SIGNED_BY_NO_GIVEN_KEY",
            FaultKind::Misnamed => "MISNAMED",
            FaultKind::WrongLog => "WRONG_LOG",
            FaultKind::ChainBroken => "CHAIN_BROKEN",
            FaultKind::PlaceMissing => "PLACE_MISSING",
            FaultKind::Twice => "TWICE",
            FaultKind::TimeRunsBack => "TIME_RUNS_BACK",
            FaultKind::VerdictDiffers => "VERDICT_DIFFERS",
            FaultKind::HeadDiffers => "HEAD_DIFFERS",
            FaultKind::Gap => "RECORDS_MISSING",
            FaultKind::ReviewAstray => "REVIEW_ASTRAY",
            FaultKind::Empty => "NOTHING_HERE",
        }
    }

    /// What to do about it.
    pub fn remedy(self) -> &'static str {
        match self {
            FaultKind::Unreadable | FaultKind::ChainBroken | FaultKind::Misnamed => {
                "take the file from another copy of the evidence; if none has it, it proves nothing"
            }
            FaultKind::Unsigned => {
                "sign: 'firedrill keygen' makes a key; --allow-unsigned takes it as it is, and proves nothing"
            }
            FaultKind::NotOurs => {
                "name every key that was ever used, from where it was published; if all are named, it is forged"
            }
            FaultKind::WrongLog => "put it back into the folder of its own service",
            FaultKind::PlaceMissing => {
                "take the missing file from another copy; for a period that begins later, name --since"
            }
            FaultKind::Twice => "see which of the two another copy has; two writers had the same log",
            FaultKind::TimeRunsBack => "see the clock of the machine that drilled",
            FaultKind::VerdictDiffers => {
                "do not believe its verdict; compare the record with another copy, and the firedrill that wrote it"
            }
            FaultKind::HeadDiffers => {
                "fetch the newest records, or ask who told the digest: the end is missing, or was rewritten"
            }
            FaultKind::Gap => "ask why no drill ran then; the next record names those that were killed",
            FaultKind::ReviewAstray => "ask the reviewer: what was reviewed is not what lies here",
            FaultKind::Empty => "see whether this is the folder of a service's evidence, and the period",
        }
    }
}

/// An error with what caused it, in one line.
pub fn with_causes(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text.push_str(&format!(": {inner}"));
        cause = inner.source();
    }
    text
}
