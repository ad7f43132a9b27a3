//! Types of a single value, told by the server's own functions for them.

use crate::restore::binary::{address, instant, integer, interval, numeric, put, put_sized, real, words};

/// How the text of such a type becomes its binary form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scalar {
    /// `boolean`
    Bool,
    /// `smallint`
    Int2,
    /// `integer`
    Int4,
    /// `bigint`
    Int8,
    /// `oid`
    Oid,
    /// `real`
    Float4,
    /// `double precision`
    Float8,
    /// `numeric`, of any precision and scale
    Numeric,
    /// `date`
    Date,
    /// `time`
    Time,
    /// `timestamp`
    Timestamp,
    /// `timestamp with time zone`
    Timestamptz,
    /// `interval`
    Interval,
    /// `uuid`
    Uuid,
    /// `text`, `varchar`, `char(n)`, enums and `json`: the words themselves
    Words,
    /// `jsonb`: a version and the words themselves
    Jsonb,
    /// `bytea`
    Bytea,
    /// `inet`
    Inet,
    /// `cidr`
    Cidr,
}

impl Scalar {
    /// The one of a type that the server reads with these two functions of its own, one for
    /// text and one for the binary form. They are the type as far as a COPY is concerned: an
    /// extension's type or an enum may share them.
    pub fn of(input: &str, receive: &str) -> Option<Scalar> {
        match (input, receive) {
            ("boolin", "boolrecv") => Some(Scalar::Bool),
            ("int2in", "int2recv") => Some(Scalar::Int2),
            ("int4in", "int4recv") => Some(Scalar::Int4),
            ("int8in", "int8recv") => Some(Scalar::Int8),
            ("oidin", "oidrecv") => Some(Scalar::Oid),
            ("float4in", "float4recv") => Some(Scalar::Float4),
            ("float8in", "float8recv") => Some(Scalar::Float8),
            ("numeric_in", "numeric_recv") => Some(Scalar::Numeric),
            ("date_in", "date_recv") => Some(Scalar::Date),
            ("time_in", "time_recv") => Some(Scalar::Time),
            ("timestamp_in", "timestamp_recv") => Some(Scalar::Timestamp),
            ("timestamptz_in", "timestamptz_recv") => Some(Scalar::Timestamptz),
            ("interval_in", "interval_recv") => Some(Scalar::Interval),
            ("uuid_in", "uuid_recv") => Some(Scalar::Uuid),
            ("textin", "textrecv")
            | ("varcharin", "varcharrecv")
            | ("bpcharin", "bpcharrecv")
            | ("enum_in", "enum_recv")
            | ("json_in", "json_recv") => Some(Scalar::Words),
            ("jsonb_in", "jsonb_recv") => Some(Scalar::Jsonb),
            ("byteain", "bytearecv") => Some(Scalar::Bytea),
            ("inet_in", "inet_recv") => Some(Scalar::Inet),
            ("cidr_in", "cidr_recv") => Some(Scalar::Cidr),
            _ => None,
        }
    }

    /// Appends the value, which is not NULL and without any escapes, with its length in front.
    pub(super) fn write(self, text: &[u8], out: &mut Vec<u8>) -> Option<()> {
        match self {
            Scalar::Bool => put([boolean(text)?], out),
            Scalar::Int2 => put(i16::try_from(integer::signed(text)?).ok()?.to_be_bytes(), out),
            Scalar::Int4 => put(i32::try_from(integer::signed(text)?).ok()?.to_be_bytes(), out),
            Scalar::Int8 => put(integer::signed(text)?.to_be_bytes(), out),
            Scalar::Oid => put(u32::try_from(integer::signed(text)?).ok()?.to_be_bytes(), out),
            Scalar::Float4 => put(real::single(text)?.to_be_bytes(), out),
            Scalar::Float8 => put(real::double(text)?.to_be_bytes(), out),
            Scalar::Numeric => put_sized(out, |out| numeric::write(text, out)),
            Scalar::Date => put(instant::date(text)?.to_be_bytes(), out),
            Scalar::Time => put(instant::time(text)?.to_be_bytes(), out),
            Scalar::Timestamp => put(instant::local(text)?.to_be_bytes(), out),
            Scalar::Timestamptz => put(instant::zoned(text)?.to_be_bytes(), out),
            Scalar::Interval => put(interval::read(text)?, out),
            Scalar::Uuid => put(address::uuid(text)?, out),
            Scalar::Words => put_words(&[], text, out),
            Scalar::Jsonb => put_words(&[JSONB_VERSION], text, out),
            Scalar::Bytea => put_sized(out, |out| words::bytes(text, out)),
            Scalar::Inet => put_sized(out, |out| address::inet(text, out)),
            Scalar::Cidr => put_sized(out, |out| address::cidr(text, out)),
        }
    }
}

/// What stands before the words of a `jsonb` value.
const JSONB_VERSION: u8 = 1;

/// Words are what they are in either form.
fn put_words(version: &[u8], words: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let length = version.len().checked_add(words.len())?;
    out.extend_from_slice(&i32::try_from(length).ok()?.to_be_bytes());
    out.extend_from_slice(version);
    out.extend_from_slice(words);
    Some(())
}

fn boolean(text: &[u8]) -> Option<u8> {
    match text {
        b"t" => Some(1),
        b"f" => Some(0),
        _ => None,
    }
}
