//! The journal: one run at a time, and what a killed one left is found, removed and named; nothing
//! else is touched.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "what fails here fails the test")]

#[path = "support/postgres.rs"]
mod postgres;
#[path = "support/process.rs"]
mod process;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use firedrill::journal::{Journal, Kind, NoServers, Resource, StateDirectory, sweep};
use firedrill::postgres::{Cluster, ClusterOptions, new_directory_name};
use uuid::Uuid;

use crate::postgres::{eventually, options, own_install, parent, processes_in};
use crate::process::{Part, die_with, part_of_this_process};

fn state(parent: &Path) -> StateDirectory {
    StateDirectory::open(&parent.join("state")).unwrap()
}

fn journals(state: &StateDirectory) -> Vec<PathBuf> {
    fs::read_dir(state.path().join("runs")).unwrap().map(|entry| entry.unwrap().path()).collect()
}

fn cluster(directory: PathBuf) -> Resource {
    Resource::Cluster { directory, socket_directory: None }
}

/// A directory as a cluster makes it, with something in it.
fn marked(parent: &Path) -> PathBuf {
    let directory = parent.join(new_directory_name());
    fs::create_dir(&directory).unwrap();
    fs::write(directory.join(".firedrill-scratch"), "").unwrap();
    fs::create_dir(directory.join("data")).unwrap();
    fs::write(directory.join("data/rows"), "rows").unwrap();
    directory
}

/// Leaves a journal behind, as a killed run does.
fn leave(state: &StateDirectory, write: impl FnOnce(&Journal)) -> Uuid {
    let run_id = Uuid::now_v7();
    let (journal, _) = Journal::open(state, run_id).unwrap();
    write(&journal);
    run_id
}

#[test]
fn a_second_run_is_refused_at_once_and_touches_nothing() {
    let parent = parent();
    let state = state(parent.path());
    let (journal, _) = Journal::open(&state, Uuid::now_v7()).unwrap();
    let left = marked(parent.path());
    journal.will_create("orders", &cluster(left.clone())).unwrap();
    let began = Instant::now();
    let error = Journal::open(&state, Uuid::now_v7()).map(|_| ()).unwrap_err();
    assert_eq!(error.kind(), Kind::Locked);
    assert_eq!(sweep(&state, &NoServers).unwrap_err().kind(), Kind::Locked);
    assert!(began.elapsed() < Duration::from_secs(1));
    assert!(left.exists());
    assert_eq!(journals(&state).len(), 1);
    drop(journal);
    Journal::open(&state, Uuid::now_v7()).map(|_| ()).unwrap();
}

#[test]
fn a_run_that_ended_well_leaves_no_trace() {
    let parent = parent();
    let state = state(parent.path());
    let (journal, abandoned) = Journal::open(&state, Uuid::now_v7()).unwrap();
    assert!(abandoned.is_empty());
    let resource = cluster(marked(parent.path()));
    journal.drill_started("orders").unwrap();
    journal.will_create("orders", &resource).unwrap();
    journal.created("orders", &resource).unwrap();
    let text = fs::read_to_string(&journals(&state)[0]).unwrap();
    assert!(text.ends_with('\n') && text.contains("will_create") && text.contains("orders"), "{text}");
    journal.removed("orders", &resource).unwrap();
    journal.drill_finished("orders").unwrap();
    journal.finish().unwrap();
    assert_eq!(journals(&state), [] as [PathBuf; 0]);
    assert!(Journal::open(&state, Uuid::now_v7()).unwrap().1.is_empty());
}

