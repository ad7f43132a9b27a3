//! What a loss would have cost at each moment, drawn from the backups that there were.

use crate::history::Content;
use crate::record::{Millis, Moment};
use crate::report::encode;
use crate::report::html::words;
use crate::report::stock::{Kept, Stock};

/// The drawing's own units; it is stretched to the width of the page.
const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 200.0;
/// How many backups are drawn; the newest.
const DRAWN_MAX: usize = 45;
/// What half of the axis may stand for, in minutes.
const HALVES: [u64; 14] = [1, 5, 15, 30, 60, 120, 180, 360, 720, 1_440, 2_880, 7_200, 14_400, 43_200];

/// The drawing, and the figures beside it.
pub struct StockChart {
    /// Age and worst loss, over all backups and over the proven ones.
    pub figures: Vec<StockFigure>,
    /// What the drawing is made of.
    pub summary: String,
    /// The same in words, for who can't see it.
    pub description: String,
    /// The loss at each moment, as an area.
    pub all: String,
    /// The same if only proven backups could be restored, as a line.
    pub proven: String,
    /// Where the objective lies, with its name.
    pub objective: Option<(String, String)>,
    /// Where a backup is missing: the beginning and the width of each stretch.
    pub gaps: Vec<(String, String)>,
    /// Each backup.
    pub marks: Vec<Mark>,
    /// The values at the axis, from its top down.
    pub scale: [String; 3],
    /// The first and the last day.
    pub days: [String; 2],
}

/// A figure in words.
pub struct StockFigure {
    /// What it is.
    pub name: &'static str,
    /// How large it is.
    pub value: String,
    /// `met`, `missed` or `none`: how it is coloured.
    pub kind: &'static str,
    /// What it is of.
    pub note: String,
}

/// A backup on the axis.
pub struct Mark {
    /// Where it stands.
    pub x: String,
    /// Where its line begins: what was not proven is shorter.
    pub y: &'static str,
    /// `proven`, `refuted` or `unproven`.
    pub kind: &'static str,
    /// What it is, in words.
    pub title: String,
}

/// The drawing of a stock; none where no stretch of time lies in it.
pub fn stock_chart(stock: &Stock) -> Option<StockChart> {
    let first = stock.backups.len().saturating_sub(DRAWN_MAX);
    let drawn = stock.backups.get(first..)?;
    let begin = drawn.iter().map(|backup| backup.at).min()?;
    let span = u64::try_from(stock.until.since(begin).get()).ok().filter(|span| *span > 0)?;
    let all = losses(drawn.iter(), stock.until);
    let proven = losses(drawn.iter().filter(|backup| backup.word == Content::Whole), stock.until);
    let largest = all.iter().chain(&proven).map(|(_, loss)| *loss).max().unwrap_or(0);
    let rpo = stock.rpo.map(Millis::get);
    let half = half_of(largest.max(rpo.unwrap_or(0)));
    let scale = Scale { begin, span: span as f64, top: half as f64 * 2.0 };
    Some(StockChart {
        figures: figures(stock),
        summary: summary(stock, drawn.len()),
        description: description(stock),
        all: scale.area(&all),
        proven: scale.line(&proven),
        objective: rpo.map(|rpo| {
            let name = format!("objective {}", encode::objective(Millis::new(rpo).duration()));
            (number(scale.y(rpo)), name)
        }),
        gaps: stock.gaps.iter().filter_map(|gap| scale.stretch(*gap)).collect(),
        marks: drawn.iter().map(|backup| scale.mark(backup)).collect(),
        scale: [half.saturating_mul(2), half, 0].map(tick),
        days: [words::day(begin), words::moment(stock.until)],
    })
}

/// A round length of which twice is enough for `largest`, both in milliseconds.
fn half_of(largest: u64) -> u64 {
    let needed = largest / 2 + largest / 40;
    let round = HALVES.into_iter().map(|minutes| minutes * 60_000).find(|half| *half >= needed);
    round.unwrap_or_else(|| needed.div_ceil(86_400_000) * 86_400_000)
}

