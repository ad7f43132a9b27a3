//! The live screen as text: which lines show how far the drills are.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::clock::Phase;
use crate::report::encode;
use crate::report::paint::Paint;
use crate::report::progress::Progress;

/// The screen never grows beyond this.
pub const LINES_MAX: usize = 12;

/// Columns that a service's name may take.
const SERVICE_COLUMNS: usize = 20;
/// Columns that the name of a table or an index may take.
const NAME_COLUMNS: usize = 34;
/// How many things that run now are named for one drill.
const RUNNING_MAX: usize = 3;

/// The lines for all drills as of `now`, at most [`LINES_MAX`], each meant for 80 columns.
///
/// Drills at work come first, in the order in which they began; what does not fit is
/// counted in the last line.
pub fn lines(drills: &[(Arc<str>, Progress)], now: Instant, paint: Paint) -> Vec<String> {
    let active: Vec<_> = drills.iter().filter(|(_, progress)| progress.finished.is_none()).collect();
    let finished = drills.len() - active.len();
    let mut lines = Vec::new();
    let mut hidden = 0;
    let room = LINES_MAX - 1;
    for (index, (service, progress)) in active.iter().enumerate() {
        let drill = drill(service, progress, now, paint);
        // Every drill deserves its own line before any gets a second one.
        let others = active.len() - index - 1;
        let share = room.saturating_sub(lines.len()).saturating_sub(others).max(1);
        match lines.len() < room {
            true => lines.extend(drill.into_iter().take(share.min(room - lines.len()))),
            false => hidden += 1,
        }
    }
    lines.extend(rest(finished, hidden).map(|text| paint.dim(text)));
    lines
}

fn rest(finished: usize, hidden: usize) -> Option<String> {
    let mut parts = Vec::new();
    if hidden > 0 {
        parts.push(format!("{hidden} more at work"));
    }
    if finished > 0 {
        parts.push(format!("{finished} finished"));
    }
    (!parts.is_empty()).then(|| format!("  … {}", parts.join(", ")))
}

/// The line of a drill, and one for each thing that runs now.
fn drill(service: &str, progress: &Progress, now: Instant, paint: Paint) -> Vec<String> {
    let service = encode::name(service, SERVICE_COLUMNS);
    if let Some((step, steps, doing, since)) = progress.self_test {
        let elapsed = encode::duration(now.saturating_duration_since(since));
        let service = paint.bold(service);
        return vec![
            format!("{service} self-test {elapsed}"),
            format!("  {} {doing}", bar(step as u64, steps as u64)),
        ];
    }
    let Some((phase, since)) = progress.phase else {
        return vec![format!("{} waiting", paint.bold(service))];
    };
    let elapsed = now.saturating_duration_since(since);
    let mut lines = vec![format!("{} {} {}", paint.bold(service), phase.as_str(), encode::duration(elapsed))];
    match phase {
        Phase::Restore => lines.extend(restore(progress, elapsed)),
        Phase::Proof => lines.push(proof(progress, elapsed)),
        Phase::Select | Phase::Provision | Phase::Ready | Phase::Cleanup => {}
    }
    lines
}

fn restore(progress: &Progress, elapsed: Duration) -> Vec<String> {
    let mut lines = vec![download(progress, elapsed), load(progress, elapsed)];
    let tables = progress.loading.iter().map(|(table, rows)| {
        format!("  loading {}, {}", encode::name(table, NAME_COLUMNS), encode::plural(*rows, "row"))
    });
    let entries = progress.running.iter().map(|(kind, name)| {
        let (kind, name) = (encode::name(&kind.to_lowercase(), 20), encode::name(name, NAME_COLUMNS));
        format!("  {kind} {name}").trim_end().to_owned()
    });
    lines.extend(tables.chain(entries).take(RUNNING_MAX));
    let unnamed = (progress.loading.len() + progress.running.len()).saturating_sub(RUNNING_MAX);
    if let (true, Some(last)) = (unnamed > 0, lines.last_mut()) {
        last.push_str(&format!(" and {unnamed} more"));
    }
    lines
}

