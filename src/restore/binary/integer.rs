//! Whole numbers.

/// More digits than any of the types holds, and fewer than overflow on the way.
const DIGITS_MAX: usize = 19;

/// A number as the server writes it: no plus, no blanks, no zeros in front.
pub fn signed(field: &[u8]) -> Option<i64> {
    match field.split_first()? {
        (b'-', digits) => {
            let value = digits_of(digits).filter(|value| *value > 0)?;
            0_i64.checked_sub_unsigned(value)
        }
        _ => i64::try_from(digits_of(field)?).ok(),
    }
}

/// Digits without zeros in front.
fn digits_of(digits: &[u8]) -> Option<u64> {
    let plain = match digits {
        [b'0'] => return Some(0),
        [b'1'..=b'9', ..] => digits.len() <= DIGITS_MAX,
        _ => false,
    };
    if plain { fold(digits) } else { None }
}

/// At most 19 digits, whatever stands in front.
pub fn fold(digits: &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for digit in digits {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value.wrapping_mul(10).wrapping_add(u64::from(digit));
    }
    (digits.len() <= DIGITS_MAX).then_some(value)
}
