//! The plan's own questions. Each gives exactly one answer: what can't be put, or gives no
//! value, several or null, is told apart from a wrong answer and is never a right one.

mod answers;
mod command;
mod http;
mod orphans;
mod scalar;
mod sequences;

use std::time::{Duration, Instant};

use jiff::Timestamp;

pub use answers::Answers;

use crate::digest::Digest;
use crate::event::{EventKind, Events};
use crate::plan::{Check, Expectation, Question, TableName, duration};
use crate::postgres::{self, Session};
use crate::proof::Error;
use crate::restore::Scratch;

/// What an answer may take longer than the server allows each of its statements.
const MARGIN: Duration = Duration::from_secs(5);

/// How a check was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// As expected.
    Passed,
    /// Otherwise.
    Failed,
    /// With a value, and there is none of an earlier pass that it should be compared with.
    Uncompared,
    /// Not at all: why, without any value.
    Errored(String),
}

/// What came of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// The value as text; shortened where it is long.
    pub observed: Option<String>,
    /// For a freshness check: the moment.
    pub newest: Option<Timestamp>,
    /// The value of the last pass that it was compared with.
    pub last: Option<String>,
    /// What a program wrote, which itself is not kept: its digest, and its length in bytes.
    pub output: Option<(Digest, u64)>,
    /// Whether it is the expected one.
    pub answer: Answer,
}

impl Answered {
    /// A value, and whether it is as expected.
    fn of(observed: impl Into<String>, passed: bool) -> Answered {
        Answered {
            observed: Some(observed.into()),
            newest: None,
            last: None,
            output: None,
            answer: if passed { Answer::Passed } else { Answer::Failed },
        }
    }

    /// No value, and why.
    fn none(why: impl Into<String>) -> Answered {
        Answered {
            observed: None,
            newest: None,
            last: None,
            output: None,
            answer: Answer::Errored(why.into()),
        }
    }

    /// No value, since the server did not give one; anything but a dead server.
    fn refused(error: &postgres::Error) -> Answered {
        Answered::none(
            error.sqlstate().map_or_else(|| error.to_string(), |state| format!("SQLSTATE {state}")),
        )
    }
}

/// What kind of question was put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckSort {
    /// Whether a value is as expected.
    Expect,
    /// How old the newest of something is.
    Newest,
    /// How many rows a table has.
    Rows,
    /// Whether rows lack the row that a foreign key names.
    NoOrphans,
    /// Whether sequences are behind their column.
    SequenceAhead,
    /// How a program ends.
    Command,
    /// What an address answers.
    Http,
}

/// One question that was put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckReport {
    /// Its name in the plan; with the table's name where one check asks several.
    pub name: String,
    /// What kind of question it is.
    pub sort: CheckSort,
    /// What is expected, as the plan words it.
    pub expected: String,
    /// The digest of the question itself: its SQL, its command, its address.
    pub question: Digest,
    /// What came back.
    pub answered: Answered,
    /// How long it took.
    pub took: Duration,
}

/// Puts every check, one after the other, each in a session of its own as an application
/// would have it, but read-only and with the check's own time limit. Programs come last: they
/// may write into the scratch. The reports stand in the order of the plan.
///
/// # Errors
/// The scratch is gone. A check that can't be put is an answer of its own.
pub async fn put(
    checks: &[Check],
    scratch: &Scratch,
    now: Timestamp,
    last: &Answers,
    events: &Events,
) -> Result<Vec<CheckReport>, Error> {
    let items: Vec<Item<'_>> = checks.iter().flat_map(items).collect();
    let mut order: Vec<usize> = (0..items.len()).collect();
    order.sort_by_key(|at| items.get(*at).is_some_and(|item| matches!(item.asked, Asked::Command(_))));
    let mut reports = Vec::with_capacity(items.len());
    for at in order {
        let Some(item) = items.get(at) else { continue };
        let began = Instant::now();
        let answered = item.ask(scratch, now, last).await?;
        events.emit(EventKind::CheckFinished {
            check: item.name.as_str().into(),
            passed: matches!(answered.answer, Answer::Passed | Answer::Uncompared),
        });
        let report = CheckReport {
            name: item.name.clone(),
            sort: item.asked.sort(),
            expected: item.asked.expected(),
            question: item.asked.digest(),
            answered,
            took: began.elapsed(),
        };
        reports.push((at, report));
    }
    reports.sort_by_key(|(at, _)| *at);
    Ok(reports.into_iter().map(|(_, report)| report).collect())
}

/// The newest moment as a freshness check asks for it, over a session in a transaction of its own
/// making that only reads; or why there is none.
///
/// # Errors
/// The server is gone.
pub async fn newest_of(
    session: &Session,
    sql: &str,
    timeout: Duration,
) -> Result<Result<Timestamp, String>, postgres::Error> {
    session.run(&guards(timeout)).await?;
    match scalar::moment_of(session, sql).await {
        Err(error) if is_answer(&error) => {
            let why = error.sqlstate().map_or_else(|| error.to_string(), |state| format!("SQLSTATE {state}"));
            Ok(Err(why))
        }
        asked => asked,
    }
}

/// A session as an application would have it, but read-only and with a time limit.
fn guards(timeout: Duration) -> String {
    let limit = timeout.as_millis();
    format!(
        "SET default_transaction_read_only = on; SET statement_timeout = {limit}; SET row_security = off; \
         SET DateStyle = 'ISO, MDY'; SET TimeZone = 'UTC'; SET IntervalStyle = 'postgres'; SET bytea_output = 'hex'"
    )
}

