//! What the conversion takes and what it leaves to the server. That it is right is shown
//! against real servers, in `tests/binary_copy.rs`.

use super::*;
use proptest::prelude::*;

const SCALARS: [Scalar; 19] = [
    Scalar::Bool,
    Scalar::Int2,
    Scalar::Int4,
    Scalar::Int8,
    Scalar::Oid,
    Scalar::Float4,
    Scalar::Float8,
    Scalar::Numeric,
    Scalar::Date,
    Scalar::Time,
    Scalar::Timestamp,
    Scalar::Timestamptz,
    Scalar::Interval,
    Scalar::Uuid,
    Scalar::Words,
    Scalar::Jsonb,
    Scalar::Bytea,
    Scalar::Inet,
    Scalar::Cidr,
];

/// Any OID, all of whose bytes differ.
const OID: u32 = 0x0a0b_0c0d;

fn convert<K: Copy + Into<Kind>>(kinds: &[K], piece: &str) -> Option<Vec<u8>> {
    Columns::new(kinds.iter().map(|kind| (*kind).into()).collect()).unwrap().convert(piece.as_bytes())
}

/// The value alone, of one row with one column.
fn value(kind: impl Copy + Into<Kind>, field: &str) -> Option<Vec<u8>> {
    let row = convert(&[kind], &format!("{field}\n"))?;
    let (head, value) = row.split_at(6);
    assert_eq!(head, [&[0, 1][..], &u32::try_from(value.len()).unwrap().to_be_bytes()].concat());
    Some(value.to_vec())
}

#[test]
fn rows_are_fields_with_their_lengths() {
    let rows = convert(&[Scalar::Int4, Scalar::Words], "1\tone\n\\N\t\n").unwrap();
    let one = b"\0\x02\0\0\0\x04\0\0\0\x01\0\0\0\x03one";
    let none = b"\0\x02\xff\xff\xff\xff\0\0\0\0";
    assert_eq!(rows, [&one[..], &none[..]].concat());
}

#[test]
fn words_lose_the_escapes_of_copy_text() {
    let kinds = [Scalar::Words, Scalar::Words, Scalar::Words, Scalar::Jsonb];
    let row = convert(&kinds, "a\\tb\t\\\\c\t\\\\c\\n\\\\\t\"\\\\n\"\n").unwrap();
    assert_eq!(row, b"\0\x04\0\0\0\x03a\tb\0\0\0\x02\\c\0\0\0\x04\\c\n\\\0\0\0\x05\x01\"\\n\"");
}

#[test]
fn rows_of_another_shape_are_left_to_the_server() {
    let kinds = [Scalar::Int4, Scalar::Words];
    assert!(convert(&kinds, "1\ta\n").is_some());
    for piece in ["1\n", "1\ta\tb\n", "1\ta", "\n", "1\ta\n\n", "1\ta\r\n", "1\ta\0\n", "\\.\n"] {
        assert_eq!(convert(&kinds, piece), None, "{piece:?}");
    }
    assert_eq!(Columns::new(kinds.map(Kind::from).to_vec()).unwrap().convert(b"1\t\xff\n"), None);
    assert_eq!(Columns::new(Vec::new()), None);
}

