//! The backups of services as a person reads them: a table of each, and what they amount to.

mod document;

use std::time::Duration;

use comfy_table::{Cell, CellAlignment, Color};
use jiff::Timestamp;

use crate::catalog::{Exposure, Gap};
use crate::history::{Inventory, Item, Limits, Signed, Word};
use crate::report::encode;
use crate::report::layout::{self, Page, labelled};
use crate::verdict::Reason;

pub use document::{Document, document};

/// Columns that a name may take in the table.
const NAME_COLUMNS: usize = 40;
/// Columns that a name or a location may take in a sentence.
const URI_COLUMNS: usize = 400;
/// What a moment takes in two lines, `2026-11-20` and `01:00:00 +1s`.
const MOMENT_COLUMNS: u16 = 13;
/// Gaps that are named; the rest are counted.
const GAPS_MAX: usize = 5;

/// A service, and what its store holds.
#[derive(Debug)]
pub struct Listed<'a> {
    /// The service.
    pub service: &'a str,
    /// Where its backups lie.
    pub location: String,
    /// What the plan demands of them.
    pub limits: Limits,
    /// What was found.
    pub outcome: Outcome<'a>,
    /// Files of its evidence that could not be read.
    pub unreadable: usize,
    /// What is known of the signatures of the rest.
    pub signed: Signed,
}

/// What came of listing a store.
#[derive(Debug)]
pub enum Outcome<'a> {
    /// It could not be listed.
    Unlisted(Reason),
    /// It was listed to its end.
    Found {
        /// The backups.
        inventory: Box<Inventory<'a>>,
        /// Objects that are none.
        other_objects: usize,
        /// How far the store's clock is off, where that is too far to trust ages.
        clock_off: Option<Duration>,
    },
}

