//! `firedrill bench` as its users meet it: a grid, a document, a page, and nothing left behind.
#![cfg(test)]

#[path = "report_support/browser.rs"]
#[expect(dead_code, reason = "it is not printed here")]
mod browser;
#[path = "support/command.rs"]
mod command;
#[path = "support/parts.rs"]
#[expect(dead_code, reason = "no server of a part is started here")]
mod parts;
#[path = "support/postgres.rs"]
mod postgres;

use std::fs;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::command::{Home, PATIENCE};
use crate::postgres::{eventually, processes_in};

const DUMP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/archives/pg15/custom-gzip.dump");

fn home(dump: &[u8]) -> Home {
    let home = Home::new();
    fs::create_dir(home.path().join("backups")).unwrap();
    fs::write(home.path().join("backups/fx.dump"), dump).unwrap();
    home.plan(&format!(
        "[service.fx]\nchecks = 'content only'\n[service.fx.backup]\nlocation = 'file://{}/backups/'\n\
         pattern = 'fx.dump'\n[service.fx.scratch]\nsettings = 'fast'\nisolation = 'best-effort'\n",
        home.path().display()
    ));
    home
}

#[track_caller]
fn assert_nothing_is_left(home: &Home) {
    assert_eq!(processes_in(&home.scratch()), [0; 0], "processes");
    assert_eq!(home.left_behind(), Vec::<std::path::PathBuf>::new());
    assert_eq!(home.open_journals(), [""; 0]);
    assert!(home.evidence("fx").is_empty(), "a benchmark is no drill");
}

fn schema(home: &Home) -> jsonschema::Validator {
    let schema = home.run(&["schema", "bench"], &[]).with(0).document();
    jsonschema::validator_for(&schema).unwrap()
}

#[test]
fn a_grid_of_two_points_gives_a_document_with_every_field_and_a_page() {
    let dump = fs::read(DUMP).unwrap();
    let home = home(&dump);
    let page = home.path().join("bench.html");
    let arguments = [
        "bench",
        "fx",
        "--engine",
        "native,pg_restore",
        "--jobs",
        "2",
        "--repeat",
        "2",
        "--latency",
        "5ms",
        "--bandwidth",
        "50MB/s",
        "--json",
        "--html",
    ];
    let arguments = [&arguments[..], &[page.to_str().unwrap()]].concat();
    let ended = home.run(&arguments, &[]).with(0);
    assert_nothing_is_left(&home);

    let document = ended.document();
    if let Err(error) = schema(&home).validate(&document) {
        panic!("{error}: {document:#}");
    }
    assert_eq!(document["version"], "1.0");
    assert_eq!(document["exit_code"], 0);
    assert_eq!(document["backup"]["bytes"], dump.len());
    assert_eq!(document["network"]["total_bytes_per_second"], 50_000_000);
    assert_eq!(document["network"]["first_byte_ms"], 5);
    assert!(document["machine"]["vcpus"].as_u64().unwrap() > 0);
    assert!(document.get("stopped").is_none());
    let points = document["points"].as_array().unwrap();
    assert_eq!(
        points.iter().map(|point| point["engine"].as_str().unwrap()).collect::<Vec<_>>(),
        ["native", "pg_restore"]
    );
    for point in points {
        assert_point(point, dump.len() as u64);
    }
    assert_eq!(points[0]["runs"][0]["staged_bytes"], 0);
    assert_eq!(points[1]["runs"][0]["staged_bytes"], dump.len());
    assert!(points[0]["spans_ms"]["load"].is_object() && points[1]["spans_ms"]["pg_restore"].is_object());
    let advice = &document["advice"];
    assert!(advice["fastest"].as_u64().unwrap() < 2);
    assert!(advice["sentence"].as_str().unwrap().ends_with('.'), "{advice}");

    assert_page(&fs::read_to_string(&page).unwrap(), &page);
}

