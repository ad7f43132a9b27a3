//! A store as it would look with one object damaged: what is read is altered on its way in, and
//! nothing that lies in the store is touched.

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use crate::store::Inside;
use crate::store::details::Details;
use crate::store::driver::{Driver, Fault, Page};
use crate::store::object::Object;

/// A damage to one object, as it is pretended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The object as it was listed.
    pub object: Object,
    /// What is wrong with it.
    pub harm: Harm,
}

/// What is wrong with an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harm {
    /// One bit of one byte is another one.
    Flip {
        /// The byte, counted from the object's start.
        offset: u64,
        /// The bits that are turned over.
        bits: u8,
    },
    /// It ends early.
    Cut {
        /// What is left of it.
        bytes: u64,
    },
}

/// The driver of another store, seen through a damage.
pub(super) struct Damaged {
    inside: Arc<Inside>,
    damage: Damage,
}

impl Damaged {
    pub(super) fn new(inside: Arc<Inside>, damage: Damage) -> Damaged {
        Damaged { inside, damage }
    }

    fn is_hit(&self, object: &Object) -> bool {
        object.key == self.damage.object.key
    }

    /// The object as the store below knows it.
    fn whole(&self, object: &Object) -> Object {
        match self.is_hit(object) {
            true => Object { bytes: self.damage.object.bytes, ..object.clone() },
            false => object.clone(),
        }
    }

    /// The size that is shown of an object.
    fn shown_bytes(&self, bytes: u64) -> u64 {
        match self.damage.harm {
            Harm::Flip { .. } => bytes,
            Harm::Cut { bytes: left } => bytes.min(left),
        }
    }
}

#[async_trait]
impl Driver for Damaged {
    async fn page(&self, token: Option<&str>) -> Result<Page, Fault> {
        let mut page = self.inside.driver.page(token).await?;
        for object in page.objects.iter_mut().filter(|object| self.is_hit(object)) {
            object.bytes = self.shown_bytes(object.bytes);
        }
        Ok(page)
    }

    async fn describe(&self, object: &Object) -> Result<Details, Fault> {
        let details = self.inside.driver.describe(&self.whole(object)).await?;
        match self.is_hit(object) {
            true => Ok(Details { bytes: self.shown_bytes(details.bytes), ..details }),
            false => Ok(details),
        }
    }

    async fn read(&self, object: &Object, range: Range<u64>) -> Result<Bytes, Fault> {
        let bytes = self.inside.driver.read(&self.whole(object), range.clone()).await?;
        let Harm::Flip { offset, bits } = self.damage.harm else { return Ok(bytes) };
        let within = offset.checked_sub(range.start).and_then(|at| usize::try_from(at).ok());
        if !self.is_hit(object) || within.is_none_or(|at| at >= bytes.len()) {
            return Ok(bytes);
        }
        let mut altered = bytes.to_vec();
        if let Some(byte) = within.and_then(|at| altered.get_mut(at)) {
            *byte ^= bits;
        }
        Ok(altered.into())
    }

    async fn renew(&self) -> Result<(), Fault> {
        self.inside.driver.renew().await
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use crate::store::{Damage, Harm, Location, Options, Store};

    #[tokio::test]
    async fn a_damage_is_seen_in_one_object_and_is_not_there() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a", "b"] {
            fs::write(folder.path().join(name), b"0123456789").unwrap();
        }
        let location = Location::parse(&format!("file://{}/", folder.path().display())).unwrap();
        let store = Store::open(&location, &Options::default()).await.unwrap();
        let objects = store.list().await.unwrap().objects;
        let table: [(Harm, &[u8]); 3] = [
            (Harm::Flip { offset: 3, bits: 1 }, b"0122456789"),
            (Harm::Flip { offset: 99, bits: 1 }, b"0123456789"),
            (Harm::Cut { bytes: 4 }, b"0123"),
        ];
        for (harm, seen) in table {
            let damaged = store.damaged(Damage { object: objects[0].clone(), harm });
            let listed = damaged.list().await.unwrap().objects;
            let whole = damaged.read(&listed[0], 0..listed[0].bytes).await.unwrap();
            assert_eq!(whole, seen, "{harm:?}");
            assert_eq!(damaged.read(&listed[0], 2..4).await.unwrap(), seen[2..4], "{harm:?}");
            assert_eq!(damaged.describe(&listed[0]).await.unwrap().bytes, seen.len() as u64);
            assert_eq!(damaged.read(&listed[1], 0..10).await.unwrap(), b"0123456789".as_slice());
        }
        assert_eq!(fs::read(folder.path().join("a")).unwrap(), b"0123456789");
    }
}
