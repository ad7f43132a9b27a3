//! Obligations on the content proof and the plan's checks.

use crate::judge::findings::Findings;
use crate::judge::statement::counted;
use crate::record::{
    CheckOutcome, CheckRecord, Checks, Compared, ComparedTo, Fidelity, NotStamped, ROW_HASH, Record,
    TableRecord, TableState,
};
use crate::verdict::Code;

/// How many things a reason names.
const NAMED_MAX: usize = 5;

pub(in crate::judge) fn there_are_rows(record: &Record, findings: &mut Findings) {
    let Some(fidelity) = findings.measured(record.fidelity.as_ref(), "fidelity") else { return };
    if fidelity.tables_expected == 0 {
        findings.add(
            Code::NoTableData,
            "the archive holds no table's rows: there is nothing to prove",
            "see whether the dump was taken with --schema-only, or of the wrong database",
        );
    } else if fidelity.rows_total == 0 {
        findings.add(
            Code::AllTablesEmpty,
            empty(fidelity.tables_expected),
            "see whether the dump was taken of the right database",
        );
    }
    let least = [
        (record.objectives.minimum_tables, fidelity.tables_expected, "table"),
        (record.objectives.minimum_rows, fidelity.rows_total, "row"),
    ];
    for (minimum, came, what) in least {
        if let Some(minimum) = minimum.filter(|minimum| came < *minimum) {
            findings.add(
                Code::ObjectsMissing,
                format!("{} came back, and the plan wants at least {minimum}", counted(came, what)),
                "see whether the dump leaves something out",
            );
        }
    }
}

fn empty(tables: u64) -> String {
    match tables {
        1 => "the only table came back empty".to_owned(),
        _ => format!("all {} came back empty", counted(tables, "table")),
    }
}

pub(in crate::judge) fn every_table_came_back(record: &Record, findings: &mut Findings) {
    let Some(fidelity) = findings.measured(record.fidelity.as_ref(), "fidelity") else { return };
    if fidelity.tables_missing > 0 {
        findings.add(
            Code::ObjectsMissing,
            format!(
                "{} did not come back: {}",
                counted(fidelity.tables_missing, "table"),
                named(fidelity, TableState::Missing)
            ),
            "",
        );
    }
    if fidelity.tables_different > 0 {
        findings.add(
            Code::DataMismatch,
            format!(
                "the rows of {} are not those of the backup: {}",
                counted(fidelity.tables_different, "table"),
                named(fidelity, TableState::Different)
            ),
            "",
        );
    }
    if fidelity.tables_not_comparable > 0 {
        findings.add(
            Code::DataNotCompared,
            format!(
                "the rows of {} could not be compared: {}",
                counted(fidelity.tables_not_comparable, "table"),
                named(fidelity, TableState::NotComparable)
            ),
            "",
        );
    }
    let in_part = |table: &TableRecord| {
        table.state == TableState::Counted && table.stream_hash.zip(table.restored_hash).is_some()
    };
    let alike = fidelity.tables_equal > 0 || fidelity.tables_sampled > 0;
    let hashed = alike || fidelity.tables.iter().any(in_part);
    if fidelity.tables_expected > 0 && !hashed {
        findings.add(Code::DataNotCompared, "no table's rows were hashed on both sides", "");
    }
}

pub(in crate::judge) fn each_table_bears_its_state_out(record: &Record, findings: &mut Findings) {
    let Some(fidelity) = findings.measured(record.fidelity.as_ref(), "fidelity") else { return };
    findings
        .must_agree(fidelity.row_hash == ROW_HASH, "fidelity.row_hash is not one that this firedrill knows");
    let mut expected = Fidelity::of(fidelity.compared_to, fidelity.tables.clone());
    expected.row_hash.clone_from(&fidelity.row_hash);
    expected.large_objects.clone_from(&fidelity.large_objects);
    expected.sequences.clone_from(&fidelity.sequences);
    expected.sample.clone_from(&fidelity.sample);
    findings.must_agree(*fidelity == expected, "the sums of fidelity are not those of its tables");
    let asked = fidelity.sample.as_ref().is_none_or(|sample| (1..1_000_000).contains(&sample.share_ppm));
    findings.must_agree(asked, "fidelity.sample is no share of the rows");
    for table in &fidelity.tables {
        bears_its_state_out(table, fidelity, findings);
    }
}

fn bears_its_state_out(table: &TableRecord, fidelity: &Fidelity, findings: &mut Findings) {
    let name = &table.name;
    let counted = table.rows.is_some() && table.rows == table.restored_rows;
    let hashed = table.bytes.is_some()
        && table.stream_hash.is_some()
        && table.stream_hash == table.restored_hash
        && table.columns_sha256.is_some();
    let as_the_stamp = table.restored_as_stamped_hash.or(table.stream_hash);
    let stamped = match (fidelity.compared_to, table.not_stamped) {
        (ComparedTo::ArchiveStream, None) => table.stamp_hash.is_none(),
        (ComparedTo::SourceStamp, Some(NotStamped::LeftOut)) => table.stamp_hash.is_none(),
        (ComparedTo::SourceStamp, None) => {
            table.stamp_hash.is_some() && table.stamp_hash == as_the_stamp && table.stamp_rows == table.rows
        }
        (ComparedTo::ArchiveStream, Some(_)) | (ComparedTo::SourceStamp, Some(NotStamped::Unknown)) => false,
    };
    match table.state {
        TableState::Equal => {
            let seen = counted && hashed && stamped && table.columns_not_compared.is_empty();
            findings.must_agree(seen, &format!("the rows of {name} are called equal, and are not"));
        }
        TableState::Sampled => {
            let hashed = table.columns_sha256.is_some() && is_a_sample(table) && fidelity.sample.is_some();
            let seen = counted && hashed && stamped;
            findings.must_agree(seen, &format!("a sample of {name} is called equal, and is not"));
        }
        TableState::Counted => {
            findings.must_agree(counted, &format!("the rows of {name} are called counted, and are not"));
            let in_part = hashed && stamped && !table.columns_not_compared.is_empty();
            let bare = table.stream_hash.zip(table.restored_hash).is_none();
            findings.must_agree(
                in_part || bare && table.columns_not_compared.is_empty(),
                &format!("the rows of {name} are called counted, but hashed"),
            );
        }
        TableState::Different | TableState::Missing | TableState::NotComparable => {}
    }
    findings.must_agree(
        table.sample.is_none() || table.state == TableState::Sampled,
        &format!("the rows of {name} are a sample, and are called something else"),
    );
}

