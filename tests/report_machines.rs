//! What programs read of stored drills: JUnit XML, Prometheus metrics and the Nagios line,
//! each held against a reader that is not ours, and against names that hurt.

// Helpers count as tests by this, and may unwrap like them.
#![cfg(test)]

#[path = "support/parts.rs"]
#[expect(dead_code, reason = "no server is started here")]
mod parts;
mod report_support;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use firedrill::judge::pronounce;
use firedrill::record::*;
use firedrill::report::html::{Shown, page};
use firedrill::report::nagios::{self, Status};
use firedrill::report::stored::Series;
use firedrill::report::{junit, prometheus};
use firedrill::verdict::Verdict;
use jiff::{SignedDuration, Timestamp};
use parts::part;
use report_support::*;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/report");

/// Three hours after the golden drill.
fn now() -> Timestamp {
    end_of_the_golden_night() + SignedDuration::from_hours(3)
}

/// The series of one drill, judged as it stands.
fn series(change: impl FnOnce(&mut Record)) -> Series {
    let mut record = night("orders", 0);
    record.run.run_id = passing().run.run_id;
    change(&mut record);
    pronounce(&mut record);
    Series::of_one(&record)
}

/// Series that end in each way there is.
fn gallery() -> Vec<(&'static str, Series)> {
    vec![
        ("passing", Series { unsent: Some(2), ..series(|_| {}) }),
        ("different", series(different)),
        ("stamped", series(stamped)),
        ("halted", series(halted)),
        ("hostile", hostile()),
        ("never", Series::none("orders")),
    ]
}

/// A drill in which everything is called what an attacker would call it.
fn hostile() -> Series {
    series(|record| {
        let text = "a\"b'c<d>&|e=f\\g{h}\n# i\r\u{1b}[2J\u{85}\u{202e}j\u{fffe}表";
        let run_id = record.run.run_id;
        *record = with_text_everywhere(text);
        record.run.run_id = run_id;
        record.service.id = text.to_owned();
    })
}

/// `text` is what the golden file says; where that is to be written, it is.
fn is_golden(name: &str, text: &str) {
    let text = text.replace(env!("CARGO_PKG_VERSION"), "VERSION");
    let path = Path::new(FIXTURES).join(name);
    if std::env::var_os("FIREDRILL_GOLDEN").is_some_and(|how| how == "write") {
        fs::write(&path, &text).unwrap();
    }
    let golden = fs::read_to_string(&path).unwrap_or_default();
    assert!(text == golden, "{name} is not what it was; see fixtures/report/README.md\n{text}");
}

/// The page but for its style and the digest of that, one element a line.
fn without_style(html: &str) -> String {
    let (before, rest) = html.split_once("<style>").unwrap();
    let (_, after) = rest.split_once("</style>").unwrap();
    let (start, rest) = before.split_once("'sha256-").unwrap();
    let (_, end) = rest.split_once('\'').unwrap();
    let text = format!("{start}'sha256-STYLE'{end}<style>STYLE</style>{after}");
    let lines = text.lines().map(str::trim_end).filter(|line| !line.is_empty());
    lines.map(|line| format!("{line}\n")).collect()
}

#[test]
fn what_is_written_is_what_was_written_before() {
    for (name, series) in gallery() {
        let series = [series];
        is_golden(&format!("{name}.junit.xml"), &junit::document(&series, now(), None));
        is_golden(&format!("{name}.prom"), &prometheus::metrics(&series));
        is_golden(&format!("{name}.nagios.txt"), &nagios::line(&series, now(), None).0);
        let shown =
            Shown { series: &series, now: now(), age_max: None, stocks: &Default::default(), notes: &[] };
        is_golden(&format!("{name}.html"), &without_style(&page(shown).unwrap()));
    }
}

/// What `command` says to `text` on its stdin: nothing, if it is content.
fn objections(command: &mut Command, text: &str) -> Option<String> {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (!output.status.success()).then_some(said)
}

fn xml_faults(xml: &str) -> Option<String> {
    let schema = Path::new(FIXTURES).join("junit.xsd");
    objections(
        Command::new(part("xmllint", "xmllint"))
            .args(["--noout", "--nonet", "--schema"])
            .arg(schema)
            .arg("-"),
        xml,
    )
}

fn metric_faults(text: &str) -> Option<String> {
    objections(Command::new(part("prometheus", "promtool")).args(["check", "metrics"]), text)
}

#[test]
fn xmllint_takes_every_document_and_the_counts_are_true() {
    assert!(xml_faults("<testsuites name=\"x\" tests=\"0\" failures=\"0\" errors=\"0\"/>").is_some());
    let mut all: Vec<Series> = gallery().into_iter().map(|(_, series)| series).collect();
    all.extend(each_name());
    for some in [&all[..], &all[..1], &[]] {
        let xml = junit::document(some, now(), None);
        assert_eq!(xml_faults(&xml), None, "{xml}");
        let count = |element: &str| xml.matches(&format!("<{element} ")).count();
        let head = format!(
            "<testsuites name=\"firedrill\" tests=\"{}\" failures=\"{}\" errors=\"{}\">",
            count("testcase"),
            count("failure"),
            count("error")
        );
        assert!(xml.contains(&head), "{head}\n{xml}");
    }
}

