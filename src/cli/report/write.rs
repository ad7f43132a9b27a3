//! A report into its file: whole or not at all.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::cli::output;
use crate::cli::refusal::Refusal;
use crate::exit_code::ExitCode;
use crate::report::encode;

/// Writes `text` to `file`, or to stdout for `-`.
///
/// A regular file, or one that is not there yet, is replaced at once: whoever reads it
/// meanwhile has the old one or the new one. The file it is written to first does not end as
/// the other does, so that no collector takes it for one of its own.
pub fn write(file: &Path, text: &str) -> Result<(), Refusal> {
    let written = match fs::metadata(file) {
        _ if file == Path::new("-") => output::result(text),
        Ok(found) if !found.is_file() => {
            fs::OpenOptions::new().write(true).open(file).and_then(|mut open| open.write_all(text.as_bytes()))
        }
        _ => replace(file, text, 0o666),
    };
    written.map_err(|error| {
        let what = format!("write the report '{}': {}", file.display(), encode::with_causes(&error));
        Refusal::new(ExitCode::Degraded, what, "")
    })
}

/// Puts `text` where `file` is, with what the umask leaves of `mode`.
pub fn replace(file: &Path, text: &str, mode: u32) -> io::Result<()> {
    // Where the name is a link, what it leads to is replaced, and the link stays.
    let file = fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut beside = tempfile::Builder::new()
        .prefix(".firedrill-report-")
        .suffix(".new")
        .permissions(fs::Permissions::from_mode(mode))
        .tempfile_in(folder)?;
    beside.write_all(text.as_bytes())?;
    beside.as_file().sync_all()?;
    beside.persist(&file).map_err(|error| error.error)?;
    Ok(())
}
