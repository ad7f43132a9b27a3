//! Names of tables and schemas as pg_dump's options give them: `orders`, `app.*`, `"Odd.Name"`.

use crate::postgres::quote_literal;
use crate::stamp::error::{Error, Kind};

/// The longest pattern.
const BYTES_MAX: usize = 4096;

/// A pattern of pg_dump's, as regular expressions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    schema: Option<String>,
    name: String,
    children: bool,
}

impl Pattern {
    /// Reads a pattern; with `children`, partitions and heirs of what it names are meant too.
    ///
    /// # Errors
    /// It is no pattern of pg_dump's.
    pub fn parse(text: &str, children: bool) -> Result<Pattern, Error> {
        let refused = |what: &str| {
            let what = format!("the pattern '{}' {what}", text.chars().take(100).collect::<String>());
            Error::new(Kind::Command, what).with_remedy("see 'Patterns' in the manual of psql")
        };
        if text.is_empty() || text.len() > BYTES_MAX || text.contains('\0') {
            return Err(refused("is empty or too long"));
        }
        let mut parts = vec![String::new()];
        let mut quoted = false;
        let mut rest = text.chars().peekable();
        while let Some(char) = rest.next() {
            let Some(part) = parts.last_mut() else { break };
            match char {
                '"' if quoted && rest.peek() == Some(&'"') => {
                    rest.next();
                    part.push('"');
                }
                '"' => quoted = !quoted,
                '.' if !quoted => parts.push(String::new()),
                '*' if !quoted => part.push_str(".*"),
                '?' if !quoted => part.push('.'),
                '$' => part.push_str("\\$"),
                '[' if !quoted && rest.peek() == Some(&']') => part.push_str("\\["),
                special if quoted && "|*+?()[]{}.^\\".contains(special) => {
                    part.push('\\');
                    part.push(special);
                }
                plain if quoted => part.push(plain),
                plain => part.extend(plain.to_lowercase()),
            }
        }
        let anchored = |part: &String| format!("^({part})$");
        match parts.as_slice() {
            _ if quoted => Err(refused("has a quote without an end")),
            [name] => Ok(Pattern { schema: None, name: anchored(name), children }),
            [schema, name] | [_, schema, name] => {
                Ok(Pattern { schema: Some(anchored(schema)), name: anchored(name), children })
            }
            _ => Err(refused("has too many dots")),
        }
    }

    /// A query of the OIDs of the tables that it names. Without a schema it names those that are
    /// found without one.
    pub fn tables(&self) -> String {
        let place = match &self.schema {
            Some(schema) => matching("n.nspname", schema),
            None => "pg_catalog.pg_table_is_visible(c.oid)".to_owned(),
        };
        let named = format!(
            "SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE c.relkind IN ('r', 'p') AND {} AND {place}",
            matching("c.relname", &self.name)
        );
        if !self.children {
            return named;
        }
        format!(
            "WITH RECURSIVE named (oid) AS ({named} UNION SELECT i.inhrelid FROM pg_catalog.pg_inherits i \
             JOIN named ON i.inhparent = named.oid) SELECT oid FROM named"
        )
    }

    /// A query of the OIDs of the tables in the schemas that it names.
    pub fn tables_of_schemas(&self) -> String {
        format!(
            "SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE c.relkind IN ('r', 'p') AND {}",
            matching("n.nspname", &self.name)
        )
    }
}

fn matching(column: &str, regex: &str) -> String {
    format!("{column} OPERATOR(pg_catalog.~) {} COLLATE pg_catalog.\"default\"", quote_literal(regex))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_read_as_pg_dump_reads_it() {
        let table = [
            ("orders", None, "^(orders)$"),
            ("Orders", None, "^(orders)$"),
            ("app.*", Some("^(app)$"), "^(.*)$"),
            ("db.app.log_?", Some("^(app)$"), "^(log_.)$"),
            ("\"Odd.Name\"", None, "^(Odd\\.Name)$"),
            ("\"a\"\"b\"", None, "^(a\"b)$"),
            ("log_[0-9]|x", None, "^(log_[0-9]|x)$"),
            ("cash$", None, "^(cash\\$)$"),
        ];
        for (text, schema, name) in table {
            let pattern = Pattern::parse(text, false).unwrap();
            assert_eq!((pattern.schema.as_deref(), pattern.name.as_str()), (schema, name), "{text}");
        }
        for text in ["", "a.b.c.d", "\"open", "a\0b"] {
            assert!(Pattern::parse(text, false).is_err(), "{text:?}");
        }
    }
}
