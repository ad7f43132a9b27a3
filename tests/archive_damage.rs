//! Damaged, hostile and foreign files: never a panic, never taken for whole, and the message
//! names the fault.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "the helpers are tests too")]

mod archive_support;

use std::io::Write as _;

use archive_support::{Shape, joined, load, pieces};
use firedrill::archive::{
    DataPosition, Entry, Error, Kind, Piece, Survey, TableOfData, Toc, TocParser, survey,
};
use firedrill::verdict::Code;
use proptest::prelude::*;

const PART_BYTES: usize = 64 << 10;

/// Archives of every codec, with positions and without.
const SAMPLES: &[(u32, &str)] =
    &[(13, "gzip"), (15, "none-piped"), (18, "gzip-piped"), (18, "lz4"), (19, "zstd-piped"), (17, "inserts")];

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

/// Where entries of the table of contents end, by feeding the parser byte after byte.
fn entry_ends(archive: &[u8]) -> Vec<usize> {
    let mut parser = TocParser::new();
    let mut ends = Vec::new();
    let mut read = 0;
    for (at, byte) in archive.iter().enumerate() {
        parser.push(&[*byte]).unwrap();
        if parser.entries_read() > read {
            read = parser.entries_read();
            ends.push(at + 1);
        }
        if parser.is_complete() {
            break;
        }
    }
    ends
}

/// Where blocks begin: the archive written anew with positions tells them.
fn with_positions(major: u32, name: &str) -> (Vec<u8>, Vec<usize>) {
    let (toc, pieces) = pieces(&load(major, name));
    let archive = Shape { positions: true, ..Shape::NEWEST }.write(&toc, &pieces);
    let starts =
        archive_support::pieces(&archive).0.entries.into_iter().filter_map(|entry| match entry.position {
            DataPosition::At(position) => Some(position as usize),
            _ => None,
        });
    (archive, starts.collect())
}

fn assert_cut(archive: &[u8], length: usize, context: &str) {
    match survey(&archive[..length], PART_BYTES) {
        Ok(_) => panic!("{context} cut to {length} bytes was read as whole"),
        Err(error) => {
            let expected = if length == 0 { Code::NotAnArchive } else { Code::ArtifactTruncated };
            assert_eq!(error.reason().code, expected, "{context} cut to {length} bytes: {error}");
        }
    }
}

#[test]
fn an_archive_cut_at_any_border_of_an_entry_is_cut_short() {
    for (major, name) in [(13, "gzip"), (18, "schema-only")] {
        let archive = load(major, name);
        survey(&archive, PART_BYTES).unwrap();
        let ends = entry_ends(&archive);
        assert!(ends.len() > 100);
        for end in ends {
            for length in [end - 1, end, end + 1].into_iter().filter(|length| *length < archive.len()) {
                assert_cut(&archive, length, name);
            }
        }
    }
}

#[test]
fn an_archive_cut_at_any_border_of_a_block_is_cut_short() {
    for (major, name) in [(18, "gzip"), (18, "none"), (18, "lz4"), (18, "zstd")] {
        let (archive, starts) = with_positions(major, name);
        survey(&archive, PART_BYTES).unwrap();
        assert!(starts.len() > 20);
        for start in starts.into_iter().chain([archive.len()]) {
            for length in [start - 1, start, start + 1].into_iter().filter(|length| *length < archive.len()) {
                assert_cut(&archive, length, name);
            }
        }
    }
}

#[test]
fn an_archive_cut_anywhere_is_cut_short() {
    let mut dice = Dice(1);
    for (major, name) in SAMPLES {
        let archive = load(*major, name);
        survey(&archive, PART_BYTES).unwrap();
        for length in (0..200).map(|_| dice.below(archive.len())).chain(0..20) {
            assert_cut(&archive, length, name);
        }
    }
}

/// What must be as it was for a flip to be harmless.
fn content(survey: &Survey) -> impl PartialEq + std::fmt::Debug + use<> {
    let rows: Vec<_> =
        survey.tables.iter().map(|table| (table.id, table.rows, table.hash.map(|h| h.to_string()))).collect();
    let objects: Vec<_> = survey.large_objects.iter().map(|o| (o.oid, o.digest.to_string())).collect();
    (rows, objects)
}