#[test]
fn promtool_takes_every_file() {
    assert!(metric_faults("a{b=\"c} 1\n").is_some());
    let mut all: Vec<Series> = gallery().into_iter().map(|(_, series)| series).collect();
    all.remove(0); // `orders` would be there twice
    all.remove(0);
    all.truncate(2);
    all.extend(each_name());
    for some in [&all[..], &all[..1], &[]] {
        let text = prometheus::metrics(some);
        assert_eq!(metric_faults(&text), None, "{text}");
    }
}

#[test]
fn promtool_takes_the_alerts_of_the_readme() {
    let readme = include_str!("../README.md");
    let rules = readme.split("```yaml\n").find(|block| block.starts_with("groups:")).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), rules.split_once("```").unwrap().0).unwrap();
    let mut promtool = Command::new(part("prometheus", "promtool"));
    assert_eq!(objections(promtool.args(["check", "rules"]).arg(file.path()), ""), None);
    let known = prometheus::metrics(&[Series { unsent: Some(0), ..series(|_| {}) }]);
    for name in
        rules.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|w| w.starts_with("firedrill_"))
    {
        assert!(known.contains(&format!("# TYPE {name} ")), "{name} is no metric of ours");
    }
}

/// A pass for each hostile name, and one whose name is 5,000 bytes long.
fn each_name() -> Vec<Series> {
    let mut names: Vec<String> = HOSTILE.iter().map(ToString::to_string).collect();
    names.push("very ".repeat(1_000));
    names
        .iter()
        .map(|name| {
            let mut record = with_text_everywhere(name);
            record.service.id.clone_from(name);
            pronounce(&mut record);
            Series::of_one(&record)
        })
        .collect()
}

/// A drill that is no pass has a case that is none, and one that passed has only such.
#[test]
fn no_suite_of_a_drill_that_did_not_pass_is_green() {
    for (name, series) in gallery() {
        let verdict = series.newest.as_ref().map(|drill| drill.record.verdict.result.0);
        let xml = junit::document(&[series], now(), None);
        let green = xml.contains("failures=\"0\" errors=\"0\"");
        assert_eq!(green, verdict == Some(Verdict::Pass), "{name}\n{xml}");
    }
    let stale = junit::document(&[series(|_| {})], now(), Some(Duration::from_secs(3_600)));
    assert!(stale.contains("is 3h00m old, and may be 1h"), "{stale}");
}

#[test]
fn what_was_not_measured_has_no_sample() {
    let text = prometheus::metrics(&[series(halted)]);
    for absent in ["recovery_time_measured", "restored_rows", "firedrill_tables", "last_success"] {
        assert!(!text.contains(absent), "{absent}\n{text}");
    }
    assert!(text.contains("firedrill_recovery_time_objective_seconds{service=\"orders\"} 14400\n"));
}

#[test]
fn damaged_evidence_shows_no_verdict_to_prometheus() {
    let mut series = series(|_| {});
    series.faults.push("a file was changed".to_owned());
    series.faults_total = 1;
    let text = prometheus::metrics(&[series]);
    assert!(text.contains("firedrill_evidence_faults{service=\"orders\"} 1\n"), "{text}");
    assert!(!text.contains("last_run_verdict") && !text.contains("last_success"), "{text}");
}

/// One item of performance data, as the plugin guidelines write it.
#[derive(Debug, PartialEq)]
struct Perf {
    label: String,
    value: f64,
    unit: String,
    critical: String,
}

/// The status word, the text and the performance data of a line, or what is wrong with it.
fn parsed(line: &str) -> Result<(String, Vec<Perf>), String> {
    let line = line.strip_suffix('\n').ok_or("no newline at the end")?;
    if line.chars().any(char::is_control) {
        return Err("a control character".to_owned());
    }
    let (text, perf) = match line.split_once('|') {
        Some((text, perf)) => (text, perf),
        None => (line, ""),
    };
    if perf.contains('|') {
        return Err("two bars".to_owned());
    }
    let mut items = Vec::new();
    let mut rest = perf.trim();
    while !rest.is_empty() {
        let inside = rest.strip_prefix('\'').ok_or("a label without a quote")?;
        let (label, behind) = inside.split_once("'=").ok_or("a label that does not end")?;
        if label.contains(['=', '\'']) || label.is_empty() {
            return Err(format!("the label {label:?}"));
        }
        let (item, next) = behind.split_once(' ').unwrap_or((behind, ""));
        items.push(one_item(label, item)?);
        rest = next;
    }
    Ok((text.trim().to_owned(), items))
}

