//! A service: one thing with objectives and a backup.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use jiff::tz::TimeZone;

use crate::plan::fault::Complaint;
use crate::plan::{Check, Decrypt, Drift, KeySource, Pattern, Proof, duration};
use crate::postgres::Isolation;
use crate::store::{self, Location, Tuning};

/// One `[service.NAME]` of the plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Service {
    /// Letters, digits, `-` and `_`, at most 63 of them; safe as a file name.
    pub name: String,
    /// What it is, for readers.
    pub description: Option<String>,
    /// How critical it is; 1 is the most.
    pub tier: Option<u32>,
    /// Who answers for it.
    pub owner: Option<String>,
    /// Which environment it belongs to: `production`.
    pub environment: Option<String>,
    /// References to the controls that its drills are evidence for.
    pub controls: Vec<String>,
    /// The recovery time objective.
    pub rto: Option<Duration>,
    /// The recovery point objective.
    pub rpo: Option<Duration>,
    /// Declared steps that no drill measures; their sum is added to the measured recovery
    /// time before it meets the objective, and is always below it.
    pub overheads: BTreeMap<String, Duration>,
    /// The whole drill's limit. Default: four times the objective, at least 30 minutes;
    /// two hours without an objective. Always above the objective.
    pub deadline: Duration,
    /// Where its backups lie and which one is drilled.
    pub backup: Backup,
    /// What it is restored into.
    pub scratch: Scratch,
    /// How it is restored.
    pub restore: Restore,
    /// What is proven beyond the rows.
    pub proof: Proof,
    /// How far it may drift from the backup that passed before it.
    pub drift: Drift,
    /// The questions put to the restored database; empty only with `content_only`.
    pub checks: Vec<Check>,
    /// The plan says `checks = "content only"`: the content proof is all there is.
    pub content_only: bool,
    /// The least that must come back.
    pub minimum: Minimum,
}

impl Service {
    /// The sum of the declared overheads.
    pub fn overhead(&self) -> Duration {
        self.overheads.values().fold(Duration::ZERO, |sum, each| sum.saturating_add(*each))
    }
}

/// Where the backups lie, which of them count, and how fresh they must be.
#[derive(Clone, Debug, PartialEq)]
pub struct Backup {
    /// The place that is listed.
    pub location: Location,
    /// The `[store.NAME]` table it is reached by, where the plan names one.
    pub store_name: Option<String>,
    /// The options of that table, else the defaults.
    pub store: store::Options,
    /// Which objects are backups, and where their moment stands in the name.
    pub pattern: Pattern,
    /// Which of them is drilled.
    pub select: Select,
    /// How often a backup is expected. Only with a `{time:…}` in the pattern.
    pub every: Option<Duration>,
    /// How much later than `every` the newest may be. Default: a quarter of `every`, at
    /// least 15 minutes; zero, and without effect, where `every` is not given.
    pub grace: Duration,
    /// How long after the moment in its name an object may still have been written, before
    /// the two contradict each other. Default: a day.
    pub written_within: Duration,
    /// The zone of the archive header's clock, which the archive itself does not tell.
    /// Without it that clock is never believed.
    pub dump_timezone: Option<TimeZone>,
    /// Whether an archive may pass whose bytes nothing vouches for: no sidecar digest, no
    /// checksum of the store, none of the codec. Default: no.
    pub accept_unanchored: bool,
    /// Which database of a dump of pg_dumpall is meant; without it, the only one that holds
    /// something.
    pub database: Option<String>,
    /// The keys to encrypted backups, where the plan names any.
    pub decrypt: Option<Decrypt>,
}

/// Which backup is drilled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Select {
    /// The one with the latest consistency point.
    Latest,
    /// The one with the earliest consistency point.
    Oldest,
    /// Any one whose consistency point is at most this old.
    RandomWithin(Duration),
    /// The one of this name: its key below the location.
    Label(String),
}

impl Select {
    /// Reads what stands in the plan, or behind `--select`.
    ///
    /// # Errors
    /// What is wrong with the text, and what to write instead.
    pub fn parse(text: &str) -> Result<Select, Complaint> {
        match text {
            "latest" => Ok(Select::Latest),
            "oldest" => Ok(Select::Oldest),
            "newest" | "last" => Err(Complaint::new(format!("'{text}' is no selection"), "write 'latest'")),
            _ => match text.strip_prefix("random") {
                Some(rest) if rest.is_empty() || rest.starts_with(' ') => parse_random(rest),
                _ => parse_label(text),
            },
        }
    }
}

fn parse_random(rest: &str) -> Result<Select, Complaint> {
    let span = rest
        .trim_start()
        .strip_prefix("within ")
        .ok_or_else(|| Complaint::new("'random' needs a span", "write 'random within 30d'"))?;
    duration::parse(span.trim_start()).map(Select::RandomWithin)
}

fn parse_label(text: &str) -> Result<Select, Complaint> {
    if text.is_empty() || text.len() > 1024 || text.chars().any(char::is_control) {
        return Err(Complaint::new(
            "it names no backup",
            "write 'latest', 'oldest', 'random within 30d' or a backup's name",
        ));
    }
    Ok(Select::Label(text.into()))
}

