//! Real tar and directory archives of six majors of pg_dump, read to their last byte, and made
//! worse byte by byte.

#![expect(clippy::unwrap_used, clippy::panic, reason = "the helpers are tests too")]

mod archive_support;

use archive_support::{load, member_archive};
use bytes::Bytes;
use firedrill::archive::{Error, Front, Layout, Opening, Piece, Survey, survey};

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
