//! A bundle: the evidence of a period in one file, for somebody who has nothing else.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use jiff::Timestamp;

use crate::digest::Digest;
use crate::evidence::error::{Error, Kind};
use crate::evidence::key::PublicKey;
use crate::evidence::log::{Entry, create, entries, entry_of, is_safe_name, read_file, reviews};
use crate::evidence::review::ReviewFile;
use crate::evidence::schema::{review_schema, schema};
use crate::evidence::statement::BYTES_MAX;
use crate::evidence::tar::{self, Reader};
use crate::evidence::verify::{Options, logs_in};
use crate::plan::duration;
use crate::record::Moment;

/// The folder that everything in a bundle lies in.
const TOP: &str = "firedrill-evidence";

/// What else may lie in it, beside evidence and keys. None of it is believed when it is read.
const PAPERS: &[&str] = &[
    "VERIFY.md",
    "coverage.txt",
    "coverage.json",
    "report.html",
    "schema.json",
    "review-schema.json",
    "SHA256SUMS",
];

/// How many files a bundle may have, and how many bytes all of them together.
const FILES_MAX: u64 = 1_000_000;
const ALL_BYTES_MAX: u64 = 16 * 1024 * 1024 * 1024;

/// How the records of one service are verified by hand, with a name and a beginning in place of
/// the README's; and how its reviews are.
const BY_HAND: &str = include_str!("by_hand.md");
const BY_HAND_REVIEW: &str = include_str!("by_hand_review.md");

/// A paper to lay beside the evidence.
#[derive(Clone, Debug)]
pub struct Paper {
    /// One of `coverage.txt`, `coverage.json` and `report.html`.
    pub name: &'static str,
    /// All of it.
    pub bytes: Vec<u8>,
}

/// Copies the records below `root` that began in the period, and what reviews them, into
/// `into`, a folder for each service; unreadable ones too. Without a name, of every service.
///
/// # Errors
/// The evidence can't be read, or `into` can't be written to.
pub fn gather(
    root: &Path,
    service: Option<&str>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    into: &Path,
) -> Result<u64, Error> {
    let (since, until) = (since.map(Moment::from), until.map(Moment::from));
    let within = |entry: &Entry| {
        entry.read().ok().is_none_or(|stored| {
            let began = stored.record.run.started_at;
            since.is_none_or(|since| began >= since) && until.is_none_or(|until| began <= until)
        })
    };
    let mut records = 0_u64;
    for directory in logs_in(root)? {
        let Some(name) = directory.file_name().and_then(|name| name.to_str()) else { continue };
        if !is_safe_name(name) || service.is_some_and(|service| service != name) {
            continue;
        }
        let wanted: Vec<Entry> = entries(&directory)?.into_iter().filter(within).collect();
        let copies = into.join(name);
        make_directory(&copies, !wanted.is_empty())?;
        for entry in &wanted {
            create(&copies, &entry.file_name(), &read_file(&entry.path)?)?;
            records = records.saturating_add(1);
        }
        let of_wanted = |review: &ReviewFile| {
            wanted.iter().any(|entry| (entry.sequence, entry.run_id) == (review.sequence, review.run_id))
        };
        for review in reviews(&directory)?.iter().filter(|review| of_wanted(review)) {
            let name = review.path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            create(&copies, name, &read_file(&review.path)?)?;
        }
    }
    Ok(records)
}

fn make_directory(directory: &Path, wanted: bool) -> Result<(), Error> {
    if !wanted {
        return Ok(());
    }
    fs::create_dir_all(directory).map_err(|cause| Error::io("make the directory", directory, cause))
}

/// Writes the bundle of what was gathered in `folder` for the period of `options`, with the
/// public keys that were named and the papers that were made: a gzipped tar archive, the same
/// from the same.
///
/// # Errors
/// The folder can't be read, or `out` exists already or can't be written to.
pub fn write_bundle(
    folder: &Path,
    keys: &[PublicKey],
    options: &Options,
    papers: &[Paper],
    out: &Path,
) -> Result<(), Error> {
    let failed = |cause| Error::io("write the bundle", out, cause);
    let file = File::options().write(true).create_new(true).open(out).map_err(failed)?;
    let written = write_to(file, folder, keys, options, papers, out);
    if written.is_err() {
        // Half a bundle is none; it was made just now, by us.
        let _ = fs::remove_file(out);
    }
    written
}

