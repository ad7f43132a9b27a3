//! The `[[service.NAME.check]]` tables.

use std::collections::HashSet;
use std::time::Duration;

use crate::plan::fault::Complaint;
use crate::plan::number::Number;
use crate::plan::read::faults::Faults;
use crate::plan::read::table::{Item, Table};
use crate::plan::read::{Context, text};
use crate::plan::{Check, Expectation, Question, TableName};
use crate::postgres::quote_identifier;

/// How many checks a service may have.
const CHECKS_MAX: usize = 1000;

/// How many tables a check may name.
const TABLES_MAX: usize = 1000;

/// How many words a command may have.
const WORDS_MAX: usize = 100;

/// The limit of a check that sets none.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The limit of one that reads whole tables, and sets none.
const LONG_TIMEOUT: Duration = Duration::from_secs(600);

/// The checks, and whether the plan says that there are none on purpose.
pub fn read_all(table: &mut Table<'_>, context: &Context<'_>, faults: &mut Faults) -> (Vec<Check>, bool) {
    let said = table.take("checks");
    let content_only = said.is_some();
    let contradicts = said.as_ref().is_some_and(|item| !item.is_array());
    match said {
        Some(item) if item.is_array() => {
            let remedy = format!("name each [[{}.check]]", table.path());
            item.fault(faults, Complaint::new("'checks' is no list", remedy));
        }
        Some(item) => {
            item.text(faults, |text| text::one_of(text, &[("content only", ())]));
        }
        None => {}
    }
    let what = format!("write [[{}.check]]", table.path());
    let absent = !table.has("check");
    let items = table.take_array("check", faults, &what);
    match items.as_deref().map(<[_]>::first) {
        Some(Some(item)) if contradicts => {
            let remedy = "remove checks = \"content only\", or the checks";
            item.fault(faults, Complaint::new("there is a check, and the service has 'checks' too", remedy));
        }
        Some(None) | None if !content_only && (absent || items.is_some()) => {
            let remedy = format!("add a [[{}.check]], or write checks = \"content only\"", table.path());
            faults.add(table.place(), table.path(), Complaint::new("it has no check", remedy));
        }
        _ => {}
    }
    let items = items.unwrap_or_default();
    if let Some(item) = items.get(CHECKS_MAX) {
        item.fault(faults, Complaint::new("there are more than 1,000 checks", "join some of them in SQL"));
    }
    let mut names = HashSet::new();
    let mut checks = Vec::new();
    for item in items.iter().take(CHECKS_MAX) {
        checks.extend(read(item, &mut names, context, faults));
    }
    (checks, content_only)
}

fn read(
    item: &Item<'_>,
    names: &mut HashSet<String>,
    context: &Context<'_>,
    faults: &mut Faults,
) -> Option<Check> {
    let mut table = item.table(faults)?;
    if !table.has("name") {
        table.missing("name", "give the check a name", faults);
    }
    let name = table.take_text("name", faults, |name| match text::line(name) {
        Ok(name) if !names.insert(name.clone()) => {
            Err(Complaint::new("another check of this service has the same name", "rename one"))
        }
        name => name,
    });
    let timeout = table.take_duration("timeout", faults);
    let question = read_question(&mut table, context, faults);
    table.finish(faults);
    let question = question?;
    let default = match question {
        Question::Rows { .. } | Question::NoOrphans { .. } | Question::SequenceAhead { .. } => LONG_TIMEOUT,
        _ => TIMEOUT,
    };
    Some(Check { name: name?, question, timeout: timeout.unwrap_or(default) })
}

