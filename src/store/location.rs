//! Where backups lie: `s3://bucket/prefix/`, `az://account/container/prefix/`, `file:///path/`.

use std::fmt;
use std::path::PathBuf;

/// A parsed location. Its text never holds a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// A prefix of an S3 bucket, or of anything that speaks S3.
    S3 {
        /// The bucket.
        bucket: String,
        /// Empty, or a key prefix; not necessarily ending in a slash.
        prefix: String,
    },
    /// A prefix of an Azure Blob container.
    Azure {
        /// The storage account.
        account: String,
        /// The container.
        container: String,
        /// Empty, or a blob name prefix.
        prefix: String,
    },
    /// A local directory.
    Directory {
        /// Its absolute path.
        path: PathBuf,
    },
}

impl Location {
    /// Reads a location as the plan writes it.
    ///
    /// # Errors
    /// One line that says what is wrong with the text and what it should look like.
    pub fn parse(text: &str) -> Result<Location, String> {
        let (scheme, rest) = text
            .split_once("://")
            .ok_or_else(|| format!("'{text}' has no scheme; write s3://BUCKET/PREFIX/, az://ACCOUNT/CONTAINER/PREFIX/ or file:///PATH/"))?;
        if rest.contains(['?', '#', '@']) {
            return Err(format!(
                "'{scheme}://…' holds '?', '#' or '@'; secrets and options stand in a [store.NAME] table, not in the location"
            ));
        }
        match scheme {
            "s3" => {
                let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
                name_of(bucket, "bucket", text)?;
                Ok(Location::S3 { bucket: bucket.into(), prefix: prefix.into() })
            }
            "az" => {
                let mut parts = rest.splitn(3, '/');
                let account = parts.next().unwrap_or_default();
                let container = parts.next().unwrap_or_default();
                name_of(account, "account", text)?;
                name_of(container, "container", text)?;
                let prefix = parts.next().unwrap_or_default().into();
                Ok(Location::Azure { account: account.into(), container: container.into(), prefix })
            }
            "file" if rest.starts_with('/') => Ok(Location::Directory { path: PathBuf::from(rest) }),
            "file" => Err(format!("'{text}' is not absolute; write file:///PATH/ with three slashes")),
            other => Err(format!("'{other}' is not a store that firedrill knows; it reads s3, az and file")),
        }
    }
}

fn name_of(name: &str, what: &str, text: &str) -> Result<(), String> {
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    if name.is_empty() || !name.chars().all(fine) {
        return Err(format!("'{text}' names no {what}"));
    }
    Ok(())
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Location::S3 { bucket, prefix } => write!(f, "s3://{bucket}/{prefix}"),
            Location::Azure { account, container, prefix } => {
                write!(f, "az://{account}/{container}/{prefix}")
            }
            Location::Directory { path } => write!(f, "file://{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_read_back_as_they_were_written() {
        for text in ["s3://b/", "s3://b/a/c", "az://a/c/", "az://a/c/p/q/", "file:///srv/backups/"] {
            assert_eq!(Location::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Location::parse("s3://b").unwrap().to_string(), "s3://b/");
    }

    #[test]
    fn a_wrong_location_says_what_to_write_instead() {
        let table = [
            ("backups", "has no scheme"),
            ("gs://b/", "it reads s3, az and file"),
            ("s3:///x", "names no bucket"),
            ("az://account", "names no container"),
            ("file://relative", "three slashes"),
            ("s3://key:secret@b/x", "secrets and options stand in"),
        ];
        for (text, says) in table {
            let error = Location::parse(text).unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
            assert!(!error.contains("secret@"), "{error}");
        }
    }
}
