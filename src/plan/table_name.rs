//! The name of a table, with its schema.

use std::fmt;

use crate::plan::fault::{Complaint, shortened};
use crate::postgres::quote_identifier;

/// The longest name that PostgreSQL keeps, in bytes.
const NAME_BYTES_MAX: usize = 63;

/// A table by its schema and its name, both as the catalogue has them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TableName {
    /// The schema.
    pub schema: String,
    /// The name in it.
    pub name: String,
}

impl TableName {
    /// Reads `public.orders`, or `"Odd schema"."a.b"` with quotes as in SQL. Letters are
    /// taken as they are written: nothing is folded to lower case.
    ///
    /// # Errors
    /// What is wrong with the text, and what to write instead.
    pub fn parse(text: &str) -> Result<TableName, Complaint> {
        let wrong = || {
            let problem = format!("'{}' is not a table with its schema", shortened(text));
            Complaint::new(problem, "write it as in \"public.orders\"")
        };
        let (schema, rest) = part(text).ok_or_else(wrong)?;
        let (name, rest) = rest.strip_prefix('.').and_then(part).ok_or_else(wrong)?;
        if rest.is_empty() { Ok(TableName { schema, name }) } else { Err(wrong()) }
    }

    /// The name as it stands in SQL.
    pub fn quoted(&self) -> String {
        format!("{}.{}", quote_identifier(&self.schema), quote_identifier(&self.name))
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", shown(&self.schema), shown(&self.name))
    }
}

/// One name at the start of the text, and what is behind it.
fn part(text: &str) -> Option<(String, &str)> {
    let (name, rest) = match text.strip_prefix('"') {
        Some(quoted) => between_quotes(quoted)?,
        None => {
            let end = text.find(['.', '"']).unwrap_or(text.len());
            let (name, rest) = text.split_at_checked(end)?;
            (name.to_owned(), rest)
        }
    };
    let fine = !name.is_empty() && name.len() <= NAME_BYTES_MAX && !name.chars().any(char::is_control);
    fine.then_some((name, rest))
}

fn between_quotes(mut rest: &str) -> Option<(String, &str)> {
    let mut name = String::new();
    loop {
        let (piece, tail) = rest.split_once('"')?;
        name.push_str(piece);
        match tail.strip_prefix('"') {
            Some(more) => {
                name.push('"');
                rest = more;
            }
            None => return Some((name, tail)),
        }
    }
}

fn shown(name: &str) -> String {
    if name.contains(['.', '"']) { format!("\"{}\"", name.replace('"', "\"\"")) } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_reads_back_as_it_is_shown() {
        let table = [
            ("public.orders", "public", "orders"),
            ("Sales.Order Lines", "Sales", "Order Lines"),
            ("\"a.b\".\"c\"\"d\"", "a.b", "c\"d"),
            ("\"plain\".t", "plain", "t"),
        ];
        for (text, schema, name) in table {
            let read = TableName::parse(text).unwrap();
            assert_eq!((read.schema.as_str(), read.name.as_str()), (schema, name), "{text}");
            assert_eq!(TableName::parse(&read.to_string()), Ok(read));
        }
        assert_eq!(TableName::parse("\"a\"\"; drop\".t").unwrap().quoted(), "\"a\"\"; drop\".\"t\"");
    }

    #[test]
    fn a_table_without_its_schema_is_told_so() {
        for text in ["", "orders", ".orders", "public.", "a.b.c", "\"a.b", "\"a\"x.b", "a.\"\"", "a.b\n"] {
            let error = TableName::parse(text).unwrap_err();
            assert!(error.remedy.contains("public.orders"), "{text:?}");
        }
    }
}
