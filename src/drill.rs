//! The recipe of a drill.
