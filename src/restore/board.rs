//! The board between the stream and the connections: what is open, what may be taken next,
//! what came of it.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::clock::Stopwatch;
use crate::event::{EventKind, Events};
use crate::restore::Error;
use crate::restore::error::Failure;
use crate::restore::load::{Feed, Load, Loaded, Way};
use crate::restore::pace::Supply;
use crate::restore::schedule::Schedule;
use crate::restore::spans::{Kind, Spans};
use crate::restore::steps::Step;

/// What the rows of large objects are called while they are put, for want of a table.
const LARGE_OBJECTS: &str = "LARGE OBJECTS";

/// Something for a connection to do.
#[derive(Debug)]
pub enum Work {
    /// Take pieces of this load.
    Load(Arc<Load>),
    /// Run this entry, or this step of it, and then say so with [`Board::finish_entry`] or
    /// [`Board::built`].
    Entry(u32, Step),
    /// Mark that the rows of this load are all in, and then say so with [`Board::marked`].
    Mark(Box<(Arc<Load>, Loaded)>),
}

/// Loads that are open while every connection has one, at most.
const LOADS_WAITING_MAX: usize = 2;

/// A connection between two pieces of work is not one that has nothing to do.
const SPARE_FOR: Duration = Duration::from_millis(5);

/// What goes through less than this share of the rows that are loaded takes no time that counts,
/// and something may wait for it.
const PUT_OFF_SHARE: u64 = 64;

/// What may be waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Bytes of the store.
    Store,
    /// Somebody who takes rows.
    Server,
    /// Something to do.
    Rows,
}

/// Shared by the reading thread, the decoders and the connections.
pub struct Board {
    state: Mutex<State>,
    changed: Notify,
    idle: AtomicUsize,
    /// Somebody may have nothing to do, or no more can be done for it.
    spared: Notify,
    /// The archive was read to its end, in order.
    order_over: AtomicBool,
    /// Bounds the loads that are open at once, and with them memory.
    openings: Arc<Semaphore>,
    /// Connections in all.
    connections: usize,
    /// Connections that take rows at once, at most.
    copy_connections_max: usize,
    /// Cancelled when the restore has halted: decoders and connections stop.
    pub cancel: CancellationToken,
    /// Cancelled when nobody wants the outcome any more: reading stops, too.
    pub abandoned: CancellationToken,
    watch: Stopwatch,
    events: Events,
    /// How long was waited for each of [`Wait`], in microseconds.
    waits: [AtomicU64; 3],
    /// Whether loads are marked before anything that depends on them begins.
    marking: bool,
}

struct State {
    supply: Supply,
    to_mark: Vec<(Arc<Load>, Loaded)>,
    schedule: Schedule,
    loads: Vec<(Arc<Load>, OwnedSemaphorePermit)>,
    stream_over: bool,
    halted: Option<Error>,
    failures: Vec<Failure>,
    outcomes: Vec<(Arc<Load>, Loaded)>,
    entries_done: usize,
    loads_done_before: usize,
    spans: Spans,
}

/// What is left on the board at the end.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Every load, in the order in which they were completed.
    pub loads: Vec<(Arc<Load>, Loaded)>,
    /// Entries that failed.
    pub failures: Vec<Failure>,
    /// Entries that were run and succeeded after the rows began.
    pub entries_done: usize,
    /// Entries of rows that were finished by the restore that this one went on with.
    pub loads_done_before: usize,
    /// When what was done.
    pub spans: Spans,
}

impl Outcome {
    /// Adds what came of another part of the same restore.
    pub fn merge(&mut self, other: Outcome) {
        self.loads.extend(other.loads);
        self.failures.extend(other.failures);
        self.entries_done += other.entries_done;
        self.spans.merge(&other.spans);
    }
}

impl Board {
    /// A board with nothing open, for so many connections; `marking` says whether finished loads
    /// are marked.
    pub fn new(
        schedule: Schedule,
        connections: usize,
        copy_connections_max: usize,
        watch: Stopwatch,
        events: Events,
        marking: bool,
    ) -> Board {
        let abandoned = CancellationToken::new();
        Board {
            state: Mutex::new(State {
                supply: Supply::Even,
                to_mark: Vec::new(),
                schedule,
                loads: Vec::new(),
                stream_over: false,
                halted: None,
                failures: Vec::new(),
                outcomes: Vec::new(),
                entries_done: 0,
                loads_done_before: 0,
                spans: Spans::default(),
            }),
            changed: Notify::new(),
            idle: AtomicUsize::new(0),
            spared: Notify::new(),
            order_over: AtomicBool::new(false),
            openings: Arc::new(Semaphore::new(connections + LOADS_WAITING_MAX)),
            connections,
            copy_connections_max: copy_connections_max.max(1),
            cancel: abandoned.child_token(),
            abandoned,
            watch,
            events,
            waits: Default::default(),
            marking,
        }
    }

