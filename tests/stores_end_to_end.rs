//! The binary from an object store to its exit code: one archive in every kind of store and
//! through every way in, drilled by one plan; then the ways in which a store can fail a drill.
#![cfg(test)]

mod archive_support;
#[path = "support/command.rs"]
mod command;
mod support;

use std::fs;
use std::time::{Duration, Instant};

use firedrill::digest::Digest;
use serde_json::Value;

use crate::command::Home;
use crate::support::azurite::{ACCOUNT, Azurite};
use crate::support::fault_server::{Ask, Asked, Fault, FaultServer};
use crate::support::parts::free_address;
use crate::support::s3::S3Server;

/// Other objects beside each backup: more than a page of a listing holds.
const OTHERS: usize = 1_010;

fn dump() -> Vec<u8> {
    fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/archives/pg15/custom-gzip.dump")).unwrap()
}

/// The backup, its sidecar and the others, by key.
fn objects() -> Vec<(String, Vec<u8>)> {
    let dump = dump();
    let now = jiff::Timestamp::now();
    let named = |age_hours: i64| {
        (now - jiff::SignedDuration::from_hours(age_hours)).strftime("fx-%Y%m%dT%H%M%SZ.dump").to_string()
    };
    let newest = named(1);
    let sidecar = format!("{}  {newest}\n", Digest::of(&dump));
    let mut objects = vec![
        (format!("{newest}.sha256"), sidecar.into_bytes()),
        (newest, dump),
        // Chosen by mistake, each of them would show.
        (named(2), b"an older one".to_vec()),
        ("fx-99999999T999999Z.dump".into(), b"no time".to_vec()),
    ];
    // Around it by name, so that it stands in the middle of the pages.
    objects.extend((0..OTHERS).map(|n| {
        let start = if n % 2 == 0 { "aa" } else { "zz" };
        (format!("{start}-{n:04}.log"), Vec::new())
    }));
    objects
}

/// A service with its backup at `location`, read through `store` if that is not empty.
fn service(name: &str, location: &str, store: &str) -> String {
    let store = if store.is_empty() { String::new() } else { format!("store = \"{store}\"") };
    format!(
        r#"
        [service.{name}]
        rto = "10m"
        rpo = "24h"
        overhead = {{ cutover = "1m" }}
        checks = "content only"
        [service.{name}.backup]
        location = "{location}"
        {store}
        pattern = "fx-{{time:%Y%m%dT%H%M%SZ}}.dump"
        every = "1d"
        [service.{name}.scratch]
        settings = "fast"
        isolation = "best-effort"
        "#
    )
}

#[test]
fn a_directory_passes_from_every_kind_of_store() {
    assert_passes_everywhere("dir", "/");
}

#[test]
fn a_tar_passes_from_every_kind_of_store() {
    assert_passes_everywhere("tar", ".tar");
}

/// Drills the backup in the folder of this name, which the pattern ends so.
fn assert_passes_everywhere(format: &str, ending: &str) {
    let (home, s3, azurite) = (Home::new(), S3Server::start(), Azurite::start());
    let local = home.path().join("backups");
    azurite.make("backups");
    let moment = (jiff::Timestamp::now() - jiff::SignedDuration::from_hours(1)).strftime("fx-%Y%m%dT%H%M%SZ");
    let (files, tar) =
        (archive_support::directory(15, "dir-none"), archive_support::member_archive(15, "tar.tar"));
    let sums: String =
        files.iter().map(|(name, content)| format!("{}  {name}\n", Digest::of(content))).collect();
    let mut objects = vec![
        (format!("dir/{moment}.sha256"), sums.clone().into_bytes()),
        (format!("tar/{moment}.tar.sha256"), format!("{}\n", Digest::of(&tar)).into_bytes()),
        (format!("tar/{moment}.tar"), tar.clone()),
    ];
    objects.extend(files.iter().map(|(name, content)| (format!("dir/{moment}/{name}"), content.clone())));
    // The next one, as far as its upload has come: its table of contents is the last.
    objects.push(("dir/fx-20991231T235959Z/1.dat".into(), b"1".to_vec()));
    for (key, bytes) in &objects {
        s3.put("backups", key, bytes);
        azurite.put("backups", key, bytes);
        support::s3::write(&local.join(key), bytes);
    }
    let endpoint = &azurite.endpoint;
    let places = [
        ("s3", "s3://backups".to_owned(), "rclone"),
        ("azure", format!("az://{ACCOUNT}/backups"), "key"),
        ("local", format!("file://{}", local.display()), ""),
    ];
    let services = places.iter().map(|(place, root, store)| {
        let service = service(&format!("{format}-in-{place}"), &format!("{root}/{format}/"), store);
        service.replace("}.dump", &format!("}}{ending}"))
    });
    let stores = [
        s3_store("rclone", &s3.endpoint),
        format!("[store.key]\nendpoint = \"{endpoint}\"\naccount_key_env = \"TEST_KEY\"\n"),
    ];
    home.plan(&stores.into_iter().chain(services).collect::<String>());
    let mut variables = s3_variables(&s3);
    variables.extend(azurite.variables());
    let document = home.run(&["run", "--json"], &variables).with(0).document();
    let drills = document["drills"].as_array().unwrap();
    assert_eq!(drills.len(), 3);
    for drill in drills {
        let name = drill["service"]["id"].as_str().unwrap();
        assert_eq!(drill["verdict"]["result"], "pass", "{name}: {}", drill["verdict"]);
        let digest = if name.starts_with("dir") { Digest::of(sums.as_bytes()) } else { Digest::of(&tar) };
        assert_eq!(drill["artifact"]["observed"]["sha256"], digest.to_string(), "{name}");
        assert_eq!(drill["artifact"]["expected"]["source"], "sidecar", "{name}");
        let passed_over = drill["selection"]["rejected"].to_string();
        assert_eq!(passed_over.contains("NAME_NOT_FINAL"), name.starts_with("dir"), "{name}: {passed_over}");
    }
    let listed = home.run(&["backups"], &variables).with(0).stdout;
    assert!(listed.contains(&format!("{moment}{ending}")), "{listed}");
}

