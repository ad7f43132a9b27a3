//! What was looked at beyond the rows, as blocks of the record.

use crate::proof;
use crate::record::{
    DamagedRelation, RELATIONS_MAX, RelationKind, Sha256, Shape, ShapeClass, Structure, UncheckedRelation,
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
