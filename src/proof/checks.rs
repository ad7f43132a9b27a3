//! The plan's own questions: each is one statement that must give exactly one value.

use std::time::{Duration, Instant};

use jiff::civil::{Date, DateTime};
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};
use tokio_postgres::types::Type;

use crate::digest::Digest;
use crate::event::{EventKind, Events};
use crate::plan::{Check, Question, duration};
use crate::postgres::{self, Session};
use crate::proof::Error;
use crate::restore::Scratch;

/// How far a clock may be ahead of ours before a moment counts as one from the future.
const SKEW: SignedDuration = SignedDuration::from_secs(5);
/// The longest observed value that is shown.
const OBSERVED_BYTES_MAX: usize = 256;

/// How a check was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// As expected.
    Passed,
    /// Otherwise.
    Failed,
    /// Not at all: why, without any value.
    Errored(String),
}

/// What a statement gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// The value as text; shortened where it is long.
    pub observed: Option<String>,
    /// For a freshness check: the moment.
    pub newest: Option<Timestamp>,
    /// Whether it is the expected one.
    pub answer: Answer,
}

/// One check that was put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckReport {
    /// Its name in the plan.
    pub name: String,
    /// Whether it asks for the age of the newest of something.
    pub freshness: bool,
    /// What is expected, as the plan words it.
    pub expected: String,
    /// The digest of its SQL.
    pub sql: Digest,
    /// What came back.
    pub answered: Answered,
    /// How long it took.
    pub took: Duration,
}

/// Puts every check, one after the other, each in a session of its own as an application
/// would have it, but read-only and with the check's own time limit.
///
/// # Errors
/// The scratch is gone. A check that can't be put is an answer of its own.
pub async fn put(
    checks: &[Check],
    scratch: &Scratch,
    now: Timestamp,
    events: &Events,
) -> Result<Vec<CheckReport>, Error> {
    let mut reports = Vec::with_capacity(checks.len());
    for check in checks {
        let began = Instant::now();
        let session = scratch.connect().await?;
        let limit = check.timeout.as_millis();
        let guards = format!(
            "SET default_transaction_read_only = on; SET statement_timeout = {limit}; SET row_security = off; \
             SET DateStyle = 'ISO, MDY'; SET TimeZone = 'UTC'; SET IntervalStyle = 'postgres'; SET bytea_output = 'hex'"
        );
        session.run(&guards).await?;
        let answered =
            match tokio::time::timeout(check.timeout + Duration::from_secs(5), ask(&session, check, now))
                .await
            {
                Ok(Ok(answered)) => answered,
                Ok(Err(error))
                    if matches!(
                        error.kind(),
                        postgres::Kind::Statement | postgres::Kind::Cancelled | postgres::Kind::Protocol
                    ) =>
                {
                    unanswered(
                        error
                            .sqlstate()
                            .map_or_else(|| error.to_string(), |state| format!("SQLSTATE {state}")),
                    )
                }
                Ok(Err(error)) => return Err(error.into()),
                Err(_) => unanswered(format!("no answer within {}", duration::text(check.timeout))),
            };
        events.emit(EventKind::CheckFinished {
            check: check.name.as_str().into(),
            passed: answered.answer == Answer::Passed,
        });
        reports.push(CheckReport {
            name: check.name.clone(),
            freshness: matches!(check.question, Question::Newest(_)),
            expected: expected(&check.question),
            sql: Digest::of(check.sql.as_bytes()),
            answered,
            took: began.elapsed(),
        });
    }
    Ok(reports)
}

fn expected(question: &Question) -> String {
    match question {
        Question::Expect(expectation) => expectation.to_string(),
        Question::Newest(age) => format!("at most {} old, and not in the future", duration::text(*age)),
    }
}

fn unanswered(why: impl Into<String>) -> Answered {
    Answered { observed: None, newest: None, answer: Answer::Errored(why.into()) }
}

