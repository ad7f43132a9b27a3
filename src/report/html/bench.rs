//! A benchmark as a page like that of the drills: one file, no scripts.

use askama::Template;

use crate::bench::{self, Advice, Run, Spread, Tried, advice};
use crate::clock::Phase;
use crate::report::bench::words::{NO_CHANGE, limit, network, way};
use crate::report::bench::{range, seconds};
use crate::report::encode;
use crate::report::html::frame::Frame;
use crate::report::html::words;

/// The width of a bar's drawing, in units of its own.
const WIDTH: f64 = 1000.0;
/// How much of it lies behind the longest.
const ROOM: f64 = 1.04;
/// The least that a part takes that is there at all.
const SLIVER: f64 = 3.0;

/// The page.
#[derive(Template)]
#[template(path = "bench.html")]
pub struct BenchPage {
    frame: Frame,
    source: String,
    stopped: Option<String>,
    advice: Option<[String; 2]>,
    bars: Vec<Bar>,
    longest: String,
    phases: Vec<Phases>,
    limits: Vec<LimitRow>,
    runs: Vec<RunRow>,
    facts: Vec<(&'static str, String)>,
}

/// A way to restore, and how long it took.
struct Bar {
    name: String,
    kind: &'static str,
    median: String,
    least: String,
    most: String,
    time: String,
    range: String,
    description: String,
    note: Option<String>,
}

/// A way to restore, by the phases of its recovery.
struct Phases {
    name: String,
    parts: Vec<Part>,
    time: String,
    description: String,
}

/// A phase on the bar.
struct Part {
    kind: &'static str,
    x: String,
    width: String,
}

/// What was the limit of a way.
struct LimitRow {
    name: String,
    limit: &'static str,
    busy: String,
    client: String,
    server: String,
    store: String,
    rate: String,
    table: String,
    index: String,
}

/// One restore.
struct RunRow {
    name: String,
    restore: String,
    recovery: String,
    limit: &'static str,
    fetched: String,
    requests: String,
    staged: String,
}

impl BenchPage {
    /// The page of a benchmark.
    pub fn of(bench: &bench::Bench) -> BenchPage {
        let advice = advice(bench);
        let headline = headline(bench, advice.as_ref());
        let longest = bench.tried.iter().filter_map(|tried| Some(tried.restore()?.most)).max();
        let scale = longest.map_or(1.0, |longest| longest.as_secs_f64().max(1e-6) * ROOM);
        let recovered = bench.tried.iter().filter_map(|tried| Some(tried.recovery()?.median)).max();
        let whole = recovered.map_or(1.0, |longest| longest.as_secs_f64().max(1e-6) * ROOM);
        let fastest = advice.as_ref().map(|advice| advice.fastest);
        let bars = bench
            .tried
            .iter()
            .enumerate()
            .map(|(at, tried)| bar(tried, way(tried.point, bench), scale, fastest == Some(at)));
        BenchPage {
            frame: Frame::new(headline, "restore benchmark", bench.started_at),
            source: source(bench),
            stopped: bench.stopped.as_ref().map(|stopped| words::sentence(&stopped.reason.detail)),
            advice: advice.map(|advice| {
                [advice.sentence, advice.change.unwrap_or_else(|| NO_CHANGE.to_owned())]
                    .map(|text| words::sentence(&text))
            }),
            bars: bars.collect(),
            longest: longest.map_or(String::new(), |longest| seconds(longest.mul_f64(ROOM))),
            phases: bench
                .tried
                .iter()
                .filter_map(|tried| phases(tried, way(tried.point, bench), whole))
                .collect(),
            limits: bench
                .tried
                .iter()
                .filter_map(|tried| Some(limit_row(tried.typical()?, way(tried.point, bench))))
                .collect(),
            runs: bench
                .tried
                .iter()
                .flat_map(|tried| tried.runs.iter().map(|run| run_row(run, way(tried.point, bench))))
                .collect(),
            facts: facts(bench),
        }
    }
}

fn headline(bench: &bench::Bench, advice: Option<&Advice>) -> String {
    let name = words::name(&bench.service);
    let fastest = advice.and_then(|advice| bench.tried.get(advice.fastest));
    match fastest.and_then(|tried| Some((tried, tried.restore()?))) {
        None => format!("Nothing of {name} could be restored."),
        Some((tried, spread)) if bench.tried.len() > 1 => {
            format!("{name} was restored fastest by {}: {}.", way(tried.point, bench), seconds(spread.median))
        }
        Some((_, spread)) => format!("{name} was restored in {}.", seconds(spread.median)),
    }
}

fn source(bench: &bench::Bench) -> String {
    let runs = bench.tried.iter().map(|tried| tried.runs.len() as u64).sum();
    let ways = encode::plural(bench.tried.len() as u64, "way");
    format!(
        "{} in {ways}, interleaved; after each of them the rows that came back were compared with those of the archive",
        encode::plural(runs, "restore")
    )
}

fn bar(tried: &Tried, name: String, scale: f64, fastest: bool) -> Bar {
    let spread = tried.restore();
    let place = |time: fn(Spread) -> std::time::Duration| {
        spread.map_or(0.0, |spread| (time(spread).as_secs_f64() / scale * WIDTH).max(SLIVER))
    };
    let [least, median, most] =
        [place(|spread| spread.least), place(|spread| spread.median), place(|spread| spread.most)];
    let time = spread.map_or("not restored".to_owned(), |spread| seconds(spread.median));
    Bar {
        kind: if fastest { "best" } else { "phase" },
        median: at(median),
        least: at(least),
        most: at(most),
        range: spread.map_or(String::new(), range),
        description: format!("{name}: {time}"),
        note: tried.left_out.as_ref().map(|reason| words::sentence(&reason.detail)),
        name,
        time,
    }
}

fn phases(tried: &Tried, name: String, scale: f64) -> Option<Phases> {
    let recovery = tried.recovery()?;
    let (mut parts, mut x, mut told) = (Vec::new(), 0.0, Vec::new());
    let kinds = [Phase::Select, Phase::Provision, Phase::Restore, Phase::Ready];
    for (phase, kind) in kinds.into_iter().zip(["select", "provision", "restore", "ready"]) {
        let Some(spread) = tried.phase(phase) else { continue };
        let width = spread.median.as_secs_f64() / scale * WIDTH;
        parts.push(Part { kind, x: at(x), width: at(width) });
        told.push(format!("{} {}", phase.as_str(), seconds(spread.median)));
        x += width;
    }
    let description = format!("{name}: {}", told.join(", "));
    Some(Phases { name, parts, time: seconds(recovery.median), description })
}

fn at(x: f64) -> String {
    format!("{:.1}", x.clamp(0.0, WIDTH))
}

fn limit_row(run: &Run, name: String) -> LimitRow {
    let used = run.seen.used.unwrap_or_default();
    let time = |time: Option<std::time::Duration>| time.map_or("–".to_owned(), seconds);
    let longest = |longest: &Option<bench::Longest>| {
        longest
            .as_ref()
            .map_or("–".to_owned(), |one| format!("{} {}", seconds(one.took), words::name(&one.name)))
    };
    LimitRow {
        name,
        limit: limit(run.limit),
        busy: run.busy.map_or("–".to_owned(), |busy| format!("{:.0} %", busy * 100.0)),
        client: time(used.client_cpu),
        server: time(used.server_cpu),
        store: seconds(run.seen.waited_for_store),
        rate: crate::report::bench::words::rate(run.bytes_per_second()),
        table: longest(&run.seen.longest_table),
        index: longest(&run.seen.longest_index),
    }
}

fn run_row(run: &Run, name: String) -> RunRow {
    RunRow {
        name,
        restore: seconds(run.restore),
        recovery: seconds(run.recovery),
        limit: limit(run.limit),
        fetched: encode::bytes(run.fetched_bytes),
        requests: encode::count(run.requests),
        staged: encode::bytes(run.staged_bytes),
    }
}

fn facts(bench: &bench::Bench) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    if let Some(backup) = &bench.backup {
        facts.push(("Backup", words::long(&backup.uri)));
        facts.push(("Format", format!("{}, {}", words::name(&backup.format), encode::bytes(backup.bytes))));
        let tables = encode::plural(backup.tables, "table");
        facts.push(("Contents", format!("{tables}, {}", encode::plural(backup.rows, "row"))));
    }
    facts.push(("Network", network(bench.shaping).unwrap_or_else(|| "as it is".to_owned())));
    let hardware = &bench.site.hardware;
    let cores = hardware.vcpus.map(|cores| encode::plural(cores, "core"));
    let memory = hardware.memory_bytes.map(encode::bytes);
    let machine: Vec<String> = [cores, memory, bench.site.host.os.clone()].into_iter().flatten().collect();
    facts.push(("Machine", words::long(&machine.join(", "))));
    facts.push(("Rounds", bench.rounds.to_string()));
    facts
}
