//! Copies of evidence in stores that are real, and in one that misbehaves by a script.

// Helpers count as tests by this, and may unwrap like them.
#![cfg(test)]

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use firedrill::evidence::{Kind, Sink, send, waiting};
use firedrill::plan::Remote;
use firedrill::store::{Environment, Location, Options};
use jiff::Timestamp;

#[path = "support/bucket.rs"]
mod bucket;
#[path = "support/signed.rs"]
mod signed;
mod support;

use bucket::{Bucket, Mishap, fair};

use signed::{archive, night};
use support::azurite::{ACCOUNT, Access, Azurite};
use support::s3::S3Server;

fn remote(location: &str, store: Options) -> Remote {
    Remote { location: Location::parse(location).unwrap(), store_name: None, store, retain: None }
}

/// A place to send to, and what reads it back.
struct Place {
    name: &'static str,
    remote: Remote,
    environment: Environment,
    _server: Box<dyn std::any::Any>,
}

fn s3() -> Place {
    let server = S3Server::start();
    fs::create_dir(server.dir.join("evidence")).unwrap();
    Place {
        name: "S3",
        remote: remote("s3://evidence/firedrill/", server.options()),
        environment: server.environment(),
        _server: Box::new(server),
    }
}

fn azure() -> Place {
    let server = Azurite::start();
    server.make("evidence");
    Place {
        name: "Azure",
        remote: remote(&format!("az://{ACCOUNT}/evidence/firedrill/"), server.options(Access::Key)),
        environment: server.environment(),
        _server: Box::new(server),
    }
}

impl Place {
    async fn sink(&self) -> Sink {
        Sink::open_with(&self.remote, &self.environment).await.unwrap()
    }

    /// What lies there, by its name, read by the other door.
    async fn objects(&self) -> Vec<(String, Vec<u8>)> {
        let patience = firedrill::store::Patience::default();
        let store = firedrill::store::Store::open_with(
            &self.remote.location,
            &self.remote.store,
            &self.environment,
            &patience,
        );
        let store = store.await.unwrap();
        let mut objects = Vec::new();
        for object in store.list().await.unwrap().objects {
            let bytes = store.read(&object, 0..object.bytes).await.unwrap().to_vec();
            objects.push((object.key.clone(), bytes));
        }
        objects
    }
}

#[tokio::test]
async fn an_object_is_made_once_and_never_replaced() {
    for place in [s3(), azure()] {
        let sink = place.sink().await;
        let name = place.name;
        sink.store("orders/1.json", b"{\"a\":1}").await.unwrap();
        sink.store("orders/1.json", b"{\"a\":1}").await.unwrap();
        for other in [&b"{\"a\":2}"[..], b"{\"a\":1} ", b"{", b""] {
            let error = sink.store("orders/1.json", other).await.unwrap_err();
            assert_eq!(error.kind(), Kind::Conflict, "{name}: {error}");
            assert!(error.to_string().contains("orders/1.json"), "{name}: {error}");
        }
        assert_eq!(place.objects().await, [("orders/1.json".to_owned(), b"{\"a\":1}".to_vec())], "{name}");
    }
}

/// A bucket that goes wrong by a script, and a way to it.
async fn scripted(script: impl Fn(&str, usize) -> Mishap + Send + Sync + 'static) -> (Bucket, Sink) {
    let bucket = Bucket::start(script);
    let remote = remote("s3://evidence/firedrill/", bucket.options());
    let sink = Sink::open_with(&remote, &bucket.environment()).await.unwrap();
    (bucket, sink)
}

const KEY: &str = "firedrill/orders/1.json";

