//! What the proof of the rows costs beside the restore.

use std::path::Path;

use firedrill::digest::Digest;
use firedrill::event::Events;
use firedrill::postgres::{Cluster, Install};
use firedrill::proof::{self, State};
use firedrill::restore::{DATABASE, Restored, RowShape, RowsSeen, Scratch};

use crate::archives::{Form, Source};
use crate::machine::{Failure, client, cores, median, read_back, start};
use crate::place::{Place, cluster};
use crate::took::{Clocks, Took, thread_cpu};

/// The dumps that are proven.
pub const PROVEN: [Form; 2] = [Form::Gzip, Form::Plain];

/// Restores and proves the dumps several times, and tells what of it the proof was.
pub async fn measure(install: &Install, source: &Source, times: usize) -> Result<(), Failure> {
    for form in PROVEN {
        measure_archive(install, source, &source.path(form), times).await?;
    }
    Ok(())
}

async fn measure_archive(
    install: &Install,
    source: &Source,
    archive: &Path,
    times: usize,
) -> Result<(), Failure> {
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
    let clocks = Clocks::start(cluster(&scratch)?, Vec::new())?;
    let restored = Place::local(archive)?.restore_into(&mut scratch).await?;
    let restore = clocks.stop(cluster(&scratch)?)?;
    let clocks = Clocks::start(cluster(&scratch)?, Vec::new())?;
    read_rows_back(&restored, &scratch).await?;
    let proof = clocks.stop(cluster(&scratch)?)?;
    source.verify(install, cluster(&scratch)?, DATABASE).await?;
    let hashing = hashing(install, cluster(&scratch)?, archive, &restored).await?;
    scratch.remove().await?;
    Ok(Proven { restore, proof, hashing })
}

/// The proof of the rows.
pub async fn read_rows_back(restored: &Restored, scratch: &Scratch) -> Result<(), Failure> {
    let toc = restored.toc.clone();
    let tables = proof::compare(&toc, restored, None, scratch, cores(), &Events::silent()).await?;
    let as_well = tables.iter().all(|table| matches!(table.state, State::Equal | State::Sampled));
    if as_well { Ok(()) } else { Err("the rows differ".into()) }
}

/// Seconds of processor time that it takes one thread to hash the archive and the rows of every
/// table, as a restore does on the way.
async fn hashing(
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
        let rows = client(install, "psql", cluster, &["-X", "-d", DATABASE, "-c", &copy]).await?;
        let mut seen = RowsSeen::default();
        timed(&mut || RowShape::default().take(rows.as_bytes(), &mut seen))?;
        if seen.hash != table.seen.hash {
            return Err(format!("the rows of {} hash to something else", table.name).into());
        }
    }
    Ok(seconds)
}