fn download(progress: &Progress, elapsed: Duration) -> String {
    let fetched = progress.fetched_bytes;
    let mut line = match progress.backup_bytes {
        Some(all) => {
            format!("  {} {} of {}", bar(fetched, all), encode::bytes(fetched), encode::bytes(all))
        }
        None => format!("  {} fetched", encode::bytes(fetched)),
    };
    // When nothing more comes, the mean only sinks.
    let fetching = progress.backup_bytes.is_none_or(|all| fetched < all);
    if let Some(rate) = encode::rate(fetched, elapsed, encode::bytes).filter(|_| fetching) {
        line.push_str(&format!(", {rate}"));
    }
    if let Some(left) = progress.backup_bytes.and_then(|all| time_left(fetched, all, elapsed)) {
        line.push_str(&format!(", {} left", encode::duration(left)));
    }
    line
}

fn load(progress: &Progress, elapsed: Duration) -> String {
    let planned = progress.planned;
    let mut line = format!("  {} in", encode::plural(progress.loaded_rows, "row"));
    let loading = progress.loaded_tables < planned.tables;
    if let Some(rate) = encode::rate(progress.loaded_rows, elapsed, encode::count).filter(|_| loading) {
        line.push_str(&format!(", {rate}"));
    }
    line.push_str(&format!(
        ", {} of {}",
        progress.loaded_tables,
        encode::plural(planned.tables as u64, "table")
    ));
    if planned.post_data > 0 && progress.finished_entries > 0 {
        line.push_str(&format!(
            ", {} of {} indexes and the like",
            progress.finished_entries, planned.post_data
        ));
    }
    line
}

fn proof(progress: &Progress, elapsed: Duration) -> String {
    let planned = progress.planned;
    let mut line = format!("  {}", bar(progress.read_back_rows, planned.proof_rows));
    line.push_str(&format!(" {} of {} tables", progress.compared_tables, planned.proof_tables));
    if progress.different_tables > 0 {
        line.push_str(&format!(" ({} differ)", progress.different_tables));
    }
    line.push_str(&format!(", {}", encode::plural(progress.read_back_rows, "row")));
    let reading = progress.read_back_rows < planned.proof_rows;
    if let Some(rate) = encode::rate(progress.read_back_rows, elapsed, encode::count).filter(|_| reading) {
        line.push_str(&format!(", {rate}"));
    }
    if planned.checks > 0 {
        line.push_str(&format!(", {}/{} checks", progress.finished_checks, planned.checks));
    }
    line
}

/// `[#####.....]`: how much of `all` is done.
fn bar(done: u64, all: u64) -> String {
    const COLUMNS: usize = 20;
    let share = u128::from(done.min(all)) * COLUMNS as u128 / u128::from(all.max(1));
    let filled = usize::try_from(share).unwrap_or(COLUMNS).min(COLUMNS);
    format!("[{}{}]", "#".repeat(filled), ".".repeat(COLUMNS - filled))
}

