//! The one way to write a JSON document: RFC 8785, with integers only.

use serde_json::Value;

use crate::evidence::error::{Error, Kind};
use crate::record::INTEGER_MAX;

/// Nesting below which every statement stays by far.
const DEPTH_MAX: usize = 32;

/// The bytes of `value`: no white space, keys sorted by their UTF-16 code units.
///
/// Fails on fractions, on integers beyond 2^53 - 1, and on nesting deeper than 32.
pub fn canonical(value: &Value) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    write(value, DEPTH_MAX, &mut bytes)?;
    Ok(bytes)
}

fn write(value: &Value, depth: usize, into: &mut Vec<u8>) -> Result<(), Error> {
    let Some(below) = depth.checked_sub(1) else {
        return Err(Error::new(Kind::Malformed, "write a document that is nested too deep"));
    };
    match value {
        Value::Null => into.extend_from_slice(b"null"),
        Value::Bool(true) => into.extend_from_slice(b"true"),
        Value::Bool(false) => into.extend_from_slice(b"false"),
        Value::Number(number) => write_number(number, into)?,
        Value::String(text) => write_text(text, into)?,
        Value::Array(items) => {
            write_list(b"[]", items, into, |item, into| write(item, below, into))?;
        }
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
            write_list(b"{}", entries, into, |(key, value), into| {
                write_text(key, into)?;
                into.push(b':');
                write(value, below, into)
            })?;
        }
    }
    Ok(())
}

fn write_list<T>(
    brackets: &[u8; 2],
    items: impl IntoIterator<Item = T>,
    into: &mut Vec<u8>,
    mut one: impl FnMut(T, &mut Vec<u8>) -> Result<(), Error>,
) -> Result<(), Error> {
    let [open, close] = *brackets;
    into.push(open);
    for (at, item) in items.into_iter().enumerate() {
        if at > 0 {
            into.push(b',');
        }
        one(item, into)?;
    }
    into.push(close);
    Ok(())
}

fn write_number(number: &serde_json::Number, into: &mut Vec<u8>) -> Result<(), Error> {
    let magnitude = number.as_u64().or_else(|| number.as_i64().map(i64::unsigned_abs));
    match magnitude {
        Some(magnitude) if magnitude <= INTEGER_MAX => {
            into.extend_from_slice(number.to_string().as_bytes());
            Ok(())
        }
        Some(_) | None => {
            Err(Error::new(Kind::Malformed, format!("write the number {number}, no integer below 2^53")))
        }
    }
}

/// JSON's own escapes are those of RFC 8785: the short ones, and `\u00xx` for the rest below
/// the blank.
fn write_text(text: &str, into: &mut Vec<u8>) -> Result<(), Error> {
    serde_json::to_writer(into, text)
        .map_err(|source| Error::new(Kind::Malformed, "write a text as JSON").because(source))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_written_in_one_way() {
        let table = [
            (r#"{ "b": 1, "a": [ true, null, -7 ] }"#, r#"{"a":[true,null,-7],"b":1}"#),
            (
                // The order of RFC 8785, where a surrogate pair stands before U+FB33.
                r#"{"\u20ac":1,"\r":2,"\ufb33":3,"1":4,"\ud83d\ude00":5,"\u0080":6,"\u00f6":7}"#,
                "{\"\\r\":2,\"1\":4,\"\u{80}\":6,\"\u{f6}\":7,\"\u{20ac}\":1,\"\u{1f600}\":5,\"\u{fb33}\":3}",
            ),
            (r#""\u0007\u001f\u007f/\"\\\t""#, "\"\\u0007\\u001f\u{7f}/\\\"\\\\\\t\""),
            ("9007199254740991", "9007199254740991"),
        ];
        for (written, canonically) in table {
            let value: Value = serde_json::from_str(written).unwrap();
            assert_eq!(String::from_utf8(canonical(&value).unwrap()).unwrap(), canonically);
        }
    }

    #[test]
    fn what_has_no_one_way_is_refused() {
        let deep = "[".repeat(40) + &"]".repeat(40);
        for bad in ["1.5", "1e3", "9007199254740992", "-9007199254740992", deep.as_str()] {
            let value: Value = serde_json::from_str(bad).unwrap();
            assert!(canonical(&value).is_err(), "{bad}");
        }
    }
}
