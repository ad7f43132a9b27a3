//! What a statement is about, as far as somebody must know: names of tables, settings.

use crate::archive::sql::{Malformed, Scanner, Token};

/// Schema, where it is told, and name; unquoted.
pub(super) type Name = (Option<String>, String);

/// A setting that a statement makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Setting {
    /// `SET name = value;`, one value.
    Set { name: String, value: String },
    /// The search path is emptied.
    NoSearchPath,
    /// `SET search_path = …`, as dumps before 10.3 do for every entry.
    SearchPath,
}

/// What a statement that is no part of an entry sets; None if it sets nothing.
pub(super) fn setting(statement: &str) -> Option<Setting> {
    const EMPTY_PATH: &str = "SELECT pg_catalog.set_config('search_path', '', false);";
    if statement == EMPTY_PATH {
        return Some(Setting::NoSearchPath);
    }
    let mut scanner = Scanner::new(statement);
    scanner.words(&["SET"]).ok()?;
    let name = scanner.identifier().ok()?;
    if name == "search_path" {
        return Some(Setting::SearchPath);
    }
    scanner.symbol('=').ok()?;
    let value = match scanner.next().ok()?? {
        Token::Literal(value) | Token::Word(value) | Token::Quoted(value) | Token::Number(value) => value,
        Token::Symbol(_) => return None,
    };
    scanner.symbol(';').ok()?;
    scanner.end().ok()?;
    Some(Setting::Set { name, value })
}

/// The thing that a CREATE statement makes, for those kinds whose name stands behind them.
pub(super) fn created(kind: &str, statement: &str) -> Option<Name> {
    let mut scanner = Scanner::new(statement);
    scanner.words(&["CREATE"]).ok()?;
    if scanner.took_word("OR").ok()? {
        scanner.words(&["REPLACE"]).ok()?;
    }
    for word in ["UNLOGGED", "RECURSIVE"] {
        scanner.took_word(word).ok()?;
    }
    if kind == "INDEX" {
        scanner.took_word("UNIQUE").ok()?;
    }
    for word in kind.split(' ') {
        scanner.words(&[word]).ok()?;
    }
    scanner.qualified_name().ok()
}

/// The tables that an ALTER TABLE or CREATE INDEX is about: its own, and the other one that it
/// refers to or attaches. Empty if it is another statement.
pub(super) fn tables(statement: &str) -> Vec<Name> {
    let Some(own) = altered(statement).or_else(|| indexed(statement)) else { return Vec::new() };
    let other = [" REFERENCES ", " ATTACH PARTITION "].into_iter().find_map(|words| {
        let (_, rest) = statement.rsplit_once(words)?;
        Scanner::new(rest).qualified_name().ok()
    });
    std::iter::once(own).chain(other).collect()
}

fn altered(statement: &str) -> Option<Name> {
    let mut scanner = Scanner::new(statement);
    scanner.words(&["ALTER", "TABLE"]).ok()?;
    scanner.took_word("ONLY").ok()?;
    scanner.qualified_name().ok()
}

fn indexed(statement: &str) -> Option<Name> {
    let mut scanner = Scanner::new(statement);
    scanner.words(&["CREATE"]).ok()?;
    scanner.took_word("UNIQUE").ok()?;
    scanner.words(&["INDEX"]).ok()?;
    scanner.identifier().ok()?;
    scanner.words(&["ON"]).ok()?;
    scanner.took_word("ONLY").ok()?;
    scanner.qualified_name().ok()
}

/// The table that an INSERT of pg_dump fills, and the part of the statement that names it.
pub(super) fn inserted(statement: &str) -> Option<(Name, &str)> {
    let mut scanner = Scanner::new(statement);
    scanner.words(&["INSERT", "INTO"]).ok()?;
    let name = scanner.qualified_name().ok()?;
    let length = statement.len() - scanner.rest().len();
    Some((name, statement.get(..length)?))
}

/// The sequence that a `SELECT pg_catalog.setval('…', …);` sets.
pub(super) fn sequence_set(statement: &str) -> Option<Name> {
    let mut scanner = Scanner::new(statement);
    scanner.words(&["SELECT", "pg_catalog"]).ok()?;
    scanner.symbol('.').ok()?;
    scanner.words(&["setval"]).ok()?;
    scanner.symbol('(').ok()?;
    let Token::Literal(name) = scanner.next().ok()?? else { return None };
    let mut scanner = Scanner::new(&name);
    let name = scanner.qualified_name().ok()?;
    scanner.end().ok()?;
    Some(name)
}

/// `ALTER what OWNER TO role;`: what, as it stands there, and the role.
pub(super) fn handed_over(statement: &str) -> Option<(&str, String)> {
    let what = statement.strip_prefix("ALTER ")?;
    let (what, role) = what.rsplit_once(" OWNER TO ")?;
    let mut scanner = Scanner::new(role);
    let role = scanner.identifier().ok()?;
    scanner.symbol(';').ok()?;
    scanner.end().ok()?;
    Some((what, role))
}

