//! The world misbehaves, and the store says so: what heals, what does not, and what it is called.

// Helpers count as tests by this, and may unwrap like them.
#![cfg(test)]

mod support;

use std::time::{Duration, Instant};

use firedrill::store::{
    Connections, Download, Environment, ErrorKind, Listing, Location, Options, Patience, Store, Tuning,
};
use firedrill::verdict::{Blame, Code};
use support::fault_server::{Ask, Asked, Fault, FaultServer, Pace, contents, list_document};

/// Quick to lose, so that the tests are quick; as many attempts as ever.
fn patience() -> Patience {
    Patience {
        attempts: 4,
        backoff_base: Duration::from_millis(1),
        backoff_cap: Duration::from_millis(5),
        connect: Duration::from_millis(500),
        stall: Duration::from_millis(250),
        give_up: Duration::from_secs(10),
    }
}

fn content() -> Vec<u8> {
    (0..1000_u32).map(|n| (n * 7 % 251) as u8).collect()
}

fn one_object() -> Vec<(String, Vec<u8>)> {
    vec![("p/a.dump".into(), content())]
}

fn seven_objects() -> Vec<(String, Vec<u8>)> {
    (1..=7).map(|n| (format!("p/{n}.dump"), vec![b'x'; n])).collect()
}

async fn open(server: &FaultServer) -> Store {
    open_at(server, "s3://b/p/", server.options()).await
}

async fn open_at(server: &FaultServer, location: &str, options: Options) -> Store {
    let location = Location::parse(location).unwrap();
    Store::open_with(&location, &options, &server.environment(), &patience()).await.unwrap()
}

fn keys(listing: &Listing) -> Vec<&str> {
    listing.objects.iter().map(|object| object.key.as_str()).collect()
}

const ALL_SEVEN: [&str; 7] = ["1.dump", "2.dump", "3.dump", "4.dump", "5.dump", "6.dump", "7.dump"];

#[tokio::test]
async fn the_well_behaved_server_is_believed() {
    let server = FaultServer::start(seven_objects(), |_| Fault::None);
    let store = open(&server).await;
    let listing = store.list().await.unwrap();
    assert_eq!((keys(&listing), listing.pages), (ALL_SEVEN.to_vec(), 3));
    let object = &listing.objects[6];
    assert_eq!(store.read(object, 2..5).await.unwrap(), "xxx");
    assert_eq!(store.traffic().requests, 4);
    assert_eq!((store.traffic().retries, store.traffic().bytes), (0, 3));
    let asked = server.log().pop().unwrap();
    let etag = object.etag.clone().unwrap();
    for (name, value) in
        [("range", "bytes=2-4"), ("accept-encoding", "identity"), ("if-match", &format!("\"{etag}\""))]
    {
        assert_eq!(asked.headers.get(name).map(String::as_str), Some(value), "{name}");
    }
}

/// What can go wrong with a read, and what is said when it does not stop.
fn read_faults() -> Vec<(&'static str, Fault, ErrorKind)> {
    use ErrorKind::{StoreUnavailable, TransportUnreliable};
    vec![
        ("busy", Fault::Status(503, "SlowDown"), StoreUnavailable),
        ("too many", Fault::Status(429, "TooManyRequests"), StoreUnavailable),
        ("its own error", Fault::Status(500, "InternalError"), StoreUnavailable),
        ("a gateway", Fault::Status(502, "BadGateway"), StoreUnavailable),
        ("its own timeout", Fault::Status(400, "RequestTimeout"), StoreUnavailable),
        ("cut at once", Fault::Cut(0), StoreUnavailable),
        ("cut at the last byte", Fault::Cut(999), StoreUnavailable),
        ("stalled at once", Fault::Stall(0), StoreUnavailable),
        ("stalled at the last byte", Fault::Stall(999), StoreUnavailable),
        ("no head", Fault::Silence, StoreUnavailable),
        ("half of the bytes, honestly counted", Fault::Short, TransportUnreliable),
        ("more bytes", Fault::Long, TransportUnreliable),
        ("other bytes", Fault::RangeShifted, TransportUnreliable),
        ("no word which bytes", Fault::RangeUntold, TransportUnreliable),
        ("no word which object", Fault::Nameless, TransportUnreliable),
        ("a page for people", Fault::Text("<html>please log in</html>".into()), TransportUnreliable),
    ]
}

