//! Tables of one archive that are loaded at once: each but the first is read twice, and is what it
//! would have been.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "what fails here fails the test")]

#[path = "support/database.rs"]
mod database;
#[path = "support/postgres.rs"]
mod postgres;

use firedrill::plan::{CopyForm, TablesAtOnce};
use firedrill::restore::Manner;

use crate::database::{Kept, Source};
use crate::postgres::parent;

/// Tables of some megabytes each, the first one so large that a connection has nothing to do while
/// it is loaded; one that is small, references between them, and large objects.
const TABLES: &str = "
    create table a (id int primary key, text text);
    create table b (id int primary key, a int references a, text text);
    create table c (id int primary key, b int references b, text text);
    create table d (id int);
    create table e (id int primary key, text text);
    insert into a select n, repeat(md5(n::text), 4) from generate_series(1, 200000) n;
    insert into b select n, 1 + n % 40000, repeat(md5(n::text), 4) from generate_series(1, 90000) n;
    insert into c select n, 1 + n % 90000, repeat(md5(n::text), 4) from generate_series(1, 30000) n;
    insert into d select generate_series(1, 10);
    insert into e select n, repeat(md5(n::text), 4) from generate_series(1, 50000) n;
    select lo_from_bytea(0, convert_to(repeat(md5(n::text), 100), 'UTF8')) from generate_series(1, 20) n;";

const CONTENT: &str = "
    select 'a' as name, count(*), md5(string_agg(t::text, ',' order by id)) from a t
    union all select 'b', count(*), md5(string_agg(t::text, ',' order by id)) from b t
    union all select 'c', count(*), md5(string_agg(t::text, ',' order by id)) from c t
    union all select 'd', count(*), md5(string_agg(t::text, ',' order by id)) from d t
    union all select 'e', count(*), md5(string_agg(t::text, ',' order by id)) from e t
    union all select 'objects', count(*), md5(string_agg(data, '' order by data)) from pg_largeobject
    order by 1";

#[tokio::test(flavor = "multi_thread")]
async fn what_is_loaded_at_once_is_what_is_loaded_one_after_the_other() {
    let parent = parent();
    let source = Source::start(parent.path()).await;
    source.create("fx", "", TABLES).await;
    let content = source.psql("fx", CONTENT);
    let archives = [
        ("not compressed", source.dump("fx", &["-Z0"], &[])),
        ("gzip", source.dump("fx", &["-Z1"], &[])),
        ("without offsets", source.dump_piped("fx", &["-Fc", "-Z0"])),
    ];
    for (archive, bytes) in archives {
        let mut read_twice_bytes = 0;
        for most in [1, 2, 5] {
            let what = format!("{archive}, {most} at once");
            let tables_at_once = TablesAtOnce { most, pinned: true };
            let manner = Manner { tables_at_once, ..Manner::drill(2, CopyForm::Auto) };
            let kept = Kept::restore_in(&bytes, source.install(), parent.path(), manner).await;
            let (restored, read) = (&kept.restored, &kept.restored.read);
            assert!(restored.failures.is_empty(), "{what}: {:?}", restored.failures);
            assert_eq!(read.digest, firedrill::digest::Digest::of(&bytes), "{what}");
            assert_eq!(read.bytes, bytes.len() as u64, "{what}");
            assert!(read.read_twice_bytes == 0 || most > 1, "{what}");
            read_twice_bytes += read.read_twice_bytes;
            assert_eq!(kept.psql(CONTENT), content, "{what}");
            assert_eq!(restored.rows(), 370_010, "{what}");
        }
        assert!(read_twice_bytes > 0, "{archive}");
    }
}