#[test]
fn a_flipped_bit_in_the_data_of_a_gzip_archive_is_noticed_or_harmless() {
    let mut dice = Dice(2);
    for (major, name) in [(13, "gzip"), (18, "gzip-piped")] {
        let archive = load(major, name);
        let intact = survey(&archive, PART_BYTES).unwrap();
        let data = intact.toc.bytes as usize;
        let mut noticed = 0;
        for _ in 0..800 {
            let mut damaged = archive.clone();
            let at = data + dice.below(archive.len() - data);
            damaged[at] ^= 1 << dice.below(8);
            match survey(&damaged, PART_BYTES) {
                // The bits that fill up the last byte before a checksum mean nothing.
                Ok(survey) => assert_eq!(content(&survey), content(&intact), "{name}: a flip at {at}"),
                Err(_) => noticed += 1,
            }
        }
        assert!(noticed > 760, "only {noticed} of 800 flips were noticed");
    }
}

#[test]
fn a_flipped_bit_anywhere_never_panics() {
    let mut dice = Dice(3);
    for (major, name) in SAMPLES {
        let archive = load(*major, name);
        survey(&archive, PART_BYTES).unwrap();
        for _ in 0..400 {
            let mut damaged = archive.clone();
            damaged[dice.below(archive.len())] ^= 1 << dice.below(8);
            if let Err(error) = survey(&damaged, PART_BYTES) {
                assert!(!error.reason().detail.is_empty());
            }
        }
    }
}

#[test]
fn bytes_written_over_never_panic() {
    let mut dice = Dice(4);
    for (major, name) in SAMPLES {
        let archive = load(*major, name);
        for _ in 0..100 {
            let mut damaged = archive.clone();
            let at = dice.below(archive.len());
            let end = (at + 1 + dice.below(64)).min(archive.len());
            damaged[at..end].iter_mut().for_each(|byte| *byte = dice.below(256) as u8);
            let _ = survey(&damaged, PART_BYTES);
        }
    }
}

#[test]
fn another_kind_of_file_is_named() {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&load(15, "gzip")).unwrap();
    let mut directory = load(15, "gzip");
    directory[10] = 3;
    let files: Vec<(&str, Vec<u8>, Kind, &str)> = vec![
        ("empty", Vec::new(), Kind::Empty, "empty"),
        ("png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec(), Kind::Unknown, "unknown"),
        ("a long png", [b"\x89PNG\r\n\x1a\n", &[7; 4096][..]].concat(), Kind::Unknown, "unknown"),
        ("gzip", gzip.finish().unwrap(), Kind::Gzip, "gzip"),
        ("zstd", zstd::encode_all(&load(15, "gzip")[..], 1).unwrap(), Kind::Zstd, "zstd"),
        (
            "sql",
            b"--\n-- PostgreSQL database dump\n--\n\nSET statement_timeout = 0;\n".to_vec(),
            Kind::PlainSql,
            "SQL",
        ),
        ("directory", directory, Kind::DirectoryToc, "toc.dat"),
    ];
    for (name, bytes, kind, word) in files {
        for part_bytes in [1, 100, 1 << 20] {
            let error = survey(&bytes, part_bytes).expect_err(name);
            assert!(matches!(error, Error::NotAnArchive { kind: found } if found == kind), "{name}: {error}");
            assert!(error.to_string().contains(word), "{name}: {error}");
            assert_eq!(error.reason().code, Code::NotAnArchive);
        }
    }
}

#[test]
fn an_archive_without_tables_is_whole_and_says_so() {
    let survey = survey(&load(18, "schema-only"), PART_BYTES).unwrap();
    assert!(survey.tables.is_empty());
    assert_eq!(survey.trailer.blocks, 0);
}

/// An intact archive of 18 with `change` made to a copy of its first bytes.
fn changed(change: impl Fn(&mut Vec<u8>)) -> Result<Survey, Error> {
    let mut archive = load(18, "gzip");
    survey(&archive, PART_BYTES).unwrap();
    change(&mut archive);
    survey(&archive, PART_BYTES)
}

