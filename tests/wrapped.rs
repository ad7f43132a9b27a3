//! Archives inside of layers: what the tools wrote comes out whole, and what was damaged, or is
//! hostile, never comes out as if it had not been.
#![expect(clippy::unwrap_used, clippy::panic, reason = "what fails here fails the test")]

use std::fs;
use std::io::Read;
use std::path::PathBuf;

use firedrill::archive::{Error, Keys, Kind, LAYERS_MAX, Layer, Limits, Openssl, OpensslDigest, unwrap};
use firedrill::verdict::{Blame, Code};

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
        let (inside, found) = inside(&wrapped(name), &keys, Limits::default())
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(inside == archive, "{name}");
        assert_eq!(found, layers, "{name}");
    }
    let (inside, found) = inside(&archive, &keys, Limits::default()).unwrap();
    assert!(inside == archive && found.is_empty());
}

/// Where to damage something so long: everywhere at its ends, and here and there between.
fn places(length: usize, many: usize) -> Vec<usize> {
    let ends = (0..length.min(16)).chain(length.saturating_sub(16)..length);
    let between = (0..many).map(|n| n * length / many + n % 7).filter(|at| *at < length);
    ends.chain(between).collect()
}

/// How often a fixture is damaged; the work on a passphrase costs a second each time.
fn many(name: &str) -> Option<usize> {
    match name {
        "age-passphrase.gz.age" => None,
        "gpg-passphrase.gpg" => Some(0),
        "gpg-key.gpg" => Some(20),
        _ => Some(80),
    }
}

#[test]
fn a_byte_that_was_changed_is_caught_by_what_vouches_for_it() {
    let (keys, archive) = (keys(), archive());
    for (name, _) in table() {
        let Some(many) = many(name) else { continue };
        let stored = wrapped(name);
        for at in places(stored.len(), many) {
            let mut damaged = stored.clone();
            damaged[at] ^= 0x41;
            let Ok((inside, layers)) = inside(&damaged, &keys, Limits::default()) else { continue };
            let vouched = layers.iter().any(|layer| layer.checksum.is_some());
            assert!(inside == archive || !vouched, "{name} with another byte at {at}: {layers:?}");
        }
    }
}

#[test]
fn what_was_cut_or_is_followed_by_something_never_ends_well() {
    let keys = keys();
    for (name, layers) in table() {
        let Some(many) = many(name) else { continue };
        let stored = wrapped(name);
        for at in places(stored.len(), many).into_iter().filter(|at| *at > 0) {
            let Ok((_, found)) = inside(&stored[..at], &keys, Limits::default()) else { continue };
            // So little that it is not told for what it is, and then no archive either.
            assert!(found.len() < layers.len() && at < 24, "{name} cut to {at} of {}", stored.len());
        }
        for behind in [&b"\0"[..], b"garbage", &[0xff; 100]] {
            let error = inside(&[&stored[..], behind].concat(), &keys, Limits::default()).err();
            let error = error.unwrap_or_else(|| panic!("{name} with {} bytes behind", behind.len()));
            assert_eq!(error.reason().code.blame(), Blame::Backup, "{name}: {error}");
        }
    }
}

#[test]
fn a_source_that_fails_is_not_taken_for_a_damaged_layer() {
    struct Failing;
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::ConnectionReset.into())
        }
    }
    let keys = keys();
    for (name, _) in table() {
        let Some(_) = many(name) else { continue };
        let stored = wrapped(name);
        for at in [20, stored.len() / 2, stored.len() - 1] {
            let source = std::io::BufReader::new((&stored[..at]).chain(Failing));
            let read = unwrap(source, &keys, Limits::default()).and_then(|mut unwrapped| {
                std::io::copy(&mut unwrapped, &mut std::io::sink()).map_err(Error::from_io)
            });
            let error = read.err().unwrap_or_else(|| panic!("{name} read past its source"));
            assert!(matches!(error, Error::Source(_)), "{name} at {at}: {error}");
        }
    }
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

#[test]
fn layers_unfold_so_far_and_no_further() {
    let limits = Limits { free_bytes: 1 << 16, ratio_max: 200 };
    let zeros = vec![0; 4 << 20];
    let once = gzipped(&zeros);
    let bombs = [
        ("gzip", once.clone()),
        ("gzip twice", gzipped(&once)),
        ("zstd", zstd::encode_all(&zeros[..], 3).unwrap()),
        ("gzip in zstd", zstd::encode_all(&once[..], 3).unwrap()),
    ];
    for (name, bomb) in bombs {
        let (whole, _) = inside(&bomb, &Keys::default(), Limits::default()).unwrap();
        assert_eq!(whole.len(), zeros.len(), "{name}");
        let error = inside(&bomb, &Keys::default(), limits).err().unwrap_or_else(|| panic!("{name}"));
        assert_eq!(error.reason().code, Code::LimitExceeded, "{name}: {error}");
    }
}

