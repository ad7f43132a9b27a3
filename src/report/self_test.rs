//! What a self-test ends with, for a person and for a program.

use serde::Serialize;

use crate::report::encode;
use crate::report::layout::{Page, labelled};
use crate::self_test::{Came, Detection, SelfTest, Trial};
use crate::verdict::Verdict;

/// Columns that the name of something damaged may take.
const NAME_COLUMNS: usize = 200;

/// The final word.
pub fn text(test: &SelfTest, page: Page) -> String {
    let (done, detected) = (test.done(), test.detected());
    let (verdict, end) = match (test.is_complete(), test.all_detected()) {
        (false, _) => (Verdict::Inconclusive, ", and not all of it was tried"),
        (true, false) => (Verdict::Fail, ""),
        (true, true) => (Verdict::Pass, ""),
    };
    let score = page.paint.verdict(verdict, format!("{detected} of {done} kinds of damage detected{end}"));
    let service = encode::name(&test.service, NAME_COLUMNS);
    let mut text = format!("self-test of {service}: {score}\n");
    let mut line = |label: &str, said: &str| text.push_str(&labelled(label, said, page.columns));
    let backup = encode::name(&test.backup, 1_000);
    let took = encode::duration(test.took);
    line(
        "backup",
        &format!("{backup}, untouched: copies were damaged, in {took}, drawn by seed {}", test.seed),
    );
    for trial in &test.trials {
        let (label, said) = told(trial);
        line(label, &said);
    }
    if let Some(reason) = &test.stopped {
        line("stopped", &encode::sentence(&format!("{}; {}", reason.detail, reason.remedy)));
    }
    if let (of @ 1.., seen) = test.by_checks() {
        line(
            "checks",
            &format!(
                "the plan's own saw {seen} of {of} kinds of damage to data; what goes wrong at the source \
                 is in the backup, too, and only they can see it there"
            ),
        );
    }
    for left in &test.leaked {
        line("left", &encode::sentence(left));
    }
    text + "A self-test is no drill, and leaves no evidence of its own.\n"
}

fn told(trial: &Trial) -> (&'static str, String) {
    let what = match trial.target.is_empty() {
        true => trial.mutation.words().to_owned(),
        false => format!("{} ({})", trial.mutation.words(), encode::name(&trial.target, NAME_COLUMNS)),
    };
    match &trial.came {
        Came::Seen(detection) if detection.is_red() => ("detected", format!("{what}: {}", by(detection))),
        Came::Seen(detection) => {
            let warned = match detection.warnings.as_slice() {
                [] => String::new(),
                codes => {
                    let codes: Vec<_> = codes.iter().map(|code| code.as_str()).collect();
                    format!(" but the warning {}", codes.join(", "))
                }
            };
            ("UNDETECTED", format!("{what}: nothing turned red{warned}; {}", trial.mutation.remedy()))
        }
        Came::NotApplicable => ("skipped", format!("{what}: the backup has nothing of that kind")),
        Came::NotTried(reason) => {
            ("not tried", encode::sentence(&format!("{what}: {}; {}", reason.detail, reason.remedy)))
        }
    }
}

fn by(detection: &Detection) -> String {
    let codes = detection.codes.iter().map(|code| code.as_str().to_owned());
    let checks = detection.checks.iter().map(|name| format!("check '{}'", encode::name(name, NAME_COLUMNS)));
    codes.chain(checks).collect::<Vec<_>>().join(", ")
}

/// The result as a program reads it.
#[derive(Debug, Serialize)]
pub struct SelfTested<'a> {
    service: &'a str,
    backup: &'a str,
    seed: u32,
    /// Whether every kind of damage was tried that there is something for.
    complete: bool,
    /// Kinds of damage that were done.
    damages: usize,
    detected: usize,
    /// Those that could have happened at the source.
    damages_to_data: usize,
    detected_by_checks: usize,
    mutations: Vec<TriedMutation<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stopped: Option<Stopped<'a>>,
    leaked: &'a [String],
    duration_ms: u64,
}

/// One kind of damage.
#[derive(Debug, Serialize)]
struct TriedMutation<'a> {
    mutation: &'static str,
    target: &'a str,
    /// `detected`, `undetected`, `not_applicable` or `not_tried`.
    result: &'static str,
    reason_codes: Vec<&'static str>,
    checks: &'a [String],
    warning_codes: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<&'a str>,
}

/// Why something was not come to.
#[derive(Debug, Serialize)]
struct Stopped<'a> {
    code: &'static str,
    detail: &'a str,
    remedy: &'a str,
}

