//! `firedrill bench`: the restore of a service over a grid of ways.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueHint};

use crate::bench::{self, Bench, Grid, POINTS_MAX, Point, ROUNDS_MAX, Request};
use crate::cli::backups::as_json;
use crate::cli::face::Face;
use crate::cli::refusal::Refusal;
use crate::cli::report::write::write;
use crate::cli::runtime::under_signals;
use crate::cli::{Places, output, run};
use crate::exit_code::ExitCode;
use crate::plan::{CopyForm, Engine, Select, Service, Settings, size};
use crate::report::{bench as report, encode, html};
use crate::store::Shaping;
use crate::verdict::Blame;

/// Restore a backup in several ways, and say which is fastest and why
#[derive(Debug, Args)]
#[command(after_help = "\
Each way is restored into a fresh scratch cluster, which is removed; the ways take turns. After each
restore the rows are compared: one that is wrong has no figure, and ends the benchmark. Lists are
tried with each other; without any list, the plan's own way and a few beside it are. It is no drill,
and leaves no evidence. --jobs is the number of connections that take rows and build indexes.

Rates: bytes as '70MB/s' or '64MiB/s', bits as '1Gbit/s'. Nothing is made faster than it is.

Examples:
  firedrill bench orders
  firedrill bench orders --jobs 2,4,8 --connections 8,32 --repeat 5
  firedrill bench orders --engine native,pg_restore --html bench.html
  firedrill bench orders --bandwidth-per-connection 70MB/s --latency 20ms   S3 from EC2
  firedrill bench orders --bandwidth 118MB/s --latency 2ms                  a gigabit line

Exit codes:
    0  every way was restored, and every row was right
    1  a restore was wrong, and the backup is at fault
    2  a restore could not be done
   64  wrong usage · 75 another run is under way · 130, 143 interrupted, cleaned up")]
pub struct Arguments {
    /// The service, by its name in the plan
    #[arg(value_name = "SERVICE")]
    service: String,
    /// What restores: 'native', 'pg_restore'
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = engine)]
    engine: Vec<Engine>,
    /// Connections to the scratch server
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = run::jobs)]
    jobs: Vec<NonZeroUsize>,
    /// How many of them take rows at once, at most
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = run::jobs)]
    copy_connections: Vec<NonZeroUsize>,
    /// Reads of the store that are under way at once; else what the plan says, or as many as pay
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = run::jobs)]
    connections: Vec<NonZeroUsize>,
    /// The size of such a read, as in '8MiB'
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = part)]
    part: Vec<u64>,
    /// How rows go to the server: 'auto', 'text'
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = copy)]
    copy: Vec<CopyForm>,
    /// How the scratch server is set: 'durable', 'fast'
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = settings)]
    settings: Vec<Settings>,
    /// How often each way is tried
    #[arg(long, value_name = "N", default_value = "3", value_parser = rounds)]
    repeat: usize,
    /// Make the store slower: so much in a second over all connections together
    #[arg(long, value_name = "RATE", value_parser = rate)]
    bandwidth: Option<u64>,
    /// Make each connection to the store slower: so much in a second
    #[arg(long, value_name = "RATE", value_parser = rate)]
    bandwidth_per_connection: Option<u64>,
    /// Let the first byte of each answer of the store take at least so long, as in '20ms'
    #[arg(long, value_name = "TIME", value_parser = latency)]
    latency: Option<Duration>,
    /// Which backup, instead of the plan's choice: 'latest', 'oldest', or one by its name
    #[arg(long, value_name = "BACKUP", value_parser = Select::parse)]
    select: Option<Select>,
    /// Write a page with charts to this file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    html: Option<PathBuf>,
    /// Print the result as one JSON document ('firedrill schema bench')
    #[arg(long)]
    json: bool,
    /// No progress
    #[arg(long, short)]
    quiet: bool,
}

fn one_of<T: Copy>(text: &str, words: &[(&str, T)]) -> Result<T, String> {
    let known = || words.iter().map(|(word, _)| format!("'{word}'")).collect::<Vec<_>>().join(" or ");
    let found = words.iter().find(|(word, _)| *word == text);
    found.map(|(_, value)| *value).ok_or_else(|| format!("write {}", known()))
}

fn engine(text: &str) -> Result<Engine, String> {
    one_of(text, &Engine::WORDS)
}

fn copy(text: &str) -> Result<CopyForm, String> {
    one_of(text, &CopyForm::WORDS)
}

fn settings(text: &str) -> Result<Settings, String> {
    one_of(text, &[("durable", Settings::Durable), ("fast", Settings::Fast)])
}

fn rounds(text: &str) -> Result<usize, String> {
    match text.parse::<usize>() {
        Ok(rounds @ 1..=ROUNDS_MAX) => Ok(rounds),
        _ => Err(format!("write a number from 1 to {ROUNDS_MAX}")),
    }
}

fn part(text: &str) -> Result<u64, String> {
    let bytes = size::parse(text).map_err(|complaint| complaint.to_string())?;
    if (1 << 16..=1 << 28).contains(&bytes) {
        Ok(bytes)
    } else {
        Err("write one from 64KiB to 256MiB".into())
    }
}

/// Units of rates, the longer words first, in bits a second.
const RATES: [(&str, u64); 8] = [
    ("Gbit/s", 1_000_000_000),
    ("Mbit/s", 1_000_000),
    ("kbit/s", 1_000),
    ("GB/s", 8_000_000_000),
    ("MB/s", 8_000_000),
    ("kB/s", 8_000),
    ("MiB/s", 8 << 20),
    ("KiB/s", 8 << 10),
];

