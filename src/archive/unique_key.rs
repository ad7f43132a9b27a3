//! A primary key or a unique constraint, as far as it is nothing but that.

use crate::archive::entry::Entry;
use crate::archive::sql::{Malformed, Scanner, quoted};

/// PostgreSQL's own bound on the columns of an index.
const COLUMNS_MAX: usize = 32;

/// A key that a unique index of the default kind stands for; all names are quoted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UniqueKey {
    /// The schema of the table, and so of the index.
    pub schema: String,
    /// The table, with its schema.
    pub table: String,
    /// The constraint, and its index.
    pub name: String,
    /// Whether it is the primary key.
    pub primary: bool,
    /// The columns in the order of the key.
    pub columns: Vec<String>,
}

impl UniqueKey {
    /// The key that a `CONSTRAINT` entry makes; None for any other entry, and where it is written
    /// otherwise than pg_dump does or says anything more: nothing but speed may depend on it.
    pub fn of(entry: &Entry) -> Option<UniqueKey> {
        let text = Some(entry.definition.as_str()).filter(|_| entry.kind == "CONSTRAINT")?;
        parse(text, entry.namespace.as_deref()).ok()
    }
}

/// Reads `ALTER TABLE ONLY a ADD CONSTRAINT c PRIMARY KEY (x, y);`, which nothing may follow.
fn parse(text: &str, namespace: Option<&str>) -> Result<UniqueKey, Malformed> {
    let mut scanner = Scanner::new(text);
    scanner.words(&["ALTER", "TABLE", "ONLY"])?;
    let (schema, table) = scanner.table(namespace)?;
    let schema = quoted(&schema);
    scanner.words(&["ADD", "CONSTRAINT"])?;
    let name = quoted(&scanner.identifier()?);
    let primary = scanner.took_word("PRIMARY")?;
    scanner.words(&[if primary { "KEY" } else { "UNIQUE" }])?;
    scanner.symbol('(')?;
    let columns = scanner.identifiers(COLUMNS_MAX)?.iter().map(|column| quoted(column)).collect();
    scanner.symbol(';')?;
    scanner.end()?;
    Ok(UniqueKey { table: format!("{schema}.{}", quoted(&table)), schema, name, primary, columns })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_where_it_is_nothing_but_that() {
        let key = |schema: &str, table: &str, name: &str, primary, columns: &[&str]| UniqueKey {
            schema: schema.into(),
            table: table.into(),
            name: name.into(),
            primary,
            columns: columns.iter().map(|&column| column.to_owned()).collect(),
        };
        let cases = [
            (
                "ALTER TABLE ONLY app.line\n    ADD CONSTRAINT line_pkey PRIMARY KEY (orders, number);\n",
                key("\"app\"", "\"app\".\"line\"", "\"line_pkey\"", true, &["\"orders\"", "\"number\""]),
            ),
            (
                "ALTER TABLE ONLY \"A.b\".\"x\"\"y\"\n    ADD CONSTRAINT \"U (k)\" UNIQUE (\"B, c\", \"select\");",
                key("\"A.b\"", "\"A.b\".\"x\"\"y\"", "\"U (k)\"", false, &["\"B, c\"", "\"select\""]),
            ),
            // Archives before 1.13 leave the schema out.
            (
                "ALTER TABLE ONLY line\n    ADD CONSTRAINT k UNIQUE (a);",
                key("\"S\"", "\"S\".\"line\"", "\"k\"", false, &["\"a\""]),
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text, Some("S")), Ok(expected), "{text}");
        }
        assert_eq!(parse("ALTER TABLE ONLY line ADD CONSTRAINT k UNIQUE (a);", None), Err(Malformed));
    }

    #[test]
    fn a_key_that_says_anything_more_is_left_as_it_is() {
        let columns: Vec<String> = (0..33).map(|n| format!("c{n}")).collect();
        let many = format!("PRIMARY KEY ({})", columns.join(", "));
        let told = [
            "PRIMARY KEY (a) INCLUDE (b)",
            "UNIQUE NULLS NOT DISTINCT (a)",
            "UNIQUE NULLS DISTINCT (a)",
            "UNIQUE (a) WITH (fillfactor='70')",
            "PRIMARY KEY (a) USING INDEX TABLESPACE fast",
            "UNIQUE (a) DEFERRABLE",
            "UNIQUE (a) DEFERRABLE INITIALLY DEFERRED",
            "PRIMARY KEY (a, during WITHOUT OVERLAPS)",
            "PRIMARY KEY USING INDEX k",
            "PRIMARY KEY (a COLLATE \"C\")",
            "PRIMARY KEY (A)",
            "PRIMARY (a)",
            "UNIQUE KEY (a)",
            "UNIQUE ()",
            "UNIQUE (a), ADD CHECK (true)",
            "UNIQUE (a);\n\nALTER TABLE s.t CLUSTER ON k",
            "UNIQUE (a);\n\nALTER TABLE ONLY s.t REPLICA IDENTITY USING INDEX k",
            "UNIQUE (a); -- and more\n",
            "EXCLUDE USING gist (a WITH =)",
            "CHECK ((a > 0))",
            &many,
        ];
        let text = |what: &str| format!("ALTER TABLE ONLY s.t\n    ADD CONSTRAINT k {what};");
        assert!(parse(&text("UNIQUE (a)"), None).is_ok());
        for what in told {
            assert_eq!(parse(&text(what), None), Err(Malformed), "{what}");
        }
        for text in [
            "",
            "ALTER TABLE s.t ADD CONSTRAINT k UNIQUE (a);",
            "ALTER TABLE ONLY s.t ADD UNIQUE (a);",
            "ALTER TABLE ONLY s.t ADD CONSTRAINT k UNIQUE (a)",
            "ALTER TABLE ONLY d.s.t ADD CONSTRAINT k UNIQUE (a);",
        ] {
            assert_eq!(parse(text, Some("s")), Err(Malformed), "{text}");
        }
    }
}