#[tokio::test]
async fn every_write_is_conditional_and_says_its_digest() {
    let (bucket, sink) = scripted(fair).await;
    sink.store("orders/1.json", b"{}").await.unwrap();
    let log = bucket.log();
    let put = log.iter().find(|asked| asked.method == "PUT").unwrap();
    assert_eq!(put.key, KEY);
    assert_eq!(put.headers["if-none-match"], "*");
    assert_eq!(put.headers["x-amz-checksum-sha256"], "RBNvo1WzZ4oRRq0W9+hknpT7T8If536DEMBg9hyq/4o=");
    assert!(!put.headers.contains_key("x-amz-object-lock-mode"));
    assert!(log.iter().all(|asked| matches!(asked.method.as_str(), "GET" | "PUT")), "{log:#?}");

    let mut locked = remote("s3://evidence/firedrill/", bucket.options());
    locked.retain = Some(Duration::from_secs(400 * 86_400));
    let sink = Sink::open_with(&locked, &bucket.environment()).await.unwrap();
    sink.store("orders/2.json", b"{}").await.unwrap();
    let log = bucket.log();
    let put = log.iter().rfind(|asked| asked.method == "PUT").unwrap();
    assert_eq!(put.headers["x-amz-object-lock-mode"], "COMPLIANCE");
    let until: Timestamp = put.headers["x-amz-object-lock-retain-until-date"].parse().unwrap();
    let ahead = until.duration_since(Timestamp::now()).as_hours();
    assert!((400 * 24 - 1..=400 * 24).contains(&ahead), "{until}");
}

