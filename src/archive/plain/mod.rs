//! A plain dump: the script that `pg_dump -Fp` and pg_dumpall write for psql, read without psql.
//!
//! ```text
//! bytes → splitter: statements, rows, commands → dump: entries of a table of contents, and the
//! rows and large objects between them
//! ```
//!
//! Of psql's commands only those are known that pg_dump writes, and none is ever executed.

mod cluster;
mod contents;
mod dump;
mod entries;
mod heading;
mod meaning;
mod scan;
mod splitter;
mod survey;

pub use dump::{Item, OTHER_DATABASE, PlainDump};
pub use survey::survey_plain;