/// The report over all services; of each the newest `rows` backups are shown one by one.
pub fn backups(services: &[Listed<'_>], page: Page, rows: usize) -> String {
    let blocks: Vec<String> = services.iter().map(|listed| service(listed, page, rows)).collect();
    blocks.join("\n")
}

fn service(listed: &Listed<'_>, page: Page, rows: usize) -> String {
    let name = page.paint.bold(encode::name(listed.service, NAME_COLUMNS));
    let place = encode::name(&listed.location, URI_COLUMNS);
    let columns = page.columns;
    match &listed.outcome {
        Outcome::Unlisted(reason) => {
            let mut text = format!("{name}: {place} could not be listed\n");
            let why = format!("{} [{}]", encode::sentence(&reason.detail), reason.code);
            text.push_str(&labelled("why", &why, columns));
            text.push_str(&labelled("what to do", &encode::sentence(&reason.remedy), columns));
            text
        }
        Outcome::Found { inventory, other_objects, clock_off } => {
            let count = encode::plural(inventory.items.len() as u64, "backup");
            let mut text = format!("{name}: {count} in {place}\n");
            text.push_str(&table(inventory, page, rows));
            for (label, words) in figures(inventory) {
                text.push_str(&labelled(label, &words, columns));
            }
            for (label, words) in remarks(inventory, *other_objects, *clock_off, listed) {
                text.push_str(&labelled(label, &words, columns));
            }
            text
        }
    }
}

fn table(inventory: &Inventory<'_>, page: Page, rows: usize) -> String {
    if inventory.items.is_empty() {
        return String::new();
    }
    let mut table = layout::table(page);
    table.set_header(["backup", "data as of", "avail.", "size", "age", "proven"]);
    let older = inventory.items.len().saturating_sub(rows);
    for item in inventory.items.iter().skip(older) {
        table.add_row([
            Cell::new(encode::name(&item.backup.label, NAME_COLUMNS)),
            Cell::new(data_as_of(item)),
            Cell::new(available(item)),
            Cell::new(encode::bytes(item.backup.object.bytes)).set_alignment(CellAlignment::Right),
            Cell::new(age(item.data_age(inventory.now))).set_alignment(CellAlignment::Right),
            proven(item, inventory.now),
        ]);
    }
    layout::close(&mut table, &[0, 2, 3, 4]);
    layout::at_least(&mut table, 1, MOMENT_COLUMNS);
    let mut text = table.trim_fmt() + "\n";
    if older > 0 {
        text.push_str(&format!("  and {} more, older\n", encode::count(older as u64)));
    }
    text
}

/// `2026-11-20 01:00:00 +1s`: the earliest moment, and how much later it may have been.
fn data_as_of(item: &Item<'_>) -> String {
    let Some(point) = item.backup.point else { return "not known".into() };
    let moment = layout::moment(point.at);
    match point.uncertainty.is_zero() {
        true => moment,
        false => format!("{moment} +{}", encode::objective(point.uncertainty)),
    }
}

/// How much later than its consistency point a backup could be restored from.
fn available(item: &Item<'_>) -> String {
    let at = item.backup.available_at;
    let later = item.backup.point.and_then(|point| Duration::try_from(at.duration_since(point.at)).ok());
    match later {
        Some(later) if later < Duration::from_secs(86_400) => format!("+{}", encode::duration(later)),
        _ => layout::moment(at),
    }
}

fn proven(item: &Item<'_>, now: Timestamp) -> Cell {
    let Some(drill) = item.word.drill() else { return Cell::new("no") };
    let ago = encode::age(now.as_millisecond().saturating_sub(drill.started_at.at().as_millisecond()));
    match item.word {
        Word::Proven(_) => Cell::new(format!("drill {}, {ago} ago", drill.sequence)).fg(Color::Green),
        Word::Refuted(_) => Cell::new(format!("failed drill {}, {ago} ago", drill.sequence)).fg(Color::Red),
        _ => Cell::new(format!("changed since drill {}", drill.sequence)).fg(Color::Yellow),
    }
}

/// What the backups amount to.
fn figures(inventory: &Inventory<'_>) -> Vec<(&'static str, String)> {
    let rpo = inventory.limits.rpo;
    let mut lines = Vec::new();
    match inventory.newest {
        None => lines.push(("newest", "there is no backup".to_owned())),
        Some(item) => {
            let old = match item.data_age(inventory.now) {
                Some(age) => format!("{} old{}", encode::duration(age), within(age, rpo)),
                None => "how old the data is can't be told: no name tells a moment".to_owned(),
            };
            lines.push(("newest", old));
        }
    }
    lines.push(("proven", proven_in_all(inventory)));
    if let Some(window) = inventory.window {
        lines.push(("window", format!("losses and gaps of the last {}", encode::objective(window))));
    }
    lines.push(("exposure", exposure(inventory.exposure, rpo, inventory.items.is_empty())));
    let only = exposure(inventory.proven_exposure, rpo, inventory.proven() == 0);
    lines.push(("", format!("counting only proven backups: {only}")));
    lines
}

fn proven_in_all(inventory: &Inventory<'_>) -> String {
    let count =
        format!("{} of {}", inventory.proven(), encode::plural(inventory.items.len() as u64, "backup"));
    let Some((item, drill)) = inventory.newest_proven.and_then(|item| Some((item, item.word.drill()?)))
    else {
        return count;
    };
    let old = match item.data_age(inventory.now) {
        Some(age) => format!("{} old{}", encode::duration(age), within(age, inventory.limits.rpo)),
        None => "of an unknown age".to_owned(),
    };
    let (name, place) = (encode::name(&item.backup.label, URI_COLUMNS), drill.sequence);
    format!("{count}; the newest of them, {name}, is {old}, by drill {place}")
}

/// `24h47m lost at worst, over the RPO of 24h: before B came, after A`.
fn exposure(exposure: Option<Exposure<'_>>, rpo: Option<Duration>, nothing: bool) -> String {
    let Some(exposure) = exposure else {
        return match nothing {
            true => "everything would be lost".to_owned(),
            false => "not known".to_owned(),
        };
    };
    let from = encode::name(&exposure.from.label, URI_COLUMNS);
    let loss = format!("{} lost at worst{}", encode::duration(exposure.loss), within(exposure.loss, rpo));
    match exposure.until {
        Some(until) => {
            let until = encode::name(&until.label, URI_COLUMNS);
            format!("{loss}: before {until} came, after {from}")
        }
        None => format!("{loss}: now, after {from}"),
    }
}

fn remarks(
    inventory: &Inventory<'_>,
    other_objects: usize,
    clock_off: Option<Duration>,
    listed: &Listed<'_>,
) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    let limits = inventory.limits;
    let cadence = limits.every.map(|every| {
        format!(
            "one is expected every {}, with {} of grace",
            encode::objective(every),
            encode::objective(limits.grace)
        )
    });
    let newest = inventory.gaps.iter().rev().take(GAPS_MAX);
    lines.extend(newest.map(|gap| ("gap", missing(gap))));
    if inventory.gaps.len() > GAPS_MAX {
        lines.push(("gap", format!("{} in all", inventory.gaps.len())));
    }
    match cadence {
        Some(cadence) if inventory.stale => lines.push(("stale", cadence)),
        Some(cadence) if !inventory.gaps.is_empty() => lines.push(("", cadence)),
        Some(_) => {}
        None => lines.push(("gaps", "the plan gives no cadence ('every') to look for them".to_owned())),
    }
    if inventory.items.iter().any(|item| item.backup.point.is_some()) {
        lines.push(("moments", "read from the names; +1s is how much later they may have been".to_owned()));
    }
    if other_objects > 0 {
        lines.push((
            "besides",
            format!("{} there that is no backup", encode::plural(other_objects as u64, "object")),
        ));
    }
    if let Some(off) = clock_off {
        lines.push(("warning", format!("the store's clock and ours differ by {}", encode::duration(off))));
    }
    if inventory.proven() > 0 {
        lines.extend(layout::signatures(listed.signed).map(|words| ("signatures", words)));
    }
    if listed.unreadable > 0 {
        let files = encode::plural(listed.unreadable as u64, "file");
        lines.push(("warning", format!("{files} of evidence could not be read, and proves nothing")));
    }
    lines
}

fn missing(gap: &Gap<'_>) -> String {
    let (after, length) = (encode::name(&gap.after.label, URI_COLUMNS), encode::duration(gap.length));
    match gap.before {
        Some(before) => {
            format!("{length} from {after} to {}", encode::name(&before.label, URI_COLUMNS))
        }
        None => format!("{length} from {after} until now"),
    }
}

/// `, within the RPO of 24h`, or `, over the RPO of 24h`; nothing without one.
fn within(length: Duration, rpo: Option<Duration>) -> String {
    match rpo {
        None => String::new(),
        Some(rpo) if length <= rpo => format!(", within the RPO of {}", encode::objective(rpo)),
        Some(rpo) => format!(", over the RPO of {}", encode::objective(rpo)),
    }
}

fn age(age: Option<Duration>) -> String {
    age.map_or_else(|| "not known".to_owned(), encode::duration)
}