/// The loss before and after each moment at which it changes: it grows with the time, and falls
/// when a newer backup can be restored from.
fn losses<'a>(backups: impl Iterator<Item = &'a Kept>, until: Moment) -> Vec<(Moment, u64)> {
    let mut backups: Vec<&Kept> = backups.filter(|backup| backup.available_at <= until).collect();
    backups.sort_by_key(|backup| (backup.available_at, backup.at));
    let mut points: Vec<(Moment, u64)> = Vec::new();
    let mut newest: Option<Moment> = None;
    let loss = |at: Moment, from: Moment| at.since(from).get().max(0).unsigned_abs();
    for backup in backups {
        if newest.is_some_and(|newest| backup.at <= newest) {
            continue;
        }
        points.extend(newest.map(|before| (backup.available_at, loss(backup.available_at, before))));
        points.push((backup.available_at, loss(backup.available_at, backup.at)));
        newest = Some(backup.at);
    }
    points.extend(newest.map(|newest| (until, loss(until, newest))));
    points
}

/// From moments and losses to the drawing.
struct Scale {
    begin: Moment,
    span: f64,
    top: f64,
}

impl Scale {
    fn x(&self, at: Moment) -> f64 {
        (at.since(self.begin).get().max(0) as f64 / self.span * WIDTH).min(WIDTH)
    }

    fn y(&self, loss: u64) -> f64 {
        (HEIGHT - loss as f64 / self.top * HEIGHT).max(0.0)
    }

    fn line(&self, points: &[(Moment, u64)]) -> String {
        let mut path = String::new();
        for (place, (at, loss)) in points.iter().enumerate() {
            let letter = if place == 0 { 'M' } else { 'L' };
            path.push_str(&format!("{letter}{} {}", number(self.x(*at)), number(self.y(*loss))));
        }
        path
    }

    fn area(&self, points: &[(Moment, u64)]) -> String {
        let (Some((first, _)), Some((last, _))) = (points.first(), points.last()) else {
            return String::new();
        };
        let (first, last) = (number(self.x(*first)), number(self.x(*last)));
        format!("{}L{last} {HEIGHT}L{first} {HEIGHT}Z", self.line(points))
    }

    fn stretch(&self, (from, to): (Moment, Moment)) -> Option<(String, String)> {
        let (from, to) = (self.x(from), self.x(to));
        (to > from).then(|| (number(from), number(to - from)))
    }

    fn mark(&self, backup: &Kept) -> Mark {
        let (kind, y, word) = match backup.word {
            Content::Whole => ("proven", "2", "proven"),
            Content::Broken => ("refuted", "2", "did not come back"),
            Content::Unknown => ("unproven", "11", "not proven"),
        };
        let size = backup.bytes.map(|bytes| format!(", {}", encode::bytes(bytes))).unwrap_or_default();
        let name = words::name(&backup.name);
        let title = format!("{name}: data as of {}{size}, {word}", words::moment(backup.at));
        Mark { x: number(self.x(backup.at)), y, kind, title }
    }
}

fn figures(stock: &Stock) -> Vec<StockFigure> {
    let figure = |name, value: Option<Millis>, missing: &str, note: String| StockFigure {
        name,
        value: value.map_or_else(|| missing.to_owned(), |value| encode::duration(value.duration())),
        kind: match (value, stock.rpo) {
            (Some(value), Some(rpo)) if value > rpo => "missed",
            (Some(_), Some(_)) => "met",
            (None, Some(_)) if missing == NONE => "missed",
            _ => "none",
        },
        note,
    };
    let proven = stock.newest_proven();
    let proven_age = proven.and_then(|backup| u64::try_from(stock.until.since(backup.at).get()).ok());
    let over = match stock.window {
        Some(window) => format!("in the last {}", encode::objective(window)),
        None if stock.is_listed => "over all backups".to_owned(),
        None => "over the store, as the newest drill saw it".to_owned(),
    };
    let count = stock.backups.iter().filter(|backup| backup.word == Content::Whole).count() as u64;
    let proven_note =
        proven.map_or_else(String::new, |backup| format!("data as of {}", words::moment(backup.at)));
    let old = match stock.is_listed {
        true => "how old its data is",
        false => "how old its data was when the newest drill began",
    };
    vec![
        figure("Newest backup", stock.newest_age, "not known", old.to_owned()),
        figure("Newest proven backup", proven_age.map(Millis::new), NONE, proven_note),
        figure("Worst loss", stock.exposure, "not known", over),
        figure(
            "Worst loss, only proven",
            stock.proven_exposure,
            NONE,
            format!("over {}", encode::plural(count, "backup")),
        ),
    ]
}

