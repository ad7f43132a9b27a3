//! The reviews of a log under the auditor's eyes.

use std::path::PathBuf;

use crate::evidence::checked::Checked;
use crate::evidence::fault::{Fault, FaultKind, with_causes};
use crate::evidence::key::PublicKey;
use crate::evidence::review::{Review, ReviewFile};
use crate::record::Sha256;

/// What was found in the file of a review.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedReview {
    /// The file.
    pub path: PathBuf,
    /// The place of the record that its name claims.
    pub sequence: u64,
    /// What it says, if it could be read.
    pub review: Option<Review>,
    /// The reviewer's key that signed it, if one of those that the auditor named did.
    pub signed_by: Option<String>,
    /// What is wrong with it.
    pub faults: Vec<Fault>,
}

/// Checks the reviews of a log whose records were checked before. Without any key of a
/// reviewer, signatures are not looked at, and what a review says is anybody's word.
pub(in crate::evidence) fn verify_reviews(
    files: Vec<ReviewFile>,
    records: &[Checked],
    reviewers: &[PublicKey],
) -> Vec<CheckedReview> {
    let mut before: Option<(ReviewFile, Option<Sha256>)> = None;
    let mut checked = Vec::new();
    for file in files {
        let mut found = CheckedReview {
            path: file.path.clone(),
            sequence: file.sequence,
            review: None,
            signed_by: None,
            faults: Vec::new(),
        };
        let mut add = |kind, detail: String| found.faults.push(Fault { kind, detail });
        let of_same = |(other, _): &&(ReviewFile, Option<Sha256>)| {
            (other.sequence, other.run_id) == (file.sequence, file.run_id)
        };
        let previous = before.as_ref().filter(of_same);
        let mut sha256 = None;
        match file.open(reviewers) {
            Err(error) => add(FaultKind::Unreadable, with_causes(&error)),
            Ok((opened, signer)) => {
                sha256 = Some(opened.sha256);
                if signer.is_none() && !reviewers.is_empty() {
                    add(
                        FaultKind::NotOurs,
                        "none of the given reviewers has signed this, as it stands".into(),
                    );
                }
                if !fits(&opened.statement.subject, &opened.statement.predicate, &file, records) {
                    add(FaultKind::ReviewAstray, "no record here is the one that it reviews".into());
                }
                let follows = previous
                    .map_or(file.number == 1, |(last, _)| last.number.checked_add(1) == Some(file.number))
                    && opened.statement.predicate.previous_review_sha256
                        == previous.and_then(|(_, sha256)| *sha256);
                if !follows {
                    add(FaultKind::ChainBroken, "a review before it is missing, or was changed".into());
                }
                found.signed_by = signer.map(|key| key.id().to_owned());
                found.review = Some(opened.statement.predicate);
            }
        }
        before = Some((file, sha256));
        checked.push(found);
    }
    checked
}

/// Whether the record that a review speaks of is there, exactly as it was reviewed.
fn fits(
    subject: &[crate::evidence::statement::Subject],
    review: &Review,
    file: &ReviewFile,
    records: &[Checked],
) -> bool {
    let [subject] = subject else { return false };
    let same = |record: &&Checked| (record.sequence, record.run_id) == (file.sequence, file.run_id);
    records.iter().find(same).is_some_and(|record| {
        record.sha256 == Some(subject.digest.sha256)
            && record.path.file_name().is_some_and(|name| name.to_str() == Some(&subject.name))
            && record.log_id.as_ref() == Some(&review.log_id)
            && record.verdict == Some(review.verdict.0)
            && (review.sequence, review.run_id) == (file.sequence, file.run_id)
    })
}