fn one_item(label: &str, item: &str) -> Result<Perf, String> {
    let fields: Vec<&str> = item.split(';').collect();
    if fields.len() > 5 {
        return Err(format!("too many fields: {item}"));
    }
    let end = fields[0].find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(fields[0].len());
    let (value, unit) = fields[0].split_at(end);
    if !["", "s", "%", "B", "c"].contains(&unit) {
        return Err(format!("the unit {unit:?}"));
    }
    let range = |text: &str| text.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | ':' | '~' | '@'));
    if !fields[1..].iter().all(|field| range(field)) {
        return Err(format!("a range: {item}"));
    }
    let value = value.parse().map_err(|_| format!("the value {value:?}"))?;
    let critical = fields.get(2).copied().unwrap_or_default().to_owned();
    Ok(Perf { label: label.to_owned(), value, unit: unit.to_owned(), critical })
}

#[test]
fn a_strict_reader_takes_every_line() {
    for broken in ["a | 'b'=1 | 'c'=2\n", "a | b=1\n", "a\nb\n", "a | 'b'=1e3s\n", "a | 'b'=1q\n", "a"] {
        assert!(parsed(broken).is_err(), "{broken:?}");
    }
    let mut all: Vec<Series> = gallery().into_iter().map(|(_, series)| series).collect();
    all.extend(each_name());
    for series in &all {
        let (line, _) = nagios::line(std::slice::from_ref(series), now(), None);
        parsed(&line).unwrap_or_else(|why| panic!("{why}: {line:?}"));
    }
    let (line, status) = nagios::line(&all, now(), None);
    parsed(&line).unwrap_or_else(|why| panic!("{why}: {line:?}"));
    assert_eq!(status, Status::Critical, "the worst decides");
}

#[test]
fn the_line_of_a_pass_holds_its_figures_and_limits() {
    let (line, status) = nagios::line(&[series(no_exposure)], now(), None);
    let (text, perf) = parsed(&line).unwrap();
    assert_eq!(status, Status::Ok, "{line}");
    assert_eq!(text, "RESTORE OK - orders: restored in 17m28s, data 1h30m old, 3 of 3 tables equal");
    let item = |label: &str| perf.iter().find(|item| item.label == label).unwrap();
    assert_eq!(
        (item("orders.recovery_time").value, item("orders.recovery_time").unit.as_str()),
        (1768.051, "s")
    );
    assert_eq!(item("orders.recovery_time").critical, "14400");
    assert_eq!(item("orders.data_age").critical, "86400");
    assert_eq!(item("orders.tables_equal").critical, "3:");
    assert_eq!(item("orders.record_age").value, 3.0 * 3_600.0);
    assert_eq!(item("orders.record_age").critical, "93600", "the cadence and its grace");
}

/// The worst loss over the catalogue meets the objective too, so that nothing is left to say.
fn no_exposure(record: &mut Record) {
    let point = record.measurements.recovery_point.as_mut().unwrap();
    point.worst_case_exposure_ms = Some(Millis::new(80_000_000));
    point.met_worst_case = Some(true);
}

#[test]
fn each_standing_has_its_number() {
    let hour = SignedDuration::from_hours(1);
    let damaged = || {
        let mut series = series(no_exposure);
        series.faults = vec!["00000001.json: it was changed".to_owned()];
        series.faults_total = 1;
        series
    };
    let leaky = || {
        series(|record| {
            no_exposure(record);
            record.cleanup.as_mut().unwrap().leaked = vec!["/tmp/scratch".to_owned()];
        })
    };
    let ended = end_of_the_golden_night();
    let table: [(&str, Series, Timestamp, u8, &str); 10] = [
        ("a pass", series(no_exposure), now(), 0, "RESTORE OK - orders: restored in"),
        ("a pass at its limit", series(no_exposure), ended + hour * 26, 0, "RESTORE OK"),
        ("a pass with exposure", series(|_| {}), now(), 1, "but the worst loss over the catalogue"),
        ("a pass that left scratch", leaky(), now(), 1, "but the scratch was not seen to be gone"),
        ("a failure", series(different), now(), 2, "orders: fail: "),
        ("a pass too old", series(no_exposure), ended + hour * 27, 2, "is 27h00m old, and may be 26h"),
        ("inconclusive", series(halted), now(), 3, "orders: inconclusive: the store stopped answering"),
        ("no drill", Series::none("orders"), now(), 3, "no drill of this service has left a record"),
        ("damaged", damaged(), now(), 3, "00000001.json: it was changed"),
        ("from the future", series(no_exposure), ended - hour, 3, "one of the two clocks is wrong"),
    ];
    for (name, series, now, number, words) in table {
        let (line, status) = nagios::line(&[series], now, None);
        assert_eq!(status.number(), number, "{name}: {line}");
        assert!(line.contains(words), "{name}: {line}");
    }
}
