//! The demonstration, with nothing configured: as root and as nobody, to its end and cut short.
#![cfg(test)]

#[path = "support/command.rs"]
mod command;
#[path = "support/postgres.rs"]
mod postgres;

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::unistd::{User, geteuid};

use crate::command::{Home, PATIENCE, Running};
use crate::postgres::{eventually, processes_in};

#[track_caller]
fn shown_and_gone(home: &Home, running: Running) {
    let shown = running.end_within(Duration::from_secs(300)).with(0).stdout;
    // Paragraphs wrap anywhere.
    let words_only = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    for words in [
        "shop: pass",
        "19 of 19 tables equal",
        "2 of 2 checks passed; the stored bytes by the digest beside them",
        "isolated: ",
        "1 drill: 1 passed.",
    ] {
        assert!(words_only.contains(words), "it lacks '{words}': {shown}");
    }
    nothing_is_left(home);
    let evidence = home.evidence("shop");
    assert_eq!(evidence.len(), 1);
    let network = evidence[0]["environment"]["sandbox"]["network"].as_str().unwrap();
    assert_eq!(shown.contains("not isolated: "), network == "host", "{network}: {shown}");
    // What it says that it leaves, and nothing beside it.
    let told = |label: &str| shown.lines().find_map(|line| line.trim().strip_prefix(label)).unwrap();
    let paths = [told("evidence   "), told("page of this run: ")];
    let left: Vec<_> = Home::everything_in(home.path()).into_iter().map(|(path, _)| path).collect();
    let named = |left: &std::path::PathBuf| paths.iter().any(|path| left == std::path::Path::new(path));
    let others: Vec<_> = left.iter().filter(|left| !named(left) && !left.ends_with("lock")).collect();
    assert!(others.is_empty(), "{others:?}");
}

#[track_caller]
fn nothing_is_left(home: &Home) {
    assert_eq!(processes_in(&home.scratch()), [0; 0]);
    assert!(home.left_behind().is_empty(), "{:?}", home.left_behind());
    assert_eq!(home.open_journals(), [""; 0]);
}

#[test]
fn it_shows_a_whole_drill_and_leaves_only_the_evidence_that_it_names() {
    let home = Home::new();
    shown_and_gone(&home, home.start(&["demo"], &[]));
}

#[test]
fn it_does_so_as_a_user_without_any_rights() {
    let nobody = User::from_name("nobody").unwrap().unwrap();
    let home = Home::new();
    if !geteuid().is_root() {
        // Then the test above has shown it.
        return;
    }
    for path in [home.path(), &home.scratch()] {
        chown(path, Some(nobody.uid.as_raw()), Some(nobody.gid.as_raw())).unwrap();
    }
    // The build may lie where nobody can't go.
    let elsewhere = tempfile::tempdir_in("/tmp").unwrap();
    fs::set_permissions(elsewhere.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let program = elsewhere.path().join("firedrill");
    fs::copy(env!("CARGO_BIN_EXE_firedrill"), &program).unwrap();
    let asked = home.command(&["demo"]);
    let mut command = Command::new(program);
    command.args(asked.get_args()).current_dir(home.path()).env_clear();
    command.envs(asked.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.uid(nobody.uid.as_raw()).gid(nobody.gid.as_raw()).stdin(std::process::Stdio::null());
    let running = Running::start(command);
    eventually(PATIENCE, "the sample's server runs", || !processes_in(&home.scratch()).is_empty());
    shown_and_gone(&home, running);
    let sandbox = home.evidence("shop")[0]["environment"]["sandbox"].clone();
    assert_eq!(sandbox["user"], "nobody", "{sandbox}");
}

#[test]
fn cut_short_at_any_stage_it_leaves_nothing() {
    for stage in ["making the sample", "backing it up", "drill started", "provision took"] {
        let home = Home::new();
        let running = home.start(&["demo"], &[]);
        eventually(PATIENCE, stage, || running.said().contains(stage));
        running.signal(Signal::SIGINT);
        running.end_within(Duration::from_secs(20)).with(130);
        nothing_is_left(&home);
    }
}

#[test]
fn killed_while_it_makes_the_sample_it_is_swept_and_named_by_no_drill_of_its_own() {
    let home = Home::new();
    let running = home.start(&["demo"], &[]);
    eventually(PATIENCE, "the sample's server runs", || !processes_in(&home.scratch()).is_empty());
    running.signal(Signal::SIGKILL);
    running.end();
    eventually(Duration::from_secs(5), "the server is gone", || processes_in(&home.scratch()).is_empty());
    let swept = home.run(&["sweep"], &[]).with(0);
    assert!(swept.stdout.contains("(no drill) was cut off"), "{}", swept.stdout);
    assert!(swept.stdout.contains("removed: cluster"), "{}", swept.stdout);
}
