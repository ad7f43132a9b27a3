//! Where the rows of an entry go: the COPY statement, read by meaning.

use crate::archive::entry::Entry;
use crate::archive::error::Error;
use crate::archive::sql::{Malformed, Scanner, quoted};

/// PostgreSQL's own bound on the columns of a table.
const COLUMNS_MAX: usize = 1600;

/// The table and columns that a COPY statement names, unquoted. The statement of an archive
/// is never run: it is read into this, and written anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyTarget {
    /// The schema.
    pub schema: String,
    /// The table; for an entry loaded via its partition root, that root.
    pub table: String,
    /// The columns in the order of the rows; None for a table whose rows hold none.
    pub columns: Option<Vec<String>>,
}

impl CopyTarget {
    /// The target of an entry's COPY statement; None in a dump of INSERTs.
    ///
    /// It must be the entry's own table, or the partition root that the entry announces.
    pub fn of(entry: &Entry) -> Result<Option<CopyTarget>, Error> {
        let Some(statement) = &entry.copy else { return Ok(None) };
        let refused = |what: &str| Error::Unsafe { what: format!("{} of {}", what, entry.label()) };
        let target = CopyTarget::parse(statement, entry.namespace.as_deref())
            .map_err(|_| refused("a COPY statement that pg_dump does not write, that"))?;
        let (schema, table) = match entry.via_root_target() {
            Some((schema, table)) => (schema.or_else(|| entry.namespace.clone()), table),
            None => (entry.namespace.clone(), entry.tag.clone()),
        };
        if schema.as_deref() == Some(&target.schema) && table == target.table {
            Ok(Some(target))
        } else {
            Err(refused("a COPY statement for another table than its own, that"))
        }
    }

    /// Reads `COPY schema.table (columns) FROM stdin;`. Archives before 1.13 leave the schema
    /// out: it is `namespace` then. Anything else is unsafe.
    pub fn parse(statement: &str, namespace: Option<&str>) -> Result<CopyTarget, Error> {
        parse(statement, namespace).map_err(|Malformed| Error::Unsafe {
            what: "a COPY statement that pg_dump does not write".into(),
        })
    }

    /// Schema and table as SQL, quoted.
    pub fn name(&self) -> String {
        format!("{}.{}", quoted(&self.schema), quoted(&self.table))
    }

    /// The columns as SQL, quoted, parted by commas; None where the rows hold none.
    pub fn column_list(&self) -> Option<String> {
        let columns = self.columns.as_ref()?;
        Some(columns.iter().map(|column| quoted(column)).collect::<Vec<_>>().join(", "))
    }

    /// The statement anew, in text format from the client: `COPY "s"."t" ("a", "b") FROM STDIN`.
    pub fn copy_in(&self) -> String {
        match self.column_list() {
            Some(columns) => format!("COPY {} ({columns}) FROM STDIN", self.name()),
            None => format!("COPY {} FROM STDIN", self.name()),
        }
    }
}

fn parse(statement: &str, namespace: Option<&str>) -> Result<CopyTarget, Malformed> {
    let mut scanner = Scanner::new(statement);
    scanner.words(&["COPY"])?;
    let (schema, table) = scanner.table(namespace)?;
    let columns = if scanner.took('(')? { Some(scanner.identifiers(COLUMNS_MAX)?) } else { None };
    scanner.words(&["FROM", "stdin"])?;
    scanner.symbol(';')?;
    scanner.end()?;
    Ok(CopyTarget { schema, table, columns })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_statements_of_pg_dump_are_read() {
        let table = [
            ("COPY app.big (id, h) FROM stdin;\n", r#"COPY "app"."big" ("id", "h") FROM STDIN"#),
            ("COPY app.zerocol  FROM stdin;\n", r#"COPY "app"."zerocol" FROM STDIN"#),
            (
                "COPY \"we\"\"ird sch;\".\"Ta\nb\" (\"FROM\", a) FROM stdin;\n",
                "COPY \"we\"\"ird sch;\".\"Ta\nb\" (\"FROM\", \"a\") FROM STDIN",
            ),
            ("COPY old (a) FROM stdin;\n", r#"COPY "public"."old" ("a") FROM STDIN"#),
        ];
        for (statement, anew) in table {
            assert_eq!(CopyTarget::parse(statement, Some("public")).unwrap().copy_in(), anew);
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for statement in [
            "",
            "COPY app.t FROM PROGRAM 'id';",
            "COPY app.t (a) FROM '/etc/passwd';",
            "COPY app.t (a) TO stdout;",
            "COPY (SELECT 1) FROM stdin;",
            "COPY app.t (a) FROM stdin WITH BINARY;",
            "COPY app.t (a) FROM stdin; DROP TABLE x;",
            "COPY app.t () FROM stdin;",
            "COPY app.t (a,) FROM stdin;",
            "COPY App.t (a) FROM stdin;",
            "COPY a.b.c (a) FROM stdin;",
            "COPY app.t (a) WITH OIDS FROM stdin;",
            "COPY app.t (a) FROM stdin -- ;",
        ] {
            assert!(
                matches!(CopyTarget::parse(statement, Some("x")), Err(Error::Unsafe { .. })),
                "{statement}"
            );
        }
        assert!(CopyTarget::parse("COPY t (a) FROM stdin;", None).is_err());
    }

    proptest! {
        #[test]
        fn what_is_written_anew_reads_back(
            schema in "\\PC{1,20}",
            table in "\\PC{1,20}",
            columns in proptest::option::of(proptest::collection::vec("\\PC{1,20}", 1..5)),
        ) {
            let target = CopyTarget { schema, table, columns };
            let anew = format!("{};\n", target.copy_in());
            prop_assert_eq!(CopyTarget::parse(&anew, None).unwrap(), target);
        }

        #[test]
        fn no_text_makes_it_panic(text in "(COPY|FROM|stdin|[a-z\"'(),.; \n\\\\$-]){0,40}") {
            let _ = CopyTarget::parse(&text, Some("public"));
        }
    }
}
