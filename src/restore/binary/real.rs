//! Binary fractions. The standard library rounds correctly, as the server's C library does.

/// Longer than anything that the server writes.
const BYTES_MAX: usize = 40;

/// A `double precision`, as its bits.
pub fn double(field: &[u8]) -> Option<u64> {
    match field {
        b"NaN" => Some(0x7ff8_0000_0000_0000),
        b"Infinity" => Some(f64::INFINITY.to_bits()),
        b"-Infinity" => Some(f64::NEG_INFINITY.to_bits()),
        _ => {
            let (text, zero) = decimal(field)?;
            let value: f64 = text.parse().ok()?;
            // What is too large or too small for the type is an error of the server's to tell.
            (value.is_finite() && (value == 0.0) == zero).then(|| value.to_bits())
        }
    }
}

/// A `real`, as its bits.
pub fn single(field: &[u8]) -> Option<u32> {
    match field {
        b"NaN" => Some(0x7fc0_0000),
        b"Infinity" => Some(f32::INFINITY.to_bits()),
        b"-Infinity" => Some(f32::NEG_INFINITY.to_bits()),
        _ => {
            let (text, zero) = decimal(field)?;
            let value: f32 = text.parse().ok()?;
            (value.is_finite() && (value == 0.0) == zero).then(|| value.to_bits())
        }
    }
}

/// `-12.5e-07` and the like, and whether all of its digits are zeros.
fn decimal(field: &[u8]) -> Option<(&str, bool)> {
    if field.len() > BYTES_MAX {
        return None;
    }
    let unsigned = field.strip_prefix(b"-").unwrap_or(field);
    let (mantissa, exponent) = match unsigned.iter().position(|byte| *byte == b'e') {
        Some(at) => (unsigned.get(..at)?, Some(unsigned.get(at + 1..)?)),
        None => (unsigned, None),
    };
    let (whole, fraction) = match mantissa.iter().position(|byte| *byte == b'.') {
        Some(at) => (mantissa.get(..at)?, Some(mantissa.get(at + 1..)?)),
        None => (mantissa, None),
    };
    let parts = [Some(whole), fraction, exponent.map(without_sign)];
    let are_digits = |part: &&[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_digit);
    if !parts.iter().flatten().all(are_digits) {
        return None;
    }
    let zero = mantissa.iter().all(|byte| matches!(byte, b'0' | b'.'));
    Some((std::str::from_utf8(field).ok()?, zero))
}

fn without_sign(exponent: &[u8]) -> &[u8] {
    match exponent.split_first() {
        Some((b'-' | b'+', digits)) => digits,
        _ => exponent,
    }
}
