//! Evidence: the record as a statement that an auditor can check, a year later, without us.
//!
//! One file per drill, one log per service, each file bound to the one before it. A file is
//! an in-toto statement, bare or in a signed DSSE envelope; what is signed is the exact bytes
//! of the statement, and they are written so that there is only one way to write them.

mod canonical;
mod envelope;
mod error;
mod keeper;
mod key;
mod log;
mod schema;
mod statement;
mod verify;

pub use envelope::{Envelope, PAYLOAD_TYPE, Signature};
pub use error::{Error, Kind};
pub use keeper::Keeper;
pub use key::{PRIVATE_FILE, PUBLIC_FILE, PublicKey, SigningKey, keygen};
pub use log::{Entry, Head, Log, Written, genesis};
pub use schema::schema;
pub use statement::{BYTES_MAX, DigestSet, PREDICATE_TYPE, STATEMENT_TYPE, Statement, Subject};
pub use verify::{Checked, Fault, FaultKind, Gap, LogReport, Options, Report, Trust, verify};
