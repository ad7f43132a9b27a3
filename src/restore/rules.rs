//! What a restore is for, and what of the archive goes with that.

/// What a restore is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A drill: nothing of it may act on anything outside of the scratch.
    Drill,
    /// The real thing: everything that the archive holds comes back.
    Recovery,
}

/// The rules of a restore.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// What it is for.
    pub purpose: Purpose,
    /// Whether objects get the owners that the archive names.
    pub owners: bool,
    /// Whether grants are made.
    pub grants: bool,
}

impl Rules {
    /// Those of a drill in a cluster of its own, where any role can be made.
    pub fn drill() -> Rules {
        Rules { purpose: Purpose::Drill, owners: true, grants: true }
    }

    /// Those of a real restore.
    pub fn recovery(owners: bool, grants: bool) -> Rules {
        Rules { purpose: Purpose::Recovery, owners, grants }
    }

    /// Whether roles are made that the server does not know.
    pub fn makes_roles(self) -> bool {
        self.purpose == Purpose::Drill && self.owners
    }
}
