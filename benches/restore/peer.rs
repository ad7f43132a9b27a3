//! What others restore an archive with.

use std::path::Path;
use std::process::Stdio;

use firedrill::postgres::{Cluster, Install};
use firedrill::store::Tuning;

use crate::archives::Form;
use crate::machine::{Failure, client, command, run};
use crate::parts::Part;
use crate::s3::{BUCKET, Endpoint};

/// The programs that restore into the database `bench` of a server.
pub struct Rival<'a> {
    pub install: &'a Install,
    pub server: &'a Cluster,
}

impl Rival<'_> {
    pub async fn pg_restore(&self, archive: &Path, jobs: usize) -> Result<(), Failure> {
        let (jobs, path) = (format!("-j{jobs}"), archive.to_string_lossy());
        client(self.install, "pg_restore", self.server, &["-O", &jobs, "-d", "bench", &path]).await?;
        Ok(())
    }

    /// Downloads an archive whole, by as many connections and in parts of the size as firedrill.
    pub async fn download(&self, endpoint: &Endpoint, form: Form, into: &Path) -> Result<(), Failure> {
        let tuning = Tuning::default();
        let connections = tuning.connections.most().to_string();
        let part_mib = (tuning.part_bytes >> 20).max(5).to_string();
        let (from, into) = match form {
            Form::Directory => (format!("{}*", object(form)), format!("{}/", into.display())),
            _ => (object(form), into.display().to_string()),
        };
        let mut copy = endpoint.command(Part::S5cmd);
        copy.args(["--log", "error", "cp", "-c", &connections, "-p", &part_mib, &from, &into]);
        run("s5cmd", copy).await?;
        Ok(())
    }

    /// Reads an archive into the input of a `pg_restore`.
    pub async fn pipe(&self, endpoint: &Endpoint, form: Form) -> Result<(), Failure> {
        let mut copy = endpoint.command(Part::Aws);
        copy.args(["s3", "cp", "--only-show-errors", &object(form), "-"]);
        let mut copy = copy.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let archive: Stdio = copy.stdout.take().ok_or("no output")?.try_into()?;
        let arguments = ["-O", "-d", "bench"];
        let mut restore =
            command(self.install, "pg_restore", self.server, &arguments).stdin(archive).spawn()?;
        let (copied, restored) = tokio::try_join!(copy.wait(), restore.wait())?;
        match (copied.success(), restored.success()) {
            (true, true) => Ok(()),
            (false, _) => Err("aws failed".into()),
            (_, false) => Err("pg_restore failed".into()),
        }
    }
}

fn object(form: Form) -> String {
    format!("s3://{BUCKET}/{}", form.key())
}
