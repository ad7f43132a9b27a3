//! firedrill against `pg_restore`, in the ways in which an archive comes to a server.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use firedrill::clock::Stopwatch;
use firedrill::event::Events;
use firedrill::plan::ReadBack;
use firedrill::postgres::{Cluster, Install};
use firedrill::restore::{self, DATABASE, Manner, Restored, Sample, Scratch};
use firedrill::store::{Download, Location, Options, Shaping, Store, Tuning};

use crate::archives::{Database, Source};
use crate::machine::{Failure, client, command, copy_form, cores, median, read_back, spread, start};
use crate::took::{Clocks, Took};

/// What 70 MB/s are in bytes.
const CONNECTION_BYTES_PER_SECOND: u64 = 70_000_000;
/// Until the first byte of an answer comes from far away.
const FAR: Duration = Duration::from_millis(20);

/// How an archive comes to the server, and who else brings it there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rival {
    /// `pg_restore -j` of the file where it lies.
    Local,
    /// The same over the same line, downloaded whole by as many connections as firedrill uses.
    Download,
    /// The same line, read into the input of a `pg_restore` that can't but work alone.
    Pipe,
}

/// One line of the table that this prints.
struct Case {
    name: &'static str,
    what: &'static str,
    database: Database,
    archive: fn(&Source) -> &PathBuf,
    network: Network,
    rival: Rival,
    /// How many times as fast firedrill should be.
    at_least: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Network {
    Unlimited,
    /// A host in a cloud that reads the cloud's object storage.
    Cloud,
    /// A line on which the download alone takes as long as the restore of the file alone.
    Balanced,
}

const CASES: [Case; 8] = [
    Case {
        name: "local",
        what: "the file on the local disk, pg_restore -j of the same file",
        database: Database::Orders,
        archive: |source| &source.gzip,
        network: Network::Unlimited,
        rival: Rival::Local,
        at_least: 1.4,
    },
    Case {
        name: "loopback",
        what: "an unlimited line, download and pg_restore -j",
        database: Database::Orders,
        archive: |source| &source.gzip,
        network: Network::Unlimited,
        rival: Rival::Download,
        at_least: 1.5,
    },
    Case {
        name: "cloud",
        what: "70 MB/s a connection and 20 ms, download and pg_restore -j",
        database: Database::Orders,
        archive: |source| &source.gzip,
        network: Network::Cloud,
        rival: Rival::Download,
        at_least: 1.5,
    },
    Case {
        name: "balanced",
        what: "a line as slow as the restore, download and pg_restore -j",
        database: Database::Orders,
        archive: |source| &source.gzip,
        network: Network::Balanced,
        rival: Rival::Download,
        at_least: 2.1,
    },
    Case {
        name: "one-table",
        what: "nine tenths in one table, download and pg_restore -j",
        database: Database::Pgbench,
        archive: |source| &source.gzip,
        network: Network::Unlimited,
        rival: Rival::Download,
        at_least: 2.0,
    },
    Case {
        name: "piped",
        what: "an archive without offsets, download and pg_restore -j",
        database: Database::Orders,
        archive: |source| &source.piped,
        network: Network::Unlimited,
        rival: Rival::Download,
        at_least: 1.5,
    },
    Case {
        name: "serial",
        what: "an unlimited line, piped into pg_restore",
        database: Database::Orders,
        archive: |source| &source.gzip,
        network: Network::Unlimited,
        rival: Rival::Pipe,
        at_least: 2.4,
    },
    Case {
        name: "uncompressed",
        what: "the same file without compression, pg_restore -j of the same file",
        database: Database::Orders,
        archive: |source| &source.none,
        network: Network::Unlimited,
        rival: Rival::Local,
        at_least: 1.4,
    },
];

/// Holds every case that the environment names, or all of them.
pub async fn hold(install: &Install, folder: &Path, rows: u64, pairs: usize) -> Result<(), Failure> {
    let named = std::env::var("FIREDRILL_BENCH_CASES").unwrap_or_default();
    let chosen = |case: &&Case| named.is_empty() || named.split(',').any(|name| name == case.name);
    let cases: Vec<&Case> = CASES.iter().filter(chosen).collect();
    for database in [Database::Orders, Database::Pgbench] {
        let cases: Vec<&&Case> = cases.iter().filter(|case| case.database == database).collect();
        if cases.is_empty() {
            continue;
        }
        let source = Source::make(install, folder, database, rows).await?;
        for case in cases {
            Contest { install, folder, source: &source, case }.hold(pairs).await?;
        }
    }
    Ok(())
}

struct Contest<'a> {
    install: &'a Install,
    folder: &'a Path,
    source: &'a Source,
    case: &'a Case,
}