fn assert_point(point: &Value, bytes: u64) {
    assert_eq!((&point["jobs"], &point["settings"]), (&Value::from(2), &Value::from("fast")));
    for spread in ["restore_ms", "recovery_ms"] {
        let [least, median, most] =
            ["least", "median", "most"].map(|key| point[spread][key].as_u64().unwrap());
        assert!(0 < least && least <= median && median <= most, "{point:#}");
    }
    for phase in ["select", "provision", "restore", "ready", "proof", "cleanup"] {
        assert!(point["phases_ms"][phase]["median"].is_u64(), "{phase}: {point:#}");
    }
    let runs = point["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 2);
    for run in runs {
        // At least five milliseconds went by before the first byte.
        assert!(run["restore_ms"].as_u64().unwrap() >= 5, "{run:#}");
        assert!(run["fetched_bytes"].as_u64().unwrap() >= bytes, "{run:#}");
        assert!(run["requests"].as_u64().unwrap() > 0 && run["limit"].is_string(), "{run:#}");
        if cfg!(target_os = "linux") {
            assert!(run["server_cpu_ms"].as_u64().unwrap() > 0, "{run:#}");
            assert!(run["client_cpu_ms"].is_u64() && run["busy_percent"].as_u64().unwrap() <= 100, "{run:#}");
        }
    }
}

fn assert_page(html: &str, page: &std::path::Path) {
    assert!(!html.contains("<script") && !html.contains(" style=") && !html.contains(" src="), "{html}");
    assert!(!html.contains("=\"http") && !html.contains("url("), "it loads nothing: {html}");
    assert!(html.contains("default-src 'none'; style-src 'sha256-"), "{html}");
    let opened = browser::open(page);
    assert_eq!(opened.console, Vec::<String>::new());
    for words in ["fx was restored fastest by", "What was the limit", "pg_restore", "50 MB/s in all"] {
        assert!(opened.dom.contains(words), "{words}: {}", opened.dom);
    }
    let picture = browser::picture(page, 1100, 1400);
    assert!(picture.len() > 10_000, "there is something to be seen");
    if let Some(keep) = std::env::var_os("FIREDRILL_KEEP_PICTURE") {
        fs::write(keep, picture).unwrap();
    }
}

#[test]
fn without_lists_the_plans_own_way_and_others_beside_it_are_tried_and_shown_in_a_table() {
    let home = home(&fs::read(DUMP).unwrap());
    let ended = home.run(&["bench", "fx", "--repeat", "1", "--quiet"], &[]).with(0);
    assert_nothing_is_left(&home);
    let text = &ended.stdout;
    for words in ["fx: ", "native, ", "pg_restore, ", "durable", "restore", "limit", "what to do"] {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert_eq!(ended.stderr, "");
}

#[test]
fn a_wrong_restore_has_no_figures_and_ends_the_benchmark() {
    let mut dump = fs::read(DUMP).unwrap();
    let middle = dump.len() * 3 / 4;
    dump[middle] ^= 0x10;
    let home = home(&dump);
    let ended = home.run(&["bench", "fx", "--jobs", "1,2", "--json"], &[]).with(1);
    assert_nothing_is_left(&home);
    let document = ended.document();
    assert!(schema(&home).is_valid(&document), "{document:#}");
    assert_eq!(document["stopped"]["point"], 0);
    assert_eq!(document["stopped"]["reason"]["code"], "ARTIFACT_CORRUPT");
    assert!(document.get("advice").is_none());
    for point in document["points"].as_array().unwrap() {
        assert_eq!(point["runs"], serde_json::json!([]));
        assert!(point.get("restore_ms").is_none());
    }
}

#[test]
fn a_slow_line_is_the_limit_and_takes_its_time() {
    let dump = fs::read(DUMP).unwrap();
    let home = home(&dump);
    let rate = (dump.len() / 4 / 1000).max(1);
    let rate = format!("{rate}kB/s");
    let arguments =
        ["bench", "fx", "--jobs", "2", "--connections", "1", "--part", "64KiB", "--repeat", "1", "--json"];
    let document = home.run(&[&arguments[..], &["--bandwidth", &rate]].concat(), &[]).with(0).document();
    let run = &document["points"][0]["runs"][0];
    let recovery = run["recovery_ms"].as_u64().unwrap();
    assert!(recovery >= 3_900, "four seconds of bytes came in {recovery} ms");
    assert_eq!(run["limit"], "network", "{run:#}");
    assert!(
        document["advice"]["sentence"].as_str().unwrap().contains("The way from the store was the limit")
    );
}

#[test]
fn a_signal_cleans_up_and_a_kill_is_swept_up_after() {
    let home = home(&fs::read(DUMP).unwrap());
    let slow =
        ["bench", "fx", "--connections", "1", "--part", "64KiB", "--bandwidth", "4kB/s", "--repeat", "1"];
    let running = home.start(&slow, &[]);
    eventually(PATIENCE, "it restores", || running.said().contains("provision took"));
    running.signal(Signal::SIGINT);
    let ended = running.end_within(Duration::from_secs(15)).with(130);
    assert!(ended.stdout.contains("INTERRUPTED"), "{}", ended.stdout);
    assert_nothing_is_left(&home);

    let running = home.start(&slow, &[]);
    eventually(PATIENCE, "it restores", || running.said().contains("provision took"));
    running.signal(Signal::SIGKILL);
    drop(running);
    assert_eq!(home.left_behind().len(), 1);
    let swept = home.run(&["sweep"], &[]).with(0);
    assert!(swept.stdout.contains("removed: "), "{}", swept.stdout);
    assert_eq!(home.left_behind(), Vec::<std::path::PathBuf>::new());
}

#[test]
fn what_can_not_be_tried_is_wrong_usage() {
    let home = home(b"");
    let table: [(&[&str], &str); 7] = [
        (&["--bandwidth", "70"], "70MB/s"),
        (&["--latency", "1h"], "20ms"),
        (&["--engine", "psql"], "'native' or 'pg_restore'"),
        (&["--repeat", "0"], "from 1 to 25"),
        (&["--part", "1KiB"], "64KiB"),
        (&["--jobs", "0"], "from 1 to 256"),
        (&["--jobs", "1,2,3,4,5,6,7,8,9", "--connections", "1,2,3,4,5,6,7,8"], "more than 64 points"),
    ];
    for (arguments, words) in table {
        let ended = home.run(&[&["bench", "fx"], arguments].concat(), &[]).with(64);
        assert!(ended.stderr.contains(words), "{arguments:?}: {}", ended.stderr);
    }
    home.run(&["bench", "other"], &[]).with(64);
}
