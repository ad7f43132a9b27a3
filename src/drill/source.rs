//! The stamp beside the backup: read, and held against what the plan demands.

use crate::catalog::{Backup, ConsistencyPoint, PointSource};
use crate::digest::Digest;
use crate::evidence::PublicKey;
use crate::plan::{Proof, StampDemand};
use crate::record::{self, INTEGER_MAX, Millis, Record, Sha256};
use crate::stamp::{self, Error, Kind, Stamp};
use crate::store::Store;
use crate::verdict::{Code, Reason};

/// The stamp that can be used, and what speaks against one that can't.
#[derive(Default)]
pub struct Found {
    /// The stamp.
    pub stamp: Option<Stamp>,
    /// Why the drill can't pass; it is drilled all the same.
    pub doubts: Vec<Reason>,
}

/// Looks for the stamp of a backup. `beside` is the digest that lies there as well, if one does.
///
/// # Errors
/// The store would not give it, or a key of the plan can't be read.
pub async fn look(
    store: &Store,
    backup: &Backup,
    beside: Option<Digest>,
    proof: &Proof,
) -> Result<Found, Reason> {
    let refused = |error: Error| Found { stamp: None, doubts: vec![error.reason()] };
    let Some(object) = &backup.sidecars.stamp else {
        let missing = || Error::new(Kind::Missing, format!("no stamp lies beside {}", backup.object.uri));
        return Ok(match proof.stamp {
            StampDemand::Optional => Found::default(),
            StampDemand::Required | StampDemand::Signed => refused(missing()),
        });
    };
    if object.bytes > stamp::BYTES_MAX {
        return Ok(refused(stamp::too_long()));
    }
    let bytes = store.read(object, 0..object.bytes).await.map_err(|error| error.reason())?;
    let read = stamp::read(&bytes, &keys(proof)?).and_then(|stamp| fitting(stamp, backup, beside, proof));
    Ok(match read {
        Ok(stamp) => Found { stamp: Some(stamp), doubts: Vec::new() },
        Err(error) => refused(error),
    })
}

/// The stamp, if it is as the plan demands, and of this backup as far as can be told before that
/// is read.
fn fitting(stamp: Stamp, backup: &Backup, beside: Option<Digest>, proof: &Proof) -> Result<Stamp, Error> {
    let uri = &backup.object.uri;
    if proof.stamp == StampDemand::Signed && stamp.signed_by.is_none() {
        return Err(Error::new(Kind::Unsigned, format!("the stamp beside {uri} is not signed")));
    }
    if stamp.predicate.archive_bytes != backup.object.bytes {
        let what = format!(
            "the stamp beside {uri} speaks of an archive of {} bytes, and this one has {}",
            stamp.predicate.archive_bytes, backup.object.bytes
        );
        return Err(Error::new(Kind::OtherArchive, what));
    }
    if beside.is_some_and(|digest| Sha256::from(digest) != stamp.archive) {
        let what = format!("the stamp and the digest beside {uri} speak of different archives");
        return Err(Error::new(Kind::OtherArchive, what));
    }
    Ok(stamp)
}

fn keys(proof: &Proof) -> Result<Vec<PublicKey>, Reason> {
    let unreadable = |error: crate::evidence::Error| {
        let remedy = "see stamp_key in the plan: it names an evidence.pub that firedrill keygen made";
        Reason::new(Code::Credentials, crate::evidence::with_causes(&error), remedy)
    };
    proof.stamp_keys.iter().map(|path| PublicKey::read(path).map_err(unreadable)).collect()
}

/// The moment that the snapshot speaks for.
pub fn point(stamp: &Stamp) -> ConsistencyPoint {
    let snapshot = &stamp.predicate.snapshot;
    ConsistencyPoint {
        at: snapshot.at.at(),
        source: PointSource::Stamp,
        uncertainty: snapshot.uncertainty_ms.duration(),
    }
}

/// What the record says of the stamp, before anything is compared with it.
pub fn fill(record: &mut Record, stamp: &Stamp) {
    let predicate = &stamp.predicate;
    let count = |count: usize| (count as u64).min(INTEGER_MAX);
    record.stamp = Some(record::Stamp {
        sha256: stamp.digest.into(),
        signed_by: stamp.signed_by.clone(),
        archive_sha256: stamp.archive,
        snapshot_at: predicate.snapshot.at,
        snapshot_uncertainty_ms: Millis::new(predicate.snapshot.uncertainty_ms.get()),
        database: predicate.source.database.clone(),
        server_version: predicate.source.server_version.clone(),
        system_identifier: predicate.source.system_identifier.clone(),
        replica: predicate.source.replica,
        tables: count(predicate.tables.len()),
        tables_left_out: count(predicate.left_out.len()),
        beside_rows: None,
    });
}
