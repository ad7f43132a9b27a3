//! How far the scratch server is kept from the network.

/// What the plan asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// A network namespace with nothing in it, or no drill.
    Required,
    /// The same where the machine allows it; the evidence says whether it did.
    BestEffort,
    /// None is tried.
    Off,
}
