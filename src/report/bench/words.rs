//! The words of a benchmark.

use crate::bench::{Bench, Limit, Point};
use crate::plan::{CopyForm, Engine, size};
use crate::store::{Connections, Shaping};

/// What is said when no way is clearly better.
pub const NO_CHANGE: &str = "Nothing to change: no other way was clearly faster than the first, in each of its restores than in \
                             every one of the first's.";

/// A way to restore, by what tells it from the others.
pub fn way(point: Point, bench: &Bench) -> String {
    let points = || bench.tried.iter().map(|tried| tried.point);
    let varies = |of: &dyn Fn(Point) -> u64| points().any(|other| of(other) != of(point));
    let mut words = vec![match point.engine {
        Engine::Native => "native".to_owned(),
        Engine::PgRestore => "pg_restore".to_owned(),
    }];
    if varies(&|point| point.jobs as u64) {
        words.push(crate::report::encode::plural(point.jobs as u64, "job"));
    }
    if point.copy_connections < point.jobs {
        words.push(format!("{} for rows", point.copy_connections));
    }
    let differ = points().any(|other| other.connections != point.connections);
    if differ || varies(&|point| point.part_bytes) {
        let up_to = match point.connections {
            Connections::Pinned(_) => "",
            Connections::Adaptive { .. } => "up to ",
        };
        words.push(format!("{up_to}{}×{}", point.connections.most(), size::text(point.part_bytes)));
    }
    let differs = points().any(|other| other.engine == point.engine && other.copy != point.copy);
    if differs {
        words.push(match point.copy {
            CopyForm::Auto => "binary rows".to_owned(),
            CopyForm::Text => "text rows".to_owned(),
        });
    }
    if varies(&|point| u64::from(point.settings == crate::plan::Settings::Fast)) {
        words.push(point.settings.as_str().to_owned());
    }
    words.join(", ")
}

/// What was the limit, in a word or two.
pub fn limit(limit: Limit) -> &'static str {
    match limit {
        Limit::Network => "network",
        Limit::Decode => "decoding",
        Limit::ServerCpu => "server's CPU",
        Limit::Disk => "disk",
        Limit::OneTable => "one table",
        Limit::OneIndex => "one index",
        Limit::Unclear => "unclear",
    }
}

/// How slow the store was made; nothing if it was not.
pub fn network(shaping: Shaping) -> Option<String> {
    if !shaping.is_any() {
        return None;
    }
    let mut words = Vec::new();
    words.extend(shaping.total_bytes_per_second.map(|all| format!("{} in all", rate(all))));
    words.extend(shaping.connection_bytes_per_second.map(|one| format!("{} a connection", rate(one))));
    if !shaping.latency.is_zero() {
        words.push(format!("{} ms to the first byte", shaping.latency.as_millis()));
    }
    Some(format!("made as slow as {}", words.join(", ")))
}

/// `70 MB/s`.
pub fn rate(bytes_per_second: u64) -> String {
    match bytes_per_second {
        0..1_000_000 => format!("{:.0} kB/s", bytes_per_second as f64 / 1e3),
        1_000_000..10_000_000 => format!("{:.1} MB/s", bytes_per_second as f64 / 1e6),
        _ => format!("{:.0} MB/s", bytes_per_second as f64 / 1e6),
    }
}
