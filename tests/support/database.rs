//! The databases that backups are taken of, and those that they are restored into.
#![allow(dead_code, reason = "each test program uses its own share of what stands here")]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use firedrill::clock::Stopwatch;
use firedrill::event::{Event, Events, Observer};
use firedrill::plan::CopyForm;
use firedrill::postgres::{Cluster, ClusterOptions, InitdbOptions, Install, Isolation, new_directory_name};
use firedrill::restore::{self, Archive, DATABASE, Manner, Opened, Restored, Scratch};
use firedrill::store::{Connections, Download, Location, Options, Store, Tuning};
use tempfile::TempDir;

use crate::postgres::own_install;

/// Connections over which is restored.
const JOBS: usize = 4;

/// A server of our own with the machine's own client programs.
pub struct Source {
    pub cluster: Cluster,
    install: Install,
}

impl Source {
    /// Starts one below `parent`.
    pub async fn start(parent: &Path) -> Source {
        let install = own_install();
        Source { cluster: start(&install, parent).await, install }
    }

    /// The programs that it is made of.
    pub fn install(&self) -> &Install {
        &self.install
    }

    /// A client program of the install, pointed at the server.
    pub fn client(&self, program: &str) -> Command {
        client(&self.install, program, &self.cluster)
    }

    /// Makes a database, with further options of CREATE DATABASE, and runs the script in it.
    pub async fn create(&self, database: &str, options: &str, script: &str) {
        let server = self.cluster.connect("postgres").await.unwrap();
        server.run(&format!("create database {database} template template0 {options}")).await.unwrap();
        self.psql(database, script);
    }

    /// Runs a script; what it prints, unaligned and without headers.
    pub fn psql(&self, database: &str, script: &str) -> String {
        psql(&self.install, &self.cluster, database, script)
    }

    /// A custom-format archive written to a file, and so with positions.
    pub fn dump(&self, database: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Vec<u8> {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut command = self.client("pg_dump");
        command.args(["-Fc", "-f"]).arg(file.path()).args(arguments).arg(database);
        said(command.envs(environment.iter().copied()));
        fs::read(file.path()).unwrap()
    }

    /// The same through a pipe, and so without positions.
    pub fn dump_piped(&self, database: &str, arguments: &[&str]) -> Vec<u8> {
        said(self.client("pg_dump").arg("-Fc").args(arguments).arg(database))
    }

    /// A plain dump, through a pipe.
    pub fn dump_plain(&self, database: &str, arguments: &[&str]) -> Vec<u8> {
        said(self.client("pg_dump").arg("-Fp").args(arguments).arg(database))
    }

    /// A tar archive through a pipe.
    pub fn dump_tar(&self, database: &str) -> Vec<u8> {
        said(self.client("pg_dump").arg("-Ft").arg(database))
    }
}

/// A client program, pointed at a cluster.
pub fn client(install: &Install, program: &str, cluster: &Cluster) -> Command {
    let mut command = Command::new(install.bin.join(program));
    command.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C.UTF-8").env("PGTZ", "UTC");
    command.env("PGHOST", cluster.socket_directory()).env("PGUSER", cluster.user());
    command
}

/// Runs a script in a database of a cluster; what it prints, unaligned and without headers.
pub fn psql(install: &Install, cluster: &Cluster, database: &str, script: &str) -> String {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), script).unwrap();
    let mut command = client(install, "psql", cluster);
    command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", database, "-f"]).arg(file.path());
    String::from_utf8(said(&mut command)).unwrap()
}

/// What a program writes to its standard output; a failed test with its last words if it fails.
pub fn said(command: &mut Command) -> Vec<u8> {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {complaint}");
    output.stdout
}

/// A server below `parent`.
async fn start(install: &Install, parent: &Path) -> Cluster {
    let settings = ["fsync=off", "shared_buffers=64MB", "autovacuum=off", "synchronous_commit=off"];
    let pair = |text: &str| text.split_once('=').map(|(name, value)| (name.into(), value.into())).unwrap();
    let options = ClusterOptions {
        parent: Some(parent.into()),
        directory_name: new_directory_name(),
        settings: settings.map(pair).to_vec(),
        isolation: Isolation::BestEffort,
        initdb: InitdbOptions::default(),
        start_deadline: Duration::from_secs(120),
    };
    Cluster::start(install, options).await.unwrap()
}

