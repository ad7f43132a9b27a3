//! The sample database: a server of its own, for as long as it takes to dump it.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use uuid::Uuid;

use crate::cli::refusal::Refusal;
use crate::exit_code::ExitCode;
use crate::journal::{Journal, Resource, StateDirectory};
use crate::postgres::{
    Cluster, ClusterOptions, Error, InitdbOptions, Install, Isolation, choose_install, find_installs,
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

/// The running sample.
pub struct Shop {
    cluster: Cluster,
    install: Install,
    journal: Journal,
    resource: Resource,
}

/// Starts a server and fills it. Dropped, it is gone.
pub async fn open(state: &StateDirectory) -> Result<Shop, Refusal> {
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
    let resource = Resource::from(options.places().map_err(|error| refused(&error))?);
    let (journal, _) = Journal::open(state, Uuid::now_v7()).map_err(|error| Refusal::of_state(&error))?;
    journal.will_create(NAME, &resource).map_err(|error| Refusal::of_state(&error))?;
    let cluster = Cluster::start(&install, options).await.map_err(|error| refused(&error))?;
    fill(&cluster).await.map_err(|error| refused(&error))?;
    Ok(Shop { cluster, install, journal, resource })
}

async fn fill(cluster: &Cluster) -> Result<(), Error> {
    let server = cluster.connect("postgres").await?;
    server.run("create database shop template template0 encoding 'UTF8' lc_collate 'C' lc_ctype 'C'").await?;
    let shop = cluster.connect("shop").await?;
    shop.run(SHOP).await?;
    shop.run("analyze").await
}

impl Shop {
    /// Writes a custom-format dump of it to `path`.
    pub async fn dump(&self, path: &Path) -> Result<(), Refusal> {
        let failed = |what: String| {
            Refusal::new(
                ExitCode::Inconclusive,
                format!("dump the sample: {what}"),
                "install PostgreSQL's client programs",
            )
        };
        let program = self.install.bin.join("pg_dump");
        let ended = Command::new(&program)
            .env_clear()
            .arg("--format=custom")
            .arg("--no-password")
            .arg("--host")
            .arg(self.cluster.socket_directory())
            .arg("--username")
            .arg(self.cluster.user())
            .arg("--file")
            .arg(path)
            .arg("shop")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
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

    /// Ends the server and sees it gone.
    pub async fn close(self) -> Result<(), Refusal> {
        self.cluster.stop().await.map_err(|error| refused(&error))?;
        let state = |error| Refusal::of_state(&error);
        self.journal.removed(NAME, &self.resource).map_err(state)?;
        self.journal.finish().map_err(state)
    }
}

fn refused(error: &Error) -> Refusal {
    let reason = error.reason();
    Refusal::new(ExitCode::Inconclusive, error, reason.remedy)
}
