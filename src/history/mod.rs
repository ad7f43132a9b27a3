//! What past drills say: which backups were proven, how the figures developed, and when an
//! objective would be broken.
//!
//! All of it comes from the evidence, which is the truth; [`recall`] keeps a cache of the few
//! figures that are compared, and does without it where it can't be had. Nothing here verifies
//! evidence: signatures and chain are the auditor's to check.

mod account;
mod cache;
mod drill;
mod inventory;
mod outlook;
mod past;
mod proof;
mod row;
mod score;
mod spread;
mod trend;

pub use account::{Account, Figure, Ratio, WINDOW_MAX};
pub use drill::{Artifact, Content, Drill};
pub use inventory::{Inventory, Item, Limits};
pub use outlook::{Outlook, outlook};
pub use past::{PATIENCE, Past, Recalled, Signed, Unreadable, recall, recall_directly};
pub use proof::{Beside, Proofs, Word};
pub use score::{Score, Scored, score};
pub use spread::{P95_DRILLS_MIN, Place, Spread, Worse, spread};
pub use trend::{NoTrend, POINTS_MIN, Point, Trend, Unfit, fit};
