//! The restore of one archive by firedrill beside `pg_restore`, in the ways in which it is used.
//!
//!     cargo bench --bench restore
//!     FIREDRILL_BENCH_ROWS=6000000 cargo bench --bench restore
//!     FIREDRILL_BENCH_CASES=local,piped FIREDRILL_BENCH_PAIRS=3 cargo bench --bench restore
//!
//!     FIREDRILL_BENCH_ONLY=proof FIREDRILL_BENCH_COPY=text FIREDRILL_BENCH_READ_BACK='sample 5%' \
//!         cargo bench --bench restore
//!     FIREDRILL_BENCH_ONLY=memory FIREDRILL_BENCH_TEXT_MIB=300,1500 cargo bench --bench restore
//!
//! It makes the database of `fixtures/benchmark/orders.sql` and that of `pgbench`, dumps them, and
//! restores the dumps in turn by both, into fresh clusters with the same settings, interleaved:
//! `contest.rs` has the cases. Of each, the median of the times is printed, the ratio of each
//! pair, and how far firedrill was from what the machine allows. After each timed restore the rows
//! of every table are hashed by the server and compared with the source's.
//!
//! With `FIREDRILL_BENCH_ONLY=proof`, the rows are read back and compared after each of firedrill's
//! restores, which is timed on its own; and what the hashes cost that are made on the way, of the
//! stored bytes and of the rows, is measured over the very same bytes, on one thread with nothing
//! else. With `=memory`, the peak memory of restore and proof is measured, of the dumps, of tables
//! of so much text, and of one value.

mod archives;
mod contest;
mod machine;
mod memory;
mod proof;
mod took;

use std::path::Path;

use crate::archives::{Database, Source};
use crate::machine::{Failure, cores, install, number, only, scratch_parent};

/// The argument by which the program restores one archive and tells its own peak memory.
const ONCE: &str = "--restore-once";

fn main() -> Result<(), Failure> {
    firedrill::cli::memory::return_large_blocks();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(at) = arguments.iter().position(|argument| argument == ONCE) {
        let archive = arguments.get(at + 1).ok_or("no archive")?;
        return runtime.block_on(memory::once(Path::new(archive)));
    }
    runtime.block_on(bench())
}

async fn bench() -> Result<(), Failure> {
    let rows = number("FIREDRILL_BENCH_ROWS", 600_000)?;
    let pairs = number("FIREDRILL_BENCH_PAIRS", 5)? as usize;
    let folder = tempfile::Builder::new().prefix("firedrill-bench-").tempdir_in(scratch_parent())?;
    let install = install()?;
    println!("PostgreSQL {}, {} rows in the largest table, {} cores", install.version.text, rows, cores());
    if only("proof") {
        let source = Source::make(&install, folder.path(), Database::Orders, rows).await?;
        return proof::measure(&install, &source, pairs).await;
    }
    if only("memory") {
        return memory::measure(&install, folder.path(), rows).await;
    }
    contest::hold(&install, folder.path(), rows, pairs).await
}
