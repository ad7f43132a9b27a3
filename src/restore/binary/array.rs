//! Arrays of one dimension, as the server writes them: `{1,NULL,"a \"word\""}`.

use crate::restore::binary::{Element, NULL, REMADE_BYTES_MAX};

/// Bytes in front of the elements: the number of dimensions, whether there are NULLs, the
/// elements' type, their number, and the subscript of the first.
const HEAD_BYTES: usize = 20;

/// Writes an array. `scratch` is for elements that have escapes.
pub fn write(text: &[u8], element: Element, scratch: &mut Vec<u8>, out: &mut Vec<u8>) -> Option<()> {
    let elements = text.strip_prefix(b"{")?;
    if elements == b"}" {
        // Of no dimension, and so without a number of elements.
        out.extend_from_slice([0, 0, element.oid].map(u32::to_be_bytes).as_flattened());
        return Some(());
    }
    let start = out.len();
    out.extend_from_slice(&[0; HEAD_BYTES]);
    let (count, has_nulls) = write_elements(elements, element, scratch, out)?;
    let head = [1, u32::from(has_nulls), element.oid, count, 1].map(u32::to_be_bytes);
    let place = out.get_mut(start..)?.first_chunk_mut::<HEAD_BYTES>()?;
    place.copy_from_slice(head.as_flattened());
    Some(())
}

/// Writes what is behind the brace that opens; how many elements there are, at least one, and
/// whether any is NULL.
fn write_elements(
    elements: &[u8],
    element: Element,
    scratch: &mut Vec<u8>,
    out: &mut Vec<u8>,
) -> Option<(u32, bool)> {
    let (mut count, mut has_nulls) = (0_u32, false);
    let (start, mut rest) = (out.len(), elements);
    loop {
        let (value, behind) = first(rest, scratch)?;
        match value {
            Some(value) => element.scalar.write(value, out)?,
            None => {
                has_nulls = true;
                out.extend_from_slice(&NULL);
            }
        }
        count = count.checked_add(1)?;
        if out.len() - start > REMADE_BYTES_MAX {
            return None;
        }
        match behind {
            b"}" => return Some((count, has_nulls)),
            [b',', others @ ..] => rest = others,
            _ => return None,
        }
    }
}

/// The first element, nothing for NULL, and what is behind it.
fn first<'s, 'r: 's>(rest: &'r [u8], scratch: &'s mut Vec<u8>) -> Option<(Option<&'s [u8]>, &'r [u8])> {
    if let Some(rest) = rest.strip_prefix(b"\"") {
        let (value, behind) = quoted(rest, scratch)?;
        return Some((Some(value), behind));
    }
    let (value, behind) = rest.split_at_checked(rest.iter().position(|byte| needs_quotes(*byte))?)?;
    match value {
        b"NULL" => Some((None, behind)),
        // It would stand in quotes, or is NULL by the grace of the server's parser.
        _ if value.is_empty() || value.eq_ignore_ascii_case(b"NULL") => None,
        _ => Some((Some(value), behind)),
    }
}

/// What a quoted element stands for, and what is behind the quote that closes. Only quotes and
/// backslashes are escaped.
fn quoted<'s, 'r: 's>(rest: &'r [u8], scratch: &'s mut Vec<u8>) -> Option<(&'s [u8], &'r [u8])> {
    let (plain, mut rest) = rest.split_at_checked(memchr::memchr2(b'"', b'\\', rest)?)?;
    if let [b'"', behind @ ..] = rest {
        return Some((plain, behind));
    }
    scratch.clear();
    scratch.extend_from_slice(plain);
    loop {
        match rest {
            [b'\\', letter @ (b'"' | b'\\'), behind @ ..] => {
                scratch.push(*letter);
                rest = behind;
            }
            [b'"', behind @ ..] => return Some((scratch, behind)),
            _ => return None,
        }
        let (plain, behind) = rest.split_at_checked(memchr::memchr2(b'"', b'\\', rest)?)?;
        scratch.extend_from_slice(plain);
        rest = behind;
    }
}

/// Whether an element with this byte in it stands in quotes.
fn needs_quotes(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | b'{' | b'}' | b',' | b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}
