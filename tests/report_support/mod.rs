//! Stored evidence for the tests of reports: nights of services, each judged as it is written.
#![allow(dead_code, reason = "each test crate uses its own share of what stands here")]

use std::fs;
use std::path::{Path, PathBuf};

use firedrill::evidence::{Log, Statement};
use firedrill::record::*;
use firedrill::verdict::{Code, Reason};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tempfile::TempDir;

/// What an attacker could call things, and what breaks careless encoders.
pub const HOSTILE: &[&str] = &[
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "' onmouseover='alert(1)",
    "</style><script>alert(1)</script>",
    "<svg/onload=alert(1)>",
    "javascript:alert(1)",
    "{{ 7*7 }}{% raw %}",
    "a|b;c='d'",
    "new\nline\r\ttab",
    "\u{1b}[2J\u{9b}31m\u{7}\0x",
    "\u{202e}gnp.exe\u{2066}\u{200f}",
    "]]><!-- --><![CDATA[",
    "back\\slash \"quotes\" 'single'",
    "# HELP x\nfake 1",
    "größe 表 🦀 \u{fffe}",
];

/// The record of the golden file, a pass.
pub fn passing() -> Record {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/evidence/v1.0/passing.json");
    Statement::read(&fs::read(golden).unwrap()).unwrap().predicate
}

/// When the golden drill was over.
pub fn end_of_the_golden_night() -> Timestamp {
    passing().run.finished_at.unwrap().at()
}

/// The golden record as of another night, by this firedrill.
pub fn night(service: &str, number: i64) -> Record {
    moved(service, SignedDuration::from_hours(24 * number))
}

/// The golden record as if its drill had ended `age` ago.
pub fn recent(service: &str, age: SignedDuration) -> Record {
    moved(service, Timestamp::now().duration_since(end_of_the_golden_night()) - age)
}

/// The golden record, every moment of which lies so much later.
fn moved(service: &str, by: SignedDuration) -> Record {
    let mut record = passing();
    record.service.id = service.to_owned();
    record.run.run_id = RunId::fresh();
    record.run.tool.version = env!("CARGO_PKG_VERSION").to_owned();
    let by = SignedDuration::from_millis(i64::try_from(by.as_millis()).unwrap());
    let later = |moment: Moment| Moment::from(moment.at() + by);
    record.run.started_at = later(record.run.started_at);
    record.run.finished_at = record.run.finished_at.map(later);
    let selection = record.selection.as_mut().unwrap();
    selection.listing.listed_at = later(selection.listing.listed_at);
    let point = selection.consistency_point.as_mut().unwrap();
    point.time = later(point.time);
    let freshness = selection.freshness.as_mut().unwrap();
    freshness.newest_moment = later(freshness.newest_moment);
    let selected = selection.selected.as_mut().unwrap();
    selected.last_modified = selected.last_modified.map(later);
    let age = record.measurements.recovery_point.as_mut().unwrap();
    age.reference_time = later(age.reference_time);
    record
}

/// The restore took so much longer; every figure that holds it is moved along.
pub fn slower(record: &mut Record, millis: u64) {
    let more = |length: Millis| Millis::new(length.get() + millis);
    let mut after = false;
    for phase in &mut record.phases {
        if after {
            phase.start_offset_ms = more(phase.start_offset_ms);
        }
        if phase.name.to_string() == "restore" {
            phase.duration_ms = more(phase.duration_ms);
            after = true;
        }
    }
    let time = record.measurements.recovery_time.as_mut().unwrap();
    let declared = time.declared_overheads_ms.clone();
    *time = RecoveryTime::of(more(time.measured_ms), declared, record.objectives.rto_ms);
    record.run.monotonic_duration_ms = record.run.monotonic_duration_ms.map(more);
    record.run.wall_duration_ms = record.run.wall_duration_ms.map(more);
    let length = SignedDuration::from_millis(i64::try_from(millis).unwrap());
    record.run.finished_at = record.run.finished_at.map(|at| Moment::from(at.at() + length));
}

/// The drill ended in its restore: the store did not answer any more.
pub fn halted(record: &mut Record) {
    let reason = Reason::new(
        Code::StoreUnavailable,
        "the store stopped answering after 41 of 63 parts: connection reset",
        "look at the network between this machine and the store, then run the drill again",
    );
    record.halt = Some(Halt::new(reason, Some(firedrill::clock::Phase::Restore)));
    record.phases.truncate(3);
    record.phases[2].outcome = PhaseOutcome::Halted;
    record.fidelity = None;
    record.checks = None;
    record.measurements.recovery_time = None;
    record.artifact.as_mut().unwrap().observed = None;
    record.artifact.as_mut().unwrap().matches = None;
}