/// What is left at the mean rate so far; nothing while that would be a guess.
fn time_left(done: u64, all: u64, elapsed: Duration) -> Option<Duration> {
    const TOO_EARLY: Duration = Duration::from_secs(1);
    let left = all.checked_sub(done).filter(|left| *left > 0)?;
    if done == 0 || elapsed < TOO_EARLY {
        return None;
    }
    let millis = elapsed.as_millis() * u128::from(left) / u128::from(done);
    Some(Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::EventKind;
    use crate::verdict::Verdict;

    fn after(events: &[EventKind], at: Instant) -> Progress {
        let mut progress = Progress::new(at);
        for event in events {
            progress.hear(event, at);
        }
        progress
    }

    fn restoring() -> Vec<EventKind> {
        vec![
            EventKind::DrillStarted,
            EventKind::BackupChosen { uri: "file:///x".into(), bytes: 10 << 20 },
            EventKind::PhaseStarted { phase: Phase::Restore },
            EventKind::RestorePlanned { tables: 4, post_data: 6 },
            EventKind::TableStarted { table: "public.orders".into() },
            EventKind::BytesFetched { bytes: 4 << 20 },
            EventKind::RowsLoaded { table: "public.orders".into(), rows: 12_000, bytes: 3 << 20 },
        ]
    }

    #[test]
    fn a_restore_shows_bytes_rows_and_what_runs_now() {
        let start = Instant::now();
        let mut events = restoring();
        events.push(EventKind::EntryStarted { kind: "INDEX".into(), name: "orders_\x1b[2J_idx".into() });
        let drills = [("orders".into(), after(&events, start))];
        let shown = lines(&drills, start + Duration::from_secs(4), Paint::PLAIN);
        assert_eq!(
            shown,
            [
                "orders restore 4.0s",
                "  [########............] 4.0 MiB of 10 MiB, 1.0 MiB/s, 6.0s left",
                "  12,000 rows in, 3,000/s, 0 of 4 tables",
                "  loading public.orders, 12,000 rows",
                "  index orders_\\u{1b}[2J_idx",
            ]
        );
    }

    #[test]
    fn a_proof_shows_tables_rows_and_checks() {
        let start = Instant::now();
        let events = [
            EventKind::PhaseStarted { phase: Phase::Proof },
            EventKind::ProofPlanned { tables: 4, rows: 100_000, checks: 2 },
            EventKind::RowsReadBack { rows: 50_000 },
            EventKind::TableCompared { table: "a".into(), equal: true },
            EventKind::TableCompared { table: "b".into(), equal: false },
            EventKind::CheckFinished { check: "c".into(), passed: true },
        ];
        let drills = [("orders".into(), after(&events, start))];
        let shown = lines(&drills, start + Duration::from_secs(10), Paint::PLAIN);
        assert_eq!(
            shown,
            [
                "orders proof 10s",
                "  [##########..........] 2 of 4 tables (1 differ), 50,000 rows, 5,000/s, 1/2 checks",
            ]
        );
    }

    #[test]
    fn a_self_test_shows_its_step_after_the_drill_is_over() {
        let start = Instant::now();
        let events = [
            EventKind::DrillFinished { verdict: Verdict::Pass, reasons: Vec::new() },
            EventKind::SelfTesting { step: 3, steps: 9, doing: "truncate a table" },
        ];
        let drills = [("orders".into(), after(&events, start))];
        let shown = lines(&drills, start + Duration::from_secs(4), Paint::PLAIN);
        assert_eq!(shown, ["orders self-test 4.0s", "  [######..............] truncate a table"]);
    }

    #[test]
    fn the_screen_never_outgrows_its_lines() {
        let start = Instant::now();
        for count in 0..40 {
            let drills: Vec<_> = (0..count)
                .map(|n| (Arc::from(format!("service-{n}").as_str()), after(&restoring(), start)))
                .collect();
            let shown = lines(&drills, start, Paint::PLAIN);
            assert!(shown.len() <= LINES_MAX, "{count} drills: {} lines", shown.len());
            let named = shown.iter().filter(|line| line.starts_with("service-")).count();
            assert_eq!(named, count.min(LINES_MAX - 1), "{count} drills");
        }
    }

    #[test]
    fn finished_drills_are_counted_and_not_listed() {
        let start = Instant::now();
        let over = [EventKind::DrillFinished { verdict: Verdict::Pass, reasons: Vec::new() }];
        let drills = [("a".into(), after(&over, start)), ("b".into(), after(&[], start))];
        assert_eq!(lines(&drills, start, Paint::PLAIN), ["b waiting", "  … 1 finished"]);
    }

    #[test]
    fn a_bar_is_full_only_at_the_end_and_never_overflows() {
        let table = [(0, 10), (10, 10), (11, 10), (0, 0), (9_999, 10_000), (u64::MAX, u64::MAX)];
        let shown: Vec<_> = table.iter().map(|(done, all)| bar(*done, *all)).collect();
        let (empty, full) = ("[....................]", "[####################]");
        assert_eq!(shown, [empty, full, full, empty, "[###################.]", full]);
    }
}