fn write_to(
    file: File,
    folder: &Path,
    keys: &[PublicKey],
    options: &Options,
    papers: &[Paper],
    out: &Path,
) -> Result<(), Error> {
    let failed = |cause| Error::io("write the bundle", out, cause);
    let mut archive = Archive { to: GzEncoder::new(file, Compression::default()), sums: String::new() };
    let mut add = |name: &str, bytes: &[u8]| archive.add(name, bytes).map_err(failed);
    let mut by_hand = String::new();
    for directory in logs_in(folder)? {
        let Some(service) = directory.file_name().and_then(|name| name.to_str()) else { continue };
        let entries = entries(&directory)?;
        let reviews = reviews(&directory)?;
        for path in entries.iter().map(|entry| &entry.path).chain(reviews.iter().map(|review| &review.path)) {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            add(&format!("evidence/{service}/{name}"), &read_file(path)?)?;
        }
        by_hand.push_str(&instructions(service, entries.first(), !reviews.is_empty()));
    }
    let by_id =
        keys.iter().chain(&options.reviewers).map(|key| (key.id().trim_start_matches("sha256:"), key));
    for (id, key) in by_id.collect::<BTreeMap<_, _>>() {
        add(&format!("keys/{id}.pub"), key.to_pem()?.as_bytes())?;
    }
    for paper in papers {
        add(paper.name, &paper.bytes)?;
    }
    add("schema.json", schema().to_string().as_bytes())?;
    add("review-schema.json", review_schema().to_string().as_bytes())?;
    add("VERIFY.md", format!("{}{by_hand}", foreword(keys.len(), options)).as_bytes())?;
    archive.finish().and_then(|file| file.sync_all()).map_err(failed)
}

/// An archive that is written, and the digests of what is in it.
struct Archive {
    to: GzEncoder<File>,
    sums: String,
}

impl Archive {
    fn add(&mut self, name: &str, bytes: &[u8]) -> std::io::Result<()> {
        self.sums.push_str(&format!("{}  {name}\n", Digest::of(bytes)));
        tar::write_file(&mut self.to, &format!("{TOP}/{name}"), bytes)
    }

    fn finish(mut self) -> std::io::Result<File> {
        tar::write_file(&mut self.to, &format!("{TOP}/SHA256SUMS"), self.sums.as_bytes())?;
        tar::write_end(&mut self.to)?;
        self.to.flush()?;
        self.to.finish()
    }
}

/// What stands in front of the lines for each service.
fn foreword(keys: usize, options: &Options) -> String {
    let mut command = "firedrill evidence verify".to_owned();
    command.push_str(if keys > 0 { " --key evidence.pub" } else { "" });
    command.push_str(if options.reviewers.is_empty() { "" } else { " --reviewer reviewer.pub" });
    command.push_str(if options.allow_unsigned { " --allow-unsigned" } else { "" });
    let moments = [("since", options.since), ("until", options.until)];
    for (name, moment) in moments.into_iter().filter_map(|(name, moment)| Some((name, moment?))) {
        command.push_str(&format!(" --{name} {moment}"));
    }
    if let Some(every) = options.expected.every() {
        command.push_str(&format!(" --expect-every {}", duration::text(every)));
    }
    let several = match keys {
        0 | 1 => "",
        _ => {
            "\n\nSeveral keys signed in this period: name each of them with its own --key, and run the lines\n\
             below with each; a record of the other key is then one that this key has not signed."
        }
    };
    FOREWORD.replace("COMMAND", &command).replace("SEVERAL", several)
}

const FOREWORD: &str = "\
# How to check this evidence

With firedrill, offline, in one line for everything:

    COMMAND BUNDLE.tar.gz

Without it, with openssl, jq and sha256sum, as below. Both need the public key of those who
signed.SEVERAL

| in this bundle | what it is |
| --- | --- |
| `evidence/SERVICE/*.dsse.json` | the records, one for each drill, as they were signed; reviews beside them |
| `keys/` | the public keys that were named when this was made |
| `report.html` | the records as a page, to read: it needs no network and runs no script |
| `coverage.txt`, `coverage.json` | which nights have a record, and everything that is wrong with the records |
| `schema.json`, `review-schema.json` | what each field means, as JSON Schema |
| `SHA256SUMS` | the digests of all of these |

## The key

The key under `keys/` is there to be compared, and not to be believed: take it from where it was
published, and see that its digest is the name of the file there:

    openssl pkey -pubin -in evidence.pub -outform DER | sha256sum

