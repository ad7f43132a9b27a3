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

/// What was had, as observed on the running server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IsolationHad {
    /// The server lives in a network namespace of its own, with nothing in it but a loopback
    /// interface that is down.
    NetworkNamespace,
    /// The server shares the network of this machine.
    None {
        /// One line: what the machine refused, or that none was asked for.
        why: String,
    },
}
