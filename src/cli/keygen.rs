//! `firedrill keygen`: the key pair that signs evidence, and reviews of it.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

use clap::Args;

use crate::cli::output;
use crate::cli::refusal::Refusal;
use crate::evidence::{self, PUBLIC_FILE, with_causes};
use crate::exit_code::ExitCode;
use crate::report::encode;

/// Make a key pair that signs evidence
#[derive(Debug, Args)]
#[command(after_help = "\
Writes evidence.key (PKCS#8, readable by its owner only) and evidence.pub. Neither is ever
overwritten: to change keys, make new ones in another directory, and keep the old evidence.pub,
which verifies the old records.

Examples:
  firedrill keygen --out /etc/firedrill         and in the plan: [evidence] key = \"evidence.key\"
  firedrill keygen --out ~/reviewer             a reviewer's own pair

Publish evidence.pub where the auditor looks and the machine of the drills can't write, such as
a repository. Who verifies names it; no record is believed about its own key.")]
pub struct Arguments {
    /// The directory for the two files, made if it is missing
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// Makes the pair.
pub fn keygen(arguments: &Arguments) -> Result<ExitCode, Refusal> {
    let directory = &arguments.out;
    DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(|error| {
        let what = format!("make the directory '{}': {error}", directory.display());
        Refusal::new(ExitCode::Usage, what, "name a directory that you may write to")
    })?;
    let (private, public) = evidence::keygen(directory).map_err(|error| {
        let remedy = match error.kind() {
            evidence::Kind::Conflict => "a key is never overwritten: name another directory".to_owned(),
            _ => error.reason().remedy,
        };
        Refusal::new(ExitCode::Usage, with_causes(&error), remedy)
    })?;
    let shown = |path: PathBuf| encode::name(&path.to_string_lossy(), 400);
    let (private, published) = (shown(private), shown(directory.join(PUBLIC_FILE)));
    Ok(output::answer(&format!(
        "private key  {private}\npublic key   {published}\nkey id       {}\n",
        public.id()
    )))
}