Which nights should have a record is told by the records themselves: each states the period and
the grace of its plan, and the next is due by them, unless the line above names a cadence with
`--expect-every`. Behind a record that states none, nobody looked.

Nothing else here is signed: `coverage.*`, the report and this file are for reading, and are
made from the records. `SHA256SUMS` shows damage on the way (`sha256sum -c SHA256SUMS`), not
forgery.

## The tables of a drill

They are no files of their own: what was compared of each table, with rows, bytes and the hashes
of both sides, stands inside of the signed record. To see it, in `evidence/SERVICE`:

```sh
jq -r .payload RECORD.dsse.json | base64 -d |
  jq -r '.predicate.fidelity.tables[]? | [.name, .state, .rows, .restored_rows, .stream_hash, .restored_hash] | @tsv'
```

## The chain

The last line of each block is the head: compare it with what was told of it in the nights of
the period, in a mail or a chat. Only that shows whether records were taken off the end.
";

fn instructions(service: &str, first: Option<&Entry>, reviewed: bool) -> String {
    let mut text = BY_HAND
        .replace("SERVICE=orders", &format!("SERVICE={service}"))
        .replace("KEY=../evidence.pub", "KEY=../../../evidence.pub");
    let first = first.filter(|first| first.sequence > 1).and_then(|first| first.read().ok());
    if let Some(before) = first.and_then(|first| first.record.chain.previous_envelope_sha256) {
        let genesis = "before=$(printf 'genesis %s' \"$SERVICE\" | sha256sum | cut -d' ' -f1)";
        text = text.replace(genesis, &format!("before={before}   # the record before the period"));
    }
    if reviewed {
        text.push('\n');
        text.push_str(&BY_HAND_REVIEW.replace("REVIEWER=../", "REVIEWER=../../../"));
    }
    format!("\n## {service}\n\nIn `evidence/{service}`:\n\n{text}")
}

/// Takes the evidence out of a bundle into `into`, a folder for each service. Nothing in it is
/// believed yet; keys and papers are left behind.
///
/// # Errors
/// It is no bundle: it is damaged, holds something that no bundle holds, or passes a bound.
pub fn unpack(bundle: &Path, into: &Path) -> Result<(), Error> {
    let failed = |cause| {
        Error::new(Kind::Malformed, "read the bundle")
            .at(bundle)
            .because(cause)
            .with_remedy("take it from another copy; 'firedrill evidence bundle' writes one")
    };
    let file = File::open(bundle).map_err(|cause| Error::io("read the bundle", bundle, cause))?;
    let mut reader = Reader::new(GzDecoder::new(file).take(ALL_BYTES_MAX));
    let mut files = 0_u64;
    while let Some(head) = reader.next().map_err(failed)? {
        files = files.saturating_add(1);
        // An envelope is a third larger than its statement.
        let bytes = reader.bytes(&head, 2 * BYTES_MAX).map_err(failed)?;
        let place = head.name.strip_prefix(TOP).and_then(|rest| rest.strip_prefix('/')).and_then(place);
        match place.filter(|_| files <= FILES_MAX) {
            Some(Place::Paper) => {}
            Some(Place::Evidence { service, name }) => {
                let directory = into.join(service);
                make_directory(&directory, true)?;
                create(&directory, name, &bytes)?;
            }
            None => {
                let shown: String = head.name.escape_default().take(100).collect();
                return Err(failed(std::io::Error::other(format!("'{shown}' is no part of one"))));
            }
        }
    }
    reader.end().map_err(failed)
}

/// What a file of a bundle is, by its name below the top folder.
enum Place<'a> {
    Paper,
    Evidence { service: &'a str, name: &'a str },
}

fn place(name: &str) -> Option<Place<'_>> {
    if PAPERS.contains(&name) {
        return Some(Place::Paper);
    }
    let (folder, rest) = name.split_once('/')?;
    match folder {
        "keys" => {
            Digest::parse(rest.strip_suffix(".pub")?)?;
            Some(Place::Paper)
        }
        "evidence" => {
            let (service, name) = rest.split_once('/')?;
            let path = || PathBuf::from(name);
            let is_evidence =
                !name.contains('/') && (entry_of(path()).is_some() || ReviewFile::of(path()).is_some());
            (is_safe_name(service) && is_evidence).then_some(Place::Evidence { service, name })
        }
        _ => None,
    }
}
