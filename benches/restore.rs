//! The restore of one archive by firedrill beside `pg_restore -j` of the same local file.
//!
//!     cargo bench --bench restore
//!     FIREDRILL_BENCH_ROWS=6000000 FIREDRILL_BENCH_PAIRS=5 cargo bench --bench restore
//!
//! It makes the database of `fixtures/benchmark/orders.sql`, dumps it compressed and
//! uncompressed, and restores each dump in turn by both, into fresh clusters with the same
//! settings, interleaved. Medians and the ratio of each pair are printed, of the time on the
//! wall and of the processors' time of server and client together, which other work on the
//! machine disturbs less; firedrill's own peak
//! memory is measured in a process of its own. After each timed restore the rows of every
//! table are counted and hashed by the server and compared with the source's.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use firedrill::clock::Stopwatch;
use firedrill::drill::settings::server_settings;
use firedrill::event::Events;
use firedrill::plan::{CopyForm, Settings};
use firedrill::postgres::{
    Cluster, ClusterOptions, InitdbOptions, Install, Isolation, choose_install, find_installs,
    new_directory_name,
};
use firedrill::restore::{self, DATABASE, Manner, Scratch};
use firedrill::store::{Download, Location, Options, Store, Tuning};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

type Failure = Box<dyn std::error::Error>;

/// The argument by which the program restores one archive and tells its own peak memory.
const ONCE: &str = "--restore-once";

fn main() -> Result<(), Failure> {
    firedrill::cli::memory::return_large_blocks();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(at) = arguments.iter().position(|argument| argument == ONCE) {
        let archive = arguments.get(at + 1).ok_or("no archive")?;
        return runtime.block_on(once(Path::new(archive)));
    }
    runtime.block_on(bench())
}

async fn bench() -> Result<(), Failure> {
    let rows = number("FIREDRILL_BENCH_ROWS", 600_000)?;
    let pairs = number("FIREDRILL_BENCH_PAIRS", 5)? as usize;
    let folder = tempfile::Builder::new().prefix("firedrill-bench-").tempdir_in(scratch_parent())?;
    let install = choose_install(&find_installs(None), 13)?;
    let source = Source::make(&install, folder.path(), rows).await?;
    println!("PostgreSQL {}, {} rows in the largest table, {} cores", install.version.text, rows, cores());
    for archive in source.archives.iter().filter(|archive| chosen(archive)) {
        compare(&install, &source, archive, pairs).await?;
    }
    memory(&source.archives)
}

/// A dumped database, and what its rows hash to.
struct Source {
    archives: Vec<PathBuf>,
    hash: String,
}

impl Source {
    async fn make(install: &Install, folder: &Path, rows: u64) -> Result<Source, Failure> {
        let cluster = start(install).await?;
        client(install, "createdb", &cluster, &["bench"])?;
        let sql = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/benchmark/orders.sql");
        let rows = format!("n={rows}");
        let file = sql.to_string_lossy();
        client(install, "psql", &cluster, &["-q", "-X", "-d", "bench", "-v", &rows, "-f", &file])?;
        let mut archives = Vec::new();
        for (name, level) in [("gzip.dump", "-Z6"), ("none.dump", "-Z0")] {
            let path = folder.join(name);
            client(install, "pg_dump", &cluster, &["-Fc", level, "-f", &path.to_string_lossy(), "bench"])?;
            archives.push(path);
        }
        let hash = hash(install, &cluster, "bench")?;
        cluster.stop().await?;
        Ok(Source { archives, hash })
    }
}

async fn compare(install: &Install, source: &Source, archive: &Path, pairs: usize) -> Result<(), Failure> {
    let bytes = std::fs::metadata(archive)?.len();
    println!("\n{} ({} MiB)", archive.file_name().unwrap_or_default().to_string_lossy(), bytes >> 20);
    let (mut ours, mut theirs, mut ratios, mut cpu_ratios) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for pair in 0..pairs {
        let firedrill = timed_firedrill(install, source, archive).await?;
        let pg_restore = timed_pg_restore(install, source, archive).await?;
        let (ratio, cpu_ratio) = (pg_restore.wall / firedrill.wall, pg_restore.cpu() / firedrill.cpu());
        println!("  pair {}: firedrill {firedrill}", pair + 1);
        println!("     pg_restore -j{} {pg_restore}; wall {ratio:.2}, cpu {cpu_ratio:.2}", cores());
        ours.push(firedrill.wall);
        theirs.push(pg_restore.wall);
        ratios.push(ratio);
        cpu_ratios.push(cpu_ratio);
    }
    let spread = |ratios: &[f64]| {
        let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
        let most = ratios.iter().copied().fold(0.0, f64::max);
        format!("{:.2} ({least:.2} to {most:.2})", median(ratios.to_vec()))
    };
    let (ours, theirs) = (median(ours), median(theirs));
    println!("  median: firedrill {ours:.2} s, pg_restore {theirs:.2} s");
    println!("  times as fast: {}; times less cpu: {}", spread(&ratios), spread(&cpu_ratios));
    Ok(())
}

