//! Spans of time in the style that the server calls `postgres`.

use crate::restore::binary::{instant, integer};

/// Digits of a number that is converted: with nine, nothing overflows.
const DIGITS_MAX: usize = 9;

/// `1 year 2 mons -3 days +04:05:06.789` as microseconds, days and months.
pub fn read(field: &[u8]) -> Option<[u8; 16]> {
    let (mut micros, mut days, mut months) = (0_i64, 0_i32, 0_i32);
    let mut parts = field.split(|byte| *byte == b' ');
    // Years come before months, those before days, and the time is last.
    let mut place = 0;
    while let Some(part) = parts.next() {
        if part.contains(&b':') {
            micros = time(part)?;
            if parts.next().is_some() {
                return None;
            }
            break;
        }
        let number = number(part)?;
        let next = match parts.next()? {
            b"year" | b"years" => {
                months = number.checked_mul(12)?;
                1
            }
            b"mon" | b"mons" => {
                months = months.checked_add(number)?;
                2
            }
            b"day" | b"days" => {
                days = number;
                3
            }
            _ => return None,
        };
        if next <= place {
            return None;
        }
        place = next;
    }
    let mut value = [0; 16];
    let bytes = micros.to_be_bytes().into_iter().chain(days.to_be_bytes()).chain(months.to_be_bytes());
    for (place, byte) in value.iter_mut().zip(bytes) {
        *place = byte;
    }
    Some(value)
}

fn number(part: &[u8]) -> Option<i32> {
    let (digits, negative) = unsigned(part);
    if digits.is_empty() || digits.len() > DIGITS_MAX {
        return None;
    }
    let value = i32::try_from(integer::fold(digits)?).ok()?;
    Some(if negative { -value } else { value })
}

fn unsigned(part: &[u8]) -> (&[u8], bool) {
    match part.split_first() {
        Some((b'-', digits)) => (digits, true),
        Some((b'+', digits)) => (digits, false),
        _ => (part, false),
    }
}

/// `-04:05:06.789`; hours may have more digits.
fn time(part: &[u8]) -> Option<i64> {
    let (clock, negative) = unsigned(part);
    let (hours, rest) = clock.split_at_checked(memchr::memchr(b':', clock)?)?;
    let (clock, rest) = rest.split_first_chunk::<6>()?;
    let [b':', m1, m2, b':', s1, s2] = *clock else { return None };
    let (minute, second) = (instant::two(m1, m2)?, instant::two(s1, s2)?);
    if !(2..=DIGITS_MAX).contains(&hours.len()) || minute > 59 || second > 59 {
        return None;
    }
    let hours = i64::try_from(integer::fold(hours)?).ok()?;
    let (fraction, rest) = instant::fraction(rest)?;
    let seconds = hours.checked_mul(3600)?.checked_add(i64::from(minute) * 60 + i64::from(second))?;
    let micros = seconds.checked_mul(1_000_000)?.checked_add(fraction)?;
    rest.is_empty().then_some(if negative { -micros } else { micros })
}
