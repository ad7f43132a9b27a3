//! firedrill against others, in interleaved pairs on the same settings.

use std::path::Path;

use firedrill::postgres::Install;
use firedrill::restore::{DATABASE, Scratch};
use firedrill::store::{Shaping, Tuning};

use crate::archives::{Database, Form, Source};
use crate::case::{Case, Network, Peer, chosen};
use crate::machine::{Failure, client, cores, median, spread, start};
use crate::parts::need;
use crate::peer::Rival;
use crate::place::{Place, cluster};
use crate::proxy::Line;
use crate::s3::{Endpoint, S3Server};
use crate::took::{Clocks, Took};

/// Holds every case that the environment names, or all of them.
pub async fn hold(install: &Install, folder: &Path, rows: u64, pairs: usize) -> Result<(), Failure> {
    let cases = chosen()?;
    let parts: std::collections::BTreeSet<_> =
        cases.iter().flat_map(|case| case.peer.parts()).copied().collect();
    need(parts)?;
    for database in [Database::Orders, Database::OneTable, Database::Pgbench] {
        let cases: Vec<&Case> = cases.iter().copied().filter(|case| case.database == database).collect();
        if cases.is_empty() {
            continue;
        }
        let mut forms: Vec<Form> = Vec::new();
        for case in &cases {
            if !forms.contains(&case.form) {
                forms.push(case.form);
            }
        }
        let source = Source::make(install, folder, database, rows, &forms).await?;
        let is_far = cases.iter().any(|case| case.network != Network::Disk);
        let server = if is_far { Some(S3Server::start(source.folder()).await?) } else { None };
        for case in cases {
            Contest { install, folder, source: &source, server: server.as_ref(), case }.hold(pairs).await?;
        }
    }
    Ok(())
}

struct Contest<'a> {
    install: &'a Install,
    folder: &'a Path,
    source: &'a Source,
    server: Option<&'a S3Server>,
    case: &'a Case,
}

/// How both reach the archive.
struct Route {
    /// None, where it lies on the local disk.
    endpoint: Option<Endpoint>,
    shaping: Shaping,
    /// None, where it is not made slower.
    line: Option<Line>,
}

