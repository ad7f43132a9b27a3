//! The newest drills as a text file for the node exporter's textfile collector.
//!
//! Labels hold names of the plan and published words only. Moments are exported, not ages,
//! and no sample carries a time of its own. What was not measured has no sample: an alert on
//! its absence finds it.

use std::fmt::Write as _;

use crate::exit_code::ExitCode;
use crate::record::{Cleanup, Millis, Moment, Record, SignedMillis, TableState};
use crate::report::encode;
use crate::report::stored::Series;
use crate::verdict::{Code, Verdict};

/// How long the value of a label may be, in characters.
const LABEL_CHARS_MAX: usize = 200;

/// The metrics of `series` in the text exposition format.
pub fn metrics(series: &[Series]) -> String {
    let mut file = File::default();
    let version = ("version", env!("CARGO_PKG_VERSION"));
    let commit: Option<(&str, &str)> = option_env!("FIREDRILL_GIT_COMMIT").map(|commit| ("commit", commit));
    let labels: Vec<_> = std::iter::once(version).chain(commit).collect();
    file.add("build_info", "The firedrill that wrote this file.", &labels, Some("1".to_owned()));
    for one in series {
        of_the_log(&mut file, one);
        if let Some(newest) = &one.newest {
            let service = one.service.as_str();
            of_the_run(&mut file, service, &newest.record);
            of_the_objectives(&mut file, service, &newest.record);
            of_the_backup(&mut file, service, &newest.record);
            of_the_proof(&mut file, service, &newest.record);
        }
    }
    file.text()
}

/// Families in the order in which they first appear, each with its samples together, as the
/// format demands.
#[derive(Default)]
struct File {
    families: Vec<Family>,
}

struct Family {
    name: &'static str,
    help: &'static str,
    samples: String,
}

impl File {
    /// Adds a sample of `firedrill_NAME`, if there is a value.
    fn add(
        &mut self,
        name: &'static str,
        help: &'static str,
        labels: &[(&str, &str)],
        value: Option<String>,
    ) {
        let Some(value) = value else { return };
        let labels: Vec<String> =
            labels.iter().map(|(name, value)| format!("{name}=\"{}\"", label(value))).collect();
        let sample = format!("firedrill_{name}{{{}}} {value}\n", labels.join(","));
        match self.families.iter_mut().find(|family| family.name == name) {
            Some(family) => family.samples.push_str(&sample),
            None => self.families.push(Family { name, help, samples: sample }),
        }
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for Family { name, help, samples } in &self.families {
            let kind = if name.ends_with("_total") { "counter" } else { "gauge" };
            // Writing into a String cannot fail.
            let _ = write!(text, "# HELP firedrill_{name} {help}\n# TYPE firedrill_{name} {kind}\n{samples}");
        }
        text
    }
}

const VERDICTS: [Verdict; 3] = [Verdict::Pass, Verdict::Fail, Verdict::Inconclusive];

/// What all records of a service say together.
fn of_the_log(file: &mut File, series: &Series) {
    let service = ("service", series.service.as_str());
    let sound = series.faults_total == 0;
    file.add(
        "evidence_faults",
        "What is wrong with the evidence of the service; above 0, none of it is a proof.",
        &[service],
        Some(series.faults_total.to_string()),
    );
    for verdict in VERDICTS {
        file.add(
            "runs_total",
            "Drills with a record, by verdict.",
            &[service, ("verdict", verdict.as_str())],
            Some(series.count(verdict).to_string()),
        );
    }
    file.add(
        "abandoned_runs_total",
        "Drills that were killed and left no record of their own.",
        &[service],
        Some(series.abandoned.to_string()),
    );
    file.add(
        "last_success_timestamp_seconds",
        "When the last drill that passed was over; absent if none did, or the evidence is not sound.",
        &[service],
        series.last_pass().filter(|_| sound).and_then(moment),
    );
    file.add(
        "evidence_unsent",
        "Files of evidence that wait to be copied to where the plan wants copies; absent if it wants none.",
        &[service],
        series.unsent.map(|files| files.to_string()),
    );
    let newest = series.newest.as_ref().filter(|_| sound);
    file.add(
        "last_run_exit_code",
        "The number that the newest drill alone ends a run with; absent if the evidence is not sound.",
        &[service],
        newest.map(|drill| exit_code(&drill.record).number().to_string()),
    );
    for verdict in VERDICTS {
        let is = newest.map(|drill| u8::from(drill.record.verdict.result.0 == verdict).to_string());
        file.add(
            "last_run_verdict",
            "1 for the verdict of the newest drill; absent if the evidence is not sound.",
            &[service, ("verdict", verdict.as_str())],
            is,
        );
    }
}

