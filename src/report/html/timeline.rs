//! One drill along its clock: the phases, what went on inside the restore, and where the time
//! went.

use crate::clock::Phase;
use crate::record::{PhaseOutcome, Record, Span, SpanName};
use crate::report::encode;
use crate::report::html::words;

/// The width of the drawing, in units of its own.
const WIDTH: f64 = 1000.0;
/// The least that a stretch takes.
const SLIVER: f64 = 3.0;

/// The drawing of one drill.
pub struct Timeline {
    /// Phases and spans, in their order.
    pub rows: Vec<Row>,
    /// How long the whole drill took.
    pub total: String,
    /// Where on the drawing the recovery was over, if it was measured.
    pub recovered: Option<String>,
    /// How long that took.
    pub recovered_after: Option<String>,
    /// Where the time went, in a sentence.
    pub sentence: Option<String>,
}

/// A stretch of the drill.
pub struct Row {
    /// What went on.
    pub name: String,
    /// `phase`, `after` (outside of the recovery time), `halted` or `span`.
    pub kind: &'static str,
    /// Where it begins.
    pub x: String,
    /// How wide it is.
    pub width: String,
    /// How long it took.
    pub length: String,
    /// The same in words.
    pub description: String,
}

/// The timeline of a drill, if any phase of it had begun.
pub fn timeline(record: &Record) -> Option<Timeline> {
    let phases = record.phases.iter().take(20);
    let end = |start: u64, length: u64| start.saturating_add(length);
    let total =
        phases.clone().map(|phase| end(phase.start_offset_ms.get(), phase.duration_ms.get())).max()?;
    let scale = Scale { total };
    let mut rows = Vec::new();
    for phase in phases {
        let kind = match (phase.outcome, phase.name.0.recovers()) {
            (PhaseOutcome::Halted, _) => "halted",
            (PhaseOutcome::Ok, true) => "phase",
            (PhaseOutcome::Ok, false) => "after",
        };
        let name = phase.name.0.as_str().to_owned();
        rows.push(scale.row(name, kind, phase.start_offset_ms.get(), phase.duration_ms.get()));
        if phase.name.0 == Phase::Restore {
            for span in spans(record) {
                let name = span_name(span.name).to_owned();
                rows.push(scale.row(name, "span", span.start_offset_ms.get(), span.duration_ms.get()));
            }
        }
    }
    let last = record.phases.iter().rfind(|phase| phase.name.0 == Phase::Ready);
    let time = record.measurements.recovery_time.as_ref();
    let recovered =
        last.zip(time).map(|(phase, _)| end(phase.start_offset_ms.get(), phase.duration_ms.get()));
    Some(Timeline {
        rows,
        total: words::length(total),
        recovered: recovered.map(|millis| scale.at(millis)),
        recovered_after: time.map(|time| words::length(time.measured_ms.get())),
        sentence: where_it_went(record),
    })
}

fn spans(record: &Record) -> &[Span] {
    let spans = record.restore.as_ref().map_or(&[][..], |restore| &restore.spans);
    spans.get(..20).unwrap_or(spans)
}

fn span_name(name: SpanName) -> &'static str {
    match name {
        SpanName::Download => "download",
        SpanName::Decode => "decode",
        SpanName::Load => "load rows",
        SpanName::Index => "build indexes",
        SpanName::Constraint => "add constraints",
        SpanName::PgRestore => "pg_restore",
    }
}

struct Scale {
    total: u64,
}

impl Scale {
    fn x(&self, millis: u64) -> f64 {
        (millis as f64 / self.total.max(1) as f64 * WIDTH).clamp(0.0, WIDTH)
    }

    fn at(&self, millis: u64) -> String {
        format!("{:.1}", self.x(millis))
    }

    fn row(&self, name: String, kind: &'static str, start: u64, length: u64) -> Row {
        let width = (self.x(start.saturating_add(length)) - self.x(start)).max(SLIVER);
        let x = self.x(start).min(WIDTH - width).max(0.0);
        Row {
            description: format!("{name}: {} from {}", words::length(length), words::length(start)),
            x: format!("{x:.1}"),
            width: format!("{width:.1}"),
            length: words::length(length),
            name,
            kind,
        }
    }
}

/// Which phase took most of the recovery, and inside the restore, which work.
fn where_it_went(record: &Record) -> Option<String> {
    let recovery: Vec<_> = record.phases.iter().filter(|phase| phase.name.0.recovers()).collect();
    let all: u64 = recovery.iter().map(|phase| phase.duration_ms.get()).fold(0, u64::saturating_add);
    let longest = recovery.iter().max_by_key(|phase| phase.duration_ms)?;
    if all == 0 {
        return None;
    }
    let share = u128::from(longest.duration_ms.get()) * 100 / u128::from(all);
    let measured = record.measurements.recovery_time.is_some();
    let of = if measured { "the recovery time" } else { "the time until the drill ended" };
    let mut sentence = format!("{share} % of {of} went into {}", phase_in_words(longest.name.0));
    if longest.name.0 == Phase::Restore
        && let Some(inside) = inside_the_restore(record)
    {
        sentence.push_str(&format!(": {inside}"));
    }
    sentence.push('.');
    Some(sentence)
}

fn phase_in_words(phase: Phase) -> &'static str {
    match phase {
        Phase::Select => "finding and choosing the backup",
        Phase::Provision => "starting the scratch server",
        Phase::Restore => "the restore",
        Phase::Ready => "making the database durable and ready",
        Phase::Proof => "the proof",
        Phase::Cleanup => "cleaning up",
    }
}

