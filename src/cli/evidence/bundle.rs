//! `firedrill evidence bundle`: the evidence of a period in one file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use jiff::Timestamp;

use crate::cli::evidence::kept::Kept;
use crate::cli::evidence::{moment, refused};
use crate::cli::known_keys::known_keys;
use crate::cli::refusal::Refusal;
use crate::cli::{Places, output};
use crate::evidence::{self, Expected, Options, Paper, PublicKey, Report, gather, write_bundle};
use crate::exit_code::ExitCode;
use crate::plan::duration;
use crate::report::html::{Shown, page};
use crate::report::stored::{self, Series};
use crate::report::{encode, verified};

/// How wide the lines of the statement about coverage are.
const COLUMNS: usize = 100;

/// Put the evidence of a period into one file, for an auditor
#[derive(Debug, Args)]
#[command(after_help = "\
It holds the records and their reviews, the public keys, the schemas, the records as one HTML
page, a statement of which nights have a record, and VERIFY.md, which says how to check all of it
with openssl, jq and sha256sum. 'firedrill evidence verify' reads it as it is. The same evidence gives the same file.

Ends with 1 if something is wrong with the evidence; the bundle is written nevertheless, and its
coverage.txt says what.

Example:
  firedrill evidence bundle --since 2026-01-01 --until 2026-06-30 --key evidence.pub \\
      --out first-half.tar.gz")]
pub struct Arguments {
    /// The service [default: all of them]
    #[arg(value_name = "SERVICE")]
    service: Option<String>,
    /// The first day of the period, or its first moment [default: everything]
    #[arg(long, value_name = "DATE", value_parser = moment::beginning)]
    since: Option<Timestamp>,
    /// The last day of the period, or its last moment [default: everything]
    #[arg(long, value_name = "DATE", value_parser = moment::end)]
    until: Option<Timestamp>,
    /// How often there must be a record: 26h for a nightly drill [default: after each record,
    /// by the period and grace of the plan as that record states them]
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    expect_every: Option<Duration>,
    /// A public key that may have signed records; it is put into the bundle [default: those that
    /// the plan knows]
    #[arg(long = "key", value_name = "FILE")]
    keys: Vec<PathBuf>,
    /// A public key of somebody who may review; it is put into the bundle
    #[arg(long = "reviewer", value_name = "FILE")]
    reviewers: Vec<PathBuf>,
    /// Take records that nobody signed; they prove nothing about who wrote them
    #[arg(long)]
    allow_unsigned: bool,
    /// The file to write; never overwritten
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    kept: Kept,
}

/// Writes a bundle, and says what is wrong with what is in it.
pub fn bundle(arguments: &Arguments, places: &Places) -> Result<ExitCode, Refusal> {
    let plan = if arguments.keys.is_empty() { places.plan_if_any()? } else { None };
    let keys = known_keys(&arguments.keys, plan.as_ref())?;
    if keys.is_empty() && !arguments.allow_unsigned {
        let remedy = "name the public key that signed, with --key FILE, or say --allow-unsigned";
        return Err(Refusal::new(ExitCode::Usage, "there is no key to check signatures with", remedy));
    }
    let reviewers = known_keys(&arguments.reviewers, None)?;
    let staged = tempfile::Builder::new().prefix("firedrill-bundle-").tempdir().map_err(|error| {
        Refusal::new(ExitCode::Usage, format!("make a temporary folder: {error}"), "see TMPDIR")
    })?;
    let root = arguments.kept.root(places)?;
    let (since, until) = (arguments.since, arguments.until);
    let records = gather(&root, arguments.service.as_deref(), since, until, staged.path());
    if records.map_err(|error| refused(&error))? == 0 {
        let what = format!("there is no such evidence in '{}'", encode::name(&root.to_string_lossy(), 400));
        return Err(Refusal::new(ExitCode::Usage, what, "see 'firedrill evidence list', and the period"));
    }
    let options = Options {
        expected: arguments.expect_every.map_or(Expected::AsStated, Expected::Every),
        since,
        until,
        allow_unsigned: arguments.allow_unsigned,
        reviewers,
        ..Options::default()
    };
    let report = evidence::verify(staged.path(), &keys, &options).map_err(|error| refused(&error))?;
    let papers = papers(&report, &options, &keys)?;
    write_bundle(staged.path(), &keys, &options, &papers, &arguments.out).map_err(|error| refused(&error))?;
    let written = output::answer(&verified::text(&report, &options, COLUMNS));
    Ok(if report.is_sound() { written } else { ExitCode::Failed })
}

/// What is laid beside the evidence.
fn papers(report: &Report, options: &Options, keys: &[PublicKey]) -> Result<Vec<Paper>, Refusal> {
    let mut series = stored::of(report, keys);
    series.iter_mut().for_each(inside);
    let now = as_of(&series, options.until);
    let (since, until) = period(options);
    let mut notes = vec![format!("Evidence from {since} to {until}.")];
    notes.extend(verified::coverages(report, options));
    let page = page(Shown {
        series: &series,
        now,
        age_max: options.expected.every(),
        stocks: &BTreeMap::new(),
        notes: &notes,
    })
    .map_err(|error| Refusal::new(ExitCode::Bug, format!("make the page: {error}"), ""))?;
    let json = verified::json(report, options)
        .map_err(|error| Refusal::new(ExitCode::Bug, format!("write the coverage: {error}"), ""))?;
    let text = verified::text(report, options, COLUMNS);
    let text = format!("Evidence from {since} to {until}, as firedrill found it.\n\n{text}");
    Ok(vec![
        Paper { name: "coverage.txt", bytes: text.into_bytes() },
        Paper { name: "coverage.json", bytes: json.into_bytes() },
        Paper { name: "report.html", bytes: page.into_bytes() },
    ])
}

/// Names the file of the newest drill as it lies in the bundle.
fn inside(series: &mut Series) {
    let Some(drill) = &mut series.newest else { return };
    let name = drill.evidence.as_deref().and_then(Path::file_name);
    drill.evidence = name.map(|name| Path::new("evidence").join(&series.service).join(name));
}

/// The bounds of the period, in words.
fn period(options: &Options) -> (String, String) {
    let bound = |moment: Option<Timestamp>, word: &str| {
        moment.map_or_else(|| format!("its {word} record"), crate::clock::rfc3339_millis)
    };
    (bound(options.since, "first"), bound(options.until, "last"))
}

/// The moment that ages on the page count to: the end of the period, so that the same evidence
/// gives the same page; that of the last drill while the period is not over.
fn as_of(series: &[Series], until: Option<Timestamp>) -> Timestamp {
    let last = series.iter().filter_map(|one| one.drills.last()).map(|drill| drill.ended_at.at()).max();
    until.filter(|until| *until <= Timestamp::now()).or(last).unwrap_or_else(Timestamp::now)
}
