//! `firedrill evidence verify`: the auditor's check.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use jiff::Timestamp;

use crate::cli::evidence::source::Source;
use crate::cli::evidence::{moment, refused};
use crate::cli::known_keys::known_keys;
use crate::cli::refusal::Refusal;
use crate::cli::{Places, output};
use crate::evidence::{self, Expected, Options};
use crate::exit_code::ExitCode;
use crate::plan::duration;
use crate::record::Sha256;
use crate::report::{layout, verified};

/// Check evidence: signatures, chain, cadence, and each verdict judged again
#[derive(Debug, Args)]
#[command(after_help = "\
It is offline, unless a bucket is named, and takes keys from nowhere but --key: what a record says of its key is not
believed. Without --expect-head nobody can see whether records were taken off the end: each run
prints the digest of the last, for a mail or a chat to keep where nobody can rewrite it.

The cadence is the plan's `every` and `grace`, as each signed record states them of the next;
more drills than that are no fault. Where drills are less frequent than backups, say how often
they are with --expect-every. Whether one was due after the last is looked at with --until.

Levels of trust:
  L0  nobody vouches for it
  L1  each record is signed by a key that you named
  L2  and the chain is whole, and the cadence was kept
  L3  and the last record is the one that you were told of

Ends with 0 if it is sound, and with 1 if anything at all is wrong.

Examples:
  firedrill evidence verify --key evidence.pub /var/lib/firedrill/evidence/orders
  firedrill evidence verify --key old.pub --key new.pub --expect-every 26h \\
      --since 2026-01-01 --until 2026-06-30 evidence/
  firedrill evidence verify --key evidence.pub --json first-half.tar.gz | jq .trust
  firedrill evidence verify --key evidence.pub s3://acme-evidence/firedrill/")]
pub struct Arguments {
    /// A public key that may have signed records
    #[arg(long = "key", value_name = "FILE")]
    keys: Vec<PathBuf>,
    /// A public key of somebody who may review
    #[arg(long = "reviewer", value_name = "FILE")]
    reviewers: Vec<PathBuf>,
    /// The digest of the last record, as somebody else told it
    #[arg(long, value_name = "SHA256")]
    expect_head: Option<Sha256>,
    /// How often there must be a record: 26h for a nightly drill [default: after each record,
    /// by the period and grace of the plan as that record states them]
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    expect_every: Option<Duration>,
    /// The first day of the period, or its first moment; records before it need not be there,
    /// or signed
    #[arg(long, value_name = "DATE", value_parser = moment::beginning)]
    since: Option<Timestamp>,
    /// The last day of the period, or its last moment [default with --expect-every: now]
    #[arg(long, value_name = "DATE", value_parser = moment::end)]
    until: Option<Timestamp>,
    /// Take records that nobody signed; they prove nothing about who wrote them
    #[arg(long)]
    allow_unsigned: bool,
    /// Print the result as one JSON document
    #[arg(long)]
    json: bool,
    /// The plan's [store.NAME] table by which a bucket is reached
    #[arg(long, value_name = "NAME")]
    store: Option<String>,
    /// The folder of one service's evidence or of all services', a bundle, or the s3:// or az://
    /// location of copies
    #[arg(value_name = "PATH")]
    path: String,
}

/// Checks what was named.
pub fn verify(arguments: &Arguments, places: &Places) -> Result<ExitCode, Refusal> {
    if arguments.keys.is_empty() && !arguments.allow_unsigned {
        let remedy = "name the public key that signed, with --key FILE, or say --allow-unsigned";
        return Err(Refusal::new(ExitCode::Usage, "there is no key to check signatures with", remedy));
    }
    let options = Options {
        expect_head: arguments.expect_head,
        expected: arguments.expect_every.map_or(Expected::AsStated, Expected::Every),
        since: arguments.since,
        until: arguments.until.or(arguments.expect_every.map(|_| Timestamp::now())),
        allow_unsigned: arguments.allow_unsigned,
        reviewers: known_keys(&arguments.reviewers, None)?,
    };
    let keys = known_keys(&arguments.keys, None)?;
    let source = Source::open(&arguments.path, arguments.store.as_deref(), places)?;
    let report = evidence::verify(source.folder(), &keys, &options).map_err(|error| refused(&error))?;
    if options.expect_head.is_some() && report.logs.len() > 1 {
        let remedy = "name the folder of that one service";
        return Err(Refusal::new(ExitCode::Usage, "--expect-head is the head of one service", remedy));
    }
    let text = match arguments.json {
        true => verified::json(&report, &options)
            .map_err(|error| Refusal::new(ExitCode::Bug, format!("write the result: {error}"), ""))?,
        false => verified::text(&report, &options, layout::readable(layout::stdout_columns())),
    };
    let written = output::answer(&text);
    Ok(if report.is_sound() { written } else { ExitCode::Failed })
}
