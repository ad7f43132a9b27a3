//! Finished drills for the tests of this room.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use crate::clock::{Phase, Span};
use crate::record::*;
use crate::verdict::{Code, Reason, Verdict};

fn moment(text: &str) -> Moment {
    text.parse::<Timestamp>().unwrap().into()
}

fn minutes(minutes: u64) -> Millis {
    Millis::new(minutes * 60_000)
}

/// A drill of which nothing is known yet.
pub fn begun() -> Record {
    let run = Run {
        run_id: "019aa000-0000-7000-8000-000000000000".parse().unwrap(),
        trigger: Trigger::Manual,
        scenario: "latest".into(),
        started_at: moment("2026-11-20T05:12:00Z"),
        finished_at: None,
        wall_duration_ms: None,
        monotonic_duration_ms: None,
        tool: Tool {
            name: "firedrill".into(),
            version: "0.1.0".into(),
            git_commit: None,
            binary_sha256: None,
        },
        host: Host { name: None, os: None, kernel: None },
        actor: None,
        plan_sha256: None,
    };
    let service =
        Service { id: "orders".into(), description: None, environment: None, owner: None, tier: None };
    let objectives = Objectives {
        accept_unanchored: false,
        stamp: StampDemand::Optional,
        minimum_tables: None,
        minimum_rows: None,
        amcheck: AmcheckAsked::Off,
        revalidate: false,
        rto_ms: Some(minutes(15)),
        rpo_ms: Some(minutes(24 * 60)),
        rpo_judged_by: RpoJudgedBy::DataAge,
        expected_period_ms: None,
        grace_ms: None,
        deadline_ms: minutes(60),
    };
    let clock = Clock {
        reference: ClockReference::SameMachine,
        offset_vs_store_ms: None,
        max_allowed_offset_ms: Millis::new(5_000),
    };
    Record::begin(run, service, objectives, clock)
}

/// A drill in which everything went well.
pub fn pass() -> Record {
    let mut record = begun();
    record.verdict = Ruling {
        result: VerdictWord(Verdict::Pass),
        reason_codes: Vec::new(),
        reasons: Vec::new(),
        warnings: vec![WarningLine::new(
            WarningCode::SourceNotInProof,
            "nothing from the source takes part in the proof",
        )],
        statement: "The latest backup of orders came back whole.".into(),
    };
    record.selection = Some(selection());
    record.environment = Some(environment());
    record.fidelity = Some(Fidelity::of(
        ComparedTo::ArchiveStream,
        vec![table("public.orders", TableState::Equal), table("public.payments", TableState::Equal)],
    ));
    record.checks = Some(Checks::of(1, false, vec![check(CheckOutcome::Pass)]));
    let mut offset = Duration::ZERO;
    let phases = [
        (Phase::Select, 400),
        (Phase::Provision, 2_100),
        (Phase::Restore, 380_000),
        (Phase::Ready, 20_000),
        (Phase::Proof, 61_000),
        (Phase::Cleanup, 300),
    ];
    for (phase, millis) in phases {
        let length = Duration::from_millis(millis);
        record.phases.push(PhaseRecord::new(phase, Span { offset, length }, PhaseOutcome::Ok));
        offset += length;
    }
    let declared = BTreeMap::from([("cutover".to_owned(), minutes(2))]);
    record.measurements.recovery_time =
        Some(RecoveryTime::of(Millis::new(402_500), declared, record.objectives.rto_ms));
    let point = record.selection.as_ref().unwrap().consistency_point.as_ref().unwrap();
    record.measurements.recovery_point =
        Some(RecoveryPoint::of(record.run.started_at, point, None, &record.objectives));
    record.cleanup = Some(Cleanup { scratch_removed: true, removal_verified: true, leaked: Vec::new() });
    record
}