impl Contest<'_> {
    async fn hold(&self, pairs: usize) -> Result<(), Failure> {
        let bytes = std::fs::metadata(self.archive())?.len();
        let shaping = self.shaping(bytes).await?;
        println!("\n{}: {} ({} MiB)", self.case.name, self.case.what, bytes >> 20);
        let line = line_seconds(bytes, shaping);
        let (mut ours, mut theirs, mut ratios, mut limits) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut jobs = self.jobs();
        for pair in 0..pairs {
            let firedrill = self.firedrill(shaping).await?;
            // With how many workers the other one is fastest is found out once.
            let mut tried = Vec::new();
            for jobs in &jobs {
                tried.push((*jobs, self.rival(shaping, *jobs).await?));
            }
            tried.sort_by(|one, other| one.1.wall.total_cmp(&other.1.wall));
            let (fastest, rival) = *tried.first().ok_or("nobody to compare with")?;
            jobs = vec![fastest];
            let ratio = rival.wall / firedrill.wall;
            println!("  pair {}: firedrill     {firedrill}", pair + 1);
            println!("          pg_restore -j{fastest} {rival}; {ratio:.2} times as fast");
            ours.push(firedrill.wall);
            theirs.push(rival.wall);
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

    fn archive(&self) -> &PathBuf {
        (self.case.archive)(self.source)
    }

    /// The numbers of workers that are tried.
    fn jobs(&self) -> Vec<usize> {
        if self.case.rival == Rival::Pipe { vec![1] } else { vec![1, cores(), cores() * 2] }
    }

    async fn shaping(&self, bytes: u64) -> Result<Shaping, Failure> {
        Ok(match self.case.network {
            Network::Unlimited => Shaping::default(),
            Network::Cloud => Shaping {
                connection_bytes_per_second: Some(CONNECTION_BYTES_PER_SECOND),
                latency: FAR,
                ..Shaping::default()
            },
            Network::Balanced => {
                let alone = self.firedrill(Shaping::default()).await?.wall;
                let rate = (bytes as f64 / alone) as u64;
                Shaping { total_bytes_per_second: Some(rate), latency: FAR, ..Shaping::default() }
            }
        })
    }

    async fn firedrill(&self, shaping: Shaping) -> Result<Took, Failure> {
        let mut scratch = Scratch::in_cluster(start(self.install).await?, self.install.version.major);
        let clocks = Clocks::start(cluster(&scratch)?)?;
        restore_into(&mut scratch, self.archive(), shaping).await?;
        let took = clocks.stop(cluster(&scratch)?)?;
        self.source.verify(self.install, cluster(&scratch)?, DATABASE)?;
        scratch.remove().await?;
        Ok(took)
    }

    /// From the first byte that is asked for until everything is in the hands of the system.
    async fn rival(&self, shaping: Shaping, jobs: usize) -> Result<Took, Failure> {
        let server = start(self.install).await?;
        let copy = self.folder.join("downloaded.dump");
        let clocks = Clocks::start(&server)?;
        client(self.install, "createdb", &server, &["-T", "template0", "bench"])?;
        match self.case.rival {
            Rival::Local => self.pg_restore(&server, self.archive(), jobs)?,
            Rival::Download => {
                download(self.archive(), shaping, File::create(&copy)?).await?;
                self.pg_restore(&server, &copy, jobs)?;
            }
            Rival::Pipe => {
                let mut tool = command(self.install, "pg_restore", &server, &["-O", "-d", "bench"]);
                let mut tool = tool.stdin(Stdio::piped()).spawn()?;
                download(self.archive(), shaping, tool.stdin.take().ok_or("no input")?).await?;
                if !tool.wait()?.success() {
                    return Err("pg_restore failed".into());
                }
            }
        }
        client(self.install, "psql", &server, &["-q", "-X", "-d", "bench", "-c", "CHECKPOINT"])?;
        let took = clocks.stop(&server)?;
        self.source.verify(self.install, &server, "bench")?;
        server.stop().await?;
        if self.case.rival == Rival::Download {
            std::fs::remove_file(&copy)?;
        }
        Ok(took)
    }

    fn pg_restore(&self, server: &Cluster, archive: &Path, jobs: usize) -> Result<(), Failure> {
        let (jobs, path) = (format!("-j{jobs}"), archive.to_string_lossy());
        client(self.install, "pg_restore", server, &["-O", &jobs, "-d", "bench", &path])?;
        Ok(())
    }
}

/// How long the line alone would have taken.
fn line_seconds(bytes: u64, shaping: Shaping) -> f64 {
    let connections = Tuning::default().connections.most() as u64;
    let alone = shaping.connection_bytes_per_second.map(|rate| rate * connections);
    let rate = [alone, shaping.total_bytes_per_second].into_iter().flatten().min();
    rate.map_or(0.0, |rate| bytes as f64 / rate as f64)
}

pub fn cluster(scratch: &Scratch) -> Result<&Cluster, Failure> {
    scratch.cluster().ok_or_else(|| "the scratch has no cluster of its own".into())
}

async fn open(archive: &Path, shaping: Shaping) -> Result<(Download, u64), Failure> {
    let folder = archive.parent().ok_or("no folder")?;
    let location = Location::Directory { path: folder.into() };
    let store = Store::open_shaped(&location, &Options::default(), shaping).await?;
    let key = archive.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let object =
        store.list().await?.objects.into_iter().find(|object| object.key == key).ok_or("no archive")?;
    Ok((Download::new(&store, &object, 0..object.bytes, Tuning::default()), object.bytes))
}

async fn download(archive: &Path, shaping: Shaping, mut into: impl Write) -> Result<(), Failure> {
    let (mut download, _) = open(archive, shaping).await?;
    while let Some(part) = download.next().await {
        into.write_all(&part?)?;
    }
    Ok(into.flush()?)
}

/// The whole restore, from the first read to everything on disk.
pub async fn restore_into(
    scratch: &mut Scratch,
    archive: &Path,
    shaping: Shaping,
) -> Result<Restored, Failure> {
    let (download, bytes) = open(archive, shaping).await?;
    let events = Events::silent();
    let opened = restore::open(download, bytes, None, std::sync::Arc::default(), &events)
        .await
        .map_err(|halted| halted.error)?;
    scratch.make_database(&opened.toc).await?;
    let watch = Stopwatch::start();
    let sample = match read_back()? {
        ReadBack::All => None,
        ReadBack::Sample { share_ppm } => Some(Sample { seed: 1, share_ppm }),
    };
    let manner = Manner { sample, ..Manner::drill(cores(), copy_form()) };
    let restored =
        restore::restore(opened, scratch, manner, watch, &events).await.map_err(|halted| halted.error)?;
    if !restored.failures.is_empty() {
        return Err(format!("{:?}", restored.failures).into());
    }
    scratch.connect().await?.run("CHECKPOINT").await?;
    Ok(restored)
}
