//! What `firedrill bench --json` makes of stdout.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use crate::bench::{Bench, Limit, Longest, Run, Spread, Tried, advice};
use crate::clock::Phase;
use crate::record::{Moment, SpanName};
use crate::report::encode;
use crate::store::Connections;
use crate::verdict::Reason;

/// Columns that a name of a table may take.
const NAME_COLUMNS: usize = 400;

/// A benchmark. Times are whole milliseconds and sizes whole bytes; what is not known is absent,
/// never 0. At most 64 points with at most 25 runs each.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields, title = "firedrill bench --json")]
pub struct Document {
    /// The version of this shape.
    version: &'static str,
    /// The number that the command ends with.
    pub exit_code: u8,
    /// The service.
    service: String,
    /// When it began.
    started_at: Moment,
    /// The version of firedrill.
    tool_version: String,
    /// The machine.
    machine: Machine,
    /// The backup that was restored; absent if none was reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    backup: Option<Backup>,
    /// How slow the store was made.
    network: Network,
    /// How often each point was to be tried.
    rounds: u64,
    /// The points of the grid; the first is what the others are compared with.
    points: Vec<PointDocument>,
    /// What to make of it; absent if nothing was restored.
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<AdviceDocument>,
    /// Why it ended before all was tried: a restore that was wrong has no figures.
    #[serde(skip_serializing_if = "Option::is_none")]
    stopped: Option<StoppedDocument>,
}

/// The machine.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Machine {
    #[serde(skip_serializing_if = "Option::is_none")]
    vcpus: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    os: Option<String>,
}

/// The backup.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Backup {
    uri: String,
    bytes: u64,
    format: String,
    tables: u64,
    rows: u64,
}

/// How slow the store was made; absent is as fast as it is.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Network {
    #[serde(skip_serializing_if = "Option::is_none")]
    total_bytes_per_second: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connection_bytes_per_second: Option<u64>,
    first_byte_ms: u64,
}

/// A way to restore.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct PointDocument {
    /// `native` or `pg_restore`.
    engine: &'static str,
    /// Connections to the scratch server, which take rows and build indexes.
    jobs: u64,
    /// How many of them took rows at once, at most.
    copy_connections: u64,
    /// Reads of the store that might be under way at once.
    store_connections: u64,
    /// Whether there were always so many, or as many of them as paid.
    store_connections_pinned: bool,
    /// The size of such a read.
    part_bytes: u64,
    /// `auto` or `text`.
    copy: &'static str,
    /// `durable` or `fast`.
    settings: &'static str,
    /// The restore phase: from the first byte to the last statement.
    #[serde(skip_serializing_if = "Option::is_none")]
    restore_ms: Option<SpreadDocument>,
    /// From choosing the backup until the database answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    recovery_ms: Option<SpreadDocument>,
    /// Each phase, by its name.
    phases_ms: BTreeMap<&'static str, SpreadDocument>,
    /// What went on inside the restore, by name. It overlaps.
    spans_ms: BTreeMap<String, SpreadDocument>,
    /// What was the limit of the run of the median.
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<LimitWord>,
    /// Each run, in the order in which they were tried.
    runs: Vec<RunDocument>,
    /// Why it was not tried to the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    left_out: Option<ReasonDocument>,
}

/// Several times.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct SpreadDocument {
    least: u64,
    median: u64,
    most: u64,
}

/// One restore.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct RunDocument {
    restore_ms: u64,
    recovery_ms: u64,
    /// Processor time on our side during the restore.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_cpu_ms: Option<u64>,
    /// Processor time of the scratch server during the restore.
    #[serde(skip_serializing_if = "Option::is_none")]
    server_cpu_ms: Option<u64>,
    /// Time in which a processor of the machine waited for a disk.
    #[serde(skip_serializing_if = "Option::is_none")]
    disk_wait_ms: Option<u64>,
    /// How busy the processors were, in percent of all.
    #[serde(skip_serializing_if = "Option::is_none")]
    busy_percent: Option<u64>,
    /// How long reading waited for the store.
    waited_for_store_ms: u64,
    /// How long decoders waited for somebody to take rows, all of them together.
    waited_for_server_ms: u64,
    /// How long connections to the server waited for something to do, all of them together.
    waited_for_rows_ms: u64,
    /// Reads of the store that were under way at once, at most.
    store_connections: u64,
    /// Bytes that came from the store.
    fetched_bytes: u64,
    /// The same in a second of the restore.
    bytes_per_second: u64,
    /// Requests to the store, repetitions among them.
    requests: u64,
    /// Those that were repetitions.
    retries: u64,
    /// Bytes that were put on the local disk on the way.
    staged_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    longest_table: Option<LongestDocument>,
    #[serde(skip_serializing_if = "Option::is_none")]
    longest_index: Option<LongestDocument>,
    /// What was the limit.
    limit: LimitWord,
}

/// The longest of many.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct LongestDocument {
    name: String,
    duration_ms: u64,
}

/// What can be the limit.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum LimitWord {
    Network,
    Decode,
    ServerCpu,
    Disk,
    OneTable,
    OneIndex,
    Unclear,
}

impl From<Limit> for LimitWord {
    fn from(limit: Limit) -> LimitWord {
        match limit {
            Limit::Network => LimitWord::Network,
            Limit::Decode => LimitWord::Decode,
            Limit::ServerCpu => LimitWord::ServerCpu,
            Limit::Disk => LimitWord::Disk,
            Limit::OneTable => LimitWord::OneTable,
            Limit::OneIndex => LimitWord::OneIndex,
            Limit::Unclear => LimitWord::Unclear,
        }
    }
}

