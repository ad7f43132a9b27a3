//! How many reads are under way at once: what is pinned, or as many as pay.

#![cfg(test)]

mod support;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use firedrill::store::{
    Berths, Connections, Convoy, Download, Location, Object, Options, Patience, Shaping, Store, Tuning,
};
use support::fault_server::{Ask, Asked, Fault, FaultServer};
use tempfile::TempDir;

const PART_BYTES: u64 = 64 << 10;
const PARTS: u64 = 64;
const ADAPTIVE: Connections = Connections::Adaptive { most: 16 };

fn content() -> Vec<u8> {
    (0..PARTS * PART_BYTES).map(|n| (n * 7 % 251) as u8).collect()
}

/// A directory with one object of many parts, and many of one part each.
fn directory() -> TempDir {
    let directory = TempDir::new().unwrap();
    std::fs::write(directory.path().join("large.dump"), content()).unwrap();
    std::fs::create_dir(directory.path().join("small")).unwrap();
    for n in 0..PARTS {
        std::fs::write(directory.path().join(format!("small/{n:03}")), [b'x'; 100]).unwrap();
    }
    directory
}

/// The store, with the large object and the small ones.
async fn open(directory: &TempDir, shaping: Shaping) -> (Store, Object, Vec<Object>) {
    let location = Location::parse(&format!("file://{}/", directory.path().display())).unwrap();
    let store = Store::open_shaped(&location, &Options::default(), shaping).await.unwrap();
    let mut objects = store.list().await.unwrap().objects;
    let large = objects.remove(0);
    (store, large, objects)
}

/// A line whose connections are slow, each by itself.
fn slow() -> Shaping {
    Shaping {
        connection_bytes_per_second: Some(5_000_000),
        latency: Duration::from_millis(20),
        ..Shaping::default()
    }
}

/// How many reads were under way at most, and how long all of them took.
async fn downloaded(directory: &TempDir, connections: Connections) -> (u64, Duration) {
    let (store, large, _) = open(directory, slow()).await;
    let tuning = Tuning { connections, part_bytes: PART_BYTES };
    let began = Instant::now();
    let mut download = Download::new(&store, &large, 0..large.bytes, tuning);
    let mut bytes = Vec::new();
    while let Some(part) = download.next().await {
        bytes.extend(part.unwrap());
    }
    assert!(bytes == content());
    (store.traffic().reads_most, began.elapsed())
}

#[tokio::test]
async fn slow_connections_become_more_and_the_download_shorter() {
    let directory = directory();
    let (one, long) = downloaded(&directory, Connections::Pinned(1)).await;
    let (six, _) = downloaded(&directory, Connections::Pinned(6)).await;
    let (many, short) = downloaded(&directory, ADAPTIVE).await;
    assert_eq!((one, six), (1, 6));
    assert!((8..=16).contains(&many), "{many}");
    assert!(short < long / 2, "{short:?} and {long:?}");
}

#[tokio::test]
async fn a_consumer_that_never_waits_gets_no_more_connections() {
    let directory = directory();
    let (store, large, _) = open(&directory, Shaping::default()).await;
    let tuning = Tuning { connections: ADAPTIVE, part_bytes: PART_BYTES };
    let mut download = Download::new(&store, &large, 0..large.bytes, tuning);
    for taken in 0..PARTS {
        // Busy until all that may be read ahead is there, which the next call for a part makes one more.
        let ahead = if taken == 0 { 0 } else { (taken + 3).min(PARTS) };
        while store.traffic().bytes < ahead * PART_BYTES {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        download.next().await.unwrap().unwrap();
        assert!(store.traffic().bytes <= (taken + 4) * PART_BYTES, "part {taken}");
    }
    assert!(download.next().await.is_none());
    assert!(store.traffic().reads_most <= 4, "{}", store.traffic().reads_most);
}

#[tokio::test]
async fn small_objects_share_a_window_and_it_grows_as_well() {
    let directory = directory();
    for (connections, allowed) in [(Connections::Pinned(3), 3..=3), (ADAPTIVE, 8..=16)] {
        let (store, _, small) = open(&directory, slow()).await;
        let berths = Berths::new(Tuning { connections, part_bytes: PART_BYTES });
        let objects = small.into_iter().map(|object| (object.key.clone(), Some(object)));
        let mut convoy = Convoy::new(&store, &berths, connections.most(), objects);
        let mut count = 0;
        while let Some(part) = convoy.next().await.unwrap() {
            assert_eq!(part.bytes, [b'x'; 100].as_slice());
            count += 1;
        }
        assert_eq!(count, PARTS);
        let most = store.traffic().reads_most;
        assert!(allowed.contains(&most), "{most} of {connections:?}");
    }
}

/// How many parts were asked for when the third of ten was taken, of a store that asks to slow down
/// once; all ten are the object's.
async fn asked_for(connections: Connections) -> usize {
    let content: Vec<u8> = (0..1000_u32).map(|n| (n % 251) as u8).collect();
    let objects = [("p/a.dump".to_owned(), content.clone())];
    let server = FaultServer::start(objects, |asked| match asked {
        Asked { ask: Ask::Get, nth: 1, .. } => Fault::Status(503, "SlowDown"),
        _ => Fault::None,
    });
    let location = Location::parse("s3://b/p/").unwrap();
    let patience = Patience { backoff_base: Duration::from_millis(1), ..Patience::default() };
    let (options, environment) = (server.options(), server.environment());
    let store = Store::open_with(&location, &options, &environment, &patience).await.unwrap();
    let object = store.list().await.unwrap().objects.remove(0);
    let mut download = Download::new(&store, &object, 0..1000, Tuning { connections, part_bytes: 100 });
    let mut bytes = Vec::new();
    for _ in 0..3 {
        bytes.extend(download.next().await.unwrap().unwrap());
    }
    // Whatever was asked for comes, whether somebody takes it or not.
    let mut asked = 0;
    for _ in 0..40 {
        tokio::time::sleep(Duration::from_millis(5)).await;
        let gets = server.log().into_iter().filter(|asked| asked.ask == Ask::Get);
        asked = gets.map(|asked| asked.offset).collect::<BTreeSet<_>>().len();
        if asked >= 6 {
            break;
        }
    }
    while let Some(part) = download.next().await {
        bytes.extend(part.unwrap());
    }
    assert!(bytes == content);
    assert_eq!(store.traffic().throttled, 1);
    asked
}

#[tokio::test]
async fn a_store_that_asks_to_slow_down_is_read_less_far_ahead_and_to_its_end() {
    assert_eq!(asked_for(Connections::Pinned(4)).await, 6, "three taken, and three ahead");
    assert_eq!(asked_for(ADAPTIVE).await, 4, "two of four, and the third took none");
}
