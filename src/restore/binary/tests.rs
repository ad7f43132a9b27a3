//! What the conversion takes and what it leaves to the server. That it is right is shown
//! against real servers, in `tests/binary_copy.rs`.

use super::*;
use proptest::prelude::*;

const KINDS: [Kind; 19] = [
    Kind::Bool,
    Kind::Int2,
    Kind::Int4,
    Kind::Int8,
    Kind::Oid,
    Kind::Float4,
    Kind::Float8,
    Kind::Numeric,
    Kind::Date,
    Kind::Time,
    Kind::Timestamp,
    Kind::Timestamptz,
    Kind::Interval,
    Kind::Uuid,
    Kind::Words,
    Kind::Jsonb,
    Kind::Bytea,
    Kind::Inet,
    Kind::Cidr,
];

fn convert(kinds: &[Kind], piece: &str) -> Option<Vec<u8>> {
    Columns::new(kinds.to_vec()).unwrap().convert(piece.as_bytes())
}

/// The value alone, of one row with one column.
fn value(kind: Kind, field: &str) -> Option<Vec<u8>> {
    let row = convert(&[kind], &format!("{field}\n"))?;
    let (head, value) = row.split_at(6);
    assert_eq!(head, [&[0, 1][..], &u32::try_from(value.len()).unwrap().to_be_bytes()].concat());
    Some(value.to_vec())
}

#[test]
fn rows_are_fields_with_their_lengths() {
    let rows = convert(&[Kind::Int4, Kind::Words], "1\tone\n\\N\t\n").unwrap();
    let one = b"\0\x02\0\0\0\x04\0\0\0\x01\0\0\0\x03one";
    let none = b"\0\x02\xff\xff\xff\xff\0\0\0\0";
    assert_eq!(rows, [&one[..], &none[..]].concat());
}

#[test]
fn rows_of_another_shape_are_left_to_the_server() {
    let kinds = [Kind::Int4, Kind::Words];
    assert!(convert(&kinds, "1\ta\n").is_some());
    for piece in ["1\n", "1\ta\tb\n", "1\ta", "\n", "1\ta\n\n", "1\ta\r\n", "1\ta\0\n", "\\.\n"] {
        assert_eq!(convert(&kinds, piece), None, "{piece:?}");
    }
    assert_eq!(Columns::new(kinds.to_vec()).unwrap().convert(b"1\t\xff\n"), None);
    assert_eq!(Columns::new(Vec::new()), None);
}

#[test]
fn what_the_server_does_not_write_is_left_to_it() {
    let table: &[(Kind, &str, &[&str])] = &[
        (Kind::Bool, "t", &["", "true", "T", "1", " t"]),
        (Kind::Int2, "-32768", &["32768", "-32769", "+1", "01", "-0", "1 ", "0x1", "1_0", "", "-"]),
        (Kind::Int4, "2147483647", &["2147483648", "-2147483649", "1.0"]),
        (Kind::Int8, "-9223372036854775808", &["9223372036854775808", "-9223372036854775809", "1e3"]),
        (Kind::Oid, "4294967295", &["4294967296", "-1"]),
        (Kind::Float4, "1.5e-10", &["1e39", "1e-60", "nan", "inf", "1.", ".5", "1e", "0x1p3", "+1"]),
        (Kind::Float8, "-Infinity", &["1e309", "1e-400", "infinity", "1,5", "--1", "1e+-1", "1_0"]),
        (Kind::Numeric, "-0.0001", &["NaN", "1e5", "-0", "-0.00", "01", "1.", ".5", "+1", "0x1", " 1"]),
        (Kind::Date, "2000-02-29", &["1900-02-29", "2026-13-01", "0000-01-01", "2026-1-1", "12026-01-01"]),
        (Kind::Date, "infinity", &["Infinity", "0044-03-15 BC", "20260101", "today", "epoch"]),
        (Kind::Time, "23:59:59.999999", &["24:00:01", "23:59:60", "12:00", "12:00:00.", "12:00:00.1234567"]),
        (Kind::Timestamp, "2026-01-01 00:00:00", &["2026-01-01T00:00:00", "2026-01-01", "now"]),
        (Kind::Timestamptz, "2026-01-01 00:00:00+05:30", &["2026-01-01 00:00:00", "2026-01-01 00:00:00Z"]),
        (Kind::Timestamptz, "2026-01-01 00:00:00-15", &["2026-01-01 00:00:00+16", "2026-01-01 00:00:00 UTC"]),
        (
            Kind::Interval,
            "1 year -2 mons +3 days -04:05:06",
            &["1 hour", "P1D", "@ 1 day", "1 day 1 year", "1"],
        ),
        (
            Kind::Interval,
            "00:00:00",
            &["", "1 day ", "00:00", "infinity", "1 day 1 day", "1:00:00", "00:60:00"],
        ),
        (
            Kind::Uuid,
            "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
            &["A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "a0eebc999c0b4ef8bb6d6bb9bd380a11", "{}"],
        ),
        (Kind::Words, "a\\\\b\\tc", &["\\x41", "\\101", "\\.", "\\a", "a\\"]),
        (Kind::Jsonb, "{\"a\": \"\\\\n\"}", &["\\x7b7d"]),
        (Kind::Bytea, "\\\\x00ff", &["\\\\x0", "\\\\xFF", "abc", "", "\\x00"]),
        (
            Kind::Inet,
            "10.0.0.1/8",
            &["10.0.0.1/33", "10.1", "10.0.0.01", "::1/129", "::ffff:1.2.3.4", "::1%eth0"],
        ),
        (Kind::Cidr, "10.0.0.0/8", &["10.0.0.0", "10/8", "10.0.0.0/08"]),
    ];
    for (kind, taken, left) in table {
        assert!(value(*kind, taken).is_some(), "{kind:?} {taken:?}");
        for field in *left {
            assert_eq!(value(*kind, field), None, "{kind:?} {field:?}");
        }
    }
}

#[test]
fn a_type_is_told_by_both_of_its_functions() {
    assert_eq!(Kind::of("int4in", "int4recv"), Some(Kind::Int4));
    for (input, receive) in
        [("int4in", "int8recv"), ("citextin", "textrecv"), ("", ""), ("xml_in", "xml_recv")]
    {
        assert_eq!(Kind::of(input, receive), None, "{input} {receive}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(
        kinds in proptest::collection::vec(proptest::sample::select(&KINDS[..]), 1..4),
        piece in "([-+0-9.:/ aefntINxT{}\\\\\t\n]|year|day|infinity|\u{e9}){0,60}",
    ) {
        if let Some(rows) = convert(&kinds, &piece) {
            let count = piece.matches('\n').count();
            prop_assert!(rows.len() >= count * (2 + 4 * kinds.len()));
        }
    }
}
