//! The GRANTs and REVOKEs of an entry against what is granted.

use std::collections::{BTreeMap, BTreeSet};

use crate::proof::canonical::tokens;

/// What the statements of an entry leave a role with.
#[derive(Default)]
struct Given {
    /// Everything that can be granted on such an object.
    all: bool,
    /// Privileges by name, with a `*` where they may be passed on.
    some: BTreeSet<String>,
}

/// Whether each role that the statements name has what they leave it with: `granted` is what the
/// inventory says, `role=PRIVILEGE,…`.
pub(super) fn are_as_said(statements: &str, granted: &str) -> bool {
    let mut had: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for grant in granted.split(',').filter(|grant| !grant.is_empty()) {
        if let Some((role, privilege)) = grant.rsplit_once('=') {
            had.entry(tokens(role).concat()).or_default().insert(privilege.to_owned());
        }
    }
    said(statements).iter().all(|(role, given)| {
        let none = BTreeSet::new();
        let had = had.get(role).unwrap_or(&none);
        // MAINTAIN came with a later version; before it nobody could grant it by name.
        if given.all { !had.is_empty() } else { without_maintain(had) == without_maintain(&given.some) }
    })
}

fn without_maintain(privileges: &BTreeSet<String>) -> BTreeSet<&String> {
    privileges.iter().filter(|privilege| !privilege.starts_with("MAINTAIN")).collect()
}

fn said(statements: &str) -> BTreeMap<String, Given> {
    let mut said: BTreeMap<String, Given> = BTreeMap::new();
    let words = tokens(statements);
    for statement in words.split(|word| word == ";") {
        let (Some(verb), Some(on)) = (statement.first(), statement.iter().position(|word| word == "ON"))
        else {
            continue;
        };
        let Some(to) = statement.iter().rposition(|word| word == "TO" || word == "FROM") else { continue };
        let Some(role) = statement.get(to + 1) else { continue };
        let role = if role == "PUBLIC" { "-".to_owned() } else { role.clone() };
        let star = if statement.ends_with(&["WITH", "GRANT", "OPTION"].map(String::from)) { "*" } else { "" };
        let given = said.entry(role).or_default();
        let privileges = statement.get(1..on).unwrap_or_default().split(|word| word == ",");
        for privilege in privileges.filter_map(|words| words.first()) {
            match (verb.as_str(), privilege.as_str()) {
                ("REVOKE", "ALL") => *given = Given::default(),
                ("REVOKE", name) => given.some.retain(|had| had.trim_end_matches('*') != name),
                ("GRANT", "ALL") => given.all = true,
                ("GRANT", name) => _ = given.some.insert(format!("{name}{star}")),
                _ => {}
            }
        }
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_granted_is_what_the_statements_leave() {
        let statements = "REVOKE ALL ON FUNCTION app.f(integer) FROM PUBLIC;\nGRANT SELECT,INSERT ON TABLE app.t TO reader;\n\
                          GRANT UPDATE(a) ON TABLE app.t TO \"Odd Role\" WITH GRANT OPTION;\nGRANT ALL ON TABLE app.t TO boss;";
        let table = [
            ("reader=INSERT,reader=SELECT,\"Odd Role\"=UPDATE*,boss=SELECT", true),
            ("reader=INSERT,reader=SELECT,\"Odd Role\"=UPDATE*,boss=SELECT,other=SELECT", true),
            ("reader=SELECT,\"Odd Role\"=UPDATE*,boss=SELECT", false),
            ("reader=INSERT,reader=SELECT,reader=DELETE,\"Odd Role\"=UPDATE*,boss=SELECT", false),
            ("reader=INSERT,reader=SELECT,\"Odd Role\"=UPDATE,boss=SELECT", false),
            ("reader=INSERT,reader=SELECT,\"Odd Role\"=UPDATE*", false),
            ("reader=INSERT,reader=SELECT,\"Odd Role\"=UPDATE*,boss=SELECT,-=EXECUTE", false),
        ];
        for (granted, right) in table {
            assert_eq!(are_as_said(statements, granted), right, "{granted}");
        }
    }
}
