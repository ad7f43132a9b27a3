//! The store door: a read-only view of one prefix of an object store.

pub mod location;
pub mod object;
pub mod options;

pub use location::Location;
pub use object::{Listing, Object};
pub use options::Options;