#[tokio::test]
async fn what_goes_wrong_once_is_tried_again_and_what_is_refused_waits() {
    type Case = (&'static str, fn(&str, usize) -> Mishap, Option<Kind>, bool);
    let table: [Case; 9] = [
        ("a write is throttled once", |m, n| once(m, n, "PUT", Mishap::Status(503, "SlowDown")), None, true),
        ("a look fails once", |m, n| once(m, n, "GET", Mishap::Status(500, "InternalError")), None, true),
        ("the answer to a write is lost", |m, n| once(m, n, "PUT", Mishap::AnswerLost), None, true),
        (
            "somebody writes the same in between",
            |m, n| once(m, n, "PUT", Mishap::Overtaken(b"{}")),
            None,
            true,
        ),
        (
            "somebody writes another in between",
            |m, n| once(m, n, "PUT", Mishap::Overtaken(b"{1}")),
            Some(Kind::Conflict),
            true,
        ),
        (
            "it may only write",
            |m, _| if m == "GET" { Mishap::Status(403, "AccessDenied") } else { Mishap::None },
            None,
            true,
        ),
        (
            "it may not write",
            |m, _| if m == "PUT" { Mishap::Status(403, "AccessDenied") } else { Mishap::None },
            Some(Kind::Unreachable),
            false,
        ),
        ("there is no bucket", |_, _| Mishap::Status(404, "NoSuchBucket"), Some(Kind::Unreachable), false),
        ("it is down", |_, _| Mishap::Status(503, "ServiceUnavailable"), Some(Kind::Unreachable), false),
    ];
    for (name, script, kind, there) in table {
        let (bucket, sink) = scripted(script).await;
        let stored = sink.store("orders/1.json", b"{}").await;
        assert_eq!(stored.as_ref().err().map(|error| error.kind()), kind, "{name}: {stored:?}");
        assert_eq!(bucket.objects().contains_key(KEY), there, "{name}");
        if let Err(error) = stored {
            let text = format!("{error} {}", error.reason().remedy);
            assert!(text.contains("s3://evidence/firedrill/") && !text.contains("HOSTILE"), "{name}: {text}");
        }
    }
}

fn once(method: &str, nth: usize, of: &str, mishap: Mishap) -> Mishap {
    if method == of && nth == 1 { mishap } else { Mishap::None }
}

#[tokio::test]
async fn what_can_not_be_sent_waits_and_goes_first_the_next_time() {
    let (bucket, sink) = scripted(|method, nth| match (method, nth) {
        ("PUT", 3..) => Mishap::Status(503, "SlowDown"),
        _ => Mishap::None,
    })
    .await;
    let archive = archive(5);
    let sent = send(&archive.log(), "orders", &sink).await.unwrap();
    assert_eq!((sent.sent, sent.waiting), (2, 3));
    assert_eq!(sent.trouble.unwrap().kind(), Kind::Unreachable);
    assert_eq!(bucket.objects().len(), 2);

    bucket.follow(fair);
    let sent = send(&archive.log(), "orders", &sink).await.unwrap();
    assert_eq!((sent.sent, sent.waiting, sent.trouble.is_none()), (3, 0, true));
    let puts: Vec<String> =
        bucket.log().into_iter().filter(|asked| asked.method == "PUT").map(|asked| asked.key).collect();
    let names = archive.files[2..].iter().map(|path| path.file_name().unwrap().to_str().unwrap());
    assert_eq!(puts, names.map(|name| format!("firedrill/orders/{name}")).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_lost_cursor_costs_requests_and_a_log_begun_anew_is_a_conflict() {
    let (bucket, sink) = scripted(fair).await;
    let archive = archive(3);
    send(&archive.log(), "orders", &sink).await.unwrap();
    let before = bucket.objects();
    let cursor = fs::read_dir(archive.log())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.file_name().unwrap().to_str().unwrap().starts_with(".sent-"))
        .unwrap();
    for damaged in [None, Some("{"), Some("")] {
        match damaged {
            None => fs::remove_file(&cursor).unwrap(),
            Some(text) => fs::write(&cursor, text).unwrap(),
        }
        let sent = send(&archive.log(), "orders", &sink).await.unwrap();
        assert_eq!((sent.sent, sent.waiting), (3, 0), "{damaged:?}");
        assert_eq!(bucket.objects(), before);
    }
    // Whoever rewrites the log here does not rewrite the copy, and is found out.
    fs::write(&archive.files[2], fs::read(&archive.files[0]).unwrap()).unwrap();
    let sent = send(&archive.log(), "orders", &sink).await.unwrap();
    assert_eq!(sent.trouble.unwrap().kind(), Kind::Conflict);
    assert_eq!(bucket.objects(), before);
}

#[tokio::test]
async fn a_log_is_sent_in_order_with_its_reviews_and_only_once() {
    for place in [s3(), azure()] {
        let sink = place.sink().await;
        let archive = archive(3);
        let review = archive.review(&archive.files[1]);
        assert_eq!(waiting(&archive.log(), sink.location()).unwrap(), 4);
        let sent = send(&archive.log(), "orders", &sink).await.unwrap();
        assert_eq!(
            (sent.sent, sent.waiting, sent.trouble.is_none()),
            (4, 0, true),
            "{}: {sent:?}",
            place.name
        );
        let objects = place.objects().await;
        let mut expected: Vec<_> = archive
            .files
            .iter()
            .chain([&review])
            .map(|path| {
                (format!("orders/{}", path.file_name().unwrap().to_str().unwrap()), fs::read(path).unwrap())
            })
            .collect();
        expected.sort();
        assert_eq!(objects, expected, "{}", place.name);

        let log = firedrill::evidence::Log::open(archive.log().parent().unwrap(), "orders").unwrap();
        log.append(&mut night(3), Some(&archive.key)).unwrap();
        assert_eq!(waiting(&archive.log(), sink.location()).unwrap(), 1);
        assert_eq!(send(&archive.log(), "orders", &sink).await.unwrap().sent, 1);
        assert_eq!(send(&archive.log(), "orders", &sink).await.unwrap().sent, 0);
        assert_eq!(place.objects().await.len(), 5);
    }
}

/// `firedrill run` over a real archive, with copies of the evidence going to `bucket`.
fn run(home: &Path, bucket: &Bucket) -> (Option<i32>, String) {
    let archive = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/archives/pg15/custom-gzip.dump");
    fs::create_dir_all(home.join("backups")).unwrap();
    fs::copy(archive, home.join("backups/orders.dump")).unwrap();
    let plan = format!(
        r#"
[evidence]
sign = false
location = "s3://evidence/firedrill/"
store = "copies"
[store.copies]
endpoint = "{}"
path_style = true
[service.orders]
checks = "content only"
[service.orders.backup]
location = "file://{}/backups/"
[service.orders.scratch]
settings = "fast"
isolation = "best-effort"
"#,
        bucket.endpoint,
        home.display()
    );
    fs::write(home.join("firedrill.toml"), plan).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_firedrill"))
        .args(["--state", "state", "run", "--quiet"])
        .current_dir(home)
        .env_clear()
        .env("HOME", home)
        .env("PATH", "/usr/bin:/bin")
        .env("AWS_ACCESS_KEY_ID", "any")
        .env("AWS_SECRET_ACCESS_KEY", "any")
        .env("AWS_REGION", "us-east-1")
        .output()
        .unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_run_whose_copies_wait_ends_with_3_and_the_next_one_sends_them() {
    let bucket = Bucket::start(|_, _| Mishap::Status(503, "SlowDown"));
    let home = tempfile::tempdir().unwrap();
    let (code, told) = run(home.path(), &bucket);
    assert_eq!(code, Some(3), "{told}");
    assert!(told.contains("warning: a file of the evidence of 'orders' waits here to be sent"), "{told}");
    assert!(told.contains("s3://evidence/firedrill/: it answered 503 SlowDown"), "{told}");

    bucket.follow(fair);
    let (code, told) = run(home.path(), &bucket);
    assert_eq!((code, told.as_str()), (Some(0), ""));
    let sent = bucket.objects();
    let names: Vec<&str> = sent.keys().map(|key| &key[..key.find('-').unwrap()]).collect();
    assert_eq!(names, ["firedrill/orders/00000001", "firedrill/orders/00000002"]);

    // Somebody else took the next place.
    bucket.follow(|method, _| match method {
        "PUT" => Mishap::Overtaken(b"forged"),
        _ => Mishap::None,
    });
    let (code, told) = run(home.path(), &bucket);
    assert_eq!(code, Some(70), "{told}");
    assert!(told.contains("error: ") && told.contains("other bytes are there already"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_are_verified_where_they_lie() {
    let archive = archive(3);
    let home = archive.root.path();
    let server = S3Server::start();
    fs::create_dir(server.dir.join("evidence")).unwrap();
    let azurite = Azurite::start();
    azurite.make("evidence");
    let plan = format!(
        "[store.s3]\nendpoint = \"{}\"\npath_style = true\n\
         [store.azure]\nendpoint = \"{}\"\naccount_key_env = \"TEST_KEY\"\n\
         [service.orders]\nchecks = \"content only\"\nbackup.location = \"file:///srv/orders/\"\n",
        server.endpoint, azurite.endpoint
    );
    fs::write(home.join("firedrill.toml"), plan).unwrap();
    let places = [
        ("s3", "s3://evidence/firedrill/".to_owned(), server.options(), server.environment()),
        (
            "azure",
            format!("az://{ACCOUNT}/evidence/firedrill/"),
            azurite.options(Access::Key),
            azurite.environment(),
        ),
    ];
    for (store, location, options, environment) in places {
        let sink = Sink::open_with(&remote(&location, options), &environment).await.unwrap();
        send(&archive.log(), "orders", &sink).await.unwrap();
        let head = archive.head.sha256.to_string();
        let verify = |location: &str, head: &str| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_firedrill"));
            command.args(["evidence", "verify", "--key", "evidence.pub", "--store", store]);
            command.args(["--expect-head", head, location]).current_dir(home);
            command.env_clear().env("HOME", home).env("PATH", "/usr/bin:/bin").env("AWS_REGION", "us-east-1");
            command.envs(server.variables()).envs(azurite.variables());
            let output = command.output().unwrap();
            let told = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
            (output.status.code(), told)
        };
        for location in [location.clone(), format!("{location}orders"), format!("{location}orders/")] {
            let (code, told) = verify(&location, &head);
            assert_eq!(code, Some(0), "{location}: {told}");
            assert!(told.contains("orders: sound, L3"), "{location}: {told}");
        }
        let (code, told) = verify(&location, &head.replace(|c: char| c.is_ascii_digit(), "0"));
        assert_eq!(code, Some(1), "{told}");
        let (code, told) = verify(&format!("{location}nothing/"), &head);
        assert_eq!(code, Some(1), "{told}");
    }
}
