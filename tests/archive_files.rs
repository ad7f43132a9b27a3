//! Real tar and directory archives of six majors of pg_dump, read to their last byte, and made
//! worse byte by byte.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "the helpers are tests too")]

mod archive_support;

use std::collections::BTreeMap;
use std::io::{Read, Write};

use archive_support::{directory, load, member_archive};
use bytes::Bytes;
use firedrill::archive::{
    Compression, Error, Front, Layout, Opening, Piece, Survey, survey, survey_directory,
};

const PART_BYTES: usize = 64 << 10;
const MAJORS: [u32; 6] = [13, 15, 16, 17, 18, 19];

fn tar(major: u32) -> Vec<u8> {
    member_archive(major, "tar.tar")
}

/// What both kinds of archive of a major must hold.
fn assert_holds_the_same(found: &Survey, major: u32, what: &str) {
    let custom = survey(&load(major, "none"), PART_BYTES).unwrap();
    assert_eq!(found.tables, custom.tables, "pg{major} {what}");
    assert_eq!(found.large_objects, custom.large_objects, "pg{major} {what}");
    let entries = |survey: &Survey| -> Vec<_> {
        let entries = survey.toc.entries.iter();
        entries.map(|entry| (entry.id, entry.kind.clone(), entry.definition.clone())).collect()
    };
    assert_eq!(entries(found), entries(&custom), "pg{major} {what}");
}

#[test]
fn every_tar_archive_holds_what_the_custom_one_holds() {
    for major in MAJORS {
        let bytes = tar(major);
        let survey = survey(&bytes, PART_BYTES).unwrap_or_else(|error| panic!("pg{major}: {error}"));
        assert_eq!(survey.toc.header.layout, Layout::Tar);
        assert_eq!((survey.trailer.bytes, survey.trailer.unread_bytes), (bytes.len() as u64, 0));
        assert_holds_the_same(&survey, major, "tar");
    }
}

#[test]
fn the_size_of_the_parts_makes_no_difference_to_a_tar() {
    for major in [13, 18] {
        let bytes = tar(major);
        let whole = survey(&bytes, bytes.len()).unwrap();
        for part_bytes in [1, 7, 512, 513, 4096] {
            let parts = survey(&bytes, part_bytes).unwrap();
            assert_eq!(parts.tables, whole.tables, "pg{major} in {part_bytes}");
            assert_eq!(parts.large_objects, whole.large_objects, "pg{major} in {part_bytes}");
            assert_eq!(parts.trailer, whole.trailer, "pg{major} in {part_bytes}");
        }
    }
}

/// One member of a tar file: where its header begins, its name and its size.
#[derive(Clone, Debug)]
struct Found {
    at: usize,
    name: String,
    bytes: usize,
}

impl Found {
    fn end(&self) -> usize {
        self.at + 512 + self.bytes.div_ceil(512) * 512
    }
}

fn members(tar: &[u8]) -> Vec<Found> {
    let mut found = Vec::new();
    let mut at = 0;
    while tar[at] != 0 {
        let name = tar[at..at + 100].iter().take_while(|byte| **byte != 0).copied().collect();
        let size = std::str::from_utf8(&tar[at + 124..at + 135]).unwrap();
        let bytes = usize::from_str_radix(size, 8).unwrap();
        let member = Found { at, name: String::from_utf8(name).unwrap(), bytes };
        at = member.end();
        found.push(member);
    }
    found
}

/// Makes the checksum of the header at `at` fit again.
fn seal(tar: &mut [u8], at: usize) {
    tar[at + 148..at + 156].copy_from_slice(b"        ");
    let sum: u32 = tar[at..at + 512].iter().map(|byte| u32::from(*byte)).sum();
    tar[at + 148..at + 156].copy_from_slice(format!("{sum:07o} ").as_bytes());
}

fn renamed(tar: &[u8], member: &Found, name: &str) -> Vec<u8> {
    let mut tar = tar.to_vec();
    tar[member.at..member.at + 100].fill(0);
    tar[member.at..member.at + name.len()].copy_from_slice(name.as_bytes());
    seal(&mut tar, member.at);
    tar
}

fn resized(tar: &[u8], member: &Found, bytes: usize) -> Vec<u8> {
    let mut tar = tar.to_vec();
    tar[member.at + 124..member.at + 136].copy_from_slice(format!("{bytes:011o} ").as_bytes());
    seal(&mut tar, member.at);
    tar
}