#[tokio::test]
async fn a_read_that_goes_wrong_once_is_made_again_and_right() {
    for (name, fault, told) in read_faults() {
        let script = fault.clone();
        let server = FaultServer::start(one_object(), move |asked| match asked {
            Asked { ask: Ask::Get, nth: 1, .. } => script.clone(),
            _ => Fault::None,
        });
        let store = open(&server).await;
        let object = store.list().await.unwrap().objects.remove(0);
        assert!(store.read(&object, 0..1000).await.unwrap() == content(), "{name}");
        let traffic = store.traffic();
        assert_eq!((traffic.requests, traffic.retries, traffic.bytes), (3, 1, 1000), "{name}: {told:?}");
        let throttled = u64::from(matches!(fault, Fault::Status(503 | 429, _)));
        assert_eq!(traffic.throttled, throttled, "{name}");
    }
}

#[tokio::test]
async fn a_read_that_keeps_going_wrong_is_called_by_its_name() {
    for (name, fault, kind) in read_faults() {
        let server = FaultServer::start(one_object(), move |asked| match asked.ask {
            Ask::Get => fault.clone(),
            _ => Fault::None,
        });
        let store = open(&server).await;
        let object = store.list().await.unwrap().objects.remove(0);
        let error = store.read(&object, 0..1000).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{name}: {error}");
        assert_eq!(error.reason().code.blame(), Blame::Environment, "{name}");
        assert!(error.to_string().contains("s3://b/p/a.dump"), "{name}: {error}");
        assert!(!error.to_string().contains("HOSTILE"), "{name}: {error}");
        let gets = server.log().iter().filter(|asked| asked.ask == Ask::Get).count();
        assert_eq!(gets, 4, "{name}: {error}");
        assert_eq!(store.traffic().bytes, 0, "{name}");
    }
}

#[tokio::test]
async fn a_range_that_is_ignored_is_never_taken_for_the_range() {
    let server = FaultServer::start(one_object(), |asked| match asked.ask {
        Ask::Get => Fault::RangeIgnored,
        _ => Fault::None,
    });
    let store = open(&server).await;
    let object = store.list().await.unwrap().objects.remove(0);
    let error = store.read(&object, 10..20).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TransportUnreliable, "{error}");
    assert!(store.read(&object, 0..1000).await.unwrap() == content(), "the whole object was asked for");
}

#[tokio::test]
async fn what_can_not_heal_is_asked_once() {
    let table = [
        ("swapped", Fault::Swapped, ErrorKind::SourceUnstable),
        ("changed", Fault::Status(412, "PreconditionFailed"), ErrorKind::SourceUnstable),
        ("gone", Fault::Status(404, "NoSuchKey"), ErrorKind::SourceUnstable),
        ("shorter by now", Fault::Status(416, "InvalidRange"), ErrorKind::SourceUnstable),
        ("denied", Fault::Status(403, "AccessDenied"), ErrorKind::AccessDenied),
        ("frozen", Fault::Status(403, "InvalidObjectState"), ErrorKind::NotRetrievable),
        ("clocks apart", Fault::Status(403, "RequestTimeTooSkewed"), ErrorKind::ClockUntrusted),
        ("no such bucket", Fault::Status(404, "NoSuchBucket"), ErrorKind::NotFound),
        ("nonsense", Fault::Status(400, "InvalidArgument"), ErrorKind::StoreUnavailable),
    ];
    for (name, fault, kind) in table {
        let server = FaultServer::start(one_object(), move |asked| match asked.ask {
            Ask::Get => fault.clone(),
            _ => Fault::None,
        });
        let store = open(&server).await;
        let object = store.list().await.unwrap().objects.remove(0);
        let error = store.read(&object, 0..10).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{name}: {error}");
        assert_eq!(server.log().len(), 2, "{name}: {error}");
    }
}

