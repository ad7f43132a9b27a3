//! A foreign key, as far as the order of its columns goes.

use crate::archive::entry::Entry;
use crate::archive::sql::{Malformed, Scanner, quoted};

/// PostgreSQL's own bound on the columns of a key.
const COLUMNS_MAX: usize = 32;

/// The columns of one table that a key is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyColumns {
    /// The table as SQL, quoted.
    pub table: String,
    /// The columns in the order of the key, unquoted.
    pub columns: Vec<String>,
}

/// Which columns refer to which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignKey {
    /// Those that refer.
    pub referencing: KeyColumns,
    /// Those that are referred to, in the same order.
    pub referenced: KeyColumns,
}

impl ForeignKey {
    /// The key that an `FK CONSTRAINT` entry makes; None for any other entry, and where it is
    /// written otherwise than pg_dump does: nothing but speed may depend on it.
    pub fn of(entry: &Entry) -> Option<ForeignKey> {
        let text = Some(entry.definition.as_str()).filter(|_| entry.kind == "FK CONSTRAINT")?;
        parse(text, entry.namespace.as_deref()).ok()
    }
}

/// Reads `ALTER TABLE ONLY a ADD CONSTRAINT c FOREIGN KEY (x, y) REFERENCES b(v, w)`, whatever
/// follows.
fn parse(text: &str, namespace: Option<&str>) -> Result<ForeignKey, Malformed> {
    let mut scanner = Scanner::new(text);
    scanner.words(&["ALTER", "TABLE"])?;
    scanner.took_word("ONLY")?;
    let table = table(&mut scanner, namespace)?;
    scanner.words(&["ADD", "CONSTRAINT"])?;
    scanner.identifier()?;
    scanner.words(&["FOREIGN", "KEY"])?;
    let referencing = KeyColumns { table, columns: columns(&mut scanner)? };
    scanner.words(&["REFERENCES"])?;
    let table = self::table(&mut scanner, namespace)?;
    let referenced = KeyColumns { table, columns: columns(&mut scanner)? };
    let pairs = referencing.columns.len() == referenced.columns.len();
    if pairs { Ok(ForeignKey { referencing, referenced }) } else { Err(Malformed) }
}

fn table(scanner: &mut Scanner<'_>, namespace: Option<&str>) -> Result<String, Malformed> {
    let (schema, name) = scanner.table(namespace)?;
    Ok(format!("{}.{}", quoted(&schema), quoted(&name)))
}

fn columns(scanner: &mut Scanner<'_>) -> Result<Vec<String>, Malformed> {
    scanner.symbol('(')?;
    scanner.identifiers(COLUMNS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_columns_of_a_key_are_read_in_its_order() {
        let key = |table: &str, columns: &[&str]| KeyColumns {
            table: table.to_owned(),
            columns: columns.iter().map(|&column| column.to_owned()).collect(),
        };
        let cases = [
            (
                "ALTER TABLE ONLY app.line\n    ADD CONSTRAINT f FOREIGN KEY (orders) REFERENCES app.orders(id);",
                Some((key("\"app\".\"line\"", &["orders"]), key("\"app\".\"orders\"", &["id"]))),
            ),
            (
                "ALTER TABLE \"A\".\"x\"\"y\"\n    ADD CONSTRAINT \"F k\" FOREIGN KEY (\"B\", a) REFERENCES b(d, \"C\") \
                 ON DELETE CASCADE DEFERRABLE NOT VALID;",
                Some((key("\"A\".\"x\"\"y\"", &["B", "a"]), key("\"s\".\"b\"", &["d", "C"]))),
            ),
            ("ALTER TABLE ONLY a.b ADD CONSTRAINT f FOREIGN KEY (x, y) REFERENCES a.c(x);", None),
            (
                "ALTER TABLE ONLY a.b ADD CONSTRAINT f FOREIGN KEY (x, PERIOD y) REFERENCES a.c(x, PERIOD y);",
                None,
            ),
            ("ALTER TABLE ONLY a.b ADD CONSTRAINT f FOREIGN KEY () REFERENCES a.c();", None),
            ("ALTER TABLE ONLY a.b ADD CONSTRAINT f CHECK ((x > 0));", None),
            ("", None),
        ];
        for (text, expected) in cases {
            let read = parse(text, Some("s")).ok().map(|key| (key.referencing, key.referenced));
            assert_eq!(read, expected, "{text}");
        }
    }
}
