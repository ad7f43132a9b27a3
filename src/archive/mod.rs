//! What pg_dump writes, read by firedrill itself.
//!
//! Nothing here does input or output of its own. Bytes are pushed in the order of the
//! object: first into a [`TocParser`] until the table of contents is complete, then into a
//! [`BlockWalker`], which cuts the rest into the streams of single tables and large objects.
//! Each such stream is [`decode`]d and read as rows by a [`RowReader`] (or as statements by
//! a [`StatementReader`]), in the blocking world of [`std::io::Read`].
//!
//! An archive is hostile until parsed: every length, count and range is checked against a
//! bound before anything is allocated, and no input makes this room panic.

mod blocks;
mod copy;
mod database;
mod decode;
mod directory;
mod encoding;
mod entry;
mod error;
mod foreign_key;
mod gzip_file;
mod header;
mod inserts;
mod lz4;
mod member;
mod object_index;
mod opening;
mod parser;
mod partitions;
mod pieces;
mod plain;
mod raw_entry;
mod rows;
mod sniff;
mod sql;
mod statements;
mod survey;
mod tar;
mod tar_header;
mod tar_walker;
mod toc;
mod unique_key;
mod walker;
mod wire;
mod wrap;

pub use blocks::{BlockWalker, Piece, Trailer};
pub use copy::CopyTarget;
pub use database::{DatabaseProperties, DatabaseSetting, DatabaseSettings, LocaleProvider};
pub use decode::{Decoded, Limits, decode, decode_within};
pub use directory::{DataFile, DataFiles, Directory};
pub use encoding::Encoding;
pub use entry::{DataPosition, Entry, Section};
pub use error::{Error, Place};
pub use foreign_key::{ForeignKey, KeyColumns};
pub use header::{Compression, Header, Layout};
pub use inserts::{InsertColumn, InsertReader, insert_as_copy};
pub use member::Member;
pub use object_index::{INDEX_BYTES_MAX, parse_object_index};
pub use opening::{Front, Opening};
pub use parser::TocParser;
pub use partitions::Partitions;
pub use pieces::PieceSource;
use pieces::read_buffered;
pub use plain::{Item, OTHER_DATABASE, PlainDump, survey_plain};
pub use rows::RowReader;
pub use sniff::{Kind, SNIFF_BYTES, sniff};
pub use sql::quoted;
pub use statements::{Statement, StatementReader};
pub use survey::{Survey, SurveyedObject, SurveyedTable, survey, survey_directory};
pub use tar_walker::TarWalker;
pub use toc::{TableOfData, Toc};
pub use unique_key::UniqueKey;
pub use walker::Walker;
pub use wrap::{
    ITERATIONS_MAX, KeyError, Keys, LAYERS_MAX, Layer, Openssl, OpensslDigest, Unwrapped, unwrap,
};
