//! The judge never says pass to a record that does not bear it out.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::collections::BTreeSet;

use firedrill::evidence::{Statement, schema};
use firedrill::judge::{judge, pronounce};
use firedrill::record::*;
use firedrill::verdict::{Blame, Code, Reason, Verdict};
use serde_json::{Value, json};

const PASSING: &[u8] = include_bytes!("../fixtures/evidence/v1.0/passing.json");

fn passing() -> Record {
    Statement::read(PASSING).unwrap().predicate
}

/// The verdict and the codes of the passing record after `change`.
fn judged(change: impl FnOnce(&mut Record)) -> (Verdict, Vec<&'static str>) {
    let mut record = passing();
    assert_eq!(judge(&record).verdict(), Verdict::Pass, "the record passes before it is changed");
    change(&mut record);
    let judgement = judge(&record);
    (judgement.verdict(), judgement.reasons().iter().map(|reason| reason.code.as_str()).collect())
}

fn restore(record: &mut Record) -> &mut Restore {
    record.restore.as_mut().unwrap()
}

fn fidelity(record: &mut Record) -> &mut Fidelity {
    record.fidelity.as_mut().unwrap()
}

fn selection(record: &mut Record) -> &mut Selection {
    record.selection.as_mut().unwrap()
}

fn artifact(record: &mut Record) -> &mut Artifact {
    record.artifact.as_mut().unwrap()
}

fn environment(record: &mut Record) -> &mut Environment {
    record.environment.as_mut().unwrap()
}

fn drift(record: &mut Record) -> &mut Drift {
    record.drift.as_mut().unwrap()
}

fn structure(record: &mut Record) -> &mut Structure {
    record.structure.as_mut().unwrap()
}

fn revalidated(record: &mut Record) -> &mut Revalidated {
    record.revalidated.as_mut().unwrap()
}

/// A foreign key that rows break; it says that it holds, or it does not.
fn broken(promised: bool) -> BrokenConstraint {
    BrokenConstraint {
        kind: ConstraintKind::ForeignKey,
        table: "public.orders".into(),
        name: "orders_customer_fkey".into(),
        rows: 3,
        promised,
    }
}

/// Tables changed, and every sum made anew, so that only the change speaks.
fn with_tables(record: &mut Record, change: impl FnOnce(&mut Vec<TableRecord>)) {
    let mut old = record.fidelity.take().unwrap();
    change(&mut old.tables);
    let mut new = Fidelity::of(old.compared_to, old.tables);
    (new.large_objects, new.sequences, new.sample) = (old.large_objects, old.sequences, old.sample);
    let drift = record.drift.as_mut().unwrap();
    (drift.rows.after, drift.tables.after) = (Some(new.rows_total), Some(new.tables_expected));
    record.fidelity = Some(new);
}

/// The first table proven by a sample, and every sum made anew.
fn with_sample(record: &mut Record, change: impl FnOnce(&mut TableRecord, &mut SampledRows)) {
    fidelity(record).sample = Some(SampleOf { share_ppm: 50_000, seed: 7 });
    with_tables(record, |tables| {
        let table = &mut tables[0];
        let (rows, bytes) = (table.rows.unwrap() / 20, table.bytes.unwrap() / 20);
        let hash = tables[1].stream_hash.unwrap();
        let table = &mut tables[0];
        let mut sample = SampledRows {
            by: "id".into(),
            rows,
            bytes,
            restored_rows: rows,
            stream_hash: hash,
            restored_hash: hash,
        };
        (table.state, table.restored_hash) = (TableState::Sampled, None);
        change(table, &mut sample);
        table.sample = Some(sample);
    });
}

/// One object that is not as announced, and every sum made anew.
fn with_difference(record: &mut Record, fault: &str) {
    let mut old = record.objects.take().unwrap();
    old.classes[1].equal -= 1;
    old.differences.push(ObjectDifference {
        class: old.classes[1].class.clone(),
        name: "app.orders_note".into(),
        fault: fault.into(),
    });
    record.objects = Some(Objects::of(old.definitions_compared, old.classes, old.differences, old.doubts));
}

/// One object whose definition may be another.
fn with_doubt(record: &mut Record) {
    let mut old = record.objects.take().unwrap();
    old.classes[1].equal -= 1;
    old.classes[1].doubtful += 1;
    old.doubts.push(ObjectDifference {
        class: old.classes[1].class.clone(),
        name: "app.orders_note".into(),
        fault: "has another definition".into(),
    });
    record.objects = Some(Objects::of(old.definitions_compared, old.classes, old.differences, old.doubts));
}

fn with_checks(record: &mut Record, planned: u64, change: impl FnOnce(&mut Vec<CheckRecord>)) {
    let mut old = record.checks.take().unwrap();
    change(&mut old.items);
    record.checks = Some(Checks::of(planned, old.content_only, old.items));
}

/// The drill began at another time; every figure that follows from it is made anew.
fn began_at(record: &mut Record, text: &str) {
    let started: Moment = text.parse().unwrap();
    let length = record.run.monotonic_duration_ms.unwrap().duration();
    record.run.started_at = started;
    record.run.finish(started.at().checked_add(length).unwrap(), length);
    let objectives = record.objectives.clone();
    let (period, grace) = (objectives.expected_period_ms.unwrap(), objectives.grace_ms.unwrap());
    let chosen = record.selection.as_mut().unwrap();
    let point = chosen.consistency_point.clone().unwrap();
    chosen.freshness = Some(Freshness::of(started, point.time, period, grace));
    let worst = Some((Millis::new(89_250_000), 30));
    record.measurements.recovery_point = Some(RecoveryPoint::of(started, &point, worst, &objectives));
}

type Change = fn(&mut Record);

struct Wrong {
    /// What would be a wrong pass, and its number in the catalogue of wrong passes.
    name: &'static str,
    change: Change,
    verdict: Verdict,
    code: Code,
}

use Verdict::{Fail, Inconclusive};

