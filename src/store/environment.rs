//! Where a store's secrets are looked up.

use std::collections::BTreeMap;
use std::fmt;

/// The variables that secrets come from. Shows names, never values.
#[derive(Clone, Default)]
pub enum Environment {
    /// The process's own environment, and for S3 the whole default credential chain:
    /// variables, shared files, web identity, container, instance.
    #[default]
    Process,
    /// These variables and nothing else. For S3: `AWS_ACCESS_KEY_ID`,
    /// `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`, `AWS_REGION`.
    Given(BTreeMap<String, String>),
}

impl Environment {
    /// An environment that holds just these variables.
    pub fn given<K: Into<String>, V: Into<String>>(
        variables: impl IntoIterator<Item = (K, V)>,
    ) -> Environment {
        Environment::Given(variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }

    /// The value of a variable; `None` where it is unset, empty or not UTF-8.
    pub(super) fn value(&self, name: &str) -> Option<String> {
        let value = match self {
            Environment::Process => std::env::var(name).ok(),
            Environment::Given(variables) => variables.get(name).cloned(),
        };
        value.filter(|value| !value.is_empty())
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Environment::Process => f.write_str("Process"),
            Environment::Given(variables) => f.debug_set().entries(variables.keys()).finish(),
        }
    }
}
