//! The scratch that a drill has for its time: written down before it is made, and seen gone at
//! its end.

use std::time::Duration;

use zeroize::Zeroizing;

use crate::archive::Toc;
use crate::drill::{Site, fill, settings};
use crate::journal::{self, Journal, Resource, Servers};
use crate::plan::{Plan, ScratchServer, Service, secret};
use crate::postgres::{
    self, Cluster, ClusterOptions, GivenServer, InitdbOptions, Install, PasswordSources, choose_install,
    find_installs, new_directory_name,
};
use crate::record::{Cleanup, Record};
use crate::restore::{self, Claim, Host, Scratch, new_database_name};
use crate::verdict::{Code, Reason};

/// How long a scratch server may take to be made and to start.
const START_DEADLINE: Duration = Duration::from_secs(120);

/// How long the removal of a database that a killed run left may take.
const REMOVE_DEADLINE: Duration = Duration::from_secs(15);

/// What a scratch is wanted for.
pub struct Wanted<'a> {
    /// The service, whose plan says what kind.
    pub service: &'a Service,
    /// The machine.
    pub site: &'a Site,
    /// Connections that will work at once.
    pub jobs: usize,
    /// The system identifier of the server that was backed up, where a stamp tells it.
    pub source: Option<&'a str>,
}

/// The scratch of one drill, and what the journal knows of it.
#[derive(Default)]
pub struct Lease {
    scratch: Option<Scratch>,
    resource: Option<Resource>,
}

impl Lease {
    /// Makes the scratch, and in it a database as the archive describes it.
    ///
    /// # Errors
    /// It can't be had as the plan wants it.
    pub async fn begin(
        &mut self,
        wanted: &Wanted<'_>,
        toc: &Toc,
        journal: &Journal,
        record: &mut Record,
    ) -> Result<&Scratch, Reason> {
        let scratch = match &wanted.service.scratch.server {
            None => self.cluster(wanted, toc, journal, record).await?,
            Some(server) => self.on_server(wanted, server, journal, record).await?,
        };
        let scratch = self.scratch.insert(scratch);
        scratch.make_database(toc).await.map_err(|error| error.reason())?;
        if let Some(environment) = record.environment.as_mut() {
            environment.database_created_by_run = true;
        }
        Ok(scratch)
    }

    /// The scratch, while there is one.
    pub fn scratch(&self) -> Option<&Scratch> {
        self.scratch.as_ref()
    }

    /// A cluster of our own.
    async fn cluster(
        &mut self,
        wanted: &Wanted<'_>,
        toc: &Toc,
        journal: &Journal,
        record: &mut Record,
    ) -> Result<Scratch, Reason> {
        let Wanted { service, site, jobs, .. } = *wanted;
        let plan = &service.scratch;
        let at_least = toc.header.server_major().max(toc.header.dump_major()).unwrap_or(0);
        let install: Install = choose_install(&find_installs(plan.postgres_bin.as_deref()), at_least)
            .map_err(|error| error.reason())?;
        let options = ClusterOptions {
            parent: plan.directory.clone(),
            directory_name: new_directory_name(),
            settings: settings::server_settings(plan.settings, site.hardware.memory_bytes, jobs),
            isolation: plan.isolation,
            initdb: InitdbOptions { page_checksums: false },
            start_deadline: START_DEADLINE,
        };
        let resource = Resource::from(options.places().map_err(|error| error.reason())?);
        self.note(service, resource.clone(), journal)?;
        let cluster = Cluster::start(&install, options).await.map_err(|error| error.reason())?;
        journal.created(&service.name, &resource).map_err(|error| error.reason())?;
        record.environment = Some(fill::environment(&cluster, &install, service, site));
        Ok(Scratch::in_cluster(cluster, install.version.major))
    }