const WRONG_PASSES: &[Wrong] = &[
    Wrong {
        name: "P02 no table was restored",
        change: |record| with_tables(record, Vec::clear),
        verdict: Fail,
        code: Code::NoTableData,
    },
    Wrong {
        name: "P03 every table is empty",
        change: |record| {
            with_tables(record, |tables| {
                for table in tables {
                    (table.rows, table.restored_rows, table.bytes) = (Some(0), Some(0), Some(0));
                }
            });
        },
        verdict: Fail,
        code: Code::AllTablesEmpty,
    },
    Wrong {
        name: "P04 no check ran",
        change: |record| with_checks(record, 2, Vec::clear),
        verdict: Inconclusive,
        code: Code::NoChecks,
    },
    Wrong {
        name: "P04 no check was planned, and the plan does not say that this is enough",
        change: |record| with_checks(record, 0, Vec::clear),
        verdict: Inconclusive,
        code: Code::NoChecks,
    },
    Wrong {
        name: "P04 a check was skipped",
        change: |record| with_checks(record, 2, |items| drop(items.pop())),
        verdict: Inconclusive,
        code: Code::NoChecks,
    },
    Wrong {
        name: "P05 a check had no answer and is called passed",
        change: |record| with_checks(record, 2, |items| items[0].observed = None),
        verdict: Inconclusive,
        code: Code::RecordInconsistent,
    },
    Wrong {
        name: "P05 a check could not be put",
        change: |record| with_checks(record, 2, |items| items[0].outcome = CheckOutcome::Error),
        verdict: Inconclusive,
        code: Code::CheckErrored,
    },
    Wrong {
        name: "P06 a check was answered wrongly",
        change: |record| with_checks(record, 2, |items| items[0].outcome = CheckOutcome::Fail),
        verdict: Fail,
        code: Code::CheckFailed,
    },
    Wrong {
        name: "P07 the listing was partial",
        change: |record| selection(record).listing.complete = false,
        verdict: Inconclusive,
        code: Code::ListIncomplete,
    },
    Wrong {
        name: "P07 there is no backup",
        change: |record| {
            selection(record).candidates = 0;
            selection(record).selected = None;
        },
        verdict: Fail,
        code: Code::NoBackupFound,
    },
    Wrong {
        name: "P07 the newest backup is stale",
        change: |record| began_at(record, "2026-11-21T03:00:00.001Z"),
        verdict: Fail,
        code: Code::BackupStale,
    },
    Wrong {
        name: "P08 only LastModified tells the age",
        change: |record| {
            selection(record).consistency_point.as_mut().unwrap().source = ConsistencySource::LastModified;
        },
        verdict: Inconclusive,
        code: Code::NoConsistencyPoint,
    },
    Wrong {
        name: "P08 the name claims a moment after the upload",
        change: |record| {
            let selected = selection(record).selected.as_mut().unwrap();
            selected.last_modified = Some("2026-11-19T23:00:00.000Z".parse().unwrap());
        },
        verdict: Inconclusive,
        code: Code::TimeSourcesDisagree,
    },
    Wrong {
        name: "P08 nothing tells the age",
        change: |record| {
            selection(record).consistency_point = None;
            record.measurements.recovery_point = None;
        },
        verdict: Inconclusive,
        code: Code::NoConsistencyPoint,
    },
    Wrong {
        name: "P09 the archive's zone-less time was used in silence",
        change: |record| artifact(record).archive_header_time_used = true,
        verdict: Inconclusive,
        code: Code::RecordInconsistent,
    },
    Wrong {
        name: "P10 the clock is wrong",
        change: |record| record.clock.offset_vs_store_ms = Some(SignedMillis::new(-5001)),
        verdict: Inconclusive,
        code: Code::ClockUntrusted,
    },
    Wrong {
        name: "P10 the clock was set while the drill ran",
        change: |record| {
            let end = "2026-11-20T03:49:51.940Z".parse::<Moment>().unwrap().at();
            let length = record.run.monotonic_duration_ms.unwrap().duration();
            record.run.finish(end, length);
        },
        verdict: Inconclusive,
        code: Code::ClockUntrusted,
    },
    Wrong {
        name: "P10 the backup is from the future",
        change: |record| began_at(record, "2026-11-20T00:59:00.000Z"),
        verdict: Fail,
        code: Code::TimestampInFuture,
    },
    Wrong {
        name: "P16 a restore error was ignored",
        change: |record| {
            restore(record).toc_entries_restored -= 1;
            restore(record).toc_entries_failed += 1;
            let failed =
                FailedEntry { kind: "TABLE".into(), name: "a.b".into(), sqlstate: Some("42704".into()) };
            restore(record).failed.push(failed);
        },
        verdict: Fail,
        code: Code::RestoreErrors,
    },
    Wrong {
        name: "P17 an entry was lost on a parallel worker",
        change: |record| restore(record).toc_entries_restored -= 1,
        verdict: Inconclusive,
        code: Code::EntriesUnaccounted,
    },
    Wrong {
        name: "P18 nothing vouches for an unchecked format",
        change: |record| {
            artifact(record).expected = Artifact::unread().expected;
            artifact(record).matches = None;
        },
        verdict: Inconclusive,
        code: Code::NoIntegrityReference,
    },
    Wrong {
        name: "P18 the same wrong bytes were read twice",
        change: |record| {
            let artifact = artifact(record);
            artifact.observed.as_mut().unwrap().sha256 = firedrill::digest::Digest::of(b"other").into();
            artifact.observed_again = artifact.observed.clone();
            artifact.matches = Some(false);
        },
        verdict: Fail,
        code: Code::ArtifactDigestMismatch,
    },
    Wrong {
        name: "P20 wrong bytes were read, and other ones the second time",
        change: |record| {
            let artifact = artifact(record);
            artifact.observed_again = artifact.observed.clone();
            artifact.observed.as_mut().unwrap().sha256 = firedrill::digest::Digest::of(b"other").into();
            artifact.matches = Some(false);
        },
        verdict: Inconclusive,
        code: Code::TransportUnreliable,
    },
    Wrong {
        name: "P18 a checksum of the codec does not fit",
        change: |record| {
            let expected = &mut artifact(record).expected;
            (expected.source, expected.algorithm, expected.sha256) =
                (Anchor::Codec, Some("adler32".into()), None);
            artifact(record).matches = Some(false);
        },
        verdict: Fail,
        code: Code::ArtifactCorrupt,
    },
    Wrong {
        name: "P19 an ETag was taken for a digest",
        change: |record| artifact(record).expected.algorithm = Some("md5".into()),
        verdict: Inconclusive,
        code: Code::RecordInconsistent,
    },
    Wrong {
        name: "P20 the object was not read whole",
        change: |record| artifact(record).observed.as_mut().unwrap().bytes -= 1,
        verdict: Inconclusive,
        code: Code::TransportUnreliable,
    },
    Wrong {
        name: "P22 the database was not the drill's own",
        change: |record| environment(record).database_created_by_run = false,
        verdict: Inconclusive,
        code: Code::WrongDatabase,
    },
    Wrong {
        name: "P25 an index came back invalid",
        change: |record| restore(record).invalid_indexes = Some(1),
        verdict: Fail,
        code: Code::StructureDamaged,
    },
    Wrong {
        name: "P25 a constraint came back unvalidated",
        change: |record| restore(record).unvalidated_constraints = Some(1),
        verdict: Fail,
        code: Code::StructureDamaged,
    },
    Wrong {
        name: "P25 an index is gone",
        change: |record| with_difference(record, "is missing"),
        verdict: Fail,
        code: Code::ObjectsMissing,
    },
    Wrong {
        name: "P25 a trigger is switched off",
        change: |record| with_difference(record, "is disabled"),
        verdict: Fail,
        code: Code::StructureDamaged,
    },
    Wrong {
        name: "P25 objects were not looked for",
        change: |record| record.objects = None,
        verdict: Inconclusive,
        code: Code::NotMeasured,
    },
    Wrong {
        name: "P25 one object is fewer than were announced",
        change: |record| record.objects.as_mut().unwrap().classes[1].equal -= 1,
        verdict: Inconclusive,
        code: Code::RecordInconsistent,
    },
    Wrong {
        name: "P25 a doubt is counted and not named",
        change: |record| {
            with_doubt(record);
            record.objects.as_mut().unwrap().doubts.clear();
        },
        verdict: Inconclusive,
        code: Code::RecordInconsistent,
    },
    Wrong {
        name: "P26 large objects were not looked at",
        change: |record| fidelity(record).large_objects = None,
        verdict: Inconclusive,
        code: Code::NotMeasured,
    },
    Wrong {
        name: "P26 a sequence is off",
        change: |record| fidelity(record).sequences.as_mut().unwrap().equal -= 1,
        verdict: Fail,
        code: Code::DataMismatch,
    },
    Wrong {
        name: "P27 another row hash was used",
        change: |record| fidelity(record).row_hash = "xor".into(),
        verdict: Inconclusive,
        code: Code::RecordInconsistent,
    },
    Wrong {
        name: "P28 rows differ",
        change: |record| with_tables(record, |tables| tables[0].state = TableState::Different),
        verdict: Fail,
        code: Code::DataMismatch,
    },
    Wrong {
        name: "P28 rows differ, and are called equal",
        change: |record| {
            with_tables(record, |tables| tables[0].restored_hash = tables[1].restored_hash);
        },
        verdict: Inconclusive,
        code: Code::RecordInconsistent,
    },
    Wrong {
        name: "P29 the stamp was in the proof, and has no word on a table",
        change: |record| fidelity(record).compared_to = ComparedTo::SourceStamp,
        verdict: Inconclusive,
        code: Code::RecordInconsistent,
    },
    Wrong {
        name: "P30 a table was not compared",
        change: |record| with_tables(record, |tables| tables[0].state = TableState::NotComparable),
        verdict: Inconclusive,
        code: Code::DataNotCompared,
    },
    Wrong {
        name: "P31 a sample is called the whole",
        change: |record| fidelity(record).coverage.compared_rows -= 1,
        verdict: Inconclusive,
        code: Code::RecordInconsistent,
    },
    Wrong {
        name: "P31 a sampled table is called equal",
        change: |record| with_sample(record, |table, _| table.state = TableState::Equal),
        verdict: Inconclusive,
        code: Code::RecordInconsistent,
    },
    Wrong {
        name: "P31 a sampled table has the hash of all rows, too",
        change: |record| with_sample(record, |table, _| table.restored_hash = table.stream_hash),
        verdict: Inconclusive,
        code: Code::RecordInconsistent,
    },
    Wrong {
        name: "P31 a sample that nobody asked for",
        change: |record| {
            with_sample(record, |_, _| {});
            fidelity(record).sample = None;
        },
        verdict: Inconclusive,
        code: Code::RecordInconsistent,
    },
    Wrong {
        name: "P31 a sample of no rows",
        change: |record| {
            with_sample(record, |_, sample| {
                (sample.rows, sample.restored_rows, sample.bytes) = (0, 0, 0);
            });
        },
        verdict: Inconclusive,
        code: Code::RecordInconsistent,
    },
    Wrong {
        name: "P31 a sample whose rows differ",
        change: |record| {
            with_sample(record, |table, sample| sample.restored_hash = table.stream_hash.unwrap())
        },
        verdict: Inconclusive,
        code: Code::RecordInconsistent,
    },
    Wrong {
        name: "P31 a sample with a row less",
        change: |record| with_sample(record, |_, sample| sample.restored_rows -= 1),
        verdict: Inconclusive,
        code: Code::RecordInconsistent,
    },
    Wrong {
        name: "P31 a sampled table with another number of rows",
        change: |record| with_sample(record, |table, _| table.restored_rows = Some(1)),
        verdict: Inconclusive,
        code: Code::RecordInconsistent,
    },
    Wrong {
        name: "P31 a sample of as many rows as there are",
        change: |record| {
            with_sample(record, |table, sample| {
                sample.rows = table.rows.unwrap();
                sample.restored_rows = sample.rows;
            });
        },
        verdict: Inconclusive,
        code: Code::RecordInconsistent,
    },
    Wrong {
        name: "P31 the coverage of a sample is called all",
        change: |record| {
            with_sample(record, |_, _| {});
            let coverage = &mut fidelity(record).coverage;
            coverage.compared_rows = coverage.total_rows;
        },
        verdict: Inconclusive,
        code: Code::RecordInconsistent,
    },
    Wrong {
        name: "P31 rows were only ever counted",
        change: |record| {
            with_tables(record, |tables| {
                for table in tables {
                    (table.state, table.restored_hash) = (TableState::Counted, None);
                }
            });
        },
        verdict: Inconclusive,
        code: Code::DataNotCompared,
    },
    Wrong {
        name: "P33 the clock of the recovery started late",
        change: |record| {
            let time = record.measurements.recovery_time.as_mut().unwrap();
            let late = Millis::new(time.measured_ms.get() - 20_000);
            *time = RecoveryTime::of(late, time.declared_overheads_ms.clone(), time.objective_ms);
        },
        verdict: Inconclusive,
        code: Code::RecordInconsistent,
    },
    Wrong {
        name: "P33 a phase is left out",
        change: |record| {
            record.phases.remove(1);
        },
        verdict: Inconclusive,
        code: Code::NotMeasured,
    },
    Wrong {
        name: "P33 the recovery is too slow with what is declared",
        change: |record| {
            let objective = Millis::new(1_768_050);
            record.objectives.rto_ms = Some(objective);
            let time = record.measurements.recovery_time.as_mut().unwrap();
            *time = RecoveryTime::of(time.measured_ms, time.declared_overheads_ms.clone(), Some(objective));
        },
        verdict: Fail,
        code: Code::RtoMissed,
    },
    Wrong {
        name: "P03 most rows are gone since the last pass, and the plan lets none go",
        change: |record| {
            drift(record).policy.rows = Weight::Fail;
            drift(record).rows.before = Some(641_000);
        },
        verdict: Fail,
        code: Code::DriftRowsDropped,
    },
    Wrong {
        name: "P03 one table is all but empty since the last pass, and the plan lets none be",
        change: |record| {
            drift(record).policy.rows = Weight::Fail;
            drift(record).dropped =
                vec![DroppedRows { name: "public.refunds".into(), before: 900, after: 2 }];
            drift(record).dropped_total = 1;
        },
        verdict: Fail,
        code: Code::DriftRowsDropped,
    },
    Wrong {
        name: "P10 the clock is wrong, and a check calls what it has not compared a pass",
        change: |record| {
            with_checks(record, 2, |items| {
                (items[0].outcome, items[0].observed) = (CheckOutcome::Baseline, None);
            });
        },
        verdict: Inconclusive,
        code: Code::RecordInconsistent,
    },
    Wrong {
        name: "P11 the same old backup is uploaded every night under a new name",
        change: |record| {
            let digest = artifact(record).observed.as_ref().unwrap().sha256;
            drift(record).same_artifact = true;
            drift(record).compared_with.as_mut().unwrap().artifact_sha256 = Some(digest);
        },
        verdict: Fail,
        code: Code::DriftSameBackup,
    },
    Wrong {
        name: "P11 the same old backup is not called that",
        change: |record| {
            let digest = artifact(record).observed.as_ref().unwrap().sha256;
            drift(record).compared_with.as_mut().unwrap().artifact_sha256 = Some(digest);
        },
        verdict: Inconclusive,
        code: Code::RecordInconsistent,
    },
    Wrong {
        name: "P12 the backup is of another database, and the plan wants the same schema",
        change: |record| {
            drift(record).policy.schema = Weight::Fail;
            drift(record).database = Some(Renamed { before: "orders".into(), after: "staging".into() });
        },
        verdict: Fail,
        code: Code::DriftSchemaChanged,
    },
    Wrong {
        name: "P25 an index does not hold the rows of its table",
        change: |record| {
            let damaged = DamagedRelation {
                name: "public.orders_pkey".into(),
                kind: RelationKind::Index,
                faults: 1,
                first_block: None,
                sqlstate: Some("XX002".into()),
            };
            (structure(record).damaged, structure(record).damaged_total) = (vec![damaged], 1);
        },
        verdict: Fail,
        code: Code::StructureDamaged,
    },
    Wrong {
        name: "P30 amcheck is asked for, and no table was looked at",
        change: |record| (structure(record).heaps_expected, structure(record).heaps_checked) = (0, 0),
        verdict: Inconclusive,
        code: Code::RecordInconsistent,
    },
    Wrong {
        name: "P31 some relations were looked at, and all are called so",
        change: |record| structure(record).indexes_checked -= 1,
        verdict: Inconclusive,
        code: Code::RecordInconsistent,
    },
    Wrong {
        name: "P31 some relations could not be looked at",
        change: |record| {
            let why = UncheckedRelation {
                name: "public.orders".into(),
                kind: RelationKind::Heap,
                why: "SQLSTATE 53200".into(),
            };
            structure(record).heaps_checked -= 1;
            (structure(record).unchecked, structure(record).unchecked_total) = (vec![why], 1);
        },
        verdict: Inconclusive,
        code: Code::StructureNotChecked,
    },
    Wrong {
        name: "the server has no amcheck, and the plan wants it",
        change: |record| structure(record).unavailable = Some("it is not installed".into()),
        verdict: Inconclusive,
        code: Code::StructureNotChecked,
    },
    Wrong {
        name: "P25 rows break a constraint that is called valid",
        change: |record| {
            revalidated(record).foreign_keys.broken = 1;
            revalidated(record).broken = vec![broken(true)];
        },
        verdict: Fail,
        code: Code::ConstraintsBroken,
    },
    Wrong {
        name: "P25 rows break a constraint, and none is named",
        change: |record| revalidated(record).foreign_keys.broken = 1,
        verdict: Fail,
        code: Code::RecordInconsistent,
    },
    Wrong {
        name: "P31 a constraint could not be evaluated",
        change: |record| {
            revalidated(record).checks.asked -= 1;
            revalidated(record).unasked = vec![UnaskedConstraint {
                kind: ConstraintKind::Check,
                table: "public.orders".into(),
                name: "orders_total_check".into(),
                why: "SQLSTATE 42501".into(),
            }];
        },
        verdict: Inconclusive,
        code: Code::ConstraintsNotChecked,
    },
    Wrong {
        name: "P31 fewer constraints were evaluated than there are, and none is named",
        change: |record| revalidated(record).not_null.asked -= 1,
        verdict: Inconclusive,
        code: Code::RecordInconsistent,
    },
    Wrong {
        name: "P04 constraints are asked for, and were not evaluated",
        change: |record| record.revalidated = None,
        verdict: Inconclusive,
        code: Code::NotMeasured,
    },
    Wrong {
        name: "P44 the dump leaves most of it out",
        change: |record| {
            drift(record).policy.size = Weight::Fail;
            drift(record).artifact_bytes.before = Some(9_000_000);
        },
        verdict: Fail,
        code: Code::DriftSizeDropped,
    },
    Wrong {
        name: "P35 a phase after the verdict's facts was halted",
        change: |record| record.phases[4].outcome = PhaseOutcome::Halted,
        verdict: Inconclusive,
        code: Code::RecordInconsistent,
    },
    Wrong {
        name: "P36 a bug ended the drill",
        change: |record| record.halt = Some(Halt::new(Reason::new(Code::Internal, "a panic", ""), None)),
        verdict: Inconclusive,
        code: Code::Internal,
    },
    Wrong {
        name: "P43 a table was left out by policy",
        change: |record| restore(record).excluded[0].kind = "TABLE DATA".into(),
        verdict: Inconclusive,
        code: Code::DataNotCompared,
    },
    Wrong {
        name: "P43 what was left out has no name",
        change: |record| restore(record).excluded.clear(),
        verdict: Inconclusive,
        code: Code::RecordInconsistent,
    },
    Wrong {
        name: "P44 a table did not come back",
        change: |record| with_tables(record, |tables| tables[0].state = TableState::Missing),
        verdict: Fail,
        code: Code::ObjectsMissing,
    },
    Wrong {
        name: "P48 the scratch had a network, and must not",
        change: |record| environment(record).sandbox.network = Network::Host,
        verdict: Inconclusive,
        code: Code::IsolationUnavailable,
    },
    Wrong {
        name: "the data is too old",
        change: |record| {
            record.objectives.rpo_ms = Some(Millis::new(5_400_111));
            began_at(record, "2026-11-20T02:30:00.112Z");
        },
        verdict: Fail,
        code: Code::RpoMissed,
    },
    Wrong {
        name: "the worst case is too bad, and the plan judges by it",
        change: |record| {
            record.objectives.rpo_judged_by = RpoJudgedBy::Exposure;
            began_at(record, "2026-11-20T02:30:00.112Z");
        },
        verdict: Fail,
        code: Code::RpoMissed,
    },
];

