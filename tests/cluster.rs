//! The throwaway cluster on real servers: it starts, it is confined, and it is gone afterwards,
//! whatever happens to whoever made it.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "what fails here fails the test")]

#[path = "support/postgres.rs"]
mod postgres;
#[path = "support/process.rs"]
mod process;

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use firedrill::postgres::{
    Cluster, ClusterOptions, Isolation, IsolationHad, Kind, Session, find_installs, remove_leftover,
};
use firedrill::verdict::Code;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};

use crate::postgres::{eventually, installs, options, own_install, parent, processes_in, start};
use crate::process::{Part, die_with, part_of_this_process};

/// One line of text: what a program says that the server runs.
async fn said_by_program(
    session: &Session,
    program: &str,
) -> Result<Vec<String>, firedrill::postgres::Error> {
    session.run("drop table if exists said; create table said (line text)").await?;
    session.run(&format!("copy said from program '{program}' with (format csv, delimiter e'\\x01')")).await?;
    let rows = session.rows("select line from said").await?;
    Ok(rows.into_iter().flatten().map(Option::unwrap_or_default).collect())
}

fn is_empty(directory: &Path) -> bool {
    fs::read_dir(directory).unwrap().next().is_none()
}

#[tokio::test]
async fn it_starts_on_every_server_and_is_gone_after_stop() {
    for install in installs() {
        let parent = parent();
        let options = ClusterOptions { isolation: Isolation::Required, ..options(parent.path()) };
        let places = options.places().unwrap();
        let cluster = Cluster::start(&install, options).await.unwrap();
        assert_eq!(cluster.directory(), places.directory);
        let session = cluster.connect("postgres").await.unwrap();
        let version = session.rows("show server_version_num").await.unwrap();
        let version: u32 = version[0][0].as_deref().unwrap().parse().unwrap();
        assert_eq!(version / 10_000, install.version.major);
        let guards = [
            ("listen_addresses", ""),
            ("autovacuum", "off"),
            ("archive_mode", "off"),
            ("wal_level", "minimal"),
            ("dynamic_shared_memory_type", "mmap"),
        ];
        for (name, value) in guards {
            let shown = session.rows(&format!("show {name}")).await.unwrap();
            assert_eq!(shown[0][0].as_deref(), Some(value), "{name} on {}", install.version.text);
        }
        assert_eq!(cluster.isolated(), IsolationHad::NetworkNamespace);
        cluster.alive().unwrap();
        cluster.stop().await.unwrap();
        assert!(is_empty(parent.path()), "{}", install.version.text);
        assert_eq!(processes_in(parent.path()), [] as [u32; 0]);
    }
}

#[tokio::test]
async fn it_is_gone_after_a_drop_and_after_a_panic() {
    let parent = parent();
    drop(start(parent.path()).await);
    assert!(is_empty(parent.path()));
    let below = parent.path().to_path_buf();
    let panicking = tokio::spawn(async move {
        let cluster = start(&below).await;
        let _session = cluster.connect("postgres").await.unwrap();
        panic!("a bug");
    });
    assert!(panicking.await.unwrap_err().is_panic());
    assert!(is_empty(parent.path()));
    assert_eq!(processes_in(parent.path()), [] as [u32; 0]);
}

#[tokio::test]
async fn a_start_that_is_cut_off_leaves_nothing() {
    for after in [0, 20, 200, 500] {
        let parent = parent();
        let options = options(parent.path());
        let cut =
            tokio::time::timeout(Duration::from_millis(after), Cluster::start(&own_install(), options)).await;
        drop(cut);
        assert!(is_empty(parent.path()), "after {after} ms");
        assert_eq!(processes_in(parent.path()), [] as [u32; 0], "after {after} ms");
    }
    let parent = parent();
    let options = ClusterOptions { start_deadline: Duration::from_millis(100), ..options(parent.path()) };
    let error = Cluster::start(&own_install(), options).await.map(|_| ()).unwrap_err();
    assert_eq!(error.reason().code, Code::ScratchUnavailable);
    assert!(is_empty(parent.path()));
}

