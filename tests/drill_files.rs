//! Whole drills of archives that are made of files: tar and directory, of six majors of pg_dump.
#![expect(clippy::unwrap_used, clippy::panic, reason = "what fails here fails the test")]

mod archive_support;
#[path = "support/drill.rs"]
mod drill;
#[path = "support/postgres.rs"]
mod postgres;

use firedrill::record::{Anchor, Record, TableState};
use firedrill::verdict::{Code, Verdict};

use crate::archive_support::member_archive;
use crate::drill::{Service, codes, drilled, told};
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
    let ran = drilled(vec![service]).await;
    let record = ran.of("fx");
    assert_eq!(record.artifact.as_ref().unwrap().expected.source, Anchor::None);
    assert_eq!(codes(record), [Code::NoIntegrityReference], "{}", told(record));
    assert_everything_came_back(24, "pg_dump-tar", record);
}
