//! Which fields of a record speak to a control that the plan refers to.
//!
//! The plan names the control, and an auditor judges it. This is a list of where to look.

use serde_json::Value;

use crate::record::Record;
use crate::report::html::words;

/// How many references are shown.
const REFERENCES_MAX: usize = 50;

/// A control that the plan refers to.
pub struct Control {
    /// The reference, as the plan gives it.
    pub reference: String,
    /// What the control asks about, in a few words; absent where firedrill does not know it.
    pub asks: Option<&'static str>,
    /// Fields of the record that speak to it.
    pub fields: Vec<Field>,
}

/// A field of the record.
pub struct Field {
    /// Its path.
    pub path: &'static str,
    /// Whether this record has it.
    pub is_there: bool,
}

/// A control, by what its reference holds once only letters and digits are left.
struct Known {
    framework: &'static [&'static str],
    control: &'static str,
    asks: &'static str,
    fields: &'static [&'static str],
}

/// More exact ones stand before those that they begin with.
const KNOWN: &[Known] = &[
    Known {
        framework: &["SOC2", "TSC", "AICPA"],
        control: "A12",
        asks: "backups and recovery infrastructure are operated and monitored",
        fields: &[
            "service.id",
            "objectives.expected_period_ms",
            "selection.listing",
            "selection.freshness",
            "chain",
        ],
    },
    Known {
        framework: &["SOC2", "TSC", "AICPA"],
        control: "A13",
        asks: "recovery procedures are tested; backup data is complete and whole",
        fields: &[
            "run.started_at",
            "artifact.observed.sha256",
            "restore.toc_entries_restored",
            "fidelity.tables_equal",
            "checks.items",
            "objectives",
            "measurements.recovery_time",
            "measurements.recovery_point",
        ],
    },
    Known {
        framework: &["SOC2", "TSC", "AICPA"],
        control: "CC75",
        asks: "recovery from incidents is tested, and faults are followed up",
        fields: &["run.scenario", "verdict.reason_codes", "measurements.recovery_time"],
    },
    Known {
        framework: &["ISO"],
        control: "A813",
        asks: "backup copies are kept and regularly tested, apart from the original",
        fields: &[
            "artifact.observed.sha256",
            "environment.kind",
            "environment.cluster_created_by_run",
            "fidelity.tables_equal",
            "checks.items",
            "run.started_at",
        ],
    },
    Known {
        framework: &["ISO"],
        control: "A530",
        asks: "ICT readiness is tested against continuity objectives",
        fields: &["objectives", "measurements.recovery_time", "measurements.recovery_point"],
    },
    Known {
        framework: &["NIST", "80053", "FEDRAMP"],
        control: "CP91",
        asks: "backup information is tested: reliability of store and retrieval, integrity of content",
        fields: &["traffic", "artifact.match", "fidelity.tables_equal", "fidelity.coverage"],
    },
    Known {
        framework: &["NIST", "80053", "FEDRAMP"],
        control: "CP10",
        asks: "recovery to a known state within the objectives",
        fields: &["selection.consistency_point", "measurements.recovery_time", "measurements.recovery_point"],
    },
    Known {
        framework: &["NIST", "80053", "FEDRAMP"],
        control: "CP4",
        asks: "the contingency plan is tested, and the results are reviewed",
        fields: &["run.started_at", "run.scenario", "checks.items", "verdict.result", "chain.sequence"],
    },
    Known {
        framework: &["HIPAA", "164308", "45CFR"],
        control: "164308A7IID",
        asks: "contingency plans are tested periodically",
        fields: &["run.started_at", "run.actor", "fidelity.tables_equal", "verdict.result", "chain.sequence"],
    },
    Known {
        framework: &["DORA", "20222554"],
        control: "ART12",
        asks: "backup and restoration are tested, on segregated systems, with multiple checks",
        fields: &[
            "service.tier",
            "environment.sandbox.network",
            "environment.cluster_created_by_run",
            "objectives",
            "fidelity.tables_equal",
            "checks.items",
        ],
    },
];

/// The controls that the plan refers to, in its order, and how many are left out.
pub fn controls(record: &Record) -> (Vec<Control>, Option<String>) {
    let value = serde_json::to_value(record).unwrap_or(Value::Null);
    words::bounded(&record.controls, REFERENCES_MAX, |reference| control(reference, &value))
}

fn control(reference: &str, record: &Value) -> Control {
    let bare: String = reference
        .chars()
        .take(200)
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_uppercase())
        .collect();
    let known = KNOWN.iter().find(|known| {
        known.framework.iter().any(|name| bare.contains(name)) && bare.ends_with(known.control)
    });
    let fields = known.map_or(&[][..], |known| known.fields);
    Control {
        reference: words::name(reference),
        asks: known.map(|known| known.asks),
        fields: fields.iter().map(|path| Field { path, is_there: is_there(record, path) }).collect(),
    }
}

fn is_there(record: &Value, path: &str) -> bool {
    let found = path.split('.').try_fold(record, |value, name| value.get(name));
    match found {
        Some(Value::Array(items)) => !items.is_empty() || path.ends_with("reason_codes"),
        Some(value) => !value.is_null(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn references_are_known_however_they_are_written() {
        let table = [
            ("SOC2:A1.3", Some("recovery procedures are tested; backup data is complete and whole")),
            ("SOC 2 A1.2", Some("backups and recovery infrastructure are operated and monitored")),
            ("soc2 cc7.5", Some("recovery from incidents is tested, and faults are followed up")),
            (
                "ISO27001:2022:A.8.13",
                Some("backup copies are kept and regularly tested, apart from the original"),
            ),
            ("ISO/IEC 27001 A.5.30", Some("ICT readiness is tested against continuity objectives")),
            ("NIST SP 800-53 CP-4", Some("the contingency plan is tested, and the results are reviewed")),
            (
                "NIST:CP-9(1)",
                Some(
                    "backup information is tested: reliability of store and retrieval, integrity of content",
                ),
            ),
            ("NIST CP-10", Some("recovery to a known state within the objectives")),
            ("HIPAA 164.308(a)(7)(ii)(D)", Some("contingency plans are tested periodically")),
            (
                "DORA Art. 12",
                Some("backup and restoration are tested, on segregated systems, with multiple checks"),
            ),
            ("our own rule 12", None),
            ("ISO27001:A.9.1", None),
            ("", None),
        ];
        for (reference, asks) in table {
            assert_eq!(control(reference, &Value::Null).asks, asks, "{reference}");
        }
    }

    #[test]
    fn each_field_is_one_that_a_whole_record_has() {
        let golden = include_bytes!("../../../fixtures/evidence/v1.0/passing.json");
        let record = crate::evidence::Statement::read(golden).unwrap().predicate;
        let value = serde_json::to_value(record).unwrap();
        for known in KNOWN {
            for path in known.fields {
                assert!(is_there(&value, path), "{path}");
            }
        }
        let bare = serde_json::to_value(sample::begun()).unwrap();
        assert!(!is_there(&bare, "fidelity.tables_equal"));
    }
}
