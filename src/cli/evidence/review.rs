//! `firedrill evidence review`: a reviewer's signed word on a record.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use jiff::Timestamp;

use crate::cli::evidence::kept::{Kept, Which};
use crate::cli::evidence::refused;
use crate::cli::refusal::Refusal;
use crate::cli::{Places, output};
use crate::evidence::{self, ReviewOutcome, SigningKey, Word};
use crate::exit_code::ExitCode;
use crate::report::encode;

/// Review a record, and sign the review with a key of your own
#[derive(Debug, Args)]
#[command(after_help = "\
The review is a statement of its own about the digest of the record, written beside it. The
record is never changed, nor is an earlier review: a later one follows it. The reviewer's key
is made with 'firedrill keygen' as any other; 'evidence verify --reviewer FILE' checks it.

Examples:
  firedrill evidence review 419 orders --outcome accepted --key ~/reviewer/evidence.key
  firedrill evidence review latest orders --outcome action-required --ticket OPS-123 \\
      --note 'the recovery took 20 minutes longer than last month' --key ~/reviewer/evidence.key")]
pub struct Arguments {
    /// The place of the record in its log, or 'latest'
    #[arg(value_name = "SEQ", value_parser = Which::parse)]
    which: Which,
    /// The service; may be left out where there is only one
    #[arg(value_name = "SERVICE")]
    service: Option<String>,
    /// What came of the review
    #[arg(long, value_enum)]
    outcome: Outcome,
    /// In your words: no data, no secret
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// Where the corrective action is followed up
    #[arg(long, value_name = "TICKET", required_if_eq("outcome", "action-required"))]
    ticket: Option<String>,
    /// Who reviews [default: the user's name]
    #[arg(long, value_name = "NAME")]
    reviewer: Option<String>,
    /// The reviewer's private key
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    #[command(flatten)]
    kept: Kept,
}

/// What came of a review.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Outcome {
    /// Nothing is to be done
    Accepted,
    /// Something is to be done, which the ticket follows up
    ActionRequired,
}

/// Writes a review.
pub fn review(arguments: &Arguments, places: &Places) -> Result<ExitCode, Refusal> {
    let log = arguments.kept.log(arguments.service.as_deref(), places)?;
    let entry = arguments.which.of(&log)?;
    let key = SigningKey::read(&arguments.key).map_err(|error| refused(&error))?;
    let user = || nix::unistd::User::from_uid(nix::unistd::getuid()).ok().flatten().map(|user| user.name);
    let word = Word {
        outcome: match arguments.outcome {
            Outcome::Accepted => ReviewOutcome::Accepted,
            Outcome::ActionRequired => ReviewOutcome::ActionRequired,
        },
        note: arguments.note.clone(),
        ticket: arguments.ticket.clone(),
        reviewer: arguments.reviewer.clone().or_else(user),
        reviewed_at: Timestamp::now().into(),
    };
    let path = evidence::review(entry, word, &key).map_err(|error| refused(&error))?;
    Ok(output::answer(&format!("{}\n", encode::name(&path.to_string_lossy(), 400))))
}