#[test]
fn each_known_way_to_pass_wrongly_is_no_pass() {
    for wrong in WRONG_PASSES {
        let (verdict, codes) = judged(wrong.change);
        assert_eq!(verdict, wrong.verdict, "{}: {codes:?}", wrong.name);
        assert!(codes.contains(&wrong.code.as_str()), "{}: {codes:?}", wrong.name);
    }
}

#[test]
fn a_block_that_is_missing_was_not_measured() {
    let takes: [(&str, Change); 10] = [
        ("selection", |record| record.selection = None),
        ("artifact", |record| record.artifact = None),
        ("environment", |record| record.environment = None),
        ("restore", |record| record.restore = None),
        ("fidelity", |record| record.fidelity = None),
        ("structure", |record| record.structure = None),
        ("drift", |record| record.drift = None),
        ("checks", |record| record.checks = None),
        ("recovery_time", |record| record.measurements.recovery_time = None),
        ("recovery_point", |record| record.measurements.recovery_point = None),
    ];
    for (name, take) in takes {
        let (verdict, codes) = judged(take);
        assert_eq!((verdict, codes), (Inconclusive, vec!["NOT_MEASURED"]), "{name}");
    }
}

#[test]
fn a_record_that_has_just_begun_is_inconclusive() {
    let old = passing();
    let mut record = Record::begin(old.run, old.service, old.objectives, old.clock);
    assert_eq!(record.verdict.reason_codes, [ReasonCode(Code::NotEvaluated)]);
    assert_eq!(record.verdict.result, VerdictWord(Inconclusive));
    assert_eq!(pronounce(&mut record).verdict(), Inconclusive);
    assert!(!record.limitations.is_empty());
}

