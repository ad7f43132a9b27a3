//! The restore of one archive by firedrill beside `pg_restore -j` of the same local file.
//!
//!     cargo bench --bench restore
//!     FIREDRILL_BENCH_ROWS=6000000 FIREDRILL_BENCH_PAIRS=5 cargo bench --bench restore
//!
//!     FIREDRILL_BENCH_ONLY=proof FIREDRILL_BENCH_COPY=text FIREDRILL_BENCH_READ_BACK='sample 5%' \
//!         cargo bench --bench restore
//!     FIREDRILL_BENCH_ONLY=text FIREDRILL_BENCH_TEXT_MIB=300,1500 cargo bench --bench restore
//!
//! It makes the database of `fixtures/benchmark/orders.sql`, dumps it compressed and
//! uncompressed, and restores each dump in turn by both, into fresh clusters with the same
//! settings, interleaved. Medians and the ratio of each pair are printed, of the time on the
//! wall and of the processors' time of server and client together, which other work on the
//! machine disturbs less; firedrill's own peak
//! memory is measured in a process of its own. After each timed restore the rows of every
//! table are counted and hashed by the server and compared with the source's.
//!
//! After each of firedrill's restores the rows are read back and compared, which is timed on its
//! own; and what the hashes cost that are made on the way, of the stored bytes and of the rows,
//! is measured over the very same bytes, on one thread with nothing else. Both are told as shares
//! of the restore. With `FIREDRILL_BENCH_ONLY=proof` there is no pg_restore; with `=text` only the
//! peak memory of restore and proof is measured, of tables of so much text, and of one value.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use firedrill::clock::Stopwatch;
use firedrill::digest::Digest;
use firedrill::drill::settings::server_settings;
use firedrill::event::Events;
use firedrill::plan::{CopyForm, ReadBack, Settings};
use firedrill::postgres::{
    Cluster, ClusterOptions, InitdbOptions, Install, Isolation, choose_install, find_installs,
    new_directory_name,
};
use firedrill::proof::{self, State};
use firedrill::restore::{self, DATABASE, Manner, Restored, RowShape, RowsSeen, Sample, Scratch};
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
    if only("text") {
        return memory(&text_archives(&install, folder.path()).await?);
    }
    let source = Source::make(&install, folder.path(), rows).await?;
    println!("PostgreSQL {}, {} rows in the largest table, {} cores", install.version.text, rows, cores());
    for archive in source.archives.iter().filter(|archive| chosen(archive)) {
        if only("proof") {
            prove(&install, &source, archive, pairs).await?;
        } else {
            compare(&install, &source, archive, pairs).await?;
        }
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

/// Restores and proves one archive several times, and tells what of it the proof was.
async fn prove(install: &Install, source: &Source, archive: &Path, times: usize) -> Result<(), Failure> {
    let name = archive.file_name().unwrap_or_default().to_string_lossy();
    println!("\n{name}, {} of its rows read back", read_back()?);
    let (mut wall, mut cpu, mut hashes) = (Vec::new(), Vec::new(), Vec::new());
    for time in 0..times {
        let Proven { restore, proof, hashing } = timed_proof(install, source, archive).await?;
        println!("  {}: restore {restore}", time + 1);
        println!("     proof   {proof}; hashing on the way {hashing:.2} s");
        wall.push(proof.wall / restore.wall);
        cpu.push(proof.cpu() / restore.cpu());
        hashes.push(hashing / restore.cpu());
    }
    let percent = |shares: Vec<f64>| {
        let least = shares.iter().copied().fold(f64::INFINITY, f64::min);
        let most = shares.iter().copied().fold(0.0, f64::max);
        format!("{:.1} % ({:.1} to {:.1})", 100.0 * median(shares), 100.0 * least, 100.0 * most)
    };
    println!("  of the restore: proof {} of the wall, {} of the cpu;", percent(wall), percent(cpu));
    println!("  hashes made on the way {} of its cpu", percent(hashes));
    Ok(())
}

/// What a restore took, what the proof behind it, and how many seconds of processor time hashing
/// of stored bytes and rows is.
struct Proven {
    restore: Took,
    proof: Took,
    hashing: f64,
}

async fn timed_proof(install: &Install, source: &Source, archive: &Path) -> Result<Proven, Failure> {
    let mut scratch = Scratch::in_cluster(start(install).await?, install.version.major);
    let clocks = Clocks::start(scratch.cluster().ok_or("the scratch has no cluster of its own")?)?;
    let restored = restore_into(&mut scratch, archive).await?;
    let restore = clocks.stop(scratch.cluster().ok_or("the scratch has no cluster of its own")?)?;
    let clocks = Clocks::start(scratch.cluster().ok_or("the scratch has no cluster of its own")?)?;
    read_rows_back(&restored, &scratch).await?;
    let cluster = scratch.cluster().ok_or("the scratch has no cluster of its own")?;
    let proof = clocks.stop(cluster)?;
    verify(install, cluster, DATABASE, source)?;
    let hashing = hashing(install, cluster, archive, &restored)?;
    scratch.remove().await?;
    Ok(Proven { restore, proof, hashing })
}

/// The proof of the rows.
async fn read_rows_back(restored: &Restored, scratch: &Scratch) -> Result<(), Failure> {
    let toc = restored.toc.clone();
    let tables = proof::compare(&toc, restored, None, scratch, cores(), &Events::silent()).await?;
    let as_well = tables.iter().all(|table| matches!(table.state, State::Equal | State::Sampled));
    if as_well { Ok(()) } else { Err("the rows differ".into()) }
}

/// Seconds of processor time that it takes one thread to hash the archive and the rows of every
/// table, as a restore does on the way.
fn hashing(
    install: &Install,
    cluster: &Cluster,
    archive: &Path,
    restored: &Restored,
) -> Result<f64, Failure> {
    let mut seconds = 0.0;
    let mut timed = |work: &mut dyn FnMut()| -> Result<(), Failure> {
        let before = thread_cpu()?;
        work();
        seconds += thread_cpu()? - before;
        Ok(())
    };
    let stored = std::fs::read(archive)?;
    timed(&mut || {
        std::hint::black_box(Digest::of(&stored));
    })?;
    for table in &restored.tables {
        let copy = format!("COPY {} TO STDOUT", table.name);
        let rows = client(install, "psql", cluster, &["-X", "-d", DATABASE, "-c", &copy])?;
        let mut seen = RowsSeen::default();
        timed(&mut || RowShape::default().take(rows.as_bytes(), &mut seen))?;
        if seen.hash != table.seen.hash {
            return Err(format!("the rows of {} hash to something else", table.name).into());
        }
    }
    Ok(seconds)
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
    Ok(cpu_of(UsageWho::RUSAGE_SELF)? + cpu_of(UsageWho::RUSAGE_CHILDREN)?)
}

/// Seconds of processor time of this thread.
fn thread_cpu() -> Result<f64, Failure> {
    cpu_of(UsageWho::RUSAGE_THREAD)
}

fn cpu_of(who: UsageWho) -> Result<f64, Failure> {
    let usage = getrusage(who)?;
    let times = [usage.user_time(), usage.system_time()];
    Ok(times.map(|time| time.num_microseconds() as f64 / 1e6).iter().sum())
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
async fn restore_into(scratch: &mut Scratch, archive: &Path) -> Result<Restored, Failure> {
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

/// How much is read back: all, or as the environment says.
fn read_back() -> Result<ReadBack, Failure> {
    let text = std::env::var("FIREDRILL_BENCH_READ_BACK").unwrap_or_else(|_| "all".into());
    ReadBack::parse(&text).map_err(|complaint| format!("{complaint:?}").into())
}

/// Whether the environment asks for nothing but that.
fn only(what: &str) -> bool {
    std::env::var("FIREDRILL_BENCH_ONLY").is_ok_and(|only| only == what)
}

/// Uncompressed archives of a table of text, in rows of 8 KiB, of each size that the environment
/// names, and of one value of a size.
async fn text_archives(install: &Install, folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let cluster = start(install).await?;
    let sizes = std::env::var("FIREDRILL_BENCH_TEXT_MIB").unwrap_or_else(|_| "300,1500".into());
    let mut made = Vec::new();
    for mib in sizes.split(',').map(str::parse::<u64>) {
        let rows = mib? * 128;
        made.push((
            format!("text{rows}"),
            format!("repeat(md5(g::text), 256) AS text FROM generate_series(1, {rows}) g"),
        ));
    }
    let value = number("FIREDRILL_BENCH_VALUE_MIB", 0)?;
    if value > 0 {
        made.push(("value".to_owned(), format!("repeat('0123456789abcdef', {}) AS text", value * 65_536)));
    }
    let mut archives = Vec::new();
    for (name, select) in made {
        client(install, "createdb", &cluster, &[&name])?;
        let sql = format!("CREATE TABLE t AS SELECT {select}");
        client(install, "psql", &cluster, &["-q", "-X", "-d", &name, "-c", &sql])?;
        let path = folder.join(format!("{name}.dump"));
        client(install, "pg_dump", &cluster, &["-Fc", "-Z0", "-f", &path.to_string_lossy(), &name])?;
        client(install, "dropdb", &cluster, &[&name])?;
        archives.push(path);
    }
    cluster.stop().await?;
    Ok(archives)
}

/// Peak memory of firedrill itself, in processes that do nothing else.
fn memory(archives: &[PathBuf]) -> Result<(), Failure> {
    let tuning = Tuning::default();
    let bound = (64 << 20) + tuning.connections.most() as u64 * tuning.part_bytes;
    println!(
        "\npeak memory of restore and proof, of at most {} MiB (64 MiB + {} connections x {} MiB)",
        bound >> 20,
        tuning.connections.most(),
        tuning.part_bytes >> 20
    );
    for archive in archives {
        let output = Command::new(std::env::current_exe()?).arg(ONCE).arg(archive).output()?;
        let text = String::from_utf8(output.stdout)?;
        let peak: u64 =
            text.trim().parse().map_err(|_| String::from_utf8_lossy(&output.stderr).into_owned())?;
        let size = std::fs::metadata(archive)?.len() >> 20;
        println!("  {size} MiB archive: {} MiB", peak >> 20);
        // One value is held whole, and the bound speaks of rows of a usual size.
        if peak > bound && archive.file_stem().is_none_or(|name| name != "value") {
            return Err("above the bound".into());
        }
    }
    Ok(())
}

async fn once(archive: &Path) -> Result<(), Failure> {
    let install = choose_install(&find_installs(None), 13)?;
    let mut scratch = Scratch::in_cluster(start(&install).await?, install.version.major);
    let restored = restore_into(&mut scratch, archive).await?;
    read_rows_back(&restored, &scratch).await?;
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