#[tokio::test]
async fn a_listing_is_complete_or_an_error() {
    use ErrorKind::{AccessDenied, Credentials, ListIncomplete, ListUnavailable, NotFound};
    let entry = |key: &str| contents(key, b"x", "STANDARD");
    let page = |keys: &[&str], next: Option<&str>| {
        list_document(&keys.iter().map(|key| entry(key)).collect::<String>(), next)
    };
    let good = page(&["p/1.dump"], None);
    let table = [
        ("busy", Fault::Status(503, "SlowDown"), ListUnavailable),
        ("its own error", Fault::Status(500, "InternalError"), ListUnavailable),
        ("silent", Fault::Silence, ListUnavailable),
        ("cut on the wire", Fault::Cut(100), ListUnavailable),
        ("denied", Fault::Status(403, "AccessDenied"), AccessDenied),
        ("denied without a word", Fault::Status(403, ""), AccessDenied),
        ("no such bucket", Fault::Status(404, "NoSuchBucket"), NotFound),
        ("unknown key", Fault::Status(403, "InvalidAccessKeyId"), Credentials),
        (
            "an error inside of a success",
            Fault::Text("<Error><Code>InternalError</Code></Error>".into()),
            ListIncomplete,
        ),
        ("a page for people", Fault::Text("<html><body>log in</body></html>".into()), ListIncomplete),
        ("nothing", Fault::Text(String::new()), ListIncomplete),
        ("no XML", Fault::Text("{\"objects\": []}".into()), ListIncomplete),
        ("cut inside", Fault::Text(good[..good.len() - 60].into()), ListIncomplete),
        ("cut before the end", Fault::Text(good.replace("</ListBucketResult>", "")), ListIncomplete),
        (
            "no word whether it ends",
            Fault::Text(good.replace("<IsTruncated>false</IsTruncated>", "")),
            ListIncomplete,
        ),
        ("goes on, not saying where", Fault::Text(good.replace(">false<", ">true<")), ListIncomplete),
        ("goes on at nowhere", Fault::Text(page(&["p/1.dump"], Some(""))), ListIncomplete),
        ("goes round in a circle", Fault::Text(page(&["p/1.dump"], Some("0"))), ListIncomplete),
        ("out of order", Fault::Text(page(&["p/2.dump", "p/1.dump"], None)), ListIncomplete),
        ("twice", Fault::Text(page(&["p/1.dump", "p/1.dump"], None)), ListIncomplete),
        ("outside", Fault::Text(page(&["p/1.dump", "q/2.dump"], None)), ListIncomplete),
        ("without a name", Fault::Text(good.replace("<Key>p/1.dump</Key>", "")), ListIncomplete),
        ("without a size", Fault::Text(good.replace("<Size>1</Size>", "")), ListIncomplete),
        ("of negative size", Fault::Text(good.replace("<Size>1</Size>", "<Size>-1</Size>")), ListIncomplete),
        ("without a date", Fault::Text(good.replace("LastModified", "Modified")), ListIncomplete),
    ];
    let server = FaultServer::start(one_object(), move |_| Fault::Text(good.clone()));
    assert_eq!(keys(&open(&server).await.list().await.unwrap()), ["1.dump"], "the intact page is a listing");
    for (name, fault, kind) in table {
        let server = FaultServer::start(seven_objects(), move |_| fault.clone());
        let error = open(&server).await.list().await.expect_err(name);
        assert_eq!(error.kind(), kind, "{name}: {error}");
        assert!(error.to_string().starts_with("could not list s3://b/p/: "), "{name}: {error}");
        assert!(!error.to_string().contains("HOSTILE"), "{name}: {error}");
        assert!(!error.reason().remedy.is_empty(), "{name}");
    }
}

#[tokio::test]
async fn a_fault_on_a_later_page_neither_shortens_nor_repeats_the_listing() {
    let stale = list_document(&contents("p/1.dump", b"x", "STANDARD"), None);
    let faults = [
        Fault::Status(503, "SlowDown"),
        Fault::Text("<Error><Code>SlowDown</Code></Error>".into()),
        Fault::Cut(50),
        Fault::Text(list_document("", Some("3"))),
        Fault::Text(stale),
    ];
    for fault in faults {
        let (script, name) = (fault.clone(), format!("{fault:?}"));
        let server =
            FaultServer::start(
                seven_objects(),
                move |asked| if asked.nth == 2 { script.clone() } else { Fault::None },
            );
        let listing = open(&server).await.list().await.expect(&name);
        assert_eq!(keys(&listing), ALL_SEVEN, "{name}");
        let server =
            FaultServer::start(
                seven_objects(),
                move |asked| if asked.nth >= 2 { fault.clone() } else { Fault::None },
            );
        let error = open(&server).await.list().await.expect_err(&name);
        assert!(
            matches!(error.kind(), ErrorKind::ListIncomplete | ErrorKind::ListUnavailable),
            "{name}: {error}"
        );
    }
}

