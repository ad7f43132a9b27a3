//! The judge: one pure function over the finished record.

use crate::record::{ReasonCode, ReasonLine, Record, Ruling, VerdictWord, WarningLine};
use crate::verdict::{Code, Reason, Verdict};

/// What the judge says of a record. Nobody else can make one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    verdict: Verdict,
    reasons: Vec<Reason>,
    warnings: Vec<WarningLine>,
    statement: String,
}

impl Judgement {
    /// The verdict.
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// Why it is not a pass; empty for a pass.
    pub fn reasons(&self) -> &[Reason] {
        &self.reasons
    }

    /// What should be known beside it.
    pub fn warnings(&self) -> &[WarningLine] {
        &self.warnings
    }

    /// The drill in one plain sentence.
    pub fn statement(&self) -> &str {
        &self.statement
    }

    /// The judgement as it stands in a record.
    pub fn ruling(&self) -> Ruling {
        Ruling {
            result: VerdictWord(self.verdict),
            reason_codes: self.reasons.iter().map(|reason| ReasonCode(reason.code)).collect(),
            reasons: self.reasons.iter().map(ReasonLine::from).collect(),
            warnings: self.warnings.clone(),
            statement: self.statement.clone(),
        }
    }
}

/// Judges the record as it stands. What it says of itself (`verdict`, `limitations`) is not
/// looked at.
pub fn judge(_record: &Record) -> Judgement {
    Judgement {
        verdict: Verdict::Inconclusive,
        reasons: vec![Reason::new(Code::NotEvaluated, "nothing has been judged yet", "")],
        warnings: Vec::new(),
        statement: String::new(),
    }
}

/// Judges the record, and writes the ruling and the limitations into it.
pub fn pronounce(record: &mut Record) -> Judgement {
    let judgement = judge(record);
    record.verdict = judgement.ruling();
    record.limitations = crate::record::limitations(record);
    judgement
}
