//! Decimal numbers of any length, in the server's base of ten thousand.

/// Longer ones are rare, and left to the server.
const DIGITS_MAX: usize = 1_000;
/// Decimal digits in one of the server's.
const GROUP: usize = 4;
const NEGATIVE: u16 = 0x4000;

/// Writes `-123.4500`: the number of groups, the place of the first one, the sign, the number
/// of decimal digits behind the point, and the groups without zeros at either end.
pub fn write(field: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let (digits, negative) = match field.split_first()? {
        (b'-', digits) => (digits, true),
        _ => (field, false),
    };
    let (whole, fraction) = match memchr::memchr(b'.', digits) {
        Some(at) => (digits.get(..at)?, digits.get(at + 1..).filter(|fraction| !fraction.is_empty())?),
        None => (digits, &[][..]),
    };
    let canonical = match whole {
        [b'0'] | [b'1'..=b'9', ..] => digits.len() <= DIGITS_MAX,
        _ => false,
    };
    if !canonical {
        return None;
    }
    let start = out.len();
    out.extend_from_slice(&[0; 8]);
    let first = write_groups(whole, fraction, out)?;
    let count = (out.len() - start - 8) / 2;
    if count == 0 && negative {
        return None;
    }
    let weight = if count == 0 { 0 } else { first };
    let header = [
        u16::try_from(count).ok()?.to_be_bytes(),
        weight.to_be_bytes(),
        if negative { NEGATIVE } else { 0 }.to_be_bytes(),
        u16::try_from(fraction.len()).ok()?.to_be_bytes(),
    ];
    for (place, byte) in out.get_mut(start..)?.iter_mut().zip(header.as_flattened()) {
        *place = *byte;
    }
    Some(())
}

/// Appends the groups from the first to the last that is not zero; the place of the first,
/// counted from the point.
fn write_groups(whole: &[u8], fraction: &[u8], out: &mut Vec<u8>) -> Option<i16> {
    let whole = if whole == b"0" { &[] } else { whole };
    let (leading, rest) = whole.split_at(whole.len() % GROUP);
    let mut weight = i16::try_from(whole.len().div_ceil(GROUP)).ok()? - 1;
    let mut end = out.len();
    let begin = end;
    let mut add = |digits: &[u8]| -> Option<()> {
        let group = group(digits)?;
        if group == 0 && out.len() == begin {
            weight -= 1;
            return Some(());
        }
        out.extend_from_slice(&group.to_be_bytes());
        if group != 0 {
            end = out.len();
        }
        Some(())
    };
    if !leading.is_empty() {
        add(leading)?;
    }
    for digits in rest.chunks(GROUP) {
        add(digits)?;
    }
    for digits in fraction.chunks(GROUP) {
        match <[u8; GROUP]>::try_from(digits) {
            Ok(digits) => add(&digits)?,
            Err(_) => {
                let mut filled = [b'0'; GROUP];
                for (place, digit) in filled.iter_mut().zip(digits) {
                    *place = *digit;
                }
                add(&filled)?;
            }
        }
    }
    out.truncate(end);
    Some(weight)
}

/// At most four digits.
fn group(digits: &[u8]) -> Option<u16> {
    let mut value = 0_u16;
    for digit in digits {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value.wrapping_mul(10).wrapping_add(u16::from(digit));
    }
    Some(value)
}