#[test]
fn what_the_server_does_not_write_is_left_to_it() {
    let table: &[(Scalar, &str, &[&str])] = &[
        (Scalar::Bool, "t", &["", "true", "T", "1", " t"]),
        (Scalar::Int2, "-32768", &["32768", "-32769", "+1", "01", "-0", "1 ", "0x1", "1_0", "", "-"]),
        (Scalar::Int4, "2147483647", &["2147483648", "-2147483649", "1.0"]),
        (Scalar::Int8, "-9223372036854775808", &["9223372036854775808", "-9223372036854775809", "1e3"]),
        (Scalar::Oid, "4294967295", &["4294967296", "-1"]),
        (Scalar::Float4, "1.5e-10", &["1e39", "1e-60", "nan", "inf", "1.", ".5", "1e", "0x1p3", "+1"]),
        (Scalar::Float8, "-Infinity", &["1e309", "1e-400", "infinity", "1,5", "--1", "1e+-1", "1_0"]),
        (Scalar::Numeric, "-0.0001", &["NaN", "1e5", "-0", "-0.00", "01", "1.", ".5", "+1", "0x1", " 1"]),
        (Scalar::Date, "2000-02-29", &["1900-02-29", "2026-13-01", "0000-01-01", "2026-1-1", "12026-01-01"]),
        (Scalar::Date, "infinity", &["Infinity", "0044-03-15 BC", "20260101", "today", "epoch"]),
        (
            Scalar::Time,
            "23:59:59.999999",
            &["24:00:01", "23:59:60", "12:00", "12:00:00.", "12:00:00.1234567"],
        ),
        (Scalar::Timestamp, "2026-01-01 00:00:00", &["2026-01-01T00:00:00", "2026-01-01", "now"]),
        (Scalar::Timestamptz, "2026-01-01 00:00:00+05:30", &["2026-01-01 00:00:00", "2026-01-01 00:00:00Z"]),
        (
            Scalar::Timestamptz,
            "2026-01-01 00:00:00-15",
            &["2026-01-01 00:00:00+16", "2026-01-01 00:00:00 UTC"],
        ),
        (
            Scalar::Interval,
            "1 year -2 mons +3 days -04:05:06",
            &["1 hour", "P1D", "@ 1 day", "1 day 1 year", "1"],
        ),
        (
            Scalar::Interval,
            "00:00:00",
            &["", "1 day ", "00:00", "infinity", "1 day 1 day", "1:00:00", "00:60:00"],
        ),
        (
            Scalar::Uuid,
            "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
            &["A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "a0eebc999c0b4ef8bb6d6bb9bd380a11", "{}"],
        ),
        (Scalar::Words, "a\\\\b\\tc", &["\\x41", "\\101", "\\.", "\\a", "a\\"]),
        (Scalar::Jsonb, "{\"a\": \"\\\\n\"}", &["\\x7b7d"]),
        (
            Scalar::Bytea,
            "\\\\x00ff",
            &["\\\\x00\\\\", "\\\\x00\\n", "\\\\\\\\x00", "\\\\x0", "\\\\xFF", "abc", "", "\\x00"],
        ),
        (
            Scalar::Inet,
            "10.0.0.1/8",
            &["10.0.0.1/33", "10.1", "10.0.0.01", "::1/129", "::ffff:1.2.3.4", "::1%eth0"],
        ),
        (Scalar::Cidr, "10.0.0.0/8", &["10.0.0.0", "10/8", "10.0.0.0/08"]),
    ];
    for (kind, taken, left) in table {
        assert!(value(*kind, taken).is_some(), "{kind:?} {taken:?}");
        for field in *left {
            assert_eq!(value(*kind, field), None, "{kind:?} {field:?}");
        }
    }
}

/// An array, as the server spells it, in COPY text.
fn array(scalar: Scalar, field: &str) -> Option<Vec<u8>> {
    value(Kind::Array(Element { scalar, oid: OID }), field)
}

/// What an array of one dimension begins with.
fn head(has_nulls: u32, count: u32) -> Vec<u8> {
    [1, has_nulls, OID, count, 1].map(u32::to_be_bytes).concat()
}

#[test]
fn an_array_is_its_elements_behind_a_head() {
    assert_eq!(array(Scalar::Int2, "{}"), Some([0, 0, OID].map(u32::to_be_bytes).concat()));
    let numbers = [&head(1, 3)[..], b"\0\0\0\x02\0\x01\xff\xff\xff\xff\0\0\0\x02\xff\xfe"].concat();
    assert_eq!(array(Scalar::Int2, "{1,NULL,-2}"), Some(numbers));
}

#[test]
fn elements_lose_their_quotes_and_both_sorts_of_escapes() {
    let table: &[(&str, &[&str])] = &[
        ("{a}", &["a"]),
        ("{\"\",\" \",b}", &["", " ", "b"]),
        ("{\"NULL\",\"null\",nulls}", &["NULL", "null", "nulls"]),
        ("{\"a,b\",\"{}\",\"{c\"}", &["a,b", "{}", "{c"]),
        ("{\"\\\\\"\",\"a\\\\\"b\",\"\\\\\\\\\"}", &["\"", "a\"b", "\\"]),
        ("{\"\\t\",\"a\\nb\",\u{e9},\u{a0}}", &["\t", "a\nb", "\u{e9}", "\u{a0}"]),
        ("{\"\\\\\\\\N\",\"\\\\\\\\n\"}", &["\\N", "\\n"]),
        // The server would have left these quotes away, and reads the same with them.
        ("{\"a\",b}", &["a", "b"]),
    ];
    for (field, elements) in table {
        let mut expected = head(0, u32::try_from(elements.len()).unwrap());
        for element in *elements {
            expected.extend_from_slice(&u32::try_from(element.len()).unwrap().to_be_bytes());
            expected.extend_from_slice(element.as_bytes());
        }
        assert_eq!(array(Scalar::Words, field), Some(expected), "{field}");
    }
}

#[test]
fn elements_of_every_kind_are_those_that_stand_alone() {
    for (scalar, element) in [
        (Scalar::Numeric, "-12.50"),
        (Scalar::Timestamptz, "2026-01-01 00:00:00+05:30"),
        (Scalar::Interval, "1 day"),
        (Scalar::Jsonb, "[1]"),
        (Scalar::Inet, "::1"),
    ] {
        let alone = value(scalar, element).unwrap();
        let length = u32::try_from(alone.len()).unwrap().to_be_bytes();
        let expected = [&head(0, 1)[..], &length, &alone].concat();
        assert_eq!(array(scalar, &format!("{{\"{element}\"}}")), Some(expected), "{element}");
    }
    let bytes = [&head(0, 1)[..], b"\0\0\0\x02\0\xff"].concat();
    assert_eq!(array(Scalar::Bytea, "{\"\\\\\\\\x00ff\"}"), Some(bytes));
}

#[test]
fn arrays_that_the_server_does_not_write_are_left_to_it() {
    let table: &[(Scalar, &str, &[&str])] = &[
        (
            Scalar::Int4,
            "{1,2}",
            &["", "{", "}", "1,2", "{1,2", "1,2}", "{1,2}}", "{1,2}x", "[1,2}", "{1,2} ", " {1,2}"],
        ),
        (Scalar::Int4, "{1}", &["{1,}", "{,1}", "{,}", "{1,,2}", "{ }", "{ 1}", "{1 }", "{1, 2}", "{1;2}"]),
        (Scalar::Int4, "{NULL}", &["{null}", "{Null}", "{nULL}", "{\"NULL\"}", "{\"\"}"]),
        (Scalar::Int4, "{1,2,3}", &["{{1},{2}}", "{{1}}", "{{}}", "[0:1]={1,2}", "[1:2]={1,2}", "{}{}"]),
        (Scalar::Int4, "{2147483647}", &["{2147483648}", "{01}", "{+1}", "{1.0}", "{a}"]),
        (
            Scalar::Words,
            "{a}",
            &[
                "{,}", "{a,}", "{,a}", "{null}", "{}}", "{a{b}", "{a}b}", "{a b}", "{a\\tb}", "{a\\\\b}",
                "{a\"b\"}",
            ],
        ),
        (Scalar::Words, "{\"a\"}", &["{\"a}", "{\"a\"", "{\"a\"b}", "{\"a\"\"b\"}", "{\"a\" }", "{ \"a\"}"]),
        (
            Scalar::Words,
            "{\"\\\\\\\\\"}",
            &["{\"\\\\a\"}", "{\"\\\\,\"}", "{\"\\\\\"}", "{\"\\\\", "{\"\\a\"}"],
        ),
        (Scalar::Bytea, "{\"\\\\\\\\x00\"}", &["{\\\\x00}", "{\"\\\\x00\"}", "{\"x00\"}"]),
    ];
    for (scalar, taken, left) in table {
        assert!(array(*scalar, taken).is_some(), "{scalar:?} {taken:?}");
        for field in *left {
            assert_eq!(array(*scalar, field), None, "{scalar:?} {field:?}");
        }
    }
}

#[test]
fn large_fields_that_would_be_made_anew_are_left_to_the_server() {
    const MIB: usize = 1024 * 1024;
    // Of one letter in both forms, of an escape, and of an element that takes twelve bytes.
    let plain = |count: usize| value(Scalar::Words, &"a".repeat(count));
    let escaped = |count: usize| value(Scalar::Words, &"\\n".repeat(count));
    let bytes = |count: usize| value(Scalar::Bytea, &format!("\\\\x{}", "ab".repeat(count)));
    let elements = |count: usize| array(Scalar::Int8, &format!("{{{}1}}", "1,".repeat(count - 1)));
    for (taken, length) in [
        (plain(17 * MIB), 17 * MIB),
        (escaped(7 * MIB), 7 * MIB),
        (bytes(17 * MIB), 17 * MIB),
        (elements(MIB), 20 + 12 * MIB),
    ] {
        assert_eq!(taken.map(|value| value.len()), Some(length));
    }
    assert!(escaped(9 * MIB).is_none());
    assert!(elements(2 * MIB).is_none());
}

#[test]
fn a_type_is_told_by_both_of_its_functions() {
    let element = Element { scalar: Scalar::Int4, oid: OID };
    assert_eq!(Kind::of("int4in", "int4recv", None), Some(Kind::Scalar(Scalar::Int4)));
    assert_eq!(Kind::of("array_in", "array_recv", Some(element)), Some(Kind::Array(element)));
    assert_eq!(Kind::of("array_in", "array_recv", None), None);
    for (input, receive) in [
        ("int4in", "int8recv"),
        ("citextin", "textrecv"),
        ("", ""),
        ("xml_in", "xml_recv"),
        ("array_in", "int4recv"),
        ("anyarray_in", "array_recv"),
        ("int2vectorin", "int2vectorrecv"),
    ] {
        assert_eq!(Kind::of(input, receive, Some(element)), None, "{input} {receive}");
    }
}

/// Any kind of any type.
fn any_kind() -> impl Strategy<Value = Kind> {
    let scalar = || proptest::sample::select(&SCALARS[..]);
    let array = scalar().prop_map(|scalar| Kind::Array(Element { scalar, oid: OID }));
    prop_oneof![scalar().prop_map(Kind::Scalar), array]
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(
        kinds in proptest::collection::vec(any_kind(), 1..4),
        piece in "([-+0-9.:/ aefntINxT{}\",\\\\\t\n]|\\{|\\}|,|\"|NULL|year|day|infinity|\u{e9}){0,60}",
    ) {
        if let Some(rows) = convert(&kinds, &piece) {
            let count = piece.matches('\n').count();
            prop_assert!(rows.len() >= count * (2 + 4 * kinds.len()));
        }
    }
}