#[tokio::test]
async fn an_azure_listing_is_complete_or_an_error() {
    let blob = |name: &str| {
        format!(
            "<Blob><Name>{name}</Name><Properties><Last-Modified>Fri, 20 Nov 2026 01:02:03 GMT</Last-Modified>\
             <Etag>0x1</Etag><Content-Length>1</Content-Length><BlobType>BlockBlob</BlobType></Properties></Blob>"
        )
    };
    let page = |names: &[&str], next: &str| {
        let blobs: String = names.iter().map(|name| blob(name)).collect();
        format!(
            "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults ContainerName=\"c\">\
             <Blobs>{blobs}</Blobs><NextMarker>{next}</NextMarker></EnumerationResults>"
        )
    };
    let anonymous = |server: &FaultServer| Options { anonymous: true, ..server.options() };
    let good = page(&["p/1.dump"], "");
    let server = FaultServer::start(one_object(), move |_| Fault::Text(good.clone()));
    let store = open_at(&server, "az://acc/c/p/", anonymous(&server)).await;
    assert_eq!(keys(&store.list().await.unwrap()), ["1.dump"], "the intact page is a listing");
    let good = page(&["p/1.dump"], "");
    let table = [
        ("busy", Fault::Status(503, "ServerBusy"), ErrorKind::ListUnavailable),
        ("cut on the wire", Fault::Cut(20), ErrorKind::ListUnavailable),
        ("denied", Fault::Status(403, "AuthorizationPermissionMismatch"), ErrorKind::AccessDenied),
        ("no such container", Fault::Status(404, "ContainerNotFound"), ErrorKind::NotFound),
        ("unknown", Fault::Status(403, "AuthenticationFailed"), ErrorKind::Credentials),
        (
            "an error inside of a success",
            Fault::Text("<Error><Code>ServerBusy</Code></Error>".into()),
            ErrorKind::ListIncomplete,
        ),
        ("a page for people", Fault::Text("<html><body/></html>".into()), ErrorKind::ListIncomplete),
        ("nothing", Fault::Text(String::new()), ErrorKind::ListIncomplete),
        ("cut inside", Fault::Text(good[..good.len() - 60].into()), ErrorKind::ListIncomplete),
        (
            "without its marker",
            Fault::Text(good.replace("<NextMarker></NextMarker>", "")),
            ErrorKind::ListIncomplete,
        ),
        ("round in a circle", Fault::Text(page(&[], "again")), ErrorKind::ListIncomplete),
        ("out of order", Fault::Text(page(&["p/2.dump", "p/1.dump"], "")), ErrorKind::ListIncomplete),
        ("outside", Fault::Text(page(&["q/1.dump"], "")), ErrorKind::ListIncomplete),
        (
            "without a size",
            Fault::Text(good.replace("Content-Length", "Content-Width")),
            ErrorKind::ListIncomplete,
        ),
    ];
    for (name, fault, kind) in table {
        let server = FaultServer::start(one_object(), move |_| fault.clone());
        let store = open_at(&server, "az://acc/c/p/", anonymous(&server)).await;
        let error = store.list().await.expect_err(name);
        assert_eq!(error.kind(), kind, "{name}: {error}");
    }
}