/// Bytes in a second.
fn rate(text: &str) -> Result<u64, String> {
    let parsed = RATES.iter().find_map(|(unit, bits)| {
        let number = text.strip_suffix(unit)?.trim().parse::<u64>().ok()?;
        Some(number.checked_mul(*bits)? / 8).filter(|rate| *rate >= 1_000)
    });
    parsed.ok_or_else(|| "write a whole number with its unit, from 1kB/s, as in '70MB/s' or '1Gbit/s'".into())
}

fn latency(text: &str) -> Result<Duration, String> {
    let number = |unit: &str| text.strip_suffix(unit).and_then(|number| number.trim().parse::<u64>().ok());
    let millis = number("ms").or_else(|| number("s")?.checked_mul(1_000));
    match millis {
        Some(millis @ ..=10_000) => Ok(Duration::from_millis(millis)),
        _ => Err("write a time up to ten seconds, as in '20ms'".into()),
    }
}

/// Tries every way, shows what came of it, and says how it ended.
pub fn bench(arguments: &Arguments, places: &Places) -> Result<ExitCode, Refusal> {
    let request = request(arguments, places)?;
    let face = if arguments.quiet { Face::Silent } else { Face::progress() };
    let screen = face.clone();
    let tell = move |line: &str| screen.say(line);
    let (benched, heard) = under_signals(tell, |cancel| bench::bench(request, face.observer(), cancel))?;
    face.finish();
    let benched = benched.map_err(|error| Refusal::of_run(&error))?;
    let code = ended(&benched, heard);
    for what in &benched.degraded {
        output::say(&format!("warning: {}", encode::sentence(what)));
    }
    if let Some(file) = &arguments.html {
        let page = html::bench_page(&benched)
            .map_err(|error| Refusal::new(ExitCode::Bug, format!("write the page: {error}"), ""))?;
        write(file, &page)?;
    }
    let text = match arguments.json {
        true => as_json(&report::document(&benched, code.number()))?,
        false => report::text(&benched, output::page()),
    };
    Ok(output::answer_with(&text, code))
}

fn request(arguments: &Arguments, places: &Places) -> Result<Request, Refusal> {
    let mut plan = places.plan()?;
    run::chosen(&mut plan, std::slice::from_ref(&arguments.service))?;
    let digest = plan.digest;
    let Some(mut service) = plan.services.pop() else {
        return Err(Refusal::new(ExitCode::Usage, "the plan has no service of that name", ""));
    };
    if service.scratch.server.is_some() {
        let what = "a benchmark needs a scratch cluster on this machine, and the plan names a given server";
        return Err(Refusal::new(ExitCode::Usage, what, "write scratch.kind = \"cluster\" in a plan for it"));
    }
    if let Some(select) = &arguments.select {
        service.backup.select = select.clone();
    }
    let points = points(arguments, &service)?;
    Ok(Request {
        service,
        plan_digest: digest,
        state: places.state()?,
        points,
        rounds: arguments.repeat,
        shaping: Shaping {
            total_bytes_per_second: arguments.bandwidth,
            connection_bytes_per_second: arguments.bandwidth_per_connection,
            latency: arguments.latency.unwrap_or_default(),
        },
    })
}

fn points(arguments: &Arguments, service: &Service) -> Result<Vec<Point>, Refusal> {
    let numbers = |list: &[NonZeroUsize]| list.iter().map(|number| number.get()).collect();
    let grid = Grid {
        engines: arguments.engine.clone(),
        jobs: numbers(&arguments.jobs),
        copy_connections: numbers(&arguments.copy_connections),
        connections: numbers(&arguments.connections),
        part_bytes: arguments.part.clone(),
        copy: arguments.copy.clone(),
        settings: arguments.settings.clone(),
    };
    bench::points(service, &grid).ok_or_else(|| {
        let what = format!("these lists make a grid of more than {POINTS_MAX} points");
        Refusal::new(ExitCode::Usage, what, "shorten them")
    })
}

fn ended(bench: &Bench, heard: Option<ExitCode>) -> ExitCode {
    let Some(stopped) = &bench.stopped else {
        return if bench.degraded.is_empty() { ExitCode::Passed } else { ExitCode::Degraded };
    };
    match (stopped.point, heard) {
        (None, Some(signal)) => signal,
        (Some(_), _) if stopped.reason.code.blame() == Blame::Backup => ExitCode::Failed,
        _ => ExitCode::Inconclusive,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_in_bytes_and_bits() {
        let table = [
            ("70MB/s", Some(70_000_000)),
            ("64MiB/s", Some(64 << 20)),
            ("1Gbit/s", Some(125_000_000)),
            ("512KiB/s", Some(512 << 10)),
            ("8kbit/s", Some(1_000)),
            ("70", None),
            ("70MB", None),
            ("0MB/s", None),
            ("-1MB/s", None),
            ("99999999999999999999MB/s", None),
            ("18446744073709551615GB/s", None),
        ];
        for (text, bytes) in table {
            assert_eq!(rate(text).ok(), bytes, "{text}");
        }
    }

    #[test]
    fn latencies_are_read_in_milliseconds_and_seconds() {
        let table = [("20ms", Some(20)), ("1s", Some(1_000)), ("11s", None), ("20", None), ("", None)];
        for (text, millis) in table {
            assert_eq!(latency(text).ok(), millis.map(Duration::from_millis), "{text}");
        }
    }
}
