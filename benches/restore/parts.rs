//! Where `script/parts` puts the programs that this runs.

use std::path::PathBuf;

use crate::machine::Failure;

/// A program that is installed below the target folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// `rclone serve s3`.
    S3,
    S5cmd,
    Aws,
}

impl Part {
    /// The name by which `script/parts` knows it, and the program in its folder.
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Part::S3 => ("s3", "rclone"),
            Part::S5cmd => ("s5cmd", "s5cmd"),
            Part::Aws => ("awscli", "aws"),
        }
    }

    pub fn path(self) -> PathBuf {
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
        let (part, program) = self.names();
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(target).join("parts").join(part).join(program)
    }
}

/// # Errors
/// Some of them are not installed, and what to run.
pub fn need(parts: impl IntoIterator<Item = Part>) -> Result<(), Failure> {
    let missing = parts.into_iter().filter(|part| !part.path().exists());
    let names: Vec<&str> = missing.map(|part| part.names().0).collect();
    if names.is_empty() {
        return Ok(());
    }
    let names = names.join(" ");
    Err(format!("parts of the benchmark are missing: run 'script/parts {names}'").into())
}
