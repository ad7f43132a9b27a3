//! What was looked at beyond the rows, as blocks of the record.

use crate::proof;
use crate::record::{
    BrokenConstraint, CONSTRAINTS_MAX, ConstraintKind, DamagedRelation, Numbering, RELATIONS_MAX,
    RelationKind, Revalidated, RevalidatedKind, Sha256, Shape, ShapeClass, Structure, UnaskedConstraint,
    UncheckedRelation,
};

/// The structure of tables and indexes.
pub fn structure(found: proof::Structure, heap_all_indexed: bool) -> Structure {
    let kind = |index: bool| if index { RelationKind::Index } else { RelationKind::Heap };
    let (damaged_total, unchecked_total) = (found.damaged.len() as u64, found.unchecked.len() as u64);
    let damaged = found.damaged.into_iter().take(RELATIONS_MAX).map(|one| DamagedRelation {
        name: one.name,
        kind: kind(one.index),
        faults: one.faults,
        first_block: one.first_block,
        sqlstate: one.sqlstate,
    });
    let unchecked = found.unchecked.into_iter().take(RELATIONS_MAX).map(|one| UncheckedRelation {
        name: one.name,
        kind: kind(one.index),
        why: one.why,
    });
    Structure {
        amcheck_version: found.version,
        unavailable: found.unavailable,
        heap_all_indexed,
        heaps_expected: found.heaps_expected,
        heaps_checked: found.heaps_checked,
        indexes_expected: found.indexes_expected,
        indexes_checked: found.indexes_checked,
        indexes_other: found.indexes_other,
        damaged: damaged.collect(),
        damaged_total,
        unchecked: unchecked.collect(),
        unchecked_total,
        jobs: found.jobs,
        duration_ms: found.took.into(),
    }
}

/// The shape of the restored database.
pub fn shape(found: proof::Shape) -> Shape {
    let class = |(name, (count, digest)): (&str, (u64, crate::digest::Digest))| {
        (name.to_owned(), ShapeClass { count, sha256: Sha256::from(digest) })
    };
    Shape {
        database_bytes: found.database_bytes,
        server_major: found.server_major,
        tables: found.tables,
        classes: found.classes.into_iter().map(class).collect(),
    }
}

/// The constraints that were evaluated anew.
pub fn revalidated(found: proof::Revalidated) -> Revalidated {
    let kind = |kind: proof::ConstraintKind| match kind {
        proof::ConstraintKind::ForeignKey => ConstraintKind::ForeignKey,
        proof::ConstraintKind::Check => ConstraintKind::Check,
        proof::ConstraintKind::NotNull => ConstraintKind::NotNull,
    };
    let of = |kind: proof::ConstraintKind| {
        let proof::Asked { expected, asked, broken } = found.kinds.get(&kind).copied().unwrap_or_default();
        RevalidatedKind { expected, asked, broken }
    };
    let (promised, unpromised): (Vec<_>, Vec<_>) = found.broken.into_iter().partition(|one| one.promised);
    let broken_unpromised = unpromised.len() as u64;
    let broken = promised.into_iter().chain(unpromised).take(CONSTRAINTS_MAX);
    let broken = broken.map(|one| BrokenConstraint {
        kind: kind(one.kind),
        table: one.table,
        name: one.name,
        rows: one.rows,
        promised: one.promised,
    });
    let unasked = found.unasked.into_iter().take(CONSTRAINTS_MAX).map(|one| UnaskedConstraint {
        kind: kind(one.kind),
        table: one.table,
        name: one.name,
        why: one.why,
    });
    Revalidated {
        foreign_keys: of(proof::ConstraintKind::ForeignKey),
        checks: of(proof::ConstraintKind::Check),
        not_null: of(proof::ConstraintKind::NotNull),
        broken: broken.collect(),
        broken_unpromised,
        unasked: unasked.collect(),
        jobs: found.jobs,
        duration_ms: found.took.into(),
    }
}

/// The sequences and their columns.
pub fn numbering(found: proof::Numbered) -> Numbering {
    Numbering {
        expected: found.expected,
        asked: found.asked,
        behind_total: found.behind.len() as u64,
        behind: found.behind.into_iter().take(CONSTRAINTS_MAX).collect(),
    }
}
