//! Several objects, one after the other, read ahead in parallel.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use crate::store::download::Tuning;
use crate::store::error::{Error, ErrorKind};
use crate::store::object::Object;
use crate::store::window::{Taken, Window};
use crate::store::{READ_BYTES_MAX, Store};

/// How many parts may be in flight or in somebody's hand at once, for all convoys that share it.
#[derive(Clone)]
pub struct Berths {
    free: Arc<Semaphore>,
    count: usize,
    part_bytes: u64,
    /// How many of them are used to read ahead.
    window: Arc<Mutex<Window>>,
    opened_at: Instant,
}

impl Berths {
    /// As many berths as `tuning` has connections at the most, for parts of its size.
    pub fn new(tuning: Tuning) -> Berths {
        let count = tuning.connections.most().min(Semaphore::MAX_PERMITS);
        Berths {
            free: Arc::new(Semaphore::new(count)),
            count,
            part_bytes: tuning.part_bytes.clamp(1, READ_BYTES_MAX),
            window: Arc::new(Mutex::new(Window::new(tuning.connections))),
            opened_at: Instant::now(),
        }
    }

    /// Waits for one.
    async fn wait(&self) -> Option<OwnedSemaphorePermit> {
        self.free.clone().acquire_owned().await.ok()
    }

    /// One to read ahead with, if the window has room for it.
    fn ahead(&self) -> Option<OwnedSemaphorePermit> {
        let held = self.count.saturating_sub(self.free.available_permits());
        let has_room = held < self.window.lock().unwrap_or_else(PoisonError::into_inner).size();
        has_room.then(|| self.free.clone().try_acquire_owned().ok()).flatten()
    }

    fn taken(&self, part: Taken) {
        self.window.lock().unwrap_or_else(PoisonError::into_inner).taken(part);
    }
}

/// The bytes of several objects in order, each as one or more parts.
///
/// Small objects are read ahead like parts of a large one, so that they don't cost a round trip
/// each. Parts hold a berth until they are dropped: memory stays at the berths' number times
/// their size, however many convoys share them. A convoy without any part waits for a berth, and
/// gets it though the window is full; one with some never does, so that convoys can't wait for
/// each other.
pub struct Convoy<K, I> {
    store: Store,
    berths: Berths,
    ahead_max: usize,
    objects: I,
    /// The object whose parts come next, and where in it.
    open: Option<(K, Option<Object>, u64)>,
    parts: VecDeque<Sailing<K>>,
}

struct Sailing<K> {
    key: K,
    begins: bool,
    ends: bool,
    read: Option<(AbortOnDropHandle<Result<Bytes, Error>>, OwnedSemaphorePermit)>,
}

/// A part of an object.
pub struct ConvoyPart<K> {
    /// Which object it is of.
    pub key: K,
    /// Its bytes; none of an object without any.
    pub bytes: Bytes,
    /// Whether it is the object's first.
    pub begins: bool,
    /// Whether it is the object's last.
    pub ends: bool,
    _berth: Option<OwnedSemaphorePermit>,
}

impl<K: Clone, I: Iterator<Item = (K, Option<Object>)>> Convoy<K, I> {
    /// A convoy of `objects`, at most `ahead_max` parts of which are read ahead; for a key without
    /// an object there is one part without bytes. Nothing is asked before the first
    /// [`Convoy::next`].
    pub fn new(store: &Store, berths: &Berths, ahead_max: usize, objects: I) -> Convoy<K, I> {
        Convoy {
            store: store.clone(),
            berths: berths.clone(),
            ahead_max: ahead_max.max(1),
            objects,
            open: None,
            parts: VecDeque::new(),
        }
    }

    /// At most so many parts are read ahead from now on.
    pub fn read_ahead(&mut self, ahead_max: usize) {
        self.ahead_max = ahead_max.max(1);
    }

    /// The next part; `None` after the last. Every part before it should be dropped by then.
    ///
    /// # Errors
    /// As [`Store::read`].
    pub async fn next(&mut self) -> Result<Option<ConvoyPart<K>>, Error> {
        self.fill().await;
        let Some(mut part) = self.parts.pop_front() else { return Ok(None) };
        let (bytes, berth) = match part.read.take() {
            None => (Bytes::new(), None),
            Some((read, berth)) => {
                let asked = self.berths.opened_at.elapsed();
                let lost = |_| {
                    let cause = "the task that reads it was ended";
                    Err(Error::new(ErrorKind::StoreUnavailable, "read a part".to_owned(), cause))
                };
                let bytes = read.await.unwrap_or_else(lost)?;
                self.berths.taken(Taken {
                    asked,
                    got: self.berths.opened_at.elapsed(),
                    bytes: bytes.len() as u64,
                    throttled: self.store.traffic().throttled,
                });
                (bytes, Some(berth))
            }
        };
        let Sailing { key, begins, ends, .. } = part;
        Ok(Some(ConvoyPart { key, bytes, begins, ends, _berth: berth }))
    }

    async fn fill(&mut self) {
        while self.parts.len() < self.ahead_max {
            if self.open.is_none() {
                self.open = self.objects.next().map(|(key, object)| (key, object, 0));
            }
            let Some((key, object, start)) = &mut self.open else { return };
            let Some(object) = object.as_ref().filter(|object| object.bytes > 0) else {
                self.parts.push_back(Sailing { key: key.clone(), begins: true, ends: true, read: None });
                self.open = None;
                continue;
            };
            let berth = match self.parts.is_empty() {
                true => self.berths.wait().await,
                false => self.berths.ahead(),
            };
            let Some(berth) = berth else { return };
            let end = start.saturating_add(self.berths.part_bytes).min(object.bytes);
            let (store, object_read, range) = (self.store.clone(), object.clone(), *start..end);
            let read = tokio::spawn(async move { store.read(&object_read, range).await });
            let (begins, ends) = (*start == 0, end == object.bytes);
            let read = Some((AbortOnDropHandle::new(read), berth));
            self.parts.push_back(Sailing { key: key.clone(), begins, ends, read });
            *start = end;
            if ends {
                self.open = None;
            }
        }
    }
}
