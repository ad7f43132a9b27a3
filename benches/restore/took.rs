//! How long something took, on the wall and of the processors' time.

use std::time::Instant;

use firedrill::postgres::Cluster;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

use crate::machine::{Failure, cores};

/// How long a restore took, in seconds.
#[derive(Clone, Copy)]
pub struct Took {
    pub wall: f64,
    /// What the server and all of its children spent.
    pub server: f64,
    /// What the client spent: firedrill, or the programs that do the same.
    pub client: f64,
    /// What the store and the line to it spent, which should have had processors of their own.
    pub away: f64,
}

impl Took {
    pub fn cpu(&self) -> f64 {
        self.server + self.client
    }

    /// How many times as long it took as the line and the processors would have allowed, were
    /// neither ever idle. The store and the line work on the same processors here.
    pub fn over_the_limit(&self, line_seconds: f64) -> f64 {
        self.wall / line_seconds.max((self.cpu() + self.away) / cores() as f64)
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
        )?;
        if self.away > 0.0 { write!(f, ", store and line {:3.1}", self.away) } else { Ok(()) }
    }
}

/// Clocks that were started before a restore.
pub struct Clocks {
    began: Instant,
    server: f64,
    client: f64,
    away: f64,
    away_processes: Vec<u32>,
}

impl Clocks {
    /// `away_processes` stand for what would be on other machines.
    pub fn start(cluster: &Cluster, away_processes: Vec<u32>) -> Result<Clocks, Failure> {
        Ok(Clocks {
            server: server_cpu(cluster.server_pid())?,
            client: client_cpu()?,
            away: processes_cpu(&away_processes)?,
            away_processes,
            began: Instant::now(),
        })
    }

    pub fn stop(&self, cluster: &Cluster) -> Result<Took, Failure> {
        let wall = self.began.elapsed().as_secs_f64();
        let (server, client) = (server_cpu(cluster.server_pid())? - self.server, client_cpu()? - self.client);
        let away = processes_cpu(&self.away_processes)? - self.away;
        Ok(Took { wall, server, client, away })
    }
}

/// Seconds of processor time of this process and of the children that it has waited for.
fn client_cpu() -> Result<f64, Failure> {
    Ok(cpu_of(UsageWho::RUSAGE_SELF)? + cpu_of(UsageWho::RUSAGE_CHILDREN)?)
}

/// Seconds of processor time of this thread.
pub fn thread_cpu() -> Result<f64, Failure> {
    cpu_of(UsageWho::RUSAGE_THREAD)
}

fn cpu_of(who: UsageWho) -> Result<f64, Failure> {
    let usage = getrusage(who)?;
    let times = [usage.user_time(), usage.system_time()];
    Ok(times.map(|time| time.num_microseconds() as f64 / 1e6).iter().sum())
}

/// Seconds of processor time of a server, its children that are over, and those that live. It is
/// looked twice: a child that ends between the lines of one look is in none of them.
fn server_cpu(server: u32) -> Result<f64, Failure> {
    Ok(server_cpu_seen(server)?.max(server_cpu_seen(server)?))
}

fn server_cpu_seen(server: u32) -> Result<f64, Failure> {
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

/// Seconds of processor time of processes without children.
fn processes_cpu(processes: &[u32]) -> Result<f64, Failure> {
    let mut ticks = 0;
    for process in processes {
        ticks += sum(&fields(&process.to_string()).ok_or("the store or the line is gone")?, 2);
    }
    Ok(ticks as f64 / TICKS_PER_SECOND)
}

const TICKS_PER_SECOND: f64 = 100.0;

/// What the system tells of a process, from its state on.
fn fields(pid: &str) -> Option<Vec<u64>> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // Behind the name of the program, which may hold anything: parent first, times later.
    let (_, rest) = stat.rsplit_once(')')?;
    Some(rest.split_whitespace().map(|field| field.parse().unwrap_or(0)).collect())
}

/// The first so many of its times: user, system, and both of the children that it waited for.
fn sum(fields: &[u64], count: usize) -> u64 {
    fields.iter().skip(11).take(count).sum()
}
