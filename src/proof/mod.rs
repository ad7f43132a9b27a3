//! The proof: the rows that came back are the rows that the backup held.
