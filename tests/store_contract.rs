//! One contract, and every kind of store is held to it: a real S3 server, a real Azure server
//! (by key, by SAS, by connection string), a directory.

// Helpers count as tests by this, and may unwrap like them.
#![cfg(test)]

mod support;

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use firedrill::store::{
    ChecksumAlgorithm, Connections, Download, Environment, ErrorKind, Listing, Location, Options, Patience,
    Store, Tuning,
};
use support::azurite::{ACCOUNT, Access, Azurite};
use support::s3::S3Server;
use tempfile::TempDir;

/// A kind of store, with a hand to write into it behind the store's back.
enum Kind {
    S3(S3Server),
    Azure(Azurite, Access),
    Directory(TempDir),
}

impl Kind {
    fn location(&self, place: &str, prefix: &str) -> Location {
        match self {
            Kind::S3(_) => Location::S3 { bucket: place.into(), prefix: prefix.into() },
            Kind::Azure(..) => {
                Location::Azure { account: ACCOUNT.into(), container: place.into(), prefix: prefix.into() }
            }
            Kind::Directory(folder) => Location::Directory { path: folder.path().join(place).join(prefix) },
        }
    }

    async fn open(&self, place: &str, prefix: &str) -> Store {
        let (options, environment) = match self {
            Kind::S3(server) => (server.options(), server.environment()),
            Kind::Azure(server, access) => (server.options(*access), server.environment()),
            Kind::Directory(_) => (Options::default(), Environment::Process),
        };
        let location = self.location(place, prefix);
        Store::open_with(&location, &options, &environment, &Patience::default()).await.unwrap()
    }

    fn make(&self, place: &str) {
        match self {
            Kind::S3(server) => std::fs::create_dir_all(server.dir.join(place)).unwrap(),
            Kind::Azure(server, _) => server.make(place),
            Kind::Directory(folder) => std::fs::create_dir_all(folder.path().join(place)).unwrap(),
        }
    }

    fn put(&self, place: &str, key: &str, bytes: &[u8]) {
        match self {
            Kind::S3(server) => server.put(place, key, bytes),
            Kind::Azure(server, _) => server.put(place, key, bytes),
            Kind::Directory(folder) => support::s3::write(&folder.path().join(place).join(key), bytes),
        }
    }

    fn remove(&self, place: &str, key: &str) {
        match self {
            Kind::S3(server) => server.remove(place, key),
            Kind::Azure(server, _) => server.remove(place, key),
            Kind::Directory(folder) => std::fs::remove_file(folder.path().join(place).join(key)).unwrap(),
        }
    }
}