/// How a run of this drill alone ends, as far as its record tells: a signal that cut it short is
/// inconclusive here.
fn exit_code(record: &Record) -> ExitCode {
    let bug = record.verdict.reason_codes.iter().any(|code| code.0 == Code::Internal);
    let left = |cleanup: &Cleanup| {
        !(cleanup.scratch_removed && cleanup.removal_verified && cleanup.leaked.is_empty())
    };
    ExitCode::of_run(&[record.verdict.result.0], bug, record.cleanup.as_ref().is_some_and(left))
}

fn of_the_run(file: &mut File, service: &str, record: &Record) {
    let service = ("service", service);
    file.add(
        "last_run_timestamp_seconds",
        "When the newest drill was over, whatever its verdict.",
        &[service],
        moment(record.run.finished_at.unwrap_or(record.run.started_at)),
    );
    file.add(
        "last_run_duration_seconds",
        "How long the newest drill took, proof and clean-up included.",
        &[service],
        record.run.monotonic_duration_ms.map(|length| encode::seconds(length.get())),
    );
    for phase in &record.phases {
        file.add(
            "phase_duration_seconds",
            "How long each phase of the newest drill took.",
            &[service, ("phase", phase.name.0.as_str())],
            Some(encode::seconds(phase.duration_ms.get())),
        );
    }
    file.add(
        "evidence_sequence",
        "The place of the newest record in its log.",
        &[service],
        record.chain.sequence.map(|sequence| sequence.to_string()),
    );
    file.add(
        "clock_offset_seconds",
        "The local clock minus the store's, in the newest drill.",
        &[service],
        record.clock.offset_vs_store_ms.map(signed),
    );
    file.add(
        "scratch_leaked",
        "What the newest drill left behind.",
        &[service],
        record.cleanup.as_ref().map(|cleanup| {
            let unseen = !(cleanup.scratch_removed && cleanup.removal_verified);
            (cleanup.leaked.len().max(usize::from(unseen))).to_string()
        }),
    );
}

fn of_the_objectives(file: &mut File, service: &str, record: &Record) {
    let service = &[("service", service)];
    let time = record.measurements.recovery_time.as_ref();
    let point = record.measurements.recovery_point.as_ref();
    let seconds = |length: Millis| encode::seconds(length.get());
    file.add(
        "recovery_time_measured_seconds",
        "From the choice of a backup until the restored database answers.",
        service,
        time.map(|time| seconds(time.measured_ms)),
    );
    file.add(
        "recovery_time_estimate_seconds",
        "The measured recovery time with the overheads that the plan declares.",
        service,
        time.and_then(|time| time.estimate_ms).map(seconds),
    );
    file.add(
        "recovery_time_objective_seconds",
        "The recovery time objective.",
        service,
        record.objectives.rto_ms.map(seconds),
    );
    file.add(
        "recovery_point_objective_seconds",
        "The recovery point objective.",
        service,
        record.objectives.rpo_ms.map(seconds),
    );
    file.add(
        "worst_case_exposure_seconds",
        "The worst that could have been lost over the catalogue.",
        service,
        point.and_then(|point| point.worst_case_exposure_ms).map(seconds),
    );
}

