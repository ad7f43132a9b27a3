//! What is fuzzed. Each target tells how an input ended, as a text.

use std::io::{self, Read};

use bytes::Bytes;
use firedrill::archive::{
    BlockWalker, Compression, Error, Keys, Kind, Limits, Member, Openssl, OpensslDigest, RowReader,
    StatementReader, TocParser, decode_within, parse_object_index, survey, survey_plain, unwrap,
};

use crate::corpus::{self, Split};

/// One parser, and where its mutations start.
pub struct Target {
    pub name: &'static str,
    pub seeds: Vec<Vec<u8>>,
    pub run: Box<dyn Fn(&[u8]) -> String>,
}

/// Enough for any seed, and little enough to be quick.
const LIMITS: Limits = Limits { free_bytes: 16 << 20, ratio_max: 200 };

pub const NAMES: [&str; 9] =
    ["toc", "walker", "decode", "statements", "archive", "tar", "plain", "names", "wrap"];

/// The target of a name.
pub fn target(name: &str) -> io::Result<Option<Target>> {
    let name = match NAMES.into_iter().find(|known| *known == name) {
        Some(name) => name,
        None => return Ok(None),
    };
    let (seeds, run): (Vec<Vec<u8>>, Box<dyn Fn(&[u8]) -> String>) = match name {
        "toc" => (corpus::below("archives", |kind| kind == Kind::Custom)?, Box::new(toc)),
        "walker" => {
            let splits = corpus::splits()?;
            let seeds = splits.iter().map(|(_, rest)| rest.to_vec()).collect();
            (seeds, Box::new(move |input| walker(&splits, input)))
        }
        "decode" => (corpus::streams()?, Box::new(decode)),
        "statements" => {
            let splits = corpus::splits()?;
            (corpus::inserts(), Box::new(move |input| statements(&splits, input)))
        }
        "tar" => (corpus::below("archives", |kind| kind == Kind::Tar)?, Box::new(whole)),
        "plain" => (corpus::below("archives", |kind| kind == Kind::PlainSql)?, Box::new(plain)),
        "archive" => (corpus::below("archives", |kind| kind == Kind::Custom)?, Box::new(whole)),
        "names" => (corpus::lists(), Box::new(names)),
        _ => {
            let keys = keys()?;
            (corpus::below("wrapped", Kind::is_layer)?, Box::new(move |input| wrap(&keys, input)))
        }
    };
    Ok(Some(Target { name, seeds, run }))
}

fn ended<T>(result: Result<T, Error>) -> String {
    match result {
        Ok(_) => "well".to_owned(),
        Err(error) => error.to_string(),
    }
}

fn plain(input: &[u8]) -> String {
    ended(survey_plain(input, 4096))
}

fn toc(input: &[u8]) -> String {
    let read = |piece_bytes: usize| {
        let mut parser = TocParser::new();
        for piece in input.chunks(piece_bytes) {
            parser.push(piece)?;
            if parser.is_complete() {
                break;
            }
        }
        parser.end()?;
        parser.finish_if_complete()
    };
    let whole = read(usize::MAX).map(|toc| toc.map(|(toc, _)| toc.entries.len()));
    // Byte by byte costs more than it tells on every input.
    if input.len() % 16 == 0 {
        let pieces = read(1 + input.len() % 5).map(|toc| toc.map(|(toc, _)| toc.entries.len()));
        assert_eq!(whole.as_ref().ok(), pieces.as_ref().ok(), "pieces are read like the whole");
    }
    ended(whole)
}

fn walker(splits: &[Split], input: &[u8]) -> String {
    let (toc, _) = &splits[input.len() % splits.len()];
    let mut pieces = Vec::new();
    let mut walked = |piece_bytes: usize| {
        let mut walker = BlockWalker::new(toc);
        for piece in input.chunks(piece_bytes) {
            walker.push(Bytes::copy_from_slice(piece), &mut pieces)?;
            pieces.clear();
        }
        walker.finish().map(|trailer| trailer.unread_bytes)
    };
    let whole = walked(usize::MAX);
    let cut = walked(1 + input.len() % 61);
    assert_eq!(whole.as_ref().ok(), cut.as_ref().ok(), "pieces are walked like the whole");
    ended(whole)
}

fn decode(input: &[u8]) -> String {
    let Some((codec, stream)) = input.split_first() else { return "empty".into() };
    let codec =
        [Compression::None, Compression::Gzip, Compression::Lz4, Compression::Zstd][usize::from(codec % 4)];
    let rows = decode_within(codec, stream, LIMITS).and_then(|decoded| {
        let mut rows = RowReader::new(decoded, 4096);
        while rows.next_piece()?.is_some() {}
        Ok(())
    });
    ended(rows)
}

fn statements(splits: &[Split], input: &[u8]) -> String {
    let read = StatementReader::new(input, &splits[0].0).and_then(|mut statements| {
        let mut count = 0_u32;
        while statements.next_statement()?.is_some() {
            count += 1;
        }
        Ok(count)
    });
    ended(read)
}

fn whole(input: &[u8]) -> String {
    ended(survey(input, 1 + input.len() % 8192))
}

fn names(input: &[u8]) -> String {
    let text = String::from_utf8_lossy(input);
    let named = text.lines().filter_map(Member::named).count();
    format!("{} {}", named.min(4), ended(parse_object_index(Member::Index, input)))
}

fn keys() -> io::Result<Keys> {
    let mut keys = Keys::default();
    let taken = [
        keys.add_age(&corpus::file("wrapped/age-identity")?),
        keys.add_openpgp(&corpus::file("wrapped/openpgp-key")?),
        keys.add_openpgp(&corpus::file("wrapped/openpgp-key-curve.asc")?),
    ];
    keys.set_openssl(Openssl { digest: OpensslDigest::Sha256, iterations: 10_000 });
    for taken in taken {
        taken.map_err(io::Error::other)?;
    }
    Ok(keys)
}

fn wrap(keys: &Keys, input: &[u8]) -> String {
    let mut inside = [0; 65_536];
    let read = unwrap(input, keys, LIMITS).and_then(|mut unwrapped| {
        while unwrapped.read(&mut inside).map_err(Error::from_io)? > 0 {}
        Ok(())
    });
    ended(read)
}