/// What a server says of a question, and not of itself.
fn is_answer(error: &postgres::Error) -> bool {
    use postgres::Kind::{Cancelled, Protocol, Statement};
    matches!(error.kind(), Statement | Cancelled | Protocol)
}

/// One question, as it is put.
struct Item<'a> {
    name: String,
    asked: Asked<'a>,
    timeout: Duration,
}

/// What one question asks.
enum Asked<'a> {
    Scalar { sql: String, expectation: &'a Expectation, sort: CheckSort },
    Newest { sql: &'a str, age: Duration },
    NoOrphans(&'a [TableName]),
    SequenceAhead(&'a [TableName]),
    Command(&'a [String]),
    Http { url: &'a str, status: u16, body: Option<&'a Expectation> },
}

fn items(check: &Check) -> Vec<Item<'_>> {
    let one = |name: String, asked| Item { name, asked, timeout: check.timeout };
    let asked = match &check.question {
        Question::Rows { tables } => {
            let several = tables.len() > 1;
            let named = |table: &TableName| match several {
                true => format!("{}: {table}", check.name),
                false => check.name.clone(),
            };
            return tables
                .iter()
                .map(|(table, expectation)| {
                    let sort = CheckSort::Rows;
                    one(named(table), Asked::Scalar { sql: rows_of(table), expectation, sort })
                })
                .collect();
        }
        Question::Expect { sql, expectation } => {
            Asked::Scalar { sql: sql.clone(), expectation, sort: CheckSort::Expect }
        }
        Question::Newest { sql, age } => Asked::Newest { sql, age: *age },
        Question::NoOrphans { tables } => Asked::NoOrphans(tables),
        Question::SequenceAhead { tables } => Asked::SequenceAhead(tables),
        Question::Command { argv } => Asked::Command(argv),
        Question::Http { url, status, body } => Asked::Http { url, status: *status, body: body.as_ref() },
    };
    vec![one(check.name.clone(), asked)]
}

fn rows_of(table: &TableName) -> String {
    format!("SELECT count(*) FROM {}", table.quoted())
}

impl Item<'_> {
    async fn ask(&self, scratch: &Scratch, now: Timestamp, last: &Answers) -> Result<Answered, Error> {
        match &self.asked {
            Asked::Command(argv) => return Ok(command::run(argv, scratch, self.timeout).await),
            Asked::Http { url, status, body } => {
                return Ok(http::probe(url, *status, *body, self.timeout).await);
            }
            _ => {}
        }
        let session = self.open(scratch).await?;
        let last = last.of(&self.name, self.asked.digest());
        let asking = async {
            match &self.asked {
                Asked::Scalar { sql, expectation, .. } => {
                    scalar::expect(&session, sql, expectation, last).await
                }
                Asked::Newest { sql, age } => scalar::newest(&session, sql, *age, now).await,
                Asked::NoOrphans(tables) => orphans::look(&session, tables).await,
                Asked::SequenceAhead(tables) => sequences::look(&session, tables).await,
                Asked::Command(_) | Asked::Http { .. } => Ok(Answered::none("it is not asked of the server")),
            }
        };
        match tokio::time::timeout(self.timeout.saturating_add(MARGIN), asking).await {
            Ok(Ok(answered)) => Ok(answered),
            Ok(Err(error)) if is_answer(&error) => Ok(Answered::refused(&error)),
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Ok(Answered::none(format!("no answer within {}", duration::text(self.timeout)))),
        }
    }

    async fn open(&self, scratch: &Scratch) -> Result<Session, Error> {
        let session = scratch.connect().await?;
        session.run(&guards(self.timeout)).await?;
        Ok(session)
    }
}

impl Asked<'_> {
    fn sort(&self) -> CheckSort {
        match self {
            Asked::Scalar { sort, .. } => *sort,
            Asked::Newest { .. } => CheckSort::Newest,
            Asked::NoOrphans(_) => CheckSort::NoOrphans,
            Asked::SequenceAhead(_) => CheckSort::SequenceAhead,
            Asked::Command(_) => CheckSort::Command,
            Asked::Http { .. } => CheckSort::Http,
        }
    }

    fn expected(&self) -> String {
        match self {
            Asked::Scalar { expectation, .. } => expectation.to_string(),
            Asked::Newest { age, .. } => {
                format!("at most {} old, and not in the future", duration::text(*age))
            }
            Asked::NoOrphans(_) => "0 rows without the row that their foreign key names".into(),
            Asked::SequenceAhead(_) => "0 sequences behind the column that they belong to".into(),
            Asked::Command(_) => "exit code 0".into(),
            Asked::Http { status, body: None, .. } => format!("status {status}"),
            Asked::Http { status, body: Some(body), .. } => format!("status {status}, and a body {body}"),
        }
    }

    /// What tells this question from any other; lengths keep its parts apart.
    fn digest(&self) -> Digest {
        let parts: Vec<String> = match self {
            Asked::Scalar { sql, .. } => return Digest::of(sql.as_bytes()),
            Asked::Newest { sql, .. } => return Digest::of(sql.as_bytes()),
            Asked::NoOrphans(tables) => named("no-orphans", tables),
            Asked::SequenceAhead(tables) => named("sequence-ahead", tables),
            Asked::Command(argv) => argv.to_vec(),
            Asked::Http { url, .. } => return Digest::of(url.as_bytes()),
        };
        let text: String = parts.iter().map(|part| format!("{} {part}\n", part.len())).collect();
        Digest::of(text.as_bytes())
    }
}

fn named(template: &str, tables: &[TableName]) -> Vec<String> {
    std::iter::once(template.to_owned()).chain(tables.iter().map(TableName::to_string)).collect()
}
