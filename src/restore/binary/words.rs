//! Text and bytes, and the escapes of COPY text.

/// Appends what COPY text stands for. Only the escapes that the server itself writes.
pub fn unescape(field: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut rest = field;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        let (plain, escape) = rest.split_at(at);
        out.extend_from_slice(plain);
        let [_, letter, behind @ ..] = escape else { return None };
        out.push(match letter {
            b'\\' => b'\\',
            b'b' => 0x08,
            b't' => b'\t',
            b'n' => b'\n',
            b'v' => 0x0b,
            b'f' => 0x0c,
            b'r' => b'\r',
            _ => return None,
        });
        rest = behind;
    }
    out.extend_from_slice(rest);
    Some(())
}

/// Appends the bytes of `\x00ff`, which is the hex format.
pub fn bytes(text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let digits = text.strip_prefix(b"\\x")?;
    if digits.len() % 2 != 0 {
        return None;
    }
    for pair in digits.chunks_exact(2) {
        let [high, low] = *pair else { return None };
        out.push(hex(high)? << 4 | hex(low)?);
    }
    Some(())
}

/// A hexadecimal digit as the server writes it.
pub fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}
