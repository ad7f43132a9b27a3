//! What a benchmark says to do: one sentence on the limit, one on what to change.

use crate::bench::Point;
use crate::bench::limit::Limit;
use crate::bench::tried::Tried;
use crate::bench::{Bench, Run};
use crate::store::Connections;

/// The result in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advice {
    /// The place of the fastest point.
    pub fastest: usize,
    /// Whether every restore of it was faster than every restore of the first point.
    pub is_clear: bool,
    /// What was the limit of it.
    pub limit: Limit,
    /// The same as a sentence, with what to change.
    pub sentence: String,
    /// What to write into the plan; none where the plan's own way is as good as any.
    pub change: Option<String>,
}

/// What is to be said of `bench`; none if nothing was restored.
pub fn advice(bench: &Bench) -> Option<Advice> {
    let medians =
        bench.tried.iter().enumerate().filter_map(|(at, tried)| Some((at, tried.restore()?.median)));
    let (fastest, _) = medians.min_by_key(|(_, median)| *median)?;
    let (best, first) = (bench.tried.get(fastest)?, bench.tried.first()?);
    let run = best.typical()?;
    let is_clear = matches!((best.restore(), first.restore()),
        (Some(best), Some(first)) if fastest > 0 && best.most < first.least);
    Some(Advice {
        fastest,
        is_clear,
        limit: run.limit,
        sentence: sentence(run),
        change: change(&bench.service, best, first).filter(|_| is_clear),
    })
}

fn sentence(run: &Run) -> String {
    let megabytes = run.bytes_per_second() / 1_000_000;
    let named = |longest: &Option<crate::bench::Longest>| {
        longest.as_ref().map_or(String::new(), |longest| format!(" ({})", longest.name))
    };
    match run.limit {
        Limit::Network => format!(
            "The way from the store was the limit, at {megabytes} MB/s over {} connections: more of them help where \
             each is slow, else only a wider line or a smaller archive does.",
            run.store_connections
        ),
        Limit::Decode => {
            "Processors were the limit, and most of their time went into decoding on this side: more \
                          cores help, or an archive that is cheaper to decompress, such as pg_dump -Z zstd."
                .to_owned()
        }
        Limit::ServerCpu => {
            "Processors were the limit, and most of their time went into the scratch server: more \
                             cores help, and more jobs do as long as there are cores for them."
                .to_owned()
        }
        Limit::Disk => "The scratch's disk was the limit: put scratch.directory on a faster one, or try \
                        settings = \"fast\"."
            .to_owned(),
        Limit::OneTable => format!(
            "The rows of one table{} took most of the time: partition it, or give it more jobs.",
            named(&run.seen.longest_table)
        ),
        Limit::OneIndex => format!(
            "The building of one index{} took most of the time: more memory or cores help it, or fewer columns.",
            named(&run.seen.longest_index)
        ),
        Limit::Unclear => {
            "Nothing was the limit by itself: the restore is short, or its parts wait for each other; \
                           more jobs may overlap them."
                .to_owned()
        }
    }
}

/// The keys in which the fastest point differs from the first.
fn change(service: &str, best: &Tried, first: &Tried) -> Option<String> {
    let (to, from) = (best.point, first.point);
    let mut keys = Vec::new();
    if to.engine != from.engine {
        keys.push(format!("restore.engine = \"{}\"", to.engine.as_str()));
    }
    if to.jobs != from.jobs {
        keys.push(format!("restore.jobs = {}", to.jobs));
    }
    let pinned = |point: Point| Some(point.copy_connections).filter(|most| *most < point.jobs);
    if let Some(most) = pinned(to).filter(|_| pinned(to) != pinned(from)) {
        keys.push(format!("restore.copy_connections = {most}"));
    }
    if let Connections::Pinned(connections) = to.connections
        && to.connections != from.connections
    {
        keys.push(format!("restore.connections = {connections}"));
    }
    if to.part_bytes != from.part_bytes {
        keys.push(format!("restore.part = \"{}\"", crate::plan::size::text(to.part_bytes)));
    }
    if to.copy != from.copy && to.engine == from.engine {
        keys.push(format!("restore.copy = \"{}\"", to.copy.as_str()));
    }
    if to.settings != from.settings {
        keys.push(format!("scratch.settings = \"{}\"", to.settings.as_str()));
    }
    let (fast, slow) = (best.restore()?.median.as_millis(), first.restore()?.median.as_millis().max(1));
    let percent = 100_u128.saturating_sub(fast.saturating_mul(100) / slow);
    (!keys.is_empty()).then(|| {
        format!("In [service.{service}], {} makes the restore {percent} % shorter.", keys.join(" and "))
    })
}
