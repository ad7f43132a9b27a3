//! The `[evidence]` table.

use std::path::PathBuf;

use crate::plan::evidence::{Evidence, KeySource, Remote, Signing};
use crate::plan::fault::{Complaint, shortened};
use crate::plan::read::faults::Faults;
use crate::plan::read::table::Table;
use crate::plan::read::{Context, backup, text};
use crate::store::Location;

/// How many public keys a plan may name.
const KEYS_MAX: usize = 100;

/// Reads the table. What is faulty in it is reported, and reads as if it were not there.
pub fn read(mut table: Table<'_>, context: &Context<'_>, faults: &mut Faults) -> Evidence {
    let signing = read_signing(&mut table, context, faults);
    let public = read_public(&mut table, context, faults);
    let directory = table.take_text("directory", faults, |path| text::path(path, context.base));
    let remote = read_remote(&mut table, context, faults);
    table.finish(faults);
    Evidence { signing, public, directory, remote }
}

fn read_signing(table: &mut Table<'_>, context: &Context<'_>, faults: &mut Faults) -> Signing {
    let keys = ["key", "key_env", "key_credential"];
    let given: Vec<&str> = keys.into_iter().filter(|key| table.has(key)).collect();
    let sign = table.take_bool("sign", faults);
    let complaint = match (given.as_slice(), sign) {
        ([], Some(false)) | ([_], Some(true) | None) => None,
        ([], _) => Some(Complaint::new(
            "nothing signs the evidence",
            "make a key with 'firedrill keygen' and write key = \"FILE\", key_env or key_credential; or write \
             sign = false",
        )),
        ([one], Some(false)) => {
            Some(Complaint::new(format!("there is '{one}', and sign = false too"), "keep one of the two"))
        }
        (several, _) => {
            Some(Complaint::new(format!("{} are several keys", several.join(" and ")), "keep one"))
        }
    };
    if let Some(complaint) = complaint {
        faults.add(table.place(), table.path(), complaint);
    }
    let file = table.take_text("key", faults, |path| text::path(path, context.base)).map(KeySource::File);
    let variable = table.take_text("key_env", faults, text::variable).map(KeySource::Variable);
    let credential = table.take_text("key_credential", faults, credential).map(KeySource::Credential);
    match file.or(variable).or(credential) {
        Some(source) => Signing::By(source),
        None => Signing::Declined,
    }
}

/// The files of public keys, in their order.
fn read_public(table: &mut Table<'_>, context: &Context<'_>, faults: &mut Faults) -> Vec<PathBuf> {
    let items = table.take_array("public", faults, "write public = [\"evidence.pub\"]").unwrap_or_default();
    if let Some(item) = items.get(KEYS_MAX) {
        item.fault(faults, Complaint::new("there are more than 100 public keys", "name fewer"));
    }
    let read = |text: &str| text::path(text, context.base);
    items.into_iter().take(KEYS_MAX).filter_map(|item| item.text(faults, read)).collect()
}

/// The name of a systemd credential: it becomes the name of a file.
pub fn credential(text: &str) -> Result<String, Complaint> {
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if text.is_empty() || text.len() > 255 || !text.chars().all(fine) || text.starts_with('.') {
        return Err(Complaint::new(
            format!("'{}' is not the name of a credential", shortened(text)),
            "write the NAME of LoadCredential=NAME:FILE in the unit",
        ));
    }
    Ok(text.into())
}

fn read_remote(table: &mut Table<'_>, context: &Context<'_>, faults: &mut Faults) -> Option<Remote> {
    if !table.has("location") {
        for key in ["store", "retain"].into_iter().filter(|key| table.has(key)) {
            let problem = format!("there is '{key}', and no location that it could be for");
            let remedy = "write location = \"s3://BUCKET/PREFIX/\" or az://ACCOUNT/CONTAINER/PREFIX/";
            faults.add(table.place(), table.path(), Complaint::new(problem, remedy));
        }
    }
    let location = table.take_text("location", faults, remote_location);
    let (store_name, store) = backup::read_store(table, location.as_ref(), context, faults);
    let retain = table.take_duration("retain", faults);
    Some(Remote { location: location?, store_name, store, retain })
}

fn remote_location(text: &str) -> Result<Location, Complaint> {
    match backup::read_location(text)? {
        Location::Directory { .. } => {
            Err(Complaint::new("evidence goes to a directory by another key", "write directory = \"PATH\""))
        }
        Location::S3 { prefix, .. } | Location::Azure { prefix, .. }
            if !prefix.is_empty() && !prefix.ends_with('/') =>
        {
            Err(Complaint::new("it does not end with a slash", format!("write '{text}/'")))
        }
        location => Ok(location),
    }
}
