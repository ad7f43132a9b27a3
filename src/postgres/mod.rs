//! The PostgreSQL door: finding its programs, running a throwaway cluster, talking to a server.

pub mod isolation;

pub use isolation::Isolation;
