//! The write-ahead journal: what a killed run left behind, and who may run.