#[tokio::test]
async fn azure_reads_are_held_to_the_same_words() {
    let blob = "<Blob><Name>p/a.dump</Name><Properties><Last-Modified>Fri, 20 Nov 2026 01:02:03 GMT</Last-Modified>\
        <Etag>ETAG</Etag><Content-Length>1000</Content-Length><BlobType>BlockBlob</BlobType></Properties></Blob>";
    let etag = &firedrill::digest::Digest::of(&content()).to_string()[..32];
    let blob = blob.replace("ETAG", etag);
    let page = format!("<EnumerationResults><Blobs>{blob}</Blobs><NextMarker/></EnumerationResults>");
    let faults = read_faults().into_iter().chain([
        ("swapped", Fault::Swapped, ErrorKind::SourceUnstable),
        ("frozen", Fault::Status(409, "BlobArchived"), ErrorKind::NotRetrievable),
        ("denied", Fault::Status(403, "AuthorizationFailure"), ErrorKind::AccessDenied),
    ]);
    for (name, fault, kind) in faults {
        let page = page.clone();
        let server = FaultServer::start([("p/a.dump".into(), content())], move |asked| match asked {
            Asked { ask: Ask::List, .. } => Fault::Text(page.clone()),
            Asked { nth: 1, .. } => Fault::None,
            _ => fault.clone(),
        });
        let options = Options { anonymous: true, path_style: false, ..server.options() };
        let store = open_at(&server, "az://acc/c/p/", options).await;
        let object = store.list().await.unwrap().objects.remove(0);
        assert!(store.read(&object, 0..1000).await.unwrap() == content(), "{name}: intact first");
        let error = store.read(&object, 0..1000).await.expect_err(name);
        assert_eq!(error.kind(), kind, "{name}: {error}");
    }
}

#[tokio::test]
async fn expired_credentials_are_renewed_once() {
    for status in [400, 403] {
        let server = FaultServer::start(seven_objects(), move |asked| match asked.nth {
            2 => Fault::Status(status, "ExpiredToken"),
            _ => Fault::None,
        });
        let store = open(&server).await;
        assert_eq!(keys(&store.list().await.unwrap()), ALL_SEVEN);
        assert_eq!(store.traffic().retries, 1);
    }
    let server = FaultServer::start(seven_objects(), |_| Fault::Status(400, "ExpiredToken"));
    let error = open(&server).await.list().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Credentials, "{error}");
    assert_eq!(error.reason().code, Code::Credentials);
    assert_eq!(server.log().len(), 2);
}

#[tokio::test]
async fn without_credentials_nobody_is_asked_and_anonymous_is_offered() {
    let server = FaultServer::start(seven_objects(), |_| Fault::None);
    let nobody = Environment::given::<String, String>([]);
    let location = Location::parse("s3://b/p/").unwrap();
    let error = Store::open_with(&location, &server.options(), &nobody, &patience()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Credentials);
    assert!(error.to_string().contains("no credentials were found"), "{error}");
    assert!(error.reason().remedy.contains("anonymous = true"), "{}", error.reason().remedy);
    let azure = Location::parse("az://acc/c/").unwrap();
    for endpoint in [server.endpoint.clone(), "https://127.0.0.1:9".into()] {
        let options = Options { endpoint: Some(endpoint), ..Options::default() };
        let error = Store::open_with(&azure, &options, &nobody, &patience()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Credentials, "{error}");
        assert!(error.reason().remedy.contains("anonymous = true"), "{}", error.reason().remedy);
    }
    assert!(server.log().is_empty());
    let options = Options { anonymous: true, ..server.options() };
    let store = Store::open_with(&location, &options, &nobody, &patience()).await.unwrap();
    assert_eq!(keys(&store.list().await.unwrap()), ALL_SEVEN);
    assert!(server.log().iter().all(|asked| !asked.headers.contains_key("authorization")));
}

#[tokio::test]
async fn options_that_can_not_work_are_said_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let no_pem = folder.path().join("ca.pem");
    std::fs::write(&no_pem, "no certificate").unwrap();
    let endpoint =
        |text: &str| Options { endpoint: Some(text.into()), anonymous: true, ..Options::default() };
    let ca =
        |path: &std::path::Path| Options { ca_file: Some(path.into()), ..endpoint("https://127.0.0.1:9") };
    let table = [
        (endpoint("localhost:9000"), "not an http or https address"),
        (endpoint("ftp://localhost"), "not an http or https address"),
        (ca(&no_pem), "holds no certificate"),
        (ca(&folder.path().join("nothing")), "can't be read"),
    ];
    for (options, says) in table {
        for location in ["s3://b/p/", "az://acc/c/p/"] {
            let location = Location::parse(location).unwrap();
            let error =
                Store::open_with(&location, &options, &Environment::given::<&str, &str>([]), &patience())
                    .await;
            let error = error.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
            assert!(error.to_string().contains(says), "{error}");
        }
    }
}

