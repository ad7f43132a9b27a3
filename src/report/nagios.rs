//! The standing of services as a Nagios plugin says it: one line with performance data, and a
//! number.

use std::fmt::Write as _;
use std::time::Duration;

use jiff::Timestamp;

use crate::record::{Moment, Record};
use crate::report::encode;
use crate::report::figures::{self, Figure};
use crate::report::standing::{self, Standing};
use crate::report::stored::Series;
use crate::verdict::Verdict;

/// Columns that a sentence may take, and a name.
const SENTENCE_COLUMNS: usize = 200;
const NAME_COLUMNS: usize = 63;
/// How many services the line tells about; the number speaks for all of them.
const SERVICES_MAX: usize = 20;

/// What a plugin's number says, as Nagios knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// 0: every service passed, lately, with nothing to look at.
    Ok,
    /// 1: every service passed, and something should be looked at.
    Warning,
    /// 2: a service failed, or its newest drill is too old.
    Critical,
    /// 3: it can't be told.
    Unknown,
}

impl Status {
    /// The number of the plugin interface.
    pub fn number(self) -> u8 {
        match self {
            Status::Ok => 0,
            Status::Warning => 1,
            Status::Critical => 2,
            Status::Unknown => 3,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Status::Ok => "OK",
            Status::Warning => "WARNING",
            Status::Critical => "CRITICAL",
            Status::Unknown => "UNKNOWN",
        }
    }

    fn of(standing: Standing) -> Status {
        match standing {
            Standing::Passed => Status::Ok,
            Standing::Warned => Status::Warning,
            Standing::Failed | Standing::Stale => Status::Critical,
            Standing::Never | Standing::Unsound | Standing::Inconclusive => Status::Unknown,
        }
    }
}

/// The line for `series` at `now`, with its newline, and the number to end with. The worst
/// service decides: critical before unknown before warning.
pub fn line(series: &[Series], now: Timestamp, age_max: Option<Duration>) -> (String, Status) {
    let mut standings: Vec<(&Series, Standing)> =
        series.iter().map(|one| (one, Standing::of(one, now, age_max))).collect();
    let Some(worst) = standings.iter().map(|(_, standing)| *standing).max() else {
        return unknown("there is no evidence");
    };
    standings.sort_by_key(|(_, standing)| std::cmp::Reverse(*standing));
    let mut told: Vec<String> = standings
        .iter()
        .take(SERVICES_MAX)
        .map(|(one, standing)| tell(one, *standing, now, age_max))
        .collect();
    if standings.len() > SERVICES_MAX {
        told.push(format!("{} more services", standings.len() - SERVICES_MAX));
    }
    let status = Status::of(worst);
    let mut line = format!("RESTORE {} - {}", status.as_str(), told.join("; "));
    let figures: Vec<String> = series.iter().flat_map(|one| figures_of(one, now, age_max)).collect();
    if !figures.is_empty() {
        line.push_str(" | ");
        line.push_str(&figures.join(" "));
    }
    line.push('\n');
    (line, status)
}

/// The line and the number where nothing could be read at all.
pub fn unknown(why: &str) -> (String, Status) {
    (format!("RESTORE UNKNOWN - {}\n", text(why, SENTENCE_COLUMNS)), Status::Unknown)
}

/// One service in a few words.
fn tell(series: &Series, standing: Standing, now: Timestamp, age_max: Option<Duration>) -> String {
    let mut words = format!("{}: ", text(&series.service, NAME_COLUMNS));
    let record = series.newest.as_ref().map(|drill| &drill.record);
    if let Some(why) = standing::why(series, standing, now, age_max) {
        words.push_str(&text(&why, SENTENCE_COLUMNS));
        return words;
    }
    let Some(record) = record else { return words };
    match record.verdict.result.0 {
        Verdict::Pass => words.push_str(&passed(record)),
        verdict => {
            // Writing into a String cannot fail.
            let _ = write!(words, "{verdict}");
            if let Some(reason) = record.verdict.reasons.first() {
                let _ = write!(words, ": {} [{}]", text(&reason.detail, SENTENCE_COLUMNS), reason.code);
            }
        }
    }
    if let Some(warning) = standing::happened(record).next().filter(|_| standing == Standing::Warned) {
        let _ = write!(words, ", but {}", text(&warning.detail, SENTENCE_COLUMNS));
    }
    words
}