#[tokio::test]
async fn what_runs_in_it_has_no_privileges_no_network_and_no_environment() {
    let parent = parent();
    let options = ClusterOptions { isolation: Isolation::Required, ..options(parent.path()) };
    let cluster = Cluster::start(&own_install(), options).await.unwrap();
    let session = cluster.connect("postgres").await.unwrap();

    let status = said_by_program(&session, "cat /proc/self/status").await.unwrap();
    let field = |name: &str| {
        let line = status.iter().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("{name}"));
        line.split_whitespace().map(String::from).collect::<Vec<_>>()
    };
    assert!(field("Uid:").iter().all(|uid| uid != "0"), "{status:?}");
    assert_eq!(field("CapEff:"), ["0000000000000000"]);
    assert_eq!(field("CapPrm:"), ["0000000000000000"]);
    assert_eq!(field("CapAmb:"), ["0000000000000000"]);
    assert_eq!(field("NoNewPrivs:"), ["1"]);
    if geteuid().is_root() {
        assert_eq!(field("Groups:").len(), 1, "{status:?}");
    }

    let interfaces = said_by_program(&session, "tail -n +3 /proc/net/dev").await.unwrap();
    assert!(interfaces.iter().all(|line| line.trim_start().starts_with("lo:")), "{interfaces:?}");
    let environment = said_by_program(&session, "env").await.unwrap();
    let known = ["PATH=", "LANG=", "LC_", "TZ=", "PWD=", "SHLVL=", "_=", "PG", "OLDPWD="];
    for variable in environment {
        assert!(known.iter().any(|start| variable.starts_with(start)), "{variable}");
    }
    assert_eq!(said_by_program(&session, "ulimit -c").await.unwrap(), ["0"]);
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_listener_of_this_machine_can_be_reached_only_without_isolation() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let dial = format!("bash -c \"exec 3<>/dev/tcp/127.0.0.1/{}\"", listener.local_addr().unwrap().port());
    for (isolation, reached) in [(Isolation::Off, true), (Isolation::Required, false)] {
        let parent = parent();
        let options = ClusterOptions { isolation, ..options(parent.path()) };
        let cluster = Cluster::start(&own_install(), options).await.unwrap();
        assert_eq!(cluster.isolated() == IsolationHad::NetworkNamespace, !reached);
        let session = cluster.connect("postgres").await.unwrap();
        assert_eq!(said_by_program(&session, &dial).await.is_ok(), reached, "{isolation:?}");
        assert_eq!(listening_sockets_of(cluster.server_pid()), 0, "{isolation:?}");
        cluster.stop().await.unwrap();
    }
}