/// The result as a program reads it.
pub fn self_tested(test: &SelfTest) -> SelfTested<'_> {
    let (damages_to_data, detected_by_checks) = test.by_checks();
    SelfTested {
        service: &test.service,
        backup: &test.backup,
        seed: test.seed,
        complete: test.is_complete(),
        damages: test.done(),
        detected: test.detected(),
        damages_to_data,
        detected_by_checks,
        mutations: test.trials.iter().map(tried).collect(),
        stopped: test.stopped.as_ref().map(|reason| Stopped {
            code: reason.code.as_str(),
            detail: &reason.detail,
            remedy: &reason.remedy,
        }),
        leaked: &test.leaked,
        duration_ms: u64::try_from(test.took.as_millis()).unwrap_or(u64::MAX),
    }
}

fn tried(trial: &Trial) -> TriedMutation<'_> {
    let mut tried = TriedMutation {
        mutation: trial.mutation.as_str(),
        target: &trial.target,
        result: "not_applicable",
        reason_codes: Vec::new(),
        checks: &[],
        warning_codes: Vec::new(),
        remedy: None,
    };
    match &trial.came {
        Came::Seen(detection) => {
            tried.result = if detection.is_red() { "detected" } else { "undetected" };
            tried.reason_codes = detection.codes.iter().map(|code| code.as_str()).collect();
            tried.checks = &detection.checks;
            tried.warning_codes = detection.warnings.iter().map(|code| code.as_str()).collect();
            tried.remedy = (!detection.is_red()).then(|| trial.mutation.remedy());
        }
        Came::NotTried(reason) => {
            tried.result = "not_tried";
            tried.reason_codes = vec![reason.code.as_str()];
            tried.remedy = Some(&reason.remedy);
        }
        Came::NotApplicable => {}
    }
    tried
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::record::WarningCode;
    use crate::report::paint::Paint;
    use crate::self_test::Mutation;
    use crate::verdict::{Code, Reason};

    fn test() -> SelfTest {
        let seen = |codes: &[Code], checks: &[&str], warnings: &[WarningCode]| {
            let checks = checks.iter().map(|name| (*name).to_owned()).collect();
            Came::Seen(Detection { codes: codes.to_vec(), checks, warnings: warnings.to_vec() })
        };
        let full = Reason::new(Code::ScratchDiskFull, "the disk is full", "make room");
        let trials = [
            (Mutation::DropRow, "public.\x1b[2Jt", seen(&[Code::DataMismatch], &["a check"], &[])),
            (Mutation::EmptyTable, "public.t", seen(&[], &[], &[WarningCode::DriftRowsDropped])),
            (Mutation::DropIndex, "", Came::NotApplicable),
            (Mutation::DisableTrigger, "", Came::NotTried(full)),
        ];
        SelfTest {
            service: "orders".into(),
            backup: "orders.dump".into(),
            seed: 7,
            trials: trials
                .map(|(mutation, target, came)| Trial { mutation, target: target.into(), came })
                .into(),
            stopped: None,
            leaked: Vec::new(),
            took: Duration::from_secs(9),
        }
    }

    #[test]
    fn each_damage_has_its_line_and_what_is_hostile_is_encoded() {
        let shown = text(&test(), Page { paint: Paint::PLAIN, columns: 120 });
        let words = shown.split_whitespace().collect::<Vec<_>>().join(" ");
        for told in [
            "self-test of orders: 1 of 2 kinds of damage detected, and not all of it was tried",
            "drawn by seed 7",
            "detected drop a row (public.\\u{1b}[2Jt): DATA_MISMATCH, check 'a check'",
            "UNDETECTED empty the largest table (public.t): nothing turned red but the warning DRIFT_ROWS_DROPPED",
            "skipped drop an index",
            "not tried disable a trigger: the disk is full; make room",
            "the plan's own saw 1 of 2 kinds of damage to data",
        ] {
            assert!(words.contains(told), "it lacks '{told}': {shown}");
        }
    }

    #[test]
    fn a_program_reads_the_score_and_each_result() {
        let read = serde_json::to_value(self_tested(&test())).unwrap();
        assert_eq!((&read["damages"], &read["detected"]), (&2.into(), &1.into()));
        assert_eq!((&read["damages_to_data"], &read["detected_by_checks"]), (&2.into(), &1.into()));
        assert_eq!(read["complete"], false);
        let results: Vec<_> =
            read["mutations"].as_array().unwrap().iter().map(|one| one["result"].clone()).collect();
        assert_eq!(results, ["detected", "undetected", "not_applicable", "not_tried"]);
        assert_eq!(read["mutations"][1]["warning_codes"][0], "DRIFT_ROWS_DROPPED");
        assert_eq!(read["mutations"][3]["reason_codes"][0], "SCRATCH_DISK_FULL");
    }
}
