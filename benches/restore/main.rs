//! The restore of one archive by firedrill beside what else restores it, in the ways in which it is
//! used.
//!
//!     script/parts s3 s5cmd awscli
//!     cargo bench --bench restore
//!     FIREDRILL_BENCH_ROWS=6000000 cargo bench --bench restore
//!     FIREDRILL_BENCH_CASES=local,piped FIREDRILL_BENCH_PAIRS=3 cargo bench --bench restore
//!
//!     FIREDRILL_BENCH_ONLY=proof FIREDRILL_BENCH_COPY=text FIREDRILL_BENCH_READ_BACK='sample 5%' \
//!         cargo bench --bench restore
//!     FIREDRILL_BENCH_ONLY=memory FIREDRILL_BENCH_TEXT_MIB=300,1500 FIREDRILL_BENCH_VALUE_MIB=200 \
//!         cargo bench --bench restore
//!
//! It makes the database of `fixtures/benchmark/orders.sql` in two shapes and that of `pgbench`,
//! dumps them, and restores the dumps in turn by both, into fresh clusters with the same settings,
//! interleaved. `case.rs` has the cases: local, loopback, cloud, gigabit, balanced, piped, serial,
//! directory, uncompressed, one-table, pgbench. Of each, the median of the times is printed, the
//! ratio of each pair, and how far firedrill was from what the machine allows. After each timed
//! restore the rows of every table are hashed by the server and compared with the source's.
//!
//! But for local and uncompressed, the dump lies in a real S3 server (`s3.rs`), which firedrill
//! reads by its own store. The other side is `s5cmd cp` to the disk and `pg_restore -j` behind it,
//! or `aws s3 cp -` piped into `pg_restore` (`peer.rs`). Where a network is asked for, both reach
//! the server through a line that is made slower (`proxy.rs`). Server and line are processes of
//! their own, and count for nobody; they work on the same processors, though, and so are part of
//! what the machine allows.
//!
//! | variable | what | without it |
//! | --- | --- | --- |
//! | `FIREDRILL_BENCH_ROWS` | rows in the largest table | 600,000 |
//! | `FIREDRILL_BENCH_PAIRS` | how often both restore it, or one is proven | 5 |
//! | `FIREDRILL_BENCH_CASES` | the cases, with commas | all |
//! | `FIREDRILL_BENCH_COPY` | `text`: rows are sent as text | as binary, where that is exact |
//! | `FIREDRILL_BENCH_ONLY` | `proof` or `memory` instead of the cases | the cases |
//! | `FIREDRILL_BENCH_READ_BACK` | how much the proof reads back: `all`, `sample 5%` | all |
//! | `FIREDRILL_BENCH_TEXT_MIB` | memory: sizes of tables of text, with commas | 300,1500 |
//! | `FIREDRILL_BENCH_VALUE_MIB` | memory: the size of one value | none |
//! | `TMPDIR` | where clusters, dumps and downloads lie | `/var/tmp` |
//!
//! With `FIREDRILL_BENCH_ONLY=proof`, the rows are read back and compared after each of firedrill's
//! restores, which is timed on its own; and what the hashes cost that are made on the way, of the
//! stored bytes and of the rows, is measured over the very same bytes, on one thread with nothing
//! else. With `=memory`, the peak memory of restore and proof is measured, of the dumps, of tables
//! of so much text, and of one value.
//!
//! Interrupted or stopped, it ends its servers and removes its folders.

mod archives;
mod case;
mod contest;
mod machine;
mod memory;
mod parts;
mod peer;
mod place;
mod process;
mod proof;
mod proxy;
mod s3;
mod took;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use crate::archives::{Database, Source};
use crate::machine::{Failure, cores, install, number, only, scratch_parent};
use crate::process::{interrupted, while_wanted};

/// The argument by which the program restores one archive and tells its own peak memory.
const ONCE: &str = "--restore-once";

fn main() -> ExitCode {
    firedrill::cli::memory::return_large_blocks();
    let done = run(&std::env::args().skip(1).collect::<Vec<_>>());
    if let Err(error) = done {
        eprintln!("restore: {error}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn run(arguments: &[String]) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    // What is dropped on an interruption ends its servers and removes its folders.
    let done = runtime.block_on(async {
        tokio::select! {
            done = work(arguments) => done,
            interrupted = interrupted() => interrupted,
        }
    });
    runtime.shutdown_timeout(Duration::from_secs(10));
    done
}

async fn work(arguments: &[String]) -> Result<(), Failure> {
    match arguments {
        [what, archive] if what == ONCE => while_wanted(memory::once(Path::new(archive))).await,
        [what, line @ ..] if what == proxy::LINE => while_wanted(proxy::carry(line)).await,
        _ => bench().await,
    }
}

async fn bench() -> Result<(), Failure> {
    let rows = number("FIREDRILL_BENCH_ROWS", 600_000)?;
    let pairs = number("FIREDRILL_BENCH_PAIRS", 5)? as usize;
    let folder = tempfile::Builder::new().prefix("firedrill-bench-").tempdir_in(scratch_parent())?;
    let install = install()?;
    println!("PostgreSQL {}, {} rows in the largest table, {} cores", install.version.text, rows, cores());
    if only("proof") {
        let source = Source::make(&install, folder.path(), Database::Orders, rows, &proof::PROVEN).await?;
        return proof::measure(&install, &source, pairs).await;
    }
    if only("memory") {
        return memory::measure(&install, folder.path(), rows).await;
    }
    contest::hold(&install, folder.path(), rows, pairs).await
}
