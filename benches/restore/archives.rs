//! The databases that are restored, and their dumps.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use firedrill::postgres::{Cluster, Install};

use crate::machine::{Failure, client, command, start};

/// A database that is made to be dumped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Database {
    /// Mixed types, partitions, indexes and references; half of it in one table.
    Orders,
    /// That of `pgbench -i`: nine tenths of it and more in one table.
    Pgbench,
}

impl Database {
    fn tables(self) -> &'static [&'static str] {
        match self {
            Database::Orders => &["customer", "product", "orders", "line", "event"],
            Database::Pgbench => &["pgbench_accounts", "pgbench_branches", "pgbench_tellers"],
        }
    }
}

/// A dumped database, and what its rows hash to.
pub struct Source {
    /// Compressed.
    pub gzip: PathBuf,
    /// Not compressed.
    pub none: PathBuf,
    /// Compressed, and written into a pipe: it doesn't tell where the rows of a table are.
    pub piped: PathBuf,
    database: Database,
    hash: String,
}

impl Source {
    /// Makes the database with so many rows in its largest table, and its dumps in `folder`.
    pub async fn make(
        install: &Install,
        folder: &Path,
        database: Database,
        rows: u64,
    ) -> Result<Source, Failure> {
        let cluster = start(install).await?;
        client(install, "createdb", &cluster, &["bench"])?;
        match database {
            Database::Orders => {
                let sql = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/benchmark/orders.sql");
                let (rows, file) = (format!("n={rows}"), sql.to_string_lossy());
                let arguments = ["-q", "-X", "-d", "bench", "-v", &rows, "-f", &file];
                client(install, "psql", &cluster, &arguments)?;
            }
            Database::Pgbench => {
                let scale = (rows / 100_000).max(1).to_string();
                let arguments = ["-i", "-q", "--foreign-keys", "-s", &scale, "bench"];
                client(install, "pgbench", &cluster, &arguments)?;
            }
        }
        let path = |name: &str| folder.join(format!("{database:?}.{name}.dump").to_lowercase());
        let (gzip, none, piped) = (path("gzip"), path("none"), path("piped"));
        client(install, "pg_dump", &cluster, &["-Fc", "-Z6", "-f", &gzip.to_string_lossy(), "bench"])?;
        client(install, "pg_dump", &cluster, &["-Fc", "-Z0", "-f", &none.to_string_lossy(), "bench"])?;
        dump_through_a_pipe(install, &cluster, &piped)?;
        let hash = hash(install, &cluster, "bench", database)?;
        cluster.stop().await?;
        Ok(Source { gzip, none, piped, database, hash })
    }

    /// # Errors
    /// The rows of the tables are not the source's.
    pub fn verify(&self, install: &Install, cluster: &Cluster, database: &str) -> Result<(), Failure> {
        let equal = hash(install, cluster, database, self.database)? == self.hash;
        if equal { Ok(()) } else { Err("the rows differ".into()) }
    }
}

fn dump_through_a_pipe(install: &Install, cluster: &Cluster, path: &Path) -> Result<(), Failure> {
    let mut dump = command(install, "pg_dump", cluster, &["-Fc", "-Z6", "bench"]);
    let mut dump = dump.stdout(Stdio::piped()).spawn()?;
    let mut output = dump.stdout.take().ok_or("no output")?;
    std::io::copy(&mut output, &mut std::fs::File::create(path)?)?;
    if dump.wait()?.success() { Ok(()) } else { Err("pg_dump failed".into()) }
}

/// A hash of all rows of all tables, made by the server alone.
fn hash(install: &Install, cluster: &Cluster, database: &str, tables: Database) -> Result<String, Failure> {
    let each: Vec<String> = tables
        .tables()
        .iter()
        .map(|table| {
            format!(
                "SELECT '{table}', count(*), sum(('x' || left(md5(t::text), 15))::bit(60)::bigint) FROM {table} t"
            )
        })
        .collect();
    let sql = each.join(" UNION ALL ");
    client(install, "psql", cluster, &["-q", "-X", "-A", "-t", "-d", database, "-c", &sql])
}