/// A database that firedrill restored, kept to be looked at.
pub struct Kept {
    pub scratch: Scratch,
    pub restored: Restored,
    install: Install,
}

impl Kept {
    /// Restores an archive as a drill does, over several connections and in small parts.
    pub async fn restore(archive: &[u8], install: &Install, parent: &Path) -> Kept {
        Kept::restore_in_form(archive, install, parent, CopyForm::Auto).await
    }

    /// The same, with rows sent in the form that is asked for.
    pub async fn restore_in_form(archive: &[u8], install: &Install, parent: &Path, copy: CopyForm) -> Kept {
        Kept::restore_in(archive, install, parent, Manner::drill(JOBS, copy)).await
    }

    /// The same, in that manner.
    pub async fn restore_in(archive: &[u8], install: &Install, parent: &Path, manner: Manner) -> Kept {
        let scratch = Scratch::in_cluster(start(install, parent).await, install.version.major);
        let (_folder, opened) = open(archive).await;
        let restored = restore_into(&scratch, opened.into(), manner).await;
        Kept { scratch, restored, install: install.clone() }
    }

    /// Restores another archive in the place of the first.
    pub async fn restore_again(&mut self, archive: &[u8]) {
        let (_folder, opened) = open(archive).await;
        self.restore_opened(opened.into()).await;
    }

    /// The same with an archive that is open already.
    pub async fn restore_opened(&mut self, archive: Archive) {
        let server = self.scratch.cluster().unwrap().connect("postgres").await.unwrap();
        server.run(&format!("drop database {DATABASE}")).await.unwrap();
        self.restored = restore_into(&self.scratch, archive, Manner::drill(JOBS, CopyForm::Auto)).await;
    }

    /// A client program of the install, pointed at the server.
    pub fn client(&self, program: &str) -> Command {
        client(&self.install, program, self.scratch.cluster().unwrap())
    }

    /// Runs a script; what it prints, unaligned and without headers.
    pub fn psql(&self, script: &str) -> String {
        psql(&self.install, self.scratch.cluster().unwrap(), DATABASE, script)
    }
}

async fn restore_into(scratch: &Scratch, archive: Archive, manner: Manner) -> Restored {
    scratch.make_database(archive.toc()).await.unwrap();
    restore::restore(archive, scratch, manner, Stopwatch::start(), &silence()).await.unwrap()
}

/// An archive in a folder, read up to the end of its table of contents.
pub async fn open(archive: &[u8]) -> (TempDir, Opened) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("backup.dump"), archive).unwrap();
    let location = Location::parse(&format!("file://{}/", folder.path().display())).unwrap();
    let store = Store::open(&location, &Options::default()).await.unwrap();
    let object = store.list().await.unwrap().objects.remove(0);
    let tuning = Tuning { connections: Connections::Pinned(4), part_bytes: 1 << 16 };
    let download = Download::new(&store, &object, 0..object.bytes, tuning);
    let opened = restore::open(download, object.bytes, None, Arc::default(), &silence()).await.unwrap();
    (folder, opened)
}

/// The directory archive `name` in a folder, read up to the end of its table of contents.
pub async fn open_directory(folder: &Path, name: &str) -> Archive {
    let location = Location::parse(&format!("file://{}/", folder.display())).unwrap();
    let store = Store::open(&location, &Options::default()).await.unwrap();
    let below = format!("{name}/");
    let files = store.list().await.unwrap().objects;
    let files = files.into_iter().filter(|file| file.key.starts_with(&below)).collect();
    let tuning = Tuning { connections: Connections::Pinned(2), part_bytes: 1 << 16 };
    restore::open_files(&store, &below, files, tuning, &silence()).await.unwrap().into()
}

fn silence() -> Events {
    struct Silent;
    impl Observer for Silent {
        fn observe(&self, _: &Event) {}
    }
    Events::new("fx", Arc::new(Silent))
}