/// What is asked, by the one key that says what kind of check it is.
fn read_question(table: &mut Table<'_>, context: &Context<'_>, faults: &mut Faults) -> Option<Question> {
    let kinds = ["sql", "rows", "template", "command", "http"];
    let said: Vec<&str> = kinds.into_iter().filter(|key| table.has(key)).collect();
    match said.as_slice() {
        [only] => match *only {
            "rows" => read_rows(table, faults),
            "template" => read_template(table, faults),
            "command" => read_command(table, context, faults),
            "http" => read_http(table, faults),
            _ => read_sql(table, faults),
        },
        [] => {
            table.missing(
                "sql",
                "write one statement that gives one value, or rows, template, command or http",
                faults,
            );
            // So that what belongs to it is not called unknown.
            for key in ["expect", "newest"] {
                drop(table.take(key));
            }
            None
        }
        [first, second, ..] => {
            let problem = format!("'{first}' and '{second}' are two checks");
            faults.add(
                table.place(),
                table.path(),
                Complaint::new(problem, "write each as a check of its own"),
            );
            for key in
                kinds.into_iter().chain(["expect", "newest", "tables", "table", "column", "status", "body"])
            {
                drop(table.take(key));
            }
            None
        }
    }
}

fn read_sql(table: &mut Table<'_>, faults: &mut Faults) -> Option<Question> {
    let sql = table.take_text("sql", faults, text::sql);
    let complaint = match (table.has("expect"), table.has("newest")) {
        (true, true) => Some("'expect' and 'newest' are two questions"),
        (false, false) => Some("it asks nothing"),
        _ => None,
    };
    if let Some(problem) = complaint {
        let remedy = "write either expect = \"= 0\", or newest = \"1h\" for the age of a moment";
        faults.add(table.place(), table.path(), Complaint::new(problem, remedy));
    }
    let expectation = table.take_text("expect", faults, Expectation::parse);
    let age = table.take_duration("newest", faults);
    match (expectation, age) {
        (Some(expectation), _) => Some(Question::Expect { sql: sql?, expectation }),
        (None, Some(age)) => Some(Question::Newest { sql: sql?, age }),
        (None, None) => None,
    }
}

/// `rows = { "public.orders" = ">= 1000" }`
fn read_rows(table: &mut Table<'_>, faults: &mut Faults) -> Option<Question> {
    let item = table.take("rows")?;
    let mut named = item.table(faults)?;
    let items = named.take_all();
    if items.is_empty() || items.len() > TABLES_MAX {
        let remedy = "write rows = { \"public.orders\" = \">= 1000\" }, with 1 to 1,000 tables";
        item.fault(faults, Complaint::new(format!("it names {} tables", items.len()), remedy));
    }
    let mut tables = Vec::new();
    for (name, item) in items.into_iter().take(TABLES_MAX) {
        let name = TableName::parse(name).map_err(|complaint| item.fault(faults, complaint)).ok();
        let expectation = item.text(faults, numeric);
        tables.extend(name.zip(expectation));
    }
    (!tables.is_empty()).then_some(Question::Rows { tables })
}

/// What can be expected of a number of rows.
fn numeric(text: &str) -> Result<Expectation, Complaint> {
    match Expectation::parse(text)? {
        Expectation::Matches(_) => {
            Err(Complaint::new("a number of rows is no text", "write \">= 1000\", or \"within 5% of last\""))
        }
        expectation => Ok(expectation),
    }
}

/// A common question by its name.
fn read_template(table: &mut Table<'_>, faults: &mut Faults) -> Option<Question> {
    let words = [
        ("has-rows", Template::HasRows),
        ("fresh", Template::Fresh),
        ("no-orphans", Template::NoOrphans),
        ("sequence-ahead", Template::SequenceAhead),
    ];
    match table.take_text("template", faults, |word| text::one_of(word, &words)) {
        Some(Template::HasRows) => {
            if !table.has("tables") {
                table.missing("tables", "write tables = [\"public.orders\"]", faults);
            }
            let tables = read_tables(table, faults);
            let one = Expectation::AtLeast(Number::from(1));
            let tables: Vec<_> = tables.into_iter().map(|name| (name, one.clone())).collect();
            (!tables.is_empty()).then_some(Question::Rows { tables })
        }
        Some(Template::Fresh) => read_fresh(table, faults),
        Some(Template::NoOrphans) => Some(Question::NoOrphans { tables: read_tables(table, faults) }),
        Some(Template::SequenceAhead) => Some(Question::SequenceAhead { tables: read_tables(table, faults) }),
        None => {
            for key in ["tables", "table", "column", "newest"] {
                drop(table.take(key));
            }
            None
        }
    }
}

