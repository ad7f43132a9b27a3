//! The types that are converted: single values, and arrays of them.

use crate::restore::binary::{Scalar, array, put_sized};

/// How the text of a column becomes its binary form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A single value.
    Scalar(Scalar),
    /// An array of one dimension, whose text sets its elements apart by commas.
    Array(Element),
}

/// What an array consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Element {
    /// How each element is converted.
    pub scalar: Scalar,
    /// The OID of its type in the database that takes the rows, which goes with each array.
    pub oid: u32,
}

impl Kind {
    /// The kind of a type that the server reads with these two functions of its own, one for
    /// text and one for the binary form. `element` tells what an array of the type consists of,
    /// if that is converted and set apart by commas; other types make nothing of it.
    pub fn of(input: &str, receive: &str, element: Option<Element>) -> Option<Kind> {
        match (input, receive) {
            ("array_in", "array_recv") => element.map(Kind::Array),
            _ => Scalar::of(input, receive).map(Kind::Scalar),
        }
    }

    /// Appends the value, which is not NULL and without the escapes of COPY text, with its length
    /// in front.
    pub(super) fn write(self, text: &[u8], scratch: &mut Vec<u8>, out: &mut Vec<u8>) -> Option<()> {
        match self {
            Kind::Scalar(scalar) => scalar.write(text, out),
            Kind::Array(element) => put_sized(out, |out| array::write(text, element, scratch, out)),
        }
    }
}

impl From<Scalar> for Kind {
    fn from(scalar: Scalar) -> Kind {
        Kind::Scalar(scalar)
    }
}
