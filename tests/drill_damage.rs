//! Whole drills of damaged backups: the intact one passes, a damaged one never does, and the
//! reason names the fault.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "what fails here fails the test")]

#[path = "support/database.rs"]
mod database;
#[path = "support/drill.rs"]
mod drill;
#[path = "support/postgres.rs"]
mod postgres;

use firedrill::archive::{DataPosition, TocParser};
use firedrill::record::{PhaseOutcome, Record};
use firedrill::verdict::{Code, Verdict};

use crate::database::Source;
use crate::drill::{Service, Yard, codes, drilled, told, warnings};
use crate::postgres::parent;

/// A database with a bit of everything that lies in an archive.
const SMALL: &str = "
create table t (id serial primary key, at timestamptz default '2026-01-01 00:00+00', note text);
insert into t (note) select repeat(md5(g::text), 3) from generate_series(1, 500) g;
create table u (id int references t, raw bytea);
insert into u select g, decode(md5(g::text), 'hex') from generate_series(1, 200) g;
create table empty (a int);
create view v as select count(*) from t;
select lo_from_bytea(50001, decode(repeat('c0ffee', 3000), 'hex'));
";

/// SplitMix64: the same damage in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % bound as u64) as usize
    }
}

/// What is dumped from a server of our own.
async fn dumped<T>(script: &str, dump: impl Fn(&Source) -> T) -> T {
    let parent = parent();
    let source = Source::start(parent.path()).await;
    source.create("small", "", script).await;
    let dumped = dump(&source);
    source.cluster.stop().await.unwrap();
    dumped
}

async fn small() -> Vec<u8> {
    dumped(SMALL, |source| source.dump("small", &[], &[])).await
}

/// Where the entries of the table of contents end, and where the blocks begin.
fn borders(archive: &[u8]) -> (Vec<usize>, Vec<usize>) {
    let mut parser = TocParser::new();
    let mut ends = Vec::new();
    for (at, byte) in archive.iter().enumerate() {
        parser.push(&[*byte]).unwrap();
        if parser.entries_read() > ends.len() {
            ends.push(at + 1);
        }
        if let Some((toc, _)) = parser.finish_if_complete().unwrap() {
            let positions = toc.entries.iter().filter_map(|entry| match entry.position {
                DataPosition::At(position) => Some(position as usize),
                _ => None,
            });
            return (ends, positions.collect());
        }
    }
    panic!("the table of contents has no end");
}

fn assert_no_pass(record: &Record) {
    assert_ne!(record.verdict.result.0, Verdict::Pass, "{}", told(record));
    assert!(!record.verdict.reasons[0].detail.is_empty());
}