/// Rows or what is built on them, and for rows, what is known of store against server. Spans
/// overlap, so that what runs beside something longer explains nothing.
fn inside_the_restore(record: &Record) -> Option<String> {
    let spans = spans(record);
    let bounds = |names: &[SpanName]| {
        let of = || spans.iter().filter(|span| names.contains(&span.name));
        let start = of().map(|span| span.start_offset_ms.get()).min()?;
        let end = of().map(|span| span.start_offset_ms.get().saturating_add(span.duration_ms.get())).max()?;
        Some((start, end))
    };
    let (start, end) = bounds(&[SpanName::Download, SpanName::Decode, SpanName::Load])?;
    let rows = end.saturating_sub(start);
    let built = bounds(&[SpanName::Index, SpanName::Constraint]);
    let after = built.map_or(0, |(began, ended)| ended.saturating_sub(began.max(end)));
    if after > rows {
        return Some(format!(
            "{} of it building indexes and constraints after the rows were in, so the scratch server was the brake",
            words::length(after)
        ));
    }
    let mut words = format!("{} of it moving rows", words::length(rows));
    let Some((download, done)) = bounds(&[SpanName::Download]) else { return Some(words) };
    let took = done.saturating_sub(download);
    let bytes = record.artifact.as_ref()?.observed.as_ref().map(|observed| observed.bytes);
    let length = std::time::Duration::from_millis(took);
    let rate = bytes.and_then(|bytes| encode::rate(bytes, length, encode::bytes));
    let rate = rate.map(|rate| format!(" at {rate}")).unwrap_or_default();
    // Nine tenths: what ends together can't be told apart.
    if u128::from(took) * 10 < u128::from(rows) * 9 {
        let took = words::length(took);
        words.push_str(&format!(
            "; the download was done after {took}{rate}, so the server, not the store, was the brake"
        ));
    } else {
        words.push_str(&format!(
            "; the download{rate} went on all the while, so either the store or the server may have been the brake"
        ));
    }
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Copied, CopyChoice, Engine, Millis, Restore, StoreWindow, WindowChoice};
    use crate::report::sample;

    fn with_spans(spans: &[(SpanName, u64, u64)]) -> Record {
        let mut record = sample::pass();
        let span = |(name, start, length): &(SpanName, u64, u64)| Span {
            name: *name,
            start_offset_ms: Millis::new(*start),
            duration_ms: Millis::new(*length),
        };
        record.restore = Some(Restore {
            engine: Engine::Native,
            jobs: 4,
            copy_connections: 4,
            store_connections: 4,
            store_window: StoreWindow { chosen: WindowChoice::Adaptive, most: 8, throttled: 0 },
            part_bytes: 8 << 20,
            copy: Copied {
                chosen: CopyChoice::Auto,
                tables_binary: 1,
                tables_text: 0,
                pieces_fallen_back: 0,
            },
            toc_entries_in_archive: 0,
            toc_entries_restored: 0,
            toc_entries_excluded: 0,
            toc_entries_failed: 0,
            excluded: Vec::new(),
            failed: Vec::new(),
            objects: Default::default(),
            invalid_indexes: Some(0),
            unvalidated_constraints: Some(0),
            placeholder_roles: Vec::new(),
            tables_at_once: 4,
            read_twice_bytes: 0,
            staged_bytes: 0,
            spans: spans.iter().map(span).collect(),
        });
        record
    }

    #[test]
    fn the_sentence_says_what_the_spans_can_tell_and_no_more() {
        use SpanName::{Download, Index, Load};
        type Spans = &'static [(SpanName, u64, u64)];
        let table: [(Spans, &str); 4] = [
            (&[], "94 % of the recovery time went into the restore."),
            (
                &[(Download, 2_500, 100_000), (Load, 2_500, 300_000)],
                "94 % of the recovery time went into the restore: 5m00s of it moving rows; the download was \
                 done after 1m40s, so the server, not the store, was the brake.",
            ),
            (
                &[(Download, 2_500, 299_000), (Load, 2_500, 300_000)],
                "94 % of the recovery time went into the restore: 5m00s of it moving rows; the download went \
                 on all the while, so either the store or the server may have been the brake.",
            ),
            (
                &[(Download, 2_500, 90_000), (Load, 2_500, 100_000), (Index, 80_000, 300_000)],
                "94 % of the recovery time went into the restore: 4m38s of it building indexes and constraints \
                 after the rows were in, so the scratch server was the brake.",
            ),
        ];
        for (spans, sentence) in table {
            let mut record = with_spans(spans);
            record.artifact = Some(crate::record::Artifact::unread());
            assert_eq!(where_it_went(&record).as_deref(), Some(sentence));
        }
    }

    #[test]
    fn rows_lie_inside_the_drawing_and_in_their_order() {
        let timeline = timeline(&sample::pass()).unwrap();
        for row in &timeline.rows {
            let [x, width] = [&row.x, &row.width].map(|text| text.parse::<f64>().unwrap());
            assert!(x >= 0.0 && width >= SLIVER && x + width <= WIDTH + 0.1, "{}: {x} {width}", row.name);
        }
        let names: Vec<_> = timeline.rows.iter().map(|row| row.name.as_str()).collect();
        assert_eq!(names, ["select", "provision", "restore", "ready", "proof", "cleanup"]);
        assert!(timeline.recovered.is_some());
    }

    #[test]
    fn a_drill_that_never_began_has_no_timeline() {
        assert!(timeline(&sample::begun()).is_none());
    }
}
