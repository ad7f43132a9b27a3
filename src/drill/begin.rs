//! The record as it stands when a drill begins: what is demanded of it, by whom, where.

use crate::clock::Stopwatch;
use crate::drill::Outside;
use crate::plan::{self, Amcheck, Service};
use crate::record::{
    self, AmcheckAsked, Clock, ClockReference, Millis, Objectives, Record, RpoJudgedBy, Run, RunId, Sha256,
    StampDemand,
};
use crate::store::Location;

/// How far our clock and the store's may differ.
const OFFSET_MAX_MS: u64 = 5_000;

/// A record of a drill of `service` that starts with `watch`.
pub fn record(service: &Service, outside: &Outside<'_>, watch: Stopwatch) -> Record {
    let mut run = Run::begun(
        RunId::from(outside.run_id),
        outside.trigger,
        watch.started_at(),
        outside.site.tool.clone(),
        outside.site.host.clone(),
    );
    run.actor.clone_from(&outside.site.actor);
    run.plan_sha256 = Some(Sha256::from(outside.plan_digest));
    let drilled = record::Service {
        id: service.name.clone(),
        description: service.description.clone(),
        environment: service.environment.clone(),
        owner: service.owner.clone(),
        tier: service.tier,
    };
    let mut record = Record::begin(run, drilled, objectives(service), clock(&service.backup.location));
    record.controls.clone_from(&service.controls);
    record
}

fn objectives(service: &Service) -> Objectives {
    Objectives {
        rto_ms: service.rto.map(Millis::from),
        rpo_ms: service.rpo.map(Millis::from),
        rpo_judged_by: RpoJudgedBy::DataAge,
        expected_period_ms: service.backup.every.map(Millis::from),
        grace_ms: service.backup.every.map(|_| Millis::from(service.backup.grace)),
        deadline_ms: service.deadline.into(),
        accept_unanchored: service.backup.accept_unanchored,
        stamp: match service.proof.stamp {
            plan::StampDemand::Optional => StampDemand::Optional,
            plan::StampDemand::Required => StampDemand::Required,
            plan::StampDemand::Signed => StampDemand::Signed,
        },
        minimum_tables: service.minimum.tables,
        minimum_rows: service.minimum.rows,
        amcheck: match service.proof.amcheck {
            Amcheck::Off => AmcheckAsked::Off,
            Amcheck::On => AmcheckAsked::On,
            Amcheck::HeapAllIndexed => AmcheckAsked::HeapAllIndexed,
        },
        revalidate: service.proof.revalidate,
    }
}

fn clock(location: &Location) -> Clock {
    Clock {
        reference: match location {
            Location::Directory { .. } => ClockReference::SameMachine,
            Location::S3 { .. } | Location::Azure { .. } => ClockReference::StoreDate,
        },
        offset_vs_store_ms: None,
        max_allowed_offset_ms: Millis::new(OFFSET_MAX_MS),
    }
}
