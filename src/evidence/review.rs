//! A review: somebody's signed word on a record, bound to the digest of its file.
//!
//! It lies beside the record, which it never changes. A later review of the same record
//! carries the digest of the one before it.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::digest::Digest;
use crate::evidence::canonical::canonical;
use crate::evidence::envelope::Envelope;
use crate::evidence::error::{Error, Kind};
use crate::evidence::key::{PublicKey, SigningKey};
use crate::evidence::log::{Entry, create, read_file};
use crate::evidence::statement::{DigestSet, StatementType, Subject};
use crate::record::{Moment, RunId, Sha256, VerdictWord};

/// The `predicateType` of a review; another major version has another one.
pub const REVIEW_TYPE: &str = "https://firedrill.dev/attestation/review/v1";

/// How many reviews a record may have.
pub const REVIEWS_MAX: u64 = 100;

/// How many bytes a note may have, and any other text of a review.
const NOTE_BYTES_MAX: usize = 4_000;
const TEXT_BYTES_MAX: usize = 500;

/// How many bytes the statement of a review may have.
const BYTES_MAX: usize = 64 * 1024;

/// A review as an in-toto Statement v1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReviewStatement {
    /// What shape this is.
    #[serde(rename = "_type")]
    kind: StatementType,
    /// The one thing that the predicate speaks of: the file of the record, by its digest.
    pub subject: Vec<Subject>,
    /// What shape the predicate is.
    #[serde(rename = "predicateType")]
    predicate_type: ReviewType,
    /// The review.
    pub predicate: Review,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
enum ReviewType {
    #[serde(rename = "https://firedrill.dev/attestation/review/v1")]
    V1,
}

/// What somebody says of a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Review {
    /// The name of the log that the record belongs to.
    pub log_id: String,
    /// The place of the record in it.
    pub sequence: u64,
    /// The name of the drill.
    pub run_id: RunId,
    /// The verdict that was reviewed.
    pub verdict: VerdictWord,
    /// What came of the review.
    pub outcome: ReviewOutcome,
    /// In the reviewer's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Where the corrective action is followed up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// Who reviewed, as they call themselves; the signature tells which key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reviewer: Option<String>,
    /// When.
    pub reviewed_at: Moment,
    /// The SHA-256 of the file of the review before it, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_review_sha256: Option<Sha256>,
}

/// What came of a review.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReviewOutcome {
    /// Nothing is to be done.
    Accepted,
    /// Something is to be done, which the ticket follows up.
    ActionRequired,
}

impl ReviewOutcome {
    /// The word in evidence.
    pub fn as_str(self) -> &'static str {
        match self {
            ReviewOutcome::Accepted => "accepted",
            ReviewOutcome::ActionRequired => "action_required",
        }
    }
}

impl ReviewStatement {
    /// The statement that `review` makes of the record in the file `name`, whose digest is
    /// `sha256`.
    fn of(review: Review, name: &str, sha256: Sha256) -> ReviewStatement {
        ReviewStatement {
            kind: StatementType::V1,
            subject: vec![Subject { name: name.to_owned(), digest: DigestSet { sha256 } }],
            predicate_type: ReviewType::V1,
            predicate: review,
        }
    }

    fn payload(&self) -> Result<Vec<u8>, Error> {
        let value = serde_json::to_value(self)
            .map_err(|source| Error::new(Kind::Malformed, "write a review").because(source))?;
        canonical(&value)
    }

    /// Reads the bytes of a review as it was written, and no others.
    pub fn read(payload: &[u8]) -> Result<ReviewStatement, Error> {
        if payload.len() > BYTES_MAX {
            return Err(Error::new(Kind::Malformed, "read a review of more than 64 KiB"));
        }
        let malformed =
            |source: serde_json::Error| Error::new(Kind::Malformed, "read a review").because(source);
        let value: Value = serde_json::from_slice(payload).map_err(malformed)?;
        let statement: ReviewStatement = serde_json::from_value(value).map_err(malformed)?;
        if statement.payload()? != payload || statement.subject.len() != 1 {
            return Err(Error::new(Kind::Malformed, "read a review that is not written in its one way"));
        }
        must_be_short(&statement.predicate)?;
        Ok(statement)
    }
}

fn must_be_short(review: &Review) -> Result<(), Error> {
    let texts = [
        (&review.note, NOTE_BYTES_MAX, "note"),
        (&review.ticket, TEXT_BYTES_MAX, "ticket"),
        (&review.reviewer, TEXT_BYTES_MAX, "reviewer"),
    ];
    for (text, most, name) in texts {
        let Some(text) = text else { continue };
        let steers = |c: char| c.is_control() && c != '\n';
        if text.trim().is_empty() || text.len() > most || text.chars().any(steers) {
            let what = format!("take the {name} of a review");
            let remedy = format!("write 1 to {most} printable bytes");
            return Err(Error::new(Kind::Malformed, what).with_remedy(remedy));
        }
    }
    Ok(())
}