async fn ask(session: &Session, check: &Check, now: Timestamp) -> Result<Answered, postgres::Error> {
    // Preparing refuses several statements in one, and tells the type of the answer.
    let prepared = session.client().prepare(&check.sql).await;
    let prepared = prepared.map_err(|error| postgres::Error::of_driver("prepare a check", &error))?;
    let [column] = prepared.columns() else {
        return Ok(unanswered(format!("{} columns came back, not one", prepared.columns().len())));
    };
    let kind = column.type_().clone();
    let rows = session.rows(&check.sql).await?;
    let [row] = rows.as_slice() else {
        return Ok(unanswered(format!("{} rows came back, not one", rows.len())));
    };
    let Some(Some(value)) = row.first() else { return Ok(unanswered("the answer is null")) };
    Ok(match &check.question {
        Question::Expect(expectation) => Answered {
            observed: Some(shortened(value)),
            newest: None,
            answer: match expectation.accepts(value) {
                Ok(true) => Answer::Passed,
                Ok(false) => Answer::Failed,
                Err(why) => Answer::Errored(why),
            },
        },
        Question::Newest(age) => fresh(value, &kind, *age, now),
    })
}

/// A moment at most `age` old and not in the future: a clock that runs ahead proves nothing.
fn fresh(value: &str, kind: &Type, age: Duration, now: Timestamp) -> Answered {
    let Some(newest) = moment(value, kind) else {
        return unanswered("the answer is no moment: select a timestamp with time zone");
    };
    let passed = now
        .checked_sub(age)
        .is_ok_and(|oldest| newest >= oldest && now.checked_add(SKEW).is_ok_and(|latest| newest <= latest));
    Answered {
        observed: Some(crate::clock::rfc3339_millis(newest)),
        newest: Some(newest),
        answer: if passed { Answer::Passed } else { Answer::Failed },
    }
}

/// A value without a zone is taken for UTC, as the session's zone is.
fn moment(value: &str, kind: &Type) -> Option<Timestamp> {
    let utc = |civil: DateTime| Offset::UTC.to_timestamp(civil).ok();
    match *kind {
        Type::TIMESTAMPTZ => utc(value.strip_suffix("+00")?.parse().ok()?),
        Type::TIMESTAMP => utc(value.parse().ok()?),
        Type::DATE => utc(value.parse::<Date>().ok()?.to_datetime(jiff::civil::Time::midnight())),
        _ => None,
    }
}

fn shortened(value: &str) -> String {
    if value.len() <= OBSERVED_BYTES_MAX {
        return value.to_owned();
    }
    let end = (0..=OBSERVED_BYTES_MAX).rev().find(|at| value.is_char_boundary(*at)).unwrap_or(0);
    format!("{}…", value.get(..end).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn freshness_has_two_ends() {
        let now: Timestamp = "2026-11-20T12:00:00Z".parse().unwrap();
        let table = [
            ("2026-11-20 11:30:00+00", Answer::Passed),
            ("2026-11-20 11:00:00+00", Answer::Passed),
            ("2026-11-20 10:59:59+00", Answer::Failed),
            ("2026-11-20 12:00:04+00", Answer::Passed),
            ("2026-11-20 12:00:06+00", Answer::Failed),
        ];
        for (value, answer) in table {
            let answered = fresh(value, &Type::TIMESTAMPTZ, Duration::from_secs(3600), now);
            assert_eq!(answered.answer, answer, "{value}");
        }
    }

    #[test]
    fn what_is_no_moment_is_no_answer() {
        let now = Timestamp::now();
        for (value, kind) in
            [("infinity", Type::TIMESTAMPTZ), ("12", Type::INT4), ("yesterday", Type::TEXT), ("", Type::DATE)]
        {
            let answered = fresh(value, &kind, Duration::from_secs(3600), now);
            assert!(matches!(answered.answer, Answer::Errored(_)), "{value}");
        }
    }
}
