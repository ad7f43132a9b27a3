//! The contents of large objects, which stand in a script as calls of functions.

use bytes::Bytes;

use crate::archive::error::Error;

/// One call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Call {
    /// The transaction around them all.
    Transaction,
    /// `lo_open` of this object.
    Open(u32),
    /// `lowrite` of these bytes.
    Write(Bytes),
    /// `lo_close`.
    Close,
}

impl Call {
    /// Reads a statement below the heading of large objects.
    pub fn read(statement: &str) -> Result<Call, Error> {
        parse(statement).ok_or_else(|| Error::Unsafe {
            what: "large objects written in another way than pg_dump's".into(),
        })
    }
}

fn parse(statement: &str) -> Option<Call> {
    if matches!(statement, "BEGIN;" | "COMMIT;") {
        return Some(Call::Transaction);
    }
    let call = statement.strip_prefix("SELECT pg_catalog.")?.strip_suffix(");")?;
    if let Some(arguments) = call.strip_prefix("lo_open(") {
        let oid = arguments.strip_suffix(", 131072")?;
        let oid = oid.strip_prefix('\'').and_then(|oid| oid.strip_suffix('\'')).unwrap_or(oid);
        return oid.parse().ok().filter(|oid| *oid != 0).map(Call::Open);
    }
    if let Some(literal) = call.strip_prefix("lowrite(0, ") {
        let literal = literal.strip_prefix('E').unwrap_or(literal);
        let literal = literal.strip_prefix('\'')?.strip_suffix('\'')?;
        let digits = literal.strip_prefix("\\\\x").or_else(|| literal.strip_prefix("\\x"))?;
        return hex::decode(digits).ok().map(|bytes| Call::Write(bytes.into()));
    }
    (call == "lo_close(0").then_some(Call::Close)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calls_of_pg_dump_are_read_and_no_others() {
        let table = [
            ("BEGIN;", Some(Call::Transaction)),
            ("SELECT pg_catalog.lo_open('4000000000', 131072);", Some(Call::Open(4_000_000_000))),
            (r"SELECT pg_catalog.lowrite(0, '\x00ff');", Some(Call::Write(Bytes::from_static(b"\0\xff")))),
            (r"SELECT pg_catalog.lowrite(0, '\\x41');", Some(Call::Write(Bytes::from_static(b"A")))),
            ("SELECT pg_catalog.lo_close(0);", Some(Call::Close)),
            ("SELECT pg_catalog.lo_open('0', 131072);", None),
            (r"SELECT pg_catalog.lowrite(0, '\xf');", None),
            ("SELECT pg_catalog.lo_export(1, '/etc/x');", None),
            ("DROP TABLE t;", None),
        ];
        for (statement, call) in table {
            assert_eq!(Call::read(statement).ok(), call, "{statement}");
        }
    }
}
