//! Runs that are cut short, at every stage: by a signal, by a kill, by a deadline, by another
//! run. Whatever happens, nothing is left, and it is told.
#![cfg(test)]

#[path = "support/command.rs"]
mod command;
#[path = "support/postgres.rs"]
mod postgres;
mod support;

use std::fs;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::command::{Ended, Home, PATIENCE, Running};
use crate::postgres::{eventually, processes_in};
use crate::support::fault_server::{Ask, Asked, Fault, FaultServer};

/// How long a signalled run may take to clean up.
const CLEAN_UP: Duration = Duration::from_secs(15);
/// How long a scratch server may outlive a killed firedrill.
const OUTLIVE: Duration = Duration::from_secs(5);
const EVENTS: [&str; 2] = ["run", "--json=events"];

/// Where a drill is held until something happens to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hold {
    Nowhere,
    Listing,
    FirstRead,
    LaterReads,
    Check,
}

/// A moment of a drill: where it is held, what announces the moment, and the phase it lies in.
struct Moment {
    name: &'static str,
    hold: Hold,
    announced_by: &'static [&'static str],
    phases: &'static [&'static str],
}

const MOMENTS: [Moment; 6] = [
    Moment { name: "listing", hold: Hold::Listing, announced_by: &["drill_started"], phases: &["select"] },
    Moment {
        name: "table of contents",
        hold: Hold::FirstRead,
        announced_by: &["backup_chosen"],
        phases: &["select"],
    },
    Moment {
        name: "initdb",
        hold: Hold::LaterReads,
        announced_by: &["phase_started", "provision"],
        phases: &["provision"],
    },
    Moment {
        name: "rows",
        hold: Hold::LaterReads,
        announced_by: &["phase_started", "restore"],
        phases: &["restore"],
    },
    Moment {
        name: "ready",
        hold: Hold::Check,
        announced_by: &["phase_started", "ready"],
        phases: &["ready", "proof"],
    },
    Moment { name: "check", hold: Hold::Check, announced_by: &["proof_planned"], phases: &["proof"] },
];

/// A store with one archive that is uncompressed, so that it takes several reads; its digest
/// stands beside it.
fn store(hold: Hold) -> FaultServer {
    let dump = fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/archives/pg15/custom-none.dump"));
    let dump = dump.unwrap();
    let digest = format!("{}  fx.dump\n", firedrill::digest::Digest::of(&dump));
    let objects = [("p/fx.dump".to_owned(), dump), ("p/fx.dump.sha256".to_owned(), digest.into_bytes())];
    FaultServer::start(objects, move |asked: &Asked| {
        let is_dump =
            asked.ask == Ask::Get && asked.path_and_query.split('?').next().unwrap().ends_with(".dump");
        match hold {
            Hold::Listing if asked.ask == Ask::List => Fault::Silence,
            Hold::FirstRead if is_dump => Fault::Silence,
            Hold::LaterReads if is_dump && asked.offset > 0 => Fault::Stall(1000),
            _ => Fault::None,
        }
    })
}

/// The plan for services of these names, each with the archive of `server`.
fn plan(server: &FaultServer, services: &[&str], hold: Hold, deadline: &str) -> String {
    let mut plan = format!(
        "[store.test]\nendpoint = \"{}\"\nregion = \"us-east-1\"\npath_style = true\n",
        server.endpoint
    );
    let sleep = if hold == Hold::Check { "600" } else { "0" };
    for name in services {
        plan += &format!(
            r#"
            [service.{name}]
            deadline = "{deadline}"
            [service.{name}.backup]
            location = "s3://b/p/"
            store = "test"
            pattern = "fx.dump"
            [service.{name}.scratch]
            settings = "fast"
            isolation = "best-effort"
            [service.{name}.restore]
            jobs = 2
            connections = 1
            part = "64KiB"
            [[service.{name}.check]]
            name = "a nap"
            sql = "select 1 from pg_sleep({sleep})"
            expect = "= 1"
            timeout = "11m"
            "#
        );
    }
    plan
}

