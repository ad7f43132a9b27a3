//! The sample database: a server of its own, for as long as it takes to dump it.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use uuid::Uuid;

use crate::cli::output;
use crate::cli::refusal::Refusal;
use crate::exit_code::ExitCode;
use crate::journal::{Journal, Resource, StateDirectory};
use crate::postgres::{
    Cluster, ClusterOptions, Error, InitdbOptions, Install, Isolation, Places, choose_install, find_installs,
    new_directory_name,
};

/// What the database is made of.
const SHOP: &str = include_str!("shop.sql");
/// The oldest major that knows everything in it: foreign keys that lead to partitioned tables.
const MAJOR_MIN: u32 = 12;
/// How the journal calls it.
const NAME: &str = "demo";
/// How long the server may take to start.
const START_DEADLINE: Duration = Duration::from_secs(60);

/// The sample, to be made.
pub struct Shop {
    install: Install,
    options: ClusterOptions,
    places: Places,
}

impl Shop {
    /// Finds the programs that it takes.
    pub async fn prepare() -> Result<Shop, Refusal> {
        let found = tokio::task::spawn_blocking(|| find_installs(None)).await.unwrap_or_default();
        let install = choose_install(&found, MAJOR_MIN).map_err(|error| refused(&error))?;
        let options = ClusterOptions {
            parent: None,
            directory_name: new_directory_name(),
            // A sample that is about to be thrown away need not survive a power cut.
            settings: [("fsync", "off"), ("synchronous_commit", "off"), ("full_page_writes", "off")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .to_vec(),
            isolation: Isolation::BestEffort,
            initdb: InitdbOptions::default(),
            start_deadline: START_DEADLINE,
        };
        let places = options.places().map_err(|error| refused(&error))?;
        Ok(Shop { install, options, places })
    }

    /// Writes down what is about to be made, so that a sweep finds it after a kill.
    pub fn announce(&self, state: &StateDirectory) -> Result<Journal, Refusal> {
        let (journal, _) = Journal::open(state, Uuid::now_v7()).map_err(|error| Refusal::of_state(&error))?;
        let resource = Resource::from(self.places.clone());
        journal.will_create(NAME, &resource).map_err(|error| Refusal::of_state(&error))?;
        Ok(journal)
    }

    /// Makes it, and writes a custom-format dump of it to `path`. Its server is gone at the
    /// end, or when this is dropped.
    pub async fn back_up(&self, path: &Path) -> Result<(), Refusal> {
        output::say("making the sample database of a shop");
        let cluster =
            Cluster::start(&self.install, self.options.clone()).await.map_err(|error| refused(&error))?;
        fill(&cluster).await.map_err(|error| refused(&error))?;
        output::say("backing it up with pg_dump");
        self.dump(&cluster, path).await?;
        cluster.stop().await.map_err(|error| refused(&error))
    }

    async fn dump(&self, cluster: &Cluster, path: &Path) -> Result<(), Refusal> {
        let failed = |what: String| {
            let remedy = "install PostgreSQL's client programs";
            Refusal::new(ExitCode::Inconclusive, format!("dump the sample: {what}"), remedy)
        };
        let program = self.install.bin.join("pg_dump");
        let ended = Command::new(&program)
            .env_clear()
            .args(["--format=custom", "--no-password", "--username", cluster.user()])
            .arg("--host")
            .arg(cluster.socket_directory())
            .arg("--file")
            .arg(path)
            .arg("shop")
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .map_err(|error| failed(format!("'{}': {error}", program.display())))?;
        if ended.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&ended.stderr);
        Err(failed(format!("pg_dump ended with {}: {}", ended.status, said.trim())))
    }

    /// Ends the journal. What is still there stays in it, for a sweep.
    pub fn gone(&self, journal: Journal) -> Result<(), Refusal> {
        let state = |error| Refusal::of_state(&error);
        let places = [Some(&self.places.directory), self.places.socket_directory.as_ref()];
        if !places.into_iter().flatten().any(|directory| directory.exists()) {
            journal.removed(NAME, &Resource::from(self.places.clone())).map_err(state)?;
        }
        journal.finish().map_err(state)
    }
}

async fn fill(cluster: &Cluster) -> Result<(), Error> {
    let server = cluster.connect("postgres").await?;
    server.run("create database shop template template0 encoding 'UTF8' lc_collate 'C' lc_ctype 'C'").await?;
    let shop = cluster.connect("shop").await?;
    shop.run(SHOP).await?;
    shop.run("analyze").await
}

fn refused(error: &Error) -> Refusal {
    let reason = error.reason();
    Refusal::new(ExitCode::Inconclusive, error, reason.remedy)
}
