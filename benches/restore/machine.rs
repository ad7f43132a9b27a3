//! What every part of the benchmark does on this machine: servers, client programs, questions to
//! the environment.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use firedrill::drill::settings::server_settings;
use firedrill::plan::{CopyForm, ReadBack, Settings};
use firedrill::postgres::{
    Cluster, ClusterOptions, InitdbOptions, Install, Isolation, choose_install, find_installs,
    new_directory_name,
};
use tokio::process::Command;

pub type Failure = Box<dyn std::error::Error>;

pub fn install() -> Result<Install, Failure> {
    Ok(choose_install(&find_installs(None), 13)?)
}

pub async fn start(install: &Install) -> Result<Cluster, Failure> {
    let memory: u64 = 24 << 30;
    let options = ClusterOptions {
        parent: Some(scratch_parent()),
        directory_name: new_directory_name(),
        settings: server_settings(Settings::Fast, Some(memory), cores()),
        isolation: Isolation::Off,
        initdb: InitdbOptions::default(),
        start_deadline: Duration::from_secs(120),
    };
    Ok(Cluster::start(install, options).await?)
}

pub fn scratch_parent() -> PathBuf {
    std::env::var_os("TMPDIR").map_or_else(|| PathBuf::from("/var/tmp"), PathBuf::from)
}

/// Runs a client program of the install against the cluster; its output.
pub async fn client(
    install: &Install,
    program: &str,
    cluster: &Cluster,
    arguments: &[&str],
) -> Result<String, Failure> {
    run(program, command(install, program, cluster, arguments)).await
}

/// Runs a program to its end; its output.
pub async fn run(program: &str, mut command: Command) -> Result<String, Failure> {
    let output = command.stdin(Stdio::null()).output().await?;
    if !output.status.success() {
        return Err(format!("{program}: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// A client program of the install, told where the cluster is. It ends when it is dropped.
pub fn command(install: &Install, program: &str, cluster: &Cluster, arguments: &[&str]) -> Command {
    let mut command = Command::new(install.bin.join(program));
    command
        .env("PGHOST", cluster.socket_directory())
        .env("PGUSER", cluster.user())
        .env("PGOPTIONS", "-c client_min_messages=warning")
        .args(arguments)
        .kill_on_drop(true);
    command
}

/// Whether the environment asks for nothing but that.
pub fn only(what: &str) -> bool {
    std::env::var("FIREDRILL_BENCH_ONLY").is_ok_and(|only| only == what)
}

/// How much is read back: all, or as the environment says.
pub fn read_back() -> Result<ReadBack, Failure> {
    let text = std::env::var("FIREDRILL_BENCH_READ_BACK").unwrap_or_else(|_| "all".into());
    ReadBack::parse(&text).map_err(|complaint| format!("{complaint:?}").into())
}

/// Which form of COPY is timed.
pub fn copy_form() -> CopyForm {
    match std::env::var("FIREDRILL_BENCH_COPY").as_deref() {
        Ok("text") => CopyForm::Text,
        _ => CopyForm::Auto,
    }
}

pub fn number(variable: &str, default: u64) -> Result<u64, Failure> {
    std::env::var(variable).map_or(Ok(default), |text| Ok(text.parse()?))
}

pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The median of `values`, and between what they lie.
pub fn spread(values: &[f64]) -> String {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(0.0, f64::max);
    format!("{:.2} ({least:.2} to {most:.2})", median(values.to_vec()))
}
