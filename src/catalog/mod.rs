//! The catalogue: which backups there are, and which one is drilled.