#[test]
fn a_killed_run_is_cleaned_up_and_named_until_evidence_has_it() {
    let parent = parent();
    let state = state(parent.path());
    let left = marked(parent.path());
    let run_id = leave(&state, |journal| {
        journal.drill_started("done").unwrap();
        journal.drill_finished("done").unwrap();
        journal.drill_started("orders").unwrap();
        journal.will_create("orders", &cluster(left.clone())).unwrap();
        journal.drill_started("billing").unwrap();
    });
    // A sweep removes, but names nothing in evidence.
    let swept = sweep(&state, &NoServers).unwrap();
    assert!(!left.exists());
    assert_eq!(swept.len(), 2);
    for _ in 0..2 {
        let (journal, abandoned) = Journal::open(&state, Uuid::now_v7()).unwrap();
        let told: Vec<_> = abandoned
            .iter()
            .map(|drill| {
                (drill.run_id, drill.service.as_deref(), drill.last_state.as_str(), drill.removed.len())
            })
            .collect();
        let orders = (run_id, Some("orders"), "cluster about to be created", 1);
        assert_eq!(told, [orders, (run_id, Some("billing"), "drill started", 0)]);
        assert!(abandoned.iter().all(|drill| drill.leaked.is_empty() && drill.quarantined.is_none()));
        journal.finish().unwrap();
    }
    let (journal, abandoned) = Journal::open(&state, Uuid::now_v7()).unwrap();
    journal.named(&abandoned[0]).unwrap();
    drop(journal);
    let (journal, abandoned) = Journal::open(&state, Uuid::now_v7()).unwrap();
    let services: Vec<_> = abandoned.iter().map(|drill| drill.service.as_deref()).collect();
    assert_eq!(services, [Some("billing"), None], "the run between was cut off outside of a drill");
    abandoned.iter().for_each(|drill| journal.named(drill).unwrap());
    journal.finish().unwrap();
    assert_eq!(journals(&state), [] as [PathBuf; 0]);
}

#[test]
fn what_was_made_outside_of_any_drill_belongs_to_the_run() {
    let parent = parent();
    let state = state(parent.path());
    let left = marked(parent.path());
    let run_id = leave(&state, |journal| journal.will_create("demo", &cluster(left.clone())).unwrap());
    let (journal, abandoned) = Journal::open(&state, Uuid::now_v7()).unwrap();
    assert!(!left.exists());
    let told: Vec<_> = abandoned.iter().map(|one| (one.run_id, one.service.as_deref())).collect();
    assert_eq!(told, [(run_id, None)]);
    assert_eq!(abandoned[0].removed.len(), 1);
    journal.named(&abandoned[0]).unwrap();
    journal.finish().unwrap();
    assert_eq!(journals(&state), [] as [PathBuf; 0]);
}

#[test]
fn what_a_finished_run_could_not_remove_is_removed_by_the_next() {
    let parent = parent();
    let state = state(parent.path());
    let left = marked(parent.path());
    let (journal, _) = Journal::open(&state, Uuid::now_v7()).unwrap();
    journal.drill_started("orders").unwrap();
    journal.will_create("orders", &cluster(left.clone())).unwrap();
    journal.drill_finished("orders").unwrap();
    journal.finish().unwrap();
    let (_journal, abandoned) = Journal::open(&state, Uuid::now_v7()).unwrap();
    assert!(!left.exists());
    assert_eq!(abandoned.len(), 1);
    assert_eq!(abandoned[0].last_state, "drill finished");
}

