//! Archives inside of layers: what the tools wrote comes out whole, and what was damaged, or is
//! hostile, never comes out as if it had not been.
#![expect(clippy::unwrap_used, clippy::panic, reason = "what fails here fails the test")]

use std::fs;
use std::io::Read;
use std::path::PathBuf;

use firedrill::archive::{Error, Keys, Kind, Layer, Limits, Openssl, OpensslDigest, unwrap};

fn fixture(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn wrapped(name: &str) -> Vec<u8> {
    fixture(&format!("wrapped/{name}"))
}

fn archive() -> Vec<u8> {
    fixture("archives/pg15/custom-none-piped.dump")
}

const DEFAULT: Openssl = Openssl { digest: OpensslDigest::Sha256, iterations: 10_000 };

/// Every key of the fixtures.
fn keys() -> Keys {
    let mut keys = Keys::default();
    keys.add_age(&wrapped("age-identity")).unwrap();
    keys.set_passphrase(&wrapped("passphrase")).unwrap();
    keys.add_openpgp(&wrapped("openpgp-key")).unwrap();
    keys.add_openpgp(&wrapped("openpgp-key-curve.asc")).unwrap();
    keys.set_openssl(DEFAULT);
    keys
}

/// What is inside of `stored`, and the layers around it.
fn inside(stored: &[u8], keys: &Keys, limits: Limits) -> Result<(Vec<u8>, Vec<Layer>), Error> {
    let mut unwrapped = unwrap(stored, keys, limits)?;
    let mut inside = Vec::new();
    unwrapped.read_to_end(&mut inside).map_err(Error::from_io)?;
    Ok((inside, unwrapped.layers()))
}

fn layer(kind: Kind, how: Option<&'static str>, checksum: Option<&'static str>) -> Layer {
    Layer { kind, how, checksum }
}

/// The fixtures, with the layers that are around each and what checks them.
fn table() -> Vec<(&'static str, Vec<Layer>)> {
    let codec = |kind, checksum| vec![layer(kind, None, checksum)];
    let gzip = || layer(Kind::Gzip, None, Some("crc32"));
    let age = |how| layer(Kind::Age, Some(how), Some("chacha20-poly1305"));
    let openpgp = |how| layer(Kind::OpenPgp, Some(how), Some("mdc sha1"));
    let openssl = || layer(Kind::OpensslEnc, Some("passphrase, AES-256-CBC, not authenticated"), None);
    vec![
        ("gzip.gz", vec![gzip()]),
        ("gzip-members.gz", vec![gzip()]),
        ("zstd.zst", codec(Kind::Zstd, Some("xxh64"))),
        ("zstd-frames.zst", codec(Kind::Zstd, Some("xxh64"))),
        ("zstd-no-check.zst", codec(Kind::Zstd, None)),
        ("lz4.lz4", codec(Kind::Lz4, Some("xxh32"))),
        ("lz4-no-check.lz4", codec(Kind::Lz4, None)),
        ("xz.xz", codec(Kind::Xz, Some("xz check"))),
        ("xz-streams.xz", codec(Kind::Xz, Some("xz check"))),
        ("xz-no-check.xz", codec(Kind::Xz, None)),
        ("bzip2.bz2", codec(Kind::Bzip2, Some("crc32"))),
        ("bzip2-streams.bz2", codec(Kind::Bzip2, Some("crc32"))),
        ("gzip.zst", vec![layer(Kind::Zstd, None, Some("xxh64")), gzip()]),
        ("age.gz.age", vec![age("X25519"), gzip()]),
        ("age-passphrase.gz.age", vec![age("scrypt"), gzip()]),
        ("openssl.gz.enc", vec![openssl(), gzip()]),
        ("gpg-passphrase.gpg", vec![openpgp("passphrase")]),
        ("gpg-key.gpg", vec![openpgp("key")]),
        ("gpg-curve-signed.gpg", vec![openpgp("key")]),
    ]
}

#[test]
fn what_the_tools_wrote_comes_out_whole() {
    let (keys, archive) = (keys(), archive());
    for (name, layers) in table() {
        let (inside, found) =
            inside(&wrapped(name), &keys, Limits::default()).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(inside == archive, "{name}");
        assert_eq!(found, layers, "{name}");
    }
    let (inside, found) = inside(&archive, &keys, Limits::default()).unwrap();
    assert!(inside == archive && found.is_empty());
}