fn typed(tar: &[u8], member: &Found, kind: u8) -> Vec<u8> {
    let mut tar = tar.to_vec();
    tar[member.at + 156] = kind;
    seal(&mut tar, member.at);
    tar
}

/// The tar with the bytes of `range` replaced.
fn spliced(tar: &[u8], range: std::ops::Range<usize>, with: &[u8]) -> Vec<u8> {
    [&tar[..range.start], with, &tar[range.end..]].concat()
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    Truncated,
    Corrupt,
    Unsafe,
    Foreign,
    Limit,
}

fn fault(error: &Error) -> Fault {
    match error {
        Error::Truncated { .. } => Fault::Truncated,
        Error::Corrupt { .. } => Fault::Corrupt,
        Error::Unsafe { .. } => Fault::Unsafe,
        Error::NotAnArchive { .. } => Fault::Foreign,
        Error::Limit { .. } => Fault::Limit,
        other => panic!("{other}"),
    }
}

#[test]
fn a_damaged_or_hostile_tar_is_told_from_a_sound_one() {
    let sound = tar(15);
    assert!(survey(&sound, PART_BYTES).is_ok(), "the intact one is read");
    let all = members(&sound);
    let find = |name: &str| all.iter().find(|member| member.name == name).unwrap().clone();
    let rows: Vec<Found> = all
        .iter()
        .filter(|member| member.name.as_bytes()[0].is_ascii_digit() && member.bytes > 100)
        .cloned()
        .collect();
    let (first, second) = (&rows[0], &rows[1]);
    let (toc, index, script) = (find("toc.dat"), find("blobs.toc"), find("restore.sql"));
    let object = find("blob_900002.dat");
    let cut_out = |member: &Found| spliced(&sound, member.at..member.end(), b"");
    let again = |member: &Found, at: usize| spliced(&sound, at..at, &sound[member.at..member.end()]);
    let flipped = |at: usize| {
        let mut tar = sound.clone();
        tar[at] ^= 1;
        tar
    };
    let mut swapped = sound[..first.at].to_vec();
    swapped.extend_from_slice(&sound[second.at..second.end()]);
    swapped.extend_from_slice(&sound[first.end()..second.at]);
    swapped.extend_from_slice(&sound[first.at..first.end()]);
    swapped.extend_from_slice(&sound[second.end()..]);
    let mut listed = sound.clone();
    listed[index.at + 512] ^= 1;
    let table: Vec<(&str, Vec<u8>, Fault)> = vec![
        ("cut in the table of contents", sound[..toc.bytes].to_vec(), Fault::Truncated),
        ("cut behind the table of contents", sound[..toc.end()].to_vec(), Fault::Truncated),
        ("cut in a header", sound[..first.at + 100].to_vec(), Fault::Truncated),
        ("cut in a member", sound[..first.at + 530].to_vec(), Fault::Truncated),
        ("cut between members", sound[..first.end()].to_vec(), Fault::Truncated),
        ("cut before the script", sound[..script.at].to_vec(), Fault::Truncated),
        ("cut before the end mark", sound[..script.end()].to_vec(), Fault::Truncated),
        ("cut in the end mark", sound[..script.end() + 700].to_vec(), Fault::Truncated),
        ("without a table's member", cut_out(first), Fault::Corrupt),
        ("without a large object", cut_out(&object), Fault::Corrupt),
        ("without the list of large objects", cut_out(&index), Fault::Corrupt),
        ("without a table of contents", cut_out(&toc), Fault::Foreign),
        ("with two members swapped", swapped, Fault::Corrupt),
        ("with a member twice", again(first, first.end()), Fault::Unsafe),
        ("with its table of contents twice", again(&toc, script.at), Fault::Unsafe),
        ("with its script twice", again(&script, script.at), Fault::Unsafe),
        ("with a flipped name", flipped(first.at), Fault::Corrupt),
        ("with a flipped size", flipped(first.at + 130), Fault::Corrupt),
        ("with a flipped checksum", flipped(first.at + 150), Fault::Corrupt),
        ("with something in the padding", flipped(first.end() - 1), Fault::Corrupt),
        ("with another list of large objects", listed, Fault::Corrupt),
        ("with a size too small", resized(&sound, first, first.bytes - 20), Fault::Corrupt),
        ("with a size of a block less", resized(&sound, &toc, toc.bytes - 512), Fault::Truncated),
        ("with a size too large", resized(&sound, first, first.bytes + 512), Fault::Corrupt),
        ("with a size beyond the end", resized(&sound, first, 1 << 32), Fault::Truncated),
        ("with a large object grown", resized(&sound, &object, object.bytes + 512), Fault::Corrupt),
        ("with a symbolic link", typed(&sound, first, b'2'), Fault::Unsafe),
        ("with a hard link", typed(&sound, first, b'1'), Fault::Unsafe),
        ("with a device", typed(&sound, first, b'4'), Fault::Unsafe),
        ("with a PAX header", typed(&sound, first, b'x'), Fault::Unsafe),
        ("with a name that leads out", renamed(&sound, first, "../17.dat"), Fault::Unsafe),
        ("with an absolute name", renamed(&sound, first, "/etc/passwd"), Fault::Unsafe),
        ("with a foreign name", renamed(&sound, first, "17.dat.gz"), Fault::Unsafe),
        ("with another table's name", renamed(&sound, first, &second.name), Fault::Corrupt),
        ("with an object nobody announced", renamed(&sound, &object, "blob_77.dat"), Fault::Corrupt),
        (
            "with a member behind half an end",
            { spliced(&sound, script.at..script.at, &[0; 512]) },
            Fault::Corrupt,
        ),
    ];
    for (what, bytes, expected) in table {
        for part_bytes in [bytes.len(), 1000] {
            let error = survey(&bytes, part_bytes).err().unwrap_or_else(|| panic!("a tar {what} was read"));
            assert_eq!(fault(&error), expected, "{what}: {error}");
        }
    }
}

