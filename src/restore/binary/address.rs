//! Values that name something: UUIDs and addresses of networks.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::restore::binary::{integer, words};

/// What the server calls the two families, whatever the machine does.
const FAMILY_4: u8 = 2;
const FAMILY_6: u8 = 3;

/// `a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11`
pub fn uuid(field: &[u8]) -> Option<[u8; 16]> {
    let field: &[u8; 36] = field.try_into().ok()?;
    let mut digits = field.iter().enumerate().filter_map(|(at, byte)| match (at, byte) {
        (8 | 13 | 18 | 23, b'-') => None,
        (8 | 13 | 18 | 23, _) => Some(None),
        _ => Some(words::hex(*byte)),
    });
    let mut value = [0; 16];
    for byte in &mut value {
        *byte = digits.next()?? << 4 | digits.next()??;
    }
    digits.next().is_none().then_some(value)
}

/// `10.0.0.1`, `10.0.0.0/8`, `fe80::1/64`: a host without its netmask.
pub fn inet(field: &[u8], out: &mut Vec<u8>) -> Option<()> {
    address(field, false, out)
}

/// `10.0.0.0/8`: always with its netmask, which is guessed where it is left out.
pub fn cidr(field: &[u8], out: &mut Vec<u8>) -> Option<()> {
    address(field, true, out)
}

fn address(field: &[u8], cidr: bool, out: &mut Vec<u8>) -> Option<()> {
    let text = std::str::from_utf8(field).ok()?;
    let (host, mask) = match text.split_once('/') {
        Some((host, mask)) => (host, Some(integer::signed(mask.as_bytes())?)),
        None if cidr => return None,
        None => (text, None),
    };
    if let Ok(host) = host.parse::<Ipv4Addr>() {
        return write(FAMILY_4, &host.octets(), mask, cidr, out);
    }
    // An IPv4 address inside of an IPv6 one has more spellings than one.
    let host: Ipv6Addr = host.parse().ok().filter(|_| !host.contains('.'))?;
    write(FAMILY_6, &host.octets(), mask, cidr, out)
}

fn write(family: u8, octets: &[u8], mask: Option<i64>, cidr: bool, out: &mut Vec<u8>) -> Option<()> {
    let length = u8::try_from(octets.len()).ok()?;
    let bits = length.checked_mul(8)?;
    let mask = match mask {
        Some(mask) => u8::try_from(mask).ok().filter(|mask| *mask <= bits)?,
        None => bits,
    };
    out.extend_from_slice(&[family, mask, u8::from(cidr), length]);
    out.extend_from_slice(octets);
    Some(())
}