fn credentials() -> [(&'static str, String); 2] {
    [("AWS_ACCESS_KEY_ID", "any".into()), ("AWS_SECRET_ACCESS_KEY", "any".into())]
}

/// Brings a drill to a moment. The store must be kept as long as the drill is to be held.
fn bring_to(home: &Home, moment: &Moment) -> (Running, FaultServer) {
    let server = store(moment.hold);
    home.plan(&plan(&server, &["fx"], moment.hold, "10m"));
    let mut running = home.start(&EVENTS, &credentials());
    running.until(moment.announced_by);
    match moment.name {
        "listing" => eventually(PATIENCE, "it lists", || !server.log().is_empty()),
        "initdb" => eventually(PATIENCE, "initdb runs", || !processes_in(&home.scratch()).is_empty()),
        _ => {}
    }
    (running, server)
}

fn passes(home: &Home) -> Value {
    let server = store(Hold::Nowhere);
    home.plan(&plan(&server, &["fx"], Hold::Nowhere, "10m"));
    home.run(&["run", "--json"], &credentials()).with(0).document()["drills"][0].take()
}

#[track_caller]
fn nothing_is_left(home: &Home, moment: &str) {
    assert_eq!(processes_in(&home.scratch()), [0; 0], "{moment}: processes");
    assert!(home.left_behind().is_empty(), "{moment}: {:?}", home.left_behind());
}

fn a_signal_at_any_moment_cleans_up_and_is_told(signal: Signal, code: i32) {
    let home = Home::new();
    for (index, moment) in MOMENTS.iter().enumerate() {
        let name = moment.name;
        let (running, _server) = bring_to(&home, moment);
        running.signal(signal);
        let ended = running.end_within(CLEAN_UP).with(code);
        assert!(ended.stderr.contains("a second signal stops at once"), "{name}: {}", ended.stderr);
        nothing_is_left(&home, name);
        assert_eq!(home.open_journals(), [""; 0], "{name}");
        let evidence = home.evidence("fx");
        assert_eq!(evidence.len(), index + 1, "{name}");
        let record = &evidence[index];
        assert_eq!(record["verdict"]["result"], "inconclusive", "{name}");
        assert_eq!(record["verdict"]["reason_codes"], serde_json::json!(["INTERRUPTED"]), "{name}");
        let phase = record["halt"]["phase"].as_str().unwrap_or_default();
        assert!(moment.phases.contains(&phase), "{name}: halted in '{phase}'");
        let result: Value = serde_json::from_str(ended.stdout.lines().last().unwrap()).unwrap();
        assert_eq!(result["exit_code"], code, "{name}");
    }
    let drill = passes(&home);
    assert_eq!(drill["chain"]["abandoned_runs"], serde_json::json!([]));
    assert_eq!(drill["chain"]["sequence"], MOMENTS.len() + 1);
}

#[test]
fn an_interrupt_at_any_moment_cleans_up_and_is_told() {
    a_signal_at_any_moment_cleans_up_and_is_told(Signal::SIGINT, 130);
}

#[test]
fn a_termination_at_any_moment_cleans_up_and_is_told() {
    a_signal_at_any_moment_cleans_up_and_is_told(Signal::SIGTERM, 143);
}

/// What is proven is proven: the drill was over but for its tidying up.
#[test]
fn a_signal_while_it_cleans_up_changes_no_verdict() {
    let home = Home::new();
    let server = store(Hold::Nowhere);
    home.plan(&plan(&server, &["fx"], Hold::Nowhere, "10m"));
    let mut running = home.start(&EVENTS, &credentials());
    running.until(&["phase_started", "cleanup"]);
    running.signal(Signal::SIGTERM);
    running.end_within(CLEAN_UP).with(0);
    nothing_is_left(&home, "cleanup");
    assert_eq!(home.evidence("fx")[0]["verdict"]["result"], "pass");
    assert_eq!(home.open_journals(), [""; 0]);
}

#[test]
fn a_signal_keeps_the_drills_that_were_over_and_begins_no_other() {
    let home = Home::new();
    let server = store(Hold::Nowhere);
    home.plan(&plan(&server, &["one", "two", "three"], Hold::Nowhere, "10m"));
    let mut running = home.start(&EVENTS, &credentials());
    running.until(&["drill_finished", "one"]);
    running.until(&["phase_started", "provision", "two"]);
    running.signal(Signal::SIGINT);
    let ended = running.end_within(CLEAN_UP).with(130);
    nothing_is_left(&home, "second of three");
    let results = |service: &str| -> Vec<String> {
        home.evidence(service).iter().map(|e| e["verdict"]["result"].as_str().unwrap().into()).collect()
    };
    assert_eq!(results("one"), ["pass"]);
    assert_eq!(results("two"), ["inconclusive"]);
    assert_eq!(results("three"), [""; 0]);
    assert!(ended.stderr.contains("'three' was not drilled"), "{}", ended.stderr);
}

#[test]
fn a_second_signal_ends_at_once_and_the_next_run_tidies_up() {
    let home = Home::new();
    let moment = MOMENTS.last().unwrap();
    let (running, server) = bring_to(&home, moment);
    // A server that does not obey: cleaning up has to wait for it.
    let server_pid = postmaster(&home);
    kill(server_pid, Signal::SIGSTOP).unwrap();
    running.signal(Signal::SIGINT);
    eventually(PATIENCE, "it says that it cleans up", || running.said().contains("a second signal"));
    running.signal(Signal::SIGINT);
    running.end_within(Duration::from_secs(2)).with(130);
    drop(server);
    kill(server_pid, Signal::SIGCONT).unwrap();
    eventually(OUTLIVE, "the server is gone", || processes_in(&home.scratch()).is_empty());
    let abandoned = home.open_journals();
    assert_eq!(abandoned.len(), 1);
    let drill = passes(&home);
    assert_eq!(drill["chain"]["abandoned_runs"][0]["run_id"], abandoned[0].as_str());
    nothing_is_left(&home, "the next run");
}

/// The server's own process: the one whose parent is not of the cluster.
fn postmaster(home: &Home) -> Pid {
    let all = processes_in(&home.scratch());
    let parent_of = |pid: &u32| -> u32 {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("PPid:")).unwrap();
        line.trim().parse().unwrap()
    };
    let found = all.iter().find(|pid| !all.contains(&parent_of(pid))).unwrap();
    Pid::from_raw((*found).try_into().unwrap())
}