/// How many TCP sockets a process listens on.
fn listening_sockets_of(pid: u32) -> usize {
    let links = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
    let own: Vec<String> = links
        .filter_map(|link| fs::read_link(link.path()).ok())
        .filter_map(|target| Some(target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect();
    assert!(!own.is_empty(), "it listens on its unix socket at least");
    let tables = ["tcp", "tcp6"]
        .map(|table| fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default());
    let lines = tables.iter().flat_map(|table| table.lines().skip(1));
    let sockets = lines.map(|line| line.split_whitespace().collect::<Vec<_>>());
    sockets.filter(|words| words[3] == "0A" && own.iter().any(|inode| inode == words[9])).count()
}

#[tokio::test]
async fn only_our_user_gets_in_even_beside_a_neighbour_with_the_servers_own_uid() {
    let parent = parent();
    let cluster = start(parent.path()).await;
    let sockets = fs::metadata(cluster.socket_directory()).unwrap();
    assert_eq!(sockets.permissions().mode() & 0o777, 0o700);
    // The same connection works as ourselves, and is refused as the server's own user.
    let table: &[(u32, bool)] = if geteuid().is_root() {
        &[(0, true), (sockets.uid(), false)]
    } else {
        &[(geteuid().as_raw(), true)]
    };
    for &(uid, let_in) in table {
        let mut part = Part::of_the_test("connect", parent.path());
        part.argument("SOCKETS", cluster.socket_directory());
        let status = part.run_as(uid);
        assert_eq!(status.success(), let_in, "uid {uid}: {status}");
    }
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_user_who_cannot_reach_the_directory_is_named() {
    if !geteuid().is_root() {
        // Only root steps down to somebody who may reach less than itself.
        return;
    }
    let parent = parent();
    fs::set_permissions(parent.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let error = Cluster::start(&own_install(), options(parent.path())).await.map(|_| ()).unwrap_err();
    assert_eq!(error.kind(), Kind::Start);
    assert!(error.to_string().contains("can't be reached by user"), "{error}");
    assert!(is_empty(parent.path()));
}

#[tokio::test]
async fn a_deep_directory_gets_its_socket_elsewhere_and_both_are_gone() {
    let parent = parent();
    let deep = parent.path().join("a \"b\", c").join("d".repeat(100));
    fs::create_dir_all(&deep).unwrap();
    let options = options(&deep);
    let places = options.places().unwrap();
    let second = places.socket_directory.clone().unwrap();
    let cluster = Cluster::start(&own_install(), options).await.unwrap();
    assert!(cluster.socket_directory().starts_with(&second));
    cluster.connect("template1").await.unwrap();
    cluster.stop().await.unwrap();
    assert!(!places.directory.exists() && !second.exists());
}

#[tokio::test]
async fn a_session_knows_its_server_and_its_database() {
    let parent = parent();
    let (one, other) = (start(parent.path()).await, start(parent.path()).await);
    let session = one.connect("postgres").await.unwrap();
    session.assert_here(one.run_token()).await.unwrap();
    let error = session.assert_here(other.run_token()).await.unwrap_err();
    assert_eq!(error.reason().code, Code::WrongDatabase);
    let error = one.connect("nowhere").await.map(|_| ()).unwrap_err();
    assert_eq!((error.kind(), error.sqlstate()), (Kind::Statement, Some("3D000")));
}

#[tokio::test]
async fn errors_of_the_server_carry_no_rows() {
    let parent = parent();
    let cluster = start(parent.path()).await;
    let session = cluster.connect("postgres").await.unwrap();
    session.run("create table orders (id int primary key, uid int check (uid < 100)); insert into orders values (1, 1)").await.unwrap();
    let statements = [
        ("select 'canary'::int", "22P02"),
        ("select canary from orders", "42703"),
        ("insert into orders values (1, 2)", "23505"),
        ("insert into orders values (2, 424242)", "23514"),
        ("do $$ begin raise exception 'canary %', 1; end $$", "P0001"),
        ("do $$ begin raise exception using message = 'canary', errcode = '23514'; end $$", "23514"),
        ("selec 'canary'", "42601"),
    ];
    for (sql, sqlstate) in statements {
        let error = session.run(sql).await.unwrap_err();
        assert_eq!(error.sqlstate(), Some(sqlstate), "{sql}: {error}");
        let text = format!("{error} {error:?} {:?}", error.reason());
        // A name is no value: a column that is missing must be named.
        assert_eq!(text.contains("canary"), sqlstate == "42703", "{text}");
        assert!(!text.contains("424242") && !text.contains("(1)"), "{text}");
    }
    let mut rows = session.copy_in("copy orders from stdin").await.unwrap();
    rows.send(Bytes::from_static(b"2\t3\n4\tcanary\n")).await.unwrap();
    let error = rows.finish().await.unwrap_err();
    assert_eq!((error.line(), error.column(), error.kind()), (Some(2), Some("uid"), Kind::Statement));
    assert!(!format!("{error} {error:?}").contains("canary"), "{error}");
    assert!(!cluster.log_tail().contains("canary"), "{}", cluster.log_tail());
    let log = fs::read_to_string(cluster.directory().join("log")).unwrap();
    assert!(!log.contains("canary"), "{log}");

    let error = session.run("do $$ begin raise exception using errcode = '53100'; end $$").await.unwrap_err();
    assert_eq!(error.reason().code, Code::ScratchDiskFull);
    session.run("set client_min_messages = notice").await.unwrap();
    session
        .run("do $$ begin for i in 1..20000 loop raise notice '%', repeat('x', 1000); end loop; end $$")
        .await
        .unwrap();
    assert_eq!(session.notices(), 20_000);
}

#[tokio::test]
async fn rows_go_in_and_come_out_as_they_were() {
    let parent = parent();
    let cluster = start(parent.path()).await;
    let session = cluster.connect("postgres").await.unwrap();
    session.run("begin; create table t (n int, s text)").await.unwrap();
    let mut rows = session.copy_in("copy t from stdin").await.unwrap();
    for n in 0..3000 {
        rows.send(Bytes::from(format!("{n}\tline {n}\n"))).await.unwrap();
    }
    assert_eq!(rows.finish().await.unwrap(), 3000);
    session.run("commit").await.unwrap();
    let mut out = session.copy_out("copy (select * from t order by n) to stdout").await.unwrap();
    let mut count = 0;
    while let Some(row) = out.next().await.unwrap() {
        assert_eq!(row, format!("{count}\tline {count}\n"));
        count += 1;
    }
    assert_eq!(count, 3000);
    let error = session.rows("select repeat('x', 1 << 20) from generate_series(1, 65)").await.unwrap_err();
    assert_eq!(error.kind(), Kind::Protocol);
}

#[tokio::test]
async fn a_death_of_the_server_is_told_with_its_cause() {
    let table = [
        (false, Signal::SIGKILL, Kind::OutOfMemory),
        (false, Signal::SIGSEGV, Kind::Crashed),
        (true, Signal::SIGKILL, Kind::OutOfMemory),
        (true, Signal::SIGTERM, Kind::Crashed),
    ];
    for (postmaster, signal, kind) in table {
        let parent = parent();
        let cluster = start(parent.path()).await;
        let session = cluster.connect("postgres").await.unwrap();
        let pid = match postmaster {
            true => cluster.server_pid().to_string(),
            false => session.rows("select pg_backend_pid()").await.unwrap()[0][0].clone().unwrap(),
        };
        let sleeping = session.run("select pg_sleep(60)");
        let killing = async {
            let running =
                "select from pg_stat_activity where query like '%pg_sleep(60)%' and pid <> pg_backend_pid()";
            let watcher = cluster.connect("postgres").await.unwrap();
            while watcher.rows(running).await.unwrap().is_empty() {}
            kill(Pid::from_raw(pid.parse().unwrap()), signal).unwrap();
            if signal == Signal::SIGTERM {
                // The smart shutdown waits for sessions; the fast one does not.
                kill(Pid::from_raw(pid.parse().unwrap()), Signal::SIGINT).unwrap();
            }
        };
        let (slept, ()) = tokio::join!(sleeping, killing);
        let error = cluster.explain(slept.unwrap_err()).await;
        assert_eq!(error.kind(), kind, "{signal} to the postmaster: {postmaster}: {error}");
        assert_eq!(cluster.alive().unwrap_err().kind(), kind);
        assert!(cluster.connect("postgres").await.is_err());
        cluster.stop().await.unwrap();
        assert!(is_empty(parent.path()));
    }
}

#[test]
fn it_dies_with_the_process_that_made_it_at_whatever_moment_that_is_killed() {
    type Reached = fn(&Path) -> bool;
    let moments: [(&str, Reached); 4] = [
        ("initdb has begun", |directory| !processes_in(directory).is_empty()),
        ("initdb fills the data directory", |directory| directory.join("data/base/1").exists()),
        ("the server starts", |directory| directory.join("data/postmaster.pid").exists()),
        ("the server serves", |directory| directory.with_file_name("ready").exists()),
    ];
    for (moment, reached) in moments {
        let parent = parent();
        let mut owner = Part::of_the_test("own", parent.path());
        let options = options(parent.path());
        owner.argument("NAME", Path::new(&options.directory_name));
        let places = options.places().unwrap();
        let mut owner = owner.start();
        eventually(Duration::from_secs(60), moment, || reached(&places.directory));
        owner.kill();
        let gone = || processes_in(&places.directory).is_empty();
        eventually(Duration::from_secs(5), &format!("everything is dead after a kill when {moment}"), gone);
        assert!(remove_leftover(&places).unwrap(), "{moment}");
        assert!(!places.directory.exists(), "{moment}");
        assert!(!remove_leftover(&places).unwrap(), "{moment}");
    }
}

#[test]
fn a_server_whose_owner_could_not_take_it_along_is_ended_by_the_clean_up() {
    let parent = parent();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let cluster = runtime.block_on(start(parent.path()));
    let options = ClusterOptions {
        directory_name: cluster.directory().file_name().unwrap().to_str().unwrap().into(),
        ..options(parent.path())
    };
    // Nobody's for all that the clean-up can see.
    assert!(remove_leftover(&options.places().unwrap()).unwrap());
    assert!(is_empty(parent.path()));
    assert_eq!(processes_in(parent.path()), [] as [u32; 0]);
    runtime.block_on(cluster.stop()).unwrap();
}

#[test]
fn an_ordinary_user_can_do_it_all() {
    let uid = if geteuid().is_root() {
        nix::unistd::User::from_name("nobody").unwrap().unwrap().uid.as_raw()
    } else {
        geteuid().as_raw()
    };
    let parent = parent();
    let status = Part::of_the_test("ordinary", parent.path()).run_as(uid);
    assert!(status.success(), "{status}");
    assert!(is_empty(&parent.path().join("own")));
}

#[test]
fn a_machine_that_refuses_namespaces_gets_an_answer_as_the_plan_asked() {
    for asked in ["required", "best-effort"] {
        let parent = parent();
        let mut part = Part::of_the_test("refused", parent.path());
        part.argument("ASKED", Path::new(asked));
        part.refuse_namespaces();
        let status = part.run_as(geteuid().as_raw());
        assert!(status.success(), "{asked}: {status}");
    }
}

/// What the processes do that the tests above start; without being asked, nothing.
#[test]
fn part_of_another_process() {
    let Some(part) = part_of_this_process() else { return };
    die_with(part.parent_process());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    match part.role() {
        "own" => runtime.block_on(own_until_killed(part.directory(), part.text("NAME"))),
        "connect" => runtime.block_on(connect_to(part.path("SOCKETS"))),
        "ordinary" => runtime.block_on(live_through_it(part.directory())),
        "refused" => runtime.block_on(be_refused(part.directory(), part.text("ASKED"))),
        other => panic!("'{other}' is no part"),
    }
}

async fn own_until_killed(parent: &Path, name: String) {
    let options = ClusterOptions { directory_name: name, ..options(parent) };
    let cluster = Cluster::start(&own_install(), options).await.unwrap();
    let session = cluster.connect("postgres").await.unwrap();
    fs::write(parent.join("ready"), "").unwrap();
    // Busy, so that only the signal can end it.
    _ = session.run("select pg_sleep(600)").await;
}

async fn connect_to(sockets: PathBuf) {
    let mut config = tokio_postgres::Config::new();
    config.host_path(sockets).user("firedrill_scratch").dbname("postgres");
    config.connect(tokio_postgres::NoTls).await.map(|_| ()).unwrap();
}

async fn live_through_it(parent: &Path) {
    assert!(!geteuid().is_root());
    for install in [own_install(), postgres::install(18)] {
        let options = ClusterOptions { isolation: Isolation::Required, ..options(parent) };
        let cluster = Cluster::start(&install, options).await.unwrap();
        assert_eq!(cluster.isolated(), IsolationHad::NetworkNamespace);
        assert_eq!(fs::metadata(cluster.directory()).unwrap().permissions().mode() & 0o777, 0o700);
        let session = cluster.connect("postgres").await.unwrap();
        let interfaces = said_by_program(&session, "tail -n +3 /proc/net/dev").await.unwrap();
        assert!(interfaces.iter().all(|line| line.trim_start().starts_with("lo:")), "{interfaces:?}");
        let status = said_by_program(&session, "cat /proc/self/status").await.unwrap();
        assert!(status.contains(&"CapEff:\t0000000000000000".to_owned()), "{status:?}");
        cluster.stop().await.unwrap();
    }
}

async fn be_refused(parent: &Path, asked: String) {
    let isolation = if asked == "required" { Isolation::Required } else { Isolation::BestEffort };
    let options = ClusterOptions { isolation, ..options(parent) };
    let started = Cluster::start(&own_install(), options).await;
    if isolation == Isolation::Required {
        let reason = started.map(|_| ()).unwrap_err().reason();
        assert_eq!(reason.code, Code::IsolationUnavailable);
        assert!(reason.remedy.contains("isolation = \"best-effort\""), "{}", reason.remedy);
        assert!(is_empty(parent));
        return;
    }
    let cluster = started.unwrap();
    let IsolationHad::None { why } = cluster.isolated() else { panic!("{:?}", cluster.isolated()) };
    assert!(why.contains("refuses network namespaces"), "{why}");
    cluster.connect("postgres").await.unwrap();
    cluster.stop().await.unwrap();
}

#[test]
fn the_servers_of_this_machine_are_found() {
    let found = find_installs(None);
    assert!(!found.is_empty(), "PostgreSQL is missing: install the package 'postgresql'");
    for install in &found {
        assert!(install.bin.is_absolute() && install.bin.join("initdb").exists());
        assert_eq!(find_installs(Some(&install.bin)), std::slice::from_ref(install));
    }
}