/// How long a restore took, in seconds.
struct Took {
    wall: f64,
    /// What the server and all of its children spent.
    server: f64,
    /// What the client spent: firedrill, or pg_restore.
    client: f64,
}

impl Took {
    fn cpu(&self) -> f64 {
        self.server + self.client
    }
}

impl std::fmt::Display for Took {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{:6.2} s, cpu {:5.1} s (server {:5.1}, client {:4.1})",
            self.wall,
            self.cpu(),
            self.server,
            self.client
        )
    }
}

/// Clocks that were started before a restore.
struct Clocks {
    began: Instant,
    server: f64,
    client: f64,
}

impl Clocks {
    fn start(cluster: &Cluster) -> Result<Clocks, Failure> {
        Ok(Clocks { server: server_cpu(cluster.server_pid())?, client: client_cpu()?, began: Instant::now() })
    }

    fn stop(&self, cluster: &Cluster) -> Result<Took, Failure> {
        let wall = self.began.elapsed().as_secs_f64();
        let (server, client) = (server_cpu(cluster.server_pid())? - self.server, client_cpu()? - self.client);
        Ok(Took { wall, server, client })
    }
}

/// Seconds of processor time of this process and of the children that it has waited for.
fn client_cpu() -> Result<f64, Failure> {
    let mut seconds = 0.0;
    for who in [UsageWho::RUSAGE_SELF, UsageWho::RUSAGE_CHILDREN] {
        let usage = getrusage(who)?;
        for time in [usage.user_time(), usage.system_time()] {
            seconds += time.num_microseconds() as f64 / 1e6;
        }
    }
    Ok(seconds)
}

/// Seconds of processor time of a server, its children that are over, and those that live.
fn server_cpu(server: u32) -> Result<f64, Failure> {
    const TICKS_PER_SECOND: f64 = 100.0;
    let fields = |pid: &str| -> Option<Vec<u64>> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // Behind the name of the program, which may hold anything: parent first, times later.
        let (_, rest) = stat.rsplit_once(')')?;
        Some(rest.split_whitespace().map(|field| field.parse().unwrap_or(0)).collect())
    };
    let sum = |fields: &[u64], count: usize| fields.iter().skip(11).take(count).sum::<u64>();
    let own = fields(&server.to_string()).ok_or("the server is gone")?;
    let mut ticks = sum(&own, 4);
    for process in std::fs::read_dir("/proc")?.flatten() {
        let child = process.file_name().to_str().and_then(fields);
        if let Some(child) = child.filter(|child| child.get(1) == Some(&u64::from(server))) {
            ticks += sum(&child, 4);
        }
    }
    Ok(ticks as f64 / TICKS_PER_SECOND)
}

async fn timed_firedrill(install: &Install, source: &Source, archive: &Path) -> Result<Took, Failure> {
    let mut scratch = Scratch::in_cluster(start(install).await?, install.version.major);
    let clocks = Clocks::start(scratch.cluster().ok_or("the scratch has no cluster of its own")?)?;
    restore_into(&mut scratch, archive).await?;
    let cluster = scratch.cluster().ok_or("the scratch has no cluster of its own")?;
    let took = clocks.stop(cluster)?;
    verify(install, cluster, DATABASE, source)?;
    scratch.remove().await?;
    Ok(took)
}

async fn timed_pg_restore(install: &Install, source: &Source, archive: &Path) -> Result<Took, Failure> {
    let cluster = start(install).await?;
    let clocks = Clocks::start(&cluster)?;
    client(install, "createdb", &cluster, &["-T", "template0", "bench"])?;
    let jobs = format!("-j{}", cores());
    client(install, "pg_restore", &cluster, &["-O", &jobs, "-d", "bench", &archive.to_string_lossy()])?;
    client(install, "psql", &cluster, &["-q", "-X", "-d", "bench", "-c", "CHECKPOINT"])?;
    let took = clocks.stop(&cluster)?;
    verify(install, &cluster, "bench", source)?;
    cluster.stop().await?;
    Ok(took)
}

