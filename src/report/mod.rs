//! The faces that show what happens and what came out.