#[tokio::test]
async fn a_store_that_is_not_there_is_given_up_in_bounded_time() {
    let address = support::parts::free_address();
    let options =
        Options { endpoint: Some(format!("http://{address}")), path_style: true, ..Options::default() };
    let sas = "sv=2021&sig=SECRET";
    let environment =
        Environment::given([("AWS_ACCESS_KEY_ID", "any"), ("AWS_SECRET_ACCESS_KEY", "SECRET"), ("SAS", sas)]);
    for location in ["s3://b/p/", "az://acc/c/p/"] {
        let location = Location::parse(location).unwrap();
        let options = Options { sas_env: Some("SAS".into()), ..options.clone() };
        let store = Store::open_with(&location, &options, &environment, &patience()).await.unwrap();
        let began = Instant::now();
        let error = store.list().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ListUnavailable, "{error}");
        assert!(error.to_string().contains("after 4 attempts"), "{error}");
        assert!(!format!("{error} {error:?}").contains("SECRET"), "{error:?}");
        assert!(began.elapsed() < Duration::from_secs(10));
    }
}

#[tokio::test]
async fn a_store_that_dies_is_given_up_by_all_readers_together() {
    let server = FaultServer::start(one_object(), |asked| match asked.ask {
        Ask::List => Fault::None,
        _ => Fault::Status(500, "InternalError"),
    });
    let patient = Patience { attempts: 8, ..patience() };
    let location = Location::parse("s3://b/p/").unwrap();
    let store =
        Store::open_with(&location, &server.options(), &server.environment(), &patient).await.unwrap();
    let object = store.list().await.unwrap().objects.remove(0);
    let reads: Vec<_> = (0..20)
        .map(|_| {
            let (store, object) = (store.clone(), object.clone());
            tokio::spawn(async move { store.read(&object, 0..10).await })
        })
        .collect();
    for read in reads {
        assert_eq!(read.await.unwrap().unwrap_err().kind(), ErrorKind::StoreUnavailable);
    }
    let requests = server.log().len();
    assert!(requests <= 60, "{requests} requests for 20 reads: the budget is shared");
}

#[tokio::test]
async fn the_clock_of_the_store_is_told_by_the_listing() {
    let server = FaultServer::start(seven_objects(), |_| Fault::ClockAhead(-3600));
    let offset = open(&server).await.list().await.unwrap().clock_offset.unwrap();
    assert!((offset.as_secs() + 3600).abs() <= 2, "{offset:?}");
}

#[tokio::test]
async fn cold_objects_are_known_from_listing_and_head() {
    for (class, cold) in
        [("GLACIER", true), ("DEEP_ARCHIVE", true), ("GLACIER_IR", false), ("STANDARD_IA", false)]
    {
        let server = FaultServer::start(one_object(), move |_| Fault::Class(class));
        let store = open(&server).await;
        let object = store.list().await.unwrap().objects.remove(0);
        assert_eq!(object.archived, cold, "{class}");
        assert_eq!(store.describe(&object).await.unwrap().archived, cold, "{class}");
    }
    let thawed = vec![
        ("x-amz-storage-class", "GLACIER".into()),
        ("x-amz-restore", "ongoing-request=\"false\"".into()),
    ];
    let server = FaultServer::start(one_object(), move |_| Fault::Headers(thawed.clone()));
    let store = open(&server).await;
    let object = store.list().await.unwrap().objects.remove(0);
    assert!(!store.describe(&object).await.unwrap().archived, "a thawed copy can be read");
}

#[tokio::test]
async fn only_a_checksum_of_the_full_object_is_one() {
    let sha256 = "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=";
    let composite = "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=-2";
    let table = [
        ("full", "FULL_OBJECT", sha256, true),
        ("composite", "COMPOSITE", sha256, false),
        ("untold", "", sha256, false),
        ("with a count of parts", "FULL_OBJECT", composite, false),
        ("too short", "FULL_OBJECT", "ungWvw==", false),
    ];
    for (name, kind, value, is_one) in table {
        let mut headers =
            vec![("x-amz-checksum-sha256", value.to_owned()), ("x-amz-version-id", "v1".into())];
        headers.extend((!kind.is_empty()).then(|| ("x-amz-checksum-type", kind.to_owned())));
        let server = FaultServer::start(one_object(), move |_| Fault::Headers(headers.clone()));
        let store = open(&server).await;
        let object = store.list().await.unwrap().objects.remove(0);
        let details = store.describe(&object).await.unwrap();
        assert_eq!(details.checksum.is_some(), is_one, "{name}");
        assert_eq!(details.version.as_deref(), Some("v1"));
    }
}

