//! One recorded drill, and what each observer makes of it.
#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use firedrill::clock::Phase;
use firedrill::event::{Event, EventKind, Events, Observer};
use firedrill::report::FanOut;
use firedrill::report::json_events::JsonEvents;
use firedrill::report::paint::Paint;
use firedrill::report::terminal::Terminal;
use firedrill::report::text::Text;
use firedrill::verdict::{Code, Reason, Verdict};
use indicatif::{ProgressDrawTarget, TermLike};
use jiff::Timestamp;

/// A drill of one service in which a hostile table did not come back as it was.
fn a_drill() -> Vec<EventKind> {
    let orders: Arc<str> = "public.orders".into();
    let hostile: Arc<str> = "public.x\x1b[2J\ny".into();
    vec![
        EventKind::DrillStarted,
        EventKind::PhaseStarted { phase: Phase::Select },
        EventKind::BackupChosen { uri: "s3://backups/orders/1.dump".into(), bytes: 3 << 20 },
        EventKind::PhaseFinished { phase: Phase::Select, elapsed: Duration::from_millis(250) },
        EventKind::Warned {
            code: "UNANCHORED",
            text: "nothing outside vouches for \x1b[31mthe bytes".into(),
        },
        EventKind::PhaseStarted { phase: Phase::Restore },
        EventKind::RestorePlanned { tables: 2, post_data: 1 },
        EventKind::TableStarted { table: orders.clone() },
        EventKind::BytesFetched { bytes: 2 << 20 },
        EventKind::RowsLoaded { table: orders.clone(), rows: 900, bytes: 4096 },
        EventKind::RowsLoaded { table: orders.clone(), rows: 100, bytes: 1024 },
        EventKind::TableFinished { table: orders.clone(), rows: 1000 },
        EventKind::TableStarted { table: hostile.clone() },
        EventKind::BytesFetched { bytes: 1 << 20 },
        EventKind::TableFinished { table: hostile.clone(), rows: 0 },
        EventKind::EntryStarted { kind: "INDEX".into(), name: "orders_pkey".into() },
        EventKind::EntryFinished { kind: "INDEX".into(), name: "orders_pkey".into() },
        EventKind::PhaseFinished { phase: Phase::Restore, elapsed: Duration::from_secs(64) },
        EventKind::PhaseStarted { phase: Phase::Proof },
        EventKind::ProofPlanned { tables: 2, rows: 1000, checks: 1 },
        EventKind::RowsReadBack { rows: 1000 },
        EventKind::TableCompared { table: orders, equal: true },
        EventKind::TableCompared { table: hostile, equal: false },
        EventKind::CheckFinished { check: "orders are fresh".into(), passed: false },
        EventKind::PhaseFinished { phase: Phase::Proof, elapsed: Duration::from_secs(5) },
        EventKind::DrillFinished {
            verdict: Verdict::Fail,
            reasons: vec![Reason::new(Code::DataMismatch, "1 table differs", "look at the backup job")],
        },
    ]
}

fn play(service: &str, observer: Arc<dyn Observer>) {
    let events = Events::new(service, observer);
    a_drill().into_iter().for_each(|kind| events.emit(kind));
}