#[test]
fn a_large_object_that_lost_its_end_within_its_size_shows_in_a_tar_only_by_its_padding() {
    let sound = tar(15);
    let object = members(&sound).into_iter().find(|member| member.name == "blob_900005.dat").unwrap();
    let shorter = resized(&sound, &object, object.bytes - 1);
    assert_eq!(fault(&survey(&shorter, PART_BYTES).unwrap_err()), Fault::Corrupt);
    // With zeros for the bytes that it lost, nothing in the archive speaks against it: that is
    // what a digest beside the backup is for.
    let mut zeroed = shorter;
    zeroed[object.at + 512 + object.bytes - 1] = 0;
    assert!(survey(&zeroed, PART_BYTES).is_ok());
}

#[test]
fn zeros_behind_the_end_are_tape_blocks_and_anything_else_is_counted() {
    let sound = tar(15);
    let padded = survey(&[&sound[..], &[0; 10_240]].concat(), PART_BYTES).unwrap();
    assert_eq!(padded.trailer.unread_bytes, 0);
    let longer = survey(&[&sound[..], &[0, 1, 0]].concat(), sound.len()).unwrap();
    assert_eq!(longer.trailer.unread_bytes, 3);
}

#[test]
fn a_tar_cut_anywhere_is_cut_short() {
    let sound = tar(18);
    let ends = (0..sound.len()).step_by(1777).chain(sound.len() - 1030..sound.len());
    for end in ends {
        let error = survey(&sound[..end], PART_BYTES).expect_err("a cut tar");
        let expected =
            if end < 262 { [Fault::Foreign, Fault::Foreign] } else { [Fault::Truncated, Fault::Truncated] };
        assert!(expected.contains(&fault(&error)), "cut to {end}: {error}");
    }
}

#[test]
fn a_flipped_bit_anywhere_never_makes_the_reader_fall_over() {
    let sound = tar(13);
    let mut at = 0;
    while at < sound.len() {
        let mut damaged = sound.clone();
        damaged[at] ^= 1 << (at % 8);
        drop(survey(&damaged, PART_BYTES));
        at += 997;
    }
}

#[test]
fn content_is_handed_on_in_pieces_that_bound_what_waits() {
    let sound = tar(15);
    let rows =
        members(&sound).into_iter().rev().find(|member| member.name.as_bytes()[0].is_ascii_digit()).unwrap();
    let big = 3 << 20;
    let mut longer = resized(&sound, &rows, big);
    longer.splice(rows.at + 512..rows.end(), std::iter::repeat_n(b'x', big));
    let mut opening = Opening::new();
    let Front { mut walker, rest, .. } = opening.push(Bytes::from(longer)).unwrap().unwrap();
    let mut pieces = Vec::new();
    walker.push(rest, &mut pieces).unwrap();
    let lengths = pieces.iter().map(|piece| if let Piece::Chunk(chunk) = piece { chunk.len() } else { 0 });
    assert_eq!(lengths.max(), Some(256 << 10));
}