/// The passing record of a drill that was halted in `phase`, after which nothing is known.
fn halted_in(at: usize, code: Code) -> Record {
    let mut record = passing();
    let phase = record.phases[at].name.0;
    record.halt = Some(Halt::new(Reason::new(code, "it stopped", ""), Some(phase)));
    record.phases.truncate(at + 1);
    record.phases[at].outcome = PhaseOutcome::Halted;
    record.measurements.recovery_time = None;
    (record.fidelity, record.checks) = (None, None);
    record
}

#[test]
fn the_blame_of_a_halt_decides_whatever_was_not_measured() {
    for code in Code::ALL {
        let expected = match code.blame() {
            Blame::Backup => Fail,
            Blame::Environment => Inconclusive,
        };
        for at in 0..4 {
            let judgement = judge(&halted_in(at, *code));
            let codes: Vec<Code> = judgement.reasons().iter().map(|reason| reason.code).collect();
            assert_eq!((judgement.verdict(), codes), (expected, vec![*code]), "{code} in phase {at}");
        }
    }
}

#[test]
fn a_phase_that_was_cut_short_proves_nothing_against_the_backup() {
    let failed = |record: &mut Record| {
        restore(record).toc_entries_failed = 1;
        restore(record).toc_entries_restored -= 1;
    };
    let mut cut_short = halted_in(2, Code::ScratchOutOfMemory);
    failed(&mut cut_short);
    assert_eq!(judge(&cut_short).verdict(), Inconclusive);

    let mut finished = halted_in(3, Code::ScratchOutOfMemory);
    failed(&mut finished);
    assert_eq!(judge(&finished).verdict(), Fail, "the restore had come to its end");
}