/// A sink that can still be read when its writer owns it.
#[derive(Clone, Default, Debug)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Shared {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Shared {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(buf)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A terminal that takes down everything that is written to it, movements aside.
impl TermLike for Shared {
    fn width(&self) -> u16 {
        80
    }
    fn move_cursor_up(&self, _: usize) -> io::Result<()> {
        Ok(())
    }
    fn move_cursor_down(&self, _: usize) -> io::Result<()> {
        Ok(())
    }
    fn move_cursor_right(&self, _: usize) -> io::Result<()> {
        Ok(())
    }
    fn move_cursor_left(&self, _: usize) -> io::Result<()> {
        Ok(())
    }
    fn write_line(&self, text: &str) -> io::Result<()> {
        self.clone().write_all(format!("{text}\n").as_bytes())
    }
    fn write_str(&self, text: &str) -> io::Result<()> {
        self.clone().write_all(text.as_bytes())
    }
    fn clear_line(&self) -> io::Result<()> {
        Ok(())
    }
    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_log_gets_one_line_per_phase() {
    let sink = Shared::default();
    play("orders", Arc::new(Text::on(sink.clone())));
    let expected = "\
orders: drill started
orders: chose s3://backups/orders/1.dump (3.0 MiB)
orders: select took 0.3s
orders: warning: nothing outside vouches for \\u{1b}[31mthe bytes [UNANCHORED]
orders: restore took 1m04s: 3.0 MiB fetched, 2 tables with 1,000 rows loaded, 1 entry after them
orders: rows differ in public.x\\u{1b}[2J\\u{a}y
orders: check not passed: orders are fresh
orders: proof took 5.0s: 2 tables compared, 1 differ, 1 check put, 1 not passed
orders: drill finished: fail (DATA_MISMATCH)
";
    assert_eq!(sink.text(), expected);
}

#[test]
fn programs_get_one_json_line_per_event_and_totals_for_what_only_moves() {
    let sink = Shared::default();
    let epoch = || Timestamp::UNIX_EPOCH;
    let observer = Arc::new(JsonEvents::on(sink.clone(), epoch));
    play("orders", observer.clone());
    drop(observer);
    let text = sink.text();
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for line in &lines {
        assert_eq!(line["service"], "orders");
        assert_eq!(line["at"], "1970-01-01T00:00:00.000Z");
    }
    let types: Vec<_> = lines.iter().map(|line| line["type"].as_str().unwrap()).collect();
    let expected = "drill_started phase_started backup_chosen phase_finished warned phase_started \
                    restore_planned table_started progress table_finished table_started progress \
                    table_finished entry_started entry_finished phase_finished phase_started proof_planned \
                    progress table_compared table_compared check_finished phase_finished drill_finished";
    assert_eq!(types.join(" "), expected);
    let totals = |n: usize| lines.iter().filter(|line| line["type"] == "progress").nth(n).unwrap();
    assert_eq!(totals(0)["fetched_bytes"], 2 << 20);
    assert_eq!(totals(0)["loaded_rows"], 1000);
    assert_eq!(totals(0)["loaded_bytes"], 5120);
    assert_eq!(totals(1)["fetched_bytes"], 3 << 20);
    assert_eq!(totals(2)["read_back_rows"], 1000);
    let last = lines.last().unwrap();
    assert_eq!(last["verdict"], "fail");
    assert_eq!(last["reasons"][0]["code"], "DATA_MISMATCH");
    assert_eq!(lines[1]["phase"], "select");
    assert_eq!(lines[3]["duration_ms"], 250);
    assert!(!text.contains('\x1b'), "control characters are escaped");
}

#[test]
fn a_reader_that_went_away_stops_nothing() {
    struct Closed;
    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
    }
    play("orders", Arc::new(JsonEvents::on(Closed, Timestamp::now)));
    play("orders", Arc::new(Text::on(Closed)));
}

#[test]
fn a_terminal_shows_warnings_that_stay_and_ends_without_a_trace() {
    let screen = Shared::default();
    let target = ProgressDrawTarget::term_like_with_hz(Box::new(screen.clone()), 20);
    let terminal = Arc::new(Terminal::on(target, Paint::PLAIN));
    let events = Events::new("orders", terminal.clone());
    let drill = a_drill();
    let (before_restore_ends, rest) = drill.split_at(11);
    before_restore_ends.iter().cloned().for_each(|kind| events.emit(kind));
    let mut shown = String::new();
    for _ in 0..200 {
        shown = screen.text();
        if shown.contains("loading public.orders, 1,000 rows") {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(shown.contains("orders restore"), "{shown}");
    assert!(shown.contains("2.0 MiB of 3.0 MiB"), "{shown}");
    assert!(shown.contains("loading public.orders, 1,000 rows"), "{shown}");
    rest.iter().cloned().for_each(|kind| events.emit(kind));
    drop((events, terminal));
    let shown = screen.text();
    assert!(shown.contains("orders: warning: nothing outside vouches for \\u{1b}[31mthe bytes"), "{shown}");
    assert!(!shown.contains("\x1b[2J"), "a name steered the terminal");
}

#[test]
fn every_observer_of_a_fan_out_hears_everything_in_order() {
    #[derive(Default)]
    struct Recorder(Mutex<Vec<String>>);
    impl Observer for Recorder {
        fn observe(&self, event: &Event) {
            self.0.lock().unwrap().push(format!("{event:?}"));
        }
    }
    let recorders = [Arc::new(Recorder::default()), Arc::new(Recorder::default())];
    let fan_out = FanOut::new(recorders.iter().map(|r| r.clone() as Arc<dyn Observer>).collect());
    play("orders", Arc::new(fan_out));
    let heard: Vec<_> = recorders.iter().map(|r| r.0.lock().unwrap().clone()).collect();
    assert_eq!(heard[0].len(), a_drill().len());
    assert_eq!(heard[0], heard[1]);
}
