//! The history of services as a person reads it: how figures spread, and where they lead.

mod document;

use std::time::Duration;

use comfy_table::{Cell, CellAlignment};

use crate::history::{Account, Figure, NoTrend, Outlook, POINTS_MIN, Place, Ratio, Score, Trend, Unfit};
use crate::report::encode;
use crate::report::layout::{self, Page, labelled};

pub use document::{Document, SignaturesDocument, document};

/// A day, in the milliseconds that trends count in.
pub const DAY_MS: f64 = 86_400_000.0;

/// A GiB, in the bytes that trends count in.
pub const GIB: f64 = 1_073_741_824.0;

/// Columns that a service's name may take.
const NAME_COLUMNS: usize = 60;

/// How a figure is written.
#[derive(Clone, Copy)]
enum Unit {
    Time,
    Bytes,
    Rate,
}

impl Unit {
    fn show(self, figure: i64) -> String {
        match self {
            Unit::Time => encode::age(figure),
            Unit::Bytes => encode::bytes(figure.unsigned_abs()),
            Unit::Rate => format!("{}/s", encode::bytes(figure.unsigned_abs())),
        }
    }

    /// A change: `+3.2s`, `-120 MiB`.
    fn change(self, figure: i64) -> String {
        let size = match self {
            Unit::Time => encode::duration(Duration::from_millis(figure.unsigned_abs())),
            Unit::Bytes | Unit::Rate => self.show(figure.saturating_abs()),
        };
        format!("{}{size}", if figure < 0 { '-' } else { '+' })
    }
}

/// The report over all services.
pub fn history(accounts: &[Account], page: Page) -> String {
    let blocks: Vec<String> = accounts.iter().map(|account| service(account, page)).collect();
    blocks.join("\n")
}

fn service(account: &Account, page: Page) -> String {
    let name = page.paint.bold(encode::name(&account.service, NAME_COLUMNS));
    let mut text = format!("{name}: {}\n", drills(account));
    if account.drills > 0 {
        text.push_str(&table(account, page));
    }
    for (label, words) in counted(account).into_iter().chain(trends(account)) {
        text.push_str(&labelled(label, &words, page.columns));
    }
    text
}

/// `25 drills from 2026-10-27 to 2026-11-20: 23 passed, 1 failed`.
fn drills(account: &Account) -> String {
    let Some((since, until)) = account.period else { return "no drill has left evidence".to_owned() };
    let counts =
        [(account.passed, "passed"), (account.failed, "failed"), (account.inconclusive, "inconclusive")];
    let counts: Vec<String> = counts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    let (since, until) = (layout::day(since.at()), layout::day(until.at()));
    let when = if since == until { format!("on {since}") } else { format!("from {since} to {until}") };
    format!("{} {when}: {}", encode::plural(account.drills as u64, "drill"), counts.join(", "))
}

fn table(account: &Account, page: Page) -> String {
    let mut table = layout::table(page);
    table.set_header(["", "last drill", "p50", "p95", "worst", "limit"]);
    let figures = [
        ("recovery time", &account.recovery, Unit::Time),
        ("data age", &account.data_age, Unit::Time),
        ("size", &account.size, Unit::Bytes),
        ("throughput", &account.throughput, Unit::Rate),
    ];
    for (name, figure, unit) in figures {
        let cells = cells(figure, unit);
        let right = |text: String| Cell::new(text).set_alignment(CellAlignment::Right);
        table.add_row(std::iter::once(Cell::new(name)).chain(cells.into_iter().map(right)));
    }
    layout::close(&mut table, &[0]);
    table.trim_fmt() + "\n"
}

fn cells(figure: &Figure, unit: Unit) -> [String; 5] {
    let place = |place: Place| match place {
        Place::On(figure) => unit.show(figure),
        Place::Unbounded => "unbounded".to_owned(),
    };
    let of = |chosen: fn(&crate::history::Spread) -> Place| {
        figure.spread.as_ref().map_or_else(String::new, |spread| place(chosen(spread)))
    };
    let p95 = match figure.spread {
        None => String::new(),
        Some(spread) => match spread.p95 {
            Some(p95) => place(p95),
            None => format!("max of {}", spread.drills),
        },
    };
    [
        figure.newest.map_or_else(|| "not measured".to_owned(), |newest| unit.show(newest)),
        of(|spread| spread.p50),
        p95,
        of(|spread| spread.worst),
        figure.limit.map(limit_shown).unwrap_or_default(),
    ]
}

fn limit_shown(limit: i64) -> String {
    encode::objective(Duration::from_millis(u64::try_from(limit).unwrap_or_default()))
}

/// What is counted, and what is not.
fn counted(account: &Account) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    let lost = [
        (account.killed, "killed without evidence of their own"),
        (account.missing, "missing from the log"),
        (account.unreadable, "in files that can't be read"),
    ];
    let lost: Vec<String> = lost
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{} {what}", encode::count(*count)))
        .collect();
    if !lost.is_empty() {
        lines.push(("lost", format!("drills besides: {}", lost.join(", "))));
    }
    if let Some(spread) = account.recovery.spread.filter(|spread| spread.censored > 0) {
        let (censored, all) = (encode::count(spread.censored), encode::count(spread.drills));
        let words = format!("{censored} of {all} drills did not pass; they count as worse than any that did");
        lines.push(("counted", words));
    }
    if account.disputed > 0 {
        let words = "with a verdict that the judge does not share today; the worse of the two is counted";
        lines.push(("disputed", format!("{} {words}", encode::plural(account.disputed as u64, "drill"))));
    }
    if let Some(profile) = &account.profile {
        let mut words = format!("measured with {}", encode::sentence(profile));
        if account.other_profile > 0 {
            let others = encode::plural(account.other_profile as u64, "drill");
            words.push_str(&format!("; {others} under other conditions left out"));
        }
        lines.push(("conditions", words));
    }
    if account.drills > 0 {
        lines.extend(layout::signatures(account.signed).map(|words| ("signatures", words)));
    }
    if account.earlier > 0 {
        let words = format!("{} before these, not counted", encode::plural(account.earlier as u64, "drill"));
        lines.push(("earlier", words));
    }
    lines
}