#[derive(Clone, Copy)]
enum Template {
    HasRows,
    Fresh,
    NoOrphans,
    SequenceAhead,
}

fn read_fresh(table: &mut Table<'_>, faults: &mut Faults) -> Option<Question> {
    for (key, remedy) in [
        ("table", "write table = \"public.orders\""),
        ("column", "write column = \"created_at\", a timestamp with time zone"),
        ("newest", "write newest = \"25h\", how old the newest may be"),
    ] {
        if !table.has(key) {
            table.missing(key, remedy, faults);
        }
    }
    let name = table.take_text("table", faults, TableName::parse);
    let column = table.take_text("column", faults, text::line);
    let age = table.take_duration("newest", faults)?;
    let sql = format!("SELECT max({}) FROM {}", quote_identifier(&column?), name?.quoted());
    Some(Question::Newest { sql, age })
}

fn read_tables(table: &mut Table<'_>, faults: &mut Faults) -> Vec<TableName> {
    let what = "write tables = [\"public.orders\", \"public.payments\"]";
    let Some(items) = table.take_array("tables", faults, what) else { return Vec::new() };
    if items.is_empty() || items.len() > TABLES_MAX {
        let problem = format!("it names {} tables", items.len());
        faults.add(table.place(), table.path(), Complaint::new(problem, "name 1 to 1,000 in 'tables'"));
    }
    items.iter().take(TABLES_MAX).filter_map(|item| item.text(faults, TableName::parse)).collect()
}

fn read_command(table: &mut Table<'_>, context: &Context<'_>, faults: &mut Faults) -> Option<Question> {
    let what = "write command = [\"/usr/local/bin/smoke\", \"--fast\"]; no shell is involved";
    let place = (table.place(), table.path().to_owned());
    let items = table.take_array("command", faults, what)?;
    if items.is_empty() || items.len() > WORDS_MAX {
        let problem = format!("a command has 1 to {WORDS_MAX} words, and this has {}", items.len());
        faults.add(place.0, &place.1, Complaint::new(problem, what));
    }
    let count = items.len().min(WORDS_MAX);
    let words = items.iter().take(count).filter_map(|item| item.text(faults, word_of_command));
    let mut argv: Vec<String> = words.collect();
    let program = argv.first_mut()?;
    if program.contains('/') {
        *program = context.base.join(&*program).to_str()?.to_owned();
    }
    (argv.len() == count).then_some(Question::Command { argv })
}

fn word_of_command(text: &str) -> Result<String, Complaint> {
    if text.is_empty() || text.len() > 4096 || text.contains('\0') {
        return Err(Complaint::new(
            "it is no word of a command",
            "write 1 to 4,096 bytes without a zero byte",
        ));
    }
    Ok(text.to_owned())
}

fn read_http(table: &mut Table<'_>, faults: &mut Faults) -> Option<Question> {
    let url = table.take_text("http", faults, address);
    let status = table.take_number("status", faults, 100..=599).unwrap_or(200);
    let body = match table.has("body") {
        true => Some(table.take_text("body", faults, |text| match Expectation::parse(text)? {
            expectation if expectation.is_relative() => {
                Err(Complaint::new("the body of the last pass is not kept", "expect a text or a number"))
            }
            expectation => Ok(expectation),
        })?),
        false => None,
    };
    Some(Question::Http { url: url?, status: u16::try_from(status).ok()?, body })
}

fn address(text: &str) -> Result<String, Complaint> {
    let remedy = "write http://HOST:PORT/PATH or https://HOST/PATH, without a user and a password";
    let wrong = || Complaint::new("it is not an address that can be asked", remedy);
    let url: reqwest::Url = text.parse().map_err(|_| wrong())?;
    let named = !url.username().is_empty() || url.password().is_some();
    if text.len() > 2048 || named || !url.has_host() || !matches!(url.scheme(), "http" | "https") {
        return Err(wrong());
    }
    Ok(text.to_owned())
}
