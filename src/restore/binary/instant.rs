//! Days, times of day, and instants, in the ISO style of years 0001 to 9999.

const MICROS_PER_SECOND: i64 = 1_000_000;
const MICROS_PER_DAY: i64 = 86_400 * MICROS_PER_SECOND;
/// Hours and minutes of the largest offset from UTC that the server takes.
const OFFSET_HOURS_MAX: u8 = 15;

/// Days since the first of January 2000.
pub fn date(field: &[u8]) -> Option<i32> {
    match field {
        b"infinity" => Some(i32::MAX),
        b"-infinity" => Some(i32::MIN),
        _ => day(field.try_into().ok()?),
    }
}

/// Microseconds since midnight.
pub fn time(field: &[u8]) -> Option<i64> {
    if field == b"24:00:00" {
        return Some(MICROS_PER_DAY);
    }
    let (micros, rest) = time_of_day(field)?;
    rest.is_empty().then_some(micros)
}

/// Microseconds since the first of January 2000, by a clock without a zone.
pub fn local(field: &[u8]) -> Option<i64> {
    if let Some(infinite) = infinite(field) {
        return Some(infinite);
    }
    let (micros, rest) = day_and_time(field)?;
    rest.is_empty().then_some(micros)
}

/// Microseconds since the first of January 2000 in UTC. The offset is part of the text, so no
/// zone is asked.
pub fn zoned(field: &[u8]) -> Option<i64> {
    if let Some(infinite) = infinite(field) {
        return Some(infinite);
    }
    let (micros, rest) = day_and_time(field)?;
    micros.checked_sub(offset(rest)?)
}

fn infinite(field: &[u8]) -> Option<i64> {
    match field {
        b"infinity" => Some(i64::MAX),
        b"-infinity" => Some(i64::MIN),
        _ => None,
    }
}

/// `2026-11-21 05:51:32.25`, and what is behind it.
fn day_and_time(field: &[u8]) -> Option<(i64, &[u8])> {
    let (date, rest) = field.split_first_chunk::<10>()?;
    let (micros, rest) = time_of_day(rest.strip_prefix(b" ")?)?;
    Some((i64::from(day(date)?) * MICROS_PER_DAY + micros, rest))
}

/// `2026-11-21`
fn day(date: &[u8; 10]) -> Option<i32> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = *date else { return None };
    let year = i32::from(two(y1, y2)?) * 100 + i32::from(two(y3, y4)?);
    let (month, day) = (two(m1, m2)?, two(d1, d2)?);
    if year == 0 || day == 0 || day > days_in(year, month)? {
        return None;
    }
    // Years are counted from March, so that the day that comes and goes is their last.
    let (year, month) =
        if month > 2 { (year, i32::from(month) - 3) } else { (year - 1, i32::from(month) + 9) };
    let before_month = (153 * month + 2) / 5;
    let before_year = 365 * year + year / 4 - year / 100 + year / 400;
    // The first of March of the year 0 lies so many days before the epoch.
    Some(before_year + before_month + i32::from(day) - 1 - 730_425)
}

fn days_in(year: i32, month: u8) -> Option<u8> {
    match month {
        4 | 6 | 9 | 11 => Some(30),
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => Some(29),
        2 => Some(28),
        1..=12 => Some(31),
        _ => None,
    }
}

/// `05:51:32.25` as microseconds, and what is behind it.
fn time_of_day(field: &[u8]) -> Option<(i64, &[u8])> {
    let (clock, rest) = field.split_first_chunk::<8>()?;
    let [h1, h2, b':', m1, m2, b':', s1, s2] = *clock else { return None };
    let (hour, minute, second) = (two(h1, h2)?, two(m1, m2)?, two(s1, s2)?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let seconds = i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second);
    let (fraction, rest) = fraction(rest)?;
    Some((seconds * MICROS_PER_SECOND + fraction, rest))
}

/// `.25` as microseconds, if there is one, and what is behind it. At most six digits.
pub fn fraction(field: &[u8]) -> Option<(i64, &[u8])> {
    let Some(rest) = field.strip_prefix(b".") else { return Some((0, field)) };
    let end = rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
    let (digits, rest) = rest.split_at_checked(end).filter(|_| (1..=6).contains(&end))?;
    let value = digits.iter().fold(0, |value, digit| value * 10 + i64::from(digit - b'0'));
    let scale = [100_000, 10_000, 1_000, 100, 10, 1].get(end - 1)?;
    Some((value * scale, rest))
}

/// `+01`, `-03:30`, `+00:53:28` as microseconds.
fn offset(field: &[u8]) -> Option<i64> {
    let (sign, hour, minute, second) = match *field {
        [sign, h1, h2] => (sign, two(h1, h2)?, 0, 0),
        [sign, h1, h2, b':', m1, m2] => (sign, two(h1, h2)?, two(m1, m2)?, 0),
        [sign, h1, h2, b':', m1, m2, b':', s1, s2] => (sign, two(h1, h2)?, two(m1, m2)?, two(s1, s2)?),
        _ => return None,
    };
    if hour > OFFSET_HOURS_MAX || minute > 59 || second > 59 {
        return None;
    }
    let micros = (i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second)) * MICROS_PER_SECOND;
    match sign {
        b'+' => Some(micros),
        b'-' => Some(-micros),
        _ => None,
    }
}

/// A number of two digits.
pub fn two(tens: u8, ones: u8) -> Option<u8> {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    (tens < 10 && ones < 10).then(|| tens * 10 + ones)
}