fn trends(account: &Account) -> Vec<(&'static str, String)> {
    if account.drills == 0 {
        return Vec::new();
    }
    let mut lines = vec![("trend", format!("recovery time: {}", course(&account.recovery, Unit::Time)))];
    lines.extend(account.recovery.score.map(|it| ("", scored(&it, Unit::Time))));
    lines.push(("", format!("recovery time by size: {}", by_size(&account.by_size, account.recovery.limit))));
    lines.push(("", format!("data age: {}", course(&account.data_age, Unit::Time))));
    lines.push(("", format!("size: {}", course(&account.size, Unit::Bytes))));
    lines.push(("", format!("throughput: {}", course(&account.throughput, Unit::Rate))));
    lines
}

/// `+3.2s a day (+1.1s to +5.0s); over 15m on 2027-01-03 (2026-12-10 to 2027-03-01)`.
fn course(figure: &Figure, unit: Unit) -> String {
    let trend = match figure.trend.map_err(NoTrend::Unfit).and_then(Trend::clear) {
        Ok(trend) => trend,
        Err(why) => return no_trend(why),
    };
    let per_day = |slope: f64| unit.change(scaled(slope, DAY_MS));
    let (low, high) = (per_day(trend.low), per_day(trend.high));
    let mut words = format!("{} a day ({low} to {high})", per_day(trend.slope));
    if let (Some(outlook), Some(limit)) = (figure.outlook, figure.limit) {
        words.push_str("; ");
        words.push_str(&ahead(outlook, &limit_shown(limit)));
    }
    words
}

fn ahead(outlook: Outlook, limit: &str) -> String {
    match outlook {
        Outlook::Declined(why) => no_trend(why),
        Outlook::Falling => format!("so {limit} is not reached"),
        Outlook::Broken => format!("already over {limit}"),
        Outlook::Later { horizon, earliest: None } => {
            format!("{limit} is not reached before {}", layout::day(horizon))
        }
        Outlook::Later { earliest: Some(earliest), .. } => {
            format!("over {limit} on {} at the earliest", layout::day(earliest))
        }
        Outlook::Breach { at, earliest, latest } => {
            let latest = latest.map_or_else(|| "no telling when".to_owned(), layout::day);
            format!("over {limit} on {} ({} to {latest})", layout::day(at), layout::day(earliest))
        }
    }
}

/// `+31s per GiB (+28s to +35s); 15m is reached at 29 GiB (25 GiB to 33 GiB)`.
fn by_size(ratio: &Ratio, limit: Option<i64>) -> String {
    let trend = match ratio.trend {
        Ok(trend) => trend,
        Err(why) => return no_trend(why),
    };
    let per_gib = |slope: f64| Unit::Time.change(scaled(slope, GIB));
    let mut words =
        format!("{} per GiB ({} to {})", per_gib(trend.slope), per_gib(trend.low), per_gib(trend.high));
    if let (Some((bytes, low, high)), Some(limit)) = (ratio.limit_bytes, limit) {
        let size = |bytes: i64| encode::bytes(bytes.unsigned_abs());
        let most = high.map_or_else(|| "no telling what".to_owned(), size);
        let reached =
            format!("{} is reached at {} ({} to {most})", limit_shown(limit), size(bytes), size(low));
        words.push_str(&format!("; {reached}"));
    }
    words
}

fn scored(score: &Score, unit: Unit) -> String {
    let latest = score.latest;
    let drills = encode::plural(score.ahead as u64, "drill");
    let range = format!("{} to {}", unit.show(latest.low), unit.show(latest.high));
    let (expected, actual) = (unit.show(latest.expected), unit.show(latest.actual));
    let error = i64::try_from(score.median_error).unwrap_or(i64::MAX);
    format!(
        "{drills} earlier, {expected} ({range}) was expected, and {actual} came; {} of {} such forecasts \
         held, in the middle {} off",
        score.inside,
        score.forecasts,
        unit.show(error)
    )
}

/// Why nothing is told, in words.
pub fn no_trend(why: NoTrend) -> String {
    match why {
        NoTrend::Unfit(Unfit::TooFew { points }) => format!("too few drills: {points} of {POINTS_MIN}"),
        NoTrend::Unfit(Unfit::NoSpread) => "all drills are of one moment or one size".to_owned(),
        NoTrend::Unclear => "no clear trend".to_owned(),
        NoTrend::Scattered => "no trend beyond the scatter".to_owned(),
    }
}

/// A figure of a trend as a whole number, in the unit that `factor` makes of it.
pub fn scaled(figure: f64, factor: f64) -> i64 {
    (figure * factor).round() as i64
}