#[test]
fn only_what_firedrill_made_is_removed() {
    let parent = parent();
    let root = parent.path();
    let intact = marked(root);

    let foreign = root.join("foreign");
    fs::create_dir(&foreign).unwrap();
    fs::write(foreign.join(".firedrill-scratch"), "").unwrap();
    let unmarked = root.join(new_directory_name());
    fs::create_dir(&unmarked).unwrap();
    fs::write(unmarked.join("precious"), "").unwrap();
    let marked_by_a_link = root.join(new_directory_name());
    fs::create_dir(&marked_by_a_link).unwrap();
    symlink(unmarked.join("precious"), marked_by_a_link.join(".firedrill-scratch")).unwrap();
    let linked = root.join(new_directory_name());
    let behind = marked(&foreign);
    symlink(&behind, &linked).unwrap();
    let a_file = root.join(new_directory_name());
    fs::write(&a_file, "precious").unwrap();
    let around = root.join("foreign/..").join(marked(root).file_name().unwrap());
    let not_ours = root.join("firedrill-0000000g");
    fs::rename(marked(root), &not_ours).unwrap();
    let socket_of_another = marked(root);
    let relative = marked(root);

    let hostile: Vec<(&str, Resource, PathBuf)> = vec![
        ("another name", cluster(foreign.clone()), foreign.clone()),
        ("no marker", cluster(unmarked.clone()), unmarked.join("precious")),
        ("a link as marker", cluster(marked_by_a_link.clone()), marked_by_a_link),
        ("a link", cluster(linked.clone()), behind.join("data/rows")),
        ("a file", cluster(a_file.clone()), a_file),
        ("a path with ..", cluster(around.clone()), around),
        ("a name of almost our form", cluster(not_ours.clone()), not_ours.join("data/rows")),
        ("the root", cluster("/".into()), foreign.clone()),
        ("nothing", cluster("".into()), foreign.clone()),
        ("a relative path", cluster(relative.file_name().unwrap().into()), relative.clone()),
        (
            "a foreign socket directory",
            Resource::Cluster {
                directory: socket_of_another.clone(),
                socket_directory: Some(foreign.clone()),
            },
            socket_of_another.join("data/rows"),
        ),
    ];
    let state = state(root);
    let services: Vec<String> = hostile.iter().map(|(name, ..)| name.to_string()).collect();
    leave(&state, |journal| {
        journal.will_create("intact", &cluster(intact.clone())).unwrap();
        for ((_, resource, _), service) in hostile.iter().zip(&services) {
            journal.drill_started(service).unwrap();
            journal.will_create(service, resource).unwrap();
        }
    });
    let (_journal, abandoned) = Journal::open(&state, Uuid::now_v7()).unwrap();
    assert!(!intact.exists(), "what is ours goes");
    for (name, resource, precious) in &hostile {
        let drill = abandoned.iter().find(|drill| drill.service.as_deref() == Some(name)).unwrap();
        assert_eq!(drill.leaked.len(), 1, "{name}");
        assert_eq!(&drill.leaked[0].resource, resource, "{name}");
        assert!(drill.leaked[0].why.contains("leave"), "{name}: {}", drill.leaked[0].why);
        assert!(precious.symlink_metadata().is_ok(), "{name}: {precious:?} is gone");
    }
}

#[test]
fn a_torn_last_line_is_nothing_and_damage_is_put_aside() {
    type Damage = fn(&str) -> String;
    let damages: &[(&str, Damage, bool)] = &[
        ("intact", |text| text.to_owned(), false),
        ("torn last line", |text| format!("{text}{{\"at\":\"2026-"), false),
        ("cut in its first line", |text| text[..20].to_owned(), false),
        ("empty", |_| String::new(), false),
        ("a line of rubbish", |text| format!("rubbish\n{text}"), true),
        (
            "an unknown state",
            |text| format!("{text}{{\"at\":\"2026-11-20T00:00:00Z\",\"state\":\"flew\"}}\n"),
            true,
        ),
        ("another run's", |text| text.replacen("\"run_id\":\"0", "\"run_id\":\"1", 1), true),
        ("a later version", |text| text.replacen("\"version\":1", "\"version\":2", 1), true),
        ("without its beginning", |text| text.split_inclusive('\n').skip(1).collect(), true),
        ("too long", |text| format!("{text}{}", " ".repeat(5 << 20)), true),
    ];
    for (name, damage, put_aside) in damages {
        let parent = parent();
        let state = state(parent.path());
        let left = marked(parent.path());
        let run_id = leave(&state, |journal| {
            journal.drill_started("orders").unwrap();
            journal.will_create("orders", &cluster(left.clone())).unwrap();
        });
        let path = state.path().join(format!("runs/{run_id}.jsonl"));
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, damage(&text)).unwrap();
        let (journal, abandoned) = Journal::open(&state, Uuid::now_v7()).unwrap();
        assert_eq!(abandoned.len(), 1, "{name}");
        assert_eq!(abandoned[0].run_id, run_id, "{name}");
        assert_eq!(abandoned[0].quarantined.is_some(), *put_aside, "{name}");
        let told = damage(&text).contains("will_create");
        assert_eq!(!left.exists(), told, "{name}: what it still tells is removed");
        journal.named(&abandoned[0]).unwrap();
        journal.finish().unwrap();
        assert!(Journal::open(&state, Uuid::now_v7()).unwrap().1.is_empty(), "{name}");
    }
}