/// Whether rows of the table were read back, some and not all, and are those of the archive.
fn is_a_sample(table: &TableRecord) -> bool {
    let (Some(sample), Some(rows), Some(bytes)) = (&table.sample, table.rows, table.bytes) else {
        return false;
    };
    table.stream_hash.is_some()
        && table.restored_hash.is_none()
        && table.restored_as_stamped_hash.is_none()
        && table.columns_not_compared.is_empty()
        && (1..rows).contains(&sample.rows)
        && sample.bytes <= bytes
        && sample.rows == sample.restored_rows
        && sample.stream_hash == sample.restored_hash
}

fn named(fidelity: &Fidelity, state: TableState) -> String {
    let words = |table: &TableRecord| {
        let between = table.between().filter(|_| fidelity.compared_to == ComparedTo::SourceStamp);
        let between = between.map(|between| between.words().to_owned());
        let located = table.located.as_ref().map(|located| located.words());
        let not = table.not_narrowed.map(|why| why.words().to_owned());
        between.into_iter().chain(located).chain(not).collect::<Vec<_>>()
    };
    let name = |table: &TableRecord| match words(table) {
        words if words.is_empty() => table.name.clone(),
        words => format!("{} ({})", table.name, words.join("; ")),
    };
    let names = fidelity.tables.iter().filter(|table| table.state == state).map(name);
    names.take(NAMED_MAX).collect::<Vec<_>>().join(", ")
}

pub(in crate::judge) fn sequences_and_large_objects_came_back(record: &Record, findings: &mut Findings) {
    let Some(fidelity) = findings.measured(record.fidelity.as_ref(), "fidelity") else { return };
    let classes = [
        (&fidelity.sequences, "fidelity.sequences", "sequences"),
        (&fidelity.large_objects, "fidelity.large_objects", "large objects"),
    ];
    for (class, field, name) in classes {
        if let Some(class) = findings.measured(class.as_ref(), field) {
            came_back(class, name, findings);
        }
    }
}

fn came_back(class: &Compared, name: &str, findings: &mut Findings) {
    let Compared { expected, compared, equal } = *class;
    findings.must_agree(
        equal <= compared && compared <= expected,
        &format!("more {name} were found equal than were compared or expected"),
    );
    if equal < compared {
        let detail = format!("{} of {compared} {name} are not those of the backup", compared - equal);
        findings.add(Code::DataMismatch, detail, "");
    }
    if compared < expected {
        let detail = format!("{} of {expected} {name} could not be compared", expected - compared);
        findings.add(Code::DataNotCompared, detail, "");
    }
}

pub(in crate::judge) fn every_check_was_put(record: &Record, findings: &mut Findings) {
    let Some(checks) = findings.measured(record.checks.as_ref(), "checks") else { return };
    let expected = Checks::of(checks.planned, checks.content_only, checks.items.clone());
    findings.must_agree(*checks == expected, "the sums of checks are not those of its items");
    findings.must_agree(
        !(checks.content_only && checks.planned > 0),
        "the plan asks for the content proof only, and yet has checks",
    );
    let none_is_enough = checks.content_only && checks.planned == 0;
    if checks.executed != checks.planned || (checks.planned == 0 && !none_is_enough) {
        findings.add(
            Code::NoChecks,
            format!("{} of {} checks were put", checks.executed, checks.planned),
            "give the service a check, or say checks = \"content only\"",
        );
    }
}

pub(in crate::judge) fn every_check_passed(record: &Record, findings: &mut Findings) {
    let Some(checks) = findings.measured(record.checks.as_ref(), "checks") else { return };
    for item in &checks.items {
        match item.outcome {
            CheckOutcome::Pass => {
                let answered = item.observed.is_some() && item.error.is_none();
                findings.must_agree(answered, &format!("check {:?} passed without an answer", item.name));
            }
            CheckOutcome::Baseline => {
                let answered = item.observed.is_some() && item.error.is_none() && item.last.is_none();
                findings
                    .must_agree(answered, &format!("check {:?} is a first answer, and is none", item.name));
            }
            CheckOutcome::Fail => findings.add(
                Code::CheckFailed,
                format!("check {:?}: expected {}, found {}", item.name, item.expected, found(item)),
                "",
            ),
            CheckOutcome::Error => findings.add(
                Code::CheckErrored,
                format!(
                    "check {:?} could not be put: {}",
                    item.name,
                    item.error.as_deref().unwrap_or("no answer")
                ),
                "put it by hand, to the source or to what it asks",
            ),
        }
    }
}

fn found(item: &CheckRecord) -> &str {
    item.observed.as_ref().map_or("nothing", |observed| observed.as_str())
}