/// What a reviewer says.
#[derive(Clone, Debug)]
pub struct Word {
    /// What came of the review.
    pub outcome: ReviewOutcome,
    /// In the reviewer's words, at most 4,000 bytes.
    pub note: Option<String>,
    /// Where the corrective action is followed up, at most 500 bytes.
    pub ticket: Option<String>,
    /// Who reviewed, at most 500 bytes.
    pub reviewer: Option<String>,
    /// When.
    pub reviewed_at: Moment,
}

/// Writes a review of the record in `entry`, signed with `key`, beside it. It never replaces
/// another; the record must read.
pub fn review(entry: &Entry, word: Word, key: &SigningKey) -> Result<PathBuf, Error> {
    let stored = entry.read()?;
    let (number, previous) = match reviews_of(entry)?.last() {
        None => (1, None),
        Some(last) => (last.number.saturating_add(1), Some(Sha256(Digest::of(&read_file(&last.path)?)))),
    };
    if number > REVIEWS_MAX {
        return Err(Error::new(Kind::Conflict, "review a record that has 100 reviews:").at(&entry.path));
    }
    let review = Review {
        log_id: stored.record.chain.log_id,
        sequence: entry.sequence,
        run_id: entry.run_id,
        verdict: stored.record.verdict.result,
        outcome: word.outcome,
        note: word.note,
        ticket: word.ticket,
        reviewer: word.reviewer,
        reviewed_at: word.reviewed_at,
        previous_review_sha256: previous,
    };
    must_be_short(&review)?;
    let payload = ReviewStatement::of(review, &entry.file_name(), stored.sha256).payload()?;
    let name = review_name(entry, number);
    let directory = entry.path.parent().unwrap_or(Path::new("."));
    create(directory, &name, &Envelope::seal(&payload, key).bytes()?)?;
    Ok(directory.join(name))
}

fn review_name(entry: &Entry, number: u64) -> String {
    let which = if number == 1 { String::new() } else { format!("-{number}") };
    format!("{:08}-{}.review{which}.dsse.json", entry.sequence, entry.run_id)
}

/// A file that its name says is a review.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReviewFile {
    /// The place of the record that it reviews.
    pub sequence: u64,
    /// The drill that it reviews.
    pub run_id: RunId,
    /// The how manieth review of that record it is, from 1.
    pub number: u64,
    /// Where it lies.
    pub path: PathBuf,
}

impl ReviewFile {
    /// The review that a file claims to be by its name, if it does.
    pub(in crate::evidence) fn of(path: PathBuf) -> Option<ReviewFile> {
        let name = path.file_name()?.to_str()?;
        let (stem, which) = name.strip_suffix(".dsse.json")?.rsplit_once(".review")?;
        let number: u64 = if which.is_empty() { 1 } else { which.strip_prefix('-')?.parse().ok()? };
        let (digits, run_id) = stem.split_once('-')?;
        let (sequence, run_id) = (digits.parse().ok()?, run_id.parse().ok()?);
        let entry = Entry { sequence, run_id, signed: true, path: PathBuf::new() };
        (review_name(&entry, number) == name).then_some(ReviewFile { sequence, run_id, number, path })
    }

    /// Reads the review, and who of `reviewers` has signed it as it stands.
    pub(in crate::evidence) fn open<'k>(
        &self,
        reviewers: &'k [PublicKey],
    ) -> Result<(Opened, Option<&'k PublicKey>), Error> {
        let bytes = read_file(&self.path)?;
        let envelope = Envelope::read(&bytes)?;
        let payload = envelope.payload()?;
        let signer = envelope.signed_by(&payload, reviewers);
        let statement = ReviewStatement::read(&payload)?;
        Ok((Opened { statement, sha256: Sha256(Digest::of(&bytes)) }, signer))
    }
}

/// A review that was read, and the digest of its file.
pub(in crate::evidence) struct Opened {
    pub statement: ReviewStatement,
    pub sha256: Sha256,
}

/// The reviews of one record, in order.
fn reviews_of(entry: &Entry) -> Result<Vec<ReviewFile>, Error> {
    let directory = entry.path.parent().unwrap_or(Path::new("."));
    let mut reviews = crate::evidence::log::reviews(directory)?;
    reviews.retain(|review| (review.sequence, review.run_id) == (entry.sequence, entry.run_id));
    Ok(reviews)
}