#[test]
fn a_header_that_lies_is_refused_by_name() {
    type Change = fn(&mut Vec<u8>);
    let table: &[(Change, Code, &str)] = &[
        (|a| a[6] = 17, Code::UnsupportedVersion, "version 1.17"),
        (|a| a[6] = 11, Code::UnsupportedVersion, "version 1.11"),
        (|a| a[5] = 2, Code::UnsupportedVersion, "version 2.16"),
        (|a| a[8] = 32, Code::UnsupportedVersion, "32 bytes"),
        (|a| a[9] = 0, Code::UnsupportedVersion, "0 bytes"),
        (|a| a[10] = 2, Code::ArtifactCorrupt, "format is 2"),
        (|a| a[11] = 4, Code::UnsupportedVersion, "algorithm 4"),
        (|a| a[13] = 61, Code::ArtifactCorrupt, "second of creation"),
        (|a| a[12] = 9, Code::ArtifactCorrupt, "integer"),
    ];
    for (change, code, word) in table {
        let error = changed(change).expect_err(word);
        assert_eq!(error.reason().code, *code, "{error}");
        assert!(error.to_string().contains(word), "{error}");
    }
}

#[test]
fn a_count_or_length_beyond_reason_is_refused_before_its_bytes_are_awaited() {
    let mut header = b"PGDMP\x01\x10\x00\x04\x08\x01\x00".to_vec();
    for value in [0_u32, 0, 0, 1, 0, 126, 0, 0, 0, 0] {
        header.push(0);
        header.extend(value.to_le_bytes());
    }
    let int = |value: u32| [&[0][..], &value.to_le_bytes()[..]].concat();
    let cases =
        [("entries", int(5_000_001)), ("a string", [int(1), int(1), int(1), int(0x7fff_ffff)].concat())];
    for (name, tail) in cases {
        let mut parser = TocParser::new();
        parser.push(&header).unwrap();
        let result = parser.push(&tail);
        let error = result.err().or_else(|| parser.end().err()).expect(name);
        assert!(matches!(error, Error::Limit { .. } | Error::Corrupt { .. }), "{name}: {error}");
    }
}

#[test]
fn a_table_of_contents_that_lies_is_refused_by_name() {
    let (toc, pieces) = pieces(&load(18, "gzip-piped"));
    let index = |kind: &str| toc.entries.iter().position(|entry| entry.kind == kind).unwrap();
    let (encoding, strings, path) = (index("ENCODING"), index("STDSTRINGS"), index("SEARCHPATH"));
    let (table, blobs) = (index("TABLE"), index("BLOB METADATA"));
    type Change = Box<dyn Fn(&mut Vec<Entry>)>;
    let definition =
        |at: usize, text: &'static str| -> Change { Box::new(move |e| e[at].definition = text.into()) };
    let set = "SELECT pg_catalog.set_config('search_path', 'evil', false);";
    let cases: Vec<(Change, Code, &str)> = vec![
        (Box::new(move |e| drop(e.remove(encoding))), Code::UnsupportedVersion, "encoding"),
        (definition(encoding, "SET client_encoding = 'EUC_TW';"), Code::UnsupportedVersion, "EUC_TW"),
        (definition(encoding, "SET client_encoding = UTF8; DROP TABLE x;"), Code::UnsafeArchive, "ENCODING"),
        (
            definition(strings, "SET standard_conforming_strings = 'maybe';"),
            Code::UnsafeArchive,
            "STDSTRINGS",
        ),
        (definition(path, set), Code::UnsafeArchive, "SEARCHPATH"),
        (Box::new(move |e| e[table].id = e[table + 1].id), Code::ArtifactCorrupt, "dump id"),
        (Box::new(move |e| e[table].id = 0), Code::ArtifactCorrupt, "dump id"),
        (Box::new(move |e| e[table].has_data = true), Code::ArtifactCorrupt, "has data"),
        (Box::new(move |e| e[table].tag = "a\0b".into()), Code::ArtifactCorrupt, "NUL"),
        (definition(blobs, "17\n17\n"), Code::ArtifactCorrupt, "twice"),
        (definition(blobs, "SELECT 1"), Code::ArtifactCorrupt, "BLOB METADATA"),
    ];
    for (change, code, word) in cases {
        let mut changed = toc.clone();
        change(&mut changed.entries);
        let error = survey(&Shape::NEWEST.write(&changed, &pieces), PART_BYTES).expect_err(word);
        assert_eq!(error.reason().code, code, "{word}: {error}");
        assert!(error.to_string().contains(word), "{word}: {error}");
    }
}

