//! The fields that no verdict rests on.

/// Leaves that may change without a change of the verdict, as paths with `[]` for any item
/// and `*` for any key; a path covers everything below it. Each other leaf of a passing
/// record holds its pass up: without it, or with another value, the judge does not say pass.
pub const INFORMATIONAL: &[&str] = &[];
