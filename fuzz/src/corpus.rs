//! What the mutations start from: real archives, and what they are made of.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use firedrill::archive::{Front, Kind, Opening, Toc, sniff};

/// A table of contents, and the blocks behind it.
pub type Split = (Toc, Bytes);

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures")
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { files(&path, found)? } else { found.push(path) }
    }
    Ok(())
}

/// The files below a folder of fixtures, of which `wanted` likes the first bytes.
pub fn below(folder: &str, wanted: impl Fn(Kind) -> bool) -> io::Result<Vec<Vec<u8>>> {
    let mut paths = Vec::new();
    files(&fixtures().join(folder), &mut paths)?;
    paths.sort();
    let mut found = Vec::new();
    for path in paths {
        let bytes = fs::read(path)?;
        if bytes.len() < 400_000 && wanted(sniff(&bytes)) {
            found.push(bytes);
        }
    }
    Ok(found)
}

/// A file of the fixtures.
pub fn file(name: &str) -> io::Result<Vec<u8>> {
    fs::read(fixtures().join(name))
}

/// Custom archives, taken apart behind their tables of contents.
pub fn splits() -> io::Result<Vec<Split>> {
    let archives = below("archives", |kind| kind == Kind::Custom)?;
    let split = |archive: Vec<u8>| match Opening::new().push(archive.into()) {
        Ok(Some(Front { toc, rest, .. })) => Some((toc, rest)),
        _ => None,
    };
    Ok(archives.into_iter().filter_map(split).collect())
}

/// Rows as COPY writes them.
pub fn rows() -> Vec<u8> {
    let mut rows: Vec<u8> = (0..400)
        .flat_map(|n| format!("{n}\tvalue {}\t\\N\t\\\\x0{n}\\n\n", n * 7919 % 1000).into_bytes())
        .collect();
    rows.extend(b"\\.\n\n\n");
    rows
}

/// Rows in each codec, behind a byte that says which.
pub fn streams() -> io::Result<Vec<Vec<u8>>> {
    let rows = rows();
    let mut zlib = flate2::write::ZlibEncoder::new(vec![1], flate2::Compression::default());
    zlib.write_all(&rows)?;
    let mut lz4 = lz4_flex::frame::FrameEncoder::new(vec![2]);
    lz4.write_all(&rows)?;
    let lz4 = lz4.finish().map_err(io::Error::other)?;
    let zstd = [&[3][..], &zstd::encode_all(&rows[..], 3)?].concat();
    Ok(vec![[&[0][..], &rows].concat(), zlib.finish()?, lz4, zstd])
}

/// Dumps of INSERTs, in the dialects of pg_dump.
pub fn inserts() -> Vec<Vec<u8>> {
    let texts = [
        "INSERT INTO public.a VALUES (1, 'it''s', NULL, E'\\\\x00\\n');\nINSERT INTO public.a VALUES (-2, '', 'NaN', B'101');\n\n\n",
        "INSERT INTO public.a (id, \"na;me\") OVERRIDING SYSTEM VALUE VALUES (1, 'x'),\n\t(2, 'y;'),\n\t(3, NULL) ON CONFLICT DO NOTHING;\n",
        "INSERT INTO public.a DEFAULT VALUES;\n-- a comment; with 'quotes'\nINSERT INTO b VALUES ($tag$ ; $$ ' $tag$, true);\n",
    ];
    texts.into_iter().map(|text| text.as_bytes().to_vec()).collect()
}

/// Lists of large objects, as in `blobs.toc`.
pub fn lists() -> Vec<Vec<u8>> {
    vec![
        b"950000 blob_950000.dat\n17 blob_17.dat\n4000000000 blob_4000000000.dat\n".to_vec(),
        b"toc.dat\n".to_vec(),
        b"3041.dat.gz\nblobs_17.toc\nrestore.sql\nblob_12.dat.zst\n".to_vec(),
    ]
}