#[test]
fn three_layers_are_undone_and_a_fourth_is_not() {
    let mut stored = archive();
    for layers in 1..=LAYERS_MAX {
        stored = gzipped(&stored);
        let (_, found) = inside(&stored, &Keys::default(), Limits::default()).unwrap();
        assert_eq!(found.len(), layers);
    }
    let error = inside(&gzipped(&stored), &Keys::default(), Limits::default()).unwrap_err();
    assert_eq!(error.reason().code, Code::LimitExceeded, "{error}");
}

#[test]
fn a_header_asks_for_no_more_memory_or_work_than_is_granted() {
    let age = wrapped("age-passphrase.gz.age");
    let header = String::from_utf8_lossy(&age[..200]).into_owned();
    let log_n = header.lines().nth(1).unwrap().rsplit(' ').next().unwrap().to_owned();
    let harder = header.lines().nth(1).unwrap().replace(&format!(" {log_n}"), " 25");
    let scrypt =
        [b"age-encryption.org/v1\n", harder.as_bytes(), &age[header.find(&log_n).unwrap() + log_n.len()..]];
    let endless = [&b"age-encryption.org/v1\n-> X25519 "[..], &[b'a'; 1 << 20]].concat();
    // A session key by Argon2 over 2^21 KiB, and a message behind it.
    let argon2 = [&[0xc3, 22, 4, 9, 4][..], &[7; 16], &[1, 4, 21], &[0xd2, 60, 1], &[5; 59]].concat();
    let session_key = [&[0xc3, 13, 4, 9, 3, 8][..], &[7; 8], &[96]].concat();
    let many = [session_key.repeat(33), vec![0xd2, 60, 1], vec![5; 59]].concat();
    let too_many = [session_key.repeat(30_000), vec![0xd2, 60, 1], vec![5; 59]].concat();
    let mut window = zstd::stream::Encoder::new(Vec::new(), 1).unwrap();
    window.window_log(28).unwrap();
    std::io::Write::write_all(&mut window, b"rows\n").unwrap();
    let table = [
        ("scrypt", scrypt.concat()),
        ("a header of age without an end", endless),
        ("argon2", argon2),
        ("33 session keys", many),
        ("30,000 session keys", too_many),
        ("a window of zstd", window.finish().unwrap()),
        ("a dictionary of xz", with_dictionary(wrapped("xz.xz"), 40)),
    ];
    let keys = keys();
    for (name, stored) in table {
        let error = inside(&stored, &keys, Limits::default()).err().unwrap_or_else(|| panic!("{name}"));
        assert_eq!(error.reason().code, Code::LimitExceeded, "{name}: {error}");
    }
}

/// An xz file whose block header asks for another dictionary: 40 is 4 GiB.
fn with_dictionary(mut xz: Vec<u8>, size: u8) -> Vec<u8> {
    const BLOCK: usize = 12;
    let length = (usize::from(xz[BLOCK]) + 1) * 4;
    let filter = (BLOCK..BLOCK + length).find(|at| xz[*at..].starts_with(&[0x21, 1])).unwrap();
    xz[filter + 2] = size;
    let sum_at = BLOCK + length - 4;
    let mut sum = crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc32IsoHdlc);
    sum.update(&xz[BLOCK..sum_at]);
    let sum = sum.finalize() as u32;
    xz[sum_at..sum_at + 4].copy_from_slice(&sum.to_le_bytes());
    xz
}

#[test]
fn a_key_is_taken_or_said_to_be_none_without_a_word_of_it() {
    let refused = [
        Keys::default().add_age(b"AGE-SECRET-KEY-1QQQQ"),
        Keys::default().add_age(b"# nothing but a comment\n"),
        Keys::default().add_age(b"\xff\xfe"),
        Keys::default().set_passphrase(b"\nsecond line"),
        Keys::default().add_openpgp(b"-----BEGIN PGP PRIVATE KEY BLOCK-----\n"),
        Keys::default().add_openpgp(&wrapped("gpg-key.gpg")),
    ];
    for refused in refused {
        let told = refused.unwrap_err().to_string();
        assert!(told.starts_with("it ") && !told.contains("QQQQ"), "{told}");
    }
    assert_eq!(format!("{:?}", keys()), "Keys { .. }");
}