/// The directories of each major: the first that has one, and how its files are compressed.
const DIRECTORIES: [(&str, u32); 4] = [("dir-gzip", 13), ("dir-none", 13), ("dir-lz4", 17), ("dir-zstd", 17)];

type Files = BTreeMap<String, Vec<u8>>;

fn surveyed(files: &Files) -> Result<Survey, Error> {
    let files = files.iter().map(|(name, content)| (name.clone(), Bytes::copy_from_slice(content))).collect();
    survey_directory(&files)
}

fn gzipped(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn every_directory_holds_what_the_custom_archive_holds() {
    for major in MAJORS {
        for (name, _) in DIRECTORIES.iter().filter(|(_, since)| *since <= major) {
            let files = directory(major, name);
            let mut survey = surveyed(&files).unwrap_or_else(|error| panic!("pg{major} {name}: {error}"));
            assert_eq!(survey.toc.header.layout, Layout::Directory);
            let bytes = files.values().map(|content| content.len() as u64).sum();
            assert_eq!((survey.trailer.bytes, survey.trailer.unread_bytes), (bytes, 0), "pg{major} {name}");
            survey.tables.sort_by_key(|table| table.id);
            let mut custom = survey_of_custom(major);
            custom.tables.sort_by_key(|table| table.id);
            assert_eq!(survey.tables, custom.tables, "pg{major} {name}");
            assert_eq!(survey.large_objects, custom.large_objects, "pg{major} {name}");
        }
    }
}

fn survey_of_custom(major: u32) -> Survey {
    survey(&load(major, "none"), PART_BYTES).unwrap()
}

#[test]
fn files_of_one_directory_may_be_compressed_differently_or_be_empty() {
    let expected = survey_of_custom(18);
    let mut mixed = directory(18, "dir-none");
    let lz4 = directory(18, "dir-lz4");
    let names: Vec<String> =
        mixed.keys().filter(|name| name.ends_with(".dat") && *name != "toc.dat").cloned().collect();
    for (at, name) in names.iter().enumerate() {
        let content = mixed.remove(name).unwrap();
        let (suffix, content) = match at % 4 {
            0 => ("", content),
            1 => (".gz", gzipped(&content)),
            2 => (".zst", zstd::encode_all(&content[..], 1).unwrap()),
            _ => (".lz4", lz4[&format!("{name}.lz4")].clone()),
        };
        mixed.insert(format!("{name}{suffix}"), content);
    }
    let survey = surveyed(&mixed).unwrap();
    assert_eq!(survey.tables, expected.tables);
    assert_eq!(survey.large_objects, expected.large_objects);
    // What pg_dump writes for an empty object: no frame, but no byte at all.
    assert!(lz4.iter().any(|(name, content)| name.starts_with("blob_") && content.is_empty()));
}

#[test]
fn a_damaged_or_hostile_directory_is_told_from_a_sound_one() {
    let sound = directory(18, "dir-gzip");
    assert!(surveyed(&sound).is_ok(), "the intact one is read");
    let rows: Vec<String> = sound
        .iter()
        .filter(|(name, content)| name.as_bytes()[0].is_ascii_digit() && content.len() > 300)
        .map(|(name, _)| name.clone())
        .collect();
    let (one, other) = (rows[0].clone(), rows[1].clone());
    let object = "blob_900002.dat.gz".to_owned();
    let index = sound.keys().find(|name| name.starts_with("blobs")).unwrap().clone();
    let with = |change: &dyn Fn(&mut Files)| {
        let mut files = sound.clone();
        change(&mut files);
        files
    };
    let set =
        |name: &str, content: &[u8]| with(&|files| drop(files.insert(name.to_owned(), content.to_vec())));
    let cut = |name: &str, by: usize| set(name, &sound[name][..sound[name].len() - by]);
    let without = |name: &str| with(&|files| drop(files.remove(name)));
    let flipped = |name: &str, at: usize| with(&|files| files.get_mut(name).unwrap()[at] ^= 1);
    let toc = sound["toc.dat"].clone();
    let replaced = |from: &str, to: &str| {
        let at = toc.windows(from.len()).position(|window| window == from.as_bytes()).unwrap();
        let mut toc = toc.clone();
        toc[at..at + to.len()].copy_from_slice(to.as_bytes());
        set("toc.dat", &toc)
    };
    let plain = one.strip_suffix(".gz").unwrap();
    let traversal = format!("../{}", &plain[3..]);
    let list = String::from_utf8(sound[&index].clone()).unwrap();
    let relist = |list: String| set(&index, list.as_bytes());
    // zlib can't pass the ratio that is allowed; zstd can.
    let mut bomb = without(&one);
    bomb.insert(format!("{plain}.zst"), zstd::encode_all(std::io::repeat(b'x').take(128 << 20), 1).unwrap());
    let table: Vec<(&str, Files, Fault)> = vec![
        ("without a table's file", without(&one), Fault::Truncated),
        ("without a large object's file", without(&object), Fault::Truncated),
        ("without a list of large objects", without(&index), Fault::Truncated),
        ("without a table of contents", without("toc.dat"), Fault::Foreign),
        ("with a table of contents cut", cut("toc.dat", 9), Fault::Truncated),
        ("with more behind its entries", set("toc.dat", &[&toc[..], b"x"].concat()), Fault::Corrupt),
        ("with a custom archive for a table of contents", set("toc.dat", &load(18, "gzip")), Fault::Corrupt),
        ("with a table's file cut by a byte", cut(&one, 1), Fault::Truncated),
        ("with a table's file cut by half", cut(&one, sound[&one].len() / 2), Fault::Truncated),
        ("with a table's file empty", set(&one, b""), Fault::Truncated),
        ("with a flipped bit in a table", flipped(&one, 100), Fault::Corrupt),
        ("with a flipped checksum", flipped(&one, sound[&one].len() - 6), Fault::Corrupt),
        ("with a flipped length", flipped(&one, sound[&one].len() - 2), Fault::Corrupt),
        (
            "with two gzip members",
            set(&one, &[&sound[&one][..], &sound[&other][..]].concat()),
            Fault::Corrupt,
        ),
        ("with zeros behind a gzip file", set(&one, &[&sound[&one][..], &[0]].concat()), Fault::Corrupt),
        ("with rows without an end", set(&one, &gzipped(b"1\t2\n")), Fault::Truncated),
        ("with rows behind the end", set(&one, &gzipped(b"\\.\n\n\n1\t2\n")), Fault::Corrupt),
        ("with a table compressed twice", set(plain, b"\\.\n\n\n"), Fault::Unsafe),
        ("with a name that leads out", replaced(plain, &traversal), Fault::Unsafe),
        ("with another table's name", replaced(plain, other.strip_suffix(".gz").unwrap()), Fault::Corrupt),
        ("with an object listed twice", relist(format!("{list}900002 blob_900002.dat\n")), Fault::Corrupt),
        ("with an object nobody announced", relist(format!("{list}77 blob_77.dat\n")), Fault::Corrupt),
        (
            "with an object that is not listed",
            relist(list.lines().skip(1).map(|line| format!("{line}\n")).collect()),
            Fault::Corrupt,
        ),
        (
            "with a list that leads out",
            relist(list.replace("blob_900002.dat", "../../../passwd")),
            Fault::Corrupt,
        ),
        ("with a list cut", relist(list[..list.len() - 4].into()), Fault::Truncated),
        ("with a bomb", bomb, Fault::Limit),
    ];
    for (what, files, expected) in table {
        let error = surveyed(&files).err().unwrap_or_else(|| panic!("a directory {what} was read"));
        assert_eq!(fault(&error), expected, "{what}: {error}");
    }
}

#[test]
fn files_swapped_within_a_directory_are_not_seen_by_its_own_checksums() {
    // Only a digest of the whole speaks against it, and, where columns differ, the server.
    let mut swapped = directory(18, "dir-gzip");
    let rows: Vec<String> =
        swapped.keys().filter(|name| name.as_bytes()[0].is_ascii_digit()).cloned().collect();
    let (one, other) = (swapped[&rows[0]].clone(), swapped[&rows[1]].clone());
    swapped.insert(rows[0].clone(), other);
    swapped.insert(rows[1].clone(), one);
    assert!(surveyed(&swapped).is_ok());
}

#[test]
fn files_that_belong_to_nothing_are_counted() {
    let mut files = directory(18, "dir-gzip");
    for (name, content) in
        [("notes.txt", "four"), ("99999.dat", "nine"), ("sub/toc.dat", "x"), ("toc.dat.gz", "y")]
    {
        files.insert(name.into(), content.into());
    }
    let survey = surveyed(&files).unwrap();
    assert_eq!(survey.trailer.unread_bytes, 10);
    assert_eq!(survey.toc.header.compression, Compression::Gzip);
}