/// The phase in which a drill ended early.
fn halted_in(record: &Record) -> Option<&'static str> {
    let halted = record.phases.iter().find(|phase| phase.outcome == PhaseOutcome::Halted)?;
    Some(halted.name.0.as_str())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_archive_never_passes() {
    let archive = small().await;
    let (ends, starts) = borders(&archive);
    let toc_bytes = *ends.last().unwrap();
    assert!(ends.len() > 15 && starts.len() == 4);
    let mut dice = Dice(1);
    let around = |at: &usize| [at - 1, *at, at + 1];
    let mut cuts: Vec<usize> = ends.iter().flat_map(around).collect();
    cuts.extend(starts.iter().chain([&archive.len()]).flat_map(around));
    cuts.extend((0..30).map(|_| dice.below(archive.len())));
    cuts.extend([1, 4, 5, 10, 11]);
    cuts.retain(|length| *length < archive.len());
    cuts.sort_unstable();
    cuts.dedup();
    let cut = |length: &usize| Service::new(&format!("cut-{length}"), &archive[..*length]);
    let mut services: Vec<Service> = cuts.iter().map(cut).collect();
    services.push(Service::new("intact", &archive));
    let ran = drilled(services).await;
    assert_eq!(ran.of("intact").verdict.result.0, Verdict::Pass, "{}", told(ran.of("intact")));
    for length in cuts {
        let record = ran.of(&format!("cut-{length}"));
        assert_eq!(record.verdict.result.0, Verdict::Fail, "{}", told(record));
        assert_eq!(codes(record), [Code::ArtifactTruncated], "{}", told(record));
        let phase = if length < toc_bytes { "select" } else { "restore" };
        assert_eq!(halted_in(record), Some(phase), "{}", told(record));
        // It was read twice before it was blamed, and no server was made for a table of contents.
        assert_eq!(record.artifact.as_ref().unwrap().observed.as_ref().unwrap().bytes, length as u64);
        assert_eq!(record.environment.is_some(), phase == "restore");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_never_passes_where_a_digest_stands_beside() {
    let archive = small().await;
    let mut dice = Dice(2);
    let flips: Vec<(usize, usize)> = (0..48).map(|_| (dice.below(archive.len()), dice.below(8))).collect();
    let flipped = |(at, bit): &(usize, usize)| {
        let mut damaged = archive.clone();
        damaged[*at] ^= 1 << bit;
        Service::new(&format!("at-{at}-{bit}"), &damaged).vouched_as(&archive)
    };
    let mut services: Vec<Service> = flips.iter().map(flipped).collect();
    services.push(Service::new("intact", &archive).vouched());
    let ran = drilled(services).await;
    assert_eq!(ran.of("intact").verdict.result.0, Verdict::Pass, "{}", told(ran.of("intact")));
    for (at, bit) in flips {
        assert_no_pass(ran.of(&format!("at-{at}-{bit}")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_in_the_rows_is_noticed_by_the_codec() {
    let archive = small().await;
    let (ends, _) = borders(&archive);
    let toc_bytes = *ends.last().unwrap();
    let mut dice = Dice(3);
    let place = |dice: &mut Dice| (toc_bytes + dice.below(archive.len() - toc_bytes), dice.below(8));
    let flips: Vec<(usize, usize)> = (0..24).map(|_| place(&mut dice)).collect();
    let flipped = |(at, bit): &(usize, usize)| {
        let mut damaged = archive.clone();
        damaged[*at] ^= 1 << bit;
        Service::new(&format!("at-{at}-{bit}"), &damaged)
    };
    let ran = drilled(flips.iter().map(flipped).collect()).await;
    for (at, bit) in flips {
        let record = ran.of(&format!("at-{at}-{bit}"));
        assert_eq!(record.verdict.result.0, Verdict::Fail, "{}", told(record));
        let named = [Code::ArtifactCorrupt, Code::ArtifactTruncated, Code::LimitExceeded];
        assert!(named.contains(&codes(record)[0]), "{}", told(record));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_object_under_the_same_name_is_not_the_one_that_was_stored() {
    let archive = small().await;
    let other = dumped("create table t as select 2 as b", |source| source.dump("small", &[], &[])).await;
    let ran = Yard::of([
        Service::new("other", &other).vouched(),
        Service::new("swapped", &other).vouched_as(&archive),
        Service::new("not-a-digest", &archive).backups(
            "backup.dump",
            vec![("backup.dump".into(), archive.clone()), ("backup.dump.sha256".into(), b"beef".into())],
        ),
    ]);
    let ran = ran.run().await;
    assert_eq!(ran.of("other").verdict.result.0, Verdict::Pass, "{}", told(ran.of("other")));
    assert_eq!(ran.of("swapped").verdict.result.0, Verdict::Fail);
    assert_eq!(codes(ran.of("swapped")), [Code::ArtifactDigestMismatch], "{}", told(ran.of("swapped")));
    assert_no_pass(ran.of("not-a-digest"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_of_nothing_is_not_a_backup() {
    let nothing = dumped("", |source| source.dump("small", &[], &[])).await;
    let no_rows = "create table t (a int); create table u (b int);";
    let no_rows = dumped(no_rows, |source| source.dump("small", &[], &[])).await;
    let only_a_view = "create view v as select 1 as a; select lo_from_bytea(0, 'abc');";
    let only_a_view = dumped(only_a_view, |source| source.dump("small", &[], &[])).await;
    let archive = small().await;
    let table: &[(&str, &[u8], Code)] = &[
        ("no-tables", &nothing, Code::NoTableData),
        ("no-rows", &no_rows, Code::AllTablesEmpty),
        ("no-tables-but-a-view", &only_a_view, Code::NoTableData),
        ("no-bytes", b"", Code::NoBackupFound),
    ];
    let services = table.iter().map(|(name, archive, _)| Service::new(name, archive).vouched());
    let ran = drilled(services.chain([Service::new("intact", &archive).vouched()]).collect()).await;
    assert_eq!(ran.of("intact").verdict.result.0, Verdict::Pass, "{}", told(ran.of("intact")));
    for (name, _, code) in table {
        let record = ran.of(name);
        assert_eq!(record.verdict.result.0, Verdict::Fail, "{}", told(record));
        assert_eq!(codes(record), [*code], "{}", told(record));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_kind_of_file_is_named() {
    let directory = dumped(SMALL, |source| {
        let folder = tempfile::tempdir().unwrap();
        let directory = folder.path().join("directory");
        database::said(source.client("pg_dump").arg("-Fd").arg("-f").arg(&directory).arg("small"));
        std::fs::read(directory.join("toc.dat")).unwrap()
    })
    .await;
    let mut tar = vec![0; 10_240];
    tar[..9].copy_from_slice(b"photo.jpg");
    tar[124..136].copy_from_slice(b"00000000000 ");
    tar[156..262].copy_from_slice(&[&b"0"[..], &[0; 100], &b"ustar"[..]].concat());
    tar[148..156].fill(b' ');
    let sum: u32 = tar[..512].iter().map(|byte| u32::from(*byte)).sum();
    tar[148..156].copy_from_slice(format!("{sum:07o} ").as_bytes());
    let table: &[(&str, Vec<u8>, &str)] = &[
        ("tar", tar, "another tar file"),
        ("directory", directory, "toc.dat"),
        ("text", b"404 Not Found".to_vec(), "unknown"),
        ("zeros", vec![0; 100_000], "unknown"),
    ];
    let services = table.iter().map(|(name, bytes, _)| Service::new(name, bytes).vouched());
    let ran = Yard::of(services).run().await;
    for (name, _, what) in table {
        let record = ran.of(name);
        assert_no_pass(record);
        assert!(record.verdict.reasons[0].detail.contains(what), "{}", told(record));
        assert_eq!(halted_in(record), Some("select"), "{}", told(record));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_behind_the_end_are_a_warning_and_a_fail_where_the_digest_is_of_less() {
    let archive = small().await;
    let longer = [archive.as_slice(), &[0; 100]].concat();
    let ran = Yard::of([
        Service::new("unvouched", &longer),
        Service::new("vouched", &longer).vouched(),
        Service::new("grown", &longer).vouched_as(&archive),
    ]);
    let ran = ran.run().await;
    for name in ["unvouched", "vouched"] {
        assert_eq!(ran.of(name).verdict.result.0, Verdict::Pass, "{}", told(ran.of(name)));
        assert!(warnings(ran.of(name)).contains(&"TRAILING_BYTES"), "{}", told(ran.of(name)));
    }
    assert_eq!(codes(ran.of("grown")), [Code::ArtifactDigestMismatch], "{}", told(ran.of("grown")));
}