/// The whole restore, from the first read to everything on disk.
async fn restore_into(scratch: &mut Scratch, archive: &Path) -> Result<(), Failure> {
    let folder = archive.parent().ok_or("no folder")?;
    let store = Store::open(&Location::Directory { path: folder.into() }, &Options::default()).await?;
    let key = archive.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let object =
        store.list().await?.objects.into_iter().find(|object| object.key == key).ok_or("no archive")?;
    let download = Download::new(&store, &object, 0..object.bytes, Tuning::default());
    let events = Events::silent();
    let opened = restore::open(download, object.bytes, None, std::sync::Arc::default(), &events)
        .await
        .map_err(|halted| halted.error)?;
    scratch.make_database(&opened.toc).await?;
    let watch = Stopwatch::start();
    let manner = Manner::drill(cores(), copy_form());
    let restored =
        restore::restore(opened, scratch, manner, watch, &events).await.map_err(|halted| halted.error)?;
    if !restored.failures.is_empty() {
        return Err(format!("{:?}", restored.failures).into());
    }
    scratch.connect().await?.run("CHECKPOINT").await?;
    Ok(())
}

/// Peak memory of firedrill itself, in processes that do nothing else.
fn memory(archives: &[PathBuf]) -> Result<(), Failure> {
    let tuning = Tuning::default();
    let bound = (64 << 20) + tuning.connections as u64 * tuning.part_bytes;
    println!(
        "\npeak memory, of at most {} MiB (64 MiB + {} connections x {} MiB)",
        bound >> 20,
        tuning.connections,
        tuning.part_bytes >> 20
    );
    for archive in archives {
        let output = Command::new(std::env::current_exe()?).arg(ONCE).arg(archive).output()?;
        let text = String::from_utf8(output.stdout)?;
        let peak: u64 =
            text.trim().parse().map_err(|_| String::from_utf8_lossy(&output.stderr).into_owned())?;
        let size = std::fs::metadata(archive)?.len() >> 20;
        println!("  {size} MiB archive: {} MiB", peak >> 20);
        if peak > bound {
            return Err("above the bound".into());
        }
    }
    Ok(())
}

async fn once(archive: &Path) -> Result<(), Failure> {
    let install = choose_install(&find_installs(None), 13)?;
    let mut scratch = Scratch::in_cluster(start(&install).await?, install.version.major);
    restore_into(&mut scratch, archive).await?;
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    let kib: u64 = peak.trim().trim_end_matches(" kB").trim().parse()?;
    println!("{}", kib * 1024);
    scratch.remove().await?;
    Ok(())
}

async fn start(install: &Install) -> Result<Cluster, Failure> {
    let memory: u64 = 24 << 30;
    let options = ClusterOptions {
        parent: Some(scratch_parent()),
        directory_name: new_directory_name(),
        settings: server_settings(Settings::Fast, Some(memory), cores()),
        isolation: Isolation::Off,
        initdb: InitdbOptions::default(),
        start_deadline: Duration::from_secs(120),
    };
    Ok(Cluster::start(install, options).await?)
}

fn scratch_parent() -> PathBuf {
    std::env::var_os("TMPDIR").map_or_else(|| PathBuf::from("/var/tmp"), PathBuf::from)
}

/// Runs a client program of the install against the cluster.
fn client(
    install: &Install,
    program: &str,
    cluster: &Cluster,
    arguments: &[&str],
) -> Result<String, Failure> {
    let output = Command::new(install.bin.join(program))
        .env("PGHOST", cluster.socket_directory())
        .env("PGUSER", cluster.user())
        .env("PGOPTIONS", "-c client_min_messages=warning")
        .args(arguments)
        .output()?;
    if !output.status.success() {
        return Err(format!("{program}: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// A hash of all rows of all tables, made by the server alone.
fn hash(install: &Install, cluster: &Cluster, database: &str) -> Result<String, Failure> {
    let tables = ["customer", "product", "orders", "line", "event"];
    let each = tables.map(|table| {
        format!(
            "SELECT '{table}', count(*), sum(('x' || left(md5(t::text), 15))::bit(60)::bigint) FROM {table} t"
        )
    });
    client(
        install,
        "psql",
        cluster,
        &["-q", "-X", "-A", "-t", "-d", database, "-c", &each.join(" UNION ALL ")],
    )
}

fn verify(install: &Install, cluster: &Cluster, database: &str, source: &Source) -> Result<(), Failure> {
    if hash(install, cluster, database)? == source.hash { Ok(()) } else { Err("the rows differ".into()) }
}

/// Whether this archive is timed: all of them, or the one that the environment names.
fn chosen(archive: &Path) -> bool {
    let name = archive.file_stem().unwrap_or_default();
    std::env::var_os("FIREDRILL_BENCH_ARCHIVE").is_none_or(|only| only == name)
}

/// Which form of COPY is timed.
fn copy_form() -> CopyForm {
    match std::env::var("FIREDRILL_BENCH_COPY").as_deref() {
        Ok("text") => CopyForm::Text,
        _ => CopyForm::Auto,
    }
}

fn number(variable: &str, default: u64) -> Result<u64, Failure> {
    std::env::var(variable).map_or(Ok(default), |text| Ok(text.parse()?))
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
