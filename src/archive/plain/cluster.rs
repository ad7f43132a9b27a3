//! What pg_dumpall writes before the databases: roles, their memberships, tablespaces.

use crate::archive::error::Error;
use crate::archive::plain::heading::Heading;
use crate::archive::sql::Scanner;

/// The heading that a statement about the whole cluster would have. Its text is not kept:
/// passwords stand in it, and nothing of it is run in a scratch but the names of roles.
pub(super) fn global(statement: &str) -> Result<Heading, Error> {
    let heading = |kind: &str, tag: String, owner: Option<String>| Heading {
        kind: kind.into(),
        tag,
        namespace: None,
        owner,
    };
    let name = |words: &[&str]| {
        let mut scanner = Scanner::new(statement);
        scanner.words(words).ok()?;
        scanner.identifier().ok()
    };
    if let Some(role) = name(&["CREATE", "ROLE"]) {
        return Ok(heading("ROLE", role.clone(), Some(role)));
    }
    if let Some(role) = name(&["ALTER", "ROLE"]) {
        return Ok(heading("ROLE PROPERTIES", role, None));
    }
    if let Some(role) = name(&["COMMENT", "ON", "ROLE"]) {
        return Ok(heading("ROLE PROPERTIES", role, None));
    }
    for words in
        [["CREATE", "TABLESPACE"].as_slice(), &["ALTER", "TABLESPACE"], &["COMMENT", "ON", "TABLESPACE"]]
    {
        if let Some(tablespace) = name(words) {
            return Ok(heading("TABLESPACE", tablespace, None));
        }
    }
    let grants = [
        ("GRANT ", "ROLE MEMBERSHIP"),
        ("REVOKE ", "ROLE MEMBERSHIP"),
        ("SECURITY LABEL ", "ROLE PROPERTIES"),
    ];
    match grants.into_iter().find(|(beginning, _)| statement.starts_with(beginning)) {
        Some((_, kind)) if statement.contains(" ON TABLESPACE ") => {
            Ok(heading("TABLESPACE", kind.to_lowercase(), None))
        }
        Some((_, _)) if statement.contains(" ON PARAMETER ") => {
            Ok(heading("PARAMETER ACL", "parameter".into(), None))
        }
        Some((_, kind)) => Ok(heading(kind, "role".into(), None)),
        None => Err(Error::Unsafe {
            what: "a statement before its databases that pg_dumpall does not write".into(),
        }),
    }
}

/// Whether an entry of this heading is there in a database that nobody has put anything into.
pub(super) fn is_bare(kind: &str, tag: &str) -> bool {
    match kind {
        "ENCODING" | "STDSTRINGS" | "SEARCHPATH" | "DATABASE" | "DATABASE PROPERTIES" => true,
        "EXTENSION" => tag == "plpgsql",
        "COMMENT" | "ACL" | "SECURITY LABEL" => {
            tag.starts_with("DATABASE ") || matches!(tag, "EXTENSION plpgsql" | "SCHEMA public")
        }
        "SCHEMA" => tag == "public",
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_about_the_cluster_are_known_by_their_first_words() {
        let table = [
            ("CREATE ROLE \"we ird\";", Some(("ROLE", "we ird"))),
            (
                "ALTER ROLE me WITH SUPERUSER LOGIN PASSWORD 'SCRAM-SHA-256$x';",
                Some(("ROLE PROPERTIES", "me")),
            ),
            ("ALTER ROLE me SET search_path TO 'a';", Some(("ROLE PROPERTIES", "me"))),
            ("CREATE TABLESPACE ts OWNER me LOCATION '/data/ts';", Some(("TABLESPACE", "ts"))),
            ("GRANT a TO b WITH INHERIT TRUE GRANTED BY c;", Some(("ROLE MEMBERSHIP", "role"))),
            ("GRANT SET ON PARAMETER work_mem TO a;", Some(("PARAMETER ACL", "parameter"))),
            ("DROP ROLE me;", None),
            ("DO $$ BEGIN END $$;", None),
        ];
        for (statement, expected) in table {
            let heading = global(statement).ok();
            let told = heading.as_ref().map(|heading| (heading.kind.as_str(), heading.tag.as_str()));
            assert_eq!(told, expected, "{statement}");
        }
    }
}
