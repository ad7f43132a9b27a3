//! Drills with the other engine: the archive is staged on the local disk, and `pg_restore` restores
//! it. What is proven of it is no less.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "what fails here fails the test")]

mod archive_support;
#[path = "support/drill.rs"]
mod drill;
#[path = "support/postgres.rs"]
mod postgres;

use std::fs;

use firedrill::digest::Digest;
use firedrill::record::{Engine, Record, SpanName, TableState};
use firedrill::verdict::{Code, Verdict};

use crate::archive_support::{directory, member_archive};
use crate::drill::{Service, codes, drilled, told};
use crate::postgres::install;

fn custom(major: u32, name: &str) -> Vec<u8> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/archives");
    fs::read(format!("{root}/pg{major}/custom-{name}.dump")).unwrap()
}

fn by_tool(service: Service) -> Service {
    service.table("restore", "engine = 'pg_restore'\njobs = 2")
}

fn of_files(name: &str) -> Service {
    let files = directory(15, name);
    let sums: String =
        files.iter().map(|(name, content)| format!("{}  {name}\n", Digest::of(content))).collect();
    let mut backups: Vec<(String, Vec<u8>)> =
        files.into_iter().map(|(name, content)| (format!("backup/{name}"), content)).collect();
    backups.push(("backup.sha256".into(), sums.into()));
    Service::new(name, b"").backups("backup/", backups)
}

/// All of the rows were compared, as with the engine of firedrill.
fn assert_proven(record: &Record) {
    let told = told(record);
    assert_eq!(record.verdict.result.0, Verdict::Pass, "{told}");
    let fidelity = record.fidelity.as_ref().unwrap();
    assert!(fidelity.tables.iter().all(|table| table.state == TableState::Equal), "{told}");
    assert_eq!(fidelity.coverage.compared_rows, fidelity.coverage.total_rows, "{told}");
    assert!(fidelity.tables_expected > 5 && fidelity.rows_total > 500, "{told}");
    let large_objects = fidelity.large_objects.as_ref().unwrap();
    assert_eq!((large_objects.expected, large_objects.equal), (8, 8), "{told}");
    let restore = record.restore.as_ref().unwrap();
    assert_eq!(restore.engine, Engine::PgRestore, "{told}");
    assert_eq!(restore.toc_entries_failed, 0, "{told}");
    let accounted = restore.toc_entries_restored + restore.toc_entries_excluded;
    assert_eq!(accounted, restore.toc_entries_in_archive, "{told}");
    let spans: Vec<_> = restore.spans.iter().map(|span| span.name).collect();
    assert_eq!(spans, [SpanName::Download, SpanName::PgRestore], "{told}");
    assert!(record.measurements.recovery_time.is_some(), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn archives_of_every_layout_pass_with_pg_restore() {
    let gzip = custom(15, "gzip");
    let wrapped = {
        use std::io::Write;
        let mut around = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        around.write_all(&gzip).unwrap();
        around.finish().unwrap()
    };
    let services = vec![
        Service::new("custom", &gzip),
        Service::new("piped", &custom(15, "none-piped")).vouched(),
        Service::new("inserts", &custom(15, "inserts")),
        Service::new("root", &custom(13, "via-root")),
        Service::new("tar", &member_archive(15, "tar.tar")).vouched(),
        Service::new("wrapped", &wrapped),
        of_files("dir-gzip"),
    ];
    let ran = drilled(services.into_iter().map(by_tool).collect()).await;
    for name in ["custom", "piped", "inserts", "root", "tar", "wrapped", "dir-gzip"] {
        assert_proven(ran.of(name));
    }
    let staged = |name: &str| ran.of(name).restore.as_ref().unwrap().staged_bytes;
    assert_eq!(staged("custom"), gzip.len() as u64);
    // What lies on the disk is what pg_restore reads: without the layer around it.
    assert_eq!(staged("wrapped"), gzip.len() as u64);
    let observed = ran.of("wrapped").artifact.as_ref().unwrap().observed.as_ref().unwrap();
    assert_eq!(observed.bytes, wrapped.len() as u64);
    assert!(staged("dir-gzip") > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_archive_fails_with_pg_restore_as_well() {
    let good = custom(15, "gzip");
    let mut flipped = good.clone();
    let middle = flipped.len() * 3 / 4;
    flipped[middle] ^= 0x10;
    let truncated = good[..good.len() * 3 / 4].to_vec();
    let services = vec![
        Service::new("intact", &good).vouched(),
        Service::new("flipped", &flipped),
        Service::new("truncated", &truncated),
        Service::new("other", &good).vouched_as(b"something else"),
    ];
    let ran = drilled(services.into_iter().map(by_tool).collect()).await;
    assert_proven(ran.of("intact"));
    for (name, code) in [
        ("flipped", Code::ArtifactCorrupt),
        ("truncated", Code::ArtifactTruncated),
        ("other", Code::ArtifactDigestMismatch),
    ] {
        let record = ran.of(name);
        assert_eq!(record.verdict.result.0, Verdict::Fail, "{}", told(record));
        assert_eq!(codes(record)[0], code, "{}", told(record));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_that_pg_restore_could_not_restore_fail_the_drill() {
    let record = &drill::drill(by_tool(Service::new("rows-alone", &custom(15, "data-only")))).await;
    assert_eq!(record.verdict.result.0, Verdict::Fail, "{}", told(record));
    assert_eq!(codes(record)[0], Code::RestoreErrors, "{}", told(record));
    assert!(record.restore.as_ref().unwrap().toc_entries_failed > 20, "{}", told(record));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_is_refused_before_anything_is_restored() {
    let record = &drill::drill(by_tool(Service::new("script", &member_archive(15, "plain.sql")))).await;
    assert_eq!(codes(record), [Code::UnsupportedVersion], "{}", told(record));
    assert!(told(record).contains("pg_restore does not read"), "{}", told(record));
    assert!(record.environment.is_none(), "no scratch was made");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_install_without_the_tool_is_named() {
    let record = &drill::drill(by_tool(Service::new("bare", &custom(18, "gzip")).on(&install(18)))).await;
    assert_eq!(codes(record), [Code::ScratchUnavailable], "{}", told(record));
    assert!(told(record).contains("there is no '"), "{}", told(record));
    assert!(told(record).contains("/pg_restore'"), "{}", told(record));
}
