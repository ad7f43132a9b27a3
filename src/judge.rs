//! The judge: one pure function over the finished record.