#[test]
fn a_fail_outranks_whatever_could_not_be_told() {
    let (verdict, codes) = judged(|record| {
        record.clock.offset_vs_store_ms = None;
        selection(record).listing.complete = false;
        restore(record).invalid_indexes = Some(1);
    });
    assert_eq!(verdict, Fail);
    assert_eq!(codes, ["STRUCTURE_DAMAGED", "LIST_INCOMPLETE", "NOT_MEASURED"]);
}

#[test]
fn an_objective_that_is_met_exactly_is_met() {
    let (verdict, codes) = judged(|record| {
        record.objectives.rto_ms = Some(Millis::new(1_768_051));
        record.objectives.rpo_ms = Some(Millis::new(5_400_112));
        let time = record.measurements.recovery_time.as_mut().unwrap();
        *time =
            RecoveryTime::of(time.measured_ms, time.declared_overheads_ms.clone(), record.objectives.rto_ms);
        began_at(record, "2026-11-20T02:30:00.112Z");
    });
    assert_eq!((verdict, codes), (Verdict::Pass, vec![]));
}

#[test]
fn a_pass_by_a_sample_says_so_with_its_share() {
    let mut record = passing();
    with_sample(&mut record, |_, _| {});
    let ruling = judge(&record).ruling();
    assert_eq!(ruling.result.0, Verdict::Pass);
    let coverage = &record.fidelity.as_ref().unwrap().coverage;
    assert!(coverage.is_partial() && coverage.compared_bytes < coverage.total_bytes);
    let share = format!("{}.{:02} %", coverage.share_bp() / 100, coverage.share_bp() % 100);
    let warning = ruling.warnings.iter().find(|warning| warning.code == WarningCode::RowsSampled).unwrap();
    for text in [&ruling.statement, &warning.detail] {
        assert!(text.contains(&share) && text.contains(" were read back"), "{text}");
    }
    assert!(ruling.statement.contains("in a sample: "), "{}", ruling.statement);
    assert!(limitations(&record).iter().any(|line| line.starts_with("Only a sample of the rows")));
    let whole = judge(&passing()).ruling();
    assert!(!whole.statement.contains("sample"), "{}", whole.statement);
}

