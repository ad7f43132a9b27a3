//! What pg_dump writes, read by firedrill itself.
