//! Whole drills of archives that are made of files: tar and directory, of six majors of pg_dump.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "what fails here fails the test")]

mod archive_support;
#[path = "support/drill.rs"]
mod drill;
#[path = "support/postgres.rs"]
mod postgres;

use std::collections::BTreeMap;

use firedrill::digest::Digest;
use firedrill::record::{Anchor, Record, TableState};
use firedrill::verdict::{Code, Verdict};

use crate::archive_support::{directory, member_archive};
use crate::drill::{Service, codes, drilled, told, warnings};
use crate::postgres::{install, own_install};

/// The majors that the newest server here can restore, with how many tables.
const MAJORS: [(u32, u64); 5] = [(13, 23), (15, 24), (16, 23), (17, 24), (18, 26)];

fn assert_everything_came_back(tables: u64, format: &str, record: &Record) {
    let told = told(record);
    let fidelity = record.fidelity.as_ref().unwrap_or_else(|| panic!("{told}"));
    assert_eq!((fidelity.tables_expected, fidelity.tables_equal), (tables, tables), "{told}");
    assert!(fidelity.tables.iter().all(|table| table.state == TableState::Equal), "{told}");
    assert!(fidelity.rows_total > 500, "{told}");
    let large_objects = fidelity.large_objects.as_ref().unwrap();
    assert_eq!((large_objects.expected, large_objects.equal), (8, 8), "{told}");
    let sequences = fidelity.sequences.as_ref().unwrap();
    assert!(sequences.expected > 0 && sequences.expected == sequences.equal, "{told}");
    let restore = record.restore.as_ref().unwrap();
    let accounted = restore.toc_entries_restored + restore.toc_entries_excluded + restore.toc_entries_failed;
    assert_eq!(accounted, restore.toc_entries_in_archive, "{told}");
    let artifact = record.artifact.as_ref().unwrap();
    assert_eq!(artifact.format.as_deref(), Some(format), "{told}");
    assert_eq!(artifact.trailing_bytes, Some(0), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tar_archive_of_every_major_is_drilled_to_a_pass_where_a_digest_vouches_for_it() {
    let newest = install(18);
    let name = |major: u32| format!("pg{major}");
    let service = |(major, _): (u32, u64)| {
        Service::new(&name(major), &member_archive(major, "tar.tar")).on(&newest).vouched()
    };
    let ran = drilled(MAJORS.map(service).into()).await;
    for (major, tables) in MAJORS {
        let record = ran.of(&name(major));
        assert_eq!(record.verdict.result.0, Verdict::Pass, "{}", told(record));
        assert_everything_came_back(tables, "pg_dump-tar", record);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tar_archive_has_no_checksum_of_its_own() {
    let service = Service::new("fx", &member_archive(15, "tar.tar")).on(&own_install());
    let record = &drill::drill(service).await;
    assert_eq!(record.artifact.as_ref().unwrap().expected.source, Anchor::None);
    assert_eq!(codes(record), [Code::NoIntegrityReference], "{}", told(record));
    assert_everything_came_back(24, "pg_dump-tar", record);
}

/// The directories of each major: the first that has one, and what of their codec is checked.
const DIRECTORIES: [(&str, u32, Anchor); 4] = [
    ("dir-gzip", 13, Anchor::Codec),
    ("dir-none", 13, Anchor::None),
    ("dir-lz4", 17, Anchor::None),
    ("dir-zstd", 17, Anchor::None),
];

type Files = BTreeMap<String, Vec<u8>>;

/// What `sha256sum` prints for the files of a directory, in the order of their names.
fn sums(files: &Files) -> String {
    files.iter().map(|(name, content)| format!("{}  {name}\n", Digest::of(content))).collect()
}

/// A service whose one backup is a directory.
fn service(name: &str, files: &Files) -> Service {
    let backups = files.iter().map(|(name, content)| (format!("backup/{name}"), content.clone()));
    Service::new(name, b"").backups("backup/", backups.collect())
}

/// The same, with the sums of `other` beside it.
fn vouched_as(name: &str, files: &Files, other: &Files) -> Service {
    let mut backups: Vec<(String, Vec<u8>)> =
        files.iter().map(|(name, content)| (format!("backup/{name}"), content.clone())).collect();
    backups.push(("backup.sha256".into(), sums(other).into()));
    Service::new(name, b"").backups("backup/", backups)
}

fn all_directories() -> Vec<(u32, u64, &'static str, Anchor)> {
    let of = |major| DIRECTORIES.into_iter().filter(move |(_, since, _)| *since <= major);
    MAJORS
        .into_iter()
        .flat_map(|(major, tables)| of(major).map(move |(name, _, anchor)| (major, tables, name, anchor)))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_of_every_major_and_codec_is_drilled_to_a_pass_where_its_sums_lie_beside_it() {
    let newest = install(18);
    let name = |major, name| format!("pg{major}-{name}");
    let services = all_directories().into_iter().map(|(major, _, directory_name, _)| {
        let files = directory(major, directory_name);
        vouched_as(&name(major, directory_name), &files, &files).on(&newest)
    });
    let ran = drilled(services.collect()).await;
    for (major, tables, directory_name, _) in all_directories() {
        let record = ran.of(&name(major, directory_name));
        assert_eq!(record.verdict.result.0, Verdict::Pass, "{}", told(record));
        assert_everything_came_back(tables, "pg_dump-directory", record);
        let artifact = record.artifact.as_ref().unwrap();
        let files = directory(major, directory_name);
        assert_eq!((artifact.expected.source, artifact.matches), (Anchor::Sidecar, Some(true)));
        let observed = artifact.observed.as_ref().unwrap();
        assert_eq!(observed.sha256.to_string(), Digest::of(sums(&files).as_bytes()).to_string());
        assert_eq!(observed.bytes, files.values().map(|content| content.len() as u64).sum::<u64>());
        let selected = record.selection.as_ref().unwrap().selected.as_ref().unwrap();
        assert!(selected.uri.ends_with("/backup/"), "{}", selected.uri);
        assert_eq!(selected.size_bytes, observed.bytes);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_nothing_vouches_for_passes_by_its_own_checksums_or_not_at_all() {
    let of_17 = || all_directories().into_iter().filter(|(major, ..)| *major == 17);
    let services = of_17().map(|(major, _, name, _)| service(name, &directory(major, name)).on(&install(17)));
    let ran = drilled(services.collect()).await;
    for (_, tables, name, anchor) in of_17() {
        let record = ran.of(name);
        let expected = &record.artifact.as_ref().unwrap().expected;
        assert_eq!(expected.source, anchor, "{}", told(record));
        assert_everything_came_back(tables, "pg_dump-directory", record);
        if anchor == Anchor::Codec {
            assert_eq!(expected.algorithm.as_deref(), Some("crc32"));
            assert_eq!(record.verdict.result.0, Verdict::Pass, "{}", told(record));
            assert!(warnings(record).contains(&"INTEGRITY_UNANCHORED"), "{}", told(record));
        } else {
            assert_eq!(codes(record), [Code::NoIntegrityReference], "{}", told(record));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_directory_never_passes_and_the_reason_names_the_fault() {
    let sound = directory(15, "dir-gzip");
    let rows: Vec<String> = sound
        .iter()
        .filter(|(name, content)| name.as_bytes()[0].is_ascii_digit() && content.len() > 300)
        .map(|(name, _)| name.clone())
        .collect();
    let with = |change: &dyn Fn(&mut Files)| {
        let mut files = sound.clone();
        change(&mut files);
        files
    };
    let (one, other) = (&rows[0], &rows[1]);
    let cut = |by: usize| with(&|files| files.get_mut(one).unwrap().truncate(sound[one].len() - by));
    let table: Vec<(&str, Files, Code)> = vec![
        ("lacks-a-table", with(&|files| drop(files.remove(one))), Code::ArtifactTruncated),
        ("lacks-an-object", with(&|files| drop(files.remove("blob_900002.dat.gz"))), Code::ArtifactTruncated),
        ("cut", cut(20), Code::ArtifactTruncated),
        ("empty", with(&|files| files.get_mut(one).unwrap().clear()), Code::ArtifactTruncated),
        ("flipped", with(&|files| files.get_mut(one).unwrap()[120] ^= 4), Code::ArtifactCorrupt),
        (
            "toc-cut",
            with(&|files| files.get_mut("toc.dat").unwrap().truncate(30_000)),
            Code::ArtifactTruncated,
        ),
        (
            "twice",
            with(&|files| drop(files.insert(one.replace(".gz", ""), b"x".to_vec()))),
            Code::UnsafeArchive,
        ),
        ("no-toc", with(&|files| drop(files.remove("toc.dat"))), Code::NoBackupFound),
    ];
    let mut services: Vec<Service> = table.iter().map(|(name, files, _)| service(name, files)).collect();
    // Another table's rows under a table's name are sound in themselves: the sums tell.
    let swapped = with(&|files| drop(files.insert(one.clone(), sound[other].clone())));
    services.push(vouched_as("swapped", &swapped, &sound));
    let grown = with(&|files| drop(files.insert("notes.txt".into(), b"four".to_vec())));
    services.push(service("grown", &grown));
    services.push(vouched_as("grown-unsummed", &grown, &sound));
    services.push(service("intact", &sound));
    let ran = drilled(services).await;
    assert_eq!(ran.of("intact").verdict.result.0, Verdict::Pass, "{}", told(ran.of("intact")));
    for (name, files, code) in &table {
        let record = ran.of(name);
        assert_eq!(record.verdict.result.0, Verdict::Fail, "{}", told(record));
        assert_eq!(codes(record), [*code], "{}", told(record));
        // It was read as a whole before it was blamed, and twice where bytes are to blame.
        if let Some(observed) = record.artifact.as_ref().and_then(|artifact| artifact.observed.as_ref()) {
            assert_eq!(observed.sha256.to_string(), Digest::of(sums(files).as_bytes()).to_string());
        } else {
            assert_eq!(*name, "no-toc");
        }
    }
    assert_eq!(ran.of("swapped").verdict.result.0, Verdict::Fail, "{}", told(ran.of("swapped")));
    assert_eq!(ran.of("grown").verdict.result.0, Verdict::Pass, "{}", told(ran.of("grown")));
    assert!(warnings(ran.of("grown")).contains(&"TRAILING_BYTES"), "{}", told(ran.of("grown")));
    let unsummed = ran.of("grown-unsummed");
    assert_eq!(codes(unsummed), [Code::ArtifactDigestMismatch], "{}", told(unsummed));
    let artifact = unsummed.artifact.as_ref().unwrap();
    assert_eq!(
        artifact.observed_again.as_ref().map(|read| read.sha256),
        artifact.observed.as_ref().map(|read| read.sha256)
    );
}

#[test]
fn the_readme_tells_how_the_digest_of_a_directory_is_made_by_hand() {
    const BY_HAND: &str =
        r"find . -type f -printf '%P\n' | LC_ALL=C sort | xargs -d '\n' sha256sum | sha256sum";
    assert!(include_str!("../README.md").contains(BY_HAND));
    let files = directory(18, "dir-zstd");
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in &files {
        std::fs::write(folder.path().join(name), content).unwrap();
    }
    let printed =
        std::process::Command::new("sh").args(["-c", BY_HAND]).current_dir(&folder).output().unwrap();
    let printed = String::from_utf8(printed.stdout).unwrap();
    assert_eq!(printed.split(' ').next().unwrap(), Digest::of(sums(&files).as_bytes()).to_string());
}