#[test]
fn warnings_ride_along_and_replace_no_verdict() {
    let table: &[(WarningCode, Change)] = &[
        (WarningCode::NoObjective, |record| {
            record.objectives.rto_ms = None;
            let time = record.measurements.recovery_time.as_mut().unwrap();
            *time = RecoveryTime::of(time.measured_ms, time.declared_overheads_ms.clone(), None);
        }),
        (WarningCode::IntegrityUnanchored, |record| {
            let expected = &mut artifact(record).expected;
            (expected.source, expected.algorithm, expected.sha256) =
                (Anchor::Codec, Some("adler32".into()), None);
        }),
        (WarningCode::SourceNotInProof, |_| {}),
        (WarningCode::SettingsRelaxed, |record| {
            environment(record).settings_relaxed.insert("fsync".into(), "off".into());
        }),
        (WarningCode::NotProductionLike, |record| environment(record).production_like = false),
        (WarningCode::RtoPartial, |record| {
            let time = record.measurements.recovery_time.as_mut().unwrap();
            *time = RecoveryTime::of(time.measured_ms, Default::default(), time.objective_ms);
        }),
        (WarningCode::IsolationNone, |record| {
            environment(record).sandbox = Sandbox { network: Network::Host, user: None, required: false };
        }),
        (WarningCode::RpoExposure, |_| {}),
        (WarningCode::RpoExposureUnknown, |record| {
            let point = record.measurements.recovery_point.as_mut().unwrap();
            point.worst_case_exposure_ms = None;
            point.worst_case_backups = None;
            point.met_worst_case = None;
        }),
        (WarningCode::TrailingBytes, |record| artifact(record).trailing_bytes = Some(512)),
        (WarningCode::RowsSampled, |record| with_sample(record, |_, _| {})),
        (WarningCode::RowsCountedNotHashed, |record| {
            with_tables(record, |tables| {
                (tables[0].state, tables[0].restored_hash) = (TableState::Counted, None);
            });
        }),
        (WarningCode::EntriesExcluded, |_| {}),
        (WarningCode::PlaceholderRoles, |_| {}),
        (WarningCode::ContentOnly, |record| record.checks = Some(Checks::of(0, true, Vec::new()))),
        (WarningCode::ConsistencyPointUncertain, |record| {
            let hour = Millis::new(3_600_000);
            selection(record).consistency_point.as_mut().unwrap().uncertainty_ms = hour;
            record.measurements.recovery_point.as_mut().unwrap().uncertainty_ms = hour;
        }),
        (WarningCode::CheckWithoutLast, |record| {
            with_checks(record, 2, |items| items[0].outcome = CheckOutcome::Baseline);
        }),
        (WarningCode::ObjectsDoubtful, with_doubt),
        (WarningCode::UnvalidatedBroken, |record| {
            revalidated(record).broken_unpromised = 1;
            revalidated(record).broken = vec![broken(false)];
        }),
        (WarningCode::SequenceBehind, |record| {
            let numbering = record.numbering.as_mut().unwrap();
            (numbering.behind, numbering.behind_total) = (vec!["public.orders_id_seq".into()], 1);
        }),
        (WarningCode::DriftNotCompared, |record| {
            let drift = drift(record);
            (drift.compared_with, drift.schema, drift.tables_compared) = (None, None, 0);
            for figure in
                [&mut drift.rows, &mut drift.tables, &mut drift.restored_bytes, &mut drift.artifact_bytes]
            {
                figure.before = None;
            }
        }),
        (WarningCode::DriftRowsDropped, |record| drift(record).rows.before = Some(641_000)),
        (WarningCode::DriftSizeDropped, |record| drift(record).restored_bytes.before = Some(130_000_000)),
        (WarningCode::DriftSchemaChanged, |record| {
            let removed = &mut drift(record).schema.as_mut().unwrap().columns_removed;
            *removed = Names { total: 1, names: vec!["public.orders.total numeric".into()] };
        }),
        (WarningCode::DriftSameBackup, |record| {
            let digest = artifact(record).observed.as_ref().unwrap().sha256;
            drift(record).policy.unchanged = Weight::Warn;
            drift(record).same_artifact = true;
            drift(record).compared_with.as_mut().unwrap().artifact_sha256 = Some(digest);
        }),
        (WarningCode::AbandonedRuns, |record| {
            let killed =
                AbandonedRun { run_id: RunId::fresh(), started_at: None, last_state: "started".into() };
            record.chain.abandoned_runs.push(killed);
        }),
        (WarningCode::ScratchLeft, |record| record.cleanup.as_mut().unwrap().removal_verified = false),
        (WarningCode::StateRecovered, |record| {
            record.notices.push(WarningLine::new(WarningCode::StateRecovered, "the journal was damaged"));
        }),
    ];
    for (code, change) in table {
        let mut record = passing();
        change(&mut record);
        let judgement = judge(&record);
        assert_eq!(judgement.verdict(), Verdict::Pass, "{code:?}: {:?}", judgement.reasons());
        assert!(judgement.warnings().iter().any(|warning| warning.code == *code), "{code:?}");
    }
}

#[test]
fn a_reason_says_which_rows_differ_or_why_that_is_not_known() {
    let located = LocatedRows { missing: 1, extra: 0, changed: 2, complete: true, rows: Vec::new() };
    let table: [(Option<LocatedRows>, Option<NotNarrowed>, &str); 5] = [
        (Some(located.clone()), None, "public.orders (rows: 1 missing, 2 changed)"),
        (
            Some(LocatedRows { complete: false, ..located }),
            None,
            "public.orders (rows: 1 missing, 2 changed and more)",
        ),
        (
            None,
            Some(NotNarrowed::Deadline),
            "public.orders (not narrowed: looking for the rows took too long)",
        ),
        (
            None,
            Some(NotNarrowed::Unreadable),
            "public.orders (not narrowed: the rows could not be read once more)",
        ),
        (None, Some(NotNarrowed::TooManyTables), "public.orders (not narrowed: too many tables differ)"),
    ];
    for (located, not_narrowed, words) in table {
        let mut record = passing();
        with_tables(&mut record, |tables| {
            tables[1].state = TableState::Different;
            tables[1].restored_hash = tables[0].restored_hash;
            (tables[1].located, tables[1].not_narrowed) = (located, not_narrowed);
        });
        let judgement = judge(&record);
        let reason = &judgement.reasons()[0];
        assert_eq!((judgement.verdict(), reason.code), (Verdict::Fail, Code::DataMismatch));
        assert!(reason.detail.contains(words), "{words}: {}", reason.detail);
    }
}