type Clause = (&'static str, for<'a> fn(&'a Kind) -> Pin<Box<dyn Future<Output = ()> + 'a>>);

macro_rules! clauses {
    ($($name:ident),* $(,)?) => {
        &[$((stringify!($name), |kind| Box::pin($name(kind)))),*]
    };
}

const CONTRACT: &[Clause] = clauses![
    an_empty_place_is_an_empty_listing,
    a_missing_place_is_an_error_and_never_empty,
    everything_below_the_prefix_is_listed_and_nothing_else,
    more_than_a_thousand_objects_are_all_listed,
    awkward_names_are_listed_and_read,
    an_empty_object_has_no_bytes,
    ranges_give_exactly_their_bytes,
    a_range_that_is_not_there_is_refused,
    details_are_those_of_the_object,
    an_object_that_changed_is_unstable,
    an_object_that_is_gone_is_unstable,
    a_download_is_the_object_however_it_is_cut,
    a_dropped_download_stops_reading,
];

async fn hold(kind: &Kind) {
    for (name, clause) in CONTRACT {
        println!("clause: {name}");
        tokio::time::timeout(Duration::from_secs(120), clause(kind)).await.expect("a clause hangs");
    }
}

#[tokio::test]
async fn s3_keeps_the_contract() {
    hold(&Kind::S3(S3Server::start())).await;
}

#[tokio::test]
async fn azure_by_shared_key_keeps_the_contract() {
    hold(&Kind::Azure(Azurite::start(), Access::Key)).await;
}

#[tokio::test]
async fn azure_by_sas_keeps_the_contract() {
    hold(&Kind::Azure(Azurite::start(), Access::Sas)).await;
}

#[tokio::test]
async fn azure_by_connection_string_keeps_the_contract() {
    hold(&Kind::Azure(Azurite::start(), Access::ConnectionString)).await;
}

#[tokio::test]
async fn a_directory_keeps_the_contract() {
    hold(&Kind::Directory(tempfile::tempdir().unwrap())).await;
}

fn keys(listing: &Listing) -> Vec<&str> {
    listing.objects.iter().map(|object| object.key.as_str()).collect()
}

/// Bytes that differ wherever parts could be mixed up.
fn noise(length: usize) -> Vec<u8> {
    (0..length as u64).map(|n| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect()
}

async fn an_empty_place_is_an_empty_listing(kind: &Kind) {
    kind.make("empty");
    let listing = kind.open("empty", "").await.list().await.unwrap();
    assert!(listing.objects.is_empty());
    match kind {
        Kind::Directory(_) => assert_eq!(listing.clock_offset, None),
        _ => {
            let offset = listing.clock_offset.expect("a server tells its time");
            assert!(offset.abs() < jiff::SignedDuration::from_secs(5), "{offset:?}");
        }
    }
}

async fn a_missing_place_is_an_error_and_never_empty(kind: &Kind) {
    let error = kind.open("nowhere", "").await.list().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    assert!(error.to_string().contains("nowhere"), "{error}");
}

async fn everything_below_the_prefix_is_listed_and_nothing_else(kind: &Kind) {
    kind.make("shop");
    for key in ["db/b.dump", "db/a.dump", "db/2026/11/c.dump", "db-old/x.dump", "dc/y.dump"] {
        kind.put("shop", key, key.as_bytes());
    }
    let listing = kind.open("shop", "db/").await.list().await.unwrap();
    assert_eq!(keys(&listing), ["2026/11/c.dump", "a.dump", "b.dump"]);
    let first = &listing.objects[0];
    assert_eq!(first.uri, format!("{}2026/11/c.dump", kind.location("shop", "db/")));
    assert_eq!(first.bytes, 17);
    assert!(first.etag.is_some() && !first.archived);
    let age = jiff::Timestamp::now().duration_since(first.modified_at);
    assert!(age.abs() < jiff::SignedDuration::from_mins(5), "{age:?}");
    if !matches!(kind, Kind::Directory(_)) {
        let listing = kind.open("shop", "db").await.list().await.unwrap();
        assert_eq!(
            keys(&listing),
            ["-old/x.dump", "/2026/11/c.dump", "/a.dump", "/b.dump"],
            "a prefix is plain text"
        );
    }
}

async fn more_than_a_thousand_objects_are_all_listed(kind: &Kind) {
    kind.make("many");
    // A page of Azure has 5,000; how one is let in makes no difference to that.
    let (count, is_paged): (usize, bool) = match kind {
        Kind::S3(_) => (2_100, true),
        Kind::Azure(_, Access::Key) => (5_100, true),
        Kind::Azure(..) | Kind::Directory(_) => (1_100, false),
    };
    let names: Vec<_> = (0..count).map(|n| format!("p/{n:05}.dump")).collect();
    std::thread::scope(|scope| {
        for share in names.chunks(count.div_ceil(4)) {
            scope.spawn(|| share.iter().for_each(|name| kind.put("many", name, b"x")));
        }
    });
    let listing = kind.open("many", "p/").await.list().await.unwrap();
    assert_eq!(keys(&listing), names.iter().map(|name| &name[2..]).collect::<Vec<_>>());
    assert_eq!(listing.pages > 1, is_paged, "{} pages", listing.pages);
}

async fn awkward_names_are_listed_and_read(kind: &Kind) {
    kind.make("awkward");
    let names = [
        "a b.dump",
        "a%20b.dump",
        "a+b.dump",
        "a&<b>.dump",
        "käse 饅頭 😀.dump",
        "q?x=1#y.dump",
        "it's.dump",
    ];
    for name in names {
        kind.put("awkward", &format!("p/{name}"), name.as_bytes());
    }
    let store = kind.open("awkward", "p/").await;
    let listing = store.list().await.unwrap();
    let mut sorted = names;
    sorted.sort_unstable();
    assert_eq!(keys(&listing), sorted);
    for object in &listing.objects {
        assert_eq!(store.read(object, 0..object.bytes).await.unwrap(), object.key.as_bytes());
        assert_eq!(store.describe(object).await.unwrap().bytes, object.bytes);
    }
}

async fn an_empty_object_has_no_bytes(kind: &Kind) {
    kind.make("void");
    kind.put("void", "nothing.dump", b"");
    let store = kind.open("void", "").await;
    let listing = store.list().await.unwrap();
    let object = &listing.objects[0];
    assert_eq!(object.bytes, 0);
    assert_eq!(store.read(object, 0..0).await.unwrap().len(), 0);
    assert_eq!(store.describe(object).await.unwrap().bytes, 0);
    assert!(Download::new(&store, object, 0..0, Tuning::default()).next().await.is_none());
}

async fn ranges_give_exactly_their_bytes(kind: &Kind) {
    let content = noise(100_000);
    kind.make("ranges");
    kind.put("ranges", "a.dump", &content);
    let store = kind.open("ranges", "").await;
    let listing = store.list().await.unwrap();
    let object = &listing.objects[0];
    let before = store.traffic();
    let ranges =
        [0..100_000, 0..1, 99_999..100_000, 0..0, 100_000..100_000, 1..99_999, 50_000..50_001, 4_095..8_193];
    let mut bytes = 0;
    for range in ranges {
        let expected = &content[range.start as usize..range.end as usize];
        assert_eq!(store.read(object, range.clone()).await.unwrap(), expected, "{range:?}");
        bytes += range.end - range.start;
    }
    let after = store.traffic();
    assert_eq!(after.bytes - before.bytes, bytes);
    assert_eq!((after.requests - before.requests, after.retries, after.throttled), (6, 0, 0));
}

async fn a_range_that_is_not_there_is_refused(kind: &Kind) {
    let store = kind.open("ranges", "").await;
    let listing = store.list().await.unwrap();
    let requests = store.traffic().requests;
    #[expect(clippy::reversed_empty_ranges, reason = "that is the point")]
    let ranges = [0..100_001, 100_000..100_001, 5..4, u64::MAX - 1..u64::MAX];
    for range in ranges {
        let error = store.read(&listing.objects[0], range.clone()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::OutOfRange, "{range:?}: {error}");
    }
    assert_eq!(store.traffic().requests, requests, "nobody was asked");
}

async fn details_are_those_of_the_object(kind: &Kind) {
    kind.make("details");
    if let Kind::Azure(server, _) = kind {
        let md5 = "kAFQmDzST7DWlj99KOF/cg=="; // of "abc"
        let headers = [("x-ms-blob-content-md5", md5), ("x-ms-meta-firedrill_sha256", "ba78")];
        server.put_with("details", "a.dump", b"abc", &headers);
    } else {
        kind.put("details", "a.dump", b"abc");
    }
    let store = kind.open("details", "").await;
    let listing = store.list().await.unwrap();
    let details = store.describe(&listing.objects[0]).await.unwrap();
    assert_eq!(details.bytes, 3);
    assert_eq!(details.etag, listing.objects[0].etag);
    assert!(!details.archived);
    if let Kind::Azure(..) = kind {
        let checksum = details.checksum.expect("Azure keeps the MD5 of the whole blob");
        assert_eq!(checksum.algorithm, ChecksumAlgorithm::Md5);
        assert_eq!(hex::encode(checksum.value), "900150983cd24fb0d6963f7d28e17f72");
        assert_eq!(details.metadata["firedrill_sha256"], "ba78");
    }
}

async fn an_object_that_changed_is_unstable(kind: &Kind) {
    kind.make("change");
    kind.put("change", "a.dump", &noise(1000));
    let store = kind.open("change", "").await;
    let object = store.list().await.unwrap().objects.remove(0);
    assert!(store.read(&object, 0..10).await.is_ok());
    let mut other = noise(1000);
    other[999] ^= 1;
    for (name, content) in [("as long", other), ("shorter", noise(500)), ("longer", noise(2000))] {
        kind.put("change", "a.dump", &content);
        for error in
            [store.read(&object, 0..10).await.unwrap_err(), store.describe(&object).await.unwrap_err()]
        {
            assert_eq!(error.kind(), ErrorKind::SourceUnstable, "{name}: {error}");
        }
    }
    let mut download = Download::new(
        &store,
        &object,
        0..1000,
        Tuning { connections: Connections::Pinned(2), part_bytes: 100 },
    );
    assert_eq!(download.next().await.unwrap().unwrap_err().kind(), ErrorKind::SourceUnstable);
    assert!(download.next().await.is_none(), "nothing comes after an error");
}

async fn an_object_that_is_gone_is_unstable(kind: &Kind) {
    kind.make("gone");
    kind.put("gone", "a.dump", &noise(1000));
    kind.put("gone", "b.dump", &noise(1000));
    let store = kind.open("gone", "").await;
    let object = store.list().await.unwrap().objects.remove(0);
    kind.remove("gone", "a.dump");
    for error in [store.read(&object, 0..10).await.unwrap_err(), store.describe(&object).await.unwrap_err()] {
        assert_eq!(error.kind(), ErrorKind::SourceUnstable, "{error}");
        assert!(error.to_string().contains(&object.uri), "{error}");
    }
}

async fn a_download_is_the_object_however_it_is_cut(kind: &Kind) {
    let content = noise(300_007);
    kind.make("download");
    kind.put("download", "a.dump", &content);
    let store = kind.open("download", "").await;
    let object = store.list().await.unwrap().objects.remove(0);
    let tunings =
        [(1, 1 << 20), (1, 100_000), (2, 65_536), (4, 300_007), (4, 300_006), (16, 7_919), (0, 150_000)];
    for (connections, part_bytes) in tunings {
        for range in [0..300_007, 1..300_006, 12_345..12_346, 299_000..300_007] {
            let mut download = Download::new(
                &store,
                &object,
                range.clone(),
                Tuning { connections: Connections::Pinned(connections), part_bytes },
            );
            let mut bytes = Vec::new();
            while let Some(part) = download.next().await {
                let part = part.unwrap();
                assert!(!part.is_empty() && part.len() as u64 <= part_bytes);
                bytes.extend_from_slice(&part);
            }
            let expected = &content[range.start as usize..range.end as usize];
            assert!(bytes == expected, "{connections} connections, {part_bytes} bytes, {range:?}");
        }
    }
}

async fn a_dropped_download_stops_reading(kind: &Kind) {
    let store = kind.open("download", "").await;
    let object = store.list().await.unwrap().objects.remove(0);
    let before = store.traffic().requests;
    let mut download = Download::new(
        &store,
        &object,
        0..object.bytes,
        Tuning { connections: Connections::Pinned(3), part_bytes: 1_000 },
    );
    download.next().await.unwrap().unwrap();
    drop(download);
    assert!(store.traffic().requests - before <= 3, "no more was asked for than may be in flight");
}

#[tokio::test]
async fn a_cold_blob_is_seen_in_the_listing_and_not_retrievable() {
    let server = Azurite::start();
    server.make("cold");
    server.put("cold", "a.dump", b"abc");
    let kind = Kind::Azure(server, Access::Key);
    let store = kind.open("cold", "").await;
    assert!(!store.list().await.unwrap().objects[0].archived);
    let Kind::Azure(server, _) = &kind else { unreachable!() };
    server.set_tier("cold", "a.dump", "Archive");
    let object = store.list().await.unwrap().objects.remove(0);
    assert!(object.archived);
    assert!(store.describe(&object).await.unwrap().archived);
    assert_eq!(store.read(&object, 0..3).await.unwrap_err().kind(), ErrorKind::NotRetrievable);
}

#[tokio::test]
async fn a_wrong_key_is_a_matter_of_credentials() {
    let s3 = S3Server::start();
    s3.put("b", "a.dump", b"abc");
    let azure = Azurite::start();
    azure.make("bin");
    let wrong = Environment::given([
        ("AWS_ACCESS_KEY_ID", "firedrill-access"),
        ("AWS_SECRET_ACCESS_KEY", "SECRET"),
        ("TEST_KEY", "U0VDUkVU"),
        ("TEST_SAS", "sv=2021-12-02&ss=b&srt=sco&sp=rl&se=2099-01-01T00:00:00Z&sig=SECRET"),
    ]);
    let place = |text: &str| Location::parse(text).unwrap();
    let table = [
        (place("s3://b/"), s3.options()),
        (place("az://devstoreaccount1/bin/"), azure.options(Access::Key)),
        (place("az://devstoreaccount1/bin/"), azure.options(Access::Sas)),
    ];
    for (location, options) in table {
        let store = Store::open_with(&location, &options, &wrong, &Patience::default()).await.unwrap();
        let error = store.list().await.unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::Credentials | ErrorKind::AccessDenied),
            "{location}: {error}"
        );
        let shown = format!("{error} {error:?} {:?} {store:?} {wrong:?}", error.reason());
        assert!(
            !shown.contains("SECRET\"") && !shown.contains("U0VDUkVU") && !shown.contains("sig="),
            "{shown}"
        );
    }
}
