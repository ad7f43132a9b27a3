//! Runs one target, or all of them, for so long: see the README beside.

mod corpus;
mod dice;
mod mutate;
mod targets;

use std::collections::HashSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::dice::Dice;
use crate::mutate::mutated;
use crate::targets::{NAMES, Target, target};

/// One input may take so long.
const SLOW: Duration = Duration::from_secs(10);
/// All of them together may take so much memory.
const MEMORY_MAX_KIB: u64 = 1 << 20;
/// The pool grows up to here.
const POOL_MAX: usize = 4096;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, default| arguments.get(at).map_or(Some(default), |text| text.parse().ok());
    let name = arguments.first().map_or("all", String::as_str);
    let (Some(seconds), Some(seed)) = (number(1, 60), number(2, 1)) else { return usage() };
    let names: Vec<&str> = if name == "all" { NAMES.to_vec() } else { vec![name] };
    for name in names {
        match target(name) {
            Ok(Some(target)) => {
                if let Err(find) = fuzz(&target, Duration::from_secs(seconds), seed) {
                    eprintln!("{name}: {find}");
                    return ExitCode::from(1);
                }
            }
            Ok(None) => return usage(),
            Err(error) => {
                eprintln!("{name}: {error}");
                return ExitCode::from(2);
            }
        }
    }
    ExitCode::SUCCESS
}

fn usage() -> ExitCode {
    eprintln!("TARGET [SECONDS [SEED]]; a target is 'all' or one of {}", NAMES.join(", "));
    ExitCode::from(64)
}

/// Runs a target for so long, and prints how often.
fn fuzz(target: &Target, length: Duration, seed: u64) -> Result<(), String> {
    let began = Instant::now();
    let mut dice = Dice::new(seed);
    let mut pool = target.seeds.clone();
    let mut seen = HashSet::new();
    for input in &target.seeds {
        seen.insert(outcome(&run(target, input)?));
    }
    let mut executions = target.seeds.len() as u64;
    while began.elapsed() < length {
        let (at, other) = (dice.below(pool.len()), dice.below(pool.len()));
        let input = mutated(&mut dice, &pool[at], &pool[other]);
        if seen.insert(outcome(&run(target, &input)?)) && pool.len() < POOL_MAX {
            pool.push(input);
        }
        executions += 1;
    }
    println!(
        "{}: {executions} executions in {} s, {} seeds, {} outcomes, {} MiB at most, seed {seed}",
        target.name,
        began.elapsed().as_secs(),
        target.seeds.len(),
        seen.len(),
        peak_kib() / 1024,
    );
    Ok(())
}

/// How an input ended, without the numbers and names in it.
fn outcome(text: &str) -> String {
    let mut quoted = false;
    let kept = text.chars().filter(|char| {
        quoted ^= *char == '\'';
        !quoted && !char.is_ascii_digit()
    });
    kept.take(120).collect()
}

fn run(target: &Target, input: &[u8]) -> Result<String, String> {
    let began = processor_time();
    let ended = catch_unwind(AssertUnwindSafe(|| (target.run)(input)));
    let find = match &ended {
        Err(_) => "a panic".to_owned(),
        Ok(_) if processor_time().saturating_sub(began) > SLOW => {
            format!("more than {} s of the processor for one input", SLOW.as_secs())
        }
        Ok(_) if peak_kib() > MEMORY_MAX_KIB => format!("{} KiB of memory", peak_kib()),
        Ok(ended) => return Ok(ended.clone()),
    };
    let file = format!("find-{}-{}.bin", target.name, input.len());
    match fs::write(&file, input) {
        Ok(()) => Err(format!("{find}; the input is in {file}")),
        Err(error) => Err(format!("{find}; the input could not be written: {error}")),
    }
}

/// How long this process has run: on a busy machine a clock on the wall accuses the innocent.
fn processor_time() -> Duration {
    let told = fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let nanoseconds = told.split_whitespace().next().and_then(|first| first.parse().ok());
    Duration::from_nanos(nanoseconds.unwrap_or_default())
}

/// The most memory that this process has held.
fn peak_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