    /// Somebody has waited from `began` until now.
    pub fn waited(&self, what: Wait, began: Duration) {
        let micros = self.watch.elapsed().saturating_sub(began).as_micros();
        let [store, server, rows] = &self.waits;
        let sum = match what {
            Wait::Store => store,
            Wait::Server => server,
            Wait::Rows => rows,
        };
        sum.fetch_add(u64::try_from(micros).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// What the store gives now.
    pub fn supplied(&self, supply: Supply) {
        let before = std::mem::replace(&mut self.state().supply, supply);
        if supply == Supply::Plenty {
            self.spared.notify_waiters();
        }
        if supply < Supply::Enough && before >= Supply::Enough {
            // What was put off is not any more.
            self.stir();
        }
    }

    /// The archive was read to its end: nothing is left to be read ahead.
    pub fn order_over(&self) {
        self.order_over.store(true, Ordering::SeqCst);
        self.spared.notify_waiters();
    }

    /// Waits until a connection has nothing to do although the store could give more, or
    /// whatever it gives; `false` when that would come too late.
    pub async fn spare(&self, whatever_it_gives: bool) -> bool {
        loop {
            let spared = self.spared.notified();
            tokio::pin!(spared);
            spared.as_mut().enable();
            if self.cancel.is_cancelled() || self.order_over.load(Ordering::SeqCst) {
                return false;
            }
            let gives = || whatever_it_gives || self.state().supply == Supply::Plenty;
            if gives() && self.has_spare() {
                tokio::time::sleep(SPARE_FOR).await;
                if gives() && self.has_spare() {
                    return true;
                }
            }
            tokio::select! {
                () = spared => {}
                () = self.cancel.cancelled() => {}
            }
        }
    }

    fn has_spare(&self) -> bool {
        let state = self.state();
        let copying: usize = state.loads.iter().map(|(load, _)| load.connections()).sum();
        let unmanned = state.loads.iter().filter(|(load, _)| load.connections() == 0).count();
        self.idle() > unmanned
            && copying + unmanned < self.copy_connections_max
            && !state.schedule.has_next(&self.put_off(&state))
    }

    /// Tells how long was waited in all.
    pub fn tell_waits(&self) {
        let [store, server, rows] =
            [0, 1, 2].map(|at: usize| self.waits.get(at).map_or(0, |sum| sum.load(Ordering::Relaxed)));
        let time = Duration::from_micros;
        self.events.emit(EventKind::Waited { store: time(store), server: time(server), rows: time(rows) });
    }

    /// Opens a load, waiting while too many are open; nothing when the restore is over.
    pub async fn open(&self, load: Arc<Load>, compressed_bytes: Option<u64>) -> Option<()> {
        let permit = tokio::select! {
            permit = self.openings.clone().acquire_owned() => permit.ok()?,
            () = self.cancel.cancelled() => return None,
        };
        self.events.emit(match load.way {
            Way::LargeObjects => EventKind::EntryStarted { kind: LARGE_OBJECTS.into(), name: "".into() },
            _ => EventKind::TableStarted { table: load.name.clone() },
        });
        let mut state = self.state();
        state.schedule.weigh(load.entry, compressed_bytes.unwrap_or(0));
        state.loads.push((load, permit));
        Some(())
    }

    /// A piece was queued: somebody may want it.
    pub fn stir(&self) {
        self.changed.notify_waiters();
    }

    /// The decoder of a load is done with it.
    pub fn source_over(&self, feed: Feed) {
        let load = feed.load().clone();
        feed.finish();
        self.settle(&load);
    }

    /// A connection has left a load, or its source is over: it may be complete now.
    pub fn settle(&self, load: &Arc<Load>) {
        if let Some(loaded) = load.take_outcome() {
            if self.marking && loaded.failure.is_none() {
                self.state().to_mark.push((load.clone(), loaded));
            } else {
                self.complete(load, loaded);
            }
        }
        self.stir();
    }

    /// The mark of a load is written.
    pub fn marked(&self, load: &Arc<Load>, loaded: Loaded) {
        self.complete(load, loaded);
        self.stir();
    }

    fn complete(&self, load: &Arc<Load>, loaded: Loaded) {
        self.tell_settled(load, &loaded);
        let mut state = self.state();
        state.loads.retain(|(open, _)| !Arc::ptr_eq(open, load));
        state.schedule.weigh(load.entry, loaded.seen.hash.bytes());
        state.schedule.finish(load.entry);
        state.failures.extend(loaded.failure.clone());
        state.outcomes.push((load.clone(), loaded));
    }

    fn tell_settled(&self, load: &Load, loaded: &Loaded) {
        match load.way {
            Way::LargeObjects => {
                self.events.emit(EventKind::EntryFinished { kind: LARGE_OBJECTS.into(), name: "".into() });
            }
            _ if loaded.failure.is_none() => {
                let rows = loaded.seen.hash.rows();
                self.events.emit(EventKind::TableFinished { table: load.name.clone(), rows });
            }
            _ => {}
        }
    }

    /// Every block of the archive was read.
    pub fn stream_over(&self) {
        self.state().stream_over = true;
        self.stir();
    }

    /// The restore can't go on. The first word counts.
    pub fn halt(&self, error: Error) {
        self.state().halted.get_or_insert(error);
        self.cancel.cancel();
        self.stir();
    }

    /// What to do next; nothing when all is done or the restore has halted.
    pub async fn next(&self) -> Option<Work> {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            match self.look() {
                Look::Work(work) => return Some(work),
                Look::Over => return None,
                Look::Wait => {
                    let began = self.elapsed();
                    self.idle.fetch_add(1, Ordering::SeqCst);
                    self.spared.notify_waiters();
                    changed.await;
                    self.idle.fetch_sub(1, Ordering::SeqCst);
                    self.waited(Wait::Rows, began);
                }
            }
        }
    }

    fn look(&self) -> Look {
        let mut state = self.state();
        if state.halted.is_some() {
            return Look::Over;
        }
        if let Some(to_mark) = state.to_mark.pop() {
            return Look::Work(Work::Mark(Box::new(to_mark)));
        }
        let copying: usize = state.loads.iter().map(|(load, _)| load.connections()).sum();
        let mut wanting = state.loads.iter().filter(|_| copying < self.copy_connections_max);
        if let Some((load, _)) = wanting.find(|(load, _)| load.wants_connection()) {
            return Look::Work(Work::Load(load.clone()));
        }
        let put_off = self.put_off(&state);
        if let Some((id, step)) = state.schedule.start_next(&put_off) {
            return Look::Work(Work::Entry(id, step));
        }
        let over = state.stream_over && state.loads.is_empty() && state.schedule.left() == 0;
        if over { Look::Over } else { Look::Wait }
    }

    /// Entries that go through such numbers of bytes of rows are put off: while a larger table is
    /// loaded and the cores are busy with that, what is built on smaller ones would only delay it.
    /// It fills the cores later, while the large table's own indexes and references are built,
    /// which are few and exclude each other.
    fn put_off(&self, state: &State) -> Range<u64> {
        let manned = || state.loads.iter().map(|(load, _)| load).filter(|load| load.connections() > 0);
        // What decodes and converts for a table keeps another core busy.
        let busy = manned().map(|load| load.connections() + 1).sum::<usize>() + state.schedule.running();
        if busy < self.connections || state.supply < Supply::Enough {
            return 0..0;
        }
        let largest = manned().map(|load| load.rows_bytes_min()).max().unwrap_or(0);
        largest / PUT_OFF_SHARE..largest
    }

    /// Whether a connection that waits for pieces had better do something else.
    pub fn has_other_work(&self) -> bool {
        let state = self.state();
        state.schedule.has_next(&self.put_off(&state))
    }

    /// Bytes of the largest table whose rows this entry goes through.
    pub fn rows_bytes(&self, id: u32) -> u64 {
        self.state().schedule.rows_bytes(id)
    }

    /// Connections that wait for something to do.
    pub fn idle(&self) -> usize {
        self.idle.load(Ordering::SeqCst)
    }

    /// How many more could work: those of them that nothing is ready for, since the others are about
    /// to take it; and those that take rows and mostly wait for the store.
    pub fn unoccupied(&self) -> usize {
        let (idle, state) = (self.idle(), self.state());
        let copying: usize = state.loads.iter().map(|(load, _)| load.connections()).sum();
        let starving = if state.supply == Supply::Scarce { copying } else { 0 };
        idle.saturating_sub(state.schedule.startable(idle)) + starving
    }

    /// The index of a key was built; the key itself waits to be run.
    pub fn built(&self, id: u32) {
        self.state().schedule.built(id);
        self.stir();
    }

    /// An entry was run.
    pub fn finish_entry(&self, id: u32, failure: Option<Failure>) {
        let mut state = self.state();
        state.schedule.finish(id);
        match failure {
            Some(failure) => state.failures.push(failure),
            None => state.entries_done += 1,
        }
        drop(state);
        self.stir();
    }

    /// An entry, or the rows of a table, were done by the restore that this one goes on with.
    pub fn done_before(&self, id: u32, is_load: bool) {
        let mut state = self.state();
        state.schedule.finish(id);
        state.entries_done += usize::from(!is_load);
        state.loads_done_before += usize::from(is_load);
    }

    /// Something of `kind` was done from `began` until now.
    pub fn note(&self, kind: Kind, began: Duration) {
        let now = self.watch.elapsed();
        self.state().spans.note(kind, began, now);
    }

    /// The drill's own clock.
    pub fn elapsed(&self) -> Duration {
        self.watch.elapsed()
    }

    /// Why the restore could not go on, if it could not.
    pub fn halted(&self) -> Option<Error> {
        self.state().halted.clone()
    }

    /// What came of everything.
    ///
    /// # Errors
    /// The restore has halted.
    pub fn outcome(&self) -> Result<Outcome, Error> {
        let mut state = self.state();
        if let Some(error) = state.halted.clone() {
            return Err(error);
        }
        Ok(Outcome {
            loads: std::mem::take(&mut state.outcomes),
            failures: std::mem::take(&mut state.failures),
            entries_done: state.entries_done,
            loads_done_before: state.loads_done_before,
            spans: state.spans.clone(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Look {
    Work(Work),
    Wait,
    Over,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::{Toc, survey_plain};
    use crate::restore::Rules;
    use crate::restore::load::Planned;
    use crate::restore::policy::decide;
    use crate::restore::shape::RowShape;

    const BEGIN: &str = "--\n-- PostgreSQL database dump\n--\n\nSET client_encoding = 'UTF8';\n\n";
    const END: &str = "--\n-- PostgreSQL database dump complete\n--\n\n";

    /// A board whose schedule is that of these entries of a script.
    fn board(entries: &str, connections: usize, copy_connections_max: usize) -> (Toc, Board) {
        let script = [BEGIN, entries, END].concat();
        let (toc, ..) = survey_plain(script.as_bytes(), 100).unwrap();
        let schedule = Schedule::new(&toc, &decide(&toc, 18, Rules::drill()).unwrap());
        let (watch, events) = (Stopwatch::start(), Events::silent());
        (toc, Board::new(schedule, connections, copy_connections_max, watch, events, false))
    }

    /// A table of which so many bytes wait.
    async fn opened(board: &Board, entry: u32, bytes: usize) -> (Arc<Load>, Feed) {
        let planned = Planned {
            name: "t".into(),
            way: Way::Copy { statement: String::new() },
            shape: RowShape::default(),
            inserted: None,
            columns: None,
            stored_bytes: None,
        };
        let (load, mut feed) = Load::open(entry, planned);
        board.open(load.clone(), None).await.unwrap();
        let rows = feed.rows(vec![b'\n'; bytes].into());
        assert!(feed.push(rows, &board.cancel).await);
        (load, feed)
    }

    #[tokio::test]
    async fn no_more_connections_take_rows_than_may() {
        for (most, taken) in [(1, 1), (2, 2), (8, 3)] {
            let (_, board) = board("", 8, most);
            let loads = [opened(&board, 1, 2).await, opened(&board, 2, 2).await];
            let mut joined = Vec::new();
            while let Look::Work(Work::Load(load)) = board.look() {
                joined.push(load.join());
                if joined.len() == 3 {
                    break;
                }
            }
            assert_eq!(joined.len(), taken, "of at most {most}");
            joined.clear();
            assert!(matches!(board.look(), Look::Work(Work::Load(_))), "a place is free again");
            drop(loads);
        }
    }

    /// Two tables with rows, and an index on the first.
    const LIGHT_AND_HEAVY: &str = "\
        --\n-- Name: light; Type: TABLE; Schema: s; Owner: me\n--\n\nCREATE TABLE s.light (id integer);\n\n\n\
        --\n-- Name: heavy; Type: TABLE; Schema: s; Owner: me\n--\n\nCREATE TABLE s.heavy (id integer);\n\n\n\
        --\n-- Data for Name: light; Type: TABLE DATA; Schema: s; Owner: me\n--\n\n\
        COPY s.light (id) FROM stdin;\n1\n\\.\n\n\n\
        --\n-- Data for Name: heavy; Type: TABLE DATA; Schema: s; Owner: me\n--\n\n\
        COPY s.heavy (id) FROM stdin;\n1\n\\.\n\n\n\
        --\n-- Name: light_index; Type: INDEX; Schema: s; Owner: me\n--\n\n\
        CREATE INDEX light_index ON s.light USING btree (id);\n\n\n";

    #[tokio::test]
    async fn an_index_waits_while_a_larger_table_keeps_the_cores_busy() {
        use Supply::{Enough, Even};
        // Bytes of the indexed table and of the one that is loaded, what the store gives, the
        // connections: whether the index is built now.
        let table = [
            ("a larger table is loaded", 1_000, 2_000, Enough, 2, false),
            ("a smaller table is loaded", 2_000, 1_000, Enough, 2, true),
            ("the store is waited for", 1_000, 2_000, Even, 2, true),
            ("there are more cores", 1_000, 2_000, Enough, 3, true),
            ("it takes no time", 1_000, 65_000, Enough, 2, true),
        ];
        for (case, light_bytes, heavy_bytes, supply, connections, built) in table {
            let (toc, board) = board(LIGHT_AND_HEAVY, connections, 1);
            let rows = |tag: &str| toc.entries.iter().find(|e| e.has_data && e.tag == tag).unwrap().id;
            board.state().schedule.weigh(rows("light"), light_bytes);
            board.state().schedule.finish(rows("light"));
            board.supplied(supply);
            let (load, feed) = opened(&board, rows("heavy"), heavy_bytes).await;
            let joined = load.join();
            assert_eq!(board.has_other_work(), built, "{case}");
            let builds = matches!(board.look(), Look::Work(Work::Entry(..)));
            assert_eq!(builds, built, "{case}");

            assert!(load.next().await.is_some());
            drop(joined);
            board.source_over(feed);
            let builds_later = matches!(board.look(), Look::Work(Work::Entry(..)));
            assert!(builds || builds_later, "{case}: nor when all rows are in");
        }
    }

    #[tokio::test]
    async fn what_was_put_off_is_begun_when_the_store_is_waited_for() {
        let (toc, board) = board(LIGHT_AND_HEAVY, 2, 1);
        let rows = |tag: &str| toc.entries.iter().find(|e| e.has_data && e.tag == tag).unwrap().id;
        board.state().schedule.weigh(rows("light"), 1_000);
        board.state().schedule.finish(rows("light"));
        board.supplied(Supply::Plenty);
        let (load, _feed) = opened(&board, rows("heavy"), 2_000).await;
        let _joined = load.join();
        let next = board.next();
        tokio::pin!(next);
        assert!(futures_util::poll!(next.as_mut()).is_pending());
        board.supplied(Supply::Even);
        assert!(matches!(next.await, Some(Work::Entry(..))));
    }

    #[tokio::test]
    async fn a_connection_that_waits_for_the_store_leaves_room_for_another_process() {
        use Supply::{Even, Plenty, Scarce};
        for (supply, expected) in [(Even, 0), (Plenty, 0), (Scarce, 1)] {
            let (_, board) = board("", 2, 2);
            let (load, _feed) = opened(&board, 1, 2).await;
            let joined = load.join();
            board.supplied(supply);
            assert_eq!(board.unoccupied(), expected, "{supply:?}");
            drop(joined);
            assert_eq!(board.unoccupied(), 0, "{supply:?}: nobody takes rows");
        }
    }
}
