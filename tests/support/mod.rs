//! Real servers for tests, each on a free port of the loopback with a folder of its own, and
//! ended (by its id) when dropped. A part that is missing fails the test with a clear line.
#![allow(dead_code, reason = "each test crate uses its own share of what stands here")]

pub mod azurite;
pub mod fault_server;
pub mod parts;
pub mod s3;