#[test]
fn the_statement_says_what_was_proven() {
    let judgement = judge(&passing());
    assert_eq!(
        judgement.statement(),
        "The backup orders-20261120T010000Z.dump of orders was read whole, has the digest that lies beside \
         it, was restored without an error into a scratch database without a network, and came back with the \
         rows of the backup in 3 of 3 tables (320,000 rows), in a measured recovery time of 17 min 28 s."
    );
}

/// An older backup was chosen than the one of the passing record, as old as that is called.
fn older_chosen(record: &mut Record, time: &str) {
    let block = selection(record);
    block.policy = Policy::Oldest;
    let point = block.consistency_point.as_mut().unwrap();
    let newest =
        Newest { uri: block.selected.as_ref().unwrap().uri.clone(), consistency_point: point.clone() };
    point.time = time.parse().unwrap();
    block.selected.as_mut().unwrap().uri = "s3://acme-backups/orders/older.dump".into();
    block.selected.as_mut().unwrap().last_modified = Some(time.parse().unwrap());
    let point = point.clone();
    block.newest = Some(newest.clone());
    let worst = Some((Millis::new(89_250_000), 30));
    let figures = RecoveryPoint::of(record.run.started_at, &point, worst, &record.objectives);
    record.measurements.recovery_point = Some(figures.beside(&newest.consistency_point));
}

#[test]
fn the_drill_of_an_older_backup_is_held_to_the_age_of_the_newest() {
    let month_old = "2026-10-20T01:00:00.000Z";
    let (verdict, codes) = judged(|record| older_chosen(record, month_old));
    assert_eq!((verdict, codes), (Verdict::Pass, vec![]), "a month old, and the newest is of last night");
    let mut record = passing();
    older_chosen(&mut record, month_old);
    let point = record.measurements.recovery_point.unwrap();
    assert_eq!(point.compared_value, ComparedPoint::NewestBackupAgeMs);
    assert_eq!((point.loss_now_ms().get(), point.met_now), (5_400_112, Some(true)));
    assert_eq!(point.data_age_ms.get(), 31 * 86_400_000 + 5_400_112);

    let table: [(&str, Change, Verdict, Code); 7] = [
        (
            "the newest is too old",
            |record| {
                record.objectives.rpo_ms = Some(Millis::new(5_400_111));
                older_chosen(record, "2026-10-20T01:00:00.000Z");
            },
            Fail,
            Code::RpoMissed,
        ),
        (
            "the newest is not told, and the chosen one is too old",
            |record| {
                older_chosen(record, "2026-10-20T01:00:00.000Z");
                let point = selection(record).consistency_point.clone().unwrap();
                selection(record).newest = None;
                let worst = Some((Millis::new(89_250_000), 30));
                let figures = RecoveryPoint::of(record.run.started_at, &point, worst, &record.objectives);
                record.measurements.recovery_point = Some(figures);
            },
            Fail,
            Code::RpoMissed,
        ),
        (
            "the newest is called newer than the listing told",
            |record| {
                older_chosen(record, "2026-10-20T01:00:00.000Z");
                let newest = selection(record).newest.as_mut().unwrap();
                newest.consistency_point.time = "2026-11-20T02:00:00.000Z".parse().unwrap();
                let newest = newest.consistency_point.clone();
                let point = record.measurements.recovery_point.as_mut().unwrap();
                *point = point.clone().beside(&newest);
            },
            Inconclusive,
            Code::RecordInconsistent,
        ),
        (
            "the newest is older than the chosen one",
            |record| {
                older_chosen(record, "2026-10-20T01:00:00.000Z");
                let newest = selection(record).newest.as_mut().unwrap();
                newest.consistency_point.time = "2026-10-19T01:00:00.000Z".parse().unwrap();
                let newest = newest.consistency_point.clone();
                let point = record.measurements.recovery_point.as_mut().unwrap();
                *point = point.clone().beside(&newest);
            },
            Fail,
            Code::RecordInconsistent,
        ),
        (
            "the latest was to be chosen",
            |record| {
                older_chosen(record, "2026-10-20T01:00:00.000Z");
                selection(record).policy = Policy::Latest;
            },
            Inconclusive,
            Code::RecordInconsistent,
        ),
        (
            "the newest is the chosen one",
            |record| {
                older_chosen(record, "2026-10-20T01:00:00.000Z");
                let uri = selection(record).selected.as_ref().unwrap().uri.clone();
                selection(record).newest.as_mut().unwrap().uri = uri;
            },
            Inconclusive,
            Code::RecordInconsistent,
        ),
        (
            "the figure of the newest is another",
            |record| {
                older_chosen(record, "2026-10-20T01:00:00.000Z");
                record.measurements.recovery_point.as_mut().unwrap().newest_backup_age_ms =
                    Some(SignedMillis::new(1));
            },
            Inconclusive,
            Code::RecordInconsistent,
        ),
    ];
    for (name, change, verdict, code) in table {
        let (found, codes) = judged(change);
        assert_eq!(found, verdict, "{name}: {codes:?}");
        assert!(codes.contains(&code.as_str()), "{name}: {codes:?}");
    }
}

#[test]
fn one_table_is_one_table() {
    let mut record = passing();
    let with = |record: &mut Record, state: TableState| {
        let fidelity = record.fidelity.as_mut().unwrap();
        let mut table = fidelity.tables[0].clone();
        (table.state, table.rows, table.restored_rows) = (state, Some(1), Some(1));
        let objects = (fidelity.large_objects.clone(), fidelity.sequences.clone());
        *fidelity = Fidelity::of(fidelity.compared_to, vec![table]);
        (fidelity.large_objects, fidelity.sequences) = objects;
        drift(record).rows.after = Some(1);
        drift(record).tables.after = Some(1);
    };
    with(&mut record, TableState::Equal);
    let judgement = judge(&record);
    assert!(judgement.statement().contains("in 1 of 1 table (1 row), in"), "{}", judgement.statement());
    with(&mut record, TableState::Different);
    let said = judge(&record);
    let words = said.reasons().iter().any(|reason| reason.detail.starts_with("the rows of 1 table are not"));
    assert!(words, "{:?}", said.reasons());
}