#[tokio::test]
async fn a_pinned_version_is_asked_for_and_no_other_is_taken() {
    let answer = |version: &'static str| {
        FaultServer::start(one_object(), move |asked| match asked.ask {
            Ask::Get => Fault::Headers(vec![("x-amz-version-id", version.into())]),
            _ => Fault::None,
        })
    };
    for (version, is_taken) in [("v1", true), ("v2", false)] {
        let server = answer(version);
        let store = open(&server).await;
        let mut object = store.list().await.unwrap().objects.remove(0);
        object.version = Some("v1".into());
        let read = store.read(&object, 0..10).await;
        assert_eq!(read.is_ok(), is_taken, "{version}");
        assert!(server.log().last().unwrap().path_and_query.contains("versionId=v1"));
    }
}

#[tokio::test]
async fn a_stalled_part_does_not_hold_up_the_others_and_a_drop_ends_them_all() {
    let server = FaultServer::start(one_object(), |asked| match asked {
        Asked { ask: Ask::Get, offset: 0, nth, .. } if *nth <= 4 => Fault::Stall(50),
        _ => Fault::None,
    });
    let store = open(&server).await;
    let object = store.list().await.unwrap().objects.remove(0);
    let mut download = Download::new(
        &store,
        &object,
        0..1000,
        Tuning { connections: Connections::Pinned(4), part_bytes: 100 },
    );
    let mut bytes = Vec::new();
    while let Some(part) = download.next().await {
        bytes.extend(part.unwrap());
    }
    assert!(bytes == content());
    assert_eq!(store.traffic().retries, 1);

    let server =
        FaultServer::start(
            one_object(),
            |asked| if asked.ask == Ask::Get { Fault::Stall(1) } else { Fault::None },
        );
    let store = open(&server).await;
    let object = store.list().await.unwrap().objects.remove(0);
    let mut download = Download::new(
        &store,
        &object,
        0..1000,
        Tuning { connections: Connections::Pinned(4), part_bytes: 100 },
    );
    assert!(
        tokio::time::timeout(Duration::from_millis(50), download.next()).await.is_err(),
        "all are stalled"
    );
    drop(download);
    tokio::time::sleep(patience().stall * 3).await;
    let gets = server.log().iter().filter(|asked| asked.ask == Ask::Get).count();
    assert_eq!(gets, 4, "nothing is tried again for nobody");
}

#[tokio::test]
async fn reads_go_on_while_the_consumer_is_busy_but_not_beyond_the_window() {
    let server = FaultServer::start(one_object(), |_| Fault::None);
    let store = open(&server).await;
    let object = store.list().await.unwrap().objects.remove(0);
    let mut download = Download::new(
        &store,
        &object,
        0..1000,
        Tuning { connections: Connections::Pinned(4), part_bytes: 100 },
    );
    download.next().await.unwrap().unwrap();
    let done = async {
        while store.traffic().bytes < 400 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), done)
        .await
        .expect("the window is filled without the consumer");
    let gets = server.log().iter().filter(|asked| asked.ask == Ask::Get).count();
    assert_eq!(gets, 4);
}

#[tokio::test]
async fn a_slow_store_is_borne_with_as_long_as_bytes_come() {
    // Each read takes four stalls in all, but never a whole one without a byte.
    let pace = Pace { first_byte: Duration::from_millis(50), bytes_per_second: Some(640 << 10) };
    let content: Vec<u8> = (0..640_000_u32).map(|n| (n % 253) as u8).collect();
    let server = FaultServer::start_at(pace, [("p/a.dump".to_owned(), content.clone())], |_| Fault::None);
    let store = open(&server).await;
    let object = store.list().await.unwrap().objects.remove(0);
    let began = Instant::now();
    assert!(store.read(&object, 0..640_000).await.unwrap() == content);
    assert!(began.elapsed() > patience().stall * 3, "{:?}", began.elapsed());
    assert_eq!(store.traffic().retries, 0);
}
