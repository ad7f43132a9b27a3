//! Drills as a user comes to them: a plan file, folders of backups, a state directory.
#![allow(dead_code, reason = "each test program uses its own share of what stands here")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use firedrill::digest::Digest;
use firedrill::drill::{Error, RunOutcome, RunRequest, run};
use firedrill::event::{Event, Observer};
use firedrill::evidence::{Statement, schema};
use firedrill::journal::StateDirectory;
use firedrill::judge::judge;
use firedrill::plan;
use firedrill::postgres::Install;
use firedrill::record::{Record, Trigger};
use firedrill::verdict::Code;
use futures_util::future::join_all;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::postgres::{own_install, parent};

/// A place of its own for drills.
pub struct Yard {
    place: TempDir,
    plan: String,
}

/// A service to be drilled, with its backups.
pub struct Service {
    name: String,
    backups: Vec<(String, Vec<u8>)>,
    pattern: String,
    lines: String,
    backup_lines: String,
    tables: String,
    checks: String,
    bin: PathBuf,
}

impl Service {
    /// A service on the machine's own PostgreSQL, with one backup and nothing beside it. It is
    /// only asked for its rows until it gets a check.
    pub fn new(name: &str, archive: &[u8]) -> Service {
        Service {
            name: name.into(),
            backups: vec![("backup.dump".into(), archive.into())],
            pattern: "backup.dump".into(),
            lines: String::new(),
            backup_lines: String::new(),
            tables: String::new(),
            checks: String::new(),
            bin: own_install().bin,
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The server to restore into.
    pub fn on(mut self, install: &Install) -> Service {
        self.bin.clone_from(&install.bin);
        self
    }

    /// Other names than `backup.dump`, by that pattern.
    pub fn backups(mut self, pattern: &str, backups: Vec<(String, Vec<u8>)>) -> Service {
        self.pattern = pattern.into();
        self.backups = backups;
        self
    }

    /// A digest beside each backup.
    pub fn vouched(mut self) -> Service {
        let digests: Vec<_> =
            self.backups.iter().map(|(name, bytes)| (name.clone(), Digest::of(bytes))).collect();
        for (name, digest) in digests {
            self.backups.push((format!("{name}.sha256"), format!("{digest}  {name}\n").into()));
        }
        self
    }

    /// The digest of something else beside the backup.
    pub fn vouched_as(mut self, other: &[u8]) -> Service {
        let (name, _) = &self.backups[0];
        self.backups.push((format!("{name}.sha256"), format!("{}  {name}\n", Digest::of(other)).into()));
        self
    }

    /// A stamp beside the backup.
    pub fn stamped(mut self, stamp: &[u8]) -> Service {
        let (name, _) = &self.backups[0];
        self.backups.push((format!("{name}.stamp.json"), stamp.into()));
        self
    }

    /// A line of the plan under `[service.NAME]`.
    pub fn with(mut self, line: &str) -> Service {
        self.lines.push_str(&format!("{line}\n"));
        self
    }

    /// A line of the plan under `[service.NAME.backup]`.
    pub fn backup_with(mut self, line: &str) -> Service {
        self.backup_lines.push_str(&format!("{line}\n"));
        self
    }

    /// A check, with the lines that say what it expects.
    pub fn check(mut self, name: &str, sql: &str, lines: &str) -> Service {
        let service = &self.name;
        self.checks
            .push_str(&format!("[[service.{service}.check]]\nname = '{name}'\nsql = '{sql}'\n{lines}\n"));
        self
    }

    /// A check of any kind, by the lines of its table.
    pub fn check_of(mut self, lines: &str) -> Service {
        let service = &self.name;
        self.checks.push_str(&format!("[[service.{service}.check]]\n{lines}\n"));
        self
    }

    /// A table of the plan below `[service.NAME]`, whole.
    pub fn table(mut self, name: &str, lines: &str) -> Service {
        let service = &self.name;
        self.tables.push_str(&format!("[service.{service}.{name}]\n{lines}\n"));
        self
    }

    fn plan(&self, folder: &Path, scratch: &Path) -> String {
        let Service { name, pattern, lines, backup_lines, tables, checks, .. } = self;
        let content_only = if checks.is_empty() { "checks = 'content only'\n" } else { "" };
        format!(
            "[service.{name}]\n{content_only}{lines}\
             [service.{name}.backup]\nlocation = 'file://{}/'\npattern = '{pattern}'\n{backup_lines}\
             [service.{name}.scratch]\nsettings = 'fast'\nisolation = 'best-effort'\ndirectory = '{}'\n\
             postgres.bin = '{}'\n{tables}{checks}\n",
            folder.display(),
            scratch.display(),
            self.bin.display(),
        )
    }
}

impl Yard {
    /// An empty one.
    pub fn new() -> Yard {
        let place = parent();
        let yard = Yard { place, plan: String::new() };
        fs::create_dir(yard.scratch()).unwrap();
        yard
    }

    /// A yard with these services.
    pub fn of(services: impl IntoIterator<Item = Service>) -> Yard {
        let mut yard = Yard::new();
        services.into_iter().for_each(|service| yard.add(&service));
        yard
    }

    /// Puts the backups down and the service into the plan.
    pub fn add(&mut self, service: &Service) {
        let folder = self.folder(&service.name);
        fs::create_dir_all(&folder).unwrap();
        for (name, bytes) in &service.backups {
            fs::create_dir_all(folder.join(name).parent().unwrap()).unwrap();
            fs::write(folder.join(name), bytes).unwrap();
        }
        self.plan.push_str(&service.plan(&folder, &self.scratch()));
        fs::write(self.plan_file(), &self.plan).unwrap();
    }

    /// Where the backups of a service lie.
    pub fn folder(&self, service: &str) -> PathBuf {
        self.place.path().join("backups").join(service)
    }

    /// The plan.
    pub fn plan_file(&self) -> PathBuf {
        self.place.path().join("firedrill.toml")
    }

    /// The state directory.
    pub fn state(&self) -> StateDirectory {
        StateDirectory::open(&self.place.path().join("state")).unwrap()
    }

    /// Where the scratch clusters come and go.
    pub fn scratch(&self) -> PathBuf {
        self.place.path().join("scratch")
    }

    /// What `firedrill run` asks for.
    pub fn request(&self) -> RunRequest {
        let plan =
            plan::load(&self.plan_file()).unwrap_or_else(|faults| panic!("{faults:#?}\n{}", self.plan));
        RunRequest { plan, state: self.state(), trigger: Trigger::Manual, reveal_keys: false }
    }

    /// Drills every service. Whatever comes of it: nothing of the scratch is left, and the
    /// evidence is of the published shape, says what the record says, and is judged alike again.
    pub async fn run(&self) -> Ran {
        let outcome = self.try_run().await.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(outcome.degraded, Vec::<String>::new());
        let left: Vec<_> = fs::read_dir(self.scratch()).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(left, Vec::<PathBuf>::new(), "something of the scratch was left");
        let schema = serde_json::to_value(schema()).unwrap();
        let schema = jsonschema::validator_for(&schema).unwrap();
        let mut records = BTreeMap::new();
        for drilled in outcome.drills {
            let bytes = fs::read(drilled.evidence.unwrap()).unwrap();
            let json = serde_json::from_slice(&bytes).unwrap();
            if let Err(error) = schema.validate(&json) {
                panic!("the evidence of {}: {error}", drilled.record.service.id);
            }
            let told = Statement::read(&bytes).unwrap().predicate;
            assert_eq!(told, drilled.record);
            assert_eq!(judge(&told).ruling(), told.verdict);
            records.insert(told.service.id.clone(), told);
        }
        Ran { records }
    }

    /// Drills every service, if a run can begin at all.
    pub async fn try_run(&self) -> Result<RunOutcome, Error> {
        run(self.request(), Arc::new(Silent), CancellationToken::new()).await
    }
}

/// Drills one service.
pub async fn drill(service: Service) -> Record {
    let mut ran = Yard::of([service]).run().await;
    ran.records.pop_first().unwrap().1
}

/// Drills all services, a few at a time.
pub async fn drilled(services: Vec<Service>) -> Ran {
    const LANES: usize = 3;
    let mut lanes: Vec<Yard> = (0..LANES).map(|_| Yard::new()).collect();
    for (index, service) in services.iter().enumerate() {
        lanes[index % LANES].add(service);
    }
    let lanes = lanes.iter().map(|yard| yard.run());
    Ran { records: join_all(lanes).await.into_iter().flat_map(|ran| ran.records).collect() }
}

/// The records of a run.
pub struct Ran {
    pub records: BTreeMap<String, Record>,
}

impl Ran {
    /// The record of a service.
    pub fn of(&self, service: &str) -> &Record {
        self.records.get(service).unwrap_or_else(|| panic!("'{service}' was not drilled"))
    }
}

/// Codes of the reasons, the decisive first.
pub fn codes(record: &Record) -> Vec<Code> {
    record.verdict.reason_codes.iter().map(|code| code.0).collect()
}

/// Codes of the warnings.
pub fn warnings(record: &Record) -> Vec<&'static str> {
    record.verdict.warnings.iter().map(|warning| warning.code.as_str()).collect()
}

/// The verdict and its reasons, for the message of a failed assertion.
pub fn told(record: &Record) -> String {
    let reasons: Vec<String> =
        record.verdict.reasons.iter().map(|reason| format!("{}: {}", reason.code.0, reason.detail)).collect();
    format!("{}: {} {reasons:#?}", record.service.id, record.verdict.result.0)
}

/// Nobody listens.
struct Silent;

impl Observer for Silent {
    fn observe(&self, _: &Event) {}
}
