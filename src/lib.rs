//! Fire drills for backups: restore the latest one, prove its rows, measure the recovery,
//! keep the evidence.
//!
//! The rooms below stand in reading order, and each imports only from those above it;
//! `tests/architecture.rs` holds that.

// words
pub mod clock;
pub mod digest;
pub mod event;
pub mod verdict;

// doors
pub mod postgres;
pub mod store;

// thing
pub mod archive;

// intent
pub mod plan;

// stages
pub mod catalog;
pub mod evidence;
pub mod history;
pub mod judge;
pub mod proof;
pub mod record;
pub mod restore;
pub mod stamp;

// whole
pub mod bench;
pub mod drill;
pub mod journal;
pub mod recovery;
pub mod self_test;

// faces
pub mod cli;
pub mod exit_code;
pub mod report;