/// One table came back with other rows, and a check has the wrong answer.
pub fn different(record: &mut Record) {
    let fidelity = record.fidelity.as_mut().unwrap();
    let mut tables = fidelity.tables.clone();
    tables[1].state = TableState::Different;
    tables[1].restored_rows = tables[1].restored_rows.map(|rows| rows - 3);
    tables[1].restored_hash = tables[0].restored_hash;
    let (large, sequences) = (fidelity.large_objects.clone(), fidelity.sequences.clone());
    *fidelity = Fidelity::of(fidelity.compared_to, tables);
    (fidelity.large_objects, fidelity.sequences) = (large, sequences);
    let checks = record.checks.as_mut().unwrap();
    checks.items[1].outcome = CheckOutcome::Fail;
    checks.items[1].observed = Some(Observed::scalar("3"));
    *checks = Checks::of(checks.planned, false, checks.items.clone());
}

/// A stamp took part: one table is as the source held it, one lacks rows of it, and of one a
/// column could not be compared.
pub fn stamped(record: &mut Record) {
    let fidelity = record.fidelity.as_mut().unwrap();
    let mut tables = fidelity.tables.clone();
    for table in &mut tables {
        (table.stamp_rows, table.stamp_hash) = (table.rows, table.stream_hash);
    }
    tables[1].state = TableState::Different;
    tables[1].stamp_rows = tables[1].rows.map(|rows| rows + 3);
    tables[1].stamp_hash = tables[0].stream_hash;
    tables[2].state = TableState::Counted;
    tables[2].columns_not_compared = vec!["amount".to_owned()];
    let (large, sequences) = (fidelity.large_objects.clone(), fidelity.sequences.clone());
    *fidelity = Fidelity::of(ComparedTo::SourceStamp, tables);
    (fidelity.large_objects, fidelity.sequences) = (large, sequences);
    let artifact = record.artifact.as_ref().unwrap();
    record.stamp = Some(Stamp {
        sha256: artifact.observed.as_ref().unwrap().sha256,
        signed_by: None,
        archive_sha256: artifact.observed.as_ref().unwrap().sha256,
        snapshot_at: record.selection.as_ref().unwrap().consistency_point.as_ref().unwrap().time,
        snapshot_uncertainty_ms: Millis::new(0),
        database: "orders".to_owned(),
        server_version: "17.6".to_owned(),
        system_identifier: None,
        replica: false,
        tables: 3,
        tables_left_out: 0,
        beside_rows: Some(BesideRows::default()),
    });
}

/// A directory of evidence.
pub struct Evidence(pub TempDir);

impl Evidence {
    pub fn new() -> Evidence {
        Evidence(tempfile::tempdir().unwrap())
    }

    /// Evidence with one log, of these records in their order.
    pub fn of(service: &str, records: Vec<Record>) -> Evidence {
        let evidence = Evidence::new();
        evidence.append(service, records);
        evidence
    }

    pub fn root(&self) -> &Path {
        self.0.path()
    }

    /// Judges and writes the records, and says where.
    pub fn append(&self, service: &str, records: Vec<Record>) -> Vec<PathBuf> {
        let log = Log::open(self.root(), service).unwrap();
        records.into_iter().map(|mut record| log.append(&mut record, None).unwrap().path).collect()
    }
}

/// The golden record in which every text that a plan, a backup or a machine could choose is
/// `text` instead.
pub fn with_text_everywhere(text: &str) -> Record {
    let mut value = serde_json::to_value(night("orders", 0)).unwrap();
    replace(&mut value, "", text);
    serde_json::from_value(value).unwrap()
}

/// Leaves of which the shape is fixed keep their value; so do names that files are called by.
fn replace(value: &mut Value, path: &str, text: &str) {
    const FREE: &[&str] = &[
        "/artifact/archive_version",
        "/artifact/compression",
        "/artifact/database",
        "/artifact/dump_server_version",
        "/artifact/dump_tool_version",
        "/artifact/format",
        "/checks/items/*/expected",
        "/checks/items/*/name",
        "/controls/*",
        "/environment/extensions/*/name",
        "/environment/extensions/*/version",
        "/environment/postgres_version",
        "/environment/sandbox/user",
        "/fidelity/tables/*/name",
        "/restore/excluded/*/kind",
        "/restore/excluded/*/name",
        "/restore/excluded/*/reason",
        "/restore/placeholder_roles/*",
        "/run/actor",
        "/run/host/kernel",
        "/run/host/name",
        "/run/host/os",
        "/run/scenario",
        "/run/tool/git_commit",
        "/run/tool/name",
        "/selection/policy_text",
        "/selection/rejected/*/uri",
        "/selection/selected/etag",
        "/selection/selected/uri",
        "/selection/selected/version_id",
        "/service/description",
        "/service/environment",
        "/service/owner",
    ];
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                replace(value, &format!("{path}/{name}"), text);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| replace(item, &format!("{path}/*"), text)),
        Value::String(leaf) if path.ends_with("/observed") => *leaf = text.chars().take(256).collect(),
        Value::String(leaf) if FREE.contains(&path) => *leaf = text.to_owned(),
        _ => {}
    }
}
