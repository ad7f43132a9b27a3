//! Which field of a record answers which control of which framework.
//!
//! The plan names controls; this table says where in the evidence an auditor finds what each
//! of them asks for. It is a help for reading and no claim: whether an organisation complies is
//! judged by people, from more than restores.

/// A control, as far as a restore test speaks to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Control {
    /// How this table calls it: `SOC2:A1.3`.
    pub id: &'static str,
    /// What follows the framework, in each way that plans write it, in capitals and without
    /// blanks.
    references: &'static [&'static str],
    /// What it asks for, as far as drills go.
    pub asks: &'static str,
    /// The fields that answer it, by their paths in the predicate; those below `review` are of
    /// the statement that a reviewer signs.
    pub fields: &'static [&'static str],
}

/// Every control that is known here, by framework.
pub const CONTROLS: &[Control] = &[
    Control {
        id: "SOC2:A1.2",
        references: &["A1.2"],
        asks: "backups and the means to recover are in place, run as scheduled, and are watched",
        fields: &[
            "objectives.expected_period_ms",
            "selection.listing",
            "selection.selected",
            "selection.freshness",
            "chain.sequence",
            "chain.abandoned_runs",
        ],
    },
    Control {
        id: "SOC2:A1.3",
        references: &["A1.3"],
        asks: "recovery is tested, and with it that backed-up data is whole and complete",
        fields: &[
            "run.scenario",
            "run.started_at",
            "run.finished_at",
            "artifact.match",
            "restore",
            "fidelity",
            "checks",
            "objectives",
            "measurements",
            "verdict",
            "review.outcome",
        ],
    },
    Control {
        id: "SOC2:CC7.5",
        references: &["CC7.5"],
        asks: "after an incident systems are restored, causes are found, and what was learnt is put to use",
        fields: &["verdict.reason_codes", "halt", "review.outcome", "review.note", "review.ticket"],
    },
    Control {
        id: "ISO27001:2022:A.8.13",
        references: &["A.8.13", "8.13"],
        asks: "copies are kept and regularly tested as a policy says, elsewhere than over the original",
        fields: &[
            "objectives",
            "environment.kind",
            "environment.cluster_created_by_run",
            "fidelity",
            "verdict",
            "chain.sequence",
        ],
    },
    Control {
        id: "ISO27001:2022:A.5.30",
        references: &["A.5.30", "5.30"],
        asks: "readiness is planned from continuity objectives, and tested against them",
        fields: &[
            "objectives.rto_ms",
            "objectives.rpo_ms",
            "measurements.recovery_time",
            "measurements.recovery_point",
        ],
    },
    Control {
        id: "NIST800-53r5:CP-4",
        references: &["CP-4"],
        asks: "the plan is tested at a set frequency, results are reviewed, and corrected where they must be",
        fields: &["run.started_at", "checks", "verdict", "review.outcome", "review.ticket"],
    },
    Control {
        id: "NIST800-53r5:CP-9(1)",
        references: &["CP-9(1)", "CP-9.1"],
        asks: "backups are tested for the reliability of their media, of fetching them, and of their content",
        fields: &["traffic", "artifact.observed", "artifact.expected", "artifact.match", "fidelity"],
    },
    Control {
        id: "NIST800-53r5:CP-9(2)",
        references: &["CP-9(2)", "CP-9.2"],
        asks: "a sample of the backups is restored as a part of testing",
        fields: &["selection.policy", "selection.selected", "restore", "fidelity.tables_compared"],
    },
    Control {
        id: "NIST800-53r5:CP-10",
        references: &["CP-10"],
        asks: "the system is brought back to a known state, within the times that were set",
        fields: &["restore", "environment.settings_relaxed", "fidelity", "measurements", "objectives"],
    },
    Control {
        id: "HIPAA:164.308(a)(7)(ii)(D)",
        references: &["164.308(A)(7)(II)(D)"],
        asks: "contingency plans are tested from time to time, and revised",
        fields: &["run.started_at", "run.actor", "fidelity", "verdict", "review.outcome", "review.ticket"],
    },
    Control {
        id: "DORA:Art.12",
        references: &["ART.12", "ART12", "ARTICLE12", "ART.12(2)", "ART12(2)", "ART.12(6)", "ART12(6)"],
        asks: "backup and restore are tested, apart from the source, against the times of each function, and \
               reconciled",
        fields: &[
            "service.tier",
            "environment.sandbox",
            "environment.cluster_created_by_run",
            "objectives.rto_ms",
            "objectives.rpo_ms",
            "measurements",
            "fidelity",
            "checks",
            "verdict",
        ],
    },
];

/// The control that a plan means by `text`, such as `SOC2:A1.3`, `A.8.13` or `NIST CP-9(1)`, if
/// it is known here.
pub fn control(text: &str) -> Option<&'static Control> {
    let text = text.to_ascii_uppercase();
    let ends_a_framework = |at: usize| {
        text.get(..at).is_some_and(|before| before.is_empty() || before.ends_with([' ', ':', '/']))
    };
    let starts = text.char_indices().map(|(at, _)| at).filter(|at| ends_a_framework(*at));
    let mut references = starts
        .filter_map(|at| Some(text.get(at..)?.chars().filter(|c| !c.is_whitespace()).collect::<String>()));
    references.find_map(|found| {
        CONTROLS.iter().find(|control| control.references.iter().any(|reference| **reference == found))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controls_are_known_by_the_names_that_plans_give_them() {
        let table = [
            ("SOC2:A1.2", Some("SOC2:A1.2")),
            ("A1.3", Some("SOC2:A1.3")),
            ("SOC 2 CC7.5", Some("SOC2:CC7.5")),
            ("ISO27001:2022:A.8.13", Some("ISO27001:2022:A.8.13")),
            ("a.5.30", Some("ISO27001:2022:A.5.30")),
            ("NIST800-53r5:CP-9(1)", Some("NIST800-53r5:CP-9(1)")),
            ("NIST CP-4", Some("NIST800-53r5:CP-4")),
            ("CP-10", Some("NIST800-53r5:CP-10")),
            ("HIPAA 164.308(a)(7)(ii)(D)", Some("HIPAA:164.308(a)(7)(ii)(D)")),
            ("DORA Art. 12(2)", Some("DORA:Art.12")),
            ("DORA:Art12", Some("DORA:Art.12")),
            ("A.18.13", None),
            ("CP-9", None),
            ("XCP-4", None),
            ("CP-40", None),
            ("", None),
        ];
        for (text, id) in table {
            assert_eq!(control(text).map(|control| control.id), id, "{text}");
        }
    }
}
