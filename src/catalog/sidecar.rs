//! The digest beside a backup, as `sha256sum` writes it.

use std::collections::BTreeMap;

use crate::catalog::Error;
use crate::digest::Digest;

/// The longest sidecar digest, in bytes.
pub const LONGEST: usize = 4096;

/// The longest list of digests beside a directory, in bytes.
pub const LISTING_BYTES_MAX: u64 = 64 << 20;

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

/// Reads `NAME.sha256` beside the directory `NAME/`: either the digest of the directory, in one
/// line as above, or what `sha256sum` printed for its files, in any order, with names below the
/// directory. The digest of the directory is that of these lines, ordered by name.
///
/// # Errors
/// [`Error::Sidecar`] if it is longer than 64 MiB, or neither.
pub fn parse_listing_sidecar(bytes: &[u8], label: &str) -> Result<Digest, Error> {
    let name = label.trim_end_matches('/');
    let unusable = |problem| Error::Sidecar { name: name.into(), problem };
    if bytes.len() as u64 > LISTING_BYTES_MAX {
        return Err(unusable("it is longer than 64 MiB"));
    }
    if let Ok(digest) = parse_digest_sidecar(bytes, name) {
        return Ok(digest);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| unusable("it is not text"))?;
    let mut files = BTreeMap::new();
    for line in text.lines() {
        let (digest, file) =
            line.split_at_checked(64).ok_or_else(|| unusable("it has a line without a digest"))?;
        let digest = Digest::parse(digest).ok_or_else(|| unusable("it has a line without a digest"))?;
        let file = file
            .strip_prefix("  ")
            .or_else(|| file.strip_prefix(" *"))
            .ok_or_else(|| unusable("a digest is not followed by two blanks and a name"))?;
        let file = file.strip_prefix("./").unwrap_or(file);
        if files.insert(file, digest).is_some() {
            return Err(unusable("it names a file twice"));
        }
    }
    let lines: String = files.iter().map(|(file, digest)| format!("{digest}  {file}\n")).collect();
    if files.is_empty() { Err(unusable("it is empty")) } else { Ok(Digest::of(lines.as_bytes())) }
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
    fn the_files_of_a_directory_are_summed_by_name() {
        let lines = [format!("{HEX}  17.dat.gz\n"), format!("{HEX}  toc.dat\n")];
        let expected = Ok(Digest::of(lines.concat().as_bytes()));
        for text in [
            lines.concat(),
            format!("{}{}", lines[1], lines[0]),
            format!("{HEX} *./toc.dat\r\n{HEX}  ./17.dat.gz"),
        ] {
            assert_eq!(parse_listing_sidecar(text.as_bytes(), "2026/orders/"), expected, "{text:?}");
        }
        let whole = format!("{HEX}  orders\n");
        assert_eq!(parse_listing_sidecar(whole.as_bytes(), "2026/orders/"), Ok(Digest::of(b"abc")));
        let alone = format!("{HEX}  toc.dat\n");
        assert_eq!(
            parse_listing_sidecar(alone.as_bytes(), "2026/orders/"),
            Ok(Digest::of(alone.as_bytes())),
            "the list of a directory of one file"
        );
        for text in ["", "beef", "beef  toc.dat\n", &format!("{HEX} toc.dat\n"), &lines[0].repeat(2)] {
            assert!(parse_listing_sidecar(text.as_bytes(), "2026/orders/").is_err(), "{text:?}");
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