#[test]
fn a_server_that_would_not_end_is_ended_all_the_same() {
    let home = Home::new();
    let (running, _server) = bring_to(&home, MOMENTS.last().unwrap());
    kill(postmaster(&home), Signal::SIGSTOP).unwrap();
    running.signal(Signal::SIGTERM);
    running.end_within(Duration::from_secs(30)).with(143);
    nothing_is_left(&home, "a stopped server");
}

#[test]
fn after_a_kill_at_any_moment_the_server_dies_and_the_next_run_names_the_drill() {
    let home = Home::new();
    let mut killed: Vec<String> = Vec::new();
    for (index, moment) in MOMENTS.iter().enumerate() {
        let (running, _server) = bring_to(&home, moment);
        running.signal(Signal::SIGKILL);
        assert_eq!(running.end().status.code(), None);
        eventually(OUTLIVE, moment.name, || processes_in(&home.scratch()).is_empty());
        let left = home.left_behind();
        assert!(!left.is_empty() || moment.phases == ["select"], "{}: nothing to remove", moment.name);
        let journals = home.open_journals();
        let fresh: Vec<_> = journals.into_iter().filter(|id| !killed.contains(id)).collect();
        killed.extend(fresh);
        assert_eq!(killed.len(), index + 1, "{}", moment.name);
        // Every other time a sweep is first; else what the kill before left is still there.
        if index % 2 == 1 {
            let swept = home.run(&["sweep"], &[]).with(0);
            assert!(swept.stdout.contains("(fx) was cut off"), "{}: {}", moment.name, swept.stdout);
            assert_eq!(swept.stdout.contains("removed: cluster"), index > 1, "{}", swept.stdout);
            nothing_is_left(&home, moment.name);
        }
    }
    assert_eq!(home.evidence("fx").len(), 0);
    let drill = passes(&home);
    nothing_is_left(&home, "the next run");
    let named = drill["chain"]["abandoned_runs"].as_array().unwrap();
    let named: Vec<_> = named.iter().map(|run| run["run_id"].as_str().unwrap()).collect();
    assert_eq!(named, killed);
    let warnings = drill["verdict"]["warnings"].to_string();
    assert!(warnings.contains("ABANDONED_RUNS"), "{warnings}");
    assert_eq!(passes(&home)["chain"]["abandoned_runs"], serde_json::json!([]), "named once");
    assert_eq!(home.run(&["sweep"], &[]).with(0).stdout, "nothing was left behind");
}