/// The database of `\connect name`, or of `\connect -reuse-previous=on "dbname='name'"`.
pub(super) fn connected(command: &str) -> Option<String> {
    let argument = command.strip_prefix("\\connect ")?;
    let (argument, complex) = match argument.strip_prefix("-reuse-previous=on ") {
        Some(rest) => (rest, true),
        None => (argument, false),
    };
    let name = quoted_argument(argument)?;
    if !complex {
        return Some(name);
    }
    let value = name.strip_prefix("dbname='")?.strip_suffix('\'')?;
    let mut database = String::new();
    let mut characters = value.chars();
    while let Some(c) = characters.next() {
        database.push(if c == '\\' { characters.next()? } else { c });
    }
    Some(database)
}

/// An argument as pg_dump writes it for psql: bare, or in double quotes that are doubled inside.
fn quoted_argument(argument: &str) -> Option<String> {
    let mut scanner = Scanner::new(argument);
    let name = match scanner.next() {
        Ok(Some(Token::Word(name) | Token::Quoted(name))) => name,
        _ => return None,
    };
    scanner.end().map_err(|Malformed| ()).ok()?;
    Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(schema: &str, name: &str) -> Name {
        (Some(schema.into()), name.into())
    }

    #[test]
    fn settings_are_told_from_other_statements() {
        let set = |name: &str, value: &str| Some(Setting::Set { name: name.into(), value: value.into() });
        assert_eq!(setting("SET statement_timeout = 0;"), set("statement_timeout", "0"));
        assert_eq!(setting("SET client_encoding = 'UTF8';"), set("client_encoding", "UTF8"));
        assert_eq!(
            setting("SET default_table_access_method = heap;"),
            set("default_table_access_method", "heap")
        );
        assert_eq!(
            setting("SELECT pg_catalog.set_config('search_path', '', false);"),
            Some(Setting::NoSearchPath)
        );
        assert_eq!(setting("SET search_path = app, pg_catalog;"), Some(Setting::SearchPath));
        for other in
            ["SELECT 1;", "SET x = 1; DROP TABLE t;", "SET SESSION AUTHORIZATION 'me';", "SET x = (1);"]
        {
            assert_eq!(setting(other), None, "{other}");
        }
    }

    #[test]
    fn tables_are_found_in_what_is_built_on_them() {
        let table = [
            ("ALTER TABLE ONLY app.big\n    ADD CONSTRAINT p PRIMARY KEY (id);", vec![name("app", "big")]),
            ("CREATE UNIQUE INDEX i ON ONLY app.\"B g\" USING btree (a);", vec![name("app", "B g")]),
            (
                "ALTER TABLE ONLY app.a\n    ADD CONSTRAINT f FOREIGN KEY (b) REFERENCES app.b(id);",
                vec![name("app", "a"), name("app", "b")],
            ),
            (
                "ALTER TABLE ONLY app.p ATTACH PARTITION app.c FOR VALUES IN (1);",
                vec![name("app", "p"), name("app", "c")],
            ),
            ("CREATE TRIGGER t AFTER INSERT ON app.b FOR EACH ROW EXECUTE FUNCTION f();", vec![]),
        ];
        for (statement, expected) in table {
            assert_eq!(tables(statement), expected, "{statement}");
        }
    }

    #[test]
    fn names_are_read_where_they_stand() {
        assert_eq!(created("TABLE", "CREATE UNLOGGED TABLE app.\"a\nb\" (\n);"), Some(name("app", "a\nb")));
        assert_eq!(created("MATERIALIZED VIEW", "CREATE MATERIALIZED VIEW app.m AS"), Some(name("app", "m")));
        assert_eq!(created("INDEX", "CREATE UNIQUE INDEX i ON t (a);"), Some((None, "i".into())));
        assert_eq!(created("TABLE", "CREATE VIEW app.v AS"), None);
        assert_eq!(
            sequence_set("SELECT pg_catalog.setval('app.\"s''q\"', 1, true);"),
            Some(name("app", "s'q"))
        );
        assert_eq!(handed_over("ALTER TABLE app.t OWNER TO \"a b\";"), Some(("TABLE app.t", "a b".into())));
        let (target, text) = inserted("INSERT INTO app.t VALUES ('x', 1);").unwrap();
        assert_eq!((target, text), (name("app", "t"), "INSERT INTO app.t"));
    }

    #[test]
    fn the_database_of_a_connect_is_read_in_every_form() {
        let table = [
            ("\\connect fx", Some("fx")),
            ("\\connect \"a b\"", Some("a b")),
            ("\\connect -reuse-previous=on \"dbname='a=b'\"", Some("a=b")),
            ("\\connect -reuse-previous=on \"dbname='it\\'s'\"", Some("it's")),
            ("\\connect fx other", None),
            ("\\connect", None),
            ("\\connect -reuse-previous=on \"host='evil'\"", None),
        ];
        for (command, expected) in table {
            assert_eq!(connected(command).as_deref(), expected, "{command}");
        }
    }
}
