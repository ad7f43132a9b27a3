//! The final word of a run: a table of all drills, and below it what to know about each.

use std::path::Path;

use comfy_table::{Attribute, Cell, Color};

use crate::record::{ComparedPoint, ComparedTime, Millis, Record};
use crate::report::detail;
use crate::report::encode;
use crate::report::layout::{self, Page};
use crate::report::paint::Paint;
use crate::verdict::Verdict;

/// Columns that a service's name may take in the table.
const SERVICE_COLUMNS: usize = 24;

/// A drill that is over, and where its evidence lies.
#[derive(Clone, Copy, Debug)]
pub struct Reported<'a> {
    /// Everything known about it, judged.
    pub record: &'a Record,
    /// The file of its evidence, if it could be written.
    pub evidence: Option<&'a Path>,
}

impl Reported<'_> {
    /// What the drill proved.
    pub fn verdict(&self) -> Verdict {
        self.record.verdict.result.0
    }
}

/// How the final word is set.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// Colours or none.
    pub paint: Paint,
    /// Columns of the screen; see [`crate::report::layout::readable`].
    pub columns: usize,
    /// Leave out what passed.
    pub quiet: bool,
}

/// The final word over `drills`, in their order; empty when quiet and everything passed.
pub fn summary(drills: &[Reported<'_>], style: Style) -> String {
    let shown: Vec<_> =
        drills.iter().filter(|drill| !style.quiet || drill.verdict() != Verdict::Pass).collect();
    if shown.is_empty() {
        return String::new();
    }
    let mut text = table(&shown, style);
    text.push('\n');
    for drill in shown {
        text.push('\n');
        text.push_str(&detail::detail(drill, style));
    }
    if !style.quiet {
        text.push('\n');
        text.push_str(&tally(drills));
    }
    text
}

/// `3 drills: 1 passed, 1 inconclusive, 1 failed.`
fn tally(drills: &[Reported<'_>]) -> String {
    let words =
        [(Verdict::Pass, "passed"), (Verdict::Inconclusive, "inconclusive"), (Verdict::Fail, "failed")];
    let counts = words.iter().filter_map(|(verdict, word)| {
        let count = drills.iter().filter(|drill| drill.verdict() == *verdict).count();
        (count > 0).then(|| format!("{count} {word}"))
    });
    let counts: Vec<_> = counts.collect();
    format!("{}: {}.\n", encode::plural(drills.len() as u64, "drill"), counts.join(", "))
}

fn table(drills: &[&Reported<'_>], style: Style) -> String {
    let mut table = layout::table(Page { paint: style.paint, columns: style.columns });
    table.set_header(["service", "verdict", "recovery time", "data age", "proven"]);
    for drill in drills {
        table.add_row([
            Cell::new(encode::name(&drill.record.service.id, SERVICE_COLUMNS)),
            verdict(drill.verdict()),
            Cell::new(recovery_time(drill.record)),
            Cell::new(data_age(drill.record)),
            Cell::new(proven(drill.record)),
        ]);
    }
    table.trim_fmt()
}

fn verdict(verdict: Verdict) -> Cell {
    let cell = Cell::new(verdict.as_str());
    match verdict {
        Verdict::Pass => cell.fg(Color::Green),
        Verdict::Inconclusive => cell.fg(Color::Yellow),
        Verdict::Fail => cell.fg(Color::Red).add_attribute(Attribute::Bold),
    }
}

/// `6m42s of 15m`, `21m03s over 15m`, or `6m42s` without an objective.
fn recovery_time(record: &Record) -> String {
    let Some(time) = &record.measurements.recovery_time else { return "not measured".into() };
    let compared = match time.compared_value {
        ComparedTime::MeasuredMs => time.measured_ms,
        ComparedTime::EstimateMs => time.estimate_ms.unwrap_or(time.measured_ms),
    };
    against(encode::duration(compared.duration()), time.objective_ms, time.met)
}

/// The same for the data that would be lost.
fn data_age(record: &Record) -> String {
    let Some(point) = &record.measurements.recovery_point else { return "not known".into() };
    match point.compared_value {
        ComparedPoint::DataAgeMs | ComparedPoint::NewestBackupAgeMs => {
            against(encode::age(point.loss_now_ms().get()), point.objective_ms, point.met_now)
        }
        ComparedPoint::WorstCaseExposureMs => match point.worst_case_exposure_ms {
            Some(worst) => {
                let shown = format!("{} at worst", encode::duration(worst.duration()));
                against(shown, point.objective_ms, point.met_worst_case)
            }
            None => "not known".into(),
        },
    }
}

fn against(measured: String, objective: Option<Millis>, met: Option<bool>) -> String {
    let relation = match met {
        Some(true) => "of",
        Some(false) => "over",
        None => return measured,
    };
    match objective {
        Some(objective) => format!("{measured} {relation} {}", encode::objective(objective.duration())),
        None => measured,
    }
}

/// `41 tables, 12 M rows, 3 checks`: only what came out well.
fn proven(record: &Record) -> String {
    let mut parts = Vec::new();
    if let Some(fidelity) = &record.fidelity {
        parts.push(out_of(fidelity.tables_equal, fidelity.tables_expected, "table"));
        parts.push(match fidelity.tables_sampled {
            0 => encode::plural(fidelity.coverage.compared_rows, "row"),
            _ => format!(
                "a sample of {} of {}",
                encode::count(fidelity.coverage.compared_rows),
                encode::plural(fidelity.coverage.total_rows, "row")
            ),
        });
    }
    if let Some(checks) = record.checks.as_ref().filter(|checks| checks.planned > 0) {
        parts.push(out_of(checks.passed, checks.planned, "check"));
    }
    if parts.is_empty() { "nothing".into() } else { parts.join(", ") }
}

/// `3 checks`, or `2 of 3 checks`.
fn out_of(good: u64, all: u64, noun: &str) -> String {
    match good == all {
        true => encode::plural(all, noun),
        false => format!("{} of {}", encode::count(good), encode::plural(all, noun)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{ComparedTo, Fidelity};
    use crate::report::sample;

    const PLAIN: Style = Style { paint: Paint::PLAIN, columns: 80, quiet: false };

    fn shown(records: &[Record], style: Style) -> String {
        let evidence = Path::new("/var/lib/firedrill/evidence/orders/00000001.json");
        let drills: Vec<_> =
            records.iter().map(|record| Reported { record, evidence: Some(evidence) }).collect();
        summary(&drills, style)
    }

    #[test]
    fn a_pass_is_told_with_its_figures() {
        let expected = " service   verdict   recovery time   data age       proven
────────────────────────────────────────────────────────────────────────────────
 orders    pass      8m43s of 15m    3h12m of 24h   2 tables, 246,912 rows, 1
                                                    check

orders: pass
  backup     s3://acme-backups/orders/orders-20261120T020000Z.dump (12 GiB),
             data as of 2026-11-20T02:00:00Z, by its name
  proven     2 of 2 tables equal row for row (246,912 of 246,912 rows by SHA-256
             row hash); 1 of 1 check passed
  time       select 0.4s, provision 2.1s, restore 6m20s, ready 20s, and as the
             plan declares cutover 2m; then proof 1m01s, cleanup 0.3s
  scratch    PostgreSQL 17.6, isolated: no network, as user 'postgres'
  caveats    compared with the archive, not with the source
  evidence   /var/lib/firedrill/evidence/orders/00000001.json

1 drill: 1 passed.
";
        assert_eq!(shown(&[sample::pass()], PLAIN), expected);
    }

    #[test]
    fn a_failure_is_told_with_its_reasons_and_what_to_do() {
        let expected = " service   verdict   recovery time   data age         proven
────────────────────────────────────────────────────────────────────────────────
 billing   fail      8m43s of 15m    2d06h over 24h   1 of 13 tables, 123,456
                                                      rows, 0 of 1 check

billing: fail
  why        the restored rows of 1 table differ from the rows inside the
             archive [DATA_MISMATCH]
  what to do keep this backup, restore an older one, and look at the storage
             under the source
  why        the data is 2d06h old; the objective is 24h [RPO_MISSED]
  differ     public.bad_00, public.bad_01, public.bad_02, public.bad_03,
             public.bad_04, public.bad_05, public.bad_06, public.bad_07,
             public.bad_08, public.bad_09 and 2 more
  check      'no orphaned payments': expected = 0, got 7
  backup     s3://acme-backups/orders/orders-20261120T020000Z.dump (12 GiB),
             data as of 2026-11-17T23:12:00Z, at the latest, by when it was
             stored ± 1m00s
  proven     1 of 13 tables equal row for row (123,456 of 1.6 M rows by SHA-256
             row hash); 0 of 1 check passed
  time       select 0.4s, provision 2.1s, restore 6m20s, ready 20s, and as the
             plan declares cutover 2m; then proof 1m01s, cleanup 0.3s
  scratch    PostgreSQL 17.6, not isolated: the network of this machine, as user
             'postgres'; relaxed: fsync = off
  left       /tmp/firedrill-scratch-1; 'firedrill sweep' removes it
  caveats    compared with the archive, not with the source
  evidence   /var/lib/firedrill/evidence/orders/00000001.json

1 drill: 1 failed.
";
        assert_eq!(shown(&[sample::failure()], PLAIN), expected);
    }

    #[test]
    fn a_drill_that_was_never_judged_is_told_too() {
        let expected = " service   verdict        recovery time   data age    proven
──────────────────────────────────────────────────────────────
 orders    inconclusive   not measured    not known   nothing

orders: inconclusive
  why        nothing has been judged yet [NOT_EVALUATED]
  evidence   /var/lib/firedrill/evidence/orders/00000001.json

1 drill: 1 inconclusive.
";
        assert_eq!(shown(&[sample::begun()], PLAIN), expected);
    }

    #[test]
    fn quiet_tells_only_what_is_not_a_pass() {
        let quiet = Style { quiet: true, ..PLAIN };
        assert_eq!(shown(&[sample::pass()], quiet), "");
        let mixed = shown(&[sample::pass(), sample::failure()], quiet);
        assert!(mixed.contains("billing") && !mixed.contains("orders:"), "{mixed}");
    }

    #[test]
    fn nothing_is_wider_than_the_screen_but_what_must_stay_whole() {
        for columns in [60, 80, 120] {
            let text = shown(&[sample::pass(), sample::failure()], Style { columns, ..PLAIN });
            for line in text.lines().filter(|line| !line.contains("://") && !line.contains("/var/")) {
                assert!(encode::width(line) <= columns, "{columns}: {line}");
            }
        }
    }

    #[test]
    fn colours_change_nothing_but_colours() {
        let coloured = Style { paint: Paint::coloured(), ..PLAIN };
        let text = shown(&[sample::pass(), sample::failure()], coloured);
        assert!(text.contains("\x1b["));
        let mut stripped = String::new();
        let mut rest = text.as_str();
        while let Some((before, behind)) = rest.split_once("\x1b[") {
            stripped.push_str(before);
            rest = behind.split_once('m').unwrap().1;
        }
        stripped.push_str(rest);
        assert_eq!(stripped, shown(&[sample::pass(), sample::failure()], PLAIN));
    }

    #[test]
    fn where_a_stamp_took_part_each_place_is_told() {
        let mut record = sample::failure();
        let mut tables = record.fidelity.take().unwrap().tables;
        tables.truncate(2);
        let hash = |digit: &str| Some(digit.repeat(64).parse().unwrap());
        let table = &mut tables[1];
        (table.stamp_hash, table.stream_hash, table.restored_hash) = (hash("a"), hash("b"), hash("b"));
        table.stamp_rows = Some(7);
        record.fidelity = Some(Fidelity::of(ComparedTo::SourceStamp, tables));
        let text = shown(&[record], PLAIN).split_whitespace().collect::<Vec<_>>().join(" ");
        let differ = "differ public.bad_00: source aaaaaaaaaaaa (7 rows), archive bbbbbbbbbbbb (123,456 rows), \
                      restored bbbbbbbbbbbb (123,456 rows): source and archive differ";
        assert!(text.contains(differ), "{text}");
        assert!(text.contains("1 of 2 tables equal row for row at the source, in the archive and restored"));
    }

    #[test]
    fn no_name_steers_the_terminal() {
        let mut record = sample::failure();
        let hostile = "\x1b]0;owned\x07\u{202e}";
        record.service.id = hostile.into();
        record.verdict.statement = hostile.into();
        for reason in &mut record.verdict.reasons {
            reason.detail = hostile.into();
            reason.remedy = hostile.into();
        }
        for table in &mut record.fidelity.as_mut().unwrap().tables {
            table.name = hostile.into();
        }
        let text = shown(&[record], PLAIN);
        assert!(!text.contains(['\x1b', '\x07', '\u{202e}']), "{text}");
    }
}
