//! The peak memory of restore and proof.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use firedrill::postgres::Install;
use firedrill::restore::Scratch;
use firedrill::store::Tuning;

use crate::ONCE;
use crate::archives::{Database, Form, Source};
use crate::machine::{Failure, client, install, number, start};
use crate::place::Place;
use crate::process::ourselves;
use crate::proof::read_rows_back;

/// Measures it of the dumps, of tables of text, and of one value.
pub async fn measure(install: &Install, folder: &Path, rows: u64) -> Result<(), Failure> {
    let forms = [Form::Gzip, Form::Plain, Form::Piped];
    let source = Source::make(install, folder, Database::Orders, rows, &forms).await?;
    let mut archives: Vec<PathBuf> = forms.iter().map(|form| source.path(*form)).collect();
    archives.extend(text_archives(install, folder).await?);
    let tuning = Tuning::default();
    let bound = (64 << 20) + tuning.connections.most() as u64 * tuning.part_bytes;
    println!(
        "\npeak memory of restore and proof, of at most {} MiB (64 MiB + {} connections x {} MiB)",
        bound >> 20,
        tuning.connections.most(),
        tuning.part_bytes >> 20
    );
    for archive in archives {
        let peak = peak_of(&archive).await?;
        let name = archive.file_name().unwrap_or_default().to_string_lossy().into_owned();
        println!("  {name}, {} MiB: {} MiB", std::fs::metadata(&archive)?.len() >> 20, peak >> 20);
        // One value is held whole, and the bound speaks of rows of a usual size.
        if peak > bound && !name.starts_with("value") {
            return Err("above the bound".into());
        }
        std::fs::remove_file(&archive)?;
    }
    Ok(())
}

/// The peak memory of another process that restores and proves one archive.
async fn peak_of(archive: &Path) -> Result<u64, Failure> {
    let mut once = tokio::process::Command::from(ourselves(&[ONCE, &archive.to_string_lossy()])?);
    let mut once = once.stderr(Stdio::piped()).spawn()?;
    // By its input it knows that we are there. Killed, it would leave its cluster behind.
    let _held = once.stdin.take();
    let output = once.wait_with_output().await?;
    let text = String::from_utf8(output.stdout)?;
    Ok(text.trim().parse().map_err(|_| String::from_utf8_lossy(&output.stderr).into_owned())?)
}

/// Restores and proves one archive in this process, and prints its peak memory.
pub async fn once(archive: &Path) -> Result<(), Failure> {
    let install = install()?;
    let mut scratch = Scratch::in_cluster(start(&install).await?, install.version.major);
    let restored = Place::local(archive)?.restore_into(&mut scratch).await?;
    read_rows_back(&restored, &scratch).await?;
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    let kib: u64 = peak.trim().trim_end_matches(" kB").trim().parse()?;
    println!("{}", kib * 1024);
    scratch.remove().await?;
    Ok(())
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
        client(install, "createdb", &cluster, &[&name]).await?;
        let sql = format!("CREATE TABLE t AS SELECT {select}");
        client(install, "psql", &cluster, &["-q", "-X", "-d", &name, "-c", &sql]).await?;
        let path = folder.join(format!("{name}.dump"));
        client(install, "pg_dump", &cluster, &["-Fc", "-Z0", "-f", &path.to_string_lossy(), &name]).await?;
        client(install, "dropdb", &cluster, &[&name]).await?;
        archives.push(path);
    }
    cluster.stop().await?;
    Ok(archives)
}