fn s3_store(name: &str, endpoint: &str) -> String {
    format!("[store.{name}]\nendpoint = \"{endpoint}\"\nregion = \"us-east-1\"\npath_style = true\n")
}

fn s3_variables(server: &S3Server) -> Vec<(&'static str, String)> {
    server.variables().to_vec()
}

fn reason_codes(drill: &Value) -> Vec<&str> {
    drill["verdict"]["reason_codes"].as_array().unwrap().iter().map(|code| code.as_str().unwrap()).collect()
}

#[test]
fn one_archive_passes_from_every_kind_of_store_and_through_every_way_in() {
    let (home, s3, azurite) = (Home::new(), S3Server::start(), Azurite::start());
    let directory = home.path().join("backups");
    azurite.make("backups");
    for (key, bytes) in objects() {
        s3.put("backups", &format!("fx/{key}"), &bytes);
        azurite.put("backups", &format!("fx/{key}"), &bytes);
        support::s3::write(&directory.join(&key), &bytes);
    }
    let azure = format!("az://{ACCOUNT}/backups/fx/");
    let endpoint = &azurite.endpoint;
    home.plan(
        &[
            s3_store("rclone", &s3.endpoint),
            format!("[store.key]\nendpoint = \"{endpoint}\"\naccount_key_env = \"TEST_KEY\"\n"),
            format!("[store.sas]\nendpoint = \"{endpoint}\"\nsas_env = \"TEST_SAS\"\n"),
            "[store.connection]\nconnection_string_env = \"TEST_CONNECTION\"\n".to_owned(),
            service("in-s3", "s3://backups/fx/", "rclone"),
            service("in-azure-by-key", &azure, "key"),
            service("in-azure-by-sas", &azure, "sas"),
            service("in-azure-by-connection", &azure, "connection"),
            service("in-a-directory", &format!("file://{}/", directory.display()), ""),
        ]
        .concat(),
    );
    let mut variables = s3_variables(&s3);
    variables.extend(azurite.variables());
    let document = home.run(&["run", "--json"], &variables).with(0).document();
    let drills = document["drills"].as_array().unwrap();
    assert_eq!(drills.len(), 5);
    let (dump, digest) = (dump(), Digest::of(&dump()).to_string());
    for drill in drills {
        let name = drill["service"]["id"].as_str().unwrap();
        assert_eq!(drill["verdict"]["result"], "pass", "{name}: {}", drill["verdict"]);
        assert_eq!(drill["selection"]["listing"]["objects"], OTHERS + 4, "{name}");
        assert_eq!(drill["artifact"]["expected"]["source"], "sidecar", "{name}");
        assert_eq!(drill["artifact"]["observed"]["sha256"], digest.as_str(), "{name}");
        assert_eq!(drill["artifact"]["observed"]["bytes"], dump.len(), "{name}");
        assert_eq!(drill["fidelity"]["tables_equal"], drill["fidelity"]["tables_expected"], "{name}");
        assert_eq!(drill["measurements"]["recovery_point"]["met_now"], true, "{name}");
        // The same rows, wherever they lay.
        let rows = |drill: &Value| drill["fidelity"]["coverage"].clone();
        assert_eq!(rows(drill), rows(&drills[0]), "{name}");
        assert_eq!(home.evidence(name).len(), 1, "{name}");
    }
}

