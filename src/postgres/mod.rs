//! The PostgreSQL door: finding its programs, running a throwaway cluster, talking to a server.
//!
//! ```text
//! find_installs → choose_install → Cluster::start → Cluster::connect → Session
//! ```
//!
//! A [`Cluster`] owns its processes and directories: it is gone when dropped, and on Linux its
//! server dies with the process that started it, whatever killed that.

mod account;
mod beside;
mod child;
mod cluster;
mod confine;
mod directory;
mod error;
mod given;
mod install;
pub mod isolation;
mod leftover;
mod log;
mod places;
mod quote;
mod redact;
mod session;
mod settings;
mod spool;

pub use beside::Ran;
pub use cluster::{Cluster, ClusterOptions, InitdbOptions};
pub use directory::new_directory_name;
pub use error::{Error, Kind};
pub use given::{GivenServer, PasswordSources};
pub use install::{Install, Version, choose_install, find_installs};
pub use isolation::{Isolation, IsolationHad};
pub use leftover::remove_leftover;
pub use places::Places;
pub use quote::{quote_identifier, quote_literal};
pub use session::{CopyIn, CopyOut, RunToken, Session};
pub use spool::Spool;