impl fmt::Display for Select {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Select::Latest => f.write_str("latest"),
            Select::Oldest => f.write_str("oldest"),
            Select::RandomWithin(span) => write!(f, "random within {}", duration::text(*span)),
            Select::Label(label) => f.write_str(label),
        }
    }
}

/// What a drill restores into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scratch {
    /// The server that drills make their databases on; without one, each makes a throwaway
    /// cluster, which is what the other fields speak of.
    pub server: Option<ScratchServer>,
    /// How the server treats its disk while it restores.
    pub settings: Settings,
    /// How far it is kept from the network.
    pub isolation: Isolation,
    /// The directory with `initdb` and `postgres`, where the search is not to be trusted.
    pub postgres_bin: Option<PathBuf>,
    /// Where the cluster's files are made; the temporary directory by default.
    pub directory: Option<PathBuf>,
}

/// A server that somebody gives to drills, and how to know that it is the one that was meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScratchServer {
    /// Where the URL of a database on it is taken from; it may hold a password.
    pub url: KeySource,
    /// The comment that its administrator has put on its database `firedrill_scratch_ok`.
    pub marker: String,
    /// PostgreSQL's own identifier of it, which no other server but its copies has.
    pub system_identifier: String,
}

/// How the scratch server treats its disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settings {
    /// Tuned for the restore, and durable at its end.
    Durable,
    /// Gives fsync up, and the evidence says so.
    Fast,
}

impl Settings {
    /// The word in the plan and in evidence.
    pub fn as_str(self) -> &'static str {
        match self {
            Settings::Durable => "durable",
            Settings::Fast => "fast",
        }
    }
}

/// More tables of one archive are never begun at once: each has a reader with buffers of its own.
pub const TABLES_AT_ONCE_MAX: usize = 5;

/// How many tables of an archive in the custom format are begun at once. All but one of them are
/// read twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TablesAtOnce {
    /// So many, at most; at least one.
    pub most: usize,
    /// Whenever connections have nothing to do; else only where the store could give twice what is taken.
    pub pinned: bool,
}

/// How wide the restore works; `None` leaves the choice to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restore {
    /// Connections to the scratch server, 1 to 256.
    pub jobs: Option<usize>,
    /// So many of them, at most, take rows at once; 1 to 256, and never more than there are.
    pub copy_connections: Option<usize>,
    /// So many tables of an archive in the custom format are begun at once, at most; 1 to 5. All
    /// but one are read twice.
    pub tables_at_once: Option<usize>,
    /// Connections to the store, 1 to 256; without a number as many as pay.
    pub connections: Option<usize>,
    /// How much one ranged read asks for: 64 KiB to 1 GiB.
    pub part_bytes: Option<u64>,
    /// In which form rows go to the server.
    pub copy: CopyForm,
    /// What restores.
    pub engine: Engine,
}

impl Restore {
    /// How many of so many connections to the scratch server take rows at once, at most.
    pub fn copying(&self, jobs: usize) -> usize {
        self.copy_connections.map_or(jobs, |most| most.min(jobs))
    }

    /// How many tables of an archive are begun at once where so many connections to the scratch
    /// server work.
    pub fn begun_at_once(&self, jobs: usize) -> TablesAtOnce {
        let most = self.tables_at_once.unwrap_or(jobs).clamp(1, TABLES_AT_ONCE_MAX);
        TablesAtOnce { most, pinned: self.tables_at_once.is_some() }
    }

    /// How the store is read: as the plan says, and by default where it says nothing.
    pub fn tuning(&self) -> Tuning {
        Tuning::of(self.connections, self.part_bytes)
    }
}

/// What restores an archive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Engine {
    /// firedrill itself, while the bytes come in.
    #[default]
    Native,
    /// PostgreSQL's own `pg_restore`, from a copy of the archive on the local disk.
    PgRestore,
}

impl Engine {
    /// The words in the plan and on the command line.
    pub const WORDS: [(&str, Engine); 2] = [("native", Engine::Native), ("pg_restore", Engine::PgRestore)];

    /// The word in the plan.
    pub fn as_str(self) -> &'static str {
        match self {
            Engine::Native => "native",
            Engine::PgRestore => "pg_restore",
        }
    }
}

/// In which form of COPY rows go to the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CopyForm {
    /// Binary, wherever the conversion is exact, which spares the server the parsing.
    #[default]
    Auto,
    /// The text that stands in the archive.
    Text,
}

impl CopyForm {
    /// The words in the plan and on the command line.
    pub const WORDS: [(&str, CopyForm); 2] = [("auto", CopyForm::Auto), ("text", CopyForm::Text)];

    /// The word in the plan.
    pub fn as_str(self) -> &'static str {
        match self {
            CopyForm::Auto => "auto",
            CopyForm::Text => "text",
        }
    }
}

/// The least that must come back, where the plan says so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Minimum {
    /// At least this many tables.
    pub tables: Option<u64>,
    /// At least this many rows in all tables together.
    pub rows: Option<u64>,
}