#[test]
fn dependencies_that_lead_nowhere_or_stand_twice_are_dropped() {
    let (mut toc, pieces) = pieces(&load(18, "gzip-piped"));
    let (first, second) = (toc.entries[5].id, toc.entries[6].id);
    toc.entries[40].dependencies = vec![second, 4_000_000_000, first, second, 0, first];
    let read = survey(&Shape::NEWEST.write(&toc, &pieces), PART_BYTES).unwrap().toc;
    assert_eq!(read.entries[40].dependencies, [second, first]);
}

#[test]
fn rows_whose_table_is_not_in_the_archive_are_not_traced_to_another() {
    let (mut toc, pieces) = pieces(&load(18, "gzip-piped"));
    let table = toc.entries.iter().find(|entry| entry.kind == "TABLE").unwrap().id;
    let data = toc.entries.iter().position(|entry| entry.is_table_data()).unwrap();
    toc.entries[data].dependencies = vec![999_999, table];
    let read = survey(&Shape::NEWEST.write(&toc, &pieces), PART_BYTES).unwrap().toc;
    assert_eq!(read.table_of_data(&read.entries[data]), TableOfData::Absent);
}

#[test]
fn names_in_another_encoding_are_read_in_it() {
    let (mut toc, pieces) = pieces(&load(18, "gzip-piped"));
    let tag = |toc: &Toc| {
        toc.entries.iter().find(|e| e.kind == "TABLE" && e.tag.contains("Ta\"b")).unwrap().tag.clone()
    };
    assert!(tag(&toc).contains("ünï"));
    let encoding = toc.entries.iter().position(|entry| entry.kind == "ENCODING").unwrap();
    for (name, expected) in [("LATIN1", "Ã¼nÃ¯"), ("SQL_ASCII", "ünï"), ("WIN1251", "ГјnГЇ")] {
        toc.entries[encoding].definition = format!("SET client_encoding = '{name}';\n");
        let read = survey(&Shape::NEWEST.write(&toc, &pieces), PART_BYTES).unwrap().toc;
        assert_eq!(read.encoding.name(), name);
        assert!(tag(&read).contains(expected), "{name}: {}", tag(&read));
    }
}

#[test]
fn blocks_that_do_not_follow_the_table_of_contents_are_refused() {
    let (toc, pieces) = pieces(&load(18, "gzip-piped"));
    let write = |pieces: &[Piece]| survey(&Shape::NEWEST.write(&toc, pieces), PART_BYTES);
    write(&pieces).unwrap();
    let ends: Vec<usize> = pieces
        .iter()
        .enumerate()
        .filter(|(_, piece)| **piece == Piece::BlockEnd)
        .map(|(at, _)| at + 1)
        .collect();

    let (first, rest) = pieces.split_at(ends[0]);
    let (second, rest) = rest.split_at(ends[1] - ends[0]);
    let swapped = [second, first, rest].concat();
    let missing = [second, rest].concat();
    let repeated = [first, first, second, rest].concat();
    let last_gone = &pieces[..ends[ends.len() - 2]];
    for (name, pieces) in [("swapped", &swapped[..]), ("missing", &missing), ("repeated", &repeated)] {
        let error = write(pieces).expect_err(name);
        assert_eq!(error.reason().code, Code::ArtifactCorrupt, "{name}: {error}");
    }
    let error = write(last_gone).expect_err("last gone");
    assert_eq!(error.reason().code, Code::ArtifactTruncated, "{error}");
    assert!(error.to_string().contains("BLOBS"), "{error}");
}

