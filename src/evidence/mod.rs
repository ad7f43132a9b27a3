//! Evidence: the record as a statement that an auditor can check.
