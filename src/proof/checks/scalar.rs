//! One statement that must give exactly one value.

use std::time::Duration;

use jiff::civil::{Date, DateTime};
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};
use tokio_postgres::types::Type;

use crate::plan::Expectation;
use crate::postgres::{self, Session};
use crate::proof::checks::{Answer, Answered};

/// How far a clock may be ahead of ours before a moment counts as one from the future.
const SKEW: SignedDuration = SignedDuration::from_secs(5);
/// The longest observed value that is shown.
const OBSERVED_BYTES_MAX: usize = 256;

const NO_MOMENT: &str = "the answer is no moment: select a timestamp with time zone";

/// Whether the value is as expected.
pub async fn expect(
    session: &Session,
    sql: &str,
    expectation: &Expectation,
    last: Option<&str>,
) -> Result<Answered, postgres::Error> {
    let value = match value(session, sql).await? {
        Ok((value, _)) => value,
        Err(unanswered) => return Ok(unanswered),
    };
    let last = last.filter(|_| expectation.is_relative());
    let (passed, answer) = match expectation.accepts_after(&value, last) {
        Ok(Some(passed)) => (passed, None),
        Ok(None) => (false, Some(Answer::Uncompared)),
        Err(why) => (false, Some(Answer::Errored(why))),
    };
    let answered = Answered { last: last.map(shortened), ..Answered::of(shortened(&value), passed) };
    Ok(match answer {
        Some(answer) => Answered { answer, ..answered },
        None => answered,
    })
}

/// Whether the moment is young enough.
pub async fn newest(
    session: &Session,
    sql: &str,
    age: Duration,
    now: Timestamp,
) -> Result<Answered, postgres::Error> {
    Ok(match value(session, sql).await? {
        Ok((value, kind)) => fresh(&value, &kind, age, now),
        Err(unanswered) => unanswered,
    })
}

/// The moment alone, or why there is none.
pub async fn moment_of(session: &Session, sql: &str) -> Result<Result<Timestamp, String>, postgres::Error> {
    let why = |answered: Answered| match answered.answer {
        Answer::Errored(why) => why,
        Answer::Passed | Answer::Failed | Answer::Uncompared => NO_MOMENT.to_owned(),
    };
    Ok(match value(session, sql).await? {
        Ok((value, kind)) => moment(&value, &kind).ok_or_else(|| NO_MOMENT.to_owned()),
        Err(unanswered) => Err(why(unanswered)),
    })
}

/// The one value and its type, or that there is not exactly one.
async fn value(session: &Session, sql: &str) -> Result<Result<(String, Type), Answered>, postgres::Error> {
    // Preparing refuses several statements in one, and tells the type of the answer.
    let prepared = session.client().prepare(sql).await;
    let prepared = prepared.map_err(|error| postgres::Error::of_driver("prepare a check", &error))?;
    let [column] = prepared.columns() else {
        let why = format!("{} columns came back, not one", prepared.columns().len());
        return Ok(Err(Answered::none(why)));
    };
    let kind = column.type_().clone();
    let rows = session.rows(sql).await?;
    let [row] = rows.as_slice() else {
        return Ok(Err(Answered::none(format!("{} rows came back, not one", rows.len()))));
    };
    let Some(Some(value)) = row.first() else { return Ok(Err(Answered::none("the answer is null"))) };
    Ok(Ok((value.clone(), kind)))
}

/// A moment at most `age` old and not in the future: a clock that runs ahead proves nothing.
fn fresh(value: &str, kind: &Type, age: Duration, now: Timestamp) -> Answered {
    let Some(newest) = moment(value, kind) else {
        return Answered::none(NO_MOMENT);
    };
    let passed = now
        .checked_sub(age)
        .is_ok_and(|oldest| newest >= oldest && now.checked_add(SKEW).is_ok_and(|latest| newest <= latest));
    Answered { newest: Some(newest), ..Answered::of(crate::clock::rfc3339_millis(newest), passed) }
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