/// An archive of several parts, read one after the other, in a store that goes by a script.
fn in_parts(script: impl Fn(&Asked) -> Fault + Send + Sync + 'static) -> (Home, FaultServer) {
    read_by("connections = 1", script)
}

/// The same, with this line in the plan.
fn read_by(
    connections: &str,
    script: impl Fn(&Asked) -> Fault + Send + Sync + 'static,
) -> (Home, FaultServer) {
    let dump = fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/archives/pg15/custom-none.dump"));
    let dump = dump.unwrap();
    let sidecar = format!("{}  fx.dump\n", Digest::of(&dump));
    let objects = [("p/fx.dump".to_owned(), dump), ("p/fx.dump.sha256".to_owned(), sidecar.into_bytes())];
    let server = FaultServer::start(objects, script);
    let plan = s3_store("test", &server.endpoint)
        + "[service.fx]\nchecks = \"content only\"\n\
           [service.fx.backup]\nlocation = \"s3://b/p/\"\nstore = \"test\"\npattern = \"fx.dump\"\n\
           [service.fx.scratch]\nsettings = \"fast\"\nisolation = \"best-effort\"\n\
           [service.fx.restore]\npart = \"64KiB\"\n"
        + connections;
    (Home::with_plan(&plan), server)
}

fn any_credentials() -> Vec<(&'static str, String)> {
    vec![("AWS_ACCESS_KEY_ID", "any".into()), ("AWS_SECRET_ACCESS_KEY", "any".into())]
}

fn is_later_part(asked: &Asked) -> bool {
    asked.ask == Ask::Get && asked.offset > 0
}

#[test]
fn an_object_that_is_replaced_while_it_is_read_is_told_apart_from_a_bad_one() {
    type Script = fn(&Asked) -> Fault;
    let table: [(&str, Script, i32, &[&str]); 3] = [
        ("left alone", |_| Fault::None, 0, &[]),
        (
            "another one with the same name",
            |asked| if is_later_part(asked) { Fault::Swapped } else { Fault::None },
            2,
            &["SOURCE_UNSTABLE"],
        ),
        (
            "removed",
            |asked| if is_later_part(asked) { Fault::Status(404, "NoSuchKey") } else { Fault::None },
            2,
            &["SOURCE_UNSTABLE"],
        ),
    ];
    for (name, script, code, reasons) in table {
        let (home, _server) = in_parts(script);
        let document = home.run(&["run", "--json"], &any_credentials()).with(code).document();
        assert_eq!(reason_codes(&document["drills"][0]), reasons, "{name}: {document:#}");
        assert!(home.left_behind().is_empty(), "{name}");
    }
}

#[test]
fn the_evidence_says_how_the_store_was_read_and_that_it_asked_to_slow_down() {
    for (line, chosen) in [("connections = 3\n", "pinned"), ("", "adaptive")] {
        let (home, _server) = read_by(line, |asked| match asked {
            Asked { ask: Ask::Get, nth: 3, .. } => Fault::Status(503, "SlowDown"),
            _ => Fault::None,
        });
        home.run(&["run"], &any_credentials()).with(0);
        let restore = &home.evidence("fx")[0]["restore"];
        let window = &restore["store_window"];
        assert_eq!(
            (window["chosen"].as_str(), window["throttled"].as_u64()),
            (Some(chosen), Some(1)),
            "{restore:#}"
        );
        let (used, most) = (&restore["store_connections"], &window["most"]);
        let (used, most) = (used.as_u64().unwrap(), most.as_u64().unwrap());
        assert!((1..=most).contains(&used), "{restore:#}");
        assert!(if line.is_empty() { most >= 8 } else { most == 3 }, "{restore:#}");
    }
}

