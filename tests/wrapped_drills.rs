//! Whole drills of backups inside of layers, from the plan file to the evidence.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "what fails here fails the test")]

mod archive_support;
#[path = "support/database.rs"]
mod database;
#[path = "support/drill.rs"]
mod drill;
#[path = "support/postgres.rs"]
mod postgres;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use firedrill::record::{Anchor, Record, TableState};
use firedrill::verdict::{Code, Verdict};
use tempfile::TempDir;

use crate::archive_support::load;
use crate::drill::{Service, codes, drill, drilled, told, warnings};

fn wrapped(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/wrapped").join(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The keys of the fixtures as a plan wants them: files of their owner only.
struct KeyRing {
    folder: TempDir,
}

impl KeyRing {
    fn new() -> KeyRing {
        let ring = KeyRing { folder: tempfile::tempdir().unwrap() };
        for name in ["age-identity", "passphrase", "openpgp-key", "openpgp-key-curve.asc"] {
            ring.put(name, &wrapped(name), 0o600);
        }
        ring
    }

    fn put(&self, name: &str, bytes: &[u8], mode: u32) {
        let path = self.folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
    }

    /// A line that names a key.
    fn line(&self, key: &str, name: &str) -> String {
        format!("decrypt.{key} = '{}'", self.folder.path().join(name).display())
    }

    /// The lines that open each of the fixtures.
    fn all(&self, openpgp_key: &str) -> String {
        [
            self.line("age_identity_file", "age-identity"),
            self.line("passphrase_file", "passphrase"),
            self.line("openpgp_key_file", openpgp_key),
            "decrypt.openssl = { digest = 'sha256', iterations = 10000 }".to_owned(),
        ]
        .join("\n")
    }
}

fn assert_came_back(record: &Record) {
    let told = told(record);
    let fidelity = record.fidelity.as_ref().unwrap_or_else(|| panic!("{told}"));
    assert_eq!((fidelity.tables_expected, fidelity.tables_equal), (24, 24), "{told}");
    assert!(fidelity.tables.iter().all(|table| table.state == TableState::Equal), "{told}");
    let restore = record.restore.as_ref().unwrap();
    assert_eq!(restore.staged_bytes, 0, "{told}");
}

/// The fixtures with the layers that the evidence names, and the algorithm that vouches for them
/// where nothing outside does.
fn table() -> Vec<(&'static str, &'static str, Option<&'static str>)> {
    vec![
        ("gzip.gz", "gzip", Some("crc32 of gzip")),
        ("gzip-members.gz", "gzip", Some("crc32 of gzip")),
        ("zstd.zst", "zstd", Some("xxh64 of zstd")),
        ("zstd-no-check.zst", "zstd", None),
        ("lz4.lz4", "lz4", Some("xxh32 of lz4")),
        ("lz4-no-check.lz4", "lz4", None),
        ("xz.xz", "xz", Some("xz check of xz")),
        ("xz-no-check.xz", "xz", None),
        ("bzip2.bz2", "bzip2", Some("crc32 of bzip2")),
        ("gzip.zst", "zstd gzip", Some("xxh64 of zstd")),
        ("age.gz.age", "age gzip", Some("chacha20-poly1305 of age")),
        ("age-passphrase.gz.age", "age gzip", Some("chacha20-poly1305 of age")),
        ("openssl.gz.enc", "openssl enc gzip", Some("crc32 of gzip")),
        ("gpg-passphrase.gpg", "openpgp", Some("mdc sha1 of openpgp")),
        ("gpg-key.gpg", "openpgp", Some("mdc sha1 of openpgp")),
        ("gpg-curve-signed.gpg", "openpgp", Some("mdc sha1 of openpgp")),
    ]
}

fn service_name(file: &str) -> String {
    file.replace('.', "-")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_tools_wrapped_is_drilled_to_a_pass_by_the_checksum_of_its_layers_or_not_at_all() {
    let ring = KeyRing::new();
    let service = |(file, ..): (&str, _, _)| {
        let openpgp_key = if file.contains("curve") { "openpgp-key-curve.asc" } else { "openpgp-key" };
        Service::new(&service_name(file), &wrapped(file)).backup_with(&ring.all(openpgp_key))
    };
    let ran = drilled(table().into_iter().map(service).collect()).await;
    for (file, layers, vouched) in table() {
        let record = ran.of(&service_name(file));
        let told = told(record);
        assert_came_back(record);
        let artifact = record.artifact.as_ref().unwrap();
        let found: Vec<&str> = artifact.layers.iter().map(|layer| layer.kind.as_str()).collect();
        assert_eq!(found.join(" "), layers, "{told}");
        assert_eq!(artifact.expected.algorithm.as_deref(), vouched, "{told}");
        let unauthenticated = warnings(record).contains(&"ENCRYPTION_UNAUTHENTICATED");
        assert_eq!(unauthenticated, layers.contains("openssl"), "{told}");
        if vouched.is_some() {
            assert_eq!(record.verdict.result.0, Verdict::Pass, "{told}");
            assert!(warnings(record).contains(&"INTEGRITY_UNANCHORED"), "{told}");
        } else {
            assert_eq!(artifact.expected.source, Anchor::None, "{told}");
            assert_eq!(codes(record), [Code::NoIntegrityReference], "{told}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_digest_beside_a_wrapped_backup_is_of_the_stored_bytes() {
    let record = drill(Service::new("fx", &wrapped("zstd-no-check.zst")).vouched()).await;
    assert_eq!(record.verdict.result.0, Verdict::Pass, "{}", told(&record));
    assert_eq!(record.artifact.as_ref().unwrap().expected.source, Anchor::Sidecar);
    assert_came_back(&record);
}

/// `stored` with one byte changed, so far from its start.
fn changed(mut stored: Vec<u8>, at: usize) -> Vec<u8> {
    stored[at] ^= 0x20;
    stored
}

#[tokio::test(flavor = "multi_thread")]
async fn a_layer_that_was_damaged_fails_after_a_second_reading() {
    let ring = KeyRing::new();
    let files = [
        "gzip.gz",
        "zstd.zst",
        "lz4.lz4",
        "xz.xz",
        "bzip2.bz2",
        "age.gz.age",
        "openssl.gz.enc",
        "gpg-passphrase.gpg",
    ];
    let damaged = files.into_iter().flat_map(|file| {
        let stored = wrapped(file);
        let (middle, cut) = (changed(stored.clone(), 20_000), stored[..20_000].to_vec());
        let longer = [&stored[..], b"garbage"].concat();
        [("middle", middle), ("cut", cut), ("longer", longer)]
            .map(|(what, bytes)| (format!("{}-{what}", service_name(file)), bytes))
    });
    let service =
        |(name, bytes): (String, Vec<u8>)| Service::new(&name, &bytes).backup_with(&ring.all("openpgp-key"));
    let ran = drilled(damaged.map(service).collect()).await;
    assert_eq!(ran.records.len(), files.len() * 3);
    for (name, record) in &ran.records {
        let told = told(record);
        assert_eq!(record.verdict.result.0, Verdict::Fail, "{told}");
        let code = codes(record)[0];
        assert!([Code::ArtifactCorrupt, Code::ArtifactTruncated].contains(&code), "{told}");
        if name.ends_with("-cut")
            && !name.contains("age")
            && !name.contains("gpg")
            && !name.contains("openssl")
        {
            assert_eq!(code, Code::ArtifactTruncated, "{told}");
        }
        assert!(record.artifact.as_ref().unwrap().observed.is_some(), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_missing_or_another_one_is_no_fault_of_the_backup() {
    let ring = KeyRing::new();
    ring.put("other", b"another passphrase\n", 0o600);
    ring.put("open", &wrapped("passphrase"), 0o644);
    let other = ring.line("passphrase_file", "other");
    let identity = ring.line("age_identity_file", "age-identity");
    let openssl = "decrypt.openssl = { digest = 'sha256', iterations = 10000 }";
    let table = [
        ("age-none", "age.gz.age", String::new(), "the plan gives none"),
        ("age-other", "age.gz.age", other.clone(), "the plan gives none"),
        ("age-passphrase", "age-passphrase.gz.age", other.clone(), "does not open"),
        ("age-identity", "age-passphrase.gz.age", identity.clone(), "it needs a passphrase"),
        ("openssl-unsaid", "openssl.gz.enc", other.clone(), "no digest and iterations"),
        ("openssl-other", "openssl.gz.enc", format!("{other}\n{openssl}"), "the digest or the iterations"),
        ("gpg-none", "gpg-key.gpg", identity, "it needs a secret key"),
        ("gpg-curve", "gpg-key.gpg", ring.line("openpgp_key_file", "openpgp-key-curve.asc"), "does not open"),
        ("gpg-other", "gpg-passphrase.gpg", other, "the passphrase is another"),
        ("missing", "gzip.gz", ring.line("passphrase_file", "nowhere"), "nowhere"),
        ("readable", "gzip.gz", ring.line("passphrase_file", "open"), "others may read it"),
        ("empty", "gzip.gz", "decrypt.passphrase_env = 'FIREDRILL_NOT_SET'".into(), "is not set"),
    ];
    let services =
        table.iter().map(|(name, file, lines, _)| Service::new(name, &wrapped(file)).backup_with(lines));
    let ran = drilled(services.collect()).await;
    for (name, _, _, words) in &table {
        let record = ran.of(name);
        assert_eq!(record.verdict.result.0, Verdict::Inconclusive, "{}", told(record));
        assert_eq!(codes(record), [Code::DecryptionKey], "{}", told(record));
        let reason = &record.verdict.reasons[0];
        assert!(reason.detail.contains(words), "{}", told(record));
        assert!(!reason.remedy.is_empty());
        let evidence = serde_json::to_string(record).unwrap();
        assert!(!evidence.contains("correct horse") && !evidence.contains("AGE-SECRET"), "{evidence}");
    }
}

#[tokio::test]
async fn a_message_without_integrity_protection_is_refused() {
    let ring = KeyRing::new();
    let service = Service::new("fx", &wrapped("gpg-no-mdc.gpg")).vouched();
    let record = drill(service.backup_with(&ring.all("openpgp-key"))).await;
    assert_eq!(record.verdict.result.0, Verdict::Fail, "{}", told(&record));
    assert_eq!(codes(&record), [Code::UnsafeArchive]);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_codec_around_every_codec_is_drilled() {
    let mut services = Vec::new();
    for inner in ["gzip", "none", "inserts"] {
        for (outer, bytes) in packed(&load(15, inner)) {
            services.push(Service::new(&format!("{inner}-in-{outer}"), &bytes).vouched());
        }
    }
    let ran = drilled(services).await;
    assert_eq!(ran.records.len(), 15);
    for record in ran.records.values() {
        assert_eq!(record.verdict.result.0, Verdict::Pass, "{}", told(record));
        assert_came_back(record);
    }
}

/// `archive` in each codec, by encoders that have nothing of the tools' own code.
fn packed(archive: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    use std::io::{Read, Write};
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(archive).unwrap();
    let mut lz4 = lz4_flex::frame::FrameEncoder::new(Vec::new());
    lz4.write_all(archive).unwrap();
    let (mut xz, mut bzip2) = (Vec::new(), Vec::new());
    liblzma::read::XzEncoder::new(archive, 1).read_to_end(&mut xz).unwrap();
    bzip2::read::BzEncoder::new(archive, bzip2::Compression::fast()).read_to_end(&mut bzip2).unwrap();
    vec![
        ("gzip", gzip.finish().unwrap()),
        ("zstd", zstd::encode_all(archive, 1).unwrap()),
        ("lz4", lz4.finish().unwrap()),
        ("xz", xz),
        ("bzip2", bzip2),
    ]
}
