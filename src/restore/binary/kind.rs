//! The types that are converted, told by the server's own functions for them.

use crate::restore::binary::{address, instant, integer, interval, numeric, put, put_sized, real, words};

/// How the text of a type becomes its binary form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
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

impl Kind {
    /// The kind of a type that the server reads with these two functions of its own, one for
    /// text and one for the binary form. They are the type as far as a COPY is concerned: an
    /// extension's type or an enum may share them.
    pub fn of(input: &str, receive: &str) -> Option<Kind> {
        match (input, receive) {
            ("boolin", "boolrecv") => Some(Kind::Bool),
            ("int2in", "int2recv") => Some(Kind::Int2),
            ("int4in", "int4recv") => Some(Kind::Int4),
            ("int8in", "int8recv") => Some(Kind::Int8),
            ("oidin", "oidrecv") => Some(Kind::Oid),
            ("float4in", "float4recv") => Some(Kind::Float4),
            ("float8in", "float8recv") => Some(Kind::Float8),
            ("numeric_in", "numeric_recv") => Some(Kind::Numeric),
            ("date_in", "date_recv") => Some(Kind::Date),
            ("time_in", "time_recv") => Some(Kind::Time),
            ("timestamp_in", "timestamp_recv") => Some(Kind::Timestamp),
            ("timestamptz_in", "timestamptz_recv") => Some(Kind::Timestamptz),
            ("interval_in", "interval_recv") => Some(Kind::Interval),
            ("uuid_in", "uuid_recv") => Some(Kind::Uuid),
            ("textin", "textrecv")
            | ("varcharin", "varcharrecv")
            | ("bpcharin", "bpcharrecv")
            | ("enum_in", "enum_recv")
            | ("json_in", "json_recv") => Some(Kind::Words),
            ("jsonb_in", "jsonb_recv") => Some(Kind::Jsonb),
            ("byteain", "bytearecv") => Some(Kind::Bytea),
            ("inet_in", "inet_recv") => Some(Kind::Inet),
            ("cidr_in", "cidr_recv") => Some(Kind::Cidr),
            _ => None,
        }
    }

    /// Appends the value, which is not NULL, with its length in front.
    pub(super) fn convert(self, field: &[u8], out: &mut Vec<u8>) -> Option<()> {
        match self {
            Kind::Bool => put([boolean(field)?], out),
            Kind::Int2 => put(i16::try_from(integer::signed(field)?).ok()?.to_be_bytes(), out),
            Kind::Int4 => put(i32::try_from(integer::signed(field)?).ok()?.to_be_bytes(), out),
            Kind::Int8 => put(integer::signed(field)?.to_be_bytes(), out),
            Kind::Oid => put(u32::try_from(integer::signed(field)?).ok()?.to_be_bytes(), out),
            Kind::Float4 => put(real::single(field)?.to_be_bytes(), out),
            Kind::Float8 => put(real::double(field)?.to_be_bytes(), out),
            Kind::Numeric => put_sized(out, |out| numeric::write(field, out)),
            Kind::Date => put(instant::date(field)?.to_be_bytes(), out),
            Kind::Time => put(instant::time(field)?.to_be_bytes(), out),
            Kind::Timestamp => put(instant::local(field)?.to_be_bytes(), out),
            Kind::Timestamptz => put(instant::zoned(field)?.to_be_bytes(), out),
            Kind::Interval => put(interval::read(field)?, out),
            Kind::Uuid => put(address::uuid(field)?, out),
            Kind::Words => put_sized(out, |out| words::unescape(field, out)),
            Kind::Jsonb => put_sized(out, |out| {
                out.push(JSONB_VERSION);
                words::unescape(field, out)
            }),
            Kind::Bytea => put_sized(out, |out| words::bytes(field, out)),
            Kind::Inet => put_sized(out, |out| address::inet(field, out)),
            Kind::Cidr => put_sized(out, |out| address::cidr(field, out)),
        }
    }
}

/// What stands before the words of a `jsonb` value.
const JSONB_VERSION: u8 = 1;

fn boolean(field: &[u8]) -> Option<u8> {
    match field {
        b"t" => Some(1),
        b"f" => Some(0),
        _ => None,
    }
}