#[test]
fn a_store_that_is_down_or_lets_nobody_in_proves_nothing_against_the_backup() {
    let (s3, azurite) = (S3Server::start(), Azurite::start());
    s3.put("backups", "fx/fx-20261101T000000Z.dump", b"x");
    azurite.make("backups");
    azurite.put("backups", "fx/fx-20261101T000000Z.dump", b"x");
    let refusing = FaultServer::start([], |_| Fault::Status(403, "AccessDenied"));
    let nobody = format!("http://{}", free_address());
    let azure = format!("az://{ACCOUNT}/backups/fx/");
    let wrong_key = "d3Jvbmcga2V5IHdyb25nIGtleSB3cm9uZyBrZXkgd3Jvbmcga2V5IQ==";
    let azure_store = |endpoint: &str, way: &str| format!("[store.test]\nendpoint = \"{endpoint}\"\n{way}\n");
    let key = "account_key_env = \"TEST_KEY\"";
    let variables = |key: &str| {
        vec![
            ("AWS_ACCESS_KEY_ID", s3.access_key.clone()),
            ("AWS_SECRET_ACCESS_KEY", key.to_owned()),
            ("TEST_KEY", key.to_owned()),
            (
                "TEST_SAS",
                "sv=2021-12-02&ss=b&srt=sco&sp=rl&se=2030-01-01T00:00:00Z&sig=d3Jvbmc%3D".to_owned(),
            ),
        ]
    };
    let sas = "sas_env = \"TEST_SAS\"";
    let table = [
        ("S3 down", s3_store("test", &nobody), "s3://backups/fx/", variables(wrong_key), "LIST_UNAVAILABLE"),
        ("Azure down", azure_store(&nobody, key), &azure, variables(wrong_key), "LIST_UNAVAILABLE"),
        ("S3 key", s3_store("test", &s3.endpoint), "s3://backups/fx/", variables(wrong_key), "CREDENTIALS"),
        ("no S3 key", s3_store("test", &s3.endpoint), "s3://backups/fx/", vec![], "CREDENTIALS"),
        ("no S3 right", s3_store("test", &refusing.endpoint), "s3://b/fx/", variables("k"), "ACCESS_DENIED"),
        (
            "no bucket",
            s3_store("test", &s3.endpoint),
            "s3://elsewhere/fx/",
            variables(&s3.secret_key),
            "LIST_UNAVAILABLE",
        ),
        ("Azure key", azure_store(&azurite.endpoint, key), &azure, variables(wrong_key), "ACCESS_DENIED"),
        ("Azure SAS", azure_store(&azurite.endpoint, sas), &azure, variables(""), "ACCESS_DENIED"),
        ("no Azure key", azure_store(&azurite.endpoint, key), &azure, vec![], "CREDENTIALS"),
        ("no directory", String::new(), "file:///nowhere/at/all/", vec![], "LIST_UNAVAILABLE"),
    ];
    let secrets = [wrong_key, "d3Jvbmc", s3.secret_key.as_str()];
    std::thread::scope(|scope| {
        for (name, store, location, variables, reason) in &table {
            scope.spawn(move || {
                let named = if store.is_empty() { "" } else { "test" };
                let home = Home::with_plan(&(store.clone() + &service("fx", location, named)));
                let began = Instant::now();
                let ended = home.run(&["run", "--json"], variables).with(2);
                assert!(began.elapsed() < Duration::from_secs(75), "{name}: {:?}", began.elapsed());
                let document = ended.document();
                assert_eq!(reason_codes(&document["drills"][0]), [*reason], "{name}: {document:#}");
                let evidence = home.evidence("fx");
                assert_eq!(evidence[0]["verdict"]["result"], "inconclusive", "{name}");
                let told = format!("{}{}{evidence:?}", ended.stdout, ended.stderr);
                for secret in secrets {
                    assert!(!told.contains(secret), "{name}: {told}");
                }
            });
        }
    });
}

#[test]
fn a_place_without_a_backup_fails_and_says_what_was_there() {
    let (s3, azurite) = (S3Server::start(), Azurite::start());
    fs::create_dir_all(s3.dir.join("backups")).unwrap();
    azurite.make("backups");
    let home = Home::new();
    let empty = home.path().join("empty");
    fs::create_dir(&empty).unwrap();
    let full = home.path().join("others");
    support::s3::write(&full.join("readme.txt"), b"nothing to restore");
    home.plan(
        &[
            s3_store("rclone", &s3.endpoint),
            format!("[store.key]\nendpoint = \"{}\"\naccount_key_env = \"TEST_KEY\"\n", azurite.endpoint),
            service("in-s3", "s3://backups/fx/", "rclone"),
            service("in-azure", &format!("az://{ACCOUNT}/backups/fx/"), "key"),
            service("in-a-directory", &format!("file://{}/", empty.display()), ""),
            service("among-others", &format!("file://{}/", full.display()), ""),
        ]
        .concat(),
    );
    let mut variables = s3_variables(&s3);
    variables.extend(azurite.variables());
    let document = home.run(&["run", "--json"], &variables).with(1).document();
    for (index, listed) in [0, 0, 0, 1].into_iter().enumerate() {
        let drill = &document["drills"][index];
        assert_eq!(drill["verdict"]["result"], "fail", "{drill:#}");
        assert_eq!(reason_codes(drill), ["NO_BACKUP_FOUND"], "{drill:#}");
        assert_eq!(drill["selection"]["listing"]["objects"], listed, "{drill:#}");
    }
}
