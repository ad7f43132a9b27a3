//! What stands against a pass, as the obligations find it.

use crate::verdict::{Code, Reason};

/// What stands against a pass.
#[derive(Default)]
pub(in crate::judge) struct Findings {
    wrong: Vec<Reason>,
    missing: Vec<&'static str>,
}

impl Findings {
    /// Something is known to be wrong.
    pub(in crate::judge) fn wrong(self) -> Vec<Reason> {
        self.wrong
    }

    /// The same, and one reason for all that was not measured.
    pub(in crate::judge) fn wrong_or_missing(mut self) -> Vec<Reason> {
        if !self.missing.is_empty() {
            let detail = format!("not measured: {}", self.missing.join(", "));
            self.wrong.push(Reason::new(Code::NotMeasured, detail, ""));
        }
        self.wrong
    }

    /// Notes something wrong.
    pub(in crate::judge) fn add(&mut self, code: Code, detail: impl Into<String>, remedy: &str) {
        self.wrong.push(Reason::new(code, detail, remedy));
    }

    /// Notes that figures contradict each other, unless they `agree`.
    pub(in crate::judge) fn must_agree(&mut self, agree: bool, figures: &str) {
        if !agree {
            let detail = format!("the record contradicts itself: {figures}");
            self.add(Code::RecordInconsistent, detail, "report this as a bug of firedrill, with the record");
        }
    }

    /// The value, or a note that it is missing.
    pub(in crate::judge) fn measured<T>(&mut self, value: Option<T>, name: &'static str) -> Option<T> {
        if value.is_none() && !self.missing.contains(&name) {
            self.missing.push(name);
        }
        value
    }
}
