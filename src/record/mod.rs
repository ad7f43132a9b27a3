//! The record of one drill: what was planned, seen and measured.