/// `restored in 17m28s, data 1h30m old, 3 of 3 tables equal`.
fn passed(record: &Record) -> String {
    let mut parts = Vec::new();
    if let Some(time) = &record.measurements.recovery_time {
        parts.push(format!("restored in {}", encode::duration(time.measured_ms.duration())));
    }
    if let Some(point) = &record.measurements.recovery_point {
        parts.push(format!("data {} old", encode::age(point.loss_now_ms().get())));
    }
    if let Some(fidelity) = &record.fidelity {
        let all = encode::plural(fidelity.tables_expected, "table");
        parts.push(format!("{} of {all} equal", encode::count(fidelity.tables_equal)));
    }
    parts.join(", ")
}

/// The performance data of one service. What was not measured is not there.
fn figures_of(series: &Series, now: Timestamp, age_max: Option<Duration>) -> Vec<String> {
    let Some(record) = series.newest.as_ref().map(|drill| &drill.record) else { return Vec::new() };
    let name = label(&series.service);
    let mut figures = Vec::new();
    let mut add = |figure: &str, value: String| figures.push(format!("'{name}.{figure}'={value}"));
    let timed = |figure: Figure| {
        let critical = figure.objective.map(|objective| encode::seconds(objective.get())).unwrap_or_default();
        Some(format!("{}s;;{critical};0;", encode::seconds(u64::try_from(figure.millis).ok()?)))
    };
    if let Some(value) = figures::recovery_time(record).and_then(timed) {
        add("recovery_time", value);
    }
    for (which, figure) in [(figures::Loss::DataAge, "data_age"), (figures::Loss::WorstCase, "worst_case")] {
        if let Some(value) = figures::loss(record, which).and_then(timed) {
            add(figure, value);
        }
    }
    if let Some(fidelity) = &record.fidelity {
        let all = fidelity.tables_expected;
        add("tables_equal", format!("{};;{all}:;0;{all}", fidelity.tables_equal));
    }
    let limit = standing::age_limit(record, age_max).as_secs();
    let age = |moment: Moment| u64::try_from(Moment::from(now).since(moment).get());
    if let Ok(millis) = age(standing::ended_at(record)) {
        add("record_age", format!("{}s;;{limit};0;", encode::seconds(millis)));
    }
    if let Some(Ok(millis)) = series.last_pass().map(age) {
        add("last_pass_age", format!("{}s;;{limit};0;", encode::seconds(millis)));
    }
    figures
}

/// A text without what ends it for Nagios: no `|`, no newline, no control character.
fn text(text: &str, columns: usize) -> String {
    encode::name(text, columns).replace('|', "¦")
}

/// A name inside of a quoted label: no `=`, `'` or `|`, and nothing but visible ASCII.
fn label(name: &str) -> String {
    let safe =
        |c: char| if c.is_ascii_graphic() && !matches!(c, '=' | '\'' | '|' | '"' | ';') { c } else { '_' };
    name.chars().take(NAME_COLUMNS).map(safe).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_ends_the_text_or_a_label() {
        assert_eq!(text("a|b\nc\x1b[2J", 60), "a¦b\\u{a}c\\u{1b}[2J");
        assert_eq!(label("or'd=ers | x\n表"), "or_d_ers___x__");
        assert_eq!(label(&"a".repeat(5_000)).len(), NAME_COLUMNS);
    }

    #[test]
    fn nothing_at_all_is_unknown() {
        let (line, status) = line(&[], Timestamp::UNIX_EPOCH, None);
        assert_eq!((line.as_str(), status.number()), ("RESTORE UNKNOWN - there is no evidence\n", 3));
    }
}