#[test]
fn odd_things_among_the_journals_keep_nobody_from_running() {
    let parent = parent();
    let state = state(parent.path());
    leave(&state, |_| ());
    let runs = state.path().join("runs");
    fs::create_dir(runs.join(format!("{}.jsonl", Uuid::now_v7()))).unwrap();
    symlink("/etc/passwd", runs.join(format!("{}.jsonl", Uuid::now_v7()))).unwrap();
    nix::unistd::mkfifo(&runs.join(format!("{}.jsonl", Uuid::now_v7())), nix::sys::stat::Mode::S_IRWXU)
        .unwrap();
    fs::write(runs.join("notes.txt"), "").unwrap();
    let (_journal, abandoned) = Journal::open(&state, Uuid::now_v7()).unwrap();
    assert_eq!(abandoned.len(), 4);
    assert!(runs.join("notes.txt").exists());
}

#[test]
fn after_a_kill_at_any_moment_the_next_run_finds_and_removes_everything() {
    type Reached = fn(&Path) -> bool;
    let moments: [(&str, Reached, &str); 3] = [
        ("initdb runs", |directory| directory.join("data/base").exists(), "cluster about to be created"),
        (
            "the server starts",
            |directory| directory.join("data/postmaster.pid").exists(),
            "cluster about to be created",
        ),
        ("it serves", |directory| directory.with_file_name("ready").exists(), "cluster created"),
    ];
    for (moment, reached, last_state) in moments {
        let parent = parent();
        let options = options(parent.path());
        let directory = options.places().unwrap().directory;
        let mut run = Part::of_the_test("run", parent.path());
        run.argument("NAME", Path::new(&options.directory_name));
        let mut run = run.start();
        eventually(Duration::from_secs(60), moment, || reached(&directory));
        let locked = Journal::open(&state(parent.path()), Uuid::now_v7()).map(|_| ()).unwrap_err();
        assert_eq!(locked.kind(), Kind::Locked, "{moment}");
        run.kill();
        let began = Instant::now();
        let (journal, abandoned) = Journal::open(&state(parent.path()), Uuid::now_v7()).unwrap();
        assert!(began.elapsed() < Duration::from_secs(10), "{moment}");
        assert!(!directory.exists(), "{moment}");
        assert_eq!(processes_in(&directory), [] as [u32; 0], "{moment}");
        let [drill] = abandoned.as_slice() else { panic!("{moment}: {abandoned:?}") };
        assert_eq!(drill.service.as_deref(), Some("orders"), "{moment}");
        // Between the server's start and the line that tells it there is a moment.
        assert!(
            drill.last_state == last_state || moment == "the server starts",
            "{moment}: {}",
            drill.last_state
        );
        assert_eq!((drill.removed.len(), drill.leaked.len()), (1, 0), "{moment}");
        journal.named(drill).unwrap();
        journal.finish().unwrap();
        assert_eq!(journals(&state(parent.path())), [] as [PathBuf; 0], "{moment}");
    }
}

/// What the processes do that the tests above start; without being asked, nothing.
#[test]
fn part_of_another_process() {
    let Some(part) = part_of_this_process() else { return };
    die_with(part.parent_process());
    assert_eq!(part.role(), "run");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(run_until_killed(part.directory(), part.text("NAME")));
}

async fn run_until_killed(parent: &Path, name: String) {
    let (journal, _) = Journal::open(&state(parent), Uuid::now_v7()).unwrap();
    journal.drill_started("orders").unwrap();
    let options = ClusterOptions { directory_name: name, ..options(parent) };
    let resource = Resource::from(options.places().unwrap());
    journal.will_create("orders", &resource).unwrap();
    let _cluster = Cluster::start(&own_install(), options).await.unwrap();
    journal.created("orders", &resource).unwrap();
    fs::write(parent.join("ready"), "").unwrap();
    std::future::pending::<()>().await;
}