#[test]
fn of_a_killed_run_only_the_drill_that_was_cut_off_is_named() {
    let home = Home::new();
    let server = store(Hold::Nowhere);
    let both = plan(&server, &["one", "two"], Hold::Nowhere, "10m");
    home.plan(&both);
    let mut running = home.start(&EVENTS, &credentials());
    running.until(&["drill_finished", "one"]);
    running.until(&["phase_started", "restore", "two"]);
    running.signal(Signal::SIGKILL);
    running.end();
    eventually(OUTLIVE, "the server is gone", || processes_in(&home.scratch()).is_empty());
    let killed = home.open_journals();
    let document = home.run(&["run", "--json"], &credentials()).with(0).document();
    nothing_is_left(&home, "the next run");
    let named = |index: usize| document["drills"][index]["chain"]["abandoned_runs"].clone();
    assert_eq!(named(0), serde_json::json!([]));
    assert_eq!(named(1)[0]["run_id"], killed[0].as_str());
    assert_eq!(named(1)[0]["last_state"], "cluster created");
}

#[test]
fn a_second_run_ends_at_once_and_touches_nothing() {
    let home = Home::new();
    let moment = MOMENTS.iter().find(|moment| moment.name == "rows").unwrap();
    let (running, server) = bring_to(&home, moment);
    eventually(PATIENCE, "rows are awaited", || {
        server.log().iter().any(|asked| asked.ask == Ask::Get && asked.offset > 0)
    });
    let before = (Home::everything_in(&home.state()), home.left_behind(), server.log().len());
    let mut quickest = Duration::MAX;
    for _ in 0..3 {
        let began = Instant::now();
        let refused: Ended = home.run(&["run"], &credentials()).with(75);
        quickest = quickest.min(began.elapsed());
        assert!(refused.stderr.contains("another run holds the lock"), "{}", refused.stderr);
        assert_eq!(refused.stdout, "");
    }
    assert!(quickest < Duration::from_secs(1), "{quickest:?}");
    assert_eq!((Home::everything_in(&home.state()), home.left_behind(), server.log().len()), before);
    running.signal(Signal::SIGINT);
    running.end_within(CLEAN_UP).with(130);
}

#[test]
fn past_its_deadline_a_drill_is_stopped_and_removed() {
    for (hold, deadline) in [(Hold::Listing, "2s"), (Hold::LaterReads, "9s"), (Hold::Check, "9s")] {
        let home = Home::new();
        let server = store(hold);
        home.plan(&plan(&server, &["fx"], hold, deadline));
        let drill = home.run(&["run", "--json"], &credentials()).with(2).document()["drills"][0].take();
        nothing_is_left(&home, deadline);
        assert_eq!(drill["verdict"]["reason_codes"], serde_json::json!(["DEADLINE"]), "{hold:?}");
        assert_eq!(drill["verdict"]["result"], "inconclusive");
        assert_eq!(home.open_journals(), [""; 0]);
    }
}

#[test]
fn evidence_that_cannot_be_stored_takes_nothing_from_the_result_and_is_told() {
    let home = Home::new();
    fs::create_dir(home.state()).unwrap();
    fs::set_permissions(home.state(), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    // Where the directories of the logs should be. Missing rights would not keep root out.
    fs::create_dir(home.state().join("evidence")).unwrap();
    for service in ["one", "two"] {
        fs::write(home.state().join("evidence").join(service), "in the way").unwrap();
    }
    let server = store(Hold::Nowhere);
    home.plan(&plan(&server, &["one", "two"], Hold::Nowhere, "10m"));
    let ended = home.run(&["run", "--json"], &credentials()).with(3);
    for service in ["one", "two"] {
        let told = format!("the evidence of '{service}' could not be stored");
        assert!(ended.stderr.contains(&told), "{}", ended.stderr);
    }
    let document = ended.document();
    assert_eq!(document["drills"][1]["verdict"]["result"], "pass");
    nothing_is_left(&home, "unstored");
}