/// A drill in which rows differ, a check fails, the objective is missed and scratch is left.
pub fn failure() -> Record {
    let mut record = pass();
    record.service.id = "billing".into();
    let reasons = [
        Reason::new(
            Code::DataMismatch,
            "the restored rows of 1 table differ from the rows inside the archive",
            "keep this backup, restore an older one, and look at the storage under the source",
        ),
        Reason::new(Code::RpoMissed, "the data is 2d06h old; the objective is 24h", ""),
    ];
    record.verdict.result = VerdictWord(Verdict::Fail);
    record.verdict.reasons = reasons.iter().map(ReasonLine::from).collect();
    record.verdict.reason_codes = reasons.iter().map(|reason| ReasonCode(reason.code)).collect();
    record.verdict.statement = "The latest backup of billing did not come back whole.".into();
    let mut tables = vec![table("public.invoices", TableState::Equal)];
    tables.extend((0..12).map(|n| table(&format!("public.bad_{n:02}"), TableState::Different)));
    record.fidelity = Some(Fidelity::of(ComparedTo::ArchiveStream, tables));
    record.checks = Some(Checks::of(1, false, vec![check(CheckOutcome::Fail)]));
    let point = ConsistencyPoint {
        time: moment("2026-11-17T23:12:00Z"),
        source: ConsistencySource::LastModified,
        uncertainty_ms: minutes(1),
    };
    record.measurements.recovery_point =
        Some(RecoveryPoint::of(record.run.started_at, &point, None, &record.objectives));
    record.selection.as_mut().unwrap().consistency_point = Some(point);
    let environment = record.environment.as_mut().unwrap();
    environment.sandbox.network = Network::Host;
    environment.settings_relaxed = BTreeMap::from([("fsync".to_owned(), "off".to_owned())]);
    record.cleanup = Some(Cleanup {
        scratch_removed: true,
        removal_verified: false,
        leaked: vec!["/tmp/firedrill-scratch-1".into()],
    });
    record
}

fn selection() -> Selection {
    Selection {
        doubts: Vec::new(),
        policy: Policy::Latest,
        policy_text: "latest".into(),
        listing: Listing {
            complete: true,
            pages: 1,
            objects: 3,
            listed_at: moment("2026-11-20T05:12:00.2Z"),
        },
        candidates: 3,
        newest: None,
        selected: Some(Selected {
            uri: "s3://acme-backups/orders/orders-20261120T020000Z.dump".into(),
            version_id: None,
            etag: None,
            size_bytes: 12 << 30,
            last_modified: None,
        }),
        consistency_point: Some(ConsistencyPoint {
            time: moment("2026-11-20T02:00:00Z"),
            source: ConsistencySource::NamePattern,
            uncertainty_ms: Millis::new(0),
        }),
        freshness: None,
        rejected: Vec::new(),
        rejected_total: 0,
    }
}

fn environment() -> Environment {
    Environment {
        kind: EnvironmentKind::Cluster,
        postgres_version: "17.6".into(),
        system_identifier: None,
        cluster_created_by_run: true,
        database_created_by_run: true,
        sandbox: Sandbox { network: Network::None, user: Some("postgres".into()), required: true },
        hardware: Hardware::default(),
        settings_relaxed: BTreeMap::new(),
        production_like: false,
        extensions: Vec::new(),
    }
}

fn table(name: &str, state: TableState) -> TableRecord {
    TableRecord {
        name: name.into(),
        state,
        rows: Some(123_456),
        restored_rows: Some(123_456),
        bytes: Some(4_000_000),
        stream_hash: None,
        restored_hash: None,
        stamp_rows: None,
        stamp_hash: None,
        restored_as_stamped_hash: None,
        not_stamped: None,
        columns_not_compared: Vec::new(),
        columns_sha256: None,
        sample: None,
        located: None,
        not_narrowed: None,
    }
}

fn check(outcome: CheckOutcome) -> CheckRecord {
    CheckRecord {
        name: "no orphaned payments".into(),
        kind: CheckKind::Expect,
        outcome,
        question_sha256: None,
        expected: "= 0".into(),
        observed: Some(Observed::scalar("7")),
        last: None,
        output_sha256: None,
        output_bytes: None,
        error: None,
        duration_ms: None,
    }
}