fn of_the_backup(file: &mut File, service: &str, record: &Record) {
    let service = &[("service", service)];
    let selection = record.selection.as_ref();
    let selected = selection.and_then(|selection| selection.selected.as_ref());
    let point = selection.and_then(|selection| selection.consistency_point.as_ref());
    file.add(
        "backup_consistency_point_timestamp_seconds",
        "The moment that the data of the drilled backup speaks for.",
        service,
        point.and_then(|point| moment(point.time)),
    );
    file.add(
        "backup_available_timestamp_seconds",
        "When the store last saw the drilled backup change.",
        service,
        selected.and_then(|selected| selected.last_modified).and_then(moment),
    );
    file.add(
        "backup_size_bytes",
        "The size of the drilled backup in the store.",
        service,
        selected.map(|selected| selected.size_bytes.to_string()),
    );
    let traffic = record.traffic.as_ref();
    file.add(
        "download_bytes",
        "Bytes that came back from the store in the newest drill.",
        service,
        traffic.map(|traffic| traffic.bytes.to_string()),
    );
    file.add(
        "download_retries",
        "Requests to the store that the newest drill repeated.",
        service,
        traffic.map(|traffic| traffic.retries.to_string()),
    );
}

fn of_the_proof(file: &mut File, service: &str, record: &Record) {
    let service = ("service", service);
    if let Some(proof) = &record.fidelity {
        let states = [
            ("expected", proof.tables_expected),
            ("compared", proof.tables_compared),
            (word(TableState::Equal), proof.tables_equal),
            (word(TableState::Sampled), proof.tables_sampled),
            (word(TableState::Counted), proof.tables_counted),
            (word(TableState::Different), proof.tables_different),
            (word(TableState::Missing), proof.tables_missing),
            (word(TableState::NotComparable), proof.tables_not_comparable),
        ];
        for (state, count) in states {
            let help = "Tables of the newest drill, by how they came back.";
            file.add("tables", help, &[service, ("state", state)], Some(count.to_string()));
        }
        let rows = Some(proof.rows_total.to_string());
        file.add("restored_rows", "Rows of the tables that were expected.", &[service], rows);
        let compared = Some(proof.coverage.compared_rows.to_string());
        file.add("compared_rows", "Rows that were read back and equal.", &[service], compared);
        let bytes = Some(proof.bytes_total.to_string());
        file.add("restored_size_bytes", "Their size as COPY text.", &[service], bytes);
    }
    if let Some(checks) = &record.checks {
        let outcomes = [
            ("passed", checks.passed),
            ("failed", checks.failed),
            ("errored", checks.errored),
            ("skipped", checks.planned.saturating_sub(checks.executed)),
        ];
        for (outcome, count) in outcomes {
            let help = "Checks of the newest drill, by their outcome.";
            file.add("checks", help, &[service, ("outcome", outcome)], Some(count.to_string()));
        }
    }
}

fn word(state: TableState) -> &'static str {
    match state {
        TableState::Equal => "equal",
        TableState::Sampled => "sampled",
        TableState::Counted => "counted",
        TableState::Different => "different",
        TableState::Missing => "missing",
        TableState::NotComparable => "not_comparable",
    }
}

/// A moment in seconds since 1970; nothing for one before that.
fn moment(moment: Moment) -> Option<String> {
    u64::try_from(moment.at().as_millisecond()).ok().map(encode::seconds)
}

fn signed(millis: SignedMillis) -> String {
    let sign = if millis.get() < 0 { "-" } else { "" };
    format!("{sign}{}", encode::seconds(millis.get().unsigned_abs()))
}

/// The value of a label between its quotes: what would end it is escaped, and what would
/// steer a terminal is spelled out first.
fn label(text: &str) -> String {
    let shown = encode::name(text, LABEL_CHARS_MAX);
    shown.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_ends_the_label_that_holds_it() {
        let table = [
            ("orders", "orders"),
            ("a\"} 1\nb", "a\\\"} 1\\\\u{a}b"),
            ("back\\slash", "back\\\\slash"),
            ("\x1b[2J\u{202e}", "\\\\u{1b}[2J\\\\u{202e}"),
        ];
        for (outside, inside) in table {
            assert_eq!(label(outside), inside, "{outside:?}");
        }
        assert!(label(&"x".repeat(5_000)).chars().count() <= LABEL_CHARS_MAX);
    }

    #[test]
    fn the_samples_of_a_family_stand_together() {
        let series = [Series::none("orders"), Series::none("billing")];
        let text = metrics(&series);
        let heads = text.lines().filter(|line| line.starts_with("# TYPE")).count();
        let mut families: Vec<_> =
            text.lines().filter(|l| !l.starts_with('#')).map(|l| l.split('{').next().unwrap()).collect();
        families.dedup();
        assert_eq!(families.len(), heads, "{text}");
    }
}
