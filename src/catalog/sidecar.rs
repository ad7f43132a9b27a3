//! The digest beside a backup, as `sha256sum` writes it.

use crate::catalog::Error;
use crate::digest::Digest;

/// The longest sidecar digest, in bytes.
pub const LONGEST: usize = 4096;

/// Reads `NAME.sha256`: one line, `HEX`, `HEX  NAME` or `HEX *NAME`. A name in it must be
/// the backup's own; directories before either name are passed over, since the digest was
/// mostly taken elsewhere.
///
/// # Errors
/// [`Error::Sidecar`] if it is longer than 4 KiB, not UTF-8, not one line of this form, or
/// speaks of another name.
pub fn parse_digest_sidecar(bytes: &[u8], name: &str) -> Result<Digest, Error> {
    let unusable = |problem| Error::Sidecar { name: name.into(), problem };
    if bytes.len() > LONGEST {
        return Err(unusable("it is longer than 4 KiB"));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| unusable("it is not text"))?;
    let text = text.strip_suffix('\n').unwrap_or(text);
    let line = text.strip_suffix('\r').unwrap_or(text);
    if line.contains('\n') {
        return Err(unusable("it has several lines"));
    }
    let (hex, rest) =
        line.split_at_checked(64).ok_or_else(|| unusable("it is too short for a SHA-256 digest"))?;
    let digest = Digest::parse(hex).ok_or_else(|| unusable("it does not begin with a SHA-256 digest"))?;
    if rest.trim_end().is_empty() {
        return Ok(digest);
    }
    let named = rest
        .strip_prefix("  ")
        .or_else(|| rest.strip_prefix(" *"))
        .ok_or_else(|| unusable("its digest is not followed by two blanks and a name"))?;
    if last_part(named) != last_part(name) {
        return Err(unusable("it is the digest of another name"));
    }
    Ok(digest)
}

fn last_part(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn what_sha256sum_writes_is_read() {
        for text in [
            HEX.into(),
            format!("{HEX}\n"),
            format!("{HEX}\r\n"),
            format!("{HEX}  orders.dump\n"),
            format!("{HEX} *orders.dump\n"),
            format!("{HEX}  ./orders.dump"),
            format!("{HEX}  /srv/backups/orders.dump\n"),
            format!("{}  orders.dump\n", HEX.to_uppercase()),
        ] {
            assert_eq!(
                parse_digest_sidecar(text.as_bytes(), "2026/orders.dump"),
                Ok(Digest::of(b"abc")),
                "{text:?}"
            );
        }
    }

    #[test]
    fn anything_else_is_no_digest() {
        let table = [
            (String::new(), "too short"),
            ("ba78".into(), "too short"),
            ("é".repeat(40), "does not begin with"),
            (format!("{}zz", &HEX[..62]), "does not begin with"),
            (format!("{HEX}00"), "not followed by"),
            (format!("{HEX} orders.dump"), "not followed by"),
            (format!("{HEX}  customers.dump"), "another name"),
            (format!("{HEX}  my-orders.dump"), "another name"),
            (format!("{HEX}  orders.dump\n{HEX}  customers.dump\n"), "several lines"),
            (format!("SHA256 (orders.dump) = {HEX}"), "does not begin with"),
            (" ".repeat(LONGEST + 1), "longer than 4 KiB"),
        ];
        for (text, problem) in table {
            let error = parse_digest_sidecar(text.as_bytes(), "orders.dump").unwrap_err();
            assert!(error.to_string().contains(problem), "{text:?}: {error}");
        }
        assert!(parse_digest_sidecar(&[0xff; 64], "orders.dump").is_err());
    }
}
