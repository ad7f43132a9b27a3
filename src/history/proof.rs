//! Which of the backups that lie in the store were proven, and by which drill.

use std::collections::HashMap;

use crate::history::drill::{Artifact, Content, Drill};
use crate::record::{Moment, Sha256};
use crate::store::Object;

/// What the drills of a service say of the objects in its store.
#[derive(Debug)]
pub struct Proofs<'d> {
    by_uri: HashMap<&'d str, Vec<(&'d Artifact, &'d Drill)>>,
}

/// The last word on one backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word<'d> {
    /// It came back whole in this drill, and in none since it did not.
    Proven(&'d Drill),
    /// It did not come back whole in this drill, and in none since it did.
    Refuted(&'d Drill),
    /// A backup of this name came back whole, but what lies there now is another one: its tag, its size or the digest beside it differs.
    Changed(&'d Drill),
    /// No drill came to an end about it.
    Unproven,
}

/// What lies beside a backup, where a digest of it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beside {
    /// A digest.
    Digest(Sha256),
    /// Something else, or the digest of another name.
    Unusable,
}

impl<'d> Proofs<'d> {
    /// The proofs in `drills`, which are in the order of the log.
    pub fn of(drills: &'d [Drill]) -> Proofs<'d> {
        let mut by_uri: HashMap<&str, Vec<(&Artifact, &Drill)>> = HashMap::new();
        for drill in drills {
            if let Some(artifact) = &drill.artifact {
                by_uri.entry(&artifact.uri).or_default().push((artifact, drill));
            }
        }
        Proofs { by_uri }
    }

    /// The last word on `object`, by drills of this very object that could tell. One that failed
    /// by objectives alone proves the backup as one that passed does: it was too slow or too
    /// old, and whole.
    pub fn on(&self, object: &Object) -> Word<'d> {
        let drilled = self.by_uri.get(object.uri.as_str()).map(Vec::as_slice).unwrap_or_default();
        let mut changed = Word::Unproven;
        for (artifact, drill) in drilled.iter().rev() {
            match (is_same(artifact, object), drill.content) {
                (true, Content::Whole) => return Word::Proven(drill),
                (true, Content::Broken) => return Word::Refuted(drill),
                (false, Content::Whole) if changed == Word::Unproven => changed = Word::Changed(drill),
                _ => {}
            }
        }
        changed
    }
}

impl<'d> Word<'d> {
    /// The drill that it is about.
    pub fn drill(&self) -> Option<&'d Drill> {
        match self {
            Word::Proven(drill) | Word::Refuted(drill) | Word::Changed(drill) => Some(drill),
            Word::Unproven => None,
        }
    }

    /// The word after a look at what lies beside the backup now.
    #[must_use]
    pub fn with(self, beside: Option<Beside>) -> Word<'d> {
        let (Word::Proven(drill), Some(beside)) = (self, beside) else { return self };
        let read = drill.artifact.as_ref().and_then(|artifact| artifact.sha256);
        match beside {
            Beside::Digest(digest) if read == Some(digest) => self,
            Beside::Digest(_) | Beside::Unusable => Word::Changed(drill),
        }
    }
}

/// Whether the object is the one that was drilled. Its size must be the same, and the
/// strongest mark that both sides have: the version, else the tag, else the last write.
fn is_same(drilled: &Artifact, object: &Object) -> bool {
    let marks = [
        same(drilled.version.as_ref(), object.version.as_ref()),
        same(drilled.etag.as_ref(), object.etag.as_ref()),
        drilled.modified_at.map(|at| at == Moment::from(object.modified_at)),
    ];
    drilled.bytes == object.bytes && marks.into_iter().flatten().next() == Some(true)
}

fn same(one: Option<&String>, other: Option<&String>) -> Option<bool> {
    Some(one? == other?)
}
