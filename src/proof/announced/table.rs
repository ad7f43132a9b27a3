//! The lines of a CREATE TABLE as `pg_dump` writes it.

use crate::proof::announced::Fault;
use crate::proof::canonical::{begins, canonical, tokens};

/// One line between the outer parentheses.
pub(super) struct Element<'a> {
    /// As it stands there.
    pub text: &'a str,
    /// What it is.
    pub part: Part,
}

/// What a line is.
pub(super) enum Part {
    /// A column, by its name without quotes.
    Column {
        /// Its name.
        name: String,
        /// Whether its default stands beside it.
        has_default: bool,
    },
    /// A check that has a name, without quotes.
    Check(String),
    /// Something else.
    Other,
}

/// The lines of the first statement; none if it is no `CREATE TABLE … (`.
pub(super) fn elements(definition: &str) -> Vec<Element<'_>> {
    let is_table = ["CREATE TABLE ", "CREATE UNLOGGED TABLE ", "CREATE FOREIGN TABLE "]
        .iter()
        .any(|begin| definition.starts_with(begin));
    // Before 12 a partition was made in one, with its bounds between parentheses.
    let head = definition.split('(').next().unwrap_or_default();
    let is_table = is_table && !head.contains(" PARTITION OF ") && !head.contains("\nPARTITION OF ");
    if is_table { split(definition).into_iter().map(Element::new).collect() } else { Vec::new() }
}

impl<'a> Element<'a> {
    fn new(text: &'a str) -> Element<'a> {
        let words = tokens(text);
        let word = |at: usize| words.get(at).map_or("", String::as_str);
        let part = match word(0) {
            "" | "LIKE" => Part::Other,
            "CONSTRAINT" if word(2) == "CHECK" => Part::Check(unquoted(word(1))),
            "CONSTRAINT" | "NOT" => Part::Other,
            name => Part::Column {
                name: unquoted(name),
                has_default: words.iter().any(|word| word == "DEFAULT")
                    && !words.iter().any(|word| word == "OPTIONS"),
            },
        };
        Element { text, part }
    }
}

/// The text between the first parenthesis and its counterpart, cut at the commas between.
fn split(definition: &str) -> Vec<&str> {
    let (mut depth, mut quote, mut from) = (0_u32, None, None);
    let mut parts = Vec::new();
    for (at, c) in definition.char_indices() {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '(' | '[') => {
                depth += 1;
                from = from.or(Some(at + 1));
            }
            (None, ')' | ']') if depth > 1 => depth -= 1,
            (None, ')' | ']' | ',') if depth == 1 => {
                parts.extend(from.and_then(|from| definition.get(from..at)));
                from = Some(at + 1);
                if c != ',' {
                    return parts;
                }
            }
            // A table of a type, or a partition that takes its columns from its parent.
            (None, ';') if depth == 0 => return parts,
            (None, _) => {}
        }
    }
    parts
}

/// The first column of the statement that the restored table does not have so; `columns` are its
/// own, as the inventory writes them. Types are looked at where `definitions` can be compared.
/// That a column is missing is only certain where there are fewer than announced.
pub(super) fn other_column(definition: &str, columns: &str, definitions: bool) -> Option<Fault> {
    let columns: Vec<(String, &str)> = columns.split('\u{1f}').map(|text| (name_of(text), text)).collect();
    let elements = elements(definition);
    let announced = elements.iter().filter(|element| matches!(element.part, Part::Column { .. })).count();
    elements.into_iter().find_map(|element| {
        let Part::Column { name, .. } = &element.part else { return None };
        let same = columns.iter().find(|(other, _)| other == name).is_some_and(|(_, column)| {
            let whole = column.split(" IDENTITY ").next().unwrap_or_default();
            let whole = whole.split(" GENERATED ").next().unwrap_or_default();
            let typed = whole.strip_suffix(" NOT NULL").unwrap_or(whole);
            let nulls = typed.len() < whole.len() || !refuses_null(element.text);
            nulls && (!definitions || is_of_type(element.text, typed))
        });
        let is_there = columns.iter().any(|(other, _)| other == name);
        let missing = !is_there && columns.len() < announced;
        (!same).then(|| if missing { Fault::Column(name.clone()) } else { Fault::Typed(name.clone()) })
    })
}

/// Whether the line gives the column its type, `name type … COLLATE x`. In a table of a type it
/// does not.
fn is_of_type(element: &str, typed: &str) -> bool {
    let (plain, collation) = typed.split_once(" COLLATE ").unwrap_or((typed, ""));
    let of_type = match tokens(element).get(1) {
        Some(word) => ["NOT", "DEFAULT", "COLLATE", "CONSTRAINT", "WITH"].contains(&word.as_str()),
        None => true,
    };
    let collated =
        collation.is_empty() || canonical(element).contains(&canonical(&format!("COLLATE {collation}")));
    of_type || begins(element, plain) && collated
}

fn refuses_null(element: &str) -> bool {
    let words = canonical(element);
    let ends = |end: &str| words.ends_with(&canonical(end));
    (ends("NOT NULL") || ends("NOT NULL NO INHERIT")) && !ends("IS NOT NULL")
}

fn name_of(column: &str) -> String {
    tokens(column).first().map(|name| unquoted(name)).unwrap_or_default()
}

fn unquoted(name: &str) -> String {
    match name.strip_prefix('"').and_then(|name| name.strip_suffix('"')) {
        Some(inner) => inner.replace("\"\"", "\""),
        None => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "CREATE TABLE app.\"a(b\" (\n    id bigint NOT NULL,\n    \"x, y\" numeric(10,2) DEFAULT '1,)'::numeric,\n    \
                         s text COLLATE pg_catalog.\"C\",\n    CONSTRAINT \"odd name\" CHECK ((id > 0))\n)\nPARTITION BY RANGE (id);\n\
                         ALTER TABLE ONLY app.t ALTER COLUMN id SET STATISTICS 10;";
    const COLUMNS: &str =
        "id bigint NOT NULL\u{1f}\"x, y\" numeric(10,2)\u{1f}s text COLLATE pg_catalog.\"C\"";

    #[test]
    fn a_table_is_cut_into_its_columns_and_checks() {
        let read: Vec<String> = elements(TABLE)
            .into_iter()
            .map(|element| match element.part {
                Part::Column { name, has_default } => format!("{name} {has_default}"),
                Part::Check(name) => format!("check {name}"),
                Part::Other => "other".into(),
            })
            .collect();
        assert_eq!(read, ["id false", "x, y true", "s false", "check odd name"]);
        assert!(elements("CREATE VIEW v AS SELECT (1, 2)").is_empty());
        assert!(elements("CREATE TABLE t OF app.pair;").is_empty());
        assert!(elements("CREATE TABLE t (").is_empty());
    }

    #[test]
    fn a_column_that_is_missing_or_other_is_named() {
        assert_eq!(other_column(TABLE, COLUMNS, true), None);
        let changes = [
            ("id bigint", "id integer", "id"),
            ("\"x, y\"", "xy", "x, y"),
            (" NOT NULL", "", "id"),
            ("(10,2)", "(10,3)", "x, y"),
        ];
        for (what, other, name) in changes {
            let fault = other_column(TABLE, &COLUMNS.replace(what, other), true);
            assert_eq!(fault, Some(Fault::Typed(name.into())));
        }
        let fewer = COLUMNS.replace("id bigint NOT NULL\u{1f}", "");
        assert_eq!(other_column(TABLE, &fewer, true), Some(Fault::Column("id".into())));
    }
}
