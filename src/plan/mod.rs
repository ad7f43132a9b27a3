//! The plan: the file as written, and what it means.