impl Contest<'_> {
    async fn hold(&self, pairs: usize) -> Result<(), Failure> {
        let bytes = self.source.bytes(self.case.form)?;
        println!("\n{}: {} ({} MiB)", self.case.name, self.case.what, bytes >> 20);
        let route = self.route(bytes).await?;
        if let Some(rate) = route.shaping.total_bytes_per_second {
            println!("  the line carries {:.1} MB/s", rate as f64 / 1e6);
        }
        let line = line_seconds(bytes, route.shaping);
        let (mut ours, mut theirs, mut ratios, mut limits) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut jobs = self.jobs();
        for pair in 0..pairs {
            let firedrill = self.firedrill(&route).await?;
            // With how many workers the other one is fastest is found out once.
            let mut tried = Vec::new();
            for jobs in &jobs {
                tried.push((*jobs, self.peer(&route, *jobs).await?));
            }
            tried.sort_by(|one, other| one.1.wall.total_cmp(&other.1.wall));
            let (fastest, peer) = *tried.first().ok_or("nobody to compare with")?;
            jobs = vec![fastest];
            let ratio = peer.wall / firedrill.wall;
            println!("  pair {}: firedrill     {firedrill}", pair + 1);
            println!("          pg_restore -j{fastest} {peer}; {ratio:.2} times as fast");
            ours.push(firedrill.wall);
            theirs.push(peer.wall);
            ratios.push(ratio);
            limits.push(firedrill.over_the_limit(line));
        }
        let (ours, theirs) = (median(ours), median(theirs));
        let at_least = self.case.at_least;
        let reached = if median(ratios.clone()) >= at_least { "reached" } else { "NOT reached" };
        println!("  median: firedrill {ours:.2} s, the other {theirs:.2} s");
        println!("  times as fast: {}; at least {at_least}: {reached}", spread(&ratios));
        println!("  times the limit of line and processors: {}", spread(&limits));
        Ok(())
    }

    /// The numbers of workers that are tried.
    fn jobs(&self) -> Vec<usize> {
        if self.case.peer == Peer::Aws { vec![1] } else { vec![1, cores(), cores() * 2] }
    }

    async fn route(&self, bytes: u64) -> Result<Route, Failure> {
        let disk = Route { endpoint: None, shaping: Shaping::default(), line: None };
        if self.case.network == Network::Disk {
            return Ok(disk);
        }
        let server = self.server.ok_or("no S3 server")?;
        let balanced = match self.case.network {
            Network::Balanced => (bytes as f64 / self.firedrill(&disk).await?.wall) as u64,
            _ => 0,
        };
        let shaping = self.case.network.shaping(balanced);
        if !shaping.is_any() {
            return Ok(Route { endpoint: Some(Endpoint::at(server.address)), ..disk });
        }
        let line = Line::start(server.address, shaping)?;
        Ok(Route { endpoint: Some(Endpoint::at(line.address)), shaping, line: Some(line) })
    }

    /// The processes that stand for a store and a network.
    fn away(&self, route: &Route) -> Vec<u32> {
        let server = self.server.map(S3Server::process_id).filter(|_| route.endpoint.is_some());
        server.into_iter().chain(route.line.as_ref().map(Line::process_id)).collect()
    }

    async fn firedrill(&self, route: &Route) -> Result<Took, Failure> {
        let place = match &route.endpoint {
            Some(endpoint) => endpoint.place(self.case.form.key()),
            None => Place::local(&self.source.path(self.case.form))?,
        };
        let mut scratch = Scratch::in_cluster(start(self.install).await?, self.install.version.major);
        let clocks = Clocks::start(cluster(&scratch)?, self.away(route))?;
        place.restore_into(&mut scratch).await?;
        let took = clocks.stop(cluster(&scratch)?)?;
        self.source.verify(self.install, cluster(&scratch)?, DATABASE).await?;
        scratch.remove().await?;
        Ok(took)
    }

    /// From the first byte that is asked for until everything is in the hands of the system.
    async fn peer(&self, route: &Route, jobs: usize) -> Result<Took, Failure> {
        let server = start(self.install).await?;
        let copy = self.folder.join("downloaded");
        let clocks = Clocks::start(&server, self.away(route))?;
        client(self.install, "createdb", &server, &["-T", "template0", "bench"]).await?;
        let rival = Rival { install: self.install, server: &server };
        match (&route.endpoint, self.case.peer) {
            (None, _) => rival.pg_restore(&self.source.path(self.case.form), jobs).await?,
            (Some(endpoint), Peer::Aws) => rival.pipe(endpoint, self.case.form).await?,
            (Some(endpoint), _) => {
                rival.download(endpoint, self.case.form, &copy).await?;
                rival.pg_restore(&copy, jobs).await?;
            }
        }
        client(self.install, "psql", &server, &["-q", "-X", "-d", "bench", "-c", "CHECKPOINT"]).await?;
        let took = clocks.stop(&server)?;
        self.source.verify(self.install, &server, "bench").await?;
        server.stop().await?;
        if copy.is_dir() {
            std::fs::remove_dir_all(&copy)?;
        } else if copy.exists() {
            std::fs::remove_file(&copy)?;
        }
        Ok(took)
    }
}

/// How long the line alone would have taken.
fn line_seconds(bytes: u64, shaping: Shaping) -> f64 {
    let connections = Tuning::default().connections.most() as u64;
    let alone = shaping.connection_bytes_per_second.map(|rate| rate * connections);
    let rate = [alone, shaping.total_bytes_per_second].into_iter().flatten().min();
    rate.map_or(0.0, |rate| bytes as f64 / rate as f64)
}
