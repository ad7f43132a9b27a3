//! Evidence: the record as a statement that an auditor can check, a year later, without us.
//!
//! One file per drill, one log per service, each file bound to the one before it. A file is
//! an in-toto statement, bare or in a signed DSSE envelope; what is signed is the exact bytes
//! of the statement, and they are written so that there is only one way to write them.

mod bundle;
mod canonical;
mod checked;
mod envelope;
mod error;
mod fault;
mod gap;
mod keeper;
mod key;
mod log;
mod newest;
mod outbox;
mod read;
mod review;
mod reviewed;
mod schema;
mod sink;
mod statement;
mod tar;
mod verify;

pub use bundle::{Paper, gather, unpack, write_bundle};
pub use canonical::canonical;
pub use checked::Checked;
pub use envelope::{Envelope, PAYLOAD_TYPE, Signature};
pub use error::{Error, Kind};
pub use fault::{Fault, FaultKind, with_causes};
pub use gap::{Cadence, Coverage, Gap, Start};
pub use keeper::Keeper;
pub use key::{PRIVATE_FILE, PUBLIC_FILE, PublicKey, SigningKey, keygen};
pub use log::{Entry, Head, Log, Stored, Written, entries, genesis};
pub use newest::{Newest, verify_newest};
pub use outbox::{Sent, send, waiting};
pub use read::{Refused, Signatures, files, services, signatures};
pub use review::{
    REVIEW_TYPE, REVIEWS_MAX, Review, ReviewFile, ReviewOutcome, ReviewStatement, Word, review,
};
pub use reviewed::CheckedReview;
pub use schema::{closed as closed_schema, review_schema, schema};
pub use sink::Sink;
pub use statement::{BYTES_MAX, DigestSet, PREDICATE_TYPE, STATEMENT_TYPE, Statement, Subject};
pub use verify::{Expected, LogReport, Options, Report, Trust, logs_in, verify};
