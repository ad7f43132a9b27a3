//! What happens in a drill, as values for eyes only: nothing is decided from an event.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Phase;
use crate::verdict::{Reason, Verdict};

/// One fact about one drill, in the past tense.
#[derive(Clone, Debug)]
pub struct Event {
    /// The service that is drilled.
    pub service: Arc<str>,
    /// What happened.
    pub kind: EventKind,
}

/// What can happen. Names of objects stand as they are in the archive, and are hostile
/// until a face has encoded them.
#[derive(Clone, Debug)]
pub enum EventKind {
    /// The drill has begun.
    DrillStarted,
    /// A backup was chosen from the catalogue.
    BackupChosen {
        /// Where it lies.
        uri: String,
        /// The size of the stored object.
        bytes: u64,
    },
    /// A phase has begun.
    PhaseStarted {
        /// Which.
        phase: Phase,
    },
    /// A phase is over.
    PhaseFinished {
        /// Which.
        phase: Phase,
        /// How long it took.
        elapsed: Duration,
    },
    /// Stored bytes arrived and were consumed, in addition to those reported before.
    BytesFetched {
        /// How many more.
        bytes: u64,
    },
    /// What the restore will have to do is known.
    RestorePlanned {
        /// Tables whose rows will be loaded.
        tables: usize,
        /// Entries to be run after the rows: indexes, constraints, triggers.
        post_data: usize,
    },
    /// Rows of a table have begun to arrive.
    TableStarted {
        /// Its qualified name.
        table: Arc<str>,
    },
    /// Rows of a table were loaded, in addition to those reported before.
    RowsLoaded {
        /// The table's qualified name.
        table: Arc<str>,
        /// How many more.
        rows: u64,
        /// Their size as COPY text.
        bytes: u64,
    },
    /// All rows of a table are in.
    TableFinished {
        /// Its qualified name.
        table: Arc<str>,
        /// Its rows in all.
        rows: u64,
    },
    /// An index, a constraint or another entry that takes time has begun.
    EntryStarted {
        /// Its kind, as the archive calls it.
        kind: Arc<str>,
        /// Its name.
        name: Arc<str>,
    },
    /// That entry is done.
    EntryFinished {
        /// Its kind, as the archive calls it.
        kind: Arc<str>,
        /// Its name.
        name: Arc<str>,
    },
    /// How long parts of the restore waited for each other, told at its end.
    Waited {
        /// Reading, for bytes of the store.
        store: Duration,
        /// Decoders, for somebody to take their rows; all of them together.
        server: Duration,
        /// Connections to the server, for something to do; all of them together.
        rows: Duration,
    },
    /// What the proof will have to do is known.
    ProofPlanned {
        /// Tables to be read back.
        tables: usize,
        /// Rows in them.
        rows: u64,
        /// Checks of the plan to be put.
        checks: usize,
    },
    /// Rows of a restored table were read back, in addition to those reported before.
    RowsReadBack {
        /// How many more.
        rows: u64,
    },
    /// A table was compared.
    TableCompared {
        /// Its qualified name.
        table: Arc<str>,
        /// Whether no row that was read back differs from the archive's; of a sample, those are
        /// not all.
        equal: bool,
    },
    /// A check of the plan was answered, or could not be put.
    CheckFinished {
        /// The check's name in the plan.
        check: Arc<str>,
        /// Whether the answer was the expected one.
        passed: bool,
    },
    /// Something that does not change the verdict, but that somebody should know.
    Warned {
        /// The warning's published code.
        code: &'static str,
        /// One line that names the thing.
        text: String,
    },
    /// A step of a self-test has begun, after the drill of the intact backup.
    SelfTesting {
        /// Which kind of damage it is; 0 before the first.
        step: usize,
        /// How many there are.
        steps: usize,
        /// What is done, in words.
        doing: &'static str,
    },
    /// The drill is judged and cleaned up.
    DrillFinished {
        /// What it proved.
        verdict: Verdict,
        /// Why not a pass; empty for a pass.
        reasons: Vec<Reason>,
    },
}

/// Hears every event, from any thread. Must return quickly and cannot fail.
pub trait Observer: Send + Sync {
    /// Takes note of one event.
    fn observe(&self, event: &Event);
}

/// A drill's voice; cheap to clone.
#[derive(Clone)]
pub struct Events {
    service: Arc<str>,
    observer: Arc<dyn Observer>,
}

impl Events {
    /// The voice of the drill of `service`.
    pub fn new(service: &str, observer: Arc<dyn Observer>) -> Events {
        Events { service: service.into(), observer }
    }

    /// A voice that nobody hears.
    pub fn silent() -> Events {
        struct Nobody;
        impl Observer for Nobody {
            fn observe(&self, _: &Event) {}
        }
        Events::new("", Arc::new(Nobody))
    }

    /// Tells that something happened.
    pub fn emit(&self, kind: EventKind) {
        self.observer.observe(&Event { service: self.service.clone(), kind });
    }
}
