//! The objects of a restored database against those that the archive announces.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "what fails here fails the test")]

#[path = "support/database.rs"]
mod database;
#[path = "support/postgres.rs"]
mod postgres;

use firedrill::proof::inventory::{self, Class, Item};

use crate::database::{Kept, Source};
use crate::postgres::{installs, parent};

/// One object of each class.
const RICH: &str = include_str!("../fixtures/objects/rich.sql");

#[tokio::test(flavor = "multi_thread")]
async fn the_inventories_of_a_source_and_of_its_restored_copy_are_one() {
    let parent = parent();
    let source = Source::start(parent.path()).await;
    source.create("rich", "", RICH).await;
    let archive = source.dump("rich", &[], &[]);
    let session = source.cluster.connect("rich").await.unwrap();
    let expected = inventory::take(&session).await.unwrap();
    // A language without an extension has its handler in C, which no fixture can bring along.
    for class in Class::ALL.iter().filter(|class| **class != Class::Language) {
        assert!(expected.iter().any(|item| item.class == *class), "{}", class.as_str());
    }
    for install in installs() {
        let kept = Kept::restore(&archive, &install, parent.path()).await;
        let session = kept.scratch.connect().await.unwrap();
        let restored = inventory::take(&session).await.unwrap();
        let same_major = install.version.major == source.install().version.major;
        let part = |item: &Item| {
            let definition = same_major.then_some(item.definition);
            let Item { class, schema, name, state, owner, grants, commented, .. } = item.clone();
            (class, schema, name, state, definition, owner, grants, commented)
        };
        let left_out = |item: &&Item| !["EVENT TRIGGER", "PUBLICATION"].contains(&item.class.as_str());
        let [expected, restored] =
            [&expected, &restored].map(|items| items.iter().filter(left_out).map(part).collect::<Vec<_>>());
        let missing: Vec<_> = expected.iter().filter(|item| !restored.contains(item)).collect();
        let more: Vec<_> = restored.iter().filter(|item| !expected.contains(item)).collect();
        assert!(missing.is_empty() && more.is_empty(), "{}: {missing:#?} {more:#?}", install.version.text);
        kept.scratch.remove().await.unwrap();
    }
    source.cluster.stop().await.unwrap();
}