/// What to make of it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct AdviceDocument {
    /// The place of the fastest point, from 0.
    fastest: u64,
    /// Whether each of its restores was faster than every one of the first point.
    is_clear: bool,
    /// What was its limit.
    limit: LimitWord,
    /// The same in a sentence, with what to change.
    sentence: String,
    /// What to write into the plan; absent where nothing was clearly faster.
    #[serde(skip_serializing_if = "Option::is_none")]
    change: Option<String>,
}

/// A reason.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct ReasonDocument {
    /// The published code.
    code: &'static str,
    detail: String,
    remedy: String,
}

/// What ended it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct StoppedDocument {
    /// The place of the point, from 0; absent if it was interrupted.
    #[serde(skip_serializing_if = "Option::is_none")]
    point: Option<u64>,
    reason: ReasonDocument,
}

/// The document of a benchmark that ends with this number.
pub fn document(bench: &Bench, exit_code: u8) -> Document {
    let hardware = &bench.site.hardware;
    Document {
        version: "1.0",
        exit_code,
        service: bench.service.clone(),
        started_at: bench.started_at.into(),
        tool_version: bench.site.tool.version.clone(),
        machine: Machine {
            vcpus: hardware.vcpus,
            memory_bytes: hardware.memory_bytes,
            os: bench.site.host.os.clone(),
        },
        backup: bench.backup.as_ref().map(|backup| Backup {
            uri: backup.uri.clone(),
            bytes: backup.bytes,
            format: backup.format.clone(),
            tables: backup.tables,
            rows: backup.rows,
        }),
        network: Network {
            total_bytes_per_second: bench.shaping.total_bytes_per_second,
            connection_bytes_per_second: bench.shaping.connection_bytes_per_second,
            first_byte_ms: millis(bench.shaping.latency),
        },
        rounds: bench.rounds as u64,
        points: bench.tried.iter().map(point).collect(),
        advice: advice(bench).map(|advice| AdviceDocument {
            fastest: advice.fastest as u64,
            is_clear: advice.is_clear,
            limit: advice.limit.into(),
            sentence: encode::sentence(&advice.sentence),
            change: advice.change,
        }),
        stopped: bench.stopped.as_ref().map(|stopped| StoppedDocument {
            point: stopped.point.map(|point| point as u64),
            reason: reason(&stopped.reason),
        }),
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn point(tried: &Tried) -> PointDocument {
    let point = tried.point;
    let phases =
        [Phase::Select, Phase::Provision, Phase::Restore, Phase::Ready, Phase::Proof, Phase::Cleanup];
    let phase = |phase: Phase| Some((phase.as_str(), spread(tried.phase(phase)?)));
    PointDocument {
        engine: point.engine.as_str(),
        jobs: point.jobs as u64,
        copy_connections: point.copy_connections as u64,
        store_connections: point.connections.most() as u64,
        store_connections_pinned: matches!(point.connections, Connections::Pinned(_)),
        part_bytes: point.part_bytes,
        copy: point.copy.as_str(),
        settings: point.settings.as_str(),
        restore_ms: tried.restore().map(spread),
        recovery_ms: tried.recovery().map(spread),
        phases_ms: phases.into_iter().filter_map(phase).collect(),
        spans_ms: spans(tried),
        limit: tried.typical().map(|run| run.limit.into()),
        runs: tried.runs.iter().map(run).collect(),
        left_out: tried.left_out.as_ref().map(reason),
    }
}

fn spans(tried: &Tried) -> BTreeMap<String, SpreadDocument> {
    let names = tried.runs.iter().flat_map(|run| run.spans.iter().map(|(name, _)| *name));
    names.filter_map(|name| Some((span_name(name)?, spread(tried.span(name)?)))).collect()
}

/// The name that the evidence has for it.
fn span_name(name: SpanName) -> Option<String> {
    serde_json::to_value(name).ok()?.as_str().map(str::to_owned)
}

fn spread(spread: Spread) -> SpreadDocument {
    SpreadDocument { least: millis(spread.least), median: millis(spread.median), most: millis(spread.most) }
}

fn run(run: &Run) -> RunDocument {
    let used = run.seen.used.unwrap_or_default();
    RunDocument {
        restore_ms: millis(run.restore),
        recovery_ms: millis(run.recovery),
        client_cpu_ms: used.client_cpu.map(millis),
        server_cpu_ms: used.server_cpu.map(millis),
        disk_wait_ms: used.disk_wait.map(millis),
        busy_percent: run.busy.map(|busy| (busy * 100.0).round() as u64),
        waited_for_store_ms: millis(run.seen.waited_for_store),
        waited_for_server_ms: millis(run.seen.waited_for_server),
        waited_for_rows_ms: millis(run.seen.waited_for_rows),
        store_connections: run.store_connections,
        fetched_bytes: run.fetched_bytes,
        bytes_per_second: run.bytes_per_second(),
        requests: run.requests,
        retries: run.retries,
        staged_bytes: run.staged_bytes,
        longest_table: run.seen.longest_table.as_ref().map(longest),
        longest_index: run.seen.longest_index.as_ref().map(longest),
        limit: run.limit.into(),
    }
}

fn longest(longest: &Longest) -> LongestDocument {
    LongestDocument { name: encode::name(&longest.name, NAME_COLUMNS), duration_ms: millis(longest.took) }
}

fn reason(reason: &Reason) -> ReasonDocument {
    ReasonDocument {
        code: reason.code.as_str(),
        detail: encode::sentence(&reason.detail),
        remedy: encode::sentence(&reason.remedy),
    }
}
