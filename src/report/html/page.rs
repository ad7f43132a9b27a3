//! The page: what the templates are given.

use askama::Template;

use crate::record::{Record, WarningLine};
use crate::report::html::Shown;
use crate::report::html::card::{Card, card};
use crate::report::html::controls::{Control, controls};
use crate::report::html::drift::{DriftTable, drift, revalidated, structure};
use crate::report::html::frame::Frame;
use crate::report::html::proof::{CheckTable, Tables, checks, tables};
use crate::report::html::provenance::{Group, provenance};
use crate::report::html::stock::{StockChart, stock_chart};
use crate::report::html::timeline::{Timeline, timeline};
use crate::report::html::trend::{Trend, trend};
use crate::report::html::words;
use crate::report::standing::Standing;
use crate::report::stock::Stock;
use crate::report::stored::Series;
use crate::report::{caveats, encode};

/// How many services are shown in detail; every one has a card.
const DETAILED_MAX: usize = 200;
/// How many warnings and limitations are shown.
const LINES_MAX: usize = 60;

/// The page.
#[derive(Template)]
#[template(path = "page.html")]
pub struct Page {
    frame: Frame,
    source: String,
    notes: Vec<String>,
    services: Vec<Service>,
}

/// A service: its card, and what stands behind it.
struct Service {
    card: Card,
    detail: Option<Detail>,
}

/// What stands behind a card.
struct Detail {
    timeline: Option<Timeline>,
    stock: Option<StockChart>,
    trend: Option<Trend>,
    tables: Option<Tables>,
    drift: Option<DriftTable>,
    structure: Option<String>,
    revalidated: Option<String>,
    checks: Option<CheckTable>,
    warnings: Vec<Warning>,
    limitations: Vec<String>,
    /// Warnings and limitations that are left out.
    more: Option<String>,
    provenance: Vec<Group>,
    controls: Vec<Control>,
    more_controls: Option<String>,
}

/// A warning of the verdict.
struct Warning {
    code: &'static str,
    detail: String,
}

impl Page {
    /// The page of what is shown.
    pub fn of(shown: Shown<'_>) -> Page {
        let standings: Vec<Standing> =
            shown.series.iter().map(|one| Standing::of(one, shown.now, shown.age_max)).collect();
        let services = shown.series.iter().enumerate().map(|(index, series)| Service {
            card: card(series, shown),
            detail: detail(series, shown).filter(|_| index < DETAILED_MAX),
        });
        let headline = headline(shown.series, &standings);
        Page {
            frame: Frame::new(headline, "fire drills", shown.now),
            source: source(shown.series),
            notes: shown.notes.iter().take(LINES_MAX).map(|note| words::long(note)).collect(),
            services: services.collect(),
        }
    }
}

/// Everything in one sentence.
fn headline(series: &[Series], standings: &[Standing]) -> String {
    let ([one], [standing]) = (series, standings) else { return tally(standings) };
    let name = words::name(&one.service);
    match standing {
        Standing::Passed | Standing::Warned => format!("The backup of {name} came back."),
        Standing::Failed => format!("The drill of {name} failed."),
        Standing::Inconclusive => format!("The drill of {name} could not tell."),
        Standing::Stale => format!("The newest drill of {name} is out of date."),
        Standing::Unsound => format!("The evidence of {name} is not sound."),
        Standing::Never => format!("{name} was never drilled."),
    }
}

fn tally(standings: &[Standing]) -> String {
    let words: [(&[Standing], &str); 6] = [
        (&[Standing::Passed, Standing::Warned], "passed"),
        (&[Standing::Failed], "failed"),
        (&[Standing::Stale], "out of date"),
        (&[Standing::Inconclusive], "inconclusive"),
        (&[Standing::Unsound], "without sound evidence"),
        (&[Standing::Never], "never drilled"),
    ];
    let counts: Vec<String> = words
        .iter()
        .map(|(which, word)| (standings.iter().filter(|one| which.contains(one)).count(), word))
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    match counts.as_slice() {
        [] => "Nothing was drilled.".to_owned(),
        [_] if standings.iter().all(|one| *one <= Standing::Warned) => {
            format!("All {} backups came back.", standings.len())
        }
        counts => format!("{} services: {}.", standings.len(), counts.join(", ")),
    }
}

/// What the page is made of, and what was looked at.
fn source(series: &[Series]) -> String {
    let drills: u64 = series.iter().map(|one| one.drills.len() as u64).sum();
    let checked =
        !series.is_empty() && series.iter().all(|one| one.signatures_checked || one.drills.is_empty());
    let signatures = match checked {
        true => "signatures, chain and verdicts were checked",
        false => "chain and verdicts were checked, signatures were not",
    };
    let unsigned: u64 = series.iter().map(|one| one.unsigned).sum();
    let besides = match unsigned {
        0 => String::new(),
        1 => ", but for 1 record from before signing began".to_owned(),
        _ => format!(", but for {} records from before signing began", encode::count(unsigned)),
    };
    format!("{} with a record; {signatures}{besides}", encode::plural(drills, "drill"))
}

fn detail(series: &Series, shown: Shown<'_>) -> Option<Detail> {
    let drill = series.newest.as_ref()?;
    let record = &drill.record;
    let mut sorted: Vec<&WarningLine> = record.verdict.warnings.iter().collect();
    sorted.sort_by_key(|warning| caveats::is_standing(warning.code));
    let (warnings, more_warnings) = words::bounded(&sorted, LINES_MAX, |warning| Warning {
        code: warning.code.as_str(),
        detail: words::sentence(&warning.detail),
    });
    let (limitations, more_limitations) =
        words::bounded(&record.limitations, LINES_MAX, |line| words::long(line));
    let (controls, more_controls) = controls(record);
    Some(Detail {
        timeline: timeline(record),
        stock: stock(series, shown),
        trend: trend(series),
        tables: record.fidelity.as_ref().map(tables),
        drift: record.drift.as_ref().and_then(drift),
        structure: record.structure.as_ref().map(structure),
        revalidated: record.revalidated.as_ref().map(revalidated),
        checks: checks_of(record),
        warnings,
        limitations,
        more: more_warnings.or(more_limitations),
        provenance: provenance(drill),
        controls,
        more_controls,
    })
}

/// The backups: those of the store where it was listed, else those that drills have seen.
fn stock(series: &Series, shown: Shown<'_>) -> Option<StockChart> {
    match shown.stocks.get(&series.service) {
        Some(listed) => stock_chart(listed),
        None => stock_chart(&Stock::seen(series)?),
    }
}

fn checks_of(record: &Record) -> Option<CheckTable> {
    record.checks.as_ref().map(checks)
}