    /// A place for a database of our own on the server that the plan names.
    async fn on_server(
        &mut self,
        wanted: &Wanted<'_>,
        given: &ScratchServer,
        journal: &Journal,
        record: &mut Record,
    ) -> Result<Scratch, Reason> {
        let server = way_to(given)?;
        let claim = Claim {
            marker: &given.marker,
            system_identifier: &given.system_identifier,
            source_identifier: wanted.source,
        };
        let host = Host::meet(&server, &claim).await.map_err(|error| error.reason())?;
        let name = new_database_name();
        let resource = Resource::Database { server: server.to_string(), name: name.clone() };
        self.note(wanted.service, resource, journal)?;
        record.environment = Some(fill::hosted(&host));
        Ok(Scratch::on_host(host, name))
    }

    fn note(&mut self, service: &Service, resource: Resource, journal: &Journal) -> Result<(), Reason> {
        journal.will_create(&service.name, &resource).map_err(|error| error.reason())?;
        self.resource = Some(resource);
        Ok(())
    }

    /// Removes the scratch, however the drill ended; nothing if none was made.
    pub async fn end(&mut self, service: &Service, journal: &Journal) -> Option<Cleanup> {
        let resource = self.resource.take()?;
        let removed = match self.scratch.take() {
            Some(scratch) => scratch.remove().await.map_err(|error| error.to_string()),
            None => remove_half_made(service, &resource).await,
        };
        let noted = removed.is_err() || journal.removed(&service.name, &resource).is_ok();
        Some(Cleanup {
            scratch_removed: removed.is_ok(),
            removal_verified: removed.is_ok() && noted,
            leaked: removed.err().into_iter().collect(),
        })
    }
}

/// It was cut off while it was made; what of a cluster is made by halves goes with its future.
async fn remove_half_made(service: &Service, resource: &Resource) -> Result<(), String> {
    match resource {
        Resource::Cluster { directory, .. } if directory.exists() => {
            let left = postgres::Error::new(postgres::Kind::Leftover, directory.display().to_string());
            Err(left.to_string())
        }
        Resource::Cluster { .. } => Ok(()),
        Resource::Database { server, name } => remove_from(service, server, name).await,
    }
}

/// Removes the database `name` of `server`, if that is the server of the service's plan.
async fn remove_from(service: &Service, server: &str, name: &str) -> Result<(), String> {
    let given = service.scratch.server.as_ref();
    let way = given.ok_or("the plan names no server for it any more")?;
    let way = way_to(way).map_err(|reason| reason.detail)?;
    if way.to_string() != server {
        return Err(format!("the plan names another server by now: {way}"));
    }
    restore::remove_database(&way, name).await.map_err(|error| error.to_string())
}

/// The server that the plan names. Neither the environment of libpq nor its files have a say.
fn way_to(given: &ScratchServer) -> Result<GivenServer, Reason> {
    let unfit = |why: String, remedy: &str| Reason::new(Code::ScratchUnavailable, why, remedy);
    let url = secret::take("the URL of the scratch server", &given.url)
        .map_err(|error| unfit(error.to_string(), error.remedy()))?;
    let text = std::str::from_utf8(&url).ok().map(|text| Zeroizing::new(text.trim().to_owned()));
    let text = text.ok_or_else(|| {
        unfit("the URL of the scratch server is not text".to_owned(), "write postgres://user@host/database")
    })?;
    GivenServer::parse(&text, &PasswordSources::url_alone()).map_err(|error| error.reason())
}

/// The servers of a plan, for what killed runs have left there.
pub struct PlanServers<'a>(pub &'a Plan);

impl Servers for PlanServers<'_> {
    fn remove_database(&self, service: &str, server: &str, name: &str) -> Result<(), String> {
        let Some(service) = self.0.service(service) else {
            return journal::NoServers.remove_database(service, server, name);
        };
        // Whoever asks may be inside of a runtime, which can't wait for another one.
        std::thread::scope(|threads| {
            let removing = threads.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                let runtime = runtime.map_err(|error| error.to_string())?;
                runtime.block_on(async {
                    let removal = tokio::time::timeout(REMOVE_DEADLINE, remove_from(service, server, name));
                    removal.await.unwrap_or_else(|_| Err("the server did not answer in time".to_owned()))
                })
            });
            removing.join().unwrap_or_else(|_| Err("a bug of firedrill got in the way".to_owned()))
        })
    }
}