#[test]
fn warnings_count_one_as_one_and_many_as_many() {
    let told = |many: u64| {
        let mut record = passing();
        restore(&mut record).toc_entries_excluded = many;
        restore(&mut record).placeholder_roles = (0..many).map(|role| format!("role{role}")).collect();
        artifact(&mut record).trailing_bytes = Some(many);
        judge(&record).warnings().iter().map(|warning| warning.detail.clone()).collect::<Vec<_>>().join("\n")
    };
    let (one, many) = (told(1), told(2_000));
    for (singular, plural) in [
        ("1 entry of the archive was left out;", "2,000 entries of the archive were left out;"),
        ("1 role of the source was made without", "2,000 roles of the source were made without"),
        ("1 byte lies behind the end of", "2,000 bytes lie behind the end of"),
    ] {
        assert!(one.contains(singular), "{singular}: {one}");
        assert!(many.contains(plural), "{plural}: {many}");
    }
}

/// A leaf of the predicate: where it is, and its name among the informational ones.
struct Leaf {
    pointer: String,
    path: String,
}

/// Each value that holds no other, empty lists and maps included.
fn leaves(value: &Value, pointer: &str, path: &str, into: &mut Vec<Leaf>) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (key, inner) in map {
                let name = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                leaves(inner, &format!("{pointer}/{key}"), &name, into);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (at, inner) in items.iter().enumerate() {
                let name = match inner.get("name").and_then(Value::as_str).filter(|_| path == "phases") {
                    Some(phase) => format!("{path}[{phase}]"),
                    None => format!("{path}[]"),
                };
                leaves(inner, &format!("{pointer}/{at}"), &name, into);
            }
        }
        _ => into.push(Leaf { pointer: pointer.to_owned(), path: path.to_owned() }),
    }
}

/// Every word that the schema allows anywhere: the other values of an enumeration are among them.
fn words(schema: &Value, into: &mut BTreeSet<String>) {
    match schema {
        Value::Object(map) => {
            let allowed = map.get("enum").and_then(Value::as_array).into_iter().flatten();
            into.extend(allowed.chain(map.get("const")).filter_map(Value::as_str).map(str::to_owned));
            map.values().for_each(|inner| words(inner, into));
        }
        Value::Array(items) => items.iter().for_each(|inner| words(inner, into)),
        _ => {}
    }
}

/// Other values for a leaf, most of them of its own kind.
fn others(value: &Value, words: &BTreeSet<String>) -> Vec<Value> {
    match value {
        Value::Bool(it) => vec![json!(!it)],
        Value::Number(number) => {
            let number = number.as_i64().unwrap();
            [Some(number + 1_000_000_007), (number != 0).then_some(0), (number == 0).then_some(1)]
                .into_iter()
                .flatten()
                .map(|other| json!(other))
                .collect()
        }
        Value::String(text) => {
            let mut others: Vec<String> = words.iter().filter(|word| *word != text).cloned().collect();
            others.push(format!("{text}x"));
            if text.len() == 64 {
                others.push(firedrill::digest::Digest::of(text.as_bytes()).to_string());
            }
            if let Ok(moment) = text.parse::<Moment>() {
                let shifted = |seconds| Moment::from(moment.at() + jiff::SignedDuration::from_secs(seconds));
                others.extend([-86_400, -1, 1, 86_400].map(|seconds| shifted(seconds).to_string()));
            }
            others.push("1.1.0".to_owned());
            others.into_iter().map(Value::String).collect()
        }
        Value::Array(_) => vec![json!(["x"])],
        Value::Object(_) => vec![json!({ "x": 1 }), json!({ "x": "x" })],
        Value::Null => Vec::new(),
    }
}

/// Whether a reader of the changed predicate would come to a pass.
fn passes(predicate: &Value) -> bool {
    let record: Result<Record, _> = serde_json::from_value(predicate.clone());
    record.is_ok_and(|record| judge(&record).verdict() == Verdict::Pass)
}

fn removed(mut predicate: Value, pointer: &str) -> Value {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    match predicate.pointer_mut(parent).unwrap() {
        Value::Object(map) => drop(map.remove(name)),
        Value::Array(items) => drop(items.remove(name.parse().unwrap())),
        _ => unreachable!("a leaf lies in a list or a map"),
    }
    predicate
}

/// Phases may be off by a hundredth of the recovery time, of 1048 s.
fn is_within_the_hundredth(leaf: &Leaf, value: &Value, other: &Value) -> bool {
    let off = |(a, b): (i64, i64)| a.abs_diff(b) <= 10_480;
    leaf.path.starts_with("phases[")
        && leaf.path.ends_with("_ms")
        && value.as_i64().zip(other.as_i64()).is_some_and(off)
}

fn is_informational(path: &str) -> bool {
    INFORMATIONAL.iter().any(|pattern| {
        path == *pattern || path.strip_prefix(pattern).is_some_and(|rest| rest.starts_with(['.', '[']))
    })
}

#[test]
fn no_leaf_of_a_passing_record_can_go_or_change_unless_it_is_informational() {
    let predicate = serde_json::to_value(passing()).unwrap();
    assert!(passes(&predicate));
    let mut vocabulary = BTreeSet::new();
    words(&schema(), &mut vocabulary);
    let mut all = Vec::new();
    leaves(&predicate, "", "", &mut all);
    assert!(all.len() > 200, "{} leaves", all.len());

    let mut weak = BTreeSet::new();
    for leaf in &all {
        let mut changed: Vec<Value> = vec![removed(predicate.clone(), &leaf.pointer)];
        let value = predicate.pointer(&leaf.pointer).unwrap();
        for other in others(value, &vocabulary) {
            if is_within_the_hundredth(leaf, value, &other) {
                continue;
            }
            let mut copy = predicate.clone();
            *copy.pointer_mut(&leaf.pointer).unwrap() = other;
            changed.push(copy);
        }
        if changed.iter().any(passes) {
            weak.insert(leaf.path.clone());
        }
    }
    let unlisted: Vec<_> = weak.iter().filter(|path| !is_informational(path)).collect();
    assert!(unlisted.is_empty(), "these hold nothing up, and are not listed: {unlisted:#?}");
    let idle: Vec<_> =
        INFORMATIONAL.iter().filter(|pattern| !weak.iter().any(|path| path.starts_with(**pattern))).collect();
    assert!(idle.is_empty(), "these are listed, and hold something up: {idle:#?}");
}