/// What stands where no backup is proven: everything would be lost.
const NONE: &str = "none is proven";

fn summary(stock: &Stock, drawn: usize) -> String {
    let all = encode::plural(stock.backups.len() as u64, "backup");
    let what = match stock.is_listed {
        true => format!("The {all} in the store"),
        false => format!("The {all} that drills have seen; the store may hold more"),
    };
    let mut text = format!(
        "{what}. At each moment the height is what a loss would have cost: the time since the newest \
         backup that could be restored then."
    );
    if drawn < stock.backups.len() {
        text.push_str(&format!(" The newest {drawn} are drawn."));
    }
    text
}

fn description(stock: &Stock) -> String {
    let told: Vec<String> =
        figures(stock).into_iter().map(|figure| format!("{}: {}", figure.name, figure.value)).collect();
    let gaps = encode::plural(stock.gaps.len() as u64, "gap");
    format!("{}; {gaps} by the cadence.", told.join("; "))
}

fn tick(value: u64) -> String {
    match value {
        0 => "0".to_owned(),
        _ => encode::objective(Millis::new(value).duration()),
    }
}

fn number(value: f64) -> String {
    format!("{value:.1}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hours: i64) -> Moment {
        Moment::from(jiff::Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_hours(hours))
    }

    fn kept(point: i64, available: i64, word: Content) -> Kept {
        Kept { name: format!("b{point}"), at: at(point), available_at: at(available), bytes: None, word }
    }

    #[test]
    fn the_loss_grows_until_a_newer_backup_is_there() {
        let backups =
            [kept(0, 1, Content::Whole), kept(24, 25, Content::Unknown), kept(20, 26, Content::Whole)];
        let hours = |points: Vec<(Moment, u64)>| -> Vec<(i64, u64)> {
            points
                .iter()
                .map(|(when, loss)| (when.since(at(0)).get() / 3_600_000, loss / 3_600_000))
                .collect()
        };
        let all = hours(losses(backups.iter(), at(30)));
        assert_eq!(all, [(1, 1), (25, 25), (25, 1), (30, 6)], "an older one that comes later helps nobody");
        let proven = backups.iter().filter(|backup| backup.word == Content::Whole);
        assert_eq!(hours(losses(proven, at(30))), [(1, 1), (26, 26), (26, 6), (30, 10)]);
        assert!(losses(backups.iter(), at(0)).is_empty(), "nothing was there yet");
    }

    #[test]
    fn everything_lies_inside_the_drawing() {
        let backups =
            vec![kept(0, 1, Content::Broken), kept(24, 25, Content::Whole), kept(96, 97, Content::Unknown)];
        let stock = Stock {
            backups,
            until: at(100),
            is_listed: true,
            gaps: vec![(at(24), at(96))],
            newest_age: Some(Millis::new(4 * 3_600_000)),
            exposure: Some(Millis::new(73 * 3_600_000)),
            proven_exposure: Some(Millis::new(76 * 3_600_000)),
            window: None,
            rpo: Some(Millis::new(24 * 3_600_000)),
        };
        let chart = stock_chart(&stock).unwrap();
        let numbers = |path: &str| -> Vec<f64> {
            path.split(['M', 'L', 'Z', ' '])
                .filter(|part| !part.is_empty())
                .map(|n| n.parse().unwrap())
                .collect()
        };
        for path in [&chart.all, &chart.proven] {
            for pair in numbers(path).chunks(2) {
                assert!((0.0..=WIDTH).contains(&pair[0]) && (0.0..=HEIGHT).contains(&pair[1]), "{path}");
            }
        }
        let kinds: Vec<_> = chart.marks.iter().map(|mark| mark.kind).collect();
        assert_eq!(kinds, ["refuted", "proven", "unproven"]);
        assert_eq!(chart.gaps, [("240.0".to_owned(), "720.0".to_owned())]);
        let values: Vec<_> =
            chart.figures.iter().map(|figure| (figure.value.as_str(), figure.kind)).collect();
        assert_eq!(values, [("4h00m", "met"), ("3d04h", "missed"), ("3d01h", "missed"), ("3d04h", "missed")]);
        let nothing = Stock { backups: Vec::new(), ..stock };
        assert!(stock_chart(&nothing).is_none());
    }
}
