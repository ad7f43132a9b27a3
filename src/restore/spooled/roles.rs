//! The roles that an archive names: `pg_restore` does not make those that are missing.

use std::collections::BTreeSet;

use crate::archive::Toc;

/// Words behind which a role stands, in the statements that pg_dump writes about roles.
const BEFORE_A_ROLE: [&[&str]; 6] = [
    &["TO"],
    &["FROM"],
    &["FOR", "ROLE"],
    &["FOR", "USER"],
    &["SESSION", "AUTHORIZATION"],
    &["GRANTED", "BY"],
];

/// Words that stand where a role could.
const NO_ROLES: [&str; 5] = ["PUBLIC", "CURRENT_USER", "SESSION_USER", "CURRENT_ROLE", "DEFAULT"];

/// Owners and grantees, and the roles of policies and user mappings. One too many does no harm: it
/// can't log in and may nothing.
pub fn named(toc: &Toc) -> BTreeSet<String> {
    let mut roles = toc.owners();
    for entry in &toc.entries {
        match entry.kind.as_str() {
            "ACL" | "ACL LANGUAGE" | "DEFAULT ACL" => roles.extend(in_statements(&entry.definition)),
            // What stands behind its roles is an expression, with a FROM of another meaning.
            "POLICY" => roles.extend(in_statements(before_expression(&entry.definition))),
            "USER MAPPING" => {
                let words = words(&entry.definition);
                let after = words.iter().position(|word| word.is("FOR")).map(|at| at + 1);
                roles.extend(after.and_then(|at| words.get(at)).and_then(Word::role));
            }
            _ => {}
        }
    }
    roles
}

fn before_expression(definition: &str) -> &str {
    let ends = [" USING (", " WITH CHECK ("].into_iter().filter_map(|word| definition.find(word));
    ends.min().and_then(|end| definition.get(..end)).unwrap_or(definition)
}

fn in_statements(sql: &str) -> BTreeSet<String> {
    let words = words(sql);
    let mut roles = BTreeSet::new();
    for at in 0..words.len() {
        let behind = |pattern: &&&[&str]| {
            let here = words.get(at..).unwrap_or_default();
            here.len() > pattern.len() && pattern.iter().zip(here).all(|(word, here)| here.is(word))
        };
        let Some(pattern) = BEFORE_A_ROLE.iter().find(behind) else { continue };
        let mut next = at + pattern.len();
        loop {
            roles.extend(words.get(next).and_then(Word::role));
            if !words.get(next + 1).is_some_and(|word| word.is(",")) {
                break;
            }
            next += 2;
        }
    }
    roles
}

/// A word of a statement.
#[derive(Debug, PartialEq, Eq)]
enum Word {
    Plain(String),
    Quoted(String),
}

impl Word {
    fn is(&self, keyword: &str) -> bool {
        matches!(self, Word::Plain(word) if word.eq_ignore_ascii_case(keyword))
    }

    fn role(&self) -> Option<String> {
        match self {
            Word::Quoted(name) => Some(name.clone()),
            Word::Plain(word) if NO_ROLES.iter().any(|none| word.eq_ignore_ascii_case(none)) => None,
            Word::Plain(word) if word.starts_with(|first: char| first.is_alphabetic() || first == '_') => {
                Some(word.to_lowercase())
            }
            Word::Plain(_) => None,
        }
    }
}

/// Identifiers and words as they stand, and each other sign on its own.
fn words(sql: &str) -> Vec<Word> {
    let mut words = Vec::new();
    let mut signs = sql.chars().peekable();
    while let Some(sign) = signs.next() {
        if sign == '"' {
            let mut name = String::new();
            while let Some(inside) = signs.next() {
                if inside == '"' && signs.next_if_eq(&'"').is_none() {
                    break;
                }
                name.push(inside);
            }
            words.push(Word::Quoted(name));
        } else if is_of_word(sign) {
            let mut word = String::from(sign);
            while let Some(next) = signs.next_if(|next| is_of_word(*next)) {
                word.push(next);
            }
            words.push(Word::Plain(word));
        } else if !sign.is_whitespace() {
            words.push(Word::Plain(sign.into()));
        }
    }
    words
}

fn is_of_word(sign: char) -> bool {
    sign.is_alphanumeric() || sign == '_' || sign == '$'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_found_where_pg_dump_writes_them() {
        let table: [(&str, &[&str]); 7] = [
            ("REVOKE ALL ON SCHEMA public FROM PUBLIC;\nGRANT ALL ON SCHEMA public TO alice;", &["alice"]),
            ("GRANT SELECT ON TABLE \"a TO b\".t TO \"Bob \"\"B\"\"\" WITH GRANT OPTION;", &["Bob \"B\""]),
            (
                "SET SESSION AUTHORIZATION bob;\nGRANT SELECT ON TABLE t TO carol;\nRESET SESSION AUTHORIZATION;",
                &["bob", "carol"],
            ),
            (
                "ALTER DEFAULT PRIVILEGES FOR ROLE dave IN SCHEMA s GRANT SELECT ON TABLES TO erin;",
                &["dave", "erin"],
            ),
            ("GRANT SELECT ON TABLE t TO a, b, PUBLIC;", &["a", "b"]),
            ("GRANT a TO b GRANTED BY c", &["b", "c"]),
            ("GRANT", &[]),
        ];
        for (sql, roles) in table {
            let found = in_statements(sql);
            assert_eq!(found.iter().map(String::as_str).collect::<Vec<_>>(), roles, "{sql}");
        }
    }

    #[test]
    fn the_expression_of_a_policy_names_no_roles() {
        let policy = "CREATE POLICY p ON t TO alice USING ((EXISTS ( SELECT 1 FROM other)));";
        assert_eq!(in_statements(before_expression(policy)), BTreeSet::from(["alice".to_owned()]));
    }
}
