//! What checks were answered at the last pass.

use std::collections::HashMap;

use crate::digest::Digest;

/// The values of the last pass, each by the name of its check and the digest of its question:
/// a question that was changed has no last value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answers(HashMap<(String, Digest), String>);

impl Answers {
    /// No value at all: nothing has passed yet.
    pub fn none() -> Answers {
        Answers::default()
    }

    /// The value of a question, if it was put and answered.
    pub fn of(&self, name: &str, question: Digest) -> Option<&str> {
        self.0.get(&(name.to_owned(), question)).map(String::as_str)
    }
}

impl FromIterator<(String, Digest, String)> for Answers {
    fn from_iter<I: IntoIterator<Item = (String, Digest, String)>>(values: I) -> Answers {
        Answers(values.into_iter().map(|(name, question, value)| ((name, question), value)).collect())
    }
}