#[test]
fn a_block_away_from_its_announced_position_is_refused() {
    let (archive, _) = with_positions(18, "gzip");
    let data = survey(&archive, PART_BYTES).unwrap().toc.bytes as usize;
    let mut shifted = archive[..data].to_vec();
    shifted.extend([1, 2, 3]);
    shifted.extend_from_slice(&archive[data..]);
    assert!(survey(&shifted, PART_BYTES).is_err());

    let (toc, pieces) = pieces(&archive);
    let mut moved = toc.clone();
    let entry = moved.entries.iter_mut().find(|entry| entry.has_data).unwrap();
    let DataPosition::At(position) = entry.position else { panic!("no position") };
    entry.position = DataPosition::At(position + 1);
    let mut walker = firedrill::archive::BlockWalker::new(&moved);
    let error = walker.push(archive[data..].to_vec().into(), &mut Vec::new()).expect_err("moved");
    assert_eq!(error.reason().code, Code::ArtifactCorrupt, "{error}");
    assert!(!joined(&pieces).is_empty());
}

#[test]
fn a_large_object_that_nothing_announces_is_refused() {
    for (major, name) in [(13, "gzip"), (18, "gzip")] {
        let (toc, pieces) = pieces(&load(major, name));
        let at = pieces.iter().position(|piece| matches!(piece, Piece::LargeObject { .. })).unwrap();
        let end = at + pieces[at..].iter().position(|piece| *piece == Piece::LargeObjectEnd).unwrap();
        let (mut renamed, mut repeated, mut missing) = (pieces.clone(), pieces.clone(), pieces.clone());
        renamed[at] = Piece::LargeObject { oid: 17 };
        repeated.splice(at..at, pieces[at..=end].iter().cloned());
        missing.drain(at..=end);
        for (case, pieces) in [("renamed", renamed), ("repeated", repeated), ("missing", missing)] {
            let shape = if major == 13 { Shape { version: (1, 14), ..Shape::NEWEST } } else { Shape::NEWEST };
            let error = survey(&shape.write(&toc, &pieces), PART_BYTES).expect_err(case);
            assert_eq!(error.reason().code, Code::ArtifactCorrupt, "pg{major} {case}: {error}");
            assert!(error.to_string().contains("large object"), "pg{major} {case}: {error}");
        }
    }
}

/// The first table's stream replaced.
fn with_stream(name: &str, stream: Vec<u8>) -> Result<Survey, Error> {
    let (toc, pieces) = pieces(&load(18, name));
    let mut pieces = joined(&pieces);
    assert!(matches!(pieces[..3], [Piece::TableData { .. }, Piece::Chunk(_), Piece::BlockEnd]));
    pieces[1] = Piece::Chunk(stream.into());
    survey(&Shape::NEWEST.write(&toc, &pieces), PART_BYTES)
}

#[test]
fn rows_that_do_not_end_as_they_should_are_refused() {
    with_stream("none-piped", b"1\t2\n\\.\n\n\n".to_vec()).unwrap();
    let cases: &[(&[u8], Code)] = &[
        (b"1\t2\n", Code::ArtifactTruncated),
        (b"1\t2\n\\.\n", Code::ArtifactTruncated),
        (b"1\t2\n\\.\n\n", Code::ArtifactTruncated),
        (b"1\t2\\.\n\n\n", Code::ArtifactTruncated),
        (b"1\t2\n\\.\n\n\n3\t4\n", Code::ArtifactCorrupt),
        (b"1\t2\n\\.\n3\t4\n\\.\n\n\n", Code::ArtifactCorrupt),
    ];
    for (stream, code) in cases {
        let error = with_stream("none-piped", stream.to_vec()).expect_err("a stream without its end");
        assert_eq!(error.reason().code, *code, "{:?}: {error}", String::from_utf8_lossy(stream));
    }
}

#[test]
fn a_stream_that_unfolds_beyond_reason_is_refused() {
    let rows = vec![b'x'; 80 << 20];
    let bomb = zstd::encode_all(&rows[..], 1).unwrap();
    let error = with_stream("zstd-piped", bomb).expect_err("a bomb");
    assert_eq!(error.reason().code, Code::LimitExceeded, "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_the_reader_panic(
        version in 12_u8..=16,
        widths in (1_u8..=8, 1_u8..=8),
        tail in proptest::collection::vec(prop_oneof![Just(0_u8), Just(1), any::<u8>()], 0..400),
    ) {
        let mut archive = vec![b'P', b'G', b'D', b'M', b'P', 1, version, 0, widths.0, widths.1, 1];
        archive.extend(tail);
        prop_assert!(survey(&archive, 64).is_err());
    }
}
