//! The kinds of text that stand in a plan, each with its bounds.

use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;

use crate::plan::fault::{Complaint, shortened};

/// A name of ours: safe as a file name, a label and a key.
pub fn name(text: &str) -> Result<String, Complaint> {
    let fine = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if text.is_empty() || text.len() > 63 || !text.chars().all(fine) || text.starts_with('-') {
        return Err(Complaint::new(
            format!("'{}' is not a name", shortened(text)),
            "write at most 63 letters, digits, '-' and '_', not beginning with '-'",
        ));
    }
    Ok(text.into())
}

/// One line for people.
pub fn line(text: &str) -> Result<String, Complaint> {
    if text.trim().is_empty() || text.len() > 500 || text.chars().any(char::is_control) {
        return Err(Complaint::new("it is not one line of text", "write 1 to 500 printable bytes"));
    }
    Ok(text.into())
}

/// SQL, whose meaning is the server's business.
pub fn sql(text: &str) -> Result<String, Complaint> {
    if text.trim().is_empty() || text.len() > 65_536 || text.contains('\0') {
        return Err(Complaint::new(
            "it is not a statement",
            "write 1 to 65,536 bytes of SQL that give one value",
        ));
    }
    Ok(text.into())
}

/// A path; a relative one is taken from the directory of the plan.
pub fn path(text: &str, base: &Path) -> Result<PathBuf, Complaint> {
    if text.is_empty() || text.len() > 4096 || text.chars().any(char::is_control) {
        return Err(Complaint::new("it is not a path", "write 1 to 4,096 printable bytes"));
    }
    if text.starts_with('~') {
        return Err(Complaint::new(
            "'~' is only known to shells",
            "write the path in full, or relative to the plan",
        ));
    }
    Ok(base.join(text))
}

/// The name of an environment variable; never the secret itself.
pub fn variable(text: &str) -> Result<String, Complaint> {
    let fine = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    if text.is_empty()
        || text.len() > 64
        || !text.chars().all(fine)
        || text.starts_with(|c: char| c.is_ascii_digit())
    {
        return Err(Complaint::new(
            "it is not the name of an environment variable",
            "write a name such as BACKUP_ACCOUNT_KEY, never the secret itself",
        ));
    }
    Ok(text.into())
}

/// An address that a store is reached at.
pub fn endpoint(text: &str) -> Result<String, Complaint> {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or_default();
    let fine = |c: char| c.is_ascii_graphic() && !"?#@\\".contains(c);
    if host.is_empty() || text.len() > 1024 || !host.chars().all(fine) {
        return Err(Complaint::new(
            "it is not an endpoint",
            "write http://HOST:PORT or https://HOST, and no more than a path behind",
        ));
    }
    Ok(text.into())
}

/// A word of a provider: a region, a profile.
pub fn word(text: &str) -> Result<String, Complaint> {
    if text.is_empty() || text.len() > 128 || text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(Complaint::new("it is not one word", "write 1 to 128 printable bytes without blanks"));
    }
    Ok(text.into())
}

/// A time zone by its IANA name.
pub fn timezone(text: &str) -> Result<TimeZone, Complaint> {
    let found = TimeZone::get(text).ok().filter(|zone| zone.iana_name().is_some());
    found.ok_or_else(|| {
        Complaint::new(
            format!("the time zone '{}' is not known here", shortened(text)),
            "write an IANA name such as 'Europe/Berlin', or 'UTC'; install tzdata if it is one",
        )
    })
}

/// One word of a few.
pub fn one_of<T: Copy>(text: &str, words: &[(&str, T)]) -> Result<T, Complaint> {
    words.iter().find(|(word, _)| *word == text).map(|(_, meaning)| *meaning).ok_or_else(|| {
        let words: Vec<String> = words.iter().map(|(word, _)| format!("'{word}'")).collect();
        Complaint::new(
            format!("'{}' is not known here", shortened(text)),
            format!("write {}", words.join(" or ")),
        )
    })
}
