//! The databases that are restored, and their dumps.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use firedrill::postgres::{Cluster, Install};
use tempfile::TempDir;

use crate::machine::{Failure, client, command, start};
use crate::s3::BUCKET;

/// A database that is made to be dumped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Database {
    /// Mixed types, partitions, indexes and references; seven tenths of it in one table.
    Orders,
    /// The same with nine tenths of it in one table.
    OneTable,
    /// That of `pgbench -i`: all but all of it in one table.
    Pgbench,
}

impl Database {
    fn tables(self) -> &'static [&'static str] {
        match self {
            Database::Orders | Database::OneTable => &["customer", "product", "orders", "line", "event"],
            Database::Pgbench => &["pgbench_accounts", "pgbench_branches", "pgbench_tellers"],
        }
    }

    /// Fills it, with so many rows in its largest table.
    async fn fill(self, install: &Install, cluster: &Cluster, rows: u64) -> Result<(), Failure> {
        let fewer = match self {
            Database::Orders => "fewer=1",
            Database::OneTable => "fewer=4",
            Database::Pgbench => {
                let scale = (rows / 100_000).max(1).to_string();
                let arguments = ["-i", "-q", "--foreign-keys", "-s", &scale, "bench"];
                client(install, "pgbench", cluster, &arguments).await?;
                return Ok(());
            }
        };
        let sql = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/benchmark/orders.sql");
        let (rows, file) = (format!("n={rows}"), sql.to_string_lossy());
        let arguments = ["-q", "-X", "-d", "bench", "-v", &rows, "-v", fewer, "-f", &file];
        client(install, "psql", cluster, &arguments).await?;
        Ok(())
    }
}

/// How a database is dumped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A file, compressed.
    Gzip,
    /// A file, not compressed.
    Plain,
    /// A file, compressed, that was written into a pipe: it doesn't tell where the rows of a table
    /// are.
    Piped,
    /// A folder with a compressed file for each table.
    Directory,
}

impl Form {
    /// Its key in the bucket, as firedrill names it: that of a folder ends in `/`.
    pub fn key(self) -> &'static str {
        match self {
            Form::Gzip => "gzip.dump",
            Form::Plain => "plain.dump",
            Form::Piped => "piped.dump",
            Form::Directory => "directory/",
        }
    }
}

/// A dumped database, and what its rows hash to. The dumps are gone when it is dropped.
pub struct Source {
    folder: TempDir,
    database: Database,
    hash: String,
}

impl Source {
    /// Makes the database with so many rows in its largest table, and its dumps below `parent`.
    pub async fn make(
        install: &Install,
        parent: &Path,
        database: Database,
        rows: u64,
        forms: &[Form],
    ) -> Result<Source, Failure> {
        let folder = TempDir::new_in(parent)?;
        std::fs::create_dir(folder.path().join(BUCKET))?;
        let cluster = start(install).await?;
        client(install, "createdb", &cluster, &["bench"]).await?;
        database.fill(install, &cluster, rows).await?;
        let hash = hash(install, &cluster, "bench", database).await?;
        let source = Source { folder, database, hash };
        for form in forms {
            source.dump(install, &cluster, *form).await?;
        }
        cluster.stop().await?;
        Ok(source)
    }

    /// The folder with the folder with the dumps: a store with one bucket.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn path(&self, form: Form) -> PathBuf {
        self.folder.path().join(BUCKET).join(form.key())
    }

    /// The size of a dump.
    pub fn bytes(&self, form: Form) -> Result<u64, Failure> {
        let path = self.path(form);
        if form != Form::Directory {
            return Ok(path.metadata()?.len());
        }
        let files = path.read_dir()?.map(|file| Ok(file?.metadata()?.len()));
        files.sum()
    }

    async fn dump(&self, install: &Install, cluster: &Cluster, form: Form) -> Result<(), Failure> {
        let path = self.path(form);
        let file = path.to_string_lossy();
        let arguments = match form {
            Form::Gzip => ["-Fc", "-Z6", "-f", &file, "bench"],
            Form::Plain => ["-Fc", "-Z0", "-f", &file, "bench"],
            Form::Directory => ["-Fd", "-Z6", "-f", &file, "bench"],
            Form::Piped => return dump_through_a_pipe(install, cluster, &path).await,
        };
        client(install, "pg_dump", cluster, &arguments).await?;
        Ok(())
    }

    /// # Errors
    /// The rows of the tables are not the source's.
    pub async fn verify(&self, install: &Install, cluster: &Cluster, database: &str) -> Result<(), Failure> {
        let equal = hash(install, cluster, database, self.database).await? == self.hash;
        if equal { Ok(()) } else { Err("the rows differ".into()) }
    }
}

async fn dump_through_a_pipe(install: &Install, cluster: &Cluster, path: &Path) -> Result<(), Failure> {
    let mut dump = command(install, "pg_dump", cluster, &["-Fc", "-Z6", "bench"]);
    let mut dump = dump.stdout(Stdio::piped()).spawn()?;
    let mut output = dump.stdout.take().ok_or("no output")?;
    tokio::io::copy(&mut output, &mut tokio::fs::File::create(path).await?).await?;
    if dump.wait().await?.success() { Ok(()) } else { Err("pg_dump failed".into()) }
}

/// A hash of all rows of all tables, made by the server alone.
async fn hash(
    install: &Install,
    cluster: &Cluster,
    database: &str,
    tables: Database,
) -> Result<String, Failure> {
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
    client(install, "psql", cluster, &["-q", "-X", "-A", "-t", "-d", database, "-c", &sql]).await
}
