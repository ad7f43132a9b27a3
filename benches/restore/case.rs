//! The ways in which an archive comes to a server, each a line of what this prints.

use std::time::Duration;

use firedrill::store::Shaping;

use crate::archives::{Database, Form};
use crate::machine::Failure;
use crate::parts::Part;

/// One way.
pub struct Case {
    pub name: &'static str,
    pub what: &'static str,
    pub database: Database,
    pub form: Form,
    pub network: Network,
    pub peer: Peer,
    /// How many times as fast as the peer firedrill should be.
    pub at_least: f64,
}

/// Where the archive lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// On the local disk.
    Disk,
    /// In a store, as are all below, that is as fast as it can.
    Unlimited,
    /// A host in a cloud that reads the cloud's object storage.
    Cloud,
    /// A line of 1 Gbit/s in a data centre.
    Gigabit,
    /// A line on which the download alone takes as long as the restore of the file alone.
    Balanced,
}

impl Network {
    /// `balanced` is the number of bytes a second that makes a line balanced.
    pub fn shaping(self, balanced: u64) -> Shaping {
        let far = Duration::from_millis(20);
        let none = Shaping::default();
        match self {
            Network::Disk | Network::Unlimited => none,
            Network::Cloud => Shaping { connection_bytes_per_second: Some(70_000_000), latency: far, ..none },
            Network::Gigabit => {
                let near = Duration::from_millis(2);
                Shaping { total_bytes_per_second: Some(118_000_000), latency: near, ..none }
            }
            Network::Balanced => Shaping { total_bytes_per_second: Some(balanced), latency: far, ..none },
        }
    }
}

/// Who else brings it there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// `pg_restore -j` of the file where it lies.
    PgRestore,
    /// `s5cmd cp` to the disk, then `pg_restore -j`.
    S5cmd,
    /// `aws s3 cp -` into a `pg_restore` that can't but work alone.
    Aws,
}

impl Peer {
    /// What both need of `script/parts`.
    pub fn parts(self) -> &'static [Part] {
        match self {
            Peer::PgRestore => &[],
            Peer::S5cmd => &[Part::S3, Part::S5cmd],
            Peer::Aws => &[Part::S3, Part::Aws],
        }
    }
}

const LOOPBACK: Case = Case {
    name: "loopback",
    what: "an unlimited line, s5cmd and pg_restore -j",
    database: Database::Orders,
    form: Form::Gzip,
    network: Network::Unlimited,
    peer: Peer::S5cmd,
    at_least: 1.5,
};

const LOCAL: Case = Case {
    name: "local",
    what: "the file on the local disk, pg_restore -j of the same file",
    network: Network::Disk,
    peer: Peer::PgRestore,
    at_least: 1.4,
    ..LOOPBACK
};

const CASES: [Case; 11] = [
    LOCAL,
    LOOPBACK,
    Case {
        name: "cloud",
        what: "70 MB/s a connection and 20 ms, s5cmd and pg_restore -j",
        network: Network::Cloud,
        ..LOOPBACK
    },
    Case {
        name: "gigabit",
        what: "118 MB/s in total and 2 ms, s5cmd and pg_restore -j",
        network: Network::Gigabit,
        ..LOOPBACK
    },
    Case {
        name: "balanced",
        what: "a line as slow as the restore and 20 ms, s5cmd and pg_restore -j",
        network: Network::Balanced,
        at_least: 2.1,
        ..LOOPBACK
    },
    Case {
        name: "piped",
        what: "an archive without offsets, s5cmd and pg_restore -j",
        form: Form::Piped,
        ..LOOPBACK
    },
    Case {
        name: "serial",
        what: "an unlimited line, aws piped into pg_restore",
        peer: Peer::Aws,
        at_least: 2.4,
        ..LOOPBACK
    },
    Case {
        name: "directory",
        what: "a directory, s5cmd and pg_restore -j",
        form: Form::Directory,
        ..LOOPBACK
    },
    Case {
        name: "uncompressed",
        what: "the file without compression, pg_restore -j of the same file",
        form: Form::Plain,
        ..LOCAL
    },
    Case {
        name: "one-table",
        what: "nine tenths in one table of mixed types, s5cmd and pg_restore -j",
        database: Database::OneTable,
        at_least: 2.0,
        ..LOOPBACK
    },
    Case {
        name: "pgbench",
        what: "pgbench's one table, s5cmd and pg_restore -j",
        database: Database::Pgbench,
        at_least: 2.0,
        ..LOOPBACK
    },
];

/// The cases that the environment names, or all of them.
///
/// # Errors
/// There is none of that name.
pub fn chosen() -> Result<Vec<&'static Case>, Failure> {
    let names = std::env::var("FIREDRILL_BENCH_CASES").unwrap_or_default();
    let names: Vec<&str> = names.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    let known: Vec<&str> = CASES.iter().map(|case| case.name).collect();
    if let Some(name) = names.iter().find(|name| !known.contains(name)) {
        return Err(format!("'{name}' is not a case; there are: {}", known.join(", ")).into());
    }
    Ok(CASES.iter().filter(|case| names.is_empty() || names.contains(&case.name)).collect())
}
